#include "lib/rules/memo.h"

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

/* Two slots for each hash, of which a new value takes the one that another bit says. Who sends
 * values that all fall into the same two has them scanned, as without a memo. */
struct sq_memo_slot *sq_memo_place(struct sq_memo_slot *slots, uint32_t group, struct sq_sv value)
{
	uint64_t h = (uint64_t)group << 8 | value.n;

	if (value.n > SQ_MEMO_VALUE_MAX)
		return NULL;
	if (value.n < 8) {
		h = mix(h, few(value));
	} else {
		for (size_t i = 0; i + 8 < value.n; i += 8)
			h = mix(h, word(value.p + i));
		h = mix(h, word(value.p + value.n - 8));
	}
	slots += (h >> 20) % (SQ_MEMO_SLOTS / 2) * 2;
	if (sq_memo_is(&slots[0], group, value))
		return &slots[0];
	if (sq_memo_is(&slots[1], group, value))
		return &slots[1];
	return &slots[slots[0].group ? h & 1 : 0];
}

void sq_memo_begin(struct sq_memo_slot *s, struct sq_sv value)
{
	s->group = 0;
	s->n_hits = 0;
	s->n = (uint8_t)value.n;
	if (value.n)
		memcpy(s->value, value.p, value.n);
}
