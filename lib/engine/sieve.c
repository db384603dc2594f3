#include "lib/engine/sieve.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lib/engine/sieve_odd.h"
#include "lib/text/words.h"

enum {
	GAP_MAX = 256, /* bytes between two records that are looked at in one go */
	LOOKS_MAX =
		64, /* places of one record that are looked at closely; then reading is cheaper */
	ODD = (1 << SQ_ODD_BUCKETS) - 1, /* their buckets */
};

struct sq_sieve {
	atomic_uint refs;
	bool open;
	struct sq_sieve_plan plan;
	struct sq_spot spot;
	struct sq_words *words; /* NULL: none */
};

/* Several records that lie one behind the other, looked at as one text. */
struct stretch {
	const struct sq_sieve *sieve;
	struct sq_record *records;
	uint32_t n;
	struct sq_sv text;
};

struct sq_sieve *sq_sieve_new(const struct sq_ruleset *rs)
{
	struct sq_sieve *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return NULL;
	atomic_init(&s->refs, 1);
	r = sq_sieve_plan_init(&s->plan, rs);
	s->open = r == -E2BIG || s->plan.n_open > 0;
	sq_odd_windows(&s->spot);
	if (!r && !s->open && s->plan.n_words) {
		s->words = sq_words_new(s->plan.words, s->plan.n_words, &s->spot, SQ_ODD_BUCKETS);
		r = s->words ? 0 : -ENOMEM;
	}
	sq_spot_ready(&s->spot);
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
	sq_sieve_plan_fini(&s->plan);
	free(s);
}

bool sq_sieve_is_open(const struct sq_sieve *s)
{
	return s->open;
}

const struct sq_sieve_plan *sq_sieve_plan(const struct sq_sieve *s)
{
	return &s->plan;
}

/* Is there a reason to keep the record at this place of it? */
static bool is_reason(const struct sq_sieve *s, struct sq_sv record, size_t at)
{
	unsigned buckets = sq_spot_at(&s->spot, record, at), words = buckets & ~(unsigned)ODD;

	return (buckets & ODD && sq_odd_at(record, at, buckets & ODD)) ||
	       (words && sq_words_at(s->words, record, at, words));
}

static const char *end_of(const struct sq_record *r)
{
	return r->raw.p + r->raw.n;
}

/* Places that windows found, ascending, in all of the stretch. */
static void look_at_places(const struct stretch *t)
{
	uint32_t places[SQ_SPOT_ROOM], looks = 0;
	struct sq_record *r = t->records, *last = t->records + t->n - 1;
	size_t at = 0;

	while (at < t->text.n) {
		uint32_t n = sq_spot_next(&t->sieve->spot, t->text, &at, places);

		for (uint32_t i = 0; i < n; i++) {
			const char *p = t->text.p + places[i];

			while (r < last && p >= end_of(r)) {
				r++;
				looks = 0;
			}
			if (!r->left_out || p < r->raw.p || p >= end_of(r))
				continue;
			r->left_out = ++looks < LOOKS_MAX &&
			              !is_reason(t->sieve, r->raw, (size_t)(p - r->raw.p));
		}
	}
}

/* Words that are too many for windows. */
static void look_for_words(const struct stretch *t)
{
	struct sq_record *r = t->records, *last = t->records + t->n - 1;
	size_t at = 0, n;

	while ((n = sq_words_next(t->sieve->words, t->text, &at))) {
		const char *p = t->text.p + at;

		while (r < last && p >= end_of(r))
			r++;
		at++;
		if (p < r->raw.p || p + n > end_of(r))
			continue;
		r->left_out = false;
		at = (size_t)(end_of(r) - t->text.p);
	}
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

void sq_sieve_run(const struct sq_sieve *s, struct sq_batch *b)
{
	for (uint32_t i = b->done; i < b->n_records; i++)
		b->records[i].left_out = !s->open && is_object(b->records[i].raw);
	for (uint32_t i = b->done; i < b->n_records && !s->open;) {
		struct stretch t = stretch_of(s, b, i);

		look_at_places(&t);
		if (s->words && sq_words_are_many(s->words))
			look_for_words(&t);
		i += t.n;
	}
}

bool sq_sieve_keeps(const struct sq_sieve *s, struct sq_sv record)
{
	if (s->open || !is_object(record))
		return true;
	for (size_t at = 0; at < record.n; at++) {
		struct sq_sv rest = sq_sv_skip(record, at);

		if (sq_odd_at(record, at, sq_spot_at(&s->spot, record, at)))
			return true;
		for (uint32_t k = 0; k < s->plan.n_words; k++)
			if (sq_sv_istarts(rest, s->plan.words[k]))
				return true;
	}
	return false;
}
