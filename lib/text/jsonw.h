/* Write JSON into an outbuf: always valid JSON and valid UTF-8, whatever the input held.
 *
 * A small writer that knows where commas go. Bytes that are not UTF-8 become U+FFFD, control
 * characters their escapes. Nothing here fails: see outbuf.h.
 */
#pragma once

#include "lib/base/outbuf.h"

struct sq_jsonw {
	struct sq_outbuf *out;
	uint32_t depth;
	bool comma; /* the next value or key needs one before it */
};

static inline struct sq_jsonw sq_jsonw_of(struct sq_outbuf *out)
{
	return (struct sq_jsonw){ .out = out };
}

void sq_jsonw_object(struct sq_jsonw *w); /* { */
void sq_jsonw_array(struct sq_jsonw *w);  /* [ */
void sq_jsonw_end_object(struct sq_jsonw *w);
void sq_jsonw_end_array(struct sq_jsonw *w);
void sq_jsonw_key(struct sq_jsonw *w, const char *key);
void sq_jsonw_key_sv(struct sq_jsonw *w, struct sq_sv key);
void sq_jsonw_string(struct sq_jsonw *w, struct sq_sv v);
void sq_jsonw_int(struct sq_jsonw *w, int64_t v);
void sq_jsonw_bool(struct sq_jsonw *w, bool v);
void sq_jsonw_null(struct sq_jsonw *w);
/** Key and string, left out when `v` is empty. */
void sq_jsonw_member(struct sq_jsonw *w, const char *key, struct sq_sv v);

/** The inside of a JSON string: escaped, made valid UTF-8, without the quotes. */
void sq_json_escape(struct sq_outbuf *out, struct sq_sv v);

/** Length of the well-formed UTF-8 sequence at the front of `v` (1 to 4), or 0: none (Unicode
 *  15, table 3-7). */
size_t sq_utf8_length(struct sq_sv v);
