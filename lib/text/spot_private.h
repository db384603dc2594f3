/* The bodies of lib/text/spot.h, one for each kind of CPU; spot.c chooses. */
#pragma once

#include "lib/text/spot.h"

enum { SQ_SPOT_BLOCK = 64 };

/* Is there a bucket that allows the bytes from `p` on? */
static inline bool sq_spot_is_at(const struct sq_spot *s, const char *p)
{
	unsigned char c[SQ_SPOT_WIDTH];

	memcpy(c, p, sizeof(c)); /* one load */
	return (s->allowed[0][c[0]] & s->allowed[1][c[1]] & s->allowed[2][c[2]] &
	        s->allowed[3][c[3]]) != 0;
}

#if defined(__x86_64__)
sq_spot_fn sq_spot_avx512;
sq_spot_fn sq_spot_avx2;
#endif
sq_spot_fn sq_spot_plain;
