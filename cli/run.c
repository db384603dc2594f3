#include "cli/run.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "lib/wire/frame.h"

/* Read so much at a time: small enough to be still in the cache when it is parsed. */
enum { BLOCK = 256 * 1024, RECORDS = 8192, ARENA = 2 * 1024 * 1024, OUT = 1024 * 1024 };

struct cli_run {
	struct cli_run_opts opts;
	struct sq_pipeline *pipeline;
	struct sq_batch *batch;
	struct sq_counters counts;
};

struct cli_run *cli_run_new(struct sq_ruleset *rs, const struct cli_run_opts *opts)
{
	struct cli_run *run = calloc(1, sizeof(*run));
	struct sq_batch_limits limits = {
		/* One record and its header unread, and one block behind it. */
		.chunk = opts->max_record + BLOCK + 4096,
		.records = RECORDS,
		.origins = 1,
		.arena = ARENA > opts->max_record ? ARENA : opts->max_record,
		.out = OUT,
	};

	if (!run)
		return NULL;
	run->opts = *opts;
	run->batch = sq_batch_new(&limits);
	run->pipeline = sq_pipeline_new(rs, &opts->pipeline);
	if (!run->batch || !run->pipeline) {
		cli_run_free(run);
		return NULL;
	}
	if (opts->see)
		sq_pipeline_watch(run->pipeline, opts->see, opts->ctx);
	return run;
}

void cli_run_free(struct cli_run *run)
{
	if (!run)
		return;
	sq_pipeline_free(run->pipeline);
	sq_batch_free(run->batch);
	free(run);
}

static struct sq_now now(void)
{
	struct timespec mono, wall;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &wall);
	return (struct sq_now){
		.mono_ns = (uint64_t)mono.tv_sec * 1000000000u + (uint64_t)mono.tv_nsec,
		.wall_us = (int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000,
	};
}

/* Run the records of the batch and empty it. Bytes of the chunk from `keep` on, not yet cut into
 * records, move to its front. */
static int run_batch(struct cli_run *run, uint32_t keep)
{
	struct sq_batch *b = run->batch;
	uint32_t rest = b->tail - keep;
	int r = 0;

	do {
		sq_pipeline_run(run->pipeline, b, now());
		if (b->n_alerts && run->opts.alerts)
			r = run->opts.alerts(run->opts.ctx, b);
		sq_batch_clear_out(b);
	} while (r == 0 && sq_batch_unfinished(b));
	sq_counters_add(&run->counts, &b->counts);
	if (keep && rest)
		memmove(b->chunk, b->chunk + keep, rest);
	sq_batch_reset(b);
	b->tail = rest;
	return r;
}

/* Cut what is in the chunk into records and run them. Leaves an unfinished record in front. */
static int cut(struct cli_run *run, struct sq_frame *frame, bool eof, struct sq_err *err,
               const char *path)
{
	struct sq_batch *b = run->batch;
	uint32_t head = 0;
	int origin = sq_batch_origin(b, NULL, "");

	if (origin < 0)
		return sq_err_set(err, origin, "%s: %s", path, sq_strerror(origin));
	for (;;) {
		struct sq_sv in = { b->chunk + head, b->tail - head }, rec;
		size_t used;
		int r;

		/* Room for one more is made before the frame gives it, since it gives it once. */
		if (b->n_records == b->limits.records) {
			r = run_batch(run, head);
			if (r < 0)
				return r;
			head = 0;
			origin = sq_batch_origin(b, NULL, "");
			continue;
		}
		r = sq_frame_next(frame, in, eof, &used, &rec);
		head += (uint32_t)used;
		if (r == -EMSGSIZE) {
			b->counts.received++;
			b->counts.oversized++;
			continue;
		}
		if (r == 0)
			return run_batch(run, head);
		if (r < 0)
			return sq_err_set(err, r, "%s: holds no events: these are bytes of %s",
			                  path,
			                  frame->foreign == SQ_FRAME_TLS     ? "TLS"
			                  : frame->foreign == SQ_FRAME_UTF16 ? "UTF-16 text"
			                  : frame->foreign == SQ_FRAME_LUMBERJACK
			                          ? "Lumberjack (Beats)"
			                          : "HTTP");
		b->counts.received++;
		r = sq_batch_add(b, (uint32_t)origin, rec);
		sq_assert(r == 0);
	}
}

int cli_run_file(struct cli_run *run, const char *path, struct sq_err *err)
{
	struct sq_frame frame = sq_frame_of(run->opts.max_record);
	struct sq_batch *b = run->batch;
	struct cli_input *in;
	ssize_t n;
	int r;

	r = cli_input_open(path, &in, err);
	if (r < 0)
		return r;
	/* A file that begins like another protocol is still only a file: nobody answers there. */
	b->tail = 0;
	do {
		size_t room = sq_batch_room(b);

		sq_assert(room > 0);
		n = cli_input_read(in, b->chunk + b->tail, room < BLOCK ? room : BLOCK, err);
		if (n < 0) {
			r = (int)n;
			break;
		}
		b->tail += (uint32_t)n;
		run->counts.bytes_in += (uint64_t)n;
		r = cut(run, &frame, n == 0, err, path);
		if (run->opts.progress)
			run->opts.progress(run->opts.ctx, in);
	} while (n > 0 && r == 0);
	sq_batch_reset(b);
	cli_input_close(in);
	return r;
}

const struct sq_counters *cli_run_counts(const struct cli_run *run)
{
	return &run->counts;
}
