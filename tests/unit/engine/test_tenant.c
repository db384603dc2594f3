/* Whose records they are is told in every format and nowhere when nobody has said it; and of two
 * tenants whose hosts share a name and count their records alike, no event is the other's. */
#include "tests/unit/engine/rig.h"
#include "tests/unit/engine/sample.h"

#define TENANT "north-7.eu_x"
#define TOOL                                                                                       \
	"{\"EventID\":1,\"SourceName\":\"Microsoft-Windows-Sysmon\","                              \
	"\"Channel\":\"Microsoft-Windows-Sysmon/Operational\",\"Hostname\":\"WS5\","               \
	"\"RecordNumber\":4711,\"EventTime\":\"2020-07-22 03:27:52\",\"SourceModuleType\":\"im\"," \
	"\"Image\":\"C:\\\\Windows\\\\regsvr32.exe\",\"CommandLine\":\"regsvr32 a.dll\"}"

/* ---- what is told ------------------------------------------------------------------------ */

struct format_case {
	const char *name;
	enum sq_format format;
	const char *told[2]; /* all that the tenant adds */
};

#define ORGANIZATION "\"organization\":{\"name\":\"" TENANT "\"},"
#define MEMBER       "\"tenant\":\"" TENANT "\","

static struct format_case format_cases[] = {
	{ "JSON", SQ_FORMAT_JSON, { ORGANIZATION, MEMBER } },
	{ "syslog", SQ_FORMAT_SYSLOG, { ORGANIZATION, MEMBER } },
	{ "syslog of RFC 3164", SQ_FORMAT_SYSLOG3164, { ORGANIZATION, MEMBER } },
	{ "OCSF", SQ_FORMAT_OCSF, { "\"tenant_uid\":\"" TENANT "\",", MEMBER } },
	{ "CEF", SQ_FORMAT_CEF, { " squiblydTenant=" TENANT } },
	{ "LEEF", SQ_FORMAT_LEEF, { "tenant=" TENANT "\t" } },
};

/* `text` without `part`, which is in it once. */
static void take_out(char *text, const char *part)
{
	char *at = strstr(text, part);

	if (!at)
		fail_msg("no %s in %s", part, text);
	memmove(at, at + strlen(part), strlen(at + strlen(part)) + 1);
	assert_null(strstr(text, part));
}

static void check_format(void **state)
{
	const struct format_case *tc = *state;
	struct sample s;
	char *with, *without;

	sample_attack(&s);
	without = sample_text(&s, tc->format);
	assert_null(strstr(without, "enant"));
	assert_null(strstr(without, "organization"));
	s.alert.tenant = SQ_SV(TENANT);
	with = sample_text(&s, tc->format);
	for (size_t i = 0; i < SQ_LEN(tc->told) && tc->told[i]; i++)
		take_out(with, tc->told[i]);
	assert_string_equal(with, without);
	free(with);
	free(without);
}

static void a_dead_letter_says_whose_record_it_was(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, (struct sq_pipeline_opts){ .dead_letters = true }, 1 << 20);
	rig_add(&g, SQ_SV("no JSON"));
	g.batch->origins[0].tenant = SQ_SV(TENANT);
	rig_run(&g);
	assert_true(sq_sv_starts(sq_outbuf_view(&g.dead),
	                         SQ_SV("{\"@timestamp\":\"2020-07-22T03:28:00.000Z\","
	                               "\"peer\":\"192.0.2.7:51234\",\"tenant\":\"" TENANT "\","
	                               "\"reason\":\"")));
	rig_close(&g);
}

/* ---- two tenants, one event -------------------------------------------------------------- */

/* All by which the event of a record is told from others. */
struct names {
	uint64_t alert[2], event[2], fold[2], dedup[2];
	char verdict[1024];
};

static struct names names_of(const char *record, struct sq_sv tenant)
{
	static const struct sq_view view = { .always = true, .identify = true };
	struct names n = { 0 };
	struct sq_batch *b;
	struct rig g;

