#include "tests/support/test.h"

#include "lib/derive/encoded.h"

enum { ARENA = 1 << 20 };

#define DIR "ZABpAHIAIABjADoA" /* "dir c:" */

struct row {
	const char *name, *in;
	const char *out[5]; /* up to the first NULL */
};

static void check(void **state)
{
	const struct row *row = *state;
	char *bytes = exact(row->in, strlen(row->in));
	struct sq_sv line = { bytes, strlen(row->in) }, got;
	struct sq_arena arena;

	assert_int_equal(sq_arena_init(&arena, ARENA), 0);
	for (size_t i = 0; row->out[i]; i++) {
		got = sq_encoded_next(&arena, &line);
		assert_int_equal(got.n, strlen(row->out[i]));
		assert_memory_equal(got.p, row->out[i], got.n);
	}
	assert_int_equal(sq_encoded_next(&arena, &line).n, 0);
	assert_int_equal(line.n, 0);
	sq_arena_fini(&arena);
	free(bytes);
}

/* clang-format off */
static struct row rows[] = {
	{ "the whole name", "powershell -EncodedCommand " DIR, { "dir c:" } },
	{ "every beginning of it", "p -e " DIR " -en " DIR " -enC " DIR " -encodedc " DIR,
	  { "dir c:", "dir c:", "dir c:", "dir c:" } },
	{ "its other name", "p -EC " DIR, { "dir c:" } },
	{ "a slash", "p /enc " DIR, { "dir c:" } },
	{ "dashes of other lengths", "p –enc " DIR " —e " DIR " ―e " DIR, { "dir c:", "dir c:", "dir c:" } },
	{ "a hyphen that is none for PowerShell", "p ‐enc " DIR, { NULL } },
	{ "a colon", "p -enc:" DIR, { "dir c:" } },
	{ "quotes, escaped or not", "p \"-enc\" \"" DIR "\" -e \\\"" DIR "\\\" -e '" DIR "'", { "dir c:", "dir c:", "dir c:" } },
	{ "a list of arguments", "saps p -Args '-enc','" DIR "'", { "dir c:" } },
	{ "carets and quotes within", "p -e ZABp^AHI\"\"AIABjADoA", { "dir c:" } },
	{ "blanks within quotes", "p -e \"ZABp AHI\tAIABjADoA\"", { "dir c:" } },
	{ "blanks without", "p -e ZABpAHIA IABjADoA", { NULL } },
	{ "padding, and none", "p -e ZABpAHIAIABjAA== -e ZABpAHIAIABjAA", { "dir c", "dir c" } },
	{ "a part of it, cut off", "p -e ZABpAHIAIABj", { "dir " } },
	{ "letters of all lengths", "p -e YQDpAKwgPdgA3mIAYwBkAA==", { "aé€😀bcd" } },
	{ "half a pair, and a nought", "p -e YQBiAD3YYwAAAGQA", { "abcd" } },
	{ "another option", "p -ExecutionPolicy AllSignedAndMore -EncodedArguments " DIR, { NULL } },
	{ "a word that has its letters", "p x-enc " DIR, { NULL } },
	{ "no value", "p -enc", { NULL } },
	{ "a value behind none", "p -enc -e " DIR, { "dir c:" } },
	{ "a word", "p -e remotesigned", { NULL } },
	{ "Base64 of another text", "p -e cmVnc3ZyMzIgL3MgYS5kbGw=", { NULL } },
	{ "too short", "p -e ZABpAA", { NULL } },
	{ "nothing", "", { NULL } },
};
/* clang-format on */

/* Options that stand in a value take no more time for it. */
static void many_options_take_linear_time(void **state SQ_UNUSED)
{
	enum { N = 1 << 20 };
	char *text = malloc(N);
	struct sq_sv line = { text, N };
	struct sq_arena arena;

	assert_non_null(text);
	assert_int_equal(sq_arena_init(&arena, ARENA), 0);
	for (size_t i = 0; i < N; i++)
		text[i] = "/e \"AAAA "[i % 9];
	assert_int_equal(sq_encoded_next(&arena, &line).n, 0);
	sq_arena_fini(&arena);
	free(text);
}

/* No command line is longer than 32 Ki characters: what lies beyond is not decoded, and what
 * follows the value is read on. */
static void a_value_is_bounded(void **state SQ_UNUSED)
{
	enum { DIGITS = 96 << 10 };
	char *text = malloc(DIGITS + 64);
	struct sq_sv line, got;
	struct sq_arena arena;

	assert_non_null(text);
	assert_int_equal(sq_arena_init(&arena, ARENA), 0);
	memcpy(text, "-e ", 3);
	for (size_t i = 0; i < DIGITS; i++) /* "xxx" is eight digits */
		text[3 + i] = "eAB4AHgA"[i % 8];
	memcpy(text + 3 + DIGITS, " -e " DIR, strlen(" -e " DIR));
	line = (struct sq_sv){ text, 3 + DIGITS + strlen(" -e " DIR) };
	got = sq_encoded_next(&arena, &line);
	assert_int_equal(got.n, (32 << 10) / 8 * 3);
	assert_true(sq_sv_eq(sq_encoded_next(&arena, &line), SQ_SV("dir c:")));
	sq_arena_fini(&arena);
	free(text);
}

static void a_full_arena_gives_nothing(void **state SQ_UNUSED)
{
	struct sq_sv line = SQ_SV("p -e " DIR);
	struct sq_arena arena;

	assert_int_equal(sq_arena_init(&arena, 8), 0);
	assert_int_equal(sq_encoded_next(&arena, &line).n, 0);
	assert_int_equal(line.n, 0);
	sq_arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(many_options_take_linear_time),
		cmocka_unit_test(a_value_is_bounded),
		cmocka_unit_test(a_full_arena_gives_nothing),
	};

	return RUN_TABLE("derive/encoded", rows, check) +
	       cmocka_run_group_tests_name("derive/encoded bounds", others, NULL, NULL);
}
