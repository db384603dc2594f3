#include "lib/rules/detection.h"

#include <stdlib.h>

#include "lib/rules/check.h"
#include "lib/rules/condition.h"
#include "lib/rules/selection.h"

/* The key that is being read, for messages. */
static const char *what(const struct sq_parse *p)
{
	return p->filter ? "filter" : "detection";
}

static void read_selections(struct sq_parse *p, const struct sq_yaml *detection,
                            struct sq_selections *sels)
{
	for (const struct sq_yaml *m = detection->first; m; m = m->next) {
		struct sq_selection *s = &sels->list[sels->n];

		if (sq_sv_eq(m->key->text, SQ_SV("condition")) ||
		    (p->filter && sq_sv_eq(m->key->text, SQ_SV("rules"))))
			continue;
		if (sq_sv_eq(m->key->text, SQ_SV("timeframe"))) {
			sq_parse_error(p, m->key,
			               "timeframe belongs to the aggregations of Sigma v1, "
			               "which are not read: remove it");
			continue;
		}
		s->node = m;
		s->name = sq_parse_dup(p, m->key->text);
		s->expr = sq_selection_read(p, s->name, m);
		if (!s->expr)
			s->expr = sq_expr_false(p);
		if (!s->expr)
			return;
		s->weight = sq_expr_weight(s->expr);
		sels->n++;
	}
	if (!sels->n)
		sq_parse_error(p, detection, "no selection in %s: say what to look for", what(p));
}

static void read_condition(struct sq_parse *p, const struct sq_yaml *condition,
                           struct sq_selections *sels)
{
	struct sq_args args = { 0 };
	uint32_t weight = 0;
	const struct sq_expr *e;

	if (condition->kind == SQ_YAML_LIST && p->filter) {
		/* A rule's list is an OR; what it would mean here, readers do not agree on. */
		sq_parse_error(
			p, condition,
			"the condition of a filter is one text: write 'and' or 'or' into it");
	} else if (condition->kind == SQ_YAML_LIST) {
		for (const struct sq_yaml *c = condition->first; c; c = c->next) {
			e = sq_condition_read(p, c, sels, &weight);
			if (e)
				sq_args_add(p, &args, e);
		}
		if (!condition->n)
			sq_parse_error(p, condition, "the condition is empty: name a selection");
	} else {
		e = sq_condition_read(p, condition, sels, &weight);
		if (e)
			sq_args_add(p, &args, e);
	}
	if (args.n && !p->nomem)
		p->rule->condition = sq_expr_group(p, false, &args);
	sq_args_fini(&args);
}

void sq_detection_read(struct sq_parse *p, const struct sq_yaml *detection)
{
	const struct sq_yaml *condition = sq_yaml_get(detection, "condition");
	struct sq_selections sels = { 0 };

	if (detection->kind != SQ_YAML_MAP) {
		sq_parse_error(p, detection, "%s is a map of selections and a condition", what(p));
		return;
	}
	if (detection->n > SQ_SELECTIONS_MAX) {
		sq_parse_error(p, detection, "more than %d selections: split the %s",
		               SQ_SELECTIONS_MAX, p->filter ? "filter" : "rule");
		return;
	}
	sels.list = calloc(detection->n + 1u, sizeof(*sels.list));
	if (!sels.list) {
		p->nomem = true;
		return;
	}
	read_selections(p, detection, &sels);
	if (!condition)
		sq_parse_error(p, detection,
		               "no condition in %s: say how the selections "
		               "belong together",
		               what(p));
	else if (!p->nomem)
		read_condition(p, condition, &sels);
	if (condition && !p->nomem)
		sq_check_rule(p, &sels, condition);
	free(sels.list);
}
