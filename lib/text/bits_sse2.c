#include "lib/text/bits_private.h"

#if defined(__x86_64__)
#include <emmintrin.h>

#define BODY
#define WHOLE __attribute__((always_inline))
#define NEXT  sq_bits_sse2

typedef struct {
	__m128i v[4];
} block_t;

static inline block_t load(const char *p)
{
	const __m128i *from = (const __m128i *)(const void *)p;

	return (block_t){ { _mm_loadu_si128(from), _mm_loadu_si128(from + 1),
		            _mm_loadu_si128(from + 2), _mm_loadu_si128(from + 3) } };
}

static inline uint64_t bits_of(__m128i a, __m128i b, __m128i c, __m128i d)
{
	uint32_t low = (uint32_t)_mm_movemask_epi8(a) | (uint32_t)_mm_movemask_epi8(b) << 16;
	uint32_t high = (uint32_t)_mm_movemask_epi8(c) | (uint32_t)_mm_movemask_epi8(d) << 16;

	return low | (uint64_t)high << 32;
}

typedef __m128i least_t;

#define LEAST _mm_set1_epi8(' ')

static inline least_t lesser(least_t l, block_t b)
{
	return _mm_min_epu8(_mm_min_epu8(l, _mm_min_epu8(b.v[0], b.v[1])),
	                    _mm_min_epu8(b.v[2], b.v[3]));
}

static inline bool is_low(least_t l)
{
	return _mm_movemask_epi8(_mm_cmpeq_epi8(l, _mm_set1_epi8(' '))) != 0xffff;
}

static inline uint64_t is(block_t b, char c)
{
	__m128i want = _mm_set1_epi8(c);

	return bits_of(_mm_cmpeq_epi8(b.v[0], want), _mm_cmpeq_epi8(b.v[1], want),
	               _mm_cmpeq_epi8(b.v[2], want), _mm_cmpeq_epi8(b.v[3], want));
}

static inline uint64_t at_most(block_t b, char c)
{
	__m128i most = _mm_set1_epi8(c);

	return bits_of(_mm_cmpeq_epi8(_mm_max_epu8(b.v[0], most), most),
	               _mm_cmpeq_epi8(_mm_max_epu8(b.v[1], most), most),
	               _mm_cmpeq_epi8(_mm_max_epu8(b.v[2], most), most),
	               _mm_cmpeq_epi8(_mm_max_epu8(b.v[3], most), most));
}

static inline __m128i marks(__m128i v)
{
	__m128i low = _mm_or_si128(v, _mm_set1_epi8(0x20));
	__m128i brackets = _mm_or_si128(_mm_cmpeq_epi8(low, _mm_set1_epi8('{')),
	                                _mm_cmpeq_epi8(low, _mm_set1_epi8('}')));
	__m128i others = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(':')),
	                              _mm_cmpeq_epi8(v, _mm_set1_epi8(',')));

	return _mm_or_si128(brackets, others);
}

static inline uint64_t is_mark(block_t b)
{
	return bits_of(marks(b.v[0]), marks(b.v[1]), marks(b.v[2]), marks(b.v[3]));
}

static inline uint64_t escapable(block_t b)
{
	return is(b, '/') | is(b, 'b') | is(b, 'f') | is(b, 'n') | is(b, 'r') | is(b, 't');
}

static inline uint64_t prefix_xor(uint64_t bits)
{
	for (unsigned by = 1; by < 64; by *= 2)
		bits ^= bits << by;
	return bits;
}

/* No instruction does it on every such CPU. */
static inline uint32_t count(uint64_t bits)
{
	bits -= bits >> 1 & 0x5555555555555555u;
	bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
	bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu;
	return (uint32_t)(bits * 0x0101010101010101u >> 56);
}

#define FIRST(bits) ((uint32_t)__builtin_ctzll((bits) | (uint64_t)1 << 63))
#define COUNT(bits) count(bits)
#define PUT_FIRST
#define LOAD_PART
#define ESCAPES_BRANCH

#include "lib/text/bits_body.inc"
#endif
