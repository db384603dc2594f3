/* What texts and regular expressions promise of a value. */
#include "lib/base/outbuf.h"
#include "lib/rules/literals.h"
#include "lib/rules/regex.h"
#include "tests/support/test.h"

static bool safe[256];

static struct sq_literal_opts opts_of(void)
{
	for (int c = 0; c < 256; c++)
		safe[c] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr(" ._-", c);
	safe[0] = false;
	return (struct sq_literal_opts){ .safe = safe, .min = 3, .max = 16 };
}

struct regex_case {
	const char *name, *regex;
	const char *says; /* texts between bars; NULL: nothing */
};

static struct regex_case regex_cases[] = {
	{ "a text", "scrobj", "scrobj" },
	{ "in lower case", "ScrObj", "scrobj" },
	{ "anchors are nothing", "^scrobj$", "scrobj" },
	{ "word borders are nothing", "\\bscrobj\\b", "scrobj" },
	{ "an escaped sign is itself", "scr\\.obj", "scr.obj" },
	{ "the best part", "abc.*scrobject.*xyz", "scrobject" },
	{ "alternatives", "scrobj|jscript9", "scrobj|jscript9" },
	{ "in a group, with what is around it", "x(scr|obj)y", "xscry|xobjy" },
	{ "of which one has nothing", "scrobj|.*", NULL },
	{ "of which one is empty", "scrobj|", NULL },
	{ "of which one is part of another", "scrobj|scrobjects", "scrobj" },
	{ "a group that is not kept", "(?:scrobj)x", "scrobjx" },
	{ "flags", "(?i)scrobj", "scrobj" },
	{ "flags of a group", "(?i:scrobj)", "scrobj" },
	{ "other flags are not understood", "(?x)scr obj", NULL },
	{ "what may be missing is tried both ways", "scr(ob)?jx", "scrobjx|scrjx" },
	{ "what may be missing altogether", "(scrobj)*", NULL },
	{ "what repeats is there once", "(scrobj)+x", "scrobj" },
	{ "a number of times", "a{3}scrobj", "scrobj" },
	{ "none of them", "(scrobj){0,3}", NULL },
	{ "a brace that is none is not understood", "a{x}scrobj", NULL },
	{ "from nothing on is not understood", "a{,3}scrobj", NULL },
	{ "a small class is written out", "scr[ao]bj", "scrabj|scrobj" },
	{ "a small range", "scr[0-2]bj", "scr0bj|scr1bj|scr2bj" },
	{ "a large class separates", "jscript[a-z]obj", "jscript" },
	{ "so does all but something", "jscript[^a]obj", "jscript" },
	{ "a bracket first in a class", "jscript[]a]objx", "jscript" },
	{ "classes with names are not understood", "jscript[[:alpha:]]", NULL },
	{ "kinds of characters separate", "jscript\\dobj", "jscript" },
	{ "hexadecimal", "scr\\x6fbj", "scrobj" },
	{ "a code point is not understood", "scr\\x{6f}bj", NULL },
	{ "a look ahead is not understood", "(?=scrobj)", NULL },
	{ "nor a look behind", "(?<!x)scrobj", NULL },
	{ "nor a reference", "(scrobj)\\1", NULL },
	{ "nor a quoted text", "\\Qscrobj\\E", NULL },
	{ "nor a verb", "(*ACCEPT)scrobj", NULL },
	{ "nor what does not end", "(scrobj", NULL },
	{ "nor a comment", "(?#x)scrobj", NULL },
	{ "unsafe bytes cut", "jscript/obj", "jscript" },
	{ "too short", "ab.cd", NULL },
	{ "too long", "abcdefghijklmnopqrstuv", "abcdefghijklmnop" },
	{ "extensions go where enough remains", "regsvr32\\.exe", "regsvr32" },
	{ "and stay where it does not", "reg\\.exe", "reg.exe" },
	{ "borders go", "--scrobj-\\.", "scrobj" },
};

static void regex_promises(void **state)
{
	const struct regex_case *tc = *state;
	struct sq_outbuf out = sq_outbuf_of(1 << 16);
	const struct sq_literal_opts opts = opts_of();
	struct sq_literals texts;
	struct sq_arena a;

	assert_int_equal(sq_arena_init(&a, 1 << 20), 0);
	assert_int_equal(sq_literals_of_regex(&a, sq_sv_of(tc->regex), &opts, &texts),
	                 tc->says != NULL);
	for (uint32_t i = 0; i < texts.n; i++)
		sq_outbuf_printf(&out, "%s%.*s", i ? "|" : "", SQ_SV_ARG(texts.v[i]));
	assert_sv_equal(sq_outbuf_view(&out), sq_sv_of(tc->says ? tc->says : ""));
	sq_outbuf_fini(&out);
	sq_arena_fini(&a);
}

