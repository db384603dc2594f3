#include "lib/text/jsonfit.h"

#include "tests/support/test.h"

struct fit_case {
	const char *name;
	struct sq_sv text;
	enum sq_json_fitness is;
	const char *mended; /* when it is mendable */
};

#define FFFD  "\xef\xbf\xbd"
#define FIVE  "[[[[["
#define TEN   FIVE FIVE
#define DEEP  TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN /* 130 arrays */
#define CLOSE "]]]]]]]]]]"
#define UP    CLOSE CLOSE CLOSE CLOSE CLOSE CLOSE CLOSE CLOSE CLOSE CLOSE CLOSE CLOSE CLOSE

/* clang-format off */
static struct fit_case cases[] = {
	{ "empty", SQ_SV("{}"), SQ_JSON_FIT, NULL },
	{ "all kinds of values", SQ_SV("{\"a\":1,\"b\":\"c\",\"d\":[],\"e\":{},\"f\":[true,false,null]}"), SQ_JSON_FIT, NULL },
	{ "blanks everywhere", SQ_SV("{ \"a\" :\t[ 1 ,\r\n2 ] , \"b\" : { } }"), SQ_JSON_FIT, NULL },
	{ "numbers", SQ_SV("{\"a\":[0,-0,10,1.5,-1e9,1E+2,0.1e-3]}"), SQ_JSON_FIT, NULL },
	{ "escapes", SQ_SV("{\"\\\\\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\uD7FF\\ue000\"}"), SQ_JSON_FIT, NULL },
	{ "UTF-8", SQ_SV("{\"\xc3\xa4\":\"\xe2\x82\xac\xf0\x9f\x98\x80 behind them\"}"), SQ_JSON_FIT, NULL },
	{ "a DEL", SQ_SV("{\"a\":\"\x7f\"}"), SQ_JSON_FIT, NULL },
	{ "levels that are too deep", SQ_SV("{\"a\":" DEEP DEEP UP UP "}"), SQ_JSON_BROKEN, NULL },
	{ "levels that are not", SQ_SV("{\"a\":" DEEP TEN CLOSE UP ",\"b\":[{}]}"), SQ_JSON_FIT, NULL },

