/* Finds the places in a text where one of many pieces of four bytes may stand, letters of ASCII in
 * either case, wherever they begin.
 *
 * Pure. A Bloom filter that lives in registers. The four bytes of each place are mixed down to two
 * (linear maps over bits: gf2p8affineqb makes one of 64 bytes), from those come five indices into
 * tables of 128 entries (vpermi2b looks up 64) and one of eight buckets; a place is found when all
 * five entries allow its bucket. Pieces lie in one or, beside many, two sets of such tables. So the
 * cost of a byte does not depend on how many pieces there are, only how often a place is found that
 * is none: of 400 pieces at one place of 100, of 1200 at one of 24. What stands there is never
 * missed.
 *
 * Only for CPUs with AVX-512 VBMI and GFNI is it any quicker than looking up each place in turn.
 */
#pragma once

#include "lib/base/sv.h"

enum {
	SQ_GRAM = 4,         /* bytes of a piece */
	SQ_GRAMS_MAX = 1400, /* pieces; of more too many places would be found */
	SQ_GRAMS_SETS = 2,
	SQ_GRAMS_TABLES = 5,
	SQ_GRAMS_WINDOW = 4096,               /* bytes that one call looks at, at most */
	SQ_GRAMS_ROOM = SQ_GRAMS_WINDOW + 64, /* places that one call may write */
};

/** All zero to begin with; add, then constant: any thread. */
struct sq_grams {
	uint32_t n, sets;
	uint8_t allowed[SQ_GRAMS_SETS][SQ_GRAMS_TABLES][128]; /* bit by bucket */
};

/** Does this CPU look quickly enough for it to be of use? */
bool sq_grams_are_quick(void);

/** `total`: how many will be added in all, the same with each. */
void sq_grams_add(struct sq_grams *g, const char *gram, uint32_t total);

/** May one of the pieces stand at `p`, of which four bytes may be read? */
bool sq_grams_at(const struct sq_grams *g, const char *p);

/**
 * Look at the next window of `text`, from `*at` on, which moves; not when it is at the end.
 *
 * @param to  room for SQ_GRAMS_ROOM places; more than are found may be written over
 * @return how many places were found, ascending: those that sq_grams_at() allows
 */
uint32_t sq_grams_next(const struct sq_grams *g, struct sq_sv text, size_t *at, uint32_t *to);

/** What does the looking: `n` bytes, a multiple of 64, of which SQ_GRAM - 1 more may be read;
 *  places are written as offsets from `from`. */
typedef uint32_t sq_grams_fn(const struct sq_grams *g, const char *p, size_t n, uint32_t from,
                             uint32_t *to);

struct sq_grams_body {
	const char *name; /* "avx512", "plain" */
	sq_grams_fn *find;
	bool (*runs)(void); /* on this CPU */
};

/** All bodies that were compiled in, the best first; the last runs everywhere. */
extern const struct sq_grams_body sq_grams_bodies[];
extern const size_t sq_grams_bodies_n;

/** As sq_grams_next(), by a given body; for tests. */
uint32_t sq_grams_next_by(const struct sq_grams_body *body, const struct sq_grams *g,
                          struct sq_sv text, size_t *at, uint32_t *to);
