#include "lib/rules/cond.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/rules/wildcard.h"

/* What asking for a predicate costs; AND and OR ask the cheap ones first. */
enum { SQ_COST_BIT, SQ_COST_LOOK, SQ_COST_COMPARE, SQ_COST_REGEX };

static unsigned pred_cost(const struct sq_planned *p)
{
	if (p->scanned)
		return SQ_COST_BIT;
	switch (p->pred->match) {
	case SQ_MATCH_EXISTS:
	case SQ_MATCH_NULL:
		return SQ_COST_LOOK;
	case SQ_MATCH_NUMBER:
	case SQ_MATCH_CIDR:
	case SQ_MATCH_GLOB:
		return SQ_COST_COMPARE;
	case SQ_MATCH_REGEX:
		return SQ_COST_REGEX;
	}
	return SQ_COST_REGEX;
}

static unsigned cost(const struct sq_plan *plan, const struct sq_expr *e)
{
	unsigned most = SQ_COST_BIT;

	switch (e->kind) {
	case SQ_EXPR_PRED:
		return pred_cost(&plan->preds[sq_plan_number(plan, e->pred)]);
	case SQ_EXPR_NOT:
		return cost(plan, e->args[0]);
	case SQ_EXPR_AND:
	case SQ_EXPR_OR:
		for (uint32_t i = 0; i < e->n; i++) {
			unsigned c = cost(plan, e->args[i]);

			most = c > most ? c : most;
		}
		break;
	case SQ_EXPR_TRUE:
	case SQ_EXPR_FALSE:
		break;
	}
	return most;
}

static int emit(struct sq_conds *c, struct sq_op op, uint32_t *ret)
{
	if (c->n == SQ_COND_OPS_MAX)
		return -EINVAL;
	if (c->n == c->cap) {
		uint32_t cap = c->cap ? c->cap * 2 : 256;
		struct sq_op *ops = reallocarray(c->ops, cap, sizeof(*ops));

		if (!ops)
			return -ENOMEM;
		c->ops = ops;
		c->cap = cap;
	}
	*ret = c->n;
	c->ops[c->n++] = op;
	return 0;
}

static int compile(struct sq_conds *c, const struct sq_plan *plan, const struct sq_expr *e,
                   const uint32_t next[2], uint32_t *ret);

/* Arguments in order of cost, from the last to the first: each goes on to the one behind it, unless
 * it decides. */
static int compile_list(struct sq_conds *c, const struct sq_plan *plan, const struct sq_expr *e,
                        const uint32_t next[2], uint32_t *ret)
{
	bool all = e->kind == SQ_EXPR_AND;
	uint32_t go_on = next[all];

	for (unsigned level = SQ_COST_REGEX + 1; level-- > SQ_COST_BIT;) {
		for (uint32_t i = e->n; i-- > 0;) {
			const uint32_t to[2] = { all ? next[false] : go_on,
				                 all ? go_on : next[true] };
			int r;

			if (cost(plan, e->args[i]) != level)
				continue;
			r = compile(c, plan, e->args[i], to, &go_on);
			if (r < 0)
				return r;
		}
	}
	*ret = go_on;
	return 0;
}

/* @return 0 and where to begin in `*ret`, when after it comes `next` by what it is */
static int compile(struct sq_conds *c, const struct sq_plan *plan, const struct sq_expr *e,
                   const uint32_t next[2], uint32_t *ret)
{
	const uint32_t other[2] = { next[true], next[false] };

	switch (e->kind) {
	case SQ_EXPR_AND:
	case SQ_EXPR_OR:
		return compile_list(c, plan, e, next, ret);
	case SQ_EXPR_NOT:
		return compile(c, plan, e->args[0], other, ret);
	case SQ_EXPR_PRED:
		return emit(c, (struct sq_op){ sq_plan_number(plan, e->pred), next[0], next[1] },
		            ret);
	case SQ_EXPR_TRUE:
	case SQ_EXPR_FALSE:
		*ret = next[e->kind == SQ_EXPR_TRUE];
		return 0;
	}
	return -EINVAL;
}

int sq_cond_compile(struct sq_conds *conds, const struct sq_plan *plan, const struct sq_expr *e,
                    uint32_t *ret)
{
	static const uint32_t answers[2] = { SQ_COND_FALSE, SQ_COND_TRUE };

	return compile(conds, plan, e, answers, ret);
}

/* How good a list of triggers is: that of its worst text. A long one is rare in events; one that
 * many conditions ask for is what they are all about, and each of its events would wake them all.
 * 0: no list. An impossible expression needs no trigger, which is best of all. */
