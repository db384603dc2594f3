/* An input of any kind on a real loop, before a dispatcher that keeps what it is given.
 *
 * For the tests of one input each (see fake_dispatch.h: include it in one file of a program).
 */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/input/beats.h"
#include "daemon/input/http.h"
#include "daemon/input/tcp.h"
#include "daemon/input/udp.h"
#include "tests/support/fake_dispatch.h"
#include "tests/support/run_loop.h"
#include "tests/support/test.h"

struct world {
	uv_loop_t loop;
	struct sqd_dispatch d;
	union {
		struct sqd_server_cfg server; /* first in all that are servers */
		struct sqd_input_beats_cfg beats;
		struct sqd_input_http_cfg http;
		struct sqd_input_tcp_cfg tcp;
		struct sqd_input_udp_cfg udp;
	} cfg;
	struct sqd_input *in;
	struct sq_counters counts;
	uint16_t port;
	bool closed;
	unsigned want; /* records, or whatever a test counts */
	uint64_t *counter;
	int fd; /* of a test that sends datagrams; 0: none */
};

static inline void world_on_closed(struct sqd_input *in)
{
	struct world *w = in->ctx;

	assert_false(w->closed);
	assert_int_equal(in->open_handles, 0);
	w->closed = true;
}

/* At its defaults, but for what the caller sets in `cfg` after this. */
static inline void world_make(struct world *w, const struct sqd_input_ops *ops)
{
	*w = (struct world){ .d = { .limits = { .chunk = 512 * 1024,
		                                .records = 64,
		                                .origins = 8,
		                                .arena = 4096,
		                                .out = 4096 },
		                    .free = FAKE_BATCHES } };
	uv_loop_init(&w->loop);
	assert_int_equal(sq_opt_defaults(ops->opts, &w->cfg), 0);
	w->in = calloc(1, ops->size);
	w->in->ops = ops;
	w->in->cfg = &w->cfg;
	w->in->loop = &w->loop;
	w->in->dispatch = &w->d;
	w->in->counts = &w->counts;
	w->in->closed = world_on_closed;
	w->in->ctx = w;
	w->in->inherited_fd = -1;
}

static inline void world_start(struct world *w)
{
	struct sq_err err = { 0 };

	if (w->in->ops->start(w->in, &err) < 0)
		fail_msg("%s", err.text);
	w->port = (uint16_t)strtoul(strrchr(w->in->name, ':') + 1, NULL, 10);
	assert_true(w->port > 0);
}

static inline bool world_is_closed(void *ctx)
{
	struct world *w = ctx;

	return w->closed;
}

static inline void world_end(struct world *w)
{
	const struct sqd_input_ops *ops = w->in->ops;

	ops->stop(w->in);
	sqd_dispatch_seal(&w->d);
	fake_dispatch_settle(&w->d);
	ops->close(w->in);
	run_until(&w->loop, world_is_closed, w);
	fake_dispatch_forget(&w->d);
	sq_opt_free(ops->opts, &w->cfg);
	free(w->in);
	if (w->fd > 0)
		close(w->fd);
	assert_int_equal(uv_loop_close(&w->loop), 0);
}

/* A socket of `type` that is connected to the input. */
static inline int world_dial(const struct world *w, int type)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(w->port) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), at_once = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	if (type == SOCK_STREAM) /* what comes in pieces is not to wait 40 ms for each */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof(at_once));
	return fd;
}

/* Some turns of the loop, for what must not happen. */
static inline void world_turn(struct world *w, int turns)
{
	for (int i = 0; i < turns; i++)
		uv_run(&w->loop, UV_RUN_NOWAIT);
}

/* Seals whatever is open, as the end of a loop turn does. */
static inline bool world_has_records(void *ctx)
{
	struct world *w = ctx;

	if (w->d.open && w->d.open->n_records)
		sqd_dispatch_seal(&w->d);
	return w->d.n >= w->want;
}

static inline bool world_has_counted(void *ctx)
{
	struct world *w = ctx;

	return *w->counter >= w->want;
}

static inline void wait_records(struct world *w, unsigned n)
{
	w->want = n;
	run_until(&w->loop, world_has_records, w);
	assert_int_equal(w->d.n, n);
}

/* Until it is `n` or more: what comes in one turn of the loop is counted in one. */
static inline void wait_count(struct world *w, uint64_t *counter, unsigned n)
{
	w->counter = counter;
	w->want = n;
	run_until(&w->loop, world_has_counted, w);
}
