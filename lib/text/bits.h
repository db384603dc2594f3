/* Where the tokens of a JSON text begin, found 64 bytes at a time.
 *
 * Pure. From each block of 64 bytes come bitmaps (quotes, backslashes, brackets, blanks), from
 * those what lies inside strings, from that the positions of all tokens: each bracket, colon and
 * comma outside strings, the opening quote of each string, the first byte of each number or word.
 * Every byte outside strings that is no blank belongs to a token, so that whoever looks at all
 * tokens has looked at everything.
 *
 * One algorithm (bits_body.inc) over a handful of block primitives, of which each kind of CPU has
 * its own; all of them give the same positions. Nothing is read past the end of the text.
 */
#pragma once

#include "lib/base/sv.h"

enum {
	SQ_BITS_WINDOW = 4096,              /* bytes that one call looks at, at most */
	SQ_BITS_ROOM = SQ_BITS_WINDOW + 64, /* tokens that one call may write */
};

/** What is known between two windows of one text. */
struct sq_bits {
	const char *text;
	uint32_t n;         /* bytes of it; at most SQ_BITS_TEXT_MAX */
	uint32_t at;        /* how far it has been looked at */
	uint64_t in_string; /* all ones: a string is open at `at` */
	uint64_t escaped;   /* 1: the byte at `at` follows a backslash that escapes it */
	uint64_t in_scalar; /* 1: the byte before `at` belongs to a number or word */
	/** Not 0: up to `at` there is a control character where none may be, a backslash in a
	 *  string before what it cannot escape, or (at the end) a string that does not end. */
	uint64_t bad;
};

#define SQ_BITS_TEXT_MAX ((size_t)1 << 30)

/** `text` is kept until the last window. */
static inline void sq_bits_begin(struct sq_bits *b, struct sq_sv text)
{
	*b = (struct sq_bits){ .text = text.p, .n = (uint32_t)text.n };
}

/**
 * Look at the next window.
 *
 * @param to  room for where SQ_BITS_ROOM tokens begin; more than are found may be written over
 * @return how many were found
 */
typedef uint32_t sq_bits_fn(struct sq_bits *b, uint32_t *to);

struct sq_bits_body {
	const char *name; /* "avx512", "avx2", "sse2", "neon", "plain" */
	sq_bits_fn *next;
	bool (*runs)(void); /* on this CPU */
	bool has_avx2;      /* where it runs there is AVX2, with BMI 1 and 2 */
};

/** All bodies that were compiled in, the best first; the last runs everywhere. */
extern const struct sq_bits_body sq_bits_bodies[];
extern const size_t sq_bits_bodies_n;

/** The best that this CPU runs. */
const struct sq_bits_body *sq_bits_best(void);
