#include "lib/engine/oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/derive/derive.h"

enum {
	NOTES_MAX = 1024, /* alerts of one record that are compared */
	NAMES_MAX = 3,    /* rules that are named for each side ... */
	TITLE_MAX = 60,   /* ... with so many bytes of their titles */
	BURST_MS = 1000,
};

/* The fast way found this. */
struct note {
	uint32_t at; /* where the event begins in the record */
	uint32_t rule;
	bool confirmed; /* by the slow way */
};

/* Rules that only one way found. */
struct side {
	uint32_t n; /* how many; the first ones are in `rules` */
	uint32_t rules[NAMES_MAX];
};

struct sq_oracle {
	struct sq_ruleset *rules;
	struct sq_reader *reader;
	struct sq_matcher *matcher;
	struct sq_oracle_opts opts;
	struct sq_siphash_key secret;
	uint64_t chosen; /* records so far */

	/* Time that may be spent: grows by `share` of what passes, up to a burst. A long check may
	 * leave a debt, which is worked off before the next one. */
	int64_t left_ns;
	uint64_t last_ns; /* when it grew; 0: not yet */

	/* Of the record that is being checked. */
	struct sq_sv record;
	uint32_t n_notes;
	bool overflow; /* there were more */
	struct side missed;
	struct note notes[NOTES_MAX];
	struct sq_event event;
	struct sq_hits hits;
	size_t n_words;
	char words[SQ_ORACLE_WORDS];
};

struct sq_oracle *sq_oracle_new(struct sq_ruleset *rs, const struct sq_reader_opts *reader,
                                const struct sq_oracle_opts *opts,
                                const struct sq_siphash_key *secret)
{
	struct sq_oracle *o = calloc(1, sizeof(*o));
	struct sq_reader_opts slow = *reader;

	sq_assert(opts->one_in > 0);
	if (!o)
		return NULL;
	slow.skim = false;
	slow.want_all = slow.want_all || sq_ruleset_wants_all(rs);
	o->rules = sq_ruleset_ref(rs);
	o->opts = *opts;
	o->secret = *secret;
	o->reader = sq_reader_new(sq_ruleset_fields(rs), &slow);
	o->matcher = sq_matcher_new_plain(rs);
	if (!o->reader || !o->matcher) {
		sq_oracle_free(o);
		return NULL;
	}
	return o;
}

void sq_oracle_free(struct sq_oracle *o)
{
	if (!o)
		return;
	sq_matcher_free(o->matcher);
	sq_reader_free(o->reader);
	sq_ruleset_unref(o->rules);
	free(o);
}

/* Of equal chance from 0 to 2 * (one_in - 1), so that on average one in `one_in` is chosen and
 * nobody without the secret can tell which. */
uint64_t sq_oracle_stride(struct sq_oracle *o)
{
	struct sq_siphash h;
	uint64_t hash[2];

	sq_siphash_begin(&h, &o->secret);
	sq_siphash_put_text(&h, SQ_SV("oracle"));
	sq_siphash_put_number(&h, o->opts.stream);
	sq_siphash_put_number(&h, o->chosen++);
	sq_siphash_end(&h, hash);
	return hash[0] % (2 * (uint64_t)o->opts.one_in - 1);
}

static bool is_bounded(const struct sq_oracle *o)
{
	return o->opts.clock_ns && o->opts.share > 0 && o->opts.share < 100;
}

void sq_oracle_time(struct sq_oracle *o, uint64_t mono_ns)
{
	const int64_t burst = (int64_t)BURST_MS * 1000000 / 100 * o->opts.share;
	const bool first = !o->last_ns;
	uint64_t passed;

	if (!is_bounded(o) || mono_ns <= o->last_ns)
		return;
	passed = mono_ns - o->last_ns;
	o->last_ns = mono_ns;
	if (first || passed / 100 * o->opts.share >= (uint64_t)(burst - o->left_ns))
		o->left_ns = burst;
	else
		o->left_ns += (int64_t)(passed * o->opts.share / 100);
}

bool sq_oracle_begin(struct sq_oracle *o, struct sq_sv record)
{
	o->record = record;
	o->n_notes = 0;
	o->overflow = false;
	return !is_bounded(o) || o->left_ns > 0;
}

static uint32_t place_of(const struct sq_oracle *o, const struct sq_event *ev)
{
	return (uint32_t)(ev->raw.p - o->record.p);
}

void sq_oracle_note(struct sq_oracle *o, const struct sq_event *ev, const struct sq_hits *hits)
{
	for (uint32_t i = 0; i < hits->n; i++) {
		if (o->n_notes == NOTES_MAX) {
			o->overflow = true;
			return;
		}
		o->notes[o->n_notes++] =
			(struct note){ .at = place_of(o, ev), .rule = hits->list[i].rule };
	}
}

/* Whether the fast way found this too; it is confirmed then. */
static bool confirm(struct sq_oracle *o, uint32_t at, uint32_t rule)
{
	for (uint32_t i = 0; i < o->n_notes; i++) {
		struct note *n = &o->notes[i];

		if (n->at == at && n->rule == rule) {
			n->confirmed = true;
			return true;
		}
	}
	return false;
}

