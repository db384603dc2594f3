/* The members of a JSON object by where their bytes lie, so that one can be left out, or put in,
 * without writing the others anew.
 *
 * Pure, linear, no allocation. Only strings and brackets are looked at: an object that is JSON
 * gives its members; of one that is not, no more is promised than that nothing is read beyond it.
 */
#pragma once

#include "lib/base/outbuf.h"

struct sq_member {
	struct sq_sv all; /* with the blanks around it, without the commas */
	struct sq_sv key; /* between its quotes, as it is written */
	struct sq_sv value;
};

/** Where a walk over an object is; begin with sq_members_of(). */
struct sq_members {
	const char *p, *end;
	uint32_t n; /* members that were given */
	bool more;  /* a comma was read */
};

/** `object` begins with its brace; what follows its end is of no interest. */
static inline struct sq_members sq_members_of(struct sq_sv object)
{
	sq_dassert(object.n && object.p[0] == '{');
	return (struct sq_members){ .p = object.p + 1, .end = object.p + object.n };
}

/** @return 1  `*ret` is the next member
 *          0  there are no more; m->p is behind the closing brace
 *          -EBADMSG  no JSON, or cut off */
int sq_members_next(struct sq_members *m, struct sq_member *ret) SQ_MUST_CHECK;

/** Does a key, as it is written, spell `name`? */
bool sq_member_is(struct sq_sv key, struct sq_sv name);

enum { SQ_FIELDSET_MAX = 32, SQ_FIELDSET_DEPTH = 8 };

/** Names of members: "a", or "a.b" for `b` in the object `a` or for a member that is called so. */
struct sq_fieldset {
	struct sq_sv names[SQ_FIELDSET_MAX];
	uint32_t n;
	bool keep; /* the rest is left out, instead of these */
};

/**
 * Append the members of `object` that `set` leaves, joined by commas as they stand there, without
 * the brackets.
 *
 * @param without  one more name that is left out; empty: none
 * @param ret_n    how many there are
 * @return false: `object` is no object, or does not end with its brace; `out` may hold a part of it
 */
bool sq_fieldset_write(const struct sq_fieldset *set, struct sq_sv object, struct sq_sv without,
                       struct sq_outbuf *out, uint32_t *ret_n) SQ_MUST_CHECK;