	rig_open(&g,
	         (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON,
	                                    .views = &view,
	                                    .n_views = 1,
	                                    .deduplicate = true },
	         1 << 20);
	b = g.batch;
	rig_add(&g, sq_sv_of(record));
	b->origins[0].tenant = tenant;
	sq_pipeline_run(g.pipeline, b, rig_now);
	assert_int_equal(b->n_passes, 1);
	memcpy(n.event, b->passes[0].id, sizeof(n.event));
	assert_true(b->passes[0].text[0].n < sizeof(n.verdict));
	memcpy(n.verdict, b->out.p + b->passes[0].text[0].at, b->passes[0].text[0].n);
	if (b->n_alerts) {
		memcpy(n.alert, b->alerts[0].id, sizeof(n.alert));
		memcpy(n.fold, b->alerts[0].fold_key, sizeof(n.fold));
	}
	if (b->n_events)
		memcpy(n.dedup, b->events[0].key, sizeof(n.dedup));
	rig_close(&g);
	return n;
}

static void one_event_of_two_tenants_is_two(void **state)
{
	struct names none = names_of(TOOL, SQ_SV("")), again = names_of(TOOL, SQ_SV("north"));
	struct names north = names_of(TOOL, SQ_SV("north")), south = names_of(TOOL, SQ_SV("south"));
	const struct names *all[] = { &none, &north, &south };

	(void)state;
	assert_memory_equal(&north, &again, sizeof(north));
	for (size_t i = 0; i < SQ_LEN(all); i++) {
		const struct names *a = all[i], *b = all[(i + 1) % SQ_LEN(all)];

		assert_true(sq_id_known(a->event) && sq_id_known(a->alert));
		assert_memory_not_equal(a->event, b->event, sizeof(a->event));
		assert_memory_not_equal(a->alert, b->alert, sizeof(a->alert));
		assert_memory_not_equal(a->fold, b->fold, sizeof(a->fold));
		assert_memory_not_equal(a->dedup, b->dedup, sizeof(a->dedup));
	}
	/* What receivers have of events without a tenant stays what it is (test_event_id.c). */
	assert_true(none.event[0] == 0x8d8e270f4dcf24af && none.event[1] == 0xf4552356a9c3a9cf);
}

static void a_record_that_is_no_event_is_known_by_its_tenant_too(void **state)
{
	struct names none = names_of("text", SQ_SV("")), north = names_of("text", SQ_SV("north"));
	uint64_t id[2];

	(void)state;
	sq_event_id_of_bytes(SQ_SV(""), SQ_SV("text"), SQ_SV(""), id);
	assert_memory_equal(none.event, id, sizeof(id));
	sq_event_id_of_bytes(SQ_SV(""), SQ_SV("text"), SQ_SV("north"), id);
	assert_memory_equal(north.event, id, sizeof(id));
	assert_memory_not_equal(none.event, north.event, sizeof(id));
}

static void a_verdict_says_whose_record_it_is(void **state)
{
	static const char *const records[] = { TOOL, "{\"EventID\":2}", "text" };

	(void)state;
	for (size_t i = 0; i < SQ_LEN(records); i++) {
		struct names none = names_of(records[i], SQ_SV(""));
		struct names north = names_of(records[i], SQ_SV("north"));

		assert_non_null(strstr(north.verdict, "\"peer\":\"192.0.2.7:51234\","
		                                      "\"tenant\":\"north\",\"event_id\":\""));
		assert_non_null(strstr(none.verdict, "\"peer\":\"192.0.2.7:51234\","
		                                     "\"event_id\":\""));
		assert_null(strstr(none.verdict, "tenant"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dead_letter_says_whose_record_it_was),
		cmocka_unit_test(one_event_of_two_tenants_is_two),
		cmocka_unit_test(a_record_that_is_no_event_is_known_by_its_tenant_too),
		cmocka_unit_test(a_verdict_says_whose_record_it_is),
	};
	struct CMUnitTest formats[SQ_LEN(format_cases)];
	int failed = cmocka_run_group_tests_name("tenant", tests, NULL, NULL);

	for (size_t i = 0; i < SQ_LEN(formats); i++)
		formats[i] = (struct CMUnitTest){ .name = format_cases[i].name,
			                          .test_func = check_format,
			                          .initial_state = &format_cases[i] };
	return failed +
	       _cmocka_run_group_tests("tenant/formats", formats, SQ_LEN(formats), NULL, NULL);
}
