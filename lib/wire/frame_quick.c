/* Each block of 64 bytes becomes four bitmaps. A quote that no backslash stands before opens or
 * closes a string; what the number of those before it is odd for lies inside. Only brackets outside
 * are looked at one by one, and there are few.
 *
 * A backslash outside of strings escapes nothing: a block that has one is left to frame.c.
 */
#include "lib/wire/frame_private.h"

#if defined(__x86_64__)
#include <immintrin.h>

enum { BLOCK = 64 };

struct block {
	uint64_t quotes, slashes, opening, closing;
};

typedef void look_fn(const char *p, struct block *ret);

/* '[' and '{', ']' and '}' differ in one bit. */
enum { CASE_BIT = 0x20 };

__attribute__((target("avx512f,avx512bw"))) static void look_avx512(const char *p,
                                                                    struct block *ret)
{
	__m512i v = _mm512_loadu_si512(p);
	__m512i folded = _mm512_or_si512(v, _mm512_set1_epi8(CASE_BIT));

	ret->quotes = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('"'));
	ret->slashes = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\\'));
	ret->opening = _mm512_cmpeq_epi8_mask(folded, _mm512_set1_epi8('{'));
	ret->closing = _mm512_cmpeq_epi8_mask(folded, _mm512_set1_epi8('}'));
}

__attribute__((target("avx2"))) static inline uint64_t equal_avx2(__m256i a, __m256i b, char c)
{
	const __m256i all = _mm256_set1_epi8(c);
	uint32_t low = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, all));
	uint32_t high = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, all));

	return (uint64_t)high << 32 | low;
}

__attribute__((target("avx2"))) static void look_avx2(const char *p, struct block *ret)
{
	const __m256i bit = _mm256_set1_epi8(CASE_BIT);
	__m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
	__m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));

	ret->quotes = equal_avx2(a, b, '"');
	ret->slashes = equal_avx2(a, b, '\\');
	a = _mm256_or_si256(a, bit);
	b = _mm256_or_si256(b, bit);
	ret->opening = equal_avx2(a, b, '{');
	ret->closing = equal_avx2(a, b, '}');
}

static look_fn *best(void)
{
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
		return look_avx512;
	return __builtin_cpu_supports("avx2") ? look_avx2 : NULL;
}

/* Bytes that stand behind a backslash that is not escaped itself. `*carry`, 0 or 1, is that of the
 * first byte, and of the one behind the block. One turn for each such backslash: there are few. */
static uint64_t escaped_by(uint64_t slashes, uint64_t *carry)
{
	uint64_t escaped = *carry;

	*carry = 0;
	slashes &= ~escaped;
	while (slashes) {
		uint64_t next = (slashes & -slashes) << 1;

		*carry = !next;
		escaped |= next;
		slashes &= slashes - 1; /* it, and what it escapes */
		slashes &= ~next;
	}
	return escaped;
}

/* Bit i: the number of bits up to i is odd. */
static uint64_t parity(uint64_t bits)
{
	for (unsigned i = 1; i < 64; i *= 2)
		bits ^= bits << i;
	return bits;
}

/* The brackets outside of strings. @return bytes to the end of the object, or 0 */
static unsigned follow(struct sq_frame *f, const char *p, const struct block *b, uint64_t inside)
{
	uint64_t brackets = (b->opening | b->closing) & ~inside;

	for (; brackets; brackets &= brackets - 1) {
		unsigned i = (unsigned)__builtin_ctzll(brackets);

		if (b->opening >> i & 1)
			sq_frame_open_bracket(f, p[i]);
		else if (--f->depth == 0)
			return i + 1;
	}
	return 0;
}

/* The last byte that is not blank, as frame.c keeps it: a quote for all of a string. */
static void remember_last(struct sq_frame *f, struct sq_sv v, size_t at)
{
	if (f->phase != SQ_FRAME_OUTSIDE) {
		f->last = '"';
		return;
	}
	while (at > f->scanned && sq_is_space(v.p[at - 1]))
		at--;
	if (at > f->scanned)
		f->last = (uint8_t)v.p[at - 1];
}

bool sq_frame_quick(struct sq_frame *f, struct sq_sv v)
{
	uint64_t open = f->phase == SQ_FRAME_OUTSIDE ? 0 : ~UINT64_C(0);
	uint64_t carry = f->phase == SQ_FRAME_ESCAPE;
	size_t at = f->scanned;
	look_fn *look = best();
	unsigned end = 0;

	for (; look && v.n - at >= BLOCK; at += BLOCK) {
		uint64_t next = carry, inside;
		struct block b;

		look(v.p + at, &b);
		inside = parity(b.quotes & ~escaped_by(b.slashes, &next)) ^ open;
		if (b.slashes & ~inside)
			break;
		end = follow(f, v.p + at, &b, inside);
		if (end)
			break;
		carry = next;
		open = (uint64_t)((int64_t)inside >> 63);
	}
	if (!end) {
		f->phase = !open ? SQ_FRAME_OUTSIDE : carry ? SQ_FRAME_ESCAPE : SQ_FRAME_STRING;
		remember_last(f, v, at);
	}
	f->scanned = at + end;
	return end;
}
#else
bool sq_frame_quick(struct sq_frame *f SQ_UNUSED, struct sq_sv v SQ_UNUSED)
{
	return false;
}
#endif
