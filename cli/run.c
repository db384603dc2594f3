/* All threads do the same: claim the next piece, run it, and hand it in. What has been handed in is
 * delivered by whichever of them finds the next one there, so that no thread is kept for it, and
 * none waits for another as long as there are free pieces.
 *
 * A plain file is read ahead of time (piece.h), until a piece does not end where and how the next
 * one was taken to begin. What others have made of the rest by then is thrown away, and it is read
 * in order, by one thread at a time; the records are still run by all of them.
 */
#include "cli/run.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "cli/piece.h"

enum {
	PIECES_A_JOB = 4,
	ALONE = 4,              /* pieces that one thread runs before others are started */
	SINK_MAX = 1024 * 1024, /* bytes of text of a piece before it waits for its turn */
};

struct worker {
	struct cli_run *run;
	struct sq_pipeline *pipeline;
	struct piece *piece; /* that is being run */
	pthread_t thread;
};

struct cli_run {
	struct cli_run_opts opts;
	struct sq_ruleset *rules; /* the caller's */
	struct worker workers[CLI_RUN_JOBS];
	unsigned n_workers; /* that have a pipeline */
	unsigned n_pieces, n_ring;
	struct sq_counters counts;

	pthread_mutex_t lock; /* what follows, and opts.deliver through `delivering` */
	pthread_cond_t changed;
	struct piece *free;
	struct piece *ring[CLI_RUN_JOBS * PIECES_A_JOB]; /* handed in, by seq */
	uint64_t claimed, delivered;
	bool delivering; /* some thread has the turn */
	bool reading;    /* some thread reads in order */
	bool stopped;    /* nothing more is delivered */
	int status;
	/* Of the file that is read. */
	struct cli_input *in;
	struct sq_err *err;
	struct carry carry; /* of whoever is `reading` */
	bool ahead;         /* pieces are taken ahead of time */
	bool over;          /* no more pieces to claim; while `ahead`: unless that was in vain */
	uint64_t base, claimed_ahead, end;
};

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

static bool add_piece(struct cli_run *run)
{
	const struct sq_pipeline_opts *opts = &run->opts.pipeline;
	struct piece *p = piece_new(run->opts.max_record, opts->validate_all ? NULL : opts->sieve,
	                            run->opts.deliver != NULL);

	if (!p)
		return false;
	p->next_free = run->free;
	run->free = p;
	run->n_pieces++;
	return true;
}

static void see(void *ctx, const struct sq_event *ev, const struct sq_hits *hits, struct sq_sv raw,
                const char *why);

/* One more worker; its pieces come as they are needed. */
static bool add_worker(struct cli_run *run)
{
	struct worker *w = &run->workers[run->n_workers];

	*w = (struct worker){ .run = run };
	w->pipeline = sq_pipeline_new(run->rules, &run->opts.pipeline);
	if (!w->pipeline)
		return false;
	if (run->opts.see)
		sq_pipeline_watch(w->pipeline, see, w);
	run->n_workers++;
	return true;
}

struct cli_run *cli_run_new(struct sq_ruleset *rs, const struct cli_run_opts *opts)
{
	struct cli_run *run = calloc(1, sizeof(*run));

	if (!run)
		return NULL;
	run->opts = *opts;
	if (run->opts.jobs < 1)
		run->opts.jobs = 1;
	sq_assert(run->opts.jobs <= CLI_RUN_JOBS);
	run->n_ring = run->opts.jobs * PIECES_A_JOB;
	run->rules = sq_ruleset_ref(rs);
	pthread_mutex_init(&run->lock, NULL);
	pthread_cond_init(&run->changed, NULL);
	run->carry.bytes = malloc(piece_chunk(opts->max_record));
	if (!run->carry.bytes || !add_worker(run) || !add_piece(run)) {
		cli_run_free(run);
		return NULL;
	}
	return run;
}

void cli_run_free(struct cli_run *run)
{
	if (!run)
		return;
	for (unsigned i = 0; i < run->n_workers; i++)
		sq_pipeline_free(run->workers[i].pipeline);
	while (run->free) {
		struct piece *p = run->free;

		run->free = p->next_free;
		piece_free(p);
	}
	free(run->carry.bytes);
	pthread_cond_destroy(&run->changed);
	pthread_mutex_destroy(&run->lock);
	sq_ruleset_unref(run->rules);
	free(run);
}

