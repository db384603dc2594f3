/* The bodies of lib/text/grams.h, and the maps that they share; grams.c chooses. */
#pragma once

#include "lib/text/grams.h"

enum {
	SQ_GRAMS_BLOCK = 64,
	SQ_GRAMS_FEW = 500, /* pieces that lie in one set */
};

/* Linear maps of bytes, as gf2p8affineqb takes them: bit i of what comes out is the parity of the
 * byte that went in and byte 7 - i. Drawn at random; of 60 draws those by which the fewest places
 * were found. */
extern const uint64_t sq_grams_first[SQ_GRAM]; /* bit 5, the case of a letter, is left out */
extern const uint64_t sq_grams_then[SQ_GRAMS_TABLES - 1];
extern const uint64_t sq_grams_bucket[2]; /* to three bits */

#if defined(__x86_64__)
sq_grams_fn sq_grams_avx512;
#endif
