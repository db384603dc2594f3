/* A named part of `detection` to an expression. Private to the Sigma reader. */
#pragma once

#include "lib/rules/parse.h"

/**
 * A map is an AND over its fields, a list an OR over its members; a text is a keyword.
 * @return NULL: reported, or out of memory
 */
const struct sq_expr *sq_selection_read(struct sq_parse *p, struct sq_sv name,
                                        const struct sq_yaml *node);
