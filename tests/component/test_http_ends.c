/* Requests that take too long, and connections that end before all is said. */
#include "tests/support/http_world.h"

#define POST(path, length) "POST " path " HTTP/1.1\r\nContent-Length: " #length "\r\n\r\n"

static void what_is_not_settled_in_time_is_sent_again(void **state SQ_UNUSED)
{
	struct http_world *h = http_new();
	const char *answer;
	int fd;

	h->settles = false;
	h->w.cfg.http.answer_timeout = 40;
	h->w.cfg.http.server.handshake = 40; /* how often deadlines are looked at */
	world_start(&h->w);
	fd = http_dial(h);
	http_say(h, fd, SQ_SV(POST("/", 8) "{\"a\":1}\n"));
	answer = http_hear(h, fd);
	assert_starts(answer, "HTTP/1.1 503 ");
	assert_non_null(strstr(answer, "Retry-After: 5\r\n"));
	assert_int_equal(h->w.d.forgotten, 1); /* no output is waited for */
	/* The next has its own receipt, and the first may be settled whenever it is. */
	http_say(h, fd, SQ_SV(POST("/", 8) "{\"a\":1}\n"));
	h->settles = true;
	assert_starts(http_hear(h, fd), "HTTP/1.1 200 ");
	assert_int_equal(h->w.counts.http_unsettled, 1);
	assert_int_equal(h->w.d.n, 2);
	close(fd);
	/* One whose batch never comes. */
	h->settles = false;
	h->w.d.free = 0;
	assert_starts(http_ask(h, POST("/", 8) "{\"a\":1}\n"), "HTTP/1.1 503 ");
	assert_int_equal(h->w.counts.http_unsettled, 2);
	h->w.d.free = FAKE_BATCHES;
	http_free(h);
}

/* Batches become free, and others have them each time. */
static void who_is_always_too_late_is_told_so(void **state SQ_UNUSED)
{
	struct http_world *h = http_new();
	unsigned batches = h->w.d.free;
	int fd;

	h->w.cfg.http.answer_timeout = 100;
	h->w.cfg.http.server.handshake = 40; /* how often deadlines are looked at */
	world_start(&h->w);
	h->w.d.free = 0;
	fd = http_dial(h);
	http_say(h, fd, SQ_SV(POST("/", 8) "{\"a\":1}\n"));
	assert_starts(http_hear(h, fd), "HTTP/1.1 503 "); /* which resumes all the time */
	assert_int_equal(h->w.counts.http_unsettled, 1);
	assert_int_equal(h->w.counts.received, 0);
	close(fd);
	h->w.d.free = batches;
	http_free(h);
}

static void slow_clients_are_told_so(void **state SQ_UNUSED)
{
	struct http_world *h = http_new();

	h->w.cfg.http.header_timeout = 50;
	h->w.cfg.http.body_timeout = 60;
	h->w.cfg.http.server.handshake = 40;
	world_start(&h->w);
	assert_starts(http_ask(h, "POST / HTT"), "HTTP/1.1 408 ");
	assert_starts(http_ask(h, POST("/", 100) "{\"a\":1}\n"), "HTTP/1.1 408 ");
	assert_starts(http_ask(h, POST("/nope", 100) "{\"a\":1}\n"),
	              "HTTP/1.1 408 "); /* refused anyway */
	assert_int_equal(h->w.counts.http_timeouts, 3);
	http_free(h);
}

static void who_connects_and_says_nothing_is_closed(void **state SQ_UNUSED)
{
	struct http_world *h = http_new();
	int fd;

	h->w.cfg.http.header_timeout = 40;
	h->w.cfg.http.server.handshake = 40; /* how often deadlines are looked at */
	world_start(&h->w);
	fd = http_dial(h);
	assert_string_equal(http_hear(h, fd), "");
	assert_int_equal(h->w.counts.connections_idle, 1);
	assert_int_equal(h->w.counts.http_timeouts, 0);
	close(fd);
	/* After a request it may wait for the next one. */
	fd = http_dial(h);
	http_say(h, fd, SQ_SV("GET / HTTP/1.1\r\n\r\n"));
	assert_starts(http_hear(h, fd), "HTTP/1.1 200 ");
	for (int i = 0; i < 100; i++) {
		http_turn(h);
		(void)poll(NULL, 0, 1);
	}
	http_say(h, fd, SQ_SV("GET / HTTP/1.1\r\n\r\n"));
	assert_starts(http_hear(h, fd), "HTTP/1.1 200 ");
	close(fd);
	http_free(h);
}

