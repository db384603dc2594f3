/* How connections of Beats end, and what is counted then. */
#include "tests/component/beats_world.h"

static void a_client_that_goes_away_leaves_nothing(void **state)
{
	struct sq_outbuf b = wire_new();
	struct linger hard = { 1, 0 };
	struct world w;
	int fd;

	(void)state;
	begin_and_start(&w);
	for (int i = 0; i < 2; i++) { /* with a FIN, with a reset */
		fd = world_dial(&w, SOCK_STREAM);
		sq_outbuf_reset(&b);
		wire_window(&b, 3, 0, 0);
		wire_window(&b, 2, 0, 0);
		b.len -= 3; /* in the middle of the second window's last event */
		say_wire(fd, &b);
		wait_records(&w, 4 * ((unsigned)i + 1));
		if (i)
			assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)),
			                 0);
		close(fd);
		world_turn(&w, 10);
		settle(&w);
		world_turn(&w, 10);
	}
	/* Whole events went their way, and will come again; of the others nothing is counted. */
	assert_int_equal(w.counts.received, 8);
	assert_int_equal(w.counts.beats_windows, 2);
	assert_int_equal(w.counts.beats_acked + w.counts.beats_cut, 4);
	assert_true(w.counts.beats_cut >= 2);
	expect_equation(&w);
	sq_outbuf_fini(&b);
	world_end(&w);
}

/* `shutdown(SHUT_WR)` and then reading, as scripts do. */
static void a_client_may_end_its_half_first(void **state)
{
	struct sq_outbuf b = wire_new();
	char heard[12];
	struct world w;
	int fd;

	(void)state;
	begin_and_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	wire_window(&b, 3, 0, 3);
	say_wire(fd, &b);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	wait_records(&w, 3);
	expect_nothing(&w, fd);
	settle(&w);
	assert_int_equal(world_hear(&w, fd, heard, sizeof(heard)), 6);
	assert_memory_equal(heard, "2A\0\0\0\3", 6);
	assert_int_equal(w.counts.connections_failed, 0);
	sq_outbuf_fini(&b);
	world_end(&w);
}

static void nothing_said_is_nothing_wrong(void **state)
{
	struct world w;

	(void)state;
	begin_and_start(&w);
	for (int i = 0; i < 3; i++) {
		int fd = world_dial(&w, SOCK_STREAM);

		world_turn(&w, 3);
		close(fd);
		world_turn(&w, 3);
	}
	assert_int_equal(w.counts.connections, 3);
	assert_int_equal(w.counts.connections_failed, 0);
	assert_int_equal(w.counts.beats_faults, 0);
	world_end(&w);
}

/* Of what was read before we stop the first window is acknowledged at once, and that was not all.
 */
static void stopping_acknowledges_what_found_a_batch_after_all(void **state)
{
	struct sq_outbuf b = wire_new();
	char *text = malloc(3000);
	char heard[12];
	struct world w;
	int fd;

	(void)state;
	begin(&w);
	w.cfg.beats.max_record = 2000;
	world_start(&w);
	w.d.free = 0;
	memset(text, 'x', 3000);
	wire_head(&b, "2W", 1);
	wire_json(&b, "2J", 1, (struct sq_sv){ text, 3000 });
	wire_head(&b, "2W", 1);
	wire_json(&b, "2J", 2, SQ_SV("{}"));
	fd = world_dial(&w, SOCK_STREAM);
	say_wire(fd, &b);
	wait_count(&w, &w.counts.connections, 1);
	world_turn(&w, 20);
	assert_int_equal(w.counts.received, 0);
	w.in->ops->stop(w.in);
	w.d.free = 1;
	w.in->ops->resume(w.in);
	wait_records(&w, 1);
	settle(&w);
	assert_int_equal(world_hear(&w, fd, heard, sizeof(heard)), 12);
	assert_memory_equal(heard,
	                    "2A\0\0\0\1"
	                    "2A\0\0\0\2",
	                    12);
	assert_int_equal(w.counts.beats_cut, 0);
	free(text);
	sq_outbuf_fini(&b);
	world_end(&w);
}

