#include "lib/text/escape_private.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define BODY __attribute__((target("avx2,bmi")))

enum { WIDTH = 32 };

BODY size_t sq_escape_avx2(char *to, struct sq_sv from, size_t *ret_n)
{
	const __m256i quote = _mm256_set1_epi8('"'), slash = _mm256_set1_epi8('\\');
	const __m256i blank = _mm256_set1_epi8(' ');
	size_t i = 0, len = 0;

	while (i < from.n) {
		size_t left = from.n - i, n = left < WIDTH ? left : WIDTH;
		const char *block = from.p + i;
		char copy[2 * WIDTH];
		uint32_t there = (uint32_t)(UINT64_MAX >> (64 - n)), marks, other;
		__m256i v;

		if (left < 2 * WIDTH) { /* what is read behind it must be ours */
			memcpy(copy, block, n);
			block = copy;
		}
		v = _mm256_loadu_si256((const __m256i *)(const void *)block);
		/* As signed numbers, what is not ASCII is below ' ' too. */
		other = (uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(blank, v)) & there;
		if (other)
			n = (size_t)__builtin_ctz(other);
		marks = (uint32_t)_mm256_movemask_epi8(
			_mm256_or_si256(_mm256_cmpeq_epi8(v, quote), _mm256_cmpeq_epi8(v, slash)));
		marks &= n ? (uint32_t)(UINT64_MAX >> (64 - n)) : 0;
		len += sq_escape_block(to + len, block, n, marks, WIDTH);
		i += n;
		if (other)
			break;
	}
	*ret_n = len;
	return i;
}

#endif
