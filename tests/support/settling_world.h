/* A router, its queues before fake outputs, and receipts that wait until those have sent. Include
 * it in one file of a program.
 */
#pragma once

#include "daemon/flow/router.h"
#include "daemon/flow/settling.h"
#include "tests/support/fake_output.h"

enum { BATCHES = 8, QUEUES = 3, QUEUE_BYTES = 96, QUEUES_KNOWN = 5 };

struct window;

/* A router before fake outputs, and batches made by hand: the last output may drop, the others
 * block. `offered` is all that an output was or will be given. */
struct fixture {
	uv_loop_t loop;
	struct fake_output *out[QUEUES], *grave;
	struct sqd_outqueue *queue[QUEUES], *dead;
	struct sqd_router *router;
	struct sqd_settling *settling;
	struct sq_counters totals;
	struct sq_batch *batch[BATCHES];
	bool busy[BATCHES];
	uint64_t offered[QUEUES + 1]; /* bytes */
	bool gone[QUEUES];
	unsigned live; /* windows not yet freed */
	unsigned settled, lost;
	bool closed;
};

/* What one sender sends before it waits for an answer. */
struct window {
	struct sqd_receipt receipt;
	struct fixture *f;
	uint64_t until[QUEUES + 1]; /* bytes of each output that must be sent before the answer */
	bool open;                  /* there is more to come */
	bool promised;              /* something was raised for it that outputs must have sent */
};

static inline void on_settled(struct sqd_receipt *r)
{
	struct window *w = (struct window *)(void *)r;
	struct fixture *f = w->f;

	f->settled++;
	f->lost += r->lost;
	if (r->until_sent && w->promised && !r->lost) {
		for (int i = 0; i < QUEUES - 1; i++)
			assert_true(f->gone[i] || f->out[i]->got.len >= w->until[i]);
		assert_true(f->grave->got.len >= w->until[QUEUES] || f->grave->base.failing);
	}
	if (w->open)
		return;
	memset(w, 0xa5, sizeof(*w)); /* whoever looks at it again will see */
	free(w);
	f->live--;
}

static inline struct window *window_new(struct fixture *f, bool until_sent)
{
	struct window *w = calloc(1, sizeof(*w));

	*w = (struct window){ .receipt = { .settled = on_settled, .until_sent = until_sent },
		              .f = f,
		              .open = true };
	f->live++;
	return w;
}

static inline void window_close(struct window *w)
{
	w->open = false;
	if (!w->receipt.unsettled)
		on_settled(&w->receipt);
}

static inline void on_released(void *ctx, struct sq_batch *b)
{
	struct fixture *f = ctx;

	sqd_settling_batch(f->settling, b, b->n_alerts || b->n_dead);
	sq_batch_reset(b);
	for (int i = 0; i < BATCHES; i++)
		if (f->batch[i] == b)
			f->busy[i] = false;
}

static inline void on_progress(void *ctx)
{
	(void)ctx;
}

static inline void setup(struct fixture *f, uint64_t queue_bytes, const struct sq_fold_limits *fold)
{
	const struct sq_batch_limits limits = {
		.chunk = 4096, .records = 64, .origins = 16, .arena = 4096, .out = 4096
	};
	struct sqd_route routes[QUEUES];
	struct sqd_router_opts opts = { .loop = &f->loop,
		                        .routes = routes,
		                        .n_routes = QUEUES,
		                        .batches = BATCHES,
		                        .fold = fold,
		                        .totals = &f->totals,
		                        .released = on_released,
		                        .progress = on_progress,
		                        .ctx = f };

	*f = (struct fixture){ 0 };
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->settling = sqd_settling_new(QUEUES_KNOWN);
	assert_non_null(f->settling);
	for (int i = 0; i < QUEUES; i++) {
		f->out[i] = fake_new(i == 1 ? SQD_FRAMING_MESSAGE : SQD_FRAMING_LF);
		f->queue[i] = sqd_outqueue_new(&f->out[i]->base, queue_bytes);
		routes[i] = (struct sqd_route){
			.queue = f->queue[i],
			.format = SQ_FORMAT_JSON,
			.when_full = i == QUEUES - 1 ? SQD_FULL_DROP_NEWEST : SQD_FULL_BLOCK,
		};
		if (i < QUEUES - 1)
			sqd_settling_await(f->settling, f->queue[i], true);
	}
	f->grave = fake_new(SQD_FRAMING_LF);
	f->dead = opts.dead_letters = sqd_outqueue_new(&f->grave->base, 1 << 20);
	sqd_settling_await(f->settling, f->dead, false);
	for (int i = 0; i < BATCHES; i++)
		f->batch[i] = sq_batch_new(&limits);
	f->router = sqd_router_new(&opts);
	assert_non_null(f->router);
}

