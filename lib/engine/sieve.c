#include "lib/engine/sieve.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/engine/sieve_odd.h"
#include "lib/engine/sieve_private.h"

enum {
	GAP_MAX = 256, /* bytes between two records that are looked at in one go */
	/* Places of one record that are looked at closely: so many, or one in so many bytes when
	 * that is more; then reading is cheaper. */
	LOOKS_MAX = 64,
	LOOK_BYTES = 64,
	ODD = (1 << SQ_ODD_BUCKETS) - 1, /* their buckets */
};

/* Several records that lie one behind the other, looked at as one text. */
struct stretch {
	const struct sq_sieve *sieve;
	struct sq_record *records;
	uint32_t n;
	struct sq_sv text;
	struct sq_record *at; /* the record that the last place was in */
	struct sq_look look;  /* of it */
};

/* Does the expression ask for a field that is made of others? */
static bool asks_derived(const struct sq_expr *e)
{
	uint32_t n = e->kind == SQ_EXPR_NOT ? 1 : e->n;

	switch (e->kind) {
	case SQ_EXPR_PRED:
		return e->pred->field < 0 || sq_field_is_derived((uint32_t)e->pred->field);
	case SQ_EXPR_AND:
	case SQ_EXPR_OR:
	case SQ_EXPR_NOT:
		for (uint32_t i = 0; i < n; i++)
			if (asks_derived(e->args[i]))
				return true;
		return false;
	case SQ_EXPR_TRUE:
	case SQ_EXPR_FALSE:
		break;
	}
	return false;
}

static bool make_ids(struct sq_sieve *s, const struct sq_ruleset *rs)
{
	s->ids = calloc(s->plan.n_words + 1, sizeof(*s->ids));
	for (uint32_t r = 0; s->ids && r < s->plan.n_rules; r++) {
		const struct sq_sieve_need *need = &s->plan.rules[r];
		const struct sq_rule *rule = sq_ruleset_rule(rs, r);
		struct sq_id_set ids;

		sq_ids_of_rule(rule, &ids);
		for (uint32_t i = 0; i < need->n; i++)
			sq_ids_add(&s->ids[need->words[i]], &ids);
		if (need->promise != SQ_SIEVE_NEVER && asks_derived(rule->condition))
			sq_ids_add(&s->folding, &ids);
	}
	sq_ids_windows(&s->keys);
	sq_spot_ready(&s->keys);
	return s->ids != NULL;
}

struct sq_sieve *sq_sieve_new(const struct sq_ruleset *rs, uint64_t generation)
{
	struct sq_sieve *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return NULL;
	atomic_init(&s->refs, 1);
	s->generation = generation;
	r = sq_sieve_plan_init(&s->plan, rs);
	sq_odd_windows(&s->spot);
	if (!r && !s->plan.n_open && s->plan.n_words)
		r = sq_words_new(&s->words, s->plan.words, s->plan.n_words, &s->spot,
		                 SQ_ODD_BUCKETS);
	s->open = r == -E2BIG || s->plan.n_open > 0;
	if (!r && !s->open && !make_ids(s, rs))
		r = -ENOMEM;
	s->lines = s->spot;
	sq_odd_line_ends(&s->lines);
	sq_spot_ready(&s->spot);
	sq_spot_ready(&s->lines);
	if (r != -ENOMEM)
		return s;
	sq_sieve_unref(s);
	return NULL;
}

struct sq_sieve *sq_sieve_ref(struct sq_sieve *s)
{
	if (s)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void sq_sieve_unref(struct sq_sieve *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	sq_words_free(s->words);
	free(s->ids);
	sq_sieve_plan_fini(&s->plan);
	free(s);
}

bool sq_sieve_is_open(const struct sq_sieve *s)
{
	return s->open;
}

uint64_t sq_sieve_generation(const struct sq_sieve *s)
{
	return s->generation;
}

const struct sq_sieve_plan *sq_sieve_plan(const struct sq_sieve *s)
{
	return &s->plan;
}

/* May the record be of an event with one of these ids? What hides ids is a sign that keeps it. */
static bool may_have(struct sq_look *l, const struct sq_id_set *ids)
{
	if (ids->any)
		return true;
	if (!l->asked)
		sq_ids_of_record(&l->sieve->keys, l->record, &l->ids);
	l->asked = true;
	return sq_ids_meet(ids, &l->ids);
}

bool sq_look_wants(struct sq_look *l, uint32_t word)
{
	return may_have(l, &l->sieve->ids[word]);
}

static size_t is_wanted(void *ctx, uint32_t word, size_t at)
{
	(void)at;
	return sq_look_wants(ctx, word);
}

/* A sign stands in the record. One that hides nothing but words is of interest to those rules only
 * that ask for what folding makes. */
static bool is_odd(struct sq_look *l, size_t at, unsigned buckets)
{
	enum sq_odd odd = sq_odd_at(l->record, at, buckets & ODD);

	return odd == SQ_ODD_SPELT || (odd && may_have(l, &l->sieve->folding));
}

/* Is there a reason to keep the record at this place of it, which is of these buckets? */
static bool is_reason(struct sq_look *l, size_t at, unsigned buckets)
{
	const struct sq_sieve *s = l->sieve;
	unsigned words = buckets & ~(unsigned)ODD;

	return (buckets & ODD && is_odd(l, at, buckets)) ||
	       (words && sq_words_at(s->words, l->record, at, words, is_wanted, l));
}

/* Places that only some CPUs find do not count, so that all leave out the same records. */
bool sq_look_at(struct sq_look *l, size_t at)
{
	unsigned buckets = sq_spot_at(&l->sieve->spot, l->record, at);

	if (!buckets)
		return false;
	l->looks++;
	return (l->looks >= LOOKS_MAX && l->looks >= l->record.n / LOOK_BYTES) ||
	       is_reason(l, at, buckets);
}

void sq_look_for(struct sq_look *l, const struct sq_sieve *s, struct sq_sv record)
{
	l->sieve = s;
	l->record = record;
	l->looks = 0;
	l->asked = false; /* `ids` is written before it is read */
}

static const char *end_of(const struct sq_record *r)
{
	return r->raw.p + r->raw.n;
}

static void turn_to(struct stretch *t, struct sq_record *r)
{
	t->at = r;
	sq_look_for(&t->look, t->sieve, r->raw);
}

/* The record that has the byte at `p`, which is behind the last one that was asked for. NULL: it is
 * between two, or in one that is kept. */
static struct sq_record *record_at(struct stretch *t, const char *p)
{
	struct sq_record *r = t->at, *last = t->records + t->n - 1;

