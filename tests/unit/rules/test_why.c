/* Why a rule matched or did not, in words, and that it never contradicts the matcher. */
#include "tests/unit/rules/sigma_text.h"

#include "lib/model/reader.h"
#include "lib/rules/matcher.h"
#include "lib/rules/why.h"
#include "tests/support/fault_alloc.h"

/* One rule set and one event. */
struct asked {
	struct sq_ruleset *rs;
	struct sq_reader *reader;
	struct sq_matcher *matcher;
	struct sq_asker *asker;
	struct sq_arena arena;
	struct sq_event ev;
	struct sq_hits hits;
	struct sq_why why;
	struct sq_outbuf text;
	char json[2048];
};

static void ask(struct asked *a, const char *yaml, const char *data, bool plain)
{
	struct sq_ruleset_opts opts = { .plain = plain };
	struct sq_reader_opts reader_opts = { 0 };
	struct sq_err err = { 0 };
	struct parsed t;
	struct sq_sv rest;

	*a = (struct asked){ .text = sq_outbuf_of(1 << 20) };
	parse(&t, yaml);
	if (t.result < 1)
		fail_msg("%.*s", SQ_SV_ARG(findings(&t)));
	assert_int_equal(sq_sigma_finish(&t.rules, &t.diags), 0);
	assert_int_equal(sq_ruleset_build(&t.rules, &opts, &a->rs, NULL, &err), 0);
	t.rules = (struct sq_rules){ 0 }; /* taken */
	parsed_fini(&t);
	a->matcher = sq_matcher_new(a->rs);
	a->asker = sq_asker_new(a->rs);
	reader_opts.want_all = sq_ruleset_wants_all(a->rs);
	a->reader = sq_reader_new(sq_ruleset_fields(a->rs), &reader_opts);
	assert_true(a->matcher && a->asker && a->reader);
	assert_int_equal(sq_arena_init(&a->arena, 1 << 20), 0);
	(void)snprintf(a->json, sizeof(a->json),
	               "{\"EventID\":1,\"Channel\":\"Microsoft-Windows-Sysmon/Operational\"%s%s}",
	               data[0] ? "," : "", data);
	rest = sq_sv_of(a->json);
	assert_int_equal(sq_reader_next(a->reader, &rest, NULL, &a->arena, &a->ev), 1);
	(void)sq_matcher_run(a->matcher, &a->ev, &a->hits);
	sq_why(a->asker, 0, &a->ev, &a->why);
	assert_int_equal(a->why.verdict == SQ_VERDICT_MATCH, a->hits.n == 1);
	assert_int_equal(a->why.verdict == SQ_VERDICT_MATCH, a->why.distance == 0);
	assert_int_equal(a->why.verdict == SQ_VERDICT_MATCH, a->why.reason.kind == SQ_REASON_NONE);
}

static void asked_fini(struct asked *a)
{
	sq_outbuf_fini(&a->text);
	sq_arena_fini(&a->arena);
	sq_reader_free(a->reader);
	sq_asker_free(a->asker);
	sq_matcher_free(a->matcher);
	sq_ruleset_unref(a->rs);
}

/* "+name" holds, "-name" does not; behind a '!' when it stands under a not. */
static struct sq_sv selections(struct asked *a)
{
	sq_outbuf_reset(&a->text);
	for (uint32_t i = 0; i < a->why.n_selections; i++) {
		const struct sq_why_selection *s = &a->why.selections[i];

		sq_outbuf_printf(&a->text, "%s%s%c%.*s%s", i ? " " : "", s->negated ? "!" : "",
		                 s->holds ? '+' : '-', SQ_SV_ARG(s->name), s->filter ? "*" : "");
	}
	return sq_outbuf_view(&a->text);
}

static struct sq_sv sentence(struct asked *a, size_t max)
{
	sq_outbuf_reset(&a->text);
	sq_why_sentence(&a->text, a->asker, &a->why, &a->ev, max);
	return sq_outbuf_view(&a->text);
}

