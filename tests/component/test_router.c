#include <sys/mman.h>
#include <unistd.h>

#include "daemon/flow/router.h"
#include "tests/support/fake_output.h"

enum { BATCHES = 4 };

static const struct sq_fold_limits an_hour = { .window_ns = UINT64_C(3600000000000),
	                                       .entries = 16,
	                                       .bytes = 65536 };

/* A router before two or three fake outputs, and batches made by hand. */
struct fixture {
	uv_loop_t loop;
	struct fake_output *out[2];
	struct sqd_outqueue *queue[2];
	struct sqd_router *router;
	struct sq_counters totals;
	struct sq_batch *batch[BATCHES];
	const struct sq_batch *released[16];
	unsigned n_released;
	bool closed;
};

static void on_released(void *ctx, struct sq_batch *b)
{
	struct fixture *f = ctx;

	assert_true(f->n_released < SQ_LEN(f->released));
	f->released[f->n_released++] = b;
}

static void on_progress(void *ctx)
{
	(void)ctx;
}

static void setup(struct fixture *f, enum sqd_when_full second, const struct sq_fold_limits *fold)
{
	const struct sq_batch_limits limits = {
		.chunk = 4096, .records = 16, .origins = 4, .events = 8, .arena = 4096, .out = 4096
	};
	struct sqd_route routes[2];
	struct sqd_router_opts opts = { .loop = &f->loop,
		                        .routes = routes,
		                        .n_routes = 2,
		                        .batches = BATCHES,
		                        .fold = fold,
		                        .deduplicate = 3,
		                        .totals = &f->totals,
		                        .released = on_released,
		                        .progress = on_progress,
		                        .ctx = f };

	*f = (struct fixture){ 0 };
	assert_int_equal(uv_loop_init(&f->loop), 0);
	for (int i = 0; i < 2; i++) {
		f->out[i] = fake_new(SQD_FRAMING_LF);
		f->queue[i] = sqd_outqueue_new(&f->out[i]->base, 12);
		routes[i] = (struct sqd_route){ .queue = f->queue[i],
			                        .format = i ? SQ_FORMAT_CEF : SQ_FORMAT_JSON,
			                        .min_level = i ? SQ_LEVEL_HIGH : SQ_LEVEL_LOW,
			                        .when_full = i ? second : SQD_FULL_BLOCK };
	}
	for (int i = 0; i < BATCHES; i++)
		f->batch[i] = sq_batch_new(&limits);
	f->router = sqd_router_new(&opts);
	assert_non_null(f->router);
}

/* Whatever a test has done: all that was raised has one place in the account of each output. */
static void check_accounts(const struct fixture *f)
{
	for (int i = 0; i < 2; i++) {
		struct sqd_metrics m = { 0 };

		sqd_outqueue_metrics(f->queue[i], sqd_router_held(f->router, f->queue[i]), &m);
		assert_int_equal(sqd_metrics_missing(&m), 0);
	}
}

static void teardown(struct fixture *f)
{
	check_accounts(f);
	sqd_router_close(f->router, fake_noted, &f->closed);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(f->closed);
	for (int i = 0; i < 2; i++)
		fake_end(f->out[i], f->queue[i]);
	for (int i = 0; i < BATCHES; i++)
		sq_batch_free(f->batch[i]);
	assert_int_equal(uv_loop_close(&f->loop), 0);
}

static void drain(struct fixture *f)
{
	fake_drain(f->out[0]);
	fake_drain(f->out[1]);
}

/* All that the outputs have written. */
static void assert_got(const struct fixture *f, const char *first, const char *second)
{
	assert_sv_equal(sq_outbuf_view(&f->out[0]->got), sq_sv_of(first));
	assert_sv_equal(sq_outbuf_view(&f->out[1]->got), sq_sv_of(second));
}

/* An alert whose text is `text` in JSON and "c:" before it in CEF. */
static void add(struct sq_batch *b, const char *text, enum sq_level level)
{
	struct sq_alert_ref *al;

	if (b->n_alerts == b->cap_alerts) {
		b->cap_alerts = b->cap_alerts ? b->cap_alerts * 2 : 8;
		b->alerts = reallocarray(b->alerts, b->cap_alerts, sizeof(*b->alerts));
	}
	al = &b->alerts[b->n_alerts++];
	*al = (struct sq_alert_ref){ .level = (uint8_t)level,
		                     .fold_key = { (unsigned char)text[0], 1 } };
	al->text[SQ_FORMAT_JSON].at = (uint32_t)b->out.len;
	al->text[SQ_FORMAT_JSON].n = (uint32_t)strlen(text);
	sq_outbuf_put(&b->out, sq_sv_of(text));
	al->text[SQ_FORMAT_CEF].at = (uint32_t)b->out.len;
	al->text[SQ_FORMAT_CEF].n = (uint32_t)strlen(text) + 2;
	sq_outbuf_put(&b->out, SQ_SV("c:"));
	sq_outbuf_put(&b->out, sq_sv_of(text));
	assert_false(b->out.failed);
}

