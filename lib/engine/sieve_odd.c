#include "lib/engine/sieve_odd.h"

#include "lib/derive/fold.h"

/* Windows find more than the signs: the functions below say what is one. Where a sign depends on
 * what stands before it, that is the first byte of the window, for every place that is found costs
 * as much as a thousand bytes that are not. */
enum bucket {
	SINGLE,    /* one character: ^ ` control characters, all that is not ASCII */
	BACKSPACE, /* \b; "scro~1"; a single quote behind a backslash */
	GAP,       /* two blanks, a quote and a blank, a single quote, or an escaped line end and
	              a blank, before a colon */
	LINE_END,  /* an escaped line end or quote, or two quotes, before a colon, or an escaped
	              quote and tabs; the first of these before a plus sign */
	QUOTE,     /* a quote within a word */
	NAME,      /* %name% $env ${env} &entity; */
	MARK,      /* <! ?>; the sign that joins texts, and what stands before it */
	SWITCH,    /* -i /u, and what stands before it */
	/* So far no window is longer than three bytes: sq_spot.narrow. */
	ESCAPE,   /* \u0072 */
	ESCAPED,  /* an escaped quote, and what stands before it */
	SWITCHES, /* two of them: -s-i */
};

_Static_assert(SWITCHES + 1 == SQ_ODD_BUCKETS, "a bucket for each kind of sign");

#define BLANKS  "\t\n\v\f\r "
#define LINES   "nrf" /* behind a backslash; and a tab: */
#define SPACES  LINES "t"
#define DIGITS  "0123456789"
#define UPPER   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER   "abcdefghijklmnopqrstuvwxyz"
#define ALPHA   UPPER LOWER
#define WORD    ALPHA DIGITS "_.~%-" /* as far as hiding letters goes */
#define QUOTES  "\"'"
#define JOINED  "'\")>;\\" BLANKS
#define LETTERS "iIuUsSnN" /* of switches */
#define HEX     DIGITS "abcdefABCDEF"

static bool among(unsigned char c, const char *set)
{
	return c && strchr(set, c);
}

static bool is_alpha(unsigned char c)
{
	return sq_lower(c) >= 'a' && sq_lower(c) <= 'z';
}

static bool is_alnum(unsigned char c)
{
	return is_alpha(c) || sq_is_digit((char)c);
}

/* Sets of the window's bytes; NULL: any. */
static void window(struct sq_spot *s, enum bucket b, const char *const sets[SQ_SPOT_WIDTH])
{
	for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++)
		for (unsigned c = 0; c < 256; c++)
			if (!sets[i] || among((unsigned char)c, sets[i]))
				sq_spot_allow(s, b, i, (unsigned char)c);
}

void sq_odd_windows(struct sq_spot *s)
{
	static const struct {
		enum bucket b;
		const char *sets[SQ_SPOT_WIDTH];
	} rows[] = {
		{ SINGLE, { "^`" } },
		{ ESCAPE, { "\\", "uU", HEX, HEX } },
		{ BACKSPACE, { "\\", "b'" } },
		{ BACKSPACE, { "~", DIGITS } },
		{ GAP, { NULL, BLANKS "'", ":" } },
		{ LINE_END, { "\\" QUOTES, "\"" LINES, ":" } },
		{ LINE_END, { "\\", SPACES, "+" } },
		{ LINE_END, { "\\", "t", ":" } },
		{ QUOTE, { WORD QUOTES "/", QUOTES, WORD QUOTES "\\" } },
		{ ESCAPED, { WORD QUOTES "/\\", "\\", "\"", WORD } },
		{ NAME, { "%&$", ALPHA "#{" } },
		{ MARK, { "<?", "!>" } },
		{ MARK, { JOINED, "+" } },
		{ SWITCHES, { "-/\\", ALPHA DIGITS, "-/", LETTERS } },
	};

	for (size_t i = 0; i < SQ_LEN(rows); i++)
		window(s, rows[i].b, rows[i].sets);
	s->large = QUOTE;
	for (unsigned c = 0; c < 256; c++)
		if (!(c >= 0x20 && c < 0x7f) && !among((unsigned char)c, "\t\n\r"))
			sq_spot_allow(s, SINGLE, 0, (unsigned char)c);
	window(s, SWITCH, (const char *const[]){ "", "-/", LETTERS, NULL });
	for (unsigned c = 0; c < 256; c++) /* none in a word, as in "built-in" */
		if (!is_alnum((unsigned char)c))
			sq_spot_allow(s, SWITCH, 0, (unsigned char)c);
}

