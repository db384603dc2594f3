/* Further loops: order, answers, stops and deadlines, whatever else goes on. */
#include "tests/support/ioloop_world.h"

static void check_all_arrive(unsigned every0, unsigned every1, uint32_t out)
{
	struct fixture *f = setup(every0, every1, out);
	unsigned evil = (RECORDS + every0 - 1) / every0 + (RECORDS + every1 - 1) / every1;
	struct sq_counters c;

	run(f);
	wait_for(f, is_settled);
	drain(f);
	sqd_ioloops_join(f->ioloops);
	c = counts(f);
	assert_int_equal(c.received, LOOPS * RECORDS);
	assert_int_equal(c.alerted, evil);
	assert_int_equal(c.clean, LOOPS * RECORDS - evil);
	for (unsigned i = 0; i < LOOPS; i++) {
		struct feeder *in = f->feeder[i];
		unsigned last = (RECORDS - 1) / in->every * in->every;

		assert_int_equal(atomic_load(&in->next), i * EACH + last + in->every);
		assert_int_equal(atomic_load(&in->n_lost), 0);
	}
	teardown(f);
}

static void every_loop_keeps_its_order_and_is_told_on_its_own_thread(void **state SQ_UNUSED)
{
	check_all_arrive(3, 20, 1 << 20);
}

static void nothing_but_alerts(void **state SQ_UNUSED)
{
	check_all_arrive(1, 1, 1 << 20);
}

static void batches_that_are_delivered_in_parts(void **state SQ_UNUSED)
{
	check_all_arrive(1, 2, 2048); /* an alert has about a kilobyte; a batch has sixteen */
}

static bool first_waits_and_second_is_through(void *ctx)
{
	struct fixture *f = ctx;

	return atomic_load(&f->feeder[0]->n_pauses) &&
	       atomic_load(&f->feeder[1]->n_settled) == WINDOWS;
}

/* The sieve changes all the while: each loop takes it up for itself. */
static void what_no_rule_can_match_is_settled_on_its_loop(void **state SQ_UNUSED)
{
	struct fixture *f = setup(50, 7, 1 << 20);
	unsigned evil = (RECORDS + 49) / 50 + (RECORDS + 6) / 7;
	struct sq_counters c;

	run(f);
	for (uint64_t g = 2; !is_settled(f); g++) {
		struct sq_sieve *sieve = g % 5 ? sq_sieve_new(f->rules, g) : NULL;

		sqd_sievebox_put(&f->sieves, sieve);
		sq_sieve_unref(sieve);
		for (unsigned i = 0; i < 2; i++)
			sqd_workers_offer(sqd_dispatch_workers(f->dispatch), i,
			                  gear_of(f->rules, g));
		for (int i = 0; i < 20; i++) {
			uv_run(&f->loop, UV_RUN_NOWAIT);
			let_through(f);
		}
	}
	drain(f);
	sqd_ioloops_join(f->ioloops);
	c = counts(f);
	assert_int_equal(c.alerted, evil);
	assert_int_equal(c.clean, LOOPS * RECORDS - evil);
	assert_true(c.left_out > 0);
	teardown(f);
}

static void a_loop_without_batches_holds_up_no_other(void **state SQ_UNUSED)
{
	struct fixture *f = setup(1, 0, 1 << 20);

	f->stalled = true;
	run(f);
	wait_for(f, first_waits_and_second_is_through);
	assert_true(atomic_load(&f->feeder[0]->is_fed) < RECORDS);
	assert_int_equal(atomic_load(&f->feeder[0]->n_settled), 0);
	f->stalled = false;
	wait_for(f, is_settled); /* it is resumed */
	assert_int_equal(atomic_load(&f->feeder[0]->n_lost), 0);
	drain(f);
	teardown(f);
}

static void nobody_is_told_before_the_output_has_sent(void **state SQ_UNUSED)
{
	struct fixture *f = setup(2, 5, 1 << 20);

	f->stalled = true;
	run(f);
	while (!atomic_load(&f->feeder[0]->n_pauses) || !atomic_load(&f->feeder[1]->n_pauses))
		nap(f);
	nap(f);
	assert_int_equal(atomic_load(&f->feeder[0]->n_settled), 0);
	f->wanted = 1;
	assert_true(sqd_ioloops_ask(f->ioloops));
	wait_for(f, is_answered);
	assert_true(sqd_ioloops_waiting(f->ioloops) > 0);
	f->stalled = false;
	wait_for(f, is_settled);
	drain(f);
	teardown(f);
}