static SQ_PRINTF(2, 3) void say(struct sq_oracle *o, const char *fmt, ...)
{
	size_t room = sizeof(o->words) - o->n_words;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->words + o->n_words, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		o->n_words += (size_t)n < room ? (size_t)n : room - 1;
}

static void add_rule(struct side *s, uint32_t rule)
{
	if (s->n < SQ_LEN(s->rules))
		s->rules[s->n] = rule;
	s->n++;
}

static void say_side(struct sq_oracle *o, const char *who, const struct side *s)
{
	if (!s->n)
		return;
	say(o, "%sonly the %s way finds ", o->n_words ? "; " : "", who);
	for (uint32_t i = 0; i < s->n && i < SQ_LEN(s->rules); i++) {
		const struct sq_rule *r = sq_ruleset_rule(o->rules, s->rules[i]);
		struct sq_sv title = sq_sv_first(r->title, TITLE_MAX);

		say(o, "%s\"%.*s\"", i ? ", " : "", SQ_SV_ARG(title));
		if (r->id.n)
			say(o, " (%.*s)", SQ_SV_ARG(r->id));
	}
	if (s->n > SQ_LEN(s->rules))
		say(o, " and %u more", s->n - (uint32_t)SQ_LEN(s->rules));
}

/* Leave in o->hits what the fast way did not find. */
static void keep_missed(struct sq_oracle *o)
{
	const uint32_t at = place_of(o, &o->event);
	struct sq_hits *hits = &o->hits;
	uint32_t n = 0;

	for (uint32_t i = 0; i < hits->n; i++) {
		if (confirm(o, at, hits->list[i].rule))
			continue;
		add_rule(&o->missed, hits->list[i].rule);
		if (n != i)
			hits->list[n] = hits->list[i];
		n++;
	}
	hits->n = n;
}

static void run_event(struct sq_oracle *o, struct sq_arena *a, sq_oracle_missed_fn *missed,
                      void *ctx)
{
	sq_derive(&o->event, a, SQ_DERIVE_ALL);
	if (sq_matcher_run(o->matcher, &o->event, &o->hits) == 0)
		return;
	keep_missed(o);
	if (o->hits.n)
		missed(ctx, &o->event, &o->hits);
}

/* As the pipeline goes through a record, and nothing in between. */
static void run_record(struct sq_oracle *o, struct sq_arena *a, sq_oracle_missed_fn *missed,
                       void *ctx)
{
	struct sq_syslog header;
	struct sq_sv rest, before;

	sq_syslog_strip(o->record, &header);
	rest = header.payload;
	do {
		int n = 0;

		before = rest;
		sq_arena_reset(a);
		if (rest.n)
			n = sq_reader_next(o->reader, &rest, &header, a, &o->event);
		if (n == 0)
			return;
		if (n > 0 || sq_reader_salvage(o->reader, &header, a, &o->event))
			run_event(o, a, missed, ctx);
	} while (rest.n && rest.n < before.n);
}

/* What was given up counts as no match, so that the slow way finds less where the fast one, which
 * gives up nothing, found something: that says nothing about either. */
static enum sq_oracle_verdict judge(struct sq_oracle *o)
{
	bool gave_up = sq_matcher_take_limits(o->matcher) > 0;
	struct side extra = { 0 };

	for (uint32_t i = 0; i < o->n_notes; i++)
		if (!o->notes[i].confirmed)
			add_rule(&extra, o->notes[i].rule);
	if (!o->missed.n && !extra.n)
		return SQ_ORACLE_AGREES;
	if (!o->missed.n && gave_up)
		return SQ_ORACLE_UNDECIDED;
	o->n_words = 0;
	say_side(o, "slow", &o->missed);
	say_side(o, "fast", &extra);
	return SQ_ORACLE_DISAGREES;
}

enum sq_oracle_verdict sq_oracle_end(struct sq_oracle *o, struct sq_arena *a,
                                     sq_oracle_missed_fn *missed, void *ctx)
{
	const bool bounded = is_bounded(o);
	uint64_t begun_ns = bounded ? o->opts.clock_ns() : 0;
	enum sq_oracle_verdict v = SQ_ORACLE_UNDECIDED;

	o->missed.n = 0;
	if (!o->overflow) {
		run_record(o, a, missed, ctx);
		v = judge(o);
	}
	if (bounded)
		o->left_ns -= (int64_t)(o->opts.clock_ns() - begun_ns);
	return v;
}

const char *sq_oracle_words(const struct sq_oracle *o)
{
	return o->words;
}

static size_t tell_text(char *to, size_t cap, struct sq_sv text)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < text.n && n + 4 < cap; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c >= 0x20 && c < 0x7f) {
			to[n++] = (char)c;
			continue;
		}
		to[n++] = '\\';
		to[n++] = 'x';
		to[n++] = hex[c >> 4];
		to[n++] = hex[c & 15];
	}
	to[n] = '\0';
	return n;
}

void sq_oracle_tell(const struct sq_oracle *o, const char *peer, char *to, size_t cap)
{
	size_t n;

	sq_assert(cap > 4);
	n = tell_text(to, cap, sq_sv_of(peer));
	if (n)
		n += tell_text(to + n, cap - n, SQ_SV(": "));
	n += tell_text(to + n, cap - n, sq_sv_of(o->words));
	n += tell_text(to + n, cap - n, SQ_SV("; record: "));
	(void)tell_text(to + n, cap - n, o->record);
}
