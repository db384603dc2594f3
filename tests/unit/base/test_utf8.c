#include "lib/base/utf8.h"

#include "tests/support/test.h"

static void the_least_and_the_most_of_each_length(void **state)
{
	static const struct {
		uint32_t c;
		struct sq_sv want;
	} rows[] = {
		{ 0x0, SQ_SV("\0") },
		{ 0x7f, SQ_SV("\x7f") },
		{ 0x80, SQ_SV("\xc2\x80") },
		{ 0x7ff, SQ_SV("\xdf\xbf") },
		{ 0x800, SQ_SV("\xe0\xa0\x80") },
		{ 0xd800, SQ_SV("\xed\xa0\x80") }, /* half of a pair */
		{ 0xffff, SQ_SV("\xef\xbf\xbf") },
		{ 0x10000, SQ_SV("\xf0\x90\x80\x80") },
		{ 0x10ffff, SQ_SV("\xf4\x8f\xbf\xbf") },
	};

	(void)state;
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		char to[4];
		size_t n = sq_utf8_put(rows[i].c, to);

		assert_sv_equal(((struct sq_sv){ to, n }), rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_and_the_most_of_each_length),
	};

	return cmocka_run_group_tests_name("base/utf8", tests, NULL, NULL);
}
