/* PROXY headers before the streams of inputs. */
#include "tests/support/probe_input.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"

struct proxy_case {
	const char *name;
	struct sq_sv header;
	const char *peer; /* NULL: the socket's */
	bool fails;
};

static struct proxy_case proxy_cases[] = {
	{ "version 1, IPv4", SQ_SV("PROXY TCP4 192.0.2.9 192.0.2.1 4711 5170\r\n"),
	  "192.0.2.9:4711", false },
	{ "version 1, IPv6", SQ_SV("PROXY TCP6 2001:db8::9 2001:db8::1 4711 5170\r\n"),
	  "[2001:db8::9]:4711", false },
	{ "version 1, unknown", SQ_SV("PROXY UNKNOWN\r\n"), NULL, false },
	{ "version 2, IPv4", SQ_SV(V2 "\x21\x11\0\x0c\xc0\0\2\x09\xc0\0\2\1\x12\x67\x14\x32"),
	  "192.0.2.9:4711", false },
	{ "version 2, local", SQ_SV(V2 "\x20\0\0\0"), NULL, false },
	{ "none", SQ_SV("{\"a\":1}\n{\"a\":2}\n"), NULL, true },
	{ "broken", SQ_SV("PROXY TCP4 192.0.2.9.1 192.0.2.1 4711 5170\r\n"), NULL, true },
	{ "version 2, too long", SQ_SV(V2 "\x21\x11\xff\xff"), NULL, true },
};

static void proxied(struct world *w)
{
	probe_make(w);
	set_strs(&w->cfg.server.proxy_from, "127.0.0.0/8");
	w->cfg.server.handshake = 5000;
	world_start(w);
}

/* The header comes in two pieces, cut at every byte; what is behind it is not touched. */
static void check_proxy(void **state)
{
	const struct proxy_case *t = *state;
	struct world w;
	char name[64];
	uint64_t rounds = 0;

	proxied(&w);
	for (size_t cut = 0; cut <= t->header.n; cut++) {
		int fd = world_dial(&w, SOCK_STREAM);

		world_name_of(fd, name);
		probe.n = 0;
		if (cut)
			say_n(fd, t->header.p, cut);
		world_turn(&w, 3);
		(void)send(fd, t->header.p + cut, t->header.n - cut, MSG_NOSIGNAL);
		rounds++;
		if (t->fails) {
			(void)send(fd, "bytes", 5, MSG_NOSIGNAL);
			expect_hangup(&w, fd);
			assert_int_equal(w.counts.proxy_failed, rounds);
			assert_int_equal(w.counts.connections_failed, rounds);
			assert_int_equal(probe.opened, 0);
			continue;
		}
		say(fd, "bytes");
		probe_expect(&w, SQ_SV("bytes"));
		assert_int_equal(probe.opened, rounds);
		assert_string_equal(probe.peer, t->peer ? t->peer : name);
		assert_string_equal(probe.identity.proxy, t->peer ? name : "");
		close(fd);
	}
	assert_int_equal(w.counts.proxy_failed, t->fails ? rounds : 0);
	world_end(&w);
}

/* Connections count as those of the client that the proxy speaks for; its own do not count. */
static void behind_a_proxy_the_clients_connections_are_limited(void **state SQ_UNUSED)
{
	static const char nine[] = "PROXY TCP4 192.0.2.9 192.0.2.1 4711 5170\r\nbytes";
	static const char ten[] = "PROXY TCP4 192.0.2.10 192.0.2.1 4711 5170\r\nbytes";
	struct world w;
	int fds[6];

	probe_make(&w);
	set_strs(&w.cfg.server.proxy_from, "127.0.0.0/8");
	w.cfg.server.handshake = 5000;
	w.cfg.server.max_per_peer = 1;
	world_start(&w);
	for (size_t i = 0; i < SQ_LEN(fds); i++)
		fds[i] = world_dial(&w, SOCK_STREAM);
	wait_count(&w, &w.counts.connections, 6);
	for (size_t i = 0; i < 2; i++) {
		probe.n = 0;
		say(fds[i], "PROXY UNKNOWN\r\nbytes");
		probe_expect(&w, SQ_SV("bytes"));
	}
	probe.n = 0;
	say(fds[2], nine);
	probe_expect(&w, SQ_SV("bytes"));
	probe.n = 0;
	say(fds[3], nine);
	expect_hangup(&w, fds[3]);
	assert_int_equal(probe.n, 0);
	assert_int_equal(w.counts.connections_crowded, 1);
	assert_int_equal(w.counts.connections_failed, 0);
	say(fds[4], ten);
	probe_expect(&w, SQ_SV("bytes"));
	close(fds[2]);
	world_turn(&w, 20);
	probe.n = 0;
	say(fds[5], nine);
	probe_expect(&w, SQ_SV("bytes"));
	assert_int_equal(w.counts.connections_crowded, 1);
	for (size_t i = 0; i < SQ_LEN(fds); i++)
		if (i != 2 && i != 3)
			close(fds[i]);
	world_end(&w);
}

