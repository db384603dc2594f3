#include "lib/wire/bulk.h"

#include <errno.h>

#include "lib/text/jsonw.h"
#include "lib/wire/peek.h"

/* A note: one byte, then the names it has, each as length (two bytes) and bytes. */
enum {
	KIND = 3,           /* enum kind */
	TOO_LONG = 1u << 2, /* the document was skipped */
	NO_DOCUMENT = 1u << 3,
	HAS_INDEX = 1u << 4, /* else it is that of the action before */
	HAS_ID = 1u << 5,
	NAME_MAX = 512, /* what Elasticsearch allows for an _id; longer ones are not repeated */
};

enum kind { KIND_CREATE, KIND_INDEX, KIND_UPDATE, KIND_DELETE };

static const char *const kinds[] = { "create", "index", "update", "delete" };

void sq_bulk_init(struct sq_bulk *b, const struct sq_bulk_limits *limits)
{
	*b = (struct sq_bulk){ .limits = *limits, .notes = sq_outbuf_of(limits->max_notes) };
}

void sq_bulk_fini(struct sq_bulk *b)
{
	sq_outbuf_fini(&b->notes);
}

bool sq_bulk_is_brief(struct sq_sv query)
{
	/* What Beats asks for; whoever asks for less than everything else can do with it too. */
	size_t at = sq_sv_find(query, SQ_SV("filter_path="));

	return at != SIZE_MAX && sq_sv_find(sq_sv_skip(query, at), SQ_SV("status")) != SIZE_MAX &&
	       sq_sv_find(query, SQ_SV("_id")) == SIZE_MAX &&
	       sq_sv_find(query, SQ_SV("_index")) == SIZE_MAX;
}

/* ---- actions ------------------------------------------------------------------------------ */

static int broken(struct sq_bulk *b, const char *why)
{
	b->why = why;
	return -EBADMSG;
}

static void note_name(struct sq_bulk *b, struct sq_sv name)
{
	uint16_t n = (uint16_t)name.n;

	sq_outbuf_put(&b->notes, (struct sq_sv){ (const char *)&n, sizeof(n) });
	sq_outbuf_put(&b->notes, name);
}

/* What the action said of itself: {"_index":"x","_id":"y",...} */
static int read_names(struct sq_sv object, struct sq_sv *index, struct sq_sv *id)
{
	struct sq_sv key, value;
	struct sq_peek p;
	int r;

	if (!sq_peek_begin(&p, object))
		return -EBADMSG;
	while ((r = sq_peek_next(&p, &key, &value)) == 1) {
		if (sq_sv_eq(key, SQ_SV("_index")))
			*index = sq_peek_string(value);
		else if (sq_sv_eq(key, SQ_SV("_id")))
			*id = sq_peek_string(value);
	}
	return r;
}

/* @return 0, or -EBADMSG with `why` */
static int read_action(struct sq_bulk *b, struct sq_sv line, struct sq_sv *index, struct sq_sv *id)
{
	struct sq_sv key = { 0 }, value = { 0 };
	struct sq_peek p;
	uint8_t k = 0;

	if (!sq_peek_begin(&p, line))
		return broken(b, "Malformed action/metadata line, expected START_OBJECT");
	if (sq_peek_next(&p, &key, &value) != 1)
		return broken(b, "Malformed action/metadata line, expected FIELD_NAME");
	while (k < SQ_LEN(kinds) && !sq_sv_eq(key, sq_sv_of(kinds[k])))
		k++;
	if (k == SQ_LEN(kinds))
		return broken(b,
		              "Malformed action/metadata line, expected field [create], [delete], "
		              "[index] or [update]");
	if (read_names(value, index, id) < 0)
		return broken(b, "Malformed action/metadata line, expected a simple value or an "
		                 "object of them");
	if (sq_peek_next(&p, &key, &value) != 0 || sq_sv_trim(p.rest).n)
		return broken(b, "Malformed action/metadata line, expected END_OBJECT");
	b->kind = k;
	return 0;
}

/* Whether the names of an action can be kept, so that every action still finds room for its note.
 * Where they cannot, an answer with all names would be too long anyway. */
static bool has_room(const struct sq_bulk *b, struct sq_sv index, struct sq_sv id)
{
	size_t need = b->limits.max_items - b->items + 2 * sizeof(uint16_t);

	need += (index.n <= NAME_MAX ? index.n : 0) + (id.n <= NAME_MAX ? id.n : 0);
	return b->notes.len + need <= b->limits.max_notes;
}

