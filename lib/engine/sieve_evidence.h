/* What the bytes of a record must hold for a comparison to be true. Private to the sieve. */
#pragma once

#include "lib/base/arena.h"
#include "lib/rules/rule.h"

/** A record that is of interest holds one of these words, or is odd. No words: it is odd. */
struct sq_need {
	struct sq_sv *words;
	uint32_t n;
};

enum { SQ_NEEDS_MAX = 4 };

/** All of them hold. None: nothing is promised. */
struct sq_needs {
	struct sq_need list[SQ_NEEDS_MAX];
	uint32_t n;
	bool never; /* no event can be meant */
};

/** What a record must hold for `p` to be true of its event. Memory from `a`; when it is full less
 *  is promised. */
void sq_evidence_of_pred(struct sq_arena *a, const struct sq_pred *p, struct sq_needs *ret);

/** What it must hold to be of a rule's log source. */
void sq_evidence_of_source(struct sq_arena *a, const struct sq_logsource *ls, struct sq_needs *ret);
