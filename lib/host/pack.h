/* Rule files to a compiled rule set, with the cache of compiled databases.
 */
#pragma once

#include "lib/host/files.h"
#include "lib/rules/ruleset.h"

/** More would wait for the largest database anyway, and each needs memory of its own. */
enum { SQ_PACK_THREADS_MAX = 4 };

struct sq_pack_opts {
	const char *const *paths; /* files and folders of Sigma rules */
	size_t n_paths;
	const char *cache; /* folder for compiled databases; NULL or "" = no cache */
	bool plain;        /* the oracle: no Hyperscan */
	unsigned threads;  /* that may compile side by side, the calling one among them; 0 is 1 */
	const atomic_bool *stop; /* nobody wants them any more (struct sq_each); or NULL */
};

/**
 * Load, check, compile; use and refresh the cache. A cache that cannot be read or written is a
 * warning in `diags`, never a failure. Every error of every file is in `diags`; one is enough to
 * refuse the pack.
 * @return 0 and one reference in `*ret`; -EINVAL with `err` = the first error and how many more;
 *         -ECANCELED: stopped
 */
int sq_pack_load(const struct sq_pack_opts *opts, struct sq_ruleset **ret,
                 struct sq_ruleset_report *report, struct sq_diags *diags,
                 struct sq_err *err) SQ_MUST_CHECK;

/** The folder of shipped patterns: SQUIBLY_PATTERNS in the environment, else `patterns/` of the
 *  source tree when the program runs from a build folder inside it, else the installed ones. */
const char *sq_pack_shipped(void);

/** Where compiled databases are cached when nothing is configured: CACHE_DIRECTORY (systemd), else
 *  XDG_CACHE_HOME/squibly, else ~/.cache/squibly; NULL when there is no such place. */
const char *sq_pack_cache(void);
