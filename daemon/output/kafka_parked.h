/* Messages of the Kafka output that came back, in lists: putting one in, and taking the first out,
 * takes the same few steps however many there are. All lists of an output share one pool, which
 * grows as it is needed and is as large as what librdkafka may have at a time. One thread.
 */
#pragma once

#include <stdint.h>

#include "lib/base/base.h"

struct sqd_parked {
	const char *head; /* where it lies in its send */
	int why;          /* librdkafka's error */
	uint32_t next;    /* private */
};

/** Zeroed: empty. */
struct sqd_parked_list {
	uint32_t first, last; /* private: places in the pool, from 1 on */
	uint32_t n;
};

/** Zeroed: nothing was ever parked. */
struct sqd_parking {
	struct sqd_parked *all;
	uint32_t n, cap;
	uint32_t unused; /* the first of a list of places that are free again */
};

void sqd_parking_fini(struct sqd_parking *p);

/** All lists are void; the memory stays. */
void sqd_parking_reset(struct sqd_parking *p);

/** At the end of `l`. @return 0, -ENOMEM */
int sqd_parking_put(struct sqd_parking *p, struct sqd_parked_list *l, const char *head,
                    int why) SQ_MUST_CHECK;

/** The first of `l`, or NULL. Valid until something is put. */
struct sqd_parked *sqd_parking_first(struct sqd_parking *p, const struct sqd_parked_list *l);

/** The first of `l`, which is not empty, goes. */
void sqd_parking_drop(struct sqd_parking *p, struct sqd_parked_list *l);

/** The first of `from`, which is not empty, becomes the last of `to`. */
void sqd_parking_move(struct sqd_parking *p, struct sqd_parked_list *from,
                      struct sqd_parked_list *to);
