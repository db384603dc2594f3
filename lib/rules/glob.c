#include "lib/rules/glob.h"

#include <errno.h>

/* Parts are counted first and filled in then by the same walk, so that the list has its exact size
 * without growing. */
struct walk {
	struct sq_glob *v; /* NULL: only count */
	uint32_t n;
	int last; /* kind of the part before, or -1 */
};

static void put_part(struct walk *w, int kind)
{
	if (kind == SQ_GLOB_ANY && w->last == SQ_GLOB_ANY)
		return;
	if (w->v)
		w->v[w->n].kind = kind;
	w->n++;
	w->last = kind;
}

/* Put `text` behind a TEXT part, or begin one. When filling, `text` must follow what is there in
 * memory. */
static void put_text(struct walk *w, struct sq_sv text)
{
	if (!text.n)
		return;
	if (w->last != SQ_GLOB_TEXT) {
		put_part(w, SQ_GLOB_TEXT);
		if (w->v)
			w->v[w->n - 1].text = (struct sq_sv){ text.p, 0 };
	}
	if (w->v)
		w->v[w->n - 1].text.n += text.n;
}

/* Copies into `out` as it goes: one byte of the result is never longer than its source. */
static void walk_sigma(struct walk *w, struct sq_sv in, char *out)
{
	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];

		if (c == '*' || c == '?') {
			put_part(w, c == '*' ? SQ_GLOB_ANY : SQ_GLOB_ONE);
			continue;
		}
		if (c == '\\' && i + 1 < in.n &&
		    (in.p[i + 1] == '*' || in.p[i + 1] == '?' || in.p[i + 1] == '\\'))
			c = in.p[++i];
		*out = c;
		put_text(w, (struct sq_sv){ out, 1 });
		out++;
	}
}

