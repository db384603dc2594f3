#include "tests/support/test.h"

#include "lib/derive/fold.h"

enum { ARENA = 1 << 16 };

#define BIT(t) SQ_TRICK_BIT(SQ_TRICK_##t)

struct row {
	const char *name, *in, *want;
	uint32_t tricks;
};

static struct sq_folded fold_exact(struct sq_arena *arena, struct sq_sv in, bool with_offsets)
{
	char *copy = exact(in.p, in.n);
	struct sq_folded ret;

	sq_arena_reset(arena);
	assert_true(sq_fold_text(arena, (struct sq_sv){ copy, in.n }, with_offsets, &ret));
	assert_true(ret.text.n <= in.n);
	if (in.n == 0)
		ret.text = SQ_SV("");
	free(copy);
	return ret;
}

static void check(void **state)
{
	const struct row *row = *state;
	struct sq_arena arena;
	struct sq_folded got;
	char *once;

	assert_int_equal(sq_arena_init(&arena, ARENA), 0);
	got = fold_exact(&arena, sq_sv_of(row->in), true);
	assert_sv_equal(got.text, sq_sv_of(row->want));
	if (got.tricks != row->tricks)
		fail_msg("%s: tricks %#x, want %#x", row->in, got.tricks, row->tricks);

	once = exact(got.text.p, got.text.n);
	got = fold_exact(&arena, sq_sv_of(row->want), false);
	assert_sv_equal(got.text, sq_sv_of(row->want));
	free(once);
	sq_arena_fini(&arena);
}

