/* Conditions as small programs over the truth of predicates.
 *
 * A chain of questions: of each predicate it is told which one to ask next if it holds and which if
 * not, or that the answer is known. AND and OR stop as soon as they know, and what is cheap to
 * know is asked first. From the same tree two lists are made: which predicates must be seen before
 * the rule can be true at all (so that most rules never run), and which ones are told in an alert.
 */
#pragma once

#include "lib/rules/compile.h"

/** A question. */
struct sq_op {
	uint32_t pred;    /* its number */
	uint32_t no, yes; /* by whether it holds: another question, or one of the answers */
};

#define SQ_COND_FALSE (UINT32_MAX - 1)
#define SQ_COND_TRUE  UINT32_MAX

enum { SQ_COND_OPS_MAX = 1 << 24 }; /* of all rules */

/** The questions of all programs of a set. */
struct sq_conds {
	struct sq_op *ops;
	uint32_t n, cap;
};

/** Append the program of `e`; which predicates Hyperscan finds must be settled before.
 *  @return 0 and its first question, or the answer, in `*ret`; -EINVAL: too large; -ENOMEM */
int sq_cond_compile(struct sq_conds *conds, const struct sq_plan *plan, const struct sq_expr *e,
                    uint32_t *ret) SQ_MUST_CHECK;

/**
 * Fill `list` with predicates that Hyperscan finds, so that `e` is false whatever the others say
 * when none of the list holds; the smallest such list that looks most selective.
 * @return 1; 0: there is no such list, the rule must always run; -ENOMEM
 */
int sq_cond_triggers(const struct sq_plan *plan, const struct sq_expr *e,
                     struct sq_numbers *list) SQ_MUST_CHECK;

/** Fill `list` with the predicates that are not under a NOT, in order; one
 *  that stands there twice is in it twice. *  @return 0 or -ENOMEM */
int sq_cond_positives(const struct sq_plan *plan, const struct sq_expr *e,
                      struct sq_numbers *list) SQ_MUST_CHECK;

typedef bool sq_cond_holds_fn(void *ctx, uint32_t pred);

/** Run one program. Inline, so that `holds` is a plain call. By branches: the CPU goes on with what
 *  it guesses to be next, where a choice of two numbers would have it wait for each answer. */
static inline bool sq_cond_run(const struct sq_op *ops, uint32_t at, sq_cond_holds_fn *holds,
                               void *ctx)
{
	while (at < SQ_COND_FALSE) {
		const struct sq_op *op = &ops[at];

		if (holds(ctx, op->pred)) {
			__asm__("" ::: "memory"); /* or the compiler makes it such a choice */
			at = op->yes;
		} else {
			at = op->no;
		}
	}
	return at == SQ_COND_TRUE;
}
