/* Filters: what is wrong with them, which rules they apply to, and what then matches. */
#include "tests/unit/rules/match_text.h"

#include "tests/support/fault_alloc.h"

#define RULE                                                                                       \
	"title: Rule\n"                                                                            \
	"id: 6f2c7a52-9a7e-4a3e-9d61-1f4a0f7b7c11\n"                                               \
	"name: the_rule\n"                                                                         \
	"level: high\n"                                                                            \
	"logsource: {category: process_creation, product: windows}\n"                              \
	"detection:\n"                                                                             \
	"  selection: {Image|endswith: '\\a.exe'}\n"                                               \
	"  condition: selection\n"                                                                 \
	"---\n"

/* Lines 10 to 12 of a file that begins with RULE; the selections begin in line 13. */
#define FILTER                                                                                     \
	"title: Ours\n"                                                                            \
	"logsource: {category: process_creation, product: windows}\n"                              \
	"filter:\n"

struct filter_case {
	const char *name;
	const char *text;     /* behind RULE */
	const char *findings; /* of reading and applying */
	const char *want;     /* the rule's condition then; NULL: the file is refused */
};

#define OWN "Image=*\"\\a.exe\""

static struct filter_case cases[] = {
	{ "an exclusion by id",
	  FILTER "  rules: [6f2c7a52-9a7e-4a3e-9d61-1f4a0f7b7c11]\n"
	         "  selection: {User: bob}\n  condition: not selection\n",
	  "", "and(" OWN ",not(User=\"bob\"))" },
	{ "case of an id does not count",
	  FILTER "  rules: [6F2C7A52-9A7E-4A3E-9D61-1F4A0F7B7C11]\n"
	         "  selection: {User: bob}\n  condition: not selection\n",
	  "", "and(" OWN ",not(User=\"bob\"))" },
	{ "one by name, without a list",
	  FILTER "  rules: the_rule\n  s: {User: bob}\n  condition: not s\n", "",
	  "and(" OWN ",not(User=\"bob\"))" },
	{ "any rule of the log source",
	  FILTER "  rules: any\n  s: {User: bob}\n  condition: not s\n", "",
	  "and(" OWN ",not(User=\"bob\"))" },
	{ "all is another word for it",
	  FILTER "  rules: All\n  s: {User: bob}\n  condition: not s\n", "",
	  "and(" OWN ",not(User=\"bob\"))" },
	{ "named twice is applied once",
	  FILTER "  rules: [the_rule, 6f2c7a52-9a7e-4a3e-9d61-1f4a0f7b7c11]\n"
	         "  s: {User: bob}\n  condition: not s\n",
	  "", "and(" OWN ",not(User=\"bob\"))" },
	{ "two filters",
	  FILTER "  rules: any\n  s: {User: bob}\n  condition: not s\n---\n" FILTER
	         "  rules: the_rule\n  s: {User: eve}\n  condition: not s\n",
	  "", "and(" OWN ",not(User=\"bob\"),not(User=\"eve\"))" },
	{ "them are the filter's own selections",
	  FILTER "  rules: any\n  selection: {User: bob}\n  b: {User: eve}\n"
	         "  condition: not 1 of them\n",
	  "", "and(" OWN ",not(or(User=\"bob\",User=\"eve\")))" },
	{ "an or in the condition stays inside it",
	  FILTER "  rules: any\n  a: {User: bob}\n  b: {User: eve}\n"
	         "  condition: not a or not b\n",
	  "", "and(" OWN ",or(not(User=\"bob\"),not(User=\"eve\")))" },
	{ "the example of the specification narrows the rule, and is told of",
	  FILTER "  rules: [the_rule]\n  selection: {User|startswith: adm_}\n"
	         "  condition: selection\n",
	  "15:14: warning: without 'not' the filter keeps only the events that fit it: to leave "
	  "them out, write 'not'\n",
	  "and(" OWN ",User=\"adm_\"*)" },
	{ "a rule that is not there",
	  FILTER "  rules:\n  - the_rule\n  - the_rul\n  s: {User: bob}\n  condition: not s\n",
	  "15:5: warning: the filter names a rule that is not there: 'the_rul'; did you mean "
	  "'the_rule'?\n",
	  "and(" OWN ",not(User=\"bob\"))" },
	{ "any may stand alone only",
	  FILTER "  rules: [any]\n  s: {User: bob}\n  condition: not s\n",
	  "13:11: warning: the filter names a rule that is not there: 'any'\n", OWN },
	{ "a title is no name", FILTER "  rules: [Rule]\n  s: {User: bob}\n  condition: not s\n",
	  "13:11: warning: the filter names a rule that is not there: 'Rule'\n", OWN },
	{ "a rule of another category",
	  "title: Ours\nlogsource: {category: image_load}\nfilter:\n  rules: [the_rule]\n"
	  "  s: {User: bob}\n  condition: not s\n",
	  "13:11: warning: the filter does not apply to 'Rule': that rule has another log source\n",
	  OWN },
	{ "a filter that says more than the rule",
	  "title: Ours\nlogsource: {category: process_creation, service: sysmon}\nfilter:\n"
	  "  rules: any\n  s: {User: bob}\n  condition: not s\n",
	  "13:10: warning: the filter applies to no rule: none has its log source\n", OWN },
	{ "one that says less",
	  "title: Ours\nlogsource: {product: Windows}\nfilter:\n"
	  "  rules: any\n  s: {User: bob}\n  condition: not s\n",
	  "", "and(" OWN ",not(User=\"bob\"))" },
	{ "another product",
	  "title: Ours\nlogsource: {product: linux}\nfilter:\n"
	  "  rules: any\n  s: {User: bob}\n  condition: not s\n",
	  "11:22: warning: the filter is of no use: no event comes from product 'linux'\n"
	  "13:10: warning: the filter applies to no rule: none has its log source\n",
	  OWN },
	{ "a field that never occurs", FILTER "  rules: any\n  s: {Usr: bob}\n  condition: not s\n",
	  "14:7: warning: field 'Usr' never occurs in process_creation events; did you mean "
	  "'User'?\n"
	  "15:14: warning: the filter leaves nothing out\n",
	  "and(" OWN ",not(Usr=\"bob\"))" },
	{ "a condition that is never true",
	  FILTER "  rules: any\n  s: {Usr: null}\n  condition: not s\n",
	  "14:7: warning: field 'Usr' never occurs in process_creation events; did you mean "
	  "'User'?\n"
	  "15:14: warning: the rules that the filter applies to can never match: its condition is "
	  "never true\n",
	  "and(" OWN ",not(Usr:null))" },
	{ "a level",
	  "title: Ours\nlevel: low\nlogsource: {product: windows}\nfilter:\n"
	  "  rules: any\n  s: {User: bob}\n  condition: not s\n",
	  "11:1: warning: a filter has no level: remove it\n", "and(" OWN ",not(User=\"bob\"))" },