/* Names that the hit carries into the alert. */
static struct sq_sv selected(struct asked *a)
{
	sq_outbuf_reset(&a->text);
	for (uint32_t i = 0; a->hits.n && i < a->hits.list[0].n_selections; i++) {
		sq_outbuf_put(&a->text, i ? SQ_SV(" ") : SQ_SV(""));
		sq_outbuf_put(&a->text, a->hits.list[0].selections[i]);
	}
	return a->text.len ? sq_outbuf_view(&a->text) : SQ_SV("");
}

struct why_case {
	const char *name;
	const char *detection; /* members of detection */
	const char *data;      /* members of an event of Sysmon 1 */
	enum sq_verdict verdict;
	const char *selections;
	const char *sentence;
	const char *selected; /* in the alert */
};

#define HEAD "title: A\nlevel: low\nlogsource: {product: windows, category: process_creation}\n"
#define R32  "\"Image\":\"C:\\\\regsvr32.exe\""

static struct why_case cases[] = {
	{ "a match", "  s: {Image|endswith: regsvr32.exe}\n  condition: s", R32, SQ_VERDICT_MATCH,
	  "+s", "'s' holds", "s" },
	{ "a match over several parts",
	  "  a: {Image|contains: regsvr32}\n  b: {User: x}\n  c: {Image: '*.exe'}\n"
	  "  f: {User: bob}\n  condition: (a or b) and c and not f",
	  R32, SQ_VERDICT_MATCH, "+a -b +c !-f", "'a', 'c' hold", "a c" },
	{ "a match of a negation alone", "  f: {User: bob}\n  condition: not f", R32,
	  SQ_VERDICT_MATCH, "!-f", "nothing holds that it excludes", "" },
	{ "what holds under a not is no reason for a match",
	  "  a: {Image|contains: regsvr32}\n  f: {Image|contains: exe}\n  condition: a or not f",
	  R32, SQ_VERDICT_MATCH, "+a !+f", "'a' holds", "a" },
	{ "a name that is used twice is told once",
	  "  a: {Image|contains: regsvr32}\n  b: {User: x}\n  condition: (a and b) or a", R32,
	  SQ_VERDICT_MATCH, "+a -b", "'a' holds", "a" },
	{ "all of a pattern",
	  "  s_a: {Image|contains: r}\n  s_b: {Image|contains: e}\n  condition: all of s_*", R32,
	  SQ_VERDICT_MATCH, "+s_a +s_b", "'s_a', 's_b' hold", "s_a s_b" },

