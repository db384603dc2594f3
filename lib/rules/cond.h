/* Conditions as small programs over the truth of predicates.
 *
 * One accumulator and forward jumps: AND and OR stop as soon as they know, and what is cheap to
 * know is asked first. From the same tree two lists are made: which predicates must be seen before
 * the rule can be true at all (so that most rules never run), and which ones are told in an alert.
 */
#pragma once

#include "lib/rules/compile.h"

enum sq_op_kind {
	SQ_OP_TRUE,
	SQ_OP_FALSE,
	SQ_OP_PRED, /* arg: its number */
	SQ_OP_NOT,
	SQ_OP_JUMP_TRUE, /* arg: where to; the accumulator stays */
	SQ_OP_JUMP_FALSE,
	SQ_OP_END,
};

struct sq_op {
	uint32_t kind; /* enum sq_op_kind */
	uint32_t arg;
};

enum { SQ_COND_OPS_MAX = 1 << 24 }; /* of all rules */

/** All programs of a set, one after another. */
struct sq_conds {
	struct sq_op *ops;
	uint32_t n, cap;
};

/** Append the program of `e`; which predicates Hyperscan finds must be settled before.
 *  @return 0 and its first operation in `*ret`; -EINVAL: too large; -ENOMEM */
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

/** Run one program. Inline, so that `holds` is a plain call. */
static inline bool sq_cond_run(const struct sq_op *ops, uint32_t at, sq_cond_holds_fn *holds,
                               void *ctx)
{
	bool acc = false;

	for (;;) {
		const struct sq_op *op = &ops[at++];

		switch ((enum sq_op_kind)op->kind) {
		case SQ_OP_TRUE:
			acc = true;
			break;
		case SQ_OP_FALSE:
			acc = false;
			break;
		case SQ_OP_PRED:
			acc = holds(ctx, op->arg);
			break;
		case SQ_OP_NOT:
			acc = !acc;
			break;
		case SQ_OP_JUMP_TRUE:
			if (acc)
				at = op->arg;
			break;
		case SQ_OP_JUMP_FALSE:
			if (!acc)
				at = op->arg;
			break;
		case SQ_OP_END:
			return acc;
		}
	}
}
