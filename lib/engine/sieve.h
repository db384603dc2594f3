/* Leaves out records that no rule can match, by looking at their bytes only.
 *
 * Nearly every record is of no interest, and finding that out by reading it is what a program like
 * this would spend its time on. Of the rules it is known which words must stand in a record for one
 * of them to match (sieve_plan.h), and which signs make a record say something else than it spells
 * (sieve_odd.h). One pass over the bytes of a batch looks for both; a record that has neither
 * cannot give an alert. docs/sieve.md says why that is sound, and what is not noticed of a record
 * that is left out.
 *
 * Constant and counted: made once for a rule set, used by all threads.
 */
#pragma once

#include "lib/engine/sieve_plan.h"
#include "lib/model/batch.h"

struct sq_sieve;

/** Keeps nothing of `rs`. Cold path.
 *  @param generation  not 0; tells this sieve from others, for those who have several
 *  @return NULL: out of memory */
struct sq_sieve *sq_sieve_new(const struct sq_ruleset *rs, uint64_t generation);
struct sq_sieve *sq_sieve_ref(struct sq_sieve *s);
void sq_sieve_unref(struct sq_sieve *s);

/** It leaves nothing out: some rule promises nothing, or the words are too many. */
bool sq_sieve_is_open(const struct sq_sieve *s);

uint64_t sq_sieve_generation(const struct sq_sieve *s);

const struct sq_sieve_plan *sq_sieve_plan(const struct sq_sieve *s);

/** Write `left_out` of the records of `b` from `first` on. */
void sq_sieve_run(const struct sq_sieve *s, struct sq_batch *b, uint32_t first);

/** The same of one record, byte by byte: what sq_sieve_run() must agree with. */
bool sq_sieve_keeps(const struct sq_sieve *s, struct sq_sv record);
