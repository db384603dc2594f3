/* Members that the documents of JSON share, whatever they call the rest.
 */
#include "lib/engine/alert_private.h"
#include "lib/engine/alert_section.h"

enum { DERIVED_LIST_MAX = 16 }; /* values of one derived field in an alert */

void sq_alert_write_id(struct sq_jsonw *w, const char *key, const uint64_t id[2])
{
	char text[1 + SQ_ID_TEXT + 1] = "\"";

	if (!sq_id_known(id))
		return;
	sq_id_format(id, text + 1);
	text[sizeof(text) - 1] = '"';
	sq_jsonw_key(w, key);
	sq_jsonw_raw(w, (struct sq_sv){ text, sizeof(text) });
}

/* One sentence for the line of a list: "Title on HOST". */
void sq_alert_write_message(struct sq_jsonw *w, const struct sq_alert *al,
                            const struct sq_alert_facts *f)
{
	struct sq_sv title = sq_alert_cut(al->rule->title, SQ_ALERT_TITLE_MAX);
	struct sq_sv host = sq_alert_cut(f->host, 256);

	if (!title.n && !host.n)
		return;
	sq_jsonw_key(w, "message");
	sq_jsonw_raw(w, SQ_SV("\""));
	if (al->texts)
		sq_outbuf_put(w->out, al->texts->rules[al->hit->rule].title);
	else
		sq_json_escape(w->out, title);
	if (host.n) {
		sq_outbuf_put(w->out, SQ_SV(" on "));
		sq_json_escape(w->out, host);
	}
	sq_outbuf_putc(w->out, '"');
}

void sq_alert_write_winlog(struct sq_jsonw *w, const struct sq_alert *al,
                           const struct sq_alert_facts *f)
{
	struct sq_section s = { .w = w, .name = "winlog" };

	sq_section_member(&s, "channel", f->channel);
	sq_section_member(&s, "event_id", sq_alert_value(al, SQ_F_EVENT_ID));
	sq_section_member(&s, "record_id", f->record_id);
	sq_section_member(&s, "provider_name", f->provider);
	sq_section_member(&s, "computer_name", f->computer);
	sq_section_close(&s);
}

void sq_alert_write_flags(struct sq_jsonw *w, uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} names[] = {
		{ SQ_EVENT_DUPLICATE_KEY, "duplicate_key" },
		{ SQ_EVENT_OVERFLOW, "overflow" },
		{ SQ_EVENT_FROM_MESSAGE, "from_message" },
		{ SQ_EVENT_BAD_UTF8, "bad_utf8" },
		{ SQ_EVENT_CUT, "cut" },
	};

	if (!flags)
		return;
	sq_jsonw_key(w, "flags");
	sq_jsonw_array(w);
	for (size_t i = 0; i < SQ_LEN(names); i++) {
		if (flags & names[i].flag)
			sq_jsonw_string(w, sq_sv_of(names[i].name));
	}
	sq_jsonw_end_array(w);
}

/* Name of a derived field without "squibly.", and the object that it stands in ("" = none). */
static struct sq_sv derived_group(size_t i, struct sq_sv *ret_key)
{
#define NAME(id, name, says, example) SQ_SV(name),
	static const struct sq_sv names[] = { SQ_DERIVED(NAME) };
#undef NAME
	struct sq_sv name = sq_sv_skip(names[i], sizeof("squibly.") - 1);
	struct sq_sv rest = name, group = sq_sv_cut(&rest, '.');

	*ret_key = rest.n ? rest : name;
	return rest.n ? group : SQ_SV("");
}

static void write_derived_values(struct sq_jsonw *w, const struct sq_alert *al, uint32_t field)
{
	const struct sq_value *v = &al->event->values[field];
	size_t max = al->value_max ? al->value_max : SQ_ALERT_VALUE_MAX;
	bool many = v->more != 0;

	if (many)
		sq_jsonw_array(w);
	for (int n = 0; v && n < DERIVED_LIST_MAX; v = sq_event_next(al->event, v), n++)
		sq_jsonw_string(w, sq_alert_cut(sq_value_sv(v), max));
	if (many)
		sq_jsonw_end_array(w);
}

