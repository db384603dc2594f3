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

/** A record is left out: is it to be checked all the same? */
typedef bool sq_sieve_chosen_fn(void *ctx);

/**
 * Cut `text` into lines: what sq_frame_next(), between two records, and sq_sieve_run() make of it
 * in two passes, in one. Those that may match, and those that are chosen of the others, become
 * records of `b`, of the origin, views of `text`: the caller moves them into the chunk. The rest is
 * counted as clean and left_out; the origin has all of them.
 *
 * Only of lines as nearly all are: from '{' to '}' and LF or CR LF, at most `max_record` bytes
 * without that. Whoever writes to `text` meanwhile may change what is found, no more.
 *
 * @param chosen     NULL: none is checked
 * @param ret_lines  how many, on success
 * @return false: some line is not like that, or has very many places to be looked at, or they do
 * not fit, or there are words that have to be searched for one by one; `b` is as it was
 */
bool sq_sieve_lines(const struct sq_sieve *s, struct sq_batch *b, uint32_t origin,
                    struct sq_sv text, uint32_t max_record, sq_sieve_chosen_fn *chosen, void *ctx,
                    uint32_t *ret_lines);

/** The same of one record, byte by byte: what sq_sieve_run() must agree with. */
bool sq_sieve_keeps(const struct sq_sieve *s, struct sq_sv record);
