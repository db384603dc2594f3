#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>

#include "tests/support/certs.h"
#include "tests/support/output_world.h"
#include "tests/unit/host/scratch.h"

static char *folder;

static int set_up(void **state)
{
	struct certs_pair ca, other, server, client;

	assert_int_equal(scratch_setup(state), 0);
	folder = *state;
	ca = certs_make(&(struct certs_want){ .cn = "Test CA", .authority = true }, NULL);
	other = certs_make(&(struct certs_want){ .cn = "Other CA", .authority = true }, NULL);
	server = certs_make(&(struct certs_want){ .cn = "siem",
	                                          .names = "DNS:siem.example.org,IP:127.0.0.1" },
	                    &ca);
	client = certs_make(&(struct certs_want){ .cn = "squiblyd", .use = "clientAuth" }, &ca);
	certs_write(folder, "ca.pem", &ca, NULL, false);
	certs_write(folder, "other-ca.pem", &other, NULL, false);
	certs_write(folder, "server.pem", &server, NULL, true);
	certs_write(folder, "client.pem", &client, NULL, true);
	certs_free(&ca);
	certs_free(&other);
	certs_free(&server);
	certs_free(&client);
	return 0;
}

/* ---- a peer that speaks TLS -------------------------------------------------------------- */

struct peer {
	struct world w;
	struct sq_tls_ctx *ctx;
	struct sq_tls *tls;
	int fd;
	int is; /* 0 shakes hands, 1 up, or why not */
	bool ended, deaf;
	bool plain; /* the next connection is answered without TLS */
	uint64_t bytes;
	char got[64]; /* the first of them */
	unsigned connections;
};

static void make_peer(struct peer *p, int clients)
{
	struct sq_tls_server_cfg server = { .certificate = scratch_path(folder, "server.pem"),
		                            .client_ca =
		                                    clients ? scratch_path(folder, "ca.pem") : NULL,
		                            .clients = clients };
	struct sqd_output_tcp_cfg *cfg;

	*p = (struct peer){ .fd = -1 };
	make(&p->w, &sqd_output_tcp);
	p->ctx = sq_tls_server_new(&server, NULL);
	assert_non_null(p->ctx);
	free(server.certificate);
	free(server.client_ca);
	cfg = p->w.cfg;
	cfg->link.tls.on = true;
	cfg->link.tls.ca = scratch_path(folder, "ca.pem");
	assert_int_equal(fcntl(p->w.listener, F_SETFL, O_NONBLOCK), 0);
}

static void hang_up(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	sq_tls_free(p->tls);
	p->tls = NULL;
}

static void end_peer(struct peer *p)
{
	end(&p->w);
	hang_up(p);
	sq_tls_ctx_unref(p->ctx);
}

