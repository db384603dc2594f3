/* 64 places at a time, nothing looked up in memory. */
#include "lib/text/grams_private.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define BODY __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,gfni,popcnt")))

struct tables {
	__m512i low[SQ_GRAMS_TABLES], high[SQ_GRAMS_TABLES]; /* entries up to 63, from 64 */
};

struct maps {
	__m512i first[SQ_GRAM], then[SQ_GRAMS_TABLES - 1], bucket[2];
};

BODY static inline struct tables tables_of(const struct sq_grams *g, unsigned set)
{
	struct tables t;

	for (unsigned k = 0; k < SQ_GRAMS_TABLES; k++) {
		t.low[k] = _mm512_loadu_si512(g->allowed[set][k]);
		t.high[k] = _mm512_loadu_si512(g->allowed[set][k] + 64);
	}
	return t;
}

BODY static inline struct maps maps_of(void)
{
	struct maps m;

	for (unsigned i = 0; i < SQ_GRAM; i++)
		m.first[i] = _mm512_set1_epi64((int64_t)sq_grams_first[i]);
	for (unsigned i = 0; i < SQ_GRAMS_TABLES - 1; i++)
		m.then[i] = _mm512_set1_epi64((int64_t)sq_grams_then[i]);
	for (unsigned i = 0; i < 2; i++)
		m.bucket[i] = _mm512_set1_epi64((int64_t)sq_grams_bucket[i]);
	return m;
}

BODY static inline __m512i map(__m512i by, __m512i v)
{
	return _mm512_gf2p8affine_epi64_epi8(v, by, 0);
}

BODY static inline __m512i mix(__m512i a, __m512i b)
{
	return _mm512_xor_si512(a, b);
}

/* Buckets that all tables of a set allow at each of 64 places. */
BODY static inline __m512i look(const struct tables *t, const __m512i at[SQ_GRAMS_TABLES])
{
	__m512i r = _mm512_permutex2var_epi8(t->low[0], at[0], t->high[0]);

	for (unsigned k = 1; k < SQ_GRAMS_TABLES; k++)
		r = _mm512_and_si512(r, _mm512_permutex2var_epi8(t->low[k], at[k], t->high[k]));
	return r;
}

BODY static inline __m512i wide(__m128i numbers, __m512i base)
{
	return _mm512_add_epi32(_mm512_cvtepu8_epi32(numbers), base);
}

/* Without a branch that depends on which places there are. @return how many */
BODY static inline uint32_t put(uint32_t *to, uint64_t bits, uint32_t from)
{
	const __m512i numbers =
		_mm512_set_epi8(63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47,
	                        46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30,
	                        29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13,
	                        12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
	__m512i set = _mm512_maskz_compress_epi8(bits, numbers);
	__m512i base = _mm512_set1_epi32((int)from);
	uint32_t n = (uint32_t)__builtin_popcountll(bits);

	_mm512_storeu_si512(to, wide(_mm512_castsi512_si128(set), base));
	if (SQ_UNLIKELY(n > 16)) {
		_mm512_storeu_si512(to + 16, wide(_mm512_extracti32x4_epi32(set, 1), base));
		_mm512_storeu_si512(to + 32, wide(_mm512_extracti32x4_epi32(set, 2), base));
		_mm512_storeu_si512(to + 48, wide(_mm512_extracti32x4_epi32(set, 3), base));
	}
	return n;
}

/* `two`: known where it is inlined, so that one set costs nothing for the other. */
BODY static inline __attribute__((always_inline)) uint32_t find(const struct sq_grams *g,
                                                                const char *p, size_t n,
                                                                uint32_t from, uint32_t *to,
                                                                bool two)
{
	const struct tables first = tables_of(g, 0), second = tables_of(g, 1);
	const __m512i bits = _mm512_set1_epi64((int64_t)0x8040201008040201u);
	const struct maps m = maps_of();
	uint32_t found = 0;

	for (size_t i = 0; i < n; i += SQ_GRAMS_BLOCK) {
		__m512i a = mix(map(m.first[0], _mm512_loadu_si512(p + i)),
		                map(m.first[1], _mm512_loadu_si512(p + i + 1)));
		__m512i b = mix(map(m.first[2], _mm512_loadu_si512(p + i + 2)),
		                map(m.first[3], _mm512_loadu_si512(p + i + 3)));
		const __m512i at[SQ_GRAMS_TABLES] = { mix(a, b), mix(map(m.then[0], a), b),
			                              mix(a, map(m.then[1], b)),
			                              mix(map(m.then[2], a), b),
			                              mix(a, map(m.then[3], b)) };
		__m512i bucket = mix(map(m.bucket[0], a), map(m.bucket[1], b));
		__m512i any = look(&first, at);

		if (two)
			any = _mm512_or_si512(any, look(&second, at));
		found += put(to + found,
		             _mm512_test_epi8_mask(any, _mm512_shuffle_epi8(bits, bucket)),
		             from + (uint32_t)i);
	}
	return found;
}

BODY uint32_t sq_grams_avx512(const struct sq_grams *g, const char *p, size_t n, uint32_t from,
                              uint32_t *to)
{
	return g->sets > 1 ? find(g, p, n, from, to, true) : find(g, p, n, from, to, false);
}

#endif
