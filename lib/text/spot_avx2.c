/* 32 bytes at a time, looked up by vpshufb, which sees four bits of a byte.
 *
 * So each set is looked up by two mixtures of bits, its keys, and what both allow may be more than
 * the set. The lower half of a byte and (c >> 4 ^ c >> 1) tell all characters of ASCII apart and
 * mix letters with few others: of the bytes that stand behind each other in Windows events six
 * times as many places are found as there are, with the upper half in place of the second fifty
 * times as many. Each is looked up once more, as a whole, before it is told. Sets of most letters
 * and digits mix to nearly all; one bucket has exact ones, in sq_spot.rows.
 *
 * Keys are made once for all offsets and kept, and the halves of the buckets have a pass each, so
 * that tables stay in registers. */
#include "lib/text/spot_private.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define BODY __attribute__((target("avx2,bmi,popcnt")))

enum {
	BLOCK = 32,
	FIRST_WIDTH = SQ_SPOT_ROWS, /* the last byte is left to the look at the whole */
};

/* Of each byte of a window, and of the block behind it. */
struct keys {
	_Alignas(BLOCK) uint8_t low[SQ_SPOT_WINDOW + BLOCK];
	_Alignas(BLOCK) uint8_t mixed[SQ_SPOT_WINDOW + BLOCK];
	_Alignas(BLOCK) uint8_t row[SQ_SPOT_WINDOW + BLOCK];    /* its bit in sq_spot.rows */
	_Alignas(BLOCK) uint8_t single[SQ_SPOT_WINDOW + BLOCK]; /* not 0: it may be one */
};

BODY static inline __m256i load(const void *p)
{
	return _mm256_loadu_si256(p);
}

BODY static inline __m256i both(__m256i a, __m256i b)
{
	return _mm256_and_si256(a, b);
}

BODY static inline __m256i either(__m256i a, __m256i b)
{
	return _mm256_or_si256(a, b);
}

BODY static inline __m256i table_of(const uint8_t table[16])
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)table));
}

BODY static inline uint32_t zeroes(__m256i v)
{
	return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, _mm256_setzero_si256()));
}

BODY static inline void make_block(const struct sq_spot *s, struct keys *k, size_t i, __m256i v)
{
	static const uint8_t rows[16] = {
		1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128
	};
	const __m256i four = _mm256_set1_epi8(15);
	/* Signed: control characters and what is not ASCII are less than a blank. */
	const __m256i least = _mm256_set1_epi8(s->wild ? ' ' : INT8_MIN);
	__m256i low = both(v, four);
	__m256i mixed =
		both(_mm256_xor_si256(_mm256_srli_epi16(v, 4), _mm256_srli_epi16(v, 1)), four);
	__m256i row = _mm256_shuffle_epi8(table_of(rows), mixed);
	__m256i single = both(_mm256_shuffle_epi8(table_of(s->singles), low), row);

	_mm256_store_si256((void *)(k->low + i), low);
	_mm256_store_si256((void *)(k->mixed + i), mixed);
	_mm256_store_si256((void *)(k->row + i), row);
	_mm256_store_si256((void *)(k->single + i), either(single, _mm256_cmpgt_epi8(least, v)));
}

BODY static void make_keys(const struct sq_spot *s, struct keys *k, const char *p, size_t n)
{
	char last[BLOCK] = { 0 };

	for (size_t i = 0; i < n; i += BLOCK)
		make_block(s, k, i, load(p + i));
	memcpy(last, p + n, SQ_SPOT_WIDTH - 1);
	make_block(s, k, n, load(last));
}

/* What of the bytes at `i` both tables allow. */
BODY static inline __m256i look(const struct keys *k, size_t i, __m256i low, __m256i mixed)
{
	return both(_mm256_shuffle_epi8(low, load(k->low + i)),
	            _mm256_shuffle_epi8(mixed, load(k->mixed + i)));
}

/* Loaded once, where the compiler would load it for each use. */
BODY static inline __m256i load_once(const uint8_t *p)
{
	__m256i v = load(p);

	__asm__("" : "+x"(v));
	return v;
}

/* Bits of bytes where no bucket of the first half, no single and not the bucket with exact sets
 * begins. */
BODY static void look_for_first(const struct sq_spot *s, const struct keys *k, size_t n,
                                uint32_t *none)
{
	__m256i low[FIRST_WIDTH], mixed[FIRST_WIDTH], rows[FIRST_WIDTH];

	for (unsigned i = 0; i < FIRST_WIDTH; i++) {
		low[i] = table_of(s->low[0][i]);
		mixed[i] = table_of(s->mixed[0][i]);
		rows[i] = table_of(s->rows[i]);
	}
	for (size_t i = 0; i < n; i += BLOCK) {
		__m256i found = _mm256_set1_epi8(-1), exact = found;

		for (unsigned j = 0; j < FIRST_WIDTH; j++) {
			__m256i key = load_once(k->low + i + j);

			found = both(found,
			             both(_mm256_shuffle_epi8(low[j], key),
			                  _mm256_shuffle_epi8(mixed[j], load(k->mixed + i + j))));
			exact = _mm256_min_epu8(exact, both(_mm256_shuffle_epi8(rows[j], key),
			                                    load(k->row + i + j)));
		}
		none[i / BLOCK] = zeroes(either(either(found, exact), load(k->single + i)));
	}
}

/* The second half of the buckets, and places. @return how many */
BODY static uint32_t look_for_second(const struct sq_spot *s, const struct keys *k, size_t n,
                                     const uint32_t *none, uint32_t *to)
{
	enum { USUALLY = 2 }; /* no more places are likely in two blocks */
	__m256i low[SQ_SPOT_WIDTH], mixed[SQ_SPOT_WIDTH];
	uint32_t found = 0;

	for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++) {
		low[i] = table_of(s->low[1][i]);
		mixed[i] = table_of(s->mixed[1][i]);
	}
	for (size_t i = 0; i < n; i += 2 * BLOCK) {
		__m256i first = look(k, i, low[0], mixed[0]);
		__m256i second = look(k, i + BLOCK, low[0], mixed[0]);
		uint64_t bits;
		uint32_t end;

		for (unsigned j = 1; j < SQ_SPOT_WIDTH; j++) {
			first = both(first, look(k, i + j, low[j], mixed[j]));
			second = both(second, look(k, i + BLOCK + j, low[j], mixed[j]));
		}
		bits = ~((uint64_t)(zeroes(second) & none[i / BLOCK + 1]) << BLOCK |
		         (zeroes(first) & none[i / BLOCK]));
		end = found + (uint32_t)__builtin_popcountll(bits);
		/* Written whether they are there or not: no branch would be foreseen. */
		for (unsigned j = 0; j < USUALLY; j++, bits &= bits - 1)
			to[found++] = (uint32_t)(i + _tzcnt_u64(bits));
		for (; bits; bits &= bits - 1)
			to[found++] = (uint32_t)(i + _tzcnt_u64(bits));
		found = end;
	}
	return found;
}

BODY uint32_t sq_spot_avx2(const struct sq_spot *s, const char *p, size_t n, uint32_t from,
                           uint32_t *to)
{
	uint32_t none[SQ_SPOT_WINDOW / BLOCK], likely, found = 0;
	struct keys k;

	make_keys(s, &k, p, n);
	look_for_first(s, &k, n, none);
	likely = look_for_second(s, &k, n, none, to);
	for (uint32_t i = 0; i < likely; i++) {
		uint32_t at = to[i];

		to[found] = from + at;
		found += sq_spot_is_at(s, p + at);
	}
	return found;
}

#endif
