/* Real events, where they lie beside the source tree: every shape must give the same fields. */
#include "tests/support/corpus.h"

#include "lib/model/reader.h"
#include "lib/text/json.h"
#include "lib/wire/frame.h"

enum { EXPECTED = 20 };

/* clang-format off */
static const struct {
	const char *file;  /* "derived_" and ".gz" left out */
	int events;        /* with an event id */
	int same;          /* of those, with every field as expected */
} shapes[] = {
	{ "elastic_agent_9.1_raw.ndjson", 20, 20 },
	{ "es_bulk_winlogbeat_8.17.ndjson", 20, 20 },
	{ "fluentbit_winevtlog_stringinserts.ndjson", 20, 20 },
	{ "fluentbit_winevtlog_xml.ndjson", 20, 20 },
	{ "fluentbit_winlog_old.ndjson", 8, 8 },
	{ "fluentd_windows_eventlog2.ndjson", 20, 20 },
	{ "ndjson_crlf_utf8bom.txt", 20, 20 },
	{ "nxlog_ce2_processid_entities.ndjson", 20, 20 }, /* the lost ids are in the rendered text */
	{ "nxlog_ee_iso.ndjson", 20, 20 },
	{ "nxlog_epoch.ndjson", 20, 20 },
	{ "nxlog_gelf.ndjson", 20, 20 },
	{ "nxlog_gelf_tcp_nul.bin", 20, 20 },
	{ "nxlog_syslog_bsd_crlf.txt", 20, 20 },
	{ "nxlog_syslog_ietf_octet.bin", 20, 20 },
	{ "openwec_json.ndjson", 20, 20 },
	{ "openwec_nxlog.ndjson", 20, 20 },
	{ "otel_windowseventlog_body.ndjson", 20, 20 },
	{ "otel_windowseventlog_body_datalist.ndjson", 20, 20 },
	{ "raw_xml_lines.txt", 20, 20 },
	{ "syslog_ietf_bom_cee_lf.txt", 20, 20 },
	{ "vector_windows_event_log.ndjson", 20, 20 },
	{ "wazuh_alert.ndjson", 20, 20 },
	{ "winlogbeat_6.8_raw.ndjson", 20, 20 },
	{ "winlogbeat_7.17_module.ndjson", 20, 20 },
	{ "winlogbeat_7.7_module_argsonly.ndjson", 12, 12 }, /* the quotes are in the rendered text */
	{ "winlogbeat_8.17_ingest.ndjson", 20, 20 },
	{ "winlogbeat_8.17_raw.ndjson", 20, 20 },
	{ "winlogbeat_8.17_raw_xml_htmlesc.ndjson", 20, 20 },
};
/* clang-format on */

static const uint16_t compared[] = {
	SQ_F_EVENT_ID,
	SQ_F_PROVIDER,
	SQ_F_COMPUTER,
	SQ_F_IMAGE,
	SQ_F_COMMAND_LINE,
	SQ_F_PARENT_IMAGE,
	SQ_F_PARENT_COMMAND_LINE,
	SQ_F_ORIGINAL_FILE_NAME,
	SQ_F_USER,
	SQ_F_HASHES,
	SQ_F_INTEGRITY_LEVEL,
	SQ_F_CURRENT_DIRECTORY,
	SQ_F_PROCESS_ID,
	SQ_F_PARENT_PROCESS_ID,
};

static void drop(struct sq_sv text)
{
	union {
		const char *in;
		void *out;
	} p = { text.p };

	free(p.out);
}

struct run {
	struct sq_fields *fields;
	struct sq_reader *reader;
	struct sq_arena arena;
	int record_id; /* fields of the expected values that are not ours */
	int events, malformed, without_id;
	void (*event)(struct run *, const struct sq_event *);
	struct sq_event expected[EXPECTED];
	struct sq_value values[EXPECTED][SQ_F_CANONICAL + 1];
	int n_expected, same, key;
};