static void each_output_gets_its_format_from_its_level_on(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, SQD_FULL_BLOCK, NULL);
	add(f.batch[0], "lo", SQ_LEVEL_LOW);
	add(f.batch[0], "hi", SQ_LEVEL_HIGH);
	add(f.batch[0], "in", SQ_LEVEL_INFORMATIONAL);
	sqd_router_deliver(f.router, f.batch[0]);
	assert_int_equal(f.n_released, 1);
	assert_false(sqd_router_idle(f.router)); /* the queues hold them still */
	drain(&f);
	assert_true(sqd_router_idle(f.router));
	assert_got(&f, "lo\nhi\n", "c:hi\n");
	assert_int_equal(sqd_outqueue_counts(f.queue[0])->raised, 3);
	assert_int_equal(sqd_outqueue_counts(f.queue[0])->below_level, 1);
	assert_int_equal(sqd_outqueue_counts(f.queue[1])->below_level, 2);
	teardown(&f);
}

static void a_blocked_output_delays_no_other_and_keeps_order(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, SQD_FULL_BLOCK, NULL);
	for (int i = 0; i < 3; i++) {
		const char text[] = { (char)('a' + i), 'x', 'x', '\0' };

		add(f.batch[i], text, SQ_LEVEL_HIGH);
		add(f.batch[i], text, SQ_LEVEL_HIGH);
		sqd_router_deliver(f.router, f.batch[i]);
		/* Six bytes with their end in CEF: the second output holds two of them. The first
		 * takes what it is given, at once. */
		fake_drain(f.out[0]);
	}
	assert_sv_equal(sq_outbuf_view(&f.out[0]->got), SQ_SV("axx\naxx\nbxx\nbxx\ncxx\ncxx\n"));
	assert_int_equal(f.n_released, 1);
	fake_drain(f.out[1]);
	assert_int_equal(f.n_released, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_ptr_equal(f.released[i], f.batch[i]);
	assert_sv_equal(sq_outbuf_view(&f.out[1]->got),
	                SQ_SV("c:axx\nc:axx\nc:bxx\nc:bxx\nc:cxx\nc:cxx\n"));
	assert_int_equal(sqd_outqueue_counts(f.queue[1])->dropped_full, 0);
	teardown(&f);
}

static void drop_newest_counts_and_lets_the_batch_go(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, SQD_FULL_DROP_NEWEST, NULL);
	f.out[1]->answer = -EAGAIN; /* away */
	for (int i = 0; i < 5; i++)
		add(f.batch[0], "axx", SQ_LEVEL_HIGH);
	sqd_router_deliver(f.router, f.batch[0]);
	check_accounts(&f); /* while some wait */
	fake_drain(f.out[0]);
	assert_int_equal(f.n_released, 1);
	assert_int_equal(sqd_outqueue_counts(f.queue[1])->dropped_full, 3);
	fake_ready(f.out[1]);
	fake_drain(f.out[1]);
	assert_sv_equal(sq_outbuf_view(&f.out[1]->got), SQ_SV("c:axx\nc:axx\n"));
	teardown(&f);
}

static void forgotten_batches_are_counted_where_they_were_missed(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, SQD_FULL_BLOCK, NULL);
	f.out[1]->answer = -EAGAIN;
	for (int i = 0; i < 5; i++)
		add(f.batch[0], "axx", SQ_LEVEL_HIGH);
	sqd_router_deliver(f.router, f.batch[0]);
	fake_drain(f.out[0]);
	assert_int_equal(f.n_released, 0);
	assert_int_equal(sqd_router_held(f.router, f.queue[0]), 0);
	assert_int_equal(sqd_router_held(f.router, f.queue[1]), 3);
	check_accounts(&f);
	sqd_router_forget(f.router);
	assert_int_equal(f.n_released, 0);
	check_accounts(&f);
	assert_int_equal(sqd_outqueue_counts(f.queue[0])->dropped_shutdown, 0);
	assert_int_equal(sqd_outqueue_counts(f.queue[1])->dropped_shutdown, 3);
	teardown(&f);
}

