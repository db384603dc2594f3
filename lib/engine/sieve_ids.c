#include "lib/engine/sieve_ids.h"

/* As lib/model/logsource.c has them; a test compares the two. */
static const struct {
	enum sq_category category;
	uint16_t ids[4];
} categories[] = {
	{ SQ_CATEGORY_PROCESS_CREATION, { 1, 4688 } },
	{ SQ_CATEGORY_FILE_CHANGE, { 2 } },
	{ SQ_CATEGORY_NETWORK_CONNECTION, { 3 } },
	{ SQ_CATEGORY_SYSMON_STATUS, { 4, 16 } },
	{ SQ_CATEGORY_PROCESS_TERMINATION, { 5 } },
	{ SQ_CATEGORY_DRIVER_LOAD, { 6 } },
	{ SQ_CATEGORY_IMAGE_LOAD, { 7 } },
	{ SQ_CATEGORY_CREATE_REMOTE_THREAD, { 8 } },
	{ SQ_CATEGORY_RAW_ACCESS_THREAD, { 9 } },
	{ SQ_CATEGORY_PROCESS_ACCESS, { 10 } },
	{ SQ_CATEGORY_FILE_EVENT, { 11 } },
	{ SQ_CATEGORY_REGISTRY_ADD, { 12 } },
	{ SQ_CATEGORY_REGISTRY_DELETE, { 12 } },
	{ SQ_CATEGORY_REGISTRY_SET, { 13, 4657 } },
	{ SQ_CATEGORY_REGISTRY_RENAME, { 14 } },
	{ SQ_CATEGORY_REGISTRY_EVENT, { 12, 13, 14, 4657 } },
	{ SQ_CATEGORY_CREATE_STREAM_HASH, { 15 } },
	{ SQ_CATEGORY_PIPE_CREATED, { 17, 18 } },
	{ SQ_CATEGORY_WMI_EVENT, { 19, 20, 21 } },
	{ SQ_CATEGORY_DNS_QUERY, { 22 } },
	{ SQ_CATEGORY_FILE_DELETE, { 23, 26 } },
	{ SQ_CATEGORY_CLIPBOARD_CAPTURE, { 24 } },
	{ SQ_CATEGORY_PROCESS_TAMPERING, { 25 } },
	{ SQ_CATEGORY_FILE_BLOCK_EXECUTABLE, { 27 } },
	{ SQ_CATEGORY_FILE_EXECUTABLE_DETECTED, { 29 } },
	{ SQ_CATEGORY_SYSMON_ERROR, { 255 } },
	{ SQ_CATEGORY_PS_SCRIPT, { 4104 } },
	{ SQ_CATEGORY_PS_MODULE, { 4103 } },
	{ SQ_CATEGORY_PS_CLASSIC_START, { 400 } },
	{ SQ_CATEGORY_PS_CLASSIC_PROVIDER_START, { 600 } },
	{ SQ_CATEGORY_PS_CLASSIC_SCRIPT, { 800 } },
};

static void add(struct sq_id_set *to, uint32_t id)
{
	for (uint32_t i = 0; i < to->n; i++)
		if (to->list[i] == id)
			return;
	if (to->n == SQ_IDS_MAX)
		to->any = true;
	else
		to->list[to->n++] = id;
}

void sq_ids_add(struct sq_id_set *to, const struct sq_id_set *more)
{
	to->any |= more->any;
	for (uint32_t i = 0; i < more->n; i++)
		add(to, more->list[i]);
}

/* Both hold: the one that says more is enough. */
static void narrow(struct sq_id_set *to, const struct sq_id_set *other)
{
	if (!other->any && (to->any || other->n < to->n))
		*to = *other;
}

void sq_ids_of_source(const struct sq_logsource *ls, struct sq_id_set *ret)
{
	uint64_t left = ls->categories;

	*ret = (struct sq_id_set){ 0 };
	for (size_t i = 0; i < SQ_LEN(categories); i++) {
		if (!(ls->categories >> categories[i].category & 1))
			continue;
		left &= ~(UINT64_C(1) << categories[i].category);
		for (size_t k = 0; k < SQ_LEN(categories[i].ids) && categories[i].ids[k]; k++)
			add(ret, categories[i].ids[k]);
	}
	ret->any |= left || !ret->n; /* a category that is not in the table, or none at all */
}

