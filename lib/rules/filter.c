#include "lib/rules/filter.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/rules/detection.h"
#include "lib/rules/source.h"

/* --- reading --- */

static void add_name(struct sq_parse *p, struct sq_filter *f, const struct sq_yaml *m)
{
	if (m->kind != SQ_YAML_SCALAR || sq_yaml_is_null(m) || !m->text.n) {
		sq_parse_error(p, m, "rules needs the id or the name of a rule");
		return;
	}
	f->names[f->n_names++] = (struct sq_filter_name){ .text = sq_parse_dup(p, m->text),
		                                          .line = m->line,
		                                          .col = m->col };
}

/* Ids and names of rules, or one of them, or `any` (also `all`, as pySigma takes it). */
static void read_rules(struct sq_parse *p, struct sq_filter *f, const struct sq_yaml *rules)
{
	f->line = rules->line;
	f->col = rules->col;
	if (rules->kind == SQ_YAML_MAP) {
		sq_parse_error(p, rules, "rules is a list of ids or names, or any");
		return;
	}
	if (rules->kind == SQ_YAML_SCALAR &&
	    (sq_sv_ieq(rules->text, SQ_SV("any")) || sq_sv_ieq(rules->text, SQ_SV("all")))) {
		f->any = true;
		return;
	}
	if (rules->kind == SQ_YAML_LIST && !rules->n) {
		sq_parse_error(
			p, rules,
			"rules is empty: name rules, or write any for all of the log source");
		return;
	}
	if (rules->n > SQ_FILTER_NAMES_MAX) {
		sq_parse_error(p, rules, "more than %d rules named: write any, or a second filter",
		               SQ_FILTER_NAMES_MAX);
		return;
	}
	f->names = sq_parse_alloc(p, (rules->n + 1u) * sizeof(*f->names));
	if (!f->names)
		return;
	if (rules->kind == SQ_YAML_SCALAR)
		add_name(p, f, rules);
	for (const struct sq_yaml *m = rules->first; m; m = m->next)
		add_name(p, f, m);
}

static bool has_not(const struct sq_expr *e)
{
	if (e->kind == SQ_EXPR_NOT)
		return true;
	for (uint32_t i = 0; i < e->n; i++)
		if (has_not(e->args[i]))
			return true;
	return false;
}

static void keep(struct sq_parse *p, struct sq_filter *f, const struct sq_yaml *map)
{
	struct sq_rules *rules = p->rules;

	if (rules->n_filters == SQ_FILTERS_MAX) {
		sq_parse_error(p, map, "more than %d filters: use fewer", SQ_FILTERS_MAX);
		return;
	}
	if (rules->n_filters == rules->cap_filters) {
		uint32_t cap = rules->cap_filters ? rules->cap_filters * 2 : 16;
		struct sq_filter **list =
			reallocarray(rules->filters, cap, sizeof(struct sq_filter *));

		if (!list) {
			p->nomem = true;
			return;
		}
		rules->filters = list;
		rules->cap_filters = cap;
	}
	rules->filters[rules->n_filters++] = f;
}

void sq_filter_read(struct sq_parse *p, const struct sq_yaml *map, const struct sq_yaml *node)
{
	const struct sq_yaml *logsource = sq_yaml_get(map, "logsource");
	const struct sq_yaml *detection = sq_yaml_get(map, "detection");
	const struct sq_yaml *rules = sq_yaml_get(node, "rules");
	struct sq_filter *f = sq_parse_alloc(p, sizeof(*f));

	if (!f)
		return;
	if (detection)
		sq_parse_error(p, detection->key,
		               "a filter has no detection: its selections stand under 'filter'");
	if (!logsource)
		sq_parse_error(p, map, "no logsource: say which rules the filter may apply to");
	else if (sq_source_read(p, logsource) < 0)
		p->rule->logsource.never = true;
	sq_detection_read(p, node);
	if (node->kind == SQ_YAML_MAP && !rules)
		sq_parse_error(p, node->key,
		               "no rules in filter: name them by id or name, or write rules: any");
	else if (rules)
		read_rules(p, f, rules);
	if (p->diags->errors > p->errors || p->nomem)
		return;

	f->title = p->rule->title;
	f->file = p->rule->file;
	f->logsource = p->rule->logsource;
	f->condition = p->rule->condition;
	f->has_keywords = p->rule->has_keywords;
	if (!has_not(f->condition))
		sq_parse_warn(
			p, sq_yaml_get(node, "condition"),
			"without 'not' the filter keeps only the events that fit it: to leave "
			"them out, write 'not'");
	keep(p, f, map);
}

/* --- applying --- */

