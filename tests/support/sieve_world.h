/* A rule set, its plan and a pipeline that say whether the plan is kept: of each rule that matches
 * a record a word stands in it, or the record is odd. The words are looked for one by one. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "lib/engine/pipeline.h"
#include "lib/engine/sieve.h"
#include "lib/engine/sieve_evidence.h"
#include "lib/engine/sieve_odd.h"
#include "lib/engine/sieve_plan.h"
#include "lib/rules/sigma.h"

/* What an expression promises, all of it. */
struct sieve_tree {
	const struct sq_expr *e;  /* NULL: the log source */
	struct sq_needs needs;    /* of a comparison, or of the log source */
	struct sieve_tree **args; /* of what is made of others */
};

struct sieve_world {
	struct sq_arena arena;                     /* trees */
	struct sieve_tree **sources, **conditions; /* by rule */
	struct sq_ruleset *rs;
	struct sq_sieve *sieve;
	struct sq_sieve_plan plan;
	struct sq_spot spot;
	struct sq_pipeline *pipeline;
	struct sq_batch *batch;
	uint64_t records, hits, odd, kept, lined;
	/* Of the record being run. */
	struct sq_sv raw;
	bool is_odd;
	uint32_t matched;
	uint32_t wrong; /* 1 + rule that matched without what it promises */
};

static inline bool sieve_is_odd(const struct sieve_world *w, struct sq_sv raw)
{
	for (size_t at = 0; at < raw.n; at++)
		if (sq_odd_at(raw, at, sq_spot_at(&w->spot, raw, at)))
			return true;
	return false;
}

/** May the rule match a record that is not odd? */
static inline bool sieve_allows(const struct sq_sieve_plan *plan, uint32_t rule, struct sq_sv raw)
{
	const struct sq_sieve_need *need = &plan->rules[rule];

	if (need->promise == SQ_SIEVE_OPEN)
		return true;
	for (uint32_t i = 0; i < need->n; i++)
		if (sq_sv_ifind(raw, plan->words[need->words[i]]) != SIZE_MAX)
			return true;
	return false;
}

static inline struct sieve_tree *sieve_tree_of(struct sq_arena *a, const struct sq_expr *e)
{
	struct sieve_tree *t = sq_arena_alloc(a, sizeof(*t));
	size_t n = e->kind == SQ_EXPR_NOT ? 1 : e->n;

	sq_assert(t);
	*t = (struct sieve_tree){ .e = e };
	if (e->kind == SQ_EXPR_PRED) {
		sq_evidence_of_pred(a, e->pred, &t->needs);
		return t;
	}
	t->args = sq_arena_alloc(a, (n ? n : 1) * sizeof(struct sieve_tree *));
	sq_assert(t->args);
	for (size_t i = 0; i < n; i++)
		t->args[i] = sieve_tree_of(a, e->args[i]);
	return t;
}

static inline bool sieve_needs_hold(const struct sq_needs *needs, struct sq_sv raw)
{
	for (uint32_t i = 0; i < needs->n; i++) {
		bool one = false;

		for (uint32_t k = 0; k < needs->list[i].n && !one; k++)
			one = sq_sv_ifind(raw, needs->list[i].words[k]) != SIZE_MAX;
		if (!one)
			return false;
	}
	return !needs->never;
}

/* May the expression be true, or with `negated` false, of a record that is not odd? */
static inline bool sieve_may_be(const struct sieve_tree *t, bool negated, struct sq_sv raw)
{
	const struct sq_expr *e = t->e;

	switch (e->kind) {
	case SQ_EXPR_PRED:
		return negated || sieve_needs_hold(&t->needs, raw);
	case SQ_EXPR_NOT:
		return sieve_may_be(t->args[0], !negated, raw);
	case SQ_EXPR_AND:
	case SQ_EXPR_OR:
		for (uint32_t i = 0; i < e->n; i++)
			if (sieve_may_be(t->args[i], negated, raw) ==
			    ((e->kind == SQ_EXPR_OR) != negated))
				return (e->kind == SQ_EXPR_OR) != negated;
		return (e->kind == SQ_EXPR_AND) != negated;
	case SQ_EXPR_TRUE:
	case SQ_EXPR_FALSE:
		return (e->kind == SQ_EXPR_TRUE) != negated;
	}
	return true;
}

static inline bool sieve_plant_trees(struct sieve_world *w)
{
	uint32_t n = sq_ruleset_count(w->rs);

	if (sq_arena_init(&w->arena, 256 << 20) < 0)
		return false;
	w->sources = sq_arena_alloc(&w->arena, n * sizeof(struct sieve_tree *));
	w->conditions = sq_arena_alloc(&w->arena, n * sizeof(struct sieve_tree *));
	for (uint32_t i = 0; w->sources && w->conditions && i < n; i++) {
		const struct sq_rule *rule = sq_ruleset_rule(w->rs, i);

		w->conditions[i] = sieve_tree_of(&w->arena, rule->condition);
		w->sources[i] = sq_arena_alloc(&w->arena, sizeof(struct sieve_tree));
		sq_assert(w->sources[i]);
		sq_evidence_of_source(&w->arena, &rule->logsource, &w->sources[i]->needs);
	}
	return !w->arena.overflow;
}

