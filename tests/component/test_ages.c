/* Since when the oldest waits: told too early by a little, never too late, whatever came and went.
 */
#include "daemon/flow/ages.h"
#include "tests/support/test.h"

enum { MANY = 20000 };

static uint64_t came_ms[MANY];

/* What comes, one after another; what goes, from the front; and the oldest compared each time. */
static void run(uint64_t seed, uint64_t most_ms, unsigned goes_one_in)
{
	struct sqd_ages a = { 0 };
	uint64_t now = 1000, oldest = 0, first_of_line = now;

	for (uint64_t n = 0; n < MANY; n++) {
		uint64_t since, age, allowed;

		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		now += (seed >> 33) % (most_ms + 1);
		came_ms[n] = now;
		if (oldest == n)
			first_of_line = now;
		if (sqd_ages_due(&a, now))
			sqd_ages_came(&a, n, oldest, now);
		assert_true(a.n <= SQD_AGES_MARKS);
		if (goes_one_in && (seed >> 20) % goes_one_in)
			oldest += (seed >> 40) % 3;
		if (oldest > n + 1)
			oldest = n + 1;
		if (oldest > n)
			continue; /* nobody waits */
		since = sqd_ages_since(&a, oldest, now);
		assert_true(since <= came_ms[oldest]);
		/* Two steps: marks are thinned out once they are too many. */
		age = now - first_of_line;
		allowed = 2 * (SQD_AGES_STEP_MS + most_ms + age / 8);
		assert_true(came_ms[oldest] - since <= allowed);
	}
}

static void the_oldest_is_told_as_old_as_it_is(void **state SQ_UNUSED)
{
	static const uint64_t most_ms[] = { 0, 1, 100, 5000, 3600000 };

	for (size_t i = 0; i < SQ_LEN(most_ms); i++)
		for (unsigned goes = 0; goes < 4; goes++)
			run(17 + i, most_ms[i], goes);
}

static void in_an_outage_the_first_is_known_well(void **state SQ_UNUSED)
{
	struct sqd_ages a = { 0 };
	uint64_t now = 0;

	/* All goes at once for an hour, then nothing for a day. */
	for (uint64_t n = 0; n < 36000; n++, now += 100)
		if (sqd_ages_due(&a, now))
			sqd_ages_came(&a, n, n, now);
	for (uint64_t n = 36000; n < 36000 + 864000; n++, now += 100)
		if (sqd_ages_due(&a, now))
			sqd_ages_came(&a, n, 36000, now);
	assert_true(now - sqd_ages_since(&a, 36000, now) >= 86400000);
	assert_true(now - sqd_ages_since(&a, 36000, now) <= 86400000 + 2 * SQD_AGES_STEP_MS);
}

static void what_came_before_all_marks_is_as_old_as_the_caller_says(void **state SQ_UNUSED)
{
	struct sqd_ages a = { 0 };

	assert_int_equal(sqd_ages_since(&a, 5, 77), 77);
	sqd_ages_came(&a, 7, 3, 100);
	assert_int_equal(sqd_ages_since(&a, 5, 77), 77);
	assert_int_equal(sqd_ages_since(&a, 7, 77), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_oldest_is_told_as_old_as_it_is),
		cmocka_unit_test(in_an_outage_the_first_is_known_well),
		cmocka_unit_test(what_came_before_all_marks_is_as_old_as_the_caller_says),
	};

	return cmocka_run_group_tests_name("flow/ages", tests, NULL, NULL);
}
