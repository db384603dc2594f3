/* The grammar of conditions, and what it says about mistakes. */
#include "tests/unit/rules/sigma_text.h"

#define SELECTIONS                                                                                 \
	"  sel_a: a\n"                                                                             \
	"  sel_b: b\n"                                                                             \
	"  other_c: c\n"                                                                           \
	"  _hidden: h\n"

#define A "any=*\"a\"*"
#define B "any=*\"b\"*"
#define C "any=*\"c\"*"
#define H "any=*\"h\"*"

struct condition_case {
	const char *name;
	const char *condition;
	const char *want; /* expression, or the finding at line:col */
};

static struct condition_case good[] = {
	{ "one selection", "sel_a", A },
	{ "and", "sel_a and sel_b", "and(" A "," B ")" },
	{ "or", "sel_a or sel_b", "or(" A "," B ")" },
	{ "not", "not sel_a", "not(" A ")" },
	{ "not twice", "not not sel_a", "not(not(" A "))" },
	{ "and binds tighter than or", "sel_a or sel_b and other_c", "or(" A ",and(" B "," C "))" },
	{ "and binds tighter than or on the left", "sel_a and sel_b or other_c",
	  "or(and(" A "," B ")," C ")" },
	{ "not binds tighter than and", "not sel_a and sel_b", "and(not(" A ")," B ")" },
	{ "not over parentheses", "not (sel_a and sel_b)", "not(and(" A "," B "))" },
	{ "parentheses bind first", "(sel_a or sel_b) and other_c", "and(or(" A "," B ")," C ")" },
	{ "parentheses need no blanks", "(sel_a)and(not(sel_b))", "and(" A ",not(" B "))" },
	{ "words in capitals", "sel_a AND NOT sel_b Or other_c",
	  "or(and(" A ",not(" B "))," C ")" },
	{ "chains are flat", "sel_a and sel_b and other_c", "and(" A "," B "," C ")" },
	{ "one of them skips what begins with an underscore", "1 of them",
	  "or(" A "," B "," C ")" },
	{ "all of them skips it too", "all of them", "and(" A "," B "," C ")" },
	{ "one of a pattern", "1 of sel_*", "or(" A "," B ")" },
	{ "all of a pattern", "all of sel_*", "and(" A "," B ")" },
	{ "a star at the front", "1 of *_c", C },
	{ "a star in the middle", "1 of s*_b", B },
	{ "several stars", "1 of *e*_*", "or(" A "," B "," C ")" },
	{ "a star alone takes the hidden one too", "all of *", "and(" A "," B "," C "," H ")" },
	{ "a pattern may ask for the hidden one", "1 of _*", H },
	{ "a pattern without a star is a name", "1 of sel_a", A },
	{ "not over one of", "sel_a and not 1 of other_*", "and(" A ",not(" C "))" },
	{ "of in capitals", "1 OF THEM", "or(" A "," B "," C ")" },
	{ "the same selection twice", "sel_a or not sel_a", "or(" A ",not(" A "))" },
	{ "several conditions are an or", "[sel_a, sel_b and other_c]",
	  "or(" A ",and(" B "," C "))" },
	{ "a list of one condition", "[not sel_a]", "not(" A ")" },
	{ "over two lines", "sel_a\n    and sel_b", "and(" A "," B ")" },
};

static void parse_condition(struct parsed *t, const char *condition)
{
	char yaml[4096];

	(void)snprintf(yaml, sizeof(yaml),
	               "title: A rule\nlevel: low\nlogsource:\n  product: windows\n"
	               "detection:\n  condition: %s\n" SELECTIONS,
	               condition);
	parse(t, yaml);
}

static void check_good(void **state)
{
	const struct condition_case *tc = *state;
	struct parsed t;

	parse_condition(&t, tc->condition);
	assert_int_equal(t.result, 1);
	assert_int_equal(t.diags.errors, 0); /* unused selections are warnings */
	assert_sv_equal(condition(&t), sq_sv_of(tc->want));
	parsed_fini(&t);
}