/* From here on the pieces are read in order, what is behind run->end first. */
static void go_in_order(struct cli_run *run)
{
	int r;

	run->ahead = false;
	run->over = false;
	r = cli_input_seek(run->in, run->end + run->carry.n, run->err);
	if (r < 0) {
		run->status = r;
		run->over = true;
	}
}

/* It is the turn of this piece: is it what comes next in the file? */
static bool is_next(struct cli_run *run, struct piece *p)
{
	if (run->stopped || (p->ahead && !run->ahead))
		return false;
	if (!p->ahead || (!p->failed && p->start == run->end))
		return true;
	/* Behind the last piece there is nothing, and nothing is what was to be found there. */
	if (run->end == UINT64_MAX)
		return false;
	run->carry.n = 0;
	run->carry.frame =
		p->seq ? sq_frame_between(run->opts.max_record) : sq_frame_of(run->opts.max_record);
	go_in_order(run);
	return false;
}

/* A piece has been delivered: how does the file go on? */
static void note_end(struct cli_run *run, const struct piece *p)
{
	const struct sq_batch *b = p->batch;

	run->counts.bytes_in += p->bytes;
	if (!p->ahead)
		return;
	run->end = p->end;
	if (p->eof) {
		run->end = UINT64_MAX;
		run->over = true;
	} else if (!piece_is_clean(p)) {
		run->carry.n = b->tail - p->head;
		memcpy(run->carry.bytes, b->chunk + p->head, run->carry.n);
		run->carry.frame = p->frame;
		run->end -= run->carry.n;
		go_in_order(run);
	}
}

/* Deliver what there is of a piece whose turn it is, and forget it. Without the lock. */
static int deliver(struct cli_run *run, struct piece *p, const struct sq_batch *b)
{
	int r = 0;

	if (run->opts.deliver) {
		fflush(p->sink.text);
		fflush(p->sink.told);
		r = run->opts.deliver(run->opts.ctx, b, &p->sink);
	}
	piece_clear_sink(p);
	if (b) {
		sq_counters_add(&run->counts, &p->batch->counts);
		p->batch->counts = (struct sq_counters){ 0 };
		sq_batch_clear_out(p->batch);
	}
	return r;
}

static void stop(struct cli_run *run, int status)
{
	run->stopped = true;
	if (!run->status)
		run->status = status;
}

/* Wait until it is the turn of `p`, which keeps it to its end.
 * @return false: it is not wanted any more */
static bool wait_for_turn(struct cli_run *run, struct piece *p)
{
	if (p->in_turn || p->discarded)
		return p->in_turn;
	pthread_mutex_lock(&run->lock);
	while (run->delivered != p->seq || run->delivering)
		pthread_cond_wait(&run->changed, &run->lock);
	p->in_turn = is_next(run, p);
	p->discarded = !p->in_turn;
	run->delivering = p->in_turn;
	pthread_mutex_unlock(&run->lock);
	return p->in_turn;
}

/* Deliver a part of a piece before it is at its end. */
static void deliver_part(struct cli_run *run, struct piece *p, const struct sq_batch *b)
{
	int r;

	if (!wait_for_turn(run, p))
		return;
	r = run->stopped ? 0 : deliver(run, p, b);
	if (r < 0) {
		pthread_mutex_lock(&run->lock);
		stop(run, r);
		pthread_mutex_unlock(&run->lock);
	}
	p->discarded = run->stopped;
}

static void see(void *ctx, const struct sq_event *ev, const struct sq_hits *hits, struct sq_sv raw,
                const char *why)
{
	struct worker *w = ctx;
	struct cli_run *run = w->run;
	struct piece *p = w->piece;

	if (p->discarded)
		return;
	run->opts.see(run->opts.ctx, &p->sink, ev, hits, raw, why);
	if (p->sink.text && ftell(p->sink.text) + ftell(p->sink.told) > SINK_MAX)
		deliver_part(run, p, NULL);
}

static void run_piece(struct worker *w, struct piece *p)
{
	struct sq_batch *b = p->batch;

	w->piece = p;
	do {
		sq_pipeline_run(w->pipeline, b, now());
		if (!sq_batch_unfinished(b))
			return;
		deliver_part(w->run, p, b);
	} while (!p->discarded);
}

