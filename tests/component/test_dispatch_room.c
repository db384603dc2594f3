/* Batches that somebody keeps: who waits for them, and how it ends. */
#include "tests/component/dispatch_world.h"

static void inputs_wait_while_no_batch_is_free(void **state SQ_UNUSED)
{
	struct fixture f;

	setup(&f, 2);
	f.hold = true;
	f.wanted = 1000;
	while (!f.paused || f.n_kept < 6)
		uv_run(&f.loop, UV_RUN_ONCE);
	assert_true(f.fed < 1000);
	assert_int_equal(f.totals.pauses, 1);
	assert_int_equal(f.resumed, 0);
	let_go(&f);
	feed_all(&f, 1000);
	drain(&f);
	assert_true(f.resumed > 0);
	assert_int_equal(f.seen, 1000);
	teardown(&f);
}

/* It keeps its place, though: nothing of it is settled before what came before it. */
static void what_nothing_was_made_of_is_not_delivered(void **state SQ_UNUSED)
{
	struct fixture f;

	setup_opts(&f, 1, 1 << 20, true);
	f.hold = true;
	f.attack_every = 1000000; /* the first; the second and third batch have none */
	feed_all(&f, 48);
	while (f.totals.clean + f.totals.alerted < 48)
		uv_run(&f.loop, UV_RUN_ONCE);
	assert_int_equal(f.totals.alerted, 1);
	assert_true(f.n_kept > 0 && f.delivered == f.n_kept);
	assert_int_equal(f.receipt.unsettled, 48);
	assert_ptr_equal(sqd_dispatch_ctx_of(f.kept[0]), &f);
	for (unsigned i = 0; i < f.n_kept; i++)
		sqd_dispatch_delivered(f.dispatch, f.kept[i]);
	assert_int_equal(f.receipt.unsettled, 0);
	assert_int_equal(f.settled, 1);
	drain(&f);
	assert_int_equal(f.delivered, f.n_kept);
	teardown(&f);
}

/* Who reads is told in time, and only while the next turn may bring some back. */
static void a_turn_that_takes_the_last_batch_is_short(void **state SQ_UNUSED)
{
	struct fixture f;
	uint64_t turn;

	setup(&f, 1);
	uv_idle_stop(&f.feeder);
	f.hold = true;
	f.wanted = 6 * 16;
	uv_run(&f.loop, UV_RUN_NOWAIT);
	turn = sqd_dispatch_turn(f.dispatch);
	feed(&f.feeder);
	feed(&f.feeder);
	assert_int_equal(f.fed, 5 * 16);
	assert_false(sqd_dispatch_short(f.dispatch));
	feed(&f.feeder);
	assert_int_equal(f.fed, 6 * 16);
	assert_true(sqd_dispatch_short(f.dispatch));
	assert_int_equal(sqd_dispatch_turn(f.dispatch), turn);
	uv_run(&f.loop, UV_RUN_NOWAIT);
	assert_int_equal(sqd_dispatch_turn(f.dispatch), turn + 1);
	assert_false(sqd_dispatch_short(f.dispatch)); /* there were none to begin with */
	while (f.n_kept < 6)
		uv_run(&f.loop, UV_RUN_ONCE);
	let_go(&f);
	assert_int_equal(f.totals.pauses, 0);
	drain(&f);
	assert_int_equal(f.seen, 6 * 16);
	teardown(&f);
}

static void at_the_deadline_everybody_is_settled(void **state SQ_UNUSED)
{
	struct fixture f;
	unsigned got;

	setup(&f, 2);
	f.hold = true;
	f.wanted = 1000;
	while (!f.paused)
		uv_run(&f.loop, UV_RUN_ONCE);
	sqd_dispatch_drain(f.dispatch);
	got = f.seen;
	sqd_dispatch_halt(f.dispatch); /* gives what was run meanwhile */
	assert_true(f.seen >= got);
	assert_int_equal(f.totals.alerted, f.seen);
	sqd_dispatch_abandon(f.dispatch);
	assert_false(f.drained);
	assert_int_equal(f.receipt.unsettled, 0);
	assert_int_equal(f.settled, 1);
	assert_true(sq_counters_accounted(&f.totals) <= f.totals.received);
	teardown(&f);
}

static void a_batch_that_is_opened_in_vain_does_not_keep_us_up(void **state SQ_UNUSED)
{
	struct fixture f;

	setup(&f, 1);
	feed_and_keep_one(&f);
	sqd_dispatch_drain(f.dispatch);
	assert_non_null(sqd_dispatch_open(f.dispatch, 256));
	sqd_dispatch_delivered(f.dispatch, f.kept[0]);
	while (!f.drained)
		uv_run(&f.loop, UV_RUN_ONCE);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inputs_wait_while_no_batch_is_free),
		cmocka_unit_test(what_nothing_was_made_of_is_not_delivered),
		cmocka_unit_test(a_turn_that_takes_the_last_batch_is_short),
		cmocka_unit_test(at_the_deadline_everybody_is_settled),
		cmocka_unit_test(a_batch_that_is_opened_in_vain_does_not_keep_us_up),
	};

	return cmocka_run_group_tests_name("flow/dispatch-room", tests, NULL, NULL);
}