static void read_record(struct run *t, struct sq_sv record)
{
	struct sq_syslog header;
	struct sq_sv rest;
	struct sq_event ev;
	int r;

	sq_syslog_strip(record, &header);
	rest = header.payload;
	for (;;) {
		r = sq_reader_next(t->reader, &rest, &header, &t->arena, &ev);
		if (r == 0)
			return;
		if (r < 0) {
			t->malformed++;
			print_message("%s\n", sq_reader_why(t->reader));
			continue;
		}
		t->events += ev.event_id != 0;
		t->without_id += ev.event_id == 0;
		if (t->event)
			t->event(t, &ev);
	}
}

static void read_stream(struct run *t, struct sq_sv in)
{
	struct sq_frame f = sq_frame_of(1 << 20);
	struct sq_sv record;
	size_t used;
	int r;

	while ((r = sq_frame_next(&f, in, true, &used, &record)) != 0) {
		if (r == 1)
			read_record(t, record);
		else
			t->malformed++;
		in = sq_sv_skip(in, used);
	}
}

static void begin(struct run *t)
{
	*t = (struct run){ .fields = sq_fields_new() };
	t->record_id = sq_fields_add(t->fields, SQ_SV("RecordID"));
	t->reader = sq_reader_new(t->fields, &(struct sq_reader_opts){ 0 });
	assert_non_null(t->reader);
	assert_int_equal(sq_arena_init(&t->arena, 32 << 20), 0);
}

static void end(struct run *t)
{
	sq_reader_free(t->reader);
	sq_fields_free(t->fields);
	sq_arena_fini(&t->arena);
}

/* The expectations are flat JSON objects of the canonical names: no event, read by hand. */
static bool expect_nesting(void *ctx, bool array)
{
	(void)ctx;
	return !array;
}

static bool expect_key(void *ctx, struct sq_sv key)
{
	struct run *t = ctx;

	t->key = sq_fields_find(t->fields, key);
	return true;
}

static bool expect_scalar(void *ctx, enum sq_json_kind kind, struct sq_sv text, bool stays)
{
	struct run *t = ctx;

	if (t->key < 0 || kind == SQ_JSON_NULL)
		return true;
	if (!stays)
		text = sq_arena_dup(&t->arena, text);
	t->values[t->n_expected][t->key] =
		(struct sq_value){ text.p, (uint32_t)text.n, 0, SQ_VALUE_TEXT, 0 };
	return true;
}

static void read_expected(struct run *t, struct sq_sv text)
{
	static const struct sq_json_sink sink = { .begin = expect_nesting,
		                                  .end = expect_nesting,
		                                  .key = expect_key,
		                                  .scalar = expect_scalar };
	struct sq_json *js = sq_json_new(&sink, t, &(struct sq_json_limits){ 4, 100 });

	while (text.n) {
		struct sq_sv line = sq_sv_cut(&text, '\n');
		size_t used;

		assert_true(t->n_expected < EXPECTED);
		assert_int_equal(sq_json_read(js, line, &used), 0);
		t->expected[t->n_expected].values = t->values[t->n_expected];
		t->n_expected++;
	}
	sq_json_free(js);
	assert_int_equal(t->n_expected, EXPECTED);
}

static const struct sq_event *expected_of(const struct run *t, const struct sq_event *ev)
{
	for (int i = 0; i < t->n_expected; i++) {
		const struct sq_event *e = &t->expected[i];

		if (sq_sv_eq(sq_event_get(e, SQ_F_CHANNEL), sq_event_get(ev, SQ_F_CHANNEL)) &&
		    sq_sv_eq(sq_event_get(e, (uint32_t)t->record_id),
		             sq_event_get(ev, SQ_F_RECORD_ID)))
			return e;
	}
	return NULL;
}

static void compare(struct run *t, const struct sq_event *ev)
{
	const struct sq_event *e;
	bool same = true;

	if (ev->event_id == 0)
		return;
	e = expected_of(t, ev);
	if (!e)
		fail_msg("an event that is not among the expected ones");
	for (size_t i = 0; i < SQ_LEN(compared); i++) {
		struct sq_sv want = sq_event_get(e, compared[i]);
		struct sq_sv got = sq_event_get(ev, compared[i]);

		if (!sq_event_has(e, compared[i]) || e->values[compared[i]].kind == SQ_VALUE_NULL)
			continue;
		if (!sq_sv_eq(got, want)) {
			struct sq_sv name = sq_fields_name(t->fields, compared[i]);

			print_message("%.*s: got \"%.*s\", want \"%.*s\"\n", SQ_SV_ARG(name),
			              SQ_SV_ARG(got), SQ_SV_ARG(want));
			same = false;
		}
	}
	t->same += same;
}

