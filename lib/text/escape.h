/* Copies bytes and writes a backslash before each quote and backslash on the way: nearly all that
 * JSON strings ask for, at the speed of copying.
 *
 * Pure. What else a string may not hold as it is (control characters, bytes that are not ASCII)
 * ends the copy, for lib/text/jsonw.c to look at.
 */
#pragma once

#include "lib/base/sv.h"

enum {
	SQ_ESCAPE_BEHIND = 64, /* bytes behind the last one that may be written over */
};

/**
 * Copy the front of `from` to `to`, up to the first byte below ' ' or above 127.
 *
 * @param to  room for 2 * from.n + SQ_ESCAPE_BEHIND
 * @return how many bytes of `from` were copied; `*ret_n` says how many there are now
 */
typedef size_t sq_escape_fn(char *to, struct sq_sv from, size_t *ret_n);

struct sq_escape_body {
	const char *name; /* "avx512", "avx2", "neon", "plain" */
	sq_escape_fn *copy;
	bool (*runs)(void); /* on this CPU */
};

/** All bodies that were compiled in, the best first; the last runs everywhere. */
extern const struct sq_escape_body sq_escape_bodies[];
extern const size_t sq_escape_bodies_n;

/** The best for this CPU. */
sq_escape_fn *sq_escape_best(void);
