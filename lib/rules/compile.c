#include "lib/rules/compile.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/rules/hsdb.h"
#include "lib/rules/wildcard.h"

enum { SQ_INDEX_MIN = 256 };

/* Two open-addressed tables of numbers + 1; 0 is an empty place. */
struct sq_plan_index {
	uint32_t *by_key;
	uint32_t key_places; /* a power of two, at least twice plan->n_preds */
	struct node {
		const struct sq_pred *pred;
		uint32_t number;
	} * by_node;
	uint32_t node_places, n_nodes;
};

int sq_numbers_add(struct sq_numbers *list, uint32_t number)
{
	if (list->n == list->cap) {
		uint32_t cap = list->cap ? list->cap * 2 : 8;
		uint32_t *p = cap > list->cap ? reallocarray(list->p, cap, sizeof(*p)) : NULL;

		if (!p)
			return -ENOMEM;
		list->p = p;
		list->cap = cap;
	}
	list->p[list->n++] = number;
	return 0;
}

static void put_bytes(struct sq_outbuf *out, const void *p, size_t n)
{
	sq_outbuf_put(out, (struct sq_sv){ p, n });
}

/* Append what makes a predicate the same as another; returns where its expression begins, or 0.
 * The expression, when there is one, is the rest of the key. */
static size_t put_key(struct sq_outbuf *out, const struct sq_pred *p)
{
	size_t pattern = 0;

	sq_outbuf_putc(out, (char)p->match);
	put_bytes(out, &p->field, sizeof(p->field));
	switch (p->match) {
	case SQ_MATCH_GLOB:
		sq_outbuf_putc(out, (char)p->cased);
		pattern = sq_wildcard_trivial(p->globs, p->n_globs) ? 0 : out->len;
		sq_wildcard_regex(out, p->globs, p->n_globs);
		sq_outbuf_putc(out, '\0');
		break;
	case SQ_MATCH_REGEX:
		sq_outbuf_putc(out, (char)p->regex_flags);
		/* A NUL would cut the expression short for Hyperscan, so PCRE runs it. */
		pattern = sq_sv_chr(p->text, '\0') == SIZE_MAX ? out->len : 0;
		sq_outbuf_put(out, p->text);
		sq_outbuf_putc(out, '\0');
		break;
	case SQ_MATCH_NUMBER:
		sq_outbuf_putc(out, (char)p->compare);
		put_bytes(out, &p->number, sizeof(p->number));
		sq_outbuf_put(out, p->text);
		break;
	case SQ_MATCH_CIDR:
		put_bytes(out, p->cidr.address, sizeof(p->cidr.address));
		sq_outbuf_putc(out, (char)p->cidr.bits);
		break;
	case SQ_MATCH_EXISTS:
		sq_outbuf_putc(out, (char)p->expect);
		break;
	case SQ_MATCH_NULL:
		break;
	}
	return pattern;
}

static struct sq_sv key_of(const struct sq_plan *plan, const struct sq_planned *p)
{
	return (struct sq_sv){ plan->text.p + p->key, p->key_len };
}

static int grow_keys(struct sq_plan *plan)
{
	struct sq_plan_index *ix = plan->index;
	uint32_t places = ix->key_places ? ix->key_places * 2 : SQ_INDEX_MIN;
	uint32_t *table;

	if (plan->n_preds * 2 < ix->key_places)
		return 0;
	table = calloc(places, sizeof(*table));
	if (!table)
		return -ENOMEM;
	for (uint32_t i = 0; i < plan->n_preds; i++) {
		uint64_t at = sq_sv_hash(key_of(plan, &plan->preds[i]));

		while (table[at & (places - 1)])
			at++;
		table[at & (places - 1)] = i + 1;
	}
	free(ix->by_key);
	ix->by_key = table;
	ix->key_places = places;
	return 0;
}

static uint64_t node_hash(const struct sq_pred *pred)
{
	return ((uintptr_t)pred >> 4) * 0x9e3779b97f4a7c15u >> 20;
}

/* The place of a node: its own or the free one where it belongs. */
static struct node *node_place(const struct sq_plan_index *ix, const struct sq_pred *pred)
{
	uint64_t at = node_hash(pred);