static bool is_fed(void *ctx)
{
	struct fixture *f = ctx;

	return atomic_load(&f->feeder[0]->is_fed) == RECORDS &&
	       atomic_load(&f->feeder[1]->is_fed) == RECORDS;
}

/* All batches are back, and nothing happens on the loops any more. */
static void who_waits_is_woken_when_the_output_has_sent(void **state SQ_UNUSED)
{
	struct fixture *f = setup(RECORDS / 2, RECORDS - 1, 1 << 20);

	f->stalled = true;
	run(f);
	wait_for(f, is_fed);
	nap(f);
	assert_true(atomic_load(&f->feeder[0]->n_settled) < WINDOWS);
	f->stalled = false;
	wait_for(f, is_settled);
	drain(f);
	teardown(f);
}

/* Everything is on its way: fed, read, with the router, in the queue. */
static void a_stop_in_the_middle_loses_nothing(void **state SQ_UNUSED)
{
	for (unsigned at = 1; at < RECORDS; at = at * 2 + 13) {
		struct fixture *f = setup(2, 9, 1 << 20);
		struct sq_counters c;

		run(f);
		while (atomic_load(&f->feeder[0]->is_fed) < at) {
			uv_run(&f->loop, UV_RUN_NOWAIT);
			let_through(f);
		}
		drain(f);
		sqd_ioloops_join(f->ioloops);
		f->joined = true;
		let_through(f);
		sqd_ioloops_passed(f->ioloops);
		c = counts(f);
		assert_int_equal(c.received, sq_counters_accounted(&c));
		assert_int_equal(c.received, f->feeder[0]->fed + f->feeder[1]->fed);
		teardown(f);
	}
}

static void give_up(struct fixture *f)
{
	sqd_ioloops_join(f->ioloops);
	f->joined = true;
	sqd_dispatch_halt(f->dispatch);
	sqd_ioloops_halt(f->ioloops);
	sqd_router_forget(f->router);
	sqd_dispatch_abandon(f->dispatch);
	sqd_ioloops_abandon(f->ioloops);
}

static void at_the_deadline_everybody_is_told_that_it_is_lost(void **state SQ_UNUSED)
{
	struct fixture *f = setup(1, 2, 1 << 20);
	struct sq_counters c;

	f->stalled = true;
	run(f);
	while (!atomic_load(&f->feeder[0]->n_pauses) || !atomic_load(&f->feeder[1]->n_pauses))
		nap(f);
	sqd_ioloops_drain(f->ioloops);
	nap(f);
	assert_int_equal(f->drained, 0);
	give_up(f);
	c = counts(f);
	assert_true(c.received >= sq_counters_accounted(&c));
	for (unsigned i = 0; i < LOOPS; i++) {
		struct feeder *in = f->feeder[i];

		assert_true(owes_nothing(in));
		assert_true(atomic_load(&in->n_lost) > 0);
	}
	teardown(f);
}

/* At any moment, with no wait for anything: batches lie at every place there is. */
static void a_deadline_at_once(void **state SQ_UNUSED)
{
	for (unsigned i = 0; i < 12; i++) {
		struct fixture *f = setup(1, 3, i % 2 ? 2048 : 1 << 20);
		struct sq_counters c;

		f->stalled = i % 3 == 0;
		run(f);
		for (unsigned k = 0; k < i * 3; k++) {
			uv_run(&f->loop, UV_RUN_NOWAIT);
			let_through(f);
		}
		if (i % 4 == 1)
			sqd_ioloops_drain(f->ioloops);
		give_up(f);
		c = counts(f);
		assert_true(c.received >= sq_counters_accounted(&c));
		assert_int_equal(c.received, f->feeder[0]->fed + f->feeder[1]->fed);
		teardown(f);
	}
}

static bool some_is_sent_and_some_is_lost(void *ctx)
{
	struct fixture *f = ctx;
	unsigned lost = atomic_load(&f->feeder[0]->n_lost);

	return lost && atomic_load(&f->feeder[0]->n_settled) > lost;
}

static void what_is_dropped_on_the_way_down_is_not_acknowledged(void **state SQ_UNUSED)
{
	struct fixture *f = setup(1, 0, 1 << 20);

	f->stalled = true;
	run(f);
	wait_for(f, first_waits_and_second_is_through);
	sqd_ioloops_drain(f->ioloops);
	sqd_ioloops_yield(f->ioloops);
	sqd_router_yield(f->router); /* drops what the queue has no room for */
	wait_for(f, is_drained);
	assert_true(sqd_outqueue_counts(f->queue)->dropped_shutdown > 0);
	assert_int_equal(atomic_load(&f->feeder[0]->n_settled), 0); /* the queue is full */
	f->stalled = false; /* what it holds is sent after all */
	wait_for(f, some_is_sent_and_some_is_lost);
	assert_int_equal(atomic_load(&f->feeder[1]->n_lost), 0);
	teardown(f);
}

