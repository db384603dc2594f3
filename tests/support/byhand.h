/* Rules and events built by hand, for tests of matching that need no Sigma parser and no JSON.
 *
 * Memory runs out only where a test makes it, so nothing here looks for that.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "lib/rules/matcher.h"
#include "lib/rules/plain.h"
#include "lib/rules/regex.h"

enum { BYHAND_MORE = 8 };

/** A wildcard pattern: `*` any, `?` one, `~` dash; nothing is escaped. */
static inline const struct sq_pred *hand_glob(struct sq_rules *rules, int32_t field,
                                              struct sq_sv text, bool cased)
{
	struct sq_pred *p = sq_rules_alloc(rules, sizeof(*p));

	*p = (struct sq_pred){ .field = field, .match = SQ_MATCH_GLOB, .cased = cased };
	p->text = sq_rules_dup(rules, text);
	p->globs = sq_rules_alloc(rules, (text.n + 1) * sizeof(*p->globs));
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		struct sq_glob *g = &p->globs[p->n_globs];

		if (c == '*' || c == '?' || c == '~') {
			g->kind = c == '*' ? SQ_GLOB_ANY : c == '?' ? SQ_GLOB_ONE : SQ_GLOB_DASH;
			p->n_globs++;
		} else if (p->n_globs && g[-1].kind == SQ_GLOB_TEXT) {
			g[-1].text.n++;
		} else {
			*g = (struct sq_glob){ SQ_GLOB_TEXT, { p->text.p + i, 1 } };
			p->n_globs++;
		}
	}
	return p;
}

static inline const struct sq_pred *hand_regex(struct sq_rules *rules, int32_t field,
                                               struct sq_sv text, unsigned flags)
{
	struct sq_pred *p = sq_rules_alloc(rules, sizeof(*p));

	*p = (struct sq_pred){ .field = field,
		               .match = SQ_MATCH_REGEX,
		               .cased = true,
		               .regex_flags = (uint8_t)flags,
		               .text = sq_rules_dup(rules, text),
		               .line = 7,
		               .col = 3 };
	return p;
}

static inline const struct sq_pred *hand_number(struct sq_rules *rules, int32_t field,
                                                enum sq_compare compare, struct sq_sv text,
                                                double number)
{
	struct sq_pred *p = sq_rules_alloc(rules, sizeof(*p));

	*p = (struct sq_pred){ .field = field,
		               .match = SQ_MATCH_NUMBER,
		               .compare = compare,
		               .number = number,
		               .text = sq_rules_dup(rules, text) };
	return p;
}

/** "10.0.0.0/8"; the length is within the address as it is written. */
static inline const struct sq_pred *hand_cidr(struct sq_rules *rules, int32_t field,
                                              struct sq_sv text)
{
	struct sq_pred *p = sq_rules_alloc(rules, sizeof(*p));
	struct sq_sv rest = text, address = sq_sv_cut(&rest, '/');
	uint64_t bits = 0;

	*p = (struct sq_pred){ .field = field, .match = SQ_MATCH_CIDR };
	p->text = sq_rules_dup(rules, text);
	if (!sq_plain_address(address, p->cidr.address) || !sq_sv_to_u64(rest, &bits))
		abort();
	p->cidr.bits = (uint8_t)(bits + (sq_sv_chr(address, ':') == SIZE_MAX ? 96 : 0));
	return p;
}

static inline const struct sq_pred *hand_presence(struct sq_rules *rules, int32_t field,
                                                  enum sq_match match, bool expect)
{
	struct sq_pred *p = sq_rules_alloc(rules, sizeof(*p));

	*p = (struct sq_pred){ .field = field, .match = match, .expect = expect };
	return p;
}

static inline const struct sq_expr *hand_is(struct sq_rules *rules, const struct sq_pred *pred)
{
	struct sq_expr *e = sq_rules_alloc(rules, sizeof(*e));

	*e = (struct sq_expr){ .kind = SQ_EXPR_PRED, .pred = pred };
	return e;
}

static inline const struct sq_expr *hand_not(struct sq_rules *rules, const struct sq_expr *a)
{
	struct sq_expr *e = sq_rules_alloc(rules, sizeof(*e));

	e->kind = SQ_EXPR_NOT;
	e->n = 1;
	e->args = sq_rules_alloc(rules, sizeof(struct sq_expr *));
	e->args[0] = a;
	return e;
}

/** `kind` AND or OR of two. */
static inline const struct sq_expr *hand_two(struct sq_rules *rules, int kind,
                                             const struct sq_expr *a, const struct sq_expr *b)
{
	struct sq_expr *e = sq_rules_alloc(rules, sizeof(*e));

	e->kind = kind;
	e->n = 2;
	e->args = sq_rules_alloc(rules, 2 * sizeof(struct sq_expr *));
	e->args[0] = a;
	e->args[1] = b;
	return e;
}

/** A rule for events of any source. */
static inline struct sq_rule *hand_rule(struct sq_rules *rules, const char *title,
                                        const struct sq_expr *condition)
{
	struct sq_rule *rule = sq_rules_alloc(rules, sizeof(*rule));

	rule->title = sq_rules_dup(rules, sq_sv_of(title));
	rule->file = sq_rules_dup(rules, SQ_SV("by-hand.yml"));
	rule->condition = condition;
	if (sq_rules_add(rules, rule) < 0)
		abort();
	return rule;
}

/** An event with room for its values. End with hand_event_fini(). */
static inline struct sq_event hand_event(const struct sq_fields *fields)
{
	return (struct sq_event){ .fields = fields,
		                  .values =
		                          calloc(sq_fields_count(fields), sizeof(struct sq_value)),
		                  .more = calloc(BYHAND_MORE, sizeof(struct sq_value)) };
}

static inline void hand_event_fini(struct sq_event *ev)
{
	free(ev->values);
	free(ev->more);
}

/** Add a value to a field, behind those it has. */
static inline void hand_value(struct sq_event *ev, uint32_t field, enum sq_value_kind kind,
                              struct sq_sv text)
{
	struct sq_value *v = &ev->values[field];

	if (v->kind != SQ_VALUE_ABSENT) {
		while (v->more)
			v = &ev->more[v->more - 1];
		if (ev->n_more == BYHAND_MORE)
			abort();
		v->more = (uint16_t)(ev->n_more + 1);
		v = &ev->more[ev->n_more++];
	}
	*v = (struct sq_value){ .p = text.p, .n = (uint32_t)text.n, .kind = (uint8_t)kind };
}
