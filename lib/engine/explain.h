/* Every rule of a set asked about one event: who matched, who nearly did, and why, as a person or a
 * program wants to read it. What `squibly explain` shows; not for the daemon.
 */
#pragma once

#include "lib/rules/why.h"

/** A rule's answer; the whole of it comes from sq_explain_rule(). */
struct sq_explain_entry {
	uint32_t rule, distance;
	enum sq_verdict verdict;
	enum sq_level level;
};

struct sq_explained {
	const struct sq_event *event;
	/* Matches, the highest level first; then near ones, the nearest first; then the others of
	 * the event's log source; then those of another one. Valid until the next call. */
	const struct sq_explain_entry *list;
	uint32_t n;
	uint32_t counts[SQ_VERDICT_ELSEWHERE + 1]; /* by verdict */
};

struct sq_explain;

/** @param only  index of the one rule to ask, or -1 for all. NULL: out of memory */
struct sq_explain *sq_explain_new(struct sq_ruleset *rs, int64_t only);
void sq_explain_free(struct sq_explain *x);

/** Ask about `ev`, which must have been read with the fields of the rule set. */
void sq_explain_event(struct sq_explain *x, const struct sq_event *ev, struct sq_explained *ret);

/** One answer in full; see sq_why(). */
void sq_explain_rule(struct sq_explain *x, const struct sq_event *ev, uint32_t rule,
                     struct sq_why *ret);

const struct sq_asker *sq_explain_asker(const struct sq_explain *x);

/** Index of the rule that `name` means: an id (case does not count), else a name, else a title,
 *  else the name of its file, with or without ".yml"; the first rule of several in that file.
 *  @return -1: none; `*ret_nearest` is then the id, name, title or file that is nearest, or
 *          empty */
int64_t sq_explain_find(const struct sq_ruleset *rs, struct sq_sv name, struct sq_sv *ret_nearest);

/** Append the JSON object of an event, described in docs/formats.md: its fields, and the first
 *  `n_rules` answers. `file` and `number` say where it came from. */
void sq_explain_json(struct sq_outbuf *out, struct sq_explain *x, const struct sq_explained *e,
                     uint32_t n_rules, struct sq_sv file, uint64_t number);

/** The object of a record that could not be read. */
void sq_explain_malformed(struct sq_outbuf *out, struct sq_sv why, struct sq_sv record,
                          struct sq_sv file, uint64_t number);
