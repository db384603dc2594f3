/* Which producer's shape a record has, by the signs found in it. For people, not for reading: the
 * table of paths reads every shape at once. Private to lib/model. */
#pragma once

#include "lib/model/collect.h"

/** Static text. */
const char *sq_shape_of(const struct sq_collect *c);
