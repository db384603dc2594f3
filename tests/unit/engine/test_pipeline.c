#include "tests/support/fault_alloc.h"
#include "tests/unit/engine/rig.h"

/* JSON in C in JSON: one backslash of a path is two in the record. */
#define EVENT(image, command)                                                                      \
	"{\"EventID\":1,\"SourceName\":\"Microsoft-Windows-Sysmon\","                              \
	"\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"Hostname\":\"WS5\","               \
	"\"SourceModuleType\":\"im_msvistalog\",\"Image\":\"C:\\\\Windows\\\\" image               \
	"\",\"CommandLine\":\"" command "\"}"
#define CLEAN EVENT("notepad.exe", "notepad a.txt")
#define TOOL  EVENT("regsvr32.exe", "regsvr32 a.dll") /* the low rule */
#define BOTH  EVENT("regsvr32.exe", "regsvr32 /i:http://x scrobj.dll")

struct account_case {
	const char *name;
	const char *record;
	unsigned received, alerted, clean, malformed, alerts;
};

static struct account_case accounts[] = {
	{ "an ordinary event is clean", CLEAN, 1, 0, 1, 0, 0 },
	{ "one rule is one alert", TOOL, 1, 1, 0, 0, 1 },
	{ "two rules are two alerts of one record", BOTH, 1, 1, 0, 0, 2 },
	{ "a record cut short is malformed", "{\"EventID\":1,\"Comm", 1, 0, 0, 1, 0 },
	{ "and an alert when what there is matches",
	  "{\"EventID\":4688,\"Channel\":\"Security\",\"CommandLine\":\"regsvr32 scrobj.dll /x", 1,
	  1, 0, 0, 1 },
	{ "text is malformed", "hello", 1, 0, 0, 1, 0 },
	{ "nothing is malformed", "", 1, 0, 0, 1, 0 },
	{ "blanks are malformed", " \t ", 1, 0, 0, 1, 0 },
	{ "an empty array is malformed", "[]", 1, 0, 0, 1, 0 },
	{ "a syslog line without an event is malformed", "<13>Jul 21 23:27:52 h su: hello", 1, 0, 0,
	  1, 0 },
	{ "syslog around it", "<13>Jul 21 23:27:52 h app: " TOOL, 1, 1, 0, 0, 1 },
	{ "RFC 5424 with a cookie around it", "<13>1 - h app - - - @cee: " TOOL, 1, 1, 0, 0, 1 },
	{ "back to back", TOOL CLEAN BOTH, 3, 2, 1, 0, 3 },
	{ "back to back with blanks", TOOL "  " TOOL, 2, 2, 0, 0, 2 },
	{ "an array", "[" TOOL "," CLEAN "]", 2, 1, 1, 0, 1 },
	{ "an array in syslog", "<13>1 - h app - - - [" TOOL "," BOTH "]", 2, 2, 0, 0, 3 },
	{ "a list in an object", "{\"records\":[" TOOL "," CLEAN "],\"x\":{\"y\":[1]}}", 2, 1, 1, 0,
	  1 },
	{ "lists in lists of an object, in syslog",
	  "<13>1 - h app - - - {\"resourceLogs\":[{\"resource\":{},\"scopeLogs\":[{\"logRecords\":["
	  "{\"body\":" TOOL "}]},{\"logRecords\":[" CLEAN "," BOTH "],\"schemaUrl\":\"[{\"}]}]}",
	  3, 2, 1, 0, 3 },
	{ "an empty list in an object is malformed", "{\"records\":[]}", 1, 0, 0, 1, 0 },
	{ "good, then broken", TOOL "{\"EventID\":", 2, 1, 0, 1, 1 },
	{ "blanks at the end", TOOL " \r", 1, 1, 0, 0, 1 },
};

