#include "daemon/base/loop.h"
#include "daemon/flow/dispatch.h"
#include "tests/support/rules.h"

enum { DEADLINE_MS = 30000 };

/* Records come from a feeder that behaves as an input does: it fills the open batch, waits when
 * there is none, and goes on when it is resumed. */
struct fixture {
	uv_loop_t loop;
	struct sqd_dispatch *dispatch;
	struct sq_counters totals;
	struct sqd_receipt receipt;
	uv_idle_t feeder;
	uv_timer_t deadline;
	unsigned fed, wanted; /* records */
	unsigned seen;        /* alerts, in order */
	unsigned delivered;   /* batches, or parts of them */
	unsigned settled;     /* times that nothing was owed any more */
	unsigned resumed;
	bool paused, drained, closed;
	bool once; /* the feeder stops when all is fed, and the loop is left with its alert */
	unsigned attack_every; /* one record in so many is one; 0: all of them */
	bool hold;             /* deliver keeps what it gets, until let_go() */
	struct sq_batch *kept[64];
	unsigned n_kept;
	struct sq_ruleset *rules;
	struct sqd_sievebox sieves;
};

static struct fixture *fixture; /* of the receipt, which has no context */

static void on_settled(struct sqd_receipt *r)
{
	(void)r;
	fixture->settled++;
}

static void on_deliver(void *ctx, struct sq_batch *b)
{
	struct fixture *f = ctx;

	f->delivered++;
	if (f->once)
		uv_stop(&f->loop);
	for (uint32_t i = 0; i < b->n_alerts; i++) {
		struct sq_sv text = { b->out.p + b->alerts[i].text[SQ_FORMAT_JSON].at,
			              b->alerts[i].text[SQ_FORMAT_JSON].n };

		assert_int_equal(evil_number(text),
		                 f->seen * (f->attack_every ? f->attack_every : 1));
		f->seen++;
	}
	if (f->hold)
		f->kept[f->n_kept++] = b;
	else
		sqd_dispatch_delivered(f->dispatch, b);
}

static void on_resume(void *ctx)
{
	struct fixture *f = ctx;

	f->paused = false;
	f->resumed++;
}

static void on_drained(void *ctx)
{
	((struct fixture *)ctx)->drained = true;
}

static void on_taken_up(void *ctx)
{
	(void)ctx;
}

static void feed(uv_idle_t *h)
{
	struct fixture *f = h->data;

	for (unsigned turn = 0; turn < 40 && !f->paused && f->fed < f->wanted; turn++) {
		struct sq_batch *b = sqd_dispatch_open(f->dispatch, 256);
		size_t n;
		int origin;

		if (!b) {
			f->paused = true;
			return;
		}
		origin = sqd_dispatch_origin(f->dispatch, b, &f->receipt, "192.0.2.1:1");
		assert_int_equal(origin, 0);
		n = evil_record(b->chunk + b->tail, 256, f->fed);
		if (f->attack_every && f->fed % f->attack_every) /* its number is in no alert */
			memcpy((char *)memmem(b->chunk + b->tail, n, "evil", 4), "good", 4);
		f->fed++;
		assert_int_equal(sq_batch_add(b, 0, (struct sq_sv){ b->chunk + b->tail, n }), 0);
		b->tail += (uint32_t)n;
		sqd_receipt_owe(&f->receipt, 1);
		f->totals.received++;
	}
	if (f->once && f->fed == f->wanted)
		(void)uv_idle_stop(h);
}

static void on_deadline(uv_timer_t *t)
{
	(void)t;
	fail_msg("not done within the deadline");
}

static struct sq_ruleset *rules_of(const char *word)
{
	char path[] = "/tmp/squibly-dispatch-XXXXXX.yml";
	struct sq_ruleset *rs;

	close(mkstemps(path, 4));
	write_rule(path, word);
	rs = load_rules(path);
	unlink(path);
	return rs;
}

