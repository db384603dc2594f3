/* The fixed number of batches. All memory of the event path is here; when what somebody may have of
 * it is used up, his inputs wait. For the thread of its loop only.
 *
 * Loops that share a thread share a pool: each puts in as many as it may have at one time, so that
 * there is always one for whoever has fewer, and what he gets is the one whose memory is still
 * warm, whoever had it last. So it is the batches in use at one time that are resident, not those
 * that there are; and what has long not been needed is given back to the system.
 */
#pragma once

#include "lib/model/batch.h"

struct sqd_batchpool {
	struct sq_batch **free; /* last in, first out */
	uint32_t n_free, n;
	uint32_t cold; /* so many from the first on have no memory */
	uint32_t low;  /* so many have not been in use since sqd_batchpool_trim() looked */
	uint64_t trimmed_ms;
};

/** Make `n` batches more; all there are must be in it. @return 0 or -ENOMEM; a pool that was zero
 *  is ended in any case with sqd_batchpool_fini() */
int sqd_batchpool_grow(struct sqd_batchpool *p, uint32_t n,
                       const struct sq_batch_limits *limits) SQ_MUST_CHECK;

/** Every batch must be back. */
void sqd_batchpool_fini(struct sqd_batchpool *p);

/** An empty batch, or NULL. */
struct sq_batch *sqd_batchpool_get(struct sqd_batchpool *p);

/** Takes `b`, empties it. */
void sqd_batchpool_put(struct sqd_batchpool *p, struct sq_batch *b);

/** Give back the memory of batches that were not used since this was done last; now and then, and
 *  nothing when it was done a moment ago. */
void sqd_batchpool_trim(struct sqd_batchpool *p, uint64_t now_ms);

/** What one of those who share a pool has of it. */
struct sqd_batchshare {
	struct sqd_batchpool own, *pool;
	uint32_t max, taken; /* batches */
};

/** `n` batches for us, put into `pool`, which outlives us; NULL: into one of our own.
 *  @return as sqd_batchpool_grow() */
int sqd_batchshare_init(struct sqd_batchshare *s, struct sqd_batchpool *pool, uint32_t n,
                        const struct sq_batch_limits *limits) SQ_MUST_CHECK;
void sqd_batchshare_fini(struct sqd_batchshare *s);

/** NULL: we have as many as we may have. */
struct sq_batch *sqd_batchshare_get(struct sqd_batchshare *s);
void sqd_batchshare_put(struct sqd_batchshare *s, struct sq_batch *b);

static inline bool sqd_batchshare_none(const struct sqd_batchshare *s)
{
	return s->taken == s->max;
}

/** So many are free for us that inputs may read on after they were paused: reading stops at none,
 *  goes on at a quarter, so that inputs do not stutter. */
static inline bool sqd_batchshare_high(const struct sqd_batchshare *s)
{
	return s->max - s->taken >= (s->max + 3) / 4;
}
