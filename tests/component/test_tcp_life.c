/* The TCP input: its connections and its listener, from the address to the stop. */
#include <sys/resource.h>

#include "tests/component/tcp_world.h"

static void a_connection_outlives_its_close_until_it_is_settled(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	tcp_make(&w);
	world_start(&w);
	fd = tcp_dial(&w);
	say(fd, "{\"a\":1}\n");
	close(fd);
	wait_records(&w, 1);
	for (int i = 0; i < 20; i++)
		uv_run(&w.loop, UV_RUN_NOWAIT);
	sqd_input_tcp.stop(w.in);
	sqd_input_tcp.close(w.in);
	for (int i = 0; i < 20; i++)
		uv_run(&w.loop, UV_RUN_NOWAIT);
	assert_false(w.closed);
	sqd_dispatch_seal(&w.d);
	fake_dispatch_settle(&w.d); /* ASan sees it if the receipt is gone */
	run_until(&w.loop, world_is_closed, &w);
	fake_dispatch_forget(&w.d);
	sq_opt_free(sqd_input_tcp.opts, &w.cfg);
	free(w.in);
	assert_int_equal(uv_loop_close(&w.loop), 0);
}

static void more_connections_than_allowed_are_refused(void **state SQ_UNUSED)
{
	struct world w;
	int a, b;

	tcp_make(&w);
	w.cfg.tcp.server.max_connections = 1;
	world_start(&w);
	a = tcp_dial(&w);
	wait_count(&w, &w.counts.connections, 1);
	b = tcp_dial(&w);
	expect_hangup(&w, b);
	assert_int_equal(w.counts.connections_refused, 1);
	say(a, "{}\n");
	wait_records(&w, 1);
	close(a);
	for (int i = 0; i < 20; i++)
		uv_run(&w.loop, UV_RUN_NOWAIT);
	b = tcp_dial(&w);
	say(b, "{}\n");
	wait_records(&w, 2);
	close(b);
	world_end(&w);
}

