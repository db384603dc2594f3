#include "lib/rules/ruleset.h"

#include <errno.h>

#include "lib/rules/compiled.h"
#include "lib/rules/matcher.h"
#include "tests/support/byhand.h"
#include "tests/support/fault_alloc.h"
#include "tests/support/test.h"

static const char *const words[] = { "*scrobj*", "*http?://*", "*~s *", "reg*32", "*.dll" };

/* Rules 0 to 4 on the words, 5 on a look-ahead that Hyperscan refuses, 6 on the user. */
static void make(struct sq_rules *rules)
{
	assert_int_equal(sq_rules_init(rules), 0);
	for (size_t i = 0; i < SQ_LEN(words); i++)
		hand_rule(rules, "word",
		          hand_is(rules,
		                  hand_glob(rules, SQ_F_COMMAND_LINE, sq_sv_of(words[i]), false)));
	hand_rule(rules, "ahead",
	          hand_is(rules, hand_regex(rules, SQ_F_COMMAND_LINE, SQ_SV("x(?=y)"), 0)));
	hand_rule(rules, "user", hand_is(rules, hand_glob(rules, SQ_F_USER, SQ_SV("*a*"), false)));
}

static struct sq_ruleset *build(struct sq_sv cached, bool plain, struct sq_ruleset_report *report)
{
	struct sq_ruleset_opts opts = { .cached = cached, .plain = plain };
	struct sq_ruleset *rs;
	struct sq_rules rules;

	make(&rules);
	assert_int_equal(sq_ruleset_build(&rules, &opts, &rs, report, NULL), 0);
	return rs;
}

static uint32_t hits_of(struct sq_ruleset *rs, const char *line)
{
	static struct sq_hits hits;
	struct sq_event ev = hand_event(sq_ruleset_fields(rs));
	struct sq_matcher *m = sq_matcher_new(rs);
	uint32_t bits = 0;

	hand_value(&ev, SQ_F_COMMAND_LINE, SQ_VALUE_TEXT, sq_sv_of(line));
	sq_matcher_run(m, &ev, &hits);
	for (uint32_t i = 0; i < hits.n; i++)
		bits |= 1u << hits.list[i].rule;
	sq_matcher_free(m);
	hand_event_fini(&ev);
	return bits;
}

static void is_right(struct sq_ruleset *rs)
{
	assert_int_equal(hits_of(rs, "regsvr32 /s /i:https://x SCROBJ.dll"), 1 | 2 | 4 | 16);
	assert_int_equal(hits_of(rs, "REGx32"), 8);
	assert_int_equal(hits_of(rs, "axyb"), 32);
	assert_int_equal(hits_of(rs, "nothing"), 0);
}

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

