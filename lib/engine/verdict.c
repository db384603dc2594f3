#include "lib/engine/verdict.h"

#include "lib/engine/alert_private.h"
#include "lib/engine/event_id.h"
#include "lib/text/jsonfit.h"
#include "lib/wire/syslog.h"

enum {
	RULES_MAX = 64,       /* of one record, that are named */
	VALUE_MAX = 8 * 1024, /* bytes of a derived value; the record beside it has all of it */
};

static const struct sq_sv name_of_ours = { "squibly", sizeof("squibly") - 1 };

bool sq_view_eq(const struct sq_view *a, const struct sq_view *b)
{
	if (a->min_level != b->min_level || a->always != b->always || a->json != b->json ||
	    a->identify != b->identify || a->fields.n != b->fields.n ||
	    a->fields.keep != b->fields.keep)
		return false;
	for (uint32_t i = 0; i < a->fields.n; i++)
		if (!sq_sv_eq(a->fields.names[i], b->fields.names[i]))
			return false;
	return true;
}

/* ---- what is added ----------------------------------------------------------------------- */

/* A new record begins. */
static void begin(struct sq_finding *v)
{
	sq_outbuf_reset(&v->text);
	v->rules = 0;
	v->level = 0;
	v->several = false;
	v->id[0] = v->id[1] = 0;
	v->n_host = 0;
}

void sq_verdict_identify(struct sq_finding *v, const struct sq_event *ev, struct sq_sv tenant)
{
	struct sq_sv host = sq_event_get(ev, SQ_F_COMPUTER);

	if (sq_id_known(v->id))
		return;
	sq_event_id(ev, tenant, v->id);
	v->n_host = (uint32_t)sq_sv_first(host, sizeof(v->host)).n;
	if (v->n_host)
		memcpy(v->host, host.p, v->n_host);
}

static void id_of_bytes(struct sq_sv raw, struct sq_sv tenant, uint64_t ret[2])
{
	struct sq_syslog header;

	sq_syslog_strip(raw, &header);
	sq_event_id_of_bytes(header.host, header.payload.n ? header.payload : raw, tenant, ret);
}

static void write_head(struct sq_jsonw *w, const struct sq_verdict_source *from,
                       const uint64_t id[2])
{
	char time[SQ_TIME_TEXT], text[SQ_ID_TEXT];

	sq_jsonw_member(w, "received",
	                (struct sq_sv){ time, sq_time_format(from->now.wall_us, time) });
	sq_jsonw_member(w, "peer", sq_sv_of(from->peer));
	sq_jsonw_member(w, "proxy", sq_sv_of(from->identity ? from->identity->proxy : ""));
	sq_jsonw_member(w, "tenant", from->tenant);
	sq_alert_write_sender(w, from->identity);
	if (!sq_id_known(id))
		return;
	sq_id_format(id, text);
	sq_jsonw_member(w, "event_id", (struct sq_sv){ text, sizeof(text) });
}

static void write_event(struct sq_jsonw *w, const struct sq_verdict_source *from,
                        const struct sq_event *ev)
{
	const struct sq_alert al = { .event = ev, .value_max = VALUE_MAX };

	sq_jsonw_member(w, "shape", sq_sv_of(ev->shape ? ev->shape : ""));
	sq_alert_write_flags(w, ev->flags);
	sq_alert_write_derived(w, &al);
	sq_lookups_write(from->lookups, sq_event_get(ev, SQ_F_COMPUTER), sq_sv_of(from->peer), w);
	sq_jsonw_key(w, "rules");
	sq_jsonw_array(w);
}

void sq_verdict_add(struct sq_finding *v, const struct sq_verdict_source *from,
                    const struct sq_event *ev, const struct sq_hits *hits)
{
	struct sq_jsonw w = sq_jsonw_of(&v->text);

	if (!hits->n)
		return;
	sq_verdict_identify(v, ev, from->tenant);
	if (!v->rules && v->several) /* it may be another's */
		sq_event_id(ev, from->tenant, v->id);
	if (!v->rules) {
		write_head(&w, from, v->id);
		write_event(&w, from, ev);
	}
	for (uint32_t i = 0; i < hits->n; i++) {
		uint32_t number = hits->list[i].rule;
		uint8_t level = (uint8_t)(1 + sq_ruleset_rule(from->rules, number)->level);

		if (level > v->level)
			v->level = level;
		if (v->rules++ >= RULES_MAX)
			continue;
		w.comma = v->rules > 1;
		sq_jsonw_raw(&w, from->texts->rules[number].verdict);
	}
}

/* The record has no more events: `v->text` becomes the members of the object. */
static void end(struct sq_finding *v, const struct sq_verdict_source *from)
{
	struct sq_jsonw w = sq_jsonw_of(&v->text);

	if (!v->rules) {
		write_head(&w, from, v->id);
		return;
	}
	w.depth = 1;
	sq_jsonw_end_array(&w);
	if (v->rules > RULES_MAX) {
		sq_jsonw_key(&w, "rules_not_named");
		sq_jsonw_int(&w, v->rules - RULES_MAX);
	}
	sq_jsonw_member(&w, "level", sq_sv_of(sq_level_name((enum sq_level)(v->level - 1))));
}

