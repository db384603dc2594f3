/* One value of a selection to a comparison, as its modifiers say. Private to the Sigma reader. */
#pragma once

#include "lib/rules/modifier.h"

/**
 * @param field  number in rules->fields, or -1 for a keyword
 * @param value  a scalar
 * @return the comparison (base64offset: an OR of three), or NULL: reported, or out of memory
 */
const struct sq_expr *sq_value_expr(struct sq_parse *p, int32_t field,
                                    const struct sq_modifiers *mods, const struct sq_yaml *value);
