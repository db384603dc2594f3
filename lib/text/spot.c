#include "lib/text/spot_private.h"

static bool always(void)
{
	return true;
}

#if defined(__x86_64__)
static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
	       __builtin_cpu_supports("bmi");
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}
#endif

const struct sq_spot_body sq_spot_bodies[] = {
#if defined(__x86_64__)
	{ "avx512", sq_spot_avx512, has_avx512 },
	{ "avx2", sq_spot_avx2, has_avx2 },
#endif
	{ "plain", sq_spot_plain, always },
};

const size_t sq_spot_bodies_n = SQ_LEN(sq_spot_bodies);

/* The bytes that a bucket finds wherever they stand, when it is such a bucket. */
static bool is_of_singles(const struct sq_spot *s, unsigned bucket)
{
	bool any = false;

	for (unsigned c = 0; c < 256; c++) {
		any |= s->allowed[0][c] >> bucket & 1;
		for (unsigned i = 1; i < SQ_SPOT_WIDTH; i++)
			if (!(s->allowed[i][c] >> bucket & 1))
				return false;
	}
	return any;
}

/* @return false: they are too many */
static bool add_singles(struct sq_spot *s, unsigned bucket)
{
	unsigned n = 0;

	while (n < SQ_LEN(s->singles) && s->singles[n])
		n++;
	for (unsigned c = 0; c < 256; c++) {
		if (!(s->allowed[0][c] >> bucket & 1))
			continue;
		if (c < 0x20 || c >= 0x80)
			s->wild = true;
		else if (n == SQ_LEN(s->singles))
			return false;
		else
			s->singles[n++] = (uint8_t)c;
	}
	return true;
}

void sq_spot_ready(struct sq_spot *s)
{
	uint16_t nibbles = UINT16_MAX; /* buckets that are in their tables */

	memset(s->singles, 0, sizeof(s->singles));
	s->wild = false;
	for (unsigned b = 0; b < SQ_SPOT_BUCKETS; b++)
		if (is_of_singles(s, b) && add_singles(s, b))
			nibbles &= (uint16_t) ~(1u << b);
	s->narrow = true;
	memset(s->low, 0, sizeof(s->low));
	memset(s->high, 0, sizeof(s->high));
	memset(s->ascii, 0, sizeof(s->ascii));
	for (unsigned c = 0; c < 256; c++)
		s->narrow &= (uint8_t)s->allowed[SQ_SPOT_WIDTH - 1][c] == UINT8_MAX;
	for (unsigned half = 0; half < 2; half++) {
		for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++) {
			for (unsigned c = 0; c < 256; c++) {
				uint8_t set = (uint8_t)(s->allowed[i][c] >> 8 * half);
				uint8_t in = set & (uint8_t)(nibbles >> 8 * half);

				s->low[half][i][c & 15] |= in;
				s->high[half][i][c >> 4] |= in;
				s->ascii[half][i][c < 127 ? c : 127] |= set;
			}
		}
	}
}

/* The last bytes, with NUL behind them. */
static uint32_t find_tail(const struct sq_spot_body *body, const struct sq_spot *s,
                          struct sq_sv text, size_t at, uint32_t *to)
{
	char copy[SQ_SPOT_BLOCK + SQ_SPOT_WIDTH + SQ_SPOT_BLOCK] = { 0 };
	size_t n = text.n - at;
	uint32_t found;

	memcpy(copy, text.p + at, n);
	found = body->find(s, copy, (n + SQ_SPOT_BLOCK - 1) / SQ_SPOT_BLOCK * SQ_SPOT_BLOCK,
	                   (uint32_t)at, to);
	while (found && to[found - 1] >= text.n)
		found--;
	return found;
}

uint32_t sq_spot_next_by(const struct sq_spot_body *body, const struct sq_spot *s,
                         struct sq_sv text, size_t *at, uint32_t *to)
{
	size_t from = *at, n = text.n - from;

	sq_assert(text.n < UINT32_MAX);
	if (n < SQ_SPOT_BLOCK + SQ_SPOT_WIDTH) {
		*at = text.n;
		return find_tail(body, s, text, from, to);
	}
	n = (n - SQ_SPOT_WIDTH) / SQ_SPOT_BLOCK * SQ_SPOT_BLOCK;
	if (n > SQ_SPOT_WINDOW)
		n = SQ_SPOT_WINDOW;
	*at = from + n;
	return body->find(s, text.p + from, n, (uint32_t)from, to);
}

uint32_t sq_spot_next(const struct sq_spot *s, struct sq_sv text, size_t *at, uint32_t *to)
{
	const struct sq_spot_body *body = sq_spot_bodies;

	while (!body->runs())
		body++;
	return sq_spot_next_by(body, s, text, at, to);
}
