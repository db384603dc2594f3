/* What is no TLS, the stream cut and broken, its ends, floods and resumption. */
#include "tests/unit/host/tls_files.h"

/* ---- plain text -------------------------------------------------------------------------- */

struct plain_case {
	const char *name;
	struct sq_sv in;
	const char *server_says, *client_says; /* NULL: more is wanted */
};

#define PLAIN_SERVER "it sent plain text on a TLS port"
#define PLAIN_CLIENT "it answered with plain text: no TLS is spoken there"

static struct plain_case plain_cases[] = {
	{ "JSON", { "{\"a\":1}\n", sizeof("{\"a\":1}\n") - 1 }, PLAIN_SERVER, PLAIN_CLIENT },
	{ "syslog", { "<13>1 2026", sizeof("<13>1 2026") - 1 }, PLAIN_SERVER, PLAIN_CLIENT },
	{ "a line end", { "\n", sizeof("\n") - 1 }, PLAIN_SERVER, PLAIN_CLIENT },
	{ "a byte order mark",
	  { "\xef\xbb\xbf{}", sizeof("\xef\xbb\xbf{}") - 1 },
	  PLAIN_SERVER,
	  PLAIN_CLIENT },
	{ "GET",
	  { "GET / HTTP/1.1\r\n", sizeof("GET / HTTP/1.1\r\n") - 1 },
	  "HTTP request on a TLS port",
	  PLAIN_CLIENT },
	{ "POST",
	  { "POST /_bulk HTTP/1.1\r\n", sizeof("POST /_bulk HTTP/1.1\r\n") - 1 },
	  "HTTP request on a TLS port",
	  PLAIN_CLIENT },
	{ "OPTIONS",
	  { "OPTIONS *", sizeof("OPTIONS *") - 1 },
	  "HTTP request on a TLS port",
	  PLAIN_CLIENT },
	{ "the beginning of GET", { "GE", sizeof("GE") - 1 }, NULL, PLAIN_CLIENT },
	{ "GETTING", { "GETTING", sizeof("GETTING") - 1 }, PLAIN_SERVER, PLAIN_CLIENT },
	{ "a server of mail",
	  { "220 mail ESMTP\r\n", sizeof("220 mail ESMTP\r\n") - 1 },
	  PLAIN_SERVER,
	  PLAIN_CLIENT },
	{ "Lumberjack", { "2W\x01", sizeof("2W\x01") - 1 }, PLAIN_SERVER, PLAIN_CLIENT },
	{ "bytes",
	  { "\x01\x02\x03", sizeof("\x01\x02\x03") - 1 },
	  "it sent bytes that are not TLS",
	  "it sent bytes that are not TLS" },
	{ "an alert",
	  { "\x15\x03\x03\x00\x02\x02\x28", sizeof("\x15\x03\x03\x00\x02\x02\x28") - 1 },
	  "it sent bytes that are not TLS",
	  "the peer refused" },
	{ "half a record", { "\x16\x03\x01\x02", sizeof("\x16\x03\x01\x02") - 1 }, NULL, NULL },
};

static void check_plain(void **state)
{
	const struct plain_case *tc = *state;

	for (size_t step = 1; step <= 16; step += 15) {
		for (int server = 0; server < 2; server++) {
			struct tls_ends e = ends_of(&(struct shake_case){ 0 }, false);
			struct sq_tls *t = server ? e.server : e.client;
			const char *says = server ? tc->server_says : tc->client_says;
			struct sq_sv in = tc->in;
			int is = server ? 0 : sq_tls_handshake(t);

			while (in.n && is == 0) {
				tls_ends_use(&e, t, &is, sq_sv_first(in, step));
				in = sq_sv_skip(in, step);
			}
			if (says)
				check_end(server ? "server" : "client", t, is, says);
			else
				assert_int_equal(is, 0);
			tls_ends_free(&e);
		}
	}
}

static void a_hello_is_known_on_a_plain_port(void **state SQ_UNUSED)
{
	struct tls_ends e = ends_of(&(struct shake_case){ 0 }, false);

	assert_int_equal(sq_tls_handshake(e.client), 0);
	assert_true(sq_tls_is_hello(sq_tls_unsent(e.client)));
	assert_false(sq_tls_is_hello(sq_sv_first(sq_tls_unsent(e.client), 2)));
	assert_false(sq_tls_is_hello(SQ_SV("{\"a\":1}")));
	tls_ends_free(&e);
}

/* ---- the stream, cut and broken ---------------------------------------------------------- */

