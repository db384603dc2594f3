/* What every predicate means, by a table that was thought out from the Sigma specification. Each
 * row runs without and with Hyperscan; at the end all predicates meet all values, both ways. */
#include "lib/rules/plain.h"

#include "lib/rules/matcher.h"
#include "tests/support/byhand.h"
#include "tests/support/test.h"

enum kind {
	GLOB,
	CASED,
	RE,
	RE_I,
	RE_M,
	RE_S,
	EQ,
	LT,
	LTE,
	GT,
	GTE,
	CIDR,
	EXISTS,
	MISSING,
	NULLED
};

struct val {
	enum sq_value_kind kind; /* ABSENT ends the list */
	struct sq_sv text;
};

struct row {
	const char *name;
	enum kind kind;
	struct sq_sv pattern;
	struct val values[3];
	bool want;
};

/* clang-format off */
#define S(literal) { literal, sizeof(literal) - 1 }
#define T(literal) { SQ_VALUE_TEXT, S(literal) }
#define N(literal) { SQ_VALUE_NUMBER, S(literal) }
#define B(literal) { SQ_VALUE_BOOL, S(literal) }
#define NUL        { SQ_VALUE_NULL, S("null") }

static struct row rows[] = {
	{ "equal whatever the case", GLOB, S("regsvr32.exe"), { T("RegSvr32.EXE") }, true },
	{ "equal means the whole value, front", GLOB, S("regsvr32.exe"), { T("xregsvr32.exe") }, false },
	{ "equal means the whole value, back", GLOB, S("regsvr32.exe"), { T("regsvr32.exe ") }, false },
	{ "a line end at the end is part of the value", GLOB, S("a"), { T("a\n") }, false },
	{ "a dot is a dot", GLOB, S("a.c"), { T("abc") }, false },
	{ "no character of a text is special", GLOB, S(".+(){}[]|^$\\#-\"' &/"), { T(".+(){}[]|^$\\#-\"' &/") }, true },
	{ "a NUL is an ordinary byte", GLOB, S("a\0b"), { T("a\0b") }, true },
	{ "a NUL does not end the value", GLOB, S("a"), { T("a\0b") }, false },
	{ "starts with", GLOB, S("ab*"), { T("ABc") }, true },
	{ "starts with, elsewhere", GLOB, S("ab*"), { T("xabc") }, false },
	{ "starts with, after a line end", GLOB, S("ab*"), { T("x\nabc") }, false },
	{ "ends with", GLOB, S("*\\regsvr32.exe"), { T("C:\\Windows\\REGSVR32.exe") }, true },
	{ "ends with, then a line end", GLOB, S("*\\regsvr32.exe"), { T("C:\\regsvr32.exe\n") }, false },
	{ "contains", GLOB, S("*scrobj*"), { T("regsvr32 /i:x SCROBJ.dll") }, true },
	{ "contains, alone", GLOB, S("*scrobj*"), { T("scrobj") }, true },
	{ "contains, not", GLOB, S("*scrobj*"), { T("scrob j") }, false },
	{ "a star crosses lines", GLOB, S("a*b"), { T("a\r\n\nb") }, true },
	{ "a star may be nothing", GLOB, S("a*b"), { T("ab") }, true },
	{ "pieces do not overlap", GLOB, S("ab*ba"), { T("aba") }, false },
	{ "pieces in order", GLOB, S("*a*b*c*"), { T("xaxbxcx") }, true },
	{ "pieces out of order", GLOB, S("*a*b*c*"), { T("xcxbxax") }, false },
	{ "the last piece is at the end, not where it is first", GLOB, S("*ab"), { T("ab ab") }, true },
	{ "two stars are one", GLOB, S("a**b"), { T("axxb") }, true },
	{ "only stars", GLOB, S("**"), { T("x") }, true },
	{ "a star takes empty text", GLOB, S("*"), { T("") }, true },
	{ "a star takes no null", GLOB, S("*"), { NUL }, false },
	{ "a star takes no absent field", GLOB, S("*"), { { 0 } }, false },
	{ "empty text equals empty text", GLOB, S(""), { T("") }, true },
	{ "empty text is not other text", GLOB, S(""), { T("a") }, false },
	{ "empty text is not null", GLOB, S(""), { NUL }, false },
	{ "empty text is not an absent field", GLOB, S(""), { { 0 } }, false },
	{ "text is not null", GLOB, S("null"), { NUL }, false },
	{ "something", GLOB, S("?*"), { T("") }, false },
	{ "something there", GLOB, S("?*"), { T("x") }, true },
	{ "one character", GLOB, S("a?c"), { T("abc") }, true },
	{ "one character is not none", GLOB, S("a?c"), { T("ac") }, false },
	{ "one character is not two", GLOB, S("a?c"), { T("abbc") }, false },
	{ "one character may be a line end", GLOB, S("a?c"), { T("a\nc") }, true },
	{ "one character of two bytes", GLOB, S("a?c"), { T("a\xc3\xa9""c") }, true },
	{ "one character of three bytes", GLOB, S("a?c"), { T("a\xe2\x80\x93""c") }, true },
	{ "one character of four bytes", GLOB, S("a?c"), { T("a\xf0\x9f\x98\x80""c") }, true },
	{ "two characters are not one of two bytes", GLOB, S("??"), { T("\xc3\xa9") }, false },
	{ "characters do not begin in the middle of one", GLOB, S("*?*?*"), { T("\xe2\x80\x93") }, false },
	{ "two characters anywhere", GLOB, S("*?*?*"), { T("\xe2\x80\x93!") }, true },
	{ "a stray byte is no character", GLOB, S("a?c"), { T("a\x80""c") }, false },
	{ "a byte that UTF-8 never has is one", GLOB, S("a?c"), { T("a\xff""c") }, true },
	{ "one character at the end", GLOB, S("*.ex?"), { T("a.exe") }, true },
	{ "ASCII case only: not e acute", GLOB, S("\xc3\xa9"), { T("\xc3\x89") }, false },
	{ "ASCII case only: not the Kelvin sign", GLOB, S("k"), { T("\xe2\x84\xaa") }, false },
	{ "ASCII case only: not Latin-1", GLOB, S("\xe9"), { T("\xc9") }, false },
	{ "cased", CASED, S("*-Enc*"), { T("x -Enc y") }, true },
	{ "cased, other case", CASED, S("*-Enc*"), { T("x -enc y") }, false },
	{ "dash for dash", GLOB, S("* ~s *"), { T("regsvr32 -s x") }, true },
	{ "dash for slash", GLOB, S("* ~s *"), { T("regsvr32 /S x") }, true },
	{ "dash for en dash", GLOB, S("* ~s *"), { T("regsvr32 \xe2\x80\x93s x") }, true },
	{ "dash for em dash", GLOB, S("* ~s *"), { T("regsvr32 \xe2\x80\x94s x") }, true },
	{ "dash for horizontal bar", GLOB, S("* ~s *"), { T("regsvr32 \xe2\x80\x95s x") }, true },
	{ "dash for no figure dash", GLOB, S("* ~s *"), { T("regsvr32 \xe2\x80\x92s x") }, false },
	{ "dash for no backslash", GLOB, S("* ~s *"), { T("regsvr32 \\s x") }, false },
	{ "dash for no nothing", GLOB, S("* ~s *"), { T("regsvr32 s x") }, false },
	{ "several dashes, each its own", GLOB, S("*~u ~s*"), { T("/u -s") }, true },
	{ "a number as its text", GLOB, S("46*"), { N("4688") }, true },
	{ "a boolean as its text", GLOB, S("true"), { B("true") }, true },
	{ "one of several values", GLOB, S("b"), { T("a"), T("b") }, true },
	{ "the last of several values", GLOB, S("c*"), { T("a"), NUL, T("cc") }, true },
	{ "none of several values", GLOB, S("c"), { T("a"), T("b") }, false },
	{ "values are not joined", GLOB, S("*ab*"), { T("a"), T("b") }, false },

