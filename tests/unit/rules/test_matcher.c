#include "lib/rules/matcher.h"

#include <errno.h>

#include "tests/support/byhand.h"
#include "tests/support/test.h"

/* A set that is built with Hyperscan and without; every expectation is of both. */
struct both {
	struct sq_ruleset *rs[2];
	struct sq_matcher *m[2];
};

typedef void rules_fn(struct sq_rules *rules);

static void build(struct both *b, rules_fn *make, uint32_t steps)
{
	for (int i = 0; i < 2; i++) {
		struct sq_ruleset_opts opts = { .plain = i == 1, .regex_steps = steps };
		struct sq_rules rules;

		assert_int_equal(sq_rules_init(&rules), 0);
		make(&rules);
		assert_int_equal(sq_ruleset_build(&rules, &opts, &b->rs[i], NULL, NULL), 0);
		assert_null(rules.fields); /* taken */
		b->m[i] = sq_matcher_new(b->rs[i]);
		assert_non_null(b->m[i]);
	}
}

static void done(struct both *b)
{
	for (int i = 0; i < 2; i++) {
		sq_matcher_free(b->m[i]);
		sq_ruleset_unref(b->rs[i]);
	}
}

struct field {
	uint32_t field;
	enum sq_value_kind kind;
	const char *text;
};

/* Titles of the rules that match, with a blank after each. */
static void expect_in(struct both *b, enum sq_category c, const struct field *fields, size_t n,
                      const char *const *all, const char *want)
{
	static struct sq_hits hits;

	for (int i = 0; i < 2; i++) {
		struct sq_event ev = hand_event(sq_ruleset_fields(b->rs[i]));
		struct sq_sv views[8];
		char got[512] = "";
		uint32_t n_hits;

		ev.category = c;
		for (size_t k = 0; k < n; k++)
			hand_value(&ev, fields[k].field, fields[k].kind, sq_sv_of(fields[k].text));
		ev.all = views;
		for (; all && all[ev.n_all]; ev.n_all++)
			views[ev.n_all] = sq_sv_of(all[ev.n_all]);
		n_hits = sq_matcher_run(b->m[i], &ev, &hits);
		assert_int_equal(n_hits, hits.n);
		for (uint32_t k = 0; k < hits.n; k++) {
			struct sq_sv t = sq_ruleset_rule(b->rs[i], hits.list[k].rule)->title;
			size_t len = strlen(got);

			(void)snprintf(got + len, sizeof(got) - len, "%.*s ", SQ_SV_ARG(t));
		}
		assert_string_equal(got, want);
		hand_event_fini(&ev);
	}
}

#define EXPECT(b, c, want, ...)                                                                    \
	do {                                                                                       \
		const struct field f_[] = { __VA_ARGS__ };                                         \
		expect_in(b, c, f_, SQ_LEN(f_), NULL, want);                                       \
	} while (0)

#define IMAGE(text)                                                                                \
	{                                                                                          \
		SQ_F_IMAGE, SQ_VALUE_TEXT, text                                                    \
	}
#define LINE(text)                                                                                 \
	{                                                                                          \
		SQ_F_COMMAND_LINE, SQ_VALUE_TEXT, text                                             \
	}
#define USER(text)                                                                                 \
	{                                                                                          \
		SQ_F_USER, SQ_VALUE_TEXT, text                                                     \
	}
#define CHAN(text)                                                                                 \
	{                                                                                          \
		SQ_F_CHANNEL, SQ_VALUE_TEXT, text                                                  \
	}
#define ID(text)                                                                                   \
	{                                                                                          \
		SQ_F_EVENT_ID, SQ_VALUE_NUMBER, text                                               \
	}

static const struct sq_expr *is(struct sq_rules *rules, int32_t field, const char *glob)
{
	return hand_is(rules, hand_glob(rules, field, sq_sv_of(glob), false));
}

static const struct sq_expr *all_of(struct sq_rules *r, const struct sq_expr *a,
                                    const struct sq_expr *b)
{
	return hand_two(r, SQ_EXPR_AND, a, b);
}