static void cut_at_every_byte(void **state SQ_UNUSED)
{
	for (int old = 0; old < 2; old++) {
		struct tls_ends e =
			ends_of(&(struct shake_case){ .clients = SQ_TLS_CLIENTS_REQUIRED,
		                                      .client_certificate = "client.pem" },
		                old);

		tls_ends_shake(&e, 1);
		assert_int_equal(e.server_is, 1);
		assert_int_equal(e.client_is, 1);
		tls_ends_say(&e, true, "one byte after the other", 1);
		tls_ends_say(&e, false, "and back", 1);
		sq_tls_end(e.client);
		tls_ends_flight(&e, true, 1);
		assert_int_equal(e.server_is, -EPIPE);
		tls_ends_free(&e);
	}
}

/* Every flight in two parts, cut at each of its bytes. */
static void cut_in_two_anywhere(void **state SQ_UNUSED)
{
	size_t longest = 1;

	for (size_t cut = 1; cut <= longest; cut++) {
		struct tls_ends e =
			ends_of(&(struct shake_case){ .clients = SQ_TLS_CLIENTS_REQUIRED,
		                                      .client_certificate = "client.pem" },
		                cut % 2);

		e.client_is = sq_tls_handshake(e.client);
		while (sq_tls_unsent(e.client).n || sq_tls_unsent(e.server).n) {
			if (sq_tls_unsent(e.client).n > longest)
				longest = sq_tls_unsent(e.client).n;
			tls_ends_flight(&e, true, cut);
			if (sq_tls_unsent(e.server).n > longest)
				longest = sq_tls_unsent(e.server).n;
			tls_ends_flight(&e, false, cut);
		}
		assert_int_equal(e.server_is, 1);
		assert_int_equal(e.client_is, 1);
		tls_ends_free(&e);
		cut += cut > 64 ? 22
		                : 0; /* the heads of records one by one, the rest now and then */
	}
	assert_true(longest > 500);
}

/* One context, since reading files for each byte would take long. */
static void a_hello_broken_anywhere_ends_in_an_error(void **state SQ_UNUSED)
{
	struct tls_ends e = ends_of(&(struct shake_case){ 0 }, false);
	struct sq_sv hello;
	char *memory;

	assert_int_equal(sq_tls_handshake(e.client), 0);
	memory = sq_tls_take(e.client, &hello);
	assert_true(hello.n > 100);
	for (size_t i = 0; i < hello.n; i++) {
		struct sq_tls *t = sq_tls_new(e.server_ctx, NULL);
		char *copy = exact(hello.p, hello.n);
		int r;

		copy[i] = (char)(copy[i] ^ 0xff);
		sq_tls_give(t, (struct sq_sv){ copy, hello.n });
		r = sq_tls_handshake(t);
		assert_true(r <= 0);
		if (r < 0) {
			assert_true(strlen(sq_tls_why(t)) > 8);
			assert_int_equal(sq_tls_handshake(t), r);
		}
		sq_tls_free(t);
		free(copy);

		t = sq_tls_new(e.server_ctx, NULL); /* cut short, it waits */
		copy = exact(hello.p, i);
		sq_tls_give(t, (struct sq_sv){ copy, i });
		assert_int_equal(sq_tls_handshake(t), 0);
		assert_int_equal(sq_tls_left(t).n, 0);
		sq_tls_free(t);
		free(copy);
	}
	free(memory);
	tls_ends_free(&e);
}

static void a_changed_record_is_refused(void **state SQ_UNUSED)
{
	for (int old = 0; old < 2; old++) {
		struct tls_ends e = ends_of(&(struct shake_case){ 0 }, old);
		struct sq_sv bytes;
		char *memory;

		tls_ends_shake(&e, SIZE_MAX);
		assert_int_equal(sq_tls_write(e.client, SQ_SV("an event")), 0);
		memory = sq_tls_take(e.client, &bytes);
		memory[bytes.n - 1] ^= 1;
		tls_ends_use(&e, e.server, &e.server_is, bytes);
		check_end("server", e.server, e.server_is,
		          "it broke the TLS protocol (decryption failed or bad record mac)");
		free(memory);
		tls_ends_free(&e);
	}
}