static void repeats_are_folded_for_all_outputs(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, SQD_FULL_BLOCK, &an_hour);
	add(f.batch[0], "a", SQ_LEVEL_HIGH);
	add(f.batch[0], "b", SQ_LEVEL_HIGH);
	add(f.batch[0], "a", SQ_LEVEL_HIGH);
	sqd_router_deliver(f.router, f.batch[0]);
	drain(&f);
	assert_got(&f, "a\nb\n", "c:a\nc:b\n");
	assert_int_equal(f.totals.alerts_folded, 1);
	assert_int_equal(sqd_outqueue_counts(f.queue[1])->folded, 1);
	teardown(&f);
}

static void repeats_wait_for_an_output_that_blocks(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, SQD_FULL_BLOCK, &an_hour);
	f.out[1]->answer = -EAGAIN;
	add(f.batch[0], "a", SQ_LEVEL_HIGH);
	add(f.batch[0], "b", SQ_LEVEL_HIGH);
	add(f.batch[0], "c", SQ_LEVEL_HIGH); /* 12 bytes: full */
	add(f.batch[0], "a", SQ_LEVEL_HIGH);
	add(f.batch[0], "b", SQ_LEVEL_HIGH);
	sqd_router_deliver(f.router, f.batch[0]);
	fake_drain(f.out[0]);
	sqd_router_flush(f.router);
	assert_false(sqd_router_idle(f.router));
	fake_ready(f.out[1]);
	fake_drain(f.out[1]);
	drain(&f);
	/* In JSON the text is no document, so that no count is put in. */
	assert_got(&f, "a\nb\nc\na\nb\n", "c:a\nc:b\nc:c\nc:a cnt=1\nc:b cnt=1\n");
	assert_true(sqd_router_idle(f.router));
	assert_int_equal(sqd_outqueue_counts(f.queue[0])->summaries, 2);
	teardown(&f);
}

/* Nobody waits for the next: it is dropped, and told as that. */
static void a_summary_that_finds_no_room_makes_nobody_wait(void **state)
{
	int log = memfd_create("log", MFD_CLOEXEC), stderr_was = dup(2);
	struct sqd_outqueue_health h;
	char said[4096] = "";
	struct fixture f;

	(void)state;
	setup(&f, SQD_FULL_BLOCK, &an_hour);
	f.out[1]->answer = -EAGAIN;
	add(f.batch[0], "a", SQ_LEVEL_HIGH); /* a third of the queue; the summary takes more */
	add(f.batch[0], "a", SQ_LEVEL_HIGH);
	sqd_router_deliver(f.router, f.batch[0]);
	fake_drain(f.out[0]);
	assert_int_equal(dup2(log, 2), 2);
	sqd_router_flush(f.router);
	assert_int_equal(dup2(stderr_was, 2), 2);
	assert_true(pread(log, said, sizeof(said) - 1, 0) > 0);
	assert_non_null(strstr(said, "what comes is dropped"));
	assert_null(strstr(said, "inputs wait"));
	close(log);
	close(stderr_was);
	fake_drain(f.out[0]);
	sqd_outqueue_health(f.queue[1], &h);
	assert_int_equal(h.dropped, 1);
	assert_true(h.full);
	assert_int_equal(h.cost, SQD_COST_NEWEST);
	fake_ready(f.out[1]);
	fake_drain(f.out[1]);
	teardown(&f);
}

static void when_time_gets_short_nobody_holds_up_the_others(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, SQD_FULL_BLOCK, NULL);
	f.out[1]->answer = -EAGAIN;
	for (int i = 0; i < 5; i++)
		add(f.batch[0], "axx", SQ_LEVEL_HIGH);
	sqd_router_deliver(f.router, f.batch[0]);
	fake_drain(f.out[0]);
	assert_int_equal(f.n_released, 0);
	sqd_router_yield(f.router);
	assert_int_equal(f.n_released, 1);
	add(f.batch[1], "bxx", SQ_LEVEL_HIGH);
	sqd_router_deliver(f.router, f.batch[1]);
	assert_int_equal(f.n_released, 2);
	fake_drain(f.out[0]);
	assert_sv_equal(sq_outbuf_view(&f.out[0]->got), SQ_SV("axx\naxx\naxx\naxx\naxx\nbxx\n"));
	assert_int_equal(sqd_outqueue_counts(f.queue[1])->queued, 2);
	assert_int_equal(sqd_outqueue_counts(f.queue[1])->dropped_shutdown, 4);
	teardown(&f);
}

