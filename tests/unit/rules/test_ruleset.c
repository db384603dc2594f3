#include "lib/rules/ruleset.h"

#include <errno.h>

#include "lib/rules/compiled.h"
#include "lib/rules/matcher.h"
#include "tests/support/fault_alloc.h"
#include "tests/unit/rules/ruleset_of_words.h"

static void reports_what_was_built(void **state)
{
	struct sq_ruleset_report report;
	struct sq_ruleset *rs = build(SQ_SV(""), false, &report);

	(void)state;
	assert_false(report.cache_used);
	assert_int_equal(report.rules, 7);
	assert_int_equal(report.predicates, 7);
	assert_int_equal(report.patterns, 6);
	assert_int_equal(report.databases, 2);
	assert_int_equal(sq_ruleset_count(rs), 7);
	assert_sv_equal(sq_ruleset_rule(rs, 5)->title, SQ_SV("ahead"));
	assert_false(sq_ruleset_wants_all(rs));
	is_right(rs);
	sq_diags_fini(&report.notes);
	sq_ruleset_unref(rs);
}

static void a_refused_pattern_is_noted_with_its_place(void **state)
{
	struct sq_ruleset_report report;
	struct sq_ruleset *rs = build(SQ_SV(""), false, &report);

	(void)state;
	says_what_runs_without_hyperscan(&report);
	sq_diags_fini(&report.notes);
	sq_ruleset_unref(rs);
}

static void a_plain_set_is_right_and_has_nothing_to_save(void **state)
{
	struct sq_outbuf out = sq_outbuf_of(1 << 20);
	struct sq_ruleset_report report;
	struct sq_ruleset *rs = build(SQ_SV(""), true, &report);

	(void)state;
	assert_int_equal(report.patterns, 0);
	assert_int_equal(report.databases, 0);
	is_right(rs);
	assert_int_equal(sq_ruleset_save(rs, &out), -ENODATA);
	sq_outbuf_fini(&out);
	sq_diags_fini(&report.notes);
	sq_ruleset_unref(rs);
}

/* What takes longest is the last of these fields, and it is begun first; `run` may also do all the
 * wrong way round. Hyperscan refuses one expression of each: they are told as rules name them. */
static void make_heavier_and_heavier(struct sq_rules *rules)
{
	static const int32_t fields[] = { SQ_F_USER, SQ_F_IMAGE, SQ_F_COMMAND_LINE };
	static const char *const ahead[] = { "a(?=y)", "bb(?=y)", "ccc(?=y)" };
	static const char *const found[] = { "*a*", "*bcdefgh*", "*bcdefghijklmnopqrstuvw*" };

	assert_int_equal(sq_rules_init(rules), 0);
	for (size_t i = 0; i < SQ_LEN(fields); i++) {
		hand_rule(rules, "refused",
		          hand_is(rules, hand_regex(rules, fields[i], sq_sv_of(ahead[i]), 0)));
		hand_rule(rules, "found",
		          hand_is(rules, hand_glob(rules, fields[i], sq_sv_of(found[i]), false)));
	}
}

static void backwards(void *ctx, uint32_t n, sq_each_task *task, void *arg)
{
	unsigned *pieces = ctx;

	for (uint32_t i = n; i-- > 0; (*pieces)++)
		task(arg, i);
}

static void who_compiles_what_when_changes_nothing(void **state)
{
	struct sq_outbuf want = sq_outbuf_of(1 << 20), got = sq_outbuf_of(1 << 20);
	unsigned pieces = 0;
	struct sq_ruleset_opts opts[] = { { 0 }, { .each = { backwards, &pieces } } };
	struct sq_ruleset_report report[2];
	struct sq_ruleset *rs[2];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct sq_rules rules;

		make_heavier_and_heavier(&rules);
		assert_int_equal(sq_ruleset_build(&rules, &opts[i], &rs[i], &report[i], NULL), 0);
		assert_int_equal(sq_ruleset_save(rs[i], i ? &got : &want), 0);
		assert_int_equal(report[i].notes.n, 3);
		assert_int_equal(rs[i]->dbs.refusals.n, 3);
		for (uint32_t k = 0; k < 3; k++) /* predicates are numbered as rules name them */
			assert_int_equal(rs[i]->dbs.refusals.list[k].pred, 2 * k);
	}
	assert_int_equal(pieces, 3);
	assert_true(sq_sv_eq(sq_outbuf_view(&want), sq_outbuf_view(&got)));
	for (size_t i = 0; i < 2; i++) {
		sq_diags_fini(&report[i].notes);
		sq_ruleset_unref(rs[i]);
	}
	sq_outbuf_fini(&want);
	sq_outbuf_fini(&got);
}