/* clang-format off */
static struct row rows[] = {
	{ "nothing stays nothing", "", "", 0 },
	{ "ASCII letters become lower case, all else stays",
	  "ReGsVr32.ExE /S /I:hTtP://A_[~]", "regsvr32.exe /s /i:http://a_[~]", 0 },
	{ "a tab is a blank and no trick", "/u\t/i:x", "/u /i:x", 0 },
	{ "line ends are blanks and no trick", "a\r\nb", "a  b", 0 },
	{ "vertical tab and form feed are blanks and a trick", "a\vb\fc", "a b c", BIT(CONTROL_CHARACTER) },
	{ "control characters go", "/s\x01 /u\x7f /i:x", "/s /u /i:x", BIT(CONTROL_CHARACTER) },
	{ "C1 controls go", "/s\xc2\x81", "/s", BIT(CONTROL_CHARACTER) },
	{ "a line end in front of a switch's colon is nothing", "/i\r\n\v:http://h", "/i:http://h", BIT(CONTROL_CHARACTER) },
	{ "a blank in front of a colon stays", "/i :http", "/i :http", 0 },
	{ "a blank before a line end before a colon stays", "/i \n:x", "/i :x", 0 },
	{ "soft hyphen and zero width joiner go", "/s\xc2\xad /u\xe2\x80\x8d x", "/s /u x", BIT(HIDDEN_CHARACTER) },
	{ "word joiner and byte order mark go", "/u\xe2\x81\xa0 /s\xef\xbb\xbf", "/u /s", BIT(HIDDEN_CHARACTER) },
	{ "a direction override goes", "/s\xe2\x80\xae /u", "/s /u", BIT(HIDDEN_CHARACTER) },
	{ "U+200B goes", "scr\xe2\x80\x8bobj", "scrobj", BIT(HIDDEN_CHARACTER) },
	{ "combining grapheme joiner, Mongolian and interlinear marks go", "a\xcd\x8f" "b\xe1\xa0\x8b" "c\xef\xbf\xb0" "d", "abcd", BIT(HIDDEN_CHARACTER) },
	{ "tags beyond the basic plane go", "a\xf3\xa0\x81\xa1z", "az", BIT(HIDDEN_CHARACTER) },
	{ "a variation selector behind an emoji is no trick", "\xe2\x9d\xa4\xef\xb8\x8f.txt", "\xe2\x9d\xa4.txt", 0 },
	{ "a variation selector behind a letter is one", "/s\xef\xb8\x8f", "/s", BIT(HIDDEN_CHARACTER) },
	{ "fullwidth letters and digits are ASCII", "\xef\xbd\x92\xef\xbd\x85\xef\xbd\x87\xef\xbc\xb3\xef\xbd\x96\xef\xbd\x92\xef\xbc\x93\xef\xbc\x92", "regsvr32", BIT(FULLWIDTH) },
	{ "a fullwidth colon is ASCII", "/i\xef\xbc\x9ahttp", "/i:http", BIT(FULLWIDTH) },
	{ "a fullwidth slash begins a switch", "/u \xef\xbc\x8fi:http://h", "/u /i:http://h", BIT(MAPPED_SLASH) },
	{ "a fullwidth slash in a name is a slash and no trick", "c:\\ac\xef\xbc\x8f" "dc", "c:\\ac/dc", 0 },
	{ "a division slash begins a switch", "/u \xe2\x88\x95i:x", "/u /i:x", BIT(MAPPED_SLASH) },
	{ "slash look-alikes after a scheme", "http:\xe2\x81\x84\xe2\xa7\xb8h", "http://h", BIT(MAPPED_SLASH) },
	{ "a fullwidth backslash begins a share", "\xef\xbc\xbc\xef\xbc\xbch\xef\xbc\xbcs", "\\\\h\\s", BIT(MAPPED_SLASH) },
	{ "minus sign, figure dash and hebrew maqaf begin switches", "\xe2\x88\x92i:x \xe2\x80\x92s \xd6\xbeu", "-i:x -s -u", BIT(MAPPED_DASH) },
	{ "a dash in a quoted argument begins a switch", "\"\xe2\x80\x93s\"", "\"-s\"", BIT(MAPPED_DASH) },
	{ "a dash between words is no trick", "report \xe2\x80\x93 final 2019\xe2\x80\x93" "20", "report - final 2019-20", 0 },
	{ "an em dash before a hidden character and a letter", "\xe2\x80\x94\xe2\x80\x8bs", "-s", BIT(MAPPED_DASH) | BIT(HIDDEN_CHARACTER) },
	{ "a modifier letter as switch", "/\xcb\xa2 /u", "/s /u", BIT(LOOK_ALIKE) },
	{ "a modifier letter within a word", "re\xe1\xb5\x8dsvr32", "regsvr32", BIT(LOOK_ALIKE) },
	{ "one Cyrillic letter in a Latin word", "\xd1\x95" "crobj.dll", "scrobj.dll", BIT(LOOK_ALIKE) },
	{ "a Greek letter at the end of the text", "scr\xce\xbf", "scro", BIT(LOOK_ALIKE) },
	{ "capital look-alikes are lower case", "\xd0\xa1:\\\xce\x91", "c:\\a", 0 },
	{ "a Cyrillic name is no trick", "C:\\Users\\\xd0\x98\xd0\xb2\xd0\xb0\xd0\xbd\\x.dll", "c:\\users\\\xd0\x98\xd0\xb2" "a\xd0\xbd\\x.dll", 0 },
	{ "a Cyrillic word of look-alikes beside a Latin extension is no trick", "\xd1\x80\xd0\xbe\xd1\x81.dll", "poc.dll", 0 },
	{ "a mathematical letter", "\xf0\x9d\x90\xab" "egsvr32", "regsvr32", BIT(LOOK_ALIKE) },
	{ "the Kelvin sign is a k", "\xe2\x84\xaa.dll", "k.dll", 0 },
	{ "no-break and ideographic space are blanks", "/s\xc2\xa0/u\xe3\x80\x80/i", "/s /u /i", BIT(UNICODE_BLANK) },
	{ "other alphabets stay", "\xe4\xb8\xad\xe6\x96\x87 \xc3\x84\xc3\xb6 \xc2\xb2", "\xe4\xb8\xad\xe6\x96\x87 \xc3\x84\xc3\xb6 \xc2\xb2", 0 },
	{ "bytes that are no UTF-8 stay", "\xff\xc3(\x80\xe2\x80", "\xff\xc3(\x80\xe2\x80", 0 },
	{ "overlong forms stay", "\xc0\xaf\xe0\x80\xaf", "\xc0\xaf\xe0\x80\xaf", 0 },
	{ "surrogates in UTF-8 stay", "\xed\xa0\x80", "\xed\xa0\x80", 0 },
	{ "a sequence put together by a deleted byte is a sequence", "a\xe2\x80\x01\x8b" "b", "ab", BIT(HIDDEN_CHARACTER) | BIT(CONTROL_CHARACTER) },
	{ "an escape that was left over", "/\\u0069:http", "/i:http", BIT(ESCAPE_LEFT) },
	{ "escapes in capitals", "\\U002Fs\\u002FU", "/s/u", BIT(ESCAPE_LEFT) },
	{ "an escape of a hidden character", "scr\\u200bobj", "scrobj", BIT(ESCAPE_LEFT) | BIT(HIDDEN_CHARACTER) },
	{ "an escape of NUL", "a\\u0000b", "ab", BIT(ESCAPE_LEFT) | BIT(CONTROL_CHARACTER) },
	{ "a hidden character within an escape", "\\u00\xe2\x80\x8b" "69", "i", BIT(ESCAPE_LEFT) | BIT(HIDDEN_CHARACTER) },
	{ "escapes within escapes", "\\u005cu0069", "i", BIT(ESCAPE_LEFT) },
	{ "a folder that looks like an escape of another letter stays", "c:\\uface\\u4e2d", "c:\\uface\\u4e2d", 0 },
	{ "the folder Users is no escape", "C:\\Users\\u00", "c:\\users\\u00", 0 },
	{ "entities that were left over", "&quot;a&amp;b&lt;&gt;&#47;&#x2F;&apos;", "\"a&b<>//'", BIT(ENTITY_LEFT) },
	{ "entities in capitals and with zeros", "&QUOT;&#X0002f;&#0000047;", "\"//", BIT(ENTITY_LEFT) },
	{ "an entity within an entity", "&amp;#47;", "/", BIT(ENTITY_LEFT) },
	{ "an entity of a line end", "a&#10;b", "a b", BIT(ENTITY_LEFT) },
	{ "an ampersand alone stays", "a && b & c;&x;&#;&#x;&;&#zz;&#xfffffff;", "a && b & c;&x;&#;&#x;&;&#zz;&#xfffffff;", 0 },
	{ "an entity of another alphabet stays", "&#x4e2d;", "&#x4e2d;", 0 },
	{ "a query string stays", "http://h/?a=1&lt=2&quot", "http://h/?a=1&lt=2&quot", 0 },
};
/* clang-format on */

