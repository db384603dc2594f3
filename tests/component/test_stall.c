/* The way from an input to an output with all its parts, while the output takes nothing. */
#include "daemon/base/loop.h"
#include "daemon/flow/dispatch.h"
#include "daemon/flow/router.h"
#include "tests/support/fake_output.h"
#include "tests/support/rules.h"
#include "tests/support/run_loop.h"

enum { BATCHES = 6, WINDOW = 7, WINDOWS = 400, RECORDS = WINDOW * WINDOWS, QUEUE_BYTES = 16384 };

struct window {
	struct sqd_receipt receipt;
	struct fixture *f;
	unsigned last;      /* number of its last record */
	unsigned last_evil; /* 0: none, it waits for nobody */
};

struct fixture {
	uv_loop_t loop;
	struct sqd_dispatch *dispatch;
	struct sqd_settling *settling;
	struct sqd_router *router;
	struct sqd_outqueue *queue;
	struct fake_output *out;
	struct sq_counters totals;
	struct sq_ruleset *rules;
	struct window windows[WINDOWS];
	uv_idle_t feeder;
	unsigned fed, settled, lost, resumed;
	size_t seen;    /* bytes of out->got that have been looked at */
	unsigned next;  /* number that the next alert must bear */
	unsigned every; /* one record of so many is evil */
	bool paused;    /* the input was told to wait */
	bool drained, closed;
};

static unsigned evil_after(const struct fixture *f, unsigned number)
{
	return (number + f->every - 1) / f->every * f->every;
}

/* What the output has sent must be the alerts of all evil records in order. */
static void look_at_sent(struct fixture *f)
{
	struct sq_sv rest = sq_sv_skip(sq_outbuf_view(&f->out->got), f->seen);

	while (rest.n) {
		assert_int_equal(evil_number(sq_sv_cut(&rest, '\n')), f->next);
		f->next += f->every;
	}
	f->seen = f->out->got.len;
}

static void on_settled(struct sqd_receipt *r)
{
	struct window *w = (struct window *)(void *)r;

	if (w->f->fed <= w->last && !r->lost)
		return; /* there is more of it to come */
	w->f->settled++;
	if (r->lost) {
		w->f->lost++;
		return;
	}
	look_at_sent(w->f);
	assert_true(w->f->next > w->last_evil || !w->last_evil);
}

static void on_deliver(void *ctx, struct sq_batch *b)
{
	sqd_router_deliver(((struct fixture *)ctx)->router, b);
}

static void on_released(void *ctx, struct sq_batch *b)
{
	sqd_dispatch_delivered(((struct fixture *)ctx)->dispatch, b);
}

static void on_resume(void *ctx)
{
	struct fixture *f = ctx;

	f->paused = false;
	f->resumed++;
}

