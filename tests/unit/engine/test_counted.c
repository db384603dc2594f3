/* What is rare is counted: events and values that are over a limit, each by its own counter. */
#include "tests/unit/engine/rig.h"

#define SYSMON "{\"EventID\":1,\"Channel\":\"Microsoft-Windows-Sysmon/Operational\","

/* A rig whose pipeline has other rules. */
static void open_with(struct rig *g, const char *sigma, struct sq_pipeline_opts opts, uint32_t out,
                      uint32_t regex_steps)
{
	const struct sq_ruleset_opts build = { .plain = true, .regex_steps = regex_steps };
	struct sq_diags diags = { 0 };
	struct sq_ruleset *rs = NULL;
	struct sq_rules rules;

	rig_open(g, opts, out);
	sq_pipeline_free(g->pipeline);
	assert_int_equal(sq_rules_init(&rules), 0);
	assert_true(sq_sigma_parse(&rules, sq_sv_of(sigma), "own.yml", &diags) >= 0);
	sq_diags_fini(&diags);
	assert_int_equal(sq_ruleset_build(&rules, &build, &rs, NULL, NULL), 0);
	g->pipeline = sq_pipeline_new(rs, &opts);
	assert_non_null(g->pipeline);
	sq_ruleset_unref(rs);
}

/* One over what one event tells of is enough. */
static void an_event_of_too_many_rules_is_counted(void **state SQ_UNUSED)
{
	const struct sq_pipeline_opts opts = { .formats = 1u << SQ_FORMAT_JSON };

	for (unsigned more = 0; more < 2; more++) {
		struct sq_outbuf sigma = sq_outbuf_of(1 << 20);
		struct rig g;

		for (unsigned i = 0; i < SQ_HITS_MAX + more; i++)
			sq_outbuf_printf(&sigma,
			                 "%stitle: Rule %u\nlevel: low\n" RIG_LOGSOURCE
			                 "detection:\n  s:\n    CommandLine|contains: scrobj\n"
			                 "  condition: s\n",
			                 i ? "---\n" : "", i);
		sq_outbuf_putc(&sigma, '\0');
		open_with(&g, sigma.p, opts, 1 << 20, 0);
		rig_add(&g, SQ_SV(SYSMON "\"CommandLine\":\"scrobj\"}"));
		rig_add(&g, SQ_SV(SYSMON "\"CommandLine\":\"x\"}"));
		rig_run(&g);
		assert_int_equal(g.counts.alerts, SQ_HITS_MAX);
		assert_int_equal(g.counts.alerts_capped, more);
		rig_close(&g);
		sq_outbuf_fini(&sigma);
	}
}

/* Whoever can make many rules match with what they look for must not hide the worst behind them. */
static void of_too_many_rules_the_highest_levels_are_told(void **state SQ_UNUSED)
{
	const struct sq_pipeline_opts opts = { .formats = 1u << SQ_FORMAT_JSON };
	struct sq_outbuf sigma = sq_outbuf_of(1 << 20);
	struct sq_batch *b;
	struct rig g;

	for (unsigned i = 0; i < SQ_HITS_MAX + 3; i++) {
		const char *level = i == 10                ? "medium"
		                    : i == SQ_HITS_MAX     ? "critical"
		                    : i == SQ_HITS_MAX + 2 ? "high"
		                                           : "low";

		sq_outbuf_printf(&sigma,
		                 "%stitle: Rule %u\nlevel: %s\n" RIG_LOGSOURCE
		                 "detection:\n  s:\n    CommandLine|contains: scrobj\n"
		                 "  condition: s\n",
		                 i ? "---\n" : "", i, level);
	}
	sq_outbuf_putc(&sigma, '\0');
	open_with(&g, sigma.p, opts, 1 << 20, 0);
	b = g.batch;
	rig_add(&g, SQ_SV(SYSMON "\"CommandLine\":\"scrobj\"}"));
	sq_pipeline_run(g.pipeline, b, rig_now);
	assert_int_equal(b->n_alerts, SQ_HITS_MAX);
	assert_int_equal(b->counts.alerts_capped, 1);
	for (uint32_t i = 0; i < SQ_HITS_MAX - 2; i++) /* in the order of the rules, as ever */
		assert_int_equal(b->alerts[i].level, i == 10 ? SQ_LEVEL_MEDIUM : SQ_LEVEL_LOW);
	assert_int_equal(b->alerts[SQ_HITS_MAX - 2].level, SQ_LEVEL_CRITICAL);
	assert_int_equal(b->alerts[SQ_HITS_MAX - 1].level, SQ_LEVEL_HIGH);
	rig_run(&g);
	rig_close(&g);
	sq_outbuf_fini(&sigma);
}

