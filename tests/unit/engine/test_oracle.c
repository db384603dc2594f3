/* The slow way checks the fast one. So that there is something to find, the linker puts the
 * function of this file before Hyperscan, and it lies when a test wants it to. */
#include <errno.h>

#include "lib/rules/hsdb.h"
#include "tests/support/fault_alloc.h"
#include "tests/unit/engine/rig.h"

#define EVENT(image, command)                                                                      \
	"{\"EventID\":4688,\"Channel\":\"Security\",\"Computer\":\"ws\",\"NewProcessName\":"       \
	"\"C:\\\\" image "\",\"CommandLine\":\"" command "\"}"
#define CLEAN  EVENT("notepad.exe", "notepad a.txt")
#define TOOL   EVENT("regsvr32.exe", "regsvr32 a.dll") /* the low rule */
#define ENGINE EVENT("b.exe", "b scrobj.dll")          /* the high one */
#define BOTH   EVENT("regsvr32.exe", "regsvr32 scrobj.dll")
#define XML                                                                                        \
	"<Event><System><EventID>4688</EventID><Channel>Security</Channel></System><EventData>"    \
	"<Data Name='CommandLine'>a scrobj.dll</Data></EventData></Event>"

int __real_sq_hsdb_scan(const struct sq_hsdb *db, struct sq_hs_scratch *s, struct sq_sv text,
                        sq_hs_hit_fn *hit, void *ctx);
int __wrap_sq_hsdb_scan(const struct sq_hsdb *db, struct sq_hs_scratch *s, struct sq_sv text,
                        sq_hs_hit_fn *hit, void *ctx);

static struct {
	const char *blind;  /* texts that hold this have no hit */
	const char *dreams; /* texts that hold this have every hit */
} lie;

int __wrap_sq_hsdb_scan(const struct sq_hsdb *db, struct sq_hs_scratch *s, struct sq_sv text,
                        sq_hs_hit_fn *hit, void *ctx)
{
	if (lie.blind && sq_sv_find(text, sq_sv_of(lie.blind)) != SIZE_MAX)
		return 0;
	if (lie.dreams && sq_sv_find(text, sq_sv_of(lie.dreams)) != SIZE_MAX)
		for (uint32_t pred = 0; pred < 8; pred++)
			hit(ctx, pred);
	return __real_sq_hsdb_scan(db, s, text, hit, ctx);
}

static int truth(void **state SQ_UNUSED)
{
	lie.blind = lie.dreams = NULL;
	return 0;
}

static const struct sq_pipeline_opts every = { .formats = 1u << SQ_FORMAT_JSON,
	                                       .reader.skim = true,
	                                       .dead_letters = true,
	                                       .check.one_in = 1 };

static void open_rig(struct rig *g, const struct sq_pipeline_opts *opts, uint32_t out)
{
	struct sq_ruleset *rs = rig_ruleset(false);

	rig_open(g, *opts, out);
	sq_pipeline_free(g->pipeline);
	g->pipeline = sq_pipeline_new(rs, opts);
	sq_ruleset_unref(rs);
	assert_non_null(g->pipeline);
}

static unsigned count_of(const struct sq_outbuf *b, const char *what)
{
	unsigned n = 0;

	for (const char *p = b->p; (p = strstr(p, what)); p++)
		n++;
	return n;
}

