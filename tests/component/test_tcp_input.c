/* The TCP input: the bytes of connections, cut into records, as far and as fast as there are
 * batches. */
#include "tests/component/tcp_world.h"

static void records_arrive_with_their_peer(void **state SQ_UNUSED)
{
	struct world w;
	struct sockaddr_in me;
	socklen_t len = sizeof(me);
	char peer[64];
	int fd;

	tcp_make(&w);
	world_start(&w);
	fd = tcp_dial(&w);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&me, &len), 0);
	snprintf(peer, sizeof(peer), "127.0.0.1:%u", ntohs(me.sin_port));
	say(fd, "{\"a\":1}\n{\"b\":2}\r\n{\"c\"");
	wait_records(&w, 2);
	say(fd, ":3}\n");
	wait_records(&w, 3);
	assert_string_equal(w.d.records[0], "{\"a\":1}");
	assert_string_equal(w.d.records[1], "{\"b\":2}");
	assert_string_equal(w.d.records[2], "{\"c\":3}");
	assert_string_equal(w.d.peers[2], peer);
	assert_int_equal(w.counts.received, 3);
	assert_int_equal(w.counts.connections, 1);
	assert_int_equal(w.counts.bytes_in, 25);
	close(fd);
	world_end(&w);
}

static void a_stream_cut_at_every_byte_gives_the_same_records(void **state SQ_UNUSED)
{
	static const char stream[] =
		"{\"a\":1}\n7 {\"b\":2}<14>Jan  1 00:00:00 h x: {}\n[{\"c\":3},{}]\n";
	static const char *const want[] = { "{\"a\":1}", "{\"b\":2}", "<14>Jan  1 00:00:00 h x: {}",
		                            "{\"c\":3}", "{}" };
	struct world w;

	tcp_make(&w);
	world_start(&w);
	for (size_t cut = 1; cut < sizeof(stream) - 1; cut++) {
		int fd = tcp_dial(&w);

		say_n(fd, stream, cut);
		wait_count(&w, &w.counts.bytes_in,
		           (unsigned)((cut - 1) * (sizeof(stream) - 1) + cut));
		say_n(fd, stream + cut, sizeof(stream) - 1 - cut);
		wait_records(&w, SQ_LEN(want));
		for (size_t i = 0; i < SQ_LEN(want); i++)
			assert_string_equal(w.d.records[i], want[i]);
		fake_dispatch_forget(&w.d);
		fake_dispatch_settle(&w.d);
		close(fd);
	}
	world_end(&w);
}

/* 300 KiB of records of 1 KiB, into batches of 64 records: none may be lost, doubled or torn. */
static void many_records_fill_many_batches(void **state SQ_UNUSED)
{
	enum { N = 300, SIZE = 1024 };
	static char all[N * SIZE];
	struct world w;
	int fd, size = sizeof(all) * 2;

	for (int i = 0; i < N; i++) {
		char head[32];
		int n = snprintf(head, sizeof(head), "{\"n\":%d,\"x\":\"", i);

		memset(all + (size_t)i * SIZE, 'x', SIZE);
		memcpy(all + (size_t)i * SIZE, head, (size_t)n);
		memcpy(all + (size_t)i * SIZE + SIZE - 3, "\"}\n", 3);
	}
	tcp_make(&w);
	world_start(&w);
	fd = tcp_dial(&w);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	for (size_t at = 0; at < sizeof(all);) {
		ssize_t n = send(fd, all + at, sizeof(all) - at, MSG_NOSIGNAL);

		if (n > 0)
			at += (size_t)n;
		uv_run(&w.loop, UV_RUN_NOWAIT);
		fake_dispatch_settle(&w.d);
	}
	wait_records(&w, N);
	for (int i = 0; i < N; i++) {
		assert_int_equal(w.d.lengths[i], SIZE - 1);
		assert_memory_equal(w.d.records[i], all + (size_t)i * SIZE, SIZE - 1);
	}
	assert_true(w.d.opened >= N / 64);
	close(fd);
	world_end(&w);
}

static void a_long_record_in_small_pieces_is_whole(void **state SQ_UNUSED)
{
	enum { SIZE = 60000 };
	static char rec[SIZE + 1];
	struct world w;
	uint64_t sent = 0;
	int fd;

	memset(rec, 'y', SIZE);
	memcpy(rec, "{\"k\":\"", 6);
	memcpy(rec + SIZE - 2, "\"}", 2);
	rec[SIZE] = '\n';
	tcp_make(&w);
	world_start(&w);
	fd = tcp_dial(&w);
	for (size_t at = 0; at < sizeof(rec); at += 1000) {
		size_t n = sizeof(rec) - at < 1000 ? sizeof(rec) - at : 1000;

		say_n(fd, rec + at, n);
		sent += n;
		wait_count(&w, &w.counts.bytes_in, (unsigned)sent);
	}
	say(fd, "{\"next\":1}\n");
	wait_records(&w, 2);
	assert_int_equal(w.d.lengths[0], SIZE);
	assert_memory_equal(w.d.records[0], rec, SIZE);
	assert_string_equal(w.d.records[1], "{\"next\":1}");
	close(fd);
	world_end(&w);
}

