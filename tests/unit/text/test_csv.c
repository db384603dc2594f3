#include "lib/base/outbuf.h"
#include "lib/text/csv.h"
#include "tests/support/test.h"

struct csv_case {
	const char *name;
	struct sq_sv in;
	const char *want; /* fields with | behind each, rows with / behind each */
	const char *why;  /* NULL: all rows are good */
	unsigned line, col;
};

static struct csv_case cases[] = {
	{ "nothing", SQ_SV(""), "" },
	{ "one row without its end", SQ_SV("a,b"), "a|b|/" },
	{ "LF", SQ_SV("a,b\nc,d\n"), "a|b|/c|d|/" },
	{ "CRLF", SQ_SV("a,b\r\nc,d\r\n"), "a|b|/c|d|/" },
	{ "empty fields", SQ_SV(",\n,,\n"), "||/|||/" },
	{ "empty lines are none", SQ_SV("\n\r\na\n\n\nb\n\n"), "a|/b|/" },
	{ "a byte order mark",
	  SQ_SV("\xef\xbb\xbf"
	        "a,b\n"),
	  "a|b|/" },
	{ "blanks belong to fields", SQ_SV(" a , b \n"), " a | b |/" },
	{ "quoted", SQ_SV("\"a,b\",\"c\nd\"\n"), "a,b|c\nd|/" },
	{ "quotes in quotes", SQ_SV("\"say \"\"x\"\"\",\"\"\"\"\n"), "say \"x\"|\"|/" },
	{ "quoted and empty", SQ_SV("\"\",\"\"\n"), "||/" },
	{ "quoted at the end", SQ_SV("a,\"b\""), "a|b|/" },
	{ "a quote inside", SQ_SV("a\na\"b\n"), "a|/",
	  "a quote inside of a field that does not begin with one", 2, 2 },
	{ "text behind a quote", SQ_SV("\"a\"b\n"), "", "text behind a closing quote", 1, 4 },
	{ "never closed", SQ_SV("a\n\"b\nc\n"), "a|/", "a quote that is never closed", 2, 1 },
	{ "a lone CR", SQ_SV("a\rb\n"), "", "a carriage return without a line feed", 1, 2 },
	{ "a lone CR at the end", SQ_SV("a\r"), "", "a carriage return without a line feed", 1, 2 },
	{ "a NUL", SQ_SV("a\0b\n"), "", "a NUL byte", 1, 2 },
	{ "a NUL in quotes", SQ_SV("\"a\0b\"\n"), "", "a NUL byte", 1, 3 },
	{ "too many", SQ_SV("1,2,3,4\n1,2,3,4,5\n"), "1|2|3|4|/", "too many fields", 2, 9 },
};

static void check(void **state)
{
	const struct csv_case *tc = *state;
	char *exact = memcpy(test_malloc(tc->in.n + 1), tc->in.p, tc->in.n);
	struct sq_csv c = sq_csv_of(exact, tc->in.n);
	struct sq_outbuf got = sq_outbuf_of(4096);
	struct sq_sv fields[4];
	int n;

	while ((n = sq_csv_row(&c, fields, SQ_LEN(fields))) > 0) {
		for (int i = 0; i < n; i++) {
			sq_outbuf_put(&got, fields[i]);
			sq_outbuf_putc(&got, '|');
		}
		sq_outbuf_putc(&got, '/');
	}
	assert_sv_equal(sq_outbuf_view(&got), sq_sv_of(tc->want));
	assert_int_equal(n < 0, tc->why != NULL);
	if (tc->why) {
		assert_string_equal(c.why, tc->why);
		assert_int_equal(c.bad_line, tc->line);
		assert_int_equal(c.bad_col, tc->col);
	}
	sq_outbuf_fini(&got);
	test_free(exact);
}

/* What is written by the rules is read back, whatever is in it; and nothing makes it read too far.
 */
static void whatever_is_in_a_field_comes_back(void **state)
{
	static const char alphabet[] = "a,\"\n\r ";
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char field[3][8], text[128], damaged[128];
		struct sq_sv got[3];
		size_t n = 0;

		for (int f = 0; f < 3; f++) {
			size_t len = (seed = seed * 1664525 + 1013904223) >> 29;

			text[n++] = '"';
			for (size_t i = 0; i < len; i++) {
				char ch = alphabet[((seed = seed * 1664525 + 1013904223) >> 16) %
				                   (sizeof(alphabet) - 1)];

				field[f][i] = ch;
				text[n++] = ch;
				if (ch == '"')
					text[n++] = ch;
			}
			field[f][len] = '\0';
			text[n++] = '"';
			text[n++] = f < 2 ? ',' : '\n';
		}
		memcpy(damaged, text, n);
		struct sq_csv c = sq_csv_of(text, n);

		assert_int_equal(sq_csv_row(&c, got, 3), 3);
		for (int f = 0; f < 3; f++)
			assert_sv_equal(got[f], sq_sv_of(field[f]));
		assert_int_equal(sq_csv_row(&c, got, 3), 0);
		seed = seed * 1664525 + 1013904223;
		damaged[(seed >> 8) % n] = alphabet[seed % (sizeof(alphabet) - 1)];
		char *exact = memcpy(test_malloc(n), damaged, n);

		c = sq_csv_of(exact, n);
		while (sq_csv_row(&c, got, 3) > 0)
			assert_true(c.p <= c.end);
		test_free(exact);
	}
}

int main(void)
{
	struct CMUnitTest tests[SQ_LEN(cases) + 1];

	for (size_t i = 0; i < SQ_LEN(cases); i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
			                        .test_func = check,
			                        .initial_state = &cases[i] };
	tests[SQ_LEN(cases)] =
		(struct CMUnitTest)cmocka_unit_test(whatever_is_in_a_field_comes_back);
	return _cmocka_run_group_tests("text/csv", tests, SQ_LEN(tests), NULL, NULL);
}