	{ "no title",
	  "logsource: {product: windows}\nfilter:\n  rules: any\n  s: {User: bob}\n"
	  "  condition: not s\n",
	  "10:1: error: no title: say what the filter leaves out\n", NULL },
	{ "no log source",
	  "title: Ours\nfilter:\n  rules: any\n  s: {User: bob}\n  condition: not s\n",
	  "10:1: error: no logsource: say which rules the filter may apply to\n", NULL },
	{ "no rules", FILTER "  s: {User: bob}\n  condition: not s\n",
	  "12:1: error: no rules in filter: name them by id or name, or write rules: any\n", NULL },
	{ "rules that are empty", FILTER "  rules: []\n  s: {User: bob}\n  condition: not s\n",
	  "13:10: error: rules is empty: name rules, or write any for all of the log source\n",
	  NULL },
	{ "rules that are null", FILTER "  rules:\n  s: {User: bob}\n  condition: not s\n",
	  "13:9: error: rules needs the id or the name of a rule\n", NULL },
	{ "rules that are a map", FILTER "  rules: {a: b}\n  s: {User: bob}\n  condition: not s\n",
	  "13:10: error: rules is a list of ids or names, or any\n", NULL },
	{ "a list in the rules", FILTER "  rules: [[a]]\n  s: {User: bob}\n  condition: not s\n",
	  "13:11: error: rules needs the id or the name of a rule\n", NULL },
	{ "no condition", FILTER "  rules: any\n  s: {User: bob}\n",
	  "13:3: error: no condition in filter: say how the selections belong together\n", NULL },
	{ "a list of conditions", FILTER "  rules: any\n  s: {User: bob}\n  condition: [not s]\n",
	  "15:14: error: the condition of a filter is one text: write 'and' or 'or' into it\n",
	  NULL },
	{ "a selection of the rule's",
	  FILTER "  rules: any\n  s: {User: bob}\n  condition: not selection\n",
	  "15:18: error: unknown selection 'selection'\n", NULL },
	{ "rules are no selection",
	  FILTER "  rules: any\n  s: {User: bob}\n  condition: not rules\n",
	  "15:18: error: unknown selection 'rules'\n", NULL },
	{ "no selection", FILTER "  rules: any\n  condition: not s\n",
	  "13:3: error: no selection in filter: say what to look for\n"
	  "14:18: error: unknown selection 's'\n",
	  NULL },
	{ "a filter that is no map", "title: Ours\nlogsource: {product: windows}\nfilter: x\n",
	  "12:9: error: filter is a map of selections and a condition\n", NULL },
	{ "a detection beside the filter",
	  FILTER "  rules: any\n  s: {User: bob}\n  condition: not s\n"
	         "detection:\n  s: a\n  condition: s\n",
	  "16:1: error: a filter has no detection: its selections stand under 'filter'\n", NULL },
};