/* An event with `key`, whose alerts are those added since the event before. */
static void end_event(struct sq_batch *b, uint64_t key)
{
	uint32_t first = b->n_events ? b->events[b->n_events - 1].end_alert : 0;

	b->events[b->n_events++] = (struct sq_event_ref){ .key = { key, key },
		                                          .first_alert = first,
		                                          .end_alert = b->n_alerts,
		                                          .alerts = b->n_alerts - first,
		                                          .alerted = b->n_alerts > first };
}

static void events_sent_again_are_counted_and_their_alerts_left_out(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, SQD_FULL_BLOCK, &an_hour);
	add(f.batch[0], "a", SQ_LEVEL_HIGH);
	end_event(f.batch[0], 1);
	end_event(f.batch[0], 2); /* clean */
	end_event(f.batch[0], 2);
	add(f.batch[0], "a", SQ_LEVEL_HIGH); /* again: not even folded */
	end_event(f.batch[0], 1);
	add(f.batch[0], "b", SQ_LEVEL_HIGH);
	add(f.batch[0], "c", SQ_LEVEL_HIGH);
	end_event(f.batch[0], 3);
	sqd_router_deliver(f.router, f.batch[0]);
	drain(&f);
	assert_int_equal(f.n_released, 1);
	assert_got(&f, "a\nb\nc\n", "c:a\nc:b\nc:c\n");
	assert_int_equal(f.totals.dropped_duplicate, 2);
	assert_int_equal(f.totals.alerted, 2);
	assert_int_equal(f.totals.clean, 1);
	assert_int_equal(f.totals.alerts, 3);
	assert_int_equal(f.totals.alerts_folded, 0);
	/* In a later batch too, until three others have come. */
	end_event(f.batch[1], 3);
	end_event(f.batch[1], 4);
	end_event(f.batch[1], 1);
	sqd_router_deliver(f.router, f.batch[1]);
	assert_int_equal(f.totals.dropped_duplicate, 3);
	assert_int_equal(f.totals.clean, 3);
	teardown(&f);
}

static void forgotten_repeats_are_counted(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, SQD_FULL_BLOCK, &an_hour);
	for (int i = 0; i < 3; i++)
		add(f.batch[0], "a", SQ_LEVEL_HIGH);
	sqd_router_deliver(f.router, f.batch[0]);
	sqd_router_forget(f.router);
	assert_int_equal(sqd_outqueue_counts(f.queue[0])->dropped_shutdown, 1);
	assert_int_equal(sqd_outqueue_counts(f.queue[1])->dropped_shutdown, 1);
	drain(&f);
	teardown(&f);
}

static void datagrams_get_the_short_text(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, SQD_FULL_BLOCK, NULL);
	sqd_router_close(f.router, fake_noted, &f.closed);
	uv_run(&f.loop, UV_RUN_DEFAULT);
	f.closed = false;
	f.router = sqd_router_new(&(struct sqd_router_opts){
		.loop = &f.loop,
		.routes = (struct sqd_route[]){ { .queue = f.queue[0], .format = SQ_FORMAT_JSON },
	                                        { .queue = f.queue[1],
	                                          .format = SQ_FORMAT_JSON,
	                                          .datagrams = true } },
		.n_routes = 2,
		.batches = BATCHES,
		.totals = &f.totals,
		.released = on_released,
		.progress = on_progress,
		.ctx = &f });
	add(f.batch[0], "long", SQ_LEVEL_HIGH);
	f.batch[0]->alerts[0].text[SQ_FORMATS + SQ_FORMAT_JSON].at = 1;
	f.batch[0]->alerts[0].text[SQ_FORMATS + SQ_FORMAT_JSON].n = 2;
	add(f.batch[0], "fits", SQ_LEVEL_HIGH);
	sqd_router_deliver(f.router, f.batch[0]);
	drain(&f);
	assert_got(&f, "long\nfits\n", "on\nfits\n");
	teardown(&f);
}

/* One more router, for batches of others, that has the first queue too. */
static struct sqd_router *make_sibling(struct fixture *f)
{
	const struct sqd_route route = { .queue = f->queue[0],
		                         .format = SQ_FORMAT_JSON,
		                         .min_level = SQ_LEVEL_LOW };
	struct sqd_router *r = sqd_router_new(&(struct sqd_router_opts){ .loop = &f->loop,
	                                                                 .sibling = f->router,
	                                                                 .routes = &route,
	                                                                 .n_routes = 1,
	                                                                 .batches = BATCHES,
	                                                                 .totals = &f->totals,
	                                                                 .released = on_released,
	                                                                 .progress = on_progress,
	                                                                 .ctx = f });

