/* An output that does as it is told: takes, refuses, fails; keeps what it was given. */
#pragma once

#include "daemon/flow/outqueue.h"
#include "tests/support/test.h"

struct fake_output {
	struct sqd_output base;
	int answer;           /* of send(): 0, -EAGAIN, -EMSGSIZE */
	struct sq_sv sending; /* p != NULL: a send is in flight */
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

	assert_null(f->sending.p);
	assert_false(f->closing);
	if (f->answer)
		return f->answer;
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
	.close = fake_close,
};

static inline struct fake_output *fake_new(enum sqd_framing framing)
{
	struct fake_output *f = calloc(1, sizeof(*f));

	f->base.ops = &fake_ops;
	f->base.framing = framing;
	f->got = sq_outbuf_of(64 << 20);
	snprintf(f->base.name, sizeof(f->base.name), "fake");
	return f;
}

/** The send in flight ends. */
static inline void fake_sent(struct fake_output *f, int status)
{
	struct sq_sv v = f->sending;

	assert_non_null(v.p);
	f->sending = (struct sq_sv){ 0 };
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
