#include "lib/rules/memo.h"

#include <assert.h>
#include <stdlib.h>

static_assert(sizeof(struct sq_memo_slot) == SQ_MEMO_SLOT, "whole lines of a cache");
static_assert(SQ_MEMO_VALUE_MAX + SQ_MEMO_HITS_MAX * sizeof(uint32_t) <= SQ_MEMO_SLOT - 7,
              "room for the longest value and most hits");

struct sq_memo_slot *sq_memo_new(void)
{
	struct sq_memo_slot *slots = aligned_alloc(64, SQ_MEMO_SLOTS * sizeof(*slots));

	if (slots)
		memset(slots, 0, SQ_MEMO_SLOTS * sizeof(*slots));
	return slots;
}

static uint64_t word(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/* Fewer than eight bytes as a number; the length is told apart elsewhere. */
static uint64_t few(struct sq_sv v)
{
	uint32_t a, b;

	if (v.n >= 4) {
		memcpy(&a, v.p, sizeof(a));
		memcpy(&b, v.p + v.n - 4, sizeof(b));
		return (uint64_t)a << 32 | b;
	}
	if (v.n == 0)
		return 0;
	return (uint64_t)(unsigned char)v.p[0] << 16 | (uint64_t)(unsigned char)v.p[v.n / 2] << 8 |
	       (unsigned char)v.p[v.n - 1];
}

static uint64_t mix(uint64_t h, uint64_t w)
{
	h = (h ^ w) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 32;
}

uint64_t sq_memo_hash(uint32_t group, struct sq_sv value)
{
	uint64_t h = (uint64_t)group << 8 | value.n;

	if (value.n > SQ_MEMO_VALUE_MAX)
		return 0; /* for want of a place */
	if (value.n < 8) {
		h = mix(h, few(value));
	} else {
		for (size_t i = 0; i + 8 < value.n; i += 8)
			h = mix(h, word(value.p + i));
		h = mix(h, word(value.p + value.n - 8));
	}
	return h;
}

/* Two slots for each hash, of which a new value takes the one that was not the last to be asked for
 * again: what comes once does not drive out what always comes. Who sends values that all fall into
 * the same two has them scanned, as without a memo. */
struct sq_memo_slot *sq_memo_place(struct sq_memo_slot *slots, uint32_t group, struct sq_sv value,
                                   uint64_t h)
{
	if (value.n > SQ_MEMO_VALUE_MAX)
		return NULL;
	slots += (h >> 20) % (SQ_MEMO_SLOTS / 2) * 2;
	for (uint8_t i = 0; i < 2; i++) {
		if (!sq_memo_is(&slots[i], group, value))
			continue;
		if (slots->last != i)
			slots->last = i;
		return &slots[i];
	}
	return &slots[slots[0].group ? !slots->last : 0];
}

void sq_memo_begin(struct sq_memo_slot *s, struct sq_sv value)
{
	s->group = 0;
	s->n_hits = 0;
	s->n = (uint8_t)value.n;
	if (value.n)
		memcpy(s->bytes, value.p, value.n);
}

bool sq_memo_add(struct sq_memo_slot *s, uint32_t hit)
{
	for (uint32_t i = 0; i < s->n_hits; i++)
		if (sq_memo_hit(s, i) == hit)
			return true;
	if (s->n_hits == SQ_MEMO_HITS_MAX)
		return false;
	memcpy(s->bytes + s->n + s->n_hits * sizeof(hit), &hit, sizeof(hit));
	s->n_hits++;
	return true;
}
