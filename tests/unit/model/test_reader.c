/* What is one record, how many events it holds, and what is kept of them. */
#include "tests/unit/model/reading.h"

struct record_case {
	const char *name;
	struct sq_sv record;
	int want[6];     /* return values in order; the first 0 ends the case */
	uint32_t ids[6]; /* of the events among them */
	const char *why; /* part of the reason of the last failure */
};

#define DEEP8  "[[[[[[[["
#define DEEP64 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8 DEEP8

/* clang-format off */
static struct record_case record_cases[] = {
	{ "two objects back to back", SQ_SV("{\"EventID\":1}{\"EventID\":2}"), { 1, 1 }, { 1, 2 } },
	{ "two with a NUL between", SQ_SV("{\"EventID\":1}\0{\"EventID\":2}\0"), { 1, 1 }, { 1, 2 } },
	{ "an array of three", SQ_SV("[{\"EventID\":1}, {\"EventID\":2},{\"EventID\":3}]\n"), { 1, 1, 1 }, { 1, 2, 3 } },
	{ "an empty array", SQ_SV("[]"), { 0 }, { 0 } },
	{ "an array whose end is missing", SQ_SV("[{\"EventID\":1},{\"EventID\":2"), { 1, -EBADMSG }, { 1 }, "premature" },
	{ "a byte order mark", SQ_SV("\xef\xbb\xbf{\"EventID\":1}"), { 1 }, { 1 } },
	{ "blanks and a line end behind", SQ_SV("{\"EventID\":1} \r\n"), { 1 }, { 1 } },
	{ "a pretty object", SQ_SV("{\n  \"EventID\" : 1\n}"), { 1 }, { 1 } },
	{ "rubbish behind an event does not lose it", SQ_SV("{\"EventID\":1} rubbish"), { 1, -EBADMSG }, { 1 }, "no JSON object" },
	{ "a broken line, a good one", SQ_SV("{\"EventID\":x}\n{\"EventID\":2}"), { -EBADMSG, 1 }, { 0, 2 }, "not JSON at byte" },
	{ "nothing", SQ_SV(""), { -EBADMSG }, { 0 }, "no JSON object" },
	{ "blanks only", SQ_SV("  \n"), { -EBADMSG }, { 0 }, "no JSON object" },
	{ "text", SQ_SV("regsvr32 /s x"), { -EBADMSG }, { 0 }, "no JSON object" },
	{ "a bare string", SQ_SV("\"{\""), { -EBADMSG }, { 0 }, "bare value" },
	{ "a bare number", SQ_SV("12"), { -EBADMSG }, { 0 }, "no JSON object" },
	{ "an escape that JSON does not have", SQ_SV("{\"EventID\":1,\"a\":\"\\x2f\"}"), { -EBADMSG }, { 0 }, "not JSON at byte" },
	{ "the end is missing", SQ_SV("{\"EventID\":1,\"a\":\"b\""), { -EBADMSG }, { 0 }, "premature EOF" },
	{ "as deep as allowed", SQ_SV("{\"a\":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]],\"EventID\":1}"), { 1 }, { 1 } },
	{ "deeper than allowed", SQ_SV("{\"a\":" DEEP64), { -EBADMSG }, { 0 }, "nested deeper than 64" },
	{ "XML that breaks off", SQ_SV("<Event><System><EventID>1</EventID>"), { -EBADMSG }, { 0 }, "XML" },
	{ "two XML events in one frame", SQ_SV("<Events><Event><System><EventID>1</EventID></System></Event>"
	  "<Event><System><EventID>2</EventID></System></Event></Events>"), { 1, 1 }, { 1, 2 } },
};
/* clang-format on */

static void check_record(void **state)
{
	const struct record_case *tc = *state;
	char *copy = exact(tc->record.p, tc->record.n);
	struct sq_sv rest = { copy, tc->record.n };
	struct sq_event ev;
	struct reading t;

	begin(&t, &(struct sq_reader_opts){ 0 });
	for (size_t i = 0; i < SQ_LEN(tc->want); i++) {
		int r = sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev);

		assert_int_equal(r, tc->want[i]);
		if (r == 1)
			assert_int_equal(ev.event_id, tc->ids[i]);
		if (r < 0 && !strstr(sq_reader_why(t.reader), tc->why))
			fail_msg("\"%s\" does not say \"%s\"", sq_reader_why(t.reader), tc->why);
		if (r == 0)
			break;
	}
	/* A good record after it is read as if nothing had been. */
	rest = SQ_SV("{\"EventID\":7}");
	assert_int_equal(sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev), 1);
	assert_int_equal(ev.event_id, 7);
	end(&t);
	free(copy);
}

