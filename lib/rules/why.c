#include "lib/rules/why.h"

#include <stdlib.h>

#include "lib/rules/compiled.h"
#include "lib/rules/plain.h"

/* Farther than any condition is: what no event can change. */
enum { SQ_WHY_FAR = 1 << 28 };

struct sq_asker {
	struct sq_ruleset *rs;
	struct sq_plain_work plain;
	const struct sq_event *ev; /* being asked about */
};

struct sq_asker *sq_asker_new(struct sq_ruleset *rs)
{
	struct sq_asker *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->rs = sq_ruleset_ref(rs);
	a->plain.regex = sq_regex_scratch_new();
	if (!a->plain.regex) {
		sq_asker_free(a);
		return NULL;
	}
	return a;
}

void sq_asker_free(struct sq_asker *a)
{
	if (!a)
		return;
	sq_regex_scratch_free(a->plain.regex);
	sq_ruleset_unref(a->rs);
	free(a);
}

const struct sq_fields *sq_asker_fields(const struct sq_asker *a)
{
	return a->rs->rules.fields;
}

static bool holds(struct sq_asker *a, const struct sq_pred *pred, struct sq_sv *ret_value)
{
	const struct sq_plan *plan = &a->rs->plan;
	const struct sq_regex *re = plan->preds[sq_plan_number(plan, pred)].regex;

	return sq_plain_event(pred, re, &a->plain, a->ev, ret_value);
}

static uint32_t sum(uint32_t a, uint32_t b)
{
	return a + b < SQ_WHY_FAR ? a + b : SQ_WHY_FAR;
}

/* How many comparisons must come out otherwise for `e` to be `want`; 0: it is. Depth is that of the
 * condition, which is bounded. */
static uint32_t distance(struct sq_asker *a, const struct sq_expr *e, bool want)
{
	bool all = (e->kind == SQ_EXPR_AND) == want; /* every member must be `want`; else one */
	uint32_t d = all ? 0 : SQ_WHY_FAR;

	switch (e->kind) {
	case SQ_EXPR_PRED:
		return holds(a, e->pred, NULL) != want;
	case SQ_EXPR_NOT:
		return distance(a, e->args[0], !want);
	case SQ_EXPR_TRUE:
	case SQ_EXPR_FALSE:
		return (e->kind == SQ_EXPR_TRUE) == want ? 0 : SQ_WHY_FAR;
	case SQ_EXPR_AND:
	case SQ_EXPR_OR:
		break;
	}
	for (uint32_t i = 0; i < e->n && (all || d); i++) {
		uint32_t one = distance(a, e->args[i], want);

		d = all ? sum(d, one) : one < d ? one : d;
	}
	return d;
}

/* --- the first reason --- */

/* An OR of comparisons of one field: the values of a list. */
static bool is_list(const struct sq_expr *e)
{
	if (e->kind != SQ_EXPR_OR || !e->n)
		return false;
	for (uint32_t i = 0; i < e->n; i++)
		if (e->args[i]->kind != SQ_EXPR_PRED ||
		    e->args[i]->pred->field != e->args[0]->pred->field)
			return false;
	return true;
}

/* The member to go down to: where every one must be `want`, the first that is not; else the one
 * that is nearest to it. */
static const struct sq_expr *next_member(struct sq_asker *a, const struct sq_expr *e, bool want)
{
	bool all = (e->kind == SQ_EXPR_AND) == want;
	const struct sq_expr *best = e->args[0];
	uint32_t least = UINT32_MAX;

	for (uint32_t i = 0; i < e->n; i++) {
		uint32_t d = distance(a, e->args[i], want);

		if (all && d)
			return e->args[i];
		if (!all && d < least) {
			least = d;
			best = e->args[i];
		}
	}
	return best;
}

