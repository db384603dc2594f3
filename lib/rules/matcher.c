/* One event: which rules come into question by its log source, which fields those need scanned,
 * which of the rules wait for a predicate that was seen (or for none), and those are run. */
#include "lib/rules/matcher.h"

#include <stdlib.h>

#include "lib/rules/compiled.h"
#include "lib/rules/memo.h"
#include "lib/rules/plain.h"

enum { ASKED = 32 }; /* values that are looked up together */

/* A value that is to be scanned, unless the memo tells what would be found. */
struct asked {
	struct sq_sv value;
	uint64_t hash;
	uint32_t group;
};

struct sq_matcher {
	struct sq_ruleset *rs;
	bool is_plain;
	struct sq_hs_scratch *hs; /* NULL when there is nothing to scan */
	struct sq_plain_work plain;
	struct sq_memo_slot *memo;    /* NULL in a plain one, which scans nothing */
	struct sq_memo_slot *learned; /* of the value being scanned; NULL: it is not kept */
	struct asked asked[ASKED];
	uint32_t n_asked;
	uint64_t *scanned; /* bit per predicate that Hyperscan finds */
	uint64_t fallbacks;

	/* Of the event being run. */
	const struct sq_event *ev;
	const struct sq_route **routes; /* that apply; room for all */
	uint32_t n_routes;
	uint64_t *known, *value; /* bit per predicate; the value counts where it is known */
	uint64_t *found;         /* bit per rule that a predicate triggered */
	uint32_t pred_words;
};

static struct sq_matcher *new_matcher(struct sq_ruleset *rs, bool is_plain)
{
	struct sq_matcher *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->is_plain = is_plain;
	m->rs = sq_ruleset_ref(rs);
	m->pred_words = (rs->plan.n_preds + 63) / 64;
	m->routes = calloc((size_t)rs->n_channels + 1, sizeof(*m->routes));
	m->known = calloc((size_t)m->pred_words + 1, sizeof(*m->known));
	m->value = calloc((size_t)m->pred_words + 1, sizeof(*m->value));
	m->found = calloc((size_t)rs->rule_words + 1, sizeof(*m->found));
	m->scanned = calloc((size_t)m->pred_words + 1, sizeof(*m->scanned));
	m->memo = is_plain ? NULL : sq_memo_new();
	m->plain.regex = sq_regex_scratch_new();
	if (!m->routes || !m->known || !m->value || !m->found || !m->scanned ||
	    (!is_plain && !m->memo) || !m->plain.regex)
		goto fail;
	for (uint32_t i = 0; !is_plain && i < rs->plan.n_preds; i++)
		if (rs->plan.preds[i].scanned)
			sq_bit_set(m->scanned, i);
	for (uint32_t g = 0; !is_plain && g < rs->dbs.n; g++) {
		if (rs->dbs.list[g] && sq_hs_scratch_grow(&m->hs, rs->dbs.list[g]) < 0)
			goto fail;
	}
	return m;
fail:
	sq_matcher_free(m);
	return NULL;
}

struct sq_matcher *sq_matcher_new(struct sq_ruleset *rs)
{
	return new_matcher(rs, false);
}

struct sq_matcher *sq_matcher_new_plain(struct sq_ruleset *rs)
{
	return new_matcher(rs, true);
}

void sq_matcher_free(struct sq_matcher *m)
{
	if (!m)
		return;
	sq_hs_scratch_free(m->hs);
	sq_regex_scratch_free(m->plain.regex);
	free(m->routes);
	free(m->known);
	free(m->value);
	free(m->found);
	free(m->scanned);
	free(m->memo);
	sq_ruleset_unref(m->rs);
	free(m);
}

/* A channel given twice is looked at twice: no rule can be dodged by a second key. */
static bool in_channel(const struct sq_event *ev, struct sq_sv channel)
{
	const struct sq_value *v = &ev->values[SQ_F_CHANNEL];

	for (; v; v = sq_event_next(ev, v)) {
		if (v->kind >= SQ_VALUE_TEXT && sq_sv_ieq(sq_value_sv(v), channel))
			return true;
	}
	return false;
}

