/* A dispatcher with its workers, between an input that makes records and whoever takes the alerts.
 */
#pragma once

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

static inline void on_settled(struct sqd_receipt *r)
{
	(void)r;
	fixture->settled++;
}

static inline void on_deliver(void *ctx, struct sq_batch *b)
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

static inline void on_resume(void *ctx)
{
	struct fixture *f = ctx;

	f->paused = false;
	f->resumed++;
}

static inline void on_drained(void *ctx)
{
	((struct fixture *)ctx)->drained = true;
}

static inline void on_taken_up(void *ctx)
{
	(void)ctx;
}

static inline void feed(uv_idle_t *h)
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

static inline void on_deadline(uv_timer_t *t)
{
	(void)t;
	fail_msg("not done within the deadline");
}

static inline struct sq_ruleset *rules_of(const char *word)
{
	char path[] = "/tmp/squibly-dispatch-XXXXXX.yml";
	struct sq_ruleset *rs;

	close(mkstemps(path, 4));
	write_rule(path, word);
	rs = load_rules(path);
	unlink(path);
	return rs;
}

/** Rules for all workers, as generation `g`. */
static inline void offer_rules(struct fixture *f, unsigned workers, uint64_t g)
{
	for (unsigned i = 0; i < workers; i++)
		sqd_workers_offer(sqd_dispatch_workers(f->dispatch), i, gear_of(f->rules, g));
}

static inline void setup_opts(struct fixture *f, unsigned workers, uint32_t out, bool skip_bare)
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
	offer_rules(f, workers, 1);
}

static inline void setup(struct fixture *f, unsigned workers)
{
	setup_opts(f, workers, 1 << 20, false);
}

static inline void on_closed(void *ctx)
{
	((struct fixture *)ctx)->closed = true;
}

static inline void teardown(struct fixture *f)
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

/** Turns until there are `n` records, from the start on. */
static inline void feed_all(struct fixture *f, unsigned n)
{
	f->wanted = n;
	uv_idle_start(&f->feeder, feed);
	while (f->fed < n)
		uv_run(&f->loop, UV_RUN_ONCE);
	uv_idle_stop(&f->feeder);
}

/** Turns until there are more: while all batches are with slow workers, none makes work for them.
 */
static inline void feed_more(struct fixture *f)
{
	unsigned before = f->fed;

	while (f->fed == before)
		uv_run(&f->loop, UV_RUN_ONCE);
}

static inline void drain(struct fixture *f)
{
	sqd_dispatch_drain(f->dispatch);
	while (!f->drained)
		uv_run(&f->loop, UV_RUN_ONCE);
}

/** Turns until an alert has come. */
static inline void wait_for_alert(struct fixture *f)
{
	while (!f->seen)
		uv_run(&f->loop, UV_RUN_ONCE);
}

/** End what `hold` began: the batches that were kept are delivered. */
static inline void let_go(struct fixture *f)
{
	f->hold = false;
	for (unsigned i = 0; i < f->n_kept; i++)
		sqd_dispatch_delivered(f->dispatch, f->kept[i]);
}

/** One batch, with one record, is kept. */
static inline void feed_and_keep_one(struct fixture *f)
{
	f->hold = true;
	feed_all(f, 1);
	while (!f->n_kept)
		uv_run(&f->loop, UV_RUN_ONCE);
	f->hold = false;
}