static bool part_fits(struct sq_sv wanted, struct sq_sv has)
{
	return !wanted.n || sq_sv_ieq(wanted, has);
}

/* Each part that the filter names is the rule's. */
static bool contains(const struct sq_filter *f, const struct sq_rule *rule)
{
	return part_fits(f->logsource.category, rule->logsource.category) &&
	       part_fits(f->logsource.product, rule->logsource.product) &&
	       part_fits(f->logsource.service, rule->logsource.service);
}

/* A list that doubles; what it outgrew stays in the set's memory. */
static bool add_filter(struct sq_rules *rules, struct sq_rule *rule, const struct sq_filter *f)
{
	uint32_t n = rule->n_filters;

	if (n && rule->filters[n - 1] == f) /* named twice, say by id and by name */
		return true;
	if ((n & (n - 1)) == 0) {
		const struct sq_filter **list =
			sq_rules_alloc(rules, (n ? n * 2u : 1u) * sizeof(const struct sq_filter *));

		if (!list)
			return false;
		if (n)
			memcpy(list, rule->filters, n * sizeof(const struct sq_filter *));
		rule->filters = list;
	}
	rule->filters[rule->n_filters++] = f;
	rule->has_keywords = rule->has_keywords || f->has_keywords;
	return true;
}

static void unknown_name(const struct sq_rules *rules, const struct sq_filter *f,
                         const struct sq_filter_name *name, struct sq_diags *diags)
{
	struct sq_sv best = { "", 0 };
	struct sq_hint hint;

	for (uint32_t i = 0; i < rules->n; i++) {
		sq_parse_nearer(name->text, rules->list[i]->name, &best);
		sq_parse_nearer(name->text, rules->list[i]->id, &best);
	}
	sq_diag_add(diags, SQ_DIAG_WARNING, f->file.p, name->line, name->col,
	            "the filter names a rule that is not there: '%.*s'%s", SQ_SHOW(name->text),
	            sq_parse_hint(&hint, best));
}

static bool apply_name(struct sq_rules *rules, const struct sq_filter *f,
                       const struct sq_filter_name *name, struct sq_diags *diags)
{
	bool found = false;

	for (uint32_t i = 0; i < rules->n; i++) {
		struct sq_rule *rule = rules->list[i];

		if (!sq_sv_ieq(rule->id, name->text) && !sq_sv_eq(rule->name, name->text))
			continue;
		found = true;
		if (!contains(f, rule))
			sq_diag_add(diags, SQ_DIAG_WARNING, f->file.p, name->line, name->col,
			            "the filter does not apply to '%.*s': that rule has another "
			            "log source",
			            SQ_SHOW(rule->title));
		else if (!add_filter(rules, rule, f))
			return false;
	}
	if (!found)
		unknown_name(rules, f, name, diags);
	return true;
}

static bool apply_any(struct sq_rules *rules, const struct sq_filter *f, struct sq_diags *diags)
{
	bool found = false;

	for (uint32_t i = 0; i < rules->n; i++) {
		if (!contains(f, rules->list[i]))
			continue;
		found = true;
		if (!add_filter(rules, rules->list[i], f))
			return false;
	}
	if (!found)
		sq_diag_add(diags, SQ_DIAG_WARNING, f->file.p, f->line, f->col,
		            "the filter applies to no rule: none has its log source");
	return true;
}

/* The rule's own condition and those of its filters. */
static bool join(struct sq_parse *p, struct sq_rule *rule)
{
	struct sq_args args = { 0 };
	const struct sq_expr *e = NULL;

	sq_args_add(p, &args, rule->condition);
	for (uint32_t i = 0; i < rule->n_filters; i++)
		sq_args_add(p, &args, rule->filters[i]->condition);
	if (!p->nomem)
		e = sq_expr_group(p, true, &args);
	sq_args_fini(&args);
	if (e)
		rule->condition = e;
	return e;
}

int sq_filters_apply(struct sq_rules *rules, struct sq_diags *diags)
{
	struct sq_parse p = { .rules = rules, .diags = diags };
	bool ok = true;

	for (uint32_t i = 0; i < rules->n_filters && ok; i++) {
		const struct sq_filter *f = rules->filters[i];

		ok = !f->any || apply_any(rules, f, diags);
		for (uint32_t k = 0; k < f->n_names && ok; k++)
			ok = apply_name(rules, f, &f->names[k], diags);
	}
	for (uint32_t i = 0; rules->n_filters && i < rules->n && ok; i++)
		ok = !rules->list[i]->n_filters || join(&p, rules->list[i]);
	rules->n_filters = 0;
	return ok ? 0 : -ENOMEM;
}