uint64_t sq_matcher_derived(const struct sq_matcher *m, const struct sq_event *ev)
{
	const struct sq_ruleset *rs = m->rs;
	uint64_t derived = rs->by_category[ev->category].derived;

	for (uint32_t i = 0; i < rs->n_channels; i++) {
		if (rs->channels[i].route.derived && in_channel(ev, rs->channels[i].channel))
			derived |= rs->channels[i].route.derived;
	}
	return derived;
}

static void choose_routes(struct sq_matcher *m)
{
	const struct sq_ruleset *rs = m->rs;

	m->n_routes = 0;
	if (rs->by_category[m->ev->category].any)
		m->routes[m->n_routes++] = &rs->by_category[m->ev->category];
	for (uint32_t i = 0; i < rs->n_channels; i++) {
		if (in_channel(m->ev, rs->channels[i].channel))
			m->routes[m->n_routes++] = &rs->channels[i].route;
	}
}

/* A predicate that Hyperscan finds was found: note it and the rules that wait for it. */
static void found(struct sq_matcher *m, uint32_t pred)
{
	const struct sq_lists *t = &m->rs->triggered;

	if (pred >= m->rs->plan.n_preds || sq_bit_get(m->value, pred))
		return;
	sq_bit_set(m->value, pred);
	for (uint32_t i = t->first[pred]; i < t->first[pred + 1]; i++)
		sq_bit_set(m->found, t->all[i]);
}

static void on_hit(void *ctx, uint32_t pred)
{
	struct sq_matcher *m = ctx;

	if (m->learned && !sq_memo_add(m->learned, pred))
		m->learned = NULL;
	found(m, pred);
}

/* Hyperscan failed on this value, so each of its predicates is run: slow, but nothing is missed. */
static void scan_plain(struct sq_matcher *m, uint32_t group, struct sq_sv value)
{
	const struct sq_numbers *preds = &m->rs->plan.groups[group].preds;

	m->fallbacks++;
	for (uint32_t i = 0; i < preds->n; i++) {
		const struct sq_planned *p = &m->rs->plan.preds[preds->p[i]];

		if (p->scanned && sq_plain_value(p->pred, p->regex, &m->plain, value))
			found(m, preds->p[i]);
	}
}

static void scan_value(struct sq_matcher *m, uint32_t group, struct sq_sv value, uint64_t hash)
{
	struct sq_memo_slot *slot = sq_memo_place(m->memo, group, value, hash);

	if (slot && sq_memo_is(slot, group, value)) {
		for (uint32_t i = 0; i < slot->n_hits; i++)
			found(m, sq_memo_hit(slot, i));
		return;
	}
	m->learned = slot;
	if (slot)
		sq_memo_begin(slot, value);
	if (sq_hsdb_scan(m->rs->dbs.list[group], m->hs, value, on_hit, m) < 0)
		scan_plain(m, group, value);
	else if (m->learned)
		sq_memo_end(m->learned, group);
}

static void scan_asked(struct sq_matcher *m)
{
	for (uint32_t i = 0; i < m->n_asked; i++)
		scan_value(m, m->asked[i].group, m->asked[i].value, m->asked[i].hash);
	m->n_asked = 0;
}

/* The memo is larger than the cache: its slots are sent for, several at once, before they are
 * looked at. */
static void ask(struct sq_matcher *m, uint32_t group, struct sq_sv value)
{
	uint64_t hash = sq_memo_hash(group, value);

	if (m->n_asked == ASKED)
		scan_asked(m);
	sq_memo_fetch(m->memo, hash);
	m->asked[m->n_asked++] = (struct asked){ value, hash, group };
}

static void ask_group(struct sq_matcher *m, uint32_t group)
{
	int32_t field = m->rs->plan.groups[group].field;
	const struct sq_value *v;

	if (field < 0) {
		for (uint32_t i = 0; i < m->ev->n_all; i++)
			ask(m, group, m->ev->all[i]);
		return;
	}
	for (v = &m->ev->values[field]; v; v = sq_event_next(m->ev, v)) {
		if (v->kind >= SQ_VALUE_TEXT)
			ask(m, group, sq_value_sv(v));
	}
}