void sq_odd_line_ends(struct sq_spot *s)
{
	sq_spot_allow(s, SINGLE, 0, '\n'); /* that bucket cares for no other byte */
}

static enum sq_odd folded(bool is)
{
	return is ? SQ_ODD_FOLDED : SQ_ODD_NOT;
}

static enum sq_odd spelt(bool is)
{
	return is ? SQ_ODD_SPELT : SQ_ODD_NOT;
}

static unsigned char byte_at(struct sq_sv v, size_t at, ptrdiff_t off)
{
	size_t i = at + (size_t)off; /* below 0 wraps to what is no place */

	return i < v.n ? (unsigned char)v.p[i] : 0;
}

/* As WORD says. */
static bool is_word(unsigned char c)
{
	return is_alnum(c) || among(c, "_.~%-");
}

/* Length of the well-formed character of UTF-8 at `at`, with its code point; or 0. */
static size_t character(struct sq_sv v, size_t at, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char lead = byte_at(v, at, 0);
	size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

	if (lead < 0xc0 || lead >= 0xf8)
		return 0;
	*ret = lead & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		unsigned char c = byte_at(v, at, (ptrdiff_t)i);

		if ((c & 0xc0) != 0x80)
			return 0;
		*ret = *ret << 6 | (c & 0x3f);
	}
	return *ret < least[len] ? 0 : len;
}

/* Does folding leave the code point alone? */
static bool is_kept(uint32_t cp)
{
	char ascii;

	return cp >= 0x80 && cp <= 0x10ffff && (cp < 0xd800 || cp >= 0xe000) &&
	       sq_fold_class_of(cp, &ascii) == SQ_FOLD_KEEP;
}

/* A character of two bytes or more is looked at where it begins. What is none is odd. */
static bool is_wide(struct sq_sv v, size_t at)
{
	uint32_t cp;

	for (size_t back = 0; back < 4 && back <= at; back++) {
		size_t len = character(v, at - back, &cp);

		if (len)
			return len <= back || (back == 0 && !is_kept(cp));
		if ((byte_at(v, at - back, 0) & 0xc0) != 0x80)
			break;
	}
	return true;
}

static bool is_single(struct sq_sv v, size_t at)
{
	return byte_at(v, at, 0) < 0x80 || is_wide(v, at);
}

static uint32_t hex(unsigned char c)
{
	return sq_is_digit((char)c) ? c - (uint32_t)'0' : sq_lower(c) - (uint32_t)'a' + 10;
}

/* "&", from `at` on, an entity? Which ones there are is not asked. */
static bool is_entity(struct sq_sv v, size_t at)
{
	enum { ENTITY_MAX = 64 };

	for (ptrdiff_t i = 0; i < ENTITY_MAX; i++) {
		unsigned char c = byte_at(v, at, i);

		if (!is_alnum(c) && c != '#')
			return i > 0 && c == ';';
	}
	return true;
}

/* A switch, whatever stands before it. */
static bool is_switch(struct sq_sv v, size_t at)
{
	unsigned char letter = sq_lower(byte_at(v, at, 1));

	if (!among(byte_at(v, at, 0), "-/"))
		return false;
	return letter == 'i' || (among(letter, "usn") && !is_alnum(byte_at(v, at, 2)));
}

/* Escapes that producers write as a matter of course spell what no word holds. What they spell may
 * stand before a switch. */
static bool is_escape(struct sq_sv v, size_t at)
{
	uint32_t cp = 0;

	for (ptrdiff_t i = 2; i < 6; i++) {
		unsigned char c = byte_at(v, at, i);

		if (!among(c, HEX))
			return false;
		cp = cp << 4 | hex(c);
	}
	if (is_switch(v, at + 6))
		return true;
	if (cp == '<')
		return among(byte_at(v, at, 6), "!?\\");
	if (cp == '>')
		return byte_at(v, at, -1) == '?';
	if (cp == '&')
		return byte_at(v, at, 6) == '\\' || is_entity(v, at + 6);
	return !is_kept(cp);
}

