/* What the files of the queue share: outqueue.c takes messages in and keeps them, outqueue_send.c
 * gives them to the output.
 *
 *   piece:   | sent | given, not answered | waiting | free |
 *            0      at                   given      len    cap
 */
#pragma once

#include "daemon/flow/ages.h"
#include "daemon/flow/outqueue.h"

enum {
	SQD_PIECE_BYTES = 256 * 1024,
	SQD_PIECE_MESSAGES = 4096, /* in a piece at most */
};

/** Messages one after another, framed. It never moves: the output reads out of it. */
struct sqd_piece {
	struct sqd_piece *next;
	uint32_t at, given, len, cap;      /* bytes: see above */
	uint32_t n_sent, n_given, n;       /* messages: the same places */
	uint32_t ends[SQD_PIECE_MESSAGES]; /* of each message, from the beginning of `bytes` */
	char bytes[];
};

/** One send() that is not answered, of the oldest bytes that were given and not yet answered. */
struct sqd_flight {
	uint32_t bytes; /* of the piece */
	uint32_t messages;
	uint32_t refused; /* of those, what the receiver will never take */
};

/** A token bucket, in thousandths of a message. */
struct sqd_rate {
	uint64_t per_second; /* messages; 0: as fast as it goes */
	uint64_t tokens;
	uint64_t filled_ms; /* when it was filled up last */
	bool holding;       /* the timer runs: something waits for tokens */
	uv_timer_t timer;
};

struct sqd_outspool;

/** Nothing from the place `at` on has passed before the dead letters have come to `mark`. A place
 * is one of `taken` and `passed`: bytes, or with a spool the number of a message. */
struct sqd_hold {
	uint64_t at, mark;
	uint64_t n; /* letters that it waits for */
};

/** See outqueue_full.c. */
struct sqd_fullness {
	bool on;
	bool told; /* the log has it */
	enum sqd_cost cost;
	struct sq_now since;
	uint64_t last_ms;        /* when something was dropped or had to wait last; of the loop */
	uint64_t dropped_before; /* sqd_outqueue_no_room(), when it began */
	struct sqd_log_limit limit;
};

struct sqd_outqueue {
	struct sqd_output *out;
	uint64_t max, bytes;
	uint64_t taken;      /* bytes, since the beginning */
	uint64_t taken_then; /* when it was looked at last: sqd_outqueue_look() */
	struct sqd_piece *first, *last;
	struct sqd_piece *give;  /* the next bytes for the output are here, or in a later one */
	struct sqd_piece *spare; /* of SQD_PIECE_BYTES: a quiet queue allocates nothing */
	struct sqd_flight flights[SQD_OUTPUT_SENDS];
	unsigned first_flight, n_flights;
	uint64_t in_flight; /* messages of them all */
	struct sqd_rate rate;
	struct sqd_outspool *spool; /* NULL: all is in memory alone */
	struct sqd_hold holds[2];   /* the oldest first */
	unsigned n_holds;
	struct sqd_outqueue *letters; /* what holds wait for; NULL: there was none yet */
	struct sqd_outqueue *holders, *next_holder; /* whose `letters` we are */
	uint64_t done; /* messages that have left the memory, whatever has become of them */
	bool busy;     /* send() said -EAGAIN: an answer or `ready` will come */
	bool refused;  /* a push was refused since the last on_room */
	bool gone;     /* the output said SQD_OUTPUT_GONE */
	bool hurried;  /* what is in the spool is not waited for */
	bool closing, closed;
	unsigned open; /* the output, and the timer if there is one: not closed yet */
	struct sqd_outqueue_counts counts;
	struct sqd_fullness full;
	uint64_t lost_ms; /* when something was dropped or refused last; of the loop. 0: never */
	struct sqd_ages ages; /* of what waits, numbered by counts.queued */
	uint64_t began_ms,
		sent_ms; /* when we were made, and something was sent last; of the loop */
	void (*on_room)(void *ctx);
	void *room_ctx;
	void (*on_passed)(void *ctx);
	void *passed_ctx;
	sqd_outqueue_refused_fn *on_refused;
	void *refused_ctx;
	void (*on_closed)(void *ctx);
	void *closed_ctx;
};