static void scan(struct sq_matcher *m)
{
	const struct sq_ruleset *rs = m->rs;

	for (uint32_t w = 0; w < rs->group_words; w++) {
		uint64_t groups = 0;

		for (uint32_t i = 0; i < m->n_routes; i++)
			groups |= m->routes[i]->groups[w];
		for (; groups; groups &= groups - 1)
			ask_group(m, w * 64 + (uint32_t)__builtin_ctzll(groups));
	}
	scan_asked(m);
}

static __attribute__((noinline)) void find_out(struct sq_matcher *m, uint32_t pred)
{
	const struct sq_planned *p = &m->rs->plan.preds[pred];

	sq_bit_set(m->known, pred);
	if (sq_plain_event(p->pred, p->regex, &m->plain, m->ev, NULL))
		sq_bit_set(m->value, pred);
}

/* Whether a predicate holds. What Hyperscan finds is known by now; the rest (all, in a plain
 * matcher) runs once an event. */
static inline bool holds(void *ctx, uint32_t pred)
{
	struct sq_matcher *m = ctx;

	if (!sq_bit_get(m->known, pred))
		find_out(m, pred);
	return sq_bit_get(m->value, pred);
}

static void add_matched(struct sq_hit *hit, struct sq_matched new)
{
	for (uint32_t i = 0; i < hit->n_matched; i++) {
		const struct sq_matched *old = &hit->matched[i];

		if (old->field == new.field && sq_sv_eq(old->value, new.value))
			return;
	}
	hit->matched[hit->n_matched++] = new;
}

/* Only of rules that matched, so that events that match nothing do not pay for it; and in a plain
 * matcher. Depth is that of the condition, which is bounded. */
static bool is_true(struct sq_matcher *m, const struct sq_expr *e)
{
	switch (e->kind) {
	case SQ_EXPR_PRED:
		return holds(m, sq_plan_number(&m->rs->plan, e->pred));
	case SQ_EXPR_NOT:
		return !is_true(m, e->args[0]);
	case SQ_EXPR_AND:
		for (uint32_t i = 0; i < e->n; i++)
			if (!is_true(m, e->args[i]))
				return false;
		return true;
	case SQ_EXPR_OR:
		for (uint32_t i = 0; i < e->n; i++)
			if (is_true(m, e->args[i]))
				return true;
		return false;
	case SQ_EXPR_TRUE:
		return true;
	case SQ_EXPR_FALSE:
		break;
	}
	return false;
}

static void add_selection(struct sq_hit *hit, struct sq_sv name)
{
	for (uint32_t i = 0; i < hit->n_selections; i++)
		if (sq_sv_eq(hit->selections[i], name))
			return;
	if (hit->n_selections < SQ_SELECTED_MAX)
		hit->selections[hit->n_selections++] = name;
}

static void add_selections(struct sq_matcher *m, struct sq_hit *hit, const struct sq_expr *e,
                           bool negated)
{
	if (e->selection.n) {
		if (!negated && is_true(m, e))
			add_selection(hit, e->selection);
		return;
	}
	for (uint32_t i = 0; i < e->n; i++)
		add_selections(m, hit, e->args[i], negated != (e->kind == SQ_EXPR_NOT));
}

/* Which value of the event a predicate holds for. Where there is only one it is that; else the
 * predicate is run once more. A search that gives up here, where Hyperscan did not, names the first
 * one. */
static struct sq_sv which_value(struct sq_matcher *m, const struct sq_planned *p)
{
	struct sq_sv value;

	if (!m->is_plain && p->scanned && p->pred->field >= 0 &&
	    !m->ev->values[p->pred->field].more)
		return sq_event_get(m->ev, (uint32_t)p->pred->field);
	if (!sq_plain_event(p->pred, p->regex, &m->plain, m->ev, &value) && p->pred->field >= 0)
		return sq_event_get(m->ev, (uint32_t)p->pred->field);
	return value;
}

