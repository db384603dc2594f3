/* Bytes to a file, or to standard output.
 *
 * A piece is written on a thread of libuv's pool, since a slow disk or a stopped terminal must not
 * hold up the loop. It is written to its end: after a short write or an error (no space left) the
 * rest of it follows, with a pause after errors, so that no line is torn or doubled.
 *
 *   IDLE -> WRITING -> IDLE            `sent`
 *              |  ^
 *              v  |
 *            RESTING                   an error: again after RETRY_MS
 *   IDLE -> OPENING -> IDLE            SIGHUP, or it is too long or too old; between pieces
 *
 * A file that would become longer than rotate_size, or has lines of an interval that is over, is
 * moved aside by file_rotate.c before the next piece is written; when that fails, it is written on.
 * With `sync` a piece is sent when the disk has it: one fdatasync for all that gathered during the
 * one before. What fdatasync has failed for may be lost although a second call succeeds, so nothing
 * is asked twice: the file is opened anew and the whole piece written again.
 *
 * A file that somebody has removed takes nothing: it is opened anew, and until that can be it is a
 * disk that fails.
 *
 * Standard output whose reader has gone (EPIPE) is gone for good.
 *
 * A disk that does not answer (NFS whose server is away) keeps its thread of the pool, and a FIFO
 * that nobody reads gives it back with nothing done. After stall_timeout without progress the
 * output fails as for an error, but for this: nobody else can take over what the thread does, so it
 * goes on waiting, and works again when it returns.
 */
#include "daemon/output/file.h"

#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/output/file_open.h"
#include "daemon/output/file_rotate.h"
#include "lib/host/files.h"

enum {
	RETRY_MS = 1000,
	ROTATE_RETRY_MS = 10000,
	CLOCK_MAX_MS = 30000, /* a file that nothing comes for is moved so late at most */
	POLL_MS = 200,        /* a reader that does not read holds a thread no longer than this */
	PIPE_PIECE = 4096     /* poll() promises room for so much in a pipe (PIPE_BUF) */
};

enum state { FILE_IDLE, FILE_WRITING, FILE_RESTING, FILE_OPENING };

struct file_output {
	struct sqd_output base;
	enum state state;
	int fd;      /* -1: none */
	bool whole;  /* a regular file: it takes any amount at once */
	bool named;  /* there was a name for it when it was opened */
	bool ours;   /* opened by us, not standard output */
	bool wanted; /* send() said -EAGAIN: call `ready` */
	bool gone;
	bool reopen_due, rotate_due;
	bool missed;             /* the last attempt to open it anew failed: `clock` is another */
	uint64_t size;           /* of a regular file */
	int64_t period;          /* of its lines: which interval since 1970 */
	uint64_t rotate_from_ms; /* not before, since it failed */
	bool started, closing;
	struct sq_sv piece; /* p != NULL: `sent` is owed */
	size_t done;        /* bytes of it that are written */
	uv_work_t work;     /* writing, or opening; one at a time */
	uv_timer_t retry;   /* RESTING: until the next try; WRITING, OPENING: it takes long */
	bool long_already;  /* for half of stall_timeout */
	uv_timer_t clock;   /* runs when files are moved by time, or `missed` */
	/* Between the loop and the thread of `work`: the thread has them while it runs. */
	struct sq_sv job;
	int job_fd, job_result;
	size_t job_written;
	bool job_rotates, job_moved, job_unsynced, job_orphan;
	struct sqd_file_begun job_begun;
	struct stat job_stat; /* of what was opened */
	bool told;            /* that it cannot be opened anew, or moved: once, until it can */
};

static const struct sq_opt stdout_opts[] = { { 0 } };
static void next_step(struct file_output *o);

static struct file_output *self(struct sqd_output *out)
{
	return SQ_CONTAINER(out, struct file_output, base);
}

/* ---- when to move it aside --------------------------------------------------------------- */

static const struct sqd_output_file_cfg *cfg_of(const struct file_output *o)
{
	return o->base.cfg;
}

