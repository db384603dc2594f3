/* Windows that come, wait and are acknowledged, and what real clients send. */
#include "tests/component/beats_world.h"

/* ---- windows ----------------------------------------------------------------------------- */

static void windows_are_acknowledged_in_order_when_settled(void **state)
{
	struct sq_outbuf b = wire_new();
	struct world w;
	int fd;

	(void)state;
	begin_and_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	wire_window(&b, 3, 0, 0);
	wire_window(&b, 2, 3, 2);
	wire_head(&b, "2W", 0);
	say_wire(fd, &b);
	wait_records(&w, 5);
	expect_nothing(&w, fd);
	assert_int_equal(w.counts.beats_windows, 3);
	assert_int_equal(w.counts.beats_acked, 0);
	expect_acks(&w, fd,
	            "2A\0\0\0\3"
	            "2A\0\0\0\2"
	            "2A\0\0\0\0",
	            18);
	assert_int_equal(w.counts.beats_acked, 3);
	assert_string_equal(w.d.records[4], "{\"n\":4}");
	close(fd);
	wire_window(&b, 1, 0, 0);
	world_turn(&w, 3);
	assert_int_equal(w.counts.connections_failed, 0);
	assert_int_equal(w.counts.beats_cut, 0);
	expect_equation(&w);
	sq_outbuf_fini(&b);
	world_end(&w);
}

/* Two connections fill the same batches; each hears of its own windows. */
static void connections_are_independent(void **state)
{
	struct sq_outbuf b = wire_new(), c = wire_new();
	struct world w;
	int one, two;

	(void)state;
	begin_and_start(&w);
	one = world_dial(&w, SOCK_STREAM);
	two = world_dial(&w, SOCK_STREAM);
	wire_window(&b, 200, 0, 50);
	wire_window(&c, 3, 200, 0);
	for (size_t at = 0; at < b.len; at += 100) {
		size_t n = b.len - at < 100 ? b.len - at : 100;

		say_n(one, b.p + at, n);
		if (at / 100 < c.len)
			say_n(two, c.p + at / 100, 1);
		world_turn(&w, 1);
	}
	if (b.len / 100 + 1 < c.len)
		say_n(two, c.p + b.len / 100 + 1, c.len - b.len / 100 - 1);
	expect_acks(&w, one, "2A\0\0\0\xc8", 6);
	expect_acks(&w, two, "2A\0\0\0\3", 6);
	assert_int_equal(w.d.n, 203);
	close(one);
	close(two);
	sq_outbuf_fini(&b);
	sq_outbuf_fini(&c);
	world_end(&w);
}

/* More windows than may be unacknowledged: the rest waits in the socket and aside. */
static void too_many_windows_wait(void **state)
{
	struct sq_outbuf b = wire_new();
	char acks[10 * 6];
	struct world w;
	int fd;

	(void)state;
	begin(&w);
	w.cfg.beats.max_windows = 3;
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	for (uint32_t i = 0; i < 10; i++) {
		wire_window(&b, 2, 2 * i, i % 3);
		memcpy(acks + 6 * i, "2A\0\0\0\2", 6);
	}
	say_wire(fd, &b);
	wait_records(&w, 6);
	expect_nothing(&w, fd);
	assert_int_equal(w.d.n, 6);
	assert_int_equal(w.counts.beats_full, 1);
	expect_acks(&w, fd, acks, sizeof(acks));
	assert_int_equal(w.d.n, 20);
	for (unsigned i = 0; i < 20; i++) {
		char want[32];

		(void)snprintf(want, sizeof(want), "{\"n\":%u}", i);
		assert_string_equal(w.d.records[i], want);
	}
	close(fd);
	sq_outbuf_fini(&b);
	world_end(&w);
}

/* No batch is free for far longer than the client's patience, from before it speaks, in the middle
 * of a window, and with windows of its own under way. */
static void a_stalled_client_is_content(void **state)
{
	struct sq_outbuf b = wire_new();
	struct world w;
	int fd, other;

	(void)state;
	begin(&w);
	w.cfg.beats.keepalive = QUICK;
	world_start(&w);
	w.d.free = 2;
	fd = world_dial(&w, SOCK_STREAM);
	wire_window(&b, 300, 0, 100); /* two batches of 64, then none is free */
	wire_window(&b, 3, 300, 0);
	say_wire(fd, &b);
	other = world_dial(&w, SOCK_STREAM); /* connects and is never read while this lasts */
	world_turn(&w, 20);
	assert_int_equal(w.counts.pauses, 0); /* fake dispatch does not count them */
	wire_window(&b, 1, 0, 0);
	/* Resume as the dispatcher does: when batches are back. */
	for (int i = 0; i < 40; i++) {
		char got[60];
		size_t n = hear_some(&w, fd, got, sizeof(got));

		assert_int_equal(n % 6, 0);
		for (size_t k = 0; k < n; k += 6)
			assert_memory_equal(got + k, "2A\0\0\0\0", 6);
		(void)poll(NULL, 0, 5);
	}
	assert_true(w.counts.beats_keepalives >= 2);
	expect_nothing(&w, other); /* it has sent nothing, it is told nothing */
	for (int round = 0; round < 20; round++) {
		settle(&w);
		w.d.free = 2;
		w.in->ops->resume(w.in);
		world_turn(&w, 2);
	}
	assert_int_equal(w.d.n, 303);
	await_ack(&w, fd, 300, 10 * QUICK, 0);
	await_ack(&w, fd, 3, 10 * QUICK, 0);
	expect_equation(&w);
	close(fd);
	close(other);
	sq_outbuf_fini(&b);
	world_end(&w);
}