static void every_shape_gives_the_expected_fields(void **state)
{
	const char *dir = corpus_folder();
	struct sq_sv expected, text;
	char path[4200];
	struct run t;

	(void)state;
	begin(&t);
	(void)snprintf(path, sizeof(path), "%s/corpus/shapes/derived_expected.jsonl.gz", dir);
	expected = corpus_slurp(path);
	read_expected(&t, expected);
	t.event = compare;
	for (size_t i = 0; i < SQ_LEN(shapes); i++) {
		size_t mark = sq_arena_mark(&t.arena);

		t.events = t.malformed = t.same = 0;
		(void)snprintf(path, sizeof(path), "%s/corpus/shapes/derived_%s.gz", dir,
		               shapes[i].file);
		text = corpus_slurp(path);
		read_stream(&t, text);
		if (t.events != shapes[i].events || t.same != shapes[i].same || t.malformed)
			fail_msg("%s: %d events, %d as expected, %d malformed", shapes[i].file,
			         t.events, t.same, t.malformed);
		sq_arena_rewind(&t.arena, mark);
		drop(text);
	}
	drop(expected);
	end(&t);
}

static void read_folder(struct run *t, const char *dir, const char *folder)
{
	char path[5000];
	struct dirent *e;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/corpus/%s", dir, folder);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d))) {
		struct sq_sv text;

		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/corpus/%s/%s", dir, folder, e->d_name);
		text = corpus_slurp(path);
		for (struct sq_sv rest = text; rest.n;) {
			sq_arena_reset(&t->arena);
			read_record(t, sq_sv_cut(&rest, '\n'));
		}
		drop(text);
	}
	closedir(d);
}

static void a_whole_day_of_events_holds_nothing_malformed(void **state)
{
	const char *dir = corpus_folder();
	struct run t;

	(void)state;
	begin(&t);
	read_folder(&t, dir, "nxlog");
	read_folder(&t, dir, "nxlog-wef");
	read_folder(&t, dir, "winlogbeat6");
	assert_int_equal(t.malformed, 0);
	assert_int_equal(t.without_id, 0);
	assert_int_equal(t.events, 19318);
	end(&t);
}

static void awkward_json_is_read_or_malformed_as_labelled(void **state)
{
	char path[4200];
	struct sq_sv text;
	struct run t;
	int raw;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/labelled/jsontricks.jsonl", corpus_folder());
	begin(&t);
	raw = sq_fields_add(t.fields, SQ_SV("raw"));
	text = corpus_slurp(path);
	for (struct sq_sv rest = text; rest.n;) {
		struct sq_sv line = sq_sv_cut(&rest, '\n'), label = line, record;
		bool malformed = sq_sv_find(line, SQ_SV("\"expect\": \"malformed\"")) != SIZE_MAX;
		bool either = sq_sv_find(line, SQ_SV("alert-or-malformed")) != SIZE_MAX;
		struct sq_event ev;

		sq_arena_reset(&t.arena);
		assert_int_equal(sq_reader_next(t.reader, &label, NULL, &t.arena, &ev), 1);
		record = sq_event_get(&ev, (uint32_t)raw);
		assert_true(record.n > 0);
		t.events = t.malformed = 0;
		read_record(&t, record);
		assert_int_equal(t.events + t.malformed, 1);
		if (!either && malformed != (t.malformed == 1))
			fail_msg("%.*s", SQ_SV_ARG(line));
	}
	drop(text);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_gives_the_expected_fields),
		cmocka_unit_test(a_whole_day_of_events_holds_nothing_malformed),
		cmocka_unit_test(awkward_json_is_read_or_malformed_as_labelled),
	};

	if (!corpus_find())
		return CORPUS_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
