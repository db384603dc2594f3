#include "cli/term.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool cli_term_colours(FILE *f)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (!isatty(fileno(f)) || (no && *no))
		return false;
	return term && strcmp(term, "dumb") != 0;
}

const char *cli_term_level(enum sq_level l, bool colours)
{
	if (!colours)
		return "";
	switch (l) {
	case SQ_LEVEL_INFORMATIONAL:
	case SQ_LEVELS:
		return "\033[2m";
	case SQ_LEVEL_LOW:
		return "\033[36m";
	case SQ_LEVEL_MEDIUM:
		return "\033[33m";
	case SQ_LEVEL_HIGH:
		return "\033[31m";
	case SQ_LEVEL_CRITICAL:
		return "\033[1;37;41m";
	}
	return "";
}

const char *cli_term_off(bool colours)
{
	return colours ? "\033[0m" : "";
}

const char *cli_term_dim(bool colours)
{
	return colours ? "\033[2m" : "";
}

/* Length of the UTF-8 character at the front, 0 when it is none; its code point in *ret. */
static size_t decode(struct sq_sv v, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = (unsigned char)v.p[0];
	size_t n = c < 0x80                ? 1
	           : c >= 0xc2 && c < 0xe0 ? 2
	           : c >= 0xe0 && c < 0xf0 ? 3
	           : c >= 0xf0 && c < 0xf5 ? 4
	                                   : 0;
	uint32_t cp = n == 1 ? c : n == 0 ? 0 : c & (0xffu >> (n + 1));

	if (n == 0 || n > v.n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)v.p[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | ((unsigned char)v.p[i] & 0x3f);
	}
	if (cp < least[n] || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
		return 0;
	*ret = cp;
	return n;
}

/* Controls, what changes the direction of text around it, and what is there but cannot be seen. */
static bool is_dangerous(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0xad || cp == 0x061c ||
	       (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2060 && cp <= 0x206f) || cp == 0xfeff || (cp >= 0xfff9 && cp <= 0xfffb) ||
	       (cp >= 0xe0000 && cp <= 0xe007f);
}

/* Columns of a character that is printed as it is. The locale's table is not asked: it is "C" in
 * many a pipe. */
static size_t columns_of(uint32_t cp)
{
	static const struct {
		uint32_t from, to;
	} wide[] = {
		{ 0x1100, 0x115f },   { 0x2e80, 0xa4cf },   { 0xac00, 0xd7a3 },
		{ 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },
		{ 0xffe0, 0xffe6 },   { 0x1f300, 0x1f64f }, { 0x1f900, 0x1f9ff },
		{ 0x20000, 0x3fffd },
	};

	if (cp >= 0x300 && cp < 0x370)
		return 0; /* set above the character before it */
	for (size_t i = 0; i < SQ_LEN(wide); i++)
		if (cp >= wide[i].from && cp <= wide[i].to)
			return 2;
	return 1;
}

/* Take the character at the front of `*v` as it is shown: a view of `v` itself, or of `escape`.
 * @return its columns */
static size_t take_shown(struct sq_sv *v, char escape[16], struct sq_sv *ret)
{
	uint32_t cp = 0;
	size_t n = decode(*v, &cp);
	size_t columns;

	if (n == 0 || cp == '\t' || is_dangerous(cp)) {
		int len = n == 0       ? snprintf(escape, 16, "\\x%02x", (unsigned char)v->p[0])
		          : cp == '\t' ? snprintf(escape, 16, "\\t")
		          : cp < 0x100 ? snprintf(escape, 16, "\\x%02x", cp)
		                       : snprintf(escape, 16, "\\u%04x", cp);

		n = n ? n : 1;
		*ret = (struct sq_sv){ escape, (size_t)len };
		columns = (size_t)len;
	} else {
		*ret = sq_sv_first(*v, n);
		columns = columns_of(cp);
	}
	*v = sq_sv_skip(*v, n);
	return columns;
}

/* Columns of all of `v`; stops counting beyond `enough`. */
static size_t measure(struct sq_sv v, size_t enough)
{
	size_t columns = 0;
	char escape[16];
	struct sq_sv shown;

	while (v.n && columns <= enough)
		columns += take_shown(&v, escape, &shown);
	return columns;
}

/* Print from the front what fits into `max` columns. @return columns printed */
static size_t put_front(FILE *f, struct sq_sv v, size_t max)
{
	size_t columns = 0;
	char escape[16];
	struct sq_sv shown;

	while (v.n) {
		size_t n = take_shown(&v, escape, &shown);

		if (columns + n > max)
			break;
		fwrite(shown.p, 1, shown.n, f);
		columns += n;
	}
	return columns;
}

/* The longest end of `v` that has at most `max` columns. */
static struct sq_sv tail_of(struct sq_sv v, size_t max)
{
	size_t n = v.n < 4 * max ? v.n : 4 * max;
	struct sq_sv end = sq_sv_skip(v, v.n - n);
	char escape[16];
	struct sq_sv shown;

	/* Not inside a character. */
	while (end.n && end.n < v.n && ((unsigned char)end.p[0] & 0xc0) == 0x80)
		end = sq_sv_skip(end, 1);
	while (end.n && measure(end, max) > max)
		(void)take_shown(&end, escape, &shown);
	return end;
}

size_t cli_term_width(FILE *f)
{
	struct winsize size;

	if (!isatty(fileno(f)))
		return CLI_TERM_NO_TERMINAL;
	if (ioctl(fileno(f), TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

void cli_term_put(FILE *f, struct sq_sv v, size_t width)
{
	for (size_t columns = put_front(f, v, SIZE_MAX); columns < width; columns++)
		fputc(' ', f);
}

size_t cli_term_fit(FILE *f, struct sq_sv v, size_t pad, size_t max)
{
	static const struct sq_sv dots = { "...", 3 };
	size_t columns;

	if (max < 8)
		max = 8;
	if (measure(v, max) <= max) {
		columns = put_front(f, v, max);
	} else {
		struct sq_sv tail = tail_of(v, (max - dots.n) / 3);
		size_t n_tail = measure(tail, max);

		columns = put_front(f, v, max - dots.n - n_tail) + dots.n + n_tail;
		fwrite(dots.p, 1, dots.n, f);
		put_front(f, tail, n_tail);
	}
	for (; columns < pad; columns++)
		fputc(' ', f);
	return columns;
}