	for (;; at++) {
		struct node *place = &ix->by_node[at & (ix->node_places - 1)];

		if (!place->pred || place->pred == pred)
			return place;
	}
}

static int grow_nodes(struct sq_plan_index *ix)
{
	struct sq_plan_index more = { .node_places = ix->node_places ? ix->node_places * 2
		                                                     : SQ_INDEX_MIN };

	if (ix->n_nodes * 2 < ix->node_places)
		return 0;
	more.by_node = calloc(more.node_places, sizeof(*more.by_node));
	if (!more.by_node)
		return -ENOMEM;
	for (uint32_t i = 0; i < ix->node_places; i++) {
		if (ix->by_node[i].pred)
			*node_place(&more, ix->by_node[i].pred) = ix->by_node[i];
	}
	free(ix->by_node);
	ix->by_node = more.by_node;
	ix->node_places = more.node_places;
	return 0;
}

/* Index of the group of `field`, made when there is none. */
static int group_of(struct sq_plan *plan, int32_t field)
{
	for (uint32_t i = 0; i < plan->n_groups; i++) {
		if (plan->groups[i].field == field)
			return (int)i;
	}
	if (plan->n_groups == plan->cap_groups) {
		uint32_t cap = plan->cap_groups ? plan->cap_groups * 2 : 16;
		struct sq_plan_group *g = reallocarray(plan->groups, cap, sizeof(*g));

		if (!g)
			return -ENOMEM;
		plan->groups = g;
		plan->cap_groups = cap;
	}
	plan->groups[plan->n_groups] = (struct sq_plan_group){ .field = field };
	return (int)plan->n_groups++;
}

static int append(struct sq_plan *plan, const struct sq_planned *p)
{
	uint32_t number = plan->n_preds;

	if (plan->n_preds == plan->cap_preds) {
		uint32_t cap = plan->cap_preds ? plan->cap_preds * 2 : 128;
		struct sq_planned *list = reallocarray(plan->preds, cap, sizeof(*list));

		if (!list)
			return -ENOMEM;
		plan->preds = list;
		plan->cap_preds = cap;
	}
	plan->preds[number] = *p;
	if (p->pattern) {
		int g = group_of(plan, p->pred->field);

		if (g < 0)
			return g;
		plan->preds[number].group = (uint32_t)g;
		if (sq_numbers_add(&plan->groups[g].preds, number) < 0)
			return -ENOMEM;
	}
	plan->n_preds++;
	return 0;
}

/* Number of a predicate with this content, new or not. */
static int number_by_key(struct sq_plan *plan, const struct sq_rule *rule,
                         const struct sq_pred *pred, uint32_t *ret)
{
	struct sq_planned p = { .pred = pred, .rule = rule, .key = (uint32_t)plan->text.len };
	struct sq_plan_index *ix = plan->index;
	uint64_t at;
	int r;

	p.pattern = (uint32_t)put_key(&plan->text, pred);
	if (plan->text.failed)
		return -ENOMEM;
	p.key_len = (uint32_t)(plan->text.len - p.key);
	r = grow_keys(plan);
	if (r < 0)
		return r;
	for (at = sq_sv_hash(key_of(plan, &p));; at++) {
		uint32_t *place = &ix->by_key[at & (ix->key_places - 1)];

		if (!*place) {
			*ret = plan->n_preds;
			r = append(plan, &p);
			if (r == 0)
				*place = plan->n_preds;
			return r;
		}
		if (sq_sv_eq(key_of(plan, &plan->preds[*place - 1]), key_of(plan, &p))) {
			sq_outbuf_cut(&plan->text, p.key);
			*ret = *place - 1;
			return 0;
		}
	}
}

static int add_pred(struct sq_plan *plan, const struct sq_rule *rule, const struct sq_pred *pred)
{
	struct node *place;
	int r = grow_nodes(plan->index);

	if (r < 0)
		return r;
	place = node_place(plan->index, pred);
	if (place->pred)
		return 0;
	if (plan->n_preds == SQ_PLAN_PREDICATES_MAX)
		return -EINVAL;
	r = number_by_key(plan, rule, pred, &place->number);
	if (r < 0)
		return r;
	place->pred = pred;
	plan->preds[place->number].uses++;
	plan->index->n_nodes++;
	return 0;
}

