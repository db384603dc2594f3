#include "tests/support/settling_world.h"

/* ---- one thing each ---------------------------------------------------------------------- */

/* One window with one record and, when `text`, one alert. */
static struct window *one(struct fixture *f, bool until_sent, const char *text)
{
	struct sq_batch *b = free_batch(f);
	struct window *w = window_new(f, until_sent);

	assert_non_null(b);
	add_record(b, w);
	w->open = false;
	if (text)
		add_alert(f, b, text);
	deliver(f, b);
	return w;
}

static void settled_when_the_last_output_that_blocks_has_sent(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, QUEUE_BYTES, NULL);
	one(&f, true, "alert");
	assert_int_equal(f.settled, 0);
	fake_drain(f.out[0]);
	assert_int_equal(f.settled, 0);
	assert_int_equal(sqd_settling_waiting(f.settling), 1);
	fake_drain(f.out[1]); /* the third may drop: nobody waits for it */
	assert_int_equal(f.settled, 1);
	assert_int_equal(f.out[2]->got.len, 0);
	drain_all(&f);
	teardown(&f);
}

static void settled_at_once_when_nothing_was_raised_or_nobody_will_be_told(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, QUEUE_BYTES, NULL);
	one(&f, true, "alert");
	one(&f, true, NULL);
	assert_int_equal(f.settled, 1);
	one(&f, false, "other");
	assert_int_equal(f.settled, 2);
	drain_all(&f);
	assert_int_equal(f.settled, 3);
	teardown(&f);
}

/* Whoever waited has gone: it does not wait with those beside it, wherever its records are. */
static void forgotten_at_once_when_nobody_will_be_told_any_more(void **state)
{
	struct window *first, *second, *under_way;
	struct sq_batch *b;
	struct fixture f;

	(void)state;
	setup(&f, QUEUE_BYTES, NULL);
	first = one(&f, true, "alert");
	second = one(&f, true, "other");
	under_way = window_new(&f, true);
	b = free_batch(&f);
	add_record(b, under_way);
	under_way->open = false;
	add_alert(&f, b, "third");
	sqd_settling_forget(f.settling, &second->receipt);
	assert_int_equal(f.settled, 1);
	assert_int_equal(sqd_settling_waiting(f.settling), 1);
	sqd_settling_forget(f.settling, &under_way->receipt);
	assert_int_equal(f.settled, 1);
	deliver(&f, b);
	assert_int_equal(f.settled, 2);
	sqd_settling_forget(f.settling, &first->receipt);
	assert_int_equal(f.settled, 3);
	assert_int_equal(sqd_settling_waiting(f.settling), 0);
	assert_int_equal(f.live, 0);
	drain_all(&f); /* all of it is sent all the same */
	assert_non_null(memmem(f.out[0]->got.p, f.out[0]->got.len, "other", 5));
	teardown(&f);
}

static void what_failed_does_not_count_until_it_was_sent_again(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, QUEUE_BYTES, NULL);
	one(&f, true, "alert");
	fake_drain(f.out[1]);
	f.out[0]->answer = -EAGAIN;
	fake_sent(f.out[0], -EPIPE);
	assert_int_equal(f.settled, 0);
	fake_ready(f.out[0]);
	assert_int_equal(f.settled, 0);
	fake_sent(f.out[0], 0);
	assert_int_equal(f.settled, 1);
	drain_all(&f);
	teardown(&f);
}

static void an_output_that_is_gone_is_not_waited_for(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, QUEUE_BYTES, NULL);
	one(&f, true, "alert");
	fake_drain(f.out[1]);
	f.gone[0] = true;
	fake_sent(f.out[0], SQD_OUTPUT_GONE);
	assert_int_equal(f.settled, 1);
	one(&f, true, "second");
	assert_int_equal(f.settled, 1);
	fake_drain(f.out[1]);
	assert_int_equal(f.settled, 2);
	drain_all(&f);
	teardown(&f);
}

static void what_never_fits_into_a_datagram_is_not_waited_for(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, QUEUE_BYTES, NULL);
	f.gone[1] = true; /* it will send nothing */
	one(&f, true, "one");
	fake_drain(f.out[0]);
	fake_sent(f.out[1], -EMSGSIZE);
	assert_int_equal(f.settled, 1);
	f.out[1]->answer = -EAGAIN;
	one(&f, true, "two");
	fake_drain(f.out[0]);
	f.out[1]->answer = -EMSGSIZE;
	f.out[1]->base.ready(&f.out[1]->base);
	assert_int_equal(f.settled, 2);
	one(&f, true, "three"); /* refused while it is pushed */
	fake_drain(f.out[0]);
	assert_int_equal(f.settled, 3);
	drain_all(&f);
	teardown(&f);
}

