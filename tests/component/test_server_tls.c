/* The server of stream inputs with TLS, spoken to by a real client over real sockets: bytes both
 * ways. Who is there, and what goes wrong: test_server_shake.c.
 */
#include "tests/support/tls_world.h"

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

/* After stop() its bytes would find no batch that is still handed on. */
static void what_is_held_when_stopping_is_given_to_nobody(void **state SQ_UNUSED)
{
	struct sq_tls_ctx *ctx = client();
	struct tls_peer *p;
	struct world w;

	probe_world(&w);
	probe.hold = true;
	probe.room = 3;
	p = tls_peer_dial(&w, ctx);
	tls_peer_put(p, SQ_SV("onetwo"));
	tls_peer_push(p);
	wait_count(&w, &probe.takes, 1);
	probe_ops.stop(w.in);
	assert_int_equal(probe.stopped, 1);
	sqd_conn_unhold(probe.conn);
	world_turn(&w, 5);
	assert_int_equal(probe.n, 3);
	assert_int_equal(sqd_conn_write(probe.conn, SQ_SV("ack")), 0);
	tls_peer_hear(p, 3);
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
		cmocka_unit_test(what_is_held_when_stopping_is_given_to_nobody),
		cmocka_unit_test(what_is_decrypted_when_stopping_is_taken_first),
		cmocka_unit_test(a_peer_that_never_reads_is_bounded_and_closed),
		cmocka_unit_test(finishing_says_close_notify_behind_the_answer),
	};

	return cmocka_run_group_tests_name("input/server TLS", tests, set_up, scratch_teardown);
}
