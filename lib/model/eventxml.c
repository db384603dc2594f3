#include "lib/model/eventxml.h"

#include "lib/text/xml.h"

enum section { SECTION_NONE, SECTION_SYSTEM, SECTION_USER_DATA, SECTION_RENDERING };

enum { SYSTEM_RANK = SQ_BAND_NAMES - 1 }; /* before EventData names, after all paths of JSON */

/* The element that is open and has had no child yet. */
struct element {
	struct sq_sv name, attrs, text;
	bool open, has_text;
};

struct reading {
	struct sq_collect *c;
	enum section section;
	struct element el;
};

static void put(struct reading *x, uint32_t field, uint8_t rank, struct sq_sv text)
{
	struct sq_event *ev = x->c->ev;

	if (x->c->all && ev->n_all < SQ_EVENT_ALL_MAX)
		x->c->all[ev->n_all++] = text;
	if (field != SQ_AUX_NONE)
		sq_collect_text(x->c, field, rank, text);
}

static void put_attr(struct reading *x, const char *name, uint32_t field)
{
	struct sq_sv value;

	if (sq_xml_attr(x->el.attrs, sq_sv_of(name), &value))
		put(x, field, SYSTEM_RANK, sq_xml_decode(value, x->c->arena));
}

static void put_named(struct reading *x, struct sq_sv name, struct sq_sv text)
{
	int field = sq_fields_find(x->c->ev->fields, name);

	if (!sq_collect_is_open(x->c, field))
		field = SQ_AUX_NONE;
	put(x, (uint32_t)field, SQ_BAND_XML, text);
	x->c->n_data++;
}

static void put_unnamed(struct reading *x, struct sq_sv text)
{
	struct sq_collect *c = x->c;

	put(x, SQ_AUX_NONE, 0, text);
	if (c->n_list < SQ_LIST_MAX)
		c->list[c->n_list++] =
			(struct sq_value){ text.p, (uint32_t)text.n, 0, SQ_VALUE_TEXT, 0 };
}

static void put_system(struct reading *x)
{
	static const struct {
		struct sq_sv name;
		uint32_t field;
	} rows[] = {
		{ SQ_SV("EventID"), SQ_F_EVENT_ID },
		{ SQ_SV("Channel"), SQ_F_CHANNEL },
		{ SQ_SV("Computer"), SQ_F_COMPUTER },
		{ SQ_SV("EventRecordID"), SQ_F_RECORD_ID },
	};

	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		if (sq_sv_eq(x->el.name, rows[i].name))
			put(x, rows[i].field, SYSTEM_RANK, x->el.text);
	}
}

/* An element without children is whole. */
static void leaf(struct reading *x)
{
	struct sq_sv name;

	if (x->section == SECTION_SYSTEM)
		put_system(x);
	else if (x->section == SECTION_RENDERING && sq_sv_eq(x->el.name, SQ_SV("Message")))
		put(x, SQ_F_MESSAGE, SYSTEM_RANK, x->el.text);
	else if (x->section == SECTION_USER_DATA)
		put_named(x, x->el.name, x->el.text);
	else if (!sq_sv_eq(x->el.name, SQ_SV("Data")))
		return;
	else if (sq_xml_attr(x->el.attrs, SQ_SV("Name"), &name))
		put_named(x, name, x->el.text);
	else
		put_unnamed(x, x->el.text);
}

static enum section section_of(struct sq_sv name)
{
	if (sq_sv_eq(name, SQ_SV("System")))
		return SECTION_SYSTEM;
	if (sq_sv_eq(name, SQ_SV("UserData")))
		return SECTION_USER_DATA;
	return sq_sv_eq(name, SQ_SV("RenderingInfo")) ? SECTION_RENDERING : SECTION_NONE;
}

static void on_tag(struct reading *x, const struct sq_xml_token *t)
{
	x->el = (struct element){
		.name = t->name, .attrs = t->attrs, .text = { "", 0 }, .open = true
	};
	if (x->section == SECTION_SYSTEM) {
		if (sq_sv_eq(t->name, SQ_SV("Provider")))
			put_attr(x, "Name", SQ_F_PROVIDER);
		else if (sq_sv_eq(t->name, SQ_SV("TimeCreated")))
			put_attr(x, "SystemTime", SQ_F_TIME);
	} else if (x->section == SECTION_NONE && t->kind == SQ_XML_OPEN) {
		x->section = section_of(t->name);
	}
	if (t->kind == SQ_XML_EMPTY) {
		leaf(x);
		x->el.open = false;
	}
}

static void on_close(struct reading *x, const struct sq_xml_token *t)
{
	if (x->el.open && sq_sv_eq(x->el.name, t->name))
		leaf(x);
	x->el.open = false;
	if (x->section != SECTION_NONE && section_of(t->name) == x->section)
		x->section = SECTION_NONE;
}

/* Text in pieces (with CDATA or a comment between) is joined in the arena. */
static void on_text(struct reading *x, struct sq_sv text)
{
	struct sq_sv before = x->el.text;
	char *joined;

	if (!x->el.open)
		return;
	if (before.n == 0) {
		x->el.text = text;
		return;
	}
	joined = sq_arena_bytes(x->c->arena, before.n + text.n);
	if (!joined)
		return;
	memcpy(joined, before.p, before.n);
	if (text.n)
		memcpy(joined + before.n, text.p, text.n);
	x->el.text = (struct sq_sv){ joined, before.n + text.n };
}

bool sq_eventxml_read(struct sq_collect *c, struct sq_sv *in)
{
	struct reading x = { .c = c };
	bool began = false;

	c->hints |= 1u << SQ_HINT_XML;
	for (;;) {
		struct sq_xml_token t = sq_xml_next(in);

		switch (t.kind) {
		case SQ_XML_OPEN:
		case SQ_XML_EMPTY:
			began = began || sq_sv_eq(t.name, SQ_SV("Event"));
			on_tag(&x, &t);
			break;
		case SQ_XML_CLOSE:
			on_close(&x, &t);
			if (sq_sv_eq(t.name, SQ_SV("Event")))
				return true;
			break;
		case SQ_XML_TEXT:
			on_text(&x, sq_xml_decode(t.text, c->arena));
			break;
		case SQ_XML_CDATA:
			on_text(&x, t.text);
			break;
		case SQ_XML_END:
			return !began;
		case SQ_XML_BROKEN:
			return false;
		}
	}
}
