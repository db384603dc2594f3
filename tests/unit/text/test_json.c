#include "tests/support/test.h"

#include <errno.h>

#include "lib/text/json.h"
#include "tests/support/fault_alloc.h"

/* What the sink heard, one letter a call: { } [ ] k(ey) n(ull) b(ool) #(number) s(tring). */
struct heard {
	char calls[256];
	char text[512]; /* of keys and scalars, each followed by '|' */
	size_t n_calls, n_text;
	const char *from, *to; /* the text being read */
	char stop_at;          /* refuse this call */
};

static bool hear(struct heard *h, char call)
{
	if (h->n_calls + 1 < sizeof(h->calls))
		h->calls[h->n_calls++] = call;
	h->calls[h->n_calls] = '\0';
	return call != h->stop_at;
}

static void hear_text(struct heard *h, struct sq_sv v)
{
	for (size_t i = 0; i <= v.n && h->n_text + 1 < sizeof(h->text); i++)
		h->text[h->n_text++] = i == v.n ? '|' : v.p[i] ? v.p[i] : '0';
	h->text[h->n_text] = '\0';
}

static bool on_begin(void *ctx, bool array)
{
	return hear(ctx, array ? '[' : '{');
}

static bool on_end(void *ctx, bool array)
{
	return hear(ctx, array ? ']' : '}');
}

static bool on_key(void *ctx, struct sq_sv key)
{
	hear_text(ctx, key);
	return hear(ctx, 'k');
}

static bool on_scalar(void *ctx, enum sq_json_kind kind, struct sq_sv text, bool stays)
{
	struct heard *h = ctx;

	if (kind >= SQ_JSON_NUMBER && text.n)
		assert_int_equal(stays, text.p >= h->from && text.p < h->to);
	hear_text(h, text);
	return hear(h, "nb#s"[kind]);
}

static const struct sq_json_sink sink = {
	.begin = on_begin, .end = on_end, .key = on_key, .scalar = on_scalar
};

struct json_case {
	const char *name;
	struct sq_sv in;
	int want;
	size_t used; /* on 0 */
	const char *calls, *text;
	const char *why; /* part of it */
};

/* clang-format off */
static struct json_case json_cases[] = {
	{ "every kind", SQ_SV("{\"a\":[1,-2.5e3,null,true,false,\"x\"]}"), 0, 36, "{k[##nbbs]}", "a|1|-2.5e3||true|false|x|", NULL },
	{ "escapes", SQ_SV("{\"\\u0061\":\"\\\"\\\\\\/\\n\\u00e9\"}"), 0, 27, "{ks}", "a|\"\\/\n\xc3\xa9|", NULL },
	{ "a NUL inside", SQ_SV("{\"a\":\"b\\u0000c\"}"), 0, 16, "{ks}", "a|b0c|", NULL },
	{ "no UTF-8", SQ_SV("{\"a\":\"\xff\xc3\"}"), 0, 10, "{ks}", "a|\xff\xc3|", NULL },
	{ "numbers of any size", SQ_SV("{\"a\":1e400,\"b\":123456789012345678901234567890}"), 0, 46, "{k#k#}", "a|1e400|b|123456789012345678901234567890|", NULL },
	{ "blanks behind are not used", SQ_SV("{} \r\n"), 0, 2, "{}", "", NULL },
	{ "an array", SQ_SV("[{}]"), 0, 4, "[{}]", "", NULL },
	{ "only the first of two", SQ_SV("{\"a\":1}{\"b\":2}"), 0, 7, "{k#}", "a|1|", NULL },
	{ "only the first of two, a NUL between", SQ_SV("{\"a\":1}\0{\"b\":2}"), 0, 7, "{k#}", "a|1|", NULL },
	{ "a bare string", SQ_SV("\"a\""), -EBADMSG, 0, "", "", "bare value" },
	{ "a bare number", SQ_SV("12"), -EBADMSG, 0, "", "", "bare value" },
	{ "nothing", SQ_SV(""), -EBADMSG, 0, "", "", "" },
	{ "no end", SQ_SV("{\"a\":1"), -EBADMSG, 0, "{k#", "a|1|", "premature EOF" },
	{ "no end of a string", SQ_SV("{\"a\":\"b"), -EBADMSG, 0, "{k", "a|", "premature EOF" },
	{ "a comma too many", SQ_SV("{\"a\":1,}"), -EBADMSG, 0, "{k#", "a|1|", "not JSON at byte 8" },
	{ "a bad escape", SQ_SV("{\"a\":\"\\x\"}"), -EBADMSG, 0, "{k", "a|", "not JSON at byte" },
	{ "too deep", SQ_SV("[[[[[1]]]]]"), -EBADMSG, 0, "[[[[", "", "nested deeper than 4" },
	{ "too many keys", SQ_SV("{\"a\":1,\"b\":1,\"c\":1,\"d\":1}"), -EBADMSG, 0, "{k#k#k#", "a|1|b|1|c|1|", "keys over the limit of 3" },
	{ "what comes before too many keys does not count", SQ_SV("{\"a\":1,\"b\":1,\"c\":1}"), 0, 19, "{k#k#k#}", "a|1|b|1|c|1|", NULL },
};
/* clang-format on */

