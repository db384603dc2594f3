/* A set of pieces of four bytes, letters of ASCII in either case, by their hashes: which places of
 * a text may have one?
 *
 * Pure. One bit for each hash, so what is in the set is found always, other pieces by chance. It
 * costs a load for every place, where lib/text/grams.h, which some CPUs have no instructions for,
 * needs none.
 */
#pragma once

#include "lib/base/sv.h"

enum {
	SQ_HASHES_BLOCK = 64,                  /* bytes of a text that are looked up at a time */
	SQ_HASHES_READ = SQ_HASHES_BLOCK + 16, /* bytes that are read for it */
	SQ_HASHES_STEP = 4,                    /* bytes from one piece to the next */
	SQ_HASHES_LOG_MIN = 16,
	SQ_HASHES_LOG_MAX = 20, /* 8 to 128 KiB */
};

/** Knuth's multiplicative hashing: 2^32 divided by the golden ratio. */
#define SQ_HASHES_FACTOR UINT32_C(0x9e3779b1)

/** Init, add, then constant: any thread. */
struct sq_hashes {
	unsigned log; /* bits of a hash */
	uint64_t *bits;
};

/** The piece at `p`, letters in lower case; what else that makes alike has to be told apart later.
 */
static inline uint32_t sq_hashes_piece(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v | 0x20202020;
}

static inline uint32_t sq_hashes_of(uint32_t piece, unsigned log)
{
	return (piece * SQ_HASHES_FACTOR) >> (32 - log);
}

/** Does the set have the hash of the piece at `p`? */
static inline bool sq_hashes_at(const struct sq_hashes *s, const char *p)
{
	uint32_t h = sq_hashes_of(sq_hashes_piece(p), s->log);

	return s->bits[h >> 6] >> (h & 63) & 1;
}

/** With room for so many pieces. @return false: no memory */
bool sq_hashes_init(struct sq_hashes *s, uint32_t pieces);
void sq_hashes_fini(struct sq_hashes *s);

/** @return the hash */
uint32_t sq_hashes_add(struct sq_hashes *s, const char *piece);

/** Bit by place: the same as sq_hashes_at() at each of the first SQ_HASHES_BLOCK bytes from `p` on,
 * of which SQ_HASHES_READ can be read. */
uint64_t sq_hashes_block(const struct sq_hashes *s, const char *p);

/** The same at every SQ_HASHES_STEP-th of those bytes, from the first on. */
uint32_t sq_hashes_steps(const struct sq_hashes *s, const char *p);

/** What does it. */
struct sq_hashes_body {
	const char *name; /* "gather", "plain" */
	uint64_t (*block)(const struct sq_hashes *s, const char *p);
	uint32_t (*steps)(const struct sq_hashes *s, const char *p);
	bool (*runs)(void); /* on this CPU, and quicker than those behind it */
};

/** All bodies that were compiled in, the best first; the last runs everywhere. For tests. */
extern const struct sq_hashes_body sq_hashes_bodies[];
extern const size_t sq_hashes_bodies_n;
