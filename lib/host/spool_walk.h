/* From chunk to chunk of a spool, without a belief in keys: see spool_walk.c.
 */
#pragma once

#include "lib/host/spool_private.h"

/** Where a walk is. The views are borrowed from LMDB, until its transaction writes or ends. */
struct sq_spool_walk {
	MDB_cursor *c;       /* at the chunk */
	uint64_t first, end; /* its messages; none when these are the same */
	uint64_t key;        /* which says that; 0: no key can */
	uint64_t own;        /* its own key, which may say something else */
	struct sq_sv value;
	bool proved; /* its sum, or what is around it, says that the key is right */

	uint64_t from, next; /* as it was begun */
	uint64_t low;        /* the chunks behind this one have nothing before that */
	uint64_t high;   /* nor has one without a sum anything from here on; 0: not looked for */
	uint64_t behind; /* messages of those without a sum that are behind this one, up to there */
	uint64_t taken;  /* the end of the last that was taken out */
};

/**
 * Begin at the chunk that has `from`, or else the first behind that. No message of the file has the
 * number `next`, or a higher one. sq_spool_walk_end() is called whatever this gives.
 * @return 0, MDB_NOTFOUND: there is none; MDB_CORRUPTED and others: the file cannot be used
 */
int sq_spool_walk_begin(struct sq_spool_walk *w, MDB_txn *txn, MDB_dbi dbi, uint64_t from,
                        uint64_t next) SQ_MUST_CHECK;

/** Go to the next. @return as that does */
int sq_spool_walk_next(struct sq_spool_walk *w) SQ_MUST_CHECK;

/** Take the chunk out of the file, and go to the next; `*ret_n`: how many messages it had. */
int sq_spool_walk_take(struct sq_spool_walk *w, uint64_t *ret_n) SQ_MUST_CHECK;

/** Whether the chunk's own key says something else than it has. */
static inline bool sq_spool_walk_odd(const struct sq_spool_walk *w)
{
	return w->own != w->key;
}

void sq_spool_walk_end(struct sq_spool_walk *w);