static void every_value_of_a_key_given_twice_is_kept(void **state)
{
	static const char record[] =
		"{\"EventID\":4688,\"CommandLine\":\"a\",\"CommandLine\":\"b\","
		"\"CommandLine\":\"a\",\"CommandLine\":[\"c\",\"d\"]}";
	const struct sq_value *v;
	struct sq_event ev;
	struct reading t;

	(void)state;
	read_first(&t, record, &ev);
	assert_true(ev.flags & SQ_EVENT_DUPLICATE_KEY);
	v = &ev.values[SQ_F_COMMAND_LINE];
	for (const char *want = "abcd"; *want; want++) {
		assert_non_null(v);
		assert_sv_equal(sq_value_sv(v), ((struct sq_sv){ want, 1 }));
		v = sq_event_next(&ev, v);
	}
	assert_null(v);
	end(&t);
}

static void an_array_is_no_key_given_twice(void **state)
{
	static const char record[] = "{\"EventID\":1,\"Image\":[\"a\",\"b\"]}";
	struct sq_event ev;
	struct reading t;

	(void)state;
	read_first(&t, record, &ev);
	assert_false(ev.flags & SQ_EVENT_DUPLICATE_KEY);
	assert_non_null(sq_event_next(&ev, &ev.values[SQ_F_IMAGE]));
	end(&t);
}

static void a_rules_own_field_is_found_under_its_name(void **state)
{
	struct sq_fields *fields = sq_fields_new();
	int target = sq_fields_add(fields, SQ_SV("TargetObject"));
	struct sq_reader *r = sq_reader_new(fields, &(struct sq_reader_opts){ 0 });
	struct sq_sv rest =
		SQ_SV("{\"event_data\":{\"TargetObject\":\"HKLM\\\\x\"},\"event_id\":13}");
	struct sq_arena a;
	struct sq_event ev;

	(void)state;
	assert_int_equal(sq_arena_init(&a, 4096), 0);
	assert_int_equal(sq_reader_next(r, &rest, NULL, &a, &ev), 1);
	assert_sv_equal(sq_event_get(&ev, (uint32_t)target), SQ_SV("HKLM\\x"));
	sq_arena_fini(&a);
	sq_reader_free(r);
	sq_fields_free(fields);
}

static void all_scalars_are_kept_when_asked_for(void **state)
{
	struct sq_sv rest = SQ_SV("{\"a\":{\"b\":[\"x\\ny\",12]},\"EventID\":3,\"c\":null}");
	struct sq_event ev;
	struct reading t;

	(void)state;
	begin(&t, &(struct sq_reader_opts){ .want_all = true });
	assert_int_equal(sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev), 1);
	assert_int_equal(ev.n_all, 3);
	assert_sv_equal(ev.all[0], SQ_SV("x\ny"));
	assert_sv_equal(ev.all[1], SQ_SV("12"));
	assert_sv_equal(ev.all[2], SQ_SV("3"));
	end(&t);
}

static void more_keys_than_allowed_are_malformed(void **state)
{
	struct sq_sv rest = SQ_SV("{\"a\":1,\"b\":2,\"c\":3}");
	struct sq_event ev;
	struct reading t;

	(void)state;
	begin(&t, &(struct sq_reader_opts){ .max_keys = 2 });
	assert_int_equal(sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev), -EBADMSG);
	assert_string_equal(sq_reader_why(t.reader), "keys over the limit of 2");
	end(&t);
}

