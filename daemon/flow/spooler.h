/* What writes a spool: gathers messages for a while, commits them together off the loop, reads them
 * back when asked. Main loop only; the disk is waited for on a thread of the libuv pool, one piece
 * of work at a time.
 *
 *   push push push ─interval, or many bytes─▶ commit (one fsync) ─▶ durable ─▶ moved
 *
 * A commit that fails is not tried again as it was and then trusted: the file is closed (its lock
 * is kept), its messages stay here and count as not durable, and after a while it is opened anew
 * and they are written anew. Meanwhile what has no room here is refused. A file whose pages turn
 * out to be damaged is walked before that, and set aside if need be.
 *
 * A disk without room is less than that: the file is opened anew at once, and what is in it can be
 * read, and what was delivered taken out, which makes room inside of it.
 */
#pragma once

#include <uv.h>

#include "daemon/flow/output.h"
#include "lib/host/spool.h"

struct sqd_spooler;

struct sqd_spooler_opts {
	uv_loop_t *loop;
	const char *name;     /* of the output, for the log */
	const char *dir;      /* kept */
	uint64_t size;        /* largest that the file may become, bytes */
	uint64_t interval_ms; /* longest that a message waits for its commit to begin */
	uint64_t memory;      /* bytes of messages here that are not durable */
	const char *marks;    /* folder of memory, for what was delivered; NULL: none is noted */
	/** Something has changed: what is durable, room, or what was asked for is there. Not from
	 *  inside a call. */
	void (*moved)(void *ctx);
	void *ctx;
};

struct sqd_spooler_counts {
	uint64_t commits, failures;
	uint64_t damaged; /* records that were, and are set aside */
	uint64_t dropped; /* the oldest, for room */
	uint64_t spooled; /* messages that were written; others were delivered before their turn */
	uint64_t set_aside; /* files */
};

/** Open the spool. @return 0, or why not with `err` */
int sqd_spooler_open(const struct sqd_spooler_opts *opts, struct sqd_spooler **ret,
                     struct sq_err *err) SQ_MUST_CHECK;

/** Copy one message. @return 0, -ENOSPC: no room here; -EFBIG: none in the file; -EMSGSIZE: never;
 *  -ENOMEM */
int sqd_spooler_push(struct sqd_spooler *s, const struct sqd_message *m,
                     uint64_t *ret_seq) SQ_MUST_CHECK;

/** All before `cursor` are delivered, or dropped and counted. */
void sqd_spooler_delivered(struct sqd_spooler *s, uint64_t cursor);

/** The number of the next message; those before this are durable; those before that delivered. */
uint64_t sqd_spooler_next(const struct sqd_spooler *s);
uint64_t sqd_spooler_durable(const struct sqd_spooler *s);
uint64_t sqd_spooler_cursor(const struct sqd_spooler *s);
/** Bytes used, those that wait here among them, and how many may be. */
uint64_t sqd_spooler_used(const struct sqd_spooler *s);
uint64_t sqd_spooler_max(const struct sqd_spooler *s);
/** Why the last commit failed, as a text of ours; "": it did not. */
const char *sqd_spooler_why(const struct sqd_spooler *s);
/** Messages that were there at the start. */
uint64_t sqd_spooler_found(const struct sqd_spooler *s);
const struct sqd_spooler_counts *sqd_spooler_counts(const struct sqd_spooler *s);

/** Ask for what is durable from `from` on, about `bytes` of it; `moved` when it is there. Ignored
 *  while an answer is under way or not taken yet. */
void sqd_spooler_load(struct sqd_spooler *s, uint64_t from, uint64_t bytes);

/**
 * Take what was loaded, once: each record goes to `each` in order, until that gives less than 0.
 * @param ret_next  the first number that was not given
 * @return false: there is nothing
 */
typedef int sqd_spooler_each_fn(void *ctx, const struct sq_spool_record *r);
bool sqd_spooler_take(struct sqd_spooler *s, sqd_spooler_each_fn *each, void *ctx,
                      uint64_t *ret_next);

/** Give what is gathered and not durable, from `*next` on, if that is durable up to there: so who
 * has loaded all before need not wait for the disk, least of all while it fails. `*next` moves
 * behind what was given. Costs a look at each message that is gathered. */
void sqd_spooler_gathered(struct sqd_spooler *s, sqd_spooler_each_fn *each, void *ctx,
                          uint64_t *next);

/** There is room for many more in the file; and here, too. */
bool sqd_spooler_file_has_room(const struct sqd_spooler *s);
bool sqd_spooler_roomy(const struct sqd_spooler *s);

/** Drop the oldest from `from` on until `bytes` are free; `moved` when done. What is left is where
 *  it was, and a load from `from`, before or after, finds that and nothing else. Ignored while one,
 *  or a load, is under way, and for a while when what was dropped last has made no room. */
void sqd_spooler_drop(struct sqd_spooler *s, uint64_t from, uint64_t bytes);
/** The last time nothing could be, since what is left lies together with what is on its way; or it
 * has made no room. It is asked again after a while only. */
bool sqd_spooler_barren(const struct sqd_spooler *s);

/** When the file was set aside last, all before this was in it; counts.set_aside says that it was.
 */
uint64_t sqd_spooler_gone_to(const struct sqd_spooler *s);

/** Commit what is here, if the disk takes it, and close. `closed` is called once, later; then
 *  sqd_spooler_free(). Messages from sqd_spooler_durable() on are lost then. */
void sqd_spooler_close(struct sqd_spooler *s, void (*closed)(void *ctx), void *ctx);
void sqd_spooler_free(struct sqd_spooler *s);
