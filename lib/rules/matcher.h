/* Run a rule set on one event. One matcher (scratch, bits) per thread.
 *
 * The event must have been read with sq_ruleset_fields() of the same set.
 */
#pragma once

#include "lib/rules/ruleset.h"

enum { SQ_HITS_MAX = 64, SQ_MATCHED_MAX = 16, SQ_SELECTED_MAX = 16 };

/** A field and the value in it that a rule's predicate held for. */
struct sq_matched {
	const char *field;  /* name; "keywords" for a keyword. Lives as long as the rule set */
	struct sq_sv value; /* of the event, whole */
};

struct sq_hit {
	uint32_t rule; /* index in the rule set */
	uint32_t n_matched;
	struct sq_matched matched[SQ_MATCHED_MAX]; /* of positive predicates, in the rule's order;
	                                              each field and value once */
	uint32_t n_selections;
	struct sq_sv selections[SQ_SELECTED_MAX]; /* names of those that hold and are not under a
	                                             NOT, in the condition's order, each once */
};

struct sq_hits {
	uint32_t n;
	bool capped; /* more than SQ_HITS_MAX rules matched: these are of the highest levels */
	struct sq_hit list[SQ_HITS_MAX]; /* in the order of the rule set */
};

struct sq_matcher;

/** Keeps a reference. NULL: out of memory. */
struct sq_matcher *sq_matcher_new(struct sq_ruleset *rs);
/** The same, which uses neither Hyperscan, nor what was made for it (which rules wait for what),
 * nor the conditions' programs: every rule of the log source is tried as it was written. The same
 * hits, slowly; lib/engine/oracle.h checks the fast one by it. */
struct sq_matcher *sq_matcher_new_plain(struct sq_ruleset *rs);
void sq_matcher_free(struct sq_matcher *m);

/** @return hits->n. No allocation, no lock. */
uint32_t sq_matcher_run(struct sq_matcher *m, const struct sq_event *ev, struct sq_hits *hits);

/** Times a regular expression hit its step limit since the last call; resets. */
uint64_t sq_matcher_take_limits(struct sq_matcher *m);

/** Values that Hyperscan could not scan, so that their predicates ran one by one, since the last
 *  call; resets. Always 0 on a healthy machine. */
uint64_t sq_matcher_take_fallbacks(struct sq_matcher *m);

/** Derived fields (bit per row of SQ_DERIVED) that rules of the event's log source ask for: what
 *  must be made before sq_matcher_run(). */
uint64_t sq_matcher_derived(const struct sq_matcher *m, const struct sq_event *ev);
