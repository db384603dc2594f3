/* Finds the places in a text where one of many short windows of bytes may stand.
 *
 * Pure. A window is SQ_SPOT_WIDTH sets of bytes, one behind the other: "a backslash, a u, any two
 * bytes". Windows lie in buckets; a place is found when all of its bytes are allowed, each at its
 * offset, in one and the same bucket. Windows that share a bucket therefore also find mixtures of
 * themselves: who calls looks closer at each place (sq_spot_at() says in which buckets it was
 * found). What stands there is never missed. Bytes behind the end of the text count as NUL.
 *
 * This is the filter of Teddy (Hyperscan's matcher of few literals, by Langdale; described in
 * https://github.com/BurntSushi/aho-corasick/blob/master/src/packed/teddy/README.md), with sets of
 * bytes in place of letters and, where the CPU has AVX-512 VBMI, tables of all ASCII characters in
 * place of nibbles.
 */
#pragma once

#include "lib/base/sv.h"

enum {
	SQ_SPOT_WIDTH = 4,
	SQ_SPOT_BUCKETS = 16,
	SQ_SPOT_ROWS = 3,                   /* bytes of a window that are looked up exactly */
	SQ_SPOT_WINDOW = 4096,              /* bytes that one call looks at, at most */
	SQ_SPOT_ROOM = SQ_SPOT_WINDOW + 64, /* places that one call may write */
};

/** All zero to begin with; allow, make ready, then constant: any thread. */
struct sq_spot {
	uint16_t allowed[SQ_SPOT_WIDTH][256]; /* bit by bucket */
	uint8_t large; /* the bucket whose bytes may be most letters and digits, if there is one */

	/* Made by sq_spot_ready() for the bodies; the first index is the half of the buckets. */
	/* By four bits of a byte: the lower ones, and a mixture (lib/text/spot_avx2.c). Not in them
	 * are the buckets of the two below. */
	uint8_t low[2][SQ_SPOT_WIDTH][16], mixed[2][SQ_SPOT_WIDTH][16];
	/* The first bytes of the large bucket: by the lower bits, the others, bit each. */
	uint8_t rows[SQ_SPOT_ROWS][16];
	/* Bytes that are found wherever they stand: ASCII as in `rows`, and, if `wild`, control
	 * characters and what is not ASCII. */
	uint8_t singles[16];
	bool wild;
	uint8_t ascii[2][SQ_SPOT_WIDTH][128]; /* the last entry stands for all bytes from it on */
	bool narrow; /* no window of the first half cares for its last byte */
};

static inline void sq_spot_allow(struct sq_spot *s, unsigned bucket, unsigned at, unsigned char c)
{
	s->allowed[at][c] |= (uint16_t)(1u << bucket);
}

/** The bits by which a CPU without AVX-512 looks up a byte, four at a time: two bytes of ASCII with
 *  the same ones are the same byte, and few others have either in common with a letter. */
static inline unsigned sq_spot_low(unsigned c)
{
	return c & 15;
}

static inline unsigned sq_spot_mixed(unsigned c)
{
	return (c >> 4 ^ c >> 1) & 15;
}

void sq_spot_ready(struct sq_spot *s);

/** Buckets that allow what stands at `at`, which is less than text.n. */
static inline unsigned sq_spot_at(const struct sq_spot *s, struct sq_sv text, size_t at)
{
	unsigned r = UINT16_MAX;

	for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++) {
		unsigned char c = at + i < text.n ? (unsigned char)text.p[at + i] : 0;

		r &= s->allowed[i][c];
	}
	return r;
}

/**
 * Look at the next window of `text`, from `*at` on, which moves; not when it is at the end.
 *
 * @param to  room for SQ_SPOT_ROOM places; more than are found may be written over
 * @return how many places were found, ascending: those that sq_spot_at() knows, and perhaps some
 * with DEL, which AVX-512 takes for what is not ASCII
 */
uint32_t sq_spot_next(const struct sq_spot *s, struct sq_sv text, size_t *at, uint32_t *to);

/** What does the looking: `n` bytes, a multiple of 64, of which SQ_SPOT_WIDTH - 1 more may be read;
 *  places are written as offsets from `from`. */
typedef uint32_t sq_spot_fn(const struct sq_spot *s, const char *p, size_t n, uint32_t from,
                            uint32_t *to);

struct sq_spot_body {
	const char *name; /* "avx512", "avx2", "plain" */
	sq_spot_fn *find;
	bool (*runs)(void); /* on this CPU */
};

/** All bodies that were compiled in, the best first; the last runs everywhere. */
extern const struct sq_spot_body sq_spot_bodies[];
extern const size_t sq_spot_bodies_n;

/** As sq_spot_next(), by a given body; for tests and benchmarks. */
uint32_t sq_spot_next_by(const struct sq_spot_body *body, const struct sq_spot *s,
                         struct sq_sv text, size_t *at, uint32_t *to);
