/* A queue that is full, as an episode: it begins when something is dropped or has to wait for room,
 * and is over when that has not happened for a while and there is room. One line for each end of
 * it, however many are dropped.
 */
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/flow/outqueue_private.h"

enum { QUIET_MS = 5000, BURST = 10, EACH_S = 30 };

static void begin(struct sqd_outqueue *q, bool waits)
{
	struct sqd_fullness *f = &q->full;

	f->on = true;
	f->waits = waits;
	f->since = sqd_now();
	f->dropped_before = q->counts.dropped_full;
	f->limit.burst = BURST;
	f->limit.each_s = EACH_S;
	f->told = sqd_log_limited(&f->limit, SQD_LOG_WARNING, "%s: its queue is full; %s",
	                          q->out->name,
	                          waits ? "inputs wait" : "what comes is dropped and counted");
}

static void end(struct sqd_outqueue *q)
{
	struct sqd_fullness *f = &q->full;
	uint64_t ms = (sqd_now().mono_ns - f->since.mono_ns) / 1000000;

	f->on = false;
	sqd_log(f->told ? SQD_LOG_NOTICE : SQD_LOG_DEBUG,
	        "%s: its queue was full for %llu.%llu s; %llu dropped meanwhile", q->out->name,
	        (unsigned long long)(ms / 1000), (unsigned long long)(ms / 100 % 10),
	        (unsigned long long)(q->counts.dropped_full - f->dropped_before));
}

void sqd_outqueue_dropped(struct sqd_outqueue *q)
{
	if (!q->full.on)
		begin(q, false);
	q->counts.dropped_full++;
	q->full.last_ms = q->lost_ms = uv_now(q->out->loop);
}

void sqd_outqueue_waited(struct sqd_outqueue *q)
{
	if (!q->full.on)
		begin(q, true);
	q->full.last_ms = uv_now(q->out->loop);
}

void sqd_outqueue_look(struct sqd_outqueue *q)
{
	if (q->full.on && !sqd_outqueue_nearly_full(q) &&
	    uv_now(q->out->loop) - q->full.last_ms >= QUIET_MS)
		end(q);
}

void sqd_outqueue_end_full(struct sqd_outqueue *q)
{
	if (q->full.on)
		end(q);
}
