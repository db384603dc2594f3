/* One record into the open batch: what every kind of input does. For the thread of its loop only.
 */
#pragma once

#include "daemon/flow/input.h"

/** As sqd_dispatch_origin(), with what the configuration says of whoever sends to this input. Who
 *  adds records by himself asks here. */
int sqd_input_origin(struct sqd_input *in, struct sq_batch *b, struct sqd_receipt *receipt,
                     const char *peer) SQ_MUST_CHECK;

/** A record that lies in the chunk of the open batch `b`, at or behind its tail. `b` has room for a
 *  record and an origin (sqd_input_full() said so, or it was just opened). Owes the receipt. */
void sqd_input_add(struct sqd_input *in, struct sq_batch *b, struct sqd_receipt *receipt,
                   const char *peer, struct sq_sv record);

/** Copy a record into the open batch. @return 0, or -EAGAIN: no batch is free; wait for resume */
int sqd_input_put(struct sqd_input *in, struct sqd_receipt *receipt, const char *peer,
                  struct sq_sv record) SQ_MUST_CHECK;

/** No record, or no new origin, fits: the next sqd_dispatch_open() seals this batch. */
static inline bool sqd_input_full(const struct sq_batch *b)
{
	return b->n_records >= b->limits.records || b->n_origins >= b->limits.origins;
}
