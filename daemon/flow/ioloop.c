#include "daemon/flow/ioloop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/loop.h"
#include "daemon/flow/worker.h"

/* What the main loop wants of a loop: bits, done in this order. */
enum {
	ORDER_YIELD = 1,
	ORDER_RELOAD = 2,
	ORDER_DRAIN = 4,
	ORDER_SHOW = 8,
	ORDER_LEAVE = 16,
};

struct member {
	struct sqd_input *in; /* owned */
	size_t row;
	struct sq_counters counts; /* the loop's */
	struct sq_counters shown;  /* under the lock */
};

struct ioloop {
	struct sqd_ioloops *all;
	uv_loop_t loop;
	uv_async_t told; /* there are orders, or batches that were given back */
	struct sqd_settling *settling;
	struct sqd_dispatch *dispatch;
	struct sq_counters totals;
	struct member *inputs;
	size_t n_inputs, inputs_closing;
	pthread_t thread;
	/* Written by the main thread while there is no other, so both may read it. */
	bool running;

	pthread_mutex_t lock; /* guards all below, and `shown` of inputs */
	unsigned orders;
	struct sqd_batchlist back, forth; /* to the loop, to the main loop */
	bool drained, answered;           /* news for the main loop */
	struct sq_counters shown;
	uint64_t shown_waiting;
};

struct awaited {
	struct sqd_outqueue *queue;
	struct sqd_gauge gauge;
};

struct sqd_ioloops {
	struct sqd_ioloops_opts opts;
	uv_async_t news; /* on the main loop */
	struct awaited *awaited;
	size_t n_awaited;
	unsigned n, n_drained, n_answered;
	bool asking, again;
	struct ioloop list[];
};

/* ---- on the loop's thread ---------------------------------------------------------------- */

static void on_deliver(void *ctx, struct sq_batch *b)
{
	struct ioloop *l = ctx;

	if (!l->running) {
		l->all->opts.deliver(l->all->opts.ctx, b);
		return;
	}
	pthread_mutex_lock(&l->lock);
	sqd_batchlist_push(&l->forth, b);
	pthread_mutex_unlock(&l->lock);
	uv_async_send(&l->all->news);
}

static void on_resume(void *ctx)
{
	struct ioloop *l = ctx;

	for (size_t i = 0; i < l->n_inputs; i++)
		l->inputs[i].in->ops->resume(l->inputs[i].in);
}

static void on_drained(void *ctx)
{
	struct ioloop *l = ctx;

	pthread_mutex_lock(&l->lock);
	l->drained = true;
	pthread_mutex_unlock(&l->lock);
	uv_async_send(&l->all->news);
}

static void on_taken_up(void *ctx SQ_UNUSED)
{
	/* The main loop is woken for rules, and looks for itself. */
}

static void show(struct ioloop *l)
{
	pthread_mutex_lock(&l->lock);
	l->shown = l->totals;
	l->shown_waiting = sqd_settling_waiting(l->settling);
	for (size_t i = 0; i < l->n_inputs; i++)
		l->inputs[i].shown = l->inputs[i].counts;
	l->answered = true;
	pthread_mutex_unlock(&l->lock);
	uv_async_send(&l->all->news);
}

static void drain(struct ioloop *l)
{
	for (size_t i = 0; i < l->n_inputs; i++)
		l->inputs[i].in->ops->stop(l->inputs[i].in);
	sqd_dispatch_drain(l->dispatch);
}

/* Also on the main thread, when the loop's has ended. @return the orders there were */
static unsigned attend(struct ioloop *l)
{
	struct sqd_batchlist back;
	struct sq_batch *b;
	unsigned orders;

	pthread_mutex_lock(&l->lock);
	orders = l->orders;
	l->orders = 0;
	back = sqd_batchlist_take(&l->back);
	pthread_mutex_unlock(&l->lock);
	/* Before the batches: something of them may have been dropped. */
	if (orders & ORDER_YIELD)
		sqd_settling_yield(l->settling);
	while ((b = sqd_batchlist_pop(&back)))
		sqd_dispatch_delivered(l->dispatch, b);
	for (size_t i = 0; orders & ORDER_RELOAD && i < l->n_inputs; i++)
		l->inputs[i].in->ops->reload(l->inputs[i].in);
	if (orders & ORDER_DRAIN)
		drain(l);
	sqd_settling_look(l->settling);
	if (orders & ORDER_SHOW)
		show(l);
	return orders;
}

