#include "lib/rules/ruleset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/rules/compiled.h"

enum { SQ_REGEX_STEPS = 100000 };

static void report_plain(struct sq_ruleset_report *report, const struct sq_ruleset *rs,
                         uint32_t pred, const char *why)
{
	const struct sq_planned *p = &rs->plan.preds[pred];
	char file[512];

	(void)snprintf(file, sizeof(file), "%.*s", SQ_SV_ARG(sq_planned_file(p)));
	sq_diag_add(&report->notes, SQ_DIAG_WARNING, file, p->pred->line, p->pred->col,
	            "runs without Hyperscan: %s", why);
}

static int make_databases(struct sq_ruleset *rs, const struct sq_ruleset_opts *opts,
                          struct sq_ruleset_report *report, struct sq_err *err)
{
	char key[SQ_CACHE_KEY];
	int r;

	if (opts->plain)
		return 0;
	if (!sq_hsdb_usable()) {
		if (report)
			sq_diag_add(&report->notes, SQ_DIAG_WARNING, "", 0, 0,
			            "all rules run without Hyperscan: this processor has no SSSE3");
		return 0;
	}
	if (opts->cached.n) {
		sq_databases_key(&rs->plan, rs->rules.fields, key);
		r = sq_databases_load(&rs->dbs, &rs->plan, opts->cached, key);
		if (r == -ENOMEM)
			return sq_err_set(err, r, "out of memory for the pattern cache");
		if (r == 0) {
			if (report)
				report->cache_used = true;
			return 0;
		}
	}
	return sq_databases_compile(&rs->dbs, &rs->plan, &opts->each, err);
}

static uint64_t *new_bits(uint32_t words)
{
	return calloc(words ? words : 1, sizeof(uint64_t));
}

static bool route_init(struct sq_route *route, const struct sq_ruleset *rs)
{
	route->rules = new_bits(rs->rule_words);
	route->groups = new_bits(rs->group_words);
	return route->rules && route->groups;
}

/* The route of a channel, made when there is none. NULL: out of memory. */
static struct sq_route *channel_route(struct sq_ruleset *rs, struct sq_sv channel)
{
	struct sq_channel_route *list;

	for (uint32_t i = 0; i < rs->n_channels; i++) {
		if (sq_sv_ieq(rs->channels[i].channel, channel))
			return &rs->channels[i].route;
	}
	list = reallocarray(rs->channels, rs->n_channels + 1, sizeof(*list));
	if (!list)
		return NULL;
	rs->channels = list;
	list += rs->n_channels++;
	*list = (struct sq_channel_route){ .channel = channel };
	return route_init(&list->route, rs) ? &list->route : NULL;
}

/* What the rules of one event need: see struct sq_route. */
struct needs {
	uint64_t *groups;
	uint64_t derived;
};

static void route_add(struct sq_route *route, uint32_t rule, const struct needs *needs,
                      uint32_t words)
{
	route->any = true;
	sq_bit_set(route->rules, rule);
	for (uint32_t w = 0; w < words; w++)
		route->groups[w] |= needs->groups[w];
	route->derived |= needs->derived;
}

/* Depth is that of the condition, which is bounded. */
static void add_needs(const struct sq_ruleset *rs, const struct sq_expr *e, struct needs *needs)
{
	const struct sq_planned *p;

	if (e->kind != SQ_EXPR_PRED) {
		for (uint32_t i = 0; i < (e->kind == SQ_EXPR_NOT ? 1 : e->n); i++)
			add_needs(rs, e->args[i], needs);
		return;
	}
	p = &rs->plan.preds[sq_plan_number(&rs->plan, e->pred)];
	if (p->scanned)
		sq_bit_set(needs->groups, p->group);
	if (p->pred->field >= 0 && sq_field_is_derived((uint32_t)p->pred->field))
		needs->derived |= UINT64_C(1) << (p->pred->field - SQ_F_PRODUCED);
}

static void rule_needs(const struct sq_ruleset *rs, uint32_t rule, struct needs *needs)
{
	for (uint32_t w = 0; w < rs->group_words; w++)
		needs->groups[w] = 0;
	needs->derived = 0;
	add_needs(rs, rs->rules.list[rule]->condition, needs);
}

