/* Any bytes as a Sigma file: rules that are whole, or findings. Input without a line end is tried
 * as a condition over known selections too, since few inputs get that far by chance. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/rules/sigma.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pred(const struct sq_rules *rules, const struct sq_pred *pred)
{
	sq_assert(pred->field >= -1 && pred->field < (int32_t)sq_fields_count(rules->fields));
	sq_assert(pred->line > 0 && pred->col > 0);
	for (uint32_t i = 0; i < pred->n_globs; i++) {
		const struct sq_glob *g = &pred->globs[i];

		/* A normal list: no TEXT is empty, no two TEXT or ANY stand together. */
		sq_assert((g->kind == SQ_GLOB_TEXT) == (g->text.n > 0));
		sq_assert(i == 0 || g->kind != g[-1].kind || g->kind == SQ_GLOB_ONE ||
		          g->kind == SQ_GLOB_DASH);
	}
	sq_assert(pred->match != SQ_MATCH_CIDR || pred->cidr.bits <= 128);
}

static uint32_t check_expr(const struct sq_rules *rules, const struct sq_expr *e, unsigned depth)
{
	uint32_t weight = e->kind == SQ_EXPR_PRED;

	sq_assert(depth < 300);
	sq_assert((e->pred != NULL) == (e->kind == SQ_EXPR_PRED));
	sq_assert(e->kind != SQ_EXPR_NOT || e->n == 1);
	sq_assert(e->n > 0 || e->kind == SQ_EXPR_PRED);
	if (e->pred)
		check_pred(rules, e->pred);
	for (uint32_t i = 0; i < e->n; i++)
		weight += check_expr(rules, e->args[i], depth + 1);
	return weight;
}

static void run(struct sq_sv text)
{
	struct sq_diags diags = { 0 };
	struct sq_rules rules;
	int r;

	if (sq_rules_init(&rules) < 0)
		abort();
	r = sq_sigma_parse(&rules, text, "fuzz.yml", &diags);
	sq_assert((r < 0) == (diags.errors > 0));
	sq_assert(rules.n == (r < 0 ? 0 : (uint32_t)r));
	if (r < 0)
		sq_assert(rules.n_filters == 0);
	else if (sq_sigma_finish(&rules, &diags) < 0)
		abort();
	for (uint32_t i = 0; i < rules.n; i++) {
		const struct sq_rule *rule = rules.list[i];

		sq_assert(rule->title.n > 0 && rule->line > 0 && rule->condition);
		sq_assert(check_expr(&rules, rule->condition, 0) <= 100000 * (rule->n_filters + 1));
	}
	sq_diags_fini(&diags);
	sq_rules_fini(&rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char head[] = "title: x\nlogsource: {category: process_creation}\ndetection:\n"
				   "  sel_a: a\n  sel_b: {Image|endswith: b}\n  _c: [c, d]\n"
				   "  condition: ";
	struct sq_sv text = { (const char *)data, size };

	run(text);
	if (size < 300 && sq_sv_chr(text, '\n') == SIZE_MAX) {
		char rule[sizeof(head) + 300];

		memcpy(rule, head, sizeof(head) - 1);
		if (size)
			memcpy(rule + sizeof(head) - 1, data, size);
		run((struct sq_sv){ rule, sizeof(head) - 1 + size });
	}
	return 0;
}