/* Run one record at two marks of `out`: with room for all, and stopping before each event. */
static void check_account(void **state)
{
	const struct account_case *tc = *state;
	const struct sq_pipeline_opts opts = { .formats = 1u << SQ_FORMAT_JSON,
		                               .dead_letters = true };
	struct rig whole, steps;

	rig_open(&whole, opts, 1 << 20);
	rig_add(&whole, sq_sv_of(tc->record));
	rig_run(&whole);
	assert_int_equal(whole.runs, 1);
	assert_int_equal(whole.counts.received, tc->received);
	assert_int_equal(whole.counts.alerted, tc->alerted);
	assert_int_equal(whole.counts.clean, tc->clean);
	assert_int_equal(whole.counts.malformed, tc->malformed);
	assert_int_equal(whole.counts.alerts, tc->alerts);
	assert_int_equal(whole.origin.malformed, tc->malformed);
	assert_int_equal(whole.origin.further, tc->received - 1);
	assert_int_equal(whole.counts.alerts_lost + whole.counts.alerts_shortened, 0);

	rig_open(&steps, opts, 1);
	rig_add(&steps, sq_sv_of(tc->record));
	rig_run(&steps);
	assert_memory_equal(&whole.counts, &steps.counts, sizeof(whole.counts));
	assert_string_equal(whole.alerts.p, steps.alerts.p);
	assert_string_equal(whole.dead.p, steps.dead.p);
	assert_int_equal(steps.origin.malformed, tc->malformed);
	assert_int_equal(steps.origin.further, tc->received - 1);
	rig_close(&whole);
	rig_close(&steps);
}

static unsigned count_of(const struct sq_outbuf *b, const char *what)
{
	unsigned n = 0;

	for (const char *p = b->p; (p = strstr(p, what)); p++)
		n++;
	return n;
}

static void a_stop_at_any_mark_changes_nothing(void **state)
{
	const struct sq_pipeline_opts opts = { .formats =
		                                       1u << SQ_FORMAT_JSON | 1u << SQ_FORMAT_LEEF,
		                               .dead_letters = true };
	struct rig whole;

	(void)state;
	rig_open(&whole, opts, 1 << 20);
	for (uint32_t out = 1 << 20; out; out = out > 6000 ? 6000 : out > 97 ? out - 97 : 0) {
		struct rig g;

		rig_open(&g, opts, out);
		rig_add(&g, SQ_SV(BOTH TOOL CLEAN));
		rig_add(&g, SQ_SV("broken"));
		rig_add(&g, SQ_SV(CLEAN));
		rig_add(&g, SQ_SV("[" TOOL "," TOOL "," BOTH "]"));
		rig_add(&g, SQ_SV(TOOL "{"));
		rig_run(&g);
		if (!whole.alerts.len) {
			rig_close(&whole);
			whole = g;
			assert_int_equal(g.counts.alerted, 6);
			assert_int_equal(g.counts.alerts, 8);
			assert_int_equal(g.counts.malformed, 2);
			assert_int_equal(count_of(&g.alerts, "\n"), 16);
			continue;
		}
		assert_string_equal(g.alerts.p, whole.alerts.p);
		assert_string_equal(g.dead.p, whole.dead.p);
		assert_memory_equal(&g.counts, &whole.counts, sizeof(g.counts));
		rig_close(&g);
	}
	rig_close(&whole);
}

static void alerts_below_the_level_are_not_written_but_the_record_is_alerted(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g,
	         (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON,
	                                    .min_level = SQ_LEVEL_MEDIUM },
	         1 << 20);
	rig_add(&g, SQ_SV(TOOL));
	rig_add(&g, SQ_SV(BOTH));
	rig_run(&g);
	assert_int_equal(g.counts.alerted, 2);
	assert_int_equal(g.counts.alerts, 1);
	assert_int_equal(count_of(&g.alerts, "\n"), 1);
	assert_non_null(strstr(g.alerts.p, "\"level\":\"high\""));
	rig_close(&g);
}