static void an_honest_way_is_never_doubted(void **state SQ_UNUSED)
{
	static const char *const records[] = {
		CLEAN,
		TOOL,
		BOTH,
		XML,
		"<13>Jul 21 23:27:52 h app: " BOTH,
		"[" TOOL "," CLEAN "," BOTH "]",
		TOOL CLEAN "  " BOTH,
		XML "\n" XML,
		TOOL "{\"EventID\":",
		"{\"EventID\":4688,\"Channel\":\"Security\",\"CommandLine\":\"regsvr32 scrobj.dll /x",
		"{\"EventID\":1,\"Comm",
		"{\"\\u0045ventID\":4688,\"Channel\":\"Security\",\"CommandLine\":\"scrobj\"}",
		"{\"EventID\":4688,\"Channel\":\"Security\",\"CommandLine\":\"a\",\"CommandLine\":"
		"\"scrobj\"}",
		"{\"message\":\"{\\\"EventID\\\":4688,\\\"Channel\\\":\\\"Security\\\","
		"\\\"CommandLine\\\":\\\"scrobj\\\"}\"}",
		"hello",
		"",
		"[]",
		BOTH "\n{broken\n" BOTH,
	};
	/* With room for all of it, and stopping before each event: what was begun is not checked.
	 */
	for (uint32_t out = 1 << 20; out; out = out > 1 ? 1 : 0) {
		struct rig g;

		open_rig(&g, &every, out);
		for (size_t i = 0; i < SQ_LEN(records); i++)
			rig_add(&g, sq_sv_of(records[i]));
		rig_run(&g);
		assert_int_equal(g.counts.oracle_disagreed, 0);
		assert_int_equal(g.counts.oracle_raised, 0);
		assert_int_equal(g.counts.oracle_skipped, 0);
		assert_int_equal(g.counts.alerts, 23);
		if (out > 1)
			assert_int_equal(g.counts.oracle_checked, SQ_LEN(records));
		else
			assert_in_range(g.counts.oracle_checked, SQ_LEN(records) / 2,
			                SQ_LEN(records));
		rig_close(&g);
	}
}

static void a_missed_attack_is_counted_told_and_raised(void **state SQ_UNUSED)
{
	struct rig g;

	open_rig(&g, &every, 1 << 20);
	lie.blind = "scrobj";
	rig_add(&g, SQ_SV(CLEAN));
	rig_add(&g, SQ_SV(ENGINE));
	rig_add(&g, SQ_SV(TOOL));
	sq_pipeline_run(g.pipeline, g.batch, rig_now);
	assert_string_equal(g.batch->doubt,
	                    "192.0.2.7:51234: only the slow way finds \"Scriptlet engine\" "
	                    "(11111111-1111-4111-8111-111111111111); record: " ENGINE);
	rig_run(&g);
	assert_int_equal(g.counts.oracle_checked, 3);
	assert_int_equal(g.counts.oracle_disagreed, 1);
	assert_int_equal(g.counts.oracle_raised, 1);
	assert_int_equal(g.counts.alerts, 2);
	assert_int_equal(g.counts.alerted, 1);
	assert_int_equal(g.counts.clean, 2);
	assert_int_equal(g.counts.malformed, 0);
	assert_int_equal(count_of(&g.alerts, "\n"), 2);
	assert_int_equal(count_of(&g.alerts, "\"title\":\"Scriptlet engine\""), 0);
	assert_non_null(
		strstr(g.alerts.p, "{\"field\":\"CommandLine\",\"value\":\"b scrobj.dll\"}"));
	assert_non_null(strstr(g.alerts.p, "\"peer\":\"192.0.2.7:51234\""));
	assert_int_equal(count_of(&g.dead, "\n"), 1);
	assert_non_null(strstr(g.dead.p,
	                       "\"reason\":\"oracle: only the slow way finds \\\"Scriptlet "
	                       "engine\\\" (11111111-1111-4111-8111-111111111111)\","
	                       "\"record\":\"{\\\"EventID\\\":4688,"));
	rig_close(&g);
}

/* What both ways find goes out once. */
static void only_what_was_missed_is_raised(void **state SQ_UNUSED)
{
	struct rig g;

	open_rig(&g, &every, 1 << 20);
	lie.blind = "scrobj";
	rig_add(&g, SQ_SV("[" BOTH "," TOOL "," ENGINE "," CLEAN "]"));
	rig_run(&g);
	assert_int_equal(g.counts.oracle_checked, 1);
	assert_int_equal(g.counts.oracle_disagreed, 1);
	assert_int_equal(g.counts.oracle_raised, 2);
	assert_int_equal(g.counts.alerts, 4);
	assert_int_equal(count_of(&g.alerts, "11111111-1111-4111-8111-111111111111"), 2);
	assert_int_equal(count_of(&g.alerts, "22222222-2222-4222-8222-222222222222"), 2);
	rig_close(&g);
}