static void a_proxy_header_from_elsewhere_is_refused(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	probe_make(&w);
	set_strs(&w.cfg.server.proxy_from, "192.0.2.0/24");
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	say(fd, "PROXY TCP4 192.0.2.9 192.0.2.1 4711 5170\r\n{}\n");
	expect_hangup(&w, fd);
	fd = world_dial(&w, SOCK_STREAM);
	say_n(fd, V2 "\x20\0\0\0", 16);
	expect_hangup(&w, fd);
	assert_int_equal(w.counts.proxy_failed, 2);
	assert_int_equal(w.counts.connections_failed, 2);
	assert_int_equal(probe.n, 0);
	fd = world_dial(&w, SOCK_STREAM);
	say(fd, "{}\n");
	probe_expect(&w, SQ_SV("{}\n"));
	close(fd);
	world_end(&w);
}

static void a_proxy_header_that_is_late_closes(void **state SQ_UNUSED)
{
	static const char header[] = "PROXY TCP4 192.0.2.9 192.0.2.1 4711 5170\r\n";
	struct world w;
	int silent, slow;
	size_t at = 0;

	probe_make(&w);
	set_strs(&w.cfg.server.proxy_from, "127.0.0.1");
	w.cfg.server.handshake = 60;
	world_start(&w);
	silent = world_dial(&w, SOCK_STREAM);
	slow = world_dial(&w, SOCK_STREAM);
	/* A byte now and then does not put the deadline off. */
	while (w.counts.handshake_timeouts < 2) {
		assert_true(at < sizeof(header) - 1);
		if (send(slow, header + at, 1, MSG_NOSIGNAL) == 1)
			at++;
		(void)poll(NULL, 0, 5);
		world_turn(&w, 1);
	}
	expect_hangup(&w, silent);
	expect_hangup(&w, slow);
	assert_int_equal(w.counts.proxy_failed, 2);
	assert_int_equal(probe.opened, 0);
	world_end(&w);
}

static void who_comes_and_goes_without_a_byte_is_no_error(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	proxied(&w);
	fd = world_dial(&w, SOCK_STREAM);
	wait_count(&w, &w.counts.connections, 1);
	close(fd);
	fd = world_dial(&w, SOCK_STREAM);
	wait_count(&w, &w.counts.connections, 2);
	world_reset(fd);
	world_turn(&w, 20);
	assert_int_equal(w.counts.connections_failed, 0);
	fd = world_dial(&w, SOCK_STREAM);
	say(fd, "PROX");
	wait_count(&w, &w.counts.bytes_in, 4);
	close(fd);
	wait_count(&w, &w.counts.proxy_failed, 1);
	assert_int_equal(w.counts.connections_failed, 1);
	world_end(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(behind_a_proxy_the_clients_connections_are_limited),
		cmocka_unit_test(a_proxy_header_from_elsewhere_is_refused),
		cmocka_unit_test(a_proxy_header_that_is_late_closes),
		cmocka_unit_test(who_comes_and_goes_without_a_byte_is_no_error),
	};
	int failed = cmocka_run_group_tests_name("input/server PROXY", tests, NULL, NULL);

	return failed + RUN_TABLE("input/server PROXY headers", proxy_cases, check_proxy);
}
