/* Rules over derived fields, end to end: from the record to the alert that tells them. */
#include "tests/unit/engine/rig.h"

static const char rules[] =
	"title: Scriptlet\n"
	"id: 33333333-3333-4333-8333-333333333333\n"
	"status: test\nlevel: high\n" RIG_LOGSOURCE
	"detection:\n  s:\n    squibly.program: regsvr32.exe\n    squibly.regsvr32.scrobj: 'true'\n"
	"    squibly.regsvr32.install_class: url\n  condition: s\n"
	"---\n"
	"title: No lawful library\n"
	"id: 44444444-4444-4444-8444-444444444444\n"
	"status: test\nlevel: low\n" RIG_LOGSOURCE
	"detection:\n  s:\n    squibly.regsvr32.lawful: 'false'\n    squibly.argument_count|gte: 2\n"
	"  condition: s\n";

struct record_case {
	const char *name, *record;
	unsigned alerts;
	const char *tells; /* in the alerts; NULL: nothing */
};

#define EVENT(more)                                                                                \
	"{\"EventID\":4688,\"Channel\":\"Security\",\"SourceModuleType\":\"im_msvistalog\","       \
	"\"NewProcessName\":\"C:\\\\Windows\\\\System32\\\\regsvr32.exe\"," more "}"

static struct record_case cases[] = {
	{ "an attack, with its fields in the alert",
	  EVENT("\"CommandLine\":\"regsvr32 -S -i:HTTP://h/x \\\"scr\\\"obj\""), 1,
	  "\"program\":\"regsvr32.exe\",\"renamed\":\"false\",\"moved\":\"false\","
	  "\"trick\":\"split_quotes\",\"regsvr32\":{\"switch\":[\"s\",\"i\"],"
	  "\"install\":\"http://h/x\",\"install_class\":\"url\",\"library\":\"scrobj\"" },
	{ "what is reported elsewhere is raw",
	  EVENT("\"CommandLine\":\"regsvr32 -S -i:HTTP://h/x \\\"scr\\\"obj\""), 1,
	  "\"command_line\":\"regsvr32 -S -i:HTTP://h/x \\\"scr\\\"obj\"" },
	{ "a lawful registration",
	  EVENT("\"CommandLine\":\"regsvr32 /s \\\"C:\\\\Program Files\\\\V\\\\v.dll\\\"\""), 0,
	  NULL },
	{ "another one", EVENT("\"CommandLine\":\"regsvr32 /s C:\\\\ProgramData\\\\v.dll\""), 1,
	  "\"library_place\":\"user_writable\"" },
	{ "a record cannot say what is derived",
	  EVENT("\"CommandLine\":\"\",\"squibly.regsvr32.lawful\":\"false\","
	        "\"squibly.argument_count\":5"),
	  0, NULL },
	{ "nor hide it behind values of its own",
	  EVENT("\"squibly.regsvr32.scrobj\":\"false\",\"squibly.program\":\"x\","
	        "\"CommandLine\":\"regsvr32 /i:http://h scrobj\""),
	  1, "\"scrobj\":\"true\"" },
	{ "nor in an object",
	  EVENT("\"squibly\":{\"regsvr32\":{\"lawful\":\"false\"},\"argument_count\":\"5\"}"), 0,
	  NULL },
};

static struct sq_ruleset *ruleset(void)
{
	struct sq_rules parsed;
	struct sq_diags diags = { 0 };
	struct sq_ruleset *rs = NULL;
	struct sq_err err = { 0 };

	assert_int_equal(sq_rules_init(&parsed), 0);
	assert_int_equal(sq_sigma_parse(&parsed, sq_sv_of(rules), "derived.yml", &diags), 2);
	assert_int_equal(diags.n, 0); /* derived names are known: no warnings */
	sq_diags_fini(&diags);
	if (sq_ruleset_build(&parsed, &(struct sq_ruleset_opts){ .plain = true }, &rs, NULL, &err))
		fail_msg("%s", err.text);
	return rs;
}

static void check_record(void **state)
{
	const struct record_case *tc = *state;
	struct sq_pipeline_opts opts = { .formats = 1u << SQ_FORMAT_JSON };
	struct sq_ruleset *rs = ruleset();
	struct rig g;

	rig_open(&g, opts, 1 << 20);
	sq_pipeline_free(g.pipeline);
	g.pipeline = sq_pipeline_new(rs, &opts);
	assert_non_null(g.pipeline);
	sq_ruleset_unref(rs);
	rig_add(&g, sq_sv_of(tc->record));
	rig_run(&g);
	assert_int_equal(g.counts.malformed, 0);
	assert_int_equal(g.counts.alerts, tc->alerts);
	if (tc->tells && !strstr(g.alerts.p, tc->tells))
		fail_msg("no %s in %s", tc->tells, g.alerts.p);
	rig_close(&g);
}

int main(void)
{
	return RUN_TABLE("engine/derived", cases, check_record);
}