static void an_alert_names_its_peer_and_holds_its_record(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON }, 1 << 20);
	rig_add(&g, SQ_SV("<13>Jul 21 23:27:52 h app: " TOOL));
	rig_run(&g);
	assert_non_null(strstr(g.alerts.p, "\"original\":\"{\\\"EventID\\\":1,"));
	assert_non_null(strstr(g.alerts.p, "\"peer\":\"192.0.2.7:51234\""));
	assert_non_null(strstr(g.alerts.p, "\"shape\":\"nxlog\""));
	assert_non_null(strstr(g.alerts.p, "\"matched\":[{\"field\":\"Image\",\"value\":"
	                                   "\"C:\\\\Windows\\\\regsvr32.exe\"}]}}"));
	rig_close(&g);
}

/* An escape in a key that matters is left to yajl. */
static void what_skim_is_not_certain_of_gives_the_same_alerts(void **state)
{
	static const struct sq_sv escaped =
		SQ_SV("{\"\\u0045ventID\":1,\"Channel\":\"Microsoft-Windows-Sysmon/Operational\","
	              "\"Image\":\"C:\\\\Windows\\\\regsvr32.exe\"}");
	struct sq_outbuf alerts[2];

	(void)state;
	for (int skim = 0; skim < 2; skim++) {
		struct rig g;

		rig_open(&g,
		         (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON,
		                                    .reader.skim = skim },
		         1 << 20);
		rig_add(&g, SQ_SV(TOOL));
		rig_add(&g, escaped);
		rig_add(&g, SQ_SV(BOTH));
		rig_add(&g, SQ_SV("{\"EventID\":1,"));
		rig_run(&g);
		assert_int_equal(g.counts.alerted, 3);
		assert_int_equal(g.counts.malformed, 1);
		assert_int_equal(g.counts.skim_unsure, skim ? 2 : 0); /* it has no verdict itself */
		alerts[skim] = g.alerts;
		g.alerts = (struct sq_outbuf){ 0 };
		rig_close(&g);
	}
	assert_int_equal(alerts[0].len, alerts[1].len);
	assert_memory_equal(alerts[0].p, alerts[1].p, alerts[0].len);
	sq_outbuf_fini(&alerts[0]);
	sq_outbuf_fini(&alerts[1]);
}

static void every_format_that_is_wanted_is_written_once(void **state)
{
	(void)state;
	for (unsigned formats = 0; formats < 1u << SQ_FORMATS; formats++) {
		struct rig g;

		rig_open(&g, (struct sq_pipeline_opts){ .formats = (uint8_t)formats }, 1 << 20);
		rig_add(&g, SQ_SV(TOOL));
		rig_run(&g);
		assert_int_equal(g.counts.alerts, 1);
		assert_int_equal(count_of(&g.alerts, "\n"), (unsigned)__builtin_popcount(formats));
		assert_int_equal(count_of(&g.alerts, "LEEF:2.0|"), formats >> SQ_FORMAT_LEEF & 1);
		rig_close(&g);
	}
}

static void flags_of_events_are_counted(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON }, 1 << 20);
	rig_add(&g, SQ_SV("{\"x\":1}"));
	rig_add(&g, SQ_SV("{\"EventID\":1,\"Channel\":\"Microsoft-Windows-Sysmon/Operational\","
	                  "\"CommandLine\":\"harmless\",\"CommandLine\":\"scrobj\"}"));
	rig_run(&g);
	assert_int_equal(g.counts.unknown_shape, 1);
	assert_int_equal(g.counts.duplicate_keys, 1);
	assert_int_equal(g.counts.alerted, 1); /* neither value hides the other */
	assert_int_equal(g.counts.clean, 1);
	assert_non_null(strstr(g.alerts.p, "\"flags\":[\"duplicate_key\"]"));
	rig_close(&g);
}

