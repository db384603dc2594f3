#include "lib/engine/explain.h"

#include <stdlib.h>

#include "lib/base/time.h"
#include "lib/engine/alert_private.h"
#include "lib/text/jsonw.h"

enum {
	WORDS_MAX = 16 * 1024, /* bytes of one sentence */
	VALUE_MAX = 1024,      /* bytes of a value in a sentence; its field has all of it */
	RECORD_MAX = 64 * 1024,
};

struct sq_explain {
	struct sq_ruleset *rs; /* one reference */
	struct sq_asker *asker;
	struct sq_explain_entry *list;
	uint32_t n;
	int64_t only;
	struct sq_outbuf words;
};

struct sq_explain *sq_explain_new(struct sq_ruleset *rs, int64_t only)
{
	struct sq_explain *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->rs = sq_ruleset_ref(rs);
	x->only = only;
	x->n = only < 0 ? sq_ruleset_count(rs) : 1;
	x->words = sq_outbuf_of(WORDS_MAX);
	x->asker = sq_asker_new(rs);
	x->list = calloc((size_t)x->n + 1, sizeof(*x->list));
	if (!x->asker || !x->list) {
		sq_explain_free(x);
		return NULL;
	}
	return x;
}

void sq_explain_free(struct sq_explain *x)
{
	if (!x)
		return;
	sq_outbuf_fini(&x->words);
	sq_asker_free(x->asker);
	free(x->list);
	sq_ruleset_unref(x->rs);
	free(x);
}

const struct sq_asker *sq_explain_asker(const struct sq_explain *x)
{
	return x->asker;
}

void sq_explain_rule(struct sq_explain *x, const struct sq_event *ev, uint32_t rule,
                     struct sq_why *ret)
{
	sq_why(x->asker, rule, ev, ret);
}

static int compare(const void *one, const void *other)
{
	const struct sq_explain_entry *a = one, *b = other;

	if (a->verdict != b->verdict)
		return a->verdict < b->verdict ? -1 : 1;
	if (a->distance != b->distance) /* of matches it is 0 */
		return a->distance < b->distance ? -1 : 1;
	if (a->level != b->level)
		return a->level > b->level ? -1 : 1;
	return a->rule < b->rule ? -1 : a->rule > b->rule;
}

void sq_explain_event(struct sq_explain *x, const struct sq_event *ev, struct sq_explained *ret)
{
	*ret = (struct sq_explained){ .event = ev, .list = x->list, .n = x->n };
	for (uint32_t i = 0; i < x->n; i++) {
		uint32_t rule = x->only < 0 ? i : (uint32_t)x->only;
		struct sq_why why;

		sq_why(x->asker, rule, ev, &why);
		x->list[i] = (struct sq_explain_entry){ .rule = rule,
			                                .distance = why.distance,
			                                .verdict = why.verdict,
			                                .level = why.rule->level };
		ret->counts[why.verdict]++;
	}
	qsort(x->list, x->n, sizeof(*x->list), compare);
}

/* --- finding a rule --- */

static void nearer(struct sq_sv word, struct sq_sv candidate, struct sq_sv *best, unsigned *least)
{
	unsigned d = candidate.n ? sq_sv_distance(word, candidate) : 99;

	if (d < *least) {
		*least = d;
		*best = candidate;
	}
}

/* The name of its file, without folders: "sqb-01-remote-scriptlet.yml". */
static struct sq_sv file_name(const struct sq_rule *rule)
{
	struct sq_sv v = rule->file;

	for (size_t i = v.n; i-- > 0;)
		if (v.p[i] == '/')
			return sq_sv_skip(v, i + 1);
	return v;
}

static struct sq_sv without_suffix(struct sq_sv file)
{
	for (size_t i = file.n; i-- > 0;)
		if (file.p[i] == '.')
			return sq_sv_first(file, i);
	return file;
}

