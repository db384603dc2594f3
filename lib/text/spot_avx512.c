/* Characters of 64 bytes at a time, looked up by vpermi2b in tables of all of ASCII. */
#include "lib/text/spot_private.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define BODY __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,bmi")))

struct tables {
	__m512i low[SQ_SPOT_WIDTH], high[SQ_SPOT_WIDTH]; /* of the characters up to 63, from 64 */
};

BODY static inline struct tables tables_of(const struct sq_spot *s, unsigned half)
{
	struct tables t;

	for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++) {
		t.low[i] = _mm512_loadu_si512(s->ascii[half][i]);
		t.high[i] = _mm512_loadu_si512(s->ascii[half][i] + 64);
	}
	return t;
}

/* Buckets of one half that may begin at each of 64 bytes. */
BODY static inline __m512i look(const struct tables *t, const __m512i v[SQ_SPOT_WIDTH])
{
	__m512i a = _mm512_permutex2var_epi8(t->low[0], v[0], t->high[0]);
	__m512i b = _mm512_permutex2var_epi8(t->low[1], v[1], t->high[1]);
	__m512i c = _mm512_permutex2var_epi8(t->low[2], v[2], t->high[2]);
	__m512i d = _mm512_permutex2var_epi8(t->low[3], v[3], t->high[3]);

	return _mm512_and_si512(_mm512_ternarylogic_epi64(a, b, c, 0x80), d);
}

BODY uint32_t sq_spot_avx512(const struct sq_spot *s, const char *p, size_t n, uint32_t from,
                             uint32_t *to)
{
	const struct tables first = tables_of(s, 0), second = tables_of(s, 1);
	const __m512i last = _mm512_set1_epi8(127);
	uint32_t found = 0;

	for (size_t i = 0; i < n; i += 64) {
		__m512i v[SQ_SPOT_WIDTH], any;
		uint64_t bits;

		for (unsigned k = 0; k < SQ_SPOT_WIDTH; k++)
			v[k] = _mm512_min_epu8(_mm512_loadu_si512(p + i + k), last);
		any = _mm512_or_si512(look(&first, v), look(&second, v));
		for (bits = _mm512_test_epi8_mask(any, any); bits; bits &= bits - 1)
			to[found++] = from + (uint32_t)i + (uint32_t)__builtin_ctzll(bits);
	}
	return found;
}

#endif
