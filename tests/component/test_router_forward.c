#include "daemon/flow/router.h"
#include "tests/support/fake_output.h"

enum { BATCHES = 4, OUTS = 5 };

/* A router before outputs that get records, and batches whose records are single letters: capital
 * ones have matched and say "!" behind them, in the second view "?". */
struct fixture {
	uv_loop_t loop;
	struct fake_output *out[OUTS];
	struct sqd_outqueue *queue[OUTS];
	struct sqd_forward_counts counts[OUTS];
	struct sqd_router *router;
	struct sq_counters totals;
	struct sq_batch *batch[BATCHES];
	unsigned n_released;
	bool closed;
};

static void on_released(void *ctx, struct sq_batch *b)
{
	struct fixture *f = ctx;

	(void)b;
	f->n_released++;
}

static void on_progress(void *ctx)
{
	(void)ctx;
}

static const struct sqd_route kinds[OUTS] = {
	{ .forward = SQD_FORWARD_ALL },
	{ .forward = SQD_FORWARD_MATCHED, .view = 1 },
	{ .forward = SQD_FORWARD_CLEAN, .sample = 3 },
	{ .forward = SQD_FORWARD_ALL, .min_level = SQ_LEVEL_CRITICAL, .view = 1, .sample = 2 },
	{ .forward = SQD_FORWARD_ALERTS },
};

static void setup(struct fixture *f, uint64_t queue, enum sqd_when_full when_full)
{
	const struct sq_batch_limits limits = { .chunk = 4096,
		                                .records = 32,
		                                .origins = 4,
		                                .events = 32,
		                                .arena = 4096,
		                                .out = 4096,
		                                .clean = true,
		                                .views = 2 };
	struct sqd_route routes[OUTS];
	struct sqd_router_opts opts = { .loop = &f->loop,
		                        .routes = routes,
		                        .n_routes = OUTS,
		                        .batches = BATCHES,
		                        .deduplicate = 3,
		                        .totals = &f->totals,
		                        .released = on_released,
		                        .progress = on_progress,
		                        .ctx = f };

	*f = (struct fixture){ 0 };
	assert_int_equal(uv_loop_init(&f->loop), 0);
	for (int i = 0; i < OUTS; i++) {
		f->out[i] = fake_new(SQD_FRAMING_LF);
		f->queue[i] = sqd_outqueue_new(&f->out[i]->base, queue);
		routes[i] = kinds[i];
		routes[i].queue = f->queue[i];
		routes[i].when_full = when_full;
		routes[i].counts = &f->counts[i];
		if (!routes[i].sample)
			routes[i].sample = 1;
	}
	for (int i = 0; i < BATCHES; i++) {
		f->batch[i] = sq_batch_new(&limits);
		assert_int_equal(sq_batch_origin(f->batch[i], NULL, "192.0.2.7:1"), 0);
	}
	f->router = sqd_router_new(&opts);
	assert_non_null(f->router);
}

static void teardown(struct fixture *f)
{
	sqd_router_close(f->router, fake_noted, &f->closed);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(f->closed);
	for (int i = 0; i < OUTS; i++)
		fake_end(f->out[i], f->queue[i]);
	for (int i = 0; i < BATCHES; i++)
		sq_batch_free(f->batch[i]);
	assert_int_equal(uv_loop_close(&f->loop), 0);
}

static void write_text(struct sq_batch *b, struct sq_pass_ref *p, unsigned view, char c, char mark)
{
	p->text[view].at = (uint32_t)b->out.len;
	p->text[view].n = 2;
	sq_outbuf_putc(&b->out, c);
	sq_outbuf_putc(&b->out, mark);
}

/* As a pipeline leaves them. */
static void fill(struct sq_batch *b, const char *records)
{
	for (const char *c = records; *c; c++) {
		char *to = b->chunk + b->tail;
		struct sq_record *rec;

		*to = *c;
		b->tail++;
		assert_int_equal(sq_batch_add(b, 0, (struct sq_sv){ to, 1 }), 0);
		rec = &b->records[b->n_records - 1];
		b->done = b->n_records;
		if (*c < 'A' || *c > 'Z')
			continue;
		rec->pass = ++b->n_passes;
		b->passes[rec->pass - 1] = (struct sq_pass_ref){ .level = 1 + SQ_LEVEL_HIGH };
		write_text(b, &b->passes[rec->pass - 1], 0, *c, '!');
		write_text(b, &b->passes[rec->pass - 1], 1, *c, '?');
	}
}

static void assert_got(const struct fixture *f, int i, const char *want)
{
	assert_sv_equal(sq_outbuf_view(&f->out[i]->got), sq_sv_of(want));
}

static void drain_all(struct fixture *f)
{
	for (int i = 0; i < OUTS; i++)
		fake_drain(f->out[i]);
}

static void each_output_gets_what_it_wants_in_order(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 4096, SQD_FULL_BLOCK);
	fill(f.batch[0], "abCd");
	fill(f.batch[1], "eFg");
	sqd_router_deliver(f.router, f.batch[0]);
	sqd_router_deliver(f.router, f.batch[1]);
	drain_all(&f);
	assert_int_equal(f.n_released, 2);
	assert_got(&f, 0, "a\nb\nC!\nd\ne\nF!\ng\n");
	assert_got(&f, 1, "C?\nF?\n");
	assert_got(&f, 2, "a\ne\n");
	/* High is not enough there: they are clean, and every second of those is wanted. */
	assert_got(&f, 3, "a\nC?\ne\ng\n");
	assert_got(&f, 4, "");
	assert_int_equal(f.counts[0].forwarded, 7);
	assert_int_equal(f.counts[1].forwarded, 2);
	assert_int_equal(f.counts[1].unwanted, 5);
	assert_int_equal(f.counts[2].forwarded, 2);
	assert_int_equal(f.counts[2].unwanted, 2);
	assert_int_equal(f.counts[2].unsampled, 3);
	assert_int_equal(f.counts[3].forwarded + f.counts[3].unsampled, 7);
	teardown(&f);
}

