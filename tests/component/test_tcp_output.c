#include "tests/support/output_world.h"

enum { MUCH = 32 << 20 }; /* more than the kernel buffers */

/** A TCP output that is up. @return the peer's end */
static int connected(struct world *w)
{
	make(w, &sqd_output_tcp);
	start(w);
	wait_ready(w);
	return take_connection(w);
}

static void deliver(struct world *w, int fd, struct sq_sv text)
{
	assert_int_equal(send_text(w, text), 0);
	wait_sent(w, 0);
	expect_bytes(fd, text.p);
}

/** Close, and throw away what is on its way. */
static void reset(int fd)
{
	struct linger hard = { .l_onoff = 1 };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	close(fd);
}

/* ---- tests ------------------------------------------------------------------------------- */

static void bytes_arrive_in_order(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	make(&w, &sqd_output_tcp);
	start(&w);
	assert_int_equal(w.out->framing, SQD_FRAMING_LF);
	assert_int_equal(send_text(&w, SQ_SV("early\n")), -EAGAIN);
	wait_ready(&w);
	fd = take_connection(&w);
	assert_int_equal(send_text(&w, SQ_SV("one\n")), 0);
	assert_int_equal(send_text(&w, SQ_SV("not yet\n")), -EAGAIN);
	wait_sent(&w, 0);
	assert_int_equal(send_text(&w, SQ_SV("two\n")), 0);
	wait_sent(&w, 0);
	expect_bytes(fd, "one\ntwo\n");
	assert_int_equal(w.out->reconnects, 0);
	close(fd);
	end(&w);
}

static void a_peer_that_is_away_is_tried_again(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	make(&w, &sqd_output_tcp);
	close(w.listener);
	w.listener = -1;
	start(&w);
	/* Some rounds of refusals; then the peer comes. */
	for (int i = 0; i < 50; i++) {
		uv_run(&w.loop, UV_RUN_ONCE);
		assert_int_equal(w.ready, 0);
		if (i == 10) {
			w.listener = bound(SOCK_STREAM, &w.port);
			assert_int_equal(listen(w.listener, 8), 0);
			break;
		}
	}
	wait_ready(&w);
	fd = take_connection(&w);
	deliver(&w, fd, SQ_SV("hello\n"));
	close(fd);
	end(&w);
}

static void a_peer_that_goes_away_is_noticed_without_sending(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	fd = connected(&w);
	assert_int_equal(send(fd, "chatter", 7, 0), 7); /* read and thrown away */
	close(fd);
	wait_ready(&w);
	assert_int_equal(w.out->reconnects, 1);
	fd = take_connection(&w);
	deliver(&w, fd, SQ_SV("again\n"));
	close(fd);
	end(&w);
}

static void a_write_that_fails_is_told_and_the_output_mends_itself(void **state SQ_UNUSED)
{
	char *big = calloc(1, MUCH);
	struct world w;
	int fd;

	fd = connected(&w);
	assert_int_equal(send_text(&w, (struct sq_sv){ big, MUCH }), 0);
	for (int i = 0; i < 20; i++)
		uv_run(&w.loop, UV_RUN_NOWAIT);
	assert_int_equal(w.sent, 0);
	reset(fd);
	run_until(&w.loop, is_sent, &w);
	assert_true(w.status < 0);
	assert_int_equal(send_text(&w, SQ_SV("x")), -EAGAIN);
	wait_ready(&w);
	fd = take_connection(&w);
	deliver(&w, fd, SQ_SV("x\n"));
	close(fd);
	end(&w);
	free(big);
}

static void what_a_peer_took_and_refused_at_once_is_told_as_not_sent(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	fd = connected(&w);
	assert_int_equal(send_text(&w, SQ_SV("x\n")), 0); /* the kernel has it all */
	expect_bytes(fd, "x\n");
	assert_int_equal(w.sent, 0);
	reset(fd);
	run_until(&w.loop, is_sent, &w);
	assert_int_equal(w.status, UV_ECONNRESET);
	wait_ready(&w);
	end(&w);
}

