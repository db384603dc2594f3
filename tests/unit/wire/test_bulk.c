/* Actions and documents, whole and cut at every byte; the answers to the letter. */
#include "tests/support/test.h"

#include <errno.h>

#include "lib/wire/bulk.h"
#include "lib/wire/peek.h"
#include "tests/support/fault_alloc.h"

enum { MAX_RECORD = 40, MAX_ITEMS = 6 };

struct seen {
	char text[2048]; /* records, each in [], ! for one that is too long, then an error */
	size_t n;
	int r;
};

static void put(struct seen *s, struct sq_sv v)
{
	assert_true(s->n + v.n + 2 < sizeof(s->text));
	memcpy(s->text + s->n, v.p, v.n);
	s->n += v.n;
	s->text[s->n] = '\0';
}

/* Everything that can be cut out of `*held`, which keeps what is left. */
static int take(struct sq_bulk *b, struct sq_sv *held, bool eof, struct seen *s)
{
	int r;

	do {
		char *copy = exact(held->p, held->n);
		struct sq_sv rec = { 0 };
		size_t used = SIZE_MAX;

		r = sq_bulk_next(b, (struct sq_sv){ copy, held->n }, eof, &used, &rec);
		assert_true(used <= held->n);
		if (r == 1) {
			assert_true(rec.n > 0 && rec.n <= MAX_RECORD + 8);
			assert_true(rec.p >= copy && rec.p + rec.n <= copy + used);
			put(s, SQ_SV("["));
			put(s, rec);
			put(s, SQ_SV("]"));
		}
		if (r == -EMSGSIZE)
			put(s, SQ_SV("!"));
		*held = sq_sv_skip(*held, used);
		free(copy);
	} while (r == 1 || r == -EMSGSIZE);
	assert_true(r < 0 || held->n <= SQ_BULK_ACTION_MAX + 2);
	return r;
}

static void feed(struct sq_bulk *b, struct sq_sv in, size_t first, size_t step, struct seen *s)
{
	struct sq_sv held = { in.p, 0 };

	*s = (struct seen){ 0 };
	for (size_t at = 0; at < in.n && !s->r;) {
		size_t n = at == 0 && first ? first : step;

		at = in.n - at < n ? in.n : at + n;
		held.n = (size_t)(in.p + at - held.p);
		s->r = take(b, &held, false, s);
	}
	if (!s->r)
		s->r = take(b, &held, true, s);
}

struct row {
	const char *name;
	const char *in, *want;
	const char *brief, *full; /* answers; `took` is 7 */
	const char *why;          /* of an error */
	int error;
};

#define C    "{\"create\":{\"_index\":\"w\"}}\n"
#define D1   "{\"a\":1}\n"
#define OK1  "{\"create\":{\"status\":201}}"
#define LONG "{\"a\":\"0123456789012345678901234567890123456789\"}"

