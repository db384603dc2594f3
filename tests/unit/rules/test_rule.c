/* Memory and list of a rule set. */
#include "lib/rules/rule.h"

#include <errno.h>

#include "tests/support/fault_alloc.h"
#include "tests/support/test.h"

static void memory_is_zeroed_and_aligned(void **state)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 100, 40000, 1, 70000, 1, 16384, 3 };
	struct sq_rules rules;

	(void)state;
	assert_int_equal(sq_rules_init(&rules), 0);
	for (unsigned round = 0; round < 20; round++) {
		for (size_t i = 0; i < SQ_LEN(sizes); i++) {
			unsigned char *p = sq_rules_alloc(&rules, sizes[i]);

			assert_non_null(p);
			assert_int_equal((uintptr_t)p % 16, 0);
			for (size_t k = 0; k < sizes[i]; k++)
				assert_int_equal(p[k], 0);
			memset(p, 0xff, sizes[i]); /* nobody else's, then */
		}
	}
	sq_rules_fini(&rules);
}

static void memory_has_a_maximum(void **state)
{
	struct sq_rules rules;
	unsigned n = 0;

	(void)state;
	assert_int_equal(sq_rules_init(&rules), 0);
	assert_null(sq_rules_alloc(&rules, SIZE_MAX));
	assert_null(sq_rules_alloc(&rules, (size_t)SQ_RULES_BYTES_MAX + 1));
	while (sq_rules_alloc(&rules, 64 << 20)) /* not touched, so it costs nothing */
		n++;
	assert_int_equal(n, 8);
	sq_rules_fini(&rules);
}

static void copies_end_in_a_nul(void **state)
{
	struct sq_rules rules;
	struct sq_sv copy;

	(void)state;
	assert_int_equal(sq_rules_init(&rules), 0);
	copy = sq_rules_dup(&rules, SQ_SV("text"));
	assert_sv_equal(copy, SQ_SV("text"));
	assert_int_equal(copy.p[4], 0);
	copy = sq_rules_dup(&rules, (struct sq_sv){ 0 });
	assert_non_null(copy.p);
	assert_int_equal(copy.n, 0);
	sq_rules_fini(&rules);
}

static void rules_have_a_maximum(void **state)
{
	static struct sq_rule rule;
	struct sq_rules rules;

	(void)state;
	assert_int_equal(sq_rules_init(&rules), 0);
	for (int i = 0; i < SQ_RULES_MAX; i++)
		assert_int_equal(sq_rules_add(&rules, &rule), 0);
	assert_int_equal(sq_rules_add(&rules, &rule), -ENOSPC);
	assert_int_equal(rules.n, SQ_RULES_MAX);
	sq_rules_fini(&rules);
}

static void ending_is_tolerant(void **state)
{
	struct sq_rules rules = { 0 };

	(void)state;
	sq_rules_fini(NULL);
	sq_rules_fini(&rules);
	for (unsigned n = 1;; n++) {
		int r;

		assert_in_range(n, 1, 50);
		fault_alloc_at(n);
		r = sq_rules_init(&rules);
		if (!fault_alloc_end()) {
			assert_int_equal(r, 0);
			break;
		}
		assert_int_equal(r, -ENOMEM);
	}
	sq_rules_fini(&rules);
	sq_rules_fini(&rules);
}

static void levels_have_names(void **state)
{
	enum sq_level l = SQ_LEVEL_LOW;

	(void)state;
	assert_string_equal(sq_level_name(SQ_LEVEL_CRITICAL), "critical");
	assert_int_equal(sq_level_parse(SQ_SV("high"), &l), 0);
	assert_int_equal(l, SQ_LEVEL_HIGH);
	assert_int_equal(sq_level_parse(SQ_SV("higher"), &l), -EINVAL);
	assert_int_equal(l, SQ_LEVEL_HIGH); /* written only on success */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_and_aligned),
		cmocka_unit_test(memory_has_a_maximum),
		cmocka_unit_test(copies_end_in_a_nul),
		cmocka_unit_test(rules_have_a_maximum),
		cmocka_unit_test(ending_is_tolerant),
		cmocka_unit_test(levels_have_names),
	};

	return cmocka_run_group_tests_name("rules/rule", tests, NULL, NULL);
}
