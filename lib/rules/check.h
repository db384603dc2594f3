/* What is wrong with a rule although it can be read: patterns that do not compile, and rules that
 * can never match. Private to the Sigma reader.
 */
#pragma once

#include "lib/rules/parse.h"

/** Warn when no event of the rule's log source has `field`, which `key` names. */
void sq_check_field(struct sq_parse *p, const struct sq_yaml *key, struct sq_sv field);

/**
 * Look over a whole rule: regular expressions, event ids that its category never has, a condition
 * that is never true, selections that no condition asks for.
 * @param at  where the condition stands
 */
void sq_check_rule(struct sq_parse *p, const struct sq_selections *sels, const struct sq_yaml *at);
