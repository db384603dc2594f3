/* Records inside of records, and values that say their type: OpenTelemetry's JSON, and lists of
 * events within an object. Read by yajl and by skim. */
#include "tests/support/test.h"

#include <errno.h>

#include "lib/model/reader.h"

/* clang-format off */
#define STR(k, v)  "{\"key\":\"" k "\",\"value\":{\"stringValue\":\"" v "\"}}"
#define INT(k, v)  "{\"key\":\"" k "\",\"value\":{\"intValue\":\"" v "\"}}"
#define MAP(k, m)  "{\"key\":\"" k "\",\"value\":{\"kvlistValue\":{\"values\":[" m "]}}}"
#define LIST(k, l) "{\"key\":\"" k "\",\"value\":{\"arrayValue\":{\"values\":[" l "]}}}"
#define ONE(k, v)  "{\"kvlistValue\":{\"values\":[" STR(k, v) "]}}"

/* As the receiver for Windows' event log names them; the data as a map (before 0.89 and today). */
#define MAP_4688   STR("channel", "Security") "," STR("computer", "ws7") "," \
                   MAP("event_id", INT("qualifiers", "0") "," INT("id", "4688")) "," \
                   MAP("provider", STR("name", "Microsoft-Windows-Security-Auditing") "," STR("guid", "{5}")) "," \
                   INT("record_id", "42") "," STR("system_time", "2024-05-06T07:08:09.1234567Z") "," \
                   LIST("keywords", "{\"stringValue\":\"Audit Success\"}") "," STR("message", "A new process has been created.") "," \
                   MAP("event_data", STR("NewProcessName", "C:\\\\w\\\\n.exe") "," STR("CommandLine", "n \\\"a b\\\" \\u00e9") "," \
                                     STR("SubjectUserName", "eve") "," STR("SubjectDomainName", "LAB") "," STR("NewProcessId", "0x20"))
/* The data as a list of objects of one member (0.89 and on). */
#define LIST_1     STR("channel", "Microsoft-Windows-Sysmon/Operational") "," MAP("event_id", INT("id", "1")) "," \
                   MAP("event_data", LIST("data", ONE("Image", "C:\\\\i.exe") "," ONE("CommandLine", "i /x")))
#define LOG(m)     "{\"timeUnixNano\":\"1714979289123456700\",\"observedTimeUnixNano\":\"1714979290000000000\",\"severityNumber\":9," \
                   "\"severityText\":\"Information\",\"body\":{\"kvlistValue\":{\"values\":[" m "]}},\"attributes\":[" STR("a", "b") "]," \
                   "\"traceId\":\"\",\"spanId\":\"\"}"
#define LOG_TEXT(t) "{\"body\":{\"stringValue\":\"" t "\"},\"attributes\":[]}"
#define XML        "<Event><System><EventID>4688</EventID><Channel>Security</Channel></System><EventData>" \
                   "<Data Name='NewProcessName'>x.exe</Data><Data Name='CommandLine'>x /y</Data></EventData></Event>"
#define SCOPE(l)   "{\"scope\":{\"name\":\"n\",\"attributes\":[" STR("logRecords", "[") "]},\"logRecords\":[" l "]}"
#define RESOURCE(s) "{\"resource\":{\"attributes\":[" STR("host.name", "ws7") "]},\"scopeLogs\":[" s "],\"schemaUrl\":\"https://x/[{\"}"
#define OTLP(r)    "{\"resourceLogs\":[" r "]}"

#define A "{\"EventID\":4688,\"Channel\":\"Security\",\"CommandLine\":\"a\"}"
#define B "{\"EventID\":4688,\"Channel\":\"Security\",\"CommandLine\":\"b\"}"

#define IN5  "{\"records\":[{\"records\":[{\"records\":[{\"records\":[{\"x\":1,\"records\":["
#define OUT5 "]}]}],\"y\":[{}]}]}]}"

