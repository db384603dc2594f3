/* Rules: loaded at start, and again when told to, without a gap.
 *
 *   IDLE --> LOADING --> HANDING --> IDLE
 *               |                     ^     an error: the old rules stay, the findings are logged
 *               +---------------------+
 *
 * LOADING runs on a thread of libuv's pool: it reads, compiles and makes a pipeline for each worker
 * ready. HANDING ends when every worker has taken its own up, between two batches. A request that
 * comes meanwhile is remembered, once.
 */
#pragma once

#include "daemon/core/config.h"
#include "daemon/flow/sievebox.h"
#include "daemon/flow/worker.h"
#include "lib/host/pack.h"

struct sqd_rules_info {
	uint32_t rules;
	bool cached;         /* compiled databases came from the cache */
	uint64_t generation; /* 1: the first; refused ones are counted */
};

/**
 * Load the configured rules. Findings are in `diags`, what building found out too. Takes seconds
 * for thousands of rules. Any thread.
 * @param threads  that may compile side by side, and
 * @param stop     true: nobody wants them any more; or NULL (both as in struct sq_pack_opts)
 * @return 0 and one reference in `*ret`
 */
int sqd_rules_load(const struct sqd_config *cfg, unsigned threads, const atomic_bool *stop,
                   struct sq_ruleset **ret, struct sqd_rules_info *info, struct sq_diags *diags,
                   struct sq_err *err) SQ_MUST_CHECK;

struct sqd_reload;

struct sqd_reload_opts {
	uv_loop_t *loop;
	const struct sqd_config *cfg; /* kept */
	struct sqd_workers *workers;  /* kept */
	struct sqd_sievebox *sieves;  /* kept */
	struct sq_pipeline_opts pipeline;
	struct sq_counters *totals;
	/** An attempt has ended: with 0 all workers run `info`; with an error, the old ones. */
	void (*done)(void *ctx, int result, const struct sqd_rules_info *info);
	void *ctx;
};

/** NULL: out of memory. */
struct sqd_reload *sqd_reload_new(const struct sqd_reload_opts *opts);

/** The first rules, now; the workers are offered them. @return 0 or negative errno with `err` */
int sqd_reload_first(struct sqd_reload *r, struct sqd_rules_info *info,
                     struct sq_err *err) SQ_MUST_CHECK;

/** Load anew, or once more after what is going on. Main loop. */
void sqd_reload_request(struct sqd_reload *r);

/** A worker has taken up rules: look whether it was the last. Main loop. */
void sqd_reload_taken_up(struct sqd_reload *r);

/** In `done` with an error: why. One line. */
const char *sqd_reload_why(const struct sqd_reload *r);

/** `closed` is called once, later (after a load that is going on), and `r` is gone by then. The
 *  workers may be gone already. */
void sqd_reload_close(struct sqd_reload *r, void (*closed)(void *ctx), void *ctx);