static void peer_accept(struct peer *p)
{
	int fd = accept4(p->w.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	hang_up(p);
	p->fd = fd;
	p->is = 0;
	p->ended = false;
	p->connections++;
	p->tls = sq_tls_new(p->ctx, NULL);
	if (!p->plain)
		return;
	p->plain = false;
	p->is = -EPROTO;
	assert_int_equal(send(fd, "220 hello\r\n", 11, 0), 11);
}

/* Ciphertext has come. */
static void peer_take(struct peer *p, struct sq_sv bytes)
{
	char plain[16384];
	ssize_t n;

	sq_tls_give(p->tls, bytes);
	if (p->is == 0)
		p->is = sq_tls_handshake(p->tls);
	while (p->is == 1 && (n = sq_tls_read(p->tls, plain, sizeof(plain))) != 0) {
		if (n < 0) {
			p->is = (int)n;
			break;
		}
		if (p->bytes + (size_t)n < sizeof(p->got))
			memcpy(p->got + p->bytes, plain, (size_t)n);
		p->bytes += (size_t)n;
	}
	bytes = sq_tls_unsent(p->tls);
	if (bytes.n)
		assert_int_equal(send(p->fd, bytes.p, bytes.n, MSG_NOSIGNAL), bytes.n);
	sq_tls_sent(p->tls, bytes.n);
}

/* One turn of the peer: takes connections and reads what there is. */
static void peer_turn(struct peer *p)
{
	static char cipher[65536];

	peer_accept(p);
	while (p->fd >= 0 && !p->deaf && !p->ended) {
		ssize_t n = recv(p->fd, cipher, sizeof(cipher), 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			p->ended = true;
		else if (p->is >= 0)
			peer_take(p, (struct sq_sv){ cipher, (size_t)n });
	}
}

static bool peer_ready(void *ctx)
{
	struct peer *p = ctx;

	peer_turn(p);
	return p->w.ready > 0 && p->is == 1;
}

static bool peer_sent(void *ctx)
{
	peer_turn(ctx);
	return ((struct peer *)ctx)->w.sent > 0;
}

static bool peer_refused(void *ctx)
{
	peer_turn(ctx);
	return ((struct peer *)ctx)->is < 0;
}

static bool peer_ended(void *ctx)
{
	peer_turn(ctx);
	return ((struct peer *)ctx)->ended;
}

static bool three_connections(void *ctx)
{
	peer_turn(ctx);
	return ((struct peer *)ctx)->connections >= 3;
}

static void wait_peer(struct peer *p, bool (*done)(void *ctx))
{
	p->w.sent = 0;
	run_until(&p->w.loop, done, p);
}

static void use_file(char **option, const char *name)
{
	free(*option);
	*option = scratch_path(folder, name);
}

/* ---- what the log says ------------------------------------------------------------------- */

static int stderr_was;

static void log_to(const char *name)
{
	char *path = scratch_path(folder, name);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	fflush(stderr);
	stderr_was = dup(2);
	assert_true(fd >= 0 && dup2(fd, 2) == 2);
	close(fd);
	free(path);
}

/* The log so far, and back to the terminal. */
static const char *logged(void)
{
	static char text[4096];
	ssize_t n = pread(2, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	assert_int_equal(dup2(stderr_was, 2), 2);
	close(stderr_was);
	return text;
}

static void __attribute__((noinline)) assert_logged(const char *text, const char *want)
{
	if (strstr(text, want))
		return;
	fputs(text, stderr);
	fail_msg("the log lacks \"%s\"", want);
}

/* ---- tests ------------------------------------------------------------------------------- */

static void bytes_arrive_and_the_end_is_said(void **state SQ_UNUSED)
{
	struct peer p;

	make_peer(&p, SQ_TLS_CLIENTS_NONE);
	start(&p.w);
	wait_peer(&p, peer_ready);
	assert_int_equal(send_text(&p.w, SQ_SV("an alert\n")), 0);
	assert_int_equal(send_text(&p.w, SQ_SV("not yet\n")), -EAGAIN);
	wait_peer(&p, peer_sent);
	assert_int_equal(p.w.status, 0);
	assert_int_equal(send_text(&p.w, SQ_SV("another\n")), 0);
	wait_peer(&p, peer_sent);
	assert_string_equal(p.got, "an alert\nanother\n");
	end(&p.w);
	peer_turn(&p);
	assert_int_equal(p.is, -EPIPE); /* close_notify, not a mere end of the connection */
	hang_up(&p);
	sq_tls_ctx_unref(p.ctx);
}

static void a_piece_is_sent_when_its_last_byte_is_acknowledged(void **state SQ_UNUSED)
{
	enum { N = 24 << 20 }; /* more than the kernel buffers */
	char *big = calloc(1, N);
	struct peer p;

	make_peer(&p, SQ_TLS_CLIENTS_NONE);
	start(&p.w);
	wait_peer(&p, peer_ready);
	p.deaf = true;
	assert_int_equal(send_text(&p.w, (struct sq_sv){ big, N }), 0);
	for (int i = 0; i < 100; i++)
		uv_run(&p.w.loop, UV_RUN_NOWAIT);
	assert_int_equal(p.w.sent, 0);
	p.deaf = false;
	wait_peer(&p, peer_sent);
	assert_int_equal(p.w.status, 0);
	wait_peer(&p, peer_ready);
	assert_int_equal(p.bytes, N);
	end_peer(&p);
	free(big);
}

static void a_peer_that_we_do_not_trust_is_an_outage(void **state SQ_UNUSED)
{
	struct sqd_output_tcp_cfg *cfg;
	struct peer p;
	const char *log;

	make_peer(&p, SQ_TLS_CLIENTS_NONE);
	cfg = p.w.cfg;
	use_file(&cfg->link.tls.ca, "other-ca.pem");
	log_to("untrusted.log");
	start(&p.w);
	wait_peer(&p, peer_refused);
	assert_string_equal(sq_tls_why(p.tls),
	                    "the peer does not trust our certificate (unknown ca)");
	assert_int_equal(p.w.ready, 0);
	wait_peer(&p, three_connections);
	/* The right file comes, but it is not the right one whom it shows. */
	use_file(&cfg->link.tls.ca, "ca.pem");
	cfg->link.tls.name = strdup("other.example.org");
	p.w.out->ops->reopen(p.w.out);
	p.connections = 0;
	wait_peer(&p, three_connections);
	/* Then he is, and it mends itself. */
	free(cfg->link.tls.name);
	cfg->link.tls.name = NULL;
	p.w.out->ops->reopen(p.w.out);
	wait_peer(&p, peer_ready);
	assert_int_equal(send_text(&p.w, SQ_SV("late\n")), 0);
	wait_peer(&p, peer_sent);
	log = logged();
	assert_logged(log, ": the server's certificate is signed by nobody we trust "
	                   "(CN=siem,O=Example); retrying in 0.0 s\n");
	assert_logged(log,
	              "is for another name than other.example.org (CN=siem,O=Example); retrying");
	assert_logged(log, ": connected, after ");
	/* Once, however many attempts there were. */
	assert_null(strstr(strstr(log, "nobody we trust") + 1, "nobody we trust"));
	end_peer(&p);
}

static void a_name_of_the_options_is_the_one_that_counts(void **state SQ_UNUSED)
{
	struct sqd_output_tcp_cfg *cfg;
	struct peer p;

	make_peer(&p, SQ_TLS_CLIENTS_NONE);
	cfg = p.w.cfg;
	cfg->link.tls.name = strdup("siem.example.org");
	start(&p.w);
	wait_peer(&p, peer_ready);
	end_peer(&p);

	make_peer(&p, SQ_TLS_CLIENTS_NONE);
	cfg = p.w.cfg;
	cfg->link.tls.name = strdup("other.example.org");
	log_to("name.log");
	start(&p.w);
	wait_peer(&p, peer_refused);
	wait_peer(&p, three_connections);
	assert_logged(logged(), "the server's certificate is for another name than "
	                        "other.example.org (CN=siem,O=Example)");
	end_peer(&p);
}

static void a_certificate_is_shown_when_it_is_asked_for(void **state SQ_UNUSED)
{
	struct sq_identity who = { 0 };
	struct sqd_output_tcp_cfg *cfg;
	struct peer p;

	make_peer(&p, SQ_TLS_CLIENTS_REQUIRED);
	cfg = p.w.cfg;
	cfg->link.tls.certificate = scratch_path(folder, "client.pem");
	start(&p.w);
	wait_peer(&p, peer_ready);
	assert_true(sq_tls_identity(p.tls, &who));
	assert_string_equal(who.subject, "CN=squiblyd,O=Example");
	end_peer(&p);
}

/* With TLS 1.3 our side is up before the peer has looked at our certificate. */
static void a_peer_that_misses_our_certificate_got_nothing(void **state SQ_UNUSED)
{
	struct peer p;
	const char *log;

	make_peer(&p, SQ_TLS_CLIENTS_REQUIRED);
	log_to("missed.log");
	start(&p.w);
	run_until(&p.w.loop, peer_refused, &p);
	assert_int_equal(p.w.ready, 1);
	if (send_text(&p.w, SQ_SV("early\n")) == 0) {
		run_until(&p.w.loop, peer_sent, &p);
		assert_true(p.w.status < 0);
	}
	wait_peer(&p, three_connections);
	log = logged();
	assert_logged(log, ": the peer wants a certificate of ours; retrying");
	assert_null(strstr(log, "connected"));
	end_peer(&p);
}

static void a_peer_without_tls_is_told_as_that(void **state SQ_UNUSED)
{
	struct peer p;

	make_peer(&p, SQ_TLS_CLIENTS_NONE);
	p.plain = true;
	log_to("plain.log");
	start(&p.w);
	wait_peer(&p, peer_ready); /* the next connection is better */
	assert_int_equal(p.connections, 2);
	assert_logged(logged(), ": it answered with plain text: no TLS is spoken there; retrying");
	end_peer(&p);
}

static void a_handshake_that_stalls_ends_in_time(void **state SQ_UNUSED)
{
	struct sqd_output_tcp_cfg *cfg;
	struct peer p;

	make_peer(&p, SQ_TLS_CLIENTS_NONE);
	cfg = p.w.cfg;
	cfg->link.connect_timeout = 100;
	p.deaf = true;
	log_to("stall.log");
	start(&p.w);
	wait_peer(&p, three_connections);
	assert_logged(logged(), ": no TLS handshake in time; retrying");
	assert_int_equal(p.w.ready, 0);
	end_peer(&p);
}

static void a_peer_that_ends_its_session_is_left(void **state SQ_UNUSED)
{
	struct peer p;
	struct sq_sv bytes;

	make_peer(&p, SQ_TLS_CLIENTS_NONE);
	start(&p.w);
	wait_peer(&p, peer_ready);
	sq_tls_end(p.tls);
	bytes = sq_tls_unsent(p.tls);
	assert_int_equal(send(p.fd, bytes.p, bytes.n, 0), bytes.n);
	wait_peer(&p, peer_ended); /* it closes, though the connection was open */
	p.w.ready = 0;
	wait_peer(&p, peer_ready);
	assert_int_equal(p.w.out->reconnects, 1);
	end_peer(&p);
}

static void reading_files_anew_drops_no_connection(void **state SQ_UNUSED)
{
	struct sqd_output_tcp_cfg *cfg;
	struct peer p;

	make_peer(&p, SQ_TLS_CLIENTS_NONE);
	cfg = p.w.cfg;
	start(&p.w);
	wait_peer(&p, peer_ready);
	p.w.out->ops->reopen(p.w.out);
	use_file(&cfg->link.tls.ca, "missing.pem");
	log_to("reopen.log");
	p.w.out->ops->reopen(p.w.out); /* broken: said, and nothing else */
	assert_logged(logged(),
	              "missing.pem: No such file or directory; keeping what was read before");
	assert_int_equal(send_text(&p.w, SQ_SV("the same connection\n")), 0);
	wait_peer(&p, peer_sent);
	assert_int_equal(p.w.status, 0);
	assert_int_equal(p.connections, 1);
	hang_up(&p);
	p.w.ready = 0;
	wait_peer(&p, peer_ready); /* with what was read before */
	end_peer(&p);
}

static void wrong_files_and_stray_keys_are_refused(void **state SQ_UNUSED)
{
	struct sqd_output_tcp_cfg *cfg;
	struct sq_err err = { 0 };
	struct peer p;

	make_peer(&p, SQ_TLS_CLIENTS_NONE);
	cfg = p.w.cfg;
	use_file(&cfg->link.tls.ca, "missing.pem");
	assert_int_equal(p.w.out->ops->start(p.w.out, &err), -EINVAL);
	assert_non_null(strstr(err.text, "missing.pem: No such file or directory"));
	end_peer(&p);

	make_peer(&p, SQ_TLS_CLIENTS_NONE);
	cfg = p.w.cfg;
	cfg->link.tls.on = false;
	assert_int_equal(p.w.out->ops->start(p.w.out, &err), -EINVAL);
	assert_non_null(strstr(err.text, "tls_ca is set, but TLS is off"));
	end_peer(&p);
}

static void closing_works_in_every_state(void **state SQ_UNUSED)
{
	for (int turns = 0; turns < 16; turns++) {
		struct peer p;

		make_peer(&p, SQ_TLS_CLIENTS_NONE);
		start(&p.w);
		for (int i = 0; i < turns / 2; i++) {
			uv_run(&p.w.loop, UV_RUN_NOWAIT);
			if (turns & 1)
				peer_turn(&p);
		}
		if (p.w.ready)
			(void)send_text(&p.w, SQ_SV("in flight\n"));
		end_peer(&p);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_arrive_and_the_end_is_said),
		cmocka_unit_test(a_piece_is_sent_when_its_last_byte_is_acknowledged),
		cmocka_unit_test(a_peer_that_we_do_not_trust_is_an_outage),
		cmocka_unit_test(a_name_of_the_options_is_the_one_that_counts),
		cmocka_unit_test(a_certificate_is_shown_when_it_is_asked_for),
		cmocka_unit_test(a_peer_that_misses_our_certificate_got_nothing),
		cmocka_unit_test(a_peer_without_tls_is_told_as_that),
		cmocka_unit_test(a_handshake_that_stalls_ends_in_time),
		cmocka_unit_test(a_peer_that_ends_its_session_is_left),
		cmocka_unit_test(reading_files_anew_drops_no_connection),
		cmocka_unit_test(wrong_files_and_stray_keys_are_refused),
		cmocka_unit_test(closing_works_in_every_state),
	};

	return cmocka_run_group_tests_name("output/tls", tests, set_up, scratch_teardown);
}
