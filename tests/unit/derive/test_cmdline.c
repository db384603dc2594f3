#include "tests/support/test.h"

#include "lib/derive/cmdline.h"
#include "lib/derive/fold.h"

enum { ARENA = 1 << 18 };

#define BIT(t) SQ_TRICK_BIT(SQ_TRICK_##t)

struct row {
	const char *name, *in;
	const char *argv0;   /* "" when there is none */
	const char *args[8]; /* up to the first NULL */
	uint32_t tricks;
	const char *image;
};

static void check(void **state)
{
	const struct row *row = *state;
	struct sq_sv in = sq_sv_of(row->in);
	char *copy = exact(in.p, in.n), joined[256];
	struct sq_arena arena;
	struct sq_cmdline got;
	size_t n = 0, len = 0;

	assert_int_equal(sq_arena_init(&arena, ARENA), 0);
	assert_true(sq_cmdline_split(&arena, (struct sq_sv){ copy, in.n },
	                             sq_sv_of(row->image ? row->image : ""), &got));
	free(copy);
	assert_sv_equal(got.argv0, sq_sv_of(row->argv0));
	len = (size_t)snprintf(joined, sizeof(joined), "%s", row->argv0);
	for (; n < SQ_LEN(row->args) && row->args[n]; n++) {
		assert_true(n < got.n);
		assert_sv_equal(got.args[n], sq_sv_of(row->args[n]));
		len += (size_t)snprintf(joined + len, sizeof(joined) - len, "%s%s", len ? " " : "",
		                        row->args[n]);
	}
	assert_int_equal(got.n, n);
	if (in.n)
		assert_sv_equal(got.joined, ((struct sq_sv){ joined, len }));
	if (got.tricks != row->tricks)
		fail_msg("%s: tricks %#x, want %#x", row->in, got.tricks, row->tricks);
	sq_arena_fini(&arena);
}

/* clang-format off */
static struct row rows[] = {
	{ "an empty line has nothing", "", "", { 0 }, 0, 0 },
	{ "blanks alone have nothing", " \t ", "", { 0 }, 0, "a.exe" },
	{ "blanks and tabs separate, runs count once", "a  b\t\tc \t", "a", { "b", "c" }, 0, 0 },
	{ "a no-break space, CR and LF do not separate", "a b\rc\nd", "a", { "b\rc\nd" }, 0, 0 },
	/* The examples of Microsoft's documentation of the C runtime. */
	{ "documented: quotes around blanks", "p \"a b c\" d e", "p", { "a b c", "d", "e" }, 0, 0 },
	{ "documented: an escaped quote, then a backslash pair", "p \"ab\\\"c\" \"\\\\\" d", "p", { "ab\"c", "\\", "d" }, 0, 0 },
	{ "documented: backslashes before letters", "p a\\\\\\b d\"e f\"g h", "p", { "a\\\\\\b", "de fg", "h" }, BIT(SPLIT_QUOTES), 0 },
	{ "documented: three backslashes and a quote", "p a\\\\\\\"b c d", "p", { "a\\\"b", "c", "d" }, 0, 0 },
	{ "documented: four backslashes and a quote", "p a\\\\\\\\\"b c\" d e", "p", { "a\\\\b c", "d", "e" }, 0, 0 },
	{ "documented: two quotes within quotes are one", "p a\"b\"\" c d", "p", { "ab\" c d" }, BIT(SPLIT_QUOTES), 0 },
	{ "documented: three quotes", "p \"\"\"CallMeIshmael\"\"\"", "p", { "\"CallMeIshmael\"" }, 0, 0 },
	{ "empty arguments are arguments", "p \"\" x \"\"", "p", { "", "x", "" }, 0, 0 },
	{ "a backslash before the closing quote goes on", "p \"c:\\x\\\" /s y", "p", { "c:\\x\" /s y" }, 0, 0 },
	{ "an open quote runs to the end", "p \"a b", "p", { "a b" }, 0, 0 },
	{ "backslashes at the end stay", "p a\\\\", "p", { "a\\\\" }, 0, 0 },
	{ "a quoted program knows no escapes", "\"c:\\a b\\\" /s", "c:\\a b\\", { "/s" }, 0, 0 },
	{ "quotes within a program's name", "reg\"svr\"32 x", "regsvr32", { "x" }, BIT(SPLIT_QUOTES), 0 },
	{ "the program ends where a switch follows its quote", "\"c:\\regsvr32\"/s/u x", "c:\\regsvr32", { "/s/u", "x" }, 0, 0 },
	{ "a program quoted in parts goes on", "\"c:\\program files\"\\a.exe x", "c:\\program files\\a.exe", { "x" }, 0, 0 },
	{ "program alone", "\"regsvr32.exe\"", "regsvr32.exe", { 0 }, 0, 0 },
	{ "a lone quote is an empty program", "\"", "", { 0 }, 0, 0 },
	{ "a switch first: arguments only", "/u /s /i:http://h/a scrobj.dll", "", { "/u", "/s", "/i:http://h/a", "scrobj.dll" }, BIT(NO_ARGV0), "regsvr32.exe" },
	{ "a dash first: arguments only", "-s x", "", { "-s", "x" }, BIT(NO_ARGV0), 0 },
	{ "a quoted switch first: arguments only", "\"/s\" x", "", { "/s", "x" }, BIT(NO_ARGV0), 0 },
	{ "a blank first: arguments only", " /s c:\\x.dll", "", { "/s", "c:\\x.dll" }, BIT(NO_ARGV0), "regsvr32.exe" },
	{ "a blank first and no switch: arguments only", " x.dll", "", { "x.dll" }, BIT(NO_ARGV0), "regsvr32.exe" },
	{ "a blank and then the program itself", "  \"C:\\Windows\\regsvr32\" /s x", "C:\\Windows\\regsvr32", { "/s", "x" }, 0, "REGSVR32.EXE" },
	{ "a blank first and arguments by their own rule", " \"a\\\"b\" c", "", { "a\"b", "c" }, BIT(NO_ARGV0), "regsvr32.exe" },
	{ "every argument quoted is no trick", "\"regsvr32\" \"/s\" \"/i:http://h\" \"scrobj.dll\"", "regsvr32", { "/s", "/i:http://h", "scrobj.dll" }, 0, 0 },
	{ "a quoted value is no trick", "r /i:\"C:\\Program Files\\x\" a=\"b c\" \"C:\\Program Files\"\\x.dll", "r", { "/i:C:\\Program Files\\x", "a=b c", "C:\\Program Files\\x.dll" }, 0, 0 },
	{ "quotes around a switch's letter", "r /\"i\":http", "r", { "/i:http" }, BIT(SPLIT_QUOTES), 0 },
	{ "quotes around the switch before its colon", "r \"/i\":http", "r", { "/i:http" }, BIT(SPLIT_QUOTES), 0 },
	{ "quotes within a scheme", "r /i:\"h\"t\"t\"p://h", "r", { "/i:http://h" }, BIT(SPLIT_QUOTES), 0 },
	{ "quotes within a library's name", "r scr\"obj\".dll", "r", { "scrobj.dll" }, BIT(SPLIT_QUOTES), 0 },
	{ "an empty pair of quotes within a word", "r scr\"\"obj", "r", { "scrobj" }, BIT(SPLIT_QUOTES), 0 },
	{ "quotes within folders", "r C:\\Us\"er\"s\\a.dll", "r", { "C:\\Users\\a.dll" }, BIT(SPLIT_QUOTES), 0 },
};

