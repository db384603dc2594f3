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
	SQ_MEMO_SLOTS = 4096,
	SQ_MEMO_SLOT = 320, /* bytes: five lines of a cache; most values need the first only */
	SQ_MEMO_VALUE_MAX = 248,
	SQ_MEMO_HITS_MAX = 16,
};

struct sq_memo_slot {
	uint32_t group;               /* and 1; 0 = empty */
	uint8_t n_hits, n;            /* of the value: its bytes */
	uint8_t last;                 /* of each two, in the first: which was asked for again */
	char bytes[SQ_MEMO_SLOT - 7]; /* the value, then the hits */
};

/** Slots of a memo, empty; to be freed with free(). NULL: out of memory. */
struct sq_memo_slot *sq_memo_new(void);

/** What sq_memo_fetch() and sq_memo_place() need to know of a value. */
uint64_t sq_memo_hash(uint32_t group, struct sq_sv value);

/** Have the slots come into the cache while other values are looked at. */
static inline void sq_memo_fetch(const struct sq_memo_slot *slots, uint64_t hash)
{
	slots += (hash >> 20) % (SQ_MEMO_SLOTS / 2) * 2;
	__builtin_prefetch(slots);
	__builtin_prefetch(slots + 1);
}

/** The slot that tells of this value, or the one that may begin to. NULL: it is too long. */
struct sq_memo_slot *sq_memo_place(struct sq_memo_slot *slots, uint32_t group, struct sq_sv value,
                                   uint64_t hash);

/** Whether the slot tells of this very value. */
static inline bool sq_memo_is(const struct sq_memo_slot *s, uint32_t group, struct sq_sv value)
{
	return s->group == group + 1 && s->n == value.n &&
	       (!value.n || memcmp(s->bytes, value.p, value.n) == 0);
}

/** Begin to tell of another value, of at most SQ_MEMO_VALUE_MAX bytes. The slot counts as empty
 *  until sq_memo_end(). */
void sq_memo_begin(struct sq_memo_slot *s, struct sq_sv value);

/** Number `i` of s->n_hits. */
static inline uint32_t sq_memo_hit(const struct sq_memo_slot *s, uint32_t i)
{
	uint32_t hit;

	memcpy(&hit, s->bytes + s->n + i * sizeof(hit), sizeof(hit));
	return hit;
}

/** @return false: there are too many, the slot stays empty */
bool sq_memo_add(struct sq_memo_slot *s, uint32_t hit);

static inline void sq_memo_end(struct sq_memo_slot *s, uint32_t group)
{
	s->group = group + 1;
}
