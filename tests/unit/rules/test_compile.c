#include "lib/rules/compile.h"

#include <errno.h>

#include "lib/rules/cond.h"
#include "lib/rules/hsdb.h"
#include "lib/rules/wildcard.h"
#include "tests/support/byhand.h"
#include "tests/support/test.h"

struct expr_case {
	const char *name;
	const char *pattern;
	const char *want;
};

static struct expr_case exprs[] = {
	{ "equality has both anchors", "ab", "\\Aab\\z" },
	{ "contains has none", "*ab*", "ab" },
	{ "starts with", "ab*", "\\Aab" },
	{ "ends with", "*ab", "ab\\z" },
	{ "a star inside", "a*b", "\\Aa.*b\\z" },
	{ "stars in a row are one", "**a***b**", "a.*b" },
	{ "only a star", "*", "" },
	{ "nothing", "", "\\A\\z" },
	{ "special characters are escaped", "a.b\\", "\\Aa\\x2eb\\x5c\\z" },
	{ "bytes beyond ASCII are escaped", "\xc3\xa9*", "\\A\\xc3\\xa9" },
	{ "a dash is a class", "~", "\\A(?:[-/]|\\xe2\\x80[\\x93-\\x95])\\z" },
};

static void check_expression(void **state)
{
	const struct expr_case *tc = *state;
	struct sq_outbuf out = sq_outbuf_of(4096);
	const struct sq_pred *p;
	struct sq_rules rules;

	assert_int_equal(sq_rules_init(&rules), 0);
	p = hand_glob(&rules, 0, sq_sv_of(tc->pattern), false);
	sq_wildcard_regex(&out, p->globs, p->n_globs);
	assert_sv_equal(sq_outbuf_view(&out), sq_sv_of(tc->want));
	sq_outbuf_fini(&out);
	sq_rules_fini(&rules);
}

static void equal_predicates_share_a_number(void **state)
{
	const struct sq_pred *a, *same, *cased, *other_field, *other_text;
	struct sq_plan plan;
	struct sq_rules rules;

	(void)state;
	assert_int_equal(sq_rules_init(&rules), 0);
	a = hand_glob(&rules, SQ_F_IMAGE, SQ_SV("*a*"), false);
	same = hand_glob(&rules, SQ_F_IMAGE, SQ_SV("**a*"), false);
	cased = hand_glob(&rules, SQ_F_IMAGE, SQ_SV("*a*"), true);
	other_field = hand_glob(&rules, SQ_F_USER, SQ_SV("*a*"), false);
	other_text = hand_glob(&rules, SQ_F_IMAGE, SQ_SV("*b*"), false);
	hand_rule(&rules, "1", hand_is(&rules, a));
	hand_rule(&rules, "2",
	          hand_two(&rules, SQ_EXPR_AND, hand_is(&rules, same), hand_is(&rules, cased)));
	hand_rule(&rules, "3",
	          hand_two(&rules, SQ_EXPR_OR, hand_is(&rules, other_field),
	                   hand_not(&rules, hand_is(&rules, other_text))));
	assert_int_equal(sq_plan_init(&plan, &rules, NULL), 0);
	assert_int_equal(plan.n_preds, 4);
	assert_int_equal(plan.n_groups, 2);
	assert_int_equal(sq_plan_number(&plan, a), 0);
	assert_int_equal(sq_plan_number(&plan, same), 0);
	assert_int_equal(sq_plan_number(&plan, cased), 1);
	assert_int_equal(sq_plan_number(&plan, other_field), 2);
	assert_int_equal(sq_plan_number(&plan, other_text), 3);
	assert_string_equal(sq_plan_expression(&plan, 3), "b");
	assert_int_equal(sq_plan_flags(&plan, 0), SQ_HS_CASELESS | SQ_HS_DOTALL);
	assert_int_equal(sq_plan_flags(&plan, 1), SQ_HS_DOTALL);
	sq_plan_fini(&plan);
	sq_rules_fini(&rules);
}

static void thousands_keep_their_numbers(void **state)
{
	enum { MANY = 3000 };
	const struct sq_pred **preds = calloc(MANY, sizeof(struct sq_pred *));
	struct sq_plan plan;
	struct sq_rules rules;

	(void)state;
	assert_int_equal(sq_rules_init(&rules), 0);
	for (uint32_t i = 0; i < MANY; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "*text %u*", i);
		preds[i] = hand_glob(&rules, SQ_F_IMAGE, sq_sv_of(text), false);
		hand_rule(&rules, text, hand_is(&rules, preds[i]));
	}
	assert_int_equal(sq_plan_init(&plan, &rules, NULL), 0);
	assert_int_equal(plan.n_preds, MANY);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(sq_plan_number(&plan, preds[i]), i);
	sq_plan_fini(&plan);
	sq_rules_fini(&rules);
	free(preds);
}

