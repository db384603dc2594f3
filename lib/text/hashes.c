#include "lib/text/hashes.h"

#include <stdlib.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { SPARE = 5 }; /* 32 bits for each piece */

bool sq_hashes_init(struct sq_hashes *s, uint32_t pieces)
{
	s->log = SQ_HASHES_LOG_MIN;
	while (s->log < SQ_HASHES_LOG_MAX && UINT64_C(1) << s->log < (uint64_t)pieces << SPARE)
		s->log++;
	s->bits = calloc((size_t)1 << (s->log - 6), sizeof(*s->bits));
	return s->bits != NULL;
}

void sq_hashes_fini(struct sq_hashes *s)
{
	free(s->bits);
	s->bits = NULL;
}

uint32_t sq_hashes_add(struct sq_hashes *s, const char *piece)
{
	uint32_t h = sq_hashes_of(sq_hashes_piece(piece), s->log);

	s->bits[h >> 6] |= UINT64_C(1) << (h & 63);
	return h;
}

static bool always(void)
{
	return true;
}

static uint64_t block_plain(const struct sq_hashes *s, const char *p)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < SQ_HASHES_BLOCK; i++)
		bits |= (uint64_t)sq_hashes_at(s, p + i) << i;
	return bits;
}

static uint32_t steps_plain(const struct sq_hashes *s, const char *p)
{
	uint32_t bits = 0;

	for (unsigned i = 0; i < SQ_HASHES_BLOCK / SQ_HASHES_STEP; i++)
		bits |= (uint32_t)sq_hashes_at(s, p + i * SQ_HASHES_STEP) << i;
	return bits;
}

#if defined(__x86_64__)
/* Intel's CPUs with AVX2 and without AVX-512 have gathered slowly since the microcode of 2023
 * (Gather Data Sampling). */
static bool gathers_quickly(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_is("amd");
}

enum { PLACES = 8 }; /* that are looked up together */

/* Bit by place: of eight words of the set those in which the bits of eight pieces are. */
__attribute__((target("avx2"))) static inline uint32_t gather(const struct sq_hashes *s,
                                                              __m256i pieces)
{
	const __m256i factor = _mm256_set1_epi32((int)SQ_HASHES_FACTOR),
		      blank = _mm256_set1_epi8(0x20);
	const __m128i spare = _mm_cvtsi32_si128((int)(32 - s->log));
	__m256i products = _mm256_mullo_epi32(_mm256_or_si256(pieces, blank), factor);
	__m256i hashes = _mm256_srl_epi32(products, spare);
	__m256i words =
		_mm256_i32gather_epi32((const void *)s->bits, _mm256_srli_epi32(hashes, 5), 4);
	/* The bit becomes the sign. */
	__m256i up = _mm256_andnot_si256(hashes, _mm256_set1_epi32(31));
	__m256 signs = _mm256_castsi256_ps(_mm256_sllv_epi32(words, up));

	return (uint32_t)_mm256_movemask_ps(signs);
}

__attribute__((target("avx2"))) static uint64_t block_gather(const struct sq_hashes *s,
                                                             const char *p)
{
	const __m256i four = _mm256_setr_epi8(0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6, 4, 5,
	                                      6, 7, 5, 6, 7, 8, 6, 7, 8, 9, 7, 8, 9, 10);
	uint64_t bits = 0;

	for (unsigned i = 0; i < SQ_HASHES_BLOCK; i += PLACES) {
		__m128i bytes = _mm_loadu_si128((const void *)(p + i));
		__m256i twice = _mm256_broadcastsi128_si256(bytes);

		bits |= (uint64_t)gather(s, _mm256_shuffle_epi8(twice, four)) << i;
	}
	return bits;
}

__attribute__((target("avx2"))) static uint32_t steps_gather(const struct sq_hashes *s,
                                                             const char *p)
{
	uint32_t bits = 0;

	for (unsigned i = 0; i < SQ_HASHES_BLOCK / SQ_HASHES_STEP; i += PLACES)
		bits |= gather(s, _mm256_loadu_si256((const void *)(p + i * SQ_HASHES_STEP))) << i;
	return bits;
}
#endif

const struct sq_hashes_body sq_hashes_bodies[] = {
#if defined(__x86_64__)
	{ "gather", block_gather, steps_gather, gathers_quickly },
#endif
	{ "plain", block_plain, steps_plain, always },
};

const size_t sq_hashes_bodies_n = SQ_LEN(sq_hashes_bodies);

static const struct sq_hashes_body *best(void)
{
	const struct sq_hashes_body *body = sq_hashes_bodies;

	while (!body->runs())
		body++;
	return body;
}

uint64_t sq_hashes_block(const struct sq_hashes *s, const char *p)
{
	return best()->block(s, p);
}

uint32_t sq_hashes_steps(const struct sq_hashes *s, const char *p)
{
	return best()->steps(s, p);
}
