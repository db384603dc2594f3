/* Checks the fast way by the slow one, at run time and on a sample of the records.
 *
 * There are three ways from a record to its alerts, and they must give the same ones:
 *
 *   fast    sieve, skim, Hyperscan: what a pipeline does
 *   middle  yajl reads every record, Hyperscan
 *   slow    yajl reads every record, and each rule is tried as it was written
 *
 * Tests compare them on everything there is to compare; but what a site's senders send, no test has
 * seen. So now and then a record is chosen, run the fast way (or left out), and then read and
 * matched the slow way here. What only the slow way finds is given to the caller, who raises it: an
 * attack that was missed is worse than a record that took long. What only the fast way found has
 * been raised by then, and stays.
 *
 * Compared are rules by event, an event being known by where it begins in its record. A record that
 * is malformed for one way only makes no difference unless a rule matches what the other reads.
 *
 * Which records are chosen depends on a secret, so that no sender can know when nobody looks. One
 * oracle belongs to one pipeline and its thread.
 */
#pragma once

#include "lib/base/siphash.h"
#include "lib/model/reader.h"
#include "lib/rules/matcher.h"

struct sq_oracle_opts {
	uint32_t one_in; /* on average one record in so many is chosen; 0: none */
	/* Percent of the time that passes in which checks may keep a processor busy; 0 or 100: any.
	 * Needs `clock_ns`. */
	uint32_t share;
	/* How long this thread has run: asked twice for each check, and never otherwise. */
	uint64_t (*clock_ns)(void);
	uint64_t stream; /* another one for each pipeline: it chooses otherwise */
};

enum { SQ_ORACLE_WORDS = 768 }; /* what differed, in words, is shorter */

enum sq_oracle_verdict {
	SQ_ORACLE_AGREES,
	SQ_ORACLE_DISAGREES,
	SQ_ORACLE_UNDECIDED, /* too many alerts to compare, or the slow way gave up a search */
};

struct sq_oracle;

/** Keeps references to `rs`. `reader` is how the fast way reads; its limits count here too. NULL:
 *  out of memory. */
struct sq_oracle *sq_oracle_new(struct sq_ruleset *rs, const struct sq_reader_opts *reader,
                                const struct sq_oracle_opts *opts,
                                const struct sq_siphash_key *secret);
void sq_oracle_free(struct sq_oracle *o);

/** How many records go by unchecked before the next one that is chosen. */
uint64_t sq_oracle_stride(struct sq_oracle *o);

/** Time has passed: some of it may be spent on checks. Once for each batch. */
void sq_oracle_time(struct sq_oracle *o, uint64_t mono_ns);

/** A record that was chosen is about to be run. May be called again when it is begun anew.
 *  @return false: there is no time left to check it */
bool sq_oracle_begin(struct sq_oracle *o, struct sq_sv record);

/** What the fast way found in an event of the record. */
void sq_oracle_note(struct sq_oracle *o, const struct sq_event *ev, const struct sq_hits *hits);

/** Called for an event of which the slow way found more: `hits` is what the fast way did not. */
typedef void sq_oracle_missed_fn(void *ctx, const struct sq_event *ev, const struct sq_hits *hits);

/**
 * The fast way is done with the record (or has left it out): run it the slow way and compare.
 * @param a  for the events; what it held is gone afterwards
 */
enum sq_oracle_verdict sq_oracle_end(struct sq_oracle *o, struct sq_arena *a,
                                     sq_oracle_missed_fn *missed, void *ctx);

/** After SQ_ORACLE_DISAGREES: what differed, in words; valid until the next check. */
const char *sq_oracle_words(const struct sq_oracle *o);

/** The same as a line for the log: "PEER: what differed; record: its beginning", printable and
 *  terminated, cut to `cap`. The record must still be there. */
void sq_oracle_tell(const struct sq_oracle *o, const char *peer, char *to, size_t cap);
