/* The server of stream inputs, without PROXY headers (test_server_proxy.c) and TLS
 * (test_server_tls.c).
 */
#include <sys/un.h>

#include "tests/support/probe_input.h"

/* ---- life -------------------------------------------------------------------------------- */

static void a_connection_opens_takes_ends_closes_and_is_freed(void **state SQ_UNUSED)
{
	struct world w;
	char name[64];
	int fd;

	probe_make(&w);
	world_start(&w);
	assert_int_equal(strncmp(w.in->name, "probe 127.0.0.1:", 16), 0);
	fd = world_dial(&w, SOCK_STREAM);
	world_name_of(fd, name);
	wait_count(&w, &probe.opened, 1);
	assert_string_equal(probe.peer, name);
	assert_null(probe.conn->identity);
	say(fd, "hello");
	probe_expect(&w, SQ_SV("hello"));
	close(fd);
	wait_count(&w, &probe.freed, 1);
	assert_int_equal(probe.ended, 1);
	assert_int_equal(probe.why, 0);
	assert_int_equal(probe.closed, 1);
	assert_int_equal(w.counts.bytes_in, 5);
	assert_int_equal(w.counts.connections, 1);
	assert_int_equal(w.counts.connections_failed, 0);
	world_end(&w);
}

static void what_open_refuses_is_closed_and_the_listener_lives(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	probe_make(&w);
	world_start(&w);
	probe.refuse = -ENOMEM;
	fd = world_dial(&w, SOCK_STREAM);
	expect_hangup(&w, fd);
	assert_int_equal(w.counts.connections_failed, 1);
	assert_int_equal(probe.ended + probe.closed + probe.freed, 0);
	probe.refuse = 0;
	fd = world_dial(&w, SOCK_STREAM);
	say(fd, "x");
	probe_expect(&w, SQ_SV("x"));
	close(fd);
	world_end(&w);
}

static void a_reset_is_told_counted_and_closed(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	probe_make(&w);
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	say(fd, "half a rec");
	probe_expect(&w, SQ_SV("half a rec"));
	world_reset(fd);
	wait_count(&w, &probe.freed, 1);
	assert_int_equal(probe.why, -ECONNRESET);
	assert_int_equal(w.counts.connections_failed, 1);
	fd = world_dial(&w, SOCK_STREAM); /* somebody looks whether we are there */
	wait_count(&w, &probe.opened, 2);
	world_reset(fd);
	wait_count(&w, &probe.freed, 2);
	assert_int_equal(probe.why, 0);
	assert_int_equal(w.counts.connections_failed, 1);
	world_end(&w);
}

/* Bytes that came before a reset are still to be had, however slowly they are taken. */
static void a_reset_takes_nothing_that_came_before_it(void **state SQ_UNUSED)
{
	enum { N = 100 * 1000 };
	static char bytes[N];
	struct world w;
	int fd;

	memset(bytes, 'x', N);
	probe_make(&w);
	probe.room = 1000;
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	wait_count(&w, &probe.opened, 1);
	say_n(fd, bytes, N);
	world_reset(fd);
	wait_count(&w, &probe.freed, 1);
	assert_int_equal(probe.n, N);
	assert_int_equal(probe.why, -ECONNRESET);
	world_end(&w);
}

static void finishing_is_not_held_up_by_a_resume(void **state SQ_UNUSED)
{
	struct world w;
	char answer[16];
	int fd;

	probe_make(&w);
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	wait_count(&w, &probe.opened, 1);
	sqd_conn_resume_soon(probe.conn);
	assert_int_equal(sqd_conn_write(probe.conn, SQ_SV("bye")), 0);
	sqd_conn_finish(probe.conn);
	assert_int_equal(world_hear(&w, fd, answer, sizeof(answer)), 3);
	world_end(&w);
}

static void a_half_closed_peer_gets_its_answer(void **state SQ_UNUSED)
{
	struct world w;
	char answer[16];
	int fd;

	probe_make(&w);
	probe.stays = true;
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	say(fd, "question");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	wait_count(&w, &probe.ended, 1);
	world_turn(&w, 20); /* nor does its end keep the loop busy: nothing is polled for */
	assert_int_equal(probe.closed, 0);
	assert_int_equal(sqd_conn_write(probe.conn, SQ_SV("answer")), 0);
	sqd_conn_finish(probe.conn);
	assert_int_equal(world_hear(&w, fd, answer, sizeof(answer)), 6);
	assert_memory_equal(answer, "answer", 6);
	wait_count(&w, &probe.freed, 1);
	world_end(&w);
}