static void on_told(uv_async_t *h)
{
	struct ioloop *l = h->data;

	if (attend(l) & ORDER_LEAVE)
		uv_stop(&l->loop);
}

static void *thread_main(void *arg)
{
	struct ioloop *l = arg;

	(void)uv_run(&l->loop, UV_RUN_DEFAULT);
	return NULL;
}

/* ---- on the main loop: news -------------------------------------------------------------- */

static void order(struct ioloop *l, unsigned what)
{
	pthread_mutex_lock(&l->lock);
	l->orders |= what;
	pthread_mutex_unlock(&l->lock);
	uv_async_send(&l->told);
}

static void order_all(struct sqd_ioloops *a, unsigned what)
{
	for (unsigned i = 0; a && i < a->n; i++)
		if (a->list[i].running)
			order(&a->list[i], what);
}

/* Batches first: a loop is drained when the last of them has come back. */
static void hear(struct ioloop *l)
{
	struct sqd_ioloops *a = l->all;
	struct sqd_batchlist forth;
	bool drained, answered;
	struct sq_batch *b;

	pthread_mutex_lock(&l->lock);
	forth = sqd_batchlist_take(&l->forth);
	drained = l->drained;
	answered = l->answered;
	l->drained = l->answered = false;
	pthread_mutex_unlock(&l->lock);
	while ((b = sqd_batchlist_pop(&forth)))
		a->opts.deliver(a->opts.ctx, b);
	a->n_drained += drained;
	a->n_answered += answered;
}

static void ask_now(struct sqd_ioloops *a)
{
	a->asking = true;
	a->again = false;
	a->n_answered = 0;
	order_all(a, ORDER_SHOW);
}

static void on_news(uv_async_t *h)
{
	struct sqd_ioloops *a = h->data;

	for (unsigned i = 0; i < a->n; i++)
		hear(&a->list[i]);
	if (a->asking && a->n_answered == a->n) {
		a->asking = false;
		if (a->again)
			ask_now(a);
		else
			a->opts.answered(a->opts.ctx);
	}
	if (a->n_drained == a->n) {
		a->n_drained = 0;
		a->opts.drained(a->opts.ctx); /* last: it may begin to end us */
	}
}

/* ---- queues and batches ------------------------------------------------------------------ */

void sqd_ioloops_await(struct sqd_ioloops *a, struct sqd_outqueue *q, bool patient)
{
	struct awaited *w;

	if (!a)
		return;
	sq_assert(a->n_awaited < a->opts.queues);
	w = &a->awaited[a->n_awaited++];
	w->queue = q;
	for (unsigned i = 0; i < a->n; i++)
		sqd_settling_watch(a->list[i].settling, &w->gauge, patient);
}

static void set_gauges(struct sqd_ioloops *a)
{
	for (size_t i = 0; i < a->n_awaited; i++) {
		struct awaited *w = &a->awaited[i];

		atomic_store_explicit(&w->gauge.taken, sqd_outqueue_taken(w->queue),
		                      memory_order_relaxed);
		atomic_store_explicit(&w->gauge.failing, sqd_outqueue_output(w->queue)->failing,
		                      memory_order_relaxed);
		atomic_store(&w->gauge.passed, sqd_outqueue_passed(w->queue));
	}
}

void sqd_ioloops_passed(struct sqd_ioloops *a)
{
	if (!a)
		return;
	set_gauges(a);
	for (unsigned i = 0; i < a->n; i++)
		if (a->list[i].running && sqd_settling_anyone(a->list[i].settling))
			uv_async_send(&a->list[i].told);
}

void sqd_ioloops_released(struct sqd_ioloops *a, struct sq_batch *b)
{
	struct ioloop *l = sqd_dispatch_ctx_of(b);

	set_gauges(a);
	if (!l->running) {
		sqd_dispatch_delivered(l->dispatch, b);
		return;
	}
	pthread_mutex_lock(&l->lock);
	sqd_batchlist_push(&l->back, b);
	pthread_mutex_unlock(&l->lock);
	uv_async_send(&l->told);
}

void sqd_ioloops_reload(struct sqd_ioloops *a)
{
	order_all(a, ORDER_RELOAD);
}

void sqd_ioloops_drain(struct sqd_ioloops *a)
{
	order_all(a, ORDER_DRAIN);
}

void sqd_ioloops_yield(struct sqd_ioloops *a)
{
	order_all(a, ORDER_YIELD);
}

/* ---- counters ---------------------------------------------------------------------------- */