static void setup_opts(struct fixture *f, unsigned workers, uint32_t out, bool skip_bare)
{
	struct sqd_dispatch_opts opts = {
		.loop = &f->loop,
		.batches = 6,
		.limits = { .chunk = 8192,
		            .records = 16,
		            .origins = 4,
		            .arena = 65536,
		            .out = out },
		.workers = workers,
		.skip_bare = skip_bare,
		.totals = &f->totals,
		.sieves = &f->sieves,
		.deliver = on_deliver,
		.resume = on_resume,
		.drained = on_drained,
		.taken_up = on_taken_up,
		.ctx = f,
	};
	struct sq_err err = { 0 };

	*f = (struct fixture){ .receipt.settled = on_settled };
	sqd_sievebox_init(&f->sieves);
	fixture = f;
	f->rules = rules_of("evil");
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->dispatch = sqd_dispatch_new(&opts, &err);
	assert_non_null(f->dispatch);
	uv_idle_init(&f->loop, &f->feeder);
	uv_timer_init(&f->loop, &f->deadline);
	uv_timer_start(&f->deadline, on_deadline, DEADLINE_MS, 0);
	f->feeder.data = f;
	uv_idle_start(&f->feeder, feed);
	for (unsigned i = 0; i < workers; i++)
		sqd_workers_offer(sqd_dispatch_workers(f->dispatch), i, gear_of(f->rules, 1));
}

static void setup(struct fixture *f, unsigned workers, uint32_t out)
{
	setup_opts(f, workers, out, false);
}

static void on_closed(void *ctx)
{
	((struct fixture *)ctx)->closed = true;
}

static void teardown(struct fixture *f)
{
	sqd_dispatch_close(f->dispatch, on_closed, f);
	uv_close((uv_handle_t *)&f->feeder, NULL);
	uv_close((uv_handle_t *)&f->deadline, NULL);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(f->closed);
	sqd_loop_end(&f->loop);
	sq_ruleset_unref(f->rules);
	sqd_sievebox_fini(&f->sieves);
}

static void feed_all(struct fixture *f, unsigned n)
{
	f->wanted = n;
	while (f->fed < n)
		uv_run(&f->loop, UV_RUN_ONCE);
	uv_idle_stop(&f->feeder);
}

/* Turns until there are more: while all batches are with slow workers, none makes work for them. */
static void feed_more(struct fixture *f)
{
	unsigned before = f->fed;

	while (f->fed == before)
		uv_run(&f->loop, UV_RUN_ONCE);
}

static void drain(struct fixture *f)
{
	sqd_dispatch_drain(f->dispatch);
	while (!f->drained)
		uv_run(&f->loop, UV_RUN_ONCE);
}

static void alerts_leave_in_the_order_of_their_records(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 3, 1 << 20);
	feed_all(&f, 3000);
	drain(&f);
	assert_int_equal(f.seen, 3000);
	assert_int_equal(f.totals.alerted, 3000);
	assert_int_equal(sq_counters_accounted(&f.totals), f.totals.received);
	assert_int_equal(f.receipt.unsettled, 0);
	assert_true(f.settled > 0);
	teardown(&f);
}

static void a_batch_with_too_many_alerts_is_delivered_in_parts(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 3, 2048); /* an alert has about a kilobyte; a batch has sixteen */
	feed_all(&f, 500);
	drain(&f);
	assert_int_equal(f.seen, 500);
	assert_true(f.delivered > 500 / 16 + 1);
	assert_int_equal(sq_counters_accounted(&f.totals), f.totals.received);
	assert_int_equal(f.receipt.unsettled, 0);
	teardown(&f);
}

static void one_record_is_handed_on_without_waiting_for_more(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 1, 1 << 20);
	feed_all(&f, 1);
	while (!f.seen)
		uv_run(&f.loop, UV_RUN_ONCE);
	assert_int_equal(f.settled, 1);
	drain(&f);
	teardown(&f);
}

/* An idle handle that has stopped itself leaves the loop to wait in poll for whatever comes next.
 */
static void a_record_from_before_polling_does_not_wait_for_an_event(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 1, 1 << 20);
	feed_all(&f, 1);
	while (!f.seen)
		uv_run(&f.loop, UV_RUN_ONCE);
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

static void inputs_wait_while_no_batch_is_free(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 2, 1 << 20);
	f.hold = true;
	f.wanted = 1000;
	while (!f.paused || f.n_kept < 6)
		uv_run(&f.loop, UV_RUN_ONCE);
	assert_true(f.fed < 1000);
	assert_int_equal(f.totals.pauses, 1);
	assert_int_equal(f.resumed, 0);
	f.hold = false;
	for (unsigned i = 0; i < f.n_kept; i++)
		sqd_dispatch_delivered(f.dispatch, f.kept[i]);
	feed_all(&f, 1000);
	drain(&f);
	assert_true(f.resumed > 0);
	assert_int_equal(f.seen, 1000);
	teardown(&f);
}

