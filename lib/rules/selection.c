#include "lib/rules/selection.h"

#include <errno.h>

#include "lib/rules/check.h"
#include "lib/rules/value.h"

static const struct sq_modifiers none;

/* Number of the field that `key` names, -1 for a keyword, -2: reported. */
static int32_t field_of(struct sq_parse *p, const struct sq_yaml *key, struct sq_sv field)
{
	int r;

	if (!field.n)
		return -1;
	r = sq_fields_add(p->rules->fields, field);
	if (r >= 0) {
		sq_check_field(p, key, field);
		return r;
	}
	if (r == -ENOSPC)
		sq_parse_error(p, key, "the rules name more than %d different fields",
		               SQ_FIELDS_MAX);
	else
		p->nomem = true;
	return -2;
}

/* The list of values of one field: OR, with |all AND. */
static const struct sq_expr *of_list(struct sq_parse *p, int32_t field,
                                     const struct sq_modifiers *mods, const struct sq_yaml *list)
{
	const struct sq_expr *e = NULL;
	struct sq_args args = { 0 };
	bool ok = true;

	for (const struct sq_yaml *v = list->first; v; v = v->next) {
		const struct sq_expr *one = NULL;

		if (v->kind != SQ_YAML_SCALAR)
			sq_parse_error(p, v, "a value is a text or a number, not a list or a map");
		else if (sq_yaml_is_null(v))
			sq_parse_error(
				p, v,
				"null cannot stand in a list: put it into a selection of its "
				"own and write 'or' in the condition");
		else
			one = sq_value_expr(p, field, mods, v);
		if (one)
			sq_args_add(p, &args, one);
		else
			ok = false;
	}
	if (ok && !p->nomem)
		e = sq_expr_group(p, mods->set & SQ_BIT(SQ_MOD_ALL), &args);
	sq_args_fini(&args);
	return e;
}

/* "Field|modifier: value" */
static const struct sq_expr *of_member(struct sq_parse *p, const struct sq_yaml *m)
{
	struct sq_modifiers mods;
	struct sq_sv name;
	int32_t field;

	if (sq_modifiers_read(p, m->key, &name, &mods) < 0)
		return NULL;
	field = field_of(p, m->key, name);
	if (field == -2)
		return NULL;
	if (m->kind == SQ_YAML_MAP) {
		sq_parse_error(p, m,
		               "the value of a field is a text, a number or a list, not a map");
		return NULL;
	}
	if (mods.set & SQ_BIT(SQ_MOD_ALL) && (m->kind != SQ_YAML_LIST || m->n < 2)) {
		sq_parse_error(p, m->key, "'all' needs a list of at least two values: remove it");
		return NULL;
	}
	if (m->kind == SQ_YAML_SCALAR)
		return sq_value_expr(p, field, &mods, m);
	if (!m->n) {
		sq_parse_error(p, m, "the list is empty: give at least one value");
		return NULL;
	}
	if (mods.set & SQ_BIT(SQ_MOD_EXISTS)) {
		sq_parse_error(p, m, "'exists' takes true or false, not a list");
		return NULL;
	}
	return of_list(p, field, &mods, m);
}

static const struct sq_expr *of_map(struct sq_parse *p, const struct sq_yaml *map)
{
	const struct sq_expr *e = NULL;
	struct sq_args args = { 0 };
	bool ok = true;

	if (!map->n) {
		sq_parse_error(p, map, "the selection is empty: give it a field");
		return NULL;
	}
	for (const struct sq_yaml *m = map->first; m; m = m->next) {
		const struct sq_expr *one = of_member(p, m);

		if (one)
			sq_args_add(p, &args, one);
		else
			ok = false;
	}
	if (ok && !p->nomem)
		e = sq_expr_group(p, true, &args);
	sq_args_fini(&args);
	return e;
}

/* A list of maps, of keywords, or of both. */
static const struct sq_expr *of_items(struct sq_parse *p, const struct sq_yaml *list)
{
	const struct sq_expr *e = NULL;
	struct sq_args args = { 0 };
	bool ok = true;

	if (!list->n) {
		sq_parse_error(p, list, "the selection is empty: give it a member");
		return NULL;
	}
	for (const struct sq_yaml *v = list->first; v; v = v->next) {
		const struct sq_expr *one = NULL;

		if (v->kind == SQ_YAML_MAP)
			one = of_map(p, v);
		else if (v->kind == SQ_YAML_SCALAR)
			one = sq_value_expr(p, -1, &none, v);
		else
			sq_parse_error(p, v, "a list inside a list: write one list");
		if (one)
			sq_args_add(p, &args, one);
		else
			ok = false;
	}
	if (ok && !p->nomem)
		e = sq_expr_group(p, false, &args);
	sq_args_fini(&args);
	return e;
}

const struct sq_expr *sq_selection_read(struct sq_parse *p, struct sq_sv name,
                                        const struct sq_yaml *node)
{
	const struct sq_expr *e = NULL;
	struct sq_expr *root;

	switch (node->kind) {
	case SQ_YAML_MAP:
		e = of_map(p, node);
		break;
	case SQ_YAML_LIST:
		e = of_items(p, node);
		break;
	case SQ_YAML_SCALAR:
		e = sq_value_expr(p, -1, &none, node);
		break;
	}
	if (!e)
		return NULL;
	root = sq_parse_alloc(p, sizeof(*root));
	if (!root)
		return NULL;
	*root = *e; /* every node below is this selection's own, so it may carry its name */
	root->selection = name;
	return root;
}
