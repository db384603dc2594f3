#include "lib/text/bits_private.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define BODY __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,bmi,bmi2,popcnt,pclmul")))
#define WHOLE
#define NEXT sq_bits_avx512

typedef __m512i block_t;

static inline BODY block_t load(const char *p)
{
	return _mm512_loadu_si512(p);
}

static inline BODY block_t load_part(const char *p, size_t n)
{
	return _mm512_mask_loadu_epi8(_mm512_set1_epi8(' '), _bzhi_u64(UINT64_MAX, (unsigned)n), p);
}

typedef __m512i least_t;

#define LEAST _mm512_set1_epi8(' ')

static inline BODY least_t lesser(least_t l, block_t b)
{
	return _mm512_min_epu8(l, b);
}

static inline BODY bool is_low(least_t l)
{
	return _mm512_cmplt_epu8_mask(l, _mm512_set1_epi8(' ')) != 0;
}

static inline BODY uint64_t is(block_t b, char c)
{
	return _mm512_cmpeq_epi8_mask(b, _mm512_set1_epi8(c));
}

static inline BODY uint64_t at_most(block_t b, char c)
{
	return _mm512_cmple_epu8_mask(b, _mm512_set1_epi8(c));
}

/* By the low half of each byte, what byte it would have to be with bit 5 set; no byte is 0x80. */
static inline BODY uint64_t is_mark(block_t b)
{
	const __m512i want =
		_mm512_broadcast_i32x4(_mm_setr_epi8(-128, -128, -128, -128, -128, -128, -128, -128,
	                                             -128, -128, ':', '{', ',', '}', 0, 0));
	__m512i low = _mm512_or_si512(b, _mm512_set1_epi8(0x20));

	return _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(want, b), low);
}

/* A bit for each high half, allowed with some low halves. */
static inline BODY uint64_t escapable(block_t b)
{
	const __m512i low = _mm512_broadcast_i32x4(
		_mm_setr_epi8(0, 0, 2 | 4, 0, 4, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 1));
	const __m512i high = _mm512_broadcast_i32x4(
		_mm_setr_epi8(0, 0, 1, 0, 0, 0, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0));
	__m512i up = _mm512_and_si512(_mm512_srli_epi16(b, 4), _mm512_set1_epi8(15));

	return _mm512_test_epi8_mask(_mm512_shuffle_epi8(low, b), _mm512_shuffle_epi8(high, up));
}

static inline BODY uint64_t prefix_xor(uint64_t bits)
{
	return (uint64_t)_mm_cvtsi128_si64(
		_mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)bits), _mm_set1_epi8(-1), 0));
}

static inline BODY __m512i wide(__m128i numbers, __m512i base)
{
	return _mm512_add_epi32(_mm512_cvtepu8_epi32(numbers), base);
}

static inline BODY uint32_t put(uint32_t *to, uint64_t bits, uint32_t at)
{
	const __m512i numbers =
		_mm512_set_epi8(63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47,
	                        46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30,
	                        29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13,
	                        12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
	__m512i set = _mm512_maskz_compress_epi8(bits, numbers);
	__m512i base = _mm512_set1_epi32((int)at);
	uint32_t n = (uint32_t)_mm_popcnt_u64(bits);

	_mm512_storeu_si512(to, wide(_mm512_castsi512_si128(set), base));
	if (SQ_UNLIKELY(n > 16)) {
		_mm512_storeu_si512(to + 16, wide(_mm512_extracti32x4_epi32(set, 1), base));
		_mm512_storeu_si512(to + 32, wide(_mm512_extracti32x4_epi32(set, 2), base));
		_mm512_storeu_si512(to + 48, wide(_mm512_extracti32x4_epi32(set, 3), base));
	}
	return n;
}

#include "lib/text/bits_body.inc"
#endif
