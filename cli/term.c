#include "cli/term.h"

#include <stdlib.h>
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

/* Controls, and what changes the direction of text around it. */
static bool is_dangerous(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x061c || cp == 0x200e ||
	       cp == 0x200f || (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) ||
	       cp == 0xfeff;
}

void cli_term_put(FILE *f, struct sq_sv v, size_t width)
{
	size_t columns = 0;

	while (v.n) {
		uint32_t cp = 0;
		size_t n = decode(v, &cp);

		if (n == 0) {
			columns += (size_t)fprintf(f, "\\x%02x", (unsigned char)v.p[0]);
			n = 1;
		} else if (cp == '\t') {
			fputs("\\t", f);
			columns += 2;
		} else if (is_dangerous(cp)) {
			columns += (size_t)fprintf(f, cp < 0x100 ? "\\x%02x" : "\\u%04x", cp);
		} else {
			fwrite(v.p, 1, n, f);
			columns++;
		}
		v = sq_sv_skip(v, n);
	}
	for (; columns < width; columns++)
		fputc(' ', f);
}