/* Nobody is left to be acknowledged: what was read goes its way, but no output is waited for. */
static void who_has_gone_waits_for_no_output(void **state)
{
	struct sq_outbuf b = wire_new();
	struct world w;
	int fd;

	(void)state;
	begin_and_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	wire_window(&b, 2, 0, 0);
	wire_window(&b, 1, 2, 0);
	wire_window(&b, 3, 3, 0);
	b.len -= 4; /* of the third two events have come */
	say_wire(fd, &b);
	wait_records(&w, 5);
	assert_int_equal(w.d.forgotten, 0);
	world_reset(fd);
	wait_count(&w, &w.counts.beats_cut, 3);
	assert_int_equal(w.d.forgotten, 3);
	settle(&w);
	sq_outbuf_fini(&b);
	world_end(&w);
}

/* Stopping: what is whole is acknowledged when it settles, what is not never is. */
static void stopping_acknowledges_what_is_whole(void **state)
{
	struct sq_outbuf b = wire_new(), c = wire_new();
	char heard[12];
	struct world w;
	int whole, half;

	(void)state;
	begin_and_start(&w);
	whole = world_dial(&w, SOCK_STREAM);
	half = world_dial(&w, SOCK_STREAM);
	wire_window(&b, 3, 0, 0);
	wire_window(&c, 4, 0, 0);
	c.len -= 20; /* two whole events and a part of one */
	say_wire(whole, &b);
	say_wire(half, &c);
	wait_records(&w, 5);
	w.in->ops->stop(w.in);
	world_turn(&w, 3);
	settle(&w);
	assert_int_equal(world_hear(&w, whole, heard, sizeof(heard)), 6);
	assert_memory_equal(heard, "2A\0\0\0\3", 6);
	assert_int_equal(world_hear(&w, half, heard, sizeof(heard)), 0);
	assert_int_equal(w.counts.received, 5);
	assert_int_equal(w.counts.dropped_shutdown, 0); /* each that was taken in went its way */
	world_turn(&w, 5);
	assert_int_equal(w.counts.beats_acked, 1);
	assert_int_equal(w.counts.beats_cut, 1);
	sq_outbuf_fini(&b);
	sq_outbuf_fini(&c);
	world_end(&w);
}

/* Stopping while no batch is free: events that were read and found none are counted, each. */
static void stopping_counts_what_found_no_batch(void **state)
{
	struct sq_outbuf b = wire_new();
	struct world w;
	int fd;

	(void)state;
	begin_and_start(&w);
	w.d.free = 1;
	fd = world_dial(&w, SOCK_STREAM);
	wire_window(&b, 100, 0, 100);
	wire_window(&b, 10, 0, 0);
	b.len -= 4; /* the last event is not whole */
	say_wire(fd, &b);
	for (int i = 0; i < 1000 && w.counts.received < 64; i++)
		world_turn(&w, 1);
	world_turn(&w, 10);
	assert_int_equal(w.counts.received, 64);
	w.in->ops->stop(w.in);
	w.in->ops->close(w.in);
	assert_int_equal(w.counts.received, 109);
	assert_int_equal(w.counts.dropped_shutdown, 45);
	assert_int_equal(w.counts.beats_cut, 2);
	assert_int_equal(w.counts.beats_acked, 0);
	close(fd);
	sq_outbuf_fini(&b);
	world_end(&w);
}

/* Stopping while windows wait for others to be acknowledged: those are told, these are counted. */
static void stopping_takes_up_no_further_window(void **state)
{
	struct sq_outbuf b = wire_new();
	char heard[60];
	struct world w;
	int fd;

	(void)state;
	begin(&w);
	w.cfg.beats.max_windows = 3;
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	for (uint32_t i = 0; i < 10; i++)
		wire_window(&b, 2, 2 * i, i % 3);
	say_wire(fd, &b);
	wait_records(&w, 6);
	w.in->ops->stop(w.in);
	settle(&w);
	world_turn(&w, 10);
	assert_int_equal(w.counts.beats_acked, 3);
	assert_int_equal(w.d.n, 6);
	w.in->ops->close(w.in);
	assert_int_equal(world_hear(&w, fd, heard, sizeof(heard)), 18);
	assert_int_equal(w.counts.received, 20);
	assert_int_equal(w.counts.dropped_shutdown, 14);
	assert_int_equal(w.counts.beats_cut, 7);
	assert_int_equal(w.counts.beats_windows, 10);
	sq_outbuf_fini(&b);
	world_end(&w);
}

