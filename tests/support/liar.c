/* Linked into a squiblyd of the tests only, before Hyperscan: it finds nothing in texts that hold
 * "blind spot", so that the checks have something to find. */
#include "lib/rules/hsdb.h"

int __real_sq_hsdb_scan(const struct sq_hsdb *db, struct sq_hs_scratch *s, struct sq_sv text,
                        sq_hs_hit_fn *hit, void *ctx);
int __wrap_sq_hsdb_scan(const struct sq_hsdb *db, struct sq_hs_scratch *s, struct sq_sv text,
                        sq_hs_hit_fn *hit, void *ctx);

int __wrap_sq_hsdb_scan(const struct sq_hsdb *db, struct sq_hs_scratch *s, struct sq_sv text,
                        sq_hs_hit_fn *hit, void *ctx)
{
	if (sq_sv_find(text, SQ_SV("blind spot")) != SIZE_MAX)
		return 0;
	return __real_sq_hsdb_scan(db, s, text, hit, ctx);
}
