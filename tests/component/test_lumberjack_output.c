#include "tests/support/output_world.h"

#include <poll.h>

#include "daemon/output/lumberjack.h"
#include "lib/wire/lumber_out.h"
#include "tests/support/fault_alloc.h"
#include "tests/support/lumber.h"

/* The output and its peer, which does as the test says. */
struct scene {
	struct world w;
	struct sqd_output_lumberjack_cfg *cfg;
	int fd; /* the peer's side of the connection, or -1 */
	unsigned in_flight, sent;
	int status;
	struct sq_outbuf got; /* by the peer, on this connection */
};

static void scene_sent(struct sqd_output *out, int status)
{
	struct scene *s = SQ_CONTAINER(out->ctx, struct scene, w);

	assert_true(s->in_flight > 0);
	s->in_flight = status ? 0 : s->in_flight - 1;
	s->sent += !status;
	s->status = status;
}

static void scene_make(struct scene *s)
{
	*s = (struct scene){ .fd = -1, .got = wire_new() };
	make(&s->w, &sqd_output_lumberjack);
	s->w.out->sent = scene_sent;
	s->cfg = s->w.cfg;
	s->cfg->link.retry_min = 10;
	s->cfg->link.retry_max = 40;
}

static bool peer_accepts(void *ctx)
{
	struct scene *s = ctx;
	struct pollfd p = { .fd = s->w.listener, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* The peer takes a connection; what it got on the one before is forgotten. */
static void scene_accept(struct scene *s)
{
	run_until(&s->w.loop, peer_accepts, s);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = take_connection(&s->w);
	assert_int_equal(fcntl(s->fd, F_SETFL, O_NONBLOCK), 0);
	sq_outbuf_reset(&s->got);
}

static void scene_begin(struct scene *s)
{
	start(&s->w);
	wait_ready(&s->w);
	scene_accept(s);
}

static void scene_end(struct scene *s)
{
	end(&s->w);
	if (s->fd >= 0)
		close(s->fd);
	assert_int_equal(s->in_flight, 0);
	sq_outbuf_fini(&s->got);
}

/* `n` messages {"n":K} counted from `first`, as a queue gives them. */
static struct sq_sv messages(uint32_t first, uint32_t n)
{
	struct sq_outbuf b = sq_outbuf_of(1 << 20);
	char json[64];

	for (uint32_t i = first; i < first + n; i++) {
		int len = snprintf(json, sizeof(json), "{\"n\":%u}", i);
		struct sqd_message_head head = { .n = (uint32_t)len, .n_key = 4 };

		sq_outbuf_put(&b, (struct sq_sv){ (const char *)&head, sizeof(head) });
		sq_outbuf_put(&b, SQ_SV("ws-1"));
		sq_outbuf_put(&b, sq_sv_of(json));
	}
	return sq_outbuf_view(&b);
}

static void give(struct scene *s, struct sq_sv v)
{
	assert_int_equal(s->w.out->ops->send(s->w.out, v), 0);
	s->in_flight++;
}

static void give_back(struct sq_sv v)
{
	char *p;

	memcpy(&p, &v.p, sizeof(p));
	free(p);
}

/* Turn the loop and read until the peer has got exactly the bytes of `want`. */
static void expect_wire(struct scene *s, const struct sq_outbuf *want)
{
	for (int i = 0; s->got.len < want->len; i++) {
		char *to = sq_outbuf_reserve(&s->got, want->len);
		ssize_t n;

		assert_true(i < 5000);
		uv_run(&s->w.loop, UV_RUN_NOWAIT);
		n = recv(s->fd, to, want->len, 0);
		if (n > 0)
			s->got.len += (size_t)n;
		else
			(void)poll(NULL, 0, 1);
	}
	assert_sv_equal(sq_outbuf_view(&s->got), sq_outbuf_view(want));
}

/* And nothing comes after it for a while. */
static void expect_quiet(struct scene *s)
{
	char byte;

	for (int i = 0; i < 20; i++) {
		uv_run(&s->w.loop, UV_RUN_NOWAIT);
		assert_int_equal(recv(s->fd, &byte, 1, 0), -1);
		assert_int_equal(errno, EAGAIN);
		(void)poll(NULL, 0, 1);
	}
}

static void say(struct scene *s, struct sq_sv v)
{
	assert_int_equal(send(s->fd, v.p, v.n, MSG_NOSIGNAL), v.n);
}

static void ack(struct scene *s, uint32_t seq)
{
	struct sq_outbuf b = wire_new();

	wire_head(&b, "2A", seq);
	say(s, sq_outbuf_view(&b));
	sq_outbuf_fini(&b);
}

static bool none_in_flight(void *ctx)
{
	return ((struct scene *)ctx)->in_flight == 0;
}

static void turn(struct scene *s)
{
	for (int i = 0; i < 5; i++)
		uv_run(&s->w.loop, UV_RUN_NOWAIT);
}

/* ---- the happy path ---------------------------------------------------------------------- */

static void a_send_is_answered_when_its_last_event_is_acknowledged(void **state SQ_UNUSED)
{
	struct sq_sv three = messages(0, 3);
	struct sq_outbuf want = wire_new();
	struct scene s;

	scene_make(&s);
	assert_int_equal(s.w.out->ops->send(s.w.out, three), -EAGAIN);
	scene_begin(&s);
	assert_int_equal(s.w.out->framing, SQD_FRAMING_RECORDS);
	give(&s, three);
	wire_window(&want, 3, 0, 0);
	expect_wire(&s, &want);
	for (uint32_t seq = 0; seq < 3; seq++) { /* a keep-alive, and parts */
		ack(&s, seq);
		turn(&s);
		assert_int_equal(s.sent, 0);
	}
	ack(&s, 3);
	run_until(&s.w.loop, none_in_flight, &s);
	assert_int_equal(s.sent, 1);
	expect_quiet(&s);
	scene_end(&s);
	give_back(three);
	sq_outbuf_fini(&want);
}

static void windows_hold_so_many_events_and_so_many_are_on_their_way(void **state SQ_UNUSED)
{
	struct sq_sv five = messages(0, 5), one = messages(5, 1), more = messages(6, 1);
	struct sq_outbuf want = wire_new();
	struct scene s;

	scene_make(&s);
	s.cfg->window = 2;
	s.cfg->pipelining = 2;
	scene_begin(&s);
	give(&s, five);
	give(&s, one);
	assert_int_equal(s.w.out->ops->send(s.w.out, more), -EAGAIN);
	wire_window(&want, 2, 0, 0);
	wire_window(&want, 2, 2, 0);
	expect_wire(&s, &want);
	expect_quiet(&s);
	ack(&s, 2);
	wire_window(&want, 1, 4, 0);
	expect_wire(&s, &want);
	ack(&s, 2);
	wire_window(&want, 1, 5, 0); /* the second send begins before the first is answered */
	expect_wire(&s, &want);
	assert_int_equal(s.sent, 0);
	ack(&s, 1);
	for (int i = 0; s.sent < 1 && i < 1000; i++)
		uv_run(&s.w.loop, UV_RUN_ONCE);
	assert_int_equal(s.sent, 1);
	give(&s, more);
	wire_window(&want, 1, 6, 0);
	expect_wire(&s, &want);
	ack(&s, 1);
	ack(&s, 1);
	run_until(&s.w.loop, none_in_flight, &s);
	assert_int_equal(s.sent, 3);
	assert_int_equal(s.w.out->reconnects, 0);
	scene_end(&s);
	give_back(five);
	give_back(one);
	give_back(more);
	sq_outbuf_fini(&want);
}

static void windows_are_compressed_when_that_is_asked_for(void **state SQ_UNUSED)
{
	struct sq_sv many = messages(0, 500);
	struct sq_outbuf want = wire_new();
	struct scene s;

	scene_make(&s);
	s.cfg->compression = 3;
	scene_begin(&s);
	give(&s, many);
	wire_window(&want, 500, 0, 500);
	expect_wire(&s, &want);
	ack(&s, 500);
	run_until(&s.w.loop, none_in_flight, &s);
	scene_end(&s);
	give_back(many);
	sq_outbuf_fini(&want);
}

static void acknowledgements_may_be_cut_anywhere(void **state SQ_UNUSED)
{
	static const char acks[] = "2A\0\0\0\0"
				   "2A\0\0\0\1"
				   "2A\0\0\0\1" /* once more: harmless */
				   "2A\0\0\0\0"
				   "2A\0\0\0\3";
	struct sq_sv three = messages(0, 3);
	struct scene s;

	scene_make(&s);
	scene_begin(&s);
	for (size_t cut = 1; cut < sizeof(acks) - 1; cut++) {
		give(&s, three);
		say(&s, (struct sq_sv){ acks, cut });
		turn(&s);
		assert_int_equal(s.sent, cut - 1);
		say(&s, (struct sq_sv){ acks + cut, sizeof(acks) - 1 - cut });
		run_until(&s.w.loop, none_in_flight, &s);
	}
	assert_int_equal(s.w.out->reconnects, 0);
	scene_end(&s);
	give_back(three);
}

/* ---- when it goes wrong ------------------------------------------------------------------ */

/* The window of five is sent; the peer says something, or ends; what follows is sent again, from
 * event `from` on, over another connection. */
struct wrong_row {
	const char *name;
	struct sq_sv says;
	bool closes, resets;
	uint32_t from;
	uint64_t ack_timeout;
};

static struct wrong_row wrongs[] = {
	{ "beyond the window", SQ_SV("2A\0\0\0\6"), .from = 0 },
	{ "far beyond the window", SQ_SV("2A\377\377\377\377"), .from = 0 },
	{ "beyond, after a part",
	  SQ_SV("2A\0\0\0\2"
	        "2A\0\0\0\6"),
	  .from = 2 },
	{ "version 1", SQ_SV("1A\0\0\0\5"), .from = 0 },
	{ "HTTP", SQ_SV("HTTP/1.1 400 Bad Request\r\n\r\n"), .from = 0 },
	{ "closed at once", SQ_SV(""), .closes = true, .from = 0 },
	{ "reset at once", SQ_SV(""), .resets = true, .from = 0 },
	{ "closed after a part", SQ_SV("2A\0\0\0\4"), .closes = true, .from = 4 },
	{ "closed within an acknowledgement",
	  SQ_SV("2A\0\0\0\3"
	        "2A\0\0"),
	  .closes = true, .from = 3 },
	{ "silence", SQ_SV(""), .from = 0, .ack_timeout = 100 },
	{ "silence after a part", SQ_SV("2A\0\0\0\1"), .from = 1, .ack_timeout = 100 },
};

static void check_wrong(void **state)
{
	const struct wrong_row *row = *state;
	struct linger hard = { .l_onoff = 1 };
	struct sq_sv five = messages(0, 5), next = messages(5, 2);
	struct sq_outbuf want = wire_new();
	struct scene s;

	scene_make(&s);
	if (row->ack_timeout)
		s.cfg->ack_timeout = row->ack_timeout;
	scene_begin(&s);
	give(&s, five);
	give(&s, next);
	wire_window(&want, 5, 0, 0);
	wire_window(&want, 2, 5, 0);
	expect_wire(&s, &want);
	if (row->says.n)
		say(&s, row->says);
	turn(&s);
	if (row->resets)
		assert_int_equal(setsockopt(s.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	if (row->closes || row->resets) {
		close(s.fd);
		s.fd = -1;
	}
	scene_accept(&s);
	assert_int_equal(s.in_flight, 2); /* the queue hears nothing of it */
	sq_outbuf_reset(&want);
	wire_window(&want, 5 - row->from, row->from, 0);
	wire_window(&want, 2, 5, 0);
	expect_wire(&s, &want);
	ack(&s, 5 - row->from);
	ack(&s, 2);
	run_until(&s.w.loop, none_in_flight, &s);
	assert_int_equal(s.sent, 2);
	assert_int_equal(s.w.out->reconnects, 1);
	scene_end(&s);
	give_back(five);
	give_back(next);
	sq_outbuf_fini(&want);
}

static bool came_again(void *ctx)
{
	return ((struct scene *)ctx)->w.out->reconnects == 1;
}

static void what_acknowledges_nothing_is_no_peer(void **state SQ_UNUSED)
{
	struct scene s;

	scene_make(&s);
	scene_begin(&s);
	ack(&s, 0); /* it is alive, though nobody asked */
	turn(&s);
	assert_int_equal(s.w.out->reconnects, 0);
	ack(&s, 1);
	run_until(&s.w.loop, came_again, &s);
	scene_end(&s);
}

static void keep_alives_are_waited_with(void **state SQ_UNUSED)
{
	struct sq_sv one = messages(0, 1);
	struct scene s;

	scene_make(&s);
	s.cfg->ack_timeout = 400;
	scene_begin(&s);
	give(&s, one);
	for (int i = 0; i < 8; i++) { /* twice the patience, and more */
		uint64_t until = uv_hrtime() + 120 * 1000000ull;

		ack(&s, 0);
		while (uv_hrtime() < until) {
			uv_run(&s.w.loop, UV_RUN_NOWAIT);
			(void)poll(NULL, 0, 1);
		}
	}
	ack(&s, 1);
	run_until(&s.w.loop, none_in_flight, &s);
	assert_int_equal(s.w.out->reconnects, 0);
	scene_end(&s);
	give_back(one);
}

/* A window of one long event. */
static struct sq_sv long_message(size_t n)
{
	struct sqd_message_head head = { .n = (uint32_t)n };
	char *p = malloc(sizeof(head) + n);

	memcpy(p, &head, sizeof(head));
	memset(p + sizeof(head), 'x', n);
	return (struct sq_sv){ p, sizeof(head) + n };
}

static void a_peer_that_reads_slowly_is_no_dead_one(void **state SQ_UNUSED)
{
	enum { N = 24 << 20 }; /* more than the kernel buffers */
	struct sq_sv one = long_message(N);
	static char sink[256 * 1024];
	uint64_t began, got = 0;
	struct scene s;

	scene_make(&s);
	s.cfg->ack_timeout = 300;
	scene_begin(&s);
	give(&s, one);
	began = uv_hrtime();
	while (got < N + 16) {
		ssize_t n = recv(s.fd, sink, sizeof(sink), 0);

		if (n > 0)
			got += (uint64_t)n;
		uv_run(&s.w.loop, UV_RUN_NOWAIT);
		(void)poll(NULL, 0, 10);
		assert_true(uv_hrtime() - began < 60 * 1000000000ull);
	}
	assert_true(uv_hrtime() - began > 600 * 1000000ull);
	ack(&s, 1);
	run_until(&s.w.loop, none_in_flight, &s);
	assert_int_equal(s.w.out->reconnects, 0);
	scene_end(&s);
	give_back(one);
}

static void a_peer_that_reads_nothing_is_left(void **state SQ_UNUSED)
{
	struct sq_sv one = long_message(24 << 20);
	struct scene s;

	scene_make(&s);
	s.cfg->ack_timeout = 200;
	scene_begin(&s);
	give(&s, one);
	scene_accept(&s); /* it comes again, and nothing is lost */
	assert_int_equal(s.in_flight, 1);
	scene_end(&s);
	assert_int_equal(s.status, -ECANCELED);
	give_back(one);
}

/* The messages as one window of this level. */
static void put_packed(struct sq_outbuf *to, struct sq_sv left, int level)
{
	struct sq_lumber_out o = sq_lumber_out_of(1 << 20);
	struct sqd_message m;
	struct sq_sv wire;

	while (sqd_message_next(&left, &m))
		sq_lumber_out_add(&o, m.text);
	assert_int_equal(sq_lumber_out_end(&o, level, &wire), 0);
	sq_outbuf_put(to, wire);
	sq_lumber_out_fini(&o);
}

static void without_memory_it_is_tried_again(void **state SQ_UNUSED)
{
	struct sq_sv many = messages(0, 300);

	for (unsigned n = 1; n < 100; n++) {
		struct sq_outbuf want = wire_new();
		bool failed;
		struct scene s;

		scene_make(&s);
		s.cfg->compression = 1;
		scene_begin(&s);
		fault_alloc_at(n);
		give(&s, many);
		turn(&s);
		failed = fault_alloc_end();
		if (failed)
			scene_accept(&s);
		put_packed(&want, many, 1);
		expect_wire(&s, &want);
		ack(&s, 300);
		run_until(&s.w.loop, none_in_flight, &s);
		assert_int_equal(s.sent, 1);
		scene_end(&s);
		sq_outbuf_fini(&want);
		if (!failed) {
			assert_true(n > 2);
			give_back(many);
			return;
		}
	}
	fail_msg("it never ran through");
}

/* ---- the end ----------------------------------------------------------------------------- */

static void closing_tells_what_is_in_flight(void **state SQ_UNUSED)
{
	struct sq_sv one = messages(0, 1), two = messages(1, 1);
	struct scene s;

	scene_make(&s);
	scene_begin(&s);
	give(&s, one);
	give(&s, two);
	s.w.out->ops->close(s.w.out);
	assert_int_equal(s.in_flight, 2); /* not from inside */
	scene_end(&s);
	assert_int_equal(s.status, -ECANCELED);
	give_back(one);
	give_back(two);
}

static void closing_works_in_every_state(void **state SQ_UNUSED)
{
	struct sq_sv one = messages(0, 1);

	/* After so many turns of the loop: looking up, connecting, up, waiting. */
	for (int turns = 0; turns < 16; turns++) {
		struct scene s;

		scene_make(&s);
		if (turns & 1) {
			close(s.w.listener);
			s.w.listener = -1;
		}
		start(&s.w);
		for (int i = 0; i < turns / 2 && !s.w.ready; i++)
			uv_run(&s.w.loop, UV_RUN_ONCE);
		if (s.w.out->ops->send(s.w.out, one) == 0)
			s.in_flight++;
		scene_end(&s);
	}
	give_back(one);
}

static void a_bad_address_is_refused(void **state SQ_UNUSED)
{
	static const char *const bad[] = { "nothing", "host:", ":1", "host:99999", "a:b" };

	for (size_t i = 0; i < SQ_LEN(bad); i++) {
		struct sq_err err = { 0 };
		struct scene s;

		scene_make(&s);
		free(s.cfg->link.address);
		s.cfg->link.address = strdup(bad[i]);
		assert_int_equal(s.w.out->ops->start(s.w.out, &err), -EINVAL);
		assert_non_null(strstr(err.text, bad[i]));
		scene_end(&s);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_send_is_answered_when_its_last_event_is_acknowledged),
		cmocka_unit_test(windows_hold_so_many_events_and_so_many_are_on_their_way),
		cmocka_unit_test(windows_are_compressed_when_that_is_asked_for),
		cmocka_unit_test(acknowledgements_may_be_cut_anywhere),
		cmocka_unit_test(what_acknowledges_nothing_is_no_peer),
		cmocka_unit_test(keep_alives_are_waited_with),
		cmocka_unit_test(a_peer_that_reads_slowly_is_no_dead_one),
		cmocka_unit_test(a_peer_that_reads_nothing_is_left),
		cmocka_unit_test(without_memory_it_is_tried_again),
		cmocka_unit_test(closing_tells_what_is_in_flight),
		cmocka_unit_test(closing_works_in_every_state),
		cmocka_unit_test(a_bad_address_is_refused),
	};
	struct CMUnitTest rows[SQ_LEN(wrongs)];

	for (size_t i = 0; i < SQ_LEN(rows); i++)
		rows[i] = (struct CMUnitTest){ .name = wrongs[i].name,
			                       .test_func = check_wrong,
			                       .initial_state = &wrongs[i] };
	return cmocka_run_group_tests_name("output/lumberjack", tests, NULL, NULL) +
	       _cmocka_run_group_tests("output/lumberjack/wrong", rows, SQ_LEN(rows), NULL, NULL);
}
