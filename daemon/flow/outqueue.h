/* The bounded queue before one output: keeps encoded alerts in order until they are safe with the
 * other side, gives many at once and more while earlier ones are not answered, gives the same bytes
 * again when that failed. Main loop only.
 *
 * Memory is taken as it is needed and given back as it is sent; a warm queue that keeps up
 * allocates nothing.
 */
#pragma once

#include "daemon/base/metrics.h"
#include "daemon/flow/output.h"

struct sqd_outqueue;

/** How many, since the beginning. Whoever gives to the queue counts what was to be given to it and
 *  what of that it never saw, so that all that was raised has one place in the account. */
struct sqd_outqueue_counts {
	uint64_t raised;           /* alerts that came by (counted by who gives) */
	uint64_t summaries;        /* of folded alerts, which came by beside them (the same) */
	uint64_t folded;           /* of those raised, counted into an earlier one (the same) */
	uint64_t below_level;      /* of those raised, not wanted here (the same) */
	uint64_t queued;           /* alerts taken */
	uint64_t sent;             /* alerts written */
	uint64_t dropped_full;     /* not taken, the queue was full (counted by who gave up) */
	uint64_t dropped_too_long; /* longer than the queue, or than one datagram can be */
	uint64_t dropped_gone;     /* the output is gone for good */
	uint64_t dropped_refused;  /* the receiver will never take them */
	uint64_t refused_kept;     /* of those, what went to the dead letters */
	uint64_t refused_lost;     /* and what they could not take */
	uint64_t
		refused_unsafe; /* of those kept: no longer waited for, unwritten as far as known */
	uint64_t dropped_shutdown; /* still here when the deadline for stopping passed */
	uint64_t bytes_sent;
	uint64_t retries;      /* writes that failed after they had begun, and were given again */
	uint64_t rate_held;    /* times that the rate limit made something wait */
	uint64_t rate_held_ms; /* and for how long, altogether */
	uint64_t high_water;   /* most bytes held at one time */
};

/**
 * A queue of at most `max` bytes before `out`; make it before out->ops->start(), which may call
 * back, and push only after that. Takes `out` over: sets its
 * callbacks, and frees it with sqd_outqueue_free(). NULL: out of memory; `out` stays the caller's.
 */
struct sqd_outqueue *sqd_outqueue_new(struct sqd_output *out, uint64_t max);

/** Give at most so many messages a second, after a pause a second's worth at once; the rest waits
 *  in the queue. 0: no limit. Once, before the first push; `out` has its loop. */
void sqd_outqueue_limit(struct sqd_outqueue *q, uint64_t per_second);

/** How messages are kept on disk; see daemon/flow/spooler.h. */
struct sqd_outqueue_spool {
	const char *dir;
	uint64_t size;        /* largest that its file may become, bytes */
	uint64_t interval_ms; /* between commits */
	uint32_t repeats;     /* messages that are sent again at most when we are killed; not 0 */
	bool drop_oldest;     /* when full */
	const char *marks;    /* folder of memory that outlives us; NULL: none; borrowed until it
	                         returns */
};

/**
 * Keep messages in a spool: one is taken when it is in memory, and has passed when it is committed
 * or delivered, whichever is first; `taken` and `passed` count messages then. What does not fit
 * into the memory is read back from the spool, and what a process before us has left comes first,
 * in order. When we end, what is committed stays for the next.
 * Once, before the first push. @return 0, -EBUSY: another process has it, other errno with `err`
 */
int sqd_outqueue_spool(struct sqd_outqueue *q, const struct sqd_outqueue_spool *opts,
                       struct sq_err *err) SQ_MUST_CHECK;

/** Who is told that there is room again after a push was refused, and whenever the queue has become
 *  empty. May push. */
void sqd_outqueue_on_room(struct sqd_outqueue *q, void (*on_room)(void *ctx), void *ctx);

/** Who is told whenever bytes have left the queue, sent or dropped; but not from inside a push. */
void sqd_outqueue_on_passed(struct sqd_outqueue *q, void (*on_passed)(void *ctx), void *ctx);

/** Who is given what the receiver will never take; `m` is borrowed. @return whether it is kept
 *  somewhere; for the counters */
typedef bool sqd_outqueue_refused_fn(void *ctx, struct sqd_outqueue *q, const struct sqd_message *m,
                                     const char *why);
void sqd_outqueue_on_refused(struct sqd_outqueue *q, sqd_outqueue_refused_fn *on_refused,
                             void *ctx);

/** From on_refused, when a letter about it has gone into `letters`, always the same queue: what is
 *  refused has not passed, and is not taken out of a spool, before `letters` has passed all that it
 *  has now, or while its output is failing. What came after it waits as well. `letters` is freed
 *  after `q` is closed. */
