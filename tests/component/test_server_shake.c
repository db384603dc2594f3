/* The server of stream inputs with TLS: who is there, what goes wrong, certificates read anew. */
#include <openssl/ssl.h>

#include "tests/support/tls_world.h"

/* ---- who is it --------------------------------------------------------------------------- */

struct client_case {
	const char *name;
	const char *certificate;
	int clients;
	const char *allowed;
	bool up;
	const char *subject;
};

static struct client_case client_cases[] = {
	{ "not asked, shows none", NULL, SQ_TLS_CLIENTS_NONE, NULL, true, "" },
	{ "optional, shows none", NULL, SQ_TLS_CLIENTS_OPTIONAL, NULL, true, "" },
	{ "optional, shows one", "client.pem", SQ_TLS_CLIENTS_OPTIONAL, NULL, true,
	  "CN=ws-7,O=Example" },
	{ "required, shows one", "client.pem", SQ_TLS_CLIENTS_REQUIRED, NULL, true,
	  "CN=ws-7,O=Example" },
	{ "required, shows none", NULL, SQ_TLS_CLIENTS_REQUIRED, NULL, false, "" },
	{ "of another authority", "stranger.pem", SQ_TLS_CLIENTS_REQUIRED, NULL, false, "" },
	{ "expired", "expired.pem", SQ_TLS_CLIENTS_REQUIRED, NULL, false, "" },
	{ "on the list", "client.pem", SQ_TLS_CLIENTS_REQUIRED, "*.example.org", true,
	  "CN=ws-7,O=Example" },
	{ "not on the list", "client.pem", SQ_TLS_CLIENTS_REQUIRED, "ws-8", false, "" },
};

static void check_client(void **state)
{
	const struct client_case *t = *state;
	struct sq_tls_ctx *ctx = client_of(t->certificate, "ca.pem"), *good;
	struct tls_peer *p;
	struct world w;

	make_tcp(&w);
	w.cfg.server.tls.clients = t->clients;
	if (t->clients)
		w.cfg.server.tls.client_ca = at("ca.pem");
	if (t->allowed)
		set_strs(&w.cfg.server.tls.client_names, t->allowed);
	world_start(&w);
	p = tls_peer_begin(&w, ctx, -1);
	tls_peer_shake(p, SIZE_MAX);
	if (t->up) {
		tls_peer_say(p, "{}\n");
		wait_records(&w, 1);
		assert_string_equal(w.d.subjects[0], t->subject);
		assert_int_equal(w.counts.tls_failed, 0);
		tls_peer_end(p, true);
	} else {
		tls_peer_hangup(p);
		assert_int_equal(w.counts.tls_handshakes, 0);
		assert_int_equal(w.counts.tls_failed, 1);
		assert_int_equal(w.counts.connections_failed, 1);
		assert_true(p->is < 0); /* an alert, not a reset */
		tls_peer_end(p, false);
	}
	/* One failure disarms nothing. */
	good = client_of("client.pem", "ca.pem");
	if (!t->allowed || t->up) {
		p = tls_peer_dial(&w, good);
		tls_peer_end(p, true);
	}
	sq_tls_ctx_unref(good);
	sq_tls_ctx_unref(ctx);
	world_end(&w);
}

static void proxy_and_certificate_make_one_identity(void **state SQ_UNUSED)
{
	static const char header[] = "PROXY TCP4 192.0.2.9 192.0.2.1 4711 5170\r\n";
	struct sq_tls_ctx *ctx = client_of("client.pem", "ca.pem");
	struct tls_peer *p;
	struct world w;
	int fd;

	probe_make(&w);
	secure(&w);
	w.cfg.server.tls.clients = SQ_TLS_CLIENTS_REQUIRED;
	w.cfg.server.tls.client_ca = at("ca.pem");
	set_strs(&w.cfg.server.proxy_from, "127.0.0.1");
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	say(fd, header);
	p = tls_peer_begin(&w, ctx, fd); /* right behind it, perhaps in one segment */
	tls_peer_shake(p, SIZE_MAX);
	tls_peer_say(p, "x");
	probe_expect(&w, SQ_SV("x"));
	assert_string_equal(probe.peer, "192.0.2.9:4711");
	assert_int_equal(strncmp(probe.identity.proxy, "127.0.0.1:", 10), 0);
	assert_string_equal(probe.identity.subject, "CN=ws-7,O=Example");
	assert_string_equal(probe.identity.names, "DNS:ws-7.example.org");
	tls_peer_end(p, true);
	sq_tls_ctx_unref(ctx);
	world_end(&w);
}

