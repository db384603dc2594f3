/* Events in a list within an object: OpenTelemetry's resourceLogs, Azure's records.
 *
 * Private to lib/model. Such an object is no event; its lists are stepped into, and what stands
 * before, between and behind them is stepped over. Nothing is remembered: whoever goes on in the
 * middle of a record sees from what is left of it where it is.
 */
#pragma once

#include "lib/model/fieldmap.h"

/** Does the object at the front of `in` have a list of events among its own members? It need not
 *  end. @param ret_inside  what stands behind the bracket of the first */
bool sq_lists_enter(const struct sq_trie *t, struct sq_sv in, struct sq_sv *ret_inside);

/** Step over the member at the front of `*in`, of a list of events over its key and bracket only.
 *  @return false: there is no member */
bool sq_lists_pass(const struct sq_trie *t, struct sq_sv *in);
