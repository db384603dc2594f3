#include "lib/engine/event_id.h"
#include "tests/unit/engine/rig.h"

#define EVENT_OF(who, command)                                                                     \
	"{\"EventID\":1," who "\"SourceModuleType\":\"im\","                                       \
	"\"Image\":\"C:\\\\Windows\\\\regsvr32.exe\",\"CommandLine\":\"" command "\"}"
#define WHO_WITH(host, channel, id, provider, time)                                                \
	"\"SourceName\":\"" provider "\",\"Channel\":\"" channel "\",\"Hostname\":\"" host         \
	"\",\"RecordNumber\":" id ",\"EventTime\":\"" time "\","
#define SYSMON   "Microsoft-Windows-Sysmon"
#define LOG      SYSMON "/Operational"
#define TIME     "2020-07-22 03:27:52"
#define WHO      WHO_WITH("WS5", LOG, "4711", SYSMON, TIME)
#define TOOL     EVENT_OF(WHO, "regsvr32 a.dll")
#define BOTH     EVENT_OF(WHO, "regsvr32 /i:http://x scrobj.dll")
#define NAMELESS EVENT_OF("\"Channel\":\"" LOG "\",", "regsvr32 a.dll")
#define HEADER   "<13>1 2020-07-22T03:28:00Z relay app - - - "
#define ALL(who) EVENT_OF(who, "regsvr32 a.dll")

struct ids {
	uint64_t alert[2][2], event[2]; /* of the first two alerts */
	uint32_t n;
	char host[256];
};

/* What a new pipeline, as after a restart, makes of a record. */
static struct ids ids_of(const char *record)
{
	struct ids ids = { 0 };
	const char *at;
	struct rig g;

	rig_open(&g, (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON }, 1 << 20);
	rig_add(&g, sq_sv_of(record));
	sq_pipeline_run(g.pipeline, g.batch, rig_now);
	ids.n = g.batch->n_alerts;
	assert_true(ids.n >= 1 && ids.n <= 2);
	for (uint32_t i = 0; i < ids.n; i++) {
		const struct sq_alert_ref *al = &g.batch->alerts[i];
		char wanted[SQ_ID_TEXT + 9] = "\"id\":\"", text[SQ_ID_TEXT];

		memcpy(ids.alert[i], al->id, sizeof(al->id));
		sq_id_format(al->id, text);
		(void)snprintf(wanted, sizeof(wanted), "\"id\":\"%.*s\"", SQ_ID_TEXT, text);
		assert_int_not_equal(sq_sv_find((struct sq_sv){ g.batch->out.p +
		                                                        al->text[SQ_FORMAT_JSON].at,
		                                                al->text[SQ_FORMAT_JSON].n },
		                                sq_sv_of(wanted)),
		                     SIZE_MAX);
		/* The host once, for all. */
		assert_int_equal(al->host.at, g.batch->alerts[0].host.at);
		assert_int_equal(al->host.n, g.batch->alerts[0].host.n);
	}
	memcpy(ids.host, g.batch->out.p + g.batch->alerts[0].host.at, g.batch->alerts[0].host.n);
	sq_outbuf_putc(&g.batch->out, '\0');
	at = strstr(g.batch->out.p, "\"event_id\":\"");
	at = strstr(at, "\"squibly\":{\"event_id\":\"");
	assert_non_null(at);
	at += strlen("\"squibly\":{\"event_id\":\"");
	for (unsigned i = 0; i < 2; i++) {
		char half[17] = "";

		memcpy(half, at + (size_t)i * 16, 16);
		ids.event[i] = strtoull(half, NULL, 16);
	}
	rig_close(&g);
	return ids;
}

static bool same(const uint64_t a[2], const uint64_t b[2])
{
	/* Halves that fall together by themselves would be worth 64 bits only. */
	assert_int_equal(a[0] == b[0], a[1] == b[1]);
	return a[0] == b[0] && a[1] == b[1];
}

struct pair {
	const char *name, *a, *b;
	bool same;
};

/* clang-format off */
static struct pair pairs[] = {
	{ "sent again after a restart", TOOL, TOOL, true },
	{ "in an array", TOOL, "[" TOOL "]", true },
	{ "behind a header of RFC 5424 with a time and host of its own", TOOL, HEADER TOOL, true },
	{ "behind one of RFC 3164", TOOL, "<13>Jul 21 23:27:52 h app: " TOOL, true },
	{ "behind a BOM, with blanks around", TOOL, "\xef\xbb\xbf " TOOL " ", true },
	{ "in the wrapper of a collector", TOOL, "{\"time\":1,\"host\":\"x\",\"event\":" TOOL "}", true },
	{ "its host in small letters", TOOL, ALL(WHO_WITH("ws5", LOG, "4711", SYSMON, TIME)), true },
	{ "with other fields beside it", TOOL, EVENT_OF(WHO "\"EventReceivedTime\":\"now\",", "regsvr32 a.dll"), true },
	{ "another host", TOOL, ALL(WHO_WITH("WS6", LOG, "4711", SYSMON, TIME)), false },
	{ "another channel", TOOL, ALL(WHO_WITH("WS5", "Other", "4711", SYSMON, TIME)), false },
	{ "another record id", TOOL, ALL(WHO_WITH("WS5", LOG, "4712", SYSMON, TIME)), false },
	{ "another time: the log was cleared and counts anew", TOOL,
	  ALL(WHO_WITH("WS5", LOG, "4711", SYSMON, "2020-08-22 03:27:52")), false },
	{ "another provider", ALL(WHO_WITH("WS5", LOG, "4711", "A", TIME)),
	  ALL(WHO_WITH("WS5", LOG, "4711", "B", TIME)), false },
	{ "a forged one does not hide another command line", TOOL, EVENT_OF(WHO, "regsvr32 b.dll"), false },
	{ "parts that run into each other", ALL(WHO_WITH("AB", LOG, "4711", SYSMON, TIME)),
	  ALL(WHO_WITH("A", "B" LOG, "4711", SYSMON, TIME)), false },
	{ "nameless, sent again", NAMELESS, NAMELESS, true },
	{ "nameless, in an array", NAMELESS, "[ " NAMELESS " ]", true },
	{ "nameless, the header's time is none of it", "<13>1 2020-07-22T03:28:00Z h app - - - " NAMELESS,
	  "<13>1 2020-07-22T03:29:00Z h app - - - " NAMELESS, true },
	{ "nameless, of another host by the header", HEADER NAMELESS,
	  "<13>1 2020-07-22T03:28:00Z other app - - - " NAMELESS, false },
	{ "nameless, one byte differs", NAMELESS, EVENT_OF("\"Channel\":\"" LOG "\",", "regsvr32 a.dlL"), false },
	{ "no record id: by its content", ALL(WHO_WITH("WS5", LOG, "null", SYSMON, TIME)),
	  ALL(WHO_WITH("WS5", LOG, "null", SYSMON, "2020-07-22 03:27:53")), false },
};
/* clang-format on */