static void a_full_queue_goes_on_where_it_stopped(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 6, SQD_FULL_BLOCK);
	fill(f.batch[0], "abcdEfg");
	sqd_router_deliver(f.router, f.batch[0]);
	assert_int_equal(f.n_released, 0);
	for (int i = 0; i < 10 && !f.n_released; i++)
		drain_all(&f);
	drain_all(&f);
	assert_int_equal(f.n_released, 1);
	assert_got(&f, 0, "a\nb\nc\nd\nE!\nf\ng\n");
	assert_int_equal(f.counts[0].forwarded, 7);
	assert_int_equal(f.counts[2].forwarded, 2);
	teardown(&f);
}

static void a_full_queue_drops_the_newest_and_counts_them(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 6, SQD_FULL_DROP_NEWEST);
	f.out[0]->answer = -EAGAIN;
	fill(f.batch[0], "abcdef");
	sqd_router_deliver(f.router, f.batch[0]);
	assert_int_equal(f.n_released, 1);
	assert_int_equal(f.counts[0].forwarded, 6);
	assert_int_equal(sqd_outqueue_counts(f.queue[0])->queued +
	                         sqd_outqueue_counts(f.queue[0])->dropped_full,
	                 6);
	assert_true(sqd_outqueue_counts(f.queue[0])->dropped_full > 0);
	fake_ready(f.out[0]);
	drain_all(&f);
	teardown(&f);
}

/* A batch that holds more than it may comes in parts: each record once. */
static void a_batch_in_parts_is_given_once(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 4096, SQD_FULL_BLOCK);
	fill(f.batch[0], "aB");
	sqd_router_deliver(f.router, f.batch[0]);
	sq_batch_clear_out(f.batch[0]);
	assert_int_equal(f.batch[0]->from, 2);
	fill(f.batch[0], "cD");
	sqd_router_deliver(f.router, f.batch[0]);
	drain_all(&f);
	assert_got(&f, 0, "a\nB!\nc\nD!\n");
	assert_int_equal(f.n_released, 2);
	teardown(&f);
}

static void add_event(struct sq_batch *b, uint32_t record, uint64_t key)
{
	b->events[b->n_events++] = (struct sq_event_ref){ .key = { key, key }, .record = record };
}

static void what_was_sent_again_is_not_given_again(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 4096, SQD_FULL_BLOCK);
	fill(f.batch[0], "abc");
	add_event(f.batch[0], 0, 1);
	add_event(f.batch[0], 1, 1); /* the same as of "a" */
	add_event(f.batch[0], 2, 1); /* one is, one is new */
	add_event(f.batch[0], 2, 2);
	sqd_router_deliver(f.router, f.batch[0]);
	fill(f.batch[1], "dE");
	add_event(f.batch[1], 0, 2);
	f.batch[1]->records[1].fresh = true; /* one that has no key */
	add_event(f.batch[1], 1, 1);
	sqd_router_deliver(f.router, f.batch[1]);
	drain_all(&f);
	assert_got(&f, 0, "a\nc\nE!\n");
	assert_int_equal(f.counts[0].duplicates, 2);
	assert_int_equal(f.totals.dropped_duplicate, 4);
	teardown(&f);
}

static void line_ends_become_blanks_where_they_end_messages(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 4096, SQD_FULL_BLOCK);
	fill(f.batch[0], "a\nb");
	f.batch[0]->records[0].raw.n = 3;
	f.batch[0]->n_records = f.batch[0]->done = 1;
	sqd_router_deliver(f.router, f.batch[0]);
	drain_all(&f);
	assert_got(&f, 0, "a b\n");
	assert_sv_equal(f.batch[0]->records[0].raw, SQ_SV("a\nb")); /* others get it as it is */
	teardown(&f);
}

static void what_is_forgotten_is_counted(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 6, SQD_FULL_BLOCK);
	for (int i = 0; i < OUTS; i++)
		f.out[i]->answer = -EAGAIN;
	fill(f.batch[0], "abcdEf");
	sqd_router_deliver(f.router, f.batch[0]);
	assert_int_equal(f.n_released, 0);
	sqd_router_forget(f.router);
	assert_int_equal(f.counts[0].forwarded, 6);
	assert_int_equal(sqd_outqueue_counts(f.queue[0])->queued +
	                         sqd_outqueue_counts(f.queue[0])->dropped_shutdown,
	                 6);
	assert_int_equal(f.counts[1].forwarded + f.counts[1].unwanted, 6);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_output_gets_what_it_wants_in_order),
		cmocka_unit_test(a_full_queue_goes_on_where_it_stopped),
		cmocka_unit_test(a_full_queue_drops_the_newest_and_counts_them),
		cmocka_unit_test(a_batch_in_parts_is_given_once),
		cmocka_unit_test(what_was_sent_again_is_not_given_again),
		cmocka_unit_test(line_ends_become_blanks_where_they_end_messages),
		cmocka_unit_test(what_is_forgotten_is_counted),
	};

	return cmocka_run_group_tests_name("router/forward", tests, NULL, NULL);
}