int sq_globs_read(struct sq_parse *p, struct sq_sv text, struct sq_globs *ret)
{
	char *out = sq_parse_alloc(p, text.n);
	struct walk w = { .last = -1 };

	if (!out)
		return -ENOMEM;
	walk_sigma(&w, text, out);
	ret->n = w.n;
	ret->v = sq_parse_alloc(p, w.n * sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	w = (struct walk){ .v = ret->v, .last = -1 };
	walk_sigma(&w, text, out);
	return 0;
}

int sq_globs_plain(struct sq_parse *p, struct sq_sv text, struct sq_globs *ret)
{
	struct walk w = { .last = -1 };

	ret->v = sq_parse_alloc(p, sizeof(*ret->v));
	text = sq_parse_dup(p, text);
	if (!ret->v || p->nomem)
		return -ENOMEM;
	w.v = ret->v;
	put_text(&w, text);
	ret->n = w.n;
	return 0;
}

int sq_globs_open(struct sq_parse *p, struct sq_globs *g, bool front, bool back)
{
	struct walk w = { .last = -1 };

	w.v = sq_parse_alloc(p, (g->n + 2) * sizeof(*w.v));
	if (!w.v)
		return -ENOMEM;
	if (front)
		put_part(&w, SQ_GLOB_ANY);
	for (uint32_t i = 0; i < g->n; i++) {
		if (g->v[i].kind == SQ_GLOB_TEXT)
			put_text(&w, g->v[i].text);
		else
			put_part(&w, (int)g->v[i].kind);
	}
	if (back)
		put_part(&w, SQ_GLOB_ANY);
	*g = (struct sq_globs){ w.v, w.n };
	return 0;
}

/* Bytes of the dash at the front of `v`, or 0. */
static size_t dash_at(struct sq_sv v)
{
	if (v.n && (v.p[0] == '-' || v.p[0] == '/'))
		return 1;
	if (sq_sv_starts(v, SQ_SV("\xe2\x80\x93")) || sq_sv_starts(v, SQ_SV("\xe2\x80\x94")) ||
	    sq_sv_starts(v, SQ_SV("\xe2\x80\x95")))
		return 3;
	return 0;
}

static void walk_dashes(struct walk *w, const struct sq_globs *g)
{
	for (uint32_t i = 0; i < g->n; i++) {
		struct sq_sv rest = g->v[i].text;

		if (g->v[i].kind != SQ_GLOB_TEXT) {
			put_part(w, (int)g->v[i].kind);
			continue;
		}
		while (rest.n) {
			size_t n = dash_at(rest);

			if (n)
				put_part(w, SQ_GLOB_DASH);
			else
				put_text(w, sq_sv_first(rest, 1));
			rest = sq_sv_skip(rest, n ? n : 1);
		}
	}
}

int sq_globs_windash(struct sq_parse *p, struct sq_globs *g)
{
	struct walk w = { .last = -1 };

	walk_dashes(&w, g);
	w = (struct walk){ .v = sq_parse_alloc(p, w.n * sizeof(*w.v)), .last = -1 };
	if (!w.v)
		return -ENOMEM;
	walk_dashes(&w, g);
	*g = (struct sq_globs){ w.v, w.n };
	return 0;
}

/* One code point from the front of `v`, which is UTF-8 (the YAML reader saw to it). */
static uint32_t take_code_point(struct sq_sv *v)
{
	unsigned char c = (unsigned char)v->p[0];
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t cp = n == 1 ? c : c & (0xffu >> (n + 1));

	for (size_t i = 1; i < n && i < v->n; i++)
		cp = cp << 6 | ((unsigned char)v->p[i] & 0x3f);
	*v = sq_sv_skip(*v, n);
	return cp;
}

static size_t put_unit(char *out, uint32_t unit, bool big)
{
	out[!big] = (char)(unit >> 8);
	out[big] = (char)(unit & 0xff);
	return 2;
}

/* UTF-16 is at most twice as long as UTF-8. */
static int to_utf16(struct sq_parse *p, struct sq_sv *text, bool big, bool bom)
{
	char *out = sq_parse_alloc(p, text->n * 2 + 2);
	struct sq_sv rest = *text;
	size_t n = 0;

	if (!out)
		return -ENOMEM;
	if (bom)
		n += put_unit(out, 0xfeff, big);
	while (rest.n) {
		uint32_t cp = take_code_point(&rest);

		if (cp < 0x10000) {
			n += put_unit(out + n, cp, big);
		} else {
			n += put_unit(out + n, 0xd800 + ((cp - 0x10000) >> 10), big);
			n += put_unit(out + n, 0xdc00 + (cp & 0x3ff), big);
		}
	}
	*text = (struct sq_sv){ out, n };
	return 0;
}

int sq_globs_utf16(struct sq_parse *p, struct sq_globs *g, bool big, bool bom)
{
	if (bom && (g->n != 1 || g->v[0].kind != SQ_GLOB_TEXT))
		return -EINVAL;
	for (uint32_t i = 0; i < g->n; i++) {
		int r = 0;

		if (g->v[i].kind == SQ_GLOB_TEXT)
			r = to_utf16(p, &g->v[i].text, big, bom);
		else if (g->v[i].kind != SQ_GLOB_ANY)
			r = -EINVAL;
		if (r < 0)
			return r;
	}
	return 0;
}

bool sq_globs_text(const struct sq_globs *g, struct sq_sv *ret)
{
	if (g->n > 1 || (g->n == 1 && g->v[0].kind != SQ_GLOB_TEXT))
		return false;
	*ret = g->n ? g->v[0].text : SQ_SV("");
	return true;
}

/* Base64 of `shift` zero bytes and `text`. */
static struct sq_sv encode(struct sq_parse *p, struct sq_sv text, unsigned shift)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t total = text.n + shift, n = 0;
	char *out = sq_parse_alloc(p, (total + 2) / 3 * 4);

	if (!out)
		return (struct sq_sv){ "", 0 };
	for (size_t i = 0; i < total; i += 3) {
		uint32_t bits = 0;

		for (size_t k = i; k < i + 3; k++)
			bits = bits << 8 |
			       (k >= shift && k < total ? (unsigned char)text.p[k - shift] : 0);
		out[n++] = digits[bits >> 18];
		out[n++] = digits[bits >> 12 & 63];
		out[n++] = (char)(i + 1 < total ? digits[bits >> 6 & 63] : '=');
		out[n++] = (char)(i + 2 < total ? digits[bits & 63] : '=');
	}
	return (struct sq_sv){ out, n };
}

struct sq_sv sq_base64(struct sq_parse *p, struct sq_sv text)
{
	return encode(p, text, 0);
}

struct sq_sv sq_base64_shifted(struct sq_parse *p, struct sq_sv text, unsigned shift)
{
	static const unsigned skip[3] = { 0, 2, 3 }; /* characters the bytes before share in */
	static const unsigned drop[3] = { 0, 3, 2 }; /* those the bytes behind do, padding too */
	struct sq_sv all = encode(p, text, shift);
	size_t cut = skip[shift] + drop[(text.n + shift) % 3];

	sq_assert(shift < 3);
	if (all.n <= cut)
		return (struct sq_sv){ "", 0 };
	return (struct sq_sv){ all.p + skip[shift], all.n - cut };
}
