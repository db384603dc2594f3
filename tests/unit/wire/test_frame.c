/* Every stream below is cut whole, split in two at every byte, and fed byte by byte: the records
 * and errors must be the same. */
#include "tests/support/test.h"

#include <errno.h>

#include "lib/wire/frame.h"

enum { MAX_RECORD = 24, EVENTS_MAX = 64 };

struct row {
	const char *name;
	struct sq_sv in;
	const char *want[12]; /* records in order; "!" is one -EMSGSIZE */
};

/* What a stream gave. */
struct events {
	size_t n;
	char *text[EVENTS_MAX];
};

static void event_add(struct events *to, struct sq_sv v)
{
	assert_true(to->n < EVENTS_MAX);
	to->text[to->n] = calloc(v.n + 1, 1);
	memcpy(to->text[to->n++], v.p, v.n);
}

static void events_free(struct events *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->text[i]);
	*e = (struct events){ 0 };
}

/* Objects back to back on one line are one record or several, depending on how they came. */
static void record_add(struct events *to, struct sq_sv rec)
{
	struct sq_sv v = rec;
	size_t n;

	assert_true(rec.n > 0 && rec.n <= MAX_RECORD);
	while (v.n && v.p[0] == '{' && (n = sq_frame_value_length(v)))
		v = sq_sv_trim(sq_sv_skip(v, n));
	if (v.n) {
		event_add(to, rec);
		return;
	}
	for (v = rec; v.n; v = sq_sv_trim(sq_sv_skip(v, n))) {
		n = sq_frame_value_length(v);
		event_add(to, sq_sv_first(v, n));
	}
}

/* Everything that can be taken out of `held`. @return bytes of it that are left at its end */
static size_t take(struct sq_frame *f, struct sq_sv held, bool eof, struct events *to)
{
	for (;;) {
		char *copy = exact(held.p, held.n);
		struct sq_sv rec = SQ_SV("untouched");
		size_t used = SIZE_MAX;
		int r = sq_frame_next(f, (struct sq_sv){ copy, held.n }, eof, &used, &rec);

		assert_true(used <= held.n);
		held = sq_sv_skip(held, used);
		if (r == 1)
			record_add(to, rec);
		else
			assert_sv_equal(rec, SQ_SV("untouched"));
		free(copy);
		if (r == -EMSGSIZE)
			event_add(to, SQ_SV("!"));
		else if (r != 1) {
			assert_int_equal(r, 0);
			return held.n;
		}
	}
}

/* Feed `in` in pieces that end at `split`, or of one byte each when it is 0. */
static void feed(struct sq_sv in, size_t split, struct events *to)
{
	struct sq_frame f = sq_frame_of(MAX_RECORD);
	size_t begin = 0, end = split || !in.n ? split : 1;

	for (;;) {
		size_t left = take(&f, (struct sq_sv){ in.p + begin, end - begin }, false, to);

		begin = end - left;
		assert_true(left <= MAX_RECORD + 64);
		if (end == in.n)
			break;
		end = split ? in.n : end + 1;
	}
	assert_int_equal(take(&f, (struct sq_sv){ in.p + begin, in.n - begin }, true, to), 0);
}

static void check_events(const struct row *row, const struct events *got, size_t split)
{
	size_t n = 0;

	while (n < SQ_LEN(row->want) && row->want[n])
		n++;
	for (size_t i = 0; i < n && i < got->n; i++) {
		if (strcmp(row->want[i], got->text[i]) != 0)
			fail_msg("split at %zu, record %zu: got \"%s\", want \"%s\"", split, i,
			         got->text[i], row->want[i]);
	}
	if (n != got->n)
		fail_msg("split at %zu: %zu records, want %zu; the next is \"%s\"", split, got->n,
		         n, got->n > n ? got->text[n] : row->want[got->n]);
}

static void check_row(void **state)
{
	const struct row *row = *state;

	for (size_t split = 0; split <= row->in.n; split++) {
		struct events got = { 0 };

		feed(row->in, split, &got);
		check_events(row, &got, split);
		events_free(&got);
	}
}

