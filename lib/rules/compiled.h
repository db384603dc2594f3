/* What is inside a rule set. For ruleset.c, which makes it, matcher.c, which runs it, and why.c,
 * which tells what came of it; nobody else looks in here.
 */
#pragma once

#include <stdatomic.h>

#include "lib/rules/cond.h"
#include "lib/rules/databases.h"
#include "lib/rules/ruleset.h"

/** The rules that an event from one log source may match, and what they need scanned. */
struct sq_route {
	uint64_t *rules;  /* bit per rule */
	uint64_t *groups; /* bit per group of the plan */
	uint64_t derived; /* bit per derived field that a rule asks for */
	bool any;
};

struct sq_channel_route {
	struct sq_sv channel;
	struct sq_route route;
};

/** Lists of numbers for numbers: those of `i` are all[first[i]] to all[first[i + 1]]. */
struct sq_lists {
	uint32_t *first, *all;
};

struct sq_ruleset {
	atomic_uint refs;
	struct sq_rules rules;
	struct sq_plan plan;
	struct sq_databases dbs; /* n = 0 in a plain set */

	struct sq_conds conds;
	uint32_t *programs;        /* by rule: its first question, or the answer */
	struct sq_lists triggered; /* by predicate: rules that wait for it */
	struct sq_lists positives; /* by rule: predicates to tell about */
	uint64_t *always;          /* bit per rule that waits for nothing */

	struct sq_route by_category[SQ_CATEGORIES]; /* rules that ask for no channel */
	struct sq_channel_route *channels;
	uint32_t n_channels;

	uint32_t rule_words, group_words; /* of the bit sets, in words of 64 */
	bool wants_all;

	_Atomic(void *) attached; /* of sq_ruleset_attach() */
	void (*attached_free)(void *);
};

static inline void sq_bit_set(uint64_t *bits, uint32_t i)
{
	bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline bool sq_bit_get(const uint64_t *bits, uint32_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}
