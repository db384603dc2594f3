/* A client that speaks TLS over a socket, for tests of inputs on a real loop: its own side does not
 * block, and the loop of the world is turned while it waits.
 */
#pragma once

#include "lib/host/tls.h"
#include "tests/support/stream_world.h"

struct tls_peer {
	struct world *world;
	struct sq_tls *tls;
	int fd;
	int is;   /* 0 it shakes hands, 1 it is up, or why not */
	bool eof; /* the socket has ended */
	char got[64 * 1024];
	size_t n_got; /* plain bytes that have come */
};

static inline struct sq_tls_ctx *tls_peer_ctx(const struct sq_tls_client_cfg *cfg)
{
	struct sq_err err = { 0 };
	struct sq_tls_ctx *ctx = sq_tls_client_new(cfg, &err);

	if (!ctx)
		fail_msg("client: %s", err.text);
	return ctx;
}

/** Send `step` bytes at most of what is unsent, take what has come, turn the loop once. */
static inline void tls_peer_step(struct tls_peer *p, size_t step)
{
	struct sq_sv out = sq_sv_first(sq_tls_unsent(p->tls), step);
	char in[4096];
	ssize_t n;

	if (out.n && (n = send(p->fd, out.p, out.n, MSG_NOSIGNAL)) > 0)
		sq_tls_sent(p->tls, (size_t)n);
	uv_run(&p->world->loop, UV_RUN_NOWAIT);
	n = recv(p->fd, in, sizeof(in), 0);
	if (n <= 0) {
		p->eof = n == 0 || errno != EAGAIN;
		return;
	}
	sq_tls_give(p->tls, (struct sq_sv){ in, (size_t)n });
	if (p->is == 0)
		p->is = sq_tls_handshake(p->tls);
	while (p->is == 1 && p->n_got < sizeof(p->got)) {
		n = sq_tls_read(p->tls, p->got + p->n_got, sizeof(p->got) - p->n_got);
		if (n < 0)
			p->is = (int)n;
		if (n <= 0)
			break;
		p->n_got += (size_t)n;
	}
	sq_tls_give(p->tls, (struct sq_sv){ 0 });
}

/** Connected, and its first word is ready. `fd`: a socket that is connected already, or -1. */
static inline struct tls_peer *tls_peer_begin(struct world *w, struct sq_tls_ctx *ctx, int fd)
{
	struct tls_peer *p = calloc(1, sizeof(*p));

	p->world = w;
	p->fd = fd >= 0 ? fd : world_dial(w, SOCK_STREAM);
	assert_int_equal(fcntl(p->fd, F_SETFL, O_NONBLOCK), 0);
	p->tls = sq_tls_new(ctx, "collector.example.org");
	assert_non_null(p->tls);
	p->is = sq_tls_handshake(p->tls);
	return p;
}

/** Until the handshake is done, or has failed; and all is sent. */
static inline void tls_peer_shake(struct tls_peer *p, size_t step)
{
	for (int i = 0; (p->is == 0 || sq_tls_unsent(p->tls).n) && !p->eof; i++) {
		assert_true(i < 20000);
		tls_peer_step(p, step);
		if (p->is == 0 && !sq_tls_unsent(p->tls).n)
			(void)poll(NULL, 0, 1);
	}
}

/** Connected and up. */
static inline struct tls_peer *tls_peer_dial(struct world *w, struct sq_tls_ctx *ctx)
{
	struct tls_peer *p = tls_peer_begin(w, ctx, -1);

	tls_peer_shake(p, SIZE_MAX);
	if (p->is != 1)
		fail_msg("handshake: %s", sq_tls_why(p->tls));
	return p;
}

/** Into the session; on its way with the next steps. */
static inline void tls_peer_put(struct tls_peer *p, struct sq_sv bytes)
{
	assert_int_equal(sq_tls_write(p->tls, bytes), 0);
}

/** Out of the session as far as the kernel takes it; the loop is not turned. */
static inline void tls_peer_push(struct tls_peer *p)
{
	struct sq_sv out = sq_tls_unsent(p->tls);
	ssize_t n = out.n ? send(p->fd, out.p, out.n, MSG_NOSIGNAL) : 0;

	if (n > 0)
		sq_tls_sent(p->tls, (size_t)n);
}

static inline void tls_peer_say(struct tls_peer *p, const char *text)
{
	tls_peer_put(p, sq_sv_of(text));
	while (sq_tls_unsent(p->tls).n)
		tls_peer_step(p, SIZE_MAX);
}

/** Until `n` plain bytes have come in all. */
static inline void tls_peer_hear(struct tls_peer *p, size_t n)
{
	for (int i = 0; p->n_got < n; i++) {
		assert_true(i < 3000);
		tls_peer_step(p, SIZE_MAX);
		(void)poll(NULL, 0, 1);
	}
}

/** Until the other side has closed. */
static inline void tls_peer_hangup(struct tls_peer *p)
{
	for (int i = 0; !p->eof; i++) {
		assert_true(i < 3000);
		tls_peer_step(p, SIZE_MAX);
		(void)poll(NULL, 0, 1);
	}
}

/** Just gone; `orderly`: with close_notify. */
static inline void tls_peer_end(struct tls_peer *p, bool orderly)
{
	if (orderly) {
		sq_tls_end(p->tls);
		tls_peer_push(p);
	}
	close(p->fd);
	sq_tls_free(p->tls);
	free(p);
}