/* ---- the record, and it ------------------------------------------------------------------ */

/* A record in three parts: what stands in front of the object, the object, and blanks behind it. */
struct split {
	struct sq_sv head, object, tail;
	uint32_t members;
	bool has_ours; /* it has a member that is called as what we add */
};

/* @return false: it is not one JSON object */
static bool split(struct sq_sv raw, struct split *ret)
{
	struct sq_syslog header;
	struct sq_members walk;
	struct sq_member m;
	int r;

	sq_syslog_strip(raw, &header);
	if (!header.payload.n || header.payload.p[0] != '{')
		return false;
	ret->head = sq_sv_first(raw, (size_t)(header.payload.p - raw.p));
	ret->has_ours = false;
	walk = sq_members_of(header.payload);
	while ((r = sq_members_next(&walk, &m)) == 1)
		ret->has_ours |= sq_member_is(m.key, name_of_ours);
	if (r < 0)
		return false;
	ret->members = walk.n;
	ret->object = sq_sv_first(header.payload, (size_t)(walk.p - header.payload.p));
	ret->tail = (struct sq_sv){ walk.p, (size_t)(raw.p + raw.n - walk.p) };
	return sq_sv_trim(ret->tail).n == 0;
}

static void put_ours(struct sq_outbuf *out, const struct sq_finding *v)
{
	sq_outbuf_put(out, SQ_SV("\"squibly\":{"));
	sq_outbuf_put(out, sq_outbuf_view(&v->text));
	sq_outbuf_putc(out, '}');
}

/* @return false: it is no object after all */
static bool put_members(struct sq_outbuf *out, const struct sq_view *view, const struct split *s,
                        const struct sq_finding *v)
{
	bool replace = v && s->has_ours;
	uint32_t n = s->members;

	if (!view->json)
		sq_outbuf_put(out, s->head);
	if (view->fields.n || replace) {
		sq_outbuf_putc(out, '{');
		if (!sq_fieldset_write(&view->fields, s->object, replace ? name_of_ours : SQ_SV(""),
		                       out, &n))
			return false;
	} else {
		sq_outbuf_put(out, sq_sv_first(s->object, s->object.n - 1));
	}
	if (v) {
		if (n)
			sq_outbuf_putc(out, ',');
		put_ours(out, v);
	}
	sq_outbuf_putc(out, '}');
	if (!view->json)
		sq_outbuf_put(out, s->tail);
	return true;
}

/* The same, and where it must be JSON it is. */
static bool put_object(struct sq_outbuf *out, const struct sq_view *view, const struct split *s,
                       const struct sq_finding *v, bool *ret_mended)
{
	enum sq_json_fitness fit = view->json ? sq_json_judge(s->object) : SQ_JSON_FIT;
	size_t before = out->len;

	if (fit == SQ_JSON_BROKEN || !put_members(out, view, s, v))
		return false;
	*ret_mended = fit == SQ_JSON_MENDABLE;
	if (*ret_mended)
		sq_json_mend(out, before);
	return true;
}

/* Nothing is to be said of the record: does it go on as it came? */
static bool stays(const struct sq_view *view, struct sq_sv raw)
{
	return !view->always && !view->fields.n &&
	       (!view->json || sq_json_judge(raw) == SQ_JSON_FIT);
}

static void put_wrapped(struct sq_outbuf *out, struct sq_sv raw, const struct sq_finding *v)
{
	sq_outbuf_put(out, SQ_SV("{\"message\":\""));
	sq_json_escape(out, raw);
	sq_outbuf_putc(out, '"');
	if (v) {
		sq_outbuf_putc(out, ',');
		put_ours(out, v);
	}
	sq_outbuf_putc(out, '}');
}

enum sq_verdict_shape sq_verdict_write(struct sq_outbuf *out, const struct sq_view *view,
                                       struct sq_sv raw, const struct sq_finding *v,
                                       bool *ret_mended)
{
	const struct sq_finding *said = view->always || v->level > view->min_level ? v : NULL;
	struct split s;
	size_t before = out->len;

	*ret_mended = false;
	if (!said && stays(view, raw))
		return SQ_VERDICT_AS_IT_CAME;
	if (said && v->text.failed)
		return SQ_VERDICT_FAILED;
	if (split(raw, &s) && put_object(out, view, &s, said, ret_mended)) {
		if (out->failed)
			return SQ_VERDICT_FAILED;
		if (!said)
			return SQ_VERDICT_LEFT_OUT;
		return s.has_ours ? SQ_VERDICT_REPLACED : SQ_VERDICT_SPLICED;
	}
	if (out->failed)
		return SQ_VERDICT_FAILED;
	sq_outbuf_cut(out, before);
	if (!said && !view->json)
		return SQ_VERDICT_AS_IT_CAME;
	put_wrapped(out, raw, said);
	if (out->failed)
		return SQ_VERDICT_FAILED;
	return said ? SQ_VERDICT_WRAPPED : SQ_VERDICT_ENCLOSED;
}