static void a_full_arena_is_said_and_harmless(void **state)
{
	static const char record[] =
		"{\"EventID\":\"4\\u0036\\u0038\\u0038\",\"Channel\":\"Securit\\u0079\","
		"\"CommandLine\":\"\\ta\\tb\\tc\",\"NewProcessId\":\"0x1\"}";

	(void)state;
	for (size_t cap = 0; cap < 64; cap++) {
		struct sq_sv rest = { record, sizeof(record) - 1 };
		struct sq_event ev;
		struct reading t;

		begin(&t, &(struct sq_reader_opts){ 0 });
		sq_arena_fini(&t.arena);
		assert_int_equal(sq_arena_init(&t.arena, cap), 0);
		assert_int_equal(sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev), 1);
		if (cap < 15)
			assert_true(ev.flags & SQ_EVENT_OVERFLOW);
		if (cap >= 40)
			assert_false(ev.flags & SQ_EVENT_OVERFLOW);
		end(&t);
	}
}

static void a_syslog_header_fills_what_the_event_lacks(void **state)
{
	struct sq_syslog header = { .host = SQ_SV("relay"), .time_us = 77 };
	struct sq_sv rest =
		SQ_SV("{\"EventID\":1}{\"EventID\":1,\"Hostname\":\"own\",\"EventTime\":"
	              "\"1970-01-01T00:00:01Z\"}");
	struct sq_event ev;
	struct reading t;

	(void)state;
	begin(&t, &(struct sq_reader_opts){ 0 });
	assert_int_equal(sq_reader_next(t.reader, &rest, &header, &t.arena, &ev), 1);
	assert_sv_equal(sq_event_get(&ev, SQ_F_COMPUTER), SQ_SV("relay"));
	assert_int_equal(ev.time_us, 77);
	assert_int_equal(sq_reader_next(t.reader, &rest, &header, &t.arena, &ev), 1);
	assert_sv_equal(sq_event_get(&ev, SQ_F_COMPUTER), SQ_SV("own"));
	assert_int_equal(ev.time_us, 1000000);
	end(&t);
}

static void a_time_with_a_zone_beats_one_without(void **state)
{
	static const struct {
		const char *record;
		int64_t want_us;
	} rows[] = {
		{ "{\"EventID\":4688,\"EventTime\":\"1970-01-01 05:00:00\","
		  "\"@timestamp\":\"1970-01-01T00:00:03Z\"}",
		  3000000 },
		{ "{\"EventID\":4688,\"EventTime\":\"1970-01-01T06:00:00+05:00\","
		  "\"@timestamp\":\"1970-01-01T00:00:03Z\"}",
		  3600000000 },
		{ "{\"EventID\":4688,\"EventTime\":\"1970-01-01 00:00:05\"}", 5000000 },
		{ "{\"EventID\":4688,\"@timestamp\":\"1970-01-01T00:00:06.5Z\"}", 6500000 },
		{ "{\"EventID\":4688,\"EventTime\":7,\"@timestamp\":\"1970-01-01T00:00:08Z\"}",
		  7000000 },
	};

	(void)state;
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		struct sq_event ev;
		struct reading t;

		read_first(&t, rows[i].record, &ev);
		assert_int_equal(ev.time_us, rows[i].want_us);
		end(&t);
	}
}

static void sysmon_time_is_utc_time(void **state)
{
	static const char record[] = "{\"EventID\":1,\"SourceName\":\"Microsoft-Windows-Sysmon\","
				     "\"EventTime\":\"2024-05-06 09:08:09\","
				     "\"UtcTime\":\"1970-01-01 00:00:02.500\"}";
	struct sq_event ev;
	struct reading t;

	(void)state;
	read_first(&t, record, &ev);
	assert_int_equal(ev.time_us, 2500000);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_of_a_key_given_twice_is_kept),
		cmocka_unit_test(an_array_is_no_key_given_twice),
		cmocka_unit_test(a_rules_own_field_is_found_under_its_name),
		cmocka_unit_test(all_scalars_are_kept_when_asked_for),
		cmocka_unit_test(more_keys_than_allowed_are_malformed),
		cmocka_unit_test(a_full_arena_is_said_and_harmless),
		cmocka_unit_test(a_syslog_header_fills_what_the_event_lacks),
		cmocka_unit_test(a_time_with_a_zone_beats_one_without),
		cmocka_unit_test(sysmon_time_is_utc_time),
	};

	return RUN_TABLE("model/reader", record_cases, check_record) +
	       cmocka_run_group_tests(tests, NULL, NULL);
}
