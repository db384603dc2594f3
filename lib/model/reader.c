#include "lib/model/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/model/eventxml.h"
#include "lib/model/lists.h"
#include "lib/model/semantics.h"
#include "lib/model/skim.h"
#include "lib/model/typed.h"
#include "lib/model/walk.h"
#include "lib/text/jsonclose.h"
#include "lib/wire/frame.h"

enum {
	DEPTH = 64,
	KEYS = 10000,
	UNWRAP_MAX = 3, /* an event in a string in a string in a string */
};

struct sq_reader {
	const struct sq_fields *fields;
	struct sq_trie *trie;
	struct sq_json *json;
	struct sq_skim *skim; /* NULL: yajl reads everything */
	uint64_t unsure;
	struct sq_collect collect;
	struct sq_walk walk;
	uint32_t max_depth;
	struct sq_sv left; /* what the last call left of its record */
	struct sq_sv cut;  /* the last record, when it was cut off; else empty */
	const char *why;
	char text[160]; /* of `why`, when it had to be made */
	struct sq_value values[SQ_FIELDS_MAX];
	struct sq_value more[SQ_EVENT_MORE_MAX];
	struct sq_sv all[]; /* SQ_EVENT_ALL_MAX, when asked for */
};

struct sq_reader *sq_reader_new(const struct sq_fields *fields, const struct sq_reader_opts *opts)
{
	struct sq_json_limits limits = { opts->max_depth ? opts->max_depth : DEPTH,
		                         opts->max_keys ? opts->max_keys : KEYS };
	struct sq_reader *r;

	if (limits.max_depth > SQ_WALK_DEPTH_MAX)
		limits.max_depth = SQ_WALK_DEPTH_MAX;
	r = calloc(1, sizeof(*r) + (opts->want_all ? SQ_EVENT_ALL_MAX * sizeof(r->all[0]) : 0));
	if (!r)
		return NULL;
	r->fields = fields;
	r->max_depth = limits.max_depth;
	r->why = "";
	r->trie = sq_trie_new();
	r->json = sq_json_new(&sq_walk_sink, &r->walk, &limits);
	if (!r->trie || !r->json) {
		sq_reader_free(r);
		return NULL;
	}
	r->collect.values = r->values;
	r->collect.more = r->more;
	r->collect.all = opts->want_all ? r->all : NULL;
	r->walk.c = &r->collect;
	r->walk.trie = r->trie;
	r->walk.fields = fields;
	if (opts->skim) {
		r->skim = sq_skim_new(&r->walk,
		                      &(struct sq_skim_opts){ limits, NULL, opts->skim_body });
		if (!r->skim) {
			sq_reader_free(r);
			return NULL;
		}
	}
	return r;
}

void sq_reader_free(struct sq_reader *r)
{
	if (!r)
		return;
	sq_skim_free(r->skim);
	sq_json_free(r->json);
	sq_trie_free(r->trie);
	free(r);
}

uint64_t sq_reader_unsure(const struct sq_reader *r)
{
	return r->unsure;
}

const char *sq_reader_why(const struct sq_reader *r)
{
	return r->why;
}

/* What may stand between two events of a record: of arrays, and in them of objects that hold lists
 * of events. `array`: we are in an array. @return whether a value of an array may follow */
static bool skip_separators(const struct sq_reader *r, struct sq_sv *in, bool array)
{
	while (in->n) {
		char c = in->p[0];

		if (sq_sv_starts(*in, SQ_SV("\xef\xbb\xbf")))
			*in = sq_sv_skip(*in, 2);
		else if (c == '[' || c == ',' || c == ']')
			array = true;
		else if (array && c == '"' && sq_lists_pass(r->trie, in))
			continue;
		else if (!sq_is_space(c) && c != '\0' && !(array && c == '}'))
			break;
		*in = sq_sv_skip(*in, 1);
	}
	return array;
}

/* After a broken event go on behind the next NUL or line end, when an event may begin there. */
static struct sq_sv go_on(struct sq_sv in)
{
	for (;;) {
		size_t n = 0;

		while (n < in.n && in.p[n] != '\n' && in.p[n] != '\0')
			n++;
		in = sq_sv_skip(in, n + 1);
		if (in.n == 0)
			return in;
		if (in.p[0] == '{' || in.p[0] == '[' || sq_sv_starts(in, SQ_SV("<Event")))
			return in;
	}
}