/* The derived fields under the names that rules know them by: squibly.program and so on. The single
 * arguments are left out, since the command line holds them. */
void sq_alert_write_derived(struct sq_jsonw *w, const struct sq_alert *al)
{
	struct sq_sv open = SQ_SV(""), key;

	for (uint32_t field = SQ_F_PRODUCED; field < SQ_F_CANONICAL; field++) {
		struct sq_sv group;

		if (!sq_event_has(al->event, field) || field == SQ_F_D_ARGUMENT)
			continue;
		group = derived_group(field - SQ_F_PRODUCED, &key);
		if (!sq_sv_eq(group, open)) {
			if (open.n)
				sq_jsonw_end_object(w);
			if (group.n) {
				sq_jsonw_own_key(w, group);
				sq_jsonw_object(w);
			}
			open = group;
		}
		sq_jsonw_own_key(w, key);
		write_derived_values(w, al, field);
	}
	if (open.n)
		sq_jsonw_end_object(w);
}

void sq_alert_write_squibly(struct sq_jsonw *w, const struct sq_alert *al)
{
	sq_jsonw_key(w, "squibly");
	sq_jsonw_object(w);
	sq_alert_write_id(w, "event_id", al->event_id);
	sq_jsonw_member(w, "peer", sq_sv_of(al->peer ? al->peer : ""));
	sq_jsonw_member(w, "proxy", sq_sv_of(al->identity ? al->identity->proxy : ""));
	sq_jsonw_member(w, "tenant", al->tenant);
	sq_jsonw_member(w, "shape", sq_sv_of(al->event->shape ? al->event->shape : ""));
	sq_alert_write_flags(w, al->event->flags);
	sq_alert_write_derived(w, al);
	sq_lookups_write(al->lookups, sq_alert_value(al, SQ_F_COMPUTER),
	                 sq_sv_of(al->peer ? al->peer : ""), w);
}

/* Parts of the rule's condition that hold. */
static void write_selections(struct sq_jsonw *w, const struct sq_hit *hit, size_t max)
{
	if (!hit->n_selections)
		return;
	sq_jsonw_key(w, "selections");
	sq_jsonw_array(w);
	for (uint32_t i = 0; i < hit->n_selections; i++)
		sq_jsonw_string(w, sq_alert_cut(hit->selections[i], max));
	sq_jsonw_end_array(w);
}

static void write_matched(struct sq_jsonw *w, const struct sq_hit *hit, size_t max)
{
	sq_jsonw_key(w, "matched");
	sq_jsonw_array(w);
	for (uint32_t i = 0; i < hit->n_matched; i++) {
		const struct sq_matched *m = &hit->matched[i];

		sq_jsonw_object(w);
		sq_jsonw_member(w, "field", sq_sv_of(m->field));
		sq_jsonw_key(w, "value");
		sq_jsonw_string(w, sq_alert_cut(m->value, max));
		sq_jsonw_end_object(w);
	}
	sq_jsonw_end_array(w);
}

void sq_alert_write_found(struct sq_jsonw *w, const struct sq_alert *al)
{
	size_t max = al->value_max ? al->value_max : SQ_ALERT_VALUE_MAX;

	write_selections(w, al->hit, max);
	write_matched(w, al->hit, max);
}

void sq_alert_write_common(struct sq_jsonw *w, const struct sq_alert *al,
                           const struct sq_alert_facts *f, unsigned i,
                           const struct sq_alert_common *common)
{
	struct sq_alert_part *part = al->shared ? &al->shared->parts[i] : NULL;
	size_t begin = w->out->len;

	if (!part || !part->n) {
		common->write(w, al, f);
		if (part)
			*part = (struct sq_alert_part){ begin, w->out->len - begin, w->comma };
		return;
	}
	/* Room first: what is copied lies in the same buffer, which may move to grow. */
	if (sq_outbuf_reserve(w->out, part->n))
		sq_outbuf_put(w->out, (struct sq_sv){ w->out->p + part->at, part->n });
	w->comma = part->comma;
	w->depth = common->depth;
}