static void a_bottomless_condition_is_refused(void **state)
{
	const struct sq_expr *e;
	struct sq_err err;
	struct sq_plan plan;
	struct sq_rules rules;

	(void)state;
	assert_int_equal(sq_rules_init(&rules), 0);
	e = hand_is(&rules, hand_glob(&rules, 0, SQ_SV("a"), false));
	for (unsigned i = 0; i <= SQ_PLAN_DEPTH_MAX; i++)
		e = hand_not(&rules, e);
	hand_rule(&rules, "deep", e);
	assert_int_equal(sq_plan_init(&plan, &rules, &err), -EINVAL);
	assert_string_equal(err.text, "by-hand.yml:0: the condition is too large");
	sq_plan_fini(&plan);
	sq_rules_fini(&rules);
}

/* Truth of predicates 0 to 3 as bits. */
static bool bit(void *ctx, uint32_t pred)
{
	return *(const unsigned *)ctx >> pred & 1;
}

static bool by_tree(const struct sq_plan *plan, const struct sq_expr *e, unsigned bits)
{
	switch (e->kind) {
	case SQ_EXPR_AND:
		for (uint32_t i = 0; i < e->n; i++) {
			if (!by_tree(plan, e->args[i], bits))
				return false;
		}
		return true;
	case SQ_EXPR_OR:
		for (uint32_t i = 0; i < e->n; i++) {
			if (by_tree(plan, e->args[i], bits))
				return true;
		}
		return false;
	case SQ_EXPR_NOT:
		return !by_tree(plan, e->args[0], bits);
	case SQ_EXPR_PRED:
		return bit(&bits, sq_plan_number(plan, e->pred));
	case SQ_EXPR_TRUE:
		return true;
	case SQ_EXPR_FALSE:
		return false;
	}
	return false;
}

static const struct sq_expr *random_tree(struct sq_rules *rules, const struct sq_pred *const *preds,
                                         uint32_t *seed, unsigned depth)
{
	uint32_t what = (*seed = *seed * 1664525u + 1013904223u) >> 28;
	struct sq_expr *e;

	if (depth == 0 || what < 5)
		return hand_is(rules, preds[what & 3]);
	if (what < 8)
		return hand_not(rules, random_tree(rules, preds, seed, depth - 1));
	if (what == 8) {
		e = sq_rules_alloc(rules, sizeof(*e));
		e->kind = *seed >> 20 & 1 ? SQ_EXPR_TRUE : SQ_EXPR_FALSE;
		return e;
	}
	if (what == 9) { /* of none */
		e = sq_rules_alloc(rules, sizeof(*e));
		e->kind = *seed >> 20 & 1 ? SQ_EXPR_AND : SQ_EXPR_OR;
		return e;
	}
	return hand_two(rules, what & 1 ? SQ_EXPR_AND : SQ_EXPR_OR,
	                random_tree(rules, preds, seed, depth - 1),
	                random_tree(rules, preds, seed, depth - 1));
}

/* Over random trees and every truth of four predicates: the program says what the tree says, and
 * when no trigger holds it is false. The fourth predicate is one that Hyperscan has no part in. */
