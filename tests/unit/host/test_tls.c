#include "lib/host/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/certs.h"
#include "tests/support/test.h"
#include "tests/unit/host/scratch.h"

static char *folder;

static char *at(const char *name)
{
	static char paths[8][128];
	static unsigned next;
	char *path = paths[next++ % SQ_LEN(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static void write_with(const char *file, struct certs_want want, const struct certs_pair *ca)
{
	struct certs_pair pair = certs_make(&want, ca);

	certs_write(folder, file, &pair, NULL, true);
	certs_free(&pair);
}

static int set_up(void **state)
{
	struct certs_pair ca, other;

	assert_int_equal(scratch_setup(state), 0);
	folder = *state;
	ca = certs_make(&(struct certs_want){ .cn = "Test CA", .authority = true }, NULL);
	other = certs_make(&(struct certs_want){ .cn = "Other CA", .authority = true }, NULL);
	certs_write(folder, "ca.pem", &ca, NULL, false);
	certs_write(folder, "other-ca.pem", &other, NULL, false);
	write_with("server.pem",
	           (struct certs_want){ .cn = "collector",
	                                .names = "DNS:collector.example.org,IP:192.0.2.1",
	                                .use = "serverAuth" },
	           &ca);
	write_with("client.pem",
	           (struct certs_want){ .cn = "ws-7",
	                                .names = "DNS:ws-7.example.org,IP:192.0.2.7,"
	                                         "URI:spiffe://example.org/ws,email:ws@Example.org",
	                                .use = "clientAuth" },
	           &ca);
	certs_free(&ca);
	certs_free(&other);
	return 0;
}

/* ---- two sessions and the wire between them ---------------------------------------------- */

struct ends {
	struct sq_tls_ctx *server_ctx, *client_ctx;
	struct sq_tls *server, *client;
};

static struct ends ends_of(const struct sq_tls_server_cfg *server,
                           const struct sq_tls_client_cfg *client)
{
	struct sq_err err = { 0 };
	struct ends e = { 0 };

	e.server_ctx = sq_tls_server_new(server, &err);
	if (!e.server_ctx)
		fail_msg("server: %s", err.text);
	e.client_ctx = sq_tls_client_new(client, &err);
	if (!e.client_ctx)
		fail_msg("client: %s", err.text);
	e.server = sq_tls_new(e.server_ctx, NULL);
	e.client = sq_tls_new(e.client_ctx, "collector.example.org");
	assert_non_null(e.server);
	assert_non_null(e.client);
	return e;
}

static void free_ends(struct ends *e)
{
	sq_tls_free(e->server);
	sq_tls_free(e->client);
	sq_tls_ctx_unref(e->server_ctx);
	sq_tls_ctx_unref(e->client_ctx);
}

/* One flight: what `from` has unsent is given to `to`, `step` bytes at a time, and used by a
 * handshake. @return what the handshake of `to` said last */
static int flight(struct sq_tls *from, struct sq_tls *to, size_t step)
{
	struct sq_sv bytes;
	char *memory = sq_tls_take(from, &bytes);
	int r = sq_tls_handshake(to);

	while (bytes.n && r == 0) {
		struct sq_sv some = sq_sv_first(bytes, step);
		char *copy = exact(some.p, some.n);

		sq_tls_give(to, (struct sq_sv){ copy, some.n });
		r = sq_tls_handshake(to);
		bytes = sq_sv_skip(bytes, some.n - sq_tls_left(to).n);
		sq_tls_give(to, (struct sq_sv){ 0 });
		free(copy);
		if (r == 1)
			break;
	}
	if (r == 1 && bytes.n) { /* tickets: the handshake leaves them to reading */
		char plain[64];

		sq_tls_give(to, bytes);
		assert_int_equal(sq_tls_read(to, plain, sizeof(plain)), 0);
		sq_tls_give(to, (struct sq_sv){ 0 });
	}
	free(memory);
	return r;
}

/* @return the server's word: 1, or why not */
static int shake(struct ends *e, size_t step)
{
	int c = 0, s = 0;

	for (int i = 0; i < 8 && (c != 1 || s != 1) && c >= 0 && s >= 0; i++) {
		c = flight(e->server, e->client, step);
		s = flight(e->client, e->server, step);
	}
	(void)flight(e->server, e->client, step);
	return s;
}

static void say(struct sq_tls *from, struct sq_tls *to, const char *text)
{
	struct sq_sv bytes;
	char *memory, plain[256];

	assert_int_equal(sq_tls_write(from, sq_sv_of(text)), 0);
	memory = sq_tls_take(from, &bytes);
	sq_tls_give(to, bytes);
	assert_int_equal(sq_tls_read(to, plain, sizeof(plain)), strlen(text));
	assert_memory_equal(plain, text, strlen(text));
	assert_int_equal(sq_tls_read(to, plain, sizeof(plain)), 0);
	free(memory);
}

static void two_sessions_talk(void **state SQ_UNUSED)
{
	struct sq_tls_server_cfg server = { .certificate = at("server.pem") };
	struct sq_tls_client_cfg client = { .on = true, .verify = true, .ca = at("ca.pem") };
	struct ends e = ends_of(&server, &client);
	struct sq_identity who = { 0 };

	assert_int_equal(shake(&e, SIZE_MAX), 1);
	say(e.client, e.server, "an event");
	say(e.server, e.client, "an answer");
	assert_int_equal(sq_tls_unsent(e.server).n, 0);
	assert_false(sq_tls_identity(e.server, &who));
	assert_true(sq_tls_identity(e.client, &who));
	assert_string_equal(who.subject, "CN=collector,O=Example");
	assert_string_equal(who.names, "DNS:collector.example.org, IP:192.0.2.1");
	free_ends(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_sessions_talk),
	};

	return _cmocka_run_group_tests("host/tls", tests, SQ_LEN(tests), set_up, scratch_teardown);
}