bool sqd_ioloops_ask(struct sqd_ioloops *a)
{
	if (!a || !a->list[0].running)
		return false;
	if (a->asking)
		a->again = true;
	else
		ask_now(a);
	return true;
}

void sqd_ioloops_loop_counts(struct sqd_ioloops *a, unsigned i, struct sq_counters *to)
{
	struct ioloop *l = &a->list[i];

	pthread_mutex_lock(&l->lock);
	sq_counters_add(to, l->running ? &l->shown : &l->totals);
	for (size_t k = 0; k < l->n_inputs; k++)
		sq_counters_add(to, l->running ? &l->inputs[k].shown : &l->inputs[k].counts);
	pthread_mutex_unlock(&l->lock);
}

void sqd_ioloops_counts(struct sqd_ioloops *a, struct sq_counters *to)
{
	for (unsigned i = 0; a && i < a->n; i++)
		sqd_ioloops_loop_counts(a, i, to);
}

void sqd_ioloops_row_counts(struct sqd_ioloops *a, size_t row, struct sq_counters *to)
{
	for (unsigned i = 0; a && i < a->n; i++) {
		struct ioloop *l = &a->list[i];

		pthread_mutex_lock(&l->lock);
		for (size_t k = 0; k < l->n_inputs; k++)
			if (l->inputs[k].row == row)
				sq_counters_add(to, l->running ? &l->inputs[k].shown
				                               : &l->inputs[k].counts);
		pthread_mutex_unlock(&l->lock);
	}
}

uint64_t sqd_ioloops_waiting(struct sqd_ioloops *a)
{
	uint64_t sum = 0;

	for (unsigned i = 0; a && i < a->n; i++) {
		struct ioloop *l = &a->list[i];

		pthread_mutex_lock(&l->lock);
		if (l->running)
			sum += l->shown_waiting;
		else if (l->settling)
			sum += sqd_settling_waiting(l->settling);
		pthread_mutex_unlock(&l->lock);
	}
	return sum;
}

/* ---- life -------------------------------------------------------------------------------- */

unsigned sqd_ioloops_count(const struct sqd_ioloops *a)
{
	return a ? a->n : 0;
}

static void on_input_closed(struct sqd_input *in);

int sqd_ioloops_start(struct sqd_ioloops *a, unsigned i, struct sqd_input *in, size_t row,
                      struct sq_err *err)
{
	struct ioloop *l = &a->list[i];
	struct member *m = &l->inputs[l->n_inputs];

	sq_assert(l->n_inputs < a->opts.inputs && !l->running);
	l->n_inputs++;
	m->in = in;
	m->row = row;
	in->loop = &l->loop;
	in->dispatch = l->dispatch;
	in->counts = &m->counts;
	in->closed = on_input_closed;
	in->ctx = l;
	return in->ops->start(in, err);
}

/* Signals are the main loop's: threads begin with all of them blocked. */
int sqd_ioloops_run(struct sqd_ioloops *a, struct sq_err *err)
{
	sigset_t all, before;
	int r = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; a && i < a->n && !r; i++) {
		struct ioloop *l = &a->list[i];
		char name[16];

		l->running = true;
		r = pthread_create(&l->thread, NULL, thread_main, l);
		if (r) {
			l->running = false;
			break;
		}
		snprintf(name, sizeof(name), "loop-%u", i % 100 + 2);
		(void)pthread_setname_np(l->thread, name); /* only for people looking at it */
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r ? sq_err_set(err, -r, "cannot start the thread of an I/O loop: %s",
	                      sq_strerror(-r))
	         : 0;
}

void sqd_ioloops_join(struct sqd_ioloops *a)
{
	order_all(a, ORDER_LEAVE);
	for (unsigned i = 0; a && i < a->n; i++) {
		if (!a->list[i].running)
			continue;
		pthread_join(a->list[i].thread, NULL);
		a->list[i].running = false;
	}
	for (unsigned i = 0; a && i < a->n; i++) {
		(void)attend(&a->list[i]);
		hear(&a->list[i]);
	}
}

void sqd_ioloops_halt(struct sqd_ioloops *a)
{
	for (unsigned i = 0; a && i < a->n; i++)
		sqd_dispatch_halt(a->list[i].dispatch);
}

void sqd_ioloops_abandon(struct sqd_ioloops *a)
{
	for (unsigned i = 0; a && i < a->n; i++)
		sqd_dispatch_abandon(a->list[i].dispatch);
}

static void inputs_closed(struct ioloop *l)
{
	sqd_dispatch_close(l->dispatch, NULL, NULL);
	l->dispatch = NULL;
	uv_close((uv_handle_t *)&l->told, NULL);
}

