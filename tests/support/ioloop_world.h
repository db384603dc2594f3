/* Further loops, with inputs that feed records from their own threads, before a router and an
 * output that does as it is told on the main loop.
 *
 * What runs on a loop's thread checks with sq_assert: a failing assertion of cmocka jumps, which is
 * for the main thread alone.
 */
#pragma once

#include "daemon/flow/ioloop.h"

#include <pthread.h>
#include <stdatomic.h>

#include "daemon/base/loop.h"
#include "daemon/flow/router.h"
#include "daemon/flow/worker.h"
#include "tests/support/fake_output.h"
#include "tests/support/rules.h"
#include "tests/support/run_loop.h"

enum {
	LOOPS = 2,
	BATCHES = 5, /* of each loop */
	WINDOW = 7,
	WINDOWS = 300,
	RECORDS = WINDOW * WINDOWS,
	QUEUE_BYTES = 20480, /* more than the alerts of one window */
	EACH = 1000000,      /* numbers of records of loop i begin at i * EACH */
};

struct window {
	struct sqd_receipt receipt;
	struct feeder *feeder;
	unsigned last, last_evil; /* numbers; 0: none is evil */
};

/* An input without sockets. */
struct feeder {
	struct sqd_input base;
	struct fixture *f;
	unsigned id;    /* of its loop */
	unsigned every; /* one record of so many is evil; 0: none */
	uv_idle_t idle;
	struct window windows[WINDOWS];
	unsigned fed;
	bool paused, stopped, closing;
	pthread_t thread;   /* that fed the first record */
	atomic_uint is_fed; /* the same as `fed`, for the main loop */
	atomic_uint n_pauses;
	atomic_uint next; /* number that its next alert must bear; set by the main loop */
	atomic_uint n_settled, n_lost, n_reloads;
};

struct fixture {
	uv_loop_t loop;
	struct sqd_dispatch *dispatch; /* of the main loop, which has no input here */
	struct sqd_ioloops *ioloops;
	struct sqd_settling *settling;
	struct sqd_router *router;
	struct sqd_outqueue *queue;
	struct fake_output *out;
	struct sq_counters totals, mine;
	struct sq_ruleset *rules;
	struct sqd_sievebox sieves; /* with none in it, if the test puts none there */
	struct feeder *feeder[LOOPS];
	bool stalled; /* the output sends nothing */
	bool joined;
	unsigned drained, answered;
	unsigned wanted; /* of whatever is waited for */
	bool closed, loops_closed;
};

/* ---- on the threads of the loops ---------------------------------------------------------- */

static inline struct feeder *feeder_of(struct sqd_input *in)
{
	return SQ_CONTAINER(in, struct feeder, base);
}

static inline bool owes_nothing(const struct feeder *in)
{
	for (unsigned i = 0; i < WINDOWS; i++)
		if (in->windows[i].receipt.unsettled)
			return false;
	return true;
}

static inline void end_if_last(struct feeder *in)
{
	if (in->closing && !in->base.open_handles && owes_nothing(in))
		in->base.closed(&in->base);
}

static inline void on_settled(struct sqd_receipt *r)
{
	struct window *w = SQ_CONTAINER(r, struct window, receipt);
	struct feeder *in = w->feeder;

	if (!in->f->joined)
		sq_assert(pthread_equal(in->thread, pthread_self()));
	if (in->fed <= w->last % EACH && !r->lost)
		return; /* there is more of it to come */
	atomic_fetch_add(&in->n_settled, 1);
	if (r->lost)
		atomic_fetch_add(&in->n_lost, 1);
	else
		sq_assert(!w->last_evil || atomic_load(&in->next) > w->last_evil);
	end_if_last(in);
}