static struct nested_case {
	const char *name, *record;
	int want[5];         /* what reading returns; the first 0 ends the case */
	const char *line[5]; /* CommandLine of each event; NULL: none */
	const char *shape;   /* of the first */
	uint32_t max_keys;
} rows[] = {
	{ "OTLP JSON, data as a map", OTLP(RESOURCE(SCOPE(LOG(MAP_4688)))), { 1 }, { "n \"a b\" \xc3\xa9" }, "otel" },
	{ "OTLP JSON, data as a list", OTLP(RESOURCE(SCOPE(LOG(LIST_1)))), { 1 }, { "i /x" }, "otel" },
	{ "OTLP JSON, the event's XML", OTLP(RESOURCE(SCOPE(LOG_TEXT(XML)))), { 1 }, { "x /y" }, "xml" },
	{ "several records, scopes and resources", OTLP(RESOURCE(SCOPE(LOG(MAP_4688) "," LOG(LIST_1)) "," SCOPE(LOG_TEXT(XML))) "," RESOURCE(SCOPE(LOG(LIST_1)))),
	  { 1, 1, 1, 1 }, { "n \"a b\" \xc3\xa9", "i /x", "x /y", "i /x" }, "otel" },
	{ "scopes and resources without records", OTLP(RESOURCE("") "," RESOURCE(SCOPE("")) "," RESOURCE(SCOPE(LOG(LIST_1)))), { 1 }, { "i /x" }, "otel" },
	{ "pretty", "{\n \"resourceLogs\" : [ {\n \"scopeLogs\" : [\n { \"logRecords\" : [ { \"body\" : { \"kvlistValue\" : { \"values\" : [ { \"key\" : \"event_id\" ,\n"
	  " \"value\" : { \"intValue\" : 4688 } } , { \"key\":\"CommandLine\", \"value\" : { \"stringValue\" : \"p\" } } ] } } } ] } ] } ] }\n", { 1 }, { "p" }, "flat" },
	{ "records of one resource alone", RESOURCE(SCOPE(LOG(LIST_1) "," LOG(MAP_4688))), { 1, 1 }, { "i /x", "n \"a b\" \xc3\xa9" }, "otel" },
	{ "a log record alone", LOG(LIST_1), { 1 }, { "i /x" }, "otel" },
	{ "two documents back to back", OTLP(RESOURCE(SCOPE(LOG(LIST_1)))) OTLP(RESOURCE(SCOPE(LOG(MAP_4688)))), { 1, 1 }, { "i /x", "n \"a b\" \xc3\xa9" }, "otel" },
	{ "documents in an array", "[" OTLP(RESOURCE(SCOPE(LOG(LIST_1)))) "," OTLP(RESOURCE(SCOPE(LOG(MAP_4688)))) "]", { 1, 1 }, { "i /x", "n \"a b\" \xc3\xa9" }, "otel" },
	{ "names as in the .proto files", "{\"resource_logs\":[{\"scope_logs\":[{\"log_records\":[{\"body\":{\"kvlist_value\":{\"values\":[{\"key\":\"event_id\","
	  "\"value\":{\"int_value\":\"4688\"}},{\"key\":\"CommandLine\",\"value\":{\"string_value\":\"p\"}}]}}}]}]}]}", { 1 }, { "p" }, "flat" },
	{ "names of before 0.15", "{\"resourceLogs\":[{\"instrumentationLibraryLogs\":[{\"logs\":[" LOG(LIST_1) "]}]}]}", { 1 }, { "i /x" }, "otel" },
	{ "members the other way round", "{\"resourceLogs\":[{\"schemaUrl\":\"\",\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"kvlistValue\":{\"values\":["
	  "{\"value\":{\"intValue\":\"4688\"},\"key\":\"event_id\"},{\"value\":{\"stringValue\":\"p\"},\"key\":\"CommandLine\"}]}}}],\"scope\":{}}],\"resource\":{}}]}", { 1 }, { "p" }, "flat" },
	{ "values of every type, and none", OTLP(RESOURCE(SCOPE(LOG(INT("event_id", "4688") ",{\"key\":\"a\",\"value\":{}},{\"key\":\"b\"},{},{\"key\":\"c\",\"value\":{\"boolValue\":true}},"
	  "{\"key\":\"d\",\"value\":{\"doubleValue\":1.5}},{\"key\":\"e\",\"value\":{\"bytesValue\":\"AA==\"}},{\"key\":\"f\",\"value\":{\"kvlistValue\":{}}},"
	  "{\"key\":\"g\",\"value\":{\"arrayValue\":{}}},{\"key\":\"h\",\"value\":{\"arrayValue\":{\"values\":[{},{\"stringValue\":\"\"},{\"arrayValue\":{\"values\":[]}}]}}},"
	  STR("CommandLine", "p"))))), { 1 }, { "p" }, "flat" },
	{ "no record at all", OTLP(RESOURCE(SCOPE(""))), { 0 }, { 0 }, NULL },
	{ "one that is cut off does not hide those before it", "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[" LOG(LIST_1) "," LOG(MAP_4688) ",{\"body\":{\"kvli",
	  { 1, 1, -EBADMSG }, { "i /x", "n \"a b\" \xc3\xa9" }, "otel" },
	{ "nor one that is broken", OTLP(RESOURCE(SCOPE(LOG(LIST_1) ",{\"body\":oops}"))), { 1, -EBADMSG }, { "i /x" }, "otel" },
	{ "an event of its own is no list of others", "{\"EventID\":4688,\"Channel\":\"Security\",\"CommandLine\":\"p\",\"records\":[" A "]}", { 1 }, { "p" }, "flat" },

	{ "records of Azure", "{\"records\":[" A "," B "]}", { 1, 1 }, { "a", "b" }, "flat" },
	{ "events of a batch", "{\"events\":[" A "," B "]}", { 1, 1 }, { "a", "b" }, "flat" },
	{ "rows of Azure's API", "{\"value\":[" A "," B "],\"nextLink\":null}", { 1, 1 }, { "a", "b" }, "flat" },
	{ "results of a search", "{\"results\":[" A "," B "]}", { 1, 1 }, { "a", "b" }, "flat" },
	{ "log events of CloudWatch", "{\"messageType\":\"DATA_MESSAGE\",\"logEvents\":[{\"id\":\"3\",\"timestamp\":1,\"message\":\"" XML "\"}]}", { 1 }, { "x /y" }, "xml" },
	{ "lists in lists", IN5 IN5 IN5 IN5 A "," B OUT5 OUT5 OUT5 OUT5, { 1, 1 }, { "a", "b" }, "flat" },
	{ "deeper than records may be", IN5 IN5 IN5 IN5 IN5 IN5 IN5 A OUT5 OUT5 OUT5 OUT5 OUT5 OUT5 OUT5, { -EBADMSG }, { 0 }, NULL },
	{ "more keys than an event may have", "{\"records\":[" A "," B "]}", { 1, 1 }, { "a", "b" }, "flat", 5 },
	{ "a list that holds no objects", "{\"records\":[1,2],\"EventID\":7}", { 1 }, { NULL }, "flat" },
};
/* clang-format on */