static int make_routes(struct sq_ruleset *rs)
{
	struct needs needs = { .groups = new_bits(rs->group_words) };
	int r = -ENOMEM;

	for (uint32_t c = 0; c < SQ_CATEGORIES; c++) {
		if (!route_init(&rs->by_category[c], rs))
			goto out;
	}
	for (uint32_t i = 0; needs.groups && i < rs->rules.n; i++) {
		const struct sq_logsource *ls = &rs->rules.list[i]->logsource;

		if (ls->never)
			continue;
		rule_needs(rs, i, &needs);
		for (const char *const *name = ls->channels; name && *name; name++) {
			struct sq_route *route = channel_route(rs, sq_sv_of(*name));

			if (!route)
				goto out;
			route_add(route, i, &needs, rs->group_words);
		}
		for (uint32_t c = 0; !ls->channels && c < SQ_CATEGORIES; c++) {
			if (!ls->categories || ls->categories >> c & 1)
				route_add(&rs->by_category[c], i, &needs, rs->group_words);
		}
	}
	r = needs.groups ? 0 : -ENOMEM;
out:
	free(needs.groups);
	return r;
}

static void lists_fini(struct sq_lists *l)
{
	free(l->first);
	free(l->all);
}

/* Turn pairs (of[i], what[i]), in any order of `of`, into lists; the order of `what` is kept. */
static int make_lists(struct sq_lists *l, uint32_t n_lists, const struct sq_numbers *of,
                      const struct sq_numbers *what)
{
	l->first = calloc((size_t)n_lists + 2, sizeof(*l->first));
	l->all = calloc(of->n ? of->n : 1, sizeof(*l->all));
	if (!l->first || !l->all)
		return -ENOMEM;
	for (uint32_t i = 0; i < of->n; i++)
		l->first[of->p[i] + 2]++;
	for (uint32_t i = 2; i < n_lists + 2; i++)
		l->first[i] += l->first[i - 1];
	for (uint32_t i = 0; i < of->n; i++)
		l->all[l->first[of->p[i] + 1]++] = what->p[i];
	return 0;
}

