#include "lib/engine/dedup.h"
#include "tests/support/fault_alloc.h"
#include "tests/unit/engine/rig.h"

#define EVENT_OF(who, image, command)                                                              \
	"{\"EventID\":1," who "\"SourceModuleType\":\"im\",\"Image\":\"C:\\\\Windows\\\\" image    \
	"\",\"CommandLine\":\"" command "\"}"
#define WHO_WITH(host, channel, id, provider)                                                      \
	"\"SourceName\":\"" provider "\",\"Channel\":\"" channel "\",\"Hostname\":\"" host         \
	"\",\"RecordNumber\":" id ","
#define SYSMON "Microsoft-Windows-Sysmon"
#define LOG    SYSMON "/Operational"
#define WHO    WHO_WITH("WS5", LOG, "4711", SYSMON)
#define CLEAN  EVENT_OF(WHO, "notepad.exe", "notepad a.txt")
#define CLEAN_WITH(id, command)                                                                             \
	"{\"EventID\":" id "," WHO                                                                          \
	"\"SourceModuleType\":\"im\",\"Image\":\"C:\\\\Windows\\\\notepad.exe\",\"CommandLine\":\"" command \
	"\"}"
#define TOOL     EVENT_OF(WHO, "regsvr32.exe", "regsvr32 a.dll")
#define BOTH     EVENT_OF(WHO, "regsvr32.exe", "regsvr32 /i:http://x scrobj.dll")
#define NAMELESS EVENT_OF("", "notepad.exe", "notepad a.txt")

/* ---- the table --------------------------------------------------------------------------- */

static void the_last_events_are_remembered_and_the_oldest_forgotten(void **state)
{
	struct sq_dedup *d = sq_dedup_new(3);

	(void)state;
	for (uint64_t i = 0; i < 3; i++)
		assert_false(sq_dedup_seen(d, (uint64_t[2]){ i, 7 }));
	for (uint64_t i = 0; i < 3; i++)
		assert_true(sq_dedup_seen(d, (uint64_t[2]){ i, 7 }));
	assert_false(sq_dedup_seen(d, (uint64_t[2]){ 0, 8 })); /* half of it differs; 0,7 goes */
	assert_true(sq_dedup_seen(d, (uint64_t[2]){ 1, 7 }));
	assert_false(sq_dedup_seen(d, (uint64_t[2]){ 0, 7 }));
	assert_false(sq_dedup_seen(d, (uint64_t[2]){ 1, 7 }));
	sq_dedup_free(d);
}

/* Against a list that is searched from end to end. Keys are few and meet in few slots. */
static void it_answers_as_a_plain_list_would(void **state)
{
	(void)state;
	for (uint32_t size = 1; size < 40; size++) {
		struct sq_dedup *d = sq_dedup_new(size);
		uint64_t list[40] = { 0 }, x = size * UINT64_C(0x9e3779b97f4a7c15);
		uint32_t n = 0, next = 0;

		for (unsigned step = 0; step < 5000; step++) {
			uint64_t key[2];
			bool there = false;

			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			key[0] = x % (3 * size) / 2;
			key[1] = x % (3 * size);
			for (uint32_t i = 0; i < n; i++)
				there |= list[i] == key[1];
			assert_int_equal(sq_dedup_seen(d, key), there);
			if (there)
				continue;
			list[next] = key[1];
			next = (next + 1) % size;
			n += n < size;
		}
		sq_dedup_free(d);
	}
}

static void without_memory_there_is_none(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 3; n++) {
		fault_alloc_at(n);
		assert_null(sq_dedup_new(100));
		assert_true(fault_alloc_end());
	}
	sq_dedup_free(NULL);
}

/* ---- keys -------------------------------------------------------------------------------- */

struct key_case {
	const char *name, *a, *b;
	bool same;
};