/* Hand in a piece that has been run, and deliver what has its turn. */
static void hand_in(struct cli_run *run, struct piece *p)
{
	bool mine = p->in_turn;

	pthread_mutex_lock(&run->lock);
	run->ring[p->seq % run->n_ring] = p;
	if (run->delivering && !mine) {
		pthread_mutex_unlock(&run->lock);
		return;
	}
	run->delivering = true;
	while ((p = run->ring[run->delivered % run->n_ring])) {
		run->ring[run->delivered % run->n_ring] = NULL;
		if (!p->discarded && is_next(run, p)) {
			int r;

			pthread_mutex_unlock(&run->lock);
			r = deliver(run, p, p->batch);
			if (run->opts.progress)
				run->opts.progress(run->opts.ctx, p->at, cli_input_size(run->in));
			pthread_mutex_lock(&run->lock);
			if (r < 0)
				stop(run, r);
			note_end(run, p);
		}
		p->next_free = run->free;
		run->free = p;
		run->delivered++;
		pthread_cond_broadcast(&run->changed);
	}
	run->delivering = false;
	pthread_cond_broadcast(&run->changed);
	pthread_mutex_unlock(&run->lock);
}

/* With the lock. */
static void fail(struct cli_run *run, int status)
{
	run->over = true;
	if (!run->status)
		run->status = status;
}

/* May this thread take a piece now? -1: there will be none. With the lock. */
static int may_claim(struct cli_run *run)
{
	bool idle = run->claimed == run->delivered;

	if (run->stopped || (run->over && (!run->ahead || idle)))
		return -1;
	if (run->over || (!run->free && (run->n_pieces == run->n_ring || !add_piece(run))))
		return 0;
	/* Those that were read ahead in vain must be out of the way. */
	if (!run->ahead && (run->reading || run->claimed_ahead > run->delivered))
		return 0;
	return 1;
}

/* Take a piece and read it. @return NULL: there are no more */
static struct piece *claim(struct cli_run *run)
{
	struct sq_err err = { 0 };
	struct piece *p;
	int r;

	pthread_mutex_lock(&run->lock);
	while ((r = may_claim(run)) == 0)
		pthread_cond_wait(&run->changed, &run->lock);
	if (r < 0) {
		pthread_mutex_unlock(&run->lock);
		return NULL;
	}
	p = run->free;
	run->free = p->next_free;
	piece_reset(p);
	p->seq = run->claimed++;
	p->ahead = run->ahead;
	if (p->ahead)
		run->claimed_ahead = run->claimed;
	else
		run->reading = true;
	pthread_mutex_unlock(&run->lock);

	if (p->ahead)
		r = piece_ahead(p, run->in, run->base, p->seq, run->opts.max_record, &err);
	else
		r = piece_next(p, run->in, &run->carry, &err);

	pthread_mutex_lock(&run->lock);
	if (r < 0) {
		*run->err = err;
		fail(run, r);
		p->eof = true;
	}
	if (!p->ahead) {
		run->reading = false;
		run->over = run->over || r == 0;
	} else if (p->eof && run->ahead) {
		run->over = true;
	}
	pthread_cond_broadcast(&run->changed);
	pthread_mutex_unlock(&run->lock);
	return p;
}

static void *work(void *ctx)
{
	struct worker *w = ctx;
	struct piece *p;

	while ((p = claim(w->run))) {
		run_piece(w, p);
		hand_in(w->run, p);
	}
	return NULL;
}

/* The calling thread begins alone: most files are over before others would have begun. Without
 * memory for more of them there are fewer. */
static void work_together(struct cli_run *run)
{
	struct piece *p;
	unsigned n = 1;

	for (unsigned i = 0; run->opts.jobs > 1 && i < ALONE; i++) {
		p = claim(run);
		if (!p)
			return;
		run_piece(&run->workers[0], p);
		hand_in(run, p);
	}
	while (n < run->opts.jobs && (n < run->n_workers || add_worker(run)) &&
	       pthread_create(&run->workers[n].thread, NULL, work, &run->workers[n]) == 0)
		n++;
	work(&run->workers[0]);
	while (n-- > 1)
		pthread_join(run->workers[n].thread, NULL);
}

int cli_run_file(struct cli_run *run, const char *path, struct sq_err *err)
{
	int r = cli_input_open(path, &run->in, err);

	if (r < 0)
		return r;
	run->err = err;
	run->claimed = run->delivered = run->claimed_ahead = 0;
	run->over = run->stopped = false;
	run->status = 0;
	run->carry.n = 0;
	run->carry.frame = sq_frame_of(run->opts.max_record);
	run->ahead = cli_input_is_plain(run->in, &run->base);
	run->end = run->base;
	work_together(run);
	cli_input_close(run->in);
	return run->status;
}

const struct sq_counters *cli_run_counts(const struct cli_run *run)
{
	return &run->counts;
}
