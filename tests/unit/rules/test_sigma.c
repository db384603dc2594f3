/* Rules as a whole: metadata, documents, and the exact place and text of mistakes. */
#include "tests/unit/rules/sigma_text.h"

#include "tests/support/fault_alloc.h"

struct finding_case {
	const char *name;
	const char *yaml;
	const char *want; /* all findings */
};

#define TAIL                                                                                       \
	"logsource:\n"                                                                             \
	"  product: windows\n"                                                                     \
	"detection:\n"                                                                             \
	"  sel:\n"                                                                                 \
	"    Image: a\n"                                                                           \
	"  condition: sel\n"

/* Findings about what stands at the top of a rule. */
static struct finding_case documents[] = {
	{ "nothing at all", "", "0:0: warning: no rule in this file\n" },
	{ "only comments", "# a\n", "0:0: warning: no rule in this file\n" },
	{ "an empty document", "---\n...\n", "0:0: warning: no rule in this file\n" },
	{ "a text", "hello", "1:1: error: a rule is a map: begin with 'title: ...'\n" },
	{ "a list", "- a\n", "1:1: error: a rule is a map: begin with 'title: ...'\n" },
	{ "the documents of Sigma v1", "action: global\ntitle: x\n",
	  "1:1: error: 'action' belongs to Sigma v1, which is not read: write every rule out\n" },
	{ "a correlation", "title: x\ncorrelation:\n  type: event_count\n",
	  "2:1: error: correlation rules are not read yet: remove this document\n" },
	{ "a broken second document", "title: x\nlevel: low\n" TAIL "---\ntitle: y\n",
	  "10:1: warning: no level: taken as medium\n"
	  "10:1: error: no logsource: say which events the rule is about\n"
	  "10:1: error: no detection: say what the rule looks for\n" },
	{ "broken YAML", "title: x\nlevel: [low\n" TAIL,
	  "3:10: error: not valid YAML: did not find expected ',' or ']', while parsing a flow "
	  "sequence\n" },
	{ "a tab before a key", "title: x\n\tlevel: low\n",
	  "2:1: error: not valid YAML: found a tab character that violates indentation, while "
	  "scanning a plain scalar (YAML indents with blanks, never tabs; a text that begins with "
	  "%, @, ` or a tab needs quotes)\n" },
	{ "a value that begins with an at sign", "title: @x\nlevel: low\n",
	  "1:8: error: not valid YAML: found character that cannot start any token, while scanning "
	  "for the next token (YAML indents with blanks, never tabs; a text that begins with %, @, "
	  "` or a tab needs quotes)\n" },
	{ "a key twice", "title: x\nlevel: low\n" TAIL "level: high\n",
	  "9:1: error: duplicate key 'level' (first in line 2): keep one of them\n" },

