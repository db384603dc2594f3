#include "lib/text/jsonfit.h"

#include "lib/text/jsonw.h"

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* ---- strings ----------------------------------------------------------------------------- */

/* A byte of `v` is zero. */
static uint64_t has_zero(uint64_t v)
{
	return (v - ONES) & ~v & HIGHS;
}

static bool is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x80 && c != '"' && c != '\\';
}

/* Past the bytes that stand for themselves. */
static const char *skip_plain(const char *p, const char *end)
{
	uint64_t v;

	for (; (size_t)(end - p) >= sizeof(v); p += sizeof(v)) {
		memcpy(&v, p, sizeof(v));
		if ((v & HIGHS) | ((v - ' ' * ONES) & ~v & HIGHS) | has_zero(v ^ '"' * ONES) |
		    has_zero(v ^ '\\' * ONES))
			break;
	}
	while (p < end && is_plain((unsigned char)*p))
		p++;
	return p;
}

static bool is_hex(char c)
{
	return sq_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

enum half { NO_HALF, FIRST_HALF, SECOND_HALF }; /* of a pair of surrogates */

/* `v` begins with an escape of four digits. */
static bool is_numbered(struct sq_sv v)
{
	if (v.n < 6 || v.p[0] != '\\' || v.p[1] != 'u')
		return false;
	for (int i = 2; i < 6; i++)
		if (!is_hex(v.p[i]))
			return false;
	return true;
}

static enum half half_of(struct sq_sv v)
{
	char c;

	if (!is_numbered(v) || (v.p[2] | 0x20) != 'd')
		return NO_HALF;
	c = (char)(v.p[3] | 0x20);
	if (c >= 'c')
		return SECOND_HALF;
	return c == '8' || c == '9' || c >= 'a' ? FIRST_HALF : NO_HALF;
}

/* Of the escape at the front, or of two that are a pair. `*ret_lone`: it is half a pair, which many
 * readers refuse. @return its bytes, or 0: there is none such */
static size_t escape_length(struct sq_sv v, bool *ret_lone)
{
	enum half half = half_of(v);

	*ret_lone = false;
	if (v.n >= 2 && v.p[1] && strchr("\"\\/bfnrt", v.p[1]))
		return 2;
	if (!is_numbered(v))
		return 0;
	if (half == FIRST_HALF && half_of(sq_sv_skip(v, 6)) == SECOND_HALF)
		return 12;
	*ret_lone = half != NO_HALF;
	return 6;
}

/* `p` is behind the opening quote. @return behind the closing one, or NULL; `*odd` is set when
 * something in it wants mending */
static const char *string_end(const char *p, const char *end, bool *odd)
{
	while ((p = skip_plain(p, end)) < end) {
		size_t n = 1;
		bool lone = false;

		if (*p == '"')
			return p + 1;
		if (*p == '\\')
			n = escape_length((struct sq_sv){ p, (size_t)(end - p) }, &lone);
		else if ((unsigned char)*p >= 0x80)
			n = sq_utf8_length((struct sq_sv){ p, (size_t)(end - p) });
		else
			*odd = true;
		if (!n && *p == '\\')
			return NULL;
		*odd |= !n || lone;
		p += n ? n : 1;
	}
	return NULL;
}

/* ---- what is between them ---------------------------------------------------------------- */

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && sq_is_space(*p))
		p++;
	return p;
}

/* @return behind the digits, of which there is one at least, or NULL */
static const char *digits_end(const char *p, const char *end)
{
	const char *begin = p;

	while (p < end && sq_is_digit(*p))
		p++;
	return p > begin ? p : NULL;
}

static const char *number_end(const char *p, const char *end)
{
	p += *p == '-';
	if (p < end && *p == '0')
		p++;
	else
		p = digits_end(p, end);
	if (p && p < end && *p == '.')
		p = digits_end(p + 1, end);
	if (p && p < end && (*p | 0x20) == 'e') {
		p++;
		p += p < end && (*p == '+' || *p == '-');
		p = digits_end(p, end);
	}
	return p;
}

static const char *word_end(const char *p, const char *end)
{
	static const struct sq_sv words[] = { SQ_SV("true"), SQ_SV("false"), SQ_SV("null") };
	struct sq_sv left = { p, (size_t)(end - p) };

	for (size_t i = 0; i < SQ_LEN(words); i++)
		if (sq_sv_starts(left, words[i]))
			return p + words[i].n;
	return NULL;
}

static const char *key_end(const char *p, const char *end, bool *odd)
{
	if (p == end || *p != '"')
		return NULL;
	p = string_end(p + 1, end, odd);
	if (!p)
		return NULL;
	p = skip_blanks(p, end);
	return p < end && *p == ':' ? p + 1 : NULL;
}

/* ---- objects and arrays ------------------------------------------------------------------ */

