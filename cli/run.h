/* Events of files through pipelines: what scan, test and explain have in common.
 *
 * A file is cut into pieces; each is read, cut into records and run by one of several threads, and
 * what was found is delivered in the order of the file. How it is cut depends on the file alone and
 * never on the number of threads, so neither does what comes out (piece.h, crew.h).
 */
#pragma once

#include <stdio.h>

#include "cli/input.h"
#include "lib/engine/pipeline.h"

enum { CLI_RUN_JOBS = 64 }; /* threads, at most */

struct cli_run;

/** What `see` has to say of a piece, kept until it is the turn of that piece. */
struct cli_sink {
	FILE *text; /* for standard output; NULL when there is no `deliver` */
	FILE *told; /* for standard error; NULL likewise */
	char *text_p, *told_p;
	size_t text_n, told_n; /* bytes of both, right when `deliver` is called */
	uint64_t found[SQ_LEVELS];
};

/** Called for each event and malformed record, see sq_pipeline_see_fn: with one job in the calling
 *  thread and in order, with several in any of them. Other threads are at other sinks. */
typedef void cli_run_see_fn(void *ctx, struct cli_sink *sink, const struct sq_event *ev,
                            const struct sq_hits *hits, struct sq_sv raw, const char *why);
/** Called with what has been found, in the order of the file and never twice at a time, in any of
 *  the threads. `b` is to be read only, and is NULL when there is nothing but the sink.
 *  @return 0, or negative errno to stop */
typedef int cli_run_deliver_fn(void *ctx, const struct sq_batch *b, const struct cli_sink *sink);
/** Called like cli_run_deliver_fn, for each piece. `size` 0: unknown; both of the file itself,
 * which may be packed. */
typedef void cli_run_progress_fn(void *ctx, uint64_t at, uint64_t size);

struct cli_run_opts {
	struct sq_pipeline_opts pipeline;
	uint32_t max_record;           /* bytes */
	unsigned jobs;                 /* threads, at most CLI_RUN_JOBS; 0 and 1: only the caller */
	cli_run_see_fn *see;           /* may be NULL */
	cli_run_deliver_fn *deliver;   /* may be NULL */
	cli_run_progress_fn *progress; /* may be NULL */
	void *ctx;
};

/** Keeps a reference to `rs`. NULL: out of memory. */
struct cli_run *cli_run_new(struct sq_ruleset *rs, const struct cli_run_opts *opts);
void cli_run_free(struct cli_run *run);

/** Read one file to its end. @return 0, or negative errno with `err` */
int cli_run_file(struct cli_run *run, const char *path, struct sq_err *err) SQ_MUST_CHECK;

/** What has been counted in all files. */
const struct sq_counters *cli_run_counts(const struct cli_run *run);
