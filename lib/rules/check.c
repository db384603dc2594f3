#include "lib/rules/check.h"

#include "lib/rules/catalog.h"
#include "lib/rules/regex.h"

/* What is known of an expression without an event. */
enum truth { SQ_NEVER, SQ_SOMETIMES, SQ_ALWAYS };

/* No event of the rule's category can hold the field. */
static bool is_foreign(const struct sq_parse *p, struct sq_sv field)
{
	const struct sq_logsource *ls = &p->rule->logsource;

	return ls->categories && !ls->never && !sq_catalog_has_field(ls->categories, field);
}

static void nearest_field(const struct sq_parse *p, struct sq_sv field, struct sq_sv *best)
{
	for (unsigned c = 0; c < SQ_CATEGORIES; c++) {
		struct sq_sv names;

		if (c != SQ_CATEGORY_NONE && !(p->rule->logsource.categories >> c & 1))
			continue;
		names = sq_catalog_fields((enum sq_category)c);
		while (names.n)
			sq_parse_nearer(field, sq_sv_cut(&names, ' '), best);
	}
}

void sq_check_field(struct sq_parse *p, const struct sq_yaml *key, struct sq_sv field)
{
	static const char *const digests[] = { "md5", "sha1", "sha256", "imphash" };
	struct sq_sv best = { "", 0 };
	struct sq_hint hint;

	if (!is_foreign(p, field))
		return;
	for (size_t i = 0; i < SQ_LEN(digests); i++) {
		if (!sq_sv_ieq(field, sq_sv_of(digests[i])))
			continue;
		sq_parse_warn(p, key,
		              "field '%.*s' never occurs: write Hashes|contains: '%.*s=...'",
		              SQ_SHOW(field), SQ_SHOW(field));
		return;
	}
	nearest_field(p, field, &best);
	sq_parse_warn(p, key, "field '%.*s' never occurs in %.*s events%s", SQ_SHOW(field),
	              SQ_SHOW(p->rule->logsource.category), sq_parse_hint(&hint, best));
}

/* The event id that `pred` asks for, when it asks for exactly one. */
static bool asks_id(const struct sq_pred *pred, uint64_t *ret)
{
	if (pred->field != SQ_F_EVENT_ID)
		return false;
	if (pred->match == SQ_MATCH_NUMBER && pred->compare == SQ_EQ && pred->number >= 0) {
		*ret = (uint64_t)pred->number;
		return (double)*ret == pred->number;
	}
	return pred->match == SQ_MATCH_GLOB && pred->n_globs == 1 &&
	       pred->globs[0].kind == SQ_GLOB_TEXT && sq_sv_to_u64(pred->globs[0].text, ret);
}

static bool is_wrong_id(const struct sq_parse *p, const struct sq_pred *pred)
{
	const struct sq_logsource *ls = &p->rule->logsource;
	uint64_t id;

	return ls->categories && !ls->never && asks_id(pred, &id) &&
	       !sq_catalog_has_id(ls->categories, id);
}

static void check_regex(struct sq_parse *p, const struct sq_pred *pred)
{
	struct sq_regex *re = NULL;
	struct sq_err err = { 0 };

	if (sq_regex_new(pred->text, pred->regex_flags, 1, &re, &err) < 0)
		sq_diag_add(p->diags, SQ_DIAG_ERROR, p->name, pred->line, pred->col, "%s",
		            err.text);
	sq_regex_free(re);
}

static void check_pred(struct sq_parse *p, const struct sq_pred *pred)
{
	if (pred->field < 0)
		p->rule->has_keywords = true;
	if (pred->match == SQ_MATCH_REGEX)
		check_regex(p, pred);
	if (is_wrong_id(p, pred))
		sq_diag_add(p->diags, SQ_DIAG_WARNING, p->name, pred->line, pred->col,
		            "no %.*s event has the id %.*s", SQ_SHOW(p->rule->logsource.category),
		            SQ_SHOW(pred->text));
}

static void check_preds(struct sq_parse *p, const struct sq_expr *e)
{
	if (e->kind == SQ_EXPR_PRED)
		check_pred(p, e->pred);
	for (uint32_t i = 0; i < e->n; i++)
		check_preds(p, e->args[i]);
}

static enum truth truth_of_pred(const struct sq_parse *p, const struct sq_pred *pred)
{
	if (is_wrong_id(p, pred))
		return SQ_NEVER;
	if (pred->field < 0 ||
	    !is_foreign(p, sq_fields_name(p->rules->fields, (uint32_t)pred->field)))
		return SQ_SOMETIMES;
	if (pred->match == SQ_MATCH_NULL || (pred->match == SQ_MATCH_EXISTS && !pred->expect))
		return SQ_ALWAYS;
	return SQ_NEVER;
}

/* Depth is bounded by the condition's and the selections' own; cost by the condition's weight. */
static enum truth truth_of(const struct sq_parse *p, const struct sq_expr *e)
{
	bool all = e->kind == SQ_EXPR_AND;
	enum truth t = all ? SQ_ALWAYS : SQ_NEVER;

	switch (e->kind) {
	case SQ_EXPR_TRUE:
		return SQ_ALWAYS;
	case SQ_EXPR_FALSE:
		return SQ_NEVER;
	case SQ_EXPR_PRED:
		return truth_of_pred(p, e->pred);
	case SQ_EXPR_NOT:
		return (enum truth)(SQ_ALWAYS - truth_of(p, e->args[0]));
	case SQ_EXPR_AND:
	case SQ_EXPR_OR:
		break;
	}
	for (uint32_t i = 0; i < e->n; i++) {
		enum truth a = truth_of(p, e->args[i]);

		if (all ? a < t : a > t)
			t = a;
	}
	return t;
}

void sq_check_rule(struct sq_parse *p, const struct sq_selections *sels, const struct sq_yaml *at)
{
	for (uint32_t i = 0; i < sels->n; i++) {
		check_preds(p, sels->list[i].expr);
		if (p->rule->condition && !sels->list[i].used)
			sq_parse_warn(p, sels->list[i].node->key,
			              "no condition asks for selection '%.*s': use it or remove it",
			              SQ_SHOW(sels->list[i].name));
	}
	if (p->rule->logsource.never || p->diags->errors > p->errors)
		return;
	switch (truth_of(p, p->rule->condition)) {
	case SQ_NEVER:
		sq_parse_warn(p, at, "the %s can never match: its condition is never true",
		              p->filter ? "rules that the filter applies to" : "rule");
		break;
	case SQ_ALWAYS:
		sq_parse_warn(p, at,
		              p->filter ? "the filter leaves nothing out"
		                        : "the rule matches every event of its log source");
		break;
	case SQ_SOMETIMES:
		break;
	}
}