static void every_prefix_of_an_expression_is_read_within_it(void **state SQ_UNUSED)
{
	const struct sq_literal_opts opts = opts_of();
	struct sq_arena a;

	assert_int_equal(sq_arena_init(&a, 1 << 20), 0);
	for (size_t i = 0; i < SQ_LEN(regex_cases); i++) {
		size_t n = strlen(regex_cases[i].regex);

		for (size_t k = 0; k <= n; k++) {
			char *copy = exact(regex_cases[i].regex, k);
			struct sq_literals texts;

			sq_arena_reset(&a);
			(void)sq_literals_of_regex(&a, (struct sq_sv){ copy, k }, &opts, &texts);
			free(copy);
		}
	}
	sq_arena_fini(&a);
}

static uint64_t seed = 1;

static uint32_t any(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

/* Expressions of random pieces against random values that are made of the same letters: when PCRE
 * finds one, one of the texts stands in it. */
static void what_matches_holds_a_text(void **state SQ_UNUSED)
{
	static const char *const pieces[] = { "a", "b",   "c",   "ab",    "bc",   "(",    ")",
		                              "|", "*",   "+",   "?",     "[ab]", "[^a]", ".",
		                              "^", "$",   "{2}", "{0,1}", "(?:",  "\\b",  "[a-c]",
		                              "B", "cab", "\\.", "abc",   "(?i)", "{1,}", "\\w" };
	struct sq_literal_opts opts = opts_of();
	struct sq_regex_scratch *scratch = sq_regex_scratch_new();
	unsigned promised = 0, found = 0;
	struct sq_arena a;

	assert_non_null(scratch);
	assert_int_equal(sq_arena_init(&a, 1 << 20), 0);
	opts.min = 2;
	for (int round = 0; round < 60000; round++) {
		struct sq_literals texts;
		struct sq_regex *re;
		struct sq_err err;
		char regex[64] = "", value[12];
		bool there = false;

		for (uint32_t i = 2 + any(7); i; i--)
			strcat(regex, pieces[any(SQ_LEN(pieces))]);
		sq_arena_reset(&a);
		if (!sq_literals_of_regex(&a, sq_sv_of(regex), &opts, &texts))
			continue;
		promised++;
		if (sq_regex_new(sq_sv_of(regex), SQ_REGEX_ICASE, 10000, &re, &err) < 0)
			continue;
		for (int k = 0; k < 20; k++) {
			struct sq_sv v = { value, any(sizeof(value)) };

			for (size_t i = 0; i < v.n; i++)
				value[i] = "abcabcABC."[any(10)];
			if (sq_regex_search(re, scratch, v) != 1)
				continue;
			found++;
			there = false;
			for (uint32_t i = 0; i < texts.n; i++)
				there = there || sq_sv_ifind(v, texts.v[i]) != SIZE_MAX;
			if (!there)
				fail_msg("%s finds %.*s", regex, SQ_SV_ARG(v));
		}
		sq_regex_free(re);
	}
	print_message("%u expressions promise something, %u values found\n", promised, found);
	assert_true(promised > 5000 && found > 5000);
	sq_arena_fini(&a);
	sq_regex_scratch_free(scratch);
}

static void common_words_cost_more(void **state SQ_UNUSED)
{
	assert_true(sq_literal_cost(SQ_SV("powershell")) > sq_literal_cost(SQ_SV("rundll32")));
	assert_true(sq_literal_cost(SQ_SV("download")) > sq_literal_cost(SQ_SV("scrobj")));
	assert_true(sq_literal_cost(SQ_SV("system32")) > sq_literal_cost(SQ_SV("download")));
	/* "description" has it in it. */
	assert_true(sq_literal_cost(SQ_SV("script")) > sq_literal_cost(SQ_SV("download")));
	/* Digits stand in identifiers of all kinds. */
	assert_true(sq_literal_cost(SQ_SV("4688")) > sq_literal_cost(SQ_SV("xylo")));
	assert_true(sq_literal_cost(SQ_SV("xyl")) > sq_literal_cost(SQ_SV("xylo")));
	assert_true(sq_literal_cost(SQ_SV("")) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_prefix_of_an_expression_is_read_within_it),
		cmocka_unit_test(what_matches_holds_a_text),
		cmocka_unit_test(common_words_cost_more),
	};
	int failed = RUN_TABLE("rules/literals of expressions", regex_cases, regex_promises);

	return failed + cmocka_run_group_tests_name("rules/literals", tests, NULL, NULL);
}
