/* The threads that understand: they take batches from one queue, run them through their pipeline
 * and put them on the desk of the loop that gave them.
 *
 * All workers and all loops share the queue, so that the next idle worker takes the next batch; a
 * lock is taken twice for each batch, never for an event. New rules come to a worker as a gear,
 * complete, in its mailbox, and are taken up between two batches: no event ever sees two rule sets.
 *
 * Called from the main loop, unless said otherwise.
 */
#pragma once

#include "daemon/flow/batchlist.h"
#include "lib/engine/pipeline.h"

/** What one worker needs to run one rule set. Made ready in full beforehand, so that taking it up
 *  is two pointer moves and cannot fail. */
struct sqd_gear {
	struct sq_pipeline *pipeline; /* owned */
	uint64_t generation;          /* of the rule set: 1, 2, ... */
};

/** Takes `pl`, also on failure. NULL: out of memory. Any thread. */
struct sqd_gear *sqd_gear_new(struct sq_pipeline *pl, uint64_t generation);
void sqd_gear_free(struct sqd_gear *g);

struct sqd_workers;

/** Called on a worker thread; must only wake a loop. */
typedef void sqd_workers_wake_fn(void *ctx);

/** Where the finished batches of one loop are put. Embedded by who gives them, until the workers
 *  are stopped. */
struct sqd_desk {
	sqd_workers_wake_fn *wake; /* a batch is finished */
	void *ctx;
	struct sqd_batchlist done; /* private; under the workers' lock */
};

/**
 * Start `n` threads. They wait until they are offered their first gear.
 * @param wake  called when a gear was taken up
 * @return NULL with `err`: a thread could not be made
 */
struct sqd_workers *sqd_workers_start(unsigned n, sqd_workers_wake_fn *wake, void *ctx,
                                      struct sq_err *err);

/** End the threads, each after the batch it is at, and wait for them. Batches stay where they are:
 *  take them out afterwards. Once more is nothing. */
void sqd_workers_stop(struct sqd_workers *w);

/** After stop; no batch may be left. */
void sqd_workers_free(struct sqd_workers *w);

unsigned sqd_workers_count(const struct sqd_workers *w);

/** Takes `b` until it is finished and on the desk that is its home. Any thread. */
void sqd_workers_give(struct sqd_workers *w, struct sq_batch *b);

/** All finished batches of `desk`, linked by `next`, in the order in which they were finished. Any
 *  thread. */
struct sq_batch *sqd_workers_take_done(struct sqd_workers *w, struct sqd_desk *desk);

/** All batches that no worker has begun, of every desk. */
struct sq_batch *sqd_workers_take_queued(struct sqd_workers *w);

/** Put `g` (taken) into the mailbox of worker `i`. Any thread. An older offer that was not taken up
 *  yet comes back and is freed here. */
void sqd_workers_offer(struct sqd_workers *w, unsigned i, struct sqd_gear *g);

/** The oldest generation that a worker still runs; 0 before the first. */
uint64_t sqd_workers_generation(struct sqd_workers *w);

/** A worker has been at one batch for longer than `ns`: the watchdog must not be told all is well.
 */
bool sqd_workers_stuck(struct sqd_workers *w, uint64_t now_mono_ns, uint64_t ns);
