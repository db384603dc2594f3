#include "lib/text/bits_private.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define BODY  __attribute__((target("avx2,bmi,bmi2,popcnt,pclmul")))
#define WHOLE __attribute__((always_inline))
#define NEXT  sq_bits_avx2

typedef struct {
	__m256i v[2];
} block_t;

static inline BODY block_t load(const char *p)
{
	return (block_t){ { _mm256_loadu_si256((const __m256i *)(const void *)p),
		            _mm256_loadu_si256((const __m256i *)(const void *)(p + 32)) } };
}

static inline BODY uint64_t bits_of(__m256i low, __m256i high)
{
	return (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32 |
	       (uint32_t)_mm256_movemask_epi8(low);
}

typedef __m256i least_t;

#define LEAST _mm256_set1_epi8(' ')

static inline BODY least_t lesser(least_t l, block_t b)
{
	return _mm256_min_epu8(l, _mm256_min_epu8(b.v[0], b.v[1]));
}

static inline BODY bool is_low(least_t l)
{
	return _mm256_movemask_epi8(_mm256_cmpeq_epi8(l, _mm256_set1_epi8(' '))) != -1;
}

static inline BODY uint64_t is(block_t b, char c)
{
	__m256i want = _mm256_set1_epi8(c);

	return bits_of(_mm256_cmpeq_epi8(b.v[0], want), _mm256_cmpeq_epi8(b.v[1], want));
}

static inline BODY uint64_t at_most(block_t b, char c)
{
	__m256i most = _mm256_set1_epi8(c);

	return bits_of(_mm256_cmpeq_epi8(_mm256_max_epu8(b.v[0], most), most),
	               _mm256_cmpeq_epi8(_mm256_max_epu8(b.v[1], most), most));
}

static inline BODY __m256i marks(__m256i v)
{
	const __m256i want = _mm256_broadcastsi128_si256(_mm_setr_epi8(-128, -128, -128, -128, -128,
	                                                               -128, -128, -128, -128, -128,
	                                                               ':', '{', ',', '}', 0, 0));

	return _mm256_cmpeq_epi8(_mm256_shuffle_epi8(want, v),
	                         _mm256_or_si256(v, _mm256_set1_epi8(0x20)));
}

static inline BODY uint64_t is_mark(block_t b)
{
	return bits_of(marks(b.v[0]), marks(b.v[1]));
}

/* A bit for each high half, allowed with some low halves. */
static inline BODY __m256i not_escapable(__m256i v)
{
	const __m256i low = _mm256_broadcastsi128_si256(
		_mm_setr_epi8(0, 0, 2 | 4, 0, 4, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 1));
	const __m256i high = _mm256_broadcastsi128_si256(
		_mm_setr_epi8(0, 0, 1, 0, 0, 0, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0));
	__m256i up = _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(15));
	__m256i both = _mm256_and_si256(_mm256_shuffle_epi8(low, v), _mm256_shuffle_epi8(high, up));

	return _mm256_cmpeq_epi8(both, _mm256_setzero_si256());
}

static inline BODY uint64_t escapable(block_t b)
{
	return ~bits_of(not_escapable(b.v[0]), not_escapable(b.v[1]));
}

static inline BODY uint64_t prefix_xor(uint64_t bits)
{
	return (uint64_t)_mm_cvtsi128_si64(
		_mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)bits), _mm_set1_epi8(-1), 0));
}

#define FIRST(bits) ((uint32_t)_tzcnt_u64(bits))
#define COUNT(bits) ((uint32_t)__builtin_popcountll(bits))
#define PUT_FIRST
#define LOAD_PART
#define ESCAPES_BRANCH

#include "lib/text/bits_body.inc"
#endif
