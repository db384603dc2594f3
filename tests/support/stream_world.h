/* Peers of inputs over streams: input_world.h, and what a socket says and hears. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "tests/support/input_world.h"

static inline void say_n(int fd, const char *p, size_t n)
{
	assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), n);
}

static inline void say(int fd, const char *text)
{
	say_n(fd, text, strlen(text));
}

/* What the input sends until it closes, at most `n` bytes; -1: it stays open. Closes `fd`. */
static inline ssize_t world_hear(struct world *w, int fd, char *to, size_t n)
{
	size_t got = 0;
	char more;

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < 3000; i++) {
		ssize_t r = recv(fd, got < n ? to + got : &more, got < n ? n - got : 1, 0);

		if (r == 0 || (r < 0 && errno == ECONNRESET)) {
			close(fd);
			return (ssize_t)got;
		}
		assert_true(r > 0 ? got < n : errno == EAGAIN);
		got += r > 0 ? (size_t)r : 0;
		uv_run(&w->loop, UV_RUN_NOWAIT);
		if (r < 0)
			(void)poll(NULL, 0, 1);
	}
	return -1;
}

/* The peer has closed: reading gives an end or a reset. */
static inline void expect_hangup(struct world *w, int fd)
{
	if (world_hear(w, fd, NULL, 0) != 0)
		fail_msg("the connection stays open");
}

/* Close with a reset instead of an end. */
static inline void world_reset(int fd)
{
	struct linger hard = { .l_onoff = 1 };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	close(fd);
}

/* The address that the input sees. */
static inline void world_name_of(int fd, char to[64])
{
	struct sockaddr_in me;
	socklen_t len = sizeof(me);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&me, &len), 0);
	snprintf(to, 64, "127.0.0.1:%u", ntohs(me.sin_port));
}