static void a_dead_letter_is_waited_for_while_its_file_works(void **state)
{
	struct fixture f;
	struct sq_batch *b;
	struct window *w;

	(void)state;
	setup(&f, QUEUE_BYTES, NULL);
	for (int round = 0; round < 2; round++) {
		b = free_batch(&f);
		w = window_new(&f, true);
		add_record(b, w);
		w->open = false;
		add_dead(&f, b, "not JSON");
		deliver(&f, b);
		assert_int_equal(f.settled, round);
		if (round) {
			f.grave->base.failing = true; /* the disk is full */
			sqd_settling_look(f.settling);
		} else {
			fake_drain(f.grave);
		}
		assert_int_equal(f.settled, round + 1);
	}
	one(&f, true, "alert"); /* and an alert does not wait for it either */
	drain_all(&f);
	assert_int_equal(f.settled, 3);
	teardown(&f);
}

static void a_folded_repeat_waits_for_the_alert_that_stands_for_it(void **state)
{
	const struct sq_fold_limits fold = { .window_ns = UINT64_C(3600000000000),
		                             .entries = 16,
		                             .bytes = 65536 };
	struct fixture f;

	(void)state;
	setup(&f, QUEUE_BYTES, &fold);
	one(&f, true, "again");
	one(&f, true, "again");
	/* The second was given to nobody. */
	for (int i = 0; i < QUEUES; i++)
		assert_int_equal(sqd_outqueue_counts(f.queue[i])->queued, 1);
	assert_int_equal(f.totals.alerts_folded, 1);
	f.gone[0] = f.gone[1] = true; /* `until` counts what was folded */
	assert_int_equal(f.settled, 0);
	fake_drain(f.out[0]);
	assert_int_equal(f.settled, 0);
	fake_drain(f.out[1]);
	assert_int_equal(f.settled, 2);
	one(&f, true, "again"); /* the one that stands for it is out */
	assert_int_equal(f.settled, 3);
	drain_all(&f);
	sqd_router_forget(f.router);
	teardown(&f);
}

static void one_receipt_for_many_batches_is_settled_with_the_last(void **state)
{
	struct fixture f;
	struct window *w;

	(void)state;
	setup(&f, 65536, NULL);
	w = window_new(&f, true);
	for (int i = 0; i < 3; i++) {
		struct sq_batch *b = free_batch(&f);

		add_record(b, w);
		add_record(b, w);
		add_alert(&f, b, i ? "more" : "first");
		b->origins[0].malformed = (uint32_t)i;
		b->origins[0].further = 2;
		deliver(&f, b);
		one(&f, true, "other");
	}
	w->open = false;
	assert_int_equal(w->receipt.malformed, 0 + 1 + 2);
	assert_int_equal(w->receipt.further, 6);
	fake_drain(f.out[0]);
	for (int i = 0; i < 6; i++) { /* datagrams: one alert each */
		assert_int_equal(f.settled, i / 2 + (i == 5));
		fake_sent(f.out[1], 0);
	}
	assert_int_equal(f.settled, 4);
	drain_all(&f);
	teardown(&f);
}

static void more_batches_than_places_are_settled_late_and_never_early(void **state)
{
	struct fixture f;
	unsigned before = 0;

	(void)state;
	setup(&f, 1 << 20, NULL);
	for (int i = 0; i < 1000; i++)
		one(&f, true, "alert");
	assert_int_equal(f.settled, 0);
	fake_drain(f.out[0]);
	for (int i = 0; i < 1000; i++) {
		fake_sent(f.out[1], 0);
		assert_true(f.settled >= before && f.settled <= (unsigned)i + 1);
		before = f.settled;
		if (i == 100) /* the first 256 have a place each */
			assert_int_equal(f.settled, 101);
		if (i == 500) /* places are free again */
			one(&f, true, "later");
	}
	drain_all(&f);
	assert_int_equal(f.settled, 1001);
	teardown(&f);
}

static void at_the_deadline_all_are_settled_as_lost(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, QUEUE_BYTES, NULL);
	one(&f, true, "alert");
	one(&f, true, "other");
	fake_drain(f.out[0]);
	assert_int_equal(f.settled, 0);
	sqd_router_forget(f.router);
	sqd_settling_give_up(f.settling);
	assert_int_equal(f.settled, 2);
	assert_int_equal(f.lost, 2);
	one(&f, true, "late");
	assert_int_equal(f.settled, 3);
	assert_int_equal(f.lost, 3);
	drain_all(&f);
	assert_int_equal(f.settled, 3);
	teardown(&f);
}

static void what_is_dropped_because_time_gets_short_is_not_acknowledged(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 12, NULL);
	one(&f, true, "fits");
	one(&f, true, "does not");
	sqd_settling_yield(f.settling);
	sqd_router_yield(f.router);
	assert_true(sqd_outqueue_counts(f.queue[0])->dropped_shutdown > 0);
	f.gone[0] = f.gone[1] = true;
	drain_all(&f);
	assert_int_equal(f.settled, 2);
	assert_int_equal(f.lost, 1);
	one(&f, true, NULL); /* of this nothing was dropped */
	assert_int_equal(f.settled, 3);
	assert_int_equal(f.lost, 1);
	teardown(&f);
}