/* What it is about stands where nobody looks: that is said, whatever its event id is. */
static void a_start_of_a_process_without_its_data_is_of_unknown_shape(void **state)
{
	static const struct {
		const char *record;
		unsigned unknown;
	} rows[] = {
		{ "{\"EventID\":4688,\"Nobody\":{\"CommandLine\":\"scrobj\"}}", 1 },
		{ "{\"EventID\":4688,\"NewProcessName\":\"a\"}", 0 },
		{ "{\"EventID\":4688,\"CommandLine\":\"a\"}", 0 },
		{ "{\"EventID\":4689,\"Nobody\":1}", 0 },
	};

	(void)state;
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		struct rig g;

		rig_open(&g, (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON }, 1 << 20);
		rig_add(&g, sq_sv_of(rows[i].record));
		rig_run(&g);
		assert_int_equal(g.counts.unknown_shape, rows[i].unknown);
		rig_close(&g);
	}
}

static void a_dead_letter_tells_peer_reason_and_record(void **state)
{
	const char *reason;
	struct rig g;

	(void)state;
	rig_open(&g, (struct sq_pipeline_opts){ .dead_letters = true }, 1 << 20);
	rig_add(&g, SQ_SV("<13>1 - h app - - - {\"a\":\"\x1b\"\n\xff"));
	sq_pipeline_run(g.pipeline, g.batch, rig_now);
	assert_int_equal(g.batch->n_dead, 1);
	assert_true(sq_sv_starts(sq_sv_of(g.batch->why), SQ_SV("192.0.2.7:51234: ")));
	reason = g.batch->why + strlen("192.0.2.7:51234: ");
	assert_true(strlen(reason) > 0);
	rig_run(&g);
	assert_true(sq_sv_starts(sq_outbuf_view(&g.dead),
	                         SQ_SV("{\"@timestamp\":\"2020-07-22T03:28:00.000Z\","
	                               "\"peer\":\"192.0.2.7:51234\",\"reason\":\"")));
	assert_non_null(strstr(g.dead.p, "\",\"record\":\"<13>1 - h app - - - "
	                                 "{\\\"a\\\":\\\"\\u001b\\\""));
	rig_close(&g);
}

static void alerts_and_dead_letters_name_who_proved_itself(void **state)
{
	static const struct sq_identity id = {
		.user = "site-7", .subject = "CN=\"ws\"", .names = "DNS:ws, IP:::1", .proxy = "unix"
	};
	const char *sender = "\"client\":{\"user\":{\"name\":\"site-7\"}},\"tls\":{\"client\":{"
			     "\"subject\":\"CN=\\\"ws\\\"\",\"x509\":{\"alternative_names\":"
			     "[\"ws\",\"::1\"]}}},";
	struct rig g;

	(void)state;
	rig_open(&g,
	         (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON, .dead_letters = true },
	         1 << 20);
	g.batch->origins[0].identity = &id;
	rig_add(&g, SQ_SV(TOOL));
	rig_add(&g, SQ_SV("no JSON"));
	rig_run(&g);
	assert_int_equal(count_of(&g.alerts, sender), 1);
	assert_int_equal(count_of(&g.alerts, "\"peer\":\"192.0.2.7:51234\",\"proxy\":\"unix\","),
	                 1);
	assert_true(
		sq_sv_starts(sq_outbuf_view(&g.dead),
	                     SQ_SV("{\"@timestamp\":\"2020-07-22T03:28:00.000Z\","
	                           "\"peer\":\"192.0.2.7:51234\",\"proxy\":\"unix\",\"client\":")));
	assert_int_equal(count_of(&g.dead, sender), 1);
	rig_close(&g);
}