static const struct sq_json_limits limits = { 4, 3 };

static void check(void **state)
{
	const struct json_case *tc = *state;
	char *copy = exact(tc->in.p, tc->in.n);
	struct heard h = { .from = copy, .to = copy + tc->in.n };
	struct sq_json *js = sq_json_new(&sink, &h, &limits);
	size_t used;

	/* Twice: the first reading leaves nothing behind. */
	for (int i = 0; i < 2; i++) {
		h.n_calls = h.n_text = 0;
		h.calls[0] = h.text[0] = '\0';
		assert_int_equal(sq_json_read(js, (struct sq_sv){ copy, tc->in.n }, &used),
		                 tc->want);
		if (tc->want == 0)
			assert_int_equal(used, tc->used);
		else if (!strstr(sq_json_why(js), tc->why))
			fail_msg("\"%s\" does not say \"%s\"", sq_json_why(js), tc->why);
		assert_null(strchr(sq_json_why(js), '\n'));
		assert_true(used <= tc->in.n);
		assert_string_equal(h.calls, tc->calls);
		assert_string_equal(h.text, tc->text);
	}
	sq_json_free(js);
	free(copy);
}

static void a_sink_that_refuses_ends_reading(void **state)
{
	static const struct sq_sv text = SQ_SV("{\"a\":[1,null,\"s\",true]}");

	(void)state;
	for (const char *stop = "{k[#nsb]}"; *stop; stop++) {
		struct heard h = { .from = text.p, .to = text.p + text.n, .stop_at = *stop };
		struct sq_json *js = sq_json_new(&sink, &h, &limits);
		size_t used;

		assert_int_equal(sq_json_read(js, text, &used), -ECANCELED);
		h.stop_at = 0;
		assert_int_equal(sq_json_read(js, text, &used), 0);
		sq_json_free(js);
	}
	sq_json_free(NULL);
}

/* yajl puts together what holds an escape; what is longer than the pool is of the heap. */
static const char *const around_long[][2] = {
	{ "{\"a\":\"", "\\n\"}" },          /* in one piece, then the escape */
	{ "{\"a\":\"\\n", "\"}" },          /* the rest in one piece */
	{ "{\"", "\\n\":[1]}" },            /* a key */
	{ "[\"", "\\n\",\"\\n\"]" },        /* memory that is used again */
	{ "[\"\\n", "\"" },                 /* its end is missing */
	{ "{\"a\":\"\\n", "\"}{\"b\":1}" }, /* the handle must be made anew */
};

static void a_long_string_with_an_escape_may_find_no_memory(void **state)
{
	static const struct sq_sv next = SQ_SV("{\"a\":\"\\n\"}");
	enum { LONG = 200 * 1000 };

	(void)state;
	for (size_t i = 0; i < SQ_LEN(around_long); i++) {
		size_t before = strlen(around_long[i][0]), behind = strlen(around_long[i][1]);
		char *bytes = test_malloc(before + LONG + behind);
		struct sq_sv text = { bytes, before + LONG + behind };
		bool reached = true;

		memcpy(bytes, around_long[i][0], before);
		memset(bytes + before, 'x', LONG);
		memcpy(bytes + before + LONG, around_long[i][1], behind);
		for (unsigned n = 1; reached; n++) {
			struct heard h = { .from = text.p, .to = text.p + text.n };
			struct sq_json *js = sq_json_new(&sink, &h, &limits);
			size_t used;
			int r;

			fault_alloc_at(n);
			r = sq_json_read(js, text, &used);
			reached = fault_alloc_end();
			assert_true(used <= text.n);
			assert_int_equal(r == -ENOMEM, reached);
			assert_true(n > 1 || reached);
			if (reached) {
				assert_string_equal(sq_json_why(js), "no memory");
				assert_false(sq_json_was_cut(js));
			}
			h.from = next.p;
			h.to = next.p + next.n;
			assert_int_equal(sq_json_read(js, next, &used), 0);
			assert_int_equal(used, next.n);
			sq_json_free(js);
		}
		test_free(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sink_that_refuses_ends_reading),
		cmocka_unit_test(a_long_string_with_an_escape_may_find_no_memory),
	};

	return RUN_TABLE("text/json", json_cases, check) +
	       cmocka_run_group_tests(tests, NULL, NULL);
}