static void read_row(const struct nested_case *tc, bool skim)
{
	size_t n = strlen(tc->record);
	char *copy = exact(tc->record, n);
	struct sq_sv rest = { copy, n };
	struct sq_fields *fields = sq_fields_new();
	struct sq_arena a;
	struct sq_event ev;

	assert_int_equal(sq_arena_init(&a, 64 * 1024), 0);
	for (size_t i = 0; i < SQ_LEN(tc->want); i++) {
		/* Another one each time: whoever goes on in a record may not know how it began. */
		struct sq_reader *r =
			sq_reader_new(fields, &(struct sq_reader_opts){ .skim = skim,
		                                                        .max_keys = tc->max_keys });
		int got;

		sq_arena_reset(&a);
		assert_non_null(r);
		got = rest.n || i == 0 ? sq_reader_next(r, &rest, NULL, &a, &ev) : 0;
		if (got != tc->want[i])
			fail_msg("%zu: %d instead of %d: %s", i, got, tc->want[i],
			         got < 0 ? sq_reader_why(r) : "");
		if (got == 1) {
			assert_true(ev.raw.p >= copy && ev.raw.p + ev.raw.n <= copy + n);
			assert_int_equal(ev.raw.p[0], '{');
			assert_sv_equal(sq_event_get(&ev, SQ_F_COMMAND_LINE),
			                sq_sv_of(tc->line[i] ? tc->line[i] : ""));
			if (i == 0)
				assert_string_equal(ev.shape, tc->shape);
		}
		sq_reader_free(r);
		if (got == 0)
			break;
	}
	sq_arena_fini(&a);
	sq_fields_free(fields);
	free(copy);
}

static void check_row(void **state)
{
	read_row(*state, false);
	read_row(*state, true);
}

