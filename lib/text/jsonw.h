/* Write JSON into an outbuf: always valid JSON and valid UTF-8, whatever the input held.
 *
 * A small writer that knows where commas go. Bytes that are not UTF-8 become U+FFFD, control
 * characters their escapes. Nothing here fails: see outbuf.h.
 */
#pragma once

#include "lib/base/outbuf.h"
#include "lib/text/escape.h"

struct sq_jsonw {
	struct sq_outbuf *out;
	sq_escape_fn *escape; /* of this CPU */
	uint32_t depth;
	bool comma; /* the next value or key needs one before it */
};

static inline struct sq_jsonw sq_jsonw_of(struct sq_outbuf *out)
{
	return (struct sq_jsonw){ .out = out, .escape = sq_escape_best() };
}

/* What is short is here, so that names and brackets become a few stores. */

static inline void sq_jsonw_before(struct sq_jsonw *w)
{
	if (w->comma)
		sq_outbuf_putc(w->out, ',');
	w->comma = true;
}

static inline void sq_jsonw_begin(struct sq_jsonw *w, char bracket)
{
	sq_jsonw_before(w);
	sq_outbuf_putc(w->out, bracket);
	w->comma = false;
	w->depth++;
}

static inline void sq_jsonw_end(struct sq_jsonw *w, char bracket)
{
	sq_assert(w->depth > 0);
	sq_outbuf_putc(w->out, bracket);
	w->comma = true;
	w->depth--;
}

static inline void sq_jsonw_object(struct sq_jsonw *w)
{
	sq_jsonw_begin(w, '{');
}

static inline void sq_jsonw_array(struct sq_jsonw *w)
{
	sq_jsonw_begin(w, '[');
}

static inline void sq_jsonw_end_object(struct sq_jsonw *w)
{
	sq_jsonw_end(w, '}');
}

static inline void sq_jsonw_end_array(struct sq_jsonw *w)
{
	sq_jsonw_end(w, ']');
}

/** Something written earlier: a value, or members without a comma before the first. Not empty. */
static inline void sq_jsonw_raw(struct sq_jsonw *w, struct sq_sv text)
{
	sq_jsonw_before(w);
	sq_outbuf_put(w->out, text);
}

void sq_jsonw_key_sv(struct sq_jsonw *w, struct sq_sv key);

/** A key of our own: ASCII that needs no escapes. */
static inline void sq_jsonw_own_key(struct sq_jsonw *w, struct sq_sv key)
{
	struct sq_outbuf *out = w->out;

	if (!out->failed && out->cap - out->len >= key.n + 4) {
		char *to = out->p + out->len;

		*to = ',';
		to += w->comma;
		*to++ = '"';
		memcpy(to, key.p, key.n);
		to += key.n;
		*to++ = '"';
		*to++ = ':';
		out->len = (size_t)(to - out->p);
		w->comma = false;
	} else {
		sq_jsonw_key_sv(w, key);
	}
}

static inline void sq_jsonw_key(struct sq_jsonw *w, const char *key)
{
	sq_jsonw_own_key(w, (struct sq_sv){ key, strlen(key) });
}

void sq_jsonw_string(struct sq_jsonw *w, struct sq_sv v);
void sq_jsonw_int(struct sq_jsonw *w, int64_t v);
void sq_jsonw_bool(struct sq_jsonw *w, bool v);
void sq_jsonw_null(struct sq_jsonw *w);

/** Key of our own and string, left out when `v` is empty. */
static inline void sq_jsonw_member(struct sq_jsonw *w, const char *key, struct sq_sv v)
{
	if (v.n == 0)
		return;
	sq_jsonw_key(w, key);
	sq_jsonw_string(w, v);
}

/** Key of our own and a count. */
static inline void sq_jsonw_member_count(struct sq_jsonw *w, const char *key, uint64_t n)
{
	sq_jsonw_key(w, key);
	sq_jsonw_int(w, (int64_t)n);
}

/** The inside of a JSON string: escaped, made valid UTF-8, without the quotes. */
void sq_json_escape(struct sq_outbuf *out, struct sq_sv v);

/** Length of the well-formed UTF-8 sequence at the front of `v` (1 to 4), or 0: none (Unicode
 *  15, table 3-7). */
size_t sq_utf8_length(struct sq_sv v);
