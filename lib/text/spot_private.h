/* The bodies of lib/text/spot.h, one for each kind of CPU; spot.c chooses. */
#pragma once

#include "lib/text/spot.h"

enum { SQ_SPOT_BLOCK = 64 };

#if defined(__x86_64__)
sq_spot_fn sq_spot_avx512;
sq_spot_fn sq_spot_avx2;
#endif
sq_spot_fn sq_spot_plain;
