/* The server of stream inputs with TLS, spoken to by a real client over real sockets. */
#include "tests/support/certs.h"
#include "tests/support/probe_input.h"
#include "tests/support/tls_peer.h"
#include "tests/unit/host/scratch.h"

static char *folder;

/* Path of a file in the folder, to be freed. */
static char *at(const char *name)
{
	return scratch_path(folder, name);
}

static void write_one(const char *file, struct certs_want want, const struct certs_pair *ca)
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
	write_one("server.pem",
	          (struct certs_want){ .cn = "collector", .names = "DNS:collector.example.org" },
	          &ca);
	write_one("other.pem",
	          (struct certs_want){ .cn = "other", .names = "DNS:collector.example.org" },
	          &other);
	write_one("client.pem",
	          (struct certs_want){ .cn = "ws-7", .names = "DNS:ws-7.example.org" }, &ca);
	write_one("stranger.pem", (struct certs_want){ .cn = "ws-8" }, &other);
	write_one("expired.pem", (struct certs_want){ .cn = "ws-9", .from = -9000, .until = -900 },
	          &ca);
	certs_free(&ca);
	certs_free(&other);
	return 0;
}

/* ---- worlds and clients ------------------------------------------------------------------ */

static void secure(struct world *w)
{
	w->cfg.server.tls.certificate = at("server.pem");
}

static void probe_world(struct world *w)
{
	probe_make(w);
	secure(w);
	world_start(w);
}

static void make_tcp(struct world *w)
{
	world_make(w, &sqd_input_tcp);
	w->cfg.server.listen = strdup("127.0.0.1:0");
	w->cfg.tcp.max_record = 64 * 1024;
	secure(w);
}

static struct sq_tls_ctx *client_of(const char *certificate, const char *ca)
{
	struct sq_tls_client_cfg cfg = { .on = true, .verify = true };
	struct sq_tls_ctx *ctx;

	cfg.ca = at(ca);
	cfg.certificate = certificate ? at(certificate) : NULL;
	ctx = tls_peer_ctx(&cfg);
	free(cfg.ca);
	free(cfg.certificate);
	return ctx;
}

static struct sq_tls_ctx *client(void)
{
	return client_of(NULL, "ca.pem");
}

/* ---- bytes ------------------------------------------------------------------------------- */

static void records_arrive_and_answers_go_back(void **state SQ_UNUSED)
{
	struct sq_tls_ctx *ctx = client();
	struct tls_peer *p;
	struct world w;

	probe_world(&w);
	p = tls_peer_dial(&w, ctx);
	assert_int_equal(w.counts.tls_handshakes, 1);
	assert_int_equal(w.counts.tls_resumed, 0);
	assert_null(probe.conn->identity); /* no certificate was asked for */
	tls_peer_say(p, "hello");
	probe_expect(&w, SQ_SV("hello"));
	assert_int_equal(sqd_conn_write(probe.conn, SQ_SV("and ")), 0);
	assert_int_equal(sqd_conn_write(probe.conn, SQ_SV("good day")), 0);
	tls_peer_hear(p, 12);
	assert_memory_equal(p->got, "and good day", 12);
	tls_peer_end(p, true);
	wait_count(&w, &probe.freed, 1);
	assert_int_equal(probe.why, 0);
	assert_int_equal(w.counts.tls_truncated, 0);
	assert_int_equal(w.counts.tls_failed, 0);
	assert_int_equal(w.counts.connections_failed, 0);
	p = tls_peer_dial(&w, ctx); /* again, with the ticket of the first */
	assert_int_equal(w.counts.tls_handshakes, 2);
	tls_peer_end(p, true);
	sq_tls_ctx_unref(ctx);
	world_end(&w);
}

static void a_byte_at_a_time_is_enough(void **state SQ_UNUSED)
{
	struct sq_tls_ctx *ctx = client();
	struct tls_peer *p;
	struct world w;

	make_tcp(&w);
	world_start(&w);
	p = tls_peer_begin(&w, ctx, -1);
	tls_peer_shake(p, 1);
	assert_int_equal(p->is, 1);
	tls_peer_put(p, SQ_SV("{\"a\":1}\n"));
	tls_peer_put(p, SQ_SV("{\"b\":2}\n"));
	while (sq_tls_unsent(p->tls).n)
		tls_peer_step(p, 1);
	wait_records(&w, 2);
	assert_string_equal(w.d.records[0], "{\"a\":1}");
	assert_string_equal(w.d.records[1], "{\"b\":2}");
	tls_peer_end(p, true);
	sq_tls_ctx_unref(ctx);
	world_end(&w);
}