static void a_dead_letter_of_a_long_record_is_cut_and_says_so(void **state)
{
	enum { LONG = 100000 };
	char *record = malloc(LONG);
	struct rig g;

	(void)state;
	memset(record, 'x', LONG);
	rig_open(&g, (struct sq_pipeline_opts){ .dead_letters = true }, 1 << 20);
	rig_add(&g, (struct sq_sv){ record, LONG });
	rig_run(&g);
	assert_int_equal(g.counts.malformed, 1);
	assert_true(g.dead.len > 65536 && g.dead.len < 66000);
	assert_true(sq_sv_ends(sq_outbuf_view(&g.dead), SQ_SV("x\",\"record_length\":100000}\n")));
	rig_close(&g);
	free(record);
}

static void without_dead_letters_malformed_records_are_only_counted(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON }, 1 << 20);
	rig_add(&g, SQ_SV("x"));
	sq_pipeline_run(g.pipeline, g.batch, rig_now);
	assert_int_equal(g.batch->n_dead, 0);
	assert_int_equal(g.batch->out.len, 0);
	assert_int_equal(g.batch->counts.malformed, 1);
	assert_true(g.batch->why[0]);
	rig_close(&g);
}

/* An event that holds much, for two rules: with a hard maximum of the buffer that shrinks. */
static void an_event_too_large_for_the_buffer_says_less_instead_of_nothing(void **state)
{
	enum { PADDING = 50000 };
	const char *front = "{\"x\":\"", *back = "\",";
	char *record = malloc(PADDING + 1000), *p = record;
	size_t last = SIZE_MAX;
	bool seen[3] = { false };

	(void)state;
	p = stpcpy(p, front);
	memset(p, 'x', PADDING);
	p = stpcpy(p + PADDING, back);
	p = stpcpy(p, &BOTH[1]);
	for (size_t max = 250000; max >= 3000; max = max * 4 / 5) {
		struct rig g;
		unsigned originals;

		rig_open(&g, (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON }, 100000);
		g.batch->out.max = max;
		rig_add(&g, (struct sq_sv){ record, (size_t)(p - record) });
		rig_run(&g);
		originals = count_of(&g.alerts, "\"original\":");
		assert_int_equal(g.counts.alerts, 2);
		assert_int_equal(g.counts.alerts_lost, 0);
		assert_int_equal(count_of(&g.alerts, "\n"), 2);
		assert_int_equal(g.counts.alerts_shortened, 2 - originals);
		assert_true(originals <= last);
		last = originals;
		seen[originals] = true;
		rig_close(&g);
	}
	assert_true(seen[0] && seen[1] && seen[2]);
	free(record);
}

/* Whoever pads a command line must not keep its alert out of a datagram. */
static void what_is_too_long_for_a_datagram_is_written_short_too(void **state)
{
	static const struct {
		size_t padding;
		bool brief, command;
	} cases[] = {
		{ 1000, false, false }, /* it fits as it is */
		{ 25000, true, true },  /* without the record: the values are whole */
		{ 70000, true, false }, /* with values cut */
	};

	(void)state;
	for (size_t i = 0; i < SQ_LEN(cases); i++) {
		char *record = malloc(cases[i].padding + 1000), *p = record;
		const char *end = "\"}";
		struct sq_alert_ref *al;
		struct sq_sv brief;
		struct rig g;

		rig_open(&g,
		         (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON,
		                                    .datagram_formats = 1u << SQ_FORMAT_JSON },
		         1 << 20);
		p = stpcpy(p, BOTH);
		p -= strlen(end);
		memset(p, 'x', cases[i].padding);
		p = stpcpy(p + cases[i].padding, end);
		rig_add(&g, (struct sq_sv){ record, (size_t)(p - record) });
		sq_pipeline_run(g.pipeline, g.batch, rig_now);
		assert_int_equal(g.batch->n_alerts, 2);
		al = &g.batch->alerts[0];
		brief = (struct sq_sv){ g.batch->out.p + al->text[SQ_FORMATS + SQ_FORMAT_JSON].at,
			                al->text[SQ_FORMATS + SQ_FORMAT_JSON].n };
		assert_int_equal(brief.n != 0, cases[i].brief);
		assert_true(brief.n <= SQ_DATAGRAM_TEXT);
		assert_true(al->text[SQ_FORMAT_JSON].n > cases[i].padding * 2);
		assert_int_equal(brief.n > cases[i].padding, cases[i].command);
		if (brief.n)
			assert_true(brief.p[0] == '{' && sq_sv_ends(brief, SQ_SV("}}")));
		sq_batch_clear_out(g.batch);
		rig_close(&g);
		free(record);
	}
}