enum { SQ_SCORE_NONE = 0, SQ_SCORE_NEVER = 1 << 30, SQ_SCORE_UNIT = 1024, SQ_USES_FEW = 8 };

static uint32_t pred_score(const struct sq_planned *p, bool negated)
{
	size_t n;

	if (negated || !p->scanned)
		return SQ_SCORE_NONE;
	n = p->pred->match == SQ_MATCH_GLOB ? sq_wildcard_longest(p->pred->globs, p->pred->n_globs)
	                                    : 0;
	n = n * SQ_SCORE_UNIT / (SQ_USES_FEW + p->uses);
	return n < SQ_SCORE_NEVER - 1 ? 1 + (uint32_t)n : SQ_SCORE_NEVER - 1;
}

/* AND needs one of its arguments, OR all of them; under a NOT they change places. */
static bool needs_one(const struct sq_expr *e, bool negated)
{
	return (e->kind == SQ_EXPR_AND) != negated;
}

static uint32_t score(const struct sq_plan *plan, const struct sq_expr *e, bool negated)
{
	uint32_t best = SQ_SCORE_NONE, worst = SQ_SCORE_NEVER;

	switch (e->kind) {
	case SQ_EXPR_PRED:
		return pred_score(&plan->preds[sq_plan_number(plan, e->pred)], negated);
	case SQ_EXPR_NOT:
		return score(plan, e->args[0], !negated);
	case SQ_EXPR_TRUE:
	case SQ_EXPR_FALSE:
		return (e->kind == SQ_EXPR_FALSE) != negated ? SQ_SCORE_NEVER : SQ_SCORE_NONE;
	case SQ_EXPR_AND:
	case SQ_EXPR_OR:
		for (uint32_t i = 0; i < e->n; i++) {
			uint32_t s = score(plan, e->args[i], negated);

			best = s > best ? s : best;
			worst = s < worst ? s : worst;
		}
		return needs_one(e, negated) ? best : worst;
	}
	return SQ_SCORE_NONE;
}

static int collect(const struct sq_plan *plan, const struct sq_expr *e, bool negated,
                   struct sq_numbers *list)
{
	uint32_t best = 0, best_score = SQ_SCORE_NONE;
	int r = 0;

	switch (e->kind) {
	case SQ_EXPR_PRED:
		return sq_numbers_add(list, sq_plan_number(plan, e->pred));
	case SQ_EXPR_NOT:
		return collect(plan, e->args[0], !negated, list);
	case SQ_EXPR_TRUE:
	case SQ_EXPR_FALSE:
		return 0;
	case SQ_EXPR_AND:
	case SQ_EXPR_OR:
		if (!needs_one(e, negated)) {
			for (uint32_t i = 0; i < e->n && r == 0; i++)
				r = collect(plan, e->args[i], negated, list);
			return r;
		}
		for (uint32_t i = 0; i < e->n; i++) {
			uint32_t s = score(plan, e->args[i], negated);

			if (s > best_score) {
				best_score = s;
				best = i;
			}
		}
		return collect(plan, e->args[best], negated, list);
	}
	return r;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int sq_cond_triggers(const struct sq_plan *plan, const struct sq_expr *e, struct sq_numbers *list)
{
	uint32_t s = score(plan, e, false), kept = 0;
	int r;

	list->n = 0;
	if (s == SQ_SCORE_NONE)
		return 0;
	if (s == SQ_SCORE_NEVER)
		return 1;
	r = collect(plan, e, false, list);
	if (r < 0)
		return r;
	if (list->n > 1)
		qsort(list->p, list->n, sizeof(*list->p), by_number);
	for (uint32_t i = 0; i < list->n; i++) {
		if (kept == 0 || list->p[kept - 1] != list->p[i])
			list->p[kept++] = list->p[i];
	}
	list->n = kept;
	return 1;
}

static int positives(const struct sq_plan *plan, const struct sq_expr *e, bool negated,
                     struct sq_numbers *list)
{
	int r = 0;

	switch (e->kind) {
	case SQ_EXPR_PRED:
		return negated ? 0 : sq_numbers_add(list, sq_plan_number(plan, e->pred));
	case SQ_EXPR_NOT:
		return positives(plan, e->args[0], !negated, list);
	case SQ_EXPR_AND:
	case SQ_EXPR_OR:
		for (uint32_t i = 0; i < e->n && r == 0; i++)
			r = positives(plan, e->args[i], negated, list);
		return r;
	case SQ_EXPR_TRUE:
	case SQ_EXPR_FALSE:
		break;
	}
	return 0;
}

int sq_cond_positives(const struct sq_plan *plan, const struct sq_expr *e, struct sq_numbers *list)
{
	list->n = 0;
	return positives(plan, e, false, list);
}
