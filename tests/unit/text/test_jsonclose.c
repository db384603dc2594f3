#include "lib/text/jsonclose.h"
#include "tests/support/test.h"

#include "lib/text/json.h"

struct close_case {
	const char *name;
	const char *cut;
	const char *want; /* NULL: nothing can be done */
};

/* clang-format off */
static struct close_case cases[] = {
	{ "in a value", "{\"a\":\"b", "{\"a\":\"b\"}" },
	{ "before a value", "{\"a\":", "{\"a\":null}" },
	{ "in a key", "{\"a\":1,\"b", "{\"a\":1,\"b\":null}" },
	{ "after a key", "{\"a\"", "{\"a\":null}" },
	{ "after a comma", "{\"a\":1,", "{\"a\":1,\"\":null}" },
	{ "after the first brace", "{", "{\"\":null}" },
	{ "after a value", "{\"a\":\"b\"", "{\"a\":\"b\"}" },
	{ "a number may have gone on", "{\"a\":12", "{\"a\":null}" },
	{ "a blank behind it says that it did not", "{\"a\":12 ", "{\"a\":12 }" },
	{ "in a word", "{\"a\":[tr", "{\"a\":[null]}" },
	{ "in an array", "{\"a\":[{\"b\":[1,", "{\"a\":[{\"b\":[1,null]}]}" },
	{ "after a backslash", "{\"a\":\"b\\", "{\"a\":\"b\"}" },
	{ "in an escape", "{\"a\":\"b\\u00", "{\"a\":\"b\"}" },
	{ "after an escape", "{\"a\":\"b\\\"", "{\"a\":\"b\\\"\"}" },
	{ "brackets in strings are none", "{\"}]\":\"{[", "{\"}]\":\"{[\"}" },
	{ "whole", "{\"a\":1}", NULL },
	{ "whole with more behind", "{}{\"a\":", NULL },
	{ "nothing", "", NULL },
	{ "no brackets", "abc", NULL },
};
/* clang-format on */

static void check_close(void **state)
{
	const struct close_case *tc = *state;
	size_t n = strlen(tc->cut), got;
	char *cut = exact(tc->cut, n), *to = malloc(n + SQ_JSON_CLOSE_MORE);

	assert_non_null(to);
	got = sq_json_close((struct sq_sv){ cut, n }, to);
	if (tc->want)
		assert_sv_equal(((struct sq_sv){ to, got }), sq_sv_of(tc->want));
	else
		assert_int_equal(got, 0);
	free(cut);
	free(to);
}

static bool take_bracket(void *ctx SQ_UNUSED, bool array SQ_UNUSED)
{
	return true;
}

static bool take_key(void *ctx SQ_UNUSED, struct sq_sv key SQ_UNUSED)
{
	return true;
}

static bool take_scalar(void *ctx SQ_UNUSED, enum sq_json_kind kind SQ_UNUSED,
                        struct sq_sv text SQ_UNUSED, bool stays SQ_UNUSED)
{
	return true;
}

static void every_beginning_of_a_record_becomes_json(void **state SQ_UNUSED)
{
	static const char record[] =
		"{ \"a\" : {\"b\":[1, -2.5e3,{\"c\":null}, [], {}],\"d\\\"\\u0041\":\"x\\\\\\ny\"} ,"
		"\r\n\"e\":true, \"f\" :\"\\ud83d\\ude00 \xc3\xa4\", \"g\":[\"h\",false]}";
	const struct sq_json_sink sink = {
		.begin = take_bracket, .end = take_bracket, .key = take_key, .scalar = take_scalar
	};
	struct sq_json *js = sq_json_new(&sink, NULL, &(struct sq_json_limits){ 64, 1000 });

	assert_non_null(js);
	for (size_t n = 1; n < sizeof(record) - 1; n++) {
		char *cut = exact(record, n), *to = malloc(n + SQ_JSON_CLOSE_MORE);
		size_t used, got;

		assert_non_null(to);
		assert_int_not_equal(sq_json_read(js, (struct sq_sv){ cut, n }, &used), 0);
		assert_true(sq_json_was_cut(js));
		got = sq_json_close((struct sq_sv){ cut, n }, to);
		assert_true(got > 0);
		if (sq_json_read(js, (struct sq_sv){ to, got }, &used) < 0)
			fail_msg("cut at %zu: %.*s: %s", n, (int)got, to, sq_json_why(js));
		assert_int_equal(used, got);
		assert_false(sq_json_was_cut(js));
		free(cut);
		free(to);
	}
	sq_json_free(js);
}

static void brackets_without_end_are_given_up(void **state SQ_UNUSED)
{
	char cut[300], to[300 + SQ_JSON_CLOSE_MORE];

	memset(cut, '[', sizeof(cut));
	assert_int_equal(sq_json_close((struct sq_sv){ cut, 256 }, to), 256 + 4 + 256);
	assert_int_equal(sq_json_close((struct sq_sv){ cut, 257 }, to), 0);
}

int main(void)
{
	struct CMUnitTest tests[SQ_LEN(cases)];
	const struct CMUnitTest others[] = {
		cmocka_unit_test(every_beginning_of_a_record_becomes_json),
		cmocka_unit_test(brackets_without_end_are_given_up),
	};

	for (size_t i = 0; i < SQ_LEN(cases); i++)
		tests[i] = (struct CMUnitTest){ cases[i].name, check_close, NULL, NULL, &cases[i] };
	return cmocka_run_group_tests_name("jsonclose/cases", tests, NULL, NULL) +
	       cmocka_run_group_tests_name("jsonclose", others, NULL, NULL);
}