static void an_oversized_record_is_one_count_and_the_next_is_intact(void **state SQ_UNUSED)
{
	static char big[200 * 1024];
	struct world w;
	int fd;

	memset(big, 'z', sizeof(big));
	memcpy(big, "{\"k\":\"", 6);
	memcpy(big + sizeof(big) - 3, "\"}\n", 3);
	tcp_make(&w);
	world_start(&w);
	fd = tcp_dial(&w);
	for (size_t at = 0; at < sizeof(big); at += 20 * 1024) {
		say_n(fd, big + at, 20 * 1024);
		wait_count(&w, &w.counts.bytes_in, (unsigned)at + 20 * 1024);
	}
	say(fd, "{\"ok\":1}\n");
	wait_records(&w, 1);
	assert_string_equal(w.d.records[0], "{\"ok\":1}");
	assert_int_equal(w.counts.oversized, 1);
	assert_int_equal(w.counts.received, 2);
	close(fd);
	world_end(&w);
}

static void the_end_of_a_stream_ends_its_last_record(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	tcp_make(&w);
	world_start(&w);
	fd = tcp_dial(&w);
	say(fd, "{\"a\":1}\n{\"last\":1}");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	wait_records(&w, 2);
	assert_string_equal(w.d.records[1], "{\"last\":1}");
	expect_hangup(&w, fd);
	fd = tcp_dial(&w);
	say(fd, "{\"cut\":");
	close(fd);
	wait_records(&w, 3); /* given on as it is, to be counted as malformed */
	assert_string_equal(w.d.records[2], "{\"cut\":");
	world_end(&w);
}