	{ "a byte that is no UTF-8", SQ_SV("{\"a\":\"0123456\xff" "89\"}"), SQ_JSON_MENDABLE, "{\"a\":\"0123456" FFFD "89\"}" },
	{ "a sequence that is cut off", SQ_SV("{\"a\":\"\xe2\x82\"}"), SQ_JSON_MENDABLE, "{\"a\":\"" FFFD FFFD "\"}" },
	{ "a surrogate, an overlong form", SQ_SV("{\"a\":\"\xed\xa0\x80\xc0\xaf\"}"), SQ_JSON_MENDABLE,
	  "{\"a\":\"" FFFD FFFD FFFD FFFD FFFD "\"}" },
	{ "in a key", SQ_SV("{\"\xff\":1}"), SQ_JSON_MENDABLE, "{\"" FFFD "\":1}" },
	{ "control characters", SQ_SV("{\"a\":\"\x01\t\n\x1f\"}"), SQ_JSON_MENDABLE, "{\"a\":\"\\u0001\\u0009\\u000a\\u001f\"}" },
	{ "a zero", SQ_SV("{\"a\":\"b\0c\"}"), SQ_JSON_MENDABLE, "{\"a\":\"b\\u0000c\"}" },
	{ "pairs of surrogates, in either case", SQ_SV("{\"\\ud83d\\ude00\":\"\\uD83D\\uDE00\\uDBFF\\udfff\\ud800\\uDC00\"}"), SQ_JSON_FIT, NULL },
	{ "text that looks like half of one", SQ_SV("{\"\\\\ud800\":\"\\\\uDC00\"}"), SQ_JSON_FIT, NULL },
	{ "pairs beside something odd stay", SQ_SV("{\"a\":\"\\ud83d\\ude00\x01\\\\ud800\"}"), SQ_JSON_MENDABLE,
	  "{\"a\":\"\\ud83d\\ude00\\u0001\\\\ud800\"}" },
	{ "the first half of a pair", SQ_SV("{\"a\":\"b\\ud800c\"}"), SQ_JSON_MENDABLE, "{\"a\":\"b\\ufffdc\"}" },
	{ "the second half of a pair", SQ_SV("{\"a\":\"\\uDFFF\"}"), SQ_JSON_MENDABLE, "{\"a\":\"\\ufffd\"}" },
	{ "halves in a key", SQ_SV("{\"\\uDbFf\":1,\"\\udc00\":2}"), SQ_JSON_MENDABLE, "{\"\\ufffd\":1,\"\\ufffd\":2}" },
	{ "halves the wrong way round", SQ_SV("{\"a\":\"\\ude00\\ud83d\"}"), SQ_JSON_MENDABLE, "{\"a\":\"\\ufffd\\ufffd\"}" },
	{ "two first halves, and a second", SQ_SV("{\"a\":\"\\ud83d\\ud83d\\ude00\"}"), SQ_JSON_MENDABLE,
	  "{\"a\":\"\\ufffd\\ud83d\\ude00\"}" },
	{ "halves with something between them", SQ_SV("{\"a\":\"\\ud83d\\n\\ude00\\ud83d\\u0041\"}"), SQ_JSON_MENDABLE,
	  "{\"a\":\"\\ufffd\\n\\ufffd\\ufffd\\u0041\"}" },
	{ "halves in two strings", SQ_SV("{\"a\":[\"\\ud83d\",\"\\ude00\"]}"), SQ_JSON_MENDABLE, "{\"a\":[\"\\ufffd\",\"\\ufffd\"]}" },
	{ "blanks and quotes stay", SQ_SV("{\t\"\\\"\" : \"\\\\\", \"a\":\"\xfe\",\r\n\"b\":\"\xc3\xa4\\\"\" }"), SQ_JSON_MENDABLE,
	  "{\t\"\\\"\" : \"\\\\\", \"a\":\"" FFFD "\",\r\n\"b\":\"\xc3\xa4\\\"\" }" },

	{ "nothing", SQ_SV(""), SQ_JSON_BROKEN, NULL },
	{ "a brace", SQ_SV("{"), SQ_JSON_BROKEN, NULL },
	{ "an array", SQ_SV("[{}]"), SQ_JSON_BROKEN, NULL },
	{ "something in front", SQ_SV(" {}"), SQ_JSON_BROKEN, NULL },
	{ "something behind", SQ_SV("{}\n"), SQ_JSON_BROKEN, NULL },
	{ "two", SQ_SV("{}{}"), SQ_JSON_BROKEN, NULL },
	{ "an end too early", SQ_SV("{\"a\":1},\"index\":\"other\",\"x\":{}"), SQ_JSON_BROKEN, NULL },
	{ "words that are none", SQ_SV("{\"a\":NaN}"), SQ_JSON_BROKEN, NULL },
	{ "words that go on", SQ_SV("{\"a\":nullx}"), SQ_JSON_BROKEN, NULL },
	{ "a zero in front", SQ_SV("{\"a\":01}"), SQ_JSON_BROKEN, NULL },
	{ "a minus alone", SQ_SV("{\"a\":-}"), SQ_JSON_BROKEN, NULL },
	{ "a point without digits", SQ_SV("{\"a\":1.}"), SQ_JSON_BROKEN, NULL },
	{ "an exponent without digits", SQ_SV("{\"a\":1e+}"), SQ_JSON_BROKEN, NULL },
	{ "an escape that is none", SQ_SV("{\"a\":\"\\x41\"}"), SQ_JSON_BROKEN, NULL },
	{ "an escaped zero", SQ_SV("{\"a\":\"\\\0\"}"), SQ_JSON_BROKEN, NULL },
	{ "four digits that are three", SQ_SV("{\"a\":\"\\u00g0\"}"), SQ_JSON_BROKEN, NULL },
	{ "half a pair, and four digits that are three", SQ_SV("{\"a\":\"\\ud83d\\udeg0\"}"), SQ_JSON_BROKEN, NULL },
	{ "no UTF-8 between tokens", SQ_SV("{\xff\"a\":1}"), SQ_JSON_BROKEN, NULL },
	{ "control characters between tokens", SQ_SV("{\x01\"a\":1}"), SQ_JSON_BROKEN, NULL },
	{ "a comma too many", SQ_SV("{\"a\":1,}"), SQ_JSON_BROKEN, NULL },
	{ "a comma too many in an array", SQ_SV("{\"a\":[1,]}"), SQ_JSON_BROKEN, NULL },
	{ "no comma", SQ_SV("{\"a\":1 \"b\":2}"), SQ_JSON_BROKEN, NULL },
	{ "no colon", SQ_SV("{\"a\" 1}"), SQ_JSON_BROKEN, NULL },
	{ "no value", SQ_SV("{\"a\":}"), SQ_JSON_BROKEN, NULL },
	{ "no key", SQ_SV("{1:2}"), SQ_JSON_BROKEN, NULL },
	{ "brackets that do not match", SQ_SV("{\"a\":[1}]"), SQ_JSON_BROKEN, NULL },
	{ "keys in an array", SQ_SV("{\"a\":[\"b\":1]}"), SQ_JSON_BROKEN, NULL },
};
/* clang-format on */