static int64_t wall_us(void)
{
	uv_timeval64_t now;

	return uv_gettimeofday(&now) < 0 ? 0 : now.tv_sec * 1000000 + now.tv_usec;
}

static int64_t period_at(const struct file_output *o, int64_t us)
{
	return us / 1000 / (int64_t)cfg_of(o)->rotate_interval;
}

/* What is known of a file that was just opened. Its last line tells how old it is; a date that is
 * still to come is nobody's. */
static void take_stock(struct file_output *o, const struct stat *st)
{
	int64_t now = wall_us(), last = (int64_t)st->st_mtim.tv_sec * 1000000;

	o->whole = S_ISREG(st->st_mode);
	o->named = st->st_nlink > 0; /* not of /dev/fd/N, perhaps */
	o->size = o->whole ? (uint64_t)st->st_size : 0;
	if (o->ours && cfg_of(o)->rotate_interval)
		o->period = period_at(o, last < now ? last : now);
}

/* Before `n` bytes are written. */
static bool should_rotate(const struct file_output *o, size_t n)
{
	if (!o->ours || !o->whole || !o->size || uv_now(o->base.loop) < o->rotate_from_ms)
		return false;
	if (cfg_of(o)->rotate_size && o->size + n > cfg_of(o)->rotate_size)
		return true;
	return cfg_of(o)->rotate_interval && period_at(o, wall_us()) > o->period;
}

static void on_clock(uv_timer_t *t)
{
	struct file_output *o = t->data;

	if (o->missed)
		o->reopen_due = true;
	else if (o->state != FILE_IDLE || o->piece.p || !should_rotate(o, 0))
		return;
	else
		o->rotate_due = true;
	o->missed = false;
	if (o->state == FILE_IDLE) /* else it is the next step */
		next_step(o);
}

/* ---- writing ----------------------------------------------------------------------------- */

/* Pool thread. Writes until it is done, or would wait long, or fails. */
static void write_job(uv_work_t *w)
{
	struct file_output *o = w->data;

	o->job_written = 0;
	o->job_result = 0;
	o->job_unsynced = false;
	o->job_orphan = o->ours && o->whole && o->named && sqd_file_is_removed(o->job_fd);
	if (o->job_orphan) {
		o->job_result = -ENOENT;
		return;
	}
	while (o->job_written < o->job.n) {
		struct sq_sv left = sq_sv_skip(o->job, o->job_written);
		struct pollfd pfd = { .fd = o->job_fd, .events = POLLOUT };
		ssize_t n;

		if (!o->whole) {
			n = poll(&pfd, 1, POLL_MS);
			if (n == 0 || (n < 0 && errno == EINTR))
				return; /* the loop decides whether to go on */
			left = sq_sv_first(left, PIPE_PIECE);
		}
		n = write(o->job_fd, left.p, left.n);
		if (n >= 0)
			o->job_written += (size_t)n;
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR) {
			o->job_orphan = errno == ESTALE; /* the same, on a server */
			o->job_result = -errno;
			return;
		}
	}
	if (o->ours && o->whole && cfg_of(o)->sync && fdatasync(o->job_fd) < 0) {
		o->job_result = -errno;
		o->job_unsynced = true;
	}
}

static void open_job(uv_work_t *w)
{
	struct file_output *o = w->data;
	const struct sqd_output_file_cfg *cfg = cfg_of(o);
	const struct sqd_rotate rotate = { .path = cfg->path,
		                           .keep = cfg->rotate_keep,
		                           .names = cfg->rotate_names };

	o->job_result = o->job_rotates ? sqd_rotate_move(&rotate, o->job_fd, wall_us()) : 0;
	o->job_moved = o->job_result == 1;
	if (o->job_result < 0)
		return;
	o->job_result = sqd_file_open_anew(cfg, o->job_fd, &o->job_begun);
	if (o->job_result >= 0 && fstat(o->job_result, &o->job_stat) < 0) {
		close(o->job_result);
		o->job_result = -errno;
	}
}