/* ---- any schedule ------------------------------------------------------------------------ */

struct dice {
	uint64_t x;
};

static unsigned roll(struct dice *d, unsigned n)
{
	d->x ^= d->x << 13;
	d->x ^= d->x >> 7;
	d->x ^= d->x << 17;
	return (unsigned)(d->x >> 11) % n;
}

enum { SENDERS = 6 };

/* A batch with records of some senders; now and then one begins a new window. */
static void step_batch(struct fixture *f, struct dice *d, struct window *w[SENDERS])
{
	static const char *const texts[] = { "a", "some words", "an alert that is rather long" };
	struct sq_batch *b = free_batch(f);

	if (!b)
		return; /* the inputs would pause */
	for (unsigned n = roll(d, 5); n; n--)
		add_record(b, w[roll(d, SENDERS)]);
	if (roll(d, 2))
		for (unsigned n = roll(d, 4); n; n--)
			add_alert(f, b, texts[roll(d, SQ_LEN(texts))]);
	if (roll(d, 8) == 0)
		add_dead(f, b, "dead");
	deliver(f, b);
	if (roll(d, 3) == 0) {
		unsigned i = roll(d, SENDERS);

		window_close(w[i]);
		w[i] = window_new(f, roll(d, 5) != 0);
	}
}

static void step_output(struct fixture *f, struct dice *d, struct fake_output *o, bool may_go)
{
	(void)f;
	if (!o->sending.p) {
		if (o->answer)
			fake_ready(o);
		return;
	}
	switch (roll(d, 6)) {
	case 0:
		o->answer = -EAGAIN;
		fake_sent(o, -EPIPE);
		return;
	case 1:
		fake_sent(o, -EIO);
		return;
	default:
		if (may_go && roll(d, 200) == 0) {
			f->gone[0] = true;
			fake_sent(o, SQD_OUTPUT_GONE);
		} else {
			fake_sent(o, 0);
		}
	}
}

/* In each seed the outputs have speeds of their own. What is checked is in on_settled(). */
static void nobody_is_told_before_all_of_it_was_sent(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 150; seed++) {
		struct dice d = { seed * UINT64_C(0x9e3779b97f4a7c15) };
		struct window *w[SENDERS];
		unsigned slow[QUEUES + 1];
		struct fixture f;

		setup(&f, seed % 3 ? QUEUE_BYTES : 65536, NULL);
		for (int i = 0; i < SENDERS; i++)
			w[i] = window_new(&f, i != 0);
		for (int i = 0; i <= QUEUES; i++)
			slow[i] = 1 + roll(&d, 12);
		for (unsigned step = 0; step < 600; step++) {
			step_batch(&f, &d, w);
			for (int i = 0; i < QUEUES; i++)
				if (roll(&d, slow[i]) == 0)
					step_output(&f, &d, f.out[i], i == 0);
			if (roll(&d, slow[QUEUES]) == 0)
				step_output(&f, &d, f.grave, false);
		}
		for (int i = 0; i < SENDERS; i++)
			window_close(w[i]);
		if (seed % 5 == 0) { /* not all can be sent in time */
			sqd_router_forget(f.router);
			sqd_settling_give_up(f.settling);
			for (int i = 0; i < BATCHES; i++)
				if (f.busy[i])
					on_released(&f, f.batch[i]);
			assert_int_equal(f.live, 0);
		}
		for (int i = 0; i < QUEUES; i++)
			if (f.out[i]->answer)
				fake_ready(f.out[i]);
		if (f.grave->answer)
			fake_ready(f.grave);
		drain_all(&f);
		drain_all(&f); /* what made the others wait went in the first round */
		teardown(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settled_when_the_last_output_that_blocks_has_sent),
		cmocka_unit_test(settled_at_once_when_nothing_was_raised_or_nobody_will_be_told),
		cmocka_unit_test(forgotten_at_once_when_nobody_will_be_told_any_more),
		cmocka_unit_test(what_failed_does_not_count_until_it_was_sent_again),
		cmocka_unit_test(an_output_that_is_gone_is_not_waited_for),
		cmocka_unit_test(what_never_fits_into_a_datagram_is_not_waited_for),
		cmocka_unit_test(a_dead_letter_is_waited_for_while_its_file_works),
		cmocka_unit_test(a_folded_repeat_waits_for_the_alert_that_stands_for_it),
		cmocka_unit_test(one_receipt_for_many_batches_is_settled_with_the_last),
		cmocka_unit_test(more_batches_than_places_are_settled_late_and_never_early),
		cmocka_unit_test(at_the_deadline_all_are_settled_as_lost),
		cmocka_unit_test(what_is_dropped_because_time_gets_short_is_not_acknowledged),
		cmocka_unit_test(nobody_is_told_before_all_of_it_was_sent),
	};

	return cmocka_run_group_tests_name("flow/settling", tests, NULL, NULL);
}