	while (r < last && p >= end_of(r))
		r++;
	if (r != t->at)
		turn_to(t, r);
	return r->left_out && p >= r->raw.p && p < end_of(r) ? r : NULL;
}

/* Places that windows found, ascending, in all of the stretch. */
static void look_at_places(struct stretch *t)
{
	uint32_t places[SQ_SPOT_ROOM];
	size_t at = 0;

	turn_to(t, t->records);
	while (at < t->text.n) {
		uint32_t n = sq_spot_next(&t->sieve->spot, t->text, &at, places);

		for (uint32_t i = 0; i < n; i++) {
			const char *p = t->text.p + places[i];
			struct sq_record *r = record_at(t, p);

			if (r)
				r->left_out = !sq_look_at(&t->look, (size_t)(p - r->raw.p));
		}
	}
}

/* A word that has no window. */
static size_t on_word(void *ctx, uint32_t word, size_t at)
{
	struct stretch *t = ctx;
	const char *p = t->text.p + at;
	struct sq_record *r = record_at(t, p);

	if (!r || p + sq_words_text(t->sieve->words, word).n > end_of(r) ||
	    !sq_look_wants(&t->look, word))
		return 0;
	r->left_out = false;
	return (size_t)(end_of(r) - t->text.p);
}

/* The records from `first` on that can be looked at in one go. */
static struct stretch stretch_of(const struct sq_sieve *s, struct sq_batch *b, uint32_t first)
{
	struct sq_record *r = b->records + first;
	struct stretch t = { .sieve = s, .records = r, .n = 1 };

	while (first + t.n < b->n_records) {
		const char *end = end_of(&r[t.n - 1]), *next = r[t.n].raw.p;

		if (next < end || next - end > GAP_MAX)
			break;
		t.n++;
	}
	t.text = (struct sq_sv){ r->raw.p, (size_t)(end_of(&r[t.n - 1]) - r->raw.p) };
	return t;
}

/* Does it look like an object of JSON, perhaps behind a syslog header? What does not is read, so
 * that it is counted as malformed, or for the several events in it. */
static bool is_object(struct sq_sv record)
{
	struct sq_sv v = sq_sv_trim(record);

	return v.n > 1 && (v.p[0] == '{' || v.p[0] == '<') && v.p[v.n - 1] == '}';
}

void sq_sieve_run(const struct sq_sieve *s, struct sq_batch *b, uint32_t first)
{
	for (uint32_t i = first; i < b->n_records; i++)
		b->records[i].left_out = !s->open && is_object(b->records[i].raw);
	for (uint32_t i = first; i < b->n_records && !s->open;) {
		struct stretch t = stretch_of(s, b, i);

		look_at_places(&t);
		for (unsigned k = 0; s->words && k < sq_words_searches(s->words); k++) {
			turn_to(&t, t.records);
			sq_words_search(s->words, k, t.text, on_word, &t);
		}
		i += t.n;
	}
}

bool sq_sieve_keeps(const struct sq_sieve *s, struct sq_sv record)
{
	struct sq_look l = { .sieve = s, .record = record };

	if (s->open || !is_object(record))
		return true;
	for (size_t at = 0; at < record.n; at++) {
		struct sq_sv rest = sq_sv_skip(record, at);

		if (is_odd(&l, at, sq_spot_at(&s->spot, record, at)))
			return true;
		for (uint32_t k = 0; k < s->plan.n_words; k++)
			if (sq_sv_istarts(rest, s->plan.words[k]) && sq_look_wants(&l, k))
				return true;
	}
	return false;
}