/** The first piece is of no more use. */
void sqd_outqueue_drop_piece(struct sqd_outqueue *q);

/** Give the output what it can take. Calls nobody but send(). */
void sqd_outqueue_pump(struct sqd_outqueue *q);

/** Dropped for want of room since the beginning: those that came, and the oldest of a spool. */
uint64_t sqd_outqueue_no_room(const struct sqd_outqueue *q);

/** The oldest of the spool are dropped for want of room, and about to be counted. */
void sqd_outqueue_dropped_oldest(struct sqd_outqueue *q);

/** It is about to end: what began is over. */
void sqd_outqueue_end_full(struct sqd_outqueue *q);

/** Become the callbacks of the output. */
void sqd_outqueue_connect(struct sqd_outqueue *q);

/** Copy one message into the memory and give it to the output; with a spool, that is for who calls,
 * when it has noted where the message is. As sqd_outqueue_push(). */
int sqd_outqueue_put(struct sqd_outqueue *q, const struct sqd_message *m) SQ_MUST_CHECK;

/** Tell who waits for what has passed, and who waits for room. The second is to be the last that is
 *  done: it may push, or begin to end us. */
void sqd_outqueue_tell_passed(struct sqd_outqueue *q);
void sqd_outqueue_tell_room(struct sqd_outqueue *q);

/* outqueue_hold.c: what is refused waits for its dead letter. */

/** No place from here on has passed; UINT64_MAX: nothing holds. */
uint64_t sqd_outqueue_held(const struct sqd_outqueue *q);

/** Bytes have left `letters`: who waits for that goes on, and tells so. */
void sqd_outqueue_letters_passed(struct sqd_outqueue *letters);

/** We are closed: whatever letters become is nothing to us any more. */
void sqd_outqueue_forget_letters(struct sqd_outqueue *q);

/* outqueue_spool.c: what is different when messages go to the disk first. */
int sqd_outspool_push(struct sqd_outqueue *q, const struct sqd_message *m) SQ_MUST_CHECK;
/** So many messages may be given to the output now. */
uint64_t sqd_outspool_ahead(const struct sqd_outqueue *q);
/** Messages have left the memory: so far all is answered. Calls nobody. */
void sqd_outspool_settle(struct sqd_outqueue *q);
/** The same, or there is room in it: give the output what it can take. */
void sqd_outspool_progress(struct sqd_outqueue *q);
bool sqd_outspool_roomy(const struct sqd_outqueue *q);
bool sqd_outspool_settled(const struct sqd_outqueue *q);
uint64_t sqd_outspool_taken(const struct sqd_outqueue *q);
uint64_t sqd_outspool_passed(const struct sqd_outqueue *q);
/** The number of the first message that is not done with, whatever becomes of it. */
uint64_t sqd_outspool_answered(const struct sqd_outqueue *q);
void sqd_outspool_close(struct sqd_outqueue *q, void (*closed)(void *ctx));
void sqd_outspool_free(struct sqd_outqueue *q);
uint64_t sqd_outspool_waiting(const struct sqd_outqueue *q);
/** The oldest are being dropped for what comes; and how many were since the beginning. */
bool sqd_outspool_drops(const struct sqd_outqueue *q);
uint64_t sqd_outspool_dropped(const struct sqd_outqueue *q);
/** Why it cannot be written just now; "": it can. And messages that wait and are not in it. */
const char *sqd_outspool_why(const struct sqd_outqueue *q);
uint64_t sqd_outspool_unsafe(const struct sqd_outqueue *q);
/** Bytes that the spool takes, and how many it may. */
uint64_t sqd_outspool_used(const struct sqd_outqueue *q, uint64_t *ret_max);
void sqd_outspool_metrics(const struct sqd_outqueue *q, struct sqd_metrics *m);
