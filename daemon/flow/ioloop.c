#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/loop.h"
#include "daemon/flow/ioloop_private.h"
#include "daemon/flow/worker.h"

unsigned sqd_ioloops_count(const struct sqd_ioloops *a)
{
	return a ? a->n : 0;
}

static void on_input_closed(struct sqd_input *in);

int sqd_ioloops_start(struct sqd_ioloops *a, unsigned i, struct sqd_input *in, size_t row,
                      struct sq_err *err)
{
	struct sqd_ioloop *l = &a->list[i];
	struct sqd_ioloop_input *m = calloc(1, sizeof(*m));

	sq_assert(!l->running);
	if (!m) {
		free(in);
		return sq_err_set(err, -ENOMEM, "inputs: out of memory");
	}
	m->next = l->inputs;
	l->inputs = m;
	m->in = in;
	m->row = row;
	in->loop = &l->on->loop;
	in->dispatch = l->dispatch;
	in->counts = &m->counts;
	in->closed = on_input_closed;
	in->ctx = l;
	return in->ops->start(in, err);
}

/* ---- threads ----------------------------------------------------------------------------- */

static void *thread_main(void *arg)
{
	struct sqd_iothread *t = arg;

	(void)uv_run(&t->loop, UV_RUN_DEFAULT);
	return NULL;
}

/* More than once: a loop that was told to leave when nobody ran it does so the first time. */
static void run_empty(struct sqd_iothread *t)
{
	while (uv_run(&t->loop, UV_RUN_DEFAULT))
		;
}

/* On the way down, when all that is its loop's is being closed. */
static void *thread_end(void *arg)
{
	struct sqd_iothread *t = arg;

	run_empty(t);
	atomic_store_explicit(&t->ended, true, memory_order_release);
	uv_async_send(&t->all->news);
	return NULL;
}

/* Signals are the main loop's: threads begin with all of them blocked. @return 0, or an errno */
static int start_thread(struct sqd_ioloops *a, unsigned i, void *(*body)(void *))
{
	struct sqd_iothread *t = &a->threads[i];
	sigset_t all, before;
	char name[16];
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&t->thread, NULL, body, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r)
		return r;
	t->started = true;
	snprintf(name, sizeof(name), "loop-%u", i % 100 + 2);
	(void)pthread_setname_np(t->thread, name); /* only for people looking at it */
	return 0;
}

static void join_thread(struct sqd_iothread *t)
{
	if (t->started)
		pthread_join(t->thread, NULL);
	t->started = false;
}

static void set_running(struct sqd_ioloops *a, unsigned thread, bool running)
{
	for (unsigned i = thread; i < a->n; i += a->opts.threads)
		a->list[i].running = running;
}

int sqd_ioloops_run(struct sqd_ioloops *a, struct sq_err *err)
{
	int r = 0;

	for (unsigned i = 0; a && i < a->opts.threads && !r; i++) {
		set_running(a, i, true);
		r = start_thread(a, i, thread_main);
		if (r)
			set_running(a, i, false);
	}
	return r ? sq_err_set(err, -r, "cannot start the thread of an I/O loop: %s",
	                      sq_strerror(-r))
	         : 0;
}

