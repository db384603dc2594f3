/* JSON whose values say their type, as OpenTelemetry's protocol has them, to plain JSON.
 *
 *   {"kvlistValue":{"values":[{"key":"id","value":{"intValue":"4688"}}]}}  ->  {"id":"4688"}
 *
 * Private to lib/model. Texts and numbers are copied as they stand, escapes and all; what has no
 * type stays what it is.
 */
#pragma once

#include "lib/base/arena.h"

/** `in` is a whole object or array that has been read as JSON. The result is never longer, and in
 *  the arena. @return false: no room */
bool sq_typed_plain(struct sq_sv in, struct sq_arena *a, struct sq_sv *ret);
