/* What Hyperscan found in values that were scanned before, for values that come again.
 *
 * Most values of Windows events are the same few: images, parents, users, places. Looking one up
 * costs a fifth of scanning it. An answer is only given for the very same bytes in the same group
 * of predicates, so it is the answer that a scan would give. One memo per thread; a later value
 * takes the place of an earlier one, so it never grows.
 */
#pragma once

#include "lib/base/sv.h"

enum {
	SQ_MEMO_SLOTS = 2048, /* 192 bytes each */
	SQ_MEMO_VALUE_MAX = 119,
	SQ_MEMO_HITS_MAX = 16,
};

struct sq_memo_slot {
	uint32_t group; /* and 1; 0 = empty */
	uint32_t hits[SQ_MEMO_HITS_MAX];
	uint8_t n_hits, n;
	char value[SQ_MEMO_VALUE_MAX + 3];
};

/** The slot that tells of this value, or the one that may begin to. NULL: it is too long. */
struct sq_memo_slot *sq_memo_place(struct sq_memo_slot *slots, uint32_t group, struct sq_sv value);

/** Whether the slot tells of this very value. */
static inline bool sq_memo_is(const struct sq_memo_slot *s, uint32_t group, struct sq_sv value)
{
	return s->group == group + 1 && s->n == value.n &&
	       (!value.n || memcmp(s->value, value.p, value.n) == 0);
}

/** Begin to tell of another value, of at most SQ_MEMO_VALUE_MAX bytes. The slot counts as empty
 *  until sq_memo_end(). */
void sq_memo_begin(struct sq_memo_slot *s, struct sq_sv value);

/** @return false: there are too many, the slot stays empty */
static inline bool sq_memo_add(struct sq_memo_slot *s, uint32_t hit)
{
	for (uint32_t i = 0; i < s->n_hits; i++)
		if (s->hits[i] == hit)
			return true;
	if (s->n_hits == SQ_MEMO_HITS_MAX)
		return false;
	s->hits[s->n_hits++] = hit;
	return true;
}

static inline void sq_memo_end(struct sq_memo_slot *s, uint32_t group)
{
	s->group = group + 1;
}