static struct row plain_rows[] = {
	{ "plain text stays", "cmd /c dir", "cmd /c dir", { 0 }, 0, 0 },
	{ "blanks are one, none at the ends", "  cmd \t /c   dir  ", "cmd /c dir", { 0 }, 0, 0 },
	{ "nothing", "", "", { 0 }, 0, 0 },
	{ "only what goes", "^\"^ \"", "", { 0 }, 0, 0 },
	{ "carets in words", "cmd /c re^gs^vr32 /i:ht^tp://h scr^obj.dll", "cmd /c regsvr32 /i:http://h scrobj.dll", { 0 }, BIT(CARET), 0 },
	{ "carets before switches", "echo regsvr32 ^/s ^/u", "echo regsvr32 /s /u", { 0 }, BIT(CARET), 0 },
	{ "carets in front of words", "cmd /c ^scrobj.dll", "cmd /c scrobj.dll", { 0 }, BIT(CARET), 0 },
	{ "carets in words within quotes, for the inner shell", "cmd /c \"r^e^g /s\"", "cmd /c reg /s", { 0 }, BIT(CARET), 0 },
	{ "doubled carets", "re^^g", "reg", { 0 }, BIT(CARET), 0 },
	{ "escaped operators are no trick", "echo a ^& b ^> c ^| d", "echo a & b > c | d", { 0 }, 0, 0 },
	{ "a quoted expression of findstr is no trick", "findstr \"^abc\" x", "findstr abc x", { 0 }, 0, 0 },
	{ "quotes in words", "cmd /c reg\"svr\"32", "cmd /c regsvr32", { 0 }, 0, 0 },
	{ "a part of a variable", "cmd /c %COMSPEC:~-16,1%egsvr32", "cmd /c %COMSPEC:~-16,1%egsvr32", { 0 }, BIT(VARIABLE), 0 },
	{ "a replacement in a variable", "cmd /c %a:x=r%egsvr32", "cmd /c %a:x=r%egsvr32", { 0 }, BIT(VARIABLE), 0 },
	{ "delayed expansion of a part", "cmd /v:on /c !a:~0,3!", "cmd /v:on /c !a:~0,3!", { 0 }, BIT(VARIABLE), 0 },
	{ "whole variables and loops are no trick", "for %%i in (%TEMP%\\*) do %~dp0 x%i: 50% a", "for %%i in (%TEMP%\\*) do %~dp0 x%i: 50% a", { 0 }, 0, 0 },
	{ "a drive after a variable is no trick", "set a=%b%:c=d", "set a=%b%:c=d", { 0 }, 0, 0 },
};
/* clang-format on */