	assert_non_null(r);
	return r;
}

static void end_sibling(struct fixture *f, struct sqd_router *r)
{
	bool closed = false;

	assert_true(sqd_router_idle(r));
	sqd_router_close(r, fake_noted, &closed);
	teardown(f);
	assert_true(closed);
}

static void a_batch_waits_for_the_outputs_of_its_router_alone(void **state)
{
	struct sqd_router *other;
	struct fixture f;

	(void)state;
	setup(&f, SQD_FULL_BLOCK, NULL);
	other = make_sibling(&f);
	f.out[1]->answer = -EAGAIN; /* away */
	for (int i = 0; i < 3; i++)
		add(f.batch[0], "axx", SQ_LEVEL_HIGH);
	add(f.batch[1], "bxx", SQ_LEVEL_HIGH);
	sqd_router_deliver(f.router, f.batch[0]);
	fake_drain(f.out[0]);
	assert_int_equal(f.n_released, 0); /* the third found no room */
	sqd_router_deliver(other, f.batch[1]);
	assert_int_equal(f.n_released, 1);
	assert_ptr_equal(f.released[0], f.batch[1]);
	fake_drain(f.out[0]);
	assert_sv_equal(sq_outbuf_view(&f.out[0]->got), SQ_SV("axx\naxx\naxx\nbxx\n"));
	f.out[1]->answer = 0;
	f.out[1]->base.ready(&f.out[1]->base);
	fake_drain(f.out[1]);
	assert_int_equal(f.n_released, 2);
	assert_int_equal(sqd_outqueue_counts(f.queue[0])->raised, 4);
	assert_int_equal(sqd_outqueue_counts(f.queue[1])->raised, 3);
	end_sibling(&f, other);
}

static void siblings_that_wait_for_one_queue_go_on_in_turn(void **state)
{
	struct sqd_router *other;
	struct fixture f;

	(void)state;
	setup(&f, SQD_FULL_BLOCK, NULL);
	other = make_sibling(&f);
	for (int i = 0; i < 8; i++) /* three of them fit */
		add(f.batch[0], "axx", SQ_LEVEL_LOW);
	for (int i = 0; i < 4; i++)
		add(f.batch[1], "bxx", SQ_LEVEL_LOW);
	sqd_router_deliver(f.router, f.batch[0]);
	sqd_router_deliver(other, f.batch[1]);
	assert_int_equal(f.n_released, 0);
	assert_int_equal(sqd_router_held(f.router, f.queue[0]), 5);
	assert_int_equal(sqd_router_held(other, f.queue[0]), 4);
	fake_drain(f.out[0]);
	assert_int_equal(f.n_released, 2);
	/* The first is sent at once and alone, two when it is through, and then as many at a time
	 * as there was room for in turn. Whoever has filled the queue lets the other begin. */
	assert_sv_equal(sq_outbuf_view(&f.out[0]->got), SQ_SV("axx\n"
	                                                      "axx\naxx\n"
	                                                      "bxx\n"
	                                                      "axx\naxx\n"
	                                                      "bxx\n"
	                                                      "axx\naxx\n"
	                                                      "bxx\n"
	                                                      "axx\n"
	                                                      "bxx\n"));
	end_sibling(&f, other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_output_gets_its_format_from_its_level_on),
		cmocka_unit_test(a_blocked_output_delays_no_other_and_keeps_order),
		cmocka_unit_test(drop_newest_counts_and_lets_the_batch_go),
		cmocka_unit_test(forgotten_batches_are_counted_where_they_were_missed),
		cmocka_unit_test(repeats_are_folded_for_all_outputs),
		cmocka_unit_test(repeats_wait_for_an_output_that_blocks),
		cmocka_unit_test(a_summary_that_finds_no_room_makes_nobody_wait),
		cmocka_unit_test(when_time_gets_short_nobody_holds_up_the_others),
		cmocka_unit_test(events_sent_again_are_counted_and_their_alerts_left_out),
		cmocka_unit_test(forgotten_repeats_are_counted),
		cmocka_unit_test(datagrams_get_the_short_text),
		cmocka_unit_test(a_batch_waits_for_the_outputs_of_its_router_alone),
		cmocka_unit_test(siblings_that_wait_for_one_queue_go_on_in_turn),
	};

	return cmocka_run_group_tests_name("flow/router", tests, NULL, NULL);
}
