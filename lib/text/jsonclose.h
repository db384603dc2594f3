/* Make JSON that was cut off on its way whole again, as far as it came. */
#pragma once

#include "lib/base/sv.h"

/** Bytes that sq_json_close() may add. */
enum { SQ_JSON_CLOSE_MORE = 320 };

/**
 * Copy `cut`, an object or array without its end, and end it: the open string, the open brackets. A
 * key without a value gets null, and so does a number or word at the end, since more of it may have
 * followed. Only brackets and quotes are looked at; whether it is JSON its reader will say.
 *
 * @param to  room for cut.n + SQ_JSON_CLOSE_MORE bytes
 * @return length, or 0: it is whole, or nested too deep
 */
size_t sq_json_close(struct sq_sv cut, char *to);