static void test_zeros_are_deleted(void **state)
{
	static const char in[] = "a\0b";
	struct sq_arena arena;
	struct sq_folded got;

	(void)state;
	assert_int_equal(sq_arena_init(&arena, ARENA), 0);
	got = fold_exact(&arena, (struct sq_sv){ in, 3 }, false);
	assert_sv_equal(got.text, SQ_SV("ab"));
	assert_int_equal(got.tricks, BIT(CONTROL_CHARACTER));
	sq_arena_fini(&arena);
}

static void test_padding_is_what_separates_nothing(void **state)
{
	struct sq_arena arena;
	struct sq_folded got;
	char in[210];

	(void)state;
	assert_int_equal(sq_arena_init(&arena, ARENA), 0);
	memset(in, ' ', sizeof(in));
	in[0] = 'a';
	in[102] = 'b'; /* 101 blanks in between, of which 100 separate nothing */
	got = fold_exact(&arena, (struct sq_sv){ in, 103 }, false);
	assert_int_equal(got.blanks, 100);
	assert_int_equal(got.tricks, 0);
	assert_int_equal(got.text.n, 103);
	in[102] = '\t';
	in[103] = 'b';
	got = fold_exact(&arena, (struct sq_sv){ in, 104 }, false);
	assert_int_equal(got.blanks, 101);
	assert_int_equal(got.tricks, BIT(PADDING));
	/* Blanks that look different, with nothing between them that shows. */
	got = fold_exact(&arena, SQ_SV("a\xc2\xa0\x01\t b"), false);
	assert_int_equal(got.blanks, 2);
	sq_arena_fini(&arena);
}

static void test_offsets_lead_back_to_the_raw_text(void **state)
{
	static const char in[] = "A \xe2\x80\x8b/\\u0069\xef\xbc\x9ax\r\n:\x01z";
	/*                        01 2           5 6      12          15 16    18 19 20 */
	static const uint32_t want[] = { 0, 1, 5, 6, 12, 15, 18, 20, 21 };
	struct sq_arena arena;
	struct sq_folded got;

	(void)state;
	assert_int_equal(sq_arena_init(&arena, ARENA), 0);
	got = fold_exact(&arena, sq_sv_of(in), true);
	assert_sv_equal(got.text, SQ_SV("a /i:x:z"));
	assert_int_equal(got.text.n + 1, SQ_LEN(want));
	for (size_t i = 0; i < SQ_LEN(want); i++)
		assert_int_equal(got.offsets[i], want[i]);
	got = fold_exact(&arena, SQ_SV("plain"), true);
	for (uint32_t i = 0; i <= 5; i++)
		assert_int_equal(got.offsets[i], i);
	assert_null(fold_exact(&arena, SQ_SV("plain"), false).offsets);
	sq_arena_fini(&arena);
}

