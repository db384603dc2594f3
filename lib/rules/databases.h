/* The Hyperscan databases of a plan: one for each group of patterns, compiled or taken from a
 * cache.
 *
 * A pattern that Hyperscan refuses is left out, with the reason, and runs one at a time (plain.h).
 *
 * A cache is bytes that this program wrote earlier, on a disk that may have gone bad. It begins
 * with a key over everything that the databases depend on (the library, the processor, every
 * pattern with its field, flags and number), and a checksum. Whatever does not fit makes it
 * useless; it is never used in part.
 */
#pragma once

#include "lib/base/each.h"
#include "lib/rules/compile.h"
#include "lib/rules/hsdb.h"

enum { SQ_CACHE_KEY = 33 }; /* 32 hex digits and the end */

/** A pattern that is not in its database, and why. */
struct sq_refusal {
	uint32_t pred;
	char *why; /* owned */
};

struct sq_refusals {
	struct sq_refusal *list;
	uint32_t n, cap;
};

struct sq_databases {
	struct sq_hsdb **list; /* by group; NULL when every pattern of it was refused */
	uint32_t n;
	struct sq_refusals refusals; /* by group, in order */
};

/**
 * Compile all, side by side where `each` does that; what comes of it does not depend on who
 * compiled what when. Marks the predicates of `plan` that are scanned. Begin with `= { 0 }`.
 * @return 0, -ENOMEM, or -ECANCELED: `each` was stopped
 */
int sq_databases_compile(struct sq_databases *dbs, struct sq_plan *plan, const struct sq_each *each,
                         struct sq_err *err) SQ_MUST_CHECK;

/** The same from a cache. @return 0; -EBADMSG: it is of no use, and nothing was changed; -ENOMEM */
int sq_databases_load(struct sq_databases *dbs, struct sq_plan *plan, struct sq_sv cache,
                      const char *key) SQ_MUST_CHECK;

/** @return 0 or -ENOMEM */
int sq_databases_save(const struct sq_databases *dbs, const struct sq_plan *plan,
                      struct sq_outbuf *out, const char *key) SQ_MUST_CHECK;

void sq_databases_fini(struct sq_databases *dbs);

/** What load and save take as `key`. */
void sq_databases_key(const struct sq_plan *plan, const struct sq_fields *fields,
                      char ret[SQ_CACHE_KEY]);