/* clang-format off */
static struct row rows[] = {
	{ "one", C D1, "[{\"a\":1}]", "{\"errors\":false,\"items\":[" OK1 "]}",
	  "{\"took\":7,\"errors\":false,\"items\":[{\"create\":{\"_index\":\"w\",\"_id\":\"1\",\"status\":201}}]}" },
	{ "each action has its key", C D1 "{\"index\":{\"_id\":\"x\",\"_index\":\"v\"}}\n" D1
	  "{ \"delete\" : { \"_index\" : \"w\" , \"_id\":\"7\"} }\n{\"update\":{\"_id\":\"u\"}}\n{\"doc\":{\"b\":2},\"x\":1}\n",
	  "[{\"a\":1}][{\"a\":1}][{\"b\":2}]",
	  "{\"errors\":false,\"items\":[" OK1 ",{\"index\":{\"status\":201}},{\"delete\":{\"status\":200}},"
	  "{\"update\":{\"status\":200}}]}",
	  "{\"took\":7,\"errors\":false,\"items\":[{\"create\":{\"_index\":\"w\",\"_id\":\"1\",\"status\":201}},"
	  "{\"index\":{\"_index\":\"v\",\"_id\":\"x\",\"status\":201}},{\"delete\":{\"_index\":\"w\",\"_id\":\"7\",\"status\":200}},"
	  "{\"update\":{\"_index\":\"w\",\"_id\":\"u\",\"status\":200}}]}" },
	{ "the same action again", C D1 C D1 C D1, "[{\"a\":1}][{\"a\":1}][{\"a\":1}]",
	  "{\"errors\":false,\"items\":[" OK1 "," OK1 "," OK1 "]}",
	  "{\"took\":7,\"errors\":false,\"items\":[{\"create\":{\"_index\":\"w\",\"_id\":\"1\",\"status\":201}},"
	  "{\"create\":{\"_index\":\"w\",\"_id\":\"2\",\"status\":201}},{\"create\":{\"_index\":\"w\",\"_id\":\"3\",\"status\":201}}]}" },
	{ "the same action with an id, again", "{\"index\":{\"_id\":\"1\"}}\n" D1 "{\"index\":{\"_id\":\"1\"}}\n" D1,
	  "[{\"a\":1}][{\"a\":1}]", "{\"errors\":false,\"items\":[{\"index\":{\"status\":201}},{\"index\":{\"status\":201}}]}",
	  "{\"took\":7,\"errors\":false,\"items\":[{\"index\":{\"_index\":\"\",\"_id\":\"1\",\"status\":201}},"
	  "{\"index\":{\"_index\":\"\",\"_id\":\"1\",\"status\":201}}]}" },
	{ "CR LF and empty lines before an action", "\r\n\n{\"index\":{}}\r\n{\"a\":1}\r\n", "[{\"a\":1}]",
	  "{\"errors\":false,\"items\":[{\"index\":{\"status\":201}}]}", NULL },
	{ "no line end at the end", "{\"index\":{}}\n{\"a\":1}", "[{\"a\":1}]",
	  "{\"errors\":false,\"items\":[{\"index\":{\"status\":201}}]}", NULL },
	{ "a delete at the end", "{\"delete\":{\"_id\":\"1\"}}", "",
	  "{\"errors\":false,\"items\":[{\"delete\":{\"status\":200}}]}", NULL },
	{ "no JSON is still a document", C "hello\n", "[hello]", "{\"errors\":false,\"items\":[" OK1 "]}", NULL },
	{ "too long, then good", C LONG "\n" C D1, "![{\"a\":1}]",
	  "{\"errors\":true,\"items\":[{\"create\":{\"status\":413,\"error\":{\"type\":\"document_too_large\","
	  "\"reason\":\"the document is longer than max_record\"}}}," OK1 "]}", NULL },
	{ "much too long", C LONG LONG LONG "\n" C D1, "![{\"a\":1}]",
	  "{\"errors\":true,\"items\":[{\"create\":{\"status\":413,\"error\":{\"type\":\"document_too_large\","
	  "\"reason\":\"the document is longer than max_record\"}}}," OK1 "]}", NULL },
	{ "an empty document", C "\n" C D1, "[{\"a\":1}]",
	  "{\"errors\":true,\"items\":[{\"create\":{\"status\":400,\"error\":{\"type\":\"parse_exception\","
	  "\"reason\":\"the document is empty\"}}}," OK1 "]}", NULL },
	{ "an update without doc", "{\"update\":{\"_id\":\"1\"}}\n{\"script\":\"x\"}\n", "[{\"script\":\"x\"}]",
	  "{\"errors\":false,\"items\":[{\"update\":{\"status\":200}}]}", NULL },
	{ "further members of an action", "{\"create\":{\"_index\":\"w\",\"require_alias\":false,\"dynamic_templates\":"
	  "{\"a\":\"b}\"},\"pipeline\":null}}\n" D1, "[{\"a\":1}]", "{\"errors\":false,\"items\":[" OK1 "]}", NULL },
	{ "nothing", "", "", "{\"errors\":false,\"items\":[]}", "{\"took\":7,\"errors\":false,\"items\":[]}" },
	{ "empty lines", "\n\n", "", "{\"errors\":false,\"items\":[]}", NULL },

	{ "no action", D1, "", .why = "expected field [create]", .error = -EBADMSG },
	{ "text for an action", "hello\n", "", .why = "expected START_OBJECT", .error = -EBADMSG },
	{ "an empty object", "{}\n" D1, "", .why = "expected FIELD_NAME", .error = -EBADMSG },
	{ "an action that is no object", "{\"index\":1}\n" D1, "", .why = "expected a simple value", .error = -EBADMSG },
	{ "two actions in a line", "{\"index\":{},\"create\":{}}\n" D1, "", .why = "expected END_OBJECT", .error = -EBADMSG },
	{ "text behind an action", "{\"index\":{}} x\n" D1, "", .why = "expected END_OBJECT", .error = -EBADMSG },
	{ "an action that is cut off", "{\"index\":{\n" D1, "", .why = "expected FIELD_NAME", .error = -EBADMSG },
	{ "good ones before a bad one", C D1 "x\n", "[{\"a\":1}]", .why = "expected START_OBJECT", .error = -EBADMSG },
	{ "no document", C, "", .why = "has no document", .error = -EBADMSG },
	{ "too many", C D1 C D1 C D1 C D1 C D1 C D1 C D1, "[{\"a\":1}][{\"a\":1}][{\"a\":1}][{\"a\":1}][{\"a\":1}][{\"a\":1}]",
	  .why = "too many actions", .error = -E2BIG },
};
/* clang-format on */

