/* Which words rules need, by thought-out examples. */
#include "lib/engine/sieve_evidence.h"
#include "lib/engine/sieve_plan.h"
#include "lib/model/logsource.h"
#include "lib/rules/sigma.h"
#include "tests/support/test.h"

struct plan_case {
	const char *name, *source, *detection;
	const char *says; /* sq_sieve_plan_print() */
};

#define CREATION "category: process_creation"
#define ALL      "definition: all"
#define EVERY    "every record"
#define REGSVR32                                                                                   \
	"\"0235ff9a007804882636bcccfb4d1a2f\" \"99bbf1337f3da5cfab67854df4ade1d8\" "               \
	"\"a2dad36bd73280726da578eb659d0583\" \"d053774a49ba83ff54c68888cb687c6c\" "               \
	"\"microsoft(c) register server\" \"regsvr32\""

static struct plan_case plan_cases[] = {
	{ "a text beats the log source", CREATION,
	  "{ sel: { CommandLine|contains: 'scrobj.dll' }, condition: sel }", "\"scrobj\"" },
	{ "a text is cut where it may be escaped", ALL,
	  "{ sel: { Image|endswith: '\\regsvr32.exe' }, condition: sel }", "\"regsvr32\"" },
	{ "a short name keeps its extension", ALL,
	  "{ sel: { Image|endswith: '\\reg.exe' }, condition: sel }", "\"reg.exe\"" },
	{ "the rarest part is chosen", ALL,
	  "{ sel: { Image: 'C:\\Windows\\System32\\xcopy.exe' }, condition: sel }", "\"xcopy\"" },
	{ "a command line may have been joined with blanks", ALL,
	  "{ sel: { CommandLine|contains: '/s scrobj' }, condition: sel }", "\"scrobj\"" },
	{ "other texts keep their blanks", ALL,
	  "{ sel: { Description: 'Register Server' }, condition: sel }", "\"register server\"" },
	{ "wildcards separate", ALL,
	  "{ sel: { Description: 'Register*Servers?now' }, condition: sel }", "\"register\"" },
	{ "case does not count", ALL, "{ sel: { Description|cased: 'REGISTER' }, condition: sel }",
	  "\"register\"" },
	{ "a long text is cut", ALL,
	  "{ sel: { Description: "
	  "'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz' }, "
	  "condition: sel }",
	  "\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl\"" },
	{ "what is not ASCII is not looked for", ALL,
	  "{ sel: { Description: 'p\xc3\xa4ss' }, condition: sel }", EVERY },
	{ "a NOT promises nothing", ALL,
	  "{ sel: { Image|endswith: 'regsvr32.exe' }, condition: not sel }", EVERY },
	{ "a NOT beside a text takes nothing from it", ALL,
	  "{ a: { Image|endswith: 'regsvr32.exe' }, b: { User|contains: 'SYSTEM' }, condition: a and not b }",
	  "\"regsvr32\"" },
	{ "two NOTs are none", ALL,
	  "{ a: { Image|endswith: 'regsvr32.exe' }, condition: not (not a) }", "\"regsvr32\"" },
	{ "not one or the other is neither", ALL,
	  "{ a: { Image|endswith: 'regsvr32.exe' }, b: { Image|endswith: mshta.exe }, condition: not (not a or b) }",
	  "\"regsvr32\"" },
	{ "an absent field promises nothing", ALL, "{ sel: { Image: null }, condition: sel }",
	  EVERY },
	{ "nor does a field that is there", ALL, "{ sel: { Image|exists: true }, condition: sel }",
	  EVERY },
	{ "a short text promises nothing", ALL,
	  "{ sel: { Image|contains: 'dll' }, condition: sel }", EVERY },
	{ "an OR needs something of each part", ALL,
	  "{ sel: { Image|contains: ['regsvr32', 'scrobj'] }, condition: sel }",
	  "\"regsvr32\" \"scrobj\"" },
	{ "an OR with a part without promise promises nothing", ALL,
	  "{ a: { Image|contains: regsvr32 }, b: { Image: null }, condition: a or b }", EVERY },
	{ "an AND needs one of its parts", ALL,
	  "{ a: { Image|contains: ['regsvr32', 'scrobj'] }, b: { User|contains: xylophone }, condition: a and b }",
	  "\"xylophone\"" },
	{ "not the part that most records have", ALL,
	  "{ a: { Image|contains: 'powershell' }, b: { User|contains: [xylophone, trombone] }, condition: a and b }",
	  "\"trombone\" \"xylophone\"" },
	{ "one of several needs something of each", ALL,
	  "{ s1: { Image|contains: regsvr32 }, s2: { Image|contains: scrobj }, condition: 1 of s* }",
	  "\"regsvr32\" \"scrobj\"" },
	{ "a word within another is enough", ALL,
	  "{ sel: { Image|contains: ['regsvr32', 'notregsvr32'] }, condition: sel }",
	  "\"regsvr32\"" },
	{ "keywords are texts of any value", ALL, "{ sel: ['regsvr32'], condition: sel }",
	  "\"regsvr32\"" },
	{ "an expression is written out", ALL,
	  "{ sel: { Image|re: 'reg(svr32|ister)' }, condition: sel }",
	  "\"register\" \"regsvr32\"" },
	{ "what may be missing is not needed", ALL,
	  "{ sel: { Image|re: '(regsvr)*' }, condition: sel }", EVERY },
	{ "base64 is a text like others", ALL,
	  "{ sel: { Image|wide|base64offset|contains: 'regsvr32' }, condition: sel }",
	  "\"cgblagcacwb2ahiamwaya\" \"iazqbnahmadgbyadmamg\" \"yaguazwbzahyacgazadia\"" },
	{ "names in Hashes are put there by the reader", ALL,
	  "{ sel: { Hashes|contains: 'IMPHASH=' }, condition: sel }", EVERY },
	{ "and so are its commas", ALL,
	  "{ sel: { Hashes|contains: '0235FF9A,MD5=9' }, condition: sel }", "\"0235ff9a\"" },
	{ "the hash itself is not", ALL,
	  "{ sel: { Hashes|contains: 'IMPHASH=0235FF9A' }, condition: sel }", "\"0235ff9a\"" },
	{ "levels are made by the reader", ALL,
	  "{ sel: { IntegrityLevel: Medium }, condition: sel }", EVERY },
	{ "process ids are made decimal", ALL, "{ sel: { ProcessId: '4720' }, condition: sel }",
	  EVERY },
	{ "accounts are joined of two", ALL, "{ sel: { User: 'CONTOSO\\miller' }, condition: sel }",
	  "\"contoso\"" },
	{ "an event id has several forms", ALL, "{ sel: { EventID: '4662' }, condition: sel }",
	  "\"1236\" \"4.662\" \"46.62\" \"466.2\" \"4662\"" },
	{ "a number may have been rounded", ALL, "{ sel: { EventID: 4662 }, condition: sel }",
	  "\"1236\" \"4.662\" \"46.62\" \"466.2\" \"4662\" \"999999\"" },
	{ "zeros at the end need not be there", ALL, "{ sel: { EventID: '4720' }, condition: sel }",
	  "\"1270\" \"4.72\" \"47.2\" \"472.\" \"4720\" \"472e\"" },
	{ "three hexadecimal digits stand behind an x or a zero", ALL,
	  "{ sel: { EventID: '1102' }, condition: sel }",
	  "\"044e\" \"1.102\" \"11.02\" \"110.2\" \"1102\" \"x44e\"" },
	{ "few digits promise nothing", ALL, "{ sel: { EventID: 400 }, condition: sel }", EVERY },
	{ "nor do those that become few", ALL, "{ sel: { EventID: 1100 }, condition: sel }",
	  EVERY },
	{ "the channel is a promise of its own", "service: security",
	  "{ sel: { EventID: 17 }, condition: sel }", "\"security\"" },
	{ "a comparison promises nothing", ALL, "{ sel: { EventID|gt: 4000 }, condition: sel }",
	  EVERY },
	{ "an address promises nothing", ALL,
	  "{ sel: { DestinationIp|cidr: '10.0.0.0/8' }, condition: sel }", EVERY },
	{ "a program is told by its name or resources", CREATION,
	  "{ sel: { squibly.program: regsvr32.exe }, condition: sel }", REGSVR32 },
	{ "another by its name alone", CREATION,
	  "{ sel: { squibly.program: mshta.exe }, condition: sel }", "\"mshta\"" },
	{ "or by the name that its resources have", CREATION,
	  "{ sel: { squibly.program: schtasks.exe }, condition: sel }",
	  "\"schtasks\" \"sctasks\"" },
	{ "two letters are too few, so the log source says it", CREATION,
	  "{ sel: { squibly.program: sc.exe }, condition: sel }",
	  "\"1250\" \"4.688\" \"46.88\" \"468.8\" \"4688\" \"sysmon\"" },
	{ "a program's own fields tell of the program", CREATION,
	  "{ sel: { squibly.regsvr32.scrobj: 'true' }, condition: sel }", REGSVR32 },
	{ "so do those of rundll32", CREATION,
	  "{ sel: { squibly.rundll32.library_place: remote }, condition: sel }", "\"rundll32\"" },
	{ "words of our own stand in no record", CREATION,
	  "{ sel: { squibly.image_place: system }, condition: sel }",
	  "\"1250\" \"4.688\" \"46.88\" \"468.8\" \"4688\" \"sysmon\"" },
	{ "folders may have been resolved", ALL,
	  "{ sel: { squibly.image|contains: 'programdata' }, condition: sel }", EVERY },
	{ "names of files may not", ALL,
	  "{ sel: { squibly.image|contains: 'programdata\\xylophone' }, condition: sel }",
	  "\"xylophone\"" },
	{ "a quote may stand before a colon", CREATION,
	  "{ sel: { squibly.command_line|re: '(java|vb)script:' }, condition: sel }",
	  "\"javascript\":\" \"javascript:\" \"vbscript\":\" \"vbscript:\"" },
	{ "a switch has its dash", CREATION,
	  "{ sel: { squibly.command_line|re: '\\s[-/]nop[a-z]*' }, condition: sel }",
	  "\"-nop\" \"/nop\"" },
	{ "a switch of one letter is odd", CREATION,
	  "{ sel: { squibly.regsvr32.weak_shape: 'true' }, condition: sel }", "odd records only" },
	{ "an i-switch is, too", CREATION,
	  "{ sel: { squibly.regsvr32.shape: 'true' }, condition: sel }", "\"scrobj\"" },
	{ "a command within another", ALL,
	  "{ sel: { squibly.launch.carries|exists: true }, condition: sel }",
	  "\"regsvr32\" \"script\":\" \"script:\" \"scrobj\"" },
	{ "of another product", "product: linux", "{ sel: { Image: regsvr32 }, condition: sel }",
	  "no record: it can never match" },
};

