#include "daemon/flow/ioloop_private.h"

/* ---- on the loop's thread ---------------------------------------------------------------- */

static void on_deliver(void *ctx, struct sq_batch *b)
{
	struct sqd_ioloop *l = ctx;

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
	struct sqd_ioloop *l = ctx;

	for (struct sqd_ioloop_input *m = l->inputs; m; m = m->next)
		m->in->ops->resume(m->in);
}

static void on_drained(void *ctx)
{
	struct sqd_ioloop *l = ctx;

	pthread_mutex_lock(&l->lock);
	l->drained = true;
	pthread_mutex_unlock(&l->lock);
	uv_async_send(&l->all->news);
}

static void on_taken_up(void *ctx SQ_UNUSED)
{
	/* The main loop is woken for rules, and looks for itself. */
}

const struct sqd_dispatch_opts sqd_ioloop_dispatch = {
	.skip_bare = true,
	.deliver = on_deliver,
	.resume = on_resume,
	.drained = on_drained,
	.taken_up = on_taken_up,
};

static void show(struct sqd_ioloop *l)
{
	sqd_batchpool_trim(&l->on->batches, uv_now(&l->on->loop));
	pthread_mutex_lock(&l->lock);
	l->shown = l->totals;
	l->shown_waiting = sqd_settling_waiting(l->settling);
	l->shown_under_way = sqd_dispatch_under_way(l->dispatch);
	for (struct sqd_ioloop_input *m = l->inputs; m; m = m->next)
		m->shown = m->counts;
	l->answered = true;
	pthread_mutex_unlock(&l->lock);
	uv_async_send(&l->all->news);
}

static void drain(struct sqd_ioloop *l)
{
	for (struct sqd_ioloop_input *m = l->inputs; m; m = m->next)
		m->in->ops->stop(m->in);
	sqd_dispatch_drain(l->dispatch);
}

unsigned sqd_ioloop_attend(struct sqd_ioloop *l)
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
	for (struct sqd_ioloop_input *m = l->inputs; orders & ORDER_RELOAD && m; m = m->next)
		m->in->ops->reload(m->in);
	if (orders & ORDER_DRAIN)
		drain(l);
	sqd_settling_look(l->settling);
	if (orders & ORDER_SHOW)
		show(l);
	return orders;
}

void sqd_ioloop_on_told(uv_async_t *h)
{
	struct sqd_ioloop *l = h->data;

	if (sqd_ioloop_attend(l) & ORDER_LEAVE)
		uv_stop(&l->on->loop);
}

/* ---- on the main loop: news -------------------------------------------------------------- */

static void order(struct sqd_ioloop *l, unsigned what)
{
	pthread_mutex_lock(&l->lock);
	l->orders |= what;
	pthread_mutex_unlock(&l->lock);
	uv_async_send(&l->told);
}

void sqd_ioloops_order(struct sqd_ioloops *a, unsigned what)
{
	for (unsigned i = 0; a && i < a->n; i++)
		if (a->list[i].running)
			order(&a->list[i], what);
}

/* Batches first: a loop is drained when the last of them has come back. */
void sqd_ioloop_hear(struct sqd_ioloop *l)
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
	sqd_ioloops_order(a, ORDER_SHOW);
}

void sqd_ioloops_on_news(uv_async_t *h)
{
	struct sqd_ioloops *a = h->data;

	/* Nobody is answered any more: counters are those of the threads that close what counts. */
	if (a->closed) {
		sqd_ioloops_look_at_ends(a);
		return;
	}
	for (unsigned i = 0; i < a->n; i++)
		sqd_ioloop_hear(&a->list[i]);
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

void sqd_ioloops_await(struct sqd_ioloops *a, unsigned i, struct sqd_outqueue *q, bool patient)
{
	if (!a->n_awaited || a->awaited[a->n_awaited - 1].queue != q) {
		sq_assert(a->n_awaited < a->opts.queues);
		a->awaited[a->n_awaited++].queue = q;
	}
	sqd_settling_watch(a->list[i].settling, &a->awaited[a->n_awaited - 1].gauge, patient);
}

unsigned sqd_ioloops_which(const struct sqd_ioloops *a, const struct sq_batch *b)
{
	return (unsigned)((const struct sqd_ioloop *)sqd_dispatch_ctx_of(b) - a->list);
}

void sqd_ioloops_set_gauges(struct sqd_ioloops *a)
{
	for (size_t i = 0; i < a->n_awaited; i++) {
		struct sqd_ioloop_awaited *w = &a->awaited[i];

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
	sqd_ioloops_set_gauges(a);
	for (unsigned i = 0; i < a->n; i++)
		if (a->list[i].running && sqd_settling_anyone(a->list[i].settling))
			uv_async_send(&a->list[i].told);
}

void sqd_ioloops_released(struct sqd_ioloops *a, struct sq_batch *b)
{
	struct sqd_ioloop *l = sqd_dispatch_ctx_of(b);

	sqd_ioloops_set_gauges(a);
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
	sqd_ioloops_order(a, ORDER_RELOAD);
}

void sqd_ioloops_drain(struct sqd_ioloops *a)
{
	sqd_ioloops_order(a, ORDER_DRAIN);
}

void sqd_ioloops_yield(struct sqd_ioloops *a)
{
	sqd_ioloops_order(a, ORDER_YIELD);
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
	struct sqd_ioloop *l = &a->list[i];

	pthread_mutex_lock(&l->lock);
	sq_counters_add(to, l->running ? &l->shown : &l->totals);
	for (const struct sqd_ioloop_input *m = l->inputs; m; m = m->next)
		sq_counters_add(to, l->running ? &m->shown : &m->counts);
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
		struct sqd_ioloop *l = &a->list[i];

		pthread_mutex_lock(&l->lock);
		for (const struct sqd_ioloop_input *m = l->inputs; m; m = m->next)
			if (m->row == row)
				sq_counters_add(to, l->running ? &m->shown : &m->counts);
		pthread_mutex_unlock(&l->lock);
	}
}

bool sqd_ioloops_under_way(struct sqd_ioloops *a)
{
	bool any = false;

	for (unsigned i = 0; a && i < a->n; i++) {
		struct sqd_ioloop *l = &a->list[i];

		pthread_mutex_lock(&l->lock);
		any |= l->running ? l->shown_under_way : sqd_dispatch_under_way(l->dispatch);
		pthread_mutex_unlock(&l->lock);
	}
	return any;
}

uint64_t sqd_ioloops_waiting(struct sqd_ioloops *a)
{
	uint64_t sum = 0;

	for (unsigned i = 0; a && i < a->n; i++) {
		struct sqd_ioloop *l = &a->list[i];

		pthread_mutex_lock(&l->lock);
		if (l->running)
			sum += l->shown_waiting;
		else if (l->settling)
			sum += sqd_settling_waiting(l->settling);
		pthread_mutex_unlock(&l->lock);
	}
	return sum;
}