static void an_expression_that_is_given_up_is_counted(void **state SQ_UNUSED)
{
	static const char sigma[] =
		"title: Steep\nlevel: low\n" RIG_LOGSOURCE
		"detection:\n  s:\n    CommandLine|re: '^(a+)+(?=!)$'\n  condition: s\n";
	struct rig g;

	open_with(&g, sigma, (struct sq_pipeline_opts){ 0 }, 1 << 20, 1000);
	rig_add(&g, SQ_SV(SYSMON "\"CommandLine\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"}"));
	rig_add(&g, SQ_SV(SYSMON "\"CommandLine\":\"b\"}"));
	rig_run(&g);
	assert_int_equal(g.counts.regex_limits, 1);
	assert_int_equal(g.counts.clean, 2);
	rig_close(&g);
}

/* What was cut off on its way is read as far as it came; a record cut before anything matched is
 * malformed, as ever. */
static void a_record_that_was_cut_and_matched_is_counted(void **state SQ_UNUSED)
{
	struct rig g;

	rig_open(&g, (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON }, 1 << 20);
	rig_add(&g, SQ_SV(SYSMON "\"CommandLine\":\"regsvr32 scrobj.dll\",\"User\":\"ali"));
	rig_add(&g, SQ_SV(SYSMON "\"User\":\"ali"));
	rig_run(&g);
	assert_int_equal(g.counts.cut_alerted, 1);
	assert_int_equal(g.counts.alerted, 1);
	assert_int_equal(g.counts.malformed, 1);
	assert_non_null(strstr(g.alerts.p, "\"cut\""));
	rig_close(&g);
}

/* A field given more often than an event has room for: what fits counts, and the event is flagged.
 */
static void an_event_with_too_many_values_is_counted(void **state SQ_UNUSED)
{
	struct sq_outbuf record = sq_outbuf_of(1 << 20);
	struct rig g;

	sq_outbuf_put(&record, SQ_SV(SYSMON "\"CommandLine\":\"scrobj\""));
	for (unsigned i = 0; i < 2 * SQ_EVENT_MORE_MAX; i++)
		sq_outbuf_printf(&record, ",\"CommandLine\":\"%u\"", i);
	sq_outbuf_putc(&record, '}');
	assert_false(record.failed);
	rig_open(&g, (struct sq_pipeline_opts){ .formats = 1u << SQ_FORMAT_JSON }, 1 << 20);
	rig_add(&g, sq_outbuf_view(&record));
	rig_run(&g);
	assert_int_equal(g.counts.fields_overflow, 1);
	assert_int_equal(g.counts.alerted, 1);
	assert_non_null(strstr(g.alerts.p, "\"overflow\""));
	rig_close(&g);
	sq_outbuf_fini(&record);
}

/* No room for what was found: the record goes on as it came. */
static void a_verdict_that_fits_nowhere_is_counted(void **state SQ_UNUSED)
{
	const struct sq_view view = { .min_level = SQ_LEVEL_INFORMATIONAL };
	const struct sq_pipeline_opts opts = { .views = &view, .n_views = 1 };
	struct rig g;

	rig_open(&g, opts, 1 << 20);
	g.batch->out.max = 64;
	rig_add(&g, SQ_SV(SYSMON "\"CommandLine\":\"scrobj\"}"));
	sq_pipeline_run(g.pipeline, g.batch, rig_now);
	assert_int_equal(g.batch->counts.alerted, 1);
	assert_int_equal(g.batch->counts.verdicts_lost, 1);
	assert_int_equal(g.batch->counts.verdicts, 0);
	rig_close(&g);
}

/* At an output that takes JSON alone, what is none would be refused for ever. */
static void what_must_be_json_and_fits_nowhere_is_a_short_text(void **state SQ_UNUSED)
{
	static const struct {
		struct sq_sv raw;
		size_t max;
		bool as_it_came;
	} rows[] = {
		{ SQ_SV("{\"a\":\"0123456789012345678901234567890123456789\x01\"}"), 48, false },
		{ SQ_SV("text: 0123456789012345678901234567890123456789"), 48, false },
		{ SQ_SV("text: 0123456789012345678901234567890123456789"), 20,
		  true }, /* nor that */
		{ SQ_SV("{\"a\":\"0123456789012345678901234567890123456789\"}"), 48, true },
	};
	const struct sq_view view = { .json = true, .always = true };
	const struct sq_pipeline_opts opts = { .views = &view, .n_views = 1 };

	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		const struct sq_pass_ref *ref;
		struct rig g;

		rig_open(&g, opts, 1 << 20);
		g.batch->out.max = rows[i].max;
		rig_add(&g, rows[i].raw);
		sq_pipeline_run(g.pipeline, g.batch, rig_now);
		assert_int_equal(g.batch->counts.verdicts_lost, 1);
		assert_int_equal(g.batch->n_passes, 1);
		ref = &g.batch->passes[0];
		if (rows[i].as_it_came)
			assert_int_equal(ref->text[0].n, 0);
		else
			assert_sv_equal(((struct sq_sv){ g.batch->out.p + ref->text[0].at,
			                                 ref->text[0].n }),
			                SQ_SV("{\"message\":\"(it did not fit into memory)\"}"));
		rig_close(&g);
	}
}