static void an_alert_that_fits_nowhere_is_counted_as_lost(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g,
	         (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON, .dead_letters = true },
	         1 << 20);
	g.batch->out.max = 64;
	rig_add(&g, SQ_SV(BOTH));
	rig_add(&g, SQ_SV("broken"));
	rig_run(&g);
	assert_int_equal(g.counts.alerted, 1);
	assert_int_equal(g.counts.alerts, 0);
	assert_int_equal(g.counts.alerts_lost, 2);
	assert_int_equal(g.counts.malformed, 1);
	assert_int_equal(g.counts.dead_letters_lost, 1);
	rig_close(&g);
}

static void a_full_buffer_stops_before_the_event_that_does_not_fit(void **state)
{
	struct rig g;

	(void)state;
	/* The mark is never reached: it is the maximum that stops. */
	rig_open(&g, (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON }, 1 << 20);
	g.batch->out.max = 5000;
	for (unsigned i = 0; i < 20; i++)
		rig_add(&g, SQ_SV(TOOL));
	rig_run(&g);
	assert_true(g.runs > 1);
	assert_int_equal(g.counts.alerts, 20);
	assert_int_equal(g.counts.alerts_shortened, 0);
	assert_int_equal(count_of(&g.alerts, "\n"), 20);
	rig_close(&g);
}

struct seen {
	unsigned events, hits, malformed;
};

static void on_see(void *ctx, const struct sq_event *ev, const struct sq_hits *hits,
                   struct sq_sv raw, const char *why)
{
	struct seen *s = ctx;

	assert_true(raw.n > 0);
	if (!ev) {
		assert_non_null(why);
		s->malformed++;
		return;
	}
	assert_null(why);
	s->events++;
	s->hits += hits->n;
}

static void a_watcher_sees_everything_once_also_over_stops(void **state)
{
	struct seen seen = { 0 };
	struct rig g;

	(void)state;
	rig_open(&g, (struct sq_pipeline_opts){ .formats = 15 }, 1);
	sq_pipeline_watch(g.pipeline, on_see, &seen);
	rig_add(&g, SQ_SV(BOTH CLEAN TOOL));
	rig_add(&g, SQ_SV("broken"));
	rig_run(&g);
	assert_int_equal(seen.events, 3);
	assert_int_equal(seen.hits, 3);
	assert_int_equal(seen.malformed, 1);
	rig_close(&g);
}

static void repeated_alerts_have_the_same_key(void **state)
{
	struct rig g;
	struct sq_alert_ref *a;

	(void)state;
	rig_open(&g, (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON }, 1 << 20);
	rig_add(&g, SQ_SV(BOTH));
	rig_add(&g, SQ_SV(BOTH));
	sq_pipeline_run(g.pipeline, g.batch, rig_now);
	a = g.batch->alerts;
	assert_int_equal(g.batch->n_alerts, 4);
	assert_memory_equal(a[0].fold_key, a[2].fold_key, sizeof(a[0].fold_key));
	assert_memory_equal(a[1].fold_key, a[3].fold_key, sizeof(a[0].fold_key));
	assert_memory_not_equal(a[0].fold_key, a[1].fold_key, sizeof(a[0].fold_key));
	assert_int_equal(a[0].level, SQ_LEVEL_HIGH);
	assert_int_equal(a[1].level, SQ_LEVEL_LOW);
	rig_close(&g);
}