#define IN(text)                                                                                   \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}
#define X24 "xxxxxxxxxxxxxxxxxxxxxxxx"

/* clang-format off */
static struct row lines[] = {
	{ "one object on a line", IN("{\"a\":1}\n"), { "{\"a\":1}" } },
	{ "two lines", IN("{\"a\":1}\n{\"b\":2}\n"), { "{\"a\":1}", "{\"b\":2}" } },
	{ "CR LF", IN("{\"a\":1}\r\n{\"b\":2}\r\n"), { "{\"a\":1}", "{\"b\":2}" } },
	{ "blanks around a line", IN(" \t{\"a\":1} \t\r\n\n\r\n"), { "{\"a\":1}" } },
	{ "NUL ends a record", IN("{\"a\":1}\0{\"b\":2}\0"), { "{\"a\":1}", "{\"b\":2}" } },
	{ "NUL and LF mixed", IN("{\"a\":1}\0\n{\"b\":2}\n\0{}"), { "{\"a\":1}", "{\"b\":2}", "{}" } },
	{ "a BOM before every record", IN("\xef\xbb\xbf{}\n\xef\xbb\xbf\xef\xbb\xbf{\"b\":2}\n"),
	  { "{}", "{\"b\":2}" } },
	{ "what only begins like a BOM is a line", IN("\xef\xbb{}\n\xef"), { "\xef\xbb{}", "\xef" } },
	{ "no terminator at the end", IN("{\"a\":1}\n{\"b\":"), { "{\"a\":1}", "{\"b\":" } },
	{ "a line at the end", IN("<13>a\n<14>b \r"), { "<13>a", "<14>b" } },
	{ "separators alone", IN("\r\n\0 \t\xef\xbb\xbf,\n"), { 0 } },
	{ "nothing", IN(""), { 0 } },
	{ "commas between lines", IN("{\"a\":1},\n{\"b\":2},\n"), { "{\"a\":1}", "{\"b\":2}" } },
	{ "syslog lines", IN("<13>x: {\"a\":1}\n<14>y\0<15>z\r\n"),
	  { "<13>x: {\"a\":1}", "<14>y", "<15>z" } },
	{ "other lines", IN("@cee:{}\nHOST x\n]\n}"), { "@cee:{}", "HOST x", "]", "}" } },
	{ "a bracket that is no array", IN("[info] {}\n[1,2]\n[\"a\"]\n[\0{}\n"),
	  { "[info] {}", "[1,2]", "[\"a\"]", "[", "{}" } },
	{ "an HTTP verb after the first record is a line", IN("{}\nGET /\n"), { "{}", "GET /" } },
	{ "bytes of TLS after the first record are a line", IN("{}\n\x16\x03\n"), { "{}", "\x16\x03" } },
};

static struct row json[] = {
	{ "back to back", IN("{\"a\":1}{\"b\":2}{}"), { "{\"a\":1}", "{\"b\":2}", "{}" } },
	{ "back to back on a line", IN("{\"a\":1} {\"b\":2}\n{}\n"), { "{\"a\":1}", "{\"b\":2}", "{}" } },
	{ "objects before a broken one on a line", IN("{\"a\":1}{\"b\":1\n{}\n"),
	  { "{\"a\":1}", "{\"b\":1", "{}" } },
	{ "an object, then text on its line", IN("{\"a\":1} x\n{}\n"), { "{\"a\":1}", "x", "{}" } },
	{ "pretty-printed", IN("{\n \"a\": {\n  \"b\":1\n }\n}\n{\n}\n"),
	  { "{\n \"a\": {\n  \"b\":1\n }\n}", "{\n}" } },
	{ "pretty-printed with CR LF and NUL", IN("{\r\n\"a\":[\r\n1]\r\n}\0{}"),
	  { "{\r\n\"a\":[\r\n1]\r\n}", "{}" } },
	{ "a value on a line of its own", IN("{\"a\":\n {\"b\":1}}\n"), { "{\"a\":\n {\"b\":1}}" } },
	{ "and not indented", IN("{\n\"a\":\n{\"b\":\n1}}\n"), { "{\n\"a\":\n{\"b\":\n1}}" } },
	{ "elements on lines of their own", IN("{\"a\":[\n{},\n{}]}"), { "{\"a\":[\n{},\n{}]}" } },
	{ "brackets and quotes in strings", IN("{\"}\":\"\\\"}{[\\\\\"}{}"),
	  { "{\"}\":\"\\\"}{[\\\\\"}", "{}" } },
	{ "a string long enough for words", IN("{\"\":\"12345678\\\"123456\"}"),
	  { "{\"\":\"12345678\\\"123456\"}" } },
	{ "bytes over 0x7f in strings", IN("{\"\xc3\xa4\":\"\xe2\x80\x9c\xff\xfe\xfd\xfc\xa2\xdc\"}{}"),
	  { "{\"\xc3\xa4\":\"\xe2\x80\x9c\xff\xfe\xfd\xfc\xa2\xdc\"}", "{}" } },
	{ "a first line that ends with a brace ends there", IN("{\"a\":{} \r\n{\"b\":2}\n"),
	  { "{\"a\":{}", "{\"b\":2}" } },
	{ "nested braces", IN("{\"a\":{\"b\":{\"c\":[]}}}"), { "{\"a\":{\"b\":{\"c\":[]}}}" } },
};

