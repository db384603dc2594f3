/* Clients of the HTTP input: requests said, answers heard to their end. */
#pragma once

#include <netinet/tcp.h>

#include "tests/support/stream_world.h"

struct http_world {
	struct world w;
	bool settles; /* whatever comes is settled at once */
	char answer[256 * 1024];
	size_t n;
};

static inline void http_make(struct http_world *h)
{
	world_make(&h->w, &sqd_input_http);
	h->w.cfg.http.server.listen = strdup("127.0.0.1:0");
	h->settles = true;
}

static inline struct http_world *http_new(void)
{
	struct http_world *h = calloc(1, sizeof(*h));

	http_make(h);
	return h;
}

static inline void http_free(struct http_world *h)
{
	world_end(&h->w);
	free(h);
}

/* What is said goes out at once: else the second piece waits for the first to be acknowledged. */
static inline int http_dial(struct http_world *h)
{
	int fd = world_dial(&h->w, SOCK_STREAM), on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static inline void http_settle(struct http_world *h)
{
	if (h->w.d.open && h->w.d.open->n_records)
		sqd_dispatch_seal(&h->w.d);
	fake_dispatch_settle(&h->w.d);
	h->w.in->ops->resume(h->w.in);
}

static inline void http_turn(struct http_world *h)
{
	uv_run(&h->w.loop, UV_RUN_NOWAIT);
	if (h->settles)
		http_settle(h);
}

/* Bytes of one whole answer, or 0: it is not. */
static inline size_t http_whole(const struct http_world *h)
{
	struct sq_sv v = { h->answer, h->n };
	size_t end = sq_sv_find(v, SQ_SV("\r\n\r\n")), at;

	if (end == SIZE_MAX)
		return 0;
	at = sq_sv_find(sq_sv_first(v, end), SQ_SV("Content-Length: "));
	end += 4;
	if (at != SIZE_MAX)
		end += strtoul(v.p + at + 16, NULL, 10);
	return h->n >= end ? end : 0;
}

/* The next answer, all of it, as a text; what comes behind it stays for the next. "": it was
 * closed. */
static inline const char *http_hear(struct http_world *h, int fd)
{
	static char text[sizeof(h->answer)];

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < 5000; i++) {
		size_t whole = http_whole(h);
		ssize_t r;

		if (whole) {
			memcpy(text, h->answer, whole);
			text[whole] = '\0';
			h->n -= whole;
			memmove(h->answer, h->answer + whole, h->n);
			return text;
		}
		http_turn(h);
		r = recv(fd, h->answer + h->n, sizeof(h->answer) - h->n, 0);
		if (r == 0 || (r < 0 && errno == ECONNRESET))
			return "";
		if (r > 0)
			h->n += (size_t)r;
		else
			(void)poll(NULL, 0, 1);
	}
	fail_msg("no answer");
	return NULL;
}

/* Nothing comes for a while. */
static inline void http_silence(struct http_world *h, int fd)
{
	char c;

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < 20; i++) {
		http_turn(h);
		assert_true(recv(fd, &c, 1, 0) < 0 && errno == EAGAIN);
		(void)poll(NULL, 0, 1);
	}
}

/* More than the kernel takes at once; the loop is turned. */
static inline void http_say(struct http_world *h, int fd, struct sq_sv v)
{
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; v.n; i++) {
		ssize_t n = send(fd, v.p, v.n, MSG_NOSIGNAL);

		assert_true(i < 100000);
		assert_true(n > 0 || errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
		if (n < 0 && errno != EAGAIN)
			return;
		v = sq_sv_skip(v, n > 0 ? (size_t)n : 0);
		if (v.n)
			http_turn(h);
	}
}

static inline const char *http_body(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");

	return end ? end + 4 : "";
}

/* Ask on a connection of its own. */
static inline const char *http_ask(struct http_world *h, const char *request)
{
	int fd = http_dial(h);
	const char *answer;

	h->n = 0;
	http_say(h, fd, sq_sv_of(request));
	answer = http_hear(h, fd);
	close(fd);
	return answer;
}

#define assert_starts(text, begin)                                                                 \
	do {                                                                                       \
		const char *text_ = (text);                                                        \
		if (strncmp(text_, begin, strlen(begin)) != 0)                                     \
			fail_msg("\"%s\" does not begin with \"%s\"", text_, begin);               \
	} while (0)