/* ---- what goes wrong before it is up ----------------------------------------------------- */

static void plain_text_on_a_tls_port_is_told_and_the_listener_lives(void **state SQ_UNUSED)
{
	static const struct sq_sv all[] = {
		{ "{\"a\":1}\n", 8 },  { "GET / HTTP/1.1\r\n\r\n", 18 },
		{ "2W\0\0\0\1", 6 },   { "\x16\x03\x01\xff\xff\xff\xff\xff", 8 },
		{ "\0\0\0\0\0\0", 6 }, { "PROXY TCP4 192.0.2.9 192.0.2.1 4711 5170\r\n", 42 },
	};
	struct sq_tls_ctx *ctx = client();
	struct tls_peer *p;
	struct world w;

	probe_world(&w);
	for (size_t i = 0; i < SQ_LEN(all); i++) {
		int fd = world_dial(&w, SOCK_STREAM);
		char alert[64];

		say_n(fd, all[i].p, all[i].n);
		assert_true(world_hear(&w, fd, alert, sizeof(alert)) >= 0);
		assert_int_equal(w.counts.connections_failed, i + 1);
	}
	assert_int_equal(w.counts.tls_failed, SQ_LEN(all) - 1);
	assert_int_equal(w.counts.proxy_failed, 1);
	assert_int_equal(probe.opened, 0);
	p = tls_peer_dial(&w, ctx);
	tls_peer_end(p, true);
	sq_tls_ctx_unref(ctx);
	world_end(&w);
}

static void a_handshake_that_stalls_is_closed_in_time(void **state SQ_UNUSED)
{
	struct sq_tls_ctx *ctx = client();
	struct tls_peer *stalled, *slow;
	struct world w;
	int silent;

	probe_make(&w);
	secure(&w);
	w.cfg.server.handshake = 60;
	world_start(&w);
	silent = world_dial(&w, SOCK_STREAM);
	stalled = tls_peer_begin(&w, ctx, -1);
	tls_peer_step(stalled, 20);
	slow = tls_peer_begin(&w, ctx, -1);
	while (w.counts.handshake_timeouts < 3) {
		tls_peer_step(slow, 1);
		(void)poll(NULL, 0, 2);
	}
	assert_int_equal(w.counts.tls_failed, 3);
	expect_hangup(&w, silent);
	tls_peer_hangup(stalled);
	tls_peer_end(stalled, false);
	tls_peer_end(slow, false);
	assert_int_equal(probe.opened, 0);
	sq_tls_ctx_unref(ctx);
	world_end(&w);
}

