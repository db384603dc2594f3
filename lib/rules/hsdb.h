/* One Hyperscan database: compile, save, load, scan. The only module that knows Hyperscan.
 *
 * Patterns are bytes, never UTF-8 mode, so that case is folded in ASCII only and invalid UTF-8 is
 * an ordinary value. Each pattern reports at most once for a scan. A database is constant and may
 * be shared by threads; scratch belongs to one thread.
 */
#pragma once

#include "lib/base/err.h"
#include "lib/base/outbuf.h"

enum sq_hs_flag {
	SQ_HS_CASELESS = 1u << 0,
	SQ_HS_MULTILINE = 1u << 1,
	SQ_HS_DOTALL = 1u << 2,
};

struct sq_hs_pattern {
	const char *text; /* borrowed */
	unsigned flags;   /* enum sq_hs_flag */
	uint32_t id;      /* what a hit reports */
};

struct sq_hsdb;
struct sq_hs_scratch;

/** This processor can run Hyperscan at all (SSSE3). */
bool sq_hsdb_usable(void);

/** Version of the library and what the processor offers, as bytes: part of a cache's key. */
void sq_hsdb_identity(struct sq_outbuf *out);

/**
 * Would Hyperscan take this pattern? Much faster than compiling it, but no promise: what is too
 * large shows when it is compiled.
 * @return 0; -EINVAL: refused, and `err` has Hyperscan's reason; -ENOMEM
 */
int sq_hsdb_check(const struct sq_hs_pattern *pattern, struct sq_err *err) SQ_MUST_CHECK;

/**
 * About how many characters an expression has once its repeats are written out, as Hyperscan does:
 * time and memory to compile grow with this, up to minutes. UINT32_MAX when there are more.
 */
uint32_t sq_hsdb_unrolled(const char *expression);

/**
 * Compile; may take long.
 * @return 0 and a database; -EINVAL: refused, `*ret_bad` is the index of the pattern that was, or
 *         `n` when they are too much together, and `err` has Hyperscan's reason; -ENOMEM
 */
int sq_hsdb_new(const struct sq_hs_pattern *patterns, uint32_t n, struct sq_hsdb **ret,
                uint32_t *ret_bad, struct sq_err *err) SQ_MUST_CHECK;
void sq_hsdb_free(struct sq_hsdb *db);

/** Append the database as bytes. @return 0 or -ENOMEM */
int sq_hsdb_save(const struct sq_hsdb *db, struct sq_outbuf *out) SQ_MUST_CHECK;
/** @return 0; -EBADMSG: not a database of this version and processor; -ENOMEM */
int sq_hsdb_load(struct sq_sv bytes, struct sq_hsdb **ret) SQ_MUST_CHECK;

/** Make scratch fit `db` too; `*s` begins as NULL. @return 0 or -ENOMEM */
int sq_hs_scratch_grow(struct sq_hs_scratch **s, const struct sq_hsdb *db) SQ_MUST_CHECK;
void sq_hs_scratch_free(struct sq_hs_scratch *s);

typedef void sq_hs_hit_fn(void *ctx, uint32_t id);

/** Call `hit` for every pattern found in `text`. @return 0; -EIO: the scan failed, hits may be
 *  missing. No allocation. */
int sq_hsdb_scan(const struct sq_hsdb *db, struct sq_hs_scratch *s, struct sq_sv text,
                 sq_hs_hit_fn *hit, void *ctx) SQ_MUST_CHECK;
