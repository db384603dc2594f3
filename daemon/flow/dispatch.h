/* Batches on their way: opened for an input, sealed, given to a worker, delivered, settled, back to
 * the pool.
 *
 * Each loop that has inputs has one, for its thread alone; they share the workers. The number of
 * batches is fixed. When none is free, sqd_dispatch_open() gives NULL: the input pauses itself, and
 * every input of the loop is resumed when enough are back (low and high mark). Batches form by
 * themselves: one is sealed when it is full, or at the end of a loop turn when a worker is idle; a
 * quiet system hands on one event at once. At the end of each turn records that no rule can match
 * leave the open batch (lib/engine/sifter.h); one of which nothing is left goes back without a
 * worker.
 */
#pragma once

#include <uv.h>

#include "daemon/flow/batchpool.h"
#include "daemon/flow/settling.h"
#include "daemon/flow/sievebox.h"
#include "lib/base/err.h"
#include "lib/engine/sifter.h"
#include "lib/model/batch.h"

struct sqd_dispatch;
struct sqd_workers;

struct sqd_dispatch_opts {
	uv_loop_t *loop;
	uint32_t batches; /* of ours at one time */
	struct sq_batch_limits limits;
	/** Of all that run on this thread, outlives us; ours are put into it. NULL: our own. */
	struct sqd_batchpool *pool;
	unsigned workers;           /* threads to start */
	struct sqd_workers *shared; /* or use those of another loop, which outlives us */
	/** While fewer batches of ours are with the workers, one of them is taken to be idle; 0:
	 *  as many as there are workers. Loops that share them share this. */
	unsigned eager;
	bool skip_bare;             /* do not deliver what nothing was made of */
	struct sq_counters *totals; /* what batches have counted is added here */
	/* Records that no rule can match leave their batch here already; NULL: they do not. */
	struct sqd_sievebox *sieves; /* kept until closed */
	struct sq_sifter sifter;     /* how they are chosen that are checked all the same */
	/* For receipts that are `until_sent`; borrowed until closed. NULL: they are settled like
	 * the others. */
	struct sqd_settling *settling;

	/** A batch that a worker has run, in the order in which batches were sealed. Takes it until
	 *  sqd_dispatch_delivered(), which may be called from inside. */
	void (*deliver)(void *ctx, struct sq_batch *b);
	/** Enough batches are free again after sqd_dispatch_open() gave NULL: resume the inputs. */
	void (*resume)(void *ctx);
	/** After sqd_dispatch_drain(): no batch is on its way any more. Called once. */
	void (*drained)(void *ctx);
	/** A worker has taken up new rules. */
	void (*taken_up)(void *ctx);
	void *ctx;
};

/** Make batches, start workers. @return NULL with `err` */
struct sqd_dispatch *sqd_dispatch_new(const struct sqd_dispatch_opts *opts, struct sq_err *err);

/** For offering them rules, and for the watchdog. */
struct sqd_workers *sqd_dispatch_workers(struct sqd_dispatch *d);

/** The `ctx` of the dispatch that `b`, which was delivered, belongs to. Any thread. */
void *sqd_dispatch_ctx_of(const struct sq_batch *b);

/** Everything made of `b` is in the queues: settles its receipts, or leaves that to `settling`, and
 *  gives the batch back. */
void sqd_dispatch_delivered(struct sqd_dispatch *d, struct sq_batch *b);

/** Whoever sent the records of `r` has gone, or was told no: nobody waits for outputs to send what
 * is made of them. May settle it at once. */
void sqd_dispatch_forget(struct sqd_dispatch *d, struct sqd_receipt *r);

/** Inputs have stopped: hand on what is open, then call `drained` when all is delivered (perhaps at
 *  once). */
void sqd_dispatch_drain(struct sqd_dispatch *d);

/** The deadline has passed: stop the workers (and no other loop's thread may run that shares them),
 *  and give every batch that was run to `deliver`, also when those before it are not back. From now
 * on sqd_dispatch_delivered() does nothing. */
void sqd_dispatch_halt(struct sqd_dispatch *d);

/** After halt: take all batches back, whoever has them having forgotten them, and settle their
 *  receipts, and those that wait in `settling`, as lost. What of their records was not run is for
 * the caller to count. */
void sqd_dispatch_abandon(struct sqd_dispatch *d);

/** Stop the workers, shared ones too, and close; nothing may be on its way. `closed` is called
 * once, later, and the memory of `d` is gone by then. */
void sqd_dispatch_close(struct sqd_dispatch *d, void (*closed)(void *ctx), void *ctx);

/**
 * The batch being filled, with at least `room` bytes free at the end of its chunk; the one before
 * is sealed when it has less. All inputs of the loop fill the same batch: libuv calls alloc, read
 * and the read callback of one stream back to back, so nobody else writes between alloc and read.
 * @return NULL: none is free; pause, and wait for resume
 */
struct sq_batch *sqd_dispatch_open(struct sqd_dispatch *d, size_t room);

/** The last free batch was taken in this turn of the loop. Who stops reading now, and goes on in
 * the next turn, finds those that workers have done meanwhile; who reads on runs into NULL. */
bool sqd_dispatch_short(const struct sqd_dispatch *d);

/** Some batch holds records, or what was counted of some. */
bool sqd_dispatch_under_way(const struct sqd_dispatch *d);

/** Which turn of the loop this is. */
uint64_t sqd_dispatch_turn(const struct sqd_dispatch *d);

/** Cut whole lines in the chunk of the open batch, behind its tail, of one of its origins, and sift
 *  them in the same pass: as sq_sifter_lines(). Those that are left out are counted as clean there;
 *  received and owed are `*ret_lines` of them, which is for the caller to note.
 *  @return false: nothing has been done */
bool sqd_dispatch_lines(struct sqd_dispatch *d, uint32_t origin, struct sq_sv text,
                        uint32_t max_record, uint32_t *ret_lines);

/** Nobody holds a view into the open batch: look at what came, if that is worth its while, so that
 *  records which no rule can match make room. */
void sqd_dispatch_sift(struct sqd_dispatch *d);

/** Hand the open batch on now (it is full). Nothing when it is empty. */
void sqd_dispatch_seal(struct sqd_dispatch *d);

/**
 * Index of the origin for `receipt` in the open batch; the same origin as last time costs one
 * comparison. @return index, or -ENOSPC: seal and open another
 */
int sqd_dispatch_origin(struct sqd_dispatch *d, struct sq_batch *b, struct sqd_receipt *receipt,
                        const char *peer) SQ_MUST_CHECK;
