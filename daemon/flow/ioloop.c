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
	struct sqd_ioloop_input *m = &l->inputs[l->n_inputs];

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

static void *thread_main(void *arg)
{
	struct sqd_ioloop *l = arg;

	(void)uv_run(&l->loop, UV_RUN_DEFAULT);
	return NULL;
}

/* Signals are the main loop's: threads begin with all of them blocked. */
int sqd_ioloops_run(struct sqd_ioloops *a, struct sq_err *err)
{
	sigset_t all, before;
	int r = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; a && i < a->n && !r; i++) {
		struct sqd_ioloop *l = &a->list[i];
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
	sqd_ioloops_order(a, ORDER_LEAVE);
	for (unsigned i = 0; a && i < a->n; i++) {
		if (!a->list[i].running)
			continue;
		pthread_join(a->list[i].thread, NULL);
		a->list[i].running = false;
	}
	for (unsigned i = 0; a && i < a->n; i++) {
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
	sqd_ioloops_set_gauges(a);
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

static void free_loop(struct sqd_ioloop *l)
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
static int make_loop(struct sqd_ioloops *a, struct sqd_ioloop *l, struct sq_err *err)
{
	struct sqd_dispatch_opts opts = sqd_ioloop_dispatch;
	int r;

	opts.loop = &l->loop;
	opts.batches = a->opts.batches;
	opts.limits = a->opts.limits;
	opts.shared = a->opts.workers;
	opts.eager = a->opts.eager;
	opts.sieves = a->opts.sieves;
	opts.sifter = a->opts.sifter;
	opts.totals = &l->totals;
	opts.settling = sqd_settling_new(a->opts.queues);
	opts.ctx = l;
	opts.sifter.stream += a->n + 1; /* each checks others */
	l->all = a;
	pthread_mutex_init(&l->lock, NULL);
	l->settling = opts.settling;
	l->inputs = calloc(a->opts.inputs + 1, sizeof(*l->inputs));
	r = l->settling && l->inputs ? uv_loop_init(&l->loop) : -ENOMEM;
	if (r < 0)
		goto fail;
	r = uv_async_init(&l->loop, &l->told, sqd_ioloop_on_told);
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
	r = uv_async_init(opts->main, &a->news, sqd_ioloops_on_news);
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