static void what_is_kept_is_freed_when_it_is_let_go(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	probe_make(&w);
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	wait_count(&w, &probe.opened, 1);
	sqd_conn_keep(probe.conn);
	sqd_conn_keep(probe.conn);
	close(fd);
	wait_count(&w, &probe.closed, 1);
	world_turn(&w, 20);
	assert_int_equal(probe.freed, 0);
	sqd_conn_let_go(probe.conn);
	assert_int_equal(probe.freed, 0);
	sqd_conn_let_go(probe.conn);
	assert_int_equal(probe.freed, 1);
	world_end(&w);
}

static void stop_is_told_once_and_nothing_is_read_behind_it(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	probe_make(&w);
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	wait_count(&w, &probe.opened, 1);
	say(fd, "unread");
	probe_ops.stop(w.in);
	probe_ops.stop(w.in);
	assert_int_equal(probe.stopped, 1);
	world_turn(&w, 20);
	assert_int_equal(probe.n, 0);
	assert_int_equal(sqd_conn_write(probe.conn, SQ_SV("ack")), 0); /* still possible */
	world_end(&w);
	assert_int_equal(probe.closed, 1);
	assert_int_equal(probe.freed, 1);
	close(fd);
}

static void idle_is_who_has_nothing_to_wait_for(void **state SQ_UNUSED)
{
	struct world w;
	int kept, held, idle;

	probe_make(&w);
	w.cfg.server.idle = 40;
	world_start(&w);
	kept = world_dial(&w, SOCK_STREAM);
	wait_count(&w, &probe.opened, 1);
	sqd_conn_keep(probe.conn);
	struct sqd_conn *keeper = probe.conn;
	held = world_dial(&w, SOCK_STREAM);
	wait_count(&w, &probe.opened, 2);
	sqd_conn_hold(probe.conn);
	struct sqd_conn *holder = probe.conn;
	idle = world_dial(&w, SOCK_STREAM);
	wait_count(&w, &w.counts.connections_idle, 1);
	expect_hangup(&w, idle);
	assert_int_equal(probe.closed, 1);
	assert_int_equal(probe.why, 0);
	sqd_conn_let_go(keeper);
	sqd_conn_unhold(holder);
	wait_count(&w, &w.counts.connections_idle, 3);
	expect_hangup(&w, kept);
	expect_hangup(&w, held);
	world_end(&w);
}

static void ticks_come_while_paused(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	probe_make(&w);
	w.cfg.server.send_timeout = 40;
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	wait_count(&w, &probe.opened, 1);
	probe_ops.pause(w.in);
	wait_count(&w, &probe.ticks, 3);
	close(fd);
	world_end(&w);
}

/* ---- hold and pause ---------------------------------------------------------------------- */

static void a_held_connection_is_not_read(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	probe_make(&w);
	probe.hold = true;
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	say(fd, "one");
	probe_expect(&w, SQ_SV("one"));
	say(fd, "two");
	close(fd);
	world_turn(&w, 20);
	assert_int_equal(probe.n, 3);
	assert_int_equal(probe.ended, 0);
	sqd_conn_unhold(probe.conn);
	assert_int_equal(probe.takes, 1); /* not from inside */
	probe_expect(&w, SQ_SV("onetwo"));
	sqd_conn_unhold(probe.conn);
	wait_count(&w, &probe.freed, 1);
	world_end(&w);
}

static void holding_and_letting_go_at_once_reads_on(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	probe_make(&w);
	probe.hold = true;
	probe.on_take = NULL;
	probe.room = 10;
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	probe.hold = false;
	say(fd, "0123456789abcdefghij");
	probe_expect(&w, SQ_SV("0123456789abcdefghij"));
	assert_int_equal(probe.takes, 2);
	close(fd);
	world_end(&w);
}

static void without_batches_nobody_is_read_until_resume(void **state SQ_UNUSED)
{
	struct world w;
	int a, b;

	probe_make(&w);
	probe.starve = true;
	world_start(&w);
	a = world_dial(&w, SOCK_STREAM);
	b = world_dial(&w, SOCK_STREAM);
	wait_count(&w, &probe.opened, 2);
	say(a, "x");
	world_turn(&w, 5);
	say(b, "x");
	world_turn(&w, 5);
	probe_ops.resume(w.in); /* used up again by the first */
	assert_int_equal(probe.resumed, 1);
	world_turn(&w, 5);
	assert_int_equal(probe.n, 0);
	probe.starve = false;
	probe_ops.resume(w.in);
	assert_int_equal(probe.resumed, 3);
	probe_expect(&w, SQ_SV("xx"));
	close(a);
	close(b);
	world_end(&w);
}