/* An action line, which most senders repeat before each document. */
static int take_action(struct sq_bulk *b, struct sq_sv line)
{
	struct sq_sv index = { 0 }, id = { 0 };
	bool same = b->same_n && b->same_n == line.n && memcmp(b->same, line.p, line.n) == 0;
	uint8_t note;

	if (b->items >= b->limits.max_items) {
		b->why = "too many actions in one request";
		return -E2BIG;
	}
	b->kind = b->same_kind;
	if (!same && read_action(b, line, &index, &id) < 0)
		return -EBADMSG;
	note = b->kind;
	b->note = b->notes.len;
	b->named = !b->brief && !same && has_room(b, index, id);
	if (b->named)
		note |= (index.n && index.n <= NAME_MAX ? HAS_INDEX : 0) |
		        (id.n && id.n <= NAME_MAX ? HAS_ID : 0);
	sq_outbuf_putc(&b->notes, (char)note);
	if (note & HAS_INDEX)
		note_name(b, index);
	if (note & HAS_ID)
		note_name(b, id);
	/* The same line again has the same index; an _id would have to be kept anew. */
	if (!same)
		b->same_n = line.n <= SQ_BULK_SAME_MAX && (b->brief || id.n == 0) ? (uint32_t)line.n
		                                                                  : 0;
	if (!same && b->same_n)
		memcpy(b->same, line.p, line.n);
	b->same_kind = b->kind;
	b->items++;
	b->in_action = b->kind != KIND_DELETE;
	if (!b->notes.failed)
		return 0;
	b->why = "out of memory";
	return -ENOMEM;
}

/* ---- documents ---------------------------------------------------------------------------- */

static void mark(struct sq_bulk *b, uint8_t what)
{
	b->notes.p[b->note] = (char)((uint8_t)b->notes.p[b->note] | what);
	b->errors++;
	b->in_action = false;
}

/* {"doc":{...},"doc_as_upsert":true}: the record is what is in it. */
static struct sq_sv updated(struct sq_sv line)
{
	struct sq_sv key, value;
	struct sq_peek p;

	if (!sq_peek_begin(&p, line))
		return line;
	while (sq_peek_next(&p, &key, &value) == 1) {
		if ((sq_sv_eq(key, SQ_SV("doc")) || sq_sv_eq(key, SQ_SV("upsert"))) &&
		    value.p[0] == '{')
			return value;
	}
	return line;
}

/* One line, without its end. As sq_bulk_next(). */
static int take_line(struct sq_bulk *b, struct sq_sv line, struct sq_sv *ret_rec)
{
	size_t long_as = line.n; /* blanks and all: how it is cut must not matter */

	if (line.n && line.p[line.n - 1] == '\r')
		long_as--;
	b->line++;
	line = sq_sv_trim(line);
	if (b->dropping) {
		b->dropping = false; /* told of already */
		return 0;
	}
	if (!b->in_action) {
		if (long_as > SQ_BULK_ACTION_MAX)
			return broken(b, "an action/metadata line is too long");
		return line.n ? take_action(b, line) : 0;
	}
	if (long_as > b->limits.max_record) {
		mark(b, TOO_LONG);
		return -EMSGSIZE;
	}
	if (line.n == 0) {
		mark(b, NO_DOCUMENT);
		return 0;
	}
	b->in_action = false;
	*ret_rec = b->kind == KIND_UPDATE ? updated(line) : line;
	return 1;
}

/* There is no line end in `in`, which is all that is there. It is used up unless `scanned` says
 * that it must be shown again. */
static int take_rest(struct sq_bulk *b, struct sq_sv in, bool eof, struct sq_sv *ret_rec)
{
	int r;

	b->scanned = in.n;
	if (eof) {
		r = in.n ? take_line(b, in, ret_rec) : 0;
		b->scanned = 0;
		if (r == 0 && b->in_action)
			return broken(b, "the last action has no document");
		return r;
	}
	if (b->dropping) {
		b->scanned = 0;
		return 0;
	}
	if (!b->in_action)
		return in.n <= SQ_BULK_ACTION_MAX + 1 /* there may be a CR */
		               ? 0
		               : broken(b, "an action/metadata line is too long");
	if (in.n <= (size_t)b->limits.max_record + 1) /* there may be a CR */
		return 0;
	mark(b, TOO_LONG);
	b->dropping = true;
	b->scanned = 0;
	return -EMSGSIZE;
}

int sq_bulk_next(void *bulk, struct sq_sv in, bool eof, size_t *ret_used, struct sq_sv *ret_rec)
{
	struct sq_bulk *b = bulk;
	int r = 0;

	*ret_used = 0;
	while (r == 0) {
		size_t from = b->scanned < in.n ? b->scanned : in.n;
		const char *end = from < in.n ? memchr(in.p + from, '\n', in.n - from) : NULL;
		size_t n;

		if (!end) {
			r = take_rest(b, in, eof, ret_rec);
			*ret_used += b->scanned ? 0 : in.n;
			return r;
		}
		n = (size_t)(end - in.p);
		b->scanned = 0;
		r = take_line(b, sq_sv_first(in, n), ret_rec);
		in = sq_sv_skip(in, n + 1);
		*ret_used += n + 1;
	}
	return r;
}

/* ---- the answer --------------------------------------------------------------------------- */

