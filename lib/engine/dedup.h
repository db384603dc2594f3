/* The same event once more: senders that were not answered send again what may have arrived.
 *
 * An event is known by computer, channel, record id and provider. But whoever may send events may
 * also claim another's record id, to have a real event left out; so an event is a repeat only if
 * the same sender (as far as one is proved) sent it for the same tenant, all fields that are known
 * have the same values, it is as long, and the same rules matched. Bytes are not compared: a sender
 * may write its keys in another order. Keys are keyed hashes, so that nobody can make two events
 * meet who could not send them alike. Bounded: the oldest is forgotten.
 */
#pragma once

#include "lib/base/siphash.h"
#include "lib/model/batch.h"
#include "lib/rules/matcher.h"

/** Key of an event, of who sent it and for whom (of `from` identity and tenant count, so that it is
 * the same over another connection) and of what rules found in it.
 * @return false: it has none, since the event does not say who it is, or more rules matched than
 * are told of */
bool sq_dedup_key(const struct sq_siphash_key *secret, const struct sq_event *ev,
                  const struct sq_origin *from, const struct sq_hits *hits,
                  const struct sq_ruleset *rules, uint64_t ret[2]);

struct sq_dedup;

/** Remembers the last `events`, at least one. All memory is allocated here. NULL: out of memory. */
struct sq_dedup *sq_dedup_new(uint32_t events);
void sq_dedup_free(struct sq_dedup *d);

/** @return true: `key` is remembered; false: it is from now on */
bool sq_dedup_seen(struct sq_dedup *d, const uint64_t key[2]);