static void check_pair(void **state)
{
	const struct pair *p = *state;
	struct ids a = ids_of(p->a), b = ids_of(p->b);

	assert_true(sq_id_known(a.event) && sq_id_known(a.alert[0]));
	assert_int_equal(same(a.event, b.event), p->same);
	assert_int_equal(same(a.alert[0], b.alert[0]), p->same);
	assert_false(same(a.event, a.alert[0]));
}

static void two_rules_on_one_event_are_two_alerts_of_one_event(void **state)
{
	struct ids both = ids_of(BOTH);

	(void)state;
	assert_int_equal(both.n, 2);
	assert_false(same(both.alert[0], both.alert[1]));
	assert_string_equal(both.host, "WS5");
}

/* An id is an interface: receivers keep it. These were made by another program
 * (tests/e2e/test_ids.py has one) after docs/formats.md. */
static void ids_are_those_that_are_documented(void **state)
{
	static const struct sq_sv empty = { "", 0 };
	char text[SQ_ID_TEXT];
	uint64_t id[2];

	(void)state;
	sq_event_id_of_bytes(empty, empty, empty, id);
	sq_id_format(id, text);
	assert_sv_equal(((struct sq_sv){ text, sizeof(text) }),
	                SQ_SV("f46e88db4aeea7523207bc676f1b0b3e"));
	sq_event_id_of_bytes(SQ_SV("WS5.Example"), SQ_SV("{\"EventID\":1}"), empty, id);
	sq_id_format(id, text);
	assert_sv_equal(((struct sq_sv){ text, sizeof(text) }),
	                SQ_SV("bade9ade09964ca7d6df2ef7ffe81d5d"));
	sq_event_id_of_bytes(SQ_SV("WS5.Example"), SQ_SV("{\"EventID\":1}"), SQ_SV("north"), id);
	sq_id_format(id, text);
	assert_sv_equal(((struct sq_sv){ text, sizeof(text) }),
	                SQ_SV("2bfe7dbecdc2135859e606f35ac7ec66"));
	memcpy(id, ids_of(TOOL).event, sizeof(id));
	sq_id_format(id, text);
	assert_sv_equal(((struct sq_sv){ text, sizeof(text) }),
	                SQ_SV("8d8e270f4dcf24aff4552356a9c3a9cf"));
	memcpy(id, ids_of(TOOL).alert[0], sizeof(id));
	sq_id_format(id, text);
	assert_sv_equal(((struct sq_sv){ text, sizeof(text) }),
	                SQ_SV("928b7543f4c72f33fab2cf3b31261f03"));
}

static void a_count_has_a_name_of_its_own(void **state)
{
	const uint64_t last[2] = { 1, 2 };
	uint64_t a[2], b[2], again[2];

	(void)state;
	sq_repeats_id(last, 3, a);
	sq_repeats_id(last, 4, b);
	sq_repeats_id(last, 3, again);
	assert_false(same(a, last));
	assert_false(same(a, b));
	assert_true(same(a, again));
}

/* A host's name is cut beside the alert, and no longer one than 256 bytes goes into the id. */
static void a_long_host_name_is_bounded(void **state)
{
	char record[2000], name[600];
	struct ids ids;

	(void)state;
	memset(name, 'h', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	(void)snprintf(record, sizeof(record),
	               "{\"EventID\":1,\"Channel\":\"" LOG "\",\"Hostname\":\"%s\","
	               "\"Image\":\"C:\\\\regsvr32.exe\"}",
	               name);
	ids = ids_of(record);
	assert_int_equal(strlen(ids.host), 255);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_rules_on_one_event_are_two_alerts_of_one_event),
		cmocka_unit_test(ids_are_those_that_are_documented),
		cmocka_unit_test(a_count_has_a_name_of_its_own),
		cmocka_unit_test(a_long_host_name_is_bounded),
	};

	return cmocka_run_group_tests_name("event_id", tests, NULL, NULL) +
	       RUN_TABLE("event_id/pair", pairs, check_pair);
}
