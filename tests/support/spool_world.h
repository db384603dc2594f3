/* A queue with a spool, before an output that does as it is told. */
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/fake_output.h"
#include "tests/support/run_loop.h"
#include "tests/unit/host/scratch.h"

enum { SPOOL_WORLD_DEADLINE_MS = 60000 };

struct world {
	uv_loop_t loop;
	uv_timer_t deadline;
	struct fake_output *f;
	struct sqd_outqueue *q;
	const char *folder;
	char *dir;
	bool closed, late;
};

/** How a queue is opened; 0: the usual. */
struct queue_opts {
	uint64_t max, size; /* bytes, of the memory and of the file; 1 MiB */
	uint32_t repeats;   /* a million */
	bool drop_oldest;
};

static inline void spool_world_on_deadline(uv_timer_t *t)
{
	struct world *w = t->data;

	w->late = true;
	uv_stop(&w->loop);
}

/** A loop, an output, and a queue that has no spool yet. */
static inline void begin_world(struct world *w, const char *folder, uint64_t max)
{
	*w = (struct world){ 0 };
	assert_int_equal(uv_loop_init(&w->loop), 0);
	(void)uv_timer_init(&w->loop, &w->deadline);
	w->deadline.data = w;
	(void)uv_timer_start(&w->deadline, spool_world_on_deadline, SPOOL_WORLD_DEADLINE_MS, 0);
	uv_unref((uv_handle_t *)&w->deadline);
	w->folder = folder;
	w->dir = scratch_path(folder, "spool");
	w->f = fake_new(SQD_FRAMING_LF);
	w->f->base.loop = &w->loop;
	w->q = sqd_outqueue_new(&w->f->base, max ? max : 1 << 20);
	assert_non_null(w->q);
}

static inline int give_spool(struct world *w, struct queue_opts o)
{
	struct sqd_outqueue_spool opts = { .dir = w->dir,
		                           .size = o.size ? o.size : 1 << 20,
		                           .interval_ms = 1,
		                           .repeats = o.repeats ? o.repeats : 1000000,
		                           .drop_oldest = o.drop_oldest,
		                           .marks = w->folder };

	return sqd_outqueue_spool(w->q, &opts, NULL);
}

static inline void open_queue(struct world *w, const char *folder, struct queue_opts o)
{
	begin_world(w, folder, o.max);
	assert_int_equal(give_spool(w, o), 0);
}

/** One turn of the loop, or a failure when all this takes too long. */
static inline void turn(struct world *w, uv_run_mode mode)
{
	(void)uv_run(&w->loop, mode);
	if (w->late)
		fail_msg("it did not happen within %d ms", SPOOL_WORLD_DEADLINE_MS);
}

/** Until nothing is left to be done, which is no state to be busy in. */
static inline void until_idle(struct world *w)
{
	turn(w, UV_RUN_DEFAULT);
}

/** @return how many waited in the end */
static inline uint64_t close_queue(struct world *w)
{
	uint64_t waiting;

	sqd_outqueue_close(w->q, fake_noted, &w->closed);
	while (w->f->sending.p)
		fake_sent(w->f, -ECANCELED);
	w->f->base.closed(&w->f->base);
	while (!w->closed)
		turn(w, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&w->deadline, NULL);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	waiting = sqd_outqueue_waiting(w->q);
	sq_outbuf_fini(&w->f->got);
	sqd_outqueue_free(w->q);
	free(w->dir);
	return waiting;
}

static inline int push(struct world *w, unsigned n, size_t len)
{
	char text[4096];
	struct sqd_message m = { .text = { text, len }, .id = { 7, n }, .key = SQ_SV("ws-1") };

	memset(text, 'x', sizeof(text));
	snprintf(text, sizeof(text), "%06u", n);
	text[6] = ' ';
	return sqd_outqueue_push(w->q, &m);
}

/** From `first` on, waiting for room if need be. */
static inline void push_all(struct world *w, unsigned first, unsigned end, size_t len)
{
	while (first < end)
		if (push(w, first, len))
			turn(w, UV_RUN_ONCE);
		else
			first++;
}

static inline bool all_passed(const struct world *w)
{
	return sqd_outqueue_passed(w->q) == sqd_outqueue_taken(w->q);
}

static inline void until_passed(struct world *w)
{
	while (!all_passed(w))
		turn(w, UV_RUN_ONCE);
}

/** Answer every send until `n` messages in all have arrived. */
static inline void deliver(struct world *w, uint64_t n)
{
	while (sqd_outqueue_counts(w->q)->sent < n) {
		while (w->f->sending.p)
			fake_sent(w->f, 0);
		turn(w, UV_RUN_NOWAIT);
	}
}

/** Of the lines that have arrived, all of `len` bytes. */
static inline unsigned nth(const struct world *w, size_t line, size_t len)
{
	return (unsigned)strtoul(w->f->got.p + line * (len + 1), NULL, 10);
}

static inline void assert_arrived(const struct world *w, unsigned end, size_t len)
{
	for (unsigned i = 0; i < end; i++)
		assert_int_equal(nth(w, i, len), i);
}

static inline uint64_t metric(const struct world *w, const char *name)
{
	struct sqd_metrics m = { .n = 0 };

	sqd_outqueue_metrics(w->q, 0, &m);
	for (size_t i = 0; i < m.n; i++)
		if (strcmp(m.rows[i].name, name) == 0)
			return m.rows[i].value;
	fail_msg("no %s", name);
	return 0;
}
