/* Where values and members of JSON end, by brackets and quotes alone.
 *
 * Private to lib/model. For texts that yajl or skim have looked at, or will: nothing here judges
 * what it steps over, and everything ends at the end of the text.
 */
#pragma once

#include "lib/base/sv.h"

/** Without the blanks (and `also`, when it is not 0) before it. */
static inline struct sq_sv sq_span_skip(struct sq_sv v, char also)
{
	while (v.n && (sq_is_space(v.p[0]) || (also && v.p[0] == also)))
		v = sq_sv_skip(v, 1);
	return v;
}

/** Bytes of the value at the front, no blank before it; v.n when it does not end. */
size_t sq_span_value(struct sq_sv v);

/** The key of the member at the front, without its quotes; `*v` is its value then. @return false:
 *  there is none, `*v` is as it was */
bool sq_span_key(struct sq_sv *v, struct sq_sv *ret_key);
