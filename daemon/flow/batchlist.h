/* Batches one after another, first in, first out, linked by sq_batch.next. Who shares one between
 * threads locks it.
 */
#pragma once

#include "lib/model/batch.h"

struct sqd_batchlist {
	struct sq_batch *first, *last;
};

static inline void sqd_batchlist_push(struct sqd_batchlist *l, struct sq_batch *b)
{
	b->next = NULL;
	if (l->last)
		l->last->next = b;
	else
		l->first = b;
	l->last = b;
}

/** NULL: it is empty. */
static inline struct sq_batch *sqd_batchlist_pop(struct sqd_batchlist *l)
{
	struct sq_batch *b = l->first;

	if (!b)
		return NULL;
	l->first = b->next;
	if (!l->first)
		l->last = NULL;
	b->next = NULL;
	return b;
}

/** All of them; the list is empty then. */
static inline struct sqd_batchlist sqd_batchlist_take(struct sqd_batchlist *l)
{
	struct sqd_batchlist all = *l;

	*l = (struct sqd_batchlist){ 0 };
	return all;
}