static void who_comes_and_goes_without_a_byte_is_no_error(void **state SQ_UNUSED)
{
	struct linger hard = { .l_onoff = 1 };
	struct sq_tls_ctx *ctx = client();
	struct tls_peer *p;
	struct world w;
	int fd;

	probe_world(&w);
	fd = world_dial(&w, SOCK_STREAM);
	wait_count(&w, &w.counts.connections, 1);
	close(fd);
	fd = world_dial(&w, SOCK_STREAM);
	wait_count(&w, &w.counts.connections, 2);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	close(fd);
	world_turn(&w, 20);
	assert_int_equal(w.counts.tls_failed, 0);
	assert_int_equal(w.counts.connections_failed, 0);
	p = tls_peer_dial(&w, ctx); /* shakes hands and goes */
	assert_int_equal(setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	tls_peer_end(p, false);
	p = tls_peer_dial(&w, ctx);
	tls_peer_end(p, false);
	wait_count(&w, &probe.freed, 2);
	assert_int_equal(w.counts.tls_truncated, 0);
	assert_int_equal(w.counts.connections_failed, 0);
	p = tls_peer_begin(&w, ctx, -1);
	tls_peer_step(p, 30);
	tls_peer_end(p, false);
	wait_count(&w, &w.counts.tls_failed, 1);
	assert_int_equal(w.counts.connections_failed, 1);
	sq_tls_ctx_unref(ctx);
	world_end(&w);
}

static void a_client_that_does_not_trust_us_is_told_of(void **state SQ_UNUSED)
{
	struct sq_tls_ctx *ctx = client_of(NULL, "other-ca.pem");
	struct tls_peer *p;
	struct world w;

	probe_world(&w);
	p = tls_peer_begin(&w, ctx, -1);
	tls_peer_shake(p, SIZE_MAX);
	assert_true(p->is < 0);
	tls_peer_hangup(p);
	assert_int_equal(w.counts.tls_failed, 1);
	tls_peer_end(p, false);
	sq_tls_ctx_unref(ctx);
	world_end(&w);
}

/* Bytes that are no record of the session, once it is up. */
static void a_broken_session_ends_with_what_came_before(void **state SQ_UNUSED)
{
	struct sq_tls_ctx *ctx = client();
	struct tls_peer *p;
	struct world w;

	make_tcp(&w);
	world_start(&w);
	p = tls_peer_dial(&w, ctx);
	tls_peer_put(p, SQ_SV("{\"a\":1}\n"));
	tls_peer_push(p);
	say_n(p->fd, "\x17\x03\x03\x00\x20 0123456789abcdef0123456789abcdef", 37);
	wait_count(&w, &w.counts.tls_failed, 1);
	wait_records(&w, 1);
	assert_string_equal(w.d.records[0], "{\"a\":1}");
	assert_int_equal(w.counts.connections_failed, 1);
	assert_int_equal(w.counts.tls_truncated, 0);
	tls_peer_hangup(p);
	tls_peer_end(p, false);
	sq_tls_ctx_unref(ctx);
	world_end(&w);
}

/* ---- reload ------------------------------------------------------------------------------ */

static void copy(const char *from, const char *to)
{
	char *a = at(from), *b = at(to), bytes[8192];
	FILE *in = fopen(a, "re"), *out = fopen(b, "we");
	size_t n = fread(bytes, 1, sizeof(bytes), in);

	assert_int_equal(fwrite(bytes, 1, n, out), n);
	fclose(in);
	fclose(out);
	free(a);
	free(b);
}

static void certificates_are_read_anew_and_nobody_is_dropped(void **state SQ_UNUSED)
{
	struct sq_tls_ctx *old = client(), *other = client_of(NULL, "other-ca.pem");
	struct tls_peer *first, *p;
	struct world w;

	copy("server.pem", "live.pem");
	probe_make(&w);
	w.cfg.server.tls.certificate = at("live.pem");
	world_start(&w);
	first = tls_peer_dial(&w, old);

	free(scratch_file(folder, "live.pem", "no certificate at all\n"));
	probe_ops.reload(w.in);
	assert_int_equal(w.counts.tls_reloads_failed, 1);
	p = tls_peer_dial(&w, old); /* the old one stays */
	tls_peer_end(p, true);

	copy("other.pem", "live.pem");
	probe_ops.reload(w.in);
	assert_int_equal(w.counts.tls_reloads_failed, 1);
	p = tls_peer_dial(&w, other);
	tls_peer_end(p, true);
	tls_peer_say(first, "still here");
	probe_expect(&w, SQ_SV("still here"));
	tls_peer_end(first, true);
	sq_tls_ctx_unref(old);
	sq_tls_ctx_unref(other);
	world_end(&w);
}

/* Ours does not resume; this is OpenSSL itself, which has been given the ticket of an earlier one.
 */
static SSL *resume_with(struct world *w, SSL_CTX *ctx, SSL_SESSION *ticket)
{
	int fd = world_dial(w, SOCK_STREAM), r = 0;
	SSL *ssl = SSL_new(ctx);
	char byte;

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(SSL_set_fd(ssl, fd), 1);
	if (ticket)
		assert_int_equal(SSL_set_session(ssl, ticket), 1);
	for (int i = 0; r != 1; i++) {
		assert_true(i < 1000);
		r = SSL_connect(ssl);
		uv_run(&w->loop, UV_RUN_NOWAIT);
	}
	for (int i = 0; i < 20; i++) { /* tickets come behind the handshake */
		uv_run(&w->loop, UV_RUN_NOWAIT);
		assert_true(SSL_read(ssl, &byte, 1) <= 0);
	}
	return ssl;
}

static void a_session_is_resumed_and_knows_its_client(void **state SQ_UNUSED)
{
	char *client_file = at("client.pem");
	struct world w;

	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
		SSL_SESSION *ticket;
		SSL *ssl;

		probe_make(&w);
		secure(&w);
		w.cfg.server.tls.clients = SQ_TLS_CLIENTS_REQUIRED;
		w.cfg.server.tls.client_ca = at("ca.pem");
		world_start(&w);
		assert_int_equal(SSL_CTX_set_max_proto_version(ctx, version), 1);
		assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, client_file), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, client_file, SSL_FILETYPE_PEM),
		                 1);
		ssl = resume_with(&w, ctx, NULL);
		ticket = SSL_get1_session(ssl);
		assert_int_equal(w.counts.tls_handshakes, 1);
		assert_int_equal(w.counts.tls_resumed, 0);
		(void)SSL_shutdown(ssl);
		close(SSL_get_fd(ssl));
		SSL_free(ssl);
		ssl = resume_with(&w, ctx, ticket);
		assert_int_equal(SSL_session_reused(ssl), 1);
		assert_int_equal(w.counts.tls_handshakes, 2);
		assert_int_equal(w.counts.tls_resumed, 1);
		assert_string_equal(probe.identity.subject, "CN=ws-7,O=Example");
		close(SSL_get_fd(ssl));
		SSL_free(ssl);
		SSL_SESSION_free(ticket);
		SSL_CTX_free(ctx);
		world_end(&w);
	}
	free(client_file);
}