static struct sq_ruleset *build(const char *const *texts, size_t n)
{
	struct sq_ruleset *rs = NULL;
	struct sq_diags diags = { 0 };
	struct sq_rules rules;

	assert_int_equal(sq_rules_init(&rules), 0);
	for (size_t i = 0; i < n; i++)
		if (sq_sigma_parse(&rules, sq_sv_of(texts[i]), "plan.yml", &diags) != 1)
			fail_msg("%s", diags.n ? diags.list[0].text : "?");
	sq_diags_fini(&diags);
	assert_int_equal(sq_ruleset_build(&rules, &(struct sq_ruleset_opts){ .plain = true }, &rs,
	                                  NULL, NULL),
	                 0);
	return rs;
}

static void plan_says_what_is_needed(void **state)
{
	const struct plan_case *tc = *state;
	struct sq_outbuf out = sq_outbuf_of(1 << 20);
	bool windows = strncmp(tc->source, "product", 7) != 0;
	struct sq_sieve_plan plan;
	struct sq_ruleset *rs;
	char text[2048];
	const char *list[] = { text };

	(void)snprintf(text, sizeof(text),
	               "title: Rule\nlogsource: { %s%s }\nlevel: low\ndetection: %s\n",
	               windows ? "product: windows, " : "", tc->source, tc->detection);
	rs = build(list, 1);
	assert_int_equal(sq_sieve_plan_init(&plan, rs), 0);
	sq_sieve_plan_print(&plan, 0, &out);
	assert_sv_equal(sq_outbuf_view(&out), sq_sv_of(tc->says));
	assert_int_equal(plan.n_open, strcmp(tc->says, EVERY) == 0);
	sq_sieve_plan_fini(&plan);
	sq_ruleset_unref(rs);
	sq_outbuf_fini(&out);
}