	{ "no title", "level: low\n" TAIL, "1:1: error: no title: say what the rule finds\n" },
	{ "an empty title", "title:\nlevel: low\n" TAIL,
	  "1:7: error: no title: say what the rule finds\n" },
	{ "a title that is a list", "title: [a]\nlevel: low\n" TAIL,
	  "1:8: error: title is one text, not a list or a map\n"
	  "1:8: error: no title: say what the rule finds\n" },
	{ "no level", "title: x\n" TAIL, "1:1: warning: no level: taken as medium\n" },
	{ "an unknown level", "title: x\nlevel: hihg\n" TAIL,
	  "2:8: error: unknown level 'hihg'; did you mean 'high'?\n" },
	{ "a level far from all", "title: x\nlevel: apocalypse\n" TAIL,
	  "2:8: error: unknown level 'apocalypse'\n" },
	{ "a level in capitals", "title: x\nlevel: HIGH\n" TAIL,
	  "2:8: error: unknown level 'HIGH'; did you mean 'high'?\n" },
	{ "an unknown status", "title: x\nlevel: low\nstatus: tset\n" TAIL,
	  "3:9: error: unknown status 'tset'; did you mean 'test'?\n" },
	{ "a mistyped key", "title: x\nlevel: low\nfalsepositive: none\n" TAIL,
	  "3:1: warning: unknown key 'falsepositive'; did you mean 'falsepositives'?\n" },
	{ "a key of one's own", "title: x\nlevel: low\nticket: 42\n" TAIL, "" },
	{ "an id that is no UUID", "title: x\nlevel: low\nid: 42\n" TAIL,
	  "3:5: warning: the id '42' is no UUID\n" },
	{ "an id with a wrong letter",
	  "title: x\nlevel: low\nid: 01234567-89ab-cdef-0123-456789abcdeg\n" TAIL,
	  "3:5: warning: the id '01234567-89ab-cdef-0123-456789abcdeg' is no UUID\n" },
	{ "tags without a namespace",
	  "title: x\nlevel: low\ntags: [attack.t1218.010, evil, .x, x.]\n" TAIL,
	  "3:26: warning: the tag 'evil' is not of the form namespace.name\n"
	  "3:32: warning: the tag '.x' is not of the form namespace.name\n"
	  "3:36: warning: the tag 'x.' is not of the form namespace.name\n" },
	{ "tags as a map", "title: x\nlevel: low\ntags: {a: b}\n" TAIL,
	  "3:7: error: tags is a list of texts, not a map\n" },
	{ "a list in a list of references", "title: x\nlevel: low\nreferences: [a, [b]]\n" TAIL,
	  "3:17: error: references is a list of texts, not of lists or maps\n" },
	{ "another taxonomy", "title: x\nlevel: low\ntaxonomy: ecs\n" TAIL,
	  "3:11: error: taxonomy 'ecs' is not read: use Sigma's field names\n" },
	{ "Sigma's own taxonomy", "title: x\nlevel: low\ntaxonomy: sigma\n" TAIL, "" },
	{ "no logsource", "title: x\nlevel: low\ndetection:\n  a:\n    Image: x\n  condition: a\n",
	  "1:1: error: no logsource: say which events the rule is about\n" },
	{ "no detection", "title: x\nlevel: low\nlogsource:\n  product: windows\n",
	  "1:1: error: no detection: say what the rule looks for\n" },
	{ "a detection that is a text",
	  "title: x\nlevel: low\nlogsource:\n  product: windows\ndetection: a\n",
	  "5:12: error: detection is a map of selections and a condition\n" },
	{ "no condition",
	  "title: x\nlevel: low\nlogsource:\n  product: windows\ndetection:\n  a:\n    Image: x\n",
	  "6:3: error: no condition in detection: say how the selections belong together\n" },
	{ "no selection",
	  "title: x\nlevel: low\nlogsource:\n  product: windows\ndetection:\n  condition: a\n",
	  "6:3: error: no selection in detection: say what to look for\n"
	  "6:14: error: unknown selection 'a'\n" },
	{ "a timeframe", "title: x\nlevel: low\n" TAIL "  timeframe: 5m\n",
	  "9:3: error: timeframe belongs to the aggregations of Sigma v1, which are not read: "
	  "remove it\n" },
	{ "several mistakes in one run",
	  "title: x\nlevel: hihg\nlogsource:\n  produxt: windows\ndetection:\n  sel:\n"
	  "    Image|contain: a\n    User|foo: b\n  condition: sel and\n",
	  "2:8: error: unknown level 'hihg'; did you mean 'high'?\n"
	  "4:3: error: unknown key 'produxt' in logsource; did you mean 'product'?\n"
	  "7:11: error: unknown modifier 'contain'; did you mean 'contains'?\n"
	  "8:10: error: unknown modifier 'foo'\n"
	  "9:21: error: a selection is missing at the end\n" },
};

static void check_document(void **state)
{
	const struct finding_case *tc = *state;
	struct parsed t;

	parse(&t, tc->yaml);
	assert_sv_equal(findings(&t), sq_sv_of(tc->want));
	assert_int_equal(t.result<0, t.diags.errors> 0);
	assert_int_equal(t.rules.n, t.result < 0 ? 0 : t.result);
	parsed_fini(&t);
}

