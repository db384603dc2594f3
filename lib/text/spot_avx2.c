/* Nibbles of 32 bytes at a time, looked up by vpshufb. A set of bytes is then all that mixes the
 * upper halves of some with the lower halves of others, which finds fifty times as many places in
 * Windows events as there are: so each is looked up once more, as a whole, before it is told. */
#include "lib/text/spot_private.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define BODY __attribute__((target("avx2,bmi")))

struct tables {
	__m256i low[SQ_SPOT_WIDTH], high[SQ_SPOT_WIDTH];
};

BODY static inline struct tables tables_of(const struct sq_spot *s, unsigned half)
{
	struct tables t;

	for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++) {
		t.low[i] =
			_mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)s->low[half][i]));
		t.high[i] = _mm256_broadcastsi128_si256(
			_mm_loadu_si128((const void *)s->high[half][i]));
	}
	return t;
}

/* Buckets of one half that may begin at each of 32 bytes. */
BODY static inline __m256i look(const struct tables *t, const char *p)
{
	const __m256i nibble = _mm256_set1_epi8(15);
	__m256i all = _mm256_set1_epi8(-1);

	for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++) {
		__m256i v = _mm256_loadu_si256((const void *)(p + i));
		__m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble);
		__m256i low = _mm256_and_si256(v, nibble);

		all = _mm256_and_si256(all, _mm256_shuffle_epi8(t->low[i], low));
		all = _mm256_and_si256(all, _mm256_shuffle_epi8(t->high[i], high));
	}
	return all;
}

/* 255 where a byte is one of the singles. Signed, control characters and what is not ASCII are less
 * than a blank; without singles nothing is compared with NUL that `wild` would not find. */
BODY static inline __m256i look_for_singles(const struct sq_spot *s, const char *p)
{
	__m256i v = _mm256_loadu_si256((const void *)p);
	__m256i any = _mm256_and_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), v),
	                               _mm256_set1_epi8(s->wild ? -1 : 0));

	for (unsigned i = 0; i < SQ_LEN(s->singles); i++)
		any = _mm256_or_si256(any,
		                      _mm256_cmpeq_epi8(v, _mm256_set1_epi8((char)s->singles[i])));
	return any;
}

BODY uint32_t sq_spot_avx2(const struct sq_spot *s, const char *p, size_t n, uint32_t from,
                           uint32_t *to)
{
	enum { BLOCK = 32, BLOCKS = SQ_SPOT_WINDOW / BLOCK + 2 };
	const struct tables first = tables_of(s, 0), second = tables_of(s, 1);
	uint32_t found_in[BLOCKS], n_blocks = 0, found = 0;
	uint8_t blocks[BLOCKS];

	/* Which blocks have places cannot be foreseen: a branch on it would be taken wrongly. */
	for (size_t i = 0; i < n; i += BLOCK) {
		__m256i any =
			_mm256_or_si256(_mm256_or_si256(look(&first, p + i), look(&second, p + i)),
		                        look_for_singles(s, p + i));
		uint32_t none = (uint32_t)_mm256_movemask_epi8(
			_mm256_cmpeq_epi8(any, _mm256_setzero_si256()));

		found_in[n_blocks] = ~none;
		blocks[n_blocks] = (uint8_t)(i / BLOCK);
		n_blocks += found_in[n_blocks] != 0;
	}
	for (uint32_t k = 0; k < n_blocks; k++) {
		uint32_t bits = found_in[k];

		do {
			uint32_t at = blocks[k] * BLOCK + (uint32_t)__builtin_ctz(bits);

			to[found] = from + at;
			found += sq_spot_is_at(s, p + at);
			bits &= bits - 1;
		} while (bits);
	}
	return found;
}

#endif