/* The condition stands in line 6 and its first character in column 14. */
static struct condition_case bad[] = {
	{ "an unknown name, with a suggestion", "sel_a and sel_x",
	  "6:24: error: unknown selection 'sel_x'; did you mean 'sel_a'?" },
	{ "an unknown name, far from all", "completely_different",
	  "6:14: error: unknown selection 'completely_different'" },
	{ "names keep their case", "Sel_a",
	  "6:14: error: unknown selection 'Sel_a'; did you mean 'sel_a'?" },
	{ "in quotes the column counts from the quote", "'sel_a and nix'",
	  "6:25: error: unknown selection 'nix'" },
	{ "a pattern that fits nothing", "1 of filter_*",
	  "6:19: error: no selection fits 'filter_*': see the names in detection" },
	{ "all of a pattern that fits nothing is no truth", "sel_a and all of filter_*",
	  "6:31: error: no selection fits 'filter_*': see the names in detection" },
	{ "any of", "any of sel_*",
	  "6:14: error: 'any of' is not Sigma: write '1 of' or 'all of'" },
	{ "two of", "2 of them", "6:14: error: '2 of' is not Sigma: write '1 of' or 'all of'" },
	{ "nothing behind of", "1 of",
	  "6:18: error: 'them' or the start of a name and '*' must follow 'of'" },
	{ "a parenthesis behind of", "1 of (sel_a)",
	  "6:19: error: 'them' or the start of a name and '*' must follow 'of'" },
	{ "a star without of", "sel_*",
	  "6:14: error: a name with '*' needs '1 of' or 'all of' before it" },
	{ "count of Sigma v1", "sel_a | count() > 5",
	  "6:20: error: aggregations (| count(), near) are Sigma v1 and are not read: remove this "
	  "part" },
	{ "near of Sigma v1", "sel_a near sel_b",
	  "6:20: error: aggregations (| count(), near) are Sigma v1 and are not read: remove this "
	  "part" },
	{ "two names in a row", "sel_a sel_b",
	  "6:20: error: 'and' or 'or' must stand before 'sel_b'" },
	{ "nothing behind and", "sel_a and", "6:23: error: a selection is missing at the end" },
	{ "nothing before and", "and sel_a", "6:14: error: a selection is missing before 'and'" },
	{ "and or", "sel_a and or sel_b", "6:24: error: a selection is missing before 'or'" },
	{ "not alone", "not", "6:17: error: a selection is missing at the end" },
	{ "an open parenthesis", "(sel_a", "6:20: error: a ')' is missing at the end" },
	{ "a name in parentheses too many", "(sel_a sel_b)",
	  "6:21: error: 'and', 'or' or ')' must stand before 'sel_b'" },
	{ "a closed parenthesis", "sel_a)", "6:19: error: a '(' is missing for this ')'" },
	{ "empty parentheses", "()", "6:15: error: a selection is missing before ')'" },
	{ "an empty condition", "''", "6:14: error: the condition is empty: name a selection" },
	{ "null", "~", "6:14: error: the condition is empty: name a selection" },
	{ "an empty list", "[]", "6:14: error: the condition is empty: name a selection" },
	{ "a map", "{a: b}", "6:14: error: the condition is empty: name a selection" },
	{ "the second condition of a list", "[sel_a, nix]",
	  "6:22: error: unknown selection 'nix'" },
	{ "a control character is no blank", "\"sel_a \\x0b\"",
	  "6:21: error: 'and' or 'or' must stand before '?'" },
};

static void check_bad(void **state)
{
	const struct condition_case *tc = *state;
	struct sq_sv all, line = { "", 0 };
	struct parsed t;

	parse_condition(&t, tc->condition);
	assert_int_equal(t.result, -EINVAL);
	assert_int_equal(t.rules.n, 0);
	assert_int_equal(t.diags.errors, 1);
	for (all = findings(&t); all.n;) { /* warnings of unused selections stand around it */
		line = sq_sv_cut(&all, '\n');
		if (sq_sv_find(line, SQ_SV(": error: ")) != SIZE_MAX)
			break;
	}
	assert_sv_equal(line, sq_sv_of(tc->want));
	parsed_fini(&t);
}