/* Bytes flow as soon as it is connected, however long it takes until they are answered. */
static void more_is_written_while_the_first_is_not_answered(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	fd = connected(&w);
	assert_int_equal(send_text(&w, SQ_SV("one\n")), 0);
	assert_int_equal(send_text(&w, SQ_SV("not yet\n")), -EAGAIN); /* it is being written */
	wait_ready(&w);
	assert_int_equal(send_text(&w, SQ_SV("two\n")), 0);
	assert_int_equal(send_text(&w, SQ_SV("not yet\n")), -EAGAIN);
	wait_ready(&w);
	assert_int_equal(send_text(&w, SQ_SV("three\n")), 0);
	expect_bytes(fd, "one\ntwo\nthree\n");
	assert_int_equal(w.sent, 0); /* the connection is too young for that */
	assert_int_equal(w.sending, 3);
	w.sent = 0;
	while (w.sending)
		wait_sent(&w, 0);
	close(fd);
	end(&w);
}

static void what_has_arrived_is_answered_while_the_next_is_on_its_way(void **state SQ_UNUSED)
{
	char *big = calloc(1, MUCH);
	struct world w;
	int fd;

	fd = connected(&w);
	assert_int_equal(send_text(&w, SQ_SV("one\n")), 0);
	assert_int_equal(send_text(&w, SQ_SV("x")), -EAGAIN);
	wait_ready(&w);
	assert_int_equal(send_text(&w, (struct sq_sv){ big, MUCH }), 0);
	wait_sent(&w, 0);
	assert_int_equal(w.sending, 1); /* nobody reads the second */
	expect_bytes(fd, "one\n");
	close(fd); /* with bytes that were not read: a reset */
	w.sent = 0;
	run_until(&w.loop, is_sent, &w);
	assert_true(w.status < 0);
	end(&w);
	free(big);
}

static void a_failure_is_told_once_for_all_that_is_not_answered(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	fd = connected(&w);
	assert_int_equal(send_text(&w, SQ_SV("one\n")), 0);
	assert_int_equal(send_text(&w, SQ_SV("x")), -EAGAIN);
	wait_ready(&w);
	assert_int_equal(send_text(&w, SQ_SV("two\n")), 0);
	reset(fd);
	run_until(&w.loop, is_sent, &w);
	assert_true(w.status < 0);
	assert_int_equal(w.sending, 0);
	wait_ready(&w);
	assert_int_equal(w.sent, 1);
	/* The next connection counts from its own beginning. */
	fd = take_connection(&w);
	deliver(&w, fd, SQ_SV("one\n"));
	close(fd);
	end(&w);
}

/* One piece after another, as fast as they are taken: no timer is waited for in between. */
static void a_stream_is_not_held_up_by_its_answers(void **state SQ_UNUSED)
{
	enum { N = 64 * 1024, PIECES = 2000 };
	char *big = calloc(1, N), *sink = malloc(N);
	uint64_t begin_ns, got = 0;
	unsigned given = 0;
	struct world w;
	int fd;

	fd = connected(&w);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	begin_ns = uv_hrtime();
	while (got < (uint64_t)N * PIECES && uv_hrtime() - begin_ns < 5000000000) {
		ssize_t r;

		if (given < PIECES && w.sending < SQD_OUTPUT_SENDS)
			given += !send_text(&w, (struct sq_sv){ big, N });
		uv_run(&w.loop, UV_RUN_NOWAIT);
		while ((r = recv(fd, sink, N, 0)) > 0)
			got += (uint64_t)r;
	}
	assert_int_equal(got, (uint64_t)N * PIECES);
	while (w.sending)
		wait_sent(&w, 0);
	close(fd);
	end(&w);
	free(big);
	free(sink);
}

static uint64_t take_all(struct world *w, int fd, uint64_t want)
{
	uint64_t begin_ns = uv_hrtime(), got = 0;
	char sink[64 * 1024];

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (got < want && uv_hrtime() - begin_ns < UINT64_C(30000000000)) {
		ssize_t r;

		uv_run(&w->loop, UV_RUN_NOWAIT);
		while ((r = recv(fd, sink, sizeof(sink), 0)) > 0)
			got += (uint64_t)r;
	}
	return got;
}