static const struct sq_expr *any_of(struct sq_rules *r, const struct sq_expr *a,
                                    const struct sq_expr *b)
{
	return hand_two(r, SQ_EXPR_OR, a, b);
}

static void negation_rules(struct sq_rules *r)
{
	hand_rule(r, "only-not", hand_not(r, is(r, SQ_F_USER, "*admin*")));
	hand_rule(r, "filtered",
	          all_of(r, is(r, SQ_F_IMAGE, "*\\regsvr32.exe"),
	                 hand_not(r, is(r, SQ_F_COMMAND_LINE, "*\\good.dll*"))));
	hand_rule(r, "not-both",
	          hand_not(r, all_of(r, is(r, SQ_F_IMAGE, "*a*"), is(r, SQ_F_USER, "*b*"))));
	hand_rule(r, "either", any_of(r, is(r, SQ_F_IMAGE, "*qq*"), is(r, SQ_F_USER, "*y*")));
}

static void negations_hold_without_hits_and_without_fields(void **state)
{
	struct both b;

	(void)state;
	build(&b, negation_rules, 0);
	EXPECT(&b, SQ_CATEGORY_NONE, "only-not not-both ", CHAN("x"));
	EXPECT(&b, SQ_CATEGORY_NONE, "not-both ", USER("ADMIN"));
	EXPECT(&b, SQ_CATEGORY_NONE, "only-not filtered not-both ",
	       IMAGE("C:\\Windows\\regsvr32.EXE"));
	EXPECT(&b, SQ_CATEGORY_NONE, "only-not not-both ", IMAGE("C:\\regsvr32.exe"),
	       LINE("regsvr32 C:\\good.dll"));
	EXPECT(&b, SQ_CATEGORY_NONE, "only-not ", IMAGE("a"), USER("b"));
	EXPECT(&b, SQ_CATEGORY_NONE, "only-not not-both either ", USER("y"));
	done(&b);
}

static void negation_over_several_values_means_none_of_them(void **state)
{
	struct both b;

	(void)state;
	build(&b, negation_rules, 0);
	EXPECT(&b, SQ_CATEGORY_NONE, "not-both ", USER("guest"), USER("x-admin-x"), USER("z"));
	EXPECT(&b, SQ_CATEGORY_NONE, "only-not not-both ", USER("guest"), USER("z"));
	done(&b);
}

static void source_rules(struct sq_rules *r)
{
	static const char *const security[] = { "Security", NULL };
	static const char *const two[] = { "Microsoft-Windows-AppLocker/EXE and DLL",
		                           "Microsoft-Windows-AppLocker/MSI and Script", NULL };
	struct sq_rule *rule;

	rule = hand_rule(r, "process", is(r, SQ_F_IMAGE, "*a*"));
	rule->logsource.categories = UINT64_C(1) << SQ_CATEGORY_PROCESS_CREATION;
	rule = hand_rule(r, "registry", is(r, SQ_F_IMAGE, "*a*"));
	rule->logsource.categories =
		UINT64_C(1) << SQ_CATEGORY_REGISTRY_SET | UINT64_C(1) << SQ_CATEGORY_REGISTRY_ADD;
	rule = hand_rule(r, "security", is(r, SQ_F_IMAGE, "*a*"));
	rule->logsource.channels = security;
	rule = hand_rule(r, "security-process", is(r, SQ_F_IMAGE, "*a*"));
	rule->logsource.channels = security;
	rule->logsource.categories = UINT64_C(1) << SQ_CATEGORY_PROCESS_CREATION;
	rule = hand_rule(r, "applocker", hand_not(r, is(r, SQ_F_USER, "*a*")));
	rule->logsource.channels = two;
	rule = hand_rule(r, "never", is(r, SQ_F_IMAGE, "*a*"));
	rule->logsource.never = true;
}