static void depth_is_bounded(void **state)
{
	char condition_text[1024] = "";
	struct parsed t;

	(void)state;
	for (int i = 0; i < 63; i++)
		strncat(condition_text, "(", sizeof(condition_text) - 1);
	strncat(condition_text, "sel_a", sizeof(condition_text) - 1);
	for (int i = 0; i < 63; i++)
		strncat(condition_text, ")", sizeof(condition_text) - 1);
	parse_condition(&t, condition_text);
	assert_int_equal(t.result, 1);
	parsed_fini(&t);

	condition_text[0] = 0;
	for (int i = 0; i < 64; i++)
		strncat(condition_text, "not ", sizeof(condition_text) - 1);
	strncat(condition_text, "sel_a", sizeof(condition_text) - 1);
	parse_condition(&t, condition_text);
	assert_int_equal(t.result, -EINVAL);
	assert_string_equal(t.diags.list[0].text,
	                    "nested deeper than 64 levels: use selections of fewer parts");
	assert_int_equal(t.diags.list[0].col, 14 + 64 * 4);
	parsed_fini(&t);
}

/* A selection of 1,000 values asked for 101 times is over the limit of 100,000. */
static void weight_is_bounded(void **state)
{
	struct sq_outbuf o = sq_outbuf_of(1 << 20);
	struct parsed t;

	(void)state;
	sq_outbuf_printf(
		&o, "title: A\nlevel: low\nlogsource:\n  product: windows\ndetection:\n  sel:\n");
	for (int i = 0; i < 1000; i++)
		sq_outbuf_printf(&o, "  - w%d\n", i);
	sq_outbuf_printf(&o, "  condition: sel");
	for (int i = 0; i < 100; i++)
		sq_outbuf_printf(&o, " or sel");
	sq_outbuf_putc(&o, 0);
	assert_false(o.failed);
	parse(&t, o.p);
	assert_int_equal(t.result, -EINVAL);
	assert_string_equal(t.diags.list[0].text,
	                    "the condition asks for more than 100000 comparisons: split the rule");
	parsed_fini(&t);
	sq_outbuf_fini(&o);
}

static void length_is_bounded(void **state)
{
	struct sq_outbuf o = sq_outbuf_of(1 << 20);
	struct parsed t;

	(void)state;
	sq_outbuf_printf(&o, "%s",
	                 "title: A\nlevel: low\nlogsource:\n  product: windows\ndetection:\n"
	                 "  sel: a\n  condition: sel");
	for (int i = 0; i < 10000; i++)
		sq_outbuf_printf(&o, " or sel");
	sq_outbuf_putc(&o, 0);
	parse(&t, o.p);
	assert_int_equal(t.result, -EINVAL);
	assert_string_equal(t.diags.list[0].text,
	                    "the condition is longer than 65536 bytes: split the rule");
	parsed_fini(&t);
	sq_outbuf_fini(&o);
}

/* Behind a block scalar's sign no column is known: the sign's own is given. */
static void a_block_reports_where_it_begins(void **state)
{
	struct parsed t;

	(void)state;
	parse_condition(&t, ">\n    sel_a and\n    nix");
	assert_int_equal(t.result, -EINVAL);
	assert_int_equal(t.diags.list[0].line, 6);
	assert_int_equal(t.diags.list[0].col, 14);
	parsed_fini(&t);
}

static void selections_keep_their_names(void **state)
{
	const struct sq_expr *e;
	struct parsed t;

	(void)state;
	parse_condition(&t, "not sel_b and 1 of sel_*");
	e = t.rules.list[0]->condition;
	assert_sv_equal(e->selection, SQ_SV(""));
	assert_sv_equal(e->args[0]->args[0]->selection, SQ_SV("sel_b"));
	assert_sv_equal(e->args[1]->args[0]->selection, SQ_SV("sel_a"));
	assert_ptr_equal(e->args[1]->args[1], e->args[0]->args[0]); /* shared */
	parsed_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(weight_is_bounded),
		cmocka_unit_test(length_is_bounded),
		cmocka_unit_test(a_block_reports_where_it_begins),
		cmocka_unit_test(selections_keep_their_names),
	};

	return RUN_TABLE("rules/condition", good, check_good) +
	       RUN_TABLE("rules/condition errors", bad, check_bad) +
	       cmocka_run_group_tests_name("rules/condition limits", tests, NULL, NULL);
}