/* The id that a comparison asks for. Numbers of up to nine digits are those that add_value() below
 * takes for ids. */
static void ids_of_pred(const struct sq_pred *p, struct sq_id_set *ret)
{
	struct sq_sv text = p->text;
	uint64_t id;

	ret->any = true;
	if (p->field != SQ_F_EVENT_ID)
		return;
	if (p->match == SQ_MATCH_GLOB && p->n_globs == 1 && p->globs[0].kind == SQ_GLOB_TEXT)
		text = p->globs[0].text;
	else if (p->match != SQ_MATCH_NUMBER || p->compare != SQ_EQ)
		return;
	if (!text.n || text.n > 9 || text.p[0] == '0' || !sq_is_digit(text.p[0]) ||
	    !sq_sv_to_u64(text, &id))
		return;
	*ret = (struct sq_id_set){ .list = { (uint32_t)id }, .n = 1 };
}

static void ids_of_expr(const struct sq_expr *e, bool negated, struct sq_id_set *ret)
{
	struct sq_id_set one;

	*ret = (struct sq_id_set){ .any = true };
	switch (e->kind) {
	case SQ_EXPR_PRED:
		if (!negated)
			ids_of_pred(e->pred, ret);
		return;
	case SQ_EXPR_NOT:
		ids_of_expr(e->args[0], !negated, ret);
		return;
	case SQ_EXPR_AND:
	case SQ_EXPR_OR:
		if ((e->kind == SQ_EXPR_OR) != negated) {
			ret->any = e->n == 0;
			for (uint32_t i = 0; i < e->n && !ret->any; i++) {
				ids_of_expr(e->args[i], negated, &one);
				sq_ids_add(ret, &one);
			}
			return;
		}
		for (uint32_t i = 0; i < e->n; i++) {
			ids_of_expr(e->args[i], negated, &one);
			narrow(ret, &one);
		}
		return;
	case SQ_EXPR_TRUE:
	case SQ_EXPR_FALSE:
		return;
	}
}

void sq_ids_of_rule(const struct sq_rule *rule, struct sq_id_set *ret)
{
	struct sq_id_set condition;

	sq_ids_of_source(&rule->logsource, ret);
	ids_of_expr(rule->condition, false, &condition);
	narrow(ret, &condition);
}

bool sq_ids_meet(const struct sq_id_set *a, const struct sq_id_set *b)
{
	if (a->any || b->any)
		return true;
	for (uint32_t i = 0; i < a->n; i++)
		for (uint32_t k = 0; k < b->n; k++)
			if (a->list[i] == b->list[k])
				return true;
	return false;
}

/* ---- records ----------------------------------------------------------------------------- */

/* Keys, or the last parts of keys with dots: all by which lib/model/fieldmap.c knows an event id; a
 * test compares the two. And the types of lib/model/typed.c in which one may come. Whatever else
 * ends like that does no harm but by its number. */
static const struct sq_sv names[] = {
	SQ_SV("eventid"),    SQ_SV("event_id"),  SQ_SV("eventcode"),
	SQ_SV("code"),       SQ_SV("#text"),     SQ_SV("value"),
	SQ_SV("id"),         SQ_SV("text"),      SQ_SV("_"),
	SQ_SV("$"),          SQ_SV("$t"),        SQ_SV("content"),
	SQ_SV("@value"),     SQ_SV(""),          SQ_SV("stringvalue"),
	SQ_SV("intvalue"),   SQ_SV("boolvalue"), SQ_SV("doublevalue"),
	SQ_SV("bytesvalue"),
};

