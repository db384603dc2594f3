/* The Beats input behind a real socket, before a dispatcher that settles when it is told to. */
#include <poll.h>

#include "tests/support/fault_alloc.h"
#include "tests/support/input_world.h"
#include "tests/support/lumber.h"
#include "tests/support/stream_world.h"

enum { QUICK = 40 /* ms: short times of a test */ };

static void begin(struct world *w)
{
	world_make(w, &sqd_input_beats);
	w->cfg.server.listen = strdup("127.0.0.1:0");
	w->cfg.server.handshake = QUICK; /* so that ticks come often */
}

static void begin_and_start(struct world *w)
{
	begin(w);
	world_start(w);
}

/* What there is to read now, after a turn of the loop. */
static size_t hear_some(struct world *w, int fd, char *to, size_t n)
{
	ssize_t r;

	uv_run(&w->loop, UV_RUN_NOWAIT);
	r = recv(fd, to, n, MSG_DONTWAIT);
	if (r == 0)
		fail_msg("the connection was closed");
	if (r < 0)
		(void)poll(NULL, 0, 1);
	return r > 0 ? (size_t)r : 0;
}

static void settle(struct world *w)
{
	if (w->d.open && w->d.open->n_records)
		sqd_dispatch_seal(&w->d);
	fake_dispatch_settle(&w->d);
}

/* Exactly these acknowledgements come, with everything being settled all the time. */
static void expect_acks(struct world *w, int fd, const char *acks, size_t n)
{
	char got[256];
	size_t have = 0;

	for (int i = 0; i < 3000 && have < n; i++) {
		settle(w);
		have += hear_some(w, fd, got + have, sizeof(got) - have);
	}
	for (int i = 0; i < 5; i++)
		have += hear_some(w, fd, got + have, sizeof(got) - have);
	assert_int_equal(have, n);
	assert_memory_equal(got, acks, n);
}

static void expect_nothing(struct world *w, int fd)
{
	char byte;

	for (int i = 0; i < 20; i++)
		assert_int_equal(hear_some(w, fd, &byte, 1), 0);
}

static void say_wire(int fd, const struct sq_outbuf *b)
{
	say_n(fd, b->p, b->len);
}

static void expect_equation(const struct world *w)
{
	assert_int_equal(w->counts.malformed, 0);
	assert_int_equal(w->counts.received,
	                 w->d.n + w->counts.oversized + w->counts.dropped_shutdown);
}

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

/* What go-lumber's AwaitACK does: numbers below the count are progress, each within its time; more
 * than the count, or silence, is an error. */