static int malformed(struct sq_reader *r, struct sq_sv *rest, struct sq_sv after, const char *why)
{
	r->why = why;
	*rest = r->left = go_on(after);
	return -EBADMSG;
}

static bool is_xml(struct sq_sv in)
{
	return sq_sv_starts(in, SQ_SV("<Event")) || sq_sv_starts(in, SQ_SV("<?xml"));
}

static int read_json(struct sq_reader *r, struct sq_sv text, size_t *ret_used)
{
	sq_walk_begin(&r->walk);
	return sq_json_read(r->json, text, ret_used);
}

/* Read the event itself, of which nothing has been collected yet. What skim has collected before it
 * lost certainty is forgotten. */
static int read_whole(struct sq_reader *r, struct sq_sv text, size_t *ret_used)
{
	struct sq_event *ev = r->collect.ev;
	struct sq_sv raw = ev->raw;
	struct sq_arena *a = r->collect.arena;
	size_t mark = sq_arena_mark(a);
	bool overflow = a->overflow;

	if (!r->skim)
		return read_json(r, text, ret_used);
	sq_walk_begin(&r->walk);
	if (sq_skim_read(r->skim, text, ret_used))
		return 0;
	r->unsure++;
	sq_arena_rewind(a, mark);
	a->overflow = overflow;
	sq_collect_begin(&r->collect, ev, a, r->fields, raw);
	return read_json(r, text, ret_used);
}

static bool read_text(struct sq_reader *r, struct sq_sv text)
{
	size_t used;

	text = sq_sv_trim(text);
	if (text.n && text.p[0] == '{')
		return read_json(r, text, &used) == 0;
	return sq_eventxml_read(&r->collect, &text);
}

/* A text that stands where the rendered message does is that no more when it is the event. */
static void read_rendered(struct sq_reader *r, struct sq_sv text)
{
	struct sq_value *message = &r->values[SQ_F_MESSAGE];
	struct sq_value before = *message;

	*message = (struct sq_value){ 0 };
	if (!read_text(r, text))
		*message = before;
}

static bool has_id(const struct sq_reader *r)
{
	return r->values[SQ_F_EVENT_ID].kind != SQ_VALUE_ABSENT;
}

/* Read what strings hold, as long as the record has not said what it is about. A rendered message
 * is looked into only when there is no event id: programs log all kinds of things. */
static void unwrap(struct sq_reader *r)
{
	struct sq_collect *c = &r->collect;
	struct sq_value message = r->values[SQ_F_MESSAGE];

	for (int round = 0; round < UNWRAP_MAX && c->n_texts; round++) {
		struct sq_sv texts[SQ_TEXTS_MAX];
		bool rendered[SQ_TEXTS_MAX];
		uint32_t n = c->n_texts;

		memcpy(texts, c->texts, n * sizeof(*texts));
		memcpy(rendered, c->rendered, n * sizeof(*rendered));
		c->n_texts = 0;
		for (uint32_t i = 0; i < n; i++) {
			if (rendered[i] && !has_id(r))
				read_rendered(r, texts[i]);
			else if (!rendered[i] && (!has_id(r) || c->n_data == 0))
				(void)read_text(r, texts[i]);
		}
	}
	if (!has_id(r)) /* no event after all */
		r->values[SQ_F_MESSAGE] = message;
}

/* Is what has been read, to its end or not, no event but an object with lists of such? Not when it
 * was refused for its depth: each level costs a reading of all that is in it. */
static bool has_lists(const struct sq_reader *r)
{
	return sq_collect_hinted(&r->collect, SQ_HINT_LISTS) && !has_id(r) &&
	       r->walk.depth + r->walk.skip < r->max_depth;
}

/* When the values of the event say their types: forget what was read of it, from `mark` of the
 * arena on, and read it without them. */
static void read_plain(struct sq_reader *r, size_t mark)
{
	struct sq_event *ev = r->collect.ev;
	struct sq_arena *a = r->collect.arena;
	struct sq_sv raw = ev->raw, plain;
	size_t used;

	if (!sq_collect_hinted(&r->collect, SQ_HINT_TYPED))
		return;
	sq_arena_rewind(a, mark);
	sq_collect_begin(&r->collect, ev, a, r->fields, raw);
	if (!sq_typed_plain(raw, a, &plain) || read_whole(r, plain, &used) < 0)
		ev->flags |= SQ_EVENT_OVERFLOW;
	ev->raw = raw;
}