void sqd_outqueue_hold(struct sqd_outqueue *q, struct sqd_outqueue *letters);

/** Copy one message into the queue. @return 0, -ENOSPC: full, -EMSGSIZE: never fits (counted),
 *  SQD_OUTPUT_GONE: nobody will ever read it (counted), -ENOMEM: treat as full */
int sqd_outqueue_push(struct sqd_outqueue *q, const struct sqd_message *m) SQ_MUST_CHECK;

/** The same, by who has nothing else to do with what is refused: it is counted, as raised and, when
 *  there was no room for it, as dropped. @return false: there was none */
bool sqd_outqueue_offer(struct sqd_outqueue *q, const struct sqd_message *m);

/** A push was refused for want of room, and the message is dropped: counted here, as dropped; or it
 *  waits, with who gives to the queue, perhaps only until the oldest are dropped for it. The log is
 *  told when that begins, and when it is over. */
void sqd_outqueue_dropped(struct sqd_outqueue *q);
void sqd_outqueue_waited(struct sqd_outqueue *q);
/** Every few seconds: whether it is over. What memory an empty queue keeps for who comes next goes,
 *  when nobody came since the last time. */
void sqd_outqueue_look(struct sqd_outqueue *q);

/** It is time to give nothing more to who may wait: over three quarters, or a spool without room.
 */
bool sqd_outqueue_nearly_full(const struct sqd_outqueue *q);
/** All is sent, or dropped and counted; with a spool, all is committed and nobody is to answer. */
bool sqd_outqueue_empty(const struct sqd_outqueue *q);
/** It is time to end: what the spool has is not waited for any longer, even if it is on its way, by
 *  sqd_outqueue_empty(). Nobody is told. */
void sqd_outqueue_hurry(struct sqd_outqueue *q);
struct sqd_output *sqd_outqueue_output(struct sqd_outqueue *q);
struct sqd_outqueue_counts *sqd_outqueue_counts(struct sqd_outqueue *q);

/** Bytes taken since the beginning, and how many of those are here no more: what was taken up to a
 *  moment has been sent, or dropped and counted, once `passed` has come to what `taken` was then.
 *  Neither ever shrinks. */
uint64_t sqd_outqueue_taken(const struct sqd_outqueue *q);
uint64_t sqd_outqueue_passed(const struct sqd_outqueue *q);

/** Close the output; what is left is counted as dropped. `closed` is called once, later; then
 *  sqd_outqueue_free() may be. */
void sqd_outqueue_close(struct sqd_outqueue *q, void (*closed)(void *ctx), void *ctx);

/** Free a closed queue and its output. */
void sqd_outqueue_free(struct sqd_outqueue *q);

/** Messages that are here now, in the spool too. */
uint64_t sqd_outqueue_waiting(const struct sqd_outqueue *q);

/** What it costs that a queue is full. */
enum sqd_cost {
	SQD_COST_WAIT,   /* inputs wait */
	SQD_COST_NEWEST, /* what comes is dropped */
	SQD_COST_OLDEST, /* what comes waits a moment, until the oldest in the spool are dropped */
};

/** How it is just now, for a person. */
struct sqd_outqueue_health {
	const struct sqd_outage *outage; /* of the output; lives as long as that */
	bool gone;                       /* nobody will ever read what is given */
	bool spool;
	const char *spool_why; /* its last commit failed for this; "": it did not. Lives as long */
	uint64_t unsafe;       /* of those waiting, what it does not have yet */
	uint64_t waiting;      /* messages here, in the spool too */
	uint64_t bytes,
		max; /* of the memory they take, or of the spool: used, and how many may be */
	uint64_t oldest_ms; /* for how long the oldest of them has waited; see daemon/flow/ages.h */
	bool before_us; /* it was in the spool when we started: it has waited for longer than that
	                 */
	bool full; /* something is dropped, or has to wait, for want of room, or was just now */
	enum sqd_cost cost; /* when it is full */
	struct sq_now full_since;
	uint64_t dropped, refused; /* since the beginning: for want of room, the oldest of a spool
	                              among them, and by the receiver */
	uint64_t lost_ms;          /* since one of either was dropped last; UINT64_MAX: never */
	bool ever_sent;
	uint64_t quiet_ms; /* since something was sent last */
};

void sqd_outqueue_health(const struct sqd_outqueue *q, struct sqd_outqueue_health *ret);

/** Add the counters to `m`. `held`: how many are still with who gives to the queue. */
void sqd_outqueue_metrics(const struct sqd_outqueue *q, uint64_t held, struct sqd_metrics *m);