static void rules_see_only_their_log_source(void **state)
{
	struct both b;

	(void)state;
	build(&b, source_rules, 0);
	EXPECT(&b, SQ_CATEGORY_NONE, "", IMAGE("a"));
	EXPECT(&b, SQ_CATEGORY_PROCESS_CREATION, "process ", IMAGE("a"));
	EXPECT(&b, SQ_CATEGORY_REGISTRY_ADD, "registry ", IMAGE("a"));
	EXPECT(&b, SQ_CATEGORY_REGISTRY_DELETE, "", IMAGE("a"));
	EXPECT(&b, SQ_CATEGORY_NONE, "security ", IMAGE("a"), CHAN("SECURITY"));
	EXPECT(&b, SQ_CATEGORY_NONE, "", IMAGE("a"), CHAN("Security2"));
	EXPECT(&b, SQ_CATEGORY_PROCESS_CREATION, "process security security-process ", IMAGE("a"),
	       CHAN("security"));
	EXPECT(&b, SQ_CATEGORY_NONE, "applocker ",
	       CHAN("microsoft-windows-applocker/msi and script"));
	done(&b);
}

static void a_second_channel_hides_nothing(void **state)
{
	struct both b;

	(void)state;
	build(&b, source_rules, 0);
	EXPECT(&b, SQ_CATEGORY_NONE, "security ", IMAGE("a"), CHAN("Other"), CHAN("Security"));
	done(&b);
}

static void derived_rules(struct sq_rules *r)
{
	static const char *const security[] = { "Security", NULL };
	struct sq_rule *rule;

	rule = hand_rule(r, "process", is(r, SQ_F_D_PROGRAM, "*a*"));
	rule->logsource.categories = UINT64_C(1) << SQ_CATEGORY_PROCESS_CREATION;
	rule = hand_rule(r, "excluding", hand_not(r, is(r, SQ_F_D_TRICK, "*a*")));
	rule->logsource.categories = UINT64_C(1) << SQ_CATEGORY_PROCESS_CREATION;
	rule = hand_rule(r, "security", is(r, SQ_F_D_NAME, "*a*"));
	rule->logsource.channels = security;
	rule = hand_rule(r, "registry", is(r, SQ_F_IMAGE, "*a*"));
	rule->logsource.categories = UINT64_C(1) << SQ_CATEGORY_REGISTRY_SET;
}

static void derived_fields_are_asked_for_by_the_rules_of_a_log_source(void **state)
{
	const uint64_t process = UINT64_C(1) << (SQ_F_D_PROGRAM - SQ_F_PRODUCED) |
	                         UINT64_C(1) << (SQ_F_D_TRICK - SQ_F_PRODUCED);
	const uint64_t security = UINT64_C(1) << (SQ_F_D_NAME - SQ_F_PRODUCED);
	struct both b;

	(void)state;
	build(&b, derived_rules, 0);
	for (int i = 0; i < 2; i++) {
		struct sq_event ev = hand_event(sq_ruleset_fields(b.rs[i]));

		assert_true(sq_matcher_derived(b.m[i], &ev) == 0);
		ev.category = SQ_CATEGORY_REGISTRY_SET;
		assert_true(sq_matcher_derived(b.m[i], &ev) == 0);
		ev.category = SQ_CATEGORY_PROCESS_CREATION;
		assert_true(sq_matcher_derived(b.m[i], &ev) == process);
		hand_value(&ev, SQ_F_CHANNEL, SQ_VALUE_TEXT, SQ_SV("SeCuRiTy"));
		assert_true(sq_matcher_derived(b.m[i], &ev) == (process | security));
		hand_event_fini(&ev);
	}
	done(&b);
}

static void mixed_rules(struct sq_rules *r)
{
	const struct sq_expr *id =
		hand_is(r, hand_number(r, SQ_F_EVENT_ID, SQ_EQ, SQ_SV("4688"), 4688));

	hand_rule(r, "number", id);
	hand_rule(r, "number-and-text", all_of(r, id, is(r, SQ_F_IMAGE, "*a*")));
	hand_rule(r, "number-or-text", any_of(r, id, is(r, SQ_F_IMAGE, "*a*")));
	hand_rule(r, "lookahead", hand_is(r, hand_regex(r, SQ_F_COMMAND_LINE, SQ_SV("a(?=b)"), 0)));
	hand_rule(r, "empty", is(r, SQ_F_USER, ""));
	hand_rule(r, "keyword", is(r, -1, "*needle*"));
	hand_rule(r, "keyword-regex", hand_is(r, hand_regex(r, -1, SQ_SV("^[0-9]{3}$"), 0)));
}

