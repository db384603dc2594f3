#include "tests/support/test.h"

#include "lib/derive/derive.h"

static void every_derived_field_is_described(void **state)
{
	const struct sq_derived *d;
	size_t n = 0;

	(void)state;
	for (; (d = sq_field_derived(n)); n++) {
		assert_int_equal(strncmp(d->name, "squibly.", 8), 0);
		assert_true(strlen(d->says) > 10 && d->example[0]);
	}
	assert_int_equal(n, SQ_F_CANONICAL - SQ_F_PRODUCED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_derived_field_is_described),
	};

	return cmocka_run_group_tests_name("derive/derive", tests, NULL, NULL);
}
