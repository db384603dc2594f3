/* The event ids that the bytes of a record tell, without reading it.
 *
 * Many words that rules need stand in records of all kinds, while the rules ask for the start of a
 * process. So records with such a word are looked at once more: at the keys under which the shapes
 * that are read (lib/model/fieldmap.c) have their event id, and the numbers behind them. Whatever
 * is not a plain number there, or no key at all, leaves the question open. Pure.
 */
#pragma once

#include "lib/rules/rule.h"
#include "lib/text/spot.h"

enum { SQ_IDS_MAX = 64 /* that a set holds; more are any */ };

struct sq_id_set {
	uint32_t list[SQ_IDS_MAX];
	uint32_t n;
	bool any;
};

/** The ids that events of a rule's log source can have. */
void sq_ids_of_source(const struct sq_logsource *ls, struct sq_id_set *ret);

/** The ids that an event can have which the rule matches: by its log source, and as far as its
 *  condition asks for some. */
void sq_ids_of_rule(const struct sq_rule *rule, struct sq_id_set *ret);

/** All of `more` go into `to`. */
void sq_ids_add(struct sq_id_set *to, const struct sq_id_set *more);

/** Have the places found where a key of an event id may end. */
void sq_ids_windows(struct sq_spot *s);

/**
 * Which ids may the event in `record` have? Of a record that is not odd (sieve_odd.h).
 * @param windows  what sq_ids_windows() made, ready
 */
void sq_ids_of_record(const struct sq_spot *windows, struct sq_sv record, struct sq_id_set *ret);

bool sq_ids_meet(const struct sq_id_set *a, const struct sq_id_set *b);