/* Whatever allocation fails: the connection is closed or goes on, and nothing is left behind. A
 * batch is open before, since it is another one's. */
static void no_memory_costs_a_connection_at_most(void **state)
{
	struct sq_outbuf b = wire_new(), first = wire_new();
	unsigned closed = 0, n = 1;
	bool reached = true;

	(void)state;
	wire_window(&first, 1, 0, 0);
	wire_window(&b, 2, 1, 0);
	wire_window(&b, 8, 3, 8);
	for (; reached; n++) {
		char got[60];
		struct world w;
		int one, two;
		ssize_t r;

		begin_and_start(&w);
		one = world_dial(&w, SOCK_STREAM);
		say_wire(one, &first);
		for (int i = 0; i < 1000 && w.counts.received < 1; i++)
			world_turn(&w, 1);
		two = world_dial(&w, SOCK_STREAM);
		fault_alloc_at(n);
		for (size_t at = 0; at < b.len; at += 50) {
			(void)send(two, b.p + at, b.len - at < 50 ? b.len - at : 50, MSG_NOSIGNAL);
			world_turn(&w, 3);
		}
		reached = fault_alloc_end();
		for (int i = 0; i < 300 && w.counts.connections_failed + w.counts.beats_windows < 3;
		     i++) {
			world_turn(&w, 1);
			(void)poll(NULL, 0, 1);
		}
		settle(&w);
		world_turn(&w, 3);
		r = recv(two, got, sizeof(got), MSG_DONTWAIT);
		if (w.counts.beats_acked == 3) {
			assert_int_equal(r, 12);
			assert_memory_equal(got,
			                    "2A\0\0\0\2"
			                    "2A\0\0\0\x08",
			                    12);
			assert_int_equal(w.d.n, 11);
		} else {
			assert_true(w.counts.connections_failed > 0);
			closed++;
		}
		close(one);
		close(two);
		world_end(&w);
	}
	assert_true(closed >= 3 && n > 5);
	sq_outbuf_fini(&b);
	sq_outbuf_fini(&first);
}

static void who_never_reads_is_closed(void **state)
{
	struct sq_outbuf b = wire_new();
	struct world w;
	size_t sent = 0;
	int fd, small = 4096;

	(void)state;
	begin(&w);
	w.cfg.server.send_timeout = 3 * QUICK;
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (int i = 0; i < 10000; i++)
		wire_head(&b, "2W", 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < 60000 && !w.counts.connections_failed; i++) {
		ssize_t n = send(fd, b.p + sent % b.len, b.len - sent % b.len, MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		world_turn(&w, 1);
		if (n < 0)
			(void)poll(NULL, 0, 1);
	}
	assert_int_equal(w.counts.connections_failed, 1);
	close(fd);
	sq_outbuf_fini(&b);
	world_end(&w);
}

static void silence_inside_of_a_frame_ends(void **state)
{
	struct sq_outbuf b = wire_new();
	struct world w;
	int fd;

	(void)state;
	begin(&w);
	w.cfg.beats.max_silence = 2 * QUICK;
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	wire_window(&b, 1, 0, 0);
	wire_window(&b, 10, 0, 10);
	say_n(fd, b.p, b.len - 1);
	wait_records(&w, 11); /* all that lacks is the end of the checksum */
	expect_acks(&w, fd, "2A\0\0\0\1", 6);
	expect_hangup(&w, fd);
	assert_int_equal(w.counts.beats_silent, 1);
	sq_outbuf_fini(&b);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_that_goes_away_leaves_nothing),
		cmocka_unit_test(a_client_may_end_its_half_first),
		cmocka_unit_test(nothing_said_is_nothing_wrong),
		cmocka_unit_test(stopping_acknowledges_what_found_a_batch_after_all),
		cmocka_unit_test(who_has_gone_waits_for_no_output),
		cmocka_unit_test(stopping_acknowledges_what_is_whole),
		cmocka_unit_test(stopping_counts_what_found_no_batch),
		cmocka_unit_test(stopping_takes_up_no_further_window),
		cmocka_unit_test(no_memory_costs_a_connection_at_most),
		cmocka_unit_test(who_never_reads_is_closed),
		cmocka_unit_test(silence_inside_of_a_frame_ends),
	};

	return cmocka_run_group_tests_name("input/beats_ends", tests, NULL, NULL);
}