static void says_what_runs_without_hyperscan(const struct sq_ruleset_report *report)
{
	assert_int_equal(report->notes.n, 1);
	assert_int_equal(report->notes.warnings, 1);
	assert_string_equal(report->notes.list[0].file, "by-hand.yml");
	assert_int_equal(report->notes.list[0].line, 7);
	assert_int_equal(report->notes.list[0].col, 3);
	assert_non_null(strstr(report->notes.list[0].text, "runs without Hyperscan: "));
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

static void save(struct sq_outbuf *out)
{
	struct sq_ruleset *rs = build(SQ_SV(""), false, NULL);

	*out = sq_outbuf_of(64 << 20);
	assert_int_equal(sq_ruleset_save(rs, out), 0);
	sq_ruleset_unref(rs);
}

static void a_saved_set_is_taken_up_again(void **state)
{
	struct sq_ruleset_report report;
	struct sq_outbuf out, again;
	struct sq_ruleset *rs;

	(void)state;
	save(&out);
	rs = build(sq_outbuf_view(&out), false, &report);
	assert_true(report.cache_used);
	assert_int_equal(report.patterns, 6);
	says_what_runs_without_hyperscan(&report);
	is_right(rs);

	/* What was loaded saves as the same bytes. */
	again = sq_outbuf_of(64 << 20);
	assert_int_equal(sq_ruleset_save(rs, &again), 0);
	assert_true(sq_sv_eq(sq_outbuf_view(&out), sq_outbuf_view(&again)));
	sq_diags_fini(&report.notes);
	sq_ruleset_unref(rs);
	sq_outbuf_fini(&out);
	sq_outbuf_fini(&again);
}

static void a_cache_at_any_address_is_taken(void **state)
{
	struct sq_ruleset_report report;
	struct sq_outbuf out;
	struct sq_ruleset *rs;
	char *moved;

	(void)state;
	save(&out);
	moved = malloc(out.len + 1);
	memcpy(moved + 1, out.p, out.len);
	rs = build((struct sq_sv){ moved + 1, out.len }, false, &report);
	assert_true(report.cache_used);
	is_right(rs);
	sq_diags_fini(&report.notes);
	sq_ruleset_unref(rs);
	sq_outbuf_fini(&out);
	free(moved);
}

static void a_damaged_cache_is_not_used(void **state)
{
	struct sq_outbuf out;
	size_t step;

	(void)state;
	save(&out);
	step = out.len / 8 + 1;
	for (size_t i = 0; i < out.len; i += i < 100 ? 19 : step) {
		struct sq_ruleset_report report;
		struct sq_ruleset *rs;

		out.p[i] ^= 0x10;
		rs = build(sq_outbuf_view(&out), false, &report);
		assert_false(report.cache_used);
		is_right(rs);
		sq_diags_fini(&report.notes);
		sq_ruleset_unref(rs);
		out.p[i] ^= 0x10;
	}
	sq_outbuf_fini(&out);
}

/* Where a cache keeps its checksum, and what that is over: see databases.c. */
enum { CHECKSUM_AT = 40, BODY_AT = 56 };

/* Every byte changed, and every length. */
static void no_damage_gets_past_the_loader(void **state)
{
	struct sq_databases dbs = { 0 };
	struct sq_outbuf out;
	struct sq_plan plan;
	struct sq_rules rules;
	char key[SQ_CACHE_KEY];

	(void)state;
	save(&out);
	make(&rules);
	assert_int_equal(sq_plan_init(&plan, &rules, NULL), 0);
	sq_databases_key(&plan, rules.fields, key);
	for (size_t i = 0; i < out.len; i++) {
		struct sq_sv bytes = sq_outbuf_view(&out);

		assert_int_equal(sq_databases_load(&dbs, &plan, sq_sv_first(bytes, i), key),
		                 -EBADMSG);
		out.p[i] ^= 0x40;
		assert_int_equal(sq_databases_load(&dbs, &plan, bytes, key), -EBADMSG);
		out.p[i] ^= 0x40;
	}
	assert_int_equal(sq_databases_load(&dbs, &plan, sq_outbuf_view(&out), key), 0);
	sq_databases_fini(&dbs);
	sq_plan_fini(&plan);
	sq_rules_fini(&rules);
	sq_outbuf_fini(&out);
}

/* The same with a checksum that fits the damage: the lengths inside are not trusted either. */
static void lengths_in_a_cache_are_not_trusted(void **state)
{
	struct sq_databases dbs = { 0 };
	struct sq_outbuf out;
	struct sq_plan plan;
	struct sq_rules rules;
	char key[SQ_CACHE_KEY];

	(void)state;
	save(&out);
	make(&rules);
	assert_int_equal(sq_plan_init(&plan, &rules, NULL), 0);
	sq_databases_key(&plan, rules.fields, key);
	for (size_t i = BODY_AT; i < out.len; i += i < 600 ? 1 : 11) {
		for (int bit = 0; bit < 8; bit += 7) {
			struct sq_sv bytes = sq_outbuf_view(&out);
			uint64_t sum;
			int r;

			out.p[i] ^= (char)(1 << bit);
			sum = sq_sv_hash(sq_sv_skip(bytes, BODY_AT));
			memcpy(out.p + CHECKSUM_AT, &sum, sizeof(sum));
			r = sq_databases_load(&dbs, &plan, bytes, key);
			assert_true(r == 0 || r == -EBADMSG);
			sq_databases_fini(&dbs);
			out.p[i] ^= (char)(1 << bit);
		}
	}
	sq_plan_fini(&plan);
	sq_rules_fini(&rules);
	sq_outbuf_fini(&out);
}

static void a_short_or_long_cache_is_not_used(void **state)
{
	struct sq_outbuf out;
	size_t step;

	(void)state;
	save(&out);
	step = out.len / 6 + 1;
	for (size_t n = 0; n < out.len; n += n < 100 ? 33 : step) {
		struct sq_ruleset_report report;
		char *cut = exact(out.p, n);
		struct sq_ruleset *rs = build((struct sq_sv){ cut, n }, false, &report);

		assert_false(report.cache_used);
		is_right(rs);
		sq_diags_fini(&report.notes);
		sq_ruleset_unref(rs);
		free(cut);
	}
	sq_outbuf_putc(&out, 'x');
	{
		struct sq_ruleset_report report;
		struct sq_ruleset *rs = build(sq_outbuf_view(&out), false, &report);

		assert_false(report.cache_used);
		sq_diags_fini(&report.notes);
		sq_ruleset_unref(rs);
	}
	sq_outbuf_fini(&out);
}

static void the_cache_of_other_rules_is_not_used(void **state)
{
	struct sq_ruleset_report report;
	struct sq_ruleset_opts opts = { 0 };
	struct sq_ruleset *rs;
	struct sq_rules rules;
	struct sq_outbuf out;

	(void)state;
	save(&out);
	opts.cached = sq_outbuf_view(&out);
	make(&rules);
	hand_rule(&rules, "more",
	          hand_is(&rules, hand_glob(&rules, SQ_F_USER, SQ_SV("*b*"), false)));
	assert_int_equal(sq_ruleset_build(&rules, &opts, &rs, &report, NULL), 0);
	assert_false(report.cache_used);
	is_right(rs);
	sq_diags_fini(&report.notes);
	sq_ruleset_unref(rs);
	sq_outbuf_fini(&out);
}

static void the_key_follows_the_patterns(void **state)
{
	char a[33], same[33], field[33], cased[33];
	struct sq_rules rules;

	(void)state;
	make(&rules);
	sq_rules_cache_key(&rules, a);
	sq_rules_fini(&rules);
	make(&rules);
	sq_rules_cache_key(&rules, same);
	hand_rule(&rules, "f", hand_is(&rules, hand_glob(&rules, SQ_F_IMAGE, SQ_SV("b"), false)));
	sq_rules_cache_key(&rules, field);
	sq_rules_fini(&rules);
	make(&rules);
	hand_rule(&rules, "c", hand_is(&rules, hand_glob(&rules, SQ_F_IMAGE, SQ_SV("b"), true)));
	sq_rules_cache_key(&rules, cased);
	sq_rules_fini(&rules);

	assert_int_equal(strlen(a), 32);
	assert_int_equal(strspn(a, "0123456789abcdef"), 32);
	assert_string_equal(a, same);
	assert_string_not_equal(a, field);
	assert_string_not_equal(field, cased);
}

static void a_cache_that_does_not_fit_its_buffer_fails(void **state)
{
	struct sq_ruleset *rs = build(SQ_SV(""), false, NULL);
	struct sq_outbuf out = sq_outbuf_of(300);

	(void)state;
	assert_int_equal(sq_ruleset_save(rs, &out), -ENOMEM);
	sq_outbuf_fini(&out);
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

static void every_allocation_of_a_save_may_fail(void **state)
{
	struct sq_ruleset *rs = build(SQ_SV(""), false, NULL);
	bool failed = true;

	(void)state;
	for (unsigned n = 1; failed; n++) {
		struct sq_outbuf out = sq_outbuf_of(64 << 20);
		char key[33];
		int r;

		fault_alloc_at(n);
		r = sq_ruleset_save(rs, &out);
		failed = fault_alloc_end();
		assert_true(r == 0 || (failed && r == -ENOMEM));
		sq_outbuf_fini(&out);

		fault_alloc_at(n);
		sq_rules_cache_key(&(struct sq_rules){ 0 }, key);
		failed |= fault_alloc_end();
		assert_int_equal(strlen(key), 32);
	}
	sq_ruleset_unref(rs);
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
		cmocka_unit_test(every_allocation_of_a_save_may_fail),
		cmocka_unit_test(reports_what_was_built),
		cmocka_unit_test(a_refused_pattern_is_noted_with_its_place),
		cmocka_unit_test(a_plain_set_is_right_and_has_nothing_to_save),
		cmocka_unit_test(a_saved_set_is_taken_up_again),
		cmocka_unit_test(a_cache_at_any_address_is_taken),
		cmocka_unit_test(a_damaged_cache_is_not_used),
		cmocka_unit_test(no_damage_gets_past_the_loader),
		cmocka_unit_test(lengths_in_a_cache_are_not_trusted),
		cmocka_unit_test(a_short_or_long_cache_is_not_used),
		cmocka_unit_test(the_cache_of_other_rules_is_not_used),
		cmocka_unit_test(the_key_follows_the_patterns),
		cmocka_unit_test(a_cache_that_does_not_fit_its_buffer_fails),
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