/* From another address of this machine. */
static int dial_from(struct world *w, const char *from)
{
	struct sockaddr_in me = { .sin_family = AF_INET }, to = { 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t n = sizeof(to);

	assert_int_equal(inet_pton(AF_INET, from, &me.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&me, sizeof(me)), 0);
	assert_int_equal(getsockname(w->in->socket, (struct sockaddr *)&to, &n), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void more_connections_of_a_peer_than_allowed_are_refused(void **state SQ_UNUSED)
{
	struct world w;
	int a, b, other;

	tcp_make(&w);
	w.cfg.tcp.server.max_per_peer = 2;
	world_start(&w);
	a = tcp_dial(&w);
	b = tcp_dial(&w);
	wait_count(&w, &w.counts.connections, 2);
	expect_hangup(&w, tcp_dial(&w));
	assert_int_equal(w.counts.connections_crowded, 1);
	assert_int_equal(w.counts.connections, 2);
	assert_int_equal(w.counts.connections_refused, 0);
	other = dial_from(&w, "127.0.0.2");
	say(other, "{}\n");
	wait_records(&w, 1);
	/* Whoever has gone has made room. */
	close(a);
	world_turn(&w, 20);
	a = tcp_dial(&w);
	say(a, "{}\n");
	wait_records(&w, 2);
	expect_hangup(&w, tcp_dial(&w));
	assert_int_equal(w.counts.connections_crowded, 2);
	close(a);
	close(b);
	close(other);
	world_end(&w);
}

/* A process that was stopped wakes up with its timers due, and bytes that it has not seen yet. */
static void who_spoke_while_we_were_stopped_is_not_idle(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	tcp_make(&w);
	w.cfg.tcp.server.idle = 50;
	world_start(&w);
	fd = tcp_dial(&w);
	say(fd, "{\"a\":1}\n");
	wait_records(&w, 1);
	say(fd, "{\"b\":2}\n");
	for (int i = 0; i < 5; i++) {
		usleep(200 * 1000);
		uv_run(&w.loop, UV_RUN_NOWAIT);
		say(fd, "{\"c\":3}\n");
	}
	wait_records(&w, 7);
	assert_int_equal(w.counts.connections_idle, 0);
	close(fd);
	world_end(&w);
}

static void a_silent_connection_is_closed_after_its_idle_time(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	tcp_make(&w);
	w.cfg.tcp.server.idle = 50;
	world_start(&w);
	fd = tcp_dial(&w);
	say(fd, "{\"whole\":1}"); /* no line end: given on when it is closed */
	wait_count(&w, &w.counts.connections_idle, 1);
	expect_hangup(&w, fd);
	wait_records(&w, 1);
	world_end(&w);
}

static void without_descriptors_accepting_rests_and_goes_on(void **state SQ_UNUSED)
{
	struct rlimit old, low;
	struct world w;
	int fds[4];

	tcp_make(&w);
	world_start(&w);
	for (size_t i = 0; i < SQ_LEN(fds); i++)
		fds[i] = tcp_dial(&w);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)fds[3] + 2;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	wait_count(&w, &w.counts.connections, 1);
	for (int i = 0; i < 20; i++)
		uv_run(&w.loop, UV_RUN_NOWAIT);
	assert_true(w.counts.connections < 4);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	wait_count(&w, &w.counts.connections, 4);
	for (size_t i = 0; i < SQ_LEN(fds); i++) {
		say(fds[i], "{}\n");
		close(fds[i]);
	}
	wait_records(&w, 4);
	world_end(&w);
}

static void what_is_unfinished_when_stopping_is_counted(void **state SQ_UNUSED)
{
	struct world w;
	int a, b, c;

	tcp_make(&w);
	world_start(&w);
	a = tcp_dial(&w);
	b = tcp_dial(&w);
	c = tcp_dial(&w);
	say(a, "{\"whole\":1}");
	say(b, "{\"half\":");
	wait_count(&w, &w.counts.bytes_in, 19);
	say(c, "<13>1 - h a - - - {}");
	wait_count(&w, &w.counts.bytes_in, 39);
	sqd_input_tcp.stop(w.in);
	sqd_dispatch_seal(&w.d);
	assert_int_equal(w.d.n, 2);
	for (unsigned i = 0; i < 2; i++) /* in the order of the connections, which is not said */
		assert_true(strcmp(w.d.records[i], "{\"whole\":1}") == 0 ||
		            strcmp(w.d.records[i], "<13>1 - h a - - - {}") == 0);
	assert_int_equal(w.counts.received, 3);
	assert_int_equal(w.counts.dropped_shutdown, 1);
	close(a);
	close(b);
	close(c);
	world_end(&w);
}

static void records_that_find_no_batch_before_the_end_are_counted(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	tcp_make(&w);
	w.d.free = 1;
	world_start(&w);
	fd = tcp_dial(&w);
	for (int i = 0; i < 100; i++)
		say(fd, "{}\n");
	close(fd);
	wait_count(&w, &w.counts.bytes_in, 100); /* at least one read has happened */
	for (int i = 0; i < 20; i++)
		uv_run(&w.loop, UV_RUN_NOWAIT);
	sqd_input_tcp.stop(w.in);
	sqd_dispatch_seal(&w.d);
	assert_int_equal(w.d.n, 64);
	sqd_input_tcp.close(w.in);
	assert_int_equal(w.counts.received, 64 + w.counts.dropped_shutdown);
	assert_true(w.counts.dropped_shutdown > 0);
	world_end(&w);
}

static void a_bad_address_and_a_taken_port_say_so(void **state SQ_UNUSED)
{
	struct sq_err err = { 0 };
	struct world w, other;

	tcp_make(&w);
	world_start(&w);
	tcp_make(&other);
	free(other.cfg.tcp.server.listen);
	assert_true(asprintf(&other.cfg.tcp.server.listen, "127.0.0.1:%u", w.port) > 0);
	assert_int_equal(sqd_input_tcp.start(other.in, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, other.cfg.tcp.server.listen));
	world_end(&other);
	tcp_make(&other);
	free(other.cfg.tcp.server.listen);
	other.cfg.tcp.server.listen = strdup("localhost:5170");
	assert_int_equal(sqd_input_tcp.start(other.in, &err), -EINVAL);
	assert_non_null(strstr(err.text, "not an IP address"));
	world_end(&other);
	world_end(&w);
}

static void an_asterisk_takes_both_families(void **state SQ_UNUSED)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct world w;
	int four, six;

	tcp_make(&w);
	free(w.cfg.tcp.server.listen);
	w.cfg.tcp.server.listen = strdup("*:0");
	world_start(&w);
	four = tcp_dial(&w);
	say(four, "{}\n");
	wait_records(&w, 1);
	assert_memory_equal(w.d.peers[0], "127.0.0.1:", 10);
	to.sin6_port = htons(w.port);
	six = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (six >= 0 && connect(six, (struct sockaddr *)&to, sizeof(to)) == 0) {
		say(six, "{}\n");
		wait_records(&w, 2);
		assert_memory_equal(w.d.peers[1], "[::1]:", 6);
	} else {
		print_message("skipped: the IPv6 half, this machine has no IPv6\n");
	}
	if (six >= 0)
		close(six);
	close(four);
	world_end(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_outlives_its_close_until_it_is_settled),
		cmocka_unit_test(more_connections_than_allowed_are_refused),
		cmocka_unit_test(more_connections_of_a_peer_than_allowed_are_refused),
		cmocka_unit_test(a_silent_connection_is_closed_after_its_idle_time),
		cmocka_unit_test(who_spoke_while_we_were_stopped_is_not_idle),
		cmocka_unit_test(without_descriptors_accepting_rests_and_goes_on),
		cmocka_unit_test(what_is_unfinished_when_stopping_is_counted),
		cmocka_unit_test(records_that_find_no_batch_before_the_end_are_counted),
		cmocka_unit_test(a_bad_address_and_a_taken_port_say_so),
		cmocka_unit_test(an_asterisk_takes_both_families),
	};

	return cmocka_run_group_tests_name("input/tcp-life", tests, NULL, NULL);
}