	{ "a field that is absent", "  s: {CommandLine|contains: http}\n  condition: s", R32,
	  SQ_VERDICT_MISS, "-s", "'s' asks that CommandLine contains \"http\"; it is absent", "" },
	{ "the first part that is missing",
	  "  a: {Image|endswith: '\\regsvr32.exe'}\n"
	  "  b: {CommandLine|contains: [http, ftp], CurrentDirectory: C}\n  condition: a and b",
	  R32 ",\"CommandLine\":\"regsvr32 a.dll\"", SQ_VERDICT_NEAR, "+a -b",
	  "'b' asks that CommandLine contains \"http\" or \"ftp\"; it is \"regsvr32 a.dll\"", "" },
	{ "what is excluded",
	  "  a: {Image|endswith: '\\regsvr32.exe'}\n"
	  "  f: {CommandLine|startswith: regsvr32, User: bob}\n  condition: a and not f",
	  R32 ",\"User\":\"Bob\",\"CommandLine\":\"regsvr32 a.dll\"", SQ_VERDICT_NEAR, "+a !+f",
	  "'f' holds, which is excluded: CommandLine starts with \"regsvr32\"; it is "
	  "\"regsvr32 a.dll\"",
	  "" },
	{ "the one of a list that is excluded",
	  "  a: {Image|endswith: '\\regsvr32.exe'}\n"
	  "  f: {User: [eve, bob]}\n  condition: a and not f",
	  R32 ",\"User\":[\"x\",\"bob\"]", SQ_VERDICT_NEAR, "+a !+f",
	  "'f' holds, which is excluded: User is \"bob\"; it is \"bob\"", "" },
	{ "the nearest of several ways",
	  "  s_a: {User: bob, Company: x}\n  s_b: {User: eve, Image|contains: regsvr32}\n"
	  "  condition: 1 of s_*",
	  R32 ",\"User\":\"joe\"", SQ_VERDICT_MISS, "-s_a -s_b",
	  "'s_b' asks that User is \"eve\"; it is \"joe\" (the nearest of 2 ways)", "" },
	{ "the nearest of a list of maps",
	  "  s:\n  - {User: bob, Company: x}\n  - {Image|contains: regsvr32, User: eve}\n"
	  "  condition: s",
	  R32, SQ_VERDICT_MISS, "-s", "'s' asks that User is \"eve\"; it is absent", "" },
	{ "a long list is shortened", "  s: {User: [a, b, c, d, e, f]}\n  condition: s", R32,
	  SQ_VERDICT_MISS, "-s",
	  "'s' asks that User is \"a\" or \"b\" or \"c\" or \"d\" or 2 more; it is absent", "" },
	{ "a list of five is written out", "  s: {User: [a, b, c, d, e]}\n  condition: s", R32,
	  SQ_VERDICT_MISS, "-s",
	  "'s' asks that User is \"a\" or \"b\" or \"c\" or \"d\" or \"e\"; it is absent", "" },
	{ "mixed verbs", "  s: {User: [a*, '*b']}\n  condition: s", R32, SQ_VERDICT_MISS, "-s",
	  "'s' asks that User starts with \"a\" or ends with \"b\"; it is absent", "" },
	{ "one of all", "  s: {CommandLine|contains|all: [a, b]}\n  condition: s",
	  "\"CommandLine\":\"xa\"", SQ_VERDICT_MISS, "-s",
	  "'s' asks that CommandLine contains \"b\"; it is \"xa\"", "" },
	{ "a wildcard inside", "  s: {User: 'a*b?'}\n  condition: s", R32, SQ_VERDICT_MISS, "-s",
	  "'s' asks that User fits \"a*b?\"; it is absent", "" },
	{ "a star alone", "  s: {User: '*'}\n  condition: s", R32, SQ_VERDICT_MISS, "-s",
	  "'s' asks that User fits \"*\"; it is absent", "" },
	{ "an empty text", "  s: {User: ''}\n  condition: s", R32 ",\"User\":\"x\"",
	  SQ_VERDICT_MISS, "-s", "'s' asks that User is \"\"; it is \"x\"", "" },
	{ "case", "  s: {User|cased: Bob}\n  condition: s", "\"User\":\"bob\"", SQ_VERDICT_MISS,
	  "-s", "'s' asks that User is \"Bob\" (case counts); it is \"bob\"", "" },
	{ "a dash", "  s: {CommandLine|contains|windash: ' -i:'}\n  condition: s",
	  "\"CommandLine\":\"x\"", SQ_VERDICT_MISS, "-s",
	  "'s' asks that CommandLine contains \" -i:\"; it is \"x\"", "" },
	{ "an expression", "  s: {User|re|i: '^b+'}\n  condition: s", "\"User\":\"a\"",
	  SQ_VERDICT_MISS, "-s", "'s' asks that User fits the expression /^b+/i; it is \"a\"", "" },
	{ "a number", "  s: {ProcessId|gte: 100}\n  condition: s", "\"ProcessId\":7",
	  SQ_VERDICT_MISS, "-s", "'s' asks that ProcessId is at least 100; it is \"7\"", "" },
	{ "a network", "  s: {Address|cidr: 10.0.0.0/8}\n  condition: s",
	  "\"Address\":\"192.0.2.1\"", SQ_VERDICT_MISS, "-s",
	  "'s' asks that Address is in the network 10.0.0.0/8; it is \"192.0.2.1\"", "" },
	{ "presence", "  s: {User|exists: true}\n  condition: s", R32, SQ_VERDICT_MISS, "-s",
	  "'s' asks that User is there; it is absent", "" },
	{ "absence", "  s: {Image|exists: false}\n  condition: s", R32, SQ_VERDICT_MISS, "-s",
	  "'s' asks that Image is not there; it is \"C:\\regsvr32.exe\"", "" },
	{ "null", "  s: {Image: null}\n  condition: s", R32, SQ_VERDICT_MISS, "-s",
	  "'s' asks that Image is absent or null; it is \"C:\\regsvr32.exe\"", "" },
	{ "a value that is null", "  s: {User: x}\n  condition: s", "\"User\":null",
	  SQ_VERDICT_MISS, "-s", "'s' asks that User is \"x\"; it is null", "" },
	{ "several values", "  s: {User: x}\n  condition: s",
	  "\"User\":[\"a\",\"b\",\"c\",\"d\",\"e\"]", SQ_VERDICT_MISS, "-s",
	  "'s' asks that User is \"x\"; it is \"a\" and \"b\" and \"c\" and \"d\" and 1 more", "" },
	{ "a keyword", "  s: [hidden]\n  condition: s", R32, SQ_VERDICT_MISS, "-s",
	  "'s' asks that keywords contains \"hidden\"; it is in no value", "" },
	{ "a keyword that is excluded", "  s: [regsvr32]\n  condition: not s", R32, SQ_VERDICT_MISS,
	  "!+s",
	  "'s' holds, which is excluded: keywords contains \"regsvr32\"; it is "
	  "\"C:\\regsvr32.exe\"",
	  "" },
	{ "two negations are none", "  s: {User: x}\n  condition: not (not s)", "\"User\":\"y\"",
	  SQ_VERDICT_MISS, "-s", "'s' asks that User is \"x\"; it is \"y\"", "" },
};

