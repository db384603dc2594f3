/* Look at the members of a JSON object without reading it: for wrappers whose few members say what
 * to do with the rest (actions of _bulk, events of HEC). What is looked at later by the reader of
 * records is not judged here; brackets and quotes are all that is seen.
 *
 * Pure; nothing is copied or allocated.
 */
#pragma once

#include "lib/base/sv.h"

/** Walks over members: begin, then next until it gives 0 or an error. */
struct sq_peek {
	struct sq_sv rest;
	bool began; /* a member has been seen: a comma comes first */
};

/** @return false: `object` (blanks before it are skipped) does not begin with '{' */
bool sq_peek_begin(struct sq_peek *p, struct sq_sv object) SQ_MUST_CHECK;

/**
 * The next member.
 *
 * @param ret_key    as it is written, without its quotes
 * @param ret_value  as it is written: a string with its quotes
 * @return 1, 0: the object ends (`p->rest` is what follows it), -EBADMSG: no JSON object
 */
int sq_peek_next(struct sq_peek *p, struct sq_sv *ret_key, struct sq_sv *ret_value) SQ_MUST_CHECK;

/** The inside of a string value; empty when it is none. Escapes are left as they are. */
struct sq_sv sq_peek_string(struct sq_sv value);