static int add_pairs(struct sq_numbers *of, struct sq_numbers *what, uint32_t rule,
                     const struct sq_numbers *preds, bool by_pred)
{
	for (uint32_t i = 0; i < preds->n; i++) {
		if (sq_numbers_add(of, by_pred ? preds->p[i] : rule) < 0 ||
		    sq_numbers_add(what, by_pred ? rule : preds->p[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

struct pairs {
	struct sq_numbers trig_of, trig_what, pos_of, pos_what, tmp;
};

static int make_rule(struct sq_ruleset *rs, uint32_t i, struct pairs *p)
{
	const struct sq_expr *e = rs->rules.list[i]->condition;
	int r = sq_cond_compile(&rs->conds, &rs->plan, e, &rs->programs[i]);

	if (r < 0)
		return r;
	r = sq_cond_triggers(&rs->plan, e, &p->tmp);
	if (r < 0)
		return r;
	if (r == 0)
		sq_bit_set(rs->always, i);
	else
		r = add_pairs(&p->trig_of, &p->trig_what, i, &p->tmp, true);
	if (r < 0)
		return r;
	r = sq_cond_positives(&rs->plan, e, &p->tmp);
	return r < 0 ? r : add_pairs(&p->pos_of, &p->pos_what, i, &p->tmp, false);
}

static int make_programs(struct sq_ruleset *rs)
{
	struct pairs p = { 0 };
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < rs->rules.n; i++)
		r = make_rule(rs, i, &p);
	if (r >= 0)
		r = make_lists(&rs->triggered, rs->plan.n_preds, &p.trig_of, &p.trig_what);
	if (r >= 0)
		r = make_lists(&rs->positives, rs->rules.n, &p.pos_of, &p.pos_what);
	free(p.trig_of.p);
	free(p.trig_what.p);
	free(p.pos_of.p);
	free(p.pos_what.p);
	free(p.tmp.p);
	return r < 0 ? r : 0;
}

static bool asks_keywords(const struct sq_ruleset *rs)
{
	for (uint32_t i = 0; i < rs->plan.n_preds; i++) {
		if (rs->plan.preds[i].pred->field < 0)
			return true;
	}
	return false;
}

static void fill_report(struct sq_ruleset_report *report, const struct sq_ruleset *rs)
{
	report->rules = rs->rules.n;
	report->predicates = rs->plan.n_preds;
	for (uint32_t i = 0; i < rs->plan.n_preds; i++)
		report->patterns += rs->plan.preds[i].scanned;
	for (uint32_t i = 0; i < rs->dbs.n; i++)
		report->databases += rs->dbs.list[i] != NULL;
	for (uint32_t i = 0; i < rs->dbs.refusals.n; i++)
		report_plain(report, rs, rs->dbs.refusals.list[i].pred,
		             rs->dbs.refusals.list[i].why);
}

static int build(struct sq_ruleset *rs, const struct sq_ruleset_opts *opts,
                 struct sq_ruleset_report *report, struct sq_err *err)
{
	uint32_t steps = opts->regex_steps ? opts->regex_steps : SQ_REGEX_STEPS;
	int r = sq_plan_init(&rs->plan, &rs->rules, err);

	if (r < 0)
		return r;
	r = sq_plan_regexes(&rs->plan, steps, err);
	if (r < 0)
		return r;
	r = make_databases(rs, opts, report, err);
	if (r < 0)
		return r;

	rs->rule_words = (rs->rules.n + 63) / 64;
	rs->group_words = (rs->plan.n_groups + 63) / 64;
	rs->programs = calloc(rs->rules.n ? rs->rules.n : 1, sizeof(*rs->programs));
	rs->always = new_bits(rs->rule_words);
	if (!rs->programs || !rs->always)
		return sq_err_set(err, -ENOMEM, "out of memory");
	r = make_programs(rs);
	if (r == 0)
		r = make_routes(rs);
	if (r < 0)
		return sq_err_set(err, r, r == -ENOMEM ? "out of memory" : "too many conditions");
	rs->wants_all = asks_keywords(rs);
	if (report)
		fill_report(report, rs);
	return 0;
}

int sq_ruleset_build(struct sq_rules *rules, const struct sq_ruleset_opts *opts,
                     struct sq_ruleset **ret, struct sq_ruleset_report *report, struct sq_err *err)
{
	static const struct sq_ruleset_opts defaults = { 0 };
	struct sq_ruleset *rs = calloc(1, sizeof(*rs));
	int r;

	if (report)
		*report = (struct sq_ruleset_report){ 0 };
	if (!rs) {
		sq_rules_fini(rules);
		return sq_err_set(err, -ENOMEM, "out of memory");
	}
	atomic_init(&rs->refs, 1);
	rs->rules = *rules;
	*rules = (struct sq_rules){ 0 };

	r = build(rs, opts ? opts : &defaults, report, err);
	if (r < 0) {
		sq_ruleset_unref(rs);
		return r;
	}
	*ret = rs;
	return 0;
}

struct sq_ruleset *sq_ruleset_ref(struct sq_ruleset *rs)
{
	/* Whoever has a reference to copy keeps the set alive: no order is needed. */
	atomic_fetch_add_explicit(&rs->refs, 1, memory_order_relaxed);
	return rs;
}

static void route_fini(struct sq_route *route)
{
	free(route->rules);
	free(route->groups);
}

const void *sq_ruleset_attach(struct sq_ruleset *rs, void *thing, void (*end)(void *thing))
{
	void *there = atomic_load(&rs->attached);

	if (!thing || there) {
		if (thing)
			end(thing);
		return there;
	}
	if (!atomic_compare_exchange_strong(&rs->attached, &there, thing)) {
		end(thing);
		return there;
	}
	rs->attached_free = end; /* read by the last reference only */
	return thing;
}

void sq_ruleset_unref(struct sq_ruleset *rs)
{
	/* Release what this thread did with the set; the last one acquires what all others did. */
	if (!rs || atomic_fetch_sub_explicit(&rs->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (uint32_t c = 0; c < SQ_CATEGORIES; c++)
		route_fini(&rs->by_category[c]);
	for (uint32_t i = 0; i < rs->n_channels; i++)
		route_fini(&rs->channels[i].route);
	if (rs->attached)
		rs->attached_free(rs->attached);
	free(rs->channels);
	free(rs->always);
	lists_fini(&rs->triggered);
	lists_fini(&rs->positives);
	free(rs->programs);
	free(rs->conds.ops);
	sq_databases_fini(&rs->dbs);
	sq_plan_fini(&rs->plan);
	sq_rules_fini(&rs->rules);
	free(rs);
}

uint32_t sq_ruleset_count(const struct sq_ruleset *rs)
{
	return rs->rules.n;
}

const struct sq_rule *sq_ruleset_rule(const struct sq_ruleset *rs, uint32_t index)
{
	sq_assert(index < rs->rules.n);
	return rs->rules.list[index];
}

const struct sq_fields *sq_ruleset_fields(const struct sq_ruleset *rs)
{
	return rs->rules.fields;
}

bool sq_ruleset_wants_all(const struct sq_ruleset *rs)
{
	return rs->wants_all;
}

int sq_ruleset_save(const struct sq_ruleset *rs, struct sq_outbuf *out)
{
	char key[SQ_CACHE_KEY];

	if (rs->dbs.n == 0)
		return -ENODATA;
	sq_databases_key(&rs->plan, rs->rules.fields, key);
	return sq_databases_save(&rs->dbs, &rs->plan, out, key);
}

void sq_rules_cache_key(const struct sq_rules *rules, char ret[33])
{
	struct sq_plan plan;

	/* Without memory the name is one that fits no set. */
	if (sq_plan_init(&plan, rules, NULL) == 0)
		sq_databases_key(&plan, rules->fields, ret);
	else
		(void)snprintf(ret, SQ_CACHE_KEY, "%032d", 0);
	sq_plan_fini(&plan);
}