static void what_only_the_fast_way_finds_stays(void **state SQ_UNUSED)
{
	struct rig g;

	open_rig(&g, &every, 1 << 20);
	lie.dreams = "notepad a.txt";
	rig_add(&g, SQ_SV(CLEAN));
	sq_pipeline_run(g.pipeline, g.batch, rig_now);
	assert_string_equal(g.batch->doubt,
	                    "192.0.2.7:51234: only the fast way finds \"Scriptlet engine\" "
	                    "(11111111-1111-4111-8111-111111111111), \"Registration tool\" "
	                    "(22222222-2222-4222-8222-222222222222); record: " CLEAN);
	rig_run(&g);
	assert_int_equal(g.counts.oracle_disagreed, 1);
	assert_int_equal(g.counts.oracle_raised, 0);
	assert_int_equal(g.counts.alerted, 1);
	assert_int_equal(g.counts.alerts, 2);
	assert_int_equal(count_of(&g.alerts, "\n"), 2);
	rig_close(&g);
}

static void a_record_left_out_wrongly_is_raised(void **state SQ_UNUSED)
{
	struct rig g;

	open_rig(&g, &every, 1 << 20);
	rig_add(&g, SQ_SV(CLEAN));
	rig_add(&g, SQ_SV("[" BOTH "," TOOL "]"));
	g.batch->records[0].left_out = g.batch->records[1].left_out = true;
	rig_run(&g);
	assert_int_equal(g.counts.left_out, 2);
	assert_int_equal(g.counts.clean, 2);
	assert_int_equal(g.counts.oracle_checked, 2);
	assert_int_equal(g.counts.oracle_disagreed, 1);
	assert_int_equal(g.counts.oracle_raised, 3);
	assert_int_equal(count_of(&g.alerts, "\n"), 3);
	rig_close(&g);
}

static void an_alert_below_the_level_is_told_but_not_sent(void **state SQ_UNUSED)
{
	struct sq_pipeline_opts opts = every;
	struct rig g;

	opts.min_level = SQ_LEVEL_MEDIUM;
	open_rig(&g, &opts, 1 << 20);
	lie.blind = "regsvr32";
	rig_add(&g, SQ_SV(TOOL));
	rig_run(&g);
	assert_int_equal(g.counts.oracle_disagreed, 1);
	assert_int_equal(g.counts.oracle_raised, 0);
	assert_int_equal(g.alerts.len, 0);
	rig_close(&g);
}

static void the_line_for_the_log_is_printable_and_short(void **state SQ_UNUSED)
{
	static char record[8192];
	size_t n;
	struct rig g;

	open_rig(&g, &every, 1 << 20);
	lie.blind = "scrobj";
	n = (size_t)
		snprintf(record, sizeof(record),
	                 "{\"EventID\":4688,\"Channel\":\"Security\",\n\"CommandLine\":\"\xff\x7f"
	                 "scrobj%07000d\"}",
	                 1);
	rig_add(&g, (struct sq_sv){ record, n });
	sq_pipeline_run(g.pipeline, g.batch, rig_now);
	assert_non_null(
		strstr(g.batch->doubt, "\"Security\",\\x0a\"CommandLine\":\"\\xff\\x7fscr"));
	assert_in_range(strlen(g.batch->doubt), sizeof(g.batch->doubt) - 8,
	                sizeof(g.batch->doubt) - 1);
	for (const char *p = g.batch->doubt; *p; p++)
		assert_in_range(*p, ' ', '~');
	sq_batch_clear_out(g.batch);
	assert_string_equal(g.batch->doubt, "");
	rig_close(&g);
}

/* A million alerts of one record are not compared, and not raised once more. */
static void too_many_alerts_are_not_compared(void **state SQ_UNUSED)
{
	struct sq_outbuf many = sq_outbuf_of(1 << 20);
	struct rig g;

	open_rig(&g, &every, 16 << 20);
	for (int i = 0; i < 600; i++)
		sq_outbuf_put(&many, SQ_SV(BOTH));
	rig_add(&g, sq_outbuf_view(&many));
	rig_run(&g);
	assert_int_equal(g.counts.alerts, 1200);
	assert_int_equal(g.counts.oracle_checked, 0);
	assert_int_equal(g.counts.oracle_skipped, 1);
	assert_int_equal(g.counts.oracle_disagreed, 0);
	sq_outbuf_fini(&many);
	rig_close(&g);
}

