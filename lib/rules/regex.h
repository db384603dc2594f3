/* Regular expressions by PCRE2, in bytes (no UTF mode), bounded by a step limit.
 *
 * For patterns that Hyperscan refuses, and for the oracle (plain.c). The only module that knows
 * pcre2.
 */
#pragma once

#include "lib/base/err.h"

enum {
	SQ_REGEX_ICASE = 1u << 0,  /* i */
	SQ_REGEX_MULTI = 1u << 1,  /* m: ^ and $ at line ends */
	SQ_REGEX_DOTALL = 1u << 2, /* s */
};

struct sq_regex;

/** @return 0; -EINVAL with PCRE's message and offset; -ENOMEM */
int sq_regex_new(struct sq_sv pattern, unsigned flags, uint32_t steps, struct sq_regex **ret,
                 struct sq_err *err) SQ_MUST_CHECK;
void sq_regex_free(struct sq_regex *re);

/** Memory a thread needs to run any expression. */
struct sq_regex_scratch;
struct sq_regex_scratch *sq_regex_scratch_new(void);
void sq_regex_scratch_free(struct sq_regex_scratch *s);

/** Unanchored search. @return 1 found, 0 not, -EOVERFLOW the step limit was reached (or the memory
 *  limit beside it): not decided */
int sq_regex_search(const struct sq_regex *re, struct sq_regex_scratch *s, struct sq_sv text);