static void check_case(void **state)
{
	const struct filter_case *tc = *state;
	char yaml[2048];
	struct parsed t;

	(void)snprintf(yaml, sizeof(yaml), RULE "%s", tc->text);
	parse(&t, yaml);
	if (tc->want)
		assert_int_equal(sq_sigma_finish(&t.rules, &t.diags), 0);
	assert_sv_equal(findings(&t), sq_sv_of(tc->findings));
	assert_int_equal(t.result, tc->want ? 1 : -EINVAL);
	if (tc->want)
		assert_sv_equal(condition(&t), sq_sv_of(tc->want));
	else
		assert_int_equal(t.rules.n + t.rules.n_filters, 0);
	parsed_fini(&t);
}

static const char any_filter[] = FILTER "  rules: any\n  s: {User: bob}\n  condition: not s\n";

static void a_filter_may_be_read_before_its_rules(void **state)
{
	struct parsed t;

	(void)state;
	parse(&t, any_filter);
	assert_int_equal(t.result, 0);
	assert_sv_equal(findings(&t), SQ_SV("")); /* a file of filters is no mistake */
	parse_more(&t, RULE, "later.yml");
	assert_int_equal(t.result, 1);
	assert_int_equal(sq_sigma_finish(&t.rules, &t.diags), 0);
	assert_sv_equal(condition(&t), SQ_SV("and(" OWN ",not(User=\"bob\"))"));
	assert_int_equal(t.rules.list[0]->n_filters, 1);
	assert_sv_equal(t.rules.list[0]->filters[0]->title, SQ_SV("Ours"));
	assert_sv_equal(t.rules.list[0]->filters[0]->file, SQ_SV("rule.yml"));
	/* Applied, they are forgotten: a second time changes nothing. */
	assert_int_equal(sq_sigma_finish(&t.rules, &t.diags), 0);
	assert_int_equal(t.rules.list[0]->n_filters, 1);
	assert_sv_equal(condition(&t), SQ_SV("and(" OWN ",not(User=\"bob\"))"));
	parsed_fini(&t);
}

static void a_file_with_an_error_adds_no_filter(void **state)
{
	struct parsed t;

	(void)state;
	parse(&t, any_filter);
	parse_more(&t, FILTER "  rules: any\n  s: {User: eve}\n  condition: not s\n---\ntitle: x\n",
	           "bad.yml");
	assert_int_equal(t.result, -EINVAL);
	assert_int_equal(t.rules.n_filters, 1);
	parsed_fini(&t);
}

static void keywords_of_a_filter_are_the_rules_too(void **state)
{
	struct parsed t;

	(void)state;
	parse(&t, RULE FILTER "  rules: any\n  words: [quiet]\n  condition: not words\n");
	assert_false(t.rules.list[0]->has_keywords);
	assert_int_equal(sq_sigma_finish(&t.rules, &t.diags), 0);
	assert_true(t.rules.list[0]->has_keywords);
	parsed_fini(&t);
}

/* The note names the file in which the expression stands, not that of the rule. */
static void what_hyperscan_refuses_is_told_where_it_stands(void **state)
{
	struct sq_ruleset_report report = { 0 };
	struct sq_ruleset *rs = NULL;
	struct sq_err err = { 0 };
	struct parsed t;

	(void)state;
	parse(&t, RULE);
	parse_more(&t, FILTER "  rules: any\n  s: {User|re: '^(?!bob)'}\n  condition: not s\n",
	           "filter.yml");
	assert_int_equal(sq_sigma_finish(&t.rules, &t.diags), 0);
	assert_int_equal(sq_ruleset_build(&t.rules, NULL, &rs, &report, &err), 0);
	t.rules = (struct sq_rules){ 0 }; /* taken */
	if (report.notes.n) {             /* a processor without SSSE3 says something else */
		assert_int_equal(report.notes.n, 1);
		if (report.notes.list[0].line) {
			assert_string_equal(report.notes.list[0].file, "filter.yml");
			assert_int_equal(report.notes.list[0].line, 5);
		}
	}
	sq_diags_fini(&report.notes);
	sq_ruleset_unref(rs);
	parsed_fini(&t);
}