/* It keeps its place, though: nothing of it is settled before what came before it. */
static void what_nothing_was_made_of_is_not_delivered(void **state)
{
	struct fixture f;

	(void)state;
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
static void a_turn_that_takes_the_last_batch_is_short(void **state)
{
	struct fixture f;
	uint64_t turn;

	(void)state;
	setup(&f, 1, 1 << 20);
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
	f.hold = false;
	for (unsigned i = 0; i < f.n_kept; i++)
		sqd_dispatch_delivered(f.dispatch, f.kept[i]);
	assert_int_equal(f.totals.pauses, 0);
	drain(&f);
	assert_int_equal(f.seen, 6 * 16);
	teardown(&f);
}

static void at_the_deadline_everybody_is_settled(void **state)
{
	struct fixture f;
	unsigned got;

	(void)state;
	setup(&f, 2, 1 << 20);
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

static void new_rules_are_taken_up_between_batches(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 2, 1 << 20);
	/* Many changes of rules while records run: each is taken up or given back, none leaks. */
	f.wanted = 2000;
	for (uint64_t g = 2; f.fed < f.wanted; g++) {
		struct sqd_workers *w = sqd_dispatch_workers(f.dispatch);

		feed_more(&f);
		for (unsigned i = 0; i < 2; i++)
			sqd_workers_offer(w, i, gear_of(f.rules, g));
	}
	uv_idle_stop(&f.feeder);
	drain(&f);
	assert_int_equal(f.seen, 2000);
	assert_true(sqd_workers_generation(sqd_dispatch_workers(f.dispatch)) > 1);
	teardown(&f);
}

/* As new rules come: the sieve first, then the workers. */
static void use_sieve(struct fixture *f, const struct sq_ruleset *rs, uint64_t generation)
{
	struct sq_sieve *sieve = sq_sieve_new(rs, generation);

	assert_non_null(sieve);
	sqd_sievebox_put(&f->sieves, sieve);
	sq_sieve_unref(sieve);
}

static void what_no_rule_can_match_is_settled_without_a_worker(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 1, 1 << 20);
	use_sieve(&f, f.rules, 1);
	f.attack_every = 1000000;
	feed_all(&f, 1); /* the attack */
	while (!f.seen)
		uv_run(&f.loop, UV_RUN_ONCE);
	uv_idle_start(&f.feeder, feed);
	feed_all(&f, 500);
	while (f.receipt.unsettled)
		uv_run(&f.loop, UV_RUN_ONCE);
	assert_int_equal(f.totals.left_out, 499);
	assert_int_equal(f.totals.clean, 499);
	assert_int_equal(sq_counters_accounted(&f.totals), f.totals.received);
	drain(&f);
	assert_int_equal(f.seen, 1);
	teardown(&f);
}

/* Also when a batch is empty and those before it are not back: it waits for its turn. */
static void attacks_among_much_else_leave_in_order(void **state)
{
	static const unsigned every[] = { 2, 7, 33, 100 };

	(void)state;
	for (size_t i = 0; i < SQ_LEN(every); i++) {
		struct fixture f;

		setup(&f, 3, 1 << 20);
		use_sieve(&f, f.rules, 1);
		f.attack_every = every[i];
		feed_all(&f, 6000);
		drain(&f);
		assert_int_equal(f.seen, (6000 + every[i] - 1) / every[i]);
		assert_int_equal(f.totals.alerted, f.seen);
		assert_int_equal(f.totals.clean, 6000 - f.seen);
		assert_true(f.totals.left_out > 0);
		assert_int_equal(f.receipt.unsettled, 0);
		teardown(&f);
	}
}

static void an_empty_batch_waits_for_those_before_it(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 1, 1 << 20);
	use_sieve(&f, f.rules, 1);
	f.attack_every = 40; /* a batch has sixteen: the first has one, the second has none */
	f.hold = true;
	feed_all(&f, 32);
	for (int i = 0; i < 50 && !f.n_kept; i++) {
		uv_run(&f.loop, UV_RUN_NOWAIT);
		uv_sleep(1);
	}
	assert_int_equal(f.n_kept, 1);
	for (int i = 0; i < 5; i++)
		uv_run(&f.loop, UV_RUN_NOWAIT);
	assert_int_equal(f.receipt.unsettled, 32); /* not those of the second before the first */
	f.hold = false;
	for (unsigned i = 0; i < f.n_kept; i++)
		sqd_dispatch_delivered(f.dispatch, f.kept[i]);
	drain(&f);
	assert_int_equal(f.receipt.unsettled, 0);
	assert_int_equal(f.settled, 1);
	teardown(&f);
}

