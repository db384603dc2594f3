/* Rules from text, findings as text, expressions as text: what the tests of the Sigma reader share.
 *
 *	and(a,b) or(a,b) not(a) false
 *	Field="text"*?-      parts of a glob: * ANY, ? ONE, - DASH; == when case counts; empty is ""
 *	Field~/pattern/ims   Field#=4688   Field#<5   Field@HEX/BITS   Field?yes   Field?no
 *Field:null
 *
 * A keyword has the field "any".
 */
#pragma once

#include <errno.h>

#include "tests/support/test.h"

#include "lib/base/outbuf.h"
#include "lib/rules/regex.h"
#include "lib/rules/sigma.h"

static inline void render_text(struct sq_outbuf *o, struct sq_sv v)
{
	sq_outbuf_putc(o, '"');
	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = (unsigned char)v.p[i];

		if (c < ' ' || c > '~' || c == '"')
			sq_outbuf_printf(o, "%%%02x", c);
		else
			sq_outbuf_putc(o, (char)c);
	}
	sq_outbuf_putc(o, '"');
}

static inline void render_globs(struct sq_outbuf *o, const struct sq_pred *pred)
{
	sq_outbuf_put(o, pred->cased ? SQ_SV("==") : SQ_SV("="));
	if (!pred->n_globs)
		sq_outbuf_put(o, SQ_SV("\"\""));
	for (uint32_t i = 0; i < pred->n_globs; i++) {
		switch (pred->globs[i].kind) {
		case SQ_GLOB_TEXT:
			render_text(o, pred->globs[i].text);
			break;
		case SQ_GLOB_ANY:
			sq_outbuf_putc(o, '*');
			break;
		case SQ_GLOB_ONE:
			sq_outbuf_putc(o, '?');
			break;
		case SQ_GLOB_DASH:
			sq_outbuf_putc(o, '-');
			break;
		}
	}
}

static inline void render_pred(struct sq_outbuf *o, const struct sq_rules *rules,
                               const struct sq_pred *pred)
{
	static const char *const compares[] = { "=", "<", "<=", ">", ">=" };

	sq_outbuf_put(o, pred->field < 0 ? SQ_SV("any")
	                                 : sq_fields_name(rules->fields, (uint32_t)pred->field));
	switch (pred->match) {
	case SQ_MATCH_GLOB:
		render_globs(o, pred);
		break;
	case SQ_MATCH_REGEX:
		sq_outbuf_printf(o, "~/%.*s/%s%s%s", SQ_SV_ARG(pred->text),
		                 pred->regex_flags & SQ_REGEX_ICASE ? "i" : "",
		                 pred->regex_flags & SQ_REGEX_MULTI ? "m" : "",
		                 pred->regex_flags & SQ_REGEX_DOTALL ? "s" : "");
		break;
	case SQ_MATCH_CIDR:
		sq_outbuf_putc(o, '@');
		for (unsigned i = 0; i < 16; i++)
			sq_outbuf_printf(o, "%02x", pred->cidr.address[i]);
		sq_outbuf_printf(o, "/%u", pred->cidr.bits);
		break;
	case SQ_MATCH_NUMBER:
		sq_outbuf_printf(o, "#%s%.15g", compares[pred->compare], pred->number);
		break;
	case SQ_MATCH_EXISTS:
		sq_outbuf_put(o, pred->expect ? SQ_SV("?yes") : SQ_SV("?no"));
		break;
	case SQ_MATCH_NULL:
		sq_outbuf_put(o, SQ_SV(":null"));
		break;
	}
}

static inline void render(struct sq_outbuf *o, const struct sq_rules *rules,
                          const struct sq_expr *e)
{
	static const char *const names[] = { [SQ_EXPR_AND] = "and(",
		                             [SQ_EXPR_OR] = "or(",
		                             [SQ_EXPR_NOT] = "not(",
		                             [SQ_EXPR_TRUE] = "true",
		                             [SQ_EXPR_FALSE] = "false" };

	if (e->kind == SQ_EXPR_PRED) {
		render_pred(o, rules, e->pred);
		return;
	}
	sq_outbuf_put(o, sq_sv_of(names[e->kind]));
	for (uint32_t i = 0; i < e->n; i++) {
		if (i)
			sq_outbuf_putc(o, ',');
		render(o, rules, e->args[i]);
	}
	if (e->kind != SQ_EXPR_TRUE && e->kind != SQ_EXPR_FALSE)
		sq_outbuf_putc(o, ')');
}

/* One rule set, what was found, and both as text. */
struct parsed {
	struct sq_rules rules;
	struct sq_diags diags;
	struct sq_outbuf text;
	int result;
};

/* "3:5: error: text" for each finding, one a line. */
static inline struct sq_sv findings(struct parsed *t)
{
	sq_outbuf_reset(&t->text);
	for (size_t i = 0; i < t->diags.n; i++) {
		const struct sq_diag *d = &t->diags.list[i];

		sq_outbuf_printf(&t->text, "%u:%u: %s: %s\n", d->line, d->col,
		                 d->severity == SQ_DIAG_ERROR ? "error" : "warning", d->text);
	}
	return t->text.len ? sq_outbuf_view(&t->text) : SQ_SV("");
}

static inline void parse_more(struct parsed *t, const char *yaml, const char *name)
{
	size_t n = strlen(yaml);
	char *copy = exact(yaml, n); /* gone before the rules are looked at */

	t->result = sq_sigma_parse(&t->rules, (struct sq_sv){ copy, n }, name, &t->diags);
	free(copy);
}

static inline void parse(struct parsed *t, const char *yaml)
{
	*t = (struct parsed){ .text = sq_outbuf_of(1 << 20) };
	assert_int_equal(sq_rules_init(&t->rules), 0);
	parse_more(t, yaml, "rule.yml");
}

static inline void parsed_fini(struct parsed *t)
{
	sq_outbuf_fini(&t->text);
	sq_diags_fini(&t->diags);
	sq_rules_fini(&t->rules);
}

/* The condition of the first rule. */
static inline struct sq_sv condition(struct parsed *t)
{
	sq_outbuf_reset(&t->text);
	render(&t->text, &t->rules, t->rules.list[0]->condition);
	return sq_outbuf_view(&t->text);
}

/* A whole rule around one selection: `body` begins in line 8, indented as written. */
#define RULE_HEAD                                                                                  \
	"title: A rule\n"                                                                          \
	"level: low\n"                                                                             \
	"logsource:\n"                                                                             \
	"  product: windows\n"                                                                     \
	"detection:\n"                                                                             \
	"  condition: sel\n"                                                                       \
	"  sel:\n"
