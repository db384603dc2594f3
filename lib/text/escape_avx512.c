/* 32 bytes at a time: each is made two, a backslash and itself, and of the backslashes those that
 * nothing asks for are pressed out (vpcompressb). No branch depends on where the quotes are. */
#include "lib/text/escape_private.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define BODY __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,bmi,bmi2,popcnt")))

struct signs {
	__m256i quote, slash, blank;
};

/* The bytes of `v`, of which `marks` are quotes and backslashes, as they are to be written. */
BODY static inline void put(char *to, __m256i v, uint32_t marks)
{
	__m512i pairs = _mm512_or_si512(_mm512_slli_epi16(_mm512_cvtepu8_epi16(v), 8),
	                                _mm512_set1_epi16('\\'));
	uint64_t keep = _pdep_u64(marks, 0x5555555555555555u) | 0xaaaaaaaaaaaaaaaau;

	_mm512_storeu_si512(to, _mm512_maskz_compress_epi8(keep, pairs));
}

BODY static inline uint32_t marks_of(const struct signs *s, __m256i v)
{
	return _mm256_cmpeq_epi8_mask(v, s->quote) | _mm256_cmpeq_epi8_mask(v, s->slash);
}

BODY size_t sq_escape_avx512(char *to, struct sq_sv from, size_t *ret_n)
{
	const struct signs s = { _mm256_set1_epi8('"'), _mm256_set1_epi8('\\'),
		                 _mm256_set1_epi8(' ') };
	size_t i = 0, len = 0;

	/* Where the next block begins must not wait for what stands in this one: that would be a
	 * chain of 30 cycles for each. So blocks are whole, and one that is odd ends it. */
	for (; from.n - i >= 32; i += 32) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(from.p + i));
		uint32_t marks = marks_of(&s, v);

		/* As signed numbers, what is not ASCII is below ' ' too. */
		if (__builtin_expect(_mm256_cmplt_epi8_mask(v, s.blank) != 0, 0))
			break;
		put(to + len, v, marks);
		len += 32 + (size_t)__builtin_popcount(marks);
	}
	if (i < from.n) {
		uint32_t n = from.n - i < 32 ? (uint32_t)(from.n - i) : 32, marks, other;
		__mmask32 there = _bzhi_u32(UINT32_MAX, n);
		__m256i v = _mm256_maskz_loadu_epi8(there, from.p + i);

		other = _mm256_mask_cmplt_epi8_mask(there, v, s.blank);
		if (other)
			n = (uint32_t)__builtin_ctz(other);
		marks = _bzhi_u32(marks_of(&s, v), n);
		put(to + len, v, marks);
		len += n + (size_t)__builtin_popcount(marks);
		i += n;
	}
	*ret_n = len;
	return i;
}

#endif
