/* Every rule asked about one event: the order of the answers, their JSON, and finding a rule. */
#include <yajl/yajl_tree.h>

#include "lib/engine/explain.h"
#include "lib/model/reader.h"
#include "lib/rules/sigma.h"
#include "tests/support/fault_alloc.h"
#include "tests/support/test.h"

#define SOURCE "logsource: {category: process_creation, product: windows}\n"

static const char rules_text[] =
	"title: Other source\nlevel: critical\nlogsource: {category: image_load, product: windows}\n"
	"detection:\n  s: {Image: x}\n  condition: s\n"
	"---\n"
	"title: Nothing\nlevel: critical\n" SOURCE
	"detection:\n  s: {Image|contains: nix}\n  condition: s\n"
	"---\n"
	"title: Two away\nlevel: critical\n" SOURCE
	"detection:\n  a: {Image|contains: regsvr32}\n  b: {User: x, Company: y}\n"
	"  condition: a and b\n"
	"---\n"
	"title: One away\nlevel: low\n" SOURCE
	"detection:\n  a: {Image|contains: regsvr32}\n  b: {User: x}\n  condition: a and b\n"
	"---\n"
	"title: One away, and worse\nlevel: high\n" SOURCE
	"detection:\n  a: {Image|contains: regsvr32}\n  b: {User: y}\n  condition: a and b\n"
	"---\n"
	"title: A match\nid: 11111111-1111-4111-8111-111111111111\nname: the_match\nlevel: low\n" SOURCE
	"detection:\n  a: {Image|contains: regsvr32}\n  f: {Nix: z}\n  condition: a and not f\n"
	"---\n"
	"title: A worse match\nlevel: high\n" SOURCE
	"detection:\n  a: {Image|contains: regsvr32}\n  condition: a\n";

struct rig {
	struct sq_ruleset *rs;
	struct sq_reader *reader;
	struct sq_arena arena;
	struct sq_event ev;
	struct sq_outbuf out;
	struct sq_sv rest;
};

static void rig_open(struct rig *g, const char *json)
{
	struct sq_rules rules;
	struct sq_diags diags = { 0 };
	struct sq_err err = { 0 };
	const struct sq_ruleset_opts opts = { .plain = true };

	*g = (struct rig){ .out = sq_outbuf_of(1 << 20), .rest = sq_sv_of(json) };
	assert_int_equal(sq_rules_init(&rules), 0);
	assert_int_equal(sq_sigma_parse(&rules, sq_sv_of(rules_text), "rig.yml", &diags), 7);
	assert_int_equal(sq_sigma_finish(&rules, &diags), 0);
	sq_diags_fini(&diags);
	assert_int_equal(sq_ruleset_build(&rules, &opts, &g->rs, NULL, &err), 0);
	g->reader = sq_reader_new(sq_ruleset_fields(g->rs), &(struct sq_reader_opts){ 0 });
	assert_non_null(g->reader);
	assert_int_equal(sq_arena_init(&g->arena, 1 << 20), 0);
	assert_int_equal(sq_reader_next(g->reader, &g->rest, NULL, &g->arena, &g->ev), 1);
}

static void rig_close(struct rig *g)
{
	sq_outbuf_fini(&g->out);
	sq_arena_fini(&g->arena);
	sq_reader_free(g->reader);
	sq_ruleset_unref(g->rs);
}

#define EVENT                                                                                      \
	"{\"EventID\":1,\"Channel\":\"Microsoft-Windows-Sysmon/Operational\","                     \
	"\"Image\":\"C:\\\\regsvr32.exe\",\"User\":\"bob\"}"

static void answers_come_in_the_order_of_interest(void **state)
{
	static const char *const want[] = { "A worse match", "A match",  "One away, and worse",
		                            "One away",      "Two away", "Nothing",
		                            "Other source" };
	struct sq_explained e;
	struct sq_explain *x;
	struct rig g;

	(void)state;
	rig_open(&g, EVENT);
	x = sq_explain_new(g.rs, -1);
	assert_non_null(x);
	for (int twice = 0; twice < 2; twice++) {
		sq_explain_event(x, &g.ev, &e);
		assert_int_equal(e.n, SQ_LEN(want));
		for (size_t i = 0; i < SQ_LEN(want); i++)
			assert_sv_equal(sq_ruleset_rule(g.rs, e.list[i].rule)->title,
			                sq_sv_of(want[i]));
		assert_int_equal(e.counts[SQ_VERDICT_MATCH], 2);
		assert_int_equal(e.counts[SQ_VERDICT_NEAR], 3);
		assert_int_equal(e.counts[SQ_VERDICT_MISS], 1);
		assert_int_equal(e.counts[SQ_VERDICT_ELSEWHERE], 1);
	}
	sq_explain_free(x);
	rig_close(&g);
}

static void a_rule_is_found_by_id_name_or_title(void **state)
{
	static const struct {
		const char *name;
		int64_t want;
		const char *nearest;
	} rows[] = {
		{ "11111111-1111-4111-8111-111111111111", 5, NULL },
		{ "the_match", 5, NULL },
		{ "A match", 5, NULL },
		{ "two AWAY", 2, NULL },
		{ "THE_MATCH", -1, "the_match" }, /* case of a name counts */
		{ "Two awa", -1, "Two away" },
		{ "11111111-1111-4111-8111-11111111111", -1,
		  "11111111-1111-4111-8111-111111111111" },
		{ "rig", 0, NULL }, /* all are of rig.yml: the first of them */
		{ "rig.yml", 0, NULL },
		{ "rog", -1, "rig" },
		{ "quite another", -1, "" },
		{ "", -1, "" },
	};
	struct rig g;

	(void)state;
	rig_open(&g, EVENT);
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		struct sq_sv nearest;

		assert_int_equal(sq_explain_find(g.rs, sq_sv_of(rows[i].name), &nearest),
		                 rows[i].want);
		if (rows[i].nearest)
			assert_sv_equal(nearest, sq_sv_of(rows[i].nearest));
	}
	rig_close(&g);
}

