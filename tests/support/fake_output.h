/* An output that does as it is told: takes, refuses, fails; keeps what it was given. */
#pragma once

#include "daemon/flow/outqueue.h"
#include "tests/support/test.h"

struct fake_output {
	struct sqd_output base;
	int answer;           /* of send(): 0, -EAGAIN, -EMSGSIZE */
	unsigned depth;       /* so many sends at a time; 0: one */
	struct sq_sv sending; /* the oldest of those in flight; p == NULL: there is none */
	struct sq_sv later[SQD_OUTPUT_SENDS]; /* the others */
	unsigned n_later;
	struct sq_outbuf got; /* what was written, one send after another */
	unsigned sends;       /* accepted */
	bool closing;
};

static int fake_start(struct sqd_output *out, struct sq_err *err)
{
	(void)out;
	(void)err;
	return 0;
}

static int fake_send(struct sqd_output *out, struct sq_sv bytes)
{
	struct fake_output *f = (struct fake_output *)(void *)out;

	assert_false(f->closing);
	if (f->answer)
		return f->answer;
	if (f->sending.p && f->n_later + 1 >= f->depth)
		return -EAGAIN;
	if (f->sending.p)
		f->later[f->n_later++] = bytes;
	else
		f->sending = bytes;
	f->sends++;
	return 0;
}

static void fake_reopen(struct sqd_output *out)
{
	(void)out;
}

static void fake_close(struct sqd_output *out)
{
	((struct fake_output *)(void *)out)->closing = true;
}

static const struct sqd_output_ops fake_ops = {
	.kind = "fake",
	.size = sizeof(struct fake_output),
	.start = fake_start,
	.send = fake_send,
	.reopen = fake_reopen,
	.insist = sqd_output_no_insist,
	.close = fake_close,
};

static inline struct fake_output *fake_new(enum sqd_framing framing)
{
	static uv_loop_t clock; /* for those that have no loop: it is never run */
	struct fake_output *f = calloc(1, sizeof(*f));

	if (!clock.data)
		assert_int_equal(uv_loop_init(&clock), 0);
	clock.data = &clock;
	f->base.loop = &clock;

	f->base.ops = &fake_ops;
	f->base.framing = framing;
	f->got = sq_outbuf_of(64 << 20);
	snprintf(f->base.name, sizeof(f->base.name), "fake");
	return f;
}

/** The oldest send in flight ends; with an error other than -EMSGSIZE, all do. */
static inline void fake_sent(struct fake_output *f, int status)
{
	struct sq_sv v = f->sending;

	assert_non_null(v.p);
	f->sending = (struct sq_sv){ 0 };
	if (status && status != -EMSGSIZE)
		f->n_later = 0;
	if (f->n_later) {
		f->sending = f->later[0];
		memmove(f->later, f->later + 1, --f->n_later * sizeof(f->later[0]));
	}
	if (!status)
		sq_outbuf_put(&f->got, v);
	f->base.sent(&f->base, status);
}

/** It can take bytes again. */
static inline void fake_ready(struct fake_output *f)
{
	f->answer = 0;
	f->base.ready(&f->base);
}

/** Let everything through that is there. */
static inline void fake_drain(struct fake_output *f)
{
	while (f->sending.p)
		fake_sent(f, 0);
}

static inline void fake_noted(void *ctx)
{
	*(bool *)ctx = true;
}

/** Close and free the queue and its output. */
static inline void fake_end(struct fake_output *f, struct sqd_outqueue *q)
{
	bool closed = false;

	sqd_outqueue_close(q, fake_noted, &closed);
	assert_true(f->closing);
	if (f->sending.p)
		fake_sent(f, -ECANCELED);
	f->base.closed(&f->base);
	assert_true(closed);
	sq_outbuf_fini(&f->got);
	sqd_outqueue_free(q);
}