#define RULE(title, detection)                                                                     \
	"title: " title "\nlogsource: { product: windows, category: process_creation }\n"          \
	"level: low\ndetection: { " detection " }\n"

static const char *words_of(const struct sq_sieve_plan *plan, uint32_t rule)
{
	static char text[256];
	struct sq_outbuf out = sq_outbuf_of(1 << 20);

	sq_sieve_plan_print(plan, rule, &out);
	(void)snprintf(text, sizeof(text), "%.*s", SQ_SV_ARG(sq_outbuf_view(&out)));
	sq_outbuf_fini(&out);
	return text;
}

/* Each alone would choose its longer word. */
static void rules_share_words(void **state SQ_UNUSED)
{
	static const char *const texts[] = {
		RULE("One", "a: { Image|contains: xylophones }, b: { User|contains: trombone }, "
		            "condition: a and b"),
		RULE("Two", "a: { User|contains: trombone }, condition: a"),
		RULE("Three", "a: { User|contains: trombones }, b: { Image|contains: tambourine }, "
		              "condition: a and b"),
	};
	struct sq_ruleset *rs = build(texts, SQ_LEN(texts));
	struct sq_sieve_plan plan;

	assert_int_equal(sq_sieve_plan_init(&plan, rs), 0);
	assert_int_equal(plan.n_words, 1);
	for (uint32_t i = 0; i < SQ_LEN(texts); i++)
		assert_string_equal(words_of(&plan, i), "\"trombone\"");
	sq_sieve_plan_fini(&plan);
	sq_ruleset_unref(rs);
}

