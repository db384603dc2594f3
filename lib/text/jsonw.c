#include "lib/text/jsonw.h"

/* The range of the byte after the first one decides on overlong forms, surrogates and everything
 * above U+10FFFF (Unicode 15, table 3-7); the bytes after it are all 80..BF. */
size_t sq_utf8_length(struct sq_sv v)
{
	const unsigned char *p = (const unsigned char *)v.p;
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (v.n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (v.n < n)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

static void escape_byte(struct sq_outbuf *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char text[] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	switch (c) {
	case '"':
		sq_outbuf_put(out, SQ_SV("\\\""));
		break;
	case '\\':
		sq_outbuf_put(out, SQ_SV("\\\\"));
		break;
	case '\b':
		sq_outbuf_put(out, SQ_SV("\\b"));
		break;
	case '\f':
		sq_outbuf_put(out, SQ_SV("\\f"));
		break;
	case '\n':
		sq_outbuf_put(out, SQ_SV("\\n"));
		break;
	case '\r':
		sq_outbuf_put(out, SQ_SV("\\r"));
		break;
	case '\t':
		sq_outbuf_put(out, SQ_SV("\\t"));
		break;
	default:
		if (c >= 0x80)
			sq_outbuf_put(out, SQ_SV("\xef\xbf\xbd")); /* U+FFFD */
		else
			sq_outbuf_put(out, (struct sq_sv){ text, sizeof(text) });
	}
}

/* The front of `v` up to its next ASCII character, of which there is at least one byte: sequences
 * of UTF-8 as they are, the rest as it must be. @return what is left */
static struct sq_sv put_others(struct sq_outbuf *out, struct sq_sv v)
{
	size_t n = 0, one;

	while ((one = sq_utf8_length(sq_sv_skip(v, n))) > 1)
		n += one;
	if (n) {
		sq_outbuf_put(out, sq_sv_first(v, n));
		return sq_sv_skip(v, n);
	}
	escape_byte(out, (unsigned char)v.p[0]);
	return sq_sv_skip(v, 1);
}

/* Where there may not be room for the worst: through a piece of its own, which does not ask for
 * more than is needed. */
static size_t escape_slowly(struct sq_outbuf *out, struct sq_sv v, sq_escape_fn *copy)
{
	enum { PIECE = 256 };
	char text[2 * PIECE + SQ_ESCAPE_BEHIND];
	size_t n, done = copy(text, sq_sv_first(v, PIECE), &n);

	sq_outbuf_put(out, (struct sq_sv){ text, n });
	return done;
}

static void escape(struct sq_outbuf *out, struct sq_sv v, sq_escape_fn *copy)
{
	while (v.n) {
		size_t n = 0, done;

		if (!out->failed && out->cap - out->len >= 2 * v.n + SQ_ESCAPE_BEHIND) {
			done = copy(out->p + out->len, v, &n);
			out->len += n;
		} else {
			done = escape_slowly(out, v, copy);
		}
		v = sq_sv_skip(v, done);
		if (v.n && ((unsigned char)v.p[0] < 0x20 || (unsigned char)v.p[0] >= 0x80))
			v = put_others(out, v);
	}
}

void sq_json_escape(struct sq_outbuf *out, struct sq_sv v)
{
	escape(out, v, sq_escape_best());
}

void sq_jsonw_key_sv(struct sq_jsonw *w, struct sq_sv key)
{
	sq_jsonw_string(w, key);
	sq_outbuf_putc(w->out, ':');
	w->comma = false;
}

void sq_jsonw_string(struct sq_jsonw *w, struct sq_sv v)
{
	struct sq_outbuf *out = w->out;
	bool comma = w->comma;

	w->comma = true;
	if (!out->failed && out->cap - out->len >= 2 * v.n + SQ_ESCAPE_BEHIND + 3) {
		char *to = out->p + out->len;
		size_t n = 0, done;

		*to = ',';
		to += comma;
		*to++ = '"';
		done = w->escape(to, v, &n);
		to += n;
		out->len = (size_t)(to - out->p);
		if (done < v.n)
			escape(out, sq_sv_skip(v, done), w->escape);
	} else {
		sq_outbuf_put(out, comma ? SQ_SV(",\"") : SQ_SV("\""));
		escape(out, v, w->escape);
	}
	sq_outbuf_putc(out, '"');
}

void sq_jsonw_int(struct sq_jsonw *w, int64_t v)
{
	char text[20]; /* "-9223372036854775808" */
	char *p = text + sizeof(text);
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	do
		*--p = (char)('0' + u % 10);
	while (u /= 10);
	if (v < 0)
		*--p = '-';
	sq_jsonw_before(w);
	sq_outbuf_put(w->out, (struct sq_sv){ p, (size_t)(text + sizeof(text) - p) });
}

void sq_jsonw_null(struct sq_jsonw *w)
{
	sq_jsonw_before(w);
	sq_outbuf_put(w->out, SQ_SV("null"));
}

void sq_jsonw_bool(struct sq_jsonw *w, bool v)
{
	sq_jsonw_before(w);
	sq_outbuf_put(w->out, v ? SQ_SV("true") : SQ_SV("false"));
}
