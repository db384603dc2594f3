/* Texts that a value must hold for a comparison to be true.
 *
 * What is promised here is promised for every value: when none of the texts stands in it (letters
 * A to Z in either case), the comparison is false. Whatever an expression says that is not
 * understood promises nothing, which is always right. Cold path.
 */
#pragma once

#include "lib/base/arena.h"

/** At least one of these occurs. Lower case; n = 0: nothing is promised. */
struct sq_literals {
	struct sq_sv *v;
	uint32_t n;
	uint64_t cost; /* of all: see sq_literal_cost() */
};

struct sq_literal_opts {
	const bool *safe; /* of 256: bytes that a text may consist of */
	const char *lead; /* bytes that it may begin with, too; NULL: none */
	uint32_t min;     /* bytes of the shortest text */
	uint32_t max;     /* bytes of the longest one: of longer ones a part is promised */
};

/** What it costs to look for a text (lower case) in Windows events: how many records hold it, as
 *  far as its length and letters tell, and a little for the looking itself. At least 1. */
uint32_t sq_literal_cost(struct sq_sv text);

/** The part of `text` that costs least and consists of safe bytes, in lower case; empty when there
 *  is none, or no memory. */
struct sq_sv sq_literal_run(struct sq_arena *a, struct sq_sv text,
                            const struct sq_literal_opts *opts);

/** Of a regular expression in PCRE syntax. @return false: nothing is promised */
bool sq_literals_of_regex(struct sq_arena *a, struct sq_sv regex,
                          const struct sq_literal_opts *opts, struct sq_literals *ret);
