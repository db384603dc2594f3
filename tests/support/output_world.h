/* An output alone on a loop, and the socket that it is to reach. */
#pragma once

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
	unsigned sending; /* sends that are not answered */
	bool closed;
	int listener;
	uint16_t port;
	char address[64];
};

static inline void on_sent(struct sqd_output *out, int status)
{
	struct world *w = out->ctx;

	assert_true(w->sending);
	w->sending = status && status != -EMSGSIZE ? 0 : w->sending - 1;
	w->sent++;
	w->status = status;
}

static inline void on_ready(struct sqd_output *out)
{
	struct world *w = out->ctx;

	assert_false(w->closed);
	w->ready++;
}

static inline void on_closed(struct sqd_output *out)
{
	struct world *w = out->ctx;

	assert_false(w->closed);
	assert_int_equal(out->open_handles, 0);
	w->closed = true;
}

static inline bool is_ready(void *ctx)
{
	return ((struct world *)ctx)->ready > 0;
}

static inline bool is_sent(void *ctx)
{
	return ((struct world *)ctx)->sent > 0;
}

static inline bool is_closed(void *ctx)
{
	return ((struct world *)ctx)->closed;
}

static inline int bound(int type, uint16_t *port)
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

static inline void make(struct world *w, const struct sqd_output_ops *ops)
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
	w->listener = bound(ops == &sqd_output_udp ? SOCK_DGRAM : SOCK_STREAM, &w->port);
	if (ops != &sqd_output_udp)
		assert_int_equal(listen(w->listener, 8), 0);
	/* All structs begin with the address. */
	address = w->cfg;
	assert_true(asprintf(address, "127.0.0.1:%u", w->port) > 0);
	if (ops == &sqd_output_tcp) {
		struct sqd_output_tcp_cfg *cfg = w->cfg;

		cfg->link.retry_min = 10;
		cfg->link.retry_max = 40;
	}
}

static inline void start(struct world *w)
{
	struct sq_err err = { 0 };

	if (w->out->ops->start(w->out, &err) < 0)
		fail_msg("%s", err.text);
}

static inline void end(struct world *w)
{
	w->out->ops->close(w->out);
	run_until(&w->loop, is_closed, w);
	assert_int_equal(w->sending, 0); /* what was in flight has been told */
	sq_opt_free(w->out->ops->opts, w->cfg);
	free(w->cfg);
	free(w->out);
	if (w->listener >= 0)
		close(w->listener);
	assert_int_equal(uv_loop_close(&w->loop), 0);
}

static inline int send_text(struct world *w, struct sq_sv text)
{
	int r = w->out->ops->send(w->out, text);

	w->sending += r == 0;
	return r;
}

static inline void wait_ready(struct world *w)
{
	w->ready = 0;
	run_until(&w->loop, is_ready, w);
}

static inline void wait_sent(struct world *w, int status)
{
	w->sent = 0;
	run_until(&w->loop, is_sent, w);
	assert_int_equal(w->status, status);
}

static inline int take_connection(struct world *w)
{
	int fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static inline void expect_bytes(int fd, const char *want)
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
