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
BODY static inline __m512i look(const struct tables *t, const __m512i v[SQ_SPOT_WIDTH], bool narrow)
{
	__m512i a = _mm512_permutex2var_epi8(t->low[0], v[0], t->high[0]);
	__m512i b = _mm512_permutex2var_epi8(t->low[1], v[1], t->high[1]);
	__m512i c = _mm512_permutex2var_epi8(t->low[2], v[2], t->high[2]);
	__m512i all = _mm512_ternarylogic_epi64(a, b, c, 0x80);

	if (narrow)
		return all;
	return _mm512_and_si512(all, _mm512_permutex2var_epi8(t->low[3], v[3], t->high[3]));
}

/* Compiled once for each `narrow`, which saves one look-up of eight. */
BODY __attribute__((always_inline)) static inline uint32_t find(const struct sq_spot *s,
                                                                const char *p, size_t n,
                                                                uint32_t from, uint32_t *to,
                                                                bool narrow)
{
	const struct tables first = tables_of(s, 0), second = tables_of(s, 1);
	const __m512i last = _mm512_set1_epi8(127);
	uint64_t found_in[SQ_SPOT_WINDOW / SQ_SPOT_BLOCK + 1];
	uint8_t blocks[SQ_SPOT_WINDOW / SQ_SPOT_BLOCK + 1];
	uint32_t n_blocks = 0, found = 0;

	/* Which blocks have places cannot be foreseen: a branch on it would be taken wrongly. */
	for (size_t i = 0; i < n; i += SQ_SPOT_BLOCK) {
		__m512i v[SQ_SPOT_WIDTH], any;

		for (unsigned k = 0; k < SQ_SPOT_WIDTH; k++)
			v[k] = _mm512_min_epu8(_mm512_loadu_si512(p + i + k), last);
		any = _mm512_or_si512(look(&first, v, narrow), look(&second, v, false));
		found_in[n_blocks] = _mm512_test_epi8_mask(any, any);
		blocks[n_blocks] = (uint8_t)(i / SQ_SPOT_BLOCK);
		n_blocks += found_in[n_blocks] != 0;
	}
	for (uint32_t k = 0; k < n_blocks; k++) {
		uint64_t bits = found_in[k];

		do {
			to[found++] =
				from + blocks[k] * SQ_SPOT_BLOCK + (uint32_t)__builtin_ctzll(bits);
			bits &= bits - 1;
		} while (bits);
	}
	return found;
}

BODY uint32_t sq_spot_avx512(const struct sq_spot *s, const char *p, size_t n, uint32_t from,
                             uint32_t *to)
{
	return s->narrow ? find(s, p, n, from, to, true) : find(s, p, n, from, to, false);
}

#endif