/* @return 0: no event, but lists of such; *rest begins behind the bracket of the first */
static int next_json(struct sq_reader *r, struct sq_sv *rest, struct sq_sv text)
{
	size_t used, mark = sq_arena_mark(r->collect.arena);
	int ret = read_whole(r, text, &used);
	struct sq_sv inside;

	if (has_lists(r) && sq_lists_enter(r->trie, text, &inside)) {
		*rest = sq_sv_skip(*rest, (size_t)(inside.p - rest->p));
		sq_arena_rewind(r->collect.arena, mark);
		return 0;
	}
	if (ret < 0) {
		if (sq_json_was_cut(r->json))
			r->cut = text;
		(void)snprintf(r->text, sizeof(r->text), "%s",
		               ret == -ENOMEM ? "out of memory" : sq_json_why(r->json));
		return malformed(r, rest, sq_sv_skip(*rest, used), r->text);
	}
	r->collect.ev->raw = sq_sv_first(text, used);
	*rest = sq_sv_skip(*rest, used);
	read_plain(r, mark);
	unwrap(r);
	return 1;
}

static int next_xml(struct sq_reader *r, struct sq_sv *rest)
{
	struct sq_sv in = *rest;

	if (!sq_eventxml_read(&r->collect, &in))
		return malformed(r, rest, in, "XML that ends inside an element");
	r->collect.ev->raw = sq_sv_first(*rest, rest->n - in.n);
	*rest = in;
	return 1;
}

/* Step over what is between events. @return whether one follows */
static bool find_next(struct sq_reader *r, struct sq_sv *rest, bool *array)
{
	*array = skip_separators(r, rest, *array);
	while (sq_sv_starts(*rest, SQ_SV("<Events")) || sq_sv_starts(*rest, SQ_SV("</Events"))) {
		(void)sq_sv_cut(rest, '>');
		(void)skip_separators(r, rest, false);
	}
	return rest->n > 0;
}

/* The event that begins at `*rest`. @return 0: go on inside of it */
static int read_next(struct sq_reader *r, struct sq_sv *rest, bool array)
{
	struct sq_sv text = *rest;
	size_t n;

	if (is_xml(*rest))
		return next_xml(r, rest);
	if (rest->p[0] != '{' && !memchr(rest->p, '{', rest->n))
		return malformed(r, rest, *rest, "no JSON object in the record");
	n = array ? sq_frame_value_length(*rest) : 0;
	if (n)
		text = sq_sv_first(*rest, n);
	return next_json(r, rest, text);
}

int sq_reader_next(struct sq_reader *r, struct sq_sv *rest, const struct sq_syslog *header,
                   struct sq_arena *a, struct sq_event *ev)
{
	bool going_on = rest->p == r->left.p && rest->n == r->left.n;
	bool array = false;
	int ret = 0;

	r->cut = (struct sq_sv){ 0 };
	while (ret == 0) {
		if (!find_next(r, rest, &array)) {
			r->left = going_on ? (struct sq_sv){ 0 } : *rest;
			if (going_on)
				return 0;
			r->why = "no JSON object in the record";
			return array ? 0 : -EBADMSG;
		}
		sq_collect_begin(&r->collect, ev, a, r->fields, *rest);
		ret = read_next(r, rest, array);
		array = true;
	}
	if (ret < 0)
		return ret;
	while (rest->n && (sq_is_space(rest->p[0]) || rest->p[0] == '\0'))
		*rest = sq_sv_skip(*rest, 1);
	r->left = *rest;
	sq_semantics_finish(&r->collect, header);
	return 1;
}

bool sq_reader_salvage(struct sq_reader *r, const struct sq_syslog *header, struct sq_arena *a,
                       struct sq_event *ev)
{
	size_t n, used, mark;
	char *whole;

	if (r->cut.n == 0)
		return false;
	whole = sq_arena_bytes(a, r->cut.n + SQ_JSON_CLOSE_MORE);
	n = whole ? sq_json_close(r->cut, whole) : 0;
	if (n == 0)
		return false;
	sq_collect_begin(&r->collect, ev, a, r->fields, r->cut);
	mark = sq_arena_mark(a);
	if (read_json(r, (struct sq_sv){ whole, n }, &used) < 0)
		return false;
	ev->raw = (struct sq_sv){ whole, n };
	read_plain(r, mark);
	ev->raw = r->cut;
	unwrap(r);
	ev->flags |= SQ_EVENT_CUT;
	sq_semantics_finish(&r->collect, header);
	return true;
}
