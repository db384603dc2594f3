/* What must stand in the bytes of a record for a rule to match it.
 *
 * Of each rule the plan holds one group of words: a record that holds none of them, and nothing odd
 * (lib/engine/sieve_odd.h), cannot match the rule. Words are promised, never guessed: what a rule
 * cannot promise it does not promise, and a rule that promises nothing keeps every record. The
 * groups are chosen for all rules together, so that few words result and records seldom hold one.
 * Cold path.
 */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/outbuf.h"
#include "lib/rules/ruleset.h"

enum {
	SQ_SIEVE_WORD_MIN = 3,     /* bytes of a word */
	SQ_SIEVE_WORD_MAX = 64,    /* of longer ones a part is looked for, which says less */
	SQ_SIEVE_WORDS_MAX = 8192, /* in a plan */
};

/** How a rule's records are told from others. */
enum sq_sieve_promise {
	SQ_SIEVE_NEVER, /* it matches nothing that this program reads: it keeps no record */
	SQ_SIEVE_WORDS, /* one of its words stands in the record, or something odd does */
	SQ_SIEVE_OPEN,  /* it promises nothing: every record is kept */
};

struct sq_sieve_need {
	enum sq_sieve_promise promise;
	uint32_t *words; /* indices in sq_sieve_plan.words, ascending; SQ_SIEVE_WORDS only */
	uint32_t n;      /* 0: only odd records are meant, when it is SQ_SIEVE_WORDS */
};

struct sq_sieve_plan {
	struct sq_arena arena; /* all that is below */
	struct sq_sv *words;   /* all different, none part of another, in order; printable ASCII in
	                          lower case; letters match in either case */
	uint32_t n_words;
	struct sq_sieve_need *rules; /* by number of the rule */
	uint32_t n_rules;
	uint32_t n_open; /* rules that are SQ_SIEVE_OPEN */
};

/** @return 0, -ENOMEM, or -E2BIG: too many words to be of use. fini() is needed in any case. */
int sq_sieve_plan_init(struct sq_sieve_plan *plan, const struct sq_ruleset *rs) SQ_MUST_CHECK;
void sq_sieve_plan_fini(struct sq_sieve_plan *plan);

/** Append what one rule needs as words for people, without a line end. */
void sq_sieve_plan_print(const struct sq_sieve_plan *plan, uint32_t rule, struct sq_outbuf *out);