	{ "a regex searches", RE, S("foo"), { T("xfoox") }, true },
	{ "a regex minds case", RE, S("foo"), { T("FOO") }, false },
	{ "a regex with i does not", RE_I, S("foo"), { T("FOO") }, true },
	{ "i is ASCII only", RE_I, S("\xc3\xa9"), { T("\xc3\x89") }, false },
	{ "hat is the start", RE, S("^a"), { T("b\na") }, false },
	{ "hat with m is a line's start", RE_M, S("^a"), { T("b\na") }, true },
	{ "dollar before the last line end", RE, S("a$"), { T("a\n") }, true },
	{ "dollar not before two line ends", RE, S("a$"), { T("a\n\n") }, false },
	{ "dollar not before CR LF", RE, S("a$"), { T("a\r\n") }, false },
	{ "dollar not in the middle", RE, S("a$"), { T("a\nb") }, false },
	{ "dollar with m in the middle", RE_M, S("a$"), { T("a\nb") }, true },
	{ "whole line, at the end", RE, S("^a$"), { T("a\n") }, true },
	{ "small z is the very end", RE, S("a\\z"), { T("a\n") }, false },
	{ "large Z is also before the last line end", RE, S("a\\Z"), { T("a\n") }, true },
	{ "a dot is no line end", RE, S("a.b"), { T("a\nb") }, false },
	{ "a dot with s is", RE_S, S("a.b"), { T("a\nb") }, true },
	{ "a class excludes only what it says", RE, S("a[^x]b"), { T("a\nb") }, true },
	{ "empty text and an empty match", RE, S("x*"), { T("") }, true },
	{ "empty text from end to end", RE, S("^$"), { T("") }, true },
	{ "a lone line end from end to end", RE, S("^$"), { T("\n") }, true },
	{ "a regex and an absent field", RE, S("x*"), { { 0 } }, false },
	{ "a regex and null", RE, S("null"), { NUL }, false },
	{ "blanks include the vertical tab", RE, S("a\\sb"), { T("a\x0b""b") }, true },
	{ "word characters are ASCII", RE, S("\\w"), { T("\xe9\xc3\xa9") }, false },
	{ "digits", RE, S("^\\d{4}$"), { N("4688") }, true },
	{ "word boundary", RE, S("\\bscrobj\\b"), { T("x scrobj.dll") }, true },
	{ "word boundary, none", RE, S("\\bscrobj\\b"), { T("xscrobj.dll") }, false },
	{ "alternatives and groups", RE, S("(?:http|ftp)s?://"), { T("/i:https://x") }, true },
	{ "counted bytes", RE, S("^.{3}$"), { T("\xe2\x80\x93") }, true },
	{ "flags in the pattern", RE, S("(?i)ABC"), { T("abc") }, true },
	{ "named class", RE, S("^[[:alnum:]]+$"), { T("aB3") }, true },
	{ "a NUL in a value", RE, S("a.b"), { T("a\0b") }, true },
	{ "look-ahead holds", RE, S("a(?=b)"), { T("ab") }, true },
	{ "look-ahead holds not", RE, S("a(?=b)"), { T("ac") }, false },
	{ "negative look-behind", RE, S("(?<!x)a"), { T("xa") }, false },
	{ "back reference", RE, S("(.)\\1"), { T("abba") }, true },
	{ "back reference, none", RE, S("(.)\\1"), { T("abab") }, false },
	{ "atomic group", RE, S("(?>a+)ab"), { T("aaab") }, false },