int64_t sq_explain_find(const struct sq_ruleset *rs, struct sq_sv name, struct sq_sv *ret_nearest)
{
	unsigned least = name.n < 4 ? 2 : 4; /* more edits than that is another word */
	uint32_t n = sq_ruleset_count(rs);
	int64_t titled = -1, named = -1, filed = -1;

	*ret_nearest = SQ_SV("");
	for (uint32_t i = n; i-- > 0;) {
		const struct sq_rule *rule = sq_ruleset_rule(rs, i);
		struct sq_sv file = file_name(rule), stem = without_suffix(file);

		if (rule->id.n && sq_sv_ieq(rule->id, name))
			return i;
		if (rule->name.n && sq_sv_eq(rule->name, name))
			named = i;
		if (sq_sv_ieq(rule->title, name))
			titled = i;
		if (stem.n && (sq_sv_eq(stem, name) || sq_sv_eq(file, name)))
			filed = i;
		nearer(name, rule->id, ret_nearest, &least);
		nearer(name, rule->name, ret_nearest, &least);
		nearer(name, rule->title, ret_nearest, &least);
		nearer(name, stem, ret_nearest, &least);
	}
	return named >= 0 ? named : titled >= 0 ? titled : filed;
}

/* --- JSON --- */

static void write_values(struct sq_jsonw *w, const struct sq_event *ev, uint32_t field)
{
	sq_jsonw_key_sv(w, sq_fields_name(ev->fields, field));
	sq_jsonw_array(w);
	for (const struct sq_value *v = &ev->values[field]; v; v = sq_event_next(ev, v)) {
		if (v->kind == SQ_VALUE_NULL)
			sq_jsonw_null(w);
		else
			sq_jsonw_string(w, sq_value_sv(v));
	}
	sq_jsonw_end_array(w);
}

/* Fields that are there, of one kind. */
static void write_fields(struct sq_jsonw *w, const struct sq_event *ev, const char *key,
                         bool derived)
{
	uint32_t n = sq_fields_count(ev->fields);

	sq_jsonw_key(w, key);
	sq_jsonw_object(w);
	for (uint32_t i = 0; i < n; i++)
		if (sq_event_has(ev, i) && sq_field_is_derived(i) == derived)
			write_values(w, ev, i);
	sq_jsonw_end_object(w);
}

static void write_selections(struct sq_jsonw *w, const struct sq_why *why)
{
	sq_jsonw_key(w, "selections");
	sq_jsonw_array(w);
	for (uint32_t i = 0; i < why->n_selections; i++) {
		const struct sq_why_selection *s = &why->selections[i];

		sq_jsonw_object(w);
		sq_jsonw_member(w, "name", s->name);
		if (s->filter)
			sq_jsonw_member(w, "filter", s->filter->title);
		sq_jsonw_key(w, "holds");
		sq_jsonw_bool(w, s->holds);
		sq_jsonw_key(w, "negated");
		sq_jsonw_bool(w, s->negated);
		sq_jsonw_end_object(w);
	}
	sq_jsonw_end_array(w);
}

static struct sq_sv words(struct sq_explain *x)
{
	return x->words.len ? sq_outbuf_view(&x->words) : SQ_SV("");
}

static void write_reason(struct sq_jsonw *w, struct sq_explain *x, const struct sq_why *why,
                         const struct sq_event *ev)
{
	const struct sq_why_reason *r = &why->reason;

	sq_jsonw_key(w, "reason");
	sq_jsonw_object(w);
	sq_jsonw_member(w, "selection", r->selection);
	if (r->filter)
		sq_jsonw_member(w, "filter", r->filter->title);
	if (r->expr) {
		sq_jsonw_member(w, "field", sq_why_field(x->asker, r));
		sq_jsonw_key(w, "excluded");
		sq_jsonw_bool(w, r->kind == SQ_REASON_UNWANTED);
		sq_outbuf_reset(&x->words);
		sq_why_wanted(&x->words, r);
		sq_jsonw_member(w, "wanted", words(x));
		sq_outbuf_reset(&x->words);
		sq_why_found(&x->words, r, ev, VALUE_MAX);
		sq_jsonw_member(w, "found", words(x));
	}
	sq_outbuf_reset(&x->words);
	sq_why_sentence(&x->words, x->asker, why, ev, VALUE_MAX);
	sq_jsonw_member(w, "text", words(x));
	sq_jsonw_end_object(w);
}