/* Findings about a selection; its body begins in line 8. */
static struct finding_case selections[] = {
	/* modifiers */
	{ "an unknown modifier", "    Image|contain: a",
	  "8:11: error: unknown modifier 'contain'; did you mean 'contains'?\n" },
	{ "a modifier in capitals", "    Image|Contains: a",
	  "8:11: error: unknown modifier 'Contains'; did you mean 'contains'?\n" },
	{ "the second modifier is at fault", "    Image|contains|al: [a, b]",
	  "8:20: error: unknown modifier 'al'; did you mean 'all'?\n" },
	{ "a key in quotes", "    'Image|nix': a", "8:12: error: unknown modifier 'nix'\n" },
	{ "a converter's own name", "    Image|re|ignorecase: a",
	  "8:14: error: unknown modifier 'ignorecase'; did you mean 'i'?\n" },
	{ "an empty modifier", "    Image|: a",
	  "8:11: error: a modifier is empty: remove the '|'\n" },
	{ "an empty one between two", "    Image||contains: a",
	  "8:11: error: a modifier is empty: remove the '|'\n" },
	{ "fieldref", "    Image|fieldref: User",
	  "8:11: error: modifier 'fieldref' is not read yet: write the value itself\n" },
	{ "expand", "    User|expand: '%Administrators%'",
	  "8:10: error: modifier 'expand' is not read yet: write the values out\n" },
	{ "neq", "    Image|neq: a",
	  "8:11: error: modifier 'neq' is not read yet: put the comparison into a selection of its "
	  "own and write 'not' in the condition\n" },
	{ "neq behind re", "    Image|re|neq: a",
	  "8:14: error: modifier 'neq' is not read yet: put the comparison into a selection of its "
	  "own and write 'not' in the condition\n" },
	{ "hour", "    UtcTime|hour: 3",
	  "8:13: error: modifier 'hour' is not read yet: leave the time out\n" },
	{ "a modifier twice", "    Image|contains|contains: a",
	  "8:20: error: modifier 'contains' stands twice: remove one\n" },
	{ "wide by both names", "    Image|wide|utf16le: a",
	  "8:16: error: modifier 'utf16le' stands twice: remove one\n" },
	{ "re and contains", "    Image|re|contains: a",
	  "8:14: error: modifier 'contains' cannot stand with 're': a regular expression is found "
	  "anywhere in the value and minds case: use ^, $ and |i\n" },
	{ "contains and re", "    Image|contains|re: a",
	  "8:20: error: modifier 're' cannot stand with 'contains': a regular expression is found "
	  "anywhere in the value and minds case: use ^, $ and |i\n" },
	{ "cidr and contains", "    Ip|cidr|contains: 10.0.0.0/8",
	  "8:13: error: modifier 'contains' cannot stand with 'cidr': an address range takes no "
	  "text modifiers\n" },
	{ "contains and startswith", "    Image|contains|startswith: a",
	  "8:20: error: modifier 'startswith' cannot stand with 'contains'\n" },
	{ "lt and gt", "    ProcessId|lt|gt: 5",
	  "8:18: error: modifier 'gt' cannot stand with 'lt': a number takes no other modifiers\n" },
	{ "exists and all", "    Image|exists|all: [true, true]",
	  "8:18: error: modifier 'all' cannot stand with 'exists': it asks for the field alone\n" },
	{ "windash and base64", "    Image|windash|base64: -a",
	  "8:19: error: modifier 'base64' cannot stand with 'windash'\n" },
	{ "i without re", "    Image|i: a",
	  "8:11: error: 'i' belongs to a regular expression: write 're|i'\n" },
	{ "contains before base64", "    Image|contains|base64: a",
	  "8:20: error: 'base64' must stand before 'contains': modifiers apply from left to right\n" },
	{ "base64offset without contains", "    Image|base64offset: abc",
	  "8:5: error: 'base64offset' needs 'contains' after it: what it makes is a part of a longer "
	  "text\n" },
	{ "exists without a field", "    '|exists': true",
	  "8:5: error: 'exists' needs a field before it\n" },
	{ "blanks around a field", "    'Image |contains': a",
	  "8:5: error: blanks around the name of a field: remove them\n" },

