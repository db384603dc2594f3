/* A Sigma file to rules and filters: log source, selections, modifiers, tags, level, condition.
 *
 * Whatever is not understood is an error with file, line and column; what can never match is a
 * warning that names the rule. Nothing is left out in silence.
 */
#pragma once

#include "lib/rules/rule.h"

/**
 * Read every document of `text` and append its rules; its filters wait for sq_sigma_finish().
 *
 * A file with an error adds none of its rules; the findings go into `diags` under `name`. Rules
 * with an id that is in `rules` already are errors.
 * @return number of rules added, -EINVAL, -ENOMEM
 */
int sq_sigma_parse(struct sq_rules *rules, struct sq_sv text, const char *name,
                   struct sq_diags *diags) SQ_MUST_CHECK;

/**
 * To be called once when every file has been read without an error, before the set is built: apply
 * the filters to the rules. A filter that names no rule of the set, or one of another log source,
 * or that applies to no rule at all, is a warning where it stands.
 * @return 0 or -ENOMEM
 */
int sq_sigma_finish(struct sq_rules *rules, struct sq_diags *diags) SQ_MUST_CHECK;
