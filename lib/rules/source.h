/* A rule's `logsource`: which events it is about. Private to the Sigma reader. */
#pragma once

#include "lib/rules/parse.h"

/**
 * Read category, product and service into p->rule->logsource. A source that no event of ours comes
 * from is a warning and sets `never`.
 * @return 0, or -EINVAL: reported
 */
int sq_source_read(struct sq_parse *p, const struct sq_yaml *logsource) SQ_MUST_CHECK;