static const char *json_of(struct rig *g, struct sq_explain *x, uint32_t n_rules)
{
	struct sq_explained e;
	yajl_val tree;

	sq_explain_event(x, &g->ev, &e);
	sq_outbuf_reset(&g->out);
	sq_explain_json(&g->out, x, &e, n_rules, SQ_SV("a.ndjson"), 3);
	sq_outbuf_putc(&g->out, '\0');
	assert_false(g->out.failed);
	tree = yajl_tree_parse(g->out.p, NULL, 0);
	assert_non_null(tree);
	yajl_tree_free(tree);
	return g->out.p;
}

static void an_event_as_json(void **state)
{
	struct sq_explain *x;
	struct rig g;

	(void)state;
	rig_open(&g, EVENT);
	x = sq_explain_new(g.rs, 5);
	assert_string_equal(
		json_of(&g, x, UINT32_MAX),
		"{\"file\":\"a.ndjson\",\"number\":3,\"shape\":\"flat\","
		"\"category\":\"process_creation\","
		"\"fields\":{\"EventID\":[\"1\"],"
		"\"Channel\":[\"Microsoft-Windows-Sysmon/Operational\"],"
		"\"Image\":[\"C:\\\\regsvr32.exe\"],\"User\":[\"bob\"]},\"derived\":{},"
		"\"counts\":{\"match\":1,\"near\":0,\"miss\":0,\"elsewhere\":0},"
		"\"rules\":[{\"id\":\"11111111-1111-4111-8111-111111111111\",\"title\":\"A match\","
		"\"level\":\"low\",\"file\":\"rig.yml\",\"line\":39,\"result\":\"match\","
		"\"selections\":[{\"name\":\"a\",\"holds\":true,\"negated\":false},"
		"{\"name\":\"f\",\"holds\":false,\"negated\":true}]}]}");
	sq_explain_free(x);
	rig_close(&g);
}

static void a_reason_as_json(void **state)
{
	struct sq_explain *x;
	struct rig g;

	(void)state;
	rig_open(&g, "{\"EventID\":1,\"Channel\":\"Microsoft-Windows-Sysmon/Operational\","
	             "\"Image\":\"C:\\\\regsvr32.exe\",\"Nix\":[null,\"z\"]}");
	x = sq_explain_new(g.rs, 5);
	assert_non_null(strstr(json_of(&g, x, 1), "\"Nix\":[null,\"z\"]"));
	assert_non_null(
		strstr(g.out.p,
	               "\"reason\":{\"selection\":\"f\",\"field\":\"Nix\",\"excluded\":true,"
	               "\"wanted\":\"is \\\"z\\\"\",\"found\":\"is \\\"z\\\"\","
	               "\"text\":\"'f' holds, which is excluded: Nix is \\\"z\\\"; it is "
	               "\\\"z\\\"\"}"));
	sq_explain_free(x);

	x = sq_explain_new(g.rs, 0); /* of another log source */
	assert_non_null(strstr(json_of(&g, x, 1), "\"result\":\"elsewhere\",\"selections\":[],"
	                                          "\"reason\":{\"text\":\"the rule is about "
	                                          "category image_load, product windows; "));
	sq_explain_free(x);

	/* As many rules as are asked for. */
	x = sq_explain_new(g.rs, -1);
	assert_non_null(strstr(json_of(&g, x, 0), "\"rules\":[]}"));
	assert_null(strstr(json_of(&g, x, 1), "\"title\":\"Nothing\""));
	sq_explain_free(x);
	rig_close(&g);
}

static void a_malformed_record_as_json(void **state)
{
	struct sq_outbuf out = sq_outbuf_of(1000);

	(void)state;
	sq_explain_malformed(&out, SQ_SV("no event"), SQ_SV("a\"b\x1b"), SQ_SV("f"), 1);
	assert_sv_equal(sq_outbuf_view(&out),
	                SQ_SV("{\"file\":\"f\",\"number\":1,\"malformed\":\"no event\","
	                      "\"record\":\"a\\\"b\\u001b\"}"));
	sq_outbuf_fini(&out);
}

static void memory_may_run_out(void **state)
{
	struct sq_explain *x = NULL;
	struct rig g;

	(void)state;
	rig_open(&g, EVENT);
	for (unsigned n = 1; !x; n++) {
		assert_in_range(n, 1, 20);
		fault_alloc_at(n);
		x = sq_explain_new(g.rs, -1);
		(void)fault_alloc_end();
	}
	sq_explain_free(x);
	rig_close(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_come_in_the_order_of_interest),
		cmocka_unit_test(a_rule_is_found_by_id_name_or_title),
		cmocka_unit_test(an_event_as_json),
		cmocka_unit_test(a_reason_as_json),
		cmocka_unit_test(a_malformed_record_as_json),
		cmocka_unit_test(memory_may_run_out),
	};

	return cmocka_run_group_tests_name("engine/explain", tests, NULL, NULL);
}
