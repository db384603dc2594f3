#include "tests/support/test.h"

#include "lib/text/jsonw.h"

#define FFFD "\xef\xbf\xbd"
#define IN(text)                                                                                   \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

struct escape_row {
	const char *name;
	struct sq_sv in;
	const char *want;
};

/* clang-format off */
static struct escape_row escapes[] = {
	{ "nothing", IN(""), "" },
	{ "plain", IN("regsvr32 /s /i:http"), "regsvr32 /s /i:http" },
	{ "quote and backslash", IN("\"C:\\x\""), "\\\"C:\\\\x\\\"" },
	{ "short escapes", IN("\b\f\n\r\t"), "\\b\\f\\n\\r\\t" },
	{ "other controls", IN("\0\x01\x0b\x1f\x7f"), "\\u0000\\u0001\\u000b\\u001f\x7f" },
	{ "two, three, four bytes", IN("\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
	  "\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
	{ "next to the surrogates", IN("\xed\x9f\xbf\xee\x80\x80"), "\xed\x9f\xbf\xee\x80\x80" },
	{ "surrogates", IN("\xed\xa0\x80\xed\xbf\xbf"), FFFD FFFD FFFD FFFD FFFD FFFD },
	{ "overlong, two bytes", IN("\xc0\x80\xc1\xbf"), FFFD FFFD FFFD FFFD },
	{ "overlong, three bytes", IN("\xe0\x80\x80\xe0\x9f\xbf"), FFFD FFFD FFFD FFFD FFFD FFFD },
	{ "overlong, four bytes", IN("\xf0\x80\x80\x80\xf0\x8f\xbf\xbf"), FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD },
	{ "over U+10FFFF", IN("\xf4\x90\x80\x80\xf5\xff"), FFFD FFFD FFFD FFFD FFFD FFFD },
	{ "continuation alone", IN("a\x80" "b\xbf"), "a" FFFD "b" FFFD },
	{ "cut short", IN("\xe2\x82"), FFFD FFFD },
	{ "cut short by text", IN("\xe2\x82" "a\xf0\x9f\x92" "b\xc3"), FFFD FFFD "a" FFFD FFFD FFFD "b" FFFD },
};
/* clang-format on */

/* Each at every distance from the start of a word, since eight bytes are looked at together. */
static void check_escape(void **state)
{
	const struct escape_row *row = *state;

	for (size_t before = 0; before < 17; before++) {
		for (size_t after = 0; after < 17; after += 4) {
			struct sq_outbuf out = sq_outbuf_of(4096);
			char want[256], *in = malloc(before + row->in.n + after);

			memset(in, 'x', before);
			memcpy(in + before, row->in.p, row->in.n);
			memset(in + before + row->in.n, 'y', after);
			(void)snprintf(want, sizeof(want), "%.*s%s%.*s", (int)before,
			               "xxxxxxxxxxxxxxxxx", row->want, (int)after,
			               "yyyyyyyyyyyyyyyyy");
			sq_json_escape(&out, (struct sq_sv){ in, before + row->in.n + after });
			assert_false(out.failed);
			assert_sv_equal(sq_outbuf_view(&out), sq_sv_of(want));
			sq_outbuf_fini(&out);
			free(in);
		}
	}
}

/* Decode as the definition says (Unicode 15, D92), and compare for every sequence of up to three
 * bytes and every start of four. */
static size_t utf8_length_slow(const unsigned char *p, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80       ? 1
	             : p[0] >> 5 == 6  ? 2
	             : p[0] >> 4 == 14 ? 3
	             : p[0] >> 3 == 30 ? 4
	                               : 0;
	uint32_t c = len == 1 ? p[0] : p[0] & (0x7fu >> len);

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	return c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : len;
}

static void check_utf8_length(void **state)
{
	unsigned char p[4] = { 0 };

	(void)state;
	assert_int_equal(sq_utf8_length((struct sq_sv){ NULL, 0 }), 0);
	for (uint32_t u = 0; u < 1u << 24; u++) {
		p[0] = (unsigned char)(u >> 16);
		p[1] = (unsigned char)(u >> 8);
		p[2] = (unsigned char)u;
		p[3] = (unsigned char)(u * 37 + (u >> 8) * 3);
		for (size_t n = p[0] < 0xf0 ? 3 : 4; n >= 3; n--) {
			if (sq_utf8_length((struct sq_sv){ (char *)p, n }) !=
			    utf8_length_slow(p, n))
				fail_msg("%02x %02x %02x %02x", p[0], p[1], p[2], p[3]);
		}
	}
	for (uint32_t u = 0; u < 1u << 16; u++) {
		p[0] = (unsigned char)(u >> 8);
		p[1] = (unsigned char)u;
		assert_int_equal(sq_utf8_length((struct sq_sv){ (char *)p, 2 }),
		                 utf8_length_slow(p, 2));
		assert_int_equal(sq_utf8_length((struct sq_sv){ (char *)p, 1 }), p[0] < 0x80);
	}
}

static void check_commas(void **state)
{
	struct sq_outbuf out = sq_outbuf_of(4096);
	struct sq_jsonw w = sq_jsonw_of(&out);

	(void)state;
	sq_jsonw_object(&w);
	sq_jsonw_key(&w, "a");
	sq_jsonw_int(&w, 1);
	sq_jsonw_member(&w, "left out", (struct sq_sv){ NULL, 0 });
	sq_jsonw_member(&w, "b", SQ_SV("x\"y"));
	sq_jsonw_key_sv(&w, SQ_SV("c\n"));
	sq_jsonw_array(&w);
	sq_jsonw_array(&w);
	sq_jsonw_end_array(&w);
	sq_jsonw_object(&w);
	sq_jsonw_end_object(&w);
	sq_jsonw_bool(&w, true);
	sq_jsonw_bool(&w, false);
	sq_jsonw_null(&w);
	sq_jsonw_string(&w, SQ_SV(""));
	sq_jsonw_end_array(&w);
	sq_jsonw_key(&w, "d");
	sq_jsonw_object(&w);
	sq_jsonw_key(&w, "e");
	sq_jsonw_int(&w, -2);
	sq_jsonw_end_object(&w);
	sq_jsonw_end_object(&w);
	assert_int_equal(w.depth, 0);
	assert_sv_equal(sq_outbuf_view(&out),
	                SQ_SV("{\"a\":1,\"b\":\"x\\\"y\",\"c\\n\":[[],{},true,false,null,\"\"],"
	                      "\"d\":{\"e\":-2}}"));
	sq_outbuf_fini(&out);
}

static void check_int(void **state)
{
	static const int64_t values[] = {
		0, -1, 9, 10, INT64_MAX, INT64_MIN, -9214364837600034816
	};

	(void)state;
	for (size_t i = 0; i < SQ_LEN(values); i++) {
		struct sq_outbuf out = sq_outbuf_of(64);
		struct sq_jsonw w = sq_jsonw_of(&out);
		char want[32];

		(void)snprintf(want, sizeof(want), "%lld", (long long)values[i]);
		sq_jsonw_int(&w, values[i]);
		assert_sv_equal(sq_outbuf_view(&out), sq_sv_of(want));
		sq_outbuf_fini(&out);
	}
}

static void check_full_buffer(void **state)
{
	(void)state;
	for (size_t max = 0; max < 16; max++) {
		struct sq_outbuf out = sq_outbuf_of(max);
		struct sq_jsonw w = sq_jsonw_of(&out);

		sq_jsonw_object(&w);
		sq_jsonw_member(&w, "key", SQ_SV("a\nb\xff"));
		sq_jsonw_end_object(&w);
		/* {"key":"a\nbU+FFFD"} is 17 bytes */
		assert_true(out.failed);
		assert_true(out.len <= max);
		sq_outbuf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_utf8_length),
		cmocka_unit_test(check_commas),
		cmocka_unit_test(check_int),
		cmocka_unit_test(check_full_buffer),
	};

	return RUN_TABLE("jsonw/escape", escapes, check_escape) +
	       cmocka_run_group_tests_name("jsonw", tests, NULL, NULL);
}