static struct key_case key_cases[] = {
	{ "an event sent again", CLEAN, CLEAN, true },
	{ "one that rules matched, sent again", BOTH, BOTH, true },
	{ "with other framing around it", BOTH, "<13>Jul 21 23:27:52 h app: " BOTH, true },
	{ "another computer", CLEAN,
	  EVENT_OF(WHO_WITH("WS6", LOG, "4711", SYSMON), "notepad.exe", "notepad a.txt"), false },
	{ "another channel", CLEAN,
	  EVENT_OF(WHO_WITH("WS5", "Other", "4711", SYSMON), "notepad.exe", "notepad a.txt"),
	  false },
	{ "another record id", CLEAN,
	  EVENT_OF(WHO_WITH("WS5", LOG, "4712", SYSMON), "notepad.exe", "notepad a.txt"), false },
	{ "another provider", CLEAN,
	  EVENT_OF(WHO_WITH("WS5", LOG, "4711", "Other"), "notepad.exe", "notepad a.txt"), false },
	{ "names that run into each other",
	  EVENT_OF(WHO_WITH("AB", "C", "4711", SYSMON), "notepad.exe", "x"),
	  EVENT_OF(WHO_WITH("A", "BC", "4711", SYSMON), "notepad.exe", "x"), false },
	{ "another event id", CLEAN, CLEAN_WITH("2", "notepad a.txt"), false },
	{ "another command line of one that nothing matches", CLEAN,
	  CLEAN_WITH("1", "notepad b.txt"), false },
	{ "more than what is known of events", CLEAN, CLEAN_WITH("1", "notepad a.txt\",\"x\":\"y"),
	  false },
	{ "the keys in another order",
	  "{" WHO "\"SourceModuleType\":\"im\",\"EventID\":4625,\"Image\":\"a\"}",
	  "{\"Image\":\"a\"," WHO "\"EventID\":4625,\"SourceModuleType\":\"im\"}", true },
	{ "a clean one does not hide one that matches", CLEAN, TOOL, false },
	{ "nor does one rule hide another", TOOL, BOTH, false },
	{ "nor one command line another", TOOL, EVENT_OF(WHO, "regsvr32.exe", "regsvr32 b.dll"),
	  false },
	{ "nor one value another", TOOL, EVENT_OF(WHO, "x\\\\regsvr32.exe", "regsvr32 a.dll"),
	  false },
};

/* Run one record of one event. @return false: it has no key */
static bool key_from(const struct sq_identity *sender, const char *record, uint64_t secret,
                     uint64_t ret[2])
{
	struct rig g;
	bool has;

	rig_open(&g,
	         (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON,
	                                    .deduplicate = true,
	                                    .secret = { { secret, 1 } } },
	         1 << 20);
	rig_add(&g, sq_sv_of(record));
	g.batch->origins[0].identity = sender;
	sq_pipeline_run(g.pipeline, g.batch, rig_now);
	assert_int_equal(g.batch->done, 1);
	assert_true(g.batch->n_events <= 1);
	has = g.batch->n_events;
	memcpy(ret, g.batch->events[0].key, sizeof(g.batch->events[0].key));
	/* It is counted there or here, never both. */
	assert_int_equal(g.batch->counts.alerted + g.batch->counts.clean, !has);
	rig_close(&g);
	return has;
}

static bool key_of(const char *record, uint64_t secret, uint64_t ret[2])
{
	return key_from(NULL, record, secret, ret);
}

/* What one sender sends cannot have another's left out. */
static void senders_are_told_apart(void **state)
{
	static const struct sq_identity senders[] = {
		{ .user = "" }, /* nothing was proved */
		{ .user = "north" },    { .user = "south" },
		{ .subject = "north" }, { .names = "north" },
	};
	uint64_t keys[SQ_LEN(senders)][2], again[2];

	(void)state;
	for (size_t i = 0; i < SQ_LEN(senders); i++) {
		assert_true(key_from(&senders[i], CLEAN, 1, keys[i]));
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(keys[i], keys[k], sizeof(keys[i]));
	}
	/* By which proxy it came does not count. */
	assert_true(key_from(&(struct sq_identity){ .user = "north", .proxy = "192.0.2.1" }, CLEAN,
	                     1, again));
	assert_memory_equal(again, keys[1], sizeof(again));
	assert_true(key_of(CLEAN, 1, again));
	assert_memory_equal(again, keys[0], sizeof(again));
}

static void check_keys(void **state)
{
	const struct key_case *tc = *state;
	uint64_t a[2], b[2], c[2];

	assert_true(key_of(tc->a, 1, a));
	assert_true(key_of(tc->b, 1, b));
	assert_int_equal(memcmp(a, b, sizeof(a)) == 0, tc->same);
	assert_true(key_of(tc->a, 2, c));
	assert_memory_not_equal(a, c, sizeof(a)); /* who does not know the secret knows nothing */
}

