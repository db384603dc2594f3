/* Sigma's condition: a sentence over selections to an expression. Private to the Sigma reader.
 *
 *	or < and < not < 1 of / all of < ( )
 */
#pragma once

#include "lib/rules/parse.h"

/**
 * Read one condition; selections it asks for are marked as used. They are shared, not copied.
 * @param weight  comparisons so far; bounded by SQ_CONDITION_WEIGHT_MAX
 * @return NULL: reported, or out of memory
 */
const struct sq_expr *sq_condition_read(struct sq_parse *p, const struct sq_yaml *node,
                                        struct sq_selections *sels, uint32_t *weight);