static void on_drained(void *ctx)
{
	((struct fixture *)ctx)->drained = true;
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static void feed(uv_idle_t *h)
{
	struct fixture *f = h->data;

	for (unsigned turn = 0; turn < 40 && !f->paused && f->fed < RECORDS; turn++) {
		struct window *w = &f->windows[f->fed / WINDOW];
		struct sq_batch *b = sqd_dispatch_open(f->dispatch, 256);
		int origin;
		size_t n;

		if (!b) {
			f->paused = true;
			return;
		}
		origin = sqd_dispatch_origin(f->dispatch, b, &w->receipt, "192.0.2.1:1");
		assert_true(origin >= 0);
		n = evil_record(b->chunk + b->tail, 256, f->fed);
		if (f->fed % f->every) /* "evil" no more */
			*(char *)memmem(b->chunk + b->tail, n, "evil", 4) = 'c';
		assert_int_equal(sq_batch_add(b, (uint32_t)origin,
		                              (struct sq_sv){ b->chunk + b->tail, n }),
		                 0);
		b->tail += (uint32_t)n;
		sqd_receipt_owe(&w->receipt, 1);
		f->totals.received++;
		f->fed++;
	}
}

static void make_flow(struct fixture *f, uint32_t out_bytes)
{
	struct sqd_dispatch_opts opts = {
		.loop = &f->loop,
		.batches = BATCHES,
		.limits = { .chunk = 8192,
		            .records = 16,
		            .origins = 8,
		            .arena = 65536,
		            .out = out_bytes },
		.workers = 2,
		.totals = &f->totals,
		.settling = f->settling,
		.deliver = on_deliver,
		.resume = on_resume,
		.drained = on_drained,
		.taken_up = nothing,
		.ctx = f,
	};
	struct sqd_route route = { .queue = f->queue, .format = SQ_FORMAT_JSON };
	struct sqd_router_opts ropts = { .loop = &f->loop,
		                         .routes = &route,
		                         .n_routes = 1,
		                         .batches = BATCHES,
		                         .totals = &f->totals,
		                         .released = on_released,
		                         .progress = nothing,
		                         .ctx = f };
	struct sq_err err = { 0 };

	f->dispatch = sqd_dispatch_new(&opts, &err);
	f->router = sqd_router_new(&ropts);
	assert_non_null(f->dispatch);
	assert_non_null(f->router);
	for (unsigned i = 0; i < 2; i++)
		sqd_workers_offer(sqd_dispatch_workers(f->dispatch), i, gear_of(f->rules, 1));
}

/* The output is away from the beginning. */
static struct fixture *setup(unsigned every, uint32_t out_bytes)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[] = "/tmp/squibly-stall-XXXXXX.yml";

	*f = (struct fixture){ .every = every };
	for (unsigned i = 0; i < WINDOWS; i++)
		f->windows[i] = (struct window){
			.receipt = { .settled = on_settled, .until_sent = true },
			.f = f,
			.last = (i + 1) * WINDOW - 1,
		};
	for (unsigned i = 0; i < WINDOWS; i++) {
		struct window *w = &f->windows[i];

		w->last_evil = w->last / every * every;
		if (w->last_evil < i * WINDOW)
			w->last_evil = 0;
	}
	close(mkstemps(path, 4));
	write_rule(path, "evil");
	f->rules = load_rules(path);
	unlink(path);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->out = fake_new(SQD_FRAMING_LF);
	f->out->answer = -EAGAIN;
	f->queue = sqd_outqueue_new(&f->out->base, QUEUE_BYTES);
	f->settling = sqd_settling_new(1);
	sqd_settling_await(f->settling, f->queue, true);
	make_flow(f, out_bytes);
	uv_idle_init(&f->loop, &f->feeder);
	f->feeder.data = f;
	uv_idle_start(&f->feeder, feed);
	return f;
}

static void on_closed(void *ctx)
{
	((struct fixture *)ctx)->closed = true;
}

static void teardown(struct fixture *f)
{
	bool router_closed = false;

	assert_int_equal(f->settled, WINDOWS);
	sqd_dispatch_close(f->dispatch, on_closed, f);
	sqd_router_close(f->router, fake_noted, &router_closed);
	uv_close((uv_handle_t *)&f->feeder, NULL);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(f->closed && router_closed);
	sqd_loop_end(&f->loop);
	fake_end(f->out, f->queue);
	sqd_settling_free(f->settling);
	sq_ruleset_unref(f->rules);
	free(f);
}

static bool is_paused(void *ctx)
{
	return ((struct fixture *)ctx)->paused;
}

static void nap(struct fixture *f, unsigned ms);

/* Until the input has been told to wait, and nothing is left that could change that. */
static void run_into_the_wall(struct fixture *f)
{
	unsigned fed, settled, quiet;

	do { /* half a second in which nothing moves: workers may be slow on a busy machine */
		run_until(&f->loop, is_paused, f);
		fed = f->fed;
		settled = f->settled;
		for (quiet = 0; quiet < 5 && f->fed == fed && f->settled == settled; quiet++)
			nap(f, 100);
	} while (f->fed != fed || f->settled != settled || !f->paused);
}