struct nest {
	uint32_t depth;
	uint64_t arrays[SQ_JSONFIT_DEPTH / 64]; /* a bit for each level: it is an array */
};

static bool in_array(const struct nest *n)
{
	return n->arrays[(n->depth - 1) / 64] >> (n->depth - 1) % 64 & 1;
}

static bool open_level(struct nest *n, bool array)
{
	uint64_t bit = UINT64_C(1) << n->depth % 64;

	if (n->depth == SQ_JSONFIT_DEPTH)
		return false;
	if (array)
		n->arrays[n->depth / 64] |= bit;
	else
		n->arrays[n->depth / 64] &= ~bit;
	n->depth++;
	return true;
}

/* `p` is behind a value or an empty pair of brackets: past the brackets that end here, and a comma
 * with the key behind it. @return where the next value begins, the end of it all, or NULL */
static const char *next_value(const char *p, const char *end, struct nest *n, bool *odd)
{
	for (;;) {
		p = skip_blanks(p, end);
		if (p == end)
			return NULL;
		if (*p != (in_array(n) ? ']' : '}'))
			break;
		p++;
		if (--n->depth == 0)
			return p;
	}
	if (*p != ',')
		return NULL;
	p = skip_blanks(p + 1, end);
	return in_array(n) ? p : key_end(p, end, odd);
}

/* `p` is behind an opening bracket. @return as next_value() */
static const char *first_value(const char *p, const char *end, struct nest *n, bool *odd)
{
	p = skip_blanks(p, end);
	if (p < end && *p == (in_array(n) ? ']' : '}'))
		return next_value(p, end, n, odd);
	return in_array(n) ? p : key_end(p, end, odd);
}

enum sq_json_fitness sq_json_judge(struct sq_sv object)
{
	const char *p = object.p, *end = object.p + object.n;
	struct nest n = { 0 };
	bool odd = false;

	if (!object.n || *p != '{')
		return SQ_JSON_BROKEN;
	do {
		p = skip_blanks(p, end);
		if (p == end)
			return SQ_JSON_BROKEN;
		if (*p == '{' || *p == '[') {
			if (!open_level(&n, *p == '['))
				return SQ_JSON_BROKEN;
			p = first_value(p + 1, end, &n, &odd);
		} else {
			if (*p == '"')
				p = string_end(p + 1, end, &odd);
			else
				p = *p == '-' || sq_is_digit(*p) ? number_end(p, end)
				                                 : word_end(p, end);
			if (p)
				p = next_value(p, end, &n, &odd);
		}
	} while (p && n.depth);
	if (!p || p != end)
		return SQ_JSON_BROKEN;
	return odd ? SQ_JSON_MENDABLE : SQ_JSON_FIT;
}

/* ---- mending ----------------------------------------------------------------------------- */

enum { MENDED_MAX = 12 }; /* bytes of a piece as it goes out: \ud83d\ude00; of one byte 6: \u001f */

/* The byte at the front of `v`, or the escape or sequence, as it goes into a string. @return bytes
 * that were taken; `*ret_n` is what they became */
static size_t mend_one(struct sq_sv v, char to[MENDED_MAX], size_t *ret_n)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char c = (unsigned char)v.p[0];
	size_t n = 1;
	bool lone;

	if (c < ' ') {
		const char text[] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

		memcpy(to, text, sizeof(text));
		*ret_n = sizeof(text);
		return 1;
	}
	if (c == '\\') {
		n = escape_length(v, &lone);
		sq_dassert(n); /* it was judged */
		if (lone) {
			memcpy(to, "\\ufffd", n);
			*ret_n = n;
			return n;
		}
	} else if (c >= 0x80)
		n = sq_utf8_length(v);
	*ret_n = n ? n : 3;
	memcpy(to, n ? v.p : "\xef\xbf\xbd", *ret_n);
	return n ? n : 1;
}

/* `to` may be NULL. @return how many bytes they become */
static size_t mend(struct sq_sv from, char *to)
{
	const char *p = from.p, *end = from.p + from.n;
	bool in_string = false;
	size_t len = 0;

	while (p < end) {
		char piece[MENDED_MAX] = { *p };
		size_t n = 1;

		if (*p == '"')
			in_string = !in_string;
		if (in_string && *p != '"')
			p += mend_one((struct sq_sv){ p, (size_t)(end - p) }, piece, &n);
		else
			p++;
		if (to)
			memcpy(to + len, piece, n);
		len += n;
	}
	return len;
}

void sq_json_mend(struct sq_outbuf *out, size_t at)
{
	size_t n, old = out->len - at;
	char *to;

	if (out->failed)
		return;
	n = mend((struct sq_sv){ out->p + at, old }, NULL);
	to = sq_outbuf_reserve(out, n); /* behind it, since it grows */
	if (!to)
		return;
	(void)mend((struct sq_sv){ out->p + at, old }, to);
	memmove(out->p + at, to, n);
	out->len = at + n;
}
