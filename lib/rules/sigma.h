/* A Sigma file to rules: log source, selections, modifiers, tags, level, condition.
 *
 * Whatever is not understood is an error with file, line and column; what can never match is a
 * warning that names the rule. Nothing is left out in silence.
 */
#pragma once

#include "lib/rules/rule.h"

/**
 * Read every document of `text` and append its rules.
 *
 * A file with an error adds none of its rules; the findings go into `diags` under `name`. Rules
 * with an id that is in `rules` already are errors.
 * @return number of rules added, -EINVAL, -ENOMEM
 */
int sq_sigma_parse(struct sq_rules *rules, struct sq_sv text, const char *name,
                   struct sq_diags *diags) SQ_MUST_CHECK;
