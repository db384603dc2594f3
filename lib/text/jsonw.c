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

/* Does none of these eight bytes need a second look: a control, a quote, a backslash, not ASCII?
 * The usual trick of finding a zero byte in a word: a borrow may also mark the byte after a hit,
 * which does no harm, since any mark ends the fast loop. */
static bool eight_plain(const char *p)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
	uint64_t w, quote, slash;

	memcpy(&w, p, sizeof(w));
	quote = w ^ ones * '"';
	slash = w ^ ones * '\\';
	return (((w - ones * 0x20) | (quote - ones) | (slash - ones) | w) & tops) == 0;
}

/* Length of the front of `v` that goes out as it is. */
static size_t clean_run(struct sq_sv v)
{
	size_t i = 0;

	while (i < v.n) {
		unsigned char c = (unsigned char)v.p[i];

		if (v.n - i >= 8 && eight_plain(v.p + i)) {
			i += 8;
		} else if (c >= 0x80) {
			size_t n = sq_utf8_length(sq_sv_skip(v, i));

			if (n == 0)
				break;
			i += n;
		} else if (c < 0x20 || c == '"' || c == '\\') {
			break;
		} else {
			i++;
		}
	}
	return i;
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

void sq_json_escape(struct sq_outbuf *out, struct sq_sv v)
{
	while (v.n) {
		size_t n = clean_run(v);

		sq_outbuf_put(out, sq_sv_first(v, n));
		v = sq_sv_skip(v, n);
		if (v.n) {
			escape_byte(out, (unsigned char)v.p[0]);
			v = sq_sv_skip(v, 1);
		}
	}
}

static void before_value(struct sq_jsonw *w)
{
	if (w->comma)
		sq_outbuf_putc(w->out, ',');
	w->comma = true;
}

static void begin(struct sq_jsonw *w, char bracket)
{
	before_value(w);
	sq_outbuf_putc(w->out, bracket);
	w->comma = false;
	w->depth++;
}

static void end(struct sq_jsonw *w, char bracket)
{
	sq_assert(w->depth > 0);
	sq_outbuf_putc(w->out, bracket);
	w->comma = true;
	w->depth--;
}

void sq_jsonw_object(struct sq_jsonw *w)
{
	begin(w, '{');
}

void sq_jsonw_array(struct sq_jsonw *w)
{
	begin(w, '[');
}

void sq_jsonw_end_object(struct sq_jsonw *w)
{
	end(w, '}');
}

void sq_jsonw_end_array(struct sq_jsonw *w)
{
	end(w, ']');
}

void sq_jsonw_key_sv(struct sq_jsonw *w, struct sq_sv key)
{
	sq_jsonw_string(w, key);
	sq_outbuf_putc(w->out, ':');
	w->comma = false;
}

void sq_jsonw_key(struct sq_jsonw *w, const char *key)
{
	sq_jsonw_key_sv(w, sq_sv_of(key));
}

void sq_jsonw_string(struct sq_jsonw *w, struct sq_sv v)
{
	before_value(w);
	sq_outbuf_putc(w->out, '"');
	sq_json_escape(w->out, v);
	sq_outbuf_putc(w->out, '"');
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
	before_value(w);
	sq_outbuf_put(w->out, (struct sq_sv){ p, (size_t)(text + sizeof(text) - p) });
}

void sq_jsonw_null(struct sq_jsonw *w)
{
	before_value(w);
	sq_outbuf_put(w->out, SQ_SV("null"));
}

void sq_jsonw_bool(struct sq_jsonw *w, bool v)
{
	before_value(w);
	sq_outbuf_put(w->out, v ? SQ_SV("true") : SQ_SV("false"));
}

void sq_jsonw_member(struct sq_jsonw *w, const char *key, struct sq_sv v)
{
	if (v.n == 0)
		return;
	sq_jsonw_key(w, key);
	sq_jsonw_string(w, v);
}
