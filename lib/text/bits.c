#include "lib/text/bits_private.h"

static bool always(void)
{
	return true;
}

#if defined(__x86_64__)
static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx2") &&
	       __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt") &&
	       __builtin_cpu_supports("pclmul");
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt") &&
	       __builtin_cpu_supports("pclmul");
}
#endif

const struct sq_bits_body sq_bits_bodies[] = {
#if defined(__x86_64__)
	{ "avx512", sq_bits_avx512, has_avx512, true },
	{ "avx2", sq_bits_avx2, has_avx2, true },
	{ "sse2", sq_bits_sse2, always, false },
#elif defined(__aarch64__) && defined(__ARM_NEON)
	{ "neon", sq_bits_neon, always, false },
#endif
	{ "plain", sq_bits_plain, always, false },
};

const size_t sq_bits_bodies_n = SQ_LEN(sq_bits_bodies);

const struct sq_bits_body *sq_bits_best(void)
{
	const struct sq_bits_body *b = sq_bits_bodies;

	while (!b->runs())
		b++;
	return b;
}