static inline bool feed_one(struct feeder *in)
{
	struct window *w = &in->windows[in->fed / WINDOW];
	struct sq_batch *b = sqd_dispatch_open(in->base.dispatch, 256);
	unsigned number = in->id * EACH + in->fed;
	int origin, r;
	size_t n;

	if (!b) {
		in->base.ops->pause(&in->base);
		return false;
	}
	origin = sqd_dispatch_origin(in->base.dispatch, b, &w->receipt, "192.0.2.1:1");
	sq_assert(origin >= 0);
	n = evil_record(b->chunk + b->tail, 256, number);
	if (!in->every || in->fed % in->every) /* "evil" no more */
		*(char *)memmem(b->chunk + b->tail, n, "evil", 4) = 'c';
	r = sq_batch_add(b, (uint32_t)origin, (struct sq_sv){ b->chunk + b->tail, n });
	sq_assert(r == 0);
	b->tail += (uint32_t)n;
	sqd_receipt_owe(&w->receipt, 1);
	in->base.counts->received++;
	in->fed++;
	return true;
}

static inline void feed(uv_idle_t *h)
{
	struct feeder *in = h->data;

	if (!in->fed)
		in->thread = pthread_self();
	sq_assert(pthread_equal(in->thread, pthread_self()));
	for (unsigned turn = 0; turn < 40 && in->fed < RECORDS && feed_one(in); turn++)
		;
	atomic_store(&in->is_fed, in->fed);
	if (in->fed == RECORDS)
		(void)uv_idle_stop(h);
}

static inline int feeder_start(struct sqd_input *base, struct sq_err *err SQ_UNUSED)
{
	struct feeder *in = feeder_of(base);

	(void)uv_idle_init(base->loop, &in->idle);
	in->idle.data = in;
	base->open_handles = 1;
	return uv_idle_start(&in->idle, feed);
}

static inline void feeder_pause(struct sqd_input *base)
{
	struct feeder *in = feeder_of(base);

	in->paused = true;
	atomic_fetch_add(&in->n_pauses, 1);
	(void)uv_idle_stop(&in->idle);
}

static inline void feeder_resume(struct sqd_input *base)
{
	struct feeder *in = feeder_of(base);

	if (in->paused && !in->stopped)
		(void)uv_idle_start(&in->idle, feed);
	in->paused = false;
}

static inline void feeder_stop(struct sqd_input *base)
{
	struct feeder *in = feeder_of(base);

	in->stopped = true;
	(void)uv_idle_stop(&in->idle);
}

static inline void feeder_reload(struct sqd_input *base)
{
	struct feeder *in = feeder_of(base);

	sq_assert(!in->fed || pthread_equal(in->thread, pthread_self()));
	atomic_fetch_add(&in->n_reloads, 1);
}

static inline void on_idle_closed(uv_handle_t *h)
{
	struct feeder *in = h->data;

	in->base.open_handles--;
	end_if_last(in);
}

static inline void feeder_close(struct sqd_input *base)
{
	struct feeder *in = feeder_of(base);

	in->closing = true;
	uv_close((uv_handle_t *)&in->idle, on_idle_closed);
}

static const struct sqd_input_ops feeder_ops = {
	.kind = "feeder",
	.size = sizeof(struct feeder),
	.start = feeder_start,
	.pause = feeder_pause,
	.resume = feeder_resume,
	.stop = feeder_stop,
	.reload = feeder_reload,
	.close = feeder_close,
};

/* ---- on the main loop --------------------------------------------------------------------- */

static inline void on_deliver(void *ctx, struct sq_batch *b)
{
	sqd_router_deliver(((struct fixture *)ctx)->router, b);
}

static inline void on_released(void *ctx, struct sq_batch *b)
{
	sqd_ioloops_released(((struct fixture *)ctx)->ioloops, b);
}

static inline void on_passed(void *ctx)
{
	sqd_ioloops_passed(((struct fixture *)ctx)->ioloops);
}

static inline void on_drained(void *ctx)
{
	((struct fixture *)ctx)->drained++;
}

static inline void on_answered(void *ctx)
{
	((struct fixture *)ctx)->answered++;
}

static inline void nothing(void *ctx SQ_UNUSED)
{
}