	/* values */
	{ "all with one value", "    Image|contains|all: a",
	  "8:5: error: 'all' needs a list of at least two values: remove it\n" },
	{ "all with a list of one", "    Image|contains|all: [a]",
	  "8:5: error: 'all' needs a list of at least two values: remove it\n" },
	{ "null in a list", "    Image: [a, null]",
	  "8:16: error: null cannot stand in a list: put it into a selection of its own and write "
	  "'or' in the condition\n" },
	{ "null with a modifier", "    Image|contains: null",
	  "8:21: error: modifier 'contains' needs a value; null stands alone\n" },
	{ "null as keyword", "    - ~\n    - a",
	  "8:7: error: a keyword is empty: write the text to look for\n" },
	{ "empty text as keyword", "    - ''",
	  "8:7: error: a keyword that every event holds: write the text to look for\n" },
	{ "a star as keyword", "    - '*'",
	  "8:7: error: a keyword that every event holds: write the text to look for\n" },
	{ "exists with a text", "    Image|exists: 'true'",
	  "8:19: error: 'exists' takes true or false, without quotes\n" },
	{ "exists with a list", "    Image|exists: [true]",
	  "8:19: error: 'exists' takes true or false, not a list\n" },
	{ "an empty selection", "    {}", "8:5: error: the selection is empty: give it a field\n" },
	{ "an empty list as selection", "    []",
	  "8:5: error: the selection is empty: give it a member\n" },
	{ "an empty list of values", "    Image: []",
	  "8:12: error: the list is empty: give at least one value\n" },
	{ "a map as value", "    Image: {a: b}",
	  "8:12: error: the value of a field is a text, a number or a list, not a map\n" },
	{ "a list in a list of values", "    Image: [a, [b]]",
	  "8:16: error: a value is a text or a number, not a list or a map\n" },
	{ "a list in a list of maps", "    - [a]",
	  "8:7: error: a list inside a list: write one list\n" },
	{ "lt of a text", "    ProcessId|lt: abc",
	  "8:19: error: 'lt' needs a decimal number of at most 15 digits, without quotes\n" },
	{ "lt of a number in quotes", "    ProcessId|all|lt: ['5', 6]",
	  "8:24: error: 'lt' needs a decimal number of at most 15 digits, without quotes\n" },
	{ "gte of hexadecimal", "    ProcessId|gte: 0x10",
	  "8:20: error: 'gte' needs a decimal number of at most 15 digits, without quotes\n" },
	{ "cidr of a word", "    Ip|cidr: localhost",
	  "8:14: error: 'localhost' is no address range: not an address; write 10.0.0.0/8 or "
	  "fe80::/10\n" },
	{ "cidr with too many bits", "    Ip|cidr: 10.0.0.0/33",
	  "8:14: error: '10.0.0.0/33' is no address range: the number behind '/' is 0 to 32\n" },
	{ "cidr with no number", "    Ip|cidr: 10.0.0.0/",
	  "8:14: error: '10.0.0.0/' is no address range: the number behind '/' is 0 to 32\n" },
	{ "cidr of IPv6 with too many bits", "    Ip|cidr: '::/129'",
	  "8:14: error: '::/129' is no address range: the number behind '/' is 0 to 128\n" },
	{ "cidr with bits behind the prefix", "    Ip|cidr: 10.0.0.1/8",
	  "8:14: error: '10.0.0.1/8' is no address range: bits are set behind the prefix; make them "
	  "0 or the prefix longer\n" },
	{ "base64 with a wildcard", "    Image|base64: 'a*'",
	  "8:19: error: base64 of a text with wildcards is not possible: escape them with a "
	  "backslash, or leave them out\n" },
	{ "base64offset of two bytes", "    Image|base64offset|contains: ab",
	  "8:34: error: too short for base64offset: at least 3 bytes\n" },
	{ "base64 of nothing", "    Image|base64: ''",
	  "8:19: error: too short for base64: at least 1 bytes\n" },
	{ "wide with a question mark", "    Image|wide: 'a?'",
	  "8:17: error: '?' in UTF-16 text is not possible: escape it with a backslash, or use '*'\n" },
	{ "utf16 with a star", "    Image|utf16: 'a*'",
	  "8:18: error: utf16 of a text with wildcards is not possible: use wide\n" },
	{ "an empty regular expression", "    Image|re: ''",
	  "8:15: error: the regular expression is empty: it would match always\n" },
	{ "contains of nothing", "    Image|contains: ''",
	  "8:21: warning: an empty value with 'contains' is in every value: is a text missing?\n" },
	{ "every mistake of a list", "    Image|cidr: [a, 10.0.0.0/8, b]",
	  "8:18: error: 'a' is no address range: not an address; write 10.0.0.0/8 or fe80::/10\n"
	  "8:33: error: 'b' is no address range: not an address; write 10.0.0.0/8 or fe80::/10\n" },
};

static void check_selection(void **state)
{
	const struct finding_case *tc = *state;
	struct parsed t;
	char yaml[2048];

	(void)snprintf(yaml, sizeof(yaml), "%s%s\n", RULE_HEAD, tc->yaml);
	parse(&t, yaml);
	assert_sv_equal(findings(&t), sq_sv_of(tc->want));
	assert_int_equal(t.result, t.diags.errors ? -EINVAL : 1);
	parsed_fini(&t);
}