static void an_event_that_does_not_say_who_it_is_has_none(void **state)
{
	static const char *const records[] = {
		NAMELESS,
		EVENT_OF("\"Channel\":\"" LOG "\",\"Hostname\":\"WS5\",\"RecordNumber\":1,",
		         "notepad.exe", "x"),
		EVENT_OF(WHO_WITH("", LOG, "1", SYSMON), "notepad.exe", "x"),
		EVENT_OF(WHO_WITH("WS5", LOG, "null", SYSMON), "notepad.exe", "x"),
	};
	uint64_t key[2];

	(void)state;
	for (size_t i = 0; i < SQ_LEN(records); i++)
		if (key_of(records[i], 1, key))
			fail_msg("%s", records[i]);
}

/* ---- batches ----------------------------------------------------------------------------- */

/* A record of many events: each has its own key, and the batch comes back when there is no room for
 * more of them. */
static void events_of_one_record_are_told_apart(void **state)
{
	struct rig g;
	uint32_t events = 0, alerts = 0, refs = 0;

	(void)state;
	rig_open(&g,
	         (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON, .deduplicate = true },
	         1 << 20);
	rig_add(&g, SQ_SV("[" CLEAN "," NAMELESS "," TOOL "," BOTH "," TOOL "," CLEAN "," BOTH
	                  "," TOOL "," CLEAN "]"));
	do {
		struct sq_batch *b = g.batch;
		uint32_t at = 0;

		assert_true(g.runs++ < 10);
		sq_pipeline_run(g.pipeline, b, rig_now);
		assert_true(b->n_events <= b->limits.events);
		for (uint32_t i = 0; i < b->n_events; i++) {
			const struct sq_event_ref *e = &b->events[i];

			/* One behind the other, and all of them. */
			assert_int_equal(e->first_alert, at);
			assert_int_equal(e->end_alert - e->first_alert, e->alerts);
			assert_int_equal(e->alerted, e->alerts > 0);
			at = e->end_alert;
			alerts += e->alerts;
		}
		assert_int_equal(at, b->n_alerts);
		events += b->n_events;
		refs += b->n_alerts;
		sq_batch_clear_out(b);
		assert_int_equal(b->n_events, 0);
	} while (sq_batch_unfinished(g.batch));
	assert_true(g.runs == 2 || g.runs == 3); /* four of eight in each, then the bracket */
	assert_int_equal(events, 8);
	assert_int_equal(alerts, 7);
	assert_int_equal(refs, 7);
	assert_int_equal(g.batch->counts.received, 9);
	assert_int_equal(g.batch->counts.clean, 1); /* the nameless one */
	assert_int_equal(g.batch->counts.alerts, 0);
	rig_close(&g);
}

static void without_the_option_nothing_is_left_to_be_counted(void **state)
{
	struct rig g;

	(void)state;
	rig_open(&g, (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON }, 1 << 20);
	rig_add(&g, SQ_SV("[" CLEAN "," TOOL "]"));
	sq_pipeline_run(g.pipeline, g.batch, rig_now);
	assert_int_equal(g.batch->n_events, 0);
	rig_run(&g);
	assert_int_equal(g.counts.alerted, 1);
	rig_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_events_are_remembered_and_the_oldest_forgotten),
		cmocka_unit_test(it_answers_as_a_plain_list_would),
		cmocka_unit_test(without_memory_there_is_none),
		cmocka_unit_test(an_event_that_does_not_say_who_it_is_has_none),
		cmocka_unit_test(senders_are_told_apart),
		cmocka_unit_test(events_of_one_record_are_told_apart),
		cmocka_unit_test(without_the_option_nothing_is_left_to_be_counted),
	};
	struct CMUnitTest keys[SQ_LEN(key_cases)];
	int r = cmocka_run_group_tests_name("dedup", tests, NULL, NULL);

	for (size_t i = 0; i < SQ_LEN(keys); i++)
		keys[i] = (struct CMUnitTest){ .name = key_cases[i].name,
			                       .test_func = check_keys,
			                       .initial_state = &key_cases[i] };
	return r + _cmocka_run_group_tests("dedup/keys", keys, SQ_LEN(keys), NULL, NULL);
}