static inline void teardown(struct fixture *f)
{
	assert_int_equal(f->live, 0);
	assert_int_equal(sqd_settling_waiting(f->settling), 0);
	sqd_router_close(f->router, fake_noted, &f->closed);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(f->closed);
	for (int i = 0; i < QUEUES; i++)
		fake_end(f->out[i], f->queue[i]);
	fake_end(f->grave, f->dead);
	sqd_settling_free(f->settling);
	for (int i = 0; i < BATCHES; i++)
		sq_batch_free(f->batch[i]);
	assert_int_equal(uv_loop_close(&f->loop), 0);
}

static inline struct sq_batch *free_batch(struct fixture *f)
{
	for (int i = 0; i < BATCHES; i++) {
		if (!f->busy[i]) {
			f->busy[i] = true;
			return f->batch[i];
		}
	}
	return NULL;
}

/* A record of the window, in the batch. */
static inline void add_record(struct sq_batch *b, struct window *w)
{
	uint32_t i = 0;

	while (i < b->n_origins && b->origins[i].receipt != &w->receipt)
		i++;
	if (i == b->n_origins)
		assert_int_equal(sq_batch_origin(b, &w->receipt, "192.0.2.1:1"), i);
	assert_int_equal(sq_batch_add(b, i, (struct sq_sv){ b->chunk, 1 }), 0);
	sqd_receipt_owe(&w->receipt, 1);
}

/* An alert, or a dead letter; everybody in the batch waits for it. */
static inline void add_alert(struct fixture *f, struct sq_batch *b, const char *text)
{
	size_t n = strlen(text);
	struct sq_alert_ref *al = &b->alerts[b->n_alerts++];

	*al = (struct sq_alert_ref){ .level = SQ_LEVEL_HIGH,
		                     .fold_key = { (unsigned char)text[0], 1 } };
	al->text[SQ_FORMAT_JSON].at = (uint32_t)b->out.len;
	al->text[SQ_FORMAT_JSON].n = (uint32_t)n;
	sq_outbuf_put(&b->out, sq_sv_of(text));
	for (int i = 0; i < QUEUES; i++) /* `got` holds what was given to send() */
		f->offered[i] += n + (f->out[i]->base.framing == SQD_FRAMING_LF);
}

static inline void add_dead(struct fixture *f, struct sq_batch *b, const char *text)
{
	size_t n = strlen(text);

	b->dead[b->n_dead++] = (struct sq_dead_ref){ (uint32_t)b->out.len, (uint32_t)n };
	sq_outbuf_put(&b->out, sq_sv_of(text));
	f->offered[QUEUES] += n + 1;
}

static inline void deliver(struct fixture *f, struct sq_batch *b)
{
	for (uint32_t i = 0; i < b->n_origins; i++) {
		struct window *w = (struct window *)b->origins[i].receipt;

		if (!b->n_alerts && !b->n_dead)
			continue;
		w->promised = true;
		memcpy(w->until, f->offered, sizeof(w->until));
	}
	b->done = b->n_records;
	sqd_router_deliver(f->router, b);
}

static inline void drain_all(struct fixture *f)
{
	for (int i = 0; i < QUEUES; i++)
		fake_drain(f->out[i]);
	fake_drain(f->grave);
}