	{ "a number equals a number", EQ, S("4688"), { N("4688") }, true },
	{ "a number equals text", EQ, S("4688"), { T("4688") }, true },
	{ "a number equals hexadecimal", EQ, S("4688"), { T("0x1250") }, true },
	{ "a hexadecimal rule equals decimal", EQ, S("0x1250"), { N("4688") }, true },
	{ "a number equals a fraction of none", EQ, S("4688"), { N("4688.0") }, true },
	{ "a number equals an exponent", EQ, S("4688"), { N("4.688e3") }, true },
	{ "a longer number is another", EQ, S("4688"), { N("46880") }, false },
	{ "digits and more are no number", EQ, S("4688"), { T("4688a") }, false },
	{ "a sign makes another number", EQ, S("4688"), { N("-4688") }, false },
	{ "minus zero is zero", EQ, S("0"), { N("-0") }, true },
	{ "empty text is not zero", EQ, S("0"), { T("") }, false },
	{ "null is not zero", EQ, S("0"), { NUL }, false },
	{ "absent is not zero", EQ, S("0"), { { 0 } }, false },
	{ "false is not zero", EQ, S("0"), { B("false") }, false },
	{ "large numbers are exact", EQ, S("9007199254740992"), { N("9007199254740993") }, false },
	{ "one of several numbers", EQ, S("3"), { N("1"), T("3") }, true },
	{ "nan is no number", LT, S("5"), { T("nan") }, false },
	{ "inf is no number", GT, S("5"), { T("inf") }, false },
	{ "less", LT, S("10"), { N("9") }, true },
	{ "less, by half", LT, S("10"), { N("9.5") }, true },
	{ "less, not equal", LT, S("10"), { N("10") }, false },
	{ "less, negative", LT, S("10"), { N("-11") }, true },
	{ "less, both negative", LT, S("-10"), { N("-11") }, true },
	{ "less, text of a number", LT, S("10"), { T("0x9") }, true },
	{ "less, text", LT, S("10"), { T("abc") }, false },
	{ "less or equal", LTE, S("10"), { N("10") }, true },
	{ "greater", GT, S("10"), { N("11") }, true },
	{ "greater, not as text", GT, S("10"), { N("9") }, false },
	{ "greater, exactly", GT, S("9007199254740992"), { N("9007199254740993") }, true },
	{ "greater or equal, less", GTE, S("10"), { N("9") }, false },

