#include "lib/model/typed.h"

#include "lib/model/span.h"

enum { DEPTH_MAX = 256 }; /* of a text that has been read; see SQ_WALK_DEPTH_MAX */

enum type { NO_TYPE, SCALAR, MAP, ARRAY };

struct writing {
	char *to, *end;
	unsigned depth;
	bool failed; /* it was no JSON after all */
};

static enum type type_of(struct sq_sv key)
{
	static const struct {
		struct sq_sv name;
		enum type type;
	} rows[] = {
		{ SQ_SV("stringValue"), SCALAR }, { SQ_SV("intValue"), SCALAR },
		{ SQ_SV("doubleValue"), SCALAR }, { SQ_SV("boolValue"), SCALAR },
		{ SQ_SV("bytesValue"), SCALAR },  { SQ_SV("kvlistValue"), MAP },
		{ SQ_SV("arrayValue"), ARRAY },   { SQ_SV("string_value"), SCALAR },
		{ SQ_SV("int_value"), SCALAR },   { SQ_SV("double_value"), SCALAR },
		{ SQ_SV("bool_value"), SCALAR },  { SQ_SV("bytes_value"), SCALAR },
		{ SQ_SV("kvlist_value"), MAP },   { SQ_SV("array_value"), ARRAY },
	};

	for (size_t i = 0; i < SQ_LEN(rows); i++)
		if (sq_sv_eq(key, rows[i].name))
			return rows[i].type;
	return NO_TYPE;
}

static void put(struct writing *w, struct sq_sv text)
{
	if ((size_t)(w->end - w->to) < text.n)
		w->failed = true;
	if (w->failed || text.n == 0)
		return;
	memcpy(w->to, text.p, text.n);
	w->to += text.n;
}

static void put_value(struct writing *w, struct sq_sv v);

/* The next member of an object, or element of an array, whose bracket or last one is behind us.
 * @param ret_key  NULL: of an array */
static bool next(struct sq_sv *in, struct sq_sv *ret_key, struct sq_sv *ret_value)
{
	size_t n;

	*in = sq_span_skip(*in, ',');
	if (in->n == 0 || in->p[0] == (ret_key ? '}' : ']') ||
	    (ret_key && !sq_span_key(in, ret_key)))
		return false;
	n = sq_span_value(*in);
	*ret_value = sq_sv_first(*in, n);
	*in = sq_sv_skip(*in, n);
	return n > 0;
}

/* What `name` is in the object, in quotes as it stands. Empty: it has none */
static struct sq_sv member(struct sq_sv object, struct sq_sv name)
{
	struct sq_sv in, key, value;

	if (object.n == 0 || object.p[0] != '{')
		return (struct sq_sv){ "", 0 };
	in = sq_sv_skip(object, 1);
	while (next(&in, &key, &value))
		if (sq_sv_eq(key, name))
			return value;
	return (struct sq_sv){ "", 0 };
}

/* The members of a MAP: objects of `key` and `value`. */
static void put_pairs(struct writing *w, struct sq_sv list)
{
	struct sq_sv in = sq_sv_skip(list, 1), pair;
	bool comma = false;

	put(w, SQ_SV("{"));
	while (list.n && list.p[0] == '[' && next(&in, NULL, &pair)) {
		struct sq_sv key = member(pair, SQ_SV("key"));
		struct sq_sv value = member(pair, SQ_SV("value"));

		if (key.n < 2 || key.p[0] != '"' || value.n == 0)
			continue;
		put(w, comma ? SQ_SV(",") : SQ_SV(""));
		put(w, key);
		put(w, SQ_SV(":"));
		put_value(w, value);
		comma = true;
	}
	put(w, SQ_SV("}"));
}

static void put_array(struct writing *w, struct sq_sv list)
{
	struct sq_sv in = sq_sv_skip(list, 1), value;
	bool comma = false;

	put(w, SQ_SV("["));
	while (list.n && list.p[0] == '[' && next(&in, NULL, &value)) {
		put(w, comma ? SQ_SV(",") : SQ_SV(""));
		put_value(w, value);
		comma = true;
	}
	put(w, SQ_SV("]"));
}

static void put_object(struct writing *w, struct sq_sv object)
{
	struct sq_sv in = sq_sv_skip(object, 1), key, value;
	bool comma = false;

	while (next(&in, &key, &value)) {
		enum type type = comma ? NO_TYPE : type_of(key);

		if (type == SCALAR)
			put_value(w, value);
		else if (type == MAP)
			put_pairs(w, member(value, SQ_SV("values")));
		else if (type == ARRAY)
			put_array(w, member(value, SQ_SV("values")));
		if (type != NO_TYPE)
			return;
		put(w, comma ? SQ_SV(",\"") : SQ_SV("{\""));
		put(w, key);
		put(w, SQ_SV("\":"));
		put_value(w, value);
		comma = true;
	}
	put(w, comma ? SQ_SV("}") : SQ_SV("{}"));
}

static void put_value(struct writing *w, struct sq_sv v)
{
	if (++w->depth > DEPTH_MAX)
		w->failed = true;
	if (w->failed)
		return;
	if (v.p[0] == '{')
		put_object(w, v);
	else if (v.p[0] == '[')
		put_array(w, v);
	else
		put(w, v);
	w->depth--;
}

bool sq_typed_plain(struct sq_sv in, struct sq_arena *a, struct sq_sv *ret)
{
	char *room = in.n ? sq_arena_bytes(a, in.n) : NULL;
	struct writing w = { .to = room, .end = room + in.n };

	if (!room)
		return false;
	put_value(&w, in);
	*ret = (struct sq_sv){ room, (size_t)(w.to - room) };
	sq_arena_trim(a, w.to);
	return !w.failed;
}