/* Once for a record, however many ways there are. */
static void count_shape(struct sq_counters *c, enum sq_verdict_shape shape)
{
	c->verdicts++;
	c->verdicts_replaced += shape == SQ_VERDICT_REPLACED;
	c->verdicts_wrapped += shape == SQ_VERDICT_WRAPPED;
}

static bool is_said(enum sq_verdict_shape shape)
{
	return shape == SQ_VERDICT_SPLICED || shape == SQ_VERDICT_REPLACED ||
	       shape == SQ_VERDICT_WRAPPED;
}

/* Some output wants more of a record without a verdict than its bytes, or less. */
static bool changes(const struct sq_batch *b, const struct sq_view *views, struct sq_sv raw)
{
	for (uint32_t i = 0; i < b->limits.views; i++)
		if (views[i].identify || !stays(&views[i], raw))
			return true;
	return false;
}

static bool identifies(const struct sq_batch *b, const struct sq_view *views)
{
	bool any = false;

	for (uint32_t i = 0; i < b->limits.views; i++)
		any |= views[i].identify;
	return any;
}

/* A record with one event has that one's id. Of several the first may be in other records, too, and
 * who keeps one message of an id would lose the rest of them. */
static struct sq_pass_ref *new_row(struct sq_batch *b, struct sq_sv raw, struct sq_sv tenant)
{
	struct sq_pass_ref *ref = &b->passes[b->n_passes++];
	const struct sq_finding *v = &b->verdict;

	sq_assert(b->n_passes <= b->limits.records);
	*ref = (struct sq_pass_ref){ .id = { v->id[0], v->id[1] }, .level = v->level };
	if (v->several)
		id_of_bytes(raw, tenant, ref->id);
	ref->host.at = (uint32_t)b->out.len;
	ref->host.n = v->n_host;
	sq_outbuf_put(&b->out, (struct sq_sv){ v->host, v->n_host });
	if (b->out.failed || b->out.len > UINT32_MAX) {
		sq_outbuf_cut(&b->out, ref->host.at);
		ref->host.n = 0;
	}
	return ref;
}

/* No memory for what view `i` makes of the record: it goes on as it came. Where it must be JSON and
 * is not, it could be refused there for ever, and what is behind it wait: a short text stands for
 * it. @return its bytes */
static uint32_t put_lost(struct sq_batch *b, const struct sq_view *view, struct sq_sv raw)
{
	const struct sq_sv text = SQ_SV("{\"message\":\"(it did not fit into memory)\"}");
	size_t at = b->out.len;

	b->counts.verdicts_lost++;
	if (!view->json || sq_json_judge(raw) == SQ_JSON_FIT)
		return 0;
	sq_outbuf_put(&b->out, text);
	if (b->out.failed || b->out.len > UINT32_MAX) {
		sq_outbuf_cut(&b->out, at);
		return 0;
	}
	return (uint32_t)text.n;
}

void sq_verdict_pass(struct sq_batch *b, const struct sq_view *views,
                     const struct sq_verdict_source *from)
{
	struct sq_record *rec = &b->records[b->done];
	struct sq_pass_ref *ref;
	bool counted = false, mended = false;

	if (!b->verdict.rules && !changes(b, views, rec->raw)) {
		begin(&b->verdict);
		return;
	}
	if (identifies(b, views) && !sq_id_known(b->verdict.id)) /* nobody has read it, or could */
		id_of_bytes(rec->raw, from->tenant, b->verdict.id);
	ref = new_row(b, rec->raw, from->tenant);
	rec->pass = b->n_passes;
	end(&b->verdict, from);
	for (uint32_t i = 0; i < b->limits.views; i++) {
		size_t at = b->out.len;
		bool odd;
		enum sq_verdict_shape shape =
			sq_verdict_write(&b->out, &views[i], rec->raw, &b->verdict, &odd);

		if (shape == SQ_VERDICT_FAILED || b->out.len > UINT32_MAX) {
			sq_outbuf_cut(&b->out, at);
			ref->text[i].n = put_lost(b, &views[i], rec->raw);
			ref->text[i].at = (uint32_t)at;
			continue;
		}
		if (is_said(shape) && !counted) {
			count_shape(&b->counts, shape);
			counted = true;
		}
		mended |= odd;
		ref->text[i].at = (uint32_t)at;
		ref->text[i].n = (uint32_t)(b->out.len - at);
	}
	b->counts.records_mended += mended;
	begin(&b->verdict);
}
