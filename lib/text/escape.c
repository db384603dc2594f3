#include "lib/text/escape_private.h"

static bool always(void)
{
	return true;
}

#if defined(__x86_64__)
static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi2") &&
	       __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
	       __builtin_cpu_supports("popcnt");
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}
#endif

const struct sq_escape_body sq_escape_bodies[] = {
#if defined(__x86_64__)
	{ "avx512", sq_escape_avx512, has_avx512 },
	{ "avx2", sq_escape_avx2, has_avx2 },
#elif defined(__aarch64__) && defined(__ARM_NEON)
	{ "neon", sq_escape_neon, always },
#endif
	{ "plain", sq_escape_plain, always },
};

const size_t sq_escape_bodies_n = SQ_LEN(sq_escape_bodies);

sq_escape_fn *sq_escape_best(void)
{
	const struct sq_escape_body *b = sq_escape_bodies;

	while (!b->runs())
		b++;
	return b->copy;
}

/* Bit 7 of each of eight bytes that is a control, a quote, a backslash, or not ASCII. A borrow may
 * also mark the byte behind one, so that only the lowest mark means what it says. */
static uint64_t eight(const char *p)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
	uint64_t w, quote, slash;

	memcpy(&w, p, sizeof(w));
	quote = w ^ ones * '"';
	slash = w ^ ones * '\\';
	return ((w - ones * 0x20) | (quote - ones) | (slash - ones) | w) & tops;
}

size_t sq_escape_plain(char *to, struct sq_sv from, size_t *ret_n)
{
	size_t i = 0, len = 0;

	while (i < from.n) {
		char c = from.p[i];

		if (from.n - i >= 8 && !eight(from.p + i)) {
			memcpy(to + len, from.p + i, 8);
			i += 8;
			len += 8;
			continue;
		}
		if ((unsigned char)c < 0x20 || (unsigned char)c >= 0x80)
			break;
		if (c == '"' || c == '\\')
			to[len++] = '\\';
		to[len++] = c;
		i++;
	}
	*ret_n = len;
	return i;
}