static bool is_reloaded(void *ctx)
{
	struct fixture *f = ctx;

	return atomic_load(&f->feeder[0]->n_reloads) >= f->wanted &&
	       atomic_load(&f->feeder[1]->n_reloads) >= f->wanted;
}

static void inputs_reload_on_their_own_thread(void **state SQ_UNUSED)
{
	struct fixture *f = setup(4, 4, 1 << 20);

	run(f);
	for (f->wanted = 1; f->wanted <= 20; f->wanted++) {
		sqd_ioloops_reload(f->ioloops);
		wait_for(f, is_reloaded);
	}
	assert_int_equal(atomic_load(&f->feeder[0]->n_reloads), 20);
	wait_for(f, is_settled);
	drain(f);
	teardown(f);
}

static void counters_are_shown_when_asked_for(void **state SQ_UNUSED)
{
	struct fixture *f = setup(0, 0, 1 << 20);
	struct sq_counters c;

	assert_false(sqd_ioloops_ask(f->ioloops)); /* nobody runs: they are what they are */
	run(f);
	wait_for(f, is_settled);
	f->wanted = 1;
	assert_true(sqd_ioloops_ask(f->ioloops));
	assert_true(sqd_ioloops_ask(f->ioloops)); /* once more after it: one answer to both */
	wait_for(f, is_answered);
	nap(f);
	assert_int_equal(f->answered, 1);
	c = counts(f);
	assert_int_equal(c.received, LOOPS * RECORDS);
	assert_int_equal(c.clean, LOOPS * RECORDS);
	c = (struct sq_counters){ 0 };
	sqd_ioloops_row_counts(f->ioloops, 0, &c);
	assert_int_equal(c.received, LOOPS * RECORDS);
	assert_int_equal(c.clean, 0); /* that is counted by no input */
	c = (struct sq_counters){ 0 };
	sqd_ioloops_row_counts(f->ioloops, 1, &c);
	assert_int_equal(c.received, 0);
	drain(f);
	teardown(f);
}

/* The counters are then those of the threads that close what is theirs. */
static void who_asks_is_not_answered_once_they_are_being_closed(void **state SQ_UNUSED)
{
	struct fixture *f = setup(0, 0, 1 << 20);

	run(f);
	wait_for(f, is_settled);
	drain(f);
	assert_true(sqd_ioloops_ask(f->ioloops));
	close_loops(f);
	assert_int_equal(f->answered, 0);
	teardown(f);
}

static void loops_that_never_ran_are_closed(void **state SQ_UNUSED)
{
	struct fixture *f = setup(1, 1, 1 << 20);

	teardown(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_loop_keeps_its_order_and_is_told_on_its_own_thread),
		cmocka_unit_test(nothing_but_alerts),
		cmocka_unit_test(batches_that_are_delivered_in_parts),
		cmocka_unit_test(what_no_rule_can_match_is_settled_on_its_loop),
		cmocka_unit_test(a_loop_without_batches_holds_up_no_other),
		cmocka_unit_test(nobody_is_told_before_the_output_has_sent),
		cmocka_unit_test(who_waits_is_woken_when_the_output_has_sent),
		cmocka_unit_test(a_stop_in_the_middle_loses_nothing),
		cmocka_unit_test(at_the_deadline_everybody_is_told_that_it_is_lost),
		cmocka_unit_test(a_deadline_at_once),
		cmocka_unit_test(what_is_dropped_on_the_way_down_is_not_acknowledged),
		cmocka_unit_test(inputs_reload_on_their_own_thread),
		cmocka_unit_test(counters_are_shown_when_asked_for),
		cmocka_unit_test(who_asks_is_not_answered_once_they_are_being_closed),
		cmocka_unit_test(loops_that_never_ran_are_closed),
	};

	int failed = cmocka_run_group_tests_name("flow/ioloop", tests, NULL, NULL);

	/* As lanes of tenants have it: what holds one up holds up no thread. */
	world_threads = 1;
	return failed +
	       cmocka_run_group_tests_name("flow/ioloop, on one thread", tests, NULL, NULL);
}