/* What one rule alone is forced to ask for is no reason for others to have nothing rarer, but when
 * it stays nothing rarer is needed. */
static void rules_leave_words_that_most_records_have(void **state SQ_UNUSED)
{
	static const char *const texts[] = {
		RULE("One", "a: { Image|contains: powershell }, b: { User|contains: trombone }, "
		            "condition: a and b"),
		RULE("Two", "a: { Image|contains: powershell }, b: { User|contains: tambourine }, "
		            "condition: a and b"),
		RULE("Three", "a: { Image|contains: powershell }, condition: a"),
	};
	struct sq_ruleset *rs = build(texts, 2);
	struct sq_sieve_plan plan;

	assert_int_equal(sq_sieve_plan_init(&plan, rs), 0);
	assert_string_equal(words_of(&plan, 0), "\"trombone\"");
	assert_string_equal(words_of(&plan, 1), "\"tambourine\"");
	sq_sieve_plan_fini(&plan);
	sq_ruleset_unref(rs);

	rs = build(texts, 3);
	assert_int_equal(sq_sieve_plan_init(&plan, rs), 0);
	assert_int_equal(plan.n_words, 1);
	assert_string_equal(words_of(&plan, 0), "\"powershell\"");
	sq_sieve_plan_fini(&plan);
	sq_ruleset_unref(rs);
}

/* All words are there for others: the rarer ones keep fewer records for this rule, be they more. */
static void of_words_that_are_there_rules_take_the_rarest(void **state SQ_UNUSED)
{
	static const char *const texts[] = {
		RULE("One",
		     "a: { Image|contains: powershell }, b: { User|contains: [trombone, bassoon] }, "
		     "condition: a and b"),
		RULE("Two", "a: { User|contains: [trombone, bassoon] }, condition: a"),
		RULE("Three", "a: { Image|contains: powershell }, condition: a"),
	};
	struct sq_ruleset *rs = build(texts, SQ_LEN(texts));
	struct sq_sieve_plan plan;

	assert_int_equal(sq_sieve_plan_init(&plan, rs), 0);
	assert_int_equal(plan.n_words, 3);
	assert_string_equal(words_of(&plan, 0), "\"bassoon\" \"trombone\"");
	assert_string_equal(words_of(&plan, 2), "\"powershell\"");
	sq_sieve_plan_fini(&plan);
	sq_ruleset_unref(rs);
}