struct names {
	struct sq_sv at;    /* notes not read yet */
	struct sq_sv index; /* of the last action that gave one */
	struct sq_sv id;
};

static struct sq_sv next_name(struct names *n)
{
	struct sq_sv name;
	uint16_t len;

	memcpy(&len, n->at.p, sizeof(len));
	name = (struct sq_sv){ n->at.p + sizeof(len), len };
	n->at = sq_sv_skip(n->at, sizeof(len) + len);
	return name;
}

static uint8_t next_note(struct names *n)
{
	uint8_t note = (uint8_t)n->at.p[0];

	n->at = sq_sv_skip(n->at, 1);
	if (note & HAS_INDEX)
		n->index = next_name(n);
	n->id = note & HAS_ID ? next_name(n) : (struct sq_sv){ 0 };
	return note;
}

static int status_of(uint8_t note)
{
	if (note & TOO_LONG)
		return 413;
	if (note & NO_DOCUMENT)
		return 400;
	switch ((enum kind)(note & KIND)) {
	case KIND_CREATE:
	case KIND_INDEX:
		return 201;
	case KIND_UPDATE:
	case KIND_DELETE:
		break;
	}
	return 200;
}

/* The names are pieces of JSON strings as the client wrote them: they go back as they came. */
static void write_names(const struct names *n, uint32_t item, struct sq_outbuf *out)
{
	sq_outbuf_put(out, SQ_SV("\"_index\":\""));
	sq_outbuf_put(out, n->index);
	if (n->id.n) {
		sq_outbuf_put(out, SQ_SV("\",\"_id\":\""));
		sq_outbuf_put(out, n->id);
		sq_outbuf_put(out, SQ_SV("\","));
	} else {
		sq_outbuf_printf(out, "\",\"_id\":\"%u\",", (unsigned)item + 1);
	}
}

static void write_item(uint8_t note, struct sq_outbuf *out)
{
	/* The rule, written out: this runs for each event. */
	if (status_of(note) == 201)
		sq_outbuf_put(out, SQ_SV("\"status\":201}}"));
	else if (status_of(note) == 200)
		sq_outbuf_put(out, SQ_SV("\"status\":200}}"));
	else if (note & TOO_LONG)
		sq_outbuf_put(out,
		              SQ_SV("\"status\":413,\"error\":{\"type\":\"document_too_large\","
		                    "\"reason\":\"the document is longer than max_record\"}}}"));
	else
		sq_outbuf_put(out, SQ_SV("\"status\":400,\"error\":{\"type\":\"parse_exception\","
		                         "\"reason\":\"the document is empty\"}}}"));
}

static void write_items(const struct sq_bulk *b, bool names, struct sq_outbuf *out)
{
	struct names n = { .at = sq_outbuf_view(&b->notes) };

	for (uint32_t i = 0; i < b->items; i++) {
		uint8_t note = next_note(&n);

		sq_outbuf_put(out, i ? SQ_SV(",{\"") : SQ_SV("{\""));
		sq_outbuf_put(out, sq_sv_of(kinds[note & KIND]));
		sq_outbuf_put(out, SQ_SV("\":{"));
		if (names)
			write_names(&n, i, out);
		write_item(note, out);
	}
}

bool sq_bulk_answer(const struct sq_bulk *b, uint64_t took_ms, struct sq_outbuf *out)
{
	size_t begin = out->len;

	for (int names = !b->brief; names >= 0; names--) {
		sq_outbuf_cut(out, begin);
		if (!b->brief)
			sq_outbuf_printf(out, "{\"took\":%llu,", (unsigned long long)took_ms);
		else
			sq_outbuf_putc(out, '{');
		sq_outbuf_printf(out, "\"errors\":%s,\"items\":[", b->errors ? "true" : "false");
		write_items(b, names, out);
		sq_outbuf_put(out, SQ_SV("]}"));
		if (!out->failed)
			return true;
	}
	return false;
}

void sq_bulk_refusal(struct sq_outbuf *out, int status, const char *type, const char *reason)
{
	struct sq_jsonw w = sq_jsonw_of(out);

	sq_jsonw_object(&w);
	sq_jsonw_key(&w, "error");
	sq_jsonw_object(&w);
	sq_jsonw_key(&w, "root_cause");
	sq_jsonw_array(&w);
	sq_jsonw_object(&w);
	sq_jsonw_member(&w, "type", sq_sv_of(type));
	sq_jsonw_member(&w, "reason", sq_sv_of(reason));
	sq_jsonw_end_object(&w);
	sq_jsonw_end_array(&w);
	sq_jsonw_member(&w, "type", sq_sv_of(type));
	sq_jsonw_member(&w, "reason", sq_sv_of(reason));
	sq_jsonw_end_object(&w);
	sq_jsonw_key(&w, "status");
	sq_jsonw_int(&w, status);
	sq_jsonw_end_object(&w);
}
