/* What a sender is owed: told "settled" once nothing more has to be done for its records.
 *
 * A record is settled when it matched nothing, or every output has taken what was made of it into
 * its queue, or it was counted as lost. A connection embeds one receipt; it may not be freed while
 * records are unsettled. Protocols that acknowledge (Lumberjack, HTTP) will answer from `settled`;
 * TCP and UDP only count. Main loop only.
 */
#pragma once

#include "lib/model/batch.h"

struct sqd_receipt;

/** Called whenever `unsettled` has become zero. May free what embeds the receipt. */
typedef void sqd_receipt_settled_fn(struct sqd_receipt *r);

struct sqd_receipt {
	uint64_t unsettled;                 /* records in batches not yet delivered */
	sqd_receipt_settled_fn *settled;    /* NULL: nobody waits */
	const struct sq_identity *identity; /* of the sender; NULL: nothing was proved */
	bool until_sent; /* the sender will be told: settled only when the outputs have sent */
};

static inline void sqd_receipt_owe(struct sqd_receipt *r, uint32_t n)
{
	r->unsettled += n;
}

static inline void sqd_receipt_settle(struct sqd_receipt *r, uint32_t n)
{
	sq_assert(r->unsettled >= n);
	r->unsettled -= n;
	if (!r->unsettled && r->settled)
		r->settled(r);
}