static struct row broken[] = {
	{ "a line end in a string", IN("{\"a\":\"x\n{\"b\":2}\n"), { "{\"a\":\"x", "{\"b\":2}" } },
	{ "a line end after a backslash", IN("{\"a\":\"x\\\n{\"b\":2}\n"), { "{\"a\":\"x\\", "{\"b\":2}" } },
	{ "a line end in a string after a brace", IN("{\"a\":\"x}\n{}\n"), { "{\"a\":\"x}", "{}" } },
	{ "NUL in a string", IN("{\"a\":\"x\0{\"b\":2}\0"), { "{\"a\":\"x", "{\"b\":2}" } },
	{ "NUL after a backslash", IN("{\"a\":\"\\\0{\"b\":2}\0"), { "{\"a\":\"\\", "{\"b\":2}" } },
	{ "NUL outside of strings", IN("{\"a\":1,\0{\"b\":2}\n"), { "{\"a\":1,", "{\"b\":2}" } },
	{ "cut where a key is wanted", IN("{\"a\":1,\n{\"b\":2}\n"), { "{\"a\":1,", "{\"b\":2}" } },
	{ "cut where a value is wanted", IN("{\"a\":\n{\"b\":2}\n"), { "{\"a\":", "{\"b\":2}" } },
	{ "cut there, an empty line behind", IN("{\"a\":\r\n\n[{\"b\":2}]\n"), { "{\"a\":", "{\"b\":2}" } },
	{ "cut there before an octet count", IN("{\"a\":\n7 {\"b\":2}\n"), { "{\"a\":", "{\"b\":2}" } },
	{ "cut where a key is wanted before an octet count", IN("{\"a\":1,\n7 {\"b\":2}\n"),
	  { "{\"a\":1,", "{\"b\":2}" } },
	{ "cut after a value", IN("{\"a\":1\r\n{\"b\":2}\n"), { "{\"a\":1", "{\"b\":2}" } },
	{ "cut in an array loses one record only", IN("{\"a\":[1,\n{\"b\":2}\n{}\n"),
	  { "{\"a\":[1,\n{\"b\":2}", "{}" } },
	{ "cut before a syslog line", IN("{\"a\":1,\n<13>x\n"), { "{\"a\":1,", "<13>x" } },
	{ "a lone brace", IN("{\n<13>x\n{"), { "{", "<13>x", "{" } },
};