static void too_many_filters_are_refused(void **state)
{
	struct parsed t;

	(void)state;
	parse(&t, RULE);
	for (unsigned i = 0; i < 1000; i++) {
		parse_more(&t, any_filter, "f.yml");
		assert_int_equal(t.result, 0);
	}
	parse_more(&t, any_filter, "f.yml");
	assert_int_equal(t.result, -EINVAL);
	assert_sv_equal(findings(&t), SQ_SV("1:1: error: more than 1000 filters: use fewer\n"));
	assert_int_equal(sq_sigma_finish(&t.rules, &t.diags), 0);
	assert_int_equal(t.rules.list[0]->n_filters, 1000);
	assert_int_equal(t.rules.list[0]->condition->n, 1001);
	parsed_fini(&t);
}

/* --- what matches --- */

struct match_case {
	const char *name;
	const char *filter; /* members of the filter */
	const char *data;   /* members of an event of Sysmon 1 */
	bool want;
};

#define IMAGE "\"Image\":\"C:\\\\a.exe\""

static struct match_case matches[] = {
	{ "what the filter leaves out", "  s: {User: bob}\n  condition: not s",
	  IMAGE ",\"User\":\"bob\"", false },
	{ "what it does not", "  s: {User: bob}\n  condition: not s", IMAGE ",\"User\":\"eve\"",
	  true },
	{ "an absent field is not left out", "  s: {User: bob}\n  condition: not s", IMAGE, true },
	{ "one of several values is enough", "  s: {User: bob}\n  condition: not s",
	  IMAGE ",\"User\":[\"eve\",\"bob\"]", false },
	{ "a filter alone matches nothing", "  s: {User: bob}\n  condition: not s",
	  "\"Image\":\"C:\\\\b.exe\",\"User\":\"eve\"", false },
	{ "a filter without not keeps what fits", "  s: {User: bob}\n  condition: s",
	  IMAGE ",\"User\":\"bob\"", true },
	{ "and nothing else", "  s: {User: bob}\n  condition: s", IMAGE ",\"User\":\"eve\"",
	  false },
	{ "keywords are looked for in every value", "  w: [quiet]\n  condition: not w",
	  IMAGE ",\"Other\":{\"x\":\"be quiet\"}", false },
};

static void check_match(void **state)
{
	const struct match_case *tc = *state;
	char yaml[1024];

	(void)snprintf(yaml, sizeof(yaml), RULE FILTER "  rules: any\n%s\n", tc->filter);
	expect_match(yaml, tc->data, true, tc->want);
	expect_match(yaml, tc->data, false, tc->want);
}

static void memory_may_run_out(void **state)
{
	unsigned n;
	int r = -ENOMEM;

	(void)state;
	for (n = 1; r < 0; n++) {
		struct sq_rules rules;
		struct sq_diags diags = { 0 };

		assert_in_range(n, 1, 1000);
		fault_alloc_at(n);
		r = sq_rules_init(&rules);
		if (r == 0)
			r = sq_sigma_parse(&rules, sq_sv_of(any_filter), "a.yml", &diags);
		if (r >= 0)
			r = sq_sigma_parse(&rules, sq_sv_of(RULE), "b.yml", &diags);
		if (r >= 0)
			r = sq_sigma_finish(&rules, &diags);
		if (fault_alloc_end() && r < 0)
			assert_true(r == -ENOMEM || diags.errors);
		sq_diags_fini(&diags);
		sq_rules_fini(&rules);
	}
	assert_true(n > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_filter_may_be_read_before_its_rules),
		cmocka_unit_test(a_file_with_an_error_adds_no_filter),
		cmocka_unit_test(keywords_of_a_filter_are_the_rules_too),
		cmocka_unit_test(what_hyperscan_refuses_is_told_where_it_stands),
		cmocka_unit_test(too_many_filters_are_refused),
		cmocka_unit_test(memory_may_run_out),
	};

	return RUN_TABLE("rules/filter documents", cases, check_case) +
	       RUN_TABLE("rules/filter matches", matches, check_match) +
	       cmocka_run_group_tests_name("rules/filter", tests, NULL, NULL);
}
