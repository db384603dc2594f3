/* Which keys skim may pass over without looking them up. Private to lib/model.
 *
 * A key at a place is passed over when its first four bytes, with what follows a shorter one, are
 * none of those that keys of interest begin with: most keys of most records. What is of interest is
 * what find() of walk.c would find (it must change with it; test_skim.c tries every key at every
 * place), and what may be one of those with an escape in it.
 */
#pragma once

#include <assert.h>

#include "lib/model/skim.h"

enum { SQ_SKIM_FILTER_SLOTS = 4096 };

/** For the keys of one place. */
struct sq_skim_filter {
	bool some[SQ_SKIM_FILTER_SLOTS]; /* a key of interest may begin like this */
};

/** `head`: the first four bytes behind the quote, as they lie in memory. */
static inline uint32_t sq_skim_filter_slot(uint32_t head)
{
	return (head * 0x9e3779b1u) >> 20;
}

static_assert(SQ_SKIM_FILTER_SLOTS == 1 << (32 - 20), "a hash gives a slot");

/** How many filters there are: one that lets nothing through, and one for each place with members.
 */
size_t sq_skim_filters_count(const struct sq_trie *trie);

/** Make them. Number `of_place[node]` is for members of that node; 0: those of objects nobody asked
 *  for. With `all` of the walk's collect they let everything through. */
void sq_skim_filters_make(struct sq_skim_filter *filters, uint16_t of_place[SQ_NODES_MAX],
                          const struct sq_walk *walk, const struct sq_skim_want *want);