static struct row arrays[] = {
	{ "elements are records", IN("[{\"a\":1},{\"b\":2}]\n{}\n"), { "{\"a\":1}", "{\"b\":2}", "{}" } },
	{ "pretty-printed", IN("[\n  {\n\"a\":1},\n  {}\n]\n{}"), { "{\n\"a\":1}", "{}", "{}" } },
	{ "an element that looks like a line of its own", IN("[{\"a\":{}\n,\"b\":1}]"),
	  { "{\"a\":{}\n,\"b\":1}" } },
	{ "empty", IN("[]\n[ ]\n[\n]{}\n"), { "{}" } },
	{ "scalars between objects", IN("[{},1, \"a,]\\\"\" ,null,-2\n,true]{}\n"),
	  { "{}", "1", "\"a,]\\\"\"", "null", "-2", "true", "{}" } },
	{ "arrays in an array", IN("[[{}],[[]]]{}"), { "[{}]", "[[]]", "{}" } },
	{ "not closed", IN("[{},{\"a\":1}\n{\"b\":2}"), { "{}", "{\"a\":1}", "{\"b\":2}" } },
	{ "a broken element ends the array", IN("[{},{\"a\":\"\n{\"b\":{}\n{}\n"),
	  { "{}", "{\"a\":\"", "{\"b\":{}", "{}" } },
	{ "NUL ends an array", IN("[{}\0""12 <13>\n"), { "{}", "<13>" } },
	{ "a syslog line ends an array", IN("[{},\n<13>a,b]\n"), { "{}", "<13>a,b]" } },
	{ "blanks without end after the bracket",
	  IN("[                                                                          {},{}]"),
	  { "{}", "{}" } },
	{ "a bracket at the end", IN("{}\n["), { "{}", "[" } },
};

static struct row octets[] = {
	{ "one", IN("6 <13>ab"), { "<13>ab" } },
	{ "two, line ends inside", IN("7 <13>a\nb7 {\"a\":1}"), { "<13>a\nb", "{\"a\":1}" } },
	{ "a line end after each, counted or not", IN("7 <13>ab\n6 <13>ab\n6 <13>ab\0{}\n"),
	  { "<13>ab", "<13>ab", "<13>ab", "{}" } },
	{ "mixed with lines", IN("6 <13>ab{\"a\":1}\n6 <14>cd<13>x\n"),
	  { "<13>ab", "{\"a\":1}", "<14>cd", "<13>x" } },
	{ "every lawful first byte", IN("2 {}2 []2 @c3  @x5 \xef\xbb\xbf{}3 \t<>"),
	  { "{}", "[]", "@c", "@x", "{}", "<>" } },
	{ "blanks and a BOM alone are no record", IN("3    4 \xef\xbb\xbf 2 {}"), { "{}" } },
	{ "the largest that fits", IN("24 <xxxxxxxxxxxxxxxxxxxxxx>2 {}"),
	  { "<xxxxxxxxxxxxxxxxxxxxxx>", "{}" } },
	{ "one byte too large is skipped exactly", IN("25 <xxxxxxxxxxxxxxxxxxxxxxx>2 {}"), { "!", "{}" } },
	{ "what is skipped may look like anything", IN("30 {\n\n{}{}{}{}{}\n2 {}\0[[[[[[xxxx2 {}"),
	  { "!", "{}" } },
	{ "nine digits", IN("999999999 <13>abc\n{}\n"), { "!" } },
	{ "ten digits are a line", IN("1000000000 <13>a\n{}\n"), { "1000000000 <13>a", "{}" } },
	{ "far more digits", IN("18446744073709551616 <\n{}"), { "18446744073709551616 <", "{}" } },
	{ "a count of zero is a line", IN("0 <13>\n{}\n"), { "0 <13>", "{}" } },
	{ "leading zeros are a line", IN("006 <13>ab\n{}\n"), { "006 <13>ab", "{}" } },
	{ "a sign is a line", IN("+5 <13>\n{}\n"), { "+5 <13>", "{}" } },
	{ "a blank before the count", IN(" 6 <13>ab{}"), { "<13>ab", "{}" } },
	{ "no blank after it", IN("12<13>ab\n{}\n"), { "12<13>ab", "{}" } },
	{ "no message after it", IN("3 abc\n{}\n"), { "3 abc", "{}" } },
	{ "digits alone", IN("12\n{}\n12"), { "12", "{}", "12" } },
	{ "a NUL after the blank", IN("12 \0{}\n"), { "12", "{}" } },
	{ "ends at the blank", IN("{}\n12 "), { "{}", "12" } },
	{ "cut short by the end", IN("99999 {}"), { "!" } },
	{ "cut short by the end, not too large", IN("20 <13>abc"), { "<13>abc" } },
};

