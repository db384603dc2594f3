/* 32 bytes at a time: each is made two, a backslash and itself, and of the backslashes those that
 * nothing asks for are pressed out (vpcompressb). No branch depends on where the quotes are. */
#include "lib/text/escape_private.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define BODY __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,bmi,bmi2,popcnt")))

BODY size_t sq_escape_avx512(char *to, struct sq_sv from, size_t *ret_n)
{
	const __m256i quote = _mm256_set1_epi8('"'), slash = _mm256_set1_epi8('\\');
	const __m256i blank = _mm256_set1_epi8(' ');
	size_t i = 0, len = 0;

	while (i < from.n) {
		uint32_t n = from.n - i < 32 ? (uint32_t)(from.n - i) : 32, marks, other;
		__mmask32 there = _bzhi_u32(UINT32_MAX, n);
		__m256i v = _mm256_maskz_loadu_epi8(there, from.p + i);
		__m512i pairs;
		uint64_t keep;

		/* As signed numbers, what is not ASCII is below ' ' too. */
		other = _mm256_mask_cmplt_epi8_mask(there, v, blank);
		if (other)
			n = (uint32_t)__builtin_ctz(other);
		marks = _mm256_cmpeq_epi8_mask(v, quote) | _mm256_cmpeq_epi8_mask(v, slash);
		marks = _bzhi_u32(marks, n);
		pairs = _mm512_or_si512(_mm512_slli_epi16(_mm512_cvtepu8_epi16(v), 8),
		                        _mm512_set1_epi16('\\'));
		keep = _pdep_u64(marks, 0x5555555555555555u) | 0xaaaaaaaaaaaaaaaau;
		_mm512_storeu_si512(to + len, _mm512_maskz_compress_epi8(keep, pairs));
		len += n + (size_t)__builtin_popcount(marks);
		i += n;
		if (other)
			break;
	}
	*ret_n = len;
	return i;
}

#endif