void sq_ids_windows(struct sq_spot *s)
{
	/* The last letters of the names and the quote; NULL: any byte; "eventid" with anything else
	 * behind it is XML, or a text. */
	static const char before[] = "{, \t\r\n"; /* a key */
	static const char *const ends[][SQ_SPOT_WIDTH] = {
		{ "tT_", "iI", "dD", "\"" },  { "\"._", "iI", "dD", "\"" },
		{ "oO", "dD", "eE", "\"" },   { "eE", "xXnN", "tT", "\"" },
		{ "lL", "uU", "eE", "\"" },   { "nN", "tT", "iI", "dD" },
		{ before, "\"", "_$", "\"" }, { "\"", "$", "tT", "\"" },
		{ NULL, before, "\"", "\"" },
	};

	for (unsigned b = 0; b < SQ_LEN(ends); b++)
		for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++)
			for (unsigned c = 1; c < 256; c++)
				if (!ends[b][i] || strchr(ends[b][i], (char)c))
					sq_spot_allow(s, b, i, (unsigned char)c);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct sq_sv skip_blanks(struct sq_sv v)
{
	while (v.n && is_blank(v.p[0]))
		v = sq_sv_skip(v, 1);
	return v;
}

/* Behind the colon of a key. */
static void add_value(struct sq_sv v, struct sq_id_set *ret)
{
	uint32_t id = 0;
	size_t n = 0;
	bool quoted;

	v = skip_blanks(v);
	quoted = v.n && v.p[0] == '"';
	if (quoted)
		v = skip_blanks(sq_sv_skip(v, 1));
	if (v.n == 0 || v.p[0] == '[' || v.p[0] == '\\') {
		ret->any = true;
		return;
	}
	for (; n < v.n && n < 9 && sq_is_digit(v.p[n]); n++)
		id = id * 10 + (uint32_t)(v.p[n] - '0');
	if (n == v.n || (v.p[0] == '0' && n > 1) || n == 9)
		ret->any = true;
	else if (n && (v.p[n] == '"' || v.p[n] == ',' || v.p[n] == '}' || v.p[n] == ']'))
		add(ret, id);
	else if (n || strchr("+-.", v.p[0])) /* 1.0, 1e0, "1 ", "-1" */
		ret->any = true;
}

static bool ends_with_name(struct sq_sv key)
{
	for (size_t i = 0; i < SQ_LEN(names); i++) {
		struct sq_sv before;

		if (!sq_sv_iends(key, names[i]))
			continue;
		before = sq_sv_first(key, key.n - names[i].n);
		if (before.n == 0 || strchr("\"._", before.p[before.n - 1]))
			return true;
	}
	return false;
}

/* A place that a window found. */
static void look(struct sq_sv record, size_t at, struct sq_id_set *ret)
{
	enum { NAME_MAX = 16 };
	size_t end = at + SQ_SPOT_WIDTH - 1;
	size_t begin = end > NAME_MAX ? end - NAME_MAX : 0;
	struct sq_sv rest;

	if (end >= record.n)
		return;
	if (record.p[end] != '"') {
		struct sq_sv text = { record.p + begin, end + 1 - begin };

		/* With a quote behind it another window finds it. */
		ret->any |= sq_sv_iends(text, SQ_SV("eventid")) &&
		            !(end + 1 < record.n && record.p[end + 1] == '"');
		return;
	}
	rest = skip_blanks(sq_sv_skip(record, end + 1));
	if (rest.n == 0 || rest.p[0] != ':' ||
	    !ends_with_name((struct sq_sv){ record.p + begin, end - begin }))
		return;
	add_value(sq_sv_skip(rest, 1), ret);
}

void sq_ids_of_record(const struct sq_spot *windows, struct sq_sv record, struct sq_id_set *ret)
{
	uint32_t places[SQ_SPOT_ROOM];
	size_t at = 0;

	*ret = (struct sq_id_set){ 0 };
	while (at < record.n && !ret->any) {
		uint32_t n = sq_spot_next(windows, record, &at, places);

		for (uint32_t i = 0; i < n && !ret->any; i++)
			look(record, places[i], ret);
	}
	ret->any |= ret->n == 0; /* a key whose value is no number tells nothing */
}