static struct sq_ruleset *regex_ruleset(const char *text, uint32_t steps)
{
	const struct sq_ruleset_opts opts = { .regex_steps = steps };
	struct sq_ruleset *rs = NULL;
	struct sq_diags diags = { 0 };
	struct sq_rules rules;

	assert_int_equal(sq_rules_init(&rules), 0);
	assert_int_equal(sq_sigma_parse(&rules, sq_sv_of(text), "re.yml", &diags), 1);
	assert_int_equal(sq_ruleset_build(&rules, &opts, &rs, NULL, NULL), 0);
	sq_diags_fini(&diags);
	return rs;
}

static void a_search_that_the_slow_way_gives_up_says_nothing(void **state SQ_UNUSED)
{
	struct sq_ruleset *rs = regex_ruleset("title: Re\nlevel: low\n" RIG_LOGSOURCE
	                                      "detection:\n  s:\n    CommandLine|re: 'a.*b.*c.*d'\n"
	                                      "  condition: s\n",
	                                      5);
	struct rig g;

	open_rig(&g, &every, 1 << 20);
	sq_pipeline_free(g.pipeline);
	g.pipeline = sq_pipeline_new(rs, &every);
	sq_ruleset_unref(rs);
	rig_add(&g, SQ_SV(EVENT("a.exe", "aaaaaaaaabbbbbbbbbbbcccccccccccccccdxxxxxx")));
	rig_run(&g);
	assert_int_equal(g.counts.alerts, 1);
	assert_int_equal(g.counts.oracle_skipped, 1);
	assert_int_equal(g.counts.oracle_checked, 0);
	assert_int_equal(g.counts.oracle_disagreed, 0);
	rig_close(&g);
}

static const struct sq_siphash_key secret = { { 7, 11 } };

static struct sq_oracle *oracle_of(const struct sq_oracle_opts *opts,
                                   const struct sq_siphash_key *key)
{
	const struct sq_reader_opts reader = { 0 };
	struct sq_ruleset *rs = rig_ruleset(true);
	struct sq_oracle *o = sq_oracle_new(rs, &reader, opts, key);

	sq_ruleset_unref(rs);
	assert_non_null(o);
	return o;
}

static void the_choice_depends_on_the_secret_and_the_pipeline(void **state SQ_UNUSED)
{
	const struct sq_siphash_key other = { { 7, 12 } };
	struct sq_oracle *o[3];
	uint64_t sum = 0, most = 0;
	unsigned alike = 0;

	o[0] = oracle_of(&(struct sq_oracle_opts){ .one_in = 1000 }, &secret);
	o[1] = oracle_of(&(struct sq_oracle_opts){ .one_in = 1000 }, &other);
	o[2] = oracle_of(&(struct sq_oracle_opts){ .one_in = 1000, .stream = 1 }, &secret);
	for (int i = 0; i < 10000; i++) {
		uint64_t a = sq_oracle_stride(o[0]), b = sq_oracle_stride(o[1]);
		uint64_t c = sq_oracle_stride(o[2]);

		sum += 1 + a;
		most = a > most ? a : most;
		alike += (a == b) + (a == c);
	}
	assert_in_range(sum / 10000, 980, 1020);
	assert_in_range(most, 1980, 1998);
	assert_in_range(alike, 0, 40);
	for (int i = 0; i < 3; i++)
		sq_oracle_free(o[i]);
	o[0] = oracle_of(&(struct sq_oracle_opts){ .one_in = 1 }, &secret);
	for (int i = 0; i < 100; i++)
		assert_int_equal(sq_oracle_stride(o[0]), 0);
	sq_oracle_free(o[0]);
}