static void check_plain(void **state)
{
	const struct row *row = *state;
	struct sq_sv in = sq_sv_of(row->in), got;
	char *copy = exact(in.p, in.n);
	struct sq_arena arena;
	uint32_t tricks = 0;

	assert_int_equal(sq_arena_init(&arena, ARENA), 0);
	got = sq_cmdline_plain(&arena, (struct sq_sv){ copy, in.n }, &tricks);
	assert_sv_equal(got, sq_sv_of(row->argv0));
	if (tricks != row->tricks)
		fail_msg("%s: tricks %#x, want %#x", row->in, tricks, row->tricks);
	got = sq_cmdline_plain(&arena, sq_sv_of(row->argv0), NULL);
	assert_sv_equal(got, sq_sv_of(row->argv0));
	free(copy);
	sq_arena_fini(&arena);
}

static void test_too_many_arguments_stay_in_the_last(void **state)
{
	enum { WORDS = SQ_CMDLINE_MAX + 50 };
	struct sq_arena arena;
	struct sq_cmdline got;
	char line[WORDS * 2];

	(void)state;
	assert_int_equal(sq_arena_init(&arena, ARENA), 0);
	for (size_t i = 0; i < WORDS; i++) {
		line[i * 2] = i == WORDS - 1 ? 'z' : 'a';
		line[i * 2 + 1] = ' ';
	}
	assert_true(
		sq_cmdline_split(&arena, (struct sq_sv){ line, sizeof(line) }, SQ_SV(""), &got));
	assert_int_equal(got.n, SQ_CMDLINE_MAX); /* and the program */
	assert_int_equal(got.args[got.n - 1].n, (WORDS - SQ_CMDLINE_MAX - 1) * 2 + 1);
	assert_true(sq_sv_ends(got.args[got.n - 1], SQ_SV("a z")));
	assert_int_equal(got.joined.n, sizeof(line) - 1);
	assert_int_equal(got.tricks, BIT(MANY_ARGUMENTS));

	/* Exactly as many as there may be, with a program and without. */
	assert_true(sq_cmdline_split(&arena, (struct sq_sv){ line, (SQ_CMDLINE_MAX + 1) * 2 },
	                             SQ_SV(""), &got));
	assert_int_equal(got.n, SQ_CMDLINE_MAX);
	assert_int_equal(got.args[got.n - 1].n, 1);
	assert_int_equal(got.tricks, 0);
	line[0] = '-';
	assert_true(sq_cmdline_split(&arena, (struct sq_sv){ line, SQ_CMDLINE_MAX * 2 }, SQ_SV(""),
	                             &got));
	assert_int_equal(got.n, SQ_CMDLINE_MAX);
	assert_int_equal(got.tricks, BIT(NO_ARGV0));
	assert_true(sq_cmdline_split(&arena, (struct sq_sv){ line, (SQ_CMDLINE_MAX + 1) * 2 },
	                             SQ_SV(""), &got));
	assert_int_equal(got.n, SQ_CMDLINE_MAX);
	assert_sv_equal(got.args[got.n - 1], SQ_SV("a a"));
	assert_int_equal(got.tricks, BIT(NO_ARGV0) | BIT(MANY_ARGUMENTS));
	sq_arena_fini(&arena);
}

static void test_a_full_arena_gives_the_line(void **state)
{
	struct sq_arena arena;
	struct sq_cmdline got;

	(void)state;
	for (size_t cap = 0; cap < 24; cap++) {
		assert_int_equal(sq_arena_init(&arena, cap), 0);
		if (!sq_cmdline_split(&arena, SQ_SV("a b c"), SQ_SV(""), &got)) {
			assert_sv_equal(got.joined, SQ_SV("a b c"));
			assert_int_equal(got.n, 0);
		}
		if (cap < 5)
			assert_sv_equal(sq_cmdline_plain(&arena, SQ_SV("a b^c"), NULL),
			                SQ_SV("a b^c"));
		sq_arena_fini(&arena);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_too_many_arguments_stay_in_the_last),
		cmocka_unit_test(test_a_full_arena_gives_the_line),
	};

	return RUN_TABLE("split", rows, check) + RUN_TABLE("plain", plain_rows, check_plain) +
	       cmocka_run_group_tests(tests, NULL, NULL);
}