static inline void sieve_see(void *ctx, const struct sq_event *ev, const struct sq_hits *hits,
                             struct sq_sv raw, const char *why)
{
	struct sieve_world *w = ctx;

	(void)ev;
	(void)raw;
	(void)why;
	for (uint32_t i = 0; hits && i < hits->n; i++) {
		uint32_t rule = hits->list[i].rule;

		w->matched++;
		if (w->plan.rules[rule].promise == SQ_SIEVE_NEVER ||
		    (!w->is_odd && (!sieve_allows(&w->plan, rule, w->raw) ||
		                    !sieve_may_be(w->conditions[rule], false, w->raw) ||
		                    !sieve_needs_hold(&w->sources[rule]->needs, w->raw))))
			w->wrong = 1 + rule;
	}
}

/** Takes `rules`. @return false: something could not be made */
static inline bool sieve_world_open(struct sieve_world *w, struct sq_rules *rules)
{
	static const struct sq_batch_limits limits = {
		.chunk = 4 << 20, .records = 4, .origins = 1, .arena = 8 << 20, .out = 1 << 20
	};
	static const struct sq_pipeline_opts opts = { .formats = 0 };
	struct sq_err err = { 0 };

	*w = (struct sieve_world){ 0 };
	if (sq_ruleset_build(rules, &(struct sq_ruleset_opts){ .plain = true }, &w->rs, NULL,
	                     &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return false;
	}
	if (sq_sieve_plan_init(&w->plan, w->rs) < 0 || !sieve_plant_trees(w))
		return false;
	sq_odd_windows(&w->spot);
	w->sieve = sq_sieve_new(w->rs, 1);
	w->pipeline = sq_pipeline_new(w->rs, &opts);
	w->batch = sq_batch_new(&limits);
	if (!w->sieve || !w->pipeline || !w->batch)
		return false;
	sq_pipeline_watch(w->pipeline, sieve_see, w);
	return true;
}

static inline void sieve_world_close(struct sieve_world *w)
{
	sq_batch_free(w->batch);
	sq_pipeline_free(w->pipeline);
	sq_sieve_unref(w->sieve);
	sq_sieve_plan_fini(&w->plan);
	sq_arena_fini(&w->arena);
	sq_ruleset_unref(w->rs);
}

/* The record thrice as lines: what is looked at in one pass is what is looked at alone.
 * @return false: it is not */
static inline bool sieve_lines_agree(struct sieve_world *w, struct sq_sv raw, bool left_out)
{
	struct sq_batch *b = w->batch;
	size_t size = 3 * raw.n + 4;
	char *text = malloc(size), *to = text;
	uint32_t kept = left_out ? 0 : 3;
	uint32_t n = 0;
	bool one = memchr(raw.p, '\n', raw.n) == NULL, cut;

	sq_assert(text);
	for (int i = 0; i < 3; i++) {
		memcpy(to, raw.p, raw.n);
		to += raw.n;
		if (i == 1)
			*to++ = '\r';
		*to++ = '\n';
	}
	sq_batch_reset(b);
	sq_assert(sq_batch_origin(b, NULL, "") == 0);
	cut = sq_sieve_lines(w->sieve, b, 0, (struct sq_sv){ text, size }, (uint32_t)raw.n, NULL,
	                     NULL, &n);
	free(text);
	w->lined += cut && one;
	if (cut && memchr(raw.p, '\0', raw.n))
		return false;
	if (!cut)
		return !b->counts.left_out && !b->n_records && !b->origins[0].n;
	return !one || (n == 3 && b->n_records == kept && b->counts.left_out == 3 - kept);
}

/** Run one record. @return NULL, or what is wrong */
static inline const char *sieve_world_run(struct sieve_world *w, struct sq_sv raw)
{
	struct sq_batch *b = w->batch;
	bool left_out;

	sq_batch_reset(b);
	if (raw.n == 0 || raw.n > b->limits.chunk / 4 || sq_batch_origin(b, NULL, "") < 0)
		return NULL;
	memcpy(b->chunk, raw.p, raw.n);
	b->tail = (uint32_t)raw.n;
	w->raw = (struct sq_sv){ b->chunk, raw.n };
	w->is_odd = sieve_is_odd(w, w->raw);
	if (sq_batch_add(b, 0, w->raw) < 0)
		return "no room";
	sq_sieve_run(w->sieve, b, 0);
	left_out = b->records[0].left_out;
	b->records[0].left_out = false;
	w->matched = w->wrong = 0;
	do {
		sq_batch_clear_out(b);
		sq_pipeline_run(w->pipeline, b, (struct sq_now){ 1, 1 });
	} while (sq_batch_unfinished(b));
	w->records++;
	w->hits += w->matched;
	w->odd += w->is_odd;
	w->kept += !left_out;
	if (!w->wrong && !sieve_lines_agree(w, raw, left_out))
		return "as a line it is cut or kept otherwise";
	if (w->wrong)
		return "a rule matches without what it promises";
	return left_out && w->matched ? "a record that rules match is left out" : NULL;
}
