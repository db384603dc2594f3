/* Records go to workers and their alerts come back in order, while rules change. */
#include "tests/component/dispatch_world.h"

static void alerts_leave_in_the_order_of_their_records(void **state SQ_UNUSED)
{
	struct fixture f;

	setup(&f, 3);
	feed_all(&f, 3000);
	drain(&f);
	assert_int_equal(f.seen, 3000);
	assert_int_equal(f.totals.alerted, 3000);
	assert_int_equal(sq_counters_accounted(&f.totals), f.totals.received);
	assert_int_equal(f.receipt.unsettled, 0);
	assert_true(f.settled > 0);
	teardown(&f);
}

static void a_batch_with_too_many_alerts_is_delivered_in_parts(void **state SQ_UNUSED)
{
	struct fixture f;

	setup_opts(&f, 3, 2048, false); /* an alert has about a kilobyte; a batch has sixteen */
	feed_all(&f, 500);
	drain(&f);
	assert_int_equal(f.seen, 500);
	assert_true(f.delivered > 500 / 16 + 1);
	assert_int_equal(sq_counters_accounted(&f.totals), f.totals.received);
	assert_int_equal(f.receipt.unsettled, 0);
	teardown(&f);
}

static void one_record_is_handed_on_without_waiting_for_more(void **state SQ_UNUSED)
{
	struct fixture f;

	setup(&f, 1);
	feed_all(&f, 1);
	wait_for_alert(&f);
	assert_int_equal(f.settled, 1);
	drain(&f);
	teardown(&f);
}

/* An idle handle that has stopped itself leaves the loop to wait in poll for whatever comes next.
 */
static void a_record_from_before_polling_does_not_wait_for_an_event(void **state SQ_UNUSED)
{
	struct fixture f;

	setup(&f, 1);
	feed_all(&f, 1);
	wait_for_alert(&f);
	for (int i = 0; i < 50; i++) { /* until nothing is left that would wake the loop */
		uv_run(&f.loop, UV_RUN_NOWAIT);
		uv_sleep(1);
	}
	f.once = true;
	f.wanted = 2;
	uv_idle_start(&f.feeder, feed);
	uv_run(&f.loop, UV_RUN_DEFAULT); /* the deadline is all that would wake it */
	assert_int_equal(f.seen, 2);
	drain(&f);
	teardown(&f);
}

static void new_rules_are_taken_up_between_batches(void **state SQ_UNUSED)
{
	struct fixture f;

	setup(&f, 2);
	/* Many changes of rules while records run: each is taken up or given back, none leaks. */
	f.wanted = 2000;
	for (uint64_t g = 2; f.fed < f.wanted; g++) {
		feed_more(&f);
		offer_rules(&f, 2, g);
	}
	uv_idle_stop(&f.feeder);
	drain(&f);
	assert_int_equal(f.seen, 2000);
	assert_true(sqd_workers_generation(sqd_dispatch_workers(f.dispatch)) > 1);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alerts_leave_in_the_order_of_their_records),
		cmocka_unit_test(a_batch_with_too_many_alerts_is_delivered_in_parts),
		cmocka_unit_test(one_record_is_handed_on_without_waiting_for_more),
		cmocka_unit_test(a_record_from_before_polling_does_not_wait_for_an_event),
		cmocka_unit_test(new_rules_are_taken_up_between_batches),
	};

	return cmocka_run_group_tests_name("flow/dispatch", tests, NULL, NULL);
}