static void await_ack(struct world *w, int fd, uint32_t count, unsigned timeout_ms, int blocked_ms)
{
	uint64_t began = uv_hrtime() / 1000000, last = began, now = began;
	uint32_t ack = 0;
	char got[6];
	size_t have = 0;

	while (ack < count) {
		if (now - began > (uint64_t)blocked_ms)
			settle(w);
		have += hear_some(w, fd, got + have, 6 - have);
		now = uv_hrtime() / 1000000;
		if (now - last > timeout_ms)
			fail_msg("i/o timeout at ack %u of %u", ack, count);
		if (have < 6)
			continue;
		assert_memory_equal(got, "2A", 2);
		ack = (uint32_t)(unsigned char)got[4] * 256 + (unsigned char)got[5];
		assert_true(ack == 0 || ack == count); /* never in part */
		have = 0;
		last = now;
	}
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

/* ---- ends -------------------------------------------------------------------------------- */

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

/* ---- bad senders ------------------------------------------------------------------------- */

struct bad_row {
	const char *name;
	void (*make)(struct sq_outbuf *b);
	size_t counter;
	const char *says;
};

#define COUNTER(member) offsetof(struct sq_counters, member)

static void bad_tls(struct sq_outbuf *b)
{
	sq_outbuf_put(b, SQ_SV("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"));
}

static void bad_http(struct sq_outbuf *b)
{
	sq_outbuf_put(b, SQ_SV("POST /_bulk HTTP/1.1\r\nHost: x\r\n\r\n"));
}

static void bad_json(struct sq_outbuf *b)
{
	sq_outbuf_put(b, SQ_SV("{\"EventID\":1}\n"));
}

static void bad_no_window(struct sq_outbuf *b)
{
	wire_json(b, "2J", 1, SQ_SV("{}"));
}

static void bad_two_windows(struct sq_outbuf *b)
{
	wire_head(b, "2W", 2);
	wire_json(b, "2J", 1, SQ_SV("{}"));
	wire_head(b, "2W", 2);
}

static void bad_nested(struct sq_outbuf *b)
{
	struct sq_outbuf inner = wire_new(), outer = wire_new();

	wire_head(b, "2W", 2);
	wire_json(&inner, "2J", 1, SQ_SV("{}"));
	wire_packed(&outer, "2C", &inner);
	wire_packed(b, "2C", &outer);
	sq_outbuf_fini(&inner);
	sq_outbuf_fini(&outer);
}

static void bad_zlib(struct sq_outbuf *b)
{
	wire_head(b, "2W", 2);
	wire_head(b, "2C", 8);
	sq_outbuf_put(b, SQ_SV("01234567"));
}

static void bad_empty_packed(struct sq_outbuf *b)
{
	wire_head(b, "2W", 2);
	wire_head(b, "2C", 0);
}

static void bad_window_size(struct sq_outbuf *b)
{
	wire_head(b, "2W", 0xffffffff);
}

static void bad_frame_size(struct sq_outbuf *b)
{
	wire_head(b, "2W", 2);
	wire_head(b, "2C", (64 << 20) + 1);
}

static void packed_zeros(struct sq_outbuf *b, size_t n)
{
	uLongf packed_n = compressBound(n);
	char *packed = malloc(packed_n);
	struct sq_outbuf plain = wire_new();
	char *zeros = calloc(1, n);

	wire_json(&plain, "2J", 1, (struct sq_sv){ zeros, n });
	assert_int_equal(compress2((Bytef *)packed, &packed_n, (const Bytef *)plain.p, plain.len,
	                           Z_BEST_COMPRESSION),
	                 Z_OK);
	wire_head(b, "2W", 1);
	wire_head(b, "2C", (uint32_t)packed_n);
	sq_outbuf_put(b, (struct sq_sv){ packed, packed_n });
	sq_outbuf_fini(&plain);
	free(zeros);
	free(packed);
}

/* The worst that zlib can do: the default for the ratio stops it. */
static void bad_bomb(struct sq_outbuf *b)
{
	packed_zeros(b, 10 << 20);
}

static void bad_unpacked(struct sq_outbuf *b)
{
	struct sq_outbuf plain = wire_new();
	char *text = malloc(900000);

	for (size_t i = 0; i < 900000; i++)
		text[i] = (char)('a' + i % 7 + i / 250 % 5);
	wire_head(b, "2W", 3);
	for (uint32_t i = 1; i <= 3; i++)
		wire_json(&plain, "2J", i, (struct sq_sv){ text, 900000 });
	wire_packed(b, "2C", &plain);
	sq_outbuf_fini(&plain);
	free(text);
}

static void bad_pairs(struct sq_outbuf *b)
{
	wire_head(b, "1W", 1);
	wire_head(b, "1D", 1);
	wire_u32(b, 1025);
}

static void bad_key(struct sq_outbuf *b)
{
	wire_head(b, "1W", 1);
	wire_head(b, "1D", 1);
	wire_u32(b, 1);
	wire_u32(b, 1025);
}

/* An event that only begins to come, of which more is unpacked than all may hold. */
static void bad_unfinished(struct sq_outbuf *b)
{
	struct sq_outbuf plain = wire_new();
	char *text = malloc(900000);

	for (size_t i = 0; i < 900000; i++)
		text[i] = (char)('a' + i % 7 + i / 250 % 5);
	wire_head(b, "2W", 1);
	wire_json(&plain, "2J", 1, (struct sq_sv){ text, 900000 });
	wire_packed(b, "2C", &plain);
	b->len -= 100;
	sq_outbuf_fini(&plain);
	free(text);
}

static struct bad_row bads[] = {
	{ "TLS on a plain port", bad_tls, COUNTER(beats_faults),
	  "speaks TLS on a plain-text port for Beats" },
	{ "HTTP", bad_http, COUNTER(beats_faults),
	  "speaks HTTP on a port for Beats; it needs an http input" },
	{ "JSON in lines", bad_json, COUNTER(beats_faults),
	  "sends plain JSON to a port for Beats; it needs a tcp input" },
	{ "an event without a window", bad_no_window, COUNTER(beats_faults),
	  "sent an event outside of a window" },
	{ "a window in a window", bad_two_windows, COUNTER(beats_faults),
	  "began a window before the one before it was full" },
	{ "C inside of C", bad_nested, COUNTER(beats_faults),
	  "sent a window or compressed frame inside of a compressed frame" },
	{ "no zlib", bad_zlib, COUNTER(beats_faults), "sent a damaged compressed frame" },
	{ "C of no bytes", bad_empty_packed, COUNTER(beats_faults), "sent a frame of no bytes" },
	{ "a window over max_window", bad_window_size, COUNTER(beats_over_window),
	  "sent a window over max_window" },
	{ "a frame over max_frame", bad_frame_size, COUNTER(beats_over_frame),
	  "sent a frame over max_frame" },
	{ "a bomb", bad_bomb, COUNTER(beats_over_ratio), "sent a compressed frame over max_ratio" },
	{ "a frame over max_unpacked", bad_unpacked, COUNTER(beats_over_unpacked),
	  "sent a compressed frame over max_unpacked" },
	{ "an event over max_pairs", bad_pairs, COUNTER(beats_over_pairs),
	  "sent an event over max_pairs" },
	{ "a key over max_key", bad_key, COUNTER(beats_over_pairs), "sent a key over max_key" },
	{ "a long event over max_unfinished", bad_unfinished, COUNTER(beats_over_unfinished),
	  "is in the middle of a long event, and max_unfinished is used up by such" },
};

/* What is logged goes into a file until it is looked at. */
static int catch_log(FILE **ret)
{
	int kept = dup(2);

	*ret = tmpfile();
	assert_true(kept >= 0 && *ret);
	assert_true(dup2(fileno(*ret), 2) == 2);
	return kept;
}

static void expect_log(int kept, FILE *f, const struct world *w, const char *says)
{
	char line[1024], again[16], want[512];

	assert_true(dup2(kept, 2) == 2);
	close(kept);
	rewind(f);
	assert_non_null(fgets(line, sizeof(line), f));
	assert_null(fgets(again, sizeof(again), f)); /* one line */
	(void)snprintf(want, sizeof(want), " %s; closing\n", says);
	if (!strstr(line, w->in->name) || !strstr(line, want))
		fail_msg("logged \"%s\", not \"%s\"", line, want);
	fclose(f);
}

/* The sender is closed without an acknowledgement and counted once; another one goes on. */
static void a_bad_sender_is_closed(void **state)
{
	const struct bad_row *row = *state;
	struct sq_outbuf b = wire_new(), good = wire_new();
	char heard[6];
	struct world w;
	int fd, other, kept;
	FILE *log;

	begin(&w);
	w.cfg.beats.max_unpacked = 2 << 20;
	if (row->make == bad_unfinished)
		w.cfg.beats.max_unfinished = 512 * 1024;
	w.d.limits.chunk = 4 << 20;
	world_start(&w);
	other = world_dial(&w, SOCK_STREAM);
	wire_window(&good, 2, 0, 2);
	say_n(other, good.p, 10);
	fd = world_dial(&w, SOCK_STREAM);
	row->make(&b);
	say_wire(fd, &b);
	kept = catch_log(&log);
	assert_int_equal(world_hear(&w, fd, heard, sizeof(heard)), 0);
	expect_log(kept, log, &w, row->says);
	assert_int_equal(*(uint64_t *)(void *)((char *)&w.counts + row->counter), 1);
	assert_int_equal(w.counts.beats_faults + w.counts.beats_over_window +
	                         w.counts.beats_over_frame + w.counts.beats_over_ratio +
	                         w.counts.beats_over_unpacked + w.counts.beats_over_pairs +
	                         w.counts.beats_over_unfinished,
	                 1);
	assert_int_equal(w.counts.connections_failed, 1);
	assert_int_equal(w.counts.beats_acked, 0);
	say_n(other, good.p + 10, good.len - 10);
	expect_acks(&w, other, "2A\0\0\0\2", 6);
	expect_equation(&w);
	close(other);
	sq_outbuf_fini(&b);
	sq_outbuf_fini(&good);
	world_end(&w);
}

/* An event over max_record is no reason to stop its window. */
static void an_oversized_event_is_skipped(void **state)
{
	struct sq_outbuf b = wire_new(), plain = wire_new();
	char *text = malloc(70000);
	struct world w;
	int fd;

	(void)state;
	begin(&w);
	w.cfg.beats.max_record = 60000;
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	for (size_t i = 0; i < 70000; i++)
		text[i] = (char)('a' + i % 11 + i / 300 % 7);
	wire_head(&b, "2W", 4);
	wire_json(&b, "2J", 1, SQ_SV("not JSON at all"));
	wire_json(&plain, "2J", 2, (struct sq_sv){ text, 70000 });
	wire_json(&plain, "2J", 3, SQ_SV("{}"));
	wire_packed(&b, "2C", &plain);
	wire_json(&b, "2J", 4, (struct sq_sv){ text, 60001 });
	say_wire(fd, &b);
	expect_acks(&w, fd, "2A\0\0\0\4", 6);
	assert_int_equal(w.counts.oversized, 2);
	assert_int_equal(w.counts.received, 4);
	assert_int_equal(w.d.n, 2);
	close(fd);
	free(text);
	sq_outbuf_fini(&b);
	sq_outbuf_fini(&plain);
	world_end(&w);
}

/* On the way down an event was given up while the rest of its window had not come. */
static void a_window_of_which_something_was_lost_is_never_acknowledged(void **state)
{
	struct sq_outbuf b = wire_new();
	char *text = malloc(70000);
	struct sqd_receipt *window;
	struct world w;
	size_t first;
	int fd;

	(void)state;
	begin(&w);
	w.cfg.beats.max_record = 60000;
	world_start(&w);
	fd = world_dial(&w, SOCK_STREAM);
	memset(text, 'x', 70000);
	wire_head(&b, "2W", 2);
	wire_json(&b, "2J", 1, SQ_SV("{}"));
	first = b.len;
	wire_json(&b, "2J", 2, (struct sq_sv){ text, 70000 });
	say_n(fd, b.p, first);
	w.want = 1;
	run_until(&w.loop, world_has_records, &w);
	window = w.d.sealed[0]->origins[0].receipt;
	window->lost = true;
	fake_dispatch_settle(&w.d);
	say_n(fd, b.p + first, b.len - first);
	w.counter = &w.counts.beats_windows;
	run_until(&w.loop, world_has_counted, &w);
	assert_int_equal(w.counts.oversized, 1);
	assert_int_equal(w.counts.beats_acked, 0);
	close(fd);
	free(text);
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
		cmocka_unit_test(a_client_that_goes_away_leaves_nothing),
		cmocka_unit_test(a_client_may_end_its_half_first),
		cmocka_unit_test(nothing_said_is_nothing_wrong),
		cmocka_unit_test(stopping_acknowledges_what_is_whole),
		cmocka_unit_test(stopping_counts_what_found_no_batch),
		cmocka_unit_test(stopping_takes_up_no_further_window),
		cmocka_unit_test(no_memory_costs_a_connection_at_most),
		cmocka_unit_test(who_never_reads_is_closed),
		cmocka_unit_test(silence_inside_of_a_frame_ends),
		cmocka_unit_test(an_oversized_event_is_skipped),
		cmocka_unit_test(a_window_of_which_something_was_lost_is_never_acknowledged),
	};
	int failed = cmocka_run_group_tests_name("input/beats", tests, NULL, NULL);

	failed += RUN_TABLE("input/beats: bad senders", bads, a_bad_sender_is_closed);
	failed += RUN_TABLE("input/beats: recorded", recordings, a_recorded_stream_is_acknowledged);
	return failed;
}