/* ---- sending ----------------------------------------------------------------------------- */

static void shrink(int fd)
{
	int small = 64 * 1024;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
}

static char big[300 * 1024];

static void fill_big(void)
{
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)('a' + i % 23);
}

static void what_the_kernel_does_not_take_is_sent_later(void **state SQ_UNUSED)
{
	static char got[3 * sizeof(big)];
	struct world w;
	int fd;

	fill_big();
	probe_make(&w);
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	shrink(fd);
	wait_count(&w, &probe.opened, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(sqd_conn_write(probe.conn, (struct sq_sv){ big, sizeof(big) }), 0);
	sqd_conn_finish(probe.conn);
	assert_int_equal(sqd_conn_write(probe.conn, SQ_SV("late")), -EPIPE);
	assert_int_equal(world_hear(&w, fd, got, sizeof(got)), sizeof(got));
	for (int i = 0; i < 3; i++)
		assert_memory_equal(got + (size_t)i * sizeof(big), big, sizeof(big));
	wait_count(&w, &probe.freed, 1);
	world_end(&w);
}

/* Each byte that it takes puts the deadline off. */
static void a_slow_reader_gets_the_whole_answer(void **state SQ_UNUSED)
{
	static char got[8 * 1024];
	struct world w;
	size_t sum = 0;
	ssize_t n = 1;
	int fd;

	fill_big();
	probe_make(&w);
	w.cfg.server.send_timeout = 500;
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	shrink(fd);
	wait_count(&w, &probe.opened, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(sqd_conn_write(probe.conn, (struct sq_sv){ big, sizeof(big) }), 0);
	sqd_conn_finish(probe.conn);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (n) {
		world_turn(&w, 2);
		(void)poll(NULL, 0, 2);
		n = recv(fd, got, sizeof(got), 0);
		sum += n > 0 ? (size_t)n : 0;
		assert_true(n >= 0 || errno == EAGAIN);
	}
	assert_int_equal(sum, 3 * sizeof(big));
	close(fd);
	world_end(&w);
}

static void a_peer_that_never_reads_is_bounded_and_closed(void **state SQ_UNUSED)
{
	struct world w;
	size_t unsent;
	int fd, r = 0;

	fill_big();
	probe_make(&w);
	w.cfg.server.send_timeout = 60;
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	shrink(fd);
	wait_count(&w, &probe.opened, 1);
	for (int i = 0; i < 100 && !r; i++)
		r = sqd_conn_write(probe.conn, (struct sq_sv){ big, sizeof(big) });
	assert_int_equal(r, -ENOBUFS);
	unsent = sqd_conn_unsent(probe.conn);
	assert_true(unsent > SQD_CONN_UNSENT_MAX - sizeof(big) && unsent <= SQD_CONN_UNSENT_MAX);
	wait_count(&w, &probe.closed, 1); /* "does not read what is sent to it" */
	assert_int_equal(probe.ended, 0);
	assert_int_equal(w.counts.connections_failed, 1);
	close(fd);
	world_end(&w);
}

/* The peer talks on and we have closed: a reset would take our answer from it. */
static void an_answer_is_read_although_the_peer_talks_on(void **state SQ_UNUSED)
{
	struct world w;
	char answer[16];
	int fd;

	fill_big();
	probe_make(&w);
	probe.hold = true;
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	say_n(fd, big, 1000);
	wait_count(&w, &probe.takes, 1);
	say_n(fd, big, 20000);
	assert_int_equal(sqd_conn_write(probe.conn, SQ_SV("too much")), 0);
	sqd_conn_finish(probe.conn);
	world_turn(&w, 20);
	say_n(fd, big, 20000);
	world_turn(&w, 20);
	assert_int_equal(probe.closed, 0);
	assert_int_equal(recv(fd, answer, sizeof(answer), 0), 8);
	assert_memory_equal(answer, "too much", 8);
	close(fd);
	wait_count(&w, &probe.freed, 1);
	world_end(&w);
}

static void a_peer_that_does_not_end_is_closed_in_time(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	probe_make(&w);
	w.cfg.server.send_timeout = 40;
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	wait_count(&w, &probe.opened, 1);
	sqd_conn_finish(probe.conn);
	wait_count(&w, &probe.freed, 1);
	close(fd);
	world_end(&w);
}

static void writing_to_one_who_is_gone_ends_the_connection(void **state SQ_UNUSED)
{
	struct world w;
	int fd, r = 0;

	probe_make(&w);
	probe.hold = true;
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	say(fd, "x");
	probe_expect(&w, SQ_SV("x"));
	world_reset(fd);
	world_turn(&w, 5);
	assert_int_equal(probe.ended, 0); /* held: nobody looks */
	for (int i = 0; i < 10 && !r; i++)
		r = sqd_conn_write(probe.conn, SQ_SV("to nobody"));
	assert_int_equal(r, -EPIPE);
	assert_int_equal(probe.ended, 0); /* not from inside */
	wait_count(&w, &probe.freed, 1);
	assert_int_equal(probe.ended, 1);
	assert_int_equal(probe.why, -EPIPE);
	assert_int_equal(w.counts.connections_failed, 1);
	world_end(&w);
}

/* ---- start ------------------------------------------------------------------------------- */

static void options_that_cannot_be_say_so(void **state SQ_UNUSED)
{
	struct sq_err err = { 0 };
	struct world w;

	probe_make(&w);
	set_strs(&w.cfg.server.proxy_from, "10.1.2.3/8");
	assert_int_equal(probe_ops.start(w.in, &err), -EINVAL);
	assert_non_null(strstr(err.text, "probe input 127.0.0.1:0: proxy_from: \"10.1.2.3/8\""));
	world_end(&w);
	probe_make(&w);
	w.cfg.server.tls.key = strdup("/nowhere/key.pem");
	assert_int_equal(probe_ops.start(w.in, &err), -EINVAL);
	assert_non_null(strstr(err.text, "tls_key"));
	world_end(&w);
	probe_make(&w);
	w.cfg.server.tls.certificate = strdup("/nowhere/cert.pem");
	assert_int_equal(probe_ops.start(w.in, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/cert.pem"));
	world_end(&w);
}

static void a_unix_socket_serves_and_its_file_goes(void **state SQ_UNUSED)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct world w;
	int fd;

	snprintf(to.sun_path, sizeof(to.sun_path), "/tmp/squibly-test-%d.sock", (int)getpid());
	probe_make(&w);
	free(w.cfg.server.listen);
	assert_true(asprintf(&w.cfg.server.listen, "unix:%s", to.sun_path) > 0);
	set_strs(&w.cfg.server.proxy_from, "unix");
	assert_int_equal(probe_ops.start(w.in, &(struct sq_err){ 0 }), 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	say(fd, "PROXY TCP4 192.0.2.9 192.0.2.1 4711 5170\r\nbytes");
	probe_expect(&w, SQ_SV("bytes"));
	assert_string_equal(probe.peer, "192.0.2.9:4711");
	assert_int_equal(strncmp(probe.identity.proxy, "unix", 4), 0);
	close(fd);
	world_end(&w);
	assert_int_equal(access(to.sun_path, F_OK), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_opens_takes_ends_closes_and_is_freed),
		cmocka_unit_test(what_open_refuses_is_closed_and_the_listener_lives),
		cmocka_unit_test(a_reset_is_told_counted_and_closed),
		cmocka_unit_test(a_reset_takes_nothing_that_came_before_it),
		cmocka_unit_test(finishing_is_not_held_up_by_a_resume),
		cmocka_unit_test(a_half_closed_peer_gets_its_answer),
		cmocka_unit_test(what_is_kept_is_freed_when_it_is_let_go),
		cmocka_unit_test(stop_is_told_once_and_nothing_is_read_behind_it),
		cmocka_unit_test(idle_is_who_has_nothing_to_wait_for),
		cmocka_unit_test(ticks_come_while_paused),
		cmocka_unit_test(a_held_connection_is_not_read),
		cmocka_unit_test(holding_and_letting_go_at_once_reads_on),
		cmocka_unit_test(without_batches_nobody_is_read_until_resume),
		cmocka_unit_test(what_the_kernel_does_not_take_is_sent_later),
		cmocka_unit_test(a_slow_reader_gets_the_whole_answer),
		cmocka_unit_test(a_peer_that_never_reads_is_bounded_and_closed),
		cmocka_unit_test(an_answer_is_read_although_the_peer_talks_on),
		cmocka_unit_test(a_peer_that_does_not_end_is_closed_in_time),
		cmocka_unit_test(writing_to_one_who_is_gone_ends_the_connection),
		cmocka_unit_test(options_that_cannot_be_say_so),
		cmocka_unit_test(a_unix_socket_serves_and_its_file_goes),
	};

	return cmocka_run_group_tests_name("input/server", tests, NULL, NULL);
}