static struct row large[] = {
	{ "an object that just fits", IN("{\"\":\"12345678901234567\"}\n{}\n"),
	  { "{\"\":\"12345678901234567\"}", "{}" } },
	{ "and with blanks after it", IN("{\"\":\"12345678901234567\"} \t \r\n{}\n"),
	  { "{\"\":\"12345678901234567\"}", "{}" } },
	{ "a byte more", IN("{\"\":\"123456789012345678\"}\n{}\n"), { "!", "{}" } },
	{ "a line that just fits", IN(X24 "\n{}\n"), { X24, "{}" } },
	{ "and with CR", IN(X24 "\r\n{}\n"), { X24, "{}" } },
	{ "and with blanks", IN(X24 "    \r\0{}\n"), { X24, "{}" } },
	{ "a byte more of a line", IN(X24 "x\n{}\n"), { "!", "{}" } },
	{ "more after blanks", IN(X24 "  x\n{}\n"), { "!", "{}" } },
	{ "far more, one error", IN(X24 X24 X24 X24 X24 X24 "\n{}\n"), { "!", "{}" } },
	{ "blanks without end", IN("<                                                            \n{}\n"),
	  { "!", "{}" } },
	{ "a short object, blanks without end", IN("{}                                                   "
	  "                        \n{}\n"), { "{}", "{}" } },
	{ "NUL ends it too", IN(X24 "x\0{}\n"), { "!", "{}" } },
	{ "no end", IN(X24 X24 X24), { "!" } },
	{ "objects of a long line fit one by one", IN("{\"a\":11111}{\"b\":22222}{\"c\":33333}\n{}\n"),
	  { "{\"a\":11111}", "{\"b\":22222}", "{\"c\":33333}", "{}" } },
	{ "a large object before small ones", IN("{\"\":\"" X24 X24 X24 X24 "\"}{\"b\":2}{}"),
	  { "!", "{\"b\":2}", "{}" } },
	{ "a large pretty-printed object", IN("{\n\"a\":1,\n\"b\":1,\n\"c\":1,\n\"d\":{\n\"e\":1\n}\n}\n{}\n"),
	  { "!", "{}" } },
	{ "a large broken object ends at its line end", IN("{\"\":\"" X24 X24 X24 "\n{}\n"), { "!", "{}" } },
	{ "a large first line that ends with a brace", IN("{\"\":\"" X24 X24 "\",\"b\":{} \n{}\n"),
	  { "!", "{}" } },
	{ "a large object, then NUL", IN("{\"\":[" X24 X24 "\0{}\n"), { "!", "{}" } },
	{ "a large element of an array", IN("[{},{\"\":\"" X24 X24 "\"},{\"b\":1}]{}"),
	  { "{}", "!", "{\"b\":1}", "{}" } },
	{ "a large scalar of an array", IN("[{},\"" X24 X24 "\",{\"b\":1}]"), { "{}", "!", "{\"b\":1}" } },
	{ "a large object and one broken", IN("{\"\":[" X24 X24 ",\n1,\n{\"b\":1}]\n<1>\n{}"),
	  { "!", "<1>", "{}" } },
	{ "two large ones, two errors", IN(X24 "x\n{\"\":\"" X24 X24 "\"}\n26 {" X24 "}{}"),
	  { "!", "!", "!", "{}" } },
};
/* clang-format on */

struct foreign_row {
	const char *name;
	struct sq_sv in;
	size_t decided; /* bytes after which it is known */
	enum sq_frame_foreign want;
};