static void predicates_that_hyperscan_has_no_part_in_still_run(void **state)
{
	struct both b;

	(void)state;
	build(&b, mixed_rules, 0);
	EXPECT(&b, SQ_CATEGORY_NONE, "number number-or-text ", ID("4688"));
	EXPECT(&b, SQ_CATEGORY_NONE, "number number-and-text number-or-text ", ID("0x1250"),
	       IMAGE("a"));
	EXPECT(&b, SQ_CATEGORY_NONE, "number-or-text ", ID("1"), IMAGE("a"));
	EXPECT(&b, SQ_CATEGORY_NONE, "lookahead ", LINE("xxab"));
	EXPECT(&b, SQ_CATEGORY_NONE, "", LINE("xxac"));
	EXPECT(&b, SQ_CATEGORY_NONE, "empty ", USER(""));
	done(&b);
}

static void keywords_look_at_every_value(void **state)
{
	const char *const all[] = { "hay", "a NEEDLE here", "123", NULL };
	const char *const none[] = { "hay", "nee", "dle", NULL };
	struct both b;

	(void)state;
	build(&b, mixed_rules, 0);
	assert_true(sq_ruleset_wants_all(b.rs[0]));
	expect_in(&b, SQ_CATEGORY_NONE, NULL, 0, all, "keyword keyword-regex ");
	expect_in(&b, SQ_CATEGORY_NONE, NULL, 0, none, "");
	done(&b);
}

static void told_rules(struct sq_rules *r)
{
	const struct sq_expr *image = is(r, SQ_F_IMAGE, "*regsvr32*");

	hand_rule(r, "told",
	          all_of(r, any_of(r, image, is(r, SQ_F_USER, "nobody")),
	                 all_of(r,
	                        any_of(r, is(r, SQ_F_COMMAND_LINE, "*scrobj*"),
	                               is(r, -1, "*word*")),
	                        hand_not(r, is(r, SQ_F_IMAGE, "*zzz*")))));
	hand_rule(r, "same-value-once",
	          all_of(r, image, all_of(r, image, is(r, SQ_F_IMAGE, "*exe"))));
	hand_rule(r, "absent", hand_is(r, hand_presence(r, SQ_F_USER, SQ_MATCH_NULL, false)));
}

static void tells_what_matched(void **state)
{
	static struct sq_hits hits;
	struct both b;

	(void)state;
	build(&b, told_rules, 0);
	for (int i = 0; i < 2; i++) {
		struct sq_event ev = hand_event(sq_ruleset_fields(b.rs[i]));
		struct sq_sv all[] = { SQ_SV("no"), SQ_SV("a word") };

		ev.all = all;
		ev.n_all = 2;
		hand_value(&ev, SQ_F_IMAGE, SQ_VALUE_TEXT, SQ_SV("C:\\regsvr32.exe"));
		hand_value(&ev, SQ_F_COMMAND_LINE, SQ_VALUE_TEXT, SQ_SV("first"));
		hand_value(&ev, SQ_F_COMMAND_LINE, SQ_VALUE_TEXT, SQ_SV("x scrobj.dll"));
		assert_int_equal(sq_matcher_run(b.m[i], &ev, &hits), 3);

		assert_int_equal(hits.list[0].n_matched, 3);
		assert_string_equal(hits.list[0].matched[0].field, "Image");
		assert_sv_equal(hits.list[0].matched[0].value, SQ_SV("C:\\regsvr32.exe"));
		assert_string_equal(hits.list[0].matched[1].field, "CommandLine");
		assert_sv_equal(hits.list[0].matched[1].value, SQ_SV("x scrobj.dll"));
		assert_string_equal(hits.list[0].matched[2].field, "keywords");
		assert_sv_equal(hits.list[0].matched[2].value, SQ_SV("a word"));
		assert_int_equal(hits.list[1].n_matched, 1);
		assert_int_equal(hits.list[2].n_matched, 1);
		assert_string_equal(hits.list[2].matched[0].field, "User");
		assert_int_equal(hits.list[2].matched[0].value.n, 0);
		hand_event_fini(&ev);
	}
	done(&b);
}