static void check(void **state)
{
	const struct fit_case *tc = *state;
	char *copy = exact(tc->text.p, tc->text.n);
	struct sq_outbuf out = sq_outbuf_of(4096);

	assert_int_equal(sq_json_judge((struct sq_sv){ copy, tc->text.n }), tc->is);
	assert_int_equal(tc->is == SQ_JSON_MENDABLE, tc->mended != NULL);
	if (tc->mended) {
		sq_outbuf_put(&out, SQ_SV("\"before"));
		sq_outbuf_put(&out, tc->text);
		sq_json_mend(&out, 7);
		assert_sv_equal(sq_sv_skip(sq_outbuf_view(&out), 7), sq_sv_of(tc->mended));
		assert_int_equal(sq_json_judge(sq_sv_of(tc->mended)), SQ_JSON_FIT);
	}
	sq_outbuf_fini(&out);
	free(copy);
}

/* Whatever is cut off is broken, wherever: and nothing is read beyond it. */
static void fronts_are_broken(void **state)
{
	(void)state;
	for (size_t i = 0; i < SQ_LEN(cases); i++) {
		for (size_t n = 0; n < cases[i].text.n; n++) {
			char *copy = exact(cases[i].text.p, n);
			enum sq_json_fitness is = sq_json_judge((struct sq_sv){ copy, n });

			if (cases[i].is != SQ_JSON_BROKEN)
				assert_int_equal(is, SQ_JSON_BROKEN);
			free(copy);
		}
	}
}

/* Each byte at each place of a string, whose end lies at each place of a word. */
static void every_byte_in_a_string_is_seen(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		for (size_t at = 0; at < 18; at++) {
			char text[] = "{\"a\":\"0123456789abcdefgh\"}";
			enum sq_json_fitness want =
				c < ' ' || c >= 0x80 ? SQ_JSON_MENDABLE : SQ_JSON_FIT;

			text[6 + at] = (char)c;
			if (c == '"' || (c == '\\' && !strchr("bf", text[7 + at])))
				want = SQ_JSON_BROKEN; /* it ends here, or escapes what cannot be */
			assert_int_equal(sq_json_judge(sq_sv_of(text)), want);
		}
	}
}

static void without_memory_the_outbuf_says_so(void **state)
{
	struct sq_sv text = SQ_SV("{\"a\":\"\xff\"}");
	struct sq_outbuf out;

	(void)state;
	for (size_t max = text.n; max < 2 * text.n + 2; max++) {
		out = sq_outbuf_of(max);
		sq_outbuf_put(&out, text);
		sq_json_mend(&out, 0);
		assert_true(out.failed);
		sq_outbuf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fronts_are_broken),
		cmocka_unit_test(every_byte_in_a_string_is_seen),
		cmocka_unit_test(without_memory_the_outbuf_says_so),
	};

	return RUN_TABLE("jsonfit", cases, check) ||
	       cmocka_run_group_tests_name("jsonfit/more", tests, NULL, NULL);
}