static void run_case(const struct why_case *tc, bool plain)
{
	char yaml[1024];
	struct asked a;

	(void)snprintf(yaml, sizeof(yaml), HEAD "detection:\n%s\n", tc->detection);
	ask(&a, yaml, tc->data, plain);
	assert_string_equal(sq_verdict_name(a.why.verdict), sq_verdict_name(tc->verdict));
	assert_sv_equal(selections(&a), sq_sv_of(tc->selections));
	assert_sv_equal(sentence(&a, 200), sq_sv_of(tc->sentence));
	assert_sv_equal(selected(&a), sq_sv_of(tc->selected));
	asked_fini(&a);
}

static void check_case(void **state)
{
	run_case(*state, true);
	run_case(*state, false);
}

static void an_event_of_another_source_says_so(void **state)
{
	static const char yaml[] =
		"title: A\nlevel: low\nlogsource: {category: image_load, product: "
		"windows}\ndetection:\n  s: {Image: a}\n  condition: s\n";
	static const char service[] = "title: A\nlevel: low\nlogsource: {service: security}\n"
				      "detection:\n  s: {Image: a}\n  condition: s\n";
	struct asked a;

	(void)state;
	ask(&a, yaml, R32, true);
	assert_int_equal(a.why.verdict, SQ_VERDICT_ELSEWHERE);
	assert_int_equal(a.why.n_selections, 0);
	assert_sv_equal(
		sentence(&a, 200),
		SQ_SV("the rule is about category image_load, product windows; the event is "
	              "category process_creation of channel "
	              "Microsoft-Windows-Sysmon/Operational"));
	asked_fini(&a);

	ask(&a, service, R32, true);
	assert_int_equal(a.why.verdict, SQ_VERDICT_ELSEWHERE);
	asked_fini(&a);
}