static void no_rules_need_no_words(void **state SQ_UNUSED)
{
	struct sq_ruleset *rs = build(NULL, 0);
	struct sq_sieve_plan plan;

	assert_int_equal(sq_sieve_plan_init(&plan, rs), 0);
	assert_int_equal(plan.n_words + plan.n_rules + plan.n_open, 0);
	sq_sieve_plan_fini(&plan);
	sq_ruleset_unref(rs);
}

static enum sq_category category_with(const char *channel, uint32_t id, const char *type)
{
	struct sq_fields *fields = sq_fields_new();
	struct sq_value values[SQ_F_CANONICAL] = { 0 };
	struct sq_event ev = { .fields = fields, .values = values };
	enum sq_category c;

	values[SQ_F_CHANNEL] = (struct sq_value){ .p = channel,
		                                  .n = (uint32_t)strlen(channel),
		                                  .kind = SQ_VALUE_TEXT };
	values[SQ_F_EVENT_TYPE] =
		(struct sq_value){ .p = type, .n = (uint32_t)strlen(type), .kind = SQ_VALUE_TEXT };
	c = sq_category_of(&ev, sq_source_of(&ev), id);
	sq_fields_free(fields);
	return c;
}

/* Whatever log and event id the model makes a category of: each need of the category has a word
 * that stands in the name of the log or is the id. */
static void categories_are_those_of_the_model(void **state SQ_UNUSED)
{
	static const char *const logs[] = { "Security",
		                            "",
		                            "Microsoft-Windows-Sysmon/Operational",
		                            "Linux-Sysmon/Operational",
		                            "Microsoft-Windows-PowerShell/Operational",
		                            "PowerShellCore/Operational",
		                            "Windows PowerShell",
		                            "System" };
	static const char *const types[] = { "DeleteKey", "CreateKey" };
	struct sq_arena a;
	unsigned found = 0;

	assert_int_equal(sq_arena_init(&a, 1 << 20), 0);
	for (uint32_t i = 0; i < SQ_LEN(logs) * 9000; i++) {
		const char *log = logs[i / 9000];
		uint32_t id = i % 9000;
		enum sq_category c = category_with(log, id, types[id % 2]);
		struct sq_logsource ls = { .categories = UINT64_C(1) << c };
		struct sq_needs needs;
		char text[16];

		if (c == SQ_CATEGORY_NONE)
			continue;
		found++;
		(void)snprintf(text, sizeof(text), "%u", id);
		sq_arena_reset(&a);
		sq_evidence_of_source(&a, &ls, &needs);
		assert_true(needs.n >= 1);
		for (uint32_t k = 0; k < needs.n; k++) {
			bool is = false;

			for (uint32_t w = 0; w < needs.list[k].n; w++)
				is = is || sq_sv_eq(needs.list[k].words[w], sq_sv_of(text)) ||
				     sq_sv_ifind(sq_sv_of(log), needs.list[k].words[w]) != SIZE_MAX;
			if (!is)
				fail_msg("%s %u", log, id);
		}
	}
	assert_true(found > 60);
	sq_arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_share_words),
		cmocka_unit_test(rules_leave_words_that_most_records_have),
		cmocka_unit_test(of_words_that_are_there_rules_take_the_rarest),
		cmocka_unit_test(no_rules_need_no_words),
		cmocka_unit_test(categories_are_those_of_the_model),
	};
	int failed = RUN_TABLE("engine/sieve_plan words", plan_cases, plan_says_what_is_needed);

	return failed + cmocka_run_group_tests_name("engine/sieve_plan", tests, NULL, NULL);
}