/* It has accepted, and is stopped: its system takes bytes until its buffer is full. */
static void a_receiver_that_takes_nothing_is_left_for_another(void **state SQ_UNUSED)
{
	char *big = calloc(1, MUCH), **names = calloc(1, sizeof(*names));
	struct sqd_output_tcp_cfg *cfg;
	uint16_t port = 0;
	struct world w;
	int stopped, other, fd;

	make(&w, &sqd_output_tcp);
	other = bound(SOCK_STREAM, &port);
	assert_int_equal(listen(other, 8), 0);
	assert_true(asprintf(&names[0], "127.0.0.1:%u", port) > 0);
	cfg = w.cfg;
	cfg->link.alternates = (struct sq_opt_strs){ .list = names, .n = 1 };
	cfg->stall_timeout = 500;
	start(&w);
	wait_ready(&w);
	stopped = take_connection(&w);
	assert_int_equal(send_text(&w, (struct sq_sv){ big, MUCH }), 0);
	wait_sent(&w, UV_ETIMEDOUT);
	wait_ready(&w);
	fd = accept4(other, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	w.sent = 0;
	assert_int_equal(send_text(&w, (struct sq_sv){ big, MUCH }), 0);
	assert_int_equal(take_all(&w, fd, MUCH), MUCH);
	run_until(&w.loop, is_sent, &w);
	assert_int_equal(w.status, 0);
	assert_int_equal(w.out->reconnects, 1);
	close(fd);
	close(stopped);
	close(other);
	end(&w);
	free(big);
}

/* To connect anew would bring it the same once more, and no sooner. */
static void the_only_receiver_is_waited_for(void **state SQ_UNUSED)
{
	char *big = calloc(1, MUCH);
	struct sqd_output_tcp_cfg *cfg;
	uint64_t begin_ms;
	struct world w;
	int fd;

	make(&w, &sqd_output_tcp);
	cfg = w.cfg;
	cfg->stall_timeout = 100;
	start(&w);
	wait_ready(&w);
	fd = take_connection(&w);
	assert_int_equal(send_text(&w, (struct sq_sv){ big, MUCH }), 0);
	begin_ms = uv_now(&w.loop);
	while (!w.sent && uv_now(&w.loop) - begin_ms < 1000)
		uv_run(&w.loop, UV_RUN_ONCE);
	assert_int_equal(w.sent, 0);
	assert_int_equal(take_all(&w, fd, MUCH), MUCH);
	run_until(&w.loop, is_sent, &w);
	assert_int_equal(w.status, 0);
	assert_int_equal(w.out->reconnects, 0);
	close(fd);
	end(&w);
	free(big);
}

static void closing_tells_what_is_in_flight(void **state SQ_UNUSED)
{
	char *big = calloc(1, MUCH);
	struct world w;
	int fd;

	fd = connected(&w);
	assert_int_equal(send_text(&w, (struct sq_sv){ big, MUCH }), 0);
	w.out->ops->close(w.out);
	assert_int_equal(w.sent, 0); /* not from inside */
	run_until(&w.loop, is_closed, &w);
	assert_int_equal(w.sent, 1);
	assert_int_equal(w.status, UV_ECANCELED);
	close(fd);
	end(&w);
	free(big);
}

static void closing_works_in_every_state(void **state SQ_UNUSED)
{
	/* After so many turns of the loop: looking up, connecting, up, waiting. */
	for (int turns = 0; turns < 12; turns++) {
		struct world w;

		make(&w, &sqd_output_tcp);
		if (turns & 1) {
			close(w.listener);
			w.listener = -1;
		}
		start(&w);
		for (int i = 0; i < turns / 2 && !w.ready; i++)
			uv_run(&w.loop, UV_RUN_ONCE);
		end(&w);
	}
}

static void names_are_looked_up(void **state SQ_UNUSED)
{
	struct sqd_output_tcp_cfg *cfg;
	struct world w;

	make(&w, &sqd_output_tcp);
	cfg = w.cfg;
	free(cfg->link.address);
	/* Perhaps ::1 comes first and refuses: then the next address is tried. */
	assert_true(asprintf(&cfg->link.address, "localhost:%u", w.port) > 0);
	start(&w);
	wait_ready(&w);
	close(take_connection(&w));
	end(&w);
}

static void a_bad_address_is_refused(void **state SQ_UNUSED)
{
	static const char *const bad[] = { "nothing", "host:", ":1", "host:99999", "::1:5", "a:b" };

	for (size_t i = 0; i < SQ_LEN(bad); i++) {
		struct sqd_output_tcp_cfg *cfg;
		struct sq_err err = { 0 };
		struct world w;

		make(&w, &sqd_output_tcp);
		cfg = w.cfg;
		free(cfg->link.address);
		cfg->link.address = strdup(bad[i]);
		assert_int_equal(w.out->ops->start(w.out, &err), -EINVAL);
		assert_non_null(strstr(err.text, bad[i]));
		end(&w);
	}
}

static void udp_sends_one_message_a_datagram(void **state SQ_UNUSED)
{
	static char big[70000];
	char got[64] = "";
	struct world w;

	make(&w, &sqd_output_udp);
	start(&w);
	assert_int_equal(w.out->framing, SQD_FRAMING_MESSAGE);
	assert_int_equal(send_text(&w, SQ_SV("early")), -EAGAIN);
	wait_ready(&w);
	assert_int_equal(send_text(&w, SQ_SV("first")), 0);
	wait_sent(&w, 0);
	assert_int_equal(send_text(&w, (struct sq_sv){ big, sizeof(big) }), 0);
	wait_sent(&w, -EMSGSIZE);
	assert_int_equal(send_text(&w, SQ_SV("second")), 0);
	wait_sent(&w, 0);
	assert_int_equal(recv(w.listener, got, sizeof(got), 0), 5);
	assert_memory_equal(got, "first", 5);
	assert_int_equal(recv(w.listener, got, sizeof(got), 0), 6);
	assert_memory_equal(got, "second", 6);
	w.out->ops->reopen(w.out);
	assert_int_equal(send_text(&w, SQ_SV("now")), -EAGAIN);
	wait_ready(&w);
	assert_int_equal(send_text(&w, SQ_SV("third")), 0);
	wait_sent(&w, 0);
	end(&w);
}

static void udp_closes_in_every_state(void **state SQ_UNUSED)
{
	for (int turns = 0; turns < 4; turns++) {
		struct world w;

		make(&w, &sqd_output_udp);
		start(&w);
		for (int i = 0; i < turns && !w.ready; i++)
			uv_run(&w.loop, UV_RUN_ONCE);
		if (w.ready)
			assert_int_equal(send_text(&w, SQ_SV("in flight")), 0);
		end(&w);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_arrive_in_order),
		cmocka_unit_test(a_peer_that_is_away_is_tried_again),
		cmocka_unit_test(a_peer_that_goes_away_is_noticed_without_sending),
		cmocka_unit_test(a_write_that_fails_is_told_and_the_output_mends_itself),
		cmocka_unit_test(what_a_peer_took_and_refused_at_once_is_told_as_not_sent),
		cmocka_unit_test(more_is_written_while_the_first_is_not_answered),
		cmocka_unit_test(what_has_arrived_is_answered_while_the_next_is_on_its_way),
		cmocka_unit_test(a_failure_is_told_once_for_all_that_is_not_answered),
		cmocka_unit_test(a_stream_is_not_held_up_by_its_answers),
		cmocka_unit_test(a_receiver_that_takes_nothing_is_left_for_another),
		cmocka_unit_test(the_only_receiver_is_waited_for),
		cmocka_unit_test(closing_tells_what_is_in_flight),
		cmocka_unit_test(closing_works_in_every_state),
		cmocka_unit_test(names_are_looked_up),
		cmocka_unit_test(a_bad_address_is_refused),
		cmocka_unit_test(udp_sends_one_message_a_datagram),
		cmocka_unit_test(udp_closes_in_every_state),
	};

	return cmocka_run_group_tests_name("output/tcp", tests, NULL, NULL);
}