static void sieves_change_while_records_run(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 2, 1 << 20);
	f.attack_every = 5;
	f.wanted = 4000;
	for (uint64_t g = 2; f.fed < f.wanted; g++) {
		struct sqd_workers *w = sqd_dispatch_workers(f.dispatch);

		if (g % 3)
			use_sieve(&f, f.rules, g);
		else
			sqd_sievebox_put(&f.sieves, NULL);
		feed_more(&f);
		for (unsigned i = 0; i < 2; i++)
			sqd_workers_offer(w, i, gear_of(f.rules, g));
	}
	uv_idle_stop(&f.feeder);
	drain(&f);
	assert_int_equal(f.seen, 800);
	assert_int_equal(f.totals.clean, 3200);
	assert_true(f.totals.left_out > 0 && f.totals.left_out < 3200);
	teardown(&f);
}

/* No rule of the old ones asks for the attack; of the new ones one does. */
static void an_open_batch_does_not_go_by_the_sieve_of_old_rules(void **state)
{
	struct sq_ruleset *old = rules_of("other");
	struct fixture f;

	(void)state;
	setup(&f, 1, 1 << 20);
	use_sieve(&f, old, 1);
	sq_ruleset_unref(old);
	assert_non_null(sqd_dispatch_open(f.dispatch, 256)); /* for a sender without a word */
	uv_run(&f.loop, UV_RUN_NOWAIT);
	use_sieve(&f, f.rules, 2);
	sqd_workers_offer(sqd_dispatch_workers(f.dispatch), 0, gear_of(f.rules, 2));
	feed_all(&f, 3);
	drain(&f);
	assert_int_equal(f.seen, 3);
	assert_int_equal(f.totals.left_out, 0);
	teardown(&f);
}

static void feed_and_keep_one(struct fixture *f)
{
	f->hold = true;
	feed_all(f, 1);
	while (!f->n_kept)
		uv_run(&f->loop, UV_RUN_ONCE);
	f->hold = false;
}

/* The first batch is stalled; of those behind it nothing is left, and they fill on. */
static void so_many_records_leave_a_batch_and_no_more(void **state SQ_UNUSED)
{
	const uint32_t many = 1 << 20;
	struct sq_batch *b;
	struct fixture f;

	setup(&f, 1, 1 << 20);
	use_sieve(&f, f.rules, 1);
	f.attack_every = 1000000;
	feed_and_keep_one(&f);
	uv_idle_start(&f.feeder, feed);
	feed_all(&f, 3);
	b = sqd_dispatch_open(f.dispatch, 256); /* as if so many more had come and gone: */
	b->counts.left_out += many;
	b->origins[0].n += many;
	sqd_receipt_owe(&f.receipt, many);
	assert_true(sqd_dispatch_open(f.dispatch, 256) != b);
	sqd_dispatch_delivered(f.dispatch, f.kept[0]);
	drain(&f);
	assert_int_equal(f.receipt.unsettled, 0);
	assert_int_equal(f.totals.left_out, many + 2);
	teardown(&f);
}

static void a_batch_that_is_opened_in_vain_does_not_keep_us_up(void **state SQ_UNUSED)
{
	struct fixture f;

	setup(&f, 1, 1 << 20);
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
		cmocka_unit_test(alerts_leave_in_the_order_of_their_records),
		cmocka_unit_test(a_batch_with_too_many_alerts_is_delivered_in_parts),
		cmocka_unit_test(one_record_is_handed_on_without_waiting_for_more),
		cmocka_unit_test(a_record_from_before_polling_does_not_wait_for_an_event),
		cmocka_unit_test(inputs_wait_while_no_batch_is_free),
		cmocka_unit_test(what_nothing_was_made_of_is_not_delivered),
		cmocka_unit_test(a_turn_that_takes_the_last_batch_is_short),
		cmocka_unit_test(at_the_deadline_everybody_is_settled),
		cmocka_unit_test(new_rules_are_taken_up_between_batches),
		cmocka_unit_test(what_no_rule_can_match_is_settled_without_a_worker),
		cmocka_unit_test(attacks_among_much_else_leave_in_order),
		cmocka_unit_test(an_empty_batch_waits_for_those_before_it),
		cmocka_unit_test(sieves_change_while_records_run),
		cmocka_unit_test(an_open_batch_does_not_go_by_the_sieve_of_old_rules),
		cmocka_unit_test(so_many_records_leave_a_batch_and_no_more),
		cmocka_unit_test(a_batch_that_is_opened_in_vain_does_not_keep_us_up),
	};

	return cmocka_run_group_tests_name("flow/dispatch", tests, NULL, NULL);
}
