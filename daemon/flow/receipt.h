/* What a sender is owed: told "settled" once nothing more has to be done for its records.
 *
 * A record is settled when it matched nothing, or every output has taken what was made of it into
 * its queue, or it was counted as lost. With `until_sent`, when the outputs have really sent it
 * (daemon/flow/settling.h), so that a protocol that acknowledges (Lumberjack, HTTP) may answer from
 * `settled` and nothing that it acknowledged dies with this process. TCP and UDP only count.
 *
 * A connection, window or request embeds one receipt; it may not be freed, moved or emptied while
 * records are unsettled. For the thread of its loop only.
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
	uint64_t further, malformed; /* as in struct sq_origin, of all that has been settled or
	                              * waits; for who tells the sender */
	bool until_sent; /* the sender will be told: settled only when the outputs have sent */
	bool lost;       /* on the way down, some of it was given up and counted as dropped: say
	                  * nothing, or no, to the sender, who will send it again */

	/* Private to settling.c: its place among those that wait. */
	struct sqd_receipt *older, *newer;
	uint64_t waiting; /* of `unsettled`: nothing but sending is left to do for them */
	uint64_t stop;    /* what they wait for */
};

static inline void sqd_receipt_owe(struct sqd_receipt *r, uint32_t n)
{
	r->unsettled += n;
}

static inline void sqd_receipt_settle(struct sqd_receipt *r, uint64_t n)
{
	sq_assert(r->unsettled >= n);
	r->unsettled -= n;
	if (!r->unsettled && r->settled)
		r->settled(r);
}
