/* A file output in a folder of its own, and a queue that counts what it is told. */
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/output/file.h"
#include "tests/support/run_loop.h"
#include "tests/support/test.h"

struct world {
	uv_loop_t loop;
	struct sqd_output *out;
	struct sqd_output_file_cfg cfg;
	unsigned ready, sent;
	int status;
	bool sending, closed;
	char dir[64], path[96];
};

static SQ_UNUSED void on_sent(struct sqd_output *out, int status)
{
	struct world *w = out->ctx;

	assert_true(w->sending);
	w->sending = false;
	w->sent++;
	w->status = status;
}

static SQ_UNUSED void on_ready(struct sqd_output *out)
{
	((struct world *)out->ctx)->ready++;
}

static SQ_UNUSED void on_closed(struct sqd_output *out)
{
	struct world *w = out->ctx;

	assert_false(w->closed);
	w->closed = true;
}

static SQ_UNUSED bool is_ready(void *ctx)
{
	return ((struct world *)ctx)->ready > 0;
}

static SQ_UNUSED bool is_sent(void *ctx)
{
	return ((struct world *)ctx)->sent > 0;
}

static SQ_UNUSED bool is_closed(void *ctx)
{
	return ((struct world *)ctx)->closed;
}

static SQ_UNUSED void make(struct world *w, const struct sqd_output_ops *ops)
{
	*w = (struct world){ .dir = "/tmp/squibly-file-XXXXXX" };
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof(w->path), "%s/alerts.json", w->dir);
	uv_loop_init(&w->loop);
	w->cfg.path = w->path;
	w->out = calloc(1, ops->size);
	w->out->ops = ops;
	w->out->cfg = &w->cfg;
	w->out->loop = &w->loop;
	w->out->sent = on_sent;
	w->out->ready = on_ready;
	w->out->closed = on_closed;
	w->out->ctx = w;
}

static SQ_UNUSED void start(struct world *w)
{
	struct sq_err err = { 0 };

	if (w->out->ops->start(w->out, &err) < 0)
		fail_msg("%s", err.text);
}

static SQ_UNUSED void end_output(struct world *w)
{
	w->out->ops->close(w->out);
	run_until(&w->loop, is_closed, w);
	assert_false(w->sending);
	assert_int_equal(w->out->open_handles, 0);
	free(w->out);
}

static SQ_UNUSED void end(struct world *w)
{
	char old[128];

	end_output(w);
	snprintf(old, sizeof(old), "%s.1", w->path);
	(void)unlink(w->path);
	(void)unlink(old);
	assert_int_equal(rmdir(w->dir), 0);
	assert_int_equal(uv_loop_close(&w->loop), 0);
}

static SQ_UNUSED int send_text(struct world *w, struct sq_sv text)
{
	int r = w->out->ops->send(w->out, text);

	w->sending |= r == 0;
	return r;
}

static SQ_UNUSED void write_text(struct world *w, struct sq_sv text)
{
	w->sent = 0;
	assert_int_equal(send_text(w, text), 0);
	run_until(&w->loop, is_sent, w);
	assert_int_equal(w->status, 0);
}

static SQ_UNUSED void expect_file(const char *path, const char *want)
{
	char got[256] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, got, sizeof(got) - 1) >= 0);
	close(fd);
	assert_string_equal(got, want);
}

static SQ_UNUSED bool is_failing(void *ctx)
{
	struct world *w = ctx;

	return w->out->failing && w->ready > 0;
}

static SQ_UNUSED void make_fifo(struct world *w)
{
	make(w, &sqd_output_file);
	assert_int_equal(mkfifo(w->path, 0600), 0);
	w->cfg.stall_timeout = 100;
}