static void write_rule(struct sq_jsonw *w, struct sq_explain *x, const struct sq_why *why,
                       const struct sq_event *ev)
{
	const struct sq_rule *rule = why->rule;

	sq_jsonw_object(w);
	sq_jsonw_member(w, "id", rule->id);
	sq_jsonw_member(w, "title", rule->title);
	sq_jsonw_member(w, "level", sq_sv_of(sq_level_name(rule->level)));
	sq_jsonw_member(w, "file", rule->file);
	sq_jsonw_key(w, "line");
	sq_jsonw_int(w, rule->line);
	sq_jsonw_member(w, "result", sq_sv_of(sq_verdict_name(why->verdict)));
	write_selections(w, why);
	if (why->verdict != SQ_VERDICT_MATCH)
		write_reason(w, x, why, ev);
	sq_jsonw_end_object(w);
}

static void write_counts(struct sq_jsonw *w, const struct sq_explained *e)
{
	sq_jsonw_key(w, "counts");
	sq_jsonw_object(w);
	for (enum sq_verdict v = SQ_VERDICT_MATCH; v <= SQ_VERDICT_ELSEWHERE; v++) {
		sq_jsonw_key(w, sq_verdict_name(v));
		sq_jsonw_int(w, e->counts[v]);
	}
	sq_jsonw_end_object(w);
}

static void begin(struct sq_jsonw *w, struct sq_sv file, uint64_t number)
{
	sq_jsonw_object(w);
	sq_jsonw_member(w, "file", file);
	sq_jsonw_key(w, "number");
	sq_jsonw_int(w, (int64_t)number);
}

void sq_explain_json(struct sq_outbuf *out, struct sq_explain *x, const struct sq_explained *e,
                     uint32_t n_rules, struct sq_sv file, uint64_t number)
{
	struct sq_jsonw writer = sq_jsonw_of(out), *w = &writer;
	const struct sq_event *ev = e->event;
	char time[SQ_TIME_TEXT];

	begin(w, file, number);
	if (ev->time_us)
		sq_jsonw_member(w, "@timestamp",
		                (struct sq_sv){ time, sq_time_format(ev->time_us, time) });
	sq_jsonw_member(w, "shape", sq_sv_of(ev->shape ? ev->shape : ""));
	sq_jsonw_member(w, "category", sq_sv_of(sq_category_name(ev->category)));
	sq_alert_write_flags(w, ev->flags);
	write_fields(w, ev, "fields", false);
	write_fields(w, ev, "derived", true);
	write_counts(w, e);
	sq_jsonw_key(w, "rules");
	sq_jsonw_array(w);
	for (uint32_t i = 0; i < n_rules && i < e->n; i++) {
		struct sq_why why;

		sq_why(x->asker, e->list[i].rule, ev, &why);
		write_rule(w, x, &why, ev);
	}
	sq_jsonw_end_array(w);
	sq_jsonw_end_object(w);
}

void sq_explain_malformed(struct sq_outbuf *out, struct sq_sv why, struct sq_sv record,
                          struct sq_sv file, uint64_t number)
{
	struct sq_jsonw writer = sq_jsonw_of(out), *w = &writer;

	begin(w, file, number);
	sq_jsonw_member(w, "malformed", why);
	sq_jsonw_member(w, "record", sq_sv_first(record, RECORD_MAX));
	sq_jsonw_end_object(w);
}