static void a_pipeline_that_cannot_be_made_leaves_nothing(void **state)
{
	struct sq_ruleset *rs = rig_ruleset(false);
	const struct sq_pipeline_opts opts = { .formats = 1 };
	struct sq_pipeline *pl = NULL;

	(void)state;
	for (unsigned n = 1; !pl; n++) {
		fault_alloc_at(n);
		pl = sq_pipeline_new(rs, &opts);
		assert_int_equal(!pl, fault_alloc_end());
	}
	sq_ruleset_unref(rs);
	sq_pipeline_free(pl);
}

static void a_warm_pipeline_allocates_nothing(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, (struct sq_pipeline_opts){ .formats = 15, .dead_letters = true }, 1 << 20);
	for (unsigned round = 0; round < 3; round++) {
		rig_add(&g, SQ_SV("<13>1 - h app - - - [" BOTH "," TOOL "]"));
		rig_add(&g, SQ_SV(CLEAN));
		rig_add(&g, SQ_SV("broken"));
		fault_alloc_at(round ? 1 : 0);
		sq_pipeline_run(g.pipeline, g.batch, rig_now);
		assert_false(fault_alloc_end());
		assert_int_equal(g.batch->n_alerts, 3);
		rig_run(&g);
	}
	rig_close(&g);
}

static void no_memory_for_alerts_is_counted_and_the_record_too(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, (struct sq_pipeline_opts){ .formats = 1 }, 1 << 20);
	rig_add(&g, SQ_SV(CLEAN));
	rig_run(&g); /* the reader is warm */
	rig_add(&g, SQ_SV(TOOL));
	fault_alloc_at(1);
	sq_pipeline_run(g.pipeline, g.batch, rig_now);
	assert_true(fault_alloc_end());
	/* The first try failed; the second, with less to say, found memory again. */
	assert_int_equal(g.batch->counts.alerts, 1);
	assert_int_equal(g.batch->counts.alerts_lost, 0);
	rig_run(&g);
	rig_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stop_at_any_mark_changes_nothing),
		cmocka_unit_test(alerts_below_the_level_are_not_written_but_the_record_is_alerted),
		cmocka_unit_test(an_alert_names_its_peer_and_holds_its_record),
		cmocka_unit_test(what_skim_is_not_certain_of_gives_the_same_alerts),
		cmocka_unit_test(every_format_that_is_wanted_is_written_once),
		cmocka_unit_test(flags_of_events_are_counted),
		cmocka_unit_test(a_start_of_a_process_without_its_data_is_of_unknown_shape),
		cmocka_unit_test(a_dead_letter_tells_peer_reason_and_record),
		cmocka_unit_test(alerts_and_dead_letters_name_who_proved_itself),
		cmocka_unit_test(a_dead_letter_of_a_long_record_is_cut_and_says_so),
		cmocka_unit_test(without_dead_letters_malformed_records_are_only_counted),
		cmocka_unit_test(an_event_too_large_for_the_buffer_says_less_instead_of_nothing),
		cmocka_unit_test(what_is_too_long_for_a_datagram_is_written_short_too),
		cmocka_unit_test(an_alert_that_fits_nowhere_is_counted_as_lost),
		cmocka_unit_test(a_full_buffer_stops_before_the_event_that_does_not_fit),
		cmocka_unit_test(a_watcher_sees_everything_once_also_over_stops),
		cmocka_unit_test(repeated_alerts_have_the_same_key),
		cmocka_unit_test(a_pipeline_that_cannot_be_made_leaves_nothing),
		cmocka_unit_test(a_warm_pipeline_allocates_nothing),
		cmocka_unit_test(no_memory_for_alerts_is_counted_and_the_record_too),
	};

	return RUN_TABLE("pipeline/accounts", accounts, check_account) +
	       cmocka_run_group_tests_name("pipeline", tests, NULL, NULL);
}