static void test_a_full_arena_leaves_the_text_as_it_is(void **state)
{
	struct sq_arena arena;
	struct sq_folded got;

	(void)state;
	assert_int_equal(sq_arena_init(&arena, 8), 0);
	assert_false(sq_fold_text(&arena, SQ_SV("LONGER THAN THE ARENA"), false, &got));
	assert_sv_equal(got.text, SQ_SV("LONGER THAN THE ARENA"));
	assert_true(arena.overflow);
	sq_arena_fini(&arena);
}

static void test_names_are_there_and_differ(void **state)
{
	(void)state;
	assert_string_equal(sq_trick_name(SQ_TRICK_HIDDEN_CHARACTER), "hidden_character");
	for (int i = 0; i < SQ_TRICK_N; i++) {
		for (int k = 0; k < i; k++)
			assert_string_not_equal(sq_trick_name((enum sq_trick)i),
			                        sq_trick_name((enum sq_trick)k));
	}
	assert_true(SQ_TRICK_N <= 32);
}

/* Pieces of which any order must fold to something that folds to itself. */
static const char *const pieces[] = {
	"a",    "S",    "/",    "-",    " ",    "\t",       "\r",   "\v",       ":",
	"\\",   "\\u",  "u",    "0",    "00",   "2f",       "&",    "#",        "x",
	";",    "amp",  "lt",   "\x01", "\xe2", "\x80",     "\x8b", "\xc2",     "\xa0",
	"\xad", "\xef", "\xbc", "\x8f", "\xf3", "\xa0\x81", "\"",   "\xd1\x95", "005c",
	"&#",   "38;",  "\x7f", "\x9a", "\xb8", "tab",      "\xe3", "\x80\x80",
};

static void test_folding_what_was_folded_changes_nothing(void **state)
{
	struct sq_arena arena;
	uint64_t seed = 7;
	char in[256], once[256];

	(void)state;
	assert_int_equal(sq_arena_init(&arena, ARENA), 0);
	for (int round = 0; round < 200000; round++) {
		struct sq_folded got;
		size_t n = 0, len;

		for (int k = 0; k < 24; k++) {
			const char *piece;

			seed = seed * 6364136223846793005u + 1442695040888963407u;
			piece = pieces[(seed >> 33) % SQ_LEN(pieces)];
			memcpy(in + n, piece, strlen(piece));
			n += strlen(piece);
		}
		sq_arena_reset(&arena);
		assert_true(sq_fold_text(&arena, (struct sq_sv){ in, n }, true, &got));
		for (size_t i = 0; i < got.text.n; i++)
			assert_true(got.offsets[i] < got.offsets[i + 1]);
		assert_int_equal(got.offsets[got.text.n], n);
		len = got.text.n;
		memcpy(once, got.text.p, len);
		assert_true(sq_fold_text(&arena, (struct sq_sv){ once, len }, false, &got));
		assert_sv_equal(got.text, ((struct sq_sv){ once, len }));
		assert_int_equal(got.tricks & ~BIT(PADDING), 0);
	}
	sq_arena_fini(&arena);
}

static void test_the_table_is_in_order(void **state)
{
	(void)state;
	for (uint32_t cp = 0x80; cp < 0x110000; cp++) {
		char to = 0;
		enum sq_fold_class class = sq_fold_class_of(cp, &to);
		bool has_byte = class != SQ_FOLD_KEEP && class != SQ_FOLD_HIDDEN &&
		                class != SQ_FOLD_JOINER && class != SQ_FOLD_CONTROL;

		assert_int_equal(to != 0, has_byte);
		if (has_byte)
			assert_true(to >= ' ' && to < 0x7f && !(to >= 'A' && to <= 'Z'));
	}
	/* Whole ranges of the mapping, at their ends. */
	for (uint32_t cp = 0xff01; cp <= 0xff5e; cp++) {
		char to = 0;

		assert_true(sq_fold_class_of(cp, &to) != SQ_FOLD_KEEP);
		assert_int_equal(to, sq_lower((unsigned char)(cp - 0xfee0)));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zeros_are_deleted),
		cmocka_unit_test(test_padding_is_what_separates_nothing),
		cmocka_unit_test(test_offsets_lead_back_to_the_raw_text),
		cmocka_unit_test(test_a_full_arena_leaves_the_text_as_it_is),
		cmocka_unit_test(test_names_are_there_and_differ),
		cmocka_unit_test(test_folding_what_was_folded_changes_nothing),
		cmocka_unit_test(test_the_table_is_in_order),
	};

	return RUN_TABLE("fold", rows, check) + cmocka_run_group_tests(tests, NULL, NULL);
}
