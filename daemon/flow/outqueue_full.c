/* A queue that is full, as an episode: it begins when something is dropped or has to wait for room,
 * and is over when that has not happened for a while and there is room. One line for each end of
 * it, however many are dropped.
 */
#include <stdlib.h>

#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/flow/outqueue_private.h"

enum { QUIET_MS = 5000, BURST = 10, EACH_S = 30 };

static const char *const costs[] = {
	[SQD_COST_WAIT] = "its queue is full; inputs wait",
	[SQD_COST_NEWEST] = "its queue is full; what comes is dropped and counted",
	[SQD_COST_OLDEST] = "its spool is full; the oldest are dropped and counted",
};

uint64_t sqd_outqueue_no_room(const struct sqd_outqueue *q)
{
	return q->counts.dropped_full + (q->spool ? sqd_outspool_dropped(q) : 0);
}

static void tell(struct sqd_outqueue *q, enum sqd_cost cost)
{
	struct sqd_fullness *f = &q->full;

	f->cost = cost;
	f->told |= sqd_log_limited(&f->limit, SQD_LOG_WARNING, "%s: %s", q->out->name, costs[cost]);
}

static void begin(struct sqd_outqueue *q, enum sqd_cost cost)
{
	struct sqd_fullness *f = &q->full;

	f->on = true;
	f->told = false;
	f->since = sqd_now();
	f->dropped_before = sqd_outqueue_no_room(q);
	f->limit.burst = BURST;
	f->limit.each_s = EACH_S;
	tell(q, cost);
}

static void end(struct sqd_outqueue *q)
{
	struct sqd_fullness *f = &q->full;
	uint64_t ms = (sqd_now().mono_ns - f->since.mono_ns) / 1000000;

	f->on = false;
	sqd_log(f->told ? SQD_LOG_NOTICE : SQD_LOG_DEBUG,
	        "%s: its %s was full for %llu.%llu s; %llu dropped meanwhile", q->out->name,
	        f->cost == SQD_COST_OLDEST ? "spool" : "queue", (unsigned long long)(ms / 1000),
	        (unsigned long long)(ms / 100 % 10),
	        (unsigned long long)(sqd_outqueue_no_room(q) - f->dropped_before));
}

/* It is full, at this cost; that of a while ago is the worse one, if something was dropped. */
static void note(struct sqd_outqueue *q, enum sqd_cost cost)
{
	struct sqd_fullness *f = &q->full;
	uint64_t now_ms = uv_now(q->out->loop);

	if (!f->on)
		begin(q, cost);
	else if (cost != SQD_COST_WAIT && cost != f->cost)
		tell(q, cost); /* it was less bad until now */
	else if (now_ms - q->lost_ms >= QUIET_MS)
		f->cost = cost;
	f->last_ms = now_ms;
}

void sqd_outqueue_dropped(struct sqd_outqueue *q)
{
	note(q, SQD_COST_NEWEST);
	q->counts.dropped_full++;
	q->lost_ms = uv_now(q->out->loop);
}

void sqd_outqueue_dropped_oldest(struct sqd_outqueue *q)
{
	if (!q->closing) /* else it is not to begin any more */
		note(q, SQD_COST_OLDEST);
	q->lost_ms = uv_now(q->out->loop);
}

void sqd_outqueue_waited(struct sqd_outqueue *q)
{
	note(q, q->spool && sqd_outspool_drops(q) ? SQD_COST_OLDEST : SQD_COST_WAIT);
}

/* It is kept for who comes next; nobody has for a while. */
static void forget_memory(struct sqd_outqueue *q)
{
	if (q->first)
		sqd_outqueue_drop_piece(q);
	sq_assert(!q->first);
	free(q->spare);
	q->spare = NULL;
}

void sqd_outqueue_look(struct sqd_outqueue *q)
{
	if (q->full.on && !sqd_outqueue_nearly_full(q) &&
	    uv_now(q->out->loop) - q->full.last_ms >= QUIET_MS)
		end(q);
	if (!q->bytes && !q->n_flights && q->taken == q->taken_then)
		forget_memory(q);
	q->taken_then = q->taken;
}

void sqd_outqueue_end_full(struct sqd_outqueue *q)
{
	if (q->full.on)
		end(q);
}
