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
 *   IDLE -> OPENING -> IDLE            SIGHUP, between pieces
 *
 * Standard output whose reader has gone (EPIPE) is gone for good.
 */
#include "daemon/output/file.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"

enum {
	RETRY_MS = 1000,
	POLL_MS = 200,    /* a reader that does not read holds a thread no longer than this */
	PIPE_PIECE = 4096 /* poll() promises room for so much in a pipe (PIPE_BUF) */
};

enum state { FILE_IDLE, FILE_WRITING, FILE_RESTING, FILE_OPENING };

struct file_output {
	struct sqd_output base;
	enum state state;
	int fd;      /* -1: none */
	bool whole;  /* a regular file: it takes any amount at once */
	bool ours;   /* opened by us, not standard output */
	bool wanted; /* send() said -EAGAIN: call `ready` */
	bool gone;
	bool reopen_due;
	bool started, closing;
	struct sq_sv piece; /* p != NULL: `sent` is owed */
	size_t done;        /* bytes of it that are written */
	uv_work_t work;     /* writing, or opening; one at a time */
	uv_timer_t retry;
	/* Between the loop and the thread of `work`: the thread has them while it runs. */
	struct sq_sv job;
	int job_fd, job_result;
	size_t job_written;
	struct sqd_log_limit limit;
};

#define AT(member) .offset = offsetof(struct sqd_output_file_cfg, member)

/* clang-format off */
static const struct sq_opt file_opts[] = {
	{ "path", SQ_OPT_STR, AT(path), .required = true,
	  .doc = "File to append to; made with mode 0640 when it is not there, opened anew on SIGHUP." },
	{ 0 }
};

static const struct sq_opt stdout_opts[] = { { 0 } };
/* clang-format on */

static void next_step(struct file_output *o);

static struct file_output *self(struct sqd_output *out)
{
	return SQ_CONTAINER(out, struct file_output, base);
}

static bool is_whole(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* A file whose last line has no end, as a killed process leaves it: end that line, so that ours do
 * not become a part of it. Who may not read the file cannot know, and appends. */
static void end_torn_line(const char *path, int fd)
{
	int in = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char last;

	if (in < 0)
		return;
	if (lseek(in, -1, SEEK_END) >= 0 && read(in, &last, 1) == 1 && last != '\n')
		(void)!write(fd, "\n", 1); /* what fails here fails again with the first alert */
	close(in);
}

static int open_file(const char *path)
{
	/* O_NONBLOCK: a FIFO without a reader is an error and no endless wait. */
	int fd =
		open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);

	if (fd < 0)
		return -errno;
	if (is_whole(fd))
		end_torn_line(path, fd);
	return fd;
}

/* ---- writing ----------------------------------------------------------------------------- */

/* Pool thread. Writes until it is done, or would wait long, or fails. */
static void write_job(uv_work_t *w)
{
	struct file_output *o = w->data;

	o->job_written = 0;
	o->job_result = 0;
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
			o->job_result = -errno;
			return;
		}
	}
}

static void open_job(uv_work_t *w)
{
	struct file_output *o = w->data;
	const struct sqd_output_file_cfg *cfg = o->base.cfg;

	o->job_result = open_file(cfg->path);
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
	sqd_log_limited(&o->limit, SQD_LOG_ERROR, "%s: %s; retrying", o->base.name,
	                sq_strerror(code));
	o->base.failing = true;
	o->state = FILE_RESTING;
	(void)uv_timer_start(&o->retry, on_retry, RETRY_MS, 0);
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
	o->state = FILE_IDLE;
	if (o->closing) {
		wind_up(o, o->done == o->piece.n ? 0 : -ECANCELED);
		release(o);
		return;
	}
	release(o);
	if (o->job_result < 0) {
		write_failed(o, o->job_result);
		return;
	}
	if (o->base.failing && o->job_written) {
		sqd_log(SQD_LOG_NOTICE, "%s: writing works again", o->base.name);
		o->base.failing = false;
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

static void on_opened(uv_work_t *w, int status)
{
	struct file_output *o = w->data;
	int r = status < 0 ? status : o->job_result;

	o->state = FILE_IDLE;
	if (r >= 0) {
		close(o->fd);
		o->fd = r;
		o->whole = is_whole(r);
		/* What was begun in the old file is written anew, as a whole, into this one. */
		o->done = 0;
	}
	if (o->closing) {
		wind_up(o, -ECANCELED);
		release(o);
		return;
	}
	release(o);
	if (r < 0)
		sqd_log(SQD_LOG_ERROR, "%s: cannot open it anew: %s; keeping the old one",
		        o->base.name, sq_strerror(r));
	else
		sqd_log(SQD_LOG_INFO, "%s: opened anew", o->base.name);
	next_step(o);
}

/* Idle: do what is due. */
static void next_step(struct file_output *o)
{
	sq_assert(o->state == FILE_IDLE && !o->closing);
	if (o->reopen_due) {
		o->reopen_due = false;
		o->state = FILE_OPENING;
		o->base.open_handles++; /* a request keeps us alive like a handle */
		(void)uv_queue_work(o->base.loop, &o->work, open_job, on_opened);
		return;
	}
	if (o->piece.p) {
		o->state = FILE_WRITING;
		o->job = sq_sv_skip(o->piece, o->done);
		o->job_fd = o->fd;
		o->base.open_handles++;
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

static int begin(struct file_output *o)
{
	(void)uv_timer_init(o->base.loop, &o->retry); /* cannot fail */
	o->retry.data = o;
	o->work.data = o;
	o->base.open_handles++;
	o->base.framing = SQD_FRAMING_LF;
	o->whole = is_whole(o->fd);
	o->started = true;
	return 0;
}

static int file_start(struct sqd_output *out, struct sq_err *err)
{
	struct file_output *o = self(out);
	const struct sqd_output_file_cfg *cfg = out->cfg;

	snprintf(out->name, sizeof(out->name), "file %s", cfg->path);
	o->fd = open_file(cfg->path);
	if (o->fd < 0)
		return sq_err_set(err, o->fd, "output %s: %s", out->name, sq_strerror(o->fd));
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

static void file_close(struct sqd_output *out)
{
	struct file_output *o = self(out);

	if (o->closing)
		return;
	o->closing = true;
	if (!o->started) { /* start() had failed: nothing is open but the promise to call back */
		(void)uv_timer_init(out->loop, &o->retry);
		o->retry.data = o;
		out->open_handles++;
		o->fd = -1;
	}
	uv_close((uv_handle_t *)&o->retry, on_timer_closed);
	if (o->state == FILE_WRITING || o->state == FILE_OPENING)
		(void)uv_cancel((uv_req_t *)&o->work); /* when it runs already, it soon ends */
}

const struct sqd_output_ops sqd_output_file = {
	.kind = "file",
	.size = sizeof(struct file_output),
	.cfg_size = sizeof(struct sqd_output_file_cfg),
	.opts = file_opts,
	.start = file_start,
	.send = file_send,
	.reopen = file_reopen,
	.close = file_close,
};

const struct sqd_output_ops sqd_output_stdout = {
	.kind = "stdout",
	.size = sizeof(struct file_output),
	.cfg_size = sizeof(struct sqd_output_stdout_cfg),
	.opts = stdout_opts,
	.start = stdout_start,
	.send = file_send,
	.reopen = stdout_reopen,
	.close = file_close,
};