static void what_there_is_no_room_for_is_left(void **state SQ_UNUSED)
{
	struct tls_ends e = ends_of(&(struct shake_case){ 0 }, false);
	char text[4000], got[4000];
	struct sq_sv bytes;
	size_t n = 0;
	char *memory;

	tls_ends_shake(&e, SIZE_MAX);
	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 10; i++)
		assert_int_equal(sq_tls_write(e.client, (struct sq_sv){ text, sizeof(text) }), 0);
	memory = sq_tls_take(e.client, &bytes);
	sq_tls_give(e.server, bytes);
	assert_int_equal(sq_tls_read(e.server, got, 100), 100);
	assert_true(sq_tls_left(e.server).n > 9 * sizeof(text));
	for (ssize_t r = 100; r > 0;) { /* what was left is given again elsewhere */
		struct sq_sv left = sq_tls_left(e.server);
		char *copy = exact(left.p, left.n);

		n += (size_t)r;
		sq_tls_give(e.server, (struct sq_sv){ copy, left.n });
		r = sq_tls_read(e.server, got, sizeof(got));
		assert_true(r >= 0);
		if (sq_tls_left(e.server).n)
			sq_tls_give(e.server,
			            (struct sq_sv){ bytes.p + bytes.n - sq_tls_left(e.server).n,
			                            sq_tls_left(e.server).n });
		free(copy);
	}
	assert_int_equal(n, 10 * sizeof(text));
	free(memory);
	tls_ends_free(&e);
}

static void unsent_bytes_are_bounded_and_freed(void **state SQ_UNUSED)
{
	struct tls_ends e = ends_of(&(struct shake_case){ 0 }, false);
	size_t n = 1 << 20;
	char *text = calloc(1, n);
	size_t writes = 0, sent = 0;
	int r;

	tls_ends_shake(&e, SIZE_MAX);
	assert_null(e.server->out.p);
	while ((r = sq_tls_write(e.server, (struct sq_sv){ text, n })) == 0)
		writes++;
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(writes, SQ_TLS_UNSENT_MAX / n - 1);
	assert_true(sq_tls_unsent(e.server).n > writes * n);
	while (sq_tls_unsent(e.server).n > n) { /* some of it is sent: there is room again */
		sq_tls_sent(e.server, 1000);
		sent += 1000;
	}
	assert_int_equal(sq_tls_write(e.server, (struct sq_sv){ text, n }), 0);
	sq_tls_sent(e.server, sq_tls_unsent(e.server).n);
	assert_null(e.server->out.p);
	assert_true(sent > n);
	free(text);
	tls_ends_free(&e);
}

/* ---- ends -------------------------------------------------------------------------------- */

static void an_end_is_said_both_ways(void **state SQ_UNUSED)
{
	for (int old = 0; old < 2; old++) {
		struct tls_ends e = ends_of(&(struct shake_case){ 0 }, old);
		char byte[1];

		tls_ends_shake(&e, SIZE_MAX);
		assert_int_equal(sq_tls_write(e.client, SQ_SV("the last event")), 0);
		sq_tls_end(e.client);
		assert_int_equal(sq_tls_write(e.client, SQ_SV("x")), -EPIPE);
		tls_ends_flight(&e, true, SIZE_MAX);
		assert_sv_equal(((struct sq_sv){ e.got, e.n_got }), SQ_SV("the last event"));
		assert_int_equal(e.server_is, -EPIPE);
		assert_int_equal(sq_tls_read(e.server, byte, 1), -EPIPE);
		/* Ours may still answer, then ends too. */
		tls_ends_say(&e, false, "an answer", SIZE_MAX);
		sq_tls_end(e.server);
		tls_ends_flight(&e, false, SIZE_MAX);
		assert_int_equal(e.client_is, -EPIPE);
		tls_ends_free(&e);
	}
}

static void an_end_before_the_beginning_is_nothing(void **state SQ_UNUSED)
{
	struct tls_ends e = ends_of(&(struct shake_case){ 0 }, false);
	char byte[1];

	sq_tls_end(e.server);
	assert_int_equal(sq_tls_unsent(e.server).n, 0);
	assert_int_equal(sq_tls_read(e.server, byte, 1), 0);
	assert_int_equal(sq_tls_write(e.server, SQ_SV("x")), -EPIPE);
	tls_ends_free(&e);
}

/* ---- floods ------------------------------------------------------------------------------ */

