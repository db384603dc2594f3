#include "lib/text/grams_private.h"

const uint64_t sq_grams_first[SQ_GRAM] = { 0x990fdac69a5acd4c, 0x1b9ec6cb9d895281,
	                                   0xd2508b05c3101305, 0x8fdd5412d90a14c6 };
const uint64_t sq_grams_then[SQ_GRAMS_TABLES - 1] = { 0x947abafc34fa9643, 0xb87821080bc6a13f,
	                                              0xa7f0fd3fbac816d1, 0x26964f30e2996083 };
const uint64_t sq_grams_bucket[2] = { 0x98b8730000000000, 0x56802a0000000000 };

/* ---- one place --------------------------------------------------------------------------- */

static uint8_t map(uint64_t by, uint8_t byte)
{
	unsigned r = 0;

	for (unsigned i = 0; i < 8; i++) {
		unsigned bits = (unsigned)(by >> 8 * (7 - i)) & byte;

		r |= (unsigned)__builtin_parity(bits) << i;
	}
	return (uint8_t)r;
}

/* Where a piece is noted: in each table, and which bit. */
struct spots {
	uint8_t at[SQ_GRAMS_TABLES];
	uint8_t bit;
};

static struct spots spots_of(const char *gram)
{
	const uint64_t *first = sq_grams_first, *then = sq_grams_then, *bucket = sq_grams_bucket;
	uint8_t g[SQ_GRAM], p, q;

	memcpy(g, gram, SQ_GRAM);
	p = map(first[0], g[0]) ^ map(first[1], g[1]);
	q = map(first[2], g[2]) ^ map(first[3], g[3]);
	return (struct spots){
		.at = { (p ^ q) & 127, (map(then[0], p) ^ q) & 127, (p ^ map(then[1], q)) & 127,
		        (map(then[2], p) ^ q) & 127, (p ^ map(then[3], q)) & 127 },
		.bit = (uint8_t)(1u << (map(bucket[0], p) ^ map(bucket[1], q))),
	};
}

void sq_grams_add(struct sq_grams *g, const char *gram, uint32_t total)
{
	struct spots s = spots_of(gram);

	g->sets = total > SQ_GRAMS_FEW ? SQ_GRAMS_SETS : 1;
	for (unsigned k = 0; k < SQ_GRAMS_TABLES; k++)
		g->allowed[g->n % g->sets][k][s.at[k]] |= s.bit;
	g->n++;
}

bool sq_grams_at(const struct sq_grams *g, const char *p)
{
	struct spots s = spots_of(p);

	for (uint32_t i = 0; i < g->sets; i++) {
		unsigned all = s.bit;

		for (unsigned k = 0; k < SQ_GRAMS_TABLES; k++)
			all &= g->allowed[i][k][s.at[k]];
		if (all)
			return true;
	}
	return false;
}

/* ---- bodies ------------------------------------------------------------------------------ */

static bool always(void)
{
	return true;
}

static uint32_t find_plain(const struct sq_grams *g, const char *p, size_t n, uint32_t from,
                           uint32_t *to)
{
	uint32_t found = 0;

	for (size_t i = 0; i < n; i++)
		if (sq_grams_at(g, p + i))
			to[found++] = from + (uint32_t)i;
	return found;
}

#if defined(__x86_64__)
static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
	       __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("gfni") &&
	       __builtin_cpu_supports("popcnt");
}
#endif

const struct sq_grams_body sq_grams_bodies[] = {
#if defined(__x86_64__)
	{ "avx512", sq_grams_avx512, has_avx512 },
#endif
	{ "plain", find_plain, always },
};

const size_t sq_grams_bodies_n = SQ_LEN(sq_grams_bodies);

static const struct sq_grams_body *best(void)
{
	const struct sq_grams_body *body = sq_grams_bodies;

	while (!body->runs())
		body++;
	return body;
}

bool sq_grams_are_quick(void)
{
	return best()->find != find_plain;
}

/* ---- a text ------------------------------------------------------------------------------ */

/* The last bytes, with NUL behind them. */
static uint32_t find_tail(const struct sq_grams_body *body, const struct sq_grams *g,
                          struct sq_sv text, size_t at, uint32_t *to)
{
	char copy[3 * SQ_GRAMS_BLOCK] = { 0 };
	size_t n = text.n - at;
	uint32_t found;

	memcpy(copy, text.p + at, n);
	found = body->find(g, copy, (n + SQ_GRAMS_BLOCK - 1) / SQ_GRAMS_BLOCK * SQ_GRAMS_BLOCK,
	                   (uint32_t)at, to);
	while (found && to[found - 1] + SQ_GRAM > text.n)
		found--;
	return found;
}

uint32_t sq_grams_next_by(const struct sq_grams_body *body, const struct sq_grams *g,
                          struct sq_sv text, size_t *at, uint32_t *to)
{
	size_t from = *at, n = text.n - from;

	sq_assert(text.n < UINT32_MAX - SQ_GRAM);
	if (n < SQ_GRAMS_BLOCK + SQ_GRAM) {
		*at = text.n;
		return find_tail(body, g, text, from, to);
	}
	n = (n - SQ_GRAM) / SQ_GRAMS_BLOCK * SQ_GRAMS_BLOCK;
	if (n > SQ_GRAMS_WINDOW)
		n = SQ_GRAMS_WINDOW;
	*at = from + n;
	return body->find(g, text.p + from, n, (uint32_t)from, to);
}

uint32_t sq_grams_next(const struct sq_grams *g, struct sq_sv text, size_t *at, uint32_t *to)
{
	return sq_grams_next_by(best(), g, text, at, to);
}
