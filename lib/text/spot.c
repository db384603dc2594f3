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
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("popcnt");
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

/* Among characters with the same lower bits it tells those of ASCII apart. */
static uint8_t row_of(unsigned c)
{
	return (uint8_t)(1u << (sq_spot_mixed(c) & 7));
}

static void add_singles(struct sq_spot *s, unsigned bucket)
{
	for (unsigned c = 0; c < 256; c++) {
		if (!(s->allowed[0][c] >> bucket & 1))
			continue;
		if (c < ' ' || c > INT8_MAX)
			s->wild = true;
		else
			s->singles[sq_spot_low(c)] |= row_of(c);
	}
}

static void add_rows(struct sq_spot *s, unsigned bucket)
{
	for (unsigned i = 0; i < SQ_SPOT_ROWS; i++)
		for (unsigned c = 0; c < 256; c++)
			if (s->allowed[i][c] >> bucket & 1)
				s->rows[i][sq_spot_low(c)] |= row_of(c);
}

static void add_mixed(struct sq_spot *s, unsigned half, unsigned i, unsigned c, uint8_t set)
{
	s->low[half][i][sq_spot_low(c)] |= set;
	s->mixed[half][i][sq_spot_mixed(c)] |= set;
}

static void make_nibbles(struct sq_spot *s)
{
	unsigned others = UINT16_MAX;

	memset(s->low, 0, sizeof(s->low));
	memset(s->mixed, 0, sizeof(s->mixed));
	memset(s->rows, 0, sizeof(s->rows));
	memset(s->singles, 0, sizeof(s->singles));
	s->wild = false;
	for (unsigned b = 0; b < SQ_SPOT_BUCKETS; b++) {
		if (is_of_singles(s, b)) {
			add_singles(s, b);
			others &= ~(1u << b);
		}
	}
	if (others >> s->large & 1)
		add_rows(s, s->large);
	others &= ~(1u << s->large);
	for (unsigned half = 0; half < 2; half++)
		for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++)
			for (unsigned c = 0; c < 256; c++)
				add_mixed(s, half, i, c,
				          (uint8_t)((s->allowed[i][c] & others) >> 8 * half));
}

static void make_ascii(struct sq_spot *s)
{
	memset(s->ascii, 0, sizeof(s->ascii));
	s->narrow = true;
	for (unsigned c = 0; c < 256; c++)
		s->narrow &= (uint8_t)s->allowed[SQ_SPOT_WIDTH - 1][c] == UINT8_MAX;
	for (unsigned half = 0; half < 2; half++)
		for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++)
			for (unsigned c = 0; c < 256; c++)
				s->ascii[half][i][c < 127 ? c : 127] |=
					(uint8_t)(s->allowed[i][c] >> 8 * half);
}

void sq_spot_ready(struct sq_spot *s)
{
	make_nibbles(s);
	make_ascii(s);
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