/* Nobody knows what the window is yet: it was sent while nothing is read. */
static void a_client_that_is_not_read_is_told_too(void **state)
{
	struct sq_outbuf b = wire_new();
	struct world w;
	int fd;

	(void)state;
	begin(&w);
	w.cfg.beats.keepalive = QUICK;
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	world_turn(&w, 10);
	w.in->ops->pause(w.in);
	expect_nothing(&w, fd);
	wire_window(&b, 1, 0, 0);
	say_wire(fd, &b);
	for (int i = 0; i < 2000 && w.counts.beats_keepalives < 2; i++) {
		uv_run(&w.loop, UV_RUN_NOWAIT);
		(void)poll(NULL, 0, 1);
	}
	assert_int_equal(w.counts.beats_keepalives, 2);
	assert_int_equal(w.counts.received, 0);
	w.in->ops->resume(w.in);
	await_ack(&w, fd, 1, 10 * QUICK, 3 * QUICK);
	close(fd);
	sq_outbuf_fini(&b);
	world_end(&w);
}

static void an_unsettled_window_ends_after_max_unacked(void **state)
{
	struct sq_outbuf b = wire_new();
	char heard[600];
	struct world w;
	ssize_t n;
	int fd;

	(void)state;
	begin(&w);
	w.cfg.beats.keepalive = QUICK;
	w.cfg.beats.max_unacked = 6 * QUICK;
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	wire_window(&b, 1, 0, 0);
	say_wire(fd, &b);
	n = world_hear(&w, fd, heard, sizeof(heard));
	assert_true(n >= 2 * 6 && n % 6 == 0); /* still busy, and no other word */
	for (ssize_t i = 0; i < n; i += 6)
		assert_memory_equal(heard + i, "2A\0\0\0\0", 6);
	assert_int_equal(w.counts.beats_unacked, 1);
	assert_int_equal(w.counts.beats_cut, 1);
	assert_int_equal(w.counts.beats_acked, 0);
	settle(&w); /* nobody is left to be told */
	assert_int_equal(w.counts.received, 1);
	sq_outbuf_fini(&b);
	world_end(&w);
}

/* ---- what real clients send -------------------------------------------------------------- */

struct recorded_row {
	const char *name;
	const char *acks;
	size_t n_acks;
};

static struct recorded_row recordings[] = {
	{ "wire_lumberjack_v2_plain.bin", "2A\0\0\0\x14", 6 },
	{ "wire_lumberjack_v2_zlib.bin", "2A\0\0\0\x14", 6 },
	{ "wire_lumberjack_v2_multi_c.bin", "2A\0\0\0\x14", 6 },
	{ "wire_lumberjack_v2_two_windows_reset.bin",
	  "2A\0\0\0\x0a"
	  "2A\0\0\0\x0a",
	  12 },
	{ "wire_lumberjack_v1_data.bin", "1A\0\0\0\x14", 6 },
};

static void a_recorded_stream_is_acknowledged(void **state)
{
	static char wire[1 << 20];
	const struct recorded_row *row = *state;
	const char *shared = getenv("SQUIBLY_SHARED"), *source = getenv("SQ_SOURCE_DIR");
	char path[4096];
	struct world w;
	size_t n;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s%s/corpus/wire/%s",
	               shared   ? shared
	               : source ? source
	                        : ".",
	               shared ? "" : "/../shared", row->name);
	f = fopen(path, "rb");
	if (!f) {
		print_message("skipped: no shared data (set SQUIBLY_SHARED)\n");
		skip();
	}
	n = fread(wire, 1, sizeof(wire), f);
	fclose(f);
	begin_and_start(&w);
	/* Whole; in two, cut at places all over it; in small pieces. */
	for (size_t i = 0; i < 12; i++) {
		size_t piece = i == 0 ? n : i < 10 ? n * i / 10 + i : 500 * i;
		int fd = world_dial(&w, SOCK_STREAM);

		for (size_t at = 0; at < n; at += piece) {
			say_n(fd, wire + at, n - at < piece ? n - at : piece);
			world_turn(&w, 2);
			settle(&w);
		}
		expect_acks(&w, fd, row->acks, row->n_acks);
		close(fd);
	}
	assert_int_equal(w.d.n, 12 * 20);
	assert_int_equal(w.d.records[0][0], '{');
	for (unsigned i = 20; i < w.d.n; i++)
		assert_string_equal(w.d.records[i], w.d.records[i - 20]);
	assert_int_equal(w.counts.beats_cut, 0);
	expect_equation(&w);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_are_acknowledged_in_order_when_settled),
		cmocka_unit_test(connections_are_independent),
		cmocka_unit_test(too_many_windows_wait),
		cmocka_unit_test(a_stalled_client_is_content),
		cmocka_unit_test(a_client_that_is_not_read_is_told_too),
		cmocka_unit_test(an_unsettled_window_ends_after_max_unacked),
	};
	int failed = cmocka_run_group_tests_name("input/beats", tests, NULL, NULL);

	failed += RUN_TABLE("input/beats: recorded", recordings, a_recorded_stream_is_acknowledged);
	return failed;
}
