/* Reasons in words. */
#include "lib/rules/regex.h"
#include "lib/rules/why.h"

enum { SQ_WORDS_VALUES_MAX = 4 /* values of a list that are written out */ };

const char *sq_verdict_name(enum sq_verdict v)
{
	switch (v) {
	case SQ_VERDICT_MATCH:
		return "match";
	case SQ_VERDICT_NEAR:
		return "near";
	case SQ_VERDICT_MISS:
		return "miss";
	case SQ_VERDICT_ELSEWHERE:
		return "elsewhere";
	}
	return "";
}

/* Cut between characters, with dots for what is left out. */
static void put_quoted(struct sq_outbuf *out, struct sq_sv v, size_t max)
{
	size_t n = v.n;

	if (n > max)
		for (n = max; n > 0 && ((unsigned char)v.p[n] & 0xc0) == 0x80;)
			n--;
	sq_outbuf_putc(out, '"');
	sq_outbuf_put(out, sq_sv_first(v, n));
	sq_outbuf_put(out, n < v.n ? SQ_SV("...\"") : SQ_SV("\""));
}

/* --- what was wanted --- */

static const char *verb_of_glob(const struct sq_pred *p, uint32_t *first, uint32_t *end)
{
	bool any_before = p->n_globs > 1 && p->globs[0].kind == SQ_GLOB_ANY;
	bool any_behind = p->n_globs > 1 && p->globs[p->n_globs - 1].kind == SQ_GLOB_ANY;

	*first = any_before;
	*end = p->n_globs - any_behind;
	for (uint32_t i = *first; i < *end; i++) {
		if (p->globs[i].kind == SQ_GLOB_ANY || p->globs[i].kind == SQ_GLOB_ONE) {
			*first = 0;
			*end = p->n_globs;
			return "fits";
		}
	}
	return any_before && any_behind ? "contains"
	       : any_before             ? "ends with"
	       : any_behind             ? "starts with"
	                                : "is";
}

static void put_globs(struct sq_outbuf *out, const struct sq_pred *p, uint32_t i, uint32_t end)
{
	sq_outbuf_putc(out, '"');
	for (; i < end; i++) {
		switch (p->globs[i].kind) {
		case SQ_GLOB_TEXT:
			sq_outbuf_put(out, p->globs[i].text);
			break;
		case SQ_GLOB_ANY:
			sq_outbuf_putc(out, '*');
			break;
		case SQ_GLOB_ONE:
			sq_outbuf_putc(out, '?');
			break;
		case SQ_GLOB_DASH:
			sq_outbuf_putc(out, '-');
			break;
		}
	}
	sq_outbuf_putc(out, '"');
}

static const char *verb_of_number(enum sq_compare c)
{
	switch (c) {
	case SQ_EQ:
		return "is";
	case SQ_LT:
		return "is below";
	case SQ_LTE:
		return "is at most";
	case SQ_GT:
		return "is above";
	case SQ_GTE:
		return "is at least";
	}
	return "";
}

static const char *verb_of(const struct sq_pred *p)
{
	uint32_t first, end;

	switch (p->match) {
	case SQ_MATCH_GLOB:
		return verb_of_glob(p, &first, &end);
	case SQ_MATCH_REGEX:
		return "fits the expression";
	case SQ_MATCH_CIDR:
		return "is in the network";
	case SQ_MATCH_NUMBER:
		return verb_of_number(p->compare);
	case SQ_MATCH_EXISTS:
		return p->expect ? "is there" : "is not there";
	case SQ_MATCH_NULL:
		return "is absent or null";
	}
	return "";
}

static void put_operand(struct sq_outbuf *out, const struct sq_pred *p)
{
	uint32_t first, end;

	switch (p->match) {
	case SQ_MATCH_GLOB:
		(void)verb_of_glob(p, &first, &end);
		sq_outbuf_putc(out, ' ');
		put_globs(out, p, first, end);
		if (p->cased)
			sq_outbuf_put(out, SQ_SV(" (case counts)"));
		break;
	case SQ_MATCH_REGEX:
		sq_outbuf_put(out, SQ_SV(" /"));
		sq_outbuf_put(out, p->text);
		sq_outbuf_put(out, p->regex_flags & SQ_REGEX_ICASE ? SQ_SV("/i") : SQ_SV("/"));
		break;
	case SQ_MATCH_CIDR:
	case SQ_MATCH_NUMBER:
		sq_outbuf_putc(out, ' ');
		sq_outbuf_put(out, p->text);
		break;
	case SQ_MATCH_EXISTS:
	case SQ_MATCH_NULL:
		break;
	}
}

void sq_why_wanted(struct sq_outbuf *out, const struct sq_why_reason *r)
{
	const struct sq_expr *e = r->expr;
	const char *last = NULL;

	if (!e)
		return;
	if (e->kind == SQ_EXPR_PRED) {
		sq_outbuf_put(out, sq_sv_of(verb_of(e->pred)));
		put_operand(out, e->pred);
		return;
	}
	for (uint32_t i = 0; i < e->n; i++) {
		const struct sq_pred *p = e->args[i]->pred;
		const char *verb = verb_of(p);

		if (i == SQ_WORDS_VALUES_MAX && e->n > i + 1) {
			sq_outbuf_printf(out, " or %u more", e->n - i);
			return;
		}
		if (i)
			sq_outbuf_put(out, SQ_SV(" or"));
		if (verb != last) {
			if (i)
				sq_outbuf_putc(out, ' ');
			sq_outbuf_put(out, sq_sv_of(verb));
		}
		put_operand(out, p);
		last = verb;
	}
}

