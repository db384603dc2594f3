#include "lib/base/sv.h"

bool sq_sv_ieq(struct sq_sv a, struct sq_sv b)
{
	return a.n == b.n && sq_sv_istarts(a, b);
}

bool sq_sv_istarts(struct sq_sv v, struct sq_sv with)
{
	if (v.n < with.n)
		return false;
	for (size_t i = 0; i < with.n; i++) {
		if (sq_lower((unsigned char)v.p[i]) != sq_lower((unsigned char)with.p[i]))
			return false;
	}
	return true;
}

bool sq_sv_iends(struct sq_sv v, struct sq_sv with)
{
	return v.n >= with.n && sq_sv_istarts(sq_sv_skip(v, v.n - with.n), with);
}

int sq_sv_cmp(struct sq_sv a, struct sq_sv b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n ? memcmp(a.p, b.p, n) : 0;

	if (r)
		return r;
	return a.n < b.n ? -1 : a.n > b.n;
}

struct sq_sv sq_sv_trim(struct sq_sv v)
{
	while (v.n && sq_is_space(v.p[0]))
		v = sq_sv_skip(v, 1);
	while (v.n && sq_is_space(v.p[v.n - 1]))
		v.n--;
	return v;
}

size_t sq_sv_find(struct sq_sv v, struct sq_sv what)
{
	const char *at;

	if (what.n == 0)
		return 0;
	if (v.n == 0)
		return SIZE_MAX;
	at = memmem(v.p, v.n, what.p, what.n);
	return at ? (size_t)(at - v.p) : SIZE_MAX;
}

size_t sq_sv_ifind(struct sq_sv v, struct sq_sv what)
{
	for (size_t i = 0; i + what.n <= v.n; i++) {
		if (sq_sv_istarts(sq_sv_skip(v, i), what))
			return i;
	}
	return SIZE_MAX;
}

size_t sq_sv_chr(struct sq_sv v, char c)
{
	const char *at = v.n ? memchr(v.p, c, v.n) : NULL;

	return at ? (size_t)(at - v.p) : SIZE_MAX;
}

struct sq_sv sq_sv_cut(struct sq_sv *v, char sep)
{
	size_t at = sq_sv_chr(*v, sep);
	struct sq_sv head = sq_sv_first(*v, at);

	*v = at == SIZE_MAX ? (struct sq_sv){ v->p + v->n, 0 } : sq_sv_skip(*v, at + 1);
	return head;
}

bool sq_sv_to_i64(struct sq_sv v, int64_t *ret)
{
	bool minus = v.n && v.p[0] == '-';
	uint64_t u = 0;

	if (minus)
		v = sq_sv_skip(v, 1);
	if (v.n == 0)
		return false;
	for (size_t i = 0; i < v.n; i++) {
		unsigned d = (unsigned)(v.p[i] - '0');

		if (d > 9 || __builtin_mul_overflow(u, 10, &u) || __builtin_add_overflow(u, d, &u))
			return false;
	}
	if (u > (uint64_t)INT64_MAX + minus)
		return false;
	*ret = minus ? (int64_t)(0 - u) : (int64_t)u;
	return true;
}

static int hex_digit(char c)
{
	if (sq_is_digit(c))
		return c - '0';
	c = (char)sq_lower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool sq_sv_to_u64(struct sq_sv v, uint64_t *ret)
{
	uint64_t base = 10, u = 0;

	if (sq_sv_istarts(v, SQ_SV("0x"))) {
		base = 16;
		v = sq_sv_skip(v, 2);
	}
	if (v.n == 0)
		return false;
	for (size_t i = 0; i < v.n; i++) {
		int d = hex_digit(v.p[i]);

		if (d < 0 || (uint64_t)d >= base || __builtin_mul_overflow(u, base, &u) ||
		    __builtin_add_overflow(u, (uint64_t)d, &u))
			return false;
	}
	*ret = u;
	return true;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	__extension__ typedef unsigned __int128 u128;
	u128 m = (u128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static uint64_t load(const char *p, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return v;
}

uint64_t sq_sv_hash(struct sq_sv v)
{
	uint64_t h = 0x9e3779b97f4a7c15u ^ v.n;

	for (; v.n >= 8; v = sq_sv_skip(v, 8))
		h = mix(h ^ load(v.p, 8), 0xa0761d6478bd642fu);
	if (v.n)
		h = mix(h ^ load(v.p, v.n), 0xe7037ed1a0b428dbu);
	return mix(h, 0x8ebc6af09c88c6e3u);
}

enum { DISTANCE_MAX = 63 };

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

unsigned sq_sv_distance(struct sq_sv a, struct sq_sv b)
{
	/* Damerau-Levenshtein (optimal string alignment): three rows of the table are enough. */
	unsigned rows[3][DISTANCE_MAX + 1];
	unsigned *before = rows[0], *prev = rows[1], *cur = rows[2];

	a = sq_sv_first(a, DISTANCE_MAX);
	b = sq_sv_first(b, DISTANCE_MAX);
	for (size_t j = 0; j <= b.n; j++)
		prev[j] = (unsigned)j;
	for (size_t i = 1; i <= a.n; i++) {
		unsigned *swap = before;
		unsigned char x = sq_lower((unsigned char)a.p[i - 1]);

		cur[0] = (unsigned)i;
		for (size_t j = 1; j <= b.n; j++) {
			unsigned char y = sq_lower((unsigned char)b.p[j - 1]);

			cur[j] = min3(prev[j] + 1, cur[j - 1] + 1, prev[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == sq_lower((unsigned char)b.p[j - 2]) &&
			    y == sq_lower((unsigned char)a.p[i - 2]) && before[j - 2] + 1 < cur[j])
				cur[j] = before[j - 2] + 1;
		}
		before = prev;
		prev = cur;
		cur = swap;
	}
	return prev[b.n];
}