static const char full_rule[] = "# a comment\n"
				"title: ' A rule '\n"
				"id: 01234567-89ab-CDEF-0123-456789abcdef\n"
				"status: test\n"
				"description: |\n"
				"  What it finds.\n"
				"  And why.\n"
				"references:\n"
				"  - https://example.org/a\n"
				"  - https://example.org/b\n"
				"author: Somebody\n"
				"date: 2024-05-06\n"
				"modified: 2024-05-07\n"
				"tags: [attack.defense-evasion, attack.t1218.010]\n"
				"logsource:\n"
				"  product: windows\n"
				"  category: process_creation\n"
				"  definition: Turn it on\n"
				"detection:\n"
				"  sel:\n"
				"    Image|endswith: '\\regsvr32.exe'\n"
				"  condition: sel\n"
				"fields: [CommandLine]\n"
				"falsepositives: Unknown\n"
				"level: critical\n";

static void metadata_is_kept(void **state)
{
	const struct sq_rule *r;
	struct parsed t;

	(void)state;
	parse(&t, full_rule);
	assert_sv_equal(findings(&t), SQ_SV(""));
	assert_int_equal(t.result, 1);
	r = t.rules.list[0];
	assert_sv_equal(r->title, SQ_SV("A rule"));
	assert_sv_equal(r->id, SQ_SV("01234567-89ab-CDEF-0123-456789abcdef"));
	assert_sv_equal(r->status, SQ_SV("test"));
	assert_sv_equal(r->description, SQ_SV("What it finds.\nAnd why."));
	assert_sv_equal(r->author, SQ_SV("Somebody"));
	assert_sv_equal(r->date, SQ_SV("2024-05-06"));
	assert_int_equal(r->n_references, 2);
	assert_sv_equal(r->references[1], SQ_SV("https://example.org/b"));
	assert_int_equal(r->n_tags, 2);
	assert_sv_equal(r->tags[1], SQ_SV("attack.t1218.010"));
	assert_int_equal(r->n_falsepositives, 1);
	assert_sv_equal(r->falsepositives[0], SQ_SV("Unknown"));
	assert_int_equal(r->level, SQ_LEVEL_CRITICAL);
	assert_sv_equal(r->file, SQ_SV("rule.yml"));
	assert_int_equal(r->line, 2);
	assert_false(r->has_keywords);
	assert_true(r->logsource.categories == UINT64_C(1) << SQ_CATEGORY_PROCESS_CREATION);
	assert_null(r->logsource.channels);
	parsed_fini(&t);
}

static void comparisons_know_their_place(void **state)
{
	const struct sq_pred *pred;
	struct parsed t;

	(void)state;
	parse(&t, full_rule);
	pred = t.rules.list[0]->condition->pred;
	assert_int_equal(pred->field, SQ_F_IMAGE);
	assert_int_equal(pred->line, 21);
	assert_int_equal(pred->col, 21);
	assert_sv_equal(pred->text, SQ_SV("\\regsvr32.exe"));
	parsed_fini(&t);
}

static void an_id_is_given_once(void **state)
{
	char again[sizeof(full_rule)];
	struct parsed t;

	(void)state;
	memcpy(again, full_rule, sizeof(again));
	for (char *p = again; *p; p++) /* the case of hexadecimal digits does not count */
		if (strncmp(p, "-CDEF-", 6) == 0)
			memcpy(p, "-cdef-", 6);
	parse(&t, full_rule);
	parse_more(&t, again, "other.yml");
	assert_int_equal(t.result, -EINVAL);
	assert_int_equal(t.rules.n, 1);
	assert_sv_equal(findings(&t), SQ_SV("3:5: error: the id is that of another rule "
	                                    "(rule.yml:2): give it its own\n"));
	assert_string_equal(t.diags.list[0].file, "other.yml");
	parsed_fini(&t);
}

static void a_file_with_an_error_adds_none_of_its_rules(void **state)
{
	struct parsed t;

	(void)state;
	parse(&t, "title: one\nlevel: low\n" TAIL);
	parse_more(&t, "title: two\nlevel: low\n" TAIL "---\ntitle: three\nlevel: nix\n" TAIL,
	           "b.yml");
	assert_int_equal(t.result, -EINVAL);
	assert_int_equal(t.rules.n, 1);
	parse_more(&t, "title: four\nlevel: low\n" TAIL "---\ntitle: five\nlevel: low\n" TAIL,
	           "c.yml");
	assert_int_equal(t.result, 2);
	assert_int_equal(t.rules.n, 3);
	assert_sv_equal(t.rules.list[2]->title, SQ_SV("five"));
	assert_int_equal(t.rules.list[2]->line, 10);
	parsed_fini(&t);
}

