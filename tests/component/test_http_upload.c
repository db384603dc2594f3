/* Bodies that are too long, of senders that have not said all of them yet. */
#include "tests/support/http_world.h"

/* All of it, with nothing reset meanwhile. */
static void speak(struct http_world *h, int fd, struct sq_sv v)
{
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (v.n) {
		ssize_t n = send(fd, v.p, v.n, MSG_NOSIGNAL);

		assert_true(n > 0 || errno == EAGAIN);
		v = sq_sv_skip(v, n > 0 ? (size_t)n : 0);
		http_turn(h);
	}
}

/* A sender that looks for an answer only when all is said gets one, and no reset in its place. */
static void a_body_too_long_is_refused_once_while_it_comes(void **state SQ_UNUSED)
{
	static const char *const heads[] = {
		"POST / HTTP/1.1\r\nContent-Length: 4194304\r\n\r\n",
		"POST /_bulk HTTP/1.1\r\nContent-Length: 4194304\r\n\r\n",
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n400000\r\n",
		"POST /services/collector HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n400000\r\n",
	};
	static char line[8192];
	struct http_world *h = calloc(1, sizeof(*h));

	http_make(h);
	h->w.cfg.http.max_body = 64 * 1024;
	world_start(&h->w);
	memset(line, ' ', sizeof(line));
	memcpy(line, "{\"a\":1}\n", 8);
	for (size_t i = 0; i < SQ_LEN(heads); i++) {
		int fd = http_dial(h), next;
		const char *answer;

		speak(h, fd, sq_sv_of(heads[i]));
		for (int k = 0; k < 512; k++)
			speak(h, fd, (struct sq_sv){ line, sizeof(line) });
		answer = http_hear(h, fd);
		assert_starts(answer, "HTTP/1.1 413 ");
		assert_non_null(strstr(answer, "Connection: close\r\n"));
		assert_string_equal(http_hear(h, fd), ""); /* and nothing besides */
		assert_int_equal(h->n, 0);
		assert_int_equal(h->w.counts.http_too_large, i + 1);
		assert_int_equal(h->w.counts.connections_failed, 0);
		next = http_dial(h);
		http_say(h, next, SQ_SV("GET / HTTP/1.1\r\n\r\n"));
		assert_starts(http_hear(h, next), "HTTP/1.1 200 ");
		close(next);
		close(fd);
	}
	world_end(&h->w);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_too_long_is_refused_once_while_it_comes),
	};

	return cmocka_run_group_tests_name("input/http-upload", tests, NULL, NULL);
}