static void finish(struct file_output *o, int status)
{
	o->piece = (struct sq_sv){ 0 };
	o->base.sent(&o->base, status); /* last: it may call send() or close() */
}

static void on_retry(uv_timer_t *t)
{
	struct file_output *o = t->data;

	o->state = FILE_IDLE;
	if (o->gone)
		finish(o, SQD_OUTPUT_GONE);
	else
		next_step(o);
}

static void failed(struct file_output *o, const char *why, const char *then)
{
	sqd_output_failed(&o->base, &(struct sqd_failure){
					    .level = SQD_LOG_ERROR, .why = why, .then = then });
	if (o->base.failing)
		return;
	o->base.failing = true;
	o->base.ready(&o->base); /* last: who does not wait for a disk that fails goes on now */
}

static void write_failed(struct file_output *o, int code)
{
	if (!o->ours && code == -EPIPE) {
		sqd_log(SQD_LOG_ERROR, "%s: nobody reads it any more; alerts to it are dropped",
		        o->base.name);
		o->gone = true;
		o->state = FILE_IDLE;
		finish(o, SQD_OUTPUT_GONE);
		return;
	}
	o->state = FILE_RESTING;
	(void)uv_timer_start(&o->retry, on_retry, RETRY_MS, 0);
	failed(o, sq_strerror(code), "retrying"); /* last */
}

/* Twice half of the time: who was stopped itself finds the first half over, and the answer too. */
static void on_long(uv_timer_t *t)
{
	struct file_output *o = t->data;

	o->long_already = !o->long_already;
	if (o->long_already)
		return;
	failed(o, "it takes nothing", "waiting (stall_timeout)"); /* last */
}

/* A thread is about to write or to open. Goes on from before when that came to nothing. */
static void watch(struct file_output *o)
{
	uint64_t half = o->ours ? cfg_of(o)->stall_timeout / 2 : 0;

	if (half && !uv_is_active((uv_handle_t *)&o->retry)) {
		o->long_already = false;
		(void)uv_timer_start(&o->retry, on_long, half, half);
	}
}

static void release(struct file_output *o)
{
	sq_assert(o->base.open_handles);
	if (--o->base.open_handles == 0 && o->closing)
		o->base.closed(&o->base); /* last: it frees us */
}

