#include "daemon/flow/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/loop.h"

struct worker {
	struct sqd_workers *all;
	pthread_t thread;
	struct sqd_gear *gear;           /* worker thread only */
	_Atomic(struct sqd_gear *) next; /* mailbox: others put, the worker takes */
	_Atomic uint64_t generation;     /* worker writes, main loop reads */
	_Atomic uint64_t busy_since_ns;  /* 0: idle; worker writes, main loop reads */
};

struct sqd_workers {
	pthread_mutex_t lock; /* guards queued, desks, stopping; and poking sleepers */
	pthread_cond_t work;
	struct sqd_batchlist queued;
	bool stopping;
	sqd_workers_wake_fn *wake;
	void *ctx;
	unsigned n, running; /* threads wanted, threads to be joined */
	struct worker list[];
};

struct sqd_gear *sqd_gear_new(struct sq_pipeline *pl, uint64_t generation)
{
	struct sqd_gear *g = pl ? calloc(1, sizeof(*g)) : NULL;

	if (!g) {
		sq_pipeline_free(pl);
		return NULL;
	}
	g->pipeline = pl;
	g->generation = generation;
	return g;
}

void sqd_gear_free(struct sqd_gear *g)
{
	if (!g)
		return;
	sq_pipeline_free(g->pipeline);
	free(g);
}

static struct sq_batch *take_all(struct sqd_workers *w, struct sqd_batchlist *list)
{
	struct sq_batch *b;

	pthread_mutex_lock(&w->lock);
	b = sqd_batchlist_take(list).first;
	pthread_mutex_unlock(&w->lock);
	return b;
}

/* Between two batches, worker thread. One relaxed load when the mailbox is empty. */
static void take_up(struct worker *me)
{
	struct sqd_gear *g;

	if (!atomic_load_explicit(&me->next, memory_order_relaxed))
		return;
	/* Pairs with the release half of the exchange in sqd_workers_offer(). */
	g = atomic_exchange_explicit(&me->next, NULL, memory_order_acquire);
	if (!g)
		return;
	sqd_gear_free(me->gear);
	me->gear = g;
	atomic_store_explicit(&me->generation, g->generation, memory_order_relaxed);
	me->all->wake(me->all->ctx);
}

/* Wait for something to do: a batch (once there are rules to run it with) or new rules.
 * @return false: stop */
static bool wait_for_work(struct worker *me, struct sq_batch **ret)
{
	struct sqd_workers *w = me->all;
	bool go_on;

	*ret = NULL;
	pthread_mutex_lock(&w->lock);
	while (!w->stopping && !(w->queued.first && me->gear) &&
	       !atomic_load_explicit(&me->next, memory_order_relaxed))
		pthread_cond_wait(&w->work, &w->lock);
	go_on = !w->stopping;
	if (go_on && me->gear && !atomic_load_explicit(&me->next, memory_order_relaxed))
		*ret = sqd_batchlist_pop(&w->queued);
	pthread_mutex_unlock(&w->lock);
	return go_on;
}

static void *worker_main(void *arg)
{
	struct worker *me = arg;
	struct sqd_workers *w = me->all;
	struct sq_batch *b;

	while (wait_for_work(me, &b)) {
		struct sq_now now = sqd_now();
		struct sqd_desk *desk;

		if (!b) {
			take_up(me);
			continue;
		}
		atomic_store_explicit(&me->busy_since_ns, now.mono_ns, memory_order_relaxed);
		sq_pipeline_run(me->gear->pipeline, b, now);
		atomic_store_explicit(&me->busy_since_ns, 0, memory_order_relaxed);
		desk = b->home;
		pthread_mutex_lock(&w->lock);
		sqd_batchlist_push(&desk->done, b);
		pthread_mutex_unlock(&w->lock);
		desk->wake(desk->ctx);
	}
	return NULL;
}

/* Signals are the main loop's: threads begin with all of them blocked. */
static int start_threads(struct sqd_workers *w)
{
	sigset_t all, before;
	int r = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (; w->running < w->n && !r; w->running += !r) {
		struct worker *me = &w->list[w->running];
		char name[16];

		me->all = w;
		r = pthread_create(&me->thread, NULL, worker_main, me);
		if (r)
			break;
		snprintf(name, sizeof(name), "worker-%u", w->running % 100);
		(void)pthread_setname_np(me->thread, name); /* only for people looking at it */
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

struct sqd_workers *sqd_workers_start(unsigned n, sqd_workers_wake_fn *wake, void *ctx,
                                      struct sq_err *err)
{
	struct sqd_workers *w = calloc(1, sizeof(*w) + n * sizeof(w->list[0]));
	int r;

	sq_assert(n > 0);
	if (!w) {
		sq_err_set(err, -ENOMEM, "workers: out of memory");
		return NULL;
	}
	w->n = n;
	w->wake = wake;
	w->ctx = ctx;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	r = start_threads(w);
	if (r < 0) {
		sq_err_set(err, r, "cannot start worker thread %u: %s", w->running + 1,
		           sq_strerror(r));
		sqd_workers_stop(w);
		sqd_workers_free(w);
		return NULL;
	}
	return w;
}

void sqd_workers_stop(struct sqd_workers *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_broadcast(&w->work);
	pthread_mutex_unlock(&w->lock);
	for (; w->running; w->running--)
		pthread_join(w->list[w->running - 1].thread, NULL);
}

void sqd_workers_free(struct sqd_workers *w)
{
	if (!w)
		return;
	sq_assert(!w->running && !w->queued.first);
	for (unsigned i = 0; i < w->n; i++) {
		sqd_gear_free(w->list[i].gear);
		sqd_gear_free(
			atomic_exchange_explicit(&w->list[i].next, NULL, memory_order_acquire));
	}
	pthread_cond_destroy(&w->work);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

unsigned sqd_workers_count(const struct sqd_workers *w)
{
	return w->n;
}

void sqd_workers_give(struct sqd_workers *w, struct sq_batch *b)
{
	pthread_mutex_lock(&w->lock);
	sqd_batchlist_push(&w->queued, b);
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
}

struct sq_batch *sqd_workers_take_done(struct sqd_workers *w, struct sqd_desk *desk)
{
	return take_all(w, &desk->done);
}

struct sq_batch *sqd_workers_take_queued(struct sqd_workers *w)
{
	return take_all(w, &w->queued);
}

void sqd_workers_offer(struct sqd_workers *w, unsigned i, struct sqd_gear *g)
{
	sq_assert(i < w->n);
	sqd_gear_free(atomic_exchange_explicit(&w->list[i].next, g, memory_order_acq_rel));
	/* Under the lock, so that no worker is between looking and sleeping. Everyone is poked:
	 * the condition does not say whom the offer is for. */
	pthread_mutex_lock(&w->lock);
	pthread_cond_broadcast(&w->work);
	pthread_mutex_unlock(&w->lock);
}

uint64_t sqd_workers_generation(struct sqd_workers *w)
{
	uint64_t oldest = UINT64_MAX;

	for (unsigned i = 0; i < w->n; i++) {
		uint64_t g = atomic_load_explicit(&w->list[i].generation, memory_order_relaxed);

		if (g < oldest)
			oldest = g;
	}
	return oldest;
}

bool sqd_workers_stuck(struct sqd_workers *w, uint64_t now_mono_ns, uint64_t ns)
{
	for (unsigned i = 0; i < w->n; i++) {
		uint64_t since =
			atomic_load_explicit(&w->list[i].busy_since_ns, memory_order_relaxed);

		if (since && now_mono_ns > since && now_mono_ns - since > ns)
			return true;
	}
	return false;
}