static int walk(struct sq_plan *plan, const struct sq_rule *rule, const struct sq_expr *e,
                unsigned depth)
{
	if (depth > SQ_PLAN_DEPTH_MAX)
		return -EINVAL;
	switch (e->kind) {
	case SQ_EXPR_AND:
	case SQ_EXPR_OR:
	case SQ_EXPR_NOT:
		for (uint32_t i = 0; i < (e->kind == SQ_EXPR_NOT ? 1 : e->n); i++) {
			int r = walk(plan, rule, e->args[i], depth + 1);

			if (r < 0)
				return r;
		}
		break;
	case SQ_EXPR_PRED:
		return add_pred(plan, rule, e->pred);
	case SQ_EXPR_TRUE:
	case SQ_EXPR_FALSE:
		break;
	}
	return 0;
}

int sq_plan_init(struct sq_plan *plan, const struct sq_rules *rules, struct sq_err *err)
{
	*plan = (struct sq_plan){ .text = sq_outbuf_of(SQ_PLAN_TEXT_MAX) };
	plan->index = calloc(1, sizeof(*plan->index));
	if (!plan->index)
		return sq_err_set(err, -ENOMEM, "out of memory");
	sq_outbuf_putc(&plan->text, '\0'); /* so that no expression begins at 0 */

	for (uint32_t i = 0; i < rules->n; i++) {
		const struct sq_rule *rule = rules->list[i];
		int r = walk(plan, rule, rule->condition, 0);

		if (r == -EINVAL)
			return sq_err_set(err, r, "%.*s:%u: the condition is too large",
			                  SQ_SV_ARG(rule->file), rule->line);
		if (r < 0)
			return sq_err_set(err, r, "out of memory for the patterns of all rules");
	}
	return 0;
}

void sq_plan_fini(struct sq_plan *plan)
{
	if (!plan)
		return;
	for (uint32_t i = 0; i < plan->n_preds; i++)
		sq_regex_free(plan->preds[i].regex);
	for (uint32_t i = 0; i < plan->n_groups; i++)
		free(plan->groups[i].preds.p);
	if (plan->index) {
		free(plan->index->by_key);
		free(plan->index->by_node);
	}
	free(plan->index);
	free(plan->preds);
	free(plan->groups);
	sq_outbuf_fini(&plan->text);
	*plan = (struct sq_plan){ 0 };
}

int sq_plan_regexes(struct sq_plan *plan, uint32_t steps, struct sq_err *err)
{
	for (uint32_t i = 0; i < plan->n_preds; i++) {
		struct sq_planned *p = &plan->preds[i];
		int r;

		if (p->pred->match != SQ_MATCH_REGEX || p->regex)
			continue;
		r = sq_regex_new(p->pred->text, p->pred->regex_flags, steps, &p->regex, err);
		if (r < 0)
			return sq_err_wrap(err, r, "%.*s:%u:%u", SQ_SV_ARG(sq_planned_file(p)),
			                   p->pred->line, p->pred->col);
	}
	return 0;
}

uint32_t sq_plan_number(const struct sq_plan *plan, const struct sq_pred *pred)
{
	const struct node *place = node_place(plan->index, pred);

	sq_assert(place->pred == pred);
	return place->number;
}

const char *sq_plan_expression(const struct sq_plan *plan, uint32_t number)
{
	sq_assert(number < plan->n_preds && plan->preds[number].pattern);
	return plan->text.p + plan->preds[number].pattern;
}

unsigned sq_plan_flags(const struct sq_plan *plan, uint32_t number)
{
	const struct sq_pred *p = plan->preds[number].pred;
	unsigned flags = 0;

	if (p->match == SQ_MATCH_GLOB)
		return SQ_HS_DOTALL | (p->cased ? 0 : SQ_HS_CASELESS);
	if (p->regex_flags & SQ_REGEX_ICASE)
		flags |= SQ_HS_CASELESS;
	if (p->regex_flags & SQ_REGEX_MULTI)
		flags |= SQ_HS_MULTILINE;
	if (p->regex_flags & SQ_REGEX_DOTALL)
		flags |= SQ_HS_DOTALL;
	return flags;
}
