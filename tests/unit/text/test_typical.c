/* What stands in Windows events. */
#include "tests/support/test.h"

#include "lib/text/typical.h"

static void the_text_is_as_long_as_it_says_and_in_lower_case(void **state)
{
	(void)state;
	assert_int_equal(strlen(sq_typical_text), SQ_TYPICAL_TEXT);
	for (size_t i = 0; i < SQ_TYPICAL_TEXT; i++)
		assert_false(sq_typical_text[i] >= 'A' && sq_typical_text[i] <= 'Z');
}

static void pieces_of_that_text_are_frequent(void **state)
{
	static const struct {
		const char *often, *rare;
	} rows[] = {
		{ "trol", "rtlo" }, /* currentcontrolset */
		{ "prov", "cimp" }, /* register-cimprovider, and providerguid */
		{ "hell", "gsvr" },
		{ "\"eve", "{~`^" },
	};
	struct sq_typical t;

	(void)state;
	sq_typical_init(&t);
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		double often = sq_typical_gram(&t, rows[i].often);

		assert_true(often > 1.0 / SQ_TYPICAL_TEXT && often < 0.1);
		if (often < 5 * sq_typical_gram(&t, rows[i].rare))
			fail_msg("%s and %s", rows[i].often, rows[i].rare);
	}
	assert_true(sq_typical_char('a') > sq_typical_char('j'));
	assert_true(sq_typical_char(0xff) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_is_as_long_as_it_says_and_in_lower_case),
		cmocka_unit_test(pieces_of_that_text_are_frequent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