/* --- what was found --- */

void sq_why_found(struct sq_outbuf *out, const struct sq_why_reason *r, const struct sq_event *ev,
                  size_t max)
{
	const struct sq_value *v;
	unsigned n = 0;

	if (r->field < 0) {
		sq_outbuf_put(out, r->value.n ? SQ_SV("is ") : SQ_SV("is in no value"));
		if (r->value.n)
			put_quoted(out, r->value, max);
		return;
	}
	v = &ev->values[r->field];
	if (v->kind == SQ_VALUE_ABSENT) {
		sq_outbuf_put(out, SQ_SV("is absent"));
		return;
	}
	sq_outbuf_put(out, SQ_SV("is "));
	if (r->value.n) {
		put_quoted(out, r->value, max);
		return;
	}
	for (; v; v = sq_event_next(ev, v), n++) {
		if (n >= SQ_WORDS_VALUES_MAX)
			continue;
		if (n)
			sq_outbuf_put(out, SQ_SV(" and "));
		if (v->kind == SQ_VALUE_NULL)
			sq_outbuf_put(out, SQ_SV("null"));
		else
			put_quoted(out, sq_value_sv(v), max);
	}
	if (n > SQ_WORDS_VALUES_MAX)
		sq_outbuf_printf(out, " and %u more", n - SQ_WORDS_VALUES_MAX);
}

struct sq_sv sq_why_field(const struct sq_asker *a, const struct sq_why_reason *r)
{
	return r->field < 0 ? SQ_SV("keywords")
	                    : sq_fields_name(sq_asker_fields(a), (uint32_t)r->field);
}

/* --- sentences --- */

static void put_name(struct sq_outbuf *out, struct sq_sv name, const struct sq_filter *filter)
{
	sq_outbuf_putc(out, '\'');
	sq_outbuf_put(out, name);
	sq_outbuf_putc(out, '\'');
	if (!filter)
		return;
	sq_outbuf_put(out, SQ_SV(" of the filter \""));
	sq_outbuf_put(out, filter->title);
	sq_outbuf_put(out, SQ_SV("\" ("));
	sq_outbuf_put(out, filter->file);
	sq_outbuf_printf(out, ":%u)", filter->line);
}

static void put_match(struct sq_outbuf *out, const struct sq_why *why)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < why->n_selections; i++) {
		const struct sq_why_selection *s = &why->selections[i];

		if (!s->holds || s->negated)
			continue;
		if (n++)
			sq_outbuf_put(out, SQ_SV(", "));
		put_name(out, s->name, s->filter);
	}
	sq_outbuf_put(out, n > 1    ? SQ_SV(" hold")
	                   : n == 1 ? SQ_SV(" holds")
	                            : SQ_SV("nothing holds that it excludes"));
}

static void put_source(struct sq_outbuf *out, const struct sq_logsource *ls,
                       const struct sq_event *ev)
{
	const struct {
		const char *name;
		struct sq_sv text;
	} parts[] = { { "category", ls->category },
		      { "product", ls->product },
		      { "service", ls->service } };
	const char *category = sq_category_name(ev->category);
	bool more = false;

	sq_outbuf_put(out, SQ_SV("the rule is about "));
	for (size_t i = 0; i < SQ_LEN(parts); i++) {
		if (!parts[i].text.n)
			continue;
		sq_outbuf_printf(out, "%s%s ", more ? ", " : "", parts[i].name);
		sq_outbuf_put(out, parts[i].text);
		more = true;
	}
	sq_outbuf_printf(out, "; the event is %s%s", category[0] ? "category " : "of no category",
	                 category);
	if (sq_event_get(ev, SQ_F_CHANNEL).n) {
		sq_outbuf_put(out, SQ_SV(" of channel "));
		sq_outbuf_put(out, sq_event_get(ev, SQ_F_CHANNEL));
	}
}

void sq_why_sentence(struct sq_outbuf *out, const struct sq_asker *a, const struct sq_why *why,
                     const struct sq_event *ev, size_t max)
{
	const struct sq_why_reason *r = &why->reason;

	switch (r->kind) {
	case SQ_REASON_NONE:
		put_match(out, why);
		return;
	case SQ_REASON_SOURCE:
		put_source(out, &why->rule->logsource, ev);
		return;
	case SQ_REASON_NEVER:
		sq_outbuf_put(out, SQ_SV("the condition is never true"));
		return;
	case SQ_REASON_MISSING:
		put_name(out, r->selection, r->filter);
		sq_outbuf_put(out, SQ_SV(" asks that "));
		break;
	case SQ_REASON_UNWANTED:
		put_name(out, r->selection, r->filter);
		sq_outbuf_put(out, SQ_SV(" holds, which is excluded: "));
		break;
	}
	sq_outbuf_put(out, sq_why_field(a, r));
	sq_outbuf_putc(out, ' ');
	sq_why_wanted(out, r);
	sq_outbuf_put(out, SQ_SV("; it "));
	sq_why_found(out, r, ev, max);
	if (r->ways > 1)
		sq_outbuf_printf(out, " (the nearest of %u ways)", r->ways);
}