static struct foreign_row foreign[] = {
	{ "TLS", IN("\x16\x03\x01\x02"), 2, SQ_FRAME_TLS },
	{ "Beats, version 2", IN("2W\0\0\0\x0a"), 2, SQ_FRAME_LUMBERJACK },
	{ "Beats, version 1", IN("1D\0\0\0\x01"), 2, SQ_FRAME_LUMBERJACK },
	{ "Beats, compressed", IN("2C\0\0"), 2, SQ_FRAME_LUMBERJACK },
	{ "Beats, JSON", IN("2J\0\0"), 2, SQ_FRAME_LUMBERJACK },
	{ "HTTP GET", IN("GET / HTTP/1.1\r\n"), 4, SQ_FRAME_HTTP },
	{ "HTTP POST", IN("POST /x HTTP/1.1\r\n"), 5, SQ_FRAME_HTTP },
	{ "HTTP PUT", IN("PUT /x HTTP/1.1\r\n"), 4, SQ_FRAME_HTTP },
	{ "HTTP HEAD", IN("HEAD / HTTP/1.1\r\n"), 5, SQ_FRAME_HTTP },
	{ "HTTP OPTIONS", IN("OPTIONS * HTTP/1.1\r\n"), 8, SQ_FRAME_HTTP },
	{ "UTF-16, little endian", IN("\xff\xfe{\0"), 2, SQ_FRAME_UTF16 },
	{ "UTF-16, big endian", IN("\xfe\xff\0{"), 2, SQ_FRAME_UTF16 },
	{ "an octet count that begins with 2", IN("25 <13>"), SIZE_MAX, SQ_FRAME_OURS },
	{ "another version of nothing", IN("3W\0\0"), SIZE_MAX, SQ_FRAME_OURS },
	{ "a TLS record that is no handshake", IN("\x17\x03\x01"), SIZE_MAX, SQ_FRAME_OURS },
	{ "a word that begins like a verb", IN("GETTING on\n"), SIZE_MAX, SQ_FRAME_OURS },
	{ "a verb alone", IN("GET\n"), SIZE_MAX, SQ_FRAME_OURS },
};

static void check_foreign(void **state)
{
	const struct foreign_row *row = *state;
	struct sq_frame f = sq_frame_of(MAX_RECORD);
	struct sq_sv rec = SQ_SV("untouched");
	size_t used = 0, taken = 0;

	for (size_t n = 0; n <= row->in.n; n++) {
		char *copy = exact(row->in.p + taken, n - taken);
		int r = sq_frame_next(&f, (struct sq_sv){ copy, n - taken }, false, &used, &rec);

		taken += used;
		free(copy);
		if (n >= row->decided) {
			assert_int_equal(r, -EPROTO);
			assert_int_equal(f.foreign, row->want);
			assert_int_equal(taken, 0);
		} else {
			assert_int_not_equal(r, -EPROTO);
			assert_int_equal(f.foreign, SQ_FRAME_OURS);
		}
	}
}

static void check_verb_at_eof(void **state)
{
	struct sq_frame f = sq_frame_of(MAX_RECORD);
	struct sq_sv rec;
	size_t used;

	(void)state;
	assert_int_equal(sq_frame_next(&f, SQ_SV("POS"), true, &used, &rec), 1);
	assert_sv_equal(rec, SQ_SV("POS"));
	assert_int_equal(used, 3);
}

static void check_one_record_for_a_whole_line(void **state)
{
	struct sq_frame f = sq_frame_of(MAX_RECORD);
	struct sq_sv rec;
	size_t used;

	(void)state;
	assert_int_equal(sq_frame_next(&f, SQ_SV("{}{\"a\":1} \r\n{}\n"), false, &used, &rec), 1);
	assert_sv_equal(rec, SQ_SV("{}{\"a\":1}"));
	assert_int_equal(used, 12);
}

struct value_row {
	const char *name;
	struct sq_sv in;
	size_t want;
};

static struct value_row values[] = {
	{ "object", IN("{\"a\":[1,{}]} x"), 12 },
	{ "array", IN("[1,[2]]]"), 7 },
	{ "quotes", IN("{\"a\\\"}\":\"]\"}"), 12 },
	{ "over lines", IN("{\n\"a\"\n:\n1\n}"), 11 },
	{ "not closed", IN("{\"a\":[1,{}]"), 0 },
	{ "string not closed", IN("{\"a"), 0 },
	{ "line end in a string", IN("{\"a\n\"}"), 0 },
	{ "no value", IN("x{}"), 0 },
	{ "blank first", IN(" {}"), 0 },
	{ "nothing", IN(""), 0 },
};