void sqd_ioloops_join(struct sqd_ioloops *a)
{
	if (!a || a->closed)
		return;
	sqd_ioloops_order(a, ORDER_LEAVE);
	for (unsigned i = 0; i < a->opts.threads; i++) {
		join_thread(&a->threads[i]);
		set_running(a, i, false);
	}
	for (unsigned i = 0; i < a->n; i++) {
		(void)sqd_ioloop_attend(&a->list[i]);
		sqd_ioloop_hear(&a->list[i]);
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

/* ---- the end ----------------------------------------------------------------------------- */

static void inputs_closed(struct sqd_ioloop *l)
{
	sqd_dispatch_close(l->dispatch, NULL, NULL);
	l->dispatch = NULL;
	uv_close((uv_handle_t *)&l->told, NULL);
}

static void on_input_closed(struct sqd_input *in)
{
	struct sqd_ioloop *l = in->ctx;

	if (!--l->inputs_closing)
		inputs_closed(l);
}

static void close_loop(struct sqd_ioloop *l)
{
	uv_update_time(&l->on->loop); /* it has stood since its thread was joined */
	sqd_settling_look(l->settling);
	for (struct sqd_ioloop_input *m = l->inputs; m; m = m->next)
		l->inputs_closing++;
	for (struct sqd_ioloop_input *m = l->inputs; m; m = m->next)
		m->in->ops->close(m->in);
	if (!l->inputs)
		inputs_closed(l);
}

static void close_all(struct sqd_ioloops *a)
{
	sqd_workers_stop(a->opts.workers); /* they wake what is about to be closed */
	sqd_ioloops_set_gauges(a);
	for (unsigned i = 0; i < a->n; i++)
		close_loop(&a->list[i]);
}

/* Its loop has run empty. */
static void end_thread(struct sqd_iothread *t)
{
	sqd_loop_end(&t->loop);
	sqd_batchpool_fini(&t->batches);
	t->made = false;
}

static void on_news_closed(uv_handle_t *h)
{
	struct sqd_ioloops *a = h->data;

	a->closed(a->closed_ctx); /* last: it may free us */
}

void sqd_ioloops_look_at_ends(struct sqd_ioloops *a)
{
	for (unsigned i = 0; i < a->opts.threads; i++) {
		struct sqd_iothread *t = &a->threads[i];

		if (!t->made || !atomic_load_explicit(&t->ended, memory_order_acquire))
			continue;
		join_thread(t);
		end_thread(t);
		a->unended--;
	}
	if (!a->unended && !uv_is_closing((uv_handle_t *)&a->news))
		uv_close((uv_handle_t *)&a->news, on_news_closed);
}

void sqd_ioloops_close(struct sqd_ioloops *a, void (*closed)(void *ctx), void *ctx)
{
	if (!a) {
		closed(ctx);
		return;
	}
	sqd_ioloops_join(a);
	close_all(a);
	a->closed = closed;
	a->closed_ctx = ctx;
	a->unended = a->opts.threads;
	for (unsigned i = 0; i < a->opts.threads; i++)
		if (start_thread(a, i, thread_end))
			(void)thread_end(&a->threads[i]); /* here, then */
}

static void free_loop(struct sqd_ioloop *l)
{
	struct sqd_ioloop_input *next;

	for (struct sqd_ioloop_input *m = l->inputs; m; m = next) {
		next = m->next;
		free(m->in);
		free(m);
	}
	sqd_settling_free(l->settling);
	pthread_mutex_destroy(&l->lock);
}

void sqd_ioloops_free(struct sqd_ioloops *a)
{
	if (!a)
		return;
	for (unsigned i = 0; i < a->n; i++)
		free_loop(&a->list[i]);
	free(a->threads);
	free(a->awaited);
	free(a);
}

/* ---- the beginning ----------------------------------------------------------------------- */

/* @return 0, or a negative errno; then nothing of it is left but what is closed with the loop */
static int make_loop(struct sqd_ioloops *a, unsigned i, struct sq_err *err)
{
	struct sqd_ioloop *l = &a->list[i];
	struct sqd_dispatch_opts opts = sqd_ioloop_dispatch;
	int r;

	l->all = a;
	l->on = &a->threads[i % a->opts.threads];
	opts.loop = &l->on->loop;
	opts.batches = a->opts.batches;
	opts.limits = a->opts.limits;
	opts.pool = &l->on->batches;
	opts.shared = a->opts.workers;
	opts.eager = a->opts.eager;
	opts.sieves = a->opts.sieves;
	opts.sifter = a->opts.sifter;
	opts.totals = &l->totals;
	opts.settling = sqd_settling_new(a->opts.queues_of(a->opts.ctx, i));
	opts.ctx = l;
	opts.sifter.stream += i + 1; /* each checks others */
	pthread_mutex_init(&l->lock, NULL);
	l->settling = opts.settling;
	r = l->settling ? uv_async_init(&l->on->loop, &l->told, sqd_ioloop_on_told) : -ENOMEM;
	if (r < 0)
		goto fail;
	l->told.data = l;
	l->dispatch = sqd_dispatch_new(&opts, err);
	if (l->dispatch)
		return 0;
	r = -ENOMEM;
	uv_close((uv_handle_t *)&l->told, NULL);
fail:
	free_loop(l);
	return r;
}

static int make_threads(struct sqd_ioloops *a)
{
	sq_assert(a->opts.threads > 0 && a->opts.threads <= a->opts.n);
	a->threads = calloc(a->opts.threads, sizeof(*a->threads));
	if (!a->threads)
		return -ENOMEM;
	for (unsigned i = 0; i < a->opts.threads; i++) {
		int r = uv_loop_init(&a->threads[i].loop);

		if (r < 0)
			return r;
		a->threads[i].all = a;
		a->threads[i].made = true;
	}
	return 0;
}

static void end_threads(struct sqd_ioloops *a)
{
	for (unsigned i = 0; a->threads && i < a->opts.threads && a->threads[i].made; i++) {
		run_empty(&a->threads[i]);
		end_thread(&a->threads[i]);
	}
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
	r = make_threads(a);
	for (; !r && a->n < opts->n; a->n += !r)
		r = make_loop(a, a->n, err);
	if (!r)
		r = uv_async_init(opts->main, &a->news, sqd_ioloops_on_news);
	if (r < 0)
		goto fail_loops;
	a->news.data = a;
	return a;

fail_loops:
	close_all(a);
	end_threads(a);
fail:
	sq_err_set(err, r, "I/O loops: %s", sq_strerror(r));
	sqd_ioloops_free(a);
	return NULL;
}