/* Go down to the comparison that keeps `e` from being `want`. */
static void find_reason(struct sq_asker *a, const struct sq_expr *e, bool want,
                        struct sq_why_reason *r)
{
	for (;;) {
		if (e->selection.n)
			r->selection = e->selection;
		if (e->kind == SQ_EXPR_TRUE || e->kind == SQ_EXPR_FALSE) {
			r->kind = SQ_REASON_NEVER;
			return;
		}
		if (e->kind == SQ_EXPR_PRED || (want && is_list(e)))
			break;
		if (e->kind == SQ_EXPR_NOT) {
			e = e->args[0];
			want = !want;
			continue;
		}
		if (want && e->kind == SQ_EXPR_OR && !r->selection.n)
			r->ways = e->n;
		e = next_member(a, e, want);
	}
	r->kind = want ? SQ_REASON_MISSING : SQ_REASON_UNWANTED;
	r->expr = e;
	r->field = e->kind == SQ_EXPR_PRED ? e->pred->field : e->args[0]->pred->field;
	if (!want)
		(void)holds(a, e->pred, &r->value);
}

/* --- selections --- */

static void add_selections(struct sq_asker *a, const struct sq_expr *e, bool negated,
                           const struct sq_filter *filter, struct sq_why *ret)
{
	struct sq_why_selection s = { e->selection, false, negated, filter };

	if (!e->selection.n) {
		for (uint32_t i = 0; i < e->n; i++)
			add_selections(a, e->args[i], negated != (e->kind == SQ_EXPR_NOT), filter,
			               ret);
		return;
	}
	s.holds = distance(a, e, true) == 0;
	for (uint32_t i = 0; i < ret->n_selections; i++) {
		const struct sq_why_selection *old = &ret->selections[i];

		if (sq_sv_eq(old->name, s.name) && old->filter == filter && old->negated == negated)
			return;
	}
	if (ret->n_selections == SQ_WHY_SELECTIONS_MAX)
		ret->more_selections = true;
	else
		ret->selections[ret->n_selections++] = s;
	if (s.holds && !negated && !filter && ret->verdict == SQ_VERDICT_MISS)
		ret->verdict = SQ_VERDICT_NEAR;
}

/* --- log source --- */

static bool is_of_source(const struct sq_logsource *ls, const struct sq_event *ev)
{
	if (ls->never || (ls->categories && !(ls->categories >> ev->category & 1)))
		return false;
	if (!ls->channels)
		return true;
	for (const struct sq_value *v = &ev->values[SQ_F_CHANNEL]; v; v = sq_event_next(ev, v)) {
		for (const char *const *c = ls->channels; v->kind >= SQ_VALUE_TEXT && *c; c++)
			if (sq_sv_ieq(sq_value_sv(v), sq_sv_of(*c)))
				return true;
	}
	return false;
}

void sq_why(struct sq_asker *a, uint32_t rule, const struct sq_event *ev, struct sq_why *ret)
{
	const struct sq_rule *r = sq_ruleset_rule(a->rs, rule);
	const struct sq_expr *e = r->condition;
	uint32_t part = 0; /* of an AND of the rule's own condition and its filters' */

	sq_assert(ev->fields == a->rs->rules.fields);
	*ret = (struct sq_why){ .rule = r,
		                .verdict = SQ_VERDICT_MISS,
		                .reason = { .selection = SQ_SV(""), .field = -1, .ways = 1 } };
	a->ev = ev;
	if (!is_of_source(&r->logsource, ev)) {
		ret->verdict = SQ_VERDICT_ELSEWHERE;
		ret->distance = SQ_WHY_FAR;
		ret->reason.kind = SQ_REASON_SOURCE;
		return;
	}
	ret->distance = distance(a, e, true);
	for (uint32_t i = 0; i <= r->n_filters; i++)
		add_selections(a, r->n_filters ? e->args[i] : e, false,
		               i ? r->filters[i - 1] : NULL, ret);
	if (!ret->distance) {
		ret->verdict = SQ_VERDICT_MATCH;
		return;
	}
	if (r->n_filters) {
		while (part < r->n_filters && !distance(a, e->args[part], true))
			part++;
		e = e->args[part];
		ret->reason.filter = part ? r->filters[part - 1] : NULL;
	}
	find_reason(a, e, true, &ret->reason);
}