	{ "in a network", CIDR, S("10.0.0.0/8"), { T("10.1.2.3") }, true },
	{ "not in a network", CIDR, S("10.0.0.0/8"), { T("11.0.0.1") }, false },
	{ "IPv4 mapped into IPv6", CIDR, S("10.0.0.0/8"), { T("::ffff:10.0.0.9") }, true },
	{ "half an address", CIDR, S("10.0.0.0/8"), { T("10.0.0") }, false },
	{ "no address", CIDR, S("10.0.0.0/8"), { T("localhost") }, false },
	{ "an address and more", CIDR, S("10.0.0.0/8"), { T("10.0.0.1 ") }, false },
	{ "an address and a NUL", CIDR, S("10.0.0.0/8"), { T("10.0.0.1\0") }, false },
	{ "empty is no address", CIDR, S("0.0.0.0/0"), { T("") }, false },
	{ "any IPv4", CIDR, S("0.0.0.0/0"), { T("203.0.113.1") }, true },
	{ "any IPv4 is no IPv6", CIDR, S("0.0.0.0/0"), { T("2001:db8::1") }, false },
	{ "upper half of a network", CIDR, S("192.168.1.128/25"), { T("192.168.1.128") }, true },
	{ "lower half of a network", CIDR, S("192.168.1.128/25"), { T("192.168.1.127") }, false },
	{ "one address", CIDR, S("192.0.2.1/32"), { T("192.0.2.1") }, true },
	{ "IPv6", CIDR, S("2001:db8::/32"), { T("2001:DB8:1::7") }, true },
	{ "IPv6, not", CIDR, S("2001:db8::/32"), { T("2001:db9::7") }, false },
	{ "IPv6 with a zone", CIDR, S("fe80::/10"), { T("fe80::1%5") }, true },
	{ "one IPv6 address", CIDR, S("::1/128"), { T("::1") }, true },

	{ "there", EXISTS, S(""), { T("x") }, true },
	{ "there and empty", EXISTS, S(""), { T("") }, true },
	{ "there and null", EXISTS, S(""), { NUL }, true },
	{ "not there", EXISTS, S(""), { { 0 } }, false },
	{ "missing", MISSING, S(""), { { 0 } }, true },
	{ "missing, but null is there", MISSING, S(""), { NUL }, false },
	{ "missing, but it is there", MISSING, S(""), { T("x") }, false },
	{ "null", NULLED, S(""), { NUL }, true },
	{ "null, absent", NULLED, S(""), { { 0 } }, true },
	{ "null, empty", NULLED, S(""), { T("") }, false },
	{ "null among others", NULLED, S(""), { T("x"), NUL }, true },
};
/* clang-format on */

static const struct sq_pred *make_pred(struct sq_rules *rules, const struct row *row)
{
	static const enum sq_compare compares[] = {
		[EQ] = SQ_EQ, [LT] = SQ_LT, [LTE] = SQ_LTE, [GT] = SQ_GT, [GTE] = SQ_GTE
	};
	const int32_t f = SQ_F_COMMAND_LINE;

	switch (row->kind) {
	case GLOB:
	case CASED:
		return hand_glob(rules, f, row->pattern, row->kind == CASED);
	case RE:
	case RE_I:
	case RE_M:
	case RE_S:
		return hand_regex(rules, f, row->pattern,
		                  row->kind == RE_I   ? SQ_REGEX_ICASE
		                  : row->kind == RE_M ? SQ_REGEX_MULTI
		                  : row->kind == RE_S ? SQ_REGEX_DOTALL
		                                      : 0);
	case EQ:
	case LT:
	case LTE:
	case GT:
	case GTE:
		return hand_number(rules, f, compares[row->kind], row->pattern,
		                   strtod(row->pattern.p, NULL));
	case CIDR:
		return hand_cidr(rules, f, row->pattern);
	case EXISTS:
	case MISSING:
		return hand_presence(rules, f, SQ_MATCH_EXISTS, row->kind == EXISTS);
	case NULLED:
		return hand_presence(rules, f, SQ_MATCH_NULL, false);
	}
	return NULL;
}