static void stop_behind_the_first(void *ctx, uint32_t n, sq_each_task *task, void *arg)
{
	for (uint32_t i = 0; i < n; i++) {
		task(arg, i);
		atomic_store((atomic_bool *)ctx, true);
	}
}

/* What was compiled before is freed; the leak checker sees it. */
static void who_is_stopped_makes_no_rules(void **state)
{
	static const bool before[] = { true, false };
	struct sq_ruleset *rs = NULL;

	(void)state;
	for (size_t i = 0; i < SQ_LEN(before); i++) {
		atomic_bool stop = before[i];
		struct sq_ruleset_opts opts = { .each = { stop_behind_the_first, &stop, &stop } };
		struct sq_rules rules;
		struct sq_err err = { 0 };

		make_heavier_and_heavier(&rules);
		assert_int_equal(sq_ruleset_build(&rules, &opts, &rs, NULL, &err), -ECANCELED);
		assert_string_equal(err.text, "stopped while patterns were compiled");
		assert_null(rs);
	}
}

static void a_wrong_regex_is_an_error_with_its_place(void **state)
{
	struct sq_ruleset *rs = NULL;
	struct sq_rules rules;
	struct sq_err err;

	(void)state;
	assert_int_equal(sq_rules_init(&rules), 0);
	hand_rule(&rules, "r", hand_is(&rules, hand_regex(&rules, SQ_F_USER, SQ_SV("a["), 0)));
	assert_int_equal(sq_ruleset_build(&rules, NULL, &rs, NULL, &err), -EINVAL);
	assert_int_equal(strncmp(err.text, "by-hand.yml:7:3: regular expression: ", 37), 0);
	assert_null(rs);
	assert_null(rules.fields); /* taken, also on failure */
}

static void a_set_lives_as_long_as_its_last_reference(void **state)
{
	struct sq_ruleset *rs = build(SQ_SV(""), false, NULL);
	struct sq_matcher *m = sq_matcher_new(rs);

	(void)state;
	assert_ptr_equal(sq_ruleset_ref(rs), rs);
	sq_ruleset_unref(rs);
	sq_ruleset_unref(rs);
	/* The matcher's own reference is left; the leak checker sees the end. */
	assert_false(sq_matcher_take_limits(m));
	sq_matcher_free(m);
	sq_matcher_free(NULL);
	sq_ruleset_unref(NULL);
}

/* Wildcards that are too much for Hyperscan still match, one at a time. */
static void a_pattern_too_large_for_hyperscan_still_matches(void **state)
{
	enum { LEN = 20000 };
	char *pattern = malloc(LEN + 1), *line = malloc(LEN + 2);
	struct sq_ruleset_report report;
	struct sq_ruleset *rs;
	struct sq_rules rules;

	(void)state;
	memset(pattern, '?', LEN);
	pattern[0] = 'a';
	pattern[LEN] = '\0';
	memset(line, 'a', LEN);
	line[LEN] = line[LEN + 1] = '\0';
	assert_int_equal(sq_rules_init(&rules), 0);
	hand_rule(&rules, "huge",
	          hand_is(&rules, hand_glob(&rules, SQ_F_COMMAND_LINE, sq_sv_of(pattern), false)));
	hand_rule(&rules, "small",
	          hand_is(&rules, hand_glob(&rules, SQ_F_COMMAND_LINE, SQ_SV("*aa*"), false)));
	assert_int_equal(sq_ruleset_build(&rules, NULL, &rs, &report, NULL), 0);
	assert_int_equal(report.notes.n, 1);
	assert_int_equal(report.patterns, 1);
	assert_int_equal(hits_of(rs, line), 1 | 2);
	line[LEN] = 'a';
	assert_int_equal(hits_of(rs, line), 2);
	sq_diags_fini(&report.notes);
	sq_ruleset_unref(rs);
	free(pattern);
	free(line);
}

/* Each of these alone would take Hyperscan seconds. */
static void long_repeats_run_without_hyperscan(void **state)
{
	static const char *const heavy[] = { "(.{0,32000}a){3}", "x.{30000}y{30000}",
		                             "[ab]{0,5000}c[de]{0,5000}f", "bc{1,5000}" };
	char line[] = "b-abc-cdf-a-a", other[] = "b-b-";
	struct sq_ruleset_report report;
	struct sq_ruleset *rs;
	struct sq_rules rules;

	(void)state;
	assert_int_equal(sq_rules_init(&rules), 0);
	for (size_t i = 0; i < SQ_LEN(heavy); i++)
		hand_rule(&rules, "heavy",
		          hand_is(&rules,
		                  hand_regex(&rules, SQ_F_COMMAND_LINE, sq_sv_of(heavy[i]), 0)));
	hand_rule(&rules, "light",
	          hand_is(&rules, hand_regex(&rules, SQ_F_COMMAND_LINE, SQ_SV("b.{0,2000}b"), 0)));
	assert_int_equal(sq_ruleset_build(&rules, NULL, &rs, &report, NULL), 0);
	assert_int_equal(report.notes.n, SQ_LEN(heavy));
	assert_int_equal(report.patterns, 1);
	assert_int_equal(hits_of(rs, line), 1 | 4 | 8 | 16);
	assert_int_equal(hits_of(rs, other), 16);
	sq_diags_fini(&report.notes);
	sq_ruleset_unref(rs);
}