/* What goes out must be, of each loop, the alerts of all its evil records in order. */
static inline void note_sent(struct fixture *f, struct sq_sv rest)
{
	while (rest.n) {
		unsigned number = evil_number(sq_sv_cut(&rest, '\n'));
		struct feeder *in = f->feeder[number / EACH];

		assert_int_equal(number, atomic_load(&in->next));
		atomic_store(&in->next, number + in->every);
	}
}

static inline void let_through(struct fixture *f)
{
	while (!f->stalled && f->out->sending.p) {
		note_sent(f, f->out->sending);
		fake_sent(f->out, 0);
	}
}

static inline void wait_for(struct fixture *f, bool (*done)(void *ctx))
{
	uv_timer_t tick;
	uint64_t end = sqd_now().mono_ns + UINT64_C(30000000000);

	uv_timer_init(&f->loop, &tick);
	uv_timer_start(&tick, run_loop_on_tick, 1, 1);
	while (!done(f)) {
		uv_run(&f->loop, UV_RUN_ONCE);
		let_through(f);
		if (sqd_now().mono_ns > end)
			fail_msg("it did not happen in time");
	}
	uv_close((uv_handle_t *)&tick, NULL);
	uv_run(&f->loop, UV_RUN_NOWAIT);
}

static inline void nap(struct fixture *f)
{
	for (int i = 0; i < 20; i++) {
		uv_run(&f->loop, UV_RUN_NOWAIT);
		uv_sleep(5);
	}
}

/* That the loops have: each its own, or one for both. */
static unsigned world_threads = LOOPS;

static inline size_t one_queue(void *ctx SQ_UNUSED, unsigned i SQ_UNUSED)
{
	return 1;
}

static inline void make_loops(struct fixture *f, const unsigned every[LOOPS],
                              const struct sq_batch_limits *limits)
{
	const struct sqd_ioloops_opts opts = { .main = &f->loop,
		                               .n = LOOPS,
		                               .threads = world_threads,
		                               .queues = 1,
		                               .queues_of = one_queue,
		                               .batches = BATCHES,
		                               .eager = 1,
		                               .limits = *limits,
		                               .workers = sqd_dispatch_workers(f->dispatch),
		                               .sieves = &f->sieves,
		                               .deliver = on_deliver,
		                               .drained = on_drained,
		                               .answered = on_answered,
		                               .ctx = f };
	struct sq_err err = { 0 };

	f->ioloops = sqd_ioloops_new(&opts, &err);
	assert_non_null(f->ioloops);
	for (unsigned i = 0; i < sqd_ioloops_count(f->ioloops); i++)
		sqd_ioloops_await(f->ioloops, i, f->queue, true);
	for (unsigned i = 0; i < LOOPS; i++) {
		struct feeder *in = calloc(1, sizeof(*in));

		in->base.ops = &feeder_ops;
		in->f = f;
		in->id = i;
		in->every = every[i];
		in->next = i * EACH;
		for (unsigned k = 0; k < WINDOWS; k++) {
			struct window *w = &in->windows[k];
			unsigned last = (k + 1) * WINDOW - 1;
			unsigned evil = every[i] ? last / every[i] * every[i] : 0;

			w->receipt =
				(struct sqd_receipt){ .settled = on_settled, .until_sent = true };
			w->feeder = in;
			w->last = i * EACH + last;
			w->last_evil = evil < k * WINDOW || !every[i] ? 0 : i * EACH + evil;
		}
		f->feeder[i] = in;
		assert_int_equal(sqd_ioloops_start(f->ioloops, i, &in->base, 0, &err), 0);
	}
}

