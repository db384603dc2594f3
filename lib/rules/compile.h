/* The plan of a rule set: its predicates numbered, equal ones once, and those on text gathered by
 * field as patterns for Hyperscan.
 *
 * A plan borrows the rules it was made of. Cold path; constant once it is made.
 */
#pragma once

#include "lib/base/outbuf.h"
#include "lib/rules/regex.h"
#include "lib/rules/rule.h"

enum {
	SQ_PLAN_PREDICATES_MAX = 1 << 20,
	SQ_PLAN_TEXT_MAX = 256 << 20, /* bytes of all patterns */
	SQ_PLAN_DEPTH_MAX = 256,      /* of a condition's tree */
};

/** A list of numbers that grows. Begin with `= { 0 }`, end with free(list.p). */
struct sq_numbers {
	uint32_t *p;
	uint32_t n, cap;
};

/** @return 0 or -ENOMEM */
int sq_numbers_add(struct sq_numbers *list, uint32_t number) SQ_MUST_CHECK;

struct sq_planned {
	const struct sq_pred *pred; /* the first of equal ones */
	const struct sq_rule *rule; /* that it was first seen in, for messages */
	struct sq_regex *regex;     /* of a REGEX, owned */
	uint32_t key;               /* private: where its key begins ... */
	uint32_t key_len;           /* ... and its length */
	uint32_t pattern;           /* private: where its expression begins; 0 = none */
	uint32_t group;             /* of a predicate with an expression */
	uint32_t uses;              /* how often it stands in conditions */
	bool scanned;               /* Hyperscan finds it; else it runs when a condition asks */
};

/** Where it was written; one that was made by hand: its rule's file. */
static inline struct sq_sv sq_planned_file(const struct sq_planned *p)
{
	return p->pred->file.n ? p->pred->file : p->rule->file;
}

/** All patterns on one field: one database. */
struct sq_plan_group {
	int32_t field; /* -1: keywords */
	struct sq_numbers preds;
};

struct sq_plan {
	struct sq_planned *preds;
	uint32_t n_preds, cap_preds;
	struct sq_plan_group *groups;
	uint32_t n_groups, cap_groups;
	struct sq_outbuf text;       /* keys; expressions lie in them, each with a NUL after it */
	struct sq_plan_index *index; /* private: node or key to number */
};

/** @return 0; -EINVAL: over a limit; -ENOMEM. sq_plan_fini() is needed in any case. */
int sq_plan_init(struct sq_plan *plan, const struct sq_rules *rules,
                 struct sq_err *err) SQ_MUST_CHECK;
void sq_plan_fini(struct sq_plan *plan);

/** Compile what PCRE may have to run. @return 0; -EINVAL with file and line; -ENOMEM */
int sq_plan_regexes(struct sq_plan *plan, uint32_t steps, struct sq_err *err) SQ_MUST_CHECK;

/** Number of a predicate of the rules that the plan was made of. */
uint32_t sq_plan_number(const struct sq_plan *plan, const struct sq_pred *pred);

/** The regular expression of a predicate that has a group; terminated. */
const char *sq_plan_expression(const struct sq_plan *plan, uint32_t number);

/** How that expression is meant: enum sq_hs_flag. */
unsigned sq_plan_flags(const struct sq_plan *plan, uint32_t number);
