/* How many bytes an input may take. */
#include "daemon/flow/allowance.h"

#include <pthread.h>

#include "tests/support/test.h"

enum { NOW = 5000, THREADS = 4, TAKES = 10000 };

static void a_seconds_worth_may_be_taken_at_once(void **state SQ_UNUSED)
{
	struct sqd_allowance a = { .rate = 1000000 };

	assert_int_equal(sqd_allowance_left(&a, NOW), 1000000);
	assert_false(sqd_allowance_scarce(&a, NOW));
	assert_int_equal(sqd_allowance_take(&a, NOW, 400000), 0);
	assert_int_equal(sqd_allowance_left(&a, NOW), 600000);
	/* Then a tenth of a second is rested for, and the begun millisecond. */
	assert_int_equal(sqd_allowance_take(&a, NOW, 600000), 101);
	assert_int_equal(sqd_allowance_left(&a, NOW), 0);
	assert_true(sqd_allowance_scarce(&a, NOW));
}

static void time_pays_for_it(void **state SQ_UNUSED)
{
	struct sqd_allowance a = { .rate = 1000000 };

	assert_int_equal(sqd_allowance_take(&a, NOW, 1000000), 101);
	assert_int_equal(sqd_allowance_left(&a, NOW + 101), 101000);
	assert_true(sqd_allowance_scarce(&a, NOW + 101));
	assert_false(sqd_allowance_scarce(&a, NOW + 200));
	assert_int_equal(sqd_allowance_left(&a, NOW + 1000), 1000000);
	assert_int_equal(sqd_allowance_left(&a, NOW + 3600000), 1000000); /* not more */
	/* What was not taken in time is not kept. */
	assert_int_equal(sqd_allowance_take(&a, NOW + 3600000, 1000000), 101);
}

/* A message is taken whole. */
static void who_takes_too_much_waits_the_longer(void **state SQ_UNUSED)
{
	struct sqd_allowance a = { .rate = 1000000 };

	assert_int_equal(sqd_allowance_take(&a, NOW, 3000000), 2101);
	assert_int_equal(sqd_allowance_left(&a, NOW + 2000), 0);
	assert_int_equal(sqd_allowance_left(&a, NOW + 2101), 101000);
}

static void a_few_bytes_are_not_worth_while(void **state SQ_UNUSED)
{
	struct sqd_allowance a = { .rate = 1000000 };

	/* 999 us are left; 99.001 ms are missing to a tenth of a second. */
	assert_int_equal(sqd_allowance_take(&a, NOW, 999001), 100);
	assert_int_equal(sqd_allowance_left(&a, NOW), 0);
}

static void the_ends_of_what_may_be_configured(void **state SQ_UNUSED)
{
	struct sqd_allowance least = { .rate = 1024 }, most = { .rate = (uint64_t)8 << 30 };

	assert_int_equal(sqd_allowance_left(&least, NOW), 1024);
	assert_int_equal(sqd_allowance_take(&least, NOW, 4096), 3101); /* 4 s less that of now */
	assert_int_equal(sqd_allowance_left(&most, NOW), (uint64_t)8 << 30);
	assert_int_equal(sqd_allowance_take(&most, NOW, (uint64_t)4 << 30), 0);
	assert_int_equal(sqd_allowance_left(&most, NOW), (uint64_t)4 << 30);
}

static void *take_many(void *a)
{
	for (int i = 0; i < TAKES; i++)
		(void)sqd_allowance_take(a, 0, 1);
	return NULL;
}

static void loops_share_it(void **state SQ_UNUSED)
{
	struct sqd_allowance a = { .rate = 1000 };
	pthread_t t[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, take_many, &a), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	/* 40000 bytes are 40 seconds. */
	assert_int_equal(sqd_allowance_left(&a, 39000), 0);
	assert_int_equal(sqd_allowance_left(&a, 39500), 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seconds_worth_may_be_taken_at_once),
		cmocka_unit_test(time_pays_for_it),
		cmocka_unit_test(who_takes_too_much_waits_the_longer),
		cmocka_unit_test(a_few_bytes_are_not_worth_while),
		cmocka_unit_test(the_ends_of_what_may_be_configured),
		cmocka_unit_test(loops_share_it),
	};

	return cmocka_run_group_tests_name("allowance", tests, NULL, NULL);
}
