/* Compiled databases that were saved, and everything that may be wrong with them. */
#include "lib/rules/ruleset.h"

#include <errno.h>

#include "tests/support/fault_alloc.h"
#include "tests/unit/rules/ruleset_of_words.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_saved_set_is_taken_up_again),
		cmocka_unit_test(a_cache_at_any_address_is_taken),
		cmocka_unit_test(a_damaged_cache_is_not_used),
		cmocka_unit_test(no_damage_gets_past_the_loader),
		cmocka_unit_test(lengths_in_a_cache_are_not_trusted),
		cmocka_unit_test(a_short_or_long_cache_is_not_used),
		cmocka_unit_test(the_cache_of_other_rules_is_not_used),
		cmocka_unit_test(the_key_follows_the_patterns),
		cmocka_unit_test(a_cache_that_does_not_fit_its_buffer_fails),
		cmocka_unit_test(every_allocation_of_a_save_may_fail),
	};

	return cmocka_run_group_tests_name("rules/ruleset_cache", tests, NULL, NULL);
}
