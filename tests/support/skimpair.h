/* Two readings of one JSON text, by yajl and by skim, and what must be the same in both. For tests
 * and fuzzers; failing is an abort. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "lib/model/skim.h"

enum { SKIM_SIDES_MAX = 8 };

struct skim_side {
	struct sq_collect collect;
	struct sq_walk walk;
	struct sq_arena arena;
	struct sq_event event;
	struct sq_skim *skim;
	const char *name;
	struct sq_value values[SQ_FIELDS_MAX], more[SQ_EVENT_MORE_MAX];
	struct sq_sv all[SQ_EVENT_ALL_MAX];
};

/** One side by yajl, and one by skim for each body that this CPU runs. */
struct skim_pair {
	struct sq_fields *fields;
	struct sq_trie *trie;
	struct sq_json *json;
	const struct sq_skim_want *want;
	struct skim_side yajl, *sides[SKIM_SIDES_MAX];
	size_t n_sides;
	unsigned long certain, unsure, unsure_though_good; /* of the first body */
};

static inline void skim_side_begin(struct skim_side *s, const struct skim_pair *p, bool all)
{
	s->collect.values = s->values;
	s->collect.more = s->more;
	s->collect.all = all ? s->all : NULL;
	s->walk.c = &s->collect;
	s->walk.trie = p->trie;
	s->walk.fields = p->fields;
	if (sq_arena_init(&s->arena, 1 << 20) < 0)
		abort();
}

/** `want` and `fields` are kept. */
static inline void skim_pair_begin(struct skim_pair *p, struct sq_fields *fields,
                                   const struct sq_skim_want *want, bool all,
                                   const struct sq_json_limits *limits)
{
	*p = (struct skim_pair){ .fields = fields, .want = want };
	p->trie = sq_trie_new();
	skim_side_begin(&p->yajl, p, all);
	p->json = sq_json_new(&sq_walk_sink, &p->yajl.walk, limits);
	for (size_t i = 0; i < sq_bits_bodies_n; i++) {
		const struct sq_bits_body *body = &sq_bits_bodies[i];
		struct skim_side *s;

		if (!body->runs() || p->n_sides == SKIM_SIDES_MAX)
			continue;
		s = p->sides[p->n_sides++] = calloc(1, sizeof(*s));
		skim_side_begin(s, p, all);
		s->name = body->name;
		s->skim = sq_skim_new(&s->walk, &(struct sq_skim_opts){ *limits, want, body });
		if (!s->skim)
			abort();
	}
}

static inline void skim_pair_end(struct skim_pair *p)
{
	for (size_t i = 0; i < p->n_sides; i++) {
		sq_skim_free(p->sides[i]->skim);
		sq_arena_fini(&p->sides[i]->arena);
		free(p->sides[i]);
	}
	sq_json_free(p->json);
	sq_trie_free(p->trie);
	sq_arena_fini(&p->yajl.arena);
}

static inline void skim_fail(const struct skim_side *s, struct sq_sv text, const char *what)
{
	fprintf(stderr, "%s: other %s than yajl: %.*s\n", s->name, what,
	        SQ_SV_ARG(sq_sv_first(text, 8192)));
	abort();
}

static inline bool same_value(const struct sq_value *a, const struct sq_value *b)
{
	return a->kind == b->kind && a->rank == b->rank && a->more == b->more &&
	       sq_sv_eq(sq_value_sv(a), sq_value_sv(b));
}

/* Values one after the other; where the later ones lie is of no interest. */
static inline bool same_chain(const struct sq_collect *x, const struct sq_collect *y,
                              const struct sq_value *a, const struct sq_value *b)
{
	for (;; a = &x->more[a->more - 1], b = &y->more[b->more - 1]) {
		if (a->kind != b->kind || a->rank != b->rank ||
		    !sq_sv_eq(sq_value_sv(a), sq_value_sv(b)) || !a->more != !b->more)
			return false;
		if (!a->more)
			return true;
	}
}

static inline void compare_parts(const struct skim_side *y, const struct skim_side *s,
                                 struct sq_sv text)
{
	const struct sq_collect *a = &y->collect, *b = &s->collect;

	/* SQ_HINT_NONE says nothing, and is left out for what is passed over. */
	if ((a->hints ^ b->hints) >> 1 || a->n_data != b->n_data)
		skim_fail(s, text, "signs");
	if (a->n_texts != b->n_texts || a->n_list != b->n_list)
		skim_fail(s, text, "number of texts");
	for (uint32_t i = 0; i < a->n_texts; i++) {
		if (!sq_sv_eq(a->texts[i], b->texts[i]) || a->rendered[i] != b->rendered[i])
			skim_fail(s, text, "texts");
	}
	for (uint32_t i = 0; i < a->n_list; i++) {
		if (!same_value(&a->list[i], &b->list[i]))
			skim_fail(s, text, "list");
	}
}

static inline void compare_all(const struct skim_side *y, const struct skim_side *s,
                               struct sq_sv text)
{
	if (y->event.flags != s->event.flags || y->event.n_more != s->event.n_more ||
	    y->event.n_all != s->event.n_all)
		skim_fail(s, text, "flags");
	for (uint32_t i = 0; i < SQ_AUX_N; i++) {
		if (!same_value(&y->collect.aux[i], &s->collect.aux[i]))
			skim_fail(s, text, "auxiliary value");
	}
	for (uint32_t i = 0; i < y->event.n_all; i++) {
		if (!sq_sv_eq(y->all[i], s->all[i]))
			skim_fail(s, text, "list of all");
	}
	if (sq_arena_mark(&y->arena) != sq_arena_mark(&s->arena))
		skim_fail(s, text, "use of the arena");
}

static inline void compare_sides(const struct skim_pair *p, const struct skim_side *s,
                                 struct sq_sv text)
{
	const struct skim_side *y = &p->yajl;

	compare_parts(y, s, text);
	if (!p->want)
		compare_all(y, s, text);
	for (uint32_t i = 0; i < sq_fields_count(p->fields); i++) {
		if ((!p->want || p->want->fields[i / 64] >> i % 64 & 1) &&
		    !same_chain(&y->collect, &s->collect, &y->values[i], &s->values[i]))
			skim_fail(s, text, "values");
	}
}

static inline void begin_side(const struct skim_pair *p, struct skim_side *s, struct sq_sv text)
{
	sq_arena_reset(&s->arena);
	sq_collect_begin(&s->collect, &s->event, &s->arena, p->fields, text);
	sq_walk_begin(&s->walk);
}

/** Read `text` in all ways. Where skim is certain it must have what yajl has; all bodies must agree
 *  on whether they are. @return whether they were */
static inline bool skim_pair_check(struct skim_pair *p, struct sq_sv text)
{
	size_t used = 0, skimmed = 0;
	bool first = false;
	int ret;

	begin_side(p, &p->yajl, text);
	ret = sq_json_read(p->json, text, &used);
	for (size_t i = 0; i < p->n_sides; i++) {
		struct skim_side *s = p->sides[i];
		bool certain;

		begin_side(p, s, text);
		certain = sq_skim_read(s->skim, text, &skimmed);
		if (i == 0)
			first = certain;
		if (certain != first)
			skim_fail(s, text, "certainty among bodies");
		if (!certain)
			continue;
		if (ret != 0)
			skim_fail(s, text, "verdict");
		if (used != skimmed)
			skim_fail(s, text, "end");
		compare_sides(p, s, text);
	}
	p->certain += first;
	p->unsure += !first;
	p->unsure_though_good += !first && ret == 0;
	return first;
}
