/* The fixed number of batches. All memory of the event path is here; when it is used up, inputs
 * wait. For the thread of its loop only.
 */
#pragma once

#include "lib/model/batch.h"

struct sqd_batchpool {
	struct sq_batch *free; /* last in, first out: the one whose memory is still warm */
	uint32_t n_free, n;
};

/** Make `n` batches. @return 0 or -ENOMEM; end it in any case with sqd_batchpool_fini() */
int sqd_batchpool_init(struct sqd_batchpool *p, uint32_t n,
                       const struct sq_batch_limits *limits) SQ_MUST_CHECK;

/** Every batch must be back. */
void sqd_batchpool_fini(struct sqd_batchpool *p);

/** An empty batch, or NULL. */
struct sq_batch *sqd_batchpool_get(struct sqd_batchpool *p);

/** Takes `b`, empties it. */
void sqd_batchpool_put(struct sqd_batchpool *p, struct sq_batch *b);

/** So many free batches are enough to let inputs read on after they were paused: reading stops at
 *  none, goes on at a quarter, so that inputs do not stutter. */
static inline bool sqd_batchpool_high(const struct sqd_batchpool *p)
{
	return p->n_free >= (p->n + 3) / 4;
}