static void fill(struct sq_event *ev, const struct row *row, char *copies[3])
{
	for (size_t i = 0; i < 3 && row->values[i].kind != SQ_VALUE_ABSENT; i++) {
		copies[i] = exact(row->values[i].text.p, row->values[i].text.n);
		hand_value(ev, SQ_F_COMMAND_LINE, row->values[i].kind,
		           (struct sq_sv){ copies[i], row->values[i].text.n });
	}
}

/* Both rules, P and NOT P: exactly one holds. */
static void check_way(const struct row *row, bool plain)
{
	struct sq_ruleset_opts opts = { .plain = plain };
	char *copies[3] = { 0 };
	static struct sq_hits hits;
	struct sq_ruleset *rs;
	struct sq_matcher *m;
	struct sq_rules rules;
	struct sq_event ev;

	assert_int_equal(sq_rules_init(&rules), 0);
	hand_rule(&rules, "is", hand_is(&rules, make_pred(&rules, row)));
	hand_rule(&rules, "is not", hand_not(&rules, hand_is(&rules, make_pred(&rules, row))));
	assert_int_equal(sq_ruleset_build(&rules, &opts, &rs, NULL, NULL), 0);
	m = sq_matcher_new(rs);
	ev = hand_event(sq_ruleset_fields(rs));
	fill(&ev, row, copies);

	assert_int_equal(sq_matcher_run(m, &ev, &hits), 1);
	assert_int_equal(hits.list[0].rule, row->want ? 0 : 1);
	assert_int_equal(sq_matcher_take_fallbacks(m), 0);

	hand_event_fini(&ev);
	for (size_t i = 0; i < 3; i++)
		free(copies[i]);
	sq_matcher_free(m);
	sq_ruleset_unref(rs);
}

static void check_row(void **state)
{
	check_way(*state, true);
	check_way(*state, false);
}

static struct sq_ruleset *all_rows(bool plain)
{
	struct sq_ruleset_opts opts = { .plain = plain };
	struct sq_ruleset *rs;
	struct sq_rules rules;

	assert_int_equal(sq_rules_init(&rules), 0);
	for (size_t i = 0; i < SQ_LEN(rows); i++)
		hand_rule(&rules, rows[i].name, hand_is(&rules, make_pred(&rules, &rows[i])));
	assert_int_equal(sq_ruleset_build(&rules, &opts, &rs, NULL, NULL), 0);
	return rs;
}

static void all_predicates_meet_all_values(void **state)
{
	struct sq_ruleset *with = all_rows(false), *without = all_rows(true);
	struct sq_matcher *mw = sq_matcher_new(with), *mo = sq_matcher_new(without);
	static struct sq_hits hw, ho;

	(void)state;
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		struct sq_event ew = hand_event(sq_ruleset_fields(with));
		struct sq_event eo = hand_event(sq_ruleset_fields(without));
		char *cw[3] = { 0 }, *co[3] = { 0 };

		fill(&ew, &rows[i], cw);
		fill(&eo, &rows[i], co);
		sq_matcher_run(mw, &ew, &hw);
		sq_matcher_run(mo, &eo, &ho);
		assert_false(hw.capped);
		assert_int_equal(hw.n, ho.n);
		for (uint32_t k = 0; k < hw.n; k++)
			assert_int_equal(hw.list[k].rule, ho.list[k].rule);
		hand_event_fini(&ew);
		hand_event_fini(&eo);
		for (size_t k = 0; k < 3; k++) {
			free(cw[k]);
			free(co[k]);
		}
	}
	sq_matcher_free(mw);
	sq_matcher_free(mo);
	sq_ruleset_unref(with);
	sq_ruleset_unref(without);
}

/* What classes and anchors mean differs between engines and their versions; here both must say the
 * same for every byte, alone and beside others. */