static void check_value(void **state)
{
	const struct value_row *row = *state;
	char *copy = exact(row->in.p, row->in.n);

	assert_int_equal(sq_frame_value_length((struct sq_sv){ copy, row->in.n }), row->want);
	free(copy);
}

static void check_deep(void **state)
{
	enum { DEPTH = 100000 };
	char *p = malloc(2 * DEPTH);

	(void)state;
	for (size_t i = 0; i < DEPTH; i++) {
		p[i] = i % 2 ? '{' : '[';
		p[2 * DEPTH - 1 - i] = i % 2 ? '}' : ']';
	}
	assert_int_equal(sq_frame_value_length((struct sq_sv){ p, 2 * DEPTH }), 2 * DEPTH);
	assert_int_equal(sq_frame_value_length((struct sq_sv){ p, 2 * DEPTH - 1 }), 0);
	free(p);
}

/* What is slow here when something is searched twice: it would take minutes. */
struct pile_row {
	const char *name;
	struct sq_sv begin, each, end;
	size_t step; /* bytes that arrive at once */
	size_t want;
};

enum { PILE = 400000 };

static struct pile_row piles[] = {
	{ "objects without separators", IN(""), IN("{}"), IN(""), 4 * PILE, PILE },
	{ "objects on one line that ends with text", IN(""), IN("{}"), IN("x\n"), 4 * PILE,
	  PILE + 1 },
	{ "objects before many blanks", IN(""), IN("{} "), IN("\n"), 4 * PILE, 1 },
	{ "records that end in NUL", IN(""), IN("<1>\0"), IN(""), 4 * PILE, PILE },
	{ "one string, byte by byte", IN("{\"a\":\""), IN("x"), IN("\"}"), 1, 1 },
	{ "one line, byte by byte", IN("<1>"), IN("x"), IN("\n"), 1, 1 },
	{ "one pretty-printed object, byte by byte", IN("{\"a\":["), IN("1,\n"), IN("1]}"), 1, 1 },
	{ "one array, byte by byte", IN("[{}"), IN(",{}"), IN("]"), 1, PILE + 1 },
	{ "blanks, byte by byte", IN(""), IN(" "), IN("{}"), 1, 1 },
};

static void check_pile(void **state)
{
	const struct pile_row *row = *state;
	size_t n = row->begin.n + PILE * row->each.n + row->end.n, got = 0, at = 0, have = 0, used;
	struct sq_frame f = sq_frame_of(4 * PILE);
	char *p = malloc(n), *to = p;
	struct sq_sv rec;
	int r;

	memcpy(to, row->begin.p, row->begin.n);
	to += row->begin.n;
	for (size_t i = 0; i < PILE; i++, to += row->each.n)
		memcpy(to, row->each.p, row->each.n);
	memcpy(to, row->end.p, row->end.n);
	while (have < n) {
		have = have + row->step < n ? have + row->step : n;
		do {
			r = sq_frame_next(&f, (struct sq_sv){ p + at, have - at }, false, &used,
			                  &rec);
			assert_true(r >= 0);
			at += used;
			got += r == 1;
		} while (r);
	}
	assert_int_equal(got, row->want);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_verb_at_eof),
		cmocka_unit_test(check_one_record_for_a_whole_line),
		cmocka_unit_test(check_deep),
	};

	return RUN_TABLE("frame/lines", lines, check_row) +
	       RUN_TABLE("frame/json", json, check_row) +
	       RUN_TABLE("frame/broken", broken, check_row) +
	       RUN_TABLE("frame/arrays", arrays, check_row) +
	       RUN_TABLE("frame/octets", octets, check_row) +
	       RUN_TABLE("frame/large", large, check_row) +
	       RUN_TABLE("frame/foreign", foreign, check_foreign) +
	       RUN_TABLE("frame/value", values, check_value) +
	       RUN_TABLE("frame/piles", piles, check_pile) +
	       cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
