#include "lib/rules/wildcard.h"

enum { SQ_WILDCARD_NO = -1 };

static bool continuation(struct sq_sv v, size_t at)
{
	return at < v.n && ((unsigned char)v.p[at] & 0xc0) == 0x80;
}

/* Bytes of the code point that begins `v`, or SQ_WILDCARD_NO. */
static ptrdiff_t one(struct sq_sv v)
{
	unsigned char c;
	size_t n;

	if (v.n == 0)
		return SQ_WILDCARD_NO;
	c = (unsigned char)v.p[0];
	if (c < 0x80 || c >= 0xf8)
		return 1;
	if (c < 0xc0)
		return SQ_WILDCARD_NO;
	n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	for (size_t i = 1; i < n; i++) {
		if (!continuation(v, i))
			return SQ_WILDCARD_NO;
	}
	return (ptrdiff_t)n;
}

static ptrdiff_t dash(struct sq_sv v)
{
	if (v.n && (v.p[0] == '-' || v.p[0] == '/'))
		return 1;
	if (sq_sv_starts(v, SQ_SV("\xe2\x80\x93")) || sq_sv_starts(v, SQ_SV("\xe2\x80\x94")) ||
	    sq_sv_starts(v, SQ_SV("\xe2\x80\x95")))
		return 3;
	return SQ_WILDCARD_NO;
}

/* Where the elements end when they begin at `at`, or SQ_WILDCARD_NO. Without `*` there is never
 * more than one way. */
static ptrdiff_t piece(const struct sq_glob *globs, uint32_t n, bool cased, struct sq_sv value,
                       size_t at)
{
	for (uint32_t i = 0; i < n; i++) {
		struct sq_sv rest = sq_sv_skip(value, at);
		ptrdiff_t len = SQ_WILDCARD_NO;

		switch (globs[i].kind) {
		case SQ_GLOB_TEXT:
			if (cased ? sq_sv_starts(rest, globs[i].text)
			          : sq_sv_istarts(rest, globs[i].text))
				len = (ptrdiff_t)globs[i].text.n;
			break;
		case SQ_GLOB_ONE:
			len = one(rest);
			break;
		case SQ_GLOB_DASH:
			len = dash(rest);
			break;
		case SQ_GLOB_ANY:
			break;
		}
		if (len < 0)
			return SQ_WILDCARD_NO;
		at += (size_t)len;
	}
	return (ptrdiff_t)at;
}

/* The match that ends first among those that begin at `at` or later, or SQ_WILDCARD_NO: what it
 * leaves to the pieces after it is the most. The one that begins first nearly always ends first
 * too; but in bytes that are not UTF-8 elements of different lengths may overtake each other. */
static ptrdiff_t first_end(const struct sq_glob *globs, uint32_t n, bool cased, struct sq_sv value,
                           size_t at)
{
	ptrdiff_t best = SQ_WILDCARD_NO;

	for (; at <= value.n && (best < 0 || at < (size_t)best); at++) {
		ptrdiff_t end = piece(globs, n, cased, value, at);

		if (end >= 0 && (best < 0 || end < best))
			best = end;
	}
	return best;
}

/* The elements somewhere at or after `at`, so that they end where the value ends. */
static bool at_end(const struct sq_glob *globs, uint32_t n, bool cased, struct sq_sv value,
                   size_t at)
{
	size_t longest = 0;

	for (uint32_t i = 0; i < n; i++)
		longest += globs[i].kind == SQ_GLOB_TEXT ? globs[i].text.n : 4;
	if (value.n > longest && at < value.n - longest)
		at = value.n - longest;
	for (; at <= value.n; at++) {
		if (piece(globs, n, cased, value, at) == (ptrdiff_t)value.n)
			return true;
	}
	return false;
}

static uint32_t piece_length(const struct sq_glob *globs, uint32_t n)
{
	uint32_t i = 0;

	while (i < n && globs[i].kind != SQ_GLOB_ANY)
		i++;
	return i;
}

bool sq_wildcard_match(const struct sq_glob *globs, uint32_t n, bool cased, struct sq_sv value)
{
	uint32_t len = piece_length(globs, n);
	ptrdiff_t end = piece(globs, len, cased, value, 0);

	if (end < 0)
		return false;
	if (len == n)
		return (size_t)end == value.n;
	for (;;) {
		globs += len + 1; /* behind the `*` */
		n -= len + 1;
		len = piece_length(globs, n);
		if (len == n)
			return at_end(globs, n, cased, value, (size_t)end);
		end = first_end(globs, len, cased, value, (size_t)end);
		if (end < 0)
			return false;
	}
}

static void put_text(struct sq_outbuf *out, struct sq_sv text)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i], low = sq_lower(c);

		if (sq_is_digit((char)c) || (low >= 'a' && low <= 'z')) {
			sq_outbuf_putc(out, (char)c);
			continue;
		}
		sq_outbuf_put(out, SQ_SV("\\x"));
		sq_outbuf_putc(out, hex[c >> 4]);
		sq_outbuf_putc(out, hex[c & 15]);
	}
}

static void put_element(struct sq_outbuf *out, const struct sq_glob *g)
{
	switch (g->kind) {
	case SQ_GLOB_TEXT:
		put_text(out, g->text);
		break;
	case SQ_GLOB_ONE:
		sq_outbuf_put(out, SQ_SV("(?:[\\x00-\\x7f\\xf8-\\xff]"
		                         "|[\\xc0-\\xdf][\\x80-\\xbf]"
		                         "|[\\xe0-\\xef][\\x80-\\xbf]{2}"
		                         "|[\\xf0-\\xf7][\\x80-\\xbf]{3})"));
		break;
	case SQ_GLOB_DASH:
		sq_outbuf_put(out, SQ_SV("(?:[-/]|\\xe2\\x80[\\x93-\\x95])"));
		break;
	case SQ_GLOB_ANY:
		sq_outbuf_put(out, SQ_SV(".*"));
		break;
	}
}

void sq_wildcard_regex(struct sq_outbuf *out, const struct sq_glob *globs, uint32_t n)
{
	bool open_start = false, open_end = false;

	/* A `*` at an end is the missing anchor, so that Hyperscan sees a literal; twice is once.
	 */
	for (; n && globs->kind == SQ_GLOB_ANY; globs++, n--)
		open_start = true;
	for (; n && globs[n - 1].kind == SQ_GLOB_ANY; n--)
		open_end = true;
	if (!open_start)
		sq_outbuf_put(out, SQ_SV("\\A"));
	for (uint32_t i = 0; i < n; i++) {
		if (globs[i].kind != SQ_GLOB_ANY || globs[i + 1].kind != SQ_GLOB_ANY)
			put_element(out, &globs[i]);
	}
	if (!open_end && (n || !open_start))
		sq_outbuf_put(out, SQ_SV("\\z"));
}

bool sq_wildcard_trivial(const struct sq_glob *globs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (globs[i].kind != SQ_GLOB_ANY &&
		    (globs[i].kind != SQ_GLOB_TEXT || globs[i].text.n))
			return false;
	}
	return true;
}

size_t sq_wildcard_longest(const struct sq_glob *globs, uint32_t n)
{
	size_t longest = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (globs[i].kind == SQ_GLOB_TEXT && globs[i].text.n > longest)
			longest = globs[i].text.n;
	}
	return longest;
}