static void classes_agree_on_every_byte(void **state)
{
	static const char *const expressions[] = {
		"^\\s$",
		"^\\S$",
		"^\\w$",
		"^\\W$",
		"^\\d$",
		"^\\D$",
		"^\\h$",
		"^\\v$",
		"^\\N$",
		"^.$",
		"^[[:alnum:]]$",
		"^[[:alpha:]]$",
		"^[[:ascii:]]$",
		"^[[:blank:]]$",
		"^[[:cntrl:]]$",
		"^[[:digit:]]$",
		"^[[:graph:]]$",
		"^[[:lower:]]$",
		"^[[:print:]]$",
		"^[[:punct:]]$",
		"^[[:space:]]$",
		"^[[:upper:]]$",
		"^[[:word:]]$",
		"^[[:xdigit:]]$",
		"\\b.",
		"a\\b",
		"\\Ba",
		"a\\B",
		"^[^a]$",
		"a$",
		"^a",
		"(?i)^[a-z]$",
		"(?i)^[^A-Z]$",
		"(?m)^a$",
		"(?s)^.$",
		"a\\Z",
		"\\Aa",
		"^[\\x80-\\xff]$",
		"^\\R$",
		"(?m)$.",
	};
	static struct sq_hits hits[2];
	struct sq_ruleset *rs[2];
	struct sq_matcher *m[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct sq_ruleset_opts opts = { .plain = i == 1 };
		struct sq_rules rules;

		assert_int_equal(sq_rules_init(&rules), 0);
		for (size_t k = 0; k < SQ_LEN(expressions); k++)
			hand_rule(&rules, "r",
			          hand_is(&rules, hand_regex(&rules, SQ_F_USER,
			                                     sq_sv_of(expressions[k]), 0)));
		assert_int_equal(sq_ruleset_build(&rules, &opts, &rs[i], NULL, NULL), 0);
		m[i] = sq_matcher_new(rs[i]);
		sq_ruleset_unref(rs[i]); /* the matcher has one */
	}
	for (unsigned c = 0; c < 256; c++) {
		const char texts[][3] = { { (char)c },
			                  { 'a', (char)c },
			                  { (char)c, 'a' },
			                  { (char)c, '\n' },
			                  { '\n', (char)c } };

		for (size_t k = 0; k < SQ_LEN(texts); k++) {
			for (int i = 0; i < 2; i++) {
				struct sq_event ev = hand_event(sq_ruleset_fields(rs[i]));

				hand_value(&ev, SQ_F_USER, SQ_VALUE_TEXT,
				           (struct sq_sv){ texts[k], k ? 2 : 1 });
				sq_matcher_run(m[i], &ev, &hits[i]);
				hand_event_fini(&ev);
			}
			for (uint32_t i = 0; i < hits[0].n || i < hits[1].n; i++) {
				uint32_t x = i < hits[0].n ? hits[0].list[i].rule : 999;
				uint32_t y = i < hits[1].n ? hits[1].list[i].rule : 999;

				if (x != y)
					fail_msg("%s at byte %02x, form %zu",
					         expressions[x < y ? x : y], c, k);
			}
		}
	}
	sq_matcher_free(m[0]);
	sq_matcher_free(m[1]);
}

static void many_stars_take_no_exponential_time(void **state)
{
	enum { LEN = 20000 };
	char *value = malloc(LEN);
	struct sq_plain_work w = { 0 };
	struct sq_rules rules;
	const struct sq_pred *p;

	(void)state;
	memset(value, 'a', LEN);
	assert_int_equal(sq_rules_init(&rules), 0);
	p = hand_glob(&rules, 0, SQ_SV("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"), false);
	assert_false(sq_plain_value(p, NULL, &w, (struct sq_sv){ value, LEN }));
	p = hand_glob(&rules, 0, SQ_SV("*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab*?*"), false);
	assert_false(sq_plain_value(p, NULL, &w, (struct sq_sv){ value, LEN }));
	sq_rules_fini(&rules);
	free(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_predicates_meet_all_values),
		cmocka_unit_test(classes_agree_on_every_byte),
		cmocka_unit_test(many_stars_take_no_exponential_time),
	};

	return RUN_TABLE("rules/plain and hyperscan", rows, check_row) +
	       cmocka_run_group_tests_name("rules/plain", tests, NULL, NULL);
}