/* Repeats that Hyperscan would take one by one, but not hundreds of them. */
static void all_repeats_of_a_set_have_a_limit(void **state)
{
	enum { RULES = 32 };
	char line[] = "a-b";
	struct sq_ruleset_report report;
	struct sq_ruleset *rs;
	struct sq_rules rules;

	(void)state;
	assert_int_equal(sq_rules_init(&rules), 0);
	for (int i = 0; i < RULES; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "[a%c].{0,%d}b", 'c' + i % 20, 1000 - i);
		hand_rule(&rules, "wide",
		          hand_is(&rules,
		                  hand_regex(&rules, SQ_F_COMMAND_LINE, sq_sv_of(text), 0)));
	}
	assert_int_equal(sq_ruleset_build(&rules, NULL, &rs, &report, NULL), 0);
	assert_in_range(report.patterns, 15, 22);
	assert_int_equal(report.notes.n, RULES - report.patterns);
	assert_int_equal(hits_of(rs, line), UINT32_MAX); /* a bit for each rule */
	sq_diags_fini(&report.notes);
	sq_ruleset_unref(rs);
}

static void fail_each_allocation(const struct sq_ruleset_opts *opts)
{
	for (unsigned n = 1;; n++) {
		struct sq_ruleset_report report;
		struct sq_ruleset *rs = NULL;
		struct sq_matcher *m = NULL;
		struct sq_rules rules;
		bool failed;
		int r;

		make(&rules);
		fault_alloc_at(n);
		r = sq_ruleset_build(&rules, opts, &rs, &report, NULL);
		if (r == 0)
			m = sq_matcher_new(rs);
		failed = fault_alloc_end();
		assert_true(r == 0 || r == -ENOMEM);
		/* A note may lose its text and a cache may go unused: the set is right or none. */
		if (r == 0)
			is_right(rs);
		assert_true(failed || m);
		sq_matcher_free(m);
		sq_ruleset_unref(rs);
		sq_diags_fini(&report.notes);
		if (!failed)
			break;
	}
}

static void every_allocation_of_a_build_may_fail(void **state)
{
	struct sq_ruleset_opts opts = { 0 };
	struct sq_outbuf out;

	(void)state;
	fail_each_allocation(&opts);
	opts.plain = true;
	fail_each_allocation(&opts);
	opts.plain = false;
	save(&out);
	opts.cached = sq_outbuf_view(&out);
	fail_each_allocation(&opts);
	sq_outbuf_fini(&out);
}

static void matching_an_event_allocates_nothing(void **state)
{
	(void)state;
	for (int plain = 0; plain < 2; plain++) {
		struct sq_ruleset *rs = build(SQ_SV(""), plain, NULL);
		struct sq_matcher *m = sq_matcher_new(rs);
		struct sq_event ev = hand_event(sq_ruleset_fields(rs));
		static struct sq_hits hits;

		hand_value(&ev, SQ_F_COMMAND_LINE, SQ_VALUE_TEXT, SQ_SV("x.dll /s xy scrobj"));
		fault_alloc_at(1);
		assert_int_equal(sq_matcher_run(m, &ev, &hits), 3);
		assert_false(fault_alloc_end());
		hand_event_fini(&ev);
		sq_matcher_free(m);
		sq_ruleset_unref(rs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matching_an_event_allocates_nothing),
		cmocka_unit_test(every_allocation_of_a_build_may_fail),
		cmocka_unit_test(reports_what_was_built),
		cmocka_unit_test(a_refused_pattern_is_noted_with_its_place),
		cmocka_unit_test(a_plain_set_is_right_and_has_nothing_to_save),
		cmocka_unit_test(who_compiles_what_when_changes_nothing),
		cmocka_unit_test(who_is_stopped_makes_no_rules),
		cmocka_unit_test(a_wrong_regex_is_an_error_with_its_place),
		cmocka_unit_test(a_set_lives_as_long_as_its_last_reference),
		cmocka_unit_test(a_pattern_too_large_for_hyperscan_still_matches),
		cmocka_unit_test(long_repeats_run_without_hyperscan),
		cmocka_unit_test(all_repeats_of_a_set_have_a_limit),
	};

	return cmocka_run_group_tests_name("rules/ruleset", tests, NULL, NULL);
}
