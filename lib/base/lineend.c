#include "lib/base/lineend.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* A byte is LF or NUL when the lesser of itself and itself XOR LF is zero: so a whole row of
 * vectors is asked by one comparison, of the least of all of them. */

enum { WINDOW = 4096 }; /* bytes; searched twice, so they should stay in the cache */

/* memchr() knows its CPU. In windows, so that a buffer full of records that end in NUL is not
 * searched to its far end for an LF at each of them. */
static size_t find_plain(struct sq_sv v)
{
	for (size_t at = 0; at < v.n; at += WINDOW) {
		struct sq_sv w = sq_sv_first(sq_sv_skip(v, at), WINDOW);
		size_t lf = sq_sv_chr(w, '\n');
		size_t nul = sq_sv_chr(sq_sv_first(w, lf), '\0');

		if (lf != SIZE_MAX || nul != SIZE_MAX)
			return at + (nul != SIZE_MAX ? nul : lf);
	}
	return SIZE_MAX;
}

static bool always(void)
{
	return true;
}

#if defined(__x86_64__)

#define AVX2   __attribute__((target("avx2,bmi")))
#define AVX512 __attribute__((target("avx512f,avx512bw,bmi")))

AVX2 static inline __m256i least_avx2(const char *p)
{
	__m256i b = _mm256_loadu_si256((const __m256i *)(const void *)p);

	return _mm256_min_epu8(b, _mm256_xor_si256(b, _mm256_set1_epi8('\n')));
}

AVX2 static inline uint32_t zeros_avx2(__m256i least)
{
	return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(least, _mm256_setzero_si256()));
}

/* Less than a vector. */
AVX2 static size_t find_few_avx2(struct sq_sv v)
{
	char copy[32];
	uint32_t marks;

	memset(copy, 'x', sizeof(copy));
	memcpy(copy, v.p, v.n);
	marks = zeros_avx2(least_avx2(copy));
	return marks ? _tzcnt_u32(marks) : SIZE_MAX;
}

AVX2 static size_t find_avx2(struct sq_sv v)
{
	size_t at = 0;

	if (v.n < 32)
		return v.n ? find_few_avx2(v) : SIZE_MAX;
	for (; v.n - at >= 128; at += 128) {
		__m256i a = least_avx2(v.p + at), b = least_avx2(v.p + at + 32);
		__m256i c = least_avx2(v.p + at + 64), d = least_avx2(v.p + at + 96);

		if (zeros_avx2(_mm256_min_epu8(_mm256_min_epu8(a, b), _mm256_min_epu8(c, d))))
			break;
	}
	for (; v.n - at >= 32; at += 32) {
		uint32_t marks = zeros_avx2(least_avx2(v.p + at));

		if (marks)
			return at + _tzcnt_u32(marks);
	}
	if (at < v.n) { /* the last vector overlaps what was looked at */
		uint32_t marks = zeros_avx2(least_avx2(v.p + v.n - 32));

		if (marks)
			return v.n - 32 + _tzcnt_u32(marks);
	}
	return SIZE_MAX;
}

AVX512 static inline __m512i least_avx512(__m512i b)
{
	return _mm512_min_epu8(b, _mm512_xor_si512(b, _mm512_set1_epi8('\n')));
}

AVX512 static inline __m512i load_avx512(const char *p)
{
	return least_avx512(_mm512_loadu_si512(p));
}

AVX512 static inline uint64_t zeros_avx512(__m512i least)
{
	return _mm512_testn_epi8_mask(least, least);
}

AVX512 static size_t find_avx512(struct sq_sv v)
{
	uint64_t marks, there;
	size_t at = 0;

	for (; v.n - at >= 256; at += 256) {
		__m512i a = load_avx512(v.p + at), b = load_avx512(v.p + at + 64);
		__m512i c = load_avx512(v.p + at + 128), d = load_avx512(v.p + at + 192);

		if (zeros_avx512(_mm512_min_epu8(_mm512_min_epu8(a, b), _mm512_min_epu8(c, d))))
			break;
	}
	for (; v.n - at >= 64; at += 64) {
		marks = zeros_avx512(load_avx512(v.p + at));
		if (marks)
			return at + _tzcnt_u64(marks);
	}
	if (at == v.n)
		return SIZE_MAX;
	there = ~UINT64_C(0) >> (64 - (v.n - at));
	marks = there & zeros_avx512(least_avx512(_mm512_maskz_loadu_epi8(there, v.p + at)));
	return marks ? at + _tzcnt_u64(marks) : SIZE_MAX;
}

static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("bmi");
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}
#endif

const struct sq_line_end_body sq_line_end_bodies[] = {
#if defined(__x86_64__)
	{ "avx512", find_avx512, has_avx512 },
	{ "avx2", find_avx2, has_avx2 },
#endif
	{ "plain", find_plain, always },
};

const size_t sq_line_end_bodies_n = SQ_LEN(sq_line_end_bodies);

size_t sq_line_end(struct sq_sv v)
{
#if defined(__x86_64__)
	if (SQ_LIKELY(has_avx512()))
		return find_avx512(v);
	if (has_avx2())
		return find_avx2(v);
#endif
	return find_plain(v);
}