static const struct sq_bulk_limits limits = { MAX_RECORD, MAX_ITEMS, 4096 };

static void check_answer(const struct sq_bulk *b, const char *want)
{
	struct sq_outbuf out = sq_outbuf_of(4096);

	assert_true(sq_bulk_answer(b, 7, &out));
	assert_sv_equal(sq_outbuf_view(&out), sq_sv_of(want));
	sq_outbuf_fini(&out);
}

static void check_one(const struct row *row, struct sq_bulk *b, bool brief, size_t first,
                      size_t step)
{
	const char *want = brief ? row->brief : row->full;
	struct seen s;

	sq_bulk_fini(b);
	sq_bulk_init(b, &limits);
	b->brief = brief;
	feed(b, sq_sv_of(row->in), first, step, &s);
	assert_string_equal(s.text, row->want);
	assert_int_equal(s.r, row->error);
	if (row->why && !strstr(b->why, row->why))
		fail_msg("\"%s\" does not say \"%s\"", b->why, row->why);
	if (want && !s.r)
		check_answer(b, want);
}

static void check(void **state)
{
	const struct row *row = *state;
	size_t n = strlen(row->in);
	struct sq_bulk b;

	sq_bulk_init(&b, &limits);
	for (int brief = 0; brief < 2; brief++) {
		for (size_t cut = 0; cut < n; cut++)
			check_one(row, &b, brief, cut, n);
		check_one(row, &b, brief, 0, 1);
	}
	sq_bulk_fini(&b);
}

static void an_endless_action_is_refused_at_its_limit(void **state SQ_UNUSED)
{
	static char in[SQ_BULK_ACTION_MAX + 100];
	struct sq_bulk b;
	struct seen s;

	memset(in, ' ', sizeof(in));
	sq_bulk_init(&b, &limits);
	feed(&b, (struct sq_sv){ in, sizeof(in) }, 0, 1000, &s);
	assert_int_equal(s.r, -EBADMSG);
	assert_non_null(strstr(b.why, "too long"));
	sq_bulk_fini(&b);
}

static void names_that_do_not_fit_are_left_out_of_the_answer(void **state SQ_UNUSED)
{
	struct sq_outbuf out = sq_outbuf_of(80);
	struct sq_bulk b;
	struct seen s;

	sq_bulk_init(&b, &limits);
	feed(&b, SQ_SV(C D1), 0, 100, &s);
	assert_true(sq_bulk_answer(&b, 1234567890, &out));
	assert_sv_equal(sq_outbuf_view(&out),
	                SQ_SV("{\"took\":1234567890,\"errors\":false,\"items\":[" OK1 "]}"));
	sq_outbuf_fini(&out);
	out = sq_outbuf_of(20);
	assert_false(sq_bulk_answer(&b, 1, &out));
	sq_outbuf_fini(&out);
	sq_bulk_fini(&b);
}

static void names_are_bounded(void **state SQ_UNUSED)
{
	const struct sq_bulk_limits tight = { MAX_RECORD, 10, 64 };
	struct sq_bulk b;
	struct seen s;

	sq_bulk_init(&b, &tight);
	feed(&b,
	     SQ_SV("{\"index\":{\"_id\":\"0123456789012345678901234567\"}}\n" D1
	           "{\"index\":{\"_id\":\"1123456789012345678901234567\"}}\n" D1
	           "{\"index\":{\"_id\":\"2123456789012345678901234567\"}}\n" D1),
	     0, 1000, &s);
	/* Who is answered without names is answered all the same. */
	assert_int_equal(s.r, 0);
	assert_int_equal(b.items, 3);
	assert_in_range(b.notes.len, 3, 64);
	sq_bulk_fini(&b);
}

static void no_memory_is_told(void **state SQ_UNUSED)
{
	struct sq_bulk b;
	struct seen s;

	sq_bulk_init(&b, &limits);
	for (unsigned n = 1;; n++) {
		struct sq_sv rec;
		size_t used;
		int r;

		sq_bulk_fini(&b);
		sq_bulk_init(&b, &limits);
		fault_alloc_at(n);
		r = sq_bulk_next(&b, SQ_SV(C D1), true, &used, &rec);
		if (!fault_alloc_end()) {
			assert_int_equal(r, 1);
			break;
		}
		assert_int_equal(r, -ENOMEM);
	}
	sq_bulk_fini(&b);
	(void)s;
}

