/* Batches on their way: opened for an input, sealed, given to a worker, delivered, settled, back to
 * the pool.
 *
 * Main loop only, but for the workers' own part. The number of batches is fixed. When none is free,
 * sqd_dispatch_open() gives NULL: the input pauses itself, and every input is resumed when enough
 * are back (low and high mark). Batches form by themselves: one is sealed when it is full, or at
 * the end of a loop turn when a worker is idle; a quiet system hands on one event at once.
 */
#pragma once

#include <uv.h>

#include "daemon/flow/receipt.h"
#include "lib/model/batch.h"

struct sqd_dispatch;

/**
 * The batch being filled, with at least `room` bytes free at the end of its chunk; the one before
 * is sealed when it has less. All inputs of the loop fill the same batch: libuv calls alloc, read
 * and the read callback of one stream back to back, so nobody else writes between alloc and read.
 * @return NULL: none is free; pause, and wait for resume
 */
struct sq_batch *sqd_dispatch_open(struct sqd_dispatch *d, size_t room);

/** Hand the open batch on now (it is full). Nothing when it is empty. */
void sqd_dispatch_seal(struct sqd_dispatch *d);

/**
 * Index of the origin for `receipt` in the open batch; the same origin as last time costs one
 * comparison. @return index, or -ENOSPC: seal and open another
 */
int sqd_dispatch_origin(struct sqd_dispatch *d, struct sq_batch *b, struct sqd_receipt *receipt,
                        const char *peer) SQ_MUST_CHECK;