static void everything_is_in_its_field(void **state)
{
	static const char record[] = OTLP(RESOURCE(SCOPE(LOG(MAP_4688))));
	static const struct {
		uint32_t field;
		const char *want;
	} fields_wanted[] = {
		{ SQ_F_EVENT_ID, "4688" },
		{ SQ_F_CHANNEL, "Security" },
		{ SQ_F_PROVIDER, "Microsoft-Windows-Security-Auditing" },
		{ SQ_F_COMPUTER, "ws7" },
		{ SQ_F_RECORD_ID, "42" },
		{ SQ_F_MESSAGE, "A new process has been created." },
		{ SQ_F_IMAGE, "C:\\w\\n.exe" },
		{ SQ_F_USER, "LAB\\eve" },
		{ SQ_F_PROCESS_ID, "32" },
	};
	struct sq_fields *fields = sq_fields_new();
	struct sq_reader *r = sq_reader_new(fields, &(struct sq_reader_opts){ .want_all = true });
	struct sq_sv rest = { record, sizeof(record) - 1 };
	struct sq_arena a;
	struct sq_event ev;

	(void)state;
	assert_int_equal(sq_arena_init(&a, 64 * 1024), 0);
	assert_int_equal(sq_reader_next(r, &rest, NULL, &a, &ev), 1);
	for (size_t i = 0; i < SQ_LEN(fields_wanted); i++)
		assert_sv_equal(sq_event_get(&ev, fields_wanted[i].field),
		                sq_sv_of(fields_wanted[i].want));
	assert_int_equal(ev.time_us, 1714979289123456);
	assert_int_equal(ev.category, SQ_CATEGORY_PROCESS_CREATION);
	/* The record as it came, and its values once: the names of types are none. */
	assert_true(sq_sv_starts(ev.raw, SQ_SV("{\"timeUnixNano\":")));
	assert_true(sq_sv_ends(ev.raw, SQ_SV("\"spanId\":\"\"}")));
	for (uint32_t i = 0; i < ev.n_all; i++)
		assert_false(sq_sv_eq(ev.all[i], SQ_SV("event_id")));
	sq_arena_fini(&a);
	sq_reader_free(r);
	sq_fields_free(fields);
}

/* A command line so long that a relay cut its record does not hide what it begins with. */
static void a_record_that_was_cut_is_read_as_far_as_it_came(void **state)
{
	static const char record[] =
		"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[" LOG(LIST_1) ",{\"body\":{\"kvlistValue\":{\"values\":[" INT(
			"event_id",
			"4688") ","
				"{\"key\":\"CommandLine\",\"value\":{\"stringValue\":\"regsvr32 /s";
	struct sq_fields *fields = sq_fields_new();
	struct sq_sv rest = { record, sizeof(record) - 1 };
	struct sq_arena a;
	struct sq_event ev;

	(void)state;
	assert_int_equal(sq_arena_init(&a, 64 * 1024), 0);
	for (int skim = 0; skim < 2; skim++) {
		struct sq_reader *r =
			sq_reader_new(fields, &(struct sq_reader_opts){ .skim = skim });

		rest = (struct sq_sv){ record, sizeof(record) - 1 };
		assert_int_equal(sq_reader_next(r, &rest, NULL, &a, &ev), 1);
		assert_int_equal(sq_reader_next(r, &rest, NULL, &a, &ev), -EBADMSG);
		assert_true(sq_reader_salvage(r, NULL, &a, &ev));
		assert_sv_equal(sq_event_get(&ev, SQ_F_COMMAND_LINE), SQ_SV("regsvr32 /s"));
		assert_int_equal(ev.event_id, 4688);
		assert_true(ev.flags & SQ_EVENT_CUT);
		sq_reader_free(r);
	}
	sq_arena_fini(&a);
	sq_fields_free(fields);
}

static void every_prefix_is_harmless_and_no_memory_too(void **state)
{
	struct sq_fields *fields = sq_fields_new();

	(void)state;
	for (int skim = 0; skim < 2; skim++) {
		struct sq_reader *r =
			sq_reader_new(fields,
		                      &(struct sq_reader_opts){ .want_all = true, .skim = skim });
		struct sq_arena a;

		assert_int_equal(sq_arena_init(&a, 2000), 0);
		for (size_t i = 0; i < SQ_LEN(rows); i++) {
			for (size_t n = 0; n <= strlen(rows[i].record); n++) {
				char *copy = exact(rows[i].record, n);
				struct sq_sv rest = { copy, n };
				struct sq_event ev;
				int calls = 0, got;

				while ((got = sq_reader_next(r, &rest, NULL, &a, &ev)) != 0) {
					assert_true(++calls < 10);
					if (got < 0)
						(void)sq_reader_salvage(r, NULL, &a, &ev);
					sq_arena_reset(&a);
				}
				free(copy);
			}
		}
		sq_arena_fini(&a);
		sq_reader_free(r);
	}
	sq_fields_free(fields);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_in_its_field),
		cmocka_unit_test(a_record_that_was_cut_is_read_as_far_as_it_came),
		cmocka_unit_test(every_prefix_is_harmless_and_no_memory_too),
	};
	int failed = RUN_TABLE("model/nested", rows, check_row);

	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
