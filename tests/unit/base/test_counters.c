#include "tests/support/test.h"

#include "lib/base/counters.h"

static void every_counter_has_a_row(void **state)
{
	size_t n = 0;

	(void)state;
	for (const struct sq_counter_info *i = sq_counter_infos; i->name; i++, n++) {
		assert_int_equal(i->offset, n * sizeof(uint64_t));
		assert_true(strlen(i->help) > 10);
		assert_int_equal(strncmp(i->name, "dropped_", 8) == 0, i->kind == SQ_COUNTER_DROP);
	}
	assert_int_equal(n * sizeof(uint64_t), sizeof(struct sq_counters));
}

static void adding_adds_each(void **state)
{
	struct sq_counters a = { .received = 1, .reloads_failed = 2 };
	struct sq_counters b = { .received = 10, .clean = 20, .reloads_failed = 30 };

	(void)state;
	sq_counters_add(&a, &b);
	assert_int_equal(a.received, 11);
	assert_int_equal(a.clean, 20);
	assert_int_equal(a.reloads_failed, 32);
	assert_int_equal(a.alerted, 0);
	assert_int_equal(sq_counter_get(&a, &sq_counter_infos[0]), 11);
}

static void the_right_side_of_the_equation(void **state)
{
	struct sq_counters c = {
		.received = 1 << 20,
		.alerted = 1,
		.clean = 2,
		.malformed = 4,
		.oversized = 8,
		.dropped_pressure = 16,
		.dropped_truncated = 32,
		.dropped_inflate = 64,
		.dropped_chunks = 128,
		.dropped_shutdown = 256,
		.dropped_duplicate = 512,
		.kernel_dropped = 1 << 21,
		.alerts = 1 << 22,
	};

	(void)state;
	assert_int_equal(sq_counters_accounted(&c), 1023);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_counter_has_a_row),
		cmocka_unit_test(adding_adds_each),
		cmocka_unit_test(the_right_side_of_the_equation),
	};

	return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