/* Closing, and no work runs: tell what is owed, give back the descriptor. Once or twice. */
static void wind_up(struct file_output *o, int status)
{
	if (o->piece.p)
		finish(o, status); /* we stay alive: a handle is still open */
	if (o->ours && o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}

static void on_written(uv_work_t *w, int status)
{
	struct file_output *o = w->data;

	if (status < 0) { /* cancelled before it began */
		o->job_written = 0;
		o->job_result = status;
	}
	o->done += o->job_written;
	o->size += o->job_written;
	o->state = FILE_IDLE;
	if (o->job_written)
		(void)uv_timer_stop(&o->retry);
	if (o->closing) {
		wind_up(o, o->done == o->piece.n && !o->job_unsynced ? 0 : -ECANCELED);
		release(o);
		return;
	}
	release(o);
	if (o->job_result < 0) {
		if (o->job_unsynced || o->job_orphan) { /* nobody knows what of it there is */
			o->done = 0;
			o->reopen_due = true;
		}
		if (o->job_orphan && !o->missed) { /* else no other can be made now */
			next_step(o);
			return;
		}
		write_failed(o, o->job_result);
		return;
	}
	if (o->job_written) {
		o->base.failing = false;
		(void)sqd_output_works(&o->base, "writing works again");
	}
	if (o->done < o->piece.n) {
		next_step(o);
		return;
	}
	o->done = 0;
	if (o->reopen_due) {
		struct sqd_output *out = &o->base;

		o->piece = (struct sq_sv){ 0 };
		next_step(o); /* now OPENING: send() will say -EAGAIN */
		out->sent(out, 0);
		return;
	}
	finish(o, 0);
}

/* Whoever moved the file may pack it now, and remove it: what is written there is soon nowhere. */
static void try_again(struct file_output *o)
{
	o->missed = true;
	(void)uv_timer_start(&o->clock, on_clock, RETRY_MS, uv_timer_get_repeat(&o->clock));
}

static void on_opened(uv_work_t *w, int status)
{
	struct file_output *o = w->data;
	int r = status < 0 ? status : o->job_result;

	o->state = FILE_IDLE;
	(void)uv_timer_stop(&o->retry);
	if (r >= 0) {
		close(o->fd);
		o->fd = r;
		take_stock(o, &o->job_stat);
		o->done = o->job_begun.kept;
	} else {
		o->done -= o->job_begun.cut;
		o->size -= o->job_begun.cut;
	}
	if (o->closing) {
		wind_up(o, -ECANCELED);
		release(o);
		return;
	}
	release(o);
	if (r < 0) {
		if (!o->told)
			sqd_log(SQD_LOG_ERROR, "%s: cannot %s: %s; keeping the old one, retrying",
			        o->base.name,
			        o->job_rotates && !o->job_moved ? "move it aside" : "open it anew",
			        sq_strerror(r));
		o->told = true;
		o->rotate_from_ms = uv_now(o->base.loop) + ROTATE_RETRY_MS;
		if (!o->job_rotates || o->job_moved)
			try_again(o);
	} else {
		o->missed = o->told = false;
		sqd_log(SQD_LOG_INFO, "%s: %s", o->base.name,
		        o->job_moved ? "moved aside, and a new one begun" : "opened anew");
		if (!o->piece.p) { /* else its writing tells */
			o->base.failing = false;
			(void)sqd_output_works(&o->base, "it answers again");
		}
	}
	next_step(o);
}

/* Idle: do what is due. */
static void next_step(struct file_output *o)
{
	sq_assert(o->state == FILE_IDLE && !o->closing);
	if (o->piece.p && !o->done && should_rotate(o, o->piece.n))
		o->rotate_due = true;
	if (o->reopen_due || o->rotate_due) {
		o->job_rotates = !o->reopen_due; /* who sent SIGHUP has moved it himself */
		o->job_fd = o->fd;
		o->job_begun = (struct sqd_file_begun){ .bytes = sq_sv_first(o->piece, o->done),
			                                .size = o->size };
		o->reopen_due = o->rotate_due = false;
		o->state = FILE_OPENING;
		o->base.open_handles++; /* a request keeps us alive like a handle */
		watch(o);
		(void)uv_queue_work(o->base.loop, &o->work, open_job, on_opened);
		return;
	}
	if (o->piece.p) {
		if (o->ours && !o->size && cfg_of(o)->rotate_interval)
			o->period = period_at(o, wall_us());
		o->state = FILE_WRITING;
		o->job = sq_sv_skip(o->piece, o->done);
		o->job_fd = o->fd;
		o->base.open_handles++;
		watch(o);
		(void)uv_queue_work(o->base.loop, &o->work, write_job, on_written);
		return;
	}
	if (o->wanted) {
		o->wanted = false;
		o->base.ready(&o->base); /* last */
	}
}

static int file_send(struct sqd_output *out, struct sq_sv bytes)
{
	struct file_output *o = self(out);

	if (o->state != FILE_IDLE || o->piece.p || o->closing || !o->started) {
		o->wanted = true;
		return -EAGAIN;
	}
	sq_assert(bytes.n);
	o->piece = bytes;
	o->done = 0;
	if (o->gone) { /* told later, never from inside */
		o->state = FILE_RESTING;
		(void)uv_timer_start(&o->retry, on_retry, 0, 0);
		return 0;
	}
	next_step(o);
	return 0;
}

/* ---- life -------------------------------------------------------------------------------- */

static void file_reopen(struct sqd_output *out)
{
	struct file_output *o = self(out);

	if (!o->ours || o->closing || !o->started)
		return;
	o->reopen_due = true;
	o->told = false;
	if (o->state == FILE_RESTING) { /* perhaps that is what helps */
		(void)uv_timer_stop(&o->retry);
		o->state = FILE_IDLE;
	}
	if (o->state == FILE_IDLE)
		next_step(o);
}

static void stdout_reopen(struct sqd_output *out SQ_UNUSED)
{
}

static void make_timers(struct file_output *o)
{
	(void)uv_timer_init(o->base.loop, &o->retry); /* cannot fail */
	(void)uv_timer_init(o->base.loop, &o->clock);
	o->retry.data = o->clock.data = o;
	o->base.open_handles += 2;
}

static int begin(struct file_output *o)
{
	struct stat st = { 0 };

	make_timers(o);
	o->work.data = o;
	o->base.framing = SQD_FRAMING_LF;
	if (fstat(o->fd, &st) == 0)
		take_stock(o, &st);
	if (o->ours && cfg_of(o)->rotate_interval) {
		uint64_t each = cfg_of(o)->rotate_interval / 10;

		each = each < CLOCK_MAX_MS ? each : CLOCK_MAX_MS;
		(void)uv_timer_start(&o->clock, on_clock, each, each);
	}
	o->started = true;
	return 0;
}

static int file_check(const void *cfg, bool files, struct sq_err *err)
{
	const struct sqd_output_file_cfg *c = cfg;
	int r = files && *c->path ? sq_file_may_write(c->path, err) : 0;

	return r < 0 ? sq_err_wrap(err, r, "path") : 0;
}

static int file_start(struct sqd_output *out, struct sq_err *err)
{
	struct file_output *o = self(out);
	const struct sqd_output_file_cfg *cfg = out->cfg;

	snprintf(out->name, sizeof(out->name), "file %s", cfg->path);
	o->fd = sqd_file_open(cfg);
	if (o->fd < 0)
		return sq_err_set(err, o->fd, "output %s: %s", out->name,
		                  sqd_file_why(cfg->path, o->fd));
	o->ours = true;
	return begin(o);
}

static int stdout_start(struct sqd_output *out, struct sq_err *err SQ_UNUSED)
{
	struct file_output *o = self(out);

	snprintf(out->name, sizeof(out->name), "stdout");
	o->fd = STDOUT_FILENO;
	return begin(o);
}

static void on_timer_closed(uv_handle_t *h)
{
	struct file_output *o = h->data;

	if (o->state != FILE_WRITING && o->state != FILE_OPENING)
		wind_up(o, -ECANCELED);
	release(o);
}

static void on_clock_closed(uv_handle_t *h)
{
	release(h->data);
}

static void file_close(struct sqd_output *out)
{
	struct file_output *o = self(out);

	if (o->closing)
		return;
	o->closing = true;
	if (!o->started) { /* start() had failed: nothing is open but the promise to call back */
		make_timers(o);
		o->fd = -1;
	}
	uv_close((uv_handle_t *)&o->retry, on_timer_closed);
	uv_close((uv_handle_t *)&o->clock, on_clock_closed);
	if (o->state == FILE_WRITING || o->state == FILE_OPENING)
		(void)uv_cancel((uv_req_t *)&o->work); /* when it runs already, it soon ends */
}

const struct sqd_output_ops sqd_output_file = {
	.kind = "file",
	.size = sizeof(struct file_output),
	.cfg_size = sizeof(struct sqd_output_file_cfg),
	.opts = sqd_file_opts,
	.check = file_check,
	.start = file_start,
	.send = file_send,
	.reopen = file_reopen,
	.insist = sqd_output_no_insist,
	.close = file_close,
};

const struct sqd_output_ops sqd_output_stdout = {
	.kind = "stdout",
	.size = sizeof(struct file_output),
	.cfg_size = sizeof(struct sqd_output_stdout_cfg),
	.opts = stdout_opts,
	.check = sqd_output_no_check,
	.start = stdout_start,
	.send = file_send,
	.reopen = stdout_reopen,
	.insist = sqd_output_no_insist,
	.close = file_close,
};