static void keywords_are_noted(void **state)
{
	struct parsed t;

	(void)state;
	parse(&t, RULE_HEAD "    - evil\n");
	assert_true(t.rules.list[0]->has_keywords);
	parsed_fini(&t);
}

static void new_fields_are_added(void **state)
{
	struct parsed t;

	(void)state;
	parse(&t, RULE_HEAD "    NewField|re: a\n    image: b\n");
	assert_int_equal(t.result, 1);
	assert_int_equal(sq_fields_find(t.rules.fields, SQ_SV("NewField")), SQ_F_CANONICAL);
	assert_int_equal(sq_fields_find(t.rules.fields, SQ_SV("image")), SQ_F_CANONICAL + 1);
	parsed_fini(&t);
}

static void too_many_fields_are_refused(void **state)
{
	struct sq_outbuf o = sq_outbuf_of(1 << 20);
	struct parsed t;

	(void)state;
	sq_outbuf_put(&o, SQ_SV(RULE_HEAD));
	for (int i = 0; i < SQ_FIELDS_MAX; i++)
		sq_outbuf_printf(&o, "    Field%d: a\n", i);
	sq_outbuf_putc(&o, 0);
	parse(&t, o.p);
	assert_int_equal(t.result, -EINVAL);
	assert_string_equal(t.diags.list[0].text, "the rules name more than 1024 different fields");
	parsed_fini(&t);
	sq_outbuf_fini(&o);
}

static void too_many_selections_are_refused(void **state)
{
	struct sq_outbuf o = sq_outbuf_of(1 << 20);
	struct parsed t;

	(void)state;
	sq_outbuf_put(&o, SQ_SV(RULE_HEAD "    a\n"));
	for (int i = 0; i < 1000; i++)
		sq_outbuf_printf(&o, "  s%d: a\n", i);
	sq_outbuf_putc(&o, 0);
	parse(&t, o.p);
	assert_int_equal(t.result, -EINVAL);
	assert_string_equal(t.diags.list[0].text, "more than 1000 selections: split the rule");
	parsed_fini(&t);
	sq_outbuf_fini(&o);
}

static void levels_have_names(void **state)
{
	enum sq_level l;

	(void)state;
	for (unsigned i = 0; i < SQ_LEVELS; i++) {
		assert_int_equal(sq_level_parse(sq_sv_of(sq_level_name((enum sq_level)i)), &l), 0);
		assert_int_equal(l, i);
	}
	assert_int_equal(sq_level_parse(SQ_SV("High"), &l), -EINVAL);
	assert_int_equal(sq_level_parse(SQ_SV(""), &l), -EINVAL);
}

/* Every path out of memory is walked: nothing leaks (ASan), nothing is half added. */
static void memory_may_run_out(void **state)
{
	static const char more[] =
		RULE_HEAD "    Field|wide|base64offset|contains|all: [abc, def]\n"
			  "    X|contains|windash: [' -s', '/x']\n"
			  "    Y|re: a.b\n";
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
			r = sq_sigma_parse(&rules, sq_sv_of(full_rule), "a.yml", &diags);
		if (r > 0)
			r = sq_sigma_parse(&rules, sq_sv_of(more), "b.yml", &diags);
		if (fault_alloc_end() && r < 0)
			assert_true(r == -ENOMEM || diags.errors);
		sq_diags_fini(&diags);
		sq_rules_fini(&rules);
	}
	assert_int_equal(r, 1);
	assert_true(n > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metadata_is_kept),
		cmocka_unit_test(comparisons_know_their_place),
		cmocka_unit_test(an_id_is_given_once),
		cmocka_unit_test(a_file_with_an_error_adds_none_of_its_rules),
		cmocka_unit_test(keywords_are_noted),
		cmocka_unit_test(new_fields_are_added),
		cmocka_unit_test(too_many_fields_are_refused),
		cmocka_unit_test(too_many_selections_are_refused),
		cmocka_unit_test(levels_have_names),
		cmocka_unit_test(memory_may_run_out),
	};

	return RUN_TABLE("rules/sigma documents", documents, check_document) +
	       RUN_TABLE("rules/sigma selections", selections, check_selection) +
	       cmocka_run_group_tests_name("rules/sigma", tests, NULL, NULL);
}