/* The list is full: the last of the lowest level gives way to a higher one. @return false: there is
 * none that is lower */
static bool make_room(const struct sq_ruleset *rs, struct sq_hits *hits, uint32_t rule)
{
	enum sq_level level = rs->rules.list[rule]->level;
	uint32_t at = hits->n;

	for (uint32_t i = 0; i < hits->n; i++) {
		enum sq_level l = rs->rules.list[hits->list[i].rule]->level;

		if (l < level || (at < hits->n && l == level)) {
			level = l;
			at = i;
		}
	}
	if (at == hits->n)
		return false;
	hits->n--;
	memmove(&hits->list[at], &hits->list[at + 1], (hits->n - at) * sizeof(hits->list[0]));
	return true;
}

static void tell(struct sq_matcher *m, struct sq_hits *hits, uint32_t rule)
{
	const struct sq_ruleset *rs = m->rs;
	const struct sq_lists *l = &rs->positives;
	struct sq_hit *hit;

	if (hits->n == SQ_HITS_MAX) {
		hits->capped = true;
		if (!make_room(rs, hits, rule))
			return;
	}
	hit = &hits->list[hits->n++];
	hit->rule = rule;
	hit->n_matched = 0;
	hit->n_selections = 0;
	add_selections(m, hit, rs->rules.list[rule]->condition, false);
	for (uint32_t i = l->first[rule]; i < l->first[rule + 1]; i++) {
		const struct sq_planned *p = &rs->plan.preds[l->all[i]];
		struct sq_matched what = { .field = "keywords" };

		if (hit->n_matched == SQ_MATCHED_MAX)
			break;
		if (!holds(m, l->all[i]))
			continue;
		what.value = which_value(m, p);
		if (p->pred->field >= 0)
			what.field = sq_fields_name(rs->rules.fields, (uint32_t)p->pred->field).p;
		add_matched(hit, what);
	}
}

static bool category_fits(const struct sq_rule *rule, enum sq_category c)
{
	return !rule->logsource.categories || rule->logsource.categories >> c & 1;
}

/* Whether a rule of the event's log source matches. */
static bool matches(struct sq_matcher *m, uint32_t rule)
{
	const struct sq_ruleset *rs = m->rs;

	if (!category_fits(rs->rules.list[rule], m->ev->category))
		return false;
	if (m->is_plain)
		return is_true(m, rs->rules.list[rule]->condition);
	return sq_cond_run(rs->conds.ops, rs->programs[rule], holds, m);
}

uint32_t sq_matcher_run(struct sq_matcher *m, const struct sq_event *ev, struct sq_hits *hits)
{
	const struct sq_ruleset *rs = m->rs;

	hits->n = 0;
	hits->capped = false;
	sq_assert(ev->fields == rs->rules.fields);
	m->ev = ev;
	choose_routes(m);
	if (m->n_routes == 0)
		return 0;

	for (uint32_t w = 0; w < m->pred_words; w++) {
		m->known[w] = m->scanned[w];
		m->value[w] = 0;
	}
	for (uint32_t w = 0; w < rs->rule_words; w++)
		m->found[w] = m->is_plain ? UINT64_MAX : rs->always[w];
	if (!m->is_plain)
		scan(m);
	for (uint32_t w = 0; w < rs->rule_words; w++) {
		uint64_t allowed = 0;

		for (uint32_t i = 0; i < m->n_routes; i++)
			allowed |= m->routes[i]->rules[w];
		for (allowed &= m->found[w]; allowed; allowed &= allowed - 1) {
			uint32_t rule = w * 64 + (uint32_t)__builtin_ctzll(allowed);

			if (matches(m, rule))
				tell(m, hits, rule);
		}
	}
	return hits->n;
}

uint64_t sq_matcher_take_limits(struct sq_matcher *m)
{
	uint64_t n = m->plain.limits;

	m->plain.limits = 0;
	return n;
}

uint64_t sq_matcher_take_fallbacks(struct sq_matcher *m)
{
	uint64_t n = m->fallbacks;

	m->fallbacks = 0;
	return n;
}
