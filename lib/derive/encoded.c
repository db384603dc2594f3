#include "lib/derive/encoded.h"

#include "lib/base/utf8.h"

enum {
	BASE64_MIN = 8,        /* characters: shorter ones are words */
	BASE64_MAX = 32 << 10, /* that are decoded: no command line of Windows is longer */
	LETTERS_MIN = 4,       /* of ASCII that a text has; other Base64 decodes to none */
	QUOTE_MAX = 3,         /* bytes of a dash or quote beyond ASCII */
};

/* Bytes of the dash or slash that begins `v` as PowerShell knows them, or 0. */
static size_t dash_of(struct sq_sv v)
{
	if (v.n && (v.p[0] == '-' || v.p[0] == '/'))
		return 1;
	if (v.n >= QUOTE_MAX && v.p[0] == '\xe2' && v.p[1] == '\x80' && v.p[2] >= '\x93' &&
	    v.p[2] <= '\x95')
		return QUOTE_MAX;
	return 0;
}

/* What shells take away, wherever it stands. */
static bool is_shell(char c)
{
	return c && strchr("\"'^`\\", c);
}

/* Is this the option, or one of its short forms? Any beginning of it, and "ec". */
static bool is_option(struct sq_sv name)
{
	return name.n &&
	       (sq_sv_istarts(SQ_SV("encodedcommand"), name) || sq_sv_ieq(name, SQ_SV("ec")));
}

/* Does an option begin `v`? @return its bytes with those up to its value, or 0 */
static size_t option_of(struct sq_sv v)
{
	size_t dash = dash_of(v), at = dash, end;

	while (dash && at < v.n && sq_lower((unsigned char)v.p[at]) >= 'a' &&
	       sq_lower((unsigned char)v.p[at]) <= 'z')
		at++;
	if (!is_option((struct sq_sv){ v.p + dash, at - dash }))
		return 0;
	for (end = at; end < v.n; end++)
		if (!sq_is_space(v.p[end]) && !is_shell(v.p[end]) && v.p[end] != ':' &&
		    v.p[end] != ',')
			break;
	return end > at ? end : 0;
}

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (sq_is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One UTF-16 unit after another, put as UTF-8. */
struct units {
	char *to;
	size_t n;
	uint32_t high;  /* of a pair, or 0 */
	size_t letters; /* ASCII */
};

static void put(struct units *u, uint32_t cp)
{
	u->n += sq_utf8_put(cp, u->to + u->n);
}

static void put_unit(struct units *u, uint32_t unit)
{
	bool low = unit >= 0xdc00 && unit < 0xe000;

	if (low && u->high)
		put(u, 0x10000 + ((u->high - 0xd800) << 10) + (unit - 0xdc00));
	else if (unit && (unit < 0xd800 || unit >= 0xe000)) /* half a pair is nothing */
		put(u, unit);
	u->high = unit >= 0xd800 && unit < 0xdc00 ? unit : 0;
	u->letters += unit && unit < 0x80;
}

/* The Base64 at the front of `v`, up to a character that is none. Within quotes blanks count for
 * nothing. @return bytes that it takes */
static size_t decode(struct units *u, struct sq_sv v, bool quoted, size_t *ret_digits)
{
	uint32_t bits = 0, n_bits = 0, unit = 0;
	size_t i, digits = 0;
	bool second = false;

	for (i = 0; i < v.n; i++) {
		int value = value_of(v.p[i]);

		if (value < 0 && (is_shell(v.p[i]) || (quoted && sq_is_space(v.p[i])))) {
			quoted = quoted && v.p[i] != '"' && v.p[i] != '\'';
			continue;
		}
		if (value < 0)
			break;
		digits++;
		bits = (bits << 6 | (uint32_t)value) & 0xffff;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		unit |= (bits >> n_bits & 0xff) << (second ? 8 : 0);
		if (second)
			put_unit(u, unit);
		unit = second ? 0 : unit;
		second = !second;
	}
	*ret_digits = digits;
	return i;
}

/* Where a dash or slash may begin, from `i` on. */
static size_t next_dash(struct sq_sv v, size_t i)
{
	while (i < v.n && v.p[i] != '-' && v.p[i] != '/' && v.p[i] != '\xe2')
		i++;
	return i;
}

struct sq_sv sq_encoded_next(struct sq_arena *arena, struct sq_sv *line)
{
	for (size_t i = next_dash(*line, 0); i < line->n; i = next_dash(*line, i + 1)) {
		struct sq_sv rest = sq_sv_skip(*line, i), head;
		char before = i ? line->p[i - 1] : ' ';
		struct units u = { 0 };
		size_t skip, digits;

		if (!sq_is_space(before) && !is_shell(before) && !memchr(",(=", before, 3))
			continue;
		skip = option_of(rest);
		if (!skip)
			continue;
		rest = sq_sv_skip(rest, skip);
		/* Three bytes at most of each unit, which are sixteen bits of six each. */
		head = sq_sv_first(rest, BASE64_MAX);
		u.to = sq_arena_bytes(arena, head.n + head.n / 4 + 4);
		if (!u.to)
			break;
		skip = decode(&u, head, rest.p[-1] == '"' || rest.p[-1] == '\'', &digits);
		rest = sq_sv_skip(rest, skip);
		if (digits >= BASE64_MIN && u.letters >= LETTERS_MIN) {
			sq_arena_trim(arena, u.to + u.n);
			*line = rest;
			return (struct sq_sv){ u.to, u.n };
		}
		sq_arena_trim(arena, u.to);
		i = line->n - rest.n - 1; /* within a value no option begins */
	}
	*line = (struct sq_sv){ 0 };
	return *line;
}