static void changes_of_keys_are_taken_and_floods_are_not(void **state SQ_UNUSED)
{
	struct tls_ends e = ends_of(&(struct shake_case){ 0 }, false);

	tls_ends_shake(&e, SIZE_MAX);
	for (int i = 0; i < 100; i++) { /* one for each event is odd, but allowed */
		assert_int_equal(SSL_key_update(e.client->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		tls_ends_say(&e, true, "an event", SIZE_MAX);
		tls_ends_say(&e, false, "an answer", SIZE_MAX);
	}
	for (int i = 0; i < 40 && e.server_is == 1; i++) {
		assert_int_equal(SSL_key_update(e.client->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(e.client->ssl), 1);
		tls_ends_flight(&e, true, SIZE_MAX);
	}
	check_end("server", e.server, e.server_is, "it sent 32 records in a row without data");
	tls_ends_free(&e);
}

static void nobody_renegotiates(void **state SQ_UNUSED)
{
	struct tls_ends e = ends_of(&(struct shake_case){ 0 }, true);

	tls_ends_shake(&e, SIZE_MAX);
	SSL_clear_options(e.client->ssl, SSL_OP_NO_RENEGOTIATION);
	assert_int_equal(SSL_renegotiate(e.client->ssl), 1);
	(void)SSL_do_handshake(e.client->ssl);
	assert_true(sq_tls_unsent(e.client).n > 0);
	tls_ends_flight(&e, true, SIZE_MAX);
	assert_int_equal(e.server_is, 1); /* it answered "no" and goes on */
	tls_ends_flight(&e, false, SIZE_MAX);
	assert_int_equal(SSL_version(e.server->ssl), TLS1_2_VERSION);
	tls_ends_free(&e);
}

/* ---- resumption -------------------------------------------------------------------------- */

/* The client comes again with what it was given. @return resumed */
static bool again(struct tls_ends *e, SSL_SESSION *session)
{
	sq_tls_end(e->client); /* OpenSSL forgets a session that broke off */
	sq_tls_free(e->server);
	sq_tls_free(e->client);
	e->server = sq_tls_new(e->server_ctx, NULL);
	e->client = sq_tls_new(e->client_ctx, "collector.example.org");
	e->server_is = e->client_is = 0;
	SSL_set_max_proto_version(e->client->ssl, SSL_SESSION_get_protocol_version(session));
	assert_int_equal(SSL_set_session(e->client->ssl, session), 1);
	tls_ends_shake(e, SIZE_MAX);
	assert_int_equal(sq_tls_resumed(e->server), sq_tls_resumed(e->client));
	return sq_tls_resumed(e->server);
}

static void a_session_is_resumed_with_its_identity(void **state SQ_UNUSED)
{
	for (int old = 0; old < 2; old++) {
		struct shake_case tc = { .clients = SQ_TLS_CLIENTS_REQUIRED,
			                 .client_certificate = "client.pem" };
		struct sq_identity who = { 0 };
		struct tls_ends e = ends_of(&tc, old), other;
		SSL_SESSION *session;

		tls_ends_shake(&e, SIZE_MAX);
		assert_false(sq_tls_resumed(e.server));
		tls_ends_say(&e, false, "an answer", SIZE_MAX);
		session = SSL_get1_session(e.client->ssl);
		assert_true(again(&e, session));
		assert_int_equal(e.server_is, 1);
		assert_true(sq_tls_identity(e.server, &who));
		assert_string_equal(who.subject, "CN=ws-7,O=Example");

		/* What another context gave out is worth nothing: a handshake of the usual kind. */
		other = ends_of(&tc, old);
		assert_false(again(&other, session));
		assert_int_equal(other.server_is, 1);
		tls_ends_free(&other);

		/* A ticket does not outlive what it stood for. */
		e.server_ctx->names = (struct sq_opt_strs){ calloc(1, sizeof(char *)), 1 };
		e.server_ctx->names.list[0] = strdup("ws-8");
		(void)again(&e, session);
		check_end("server", e.server, e.server_is,
		          "no name of the client's certificate is allowed (CN=ws-7,O=Example)");
		SSL_SESSION_free(session);
		tls_ends_free(&e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hello_is_known_on_a_plain_port),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(cut_in_two_anywhere),
		cmocka_unit_test(a_hello_broken_anywhere_ends_in_an_error),
		cmocka_unit_test(a_changed_record_is_refused),
		cmocka_unit_test(what_there_is_no_room_for_is_left),
		cmocka_unit_test(unsent_bytes_are_bounded_and_freed),
		cmocka_unit_test(an_end_is_said_both_ways),
		cmocka_unit_test(an_end_before_the_beginning_is_nothing),
		cmocka_unit_test(changes_of_keys_are_taken_and_floods_are_not),
		cmocka_unit_test(nobody_renegotiates),
		cmocka_unit_test(a_session_is_resumed_with_its_identity),
	};
	void *state;
	int failed;

	if (set_up(&state) != 0)
		return 1;
	failed = RUN_TABLE("host/tls_stream/plain", plain_cases, check_plain) +
	         cmocka_run_group_tests_name("host/tls_stream", tests, NULL, NULL);
	(void)scratch_teardown(&state);
	return failed;
}