static void short_answers_are_for_those_who_ask(void **state SQ_UNUSED)
{
	assert_true(
		sq_bulk_is_brief(SQ_SV("filter_path=errors%2Citems.%2A.error%2Citems.%2A.status")));
	assert_true(
		sq_bulk_is_brief(SQ_SV("pretty&filter_path=errors,items.*.error,items.*.status")));
	assert_false(sq_bulk_is_brief(SQ_SV("")));
	assert_false(sq_bulk_is_brief(SQ_SV("pipeline=x&refresh=true")));
	assert_false(sq_bulk_is_brief(SQ_SV("filter_path=errors,items.*.status,items.*._id")));
}

static void refusals_are_as_elasticsearch_writes_them(void **state SQ_UNUSED)
{
	struct sq_outbuf out = sq_outbuf_of(1024);

	sq_bulk_refusal(&out, 400, "parse_exception", "request body is required");
	assert_sv_equal(
		sq_outbuf_view(&out),
		SQ_SV("{\"error\":{\"root_cause\":[{\"type\":\"parse_exception\",\"reason\":\"request body is "
	              "required\"}],\"type\":\"parse_exception\",\"reason\":\"request body is required\"},"
	              "\"status\":400}"));
	sq_outbuf_fini(&out);
}

static void members_are_walked(void **state SQ_UNUSED)
{
	struct sq_sv key, value;
	struct sq_peek p;

	assert_true(sq_peek_begin(
		&p,
		SQ_SV(" {\"a\\\"b\" : \"}\\\"\" ,\"c\":[1,{\"d\":\"]\"}],\"e\":-1.5e3,\"f\":{}}x")));
	assert_int_equal(sq_peek_next(&p, &key, &value), 1);
	assert_sv_equal(key, SQ_SV("a\\\"b"));
	assert_sv_equal(sq_peek_string(value), SQ_SV("}\\\""));
	assert_int_equal(sq_peek_next(&p, &key, &value), 1);
	assert_sv_equal(value, SQ_SV("[1,{\"d\":\"]\"}]"));
	assert_int_equal(sq_peek_string(value).n, 0);
	assert_int_equal(sq_peek_next(&p, &key, &value), 1);
	assert_sv_equal(value, SQ_SV("-1.5e3"));
	assert_int_equal(sq_peek_next(&p, &key, &value), 1);
	assert_sv_equal(key, SQ_SV("f"));
	assert_int_equal(sq_peek_next(&p, &key, &value), 0);
	assert_sv_equal(p.rest, SQ_SV("x"));
	assert_false(sq_peek_begin(&p, SQ_SV("[]")));
	assert_false(sq_peek_begin(&p, SQ_SV("")));
}

static void what_is_no_object_ends_the_walk(void **state SQ_UNUSED)
{
	static const char *const bad[] = { "{",           "{\"",        "{\"a",
		                           "{\"a\"",      "{\"a\":",    "{\"a\":}",
		                           "{a:1}",       "{,}",        "{\"a\":1",
		                           "{\"a\":1,",   "{\"a\":1,}", "{\"a\":1 \"b\":2}",
		                           "{\"a\":\"x}", "{\"a\":[1}", "{\"a\"1}" };

	for (size_t i = 0; i < SQ_LEN(bad); i++) {
		size_t n = strlen(bad[i]);
		char *copy = exact(bad[i], n);
		struct sq_sv key, value;
		struct sq_peek p;
		int r;

		assert_true(sq_peek_begin(&p, (struct sq_sv){ copy, n }));
		while ((r = sq_peek_next(&p, &key, &value)) == 1)
			;
		if (r != -EBADMSG)
			fail_msg("%s was taken for an object", bad[i]);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_endless_action_is_refused_at_its_limit),
		cmocka_unit_test(names_that_do_not_fit_are_left_out_of_the_answer),
		cmocka_unit_test(names_are_bounded),
		cmocka_unit_test(no_memory_is_told),
		cmocka_unit_test(short_answers_are_for_those_who_ask),
		cmocka_unit_test(refusals_are_as_elasticsearch_writes_them),
		cmocka_unit_test(members_are_walked),
		cmocka_unit_test(what_is_no_object_ends_the_walk),
	};

	return RUN_TABLE("bulk/streams", rows, check) +
	       cmocka_run_group_tests_name("bulk", tests, NULL, NULL);
}