static void one_in_so_many_is_checked(void **state SQ_UNUSED)
{
	struct sq_pipeline_opts opts = every;
	struct rig g;

	opts.check.one_in = 8;
	opts.secret = secret;
	open_rig(&g, &opts, 1 << 20);
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 64; i++)
			rig_add(&g, SQ_SV(TOOL));
		rig_run(&g);
	}
	assert_in_range(g.counts.oracle_checked, 700, 900);
	assert_int_equal(g.counts.oracle_disagreed + g.counts.oracle_skipped, 0);
	rig_close(&g);
}

enum { MS = 1000000 };

static uint64_t clock_ns;
static unsigned clock_calls;

/* Every check takes 4 ms. */
static uint64_t slow_clock(void)
{
	clock_calls++;
	return clock_ns += 4 * MS;
}

static void checks_take_no_more_than_their_share(void **state SQ_UNUSED)
{
	struct sq_pipeline_opts opts = every;
	struct rig g;

	opts.check.share = 1;
	opts.check.clock_ns = slow_clock;
	clock_calls = 0;
	open_rig(&g, &opts, 1 << 20);
	for (int i = 0; i < 20; i++)
		rig_add(&g, SQ_SV(TOOL));
	rig_run(&g); /* a burst of 10 ms: three checks, and 2 ms of debt */
	assert_int_equal(g.counts.oracle_checked, 3);
	assert_int_equal(g.counts.oracle_skipped, 17);
	assert_int_equal(clock_calls, 6);
	for (int second = 1; second <= 100; second++) {
		const struct sq_now now = { .mono_ns = 1 + (uint64_t)second * 1000 * MS };

		for (int i = 0; i < 20; i++)
			rig_add(&g, SQ_SV(TOOL));
		sq_pipeline_run(g.pipeline, g.batch, now);
		rig_run(&g);
	}
	/* 1 % of 100 seconds, and the burst of the first one */
	assert_in_range(g.counts.oracle_checked, 245, 255);
	assert_int_equal(g.counts.oracle_checked + g.counts.oracle_skipped, 101 * 20);
	rig_close(&g);
}

static void a_share_of_all_knows_no_clock(void **state SQ_UNUSED)
{
	struct sq_pipeline_opts opts = every;
	struct rig g;

	opts.check.share = 100;
	opts.check.clock_ns = slow_clock;
	clock_calls = 0;
	open_rig(&g, &opts, 1 << 20);
	for (int i = 0; i < 20; i++)
		rig_add(&g, SQ_SV(TOOL));
	rig_run(&g);
	assert_int_equal(g.counts.oracle_checked, 20);
	assert_int_equal(clock_calls, 0);
	rig_close(&g);
}

static void out_of_memory_makes_no_pipeline(void **state SQ_UNUSED)
{
	struct sq_ruleset *rs = rig_ruleset(false);
	struct sq_pipeline *pl = NULL;
	unsigned n = 1;

	for (; !pl; n++) {
		fault_alloc_at(n);
		pl = sq_pipeline_new(rs, &every);
		assert_int_equal(!pl, fault_alloc_end());
	}
	assert_in_range(n, 10, 1000);
	sq_pipeline_free(pl);
	sq_ruleset_unref(rs);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, truth)
	const struct CMUnitTest tests[] = {
		TEST(an_honest_way_is_never_doubted),
		TEST(a_missed_attack_is_counted_told_and_raised),
		TEST(only_what_was_missed_is_raised),
		TEST(what_only_the_fast_way_finds_stays),
		TEST(a_record_left_out_wrongly_is_raised),
		TEST(an_alert_below_the_level_is_told_but_not_sent),
		TEST(the_line_for_the_log_is_printable_and_short),
		TEST(too_many_alerts_are_not_compared),
		TEST(a_search_that_the_slow_way_gives_up_says_nothing),
		TEST(the_choice_depends_on_the_secret_and_the_pipeline),
		TEST(one_in_so_many_is_checked),
		TEST(checks_take_no_more_than_their_share),
		TEST(a_share_of_all_knows_no_clock),
		TEST(out_of_memory_makes_no_pipeline),
	};
#undef TEST

	return cmocka_run_group_tests_name("oracle", tests, NULL, NULL);
}
