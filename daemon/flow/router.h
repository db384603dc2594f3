/* From a batch with alerts to the queue of every output that wants them. Main loop only.
 *
 * An output takes an alert in its own format and from its own level on. When its queue is full, it
 * either drops the newest (counted), or makes the batch wait; every output has its own place in the
 * waiting batches, so one that waits delays no other, and each output gets all alerts in order. A
 * batch goes back when the last output has taken from it.
 *
 * Events that were sent again, when that is looked for, are counted as such and their alerts left
 * out; all others are counted here as the pipeline left them.
 *
 * An output may get the records themselves instead (struct sqd_route, forward): as they came, views
 * of the batch's chunk, or as a pipeline has written them anew (lib/engine/verdict.h). Each record
 * is given once to each such output, in the order in which they came; one that held only events
 * sent again is not.
 *
 * Folding, when configured, is before the queues: repeats of an alert are left out for all outputs,
 * and given once with their count when their window ends.
 */
#pragma once

#include <uv.h>

#include "daemon/flow/outqueue.h"
#include "lib/engine/dedup.h"
#include "lib/engine/fold.h"
#include "lib/rules/rule.h"

struct sqd_router;

/** SQD_FULL_DROP_OLDEST is what a queue with a spool does by itself: until it has, it is full. */
enum sqd_when_full { SQD_FULL_BLOCK, SQD_FULL_DROP_NEWEST, SQD_FULL_DROP_OLDEST };

/** What of the records an output gets. */
enum sqd_forward { SQD_FORWARD_ALERTS, SQD_FORWARD_ALL, SQD_FORWARD_MATCHED, SQD_FORWARD_CLEAN };

/** What became of the records at one output that gets them: each is counted once. */
struct sqd_forward_counts {
	uint64_t records;    /* that came by */
	uint64_t forwarded;  /* given to the queue, or dropped there and counted there */
	uint64_t unwanted;   /* matched, or clean, when those are not forwarded */
	uint64_t unsampled;  /* clean, left out by `sample` */
	uint64_t duplicates; /* held nothing but events that were sent again */
};

/** One output as the router sees it. */
struct sqd_route {
	struct sqd_outqueue *queue; /* kept; outlives the router */
	enum sq_format format;
	enum sq_level min_level;
	enum sqd_when_full when_full;
	bool datagrams; /* gets what is shortened for them */
	enum sqd_forward forward;
	uint32_t sample; /* one in so many of the clean records; not 0 when records are forwarded */
	uint32_t view;   /* which of their texts */
	struct sqd_forward_counts *counts; /* of them; kept, outlives the router */
	/** Since when batches wait for it; zero: none does. Kept as well; NULL: nobody asks. */
	struct sq_now *waiting;
};

struct sqd_router_opts {
	uv_loop_t *loop;
	/** One that has queues of the routes too, for other batches; NULL: none. They push in turn,
	 *  and are closed together. */
	struct sqd_router *sibling;
	const struct sqd_route *routes; /* copied */
	size_t n_routes;
	uint32_t batches;                  /* at most so many wait here at one time */
	const struct sq_fold_limits *fold; /* NULL: no folding */
	uint32_t deduplicate; /* events remembered, to leave out those sent again; 0: none */
	struct sqd_outqueue *dead_letters; /* NULL: none; drops the newest when full */
	struct sq_counters *totals;
	/** Gives a batch back: every output has what it wants of it. */
	void (*released)(void *ctx, struct sq_batch *b);
	/** Some queue has become empty; for who waits for the end. */
	void (*progress)(void *ctx);
	void *ctx;
};

/** Becomes the on_room of every queue. NULL: out of memory. */
struct sqd_router *sqd_router_new(const struct sqd_router_opts *opts);

/** Takes `b` until `released`, which may be called from inside. */
void sqd_router_deliver(struct sqd_router *r, struct sq_batch *b);

/** Alerts that came since the beginning, repeats of events left out. */
uint64_t sqd_router_raised(const struct sqd_router *r);

/** Alerts of waiting batches that `q` wants and has not taken; or records of them that have not
 *  come to their fate. NULL `r`: none. */
uint64_t sqd_router_held(const struct sqd_router *r, const struct sqd_outqueue *q);

/** On the way down: give the folded repeats now, as far as there is room, and the rest as it comes.
 */
void sqd_router_flush(struct sqd_router *r);

/** On the way down, when time gets short: an output that is full holds up the others no longer.
 * What it cannot take is counted as dropped. Batches may be released from inside. */
void sqd_router_yield(struct sqd_router *r);

/** No batch waits, nothing is in a queue, and after sqd_router_flush() nothing is folded. */
bool sqd_router_idle(const struct sqd_router *r);

/** Forget the batches that wait: their owner takes them back. Their alerts, and the repeats
 *  that are folded, are counted as dropped at each output that had not taken them. */
void sqd_router_forget(struct sqd_router *r);

/** `closed` is called once, later; the memory of `r` is gone by then. */
void sqd_router_close(struct sqd_router *r, void (*closed)(void *ctx), void *ctx);