static void a_server_ends_under_its_sessions(void **state SQ_UNUSED)
{
	struct sq_tls_ctx *ctx = client();
	struct tls_peer *up, *shaking;
	struct world w;

	probe_world(&w);
	up = tls_peer_dial(&w, ctx);
	shaking = tls_peer_begin(&w, ctx, -1);
	tls_peer_step(shaking, 30);
	probe.hold = true;
	tls_peer_put(up, SQ_SV("one"));
	tls_peer_push(up);
	wait_count(&w, &probe.takes, 1);
	tls_peer_put(up, SQ_SV("two"));
	tls_peer_push(up);
	world_turn(&w, 5);
	world_end(&w);
	tls_peer_end(up, false);
	tls_peer_end(shaking, false);
	sq_tls_ctx_unref(ctx);
}

/* For the one who sends it, its handshake is over; our loop has not been there yet. */
static void what_came_behind_a_handshake_is_read_when_stopping(void **state SQ_UNUSED)
{
	struct sq_tls_ctx *ctx = client();
	struct tls_peer *done, *answered, *mute;
	struct world w;

	make_tcp(&w);
	world_start(&w);
	done = tls_peer_begin(&w, ctx, -1);
	answered = tls_peer_begin(&w, ctx, -1);
	mute = tls_peer_begin(&w, ctx, -1);
	for (int i = 0; done->is == 0 || answered->is == 0; i++) {
		assert_true(i < 5000);
		if (done->is == 0)
			tls_peer_step(done, SIZE_MAX);
		if (answered->is == 0)
			tls_peer_step(answered, SIZE_MAX);
	}
	assert_int_equal(w.counts.tls_handshakes, 0);
	tls_peer_push(mute);
	tls_peer_put(done, SQ_SV("{\"a\":1}\n{\"a\":2}\n"));
	tls_peer_push(done);
	sqd_input_tcp.stop(w.in);
	assert_int_equal(w.counts.tls_handshakes, 1);
	sqd_dispatch_seal(&w.d);
	assert_int_equal(w.d.n, 2);
	assert_int_equal(w.counts.received, 2);
	assert_int_equal(w.counts.connections_failed, 0);
	world_end(&w);
	tls_peer_end(done, false);
	tls_peer_end(answered, false);
	tls_peer_end(mute, false);
	sq_tls_ctx_unref(ctx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(proxy_and_certificate_make_one_identity),
		cmocka_unit_test(plain_text_on_a_tls_port_is_told_and_the_listener_lives),
		cmocka_unit_test(a_handshake_that_stalls_is_closed_in_time),
		cmocka_unit_test(who_comes_and_goes_without_a_byte_is_no_error),
		cmocka_unit_test(a_client_that_does_not_trust_us_is_told_of),
		cmocka_unit_test(a_broken_session_ends_with_what_came_before),
		cmocka_unit_test(certificates_are_read_anew_and_nobody_is_dropped),
		cmocka_unit_test(a_session_is_resumed_and_knows_its_client),
		cmocka_unit_test(a_server_ends_under_its_sessions),
		cmocka_unit_test(what_came_behind_a_handshake_is_read_when_stopping),
	};
	int failed = cmocka_run_group_tests_name("input/server handshakes", tests, set_up, NULL);
	void *state = folder;

	failed += RUN_TABLE("input/server clients", client_cases, check_client);
	return failed + !!scratch_teardown(&state);
}
