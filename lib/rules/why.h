/* Why a rule matched an event, or why it did not: for people, so one rule and one event at a time.
 *
 * The tree of the rule's condition is walked with the plain predicates, no Hyperscan. Of all ways
 * in which a condition could have become true, the one is told that needs the fewest comparisons to
 * come out otherwise, and of that the first.
 */
#pragma once

#include "lib/base/outbuf.h"
#include "lib/rules/ruleset.h"

enum { SQ_WHY_SELECTIONS_MAX = 64 };

enum sq_verdict {
	SQ_VERDICT_MATCH,
	SQ_VERDICT_NEAR,     /* no match, but a selection holds that is not under a NOT */
	SQ_VERDICT_MISS,     /* none does */
	SQ_VERDICT_ELSEWHERE /* the event is not of the rule's log source */
};

/** "match", "near", "miss", "elsewhere" */
const char *sq_verdict_name(enum sq_verdict v);

/** A named part of the condition. */
struct sq_why_selection {
	struct sq_sv name;
	bool holds;
	bool negated;                   /* it stands under a NOT */
	const struct sq_filter *filter; /* whose it is; NULL: the rule's own */
};

/** What stands between the rule and a match. */
struct sq_why_reason {
	enum {
		SQ_REASON_NONE,     /* it matched */
		SQ_REASON_SOURCE,   /* the event is from another log source */
		SQ_REASON_MISSING,  /* `expr` does not hold */
		SQ_REASON_UNWANTED, /* `expr` holds, under a NOT */
		SQ_REASON_NEVER     /* a condition that is never true */
	} kind;
	struct sq_sv selection;         /* the part of the condition; empty when it has no name */
	const struct sq_filter *filter; /* whose it is; NULL: the rule's own */
	const struct sq_expr *expr;     /* a comparison, or an OR of several of one field */
	int32_t field;                  /* number, -1: keywords */
	struct sq_sv value;             /* UNWANTED: that it holds for */
	uint32_t ways;                  /* 1, or how many there were to choose from */
};

struct sq_why {
	const struct sq_rule *rule;
	enum sq_verdict verdict;
	uint32_t distance; /* comparisons that would have to come out otherwise; 0: it matched */
	uint32_t n_selections;
	bool more_selections; /* than are listed */
	struct sq_why_selection selections[SQ_WHY_SELECTIONS_MAX];
	struct sq_why_reason reason;
};

struct sq_asker;

/** What one thread needs to ask. Keeps a reference. NULL: out of memory. */
struct sq_asker *sq_asker_new(struct sq_ruleset *rs);
void sq_asker_free(struct sq_asker *a);

/** Fields of the rule set. */
const struct sq_fields *sq_asker_fields(const struct sq_asker *a);

/** Fill `ret`, which then views the rule set and the event. The event must have been read with
 *  sq_ruleset_fields() of the same set. */
void sq_why(struct sq_asker *a, uint32_t rule, const struct sq_event *ev, struct sq_why *ret);

/** Name of the reason's field; "keywords" for -1. */
struct sq_sv sq_why_field(const struct sq_asker *a, const struct sq_why_reason *r);

/** What the reason's comparison asks for, in words: `contains "http:" or "https:"`. Texts are put
 *  as they are: who prints them takes care of control characters. */
void sq_why_wanted(struct sq_outbuf *out, const struct sq_why_reason *r);

/** What the event has there, in words: `is "a"`, `is absent`. Values longer than `max` bytes are
 *  shortened. */
void sq_why_found(struct sq_outbuf *out, const struct sq_why_reason *r, const struct sq_event *ev,
                  size_t max);

/** The whole reason as a sentence without its full stop; for a match, which selections hold. */
void sq_why_sentence(struct sq_outbuf *out, const struct sq_asker *a, const struct sq_why *why,
                     const struct sq_event *ev, size_t max);