static void foreign_protocols_are_told_apart_and_the_listener_lives(void **state SQ_UNUSED)
{
	static const char tls[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
	static const char beats[] = "2W\x00\x00\x00\x01"
				    "2C\x00\x00\x00\x10";
	struct world w;
	int fd;

	tcp_make(&w);
	world_start(&w);
	fd = tcp_dial(&w);
	say_n(fd, tls, sizeof(tls) - 1);
	expect_hangup(&w, fd);
	fd = tcp_dial(&w);
	say_n(fd, beats, sizeof(beats) - 1);
	expect_hangup(&w, fd);
	fd = tcp_dial(&w);
	say(fd, "POST / HTTP/1.1\r\nHost: x\r\n\r\n");
	expect_hangup(&w, fd);
	fd = tcp_dial(&w);
	say_n(fd, "\xff\xfe{\0}\0", 6);
	expect_hangup(&w, fd);
	assert_int_equal(w.counts.connections_failed, 4);
	assert_int_equal(w.counts.received, 0);
	fd = tcp_dial(&w);
	say(fd, "{}\n");
	wait_records(&w, 1);
	close(fd);
	world_end(&w);
}

static void reading_stops_without_batches_and_goes_on_with_them(void **state SQ_UNUSED)
{
	enum { N = 1000 };
	char line[32];
	struct world w;
	int fds[3];

	tcp_make(&w);
	w.d.free = 2; /* two batches of 64 records */
	world_start(&w);
	for (size_t i = 0; i < SQ_LEN(fds); i++)
		fds[i] = tcp_dial(&w);
	for (int n = 0; n < N; n++) {
		for (size_t i = 0; i < SQ_LEN(fds); i++) {
			snprintf(line, sizeof(line), "{\"c\":%zu,\"n\":%d}\n", i, n);
			say(fds[i], line);
		}
	}
	for (unsigned round = 0; w.counts.received < N * SQ_LEN(fds); round++) {
		assert_true(round < 5000);
		uv_run(&w.loop, UV_RUN_NOWAIT);
		if (w.d.free)
			continue;
		sqd_dispatch_seal(&w.d);
		assert_true(w.d.n_sealed <= 2);
		/* Nothing is read meanwhile. */
		for (int i = 0; i < 3; i++)
			uv_run(&w.loop, UV_RUN_NOWAIT);
		assert_null(w.d.open);
		fake_dispatch_settle(&w.d);
		sqd_input_tcp.resume(w.in);
	}
	wait_records(&w, N * SQ_LEN(fds));
	/* Each connection's records in order, none lost, none doubled. */
	for (size_t c = 0; c < SQ_LEN(fds); c++) {
		int next = 0;

		for (unsigned i = 0; i < w.d.n; i++) {
			size_t who;
			int n;

			assert_int_equal(w.d.records[i][0], '{');
			who = strtoul(w.d.records[i] + 5, NULL, 10);
			n = (int)strtoul(strstr(w.d.records[i], "\"n\":") + 4, NULL, 10);
			if (who != c)
				continue;
			assert_int_equal(n, next);
			next++;
		}
		assert_int_equal(next, N);
		close(fds[c]);
	}
	world_end(&w);
}

/* Whoever sends more than the batches hold, all the time, must not keep the others from theirs. */
static void the_busy_do_not_starve_the_quiet(void **state SQ_UNUSED)
{
	enum { BUSY = 4, ROUNDS = 4 * BUSY };
	char lines[64 * 40] = "", name[64];
	int busy[BUSY], quiet;
	bool heard = false;
	struct world w;

	for (size_t i = 0, at = 0; i < 64; i++)
		at += (size_t)snprintf(lines + at, sizeof(lines) - at, "{\"n\":%zu}\n", i);
	tcp_make(&w);
	w.d.free = 1; /* one batch of 64 records: a busy one's turn */
	world_start(&w);
	for (size_t i = 0; i < BUSY / 2; i++)
		busy[i] = tcp_dial(&w);
	quiet = tcp_dial(&w);
	for (size_t i = BUSY / 2; i < BUSY; i++)
		busy[i] = tcp_dial(&w);
	world_name_of(quiet, name);
	for (size_t i = 0; i < BUSY; i++)
		say(busy[i], lines);
	while (w.d.free)
		uv_run(&w.loop, UV_RUN_NOWAIT);
	say(quiet, "{\"who\":\"quiet\"}\n");
	for (int round = 0; round < ROUNDS && !heard; round++) {
		for (size_t i = 0; i < BUSY; i++)
			say(busy[i], lines);
		world_turn(&w, 5);
		sqd_dispatch_seal(&w.d);
		for (unsigned i = 0; i < w.d.n; i++)
			heard |= strcmp(w.d.peers[i], name) == 0;
		fake_dispatch_settle(&w.d);
		sqd_input_tcp.resume(w.in);
	}
	assert_true(heard);
	for (size_t i = 0; i < BUSY; i++)
		close(busy[i]);
	close(quiet);
	world_end(&w);
}

/* When batches come to an end in a turn of the loop, the rest wait for the next one, unpaused, and
 * are first then, though others have bytes again. */
static void who_was_not_read_in_a_short_turn_comes_first(void **state SQ_UNUSED)
{
	char name[64];
	struct world w;
	int fd[2], first;

	tcp_make(&w);
	world_start(&w);
	w.d.turn = 1;
	w.d.short_at = 1;
	for (int i = 0; i < 2; i++)
		fd[i] = tcp_dial(&w);
	wait_count(&w, &w.counts.connections, 2);
	for (int i = 0; i < 2; i++)
		say(fd[i], "{\"n\":1}\n");
	wait_count(&w, &w.counts.received, 1);
	world_turn(&w, 20);
	assert_int_equal(w.counts.received, 1);
	world_name_of(fd[0], name);
	first = strcmp(w.d.open->origins[0].peer, name) == 0 ? 0 : 1;
	say(fd[first], "{\"n\":2}\n");
	w.d.turn = 2;
	w.d.short_at = 2;
	wait_count(&w, &w.counts.received, 2);
	world_turn(&w, 20);
	assert_int_equal(w.counts.received, 2);
	w.d.turn = 3;
	w.d.short_at = 0;
	world_turn(&w, 5);
	w.d.turn = 4;
	wait_count(&w, &w.counts.received, 3);
	wait_records(&w, 3);
	world_name_of(fd[!first], name);
	assert_string_equal(w.d.peers[1], name);
	assert_string_equal(w.d.peers[2], w.d.peers[0]);
	assert_int_equal(w.counts.pauses, 0);
	close(fd[0]);
	close(fd[1]);
	world_end(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_arrive_with_their_peer),
		cmocka_unit_test(a_stream_cut_at_every_byte_gives_the_same_records),
		cmocka_unit_test(many_records_fill_many_batches),
		cmocka_unit_test(a_long_record_in_small_pieces_is_whole),
		cmocka_unit_test(an_oversized_record_is_one_count_and_the_next_is_intact),
		cmocka_unit_test(the_end_of_a_stream_ends_its_last_record),
		cmocka_unit_test(foreign_protocols_are_told_apart_and_the_listener_lives),
		cmocka_unit_test(reading_stops_without_batches_and_goes_on_with_them),
		cmocka_unit_test(the_busy_do_not_starve_the_quiet),
		cmocka_unit_test(who_was_not_read_in_a_short_turn_comes_first),
	};

	return cmocka_run_group_tests_name("input/tcp", tests, NULL, NULL);
}