/* Once round per call, with the output taking what it is given. */
static bool all_settled(void *ctx)
{
	struct fixture *f = ctx;

	fake_drain(f->out);
	return f->settled == WINDOWS;
}

static void on_nap(uv_timer_t *t)
{
	*(bool *)t->data = true;
}

static bool is_true(void *ctx)
{
	return *(bool *)ctx;
}

static void nap(struct fixture *f, unsigned ms)
{
	bool over = false;
	uv_timer_t t;

	uv_timer_init(&f->loop, &t);
	t.data = &over;
	uv_timer_start(&t, on_nap, ms, 0);
	run_until(&f->loop, is_true, &over);
	uv_close((uv_handle_t *)&t, NULL);
	uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void stall_and_go_on(unsigned every, uint32_t out_bytes)
{
	struct fixture *f = setup(every, out_bytes);
	struct sqd_outqueue_health h;
	unsigned fed, settled, resumed;

	run_into_the_wall(f);
	fed = f->fed;
	settled = f->settled;
	resumed = f->resumed;
	assert_true(fed < RECORDS);
	assert_int_equal(f->totals.pauses, resumed + 1);
	nap(f, 300);
	/* Nothing moves, nobody is told; the memory in use is what it was. */
	assert_int_equal(f->fed, fed);
	assert_int_equal(f->settled, settled);
	assert_int_equal(f->resumed, resumed);
	sqd_outqueue_health(f->queue, &h);
	assert_true(h.bytes <= QUEUE_BYTES);
	for (unsigned i = 0; i < fed / WINDOW; i++)
		if (f->windows[i].last_evil)
			assert_true(f->windows[i].receipt.unsettled > 0);
	fake_ready(f->out);
	run_until(&f->loop, all_settled, f);
	uv_idle_stop(&f->feeder);
	assert_int_equal(f->fed, RECORDS);
	look_at_sent(f);
	assert_int_equal(f->next, evil_after(f, RECORDS));
	assert_int_equal(f->lost, 0);
	assert_int_equal(sq_counters_accounted(&f->totals), f->totals.received);
	sqd_dispatch_drain(f->dispatch);
	run_until(&f->loop, is_true, &f->drained);
	teardown(f);
}

static void an_output_that_takes_nothing_stops_the_inputs_and_all_goes_on_after(void **state)
{
	(void)state;
	stall_and_go_on(1, 1 << 20);
}

static void the_same_with_few_alerts(void **state)
{
	(void)state;
	stall_and_go_on(5, 1 << 20);
}

static void the_same_with_batches_delivered_in_parts(void **state)
{
	(void)state;
	stall_and_go_on(1, 2048);
}

/* As many alerts in a part as come before records that raise nothing: the whole batch waits. */
static void a_batch_whose_last_part_raised_nothing_waits_for_its_first(void **state)
{
	(void)state;
	stall_and_go_on(3, 512);
}

static void who_could_not_be_served_in_time_is_told_nothing(void **state)
{
	struct fixture *f = setup(1, 1 << 20);
	unsigned begun;

	(void)state;
	run_into_the_wall(f);
	uv_idle_stop(&f->feeder);
	begun = (f->fed + WINDOW - 1) / WINDOW;
	assert_int_equal(f->settled, 0);
	sqd_dispatch_halt(f->dispatch);
	sqd_router_forget(f->router);
	sqd_dispatch_abandon(f->dispatch);
	assert_int_equal(f->settled, begun);
	assert_int_equal(f->lost, begun);
	f->settled = WINDOWS; /* the others never came */
	teardown(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_output_that_takes_nothing_stops_the_inputs_and_all_goes_on_after),
		cmocka_unit_test(the_same_with_few_alerts),
		cmocka_unit_test(the_same_with_batches_delivered_in_parts),
		cmocka_unit_test(a_batch_whose_last_part_raised_nothing_waits_for_its_first),
		cmocka_unit_test(who_could_not_be_served_in_time_is_told_nothing),
	};

	return cmocka_run_group_tests_name("flow/stall", tests, NULL, NULL);
}
