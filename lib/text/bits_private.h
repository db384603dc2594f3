/* The bodies of lib/text/bits.h, one for each kind of CPU; bits.c chooses. */
#pragma once

#include "lib/text/bits.h"

#if defined(__x86_64__)
sq_bits_fn sq_bits_avx512;
sq_bits_fn sq_bits_avx2;
sq_bits_fn sq_bits_sse2;
#elif defined(__aarch64__) && defined(__ARM_NEON)
sq_bits_fn sq_bits_neon;
#endif
sq_bits_fn sq_bits_plain;
