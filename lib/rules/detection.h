/* `detection` of a rule, or `filter` of a filter: selections and what they mean together. Private
 * to the Sigma reader.
 */
#pragma once

#include "lib/rules/parse.h"

/** Read selections and condition into p->rule->condition and look them over. What is wrong is
 *  reported. In a filter (p->filter) the member `rules` is left alone. */
void sq_detection_read(struct sq_parse *p, const struct sq_yaml *detection);
