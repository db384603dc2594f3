/* What an output wants, and in which words; the router's. */
#pragma once

#include "daemon/base/loop.h"
#include "daemon/flow/router.h"

static inline void sqd_route_waits(const struct sqd_route *to, bool waits)
{
	if (to->waiting && !waits)
		*to->waiting = (struct sq_now){ 0 };
	else if (to->waiting && !to->waiting->wall_us)
		*to->waiting = sqd_now();
}

static inline bool sqd_route_wants(const struct sqd_route *to, const struct sq_alert_ref *al)
{
	return al->level >= to->min_level && al->text[to->format].n;
}

/** Which of the texts of an alert that it wants. */
static inline unsigned sqd_route_text(const struct sqd_route *to, const struct sq_alert_ref *al)
{
	unsigned brief = SQ_FORMATS + to->format;

	return to->datagrams && al->text[brief].n ? brief : to->format;
}

/** It, in that format. */
static inline struct sqd_message sqd_route_message(const struct sq_batch *b,
                                                   const struct sq_alert_ref *al, unsigned format)
{
	return (struct sqd_message){
		.text = { b->out.p + al->text[format].at, al->text[format].n },
		.id = { al->id[0], al->id[1] },
		.key = { b->out.p + al->host.at, al->host.n },
	};
}

static inline bool sqd_route_wants_folded(const struct sqd_route *to, const struct sq_folded *what)
{
	return !to->forward && to->format == what->format && what->level >= to->min_level &&
	       what->to & (to->datagrams ? SQ_TO_DATAGRAMS : SQ_TO_STREAMS);
}
