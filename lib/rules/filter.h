/* Sigma filters: what a site leaves out of rules that are not its own. Private to the Sigma reader.
 *
 * A filter's condition is ANDed as it is written to the conditions of the rules it applies to, as
 * pySigma does. (The example in the specification, `condition: selection`, would so keep only what
 * it means to leave out; a condition without `not` is therefore a warning.) Rules and filters may
 * come in any order and any file, so filters wait in the set until everything has been read.
 */
#pragma once

#include "lib/rules/parse.h"

/** Read document `map`, whose member `filter` is `node`, and whose metadata are in p->rule. What is
 *  wrong is reported; else the filter is added to p->rules. */
void sq_filter_read(struct sq_parse *p, const struct sq_yaml *map, const struct sq_yaml *node);

/** Apply the filters that wait in `rules` and forget them. See sq_sigma_finish(). */
int sq_filters_apply(struct sq_rules *rules, struct sq_diags *diags) SQ_MUST_CHECK;
