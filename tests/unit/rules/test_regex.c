#include "lib/rules/regex.h"

#include <errno.h>

#include "tests/support/test.h"

struct regex_case {
	const char *name;
	const char *pattern;
	unsigned flags;
	const char *text;
	int want;
};

static struct regex_case cases[] = {
	{ "a search is not anchored", "b", 0, "abc", 1 },
	{ "case counts", "B", 0, "abc", 0 },
	{ "flag i folds ASCII", "B", SQ_REGEX_ICASE, "abc", 1 },
	{ "flag i does not fold beyond ASCII", "\xc3\x89", SQ_REGEX_ICASE, "\xc3\xa9", 0 },
	{ "a dot is not a line end", "a.b", 0, "a\nb", 0 },
	{ "a dot is a carriage return", "a.b", 0, "a\rb", 1 },
	{ "flag s lets it be one", "a.b", SQ_REGEX_DOTALL, "a\nb", 1 },
	{ "a hat is the start of the text", "^b", 0, "a\nb", 0 },
	{ "flag m makes it the start of a line", "^b", SQ_REGEX_MULTI, "a\nb", 1 },
	{ "a dollar is also before the last line end", "a$", 0, "a\n", 1 },
	{ "but not before another", "a$", 0, "a\nb", 0 },
	{ "a dot is a byte", "^..$", 0, "\xc3\xa9", 1 },
	{ "empty text may match", "^x*$", 0, "", 1 },
	{ "look-ahead", "a(?=b)", 0, "ab", 1 },
	{ "more groups than we keep", "(a)(b)(c)(d)", 0, "abcd", 1 },
};

static void check_search(void **state)
{
	const struct regex_case *tc = *state;
	struct sq_regex_scratch *s = sq_regex_scratch_new();
	size_t n = strlen(tc->text);
	char *text = exact(tc->text, n);
	struct sq_regex *re;
	struct sq_err err;

	assert_int_equal(sq_regex_new(sq_sv_of(tc->pattern), tc->flags, 1000, &re, &err), 0);
	assert_int_equal(sq_regex_search(re, s, (struct sq_sv){ text, n }), tc->want);
	sq_regex_free(re);
	sq_regex_scratch_free(s);
	free(text);
}

static void says_where_a_pattern_is_wrong(void **state)
{
	struct sq_regex *re = NULL;
	struct sq_err err;

	(void)state;
	assert_int_equal(sq_regex_new(SQ_SV("ab(c"), 0, 1000, &re, &err), -EINVAL);
	assert_non_null(strstr(err.text, "at byte 4"));
	assert_null(re);
}

static void refuses_what_leaves_bytes(void **state)
{
	struct sq_regex *re = NULL;

	(void)state;
	assert_int_equal(sq_regex_new(SQ_SV("(*UTF)a"), 0, 1000, &re, NULL), -EINVAL);
	assert_int_equal(sq_regex_new(SQ_SV("(*UCP)a"), 0, 1000, &re, NULL), -EINVAL);
	assert_null(re);
}

static void refuses_a_pattern_without_end(void **state)
{
	static char huge[70000];
	struct sq_regex *re = NULL;

	(void)state;
	memset(huge, 'a', sizeof(huge));
	assert_int_equal(sq_regex_new((struct sq_sv){ huge, sizeof(huge) }, 0, 1000, &re, NULL),
	                 -EINVAL);
}

static void gives_up_at_the_step_limit(void **state)
{
	struct sq_regex_scratch *s = sq_regex_scratch_new();
	struct sq_regex *re;

	(void)state;
	assert_int_equal(sq_regex_new(SQ_SV("^(a+)+$"), 0, 1000, &re, NULL), 0);
	assert_int_equal(sq_regex_search(re, s, SQ_SV("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!")),
	                 -EOVERFLOW);
	/* The scratch is good for the next search. */
	assert_int_equal(sq_regex_search(re, s, SQ_SV("aaa")), 1);
	sq_regex_free(re);
	sq_regex_scratch_free(s);
}

static void enders_take_null(void **state)
{
	(void)state;
	sq_regex_free(NULL);
	sq_regex_scratch_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_where_a_pattern_is_wrong),
		cmocka_unit_test(refuses_what_leaves_bytes),
		cmocka_unit_test(refuses_a_pattern_without_end),
		cmocka_unit_test(gives_up_at_the_step_limit),
		cmocka_unit_test(enders_take_null),
	};

	return RUN_TABLE("rules/regex search", cases, check_search) +
	       cmocka_run_group_tests_name("rules/regex", tests, NULL, NULL);
}
