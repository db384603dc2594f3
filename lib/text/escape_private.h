/* The bodies of lib/text/escape.h, one for each kind of CPU; escape.c chooses. */
#pragma once

#include "lib/text/escape.h"

#if defined(__x86_64__)
sq_escape_fn sq_escape_avx512;
sq_escape_fn sq_escape_avx2;
#elif defined(__aarch64__) && defined(__ARM_NEON)
sq_escape_fn sq_escape_neon;
#endif
sq_escape_fn sq_escape_plain;

/** One block of a body that knows where the quotes and backslashes are: `n` bytes of `block`, which
 *  is readable for twice its `width`, with a backslash before each bit of `marks`. */
static inline __attribute__((always_inline)) size_t sq_escape_block(char *to, const char *block,
                                                                    size_t n, uint64_t marks,
                                                                    size_t width)
{
	size_t at = 0, len = 0;

	for (; marks; marks &= marks - 1) {
		size_t mark = (size_t)__builtin_ctzll(marks);

		memcpy(to + len, block + at, width);
		len += mark - at;
		to[len++] = '\\';
		at = mark;
	}
	memcpy(to + len, block + at, width);
	return len + n - at;
}
