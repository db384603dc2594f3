#include "tests/support/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/output/tcp.h"
#include "daemon/output/udp.h"
#include "tests/support/run_loop.h"

struct world {
	uv_loop_t loop;
	struct sqd_output *out;
	void *cfg;
	unsigned ready, sent;
	int status;
	bool sending, closed;
	int listener;
	uint16_t port;
	char address[64];
};

static void on_sent(struct sqd_output *out, int status)
{
	struct world *w = out->ctx;

	assert_true(w->sending);
	w->sending = false;
	w->sent++;
	w->status = status;
}

static void on_ready(struct sqd_output *out)
{
	struct world *w = out->ctx;

	assert_false(w->closed);
	w->ready++;
}

static void on_closed(struct sqd_output *out)
{
	struct world *w = out->ctx;

	assert_false(w->closed);
	assert_int_equal(out->open_handles, 0);
	w->closed = true;
}

static bool is_ready(void *ctx)
{
	return ((struct world *)ctx)->ready > 0;
}

static bool is_sent(void *ctx)
{
	return ((struct world *)ctx)->sent > 0;
}

static bool is_closed(void *ctx)
{
	return ((struct world *)ctx)->closed;
}

static int bound(int type, uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(*port) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
	socklen_t len = sizeof(at);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static void make(struct world *w, const struct sqd_output_ops *ops)
{
	char **address;

	*w = (struct world){ .listener = -1 };
	uv_loop_init(&w->loop);
	w->cfg = calloc(1, ops->cfg_size);
	assert_int_equal(sq_opt_defaults(ops->opts, w->cfg), 0);
	w->out = calloc(1, ops->size);
	w->out->ops = ops;
	w->out->cfg = w->cfg;
	w->out->loop = &w->loop;
	w->out->sent = on_sent;
	w->out->ready = on_ready;
	w->out->closed = on_closed;
	w->out->ctx = w;
	w->listener = bound(ops == &sqd_output_tcp ? SOCK_STREAM : SOCK_DGRAM, &w->port);
	if (ops == &sqd_output_tcp)
		assert_int_equal(listen(w->listener, 8), 0);
	/* Both structs begin with the address. */
	address = w->cfg;
	assert_true(asprintf(address, "127.0.0.1:%u", w->port) > 0);
	if (ops == &sqd_output_tcp) {
		struct sqd_output_tcp_cfg *cfg = w->cfg;

		cfg->retry_min = 10;
		cfg->retry_max = 40;
	}
}

static void start(struct world *w)
{
	struct sq_err err = { 0 };

	if (w->out->ops->start(w->out, &err) < 0)
		fail_msg("%s", err.text);
}

static void end(struct world *w)
{
	w->out->ops->close(w->out);
	run_until(&w->loop, is_closed, w);
	assert_false(w->sending); /* what was in flight has been told */
	sq_opt_free(w->out->ops->opts, w->cfg);
	free(w->cfg);
	free(w->out);
	if (w->listener >= 0)
		close(w->listener);
	assert_int_equal(uv_loop_close(&w->loop), 0);
}

static int send_text(struct world *w, struct sq_sv text)
{
	int r = w->out->ops->send(w->out, text);

	w->sending |= r == 0;
	return r;
}

static void wait_ready(struct world *w)
{
	w->ready = 0;
	run_until(&w->loop, is_ready, w);
}

static void wait_sent(struct world *w, int status)
{
	w->sent = 0;
	run_until(&w->loop, is_sent, w);
	assert_int_equal(w->status, status);
}

static int take_connection(struct world *w)
{
	int fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void expect_bytes(int fd, const char *want)
{
	char got[256] = "";
	size_t n = 0, len = strlen(want);

	while (n < len) {
		ssize_t r = recv(fd, got + n, sizeof(got) - 1 - n, 0);

		assert_true(r > 0);
		n += (size_t)r;
	}
	assert_string_equal(got, want);
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
	assert_int_equal(send_text(&w, SQ_SV("hello\n")), 0);
	wait_sent(&w, 0);
	expect_bytes(fd, "hello\n");
	close(fd);
	end(&w);
}

static void a_peer_that_goes_away_is_noticed_without_sending(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	make(&w, &sqd_output_tcp);
	start(&w);
	wait_ready(&w);
	fd = take_connection(&w);
	assert_int_equal(send(fd, "chatter", 7, 0), 7); /* read and thrown away */
	close(fd);
	wait_ready(&w);
	assert_int_equal(w.out->reconnects, 1);
	fd = take_connection(&w);
	assert_int_equal(send_text(&w, SQ_SV("again\n")), 0);
	wait_sent(&w, 0);
	expect_bytes(fd, "again\n");
	close(fd);
	end(&w);
}

static void a_write_that_fails_is_told_and_the_output_mends_itself(void **state SQ_UNUSED)
{
	enum { N = 32 << 20 }; /* more than the kernel buffers */
	struct linger hard = { .l_onoff = 1 };
	char *big = calloc(1, N);
	struct world w;
	int fd;

	make(&w, &sqd_output_tcp);
	start(&w);
	wait_ready(&w);
	fd = take_connection(&w);
	assert_int_equal(send_text(&w, (struct sq_sv){ big, N }), 0);
	for (int i = 0; i < 20; i++)
		uv_run(&w.loop, UV_RUN_NOWAIT);
	assert_int_equal(w.sent, 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	close(fd); /* a reset */
	run_until(&w.loop, is_sent, &w);
	assert_true(w.status < 0);
	assert_int_equal(send_text(&w, SQ_SV("x")), -EAGAIN);
	wait_ready(&w);
	fd = take_connection(&w);
	assert_int_equal(send_text(&w, SQ_SV("x\n")), 0);
	wait_sent(&w, 0);
	expect_bytes(fd, "x\n");
	close(fd);
	end(&w);
	free(big);
}

static void what_a_peer_took_and_refused_at_once_is_told_as_not_sent(void **state SQ_UNUSED)
{
	struct linger hard = { .l_onoff = 1 };
	struct world w;
	int fd;

	make(&w, &sqd_output_tcp);
	start(&w);
	wait_ready(&w);
	fd = take_connection(&w);
	assert_int_equal(send_text(&w, SQ_SV("x\n")), 0); /* the kernel has it all */
	expect_bytes(fd, "x\n");
	assert_int_equal(w.sent, 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	close(fd);
	run_until(&w.loop, is_sent, &w);
	assert_int_equal(w.status, UV_ECONNRESET);
	wait_ready(&w);
	end(&w);
}

static void closing_tells_what_is_in_flight(void **state SQ_UNUSED)
{
	enum { N = 32 << 20 };
	char *big = calloc(1, N);
	struct world w;
	int fd;

	make(&w, &sqd_output_tcp);
	start(&w);
	wait_ready(&w);
	fd = take_connection(&w);
	assert_int_equal(send_text(&w, (struct sq_sv){ big, N }), 0);
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
	free(cfg->address);
	/* Perhaps ::1 comes first and refuses: then the next address is tried. */
	assert_true(asprintf(&cfg->address, "localhost:%u", w.port) > 0);
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
		free(cfg->address);
		cfg->address = strdup(bad[i]);
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
		cmocka_unit_test(closing_tells_what_is_in_flight),
		cmocka_unit_test(closing_works_in_every_state),
		cmocka_unit_test(names_are_looked_up),
		cmocka_unit_test(a_bad_address_is_refused),
		cmocka_unit_test(udp_sends_one_message_a_datagram),
		cmocka_unit_test(udp_closes_in_every_state),
	};

	return cmocka_run_group_tests_name("output/tcp", tests, NULL, NULL);
}