/* With the last flight of the handshake, in one segment. */
static void what_comes_with_the_handshake_is_not_lost(void **state SQ_UNUSED)
{
	struct sq_tls_ctx *ctx = client();
	struct tls_peer *p;
	struct world w;

	probe_world(&w);
	p = tls_peer_begin(&w, ctx, -1);
	while (p->is == 0)
		tls_peer_step(p, p->is == 0 ? SIZE_MAX : 0);
	assert_true(sq_tls_unsent(p->tls).n > 0);
	tls_peer_put(p, SQ_SV("early"));
	tls_peer_push(p);
	assert_int_equal(sq_tls_unsent(p->tls).n, 0);
	probe_expect(&w, SQ_SV("early"));
	tls_peer_end(p, true);
	sq_tls_ctx_unref(ctx);
	world_end(&w);
}

static void an_end_without_a_word_is_counted_and_what_came_is_kept(void **state SQ_UNUSED)
{
	struct sq_tls_ctx *ctx = client();
	struct linger hard = { .l_onoff = 1 };
	struct tls_peer *p;
	struct world w;

	make_tcp(&w);
	world_start(&w);
	p = tls_peer_dial(&w, ctx);
	tls_peer_say(p, "{\"a\":1}\n{\"cut\":");
	tls_peer_end(p, false);
	wait_records(&w, 2);
	assert_string_equal(w.d.records[1], "{\"cut\":");
	assert_int_equal(w.counts.tls_truncated, 1);
	assert_int_equal(w.counts.connections_failed, 0);
	p = tls_peer_dial(&w, ctx);
	tls_peer_say(p, "{\"a\":2}\n{\"cut\":");
	wait_records(&w, 3);
	assert_int_equal(setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	tls_peer_end(p, false); /* a reset */
	wait_records(&w, 4);
	assert_int_equal(w.counts.tls_truncated, 1);
	assert_int_equal(w.counts.connections_failed, 1);
	sq_tls_ctx_unref(ctx);
	world_end(&w);
}

/* ---- holding and starving ---------------------------------------------------------------- */

/* 100 KiB in one burst, taken 1,000 bytes at a time: most of it lies decrypted in the session or as
 * ciphertext with us when the socket has nothing more to tell. */
static void what_is_held_comes_without_a_new_event(void **state SQ_UNUSED)
{
	enum { N = 100 * 1000 };
	static char bytes[N];
	struct sq_tls_ctx *ctx = client();
	struct tls_peer *p;
	struct world w;

	for (size_t i = 0; i < N; i++)
		bytes[i] = (char)('a' + i % 23);
	probe_world(&w);
	p = tls_peer_dial(&w, ctx);
	probe.hold = true;
	probe.room = 1000;
	tls_peer_put(p, (struct sq_sv){ bytes, N });
	sq_tls_end(p->tls);
	while (probe.n < N) {
		uint64_t takes = probe.takes;

		for (int i = 0; i < 1000 && probe.takes == takes; i++) {
			tls_peer_push(p);
			uv_run(&w.loop, UV_RUN_NOWAIT);
		}
		assert_int_equal(probe.takes, takes + 1);
		world_turn(&w, 2);
		assert_int_equal(probe.takes, takes + 1); /* held */
		assert_int_equal(probe.ended, 0);
		sqd_conn_unhold(probe.conn);
		assert_int_equal(probe.takes, takes + 1); /* not from inside */
	}
	assert_true(probe.takes < 2 * N / 1000);
	while (sq_tls_unsent(p->tls).n)
		tls_peer_push(p);
	wait_count(&w, &probe.freed, 1);
	assert_int_equal(probe.ended, 1);
	assert_int_equal(probe.n, N);
	assert_memory_equal(probe.got, bytes, N);
	assert_int_equal(w.counts.tls_truncated, 0);
	tls_peer_end(p, false);
	sq_tls_ctx_unref(ctx);
	world_end(&w);
}

/* It never reads our tickets and goes: the reset must not take what it has said before. */
static void a_peer_that_says_its_thing_and_goes_is_heard(void **state SQ_UNUSED)
{
	enum { N = 200 * 1000 };
	static char bytes[N];
	struct sq_tls_ctx *ctx = client();
	struct tls_peer *p;
	struct world w;
	size_t left;

	probe_world(&w);
	probe.hold = true;
	p = tls_peer_begin(&w, ctx, -1);
	while (p->is == 0)
		tls_peer_step(p, SIZE_MAX);
	memset(bytes, 'x', N);
	tls_peer_put(p, (struct sq_sv){ bytes, N });
	do {
		left = sq_tls_unsent(p->tls).n;
		tls_peer_push(p);
		world_turn(&w, 1);
		if (probe.conn)
			sqd_conn_unhold(probe.conn);
	} while (sq_tls_unsent(p->tls).n || left != sq_tls_unsent(p->tls).n);
	tls_peer_end(p, false); /* with bytes unread: a reset */
	for (int i = 0; !probe.freed; i++) {
		assert_true(i < 1000);
		world_turn(&w, 1);
		if (probe.conn)
			sqd_conn_unhold(probe.conn);
	}
	assert_int_equal(probe.n, N);
	sq_tls_ctx_unref(ctx);
	world_end(&w);
}

/* Batches of 64 records, two of them; three clients that have all said their thing. */
static void reading_stops_without_batches_and_goes_on_with_them(void **state SQ_UNUSED)
{
	enum { N = 1000, PEERS = 3 };
	struct sq_tls_ctx *ctx = client();
	struct tls_peer *peers[PEERS];
	int next[PEERS] = { 0 };
	struct world w;
	char line[64];

	make_tcp(&w);
	w.d.free = 2;
	world_start(&w);
	for (size_t i = 0; i < PEERS; i++) {
		peers[i] = tls_peer_dial(&w, ctx);
		for (int n = 0; n < N; n++) {
			snprintf(line, sizeof(line), "{\"c\":%zu,\"n\":%d}\n", i, n);
			tls_peer_put(peers[i], sq_sv_of(line));
		}
		sq_tls_end(peers[i]->tls);
	}
	for (unsigned round = 0; w.counts.received < N * PEERS; round++) {
		assert_true(round < 5000);
		for (size_t i = 0; i < PEERS; i++)
			tls_peer_push(peers[i]);
		uv_run(&w.loop, UV_RUN_NOWAIT);
		if (w.d.free)
			continue;
		sqd_dispatch_seal(&w.d);
		assert_true(w.d.n_sealed <= 2);
		world_turn(&w, 3);
		assert_null(w.d.open);
		fake_dispatch_settle(&w.d);
		sqd_input_tcp.resume(w.in);
	}
	wait_records(&w, N * PEERS);
	for (unsigned i = 0; i < w.d.n; i++) {
		size_t who = strtoul(w.d.records[i] + 5, NULL, 10);
		long n = strtol(strstr(w.d.records[i], "\"n\":") + 4, NULL, 10);

		assert_true(who < PEERS);
		assert_int_equal(n, next[who]++);
	}
	assert_int_equal(w.counts.tls_failed, 0);
	for (size_t i = 0; i < PEERS; i++)
		tls_peer_end(peers[i], false);
	sq_tls_ctx_unref(ctx);
	world_end(&w);
}

static void what_is_decrypted_when_stopping_is_taken_first(void **state SQ_UNUSED)
{
	struct sq_tls_ctx *ctx = client();
	struct tls_peer *p;
	struct world w;
	char line[64];

	make_tcp(&w);
	w.d.free = 1;
	world_start(&w);
	p = tls_peer_dial(&w, ctx);
	for (int n = 0; n < 100; n++) {
		snprintf(line, sizeof(line), "{\"n\":%d}\n", n);
		tls_peer_put(p, sq_sv_of(line));
	}
	tls_peer_put(p, SQ_SV("{\"half\":"));
	tls_peer_push(p);
	wait_records(&w, 64);
	sqd_input_tcp.stop(w.in);
	world_turn(&w, 3);
	assert_int_equal(w.counts.dropped_shutdown, 0);
	fake_dispatch_settle(&w.d);
	sqd_input_tcp.resume(w.in);
	wait_records(&w, 100);
	assert_int_equal(w.counts.received, 101);
	assert_int_equal(w.counts.dropped_shutdown, 1); /* the half one */
	tls_peer_end(p, false);
	sq_tls_ctx_unref(ctx);
	world_end(&w);
}

/* ---- sending ----------------------------------------------------------------------------- */

static void a_peer_that_never_reads_is_bounded_and_closed(void **state SQ_UNUSED)
{
	static char big[300 * 1024];
	struct sq_tls_ctx *ctx = client();
	int small = 4096, r = 0;
	struct tls_peer *p;
	struct world w;

	probe_make(&w);
	secure(&w);
	w.cfg.server.send_timeout = 60;
	world_start(&w);
	p = tls_peer_dial(&w, ctx);
	assert_int_equal(setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	for (int i = 0; i < 100 && !r; i++)
		r = sqd_conn_write(probe.conn, (struct sq_sv){ big, sizeof(big) });
	assert_int_equal(r, -ENOBUFS);
	assert_true(sqd_conn_unsent(probe.conn) <= SQD_CONN_UNSENT_MAX + 64 * 1024);
	wait_count(&w, &probe.freed, 1);
	assert_int_equal(w.counts.connections_failed, 1);
	assert_int_equal(w.counts.tls_failed, 0);
	tls_peer_end(p, false);
	sq_tls_ctx_unref(ctx);
	world_end(&w);
}

static void finishing_says_close_notify_behind_the_answer(void **state SQ_UNUSED)
{
	struct sq_tls_ctx *ctx = client();
	struct tls_peer *p;
	struct world w;

	probe_world(&w);
	p = tls_peer_dial(&w, ctx);
	assert_int_equal(sqd_conn_write(probe.conn, SQ_SV("bye")), 0);
	sqd_conn_finish(probe.conn);
	tls_peer_hangup(p);
	assert_int_equal(p->is, -EPIPE); /* in order */
	assert_int_equal(p->n_got, 3);
	tls_peer_end(p, true);
	wait_count(&w, &probe.freed, 1);
	sq_tls_ctx_unref(ctx);
	world_end(&w);
}

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_arrive_and_answers_go_back),
		cmocka_unit_test(a_byte_at_a_time_is_enough),
		cmocka_unit_test(what_comes_with_the_handshake_is_not_lost),
		cmocka_unit_test(an_end_without_a_word_is_counted_and_what_came_is_kept),
		cmocka_unit_test(what_is_held_comes_without_a_new_event),
		cmocka_unit_test(a_peer_that_says_its_thing_and_goes_is_heard),
		cmocka_unit_test(reading_stops_without_batches_and_goes_on_with_them),
		cmocka_unit_test(what_is_decrypted_when_stopping_is_taken_first),
		cmocka_unit_test(a_peer_that_never_reads_is_bounded_and_closed),
		cmocka_unit_test(finishing_says_close_notify_behind_the_answer),
		cmocka_unit_test(proxy_and_certificate_make_one_identity),
		cmocka_unit_test(plain_text_on_a_tls_port_is_told_and_the_listener_lives),
		cmocka_unit_test(a_handshake_that_stalls_is_closed_in_time),
		cmocka_unit_test(who_comes_and_goes_without_a_byte_is_no_error),
		cmocka_unit_test(a_client_that_does_not_trust_us_is_told_of),
		cmocka_unit_test(a_broken_session_ends_with_what_came_before),
		cmocka_unit_test(certificates_are_read_anew_and_nobody_is_dropped),
		cmocka_unit_test(a_server_ends_under_its_sessions),
	};
	int failed = cmocka_run_group_tests_name("input/server TLS", tests, set_up, NULL);
	void *state = folder;

	failed += RUN_TABLE("input/server TLS clients", client_cases, check_client);
	return failed + !!scratch_teardown(&state);
}