/* A backslash that a backslash escapes escapes nothing. Of short names, those of "scrob..". */
static bool is_backspace(struct sq_sv v, size_t at)
{
	size_t n = 0;

	if (v.p[at] == '~')
		return sq_is_digit((char)byte_at(v, at, 1)) &&
		       among(byte_at(v, at, -1), "scrobSCROB");
	if (byte_at(v, at, 1) == '\'')
		return is_word(byte_at(v, at, 2)) || among(byte_at(v, at, 2), QUOTES "\\");
	if (byte_at(v, at, 1) != 'b')
		return false;
	while (n < at && v.p[at - 1 - n] == '\\')
		n++;
	return n % 2 == 0;
}

/* A single quote is no end of a key. */
static enum sq_odd gap_at(struct sq_sv v, size_t at)
{
	unsigned char c = byte_at(v, at, 0), next = byte_at(v, at, 1);

	if (next == '\'')
		return SQ_ODD_FOLDED;
	return spelt(among(next, "\n\v\f\r") || among(c, "\"" BLANKS) ||
	             (among(c, SPACES) && byte_at(v, at, -1) == '\\'));
}

/* The end of a key of JSON within JSON, of which only blanks that are escaped keep its colon. */
static bool is_far_key(struct sq_sv v, size_t at)
{
	ptrdiff_t back = -1;

	while (among(byte_at(v, at, back), "\\" SPACES BLANKS))
		back--;
	return byte_at(v, at, back) == '"' && byte_at(v, at, back - 1) == '\\';
}

/* An escape, or two quotes. No tab is taken away before a colon. */
static bool is_line_end(struct sq_sv v, size_t at)
{
	if (byte_at(v, at, 0) != '\\')
		return byte_at(v, at, 1) == '"' && byte_at(v, at, 2) == ':';
	return byte_at(v, at, 1) != 't' || byte_at(v, at, 2) == '+' || is_far_key(v, at);
}

static bool is_quote(struct sq_sv v, size_t at)
{
	return byte_at(v, at, 1) == '\'' || is_word(byte_at(v, at, 2));
}

/* Not where the value begins with it. */
static bool is_escaped_quote(struct sq_sv v, size_t at)
{
	return byte_at(v, at, 0) != '"' || !among(byte_at(v, at, -1), ":,[{ \t");
}

/* Variables are the shell's, entities are XML's. */
static enum sq_odd name_at(struct sq_sv v, size_t at)
{
	unsigned char next = byte_at(v, at, 1);

	switch (byte_at(v, at, 0)) {
	case '$':
		return folded(next == '{' || sq_lower(next) == 'e');
	case '&':
		return spelt(is_entity(v, at + 1));
	default:
		return folded(is_alpha(next));
	}
}

static enum sq_odd mark_at(struct sq_sv v, size_t at)
{
	unsigned char c = byte_at(v, at, 0), next = byte_at(v, at, 1);

	if ((c == '<' && next == '!') || (c == '?' && next == '>'))
		return SQ_ODD_SPELT;
	return folded(next == '+' && among(c, JOINED));
}

static enum sq_odd sign_at(struct sq_sv v, size_t at, enum bucket b)
{
	switch (b) {
	case SINGLE:
		return spelt(is_single(v, at));
	case ESCAPE:
		return spelt(is_escape(v, at));
	case BACKSPACE:
		return spelt(is_backspace(v, at));
	case GAP:
		return gap_at(v, at);
	case LINE_END:
		return spelt(is_line_end(v, at));
	case QUOTE:
		return folded(is_quote(v, at));
	case ESCAPED:
		return folded(is_escaped_quote(v, at));
	case NAME:
		return name_at(v, at);
	case MARK:
		return mark_at(v, at);
	case SWITCH:
		return folded(is_switch(v, at + 1));
	case SWITCHES:
		return folded(is_switch(v, at + 2));
	}
	return SQ_ODD_SPELT;
}

enum sq_odd sq_odd_at(struct sq_sv record, size_t at, unsigned buckets)
{
	enum sq_odd worst = SQ_ODD_NOT;

	for (buckets &= (1u << SQ_ODD_BUCKETS) - 1; buckets; buckets &= buckets - 1) {
		enum sq_odd odd = sign_at(record, at, (enum bucket)__builtin_ctz(buckets));

		worst = odd > worst ? odd : worst;
	}
	return worst;
}

size_t sq_odd_find(struct sq_sv record)
{
	struct sq_spot s = { 0 };

	sq_odd_windows(&s);
	for (size_t at = 0; at < record.n; at++)
		if (sq_odd_at(record, at, sq_spot_at(&s, record, at)))
			return at;
	return SIZE_MAX;
}