/* @param out  bytes of alerts with which a batch is delivered before it is through */
static inline struct fixture *setup(unsigned every0, unsigned every1, uint32_t out)
{
	const unsigned every[LOOPS] = { every0, every1 };
	const struct sq_batch_limits limits = {
		.chunk = 8192, .records = 16, .origins = 8, .arena = 65536, .out = out
	};
	struct fixture *f = calloc(1, sizeof(*f));
	struct sqd_dispatch_opts opts = { .loop = &f->loop,
		                          .batches = BATCHES,
		                          .limits = limits,
		                          .workers = 2,
		                          .totals = &f->totals,
		                          .deliver = on_deliver,
		                          .resume = nothing,
		                          .drained = nothing,
		                          .taken_up = nothing,
		                          .ctx = f };
	struct sqd_route route = { .format = SQ_FORMAT_JSON };
	struct sqd_router_opts ropts = { .loop = &f->loop,
		                         .routes = &route,
		                         .n_routes = 1,
		                         .batches = BATCHES * LOOPS,
		                         .totals = &f->totals,
		                         .released = on_released,
		                         .progress = nothing,
		                         .ctx = f };
	char path[] = "/tmp/squibly-ioloop-XXXXXX.yml";
	struct sq_err err = { 0 };

	close(mkstemps(path, 4));
	write_rule(path, "evil");
	f->rules = load_rules(path);
	unlink(path);
	sqd_sievebox_init(&f->sieves);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->out = fake_new(SQD_FRAMING_LF);
	route.queue = f->queue = sqd_outqueue_new(&f->out->base, QUEUE_BYTES);
	f->settling = sqd_settling_new(1);
	sqd_settling_await(f->settling, f->queue, true);
	sqd_settling_on_passed(f->settling, on_passed, f);
	f->dispatch = sqd_dispatch_new(&opts, &err);
	f->router = sqd_router_new(&ropts);
	make_loops(f, every, &limits);
	for (unsigned i = 0; i < 2; i++)
		sqd_workers_offer(sqd_dispatch_workers(f->dispatch), i, gear_of(f->rules, 1));
	return f;
}

static inline void run(struct fixture *f)
{
	struct sq_err err = { 0 };

	assert_int_equal(sqd_ioloops_run(f->ioloops, &err), 0);
}

static inline void on_closed(void *ctx)
{
	((struct fixture *)ctx)->closed = true;
}

static inline struct sq_counters counts(struct fixture *f)
{
	struct sq_counters c = f->totals;

	sqd_ioloops_counts(f->ioloops, &c);
	return c;
}

/* Ends everything, and checks what always holds: nobody is owed anything. */
static inline void close_loops(struct fixture *f)
{
	if (f->loops_closed)
		return;
	sqd_ioloops_join(f->ioloops);
	f->joined = true;
	sqd_ioloops_close(f->ioloops, fake_noted, &f->loops_closed);
	while (!f->loops_closed)
		uv_run(&f->loop, UV_RUN_ONCE);
}

static inline void teardown(struct fixture *f)
{
	bool router_closed = false;

	close_loops(f);
	for (unsigned i = 0; i < LOOPS; i++)
		assert_true(owes_nothing(f->feeder[i]));
	assert_int_equal(sqd_ioloops_waiting(f->ioloops), 0);
	sqd_dispatch_close(f->dispatch, on_closed, f);
	sqd_router_close(f->router, fake_noted, &router_closed);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(f->closed && router_closed);
	sqd_loop_end(&f->loop);
	fake_end(f->out, f->queue);
	sqd_ioloops_free(f->ioloops);
	sqd_settling_free(f->settling);
	sq_ruleset_unref(f->rules);
	sqd_sievebox_fini(&f->sieves);
	free(f);
}

static inline bool is_settled(void *ctx)
{
	struct fixture *f = ctx;

	for (unsigned i = 0; i < LOOPS; i++)
		if (atomic_load(&f->feeder[i]->n_settled) < WINDOWS)
			return false;
	return true;
}

static inline bool is_drained(void *ctx)
{
	return ((struct fixture *)ctx)->drained > 0;
}

static inline bool is_answered(void *ctx)
{
	struct fixture *f = ctx;

	return f->answered >= f->wanted;
}

static inline void drain(struct fixture *f)
{
	sqd_ioloops_drain(f->ioloops);
	wait_for(f, is_drained);
	nap(f);
	assert_int_equal(f->drained, 1);
}
