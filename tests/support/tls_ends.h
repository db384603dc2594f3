/* Two TLS sessions and the wire between them, which a test may cut where it likes. */
#pragma once

#include <errno.h>

#include "lib/host/tls.h"
#include "tests/support/test.h"

/* What one end has come to: 0 it shakes hands still, 1 it is up, or why not. */
struct tls_ends {
	struct sq_tls_ctx *server_ctx, *client_ctx;
	struct sq_tls *server, *client;
	int server_is, client_is;
	char got[256]; /* plain bytes that came last, at either end */
	size_t n_got;
};

/** Contexts of these configurations (which must be right) and a session of each. */
static inline struct tls_ends tls_ends_of(const struct sq_tls_server_cfg *server,
                                          const struct sq_tls_client_cfg *client, const char *host)
{
	struct sq_err err = { 0 };
	struct tls_ends e = { 0 };

	e.server_ctx = sq_tls_server_new(server, &err);
	if (!e.server_ctx)
		fail_msg("server: %s", err.text);
	e.client_ctx = sq_tls_client_new(client, &err);
	if (!e.client_ctx)
		fail_msg("client: %s", err.text);
	e.server = sq_tls_new(e.server_ctx, NULL);
	e.client = sq_tls_new(e.client_ctx, host);
	assert_non_null(e.server);
	assert_non_null(e.client);
	return e;
}

static inline void tls_ends_free(struct tls_ends *e)
{
	sq_tls_free(e->server);
	sq_tls_free(e->client);
	sq_tls_ctx_unref(e->server_ctx);
	sq_tls_ctx_unref(e->client_ctx);
}

/* `some` has come to `to`, all of it is used. */
static inline void tls_ends_use(struct tls_ends *e, struct sq_tls *to, int *is, struct sq_sv some)
{
	char *copy = malloc(some.n ? some.n : 1); /* just so long, so that ASan sees one too many */

	if (!copy) { /* tests let allocations fail, this one among them */
		*is = -ENOMEM;
		return;
	}
	memcpy(copy, some.p, some.n);
	sq_tls_give(to, (struct sq_sv){ copy, some.n });
	if (*is == 0)
		*is = sq_tls_handshake(to);
	while (*is == 1) {
		ssize_t n = sq_tls_read(to, e->got + e->n_got, sizeof(e->got) - e->n_got);

		if (n < 0)
			*is = (int)n;
		if (n <= 0)
			break;
		e->n_got += (size_t)n;
		assert_true(e->n_got < sizeof(e->got));
	}
	if (*is >= 0)
		assert_int_equal(sq_tls_left(to).n, 0);
	sq_tls_give(to, (struct sq_sv){ 0 });
	free(copy);
}

/** What one end has unsent comes to the other, `step` bytes at a time. */
static inline void tls_ends_flight(struct tls_ends *e, bool to_server, size_t step)
{
	struct sq_tls *from = to_server ? e->client : e->server;
	struct sq_tls *to = to_server ? e->server : e->client;
	int *is = to_server ? &e->server_is : &e->client_is;
	struct sq_sv bytes;
	char *memory = sq_tls_take(from, &bytes);

	while (bytes.n && *is >= 0) {
		struct sq_sv some = sq_sv_first(bytes, step);

		tls_ends_use(e, to, is, some);
		bytes = sq_sv_skip(bytes, some.n);
	}
	free(memory);
}

/** Until both have said what they have to say. */
static inline void tls_ends_shake(struct tls_ends *e, size_t step)
{
	e->client_is = sq_tls_handshake(e->client); /* the first word */
	while (sq_tls_unsent(e->client).n || sq_tls_unsent(e->server).n) {
		tls_ends_flight(e, true, step);
		tls_ends_flight(e, false, step);
	}
}

/** `text` goes one way, `step` bytes of ciphertext at a time, and comes out whole. */
static inline void tls_ends_say(struct tls_ends *e, bool to_server, const char *text, size_t step)
{
	e->n_got = 0;
	assert_int_equal(sq_tls_write(to_server ? e->client : e->server, sq_sv_of(text)), 0);
	tls_ends_flight(e, to_server, step);
	assert_sv_equal(((struct sq_sv){ e->got, e->n_got }), sq_sv_of(text));
}
