/* The server of stream inputs when memory runs out: each allocation fails once, of one connection
 * with everything: PROXY header, TLS, a certificate, an answer that is not read at once.
 */
#include <openssl/ssl.h>

#include "tests/support/fault_alloc.h"
#include "tests/support/tls_world.h"

enum { ANSWER = 600 * 1024 };

static char answer[ANSWER];

static void on_take(struct sqd_conn *c, struct sq_sv bytes SQ_UNUSED)
{
	if (sqd_conn_write(c, (struct sq_sv){ answer, ANSWER }) < 0)
		sqd_conn_fail(c, "got no answer");
}

/* OpenSSL's own allocations are not ours to fail. */
static SSL *begin(struct world *w, SSL_CTX *ctx, bool proxied)
{
	static const char header[] = "PROXY TCP4 192.0.2.9 192.0.2.1 4711 5170\r\n";
	int fd = world_dial(w, SOCK_STREAM);
	SSL *ssl = SSL_new(ctx);

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(SSL_set_fd(ssl, fd), 1);
	if (proxied)
		say(fd, header);
	return ssl;
}

/* @return bytes of the answer that came */
static size_t talk(struct world *w, SSL *ssl)
{
	static char to[16 * 1024];
	size_t got = 0;
	bool asked = false;

	for (int i = 0; i < 4000 && got < ANSWER; i++) {
		int r = SSL_connect(ssl);

		if (r == 1 && !asked)
			asked = SSL_write(ssl, "question", 8) == 8;
		world_turn(w, 2); /* so that the answer backs up */
		if (r == 1 && asked && (r = SSL_read(ssl, to, sizeof(to))) > 0)
			got += (size_t)r;
		if (r <= 0 && SSL_get_error(ssl, r) != SSL_ERROR_WANT_READ &&
		    SSL_get_error(ssl, r) != SSL_ERROR_WANT_WRITE)
			break;
		if (r <= 0 && i > 100)
			(void)poll(NULL, 0, 1);
	}
	close(SSL_get_fd(ssl));
	SSL_free(ssl);
	return got;
}

static SSL_CTX *client_ctx(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	char *file = at("client.pem");

	assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, file), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, file, SSL_FILETYPE_PEM), 1);
	free(file);
	return ctx;
}

static void every_allocation_of_a_connection_may_fail(void **state SQ_UNUSED)
{
	SSL_CTX *ctx = client_ctx();
	unsigned n = 0, refused = 0;
	bool reached = true;

	for (n = 1; reached; n++) {
		struct world w;
		size_t got;

		assert_true(n < 200);
		probe_make(&w);
		probe.on_take = on_take;
		secure(&w);
		w.cfg.server.tls.clients = SQ_TLS_CLIENTS_REQUIRED;
		w.cfg.server.tls.client_ca = at("ca.pem");
		set_strs(&w.cfg.server.proxy_from, "127.0.0.1");
		world_start(&w);
		fault_alloc_at(n);
		got = talk(&w, begin(&w, ctx, true));
		reached = fault_alloc_end();
		refused += got < ANSWER;
		if (got < ANSWER)
			assert_true(reached);
		/* The next one is served. */
		assert_int_equal(talk(&w, begin(&w, ctx, true)), ANSWER);
		world_end(&w);
		assert_int_equal(probe.closed, probe.freed);
	}
	assert_true(refused > 3);
	SSL_CTX_free(ctx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_of_a_connection_may_fail),
	};

	return cmocka_run_group_tests_name("input/server memory", tests, set_up, scratch_teardown);
}