static void limit_rules(struct sq_rules *r)
{
	/* The look-ahead keeps Hyperscan out. */
	hand_rule(r, "steep",
	          hand_is(r, hand_regex(r, SQ_F_COMMAND_LINE, SQ_SV("^(a+)+(?=!)$"), 0)));
	hand_rule(r, "other", is(r, SQ_F_COMMAND_LINE, "aaa*"));
}

static void step_limits_are_counted_and_are_no_match(void **state)
{
	struct both b;

	(void)state;
	build(&b, limit_rules, 1000);
	EXPECT(&b, SQ_CATEGORY_NONE, "other ", LINE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sq_matcher_take_limits(b.m[i]), 1);
		assert_int_equal(sq_matcher_take_limits(b.m[i]), 0);
	}
	done(&b);
}

static void crowd_rules(struct sq_rules *r)
{
	for (unsigned i = 0; i < 200; i++) {
		char text[16];

		(void)snprintf(text, sizeof(text), "*%c*", i < 100 ? 'a' : 'b');
		hand_rule(r, "r", is(r, SQ_F_IMAGE, text));
	}
}

static void too_many_hits_are_capped_and_said(void **state)
{
	static struct sq_hits hits;
	struct sq_event ev;
	struct both b;

	(void)state;
	build(&b, crowd_rules, 0);
	for (int i = 0; i < 2; i++) {
		ev = hand_event(sq_ruleset_fields(b.rs[i]));
		hand_value(&ev, SQ_F_IMAGE, SQ_VALUE_TEXT, SQ_SV("b"));
		assert_int_equal(sq_matcher_run(b.m[i], &ev, &hits), SQ_HITS_MAX);
		assert_true(hits.capped);
		assert_int_equal(hits.list[0].rule, 100);
		assert_int_equal(hits.list[SQ_HITS_MAX - 1].rule, 100 + SQ_HITS_MAX - 1);
		hand_event_fini(&ev);
	}
	done(&b);
}

static void no_rules(struct sq_rules *r)
{
	(void)r;
}

static void an_empty_set_matches_nothing(void **state)
{
	struct both b;

	(void)state;
	build(&b, no_rules, 0);
	EXPECT(&b, SQ_CATEGORY_PROCESS_CREATION, "", IMAGE("a"));
	done(&b);
}

static void constant_rules(struct sq_rules *r)
{
	static const struct sq_expr yes = { .kind = SQ_EXPR_TRUE }, no = { .kind = SQ_EXPR_FALSE };

	hand_rule(r, "yes", &yes);
	hand_rule(r, "no", &no);
	hand_rule(r, "not-no", hand_not(r, &no));
}

static void constants_are_what_they_say(void **state)
{
	struct both b;

	(void)state;
	build(&b, constant_rules, 0);
	EXPECT(&b, SQ_CATEGORY_NONE, "yes not-no ", IMAGE("a"));
	done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(negations_hold_without_hits_and_without_fields),
		cmocka_unit_test(negation_over_several_values_means_none_of_them),
		cmocka_unit_test(rules_see_only_their_log_source),
		cmocka_unit_test(a_second_channel_hides_nothing),
		cmocka_unit_test(derived_fields_are_asked_for_by_the_rules_of_a_log_source),
		cmocka_unit_test(predicates_that_hyperscan_has_no_part_in_still_run),
		cmocka_unit_test(keywords_look_at_every_value),
		cmocka_unit_test(tells_what_matched),
		cmocka_unit_test(step_limits_are_counted_and_are_no_match),
		cmocka_unit_test(too_many_hits_are_capped_and_said),
		cmocka_unit_test(an_empty_set_matches_nothing),
		cmocka_unit_test(constants_are_what_they_say),
	};

	return cmocka_run_group_tests_name("rules/matcher", tests, NULL, NULL);
}