static void programs_and_triggers_are_sound(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (unsigned round = 0; round < 400; round++) {
		struct sq_numbers triggers = { 0 };
		const struct sq_pred *preds[4];
		const struct sq_expr *base, *e;
		struct sq_conds conds = { 0 };
		struct sq_plan plan;
		struct sq_rules rules;
		uint32_t at;
		int waits;

		assert_int_equal(sq_rules_init(&rules), 0);
		preds[0] = hand_glob(&rules, 0, SQ_SV("a"), false);
		preds[1] = hand_glob(&rules, 0, SQ_SV("bb"), false);
		preds[2] = hand_glob(&rules, 0, SQ_SV("ccc"), false);
		preds[3] = hand_presence(&rules, 0, SQ_MATCH_EXISTS, true);
		base = hand_two(&rules, SQ_EXPR_AND,
		                hand_two(&rules, SQ_EXPR_AND, hand_is(&rules, preds[0]),
		                         hand_is(&rules, preds[1])),
		                hand_two(&rules, SQ_EXPR_AND, hand_is(&rules, preds[2]),
		                         hand_is(&rules, preds[3])));
		hand_rule(&rules, "base", base);
		e = random_tree(&rules, preds, &seed, 5);
		hand_rule(&rules, "random", e);
		assert_int_equal(sq_plan_init(&plan, &rules, NULL), 0);
		for (unsigned i = 0; i < 3; i++)
			plan.preds[i].scanned = true;
		assert_int_equal(sq_cond_compile(&conds, &plan, e, &at), 0);
		waits = sq_cond_triggers(&plan, e, &triggers);
		assert_true(waits >= 0);
		for (unsigned bits = 0; bits < 16; bits++) {
			bool want = by_tree(&plan, e, bits), seen = false;

			assert_int_equal(sq_cond_run(conds.ops, at, bit, &bits), want);
			for (uint32_t i = 0; i < triggers.n; i++)
				seen |= bit(&bits, triggers.p[i]);
			if (waits && !seen)
				assert_false(want);
		}
		free(triggers.p);
		free(conds.ops);
		sq_plan_fini(&plan);
		sq_rules_fini(&rules);
	}
}

static void the_rarer_side_of_an_and_is_the_trigger(void **state)
{
	struct sq_numbers triggers = { 0 };
	const struct sq_pred *image, *line;
	struct sq_plan plan;
	struct sq_rules rules;

	(void)state;
	assert_int_equal(sq_rules_init(&rules), 0);
	image = hand_glob(&rules, SQ_F_IMAGE, SQ_SV("*.exe"), false);
	line = hand_glob(&rules, SQ_F_COMMAND_LINE, SQ_SV("*scrobj.dll*"), false);
	hand_rule(&rules, "r",
	          hand_two(&rules, SQ_EXPR_AND, hand_is(&rules, image), hand_is(&rules, line)));
	assert_int_equal(sq_plan_init(&plan, &rules, NULL), 0);
	plan.preds[0].scanned = plan.preds[1].scanned = true;
	assert_int_equal(sq_cond_triggers(&plan, rules.list[0]->condition, &triggers), 1);
	assert_int_equal(triggers.n, 1);
	assert_int_equal(triggers.p[0], sq_plan_number(&plan, line));
	free(triggers.p);
	sq_plan_fini(&plan);
	sq_rules_fini(&rules);
}

/* A pack about one program: were its name the trigger, each start of it would run all of them. */
static void what_all_rules_ask_for_is_no_trigger(void **state)
{
	const struct sq_pred *lines[26];
	struct sq_numbers triggers = { 0 };
	struct sq_plan plan;
	struct sq_rules rules;

	(void)state;
	assert_int_equal(sq_rules_init(&rules), 0);
	for (unsigned i = 0; i < SQ_LEN(lines); i++) {
		const char text[] = { '*', 'd', 'i', 's', 'k', ' ', (char)('a' + i), '*', '\0' };
		const struct sq_pred *image =
			hand_glob(&rules, SQ_F_IMAGE, SQ_SV("*regsvr32.exe"), false);

		lines[i] = hand_glob(&rules, SQ_F_COMMAND_LINE, sq_sv_of(text), false);
		hand_rule(&rules, "r",
		          hand_two(&rules, SQ_EXPR_AND, hand_is(&rules, image),
		                   hand_is(&rules, lines[i])));
	}
	assert_int_equal(sq_plan_init(&plan, &rules, NULL), 0);
	for (uint32_t i = 0; i < plan.n_preds; i++)
		plan.preds[i].scanned = true;
	for (unsigned i = 0; i < SQ_LEN(lines); i++) {
		assert_int_equal(sq_cond_triggers(&plan, rules.list[i]->condition, &triggers), 1);
		assert_int_equal(triggers.n, 1);
		assert_int_equal(triggers.p[0], sq_plan_number(&plan, lines[i]));
	}
	free(triggers.p);
	sq_plan_fini(&plan);
	sq_rules_fini(&rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_predicates_share_a_number),
		cmocka_unit_test(thousands_keep_their_numbers),
		cmocka_unit_test(a_bottomless_condition_is_refused),
		cmocka_unit_test(programs_and_triggers_are_sound),
		cmocka_unit_test(the_rarer_side_of_an_and_is_the_trigger),
		cmocka_unit_test(what_all_rules_ask_for_is_no_trigger),
	};

	return RUN_TABLE("rules/wildcard as regex", exprs, check_expression) +
	       cmocka_run_group_tests_name("rules/compile", tests, NULL, NULL);
}
