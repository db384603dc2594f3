/* Events of files through a pipeline: what scan and test have in common.
 */
#pragma once

#include "cli/input.h"
#include "lib/engine/pipeline.h"

struct cli_run;

/** Called with what the pipeline encoded, as often as there is something; `b` is to be read only.
 *  @return 0, or negative errno to stop */
typedef int cli_run_alerts_fn(void *ctx, const struct sq_batch *b);
/** Called now and then while a file is read. */
typedef void cli_run_progress_fn(void *ctx, const struct cli_input *in);

struct cli_run_opts {
	struct sq_pipeline_opts pipeline;
	uint32_t max_record;           /* bytes */
	sq_pipeline_see_fn *see;       /* each event and malformed record; may be NULL */
	cli_run_alerts_fn *alerts;     /* may be NULL */
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