static void on_input_closed(struct sqd_input *in)
{
	struct ioloop *l = in->ctx;

	if (!--l->inputs_closing)
		inputs_closed(l);
}

static void close_loop(struct ioloop *l)
{
	sqd_settling_look(l->settling);
	l->inputs_closing = l->n_inputs;
	for (size_t i = 0; i < l->n_inputs; i++)
		l->inputs[i].in->ops->close(l->inputs[i].in);
	if (!l->n_inputs)
		inputs_closed(l);
	/* More than once: a loop that was told to leave when nobody ran it does so the first time.
	 */
	while (uv_run(&l->loop, UV_RUN_DEFAULT))
		;
	sqd_loop_end(&l->loop);
}

static void close_all(struct sqd_ioloops *a)
{
	sqd_workers_stop(a->opts.workers); /* they wake what is about to be closed */
	set_gauges(a);
	for (unsigned i = 0; i < a->n; i++)
		close_loop(&a->list[i]);
}

void sqd_ioloops_close(struct sqd_ioloops *a)
{
	if (!a)
		return;
	sqd_ioloops_join(a);
	close_all(a);
	uv_close((uv_handle_t *)&a->news, NULL);
}

static void free_loop(struct ioloop *l)
{
	for (size_t i = 0; i < l->n_inputs; i++)
		free(l->inputs[i].in);
	free(l->inputs);
	sqd_settling_free(l->settling);
	pthread_mutex_destroy(&l->lock);
}

void sqd_ioloops_free(struct sqd_ioloops *a)
{
	for (unsigned i = 0; a && i < a->n; i++)
		free_loop(&a->list[i]);
	if (a)
		free(a->awaited);
	free(a);
}

/* @return 0, or a negative errno; then nothing of it is left */
static int make_loop(struct sqd_ioloops *a, struct ioloop *l, struct sq_err *err)
{
	struct sqd_dispatch_opts opts = {
		.loop = &l->loop,
		.batches = a->opts.batches,
		.limits = a->opts.limits,
		.shared = a->opts.workers,
		.eager = a->opts.eager,
		.skip_bare = true,
		.sieves = a->opts.sieves,
		.sifter = a->opts.sifter,
		.totals = &l->totals,
		.settling = sqd_settling_new(a->opts.queues),
		.deliver = on_deliver,
		.resume = on_resume,
		.drained = on_drained,
		.taken_up = on_taken_up,
		.ctx = l,
	};
	int r;

	opts.sifter.stream += a->n + 1; /* each checks others */
	l->all = a;
	pthread_mutex_init(&l->lock, NULL);
	l->settling = opts.settling;
	l->inputs = calloc(a->opts.inputs + 1, sizeof(*l->inputs));
	r = l->settling && l->inputs ? uv_loop_init(&l->loop) : -ENOMEM;
	if (r < 0)
		goto fail;
	r = uv_async_init(&l->loop, &l->told, on_told);
	if (r < 0)
		goto fail_loop;
	l->told.data = l;
	l->dispatch = sqd_dispatch_new(&opts, err);
	if (l->dispatch)
		return 0;
	r = -ENOMEM;
	uv_close((uv_handle_t *)&l->told, NULL);
fail_loop:
	while (uv_run(&l->loop, UV_RUN_DEFAULT))
		;
	sqd_loop_end(&l->loop);
fail:
	free_loop(l);
	return r;
}

struct sqd_ioloops *sqd_ioloops_new(const struct sqd_ioloops_opts *opts, struct sq_err *err)
{
	struct sqd_ioloops *a = calloc(1, sizeof(*a) + opts->n * sizeof(a->list[0]));
	int r = -ENOMEM;

	sq_assert(opts->n > 0);
	if (!a)
		goto fail;
	a->opts = *opts;
	a->awaited = calloc(opts->queues + 1, sizeof(*a->awaited));
	if (!a->awaited)
		goto fail;
	for (; a->n < opts->n; a->n++) {
		r = make_loop(a, &a->list[a->n], err);
		if (r < 0)
			goto fail_loops;
	}
	r = uv_async_init(opts->main, &a->news, on_news);
	if (r < 0)
		goto fail_loops;
	a->news.data = a;
	return a;

fail_loops:
	close_all(a);
fail:
	sq_err_set(err, r, "I/O loops: %s", sq_strerror(r));
	sqd_ioloops_free(a);
	return NULL;
}
