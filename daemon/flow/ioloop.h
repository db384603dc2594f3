/* Further I/O loops: each with inputs, batches and receipts of its own, which wait for those of no
 * other. Some may share a thread: nothing on it ever waits for anything but its next turn, so it is
 * the time of the processor that they share, and nothing else.
 *
 *   loop   accepts, reads, cuts, fills batches; keeps their order; settles what its senders are
 * owed main   router, queues, outputs: gets each batch that something was made of, and gives it
 * back
 *
 *              orders, batches given back          (a lock, one uv_async_send)
 *   main loop ────────────────────────────▶ loop
 *             ◀────────────────────────────
 *              batches, "drained", counters
 *
 * A lock is taken for a batch, never for an event. What nothing was made of never leaves its loop.
 *
 * A loop's thread runs between sqd_ioloops_run() and sqd_ioloops_join(). Before and after, all that
 * is the loop's is the main thread's, which starts, abandons and closes it as if it were its own:
 * so nothing that takes turns is needed on the way down.
 *
 * Called from the main loop, unless said otherwise. NULL for `a`: there are no further loops, and
 * nothing is to be done.
 */
#pragma once

#include "daemon/flow/input.h"

struct sqd_ioloops;

struct sqd_ioloops_opts {
	uv_loop_t *main;
	unsigned n;       /* loops beside the main one, at least 1 */
	unsigned threads; /* loop `i` is run by thread i % threads; at least 1, at most n */
	size_t queues;    /* at most so many are waited for */
	/** As many of them for loop `i`. */
	size_t (*queues_of)(void *ctx, unsigned i);
	uint32_t batches; /* of each */
	unsigned eager;   /* of each; see struct sqd_dispatch_opts */
	struct sq_batch_limits limits;
	struct sqd_workers *workers; /* of the main loop; outlive the loops */
	struct sqd_sievebox *sieves; /* NULL: none; kept */
	struct sq_sifter sifter;     /* of the main loop; each loop gets a stream of its own */

	/** A batch of a loop, in its order. Takes it until sqd_ioloops_released(), which may be
	 *  called from inside. */
	void (*deliver)(void *ctx, struct sq_batch *b);
	/** After sqd_ioloops_drain(): no batch of theirs is on its way any more. Called once. */
	void (*drained)(void *ctx);
	/** Every loop has answered sqd_ioloops_ask(). */
	void (*answered)(void *ctx);
	void *ctx;
};

/** NULL with `err`. It is ended by sqd_ioloops_close(), then sqd_ioloops_free(). */
struct sqd_ioloops *sqd_ioloops_new(const struct sqd_ioloops_opts *opts, struct sq_err *err);

unsigned sqd_ioloops_count(const struct sqd_ioloops *a);

/** Receipts of loop `i` wait for `q` too; see sqd_settling_await(). All loops that wait for a queue
 *  are told of, then those of the next. */
void sqd_ioloops_await(struct sqd_ioloops *a, unsigned i, struct sqd_outqueue *q, bool patient);

/** Put an input, made and not started, on loop `i`, and start it. Takes it, also on failure; it
 *  lives until sqd_ioloops_free().
 *  @param row  which of the daemon's inputs it is one more of */
int sqd_ioloops_start(struct sqd_ioloops *a, unsigned i, struct sqd_input *in, size_t row,
                      struct sq_err *err) SQ_MUST_CHECK;

/** Start the threads. @return 0 or a negative errno with `err` */
int sqd_ioloops_run(struct sqd_ioloops *a, struct sq_err *err) SQ_MUST_CHECK;

/** Which loop a batch is of that was delivered. */
unsigned sqd_ioloops_which(const struct sqd_ioloops *a, const struct sq_batch *b);

/** The router gives a batch back that was delivered. */
void sqd_ioloops_released(struct sqd_ioloops *a, struct sq_batch *b);

/** A queue has passed something, or its output fails or no longer does. */
void sqd_ioloops_passed(struct sqd_ioloops *a);

/** The `reload` of every input. */
void sqd_ioloops_reload(struct sqd_ioloops *a);

/** Stop all inputs, work off what they have read. */
void sqd_ioloops_drain(struct sqd_ioloops *a);

/** See sqd_settling_yield(); before anything is dropped. */
void sqd_ioloops_yield(struct sqd_ioloops *a);

/** End the threads and wait for them; what was on its way between loops arrives. Once more is
 *  nothing. */
void sqd_ioloops_join(struct sqd_ioloops *a);

/** After sqd_ioloops_join(): see sqd_dispatch_halt() and sqd_dispatch_abandon(). */
void sqd_ioloops_halt(struct sqd_ioloops *a);
void sqd_ioloops_abandon(struct sqd_ioloops *a);

/** Join, stop the workers, close all inputs, handles and loops; nothing may be on its way. Each
 *  thread runs its loop to its end, while the main loop goes on: inputs that take their time to
 *  leave do so together. `closed` is called once, later (at once for NULL); all that is left then
 *  are the counters. */
void sqd_ioloops_close(struct sqd_ioloops *a, void (*closed)(void *ctx), void *ctx);

/** After the main loop has ended. */
void sqd_ioloops_free(struct sqd_ioloops *a);

/* ---- counters: each loop writes its own, and shows a copy when it is asked ---- */

/**
 * Ask for copies as they are now, and for a sign of life. Asking again before `answered` is asking
 * once more after it.
 * @return false: no thread runs, so the counters are as they are, and `answered` will not come
 */
bool sqd_ioloops_ask(struct sqd_ioloops *a);

/** Add to `to` what all loops have counted. */
void sqd_ioloops_counts(struct sqd_ioloops *a, struct sq_counters *to);
/** The same of loop `i`. */
void sqd_ioloops_loop_counts(struct sqd_ioloops *a, unsigned i, struct sq_counters *to);
/** The same of the inputs of `row` alone. */
void sqd_ioloops_row_counts(struct sqd_ioloops *a, size_t row, struct sq_counters *to);
/** Some loop had batches under way; see sqd_dispatch_under_way(). */
bool sqd_ioloops_under_way(struct sqd_ioloops *a);
/** Records whose receipts wait for outputs, of all loops. */
uint64_t sqd_ioloops_waiting(struct sqd_ioloops *a);