/* Each way to hand on a record may make six bytes of one, in every record of a chunk. */
static void whatever_a_chunk_holds_fits_for_every_output(void **state SQ_UNUSED)
{
	static const struct sq_view views[] = {
		{ .json = true },
		{ .json = true, .always = true },
		{ .json = true, .always = true, .identify = true },
		{ .json = true, .identify = true },
	};
	const struct sq_pipeline_opts opts = { .views = views, .n_views = SQ_LEN(views) };
	struct sq_outbuf record = sq_outbuf_of(1 << 20);
	struct rig g;

	rig_open(&g, opts, 1 << 16);
	sq_outbuf_put(&record, SQ_SV("{\"a\":\""));
	for (size_t n = sq_batch_room(g.batch) - 16; n > 0; n--)
		sq_outbuf_putc(&record, '\x01');
	sq_outbuf_put(&record, SQ_SV("\"}"));
	assert_false(record.failed);
	rig_add(&g, sq_outbuf_view(&record));
	sq_pipeline_run(g.pipeline, g.batch, rig_now);
	assert_int_equal(g.batch->counts.verdicts_lost, 0);
	assert_int_equal(g.batch->n_passes, 1);
	for (size_t i = 0; i < SQ_LEN(views); i++)
		assert_true(g.batch->passes[0].text[i].n > 6 * (record.len - 16));
	rig_close(&g);
	sq_outbuf_fini(&record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_of_too_many_rules_is_counted),
		cmocka_unit_test(of_too_many_rules_the_highest_levels_are_told),
		cmocka_unit_test(an_expression_that_is_given_up_is_counted),
		cmocka_unit_test(a_record_that_was_cut_and_matched_is_counted),
		cmocka_unit_test(an_event_with_too_many_values_is_counted),
		cmocka_unit_test(a_verdict_that_fits_nowhere_is_counted),
		cmocka_unit_test(what_must_be_json_and_fits_nowhere_is_a_short_text),
		cmocka_unit_test(whatever_a_chunk_holds_fits_for_every_output),
	};

	return cmocka_run_group_tests_name("counted", tests, NULL, NULL);
}