#define FILTERED                                                                                   \
	HEAD "detection:\n  s: {Image|contains: regsvr32}\n  condition: s\n---\n"                  \
	     "title: Ours\nlogsource: {product: windows}\nfilter:\n  rules: any\n"                 \
	     "  s: {User: bob}\n  condition: not s\n"

static void a_filter_is_named_as_the_reason(void **state)
{
	struct asked a;

	(void)state;
	ask(&a, FILTERED, R32 ",\"User\":\"bob\"", true);
	assert_int_equal(a.why.verdict, SQ_VERDICT_NEAR);
	assert_sv_equal(selections(&a), SQ_SV("+s !+s*"));
	assert_sv_equal(sentence(&a, 200),
	                SQ_SV("'s' of the filter \"Ours\" (rule.yml:11) holds, which is excluded: "
	                      "User is \"bob\"; it is \"bob\""));
	asked_fini(&a);

	ask(&a, FILTERED, R32, true);
	assert_int_equal(a.why.verdict, SQ_VERDICT_MATCH);
	assert_sv_equal(selections(&a), SQ_SV("+s !-s*"));
	assert_sv_equal(selected(&a), SQ_SV("s"));
	asked_fini(&a);

	/* The rule itself is the reason before its filters are. */
	ask(&a, FILTERED, "\"Image\":\"a\",\"User\":\"bob\"", true);
	assert_sv_equal(sentence(&a, 200),
	                SQ_SV("'s' asks that Image contains \"regsvr32\"; it is \"a\""));
	asked_fini(&a);
}

static void a_long_value_is_cut_between_characters(void **state)
{
	struct asked a;

	(void)state;
	ask(&a, HEAD "detection:\n  s: {User: x}\n  condition: s\n",
	    "\"User\":\"a\xc3\xa4\xc3\xa4\"", true);
	assert_sv_equal(sentence(&a, 4),
	                SQ_SV("'s' asks that User is \"x\"; it is \"a\xc3\xa4...\""));
	assert_sv_equal(sentence(&a, 5),
	                SQ_SV("'s' asks that User is \"x\"; it is \"a\xc3\xa4\xc3\xa4\""));
	asked_fini(&a);
}

static void many_selections_are_bounded(void **state)
{
	struct sq_outbuf yaml = sq_outbuf_of(1 << 20);
	struct asked a;

	(void)state;
	sq_outbuf_put(&yaml, SQ_SV(HEAD "detection:\n  condition: 1 of them\n"));
	for (unsigned i = 0; i < 100; i++)
		sq_outbuf_printf(&yaml, "  s%02u: {Image|contains: regsvr32}\n", i);
	sq_outbuf_putc(&yaml, '\0');
	ask(&a, yaml.p, R32, true);
	assert_int_equal(a.why.n_selections, SQ_WHY_SELECTIONS_MAX);
	assert_true(a.why.more_selections);
	assert_int_equal(a.hits.list[0].n_selections, SQ_SELECTED_MAX);
	asked_fini(&a);
	sq_outbuf_fini(&yaml);
}

static void memory_may_run_out(void **state)
{
	struct asked a;
	struct sq_asker *asker = NULL;

	(void)state;
	ask(&a, FILTERED, R32, true);
	for (unsigned n = 1; !asker; n++) {
		assert_in_range(n, 1, 20);
		fault_alloc_at(n);
		asker = sq_asker_new(a.rs);
		(void)fault_alloc_end();
	}
	sq_asker_free(asker);
	asked_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_of_another_source_says_so),
		cmocka_unit_test(a_filter_is_named_as_the_reason),
		cmocka_unit_test(a_long_value_is_cut_between_characters),
		cmocka_unit_test(many_selections_are_bounded),
		cmocka_unit_test(memory_may_run_out),
	};

	return RUN_TABLE("rules/why", cases, check_case) +
	       cmocka_run_group_tests_name("rules/why", tests, NULL, NULL);
}