static void we_do_not_blame_others_for_our_own_time(void **state SQ_UNUSED)
{
	struct http_world *h = http_new();
	int fd;

	h->settles = false;
	h->w.cfg.http.body_timeout = 40;
	h->w.cfg.http.header_timeout = 40;
	h->w.cfg.http.server.handshake = 40;
	world_start(&h->w);
	h->w.d.free = 0;
	fd = http_dial(h);
	http_say(h, fd, SQ_SV(POST("/", 16) "{\"a\":1}\n")); /* half of it; then no batch is free */
	for (int i = 0; i < 150; i++) {
		http_turn(h);
		(void)poll(NULL, 0, 1);
	}
	assert_int_equal(h->w.counts.http_timeouts, 0);
	h->w.d.free = FAKE_BATCHES;
	http_settle(h);
	http_say(h, fd, SQ_SV("{\"b\":2}\n"));
	h->settles = true;
	assert_string_equal(http_body(http_hear(h, fd)), "{\"received\":2}");
	assert_int_equal(h->w.counts.http_timeouts, 0);
	close(fd);
	http_free(h);
}

/* ---- ends -------------------------------------------------------------------------------- */

static void a_client_that_reads_no_answers_is_closed(void **state SQ_UNUSED)
{
	struct http_world *h = http_new();
	static char many[18 * 1000];
	struct sq_sv rest = { 0 };
	int fd;

	for (size_t i = 0; i < sizeof(many); i += 18)
		memcpy(many + i, "GET / HTTP/1.1\r\n\r\n", 18);
	world_start(&h->w);
	fd = http_dial(h);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	/* The kernel has some megabytes for answers too. */
	for (int i = 0; i < 20000 && !h->w.counts.connections_failed; i++) {
		ssize_t n;

		if (!rest.n)
			rest = (struct sq_sv){ many, sizeof(many) };
		n = send(fd, rest.p, rest.n, MSG_NOSIGNAL);
		rest = sq_sv_skip(rest, n > 0 ? (size_t)n : 0);
		http_turn(h);
		if (n < 0)
			(void)poll(NULL, 0, 1);
	}
	assert_int_equal(h->w.counts.connections_failed, 1);
	close(fd);
	http_free(h);
}

static void a_body_that_is_cut_off_is_told_of(void **state SQ_UNUSED)
{
	struct http_world *h = http_new();
	int fd;

	world_start(&h->w);
	fd = http_dial(h);
	http_say(h, fd, SQ_SV(POST("/", 100) "{\"a\":1}\n{\"b\""));
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_string_equal(http_hear(h, fd), "");
	close(fd);
	http_turn(h);
	assert_int_equal(h->w.counts.http_bad, 1);
	assert_int_equal(h->w.d.n, 1); /* what was whole; the sender sends all of it again */
	http_free(h);
}

static void what_is_settled_on_the_way_down_is_answered(void **state SQ_UNUSED)
{
	struct http_world *h = http_new();
	int whole, half, idle;

	h->settles = false;
	world_start(&h->w);
	whole = http_dial(h);
	half = http_dial(h);
	idle = http_dial(h);
	http_say(h, whole, SQ_SV(POST("/", 8) "{\"a\":1}\n"));
	http_say(h, half, SQ_SV(POST("/", 16) "{\"a\":1}\n"));
	http_silence(h, whole);
	http_silence(h, half);
	h->w.in->ops->stop(h->w.in);
	assert_string_equal(http_hear(h, idle), "");
	assert_starts(http_hear(h, half), "HTTP/1.1 503 ");
	http_silence(h, whole);
	h->settles = true;
	assert_non_null(strstr(http_hear(h, whole), "Connection: close\r\n"));
	close(whole);
	close(half);
	close(idle);
	http_free(h);
}

static void connections_that_go_away_leave_nothing(void **state SQ_UNUSED)
{
	static const char request[] =
		"POST /_bulk HTTP/1.1\r\nContent-Length: 42\r\n\r\n{\"index\":{}}\n{\"b\":2}\n"
		"{\"index\":{}}\n{\"b\":2}\nGET / HTTP/1.1\r\n\r\n";
	struct http_world *h = http_new();

	h->settles = false;
	world_start(&h->w);
	for (size_t cut = 0; cut < sizeof(request); cut++) {
		int fd = http_dial(h);
		struct linger hard = { .l_onoff = cut % 2 };

		http_say(h, fd, (struct sq_sv){ request, cut });
		http_turn(h);
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(fd);
		http_turn(h);
		http_settle(h);
	}
	http_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_settled_in_time_is_sent_again),
		cmocka_unit_test(who_is_always_too_late_is_told_so),
		cmocka_unit_test(slow_clients_are_told_so),
		cmocka_unit_test(who_connects_and_says_nothing_is_closed),
		cmocka_unit_test(we_do_not_blame_others_for_our_own_time),
		cmocka_unit_test(a_client_that_reads_no_answers_is_closed),
		cmocka_unit_test(a_body_that_is_cut_off_is_told_of),
		cmocka_unit_test(what_is_settled_on_the_way_down_is_answered),
		cmocka_unit_test(connections_that_go_away_leave_nothing),
	};

	return cmocka_run_group_tests_name("http/ends", tests, NULL, NULL);
}
