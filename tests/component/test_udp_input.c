#include <zlib.h>

#include "daemon/base/address.h"
#include "daemon/input/udp_private.h"
#include "tests/support/input_world.h"

static void make(struct world *w)
{
	world_make(w, &sqd_input_udp);
	w->cfg.udp.listen = strdup("127.0.0.1:0");
	w->cfg.udp.max_record = 100 * 1024;
}

static void start(struct world *w)
{
	world_start(w);
	w->fd = world_dial(w, SOCK_DGRAM);
}

static void expect_count(struct world *w, uint64_t *counter, unsigned n)
{
	wait_count(w, counter, n);
	assert_int_equal(*counter, n);
}

static void say_n(struct world *w, const void *p, size_t n)
{
	assert_int_equal(send(w->fd, p, n, 0), n);
}

static void say(struct world *w, const char *text)
{
	say_n(w, text, strlen(text));
}

static size_t zipped(const char *text, size_t n, unsigned char *to, size_t cap)
{
	uLongf len = cap;

	assert_int_equal(compress(to, &len, (const Bytef *)text, n), Z_OK);
	return len;
}

/* ---- tests ------------------------------------------------------------------------------- */

static void one_datagram_is_one_record(void **state SQ_UNUSED)
{
	struct world w;

	make(&w);
	start(&w);
	say(&w, "{\"a\":1}");
	say(&w, "  {\"b\":2}\r\n");
	say_n(&w, "{\"c\":3}\n\0", 9);
	say(&w, "");          /* nothing: not even counted */
	say_n(&w, "\0\n", 2); /* the same */
	say(&w, "{\"d\":4}\n{\"e\":5}\n");
	wait_records(&w, 4);
	assert_string_equal(w.d.records[0], "{\"a\":1}");
	assert_string_equal(w.d.records[1], "{\"b\":2}");
	assert_string_equal(w.d.records[2], "{\"c\":3}");
	assert_string_equal(w.d.records[3], "{\"d\":4}\n{\"e\":5}");
	assert_memory_equal(w.d.peers[3], "127.0.0.1:", 10);
	assert_int_equal(w.counts.received, 4);
	world_end(&w);
}

static void two_senders_keep_their_names(void **state SQ_UNUSED)
{
	struct sockaddr_in to;
	socklen_t len = sizeof(to);
	struct world w;
	int other;

	make(&w);
	start(&w);
	other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(getpeername(w.fd, (struct sockaddr *)&to, &len), 0);
	assert_int_equal(connect(other, (struct sockaddr *)&to, sizeof(to)), 0);
	say(&w, "one");
	assert_int_equal(send(other, "two", 3, 0), 3);
	say(&w, "three");
	wait_records(&w, 3);
	assert_string_equal(w.d.records[1], "two");
	assert_string_equal(w.d.peers[0], w.d.peers[2]);
	assert_string_not_equal(w.d.peers[0], w.d.peers[1]);
	close(other);
	world_end(&w);
}

static void compressed_datagrams_are_unpacked_or_counted(void **state SQ_UNUSED)
{
	static char zeros[200 * 1024];
	unsigned char packed[4096];
	struct world w;
	size_t n;

	make(&w);
	start(&w);
	n = zipped("{\"gelf\":1}", 10, packed, sizeof(packed));
	say_n(&w, packed, n);
	say_n(&w, packed, n - 3); /* cut short */
	n = zipped(zeros, sizeof(zeros), packed, sizeof(packed));
	say_n(&w, packed, n); /* a small bomb: over max_record */
	say(&w, "{\"after\":1}");
	wait_records(&w, 2);
	assert_string_equal(w.d.records[0], "{\"gelf\":1}");
	assert_string_equal(w.d.records[1], "{\"after\":1}");
	assert_int_equal(w.counts.dropped_inflate, 2);
	assert_int_equal(w.counts.received, 4);
	world_end(&w);
}

static void chunks_are_put_together(void **state SQ_UNUSED)
{
	static const char text[] = "{\"chunked\":true}";
	unsigned char packed[256], part[300];
	struct world w;
	size_t n, half;

	make(&w);
	start(&w);
	/* Plain, the second half first. */
	memcpy(part,
	       "\x1e\x0f"
	       "ABCDEFGH"
	       "\x01\x02",
	       12);
	memcpy(part + 12, text + 8, 8);
	say_n(&w, part, 20);
	part[10] = 0;
	memcpy(part + 12, text, 8);
	say_n(&w, part, 20);
	wait_records(&w, 1);
	assert_string_equal(w.d.records[0], text);
	/* Compressed, then cut. */
	n = zipped(text, sizeof(text) - 1, packed, sizeof(packed));
	half = n / 2;
	memcpy(part,
	       "\x1e\x0f"
	       "abcdefgh"
	       "\x00\x02",
	       12);
	memcpy(part + 12, packed, half);
	say_n(&w, part, 12 + half);
	part[10] = 1;
	memcpy(part + 12, packed + half, n - half);
	say_n(&w, part, 12 + n - half);
	wait_records(&w, 2);
	assert_string_equal(w.d.records[1], text);
	assert_int_equal(w.counts.received, 2);
	/* A chunk that says it is the third of two. */
	part[10] = 2;
	part[2] = 'z';
	say_n(&w, part, 20);
	expect_count(&w, &w.counts.dropped_chunks, 1);
	world_end(&w);
}

static void a_chunk_left_alone_is_counted_at_the_end(void **state SQ_UNUSED)
{
	struct world w;

	make(&w);
	start(&w);
	say_n(&w,
	      "\x1e\x0f"
	      "ABCDEFGH"
	      "\x00\x02"
	      "half",
	      16);
	expect_count(&w, &w.counts.bytes_in, 16);
	world_end(&w);
	assert_int_equal(w.counts.dropped_chunks, 1);
	assert_int_equal(w.counts.received, 1);
}

static void a_datagram_longer_than_its_buffer_is_counted(void **state SQ_UNUSED)
{
	char big[1024];
	struct world w;

	make(&w);
	w.cfg.udp.max_datagram = 512;
	start(&w);
	memset(big, 'x', sizeof(big));
	say_n(&w, big, 513);
	say_n(&w, big, 512);
	wait_records(&w, 1);
	assert_int_equal(w.d.lengths[0], 512);
	assert_int_equal(w.counts.dropped_truncated, 1);
	assert_int_equal(w.counts.received, 2);
	world_end(&w);
}

static void the_longest_datagram_fits_unless_the_record_may_not(void **state SQ_UNUSED)
{
	static char big[65507];
	struct world w;

	memset(big, 'x', sizeof(big));
	make(&w);
	start(&w);
	say_n(&w, big, sizeof(big));
	wait_records(&w, 1);
	assert_int_equal(w.d.lengths[0], sizeof(big));
	world_end(&w);
	make(&w);
	w.cfg.udp.max_record = 1024;
	start(&w);
	say_n(&w, big, 1025);
	say_n(&w, big, 1024);
	wait_records(&w, 1);
	assert_int_equal(w.counts.oversized, 1);
	world_end(&w);
}

static void without_batches_datagrams_wait_and_none_is_lost(void **state SQ_UNUSED)
{
	enum { N = 400 };
	unsigned char packed[256];
	char text[32];
	struct world w;

	make(&w);
	w.d.free = 1;
	start(&w);
	for (int i = 0; i < N; i++) {
		snprintf(text, sizeof(text), "{\"n\":%03d}", i);
		if (i % 3)
			say(&w, text);
		else
			say_n(&w, packed, zipped(text, strlen(text), packed, sizeof(packed)));
	}
	for (int round = 0; w.d.n < N && round < 5000; round++) {
		uv_run(&w.loop, UV_RUN_NOWAIT);
		if (!w.d.free)
			sqd_dispatch_seal(&w.d);
		fake_dispatch_settle(&w.d);
		sqd_input_udp.resume(w.in);
	}
	assert_int_equal(w.d.n, N);
	for (int i = 0; i < N; i++) {
		snprintf(text, sizeof(text), "{\"n\":%03d}", i);
		assert_string_equal(w.d.records[i], text);
	}
	assert_int_equal(w.counts.received, N);
	assert_int_equal(w.counts.kernel_dropped, 0);
	world_end(&w);
}

static void what_the_kernel_dropped_is_counted(void **state SQ_UNUSED)
{
	enum { N = 2000 };
	char text[1000];
	struct world w;

	memset(text, 'x', sizeof(text));
	make(&w);
	w.cfg.udp.receive_buffer = 8 * 1024;
	start(&w);
	for (int i = 0; i < N; i++)
		say_n(&w, text, sizeof(text)); /* nobody reads: most of them are dropped */
	for (int i = 0; i < 100; i++) {
		uv_run(&w.loop, UV_RUN_NOWAIT);
		(void)world_has_records(&w);
		fake_dispatch_settle(&w.d);
	}
	/* No datagram has told of those that were lost after it: the kernel was asked. */
	assert_true(w.counts.kernel_dropped > 0);
	assert_int_equal(w.counts.received + w.counts.kernel_dropped, N);
	for (int i = 0; i < N; i++)
		say_n(&w, text, sizeof(text));
	sqd_input_udp.stop(w.in);
	sqd_dispatch_seal(&w.d);
	/* What lay in the socket is taken in; what it could not hold is counted. */
	assert_true(w.counts.kernel_dropped > N);
	assert_int_equal(w.counts.received + w.counts.kernel_dropped, 2 * N);
	world_end(&w);
}

/* Losses that no later datagram tells of show within a second or so. */
static void what_was_lost_before_a_silence_is_counted(void **state SQ_UNUSED)
{
	enum { N = 500 };
	char text[1000];
	struct world w;

	memset(text, 'x', sizeof(text));
	make(&w);
	w.cfg.udp.receive_buffer = 8 * 1024;
	start(&w);
	say(&w, "first"); /* the kernel is asked then, and not again at once */
	wait_records(&w, 1);
	fake_dispatch_settle(&w.d);
	for (int i = 0; i < N; i++)
		say_n(&w, text, sizeof(text));
	for (int ms = 0; w.counts.received + w.counts.kernel_dropped < N + 1 && ms < 10000; ms++) {
		uv_run(&w.loop, UV_RUN_NOWAIT);
		(void)world_has_records(&w);
		fake_dispatch_settle(&w.d);
		usleep(1000);
	}
	assert_int_equal(w.counts.received + w.counts.kernel_dropped, N + 1);
	world_end(&w);
}

/* A pause is when most is lost: the count does not wait for its end. */
static void what_is_lost_in_a_pause_is_counted(void **state SQ_UNUSED)
{
	enum { N = 500 };
	char text[1000];
	struct world w;
	uint64_t in_pause;

	memset(text, 'x', sizeof(text));
	make(&w);
	w.cfg.udp.receive_buffer = 8 * 1024;
	start(&w);
	sqd_input_udp.pause(w.in);
	for (int i = 0; i < N; i++)
		say_n(&w, text, sizeof(text));
	for (int ms = 0; !w.counts.kernel_dropped && ms < 10000; ms++) {
		uv_run(&w.loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
	in_pause = w.counts.kernel_dropped;
	assert_true(in_pause > 0);
	assert_int_equal(w.counts.received, 0);
	sqd_input_udp.resume(w.in);
	for (int ms = 0; w.counts.received + in_pause < N && ms < 10000; ms++) {
		uv_run(&w.loop, UV_RUN_NOWAIT);
		(void)world_has_records(&w);
		fake_dispatch_settle(&w.d);
		usleep(1000);
	}
	assert_int_equal(w.counts.received + w.counts.kernel_dropped, N);
	assert_int_equal(w.counts.kernel_dropped, in_pause);
	world_end(&w);
}

/* Told to end before a batch is free: what the kernel holds goes with the socket, but not unseen.
 */
static void what_is_left_in_the_socket_is_counted(void **state SQ_UNUSED)
{
	enum { N = 20 };
	struct world w;

	make(&w);
	start(&w);
	sqd_input_udp.pause(w.in);
	for (int i = 0; i < N; i++)
		say(&w, "x");
	sqd_input_udp.stop(w.in);
	assert_int_equal(w.counts.received, 0);
	sqd_dispatch_seal(&w.d);
	sqd_input_udp.close(w.in);
	assert_int_equal(w.counts.received, N);
	assert_int_equal(w.counts.dropped_shutdown, N);
	world_end(&w);
}

/* Send until it is `n` in all, and let the input read them in one turn of the loop. @return it
 * looks at the socket */
static bool looks_after(struct world *w, unsigned n)
{
	struct sqd_udp *u = SQ_CONTAINER(w->in, struct sqd_udp, base);

	for (uint64_t i = w->counts.received; i < n; i++)
		say(w, "{\"n\":1}");
	while (w->counts.received < n)
		uv_run(&w->loop, UV_RUN_NOWAIT);
	return uv_is_active((uv_handle_t *)&u->poll);
}

static void a_flood_is_gathered_where_the_buffer_is_large(void **state SQ_UNUSED)
{
	enum { MANY = 60 };
	struct sqd_udp *u;
	struct world w;

	make(&w);
	w.cfg.udp.receive_buffer = 8 << 20;
	start(&w);
	u = SQ_CONTAINER(w.in, struct sqd_udp, base);
	assert_true(looks_after(&w, 1));
	if (!u->may_nap) { /* rmem_max, and no right to override it */
		world_end(&w);
		skip();
	}
	u->busy_ms = 0; /* a millisecond that has just begun */
	assert_false(looks_after(&w, 1 + MANY));
	say(&w, "{\"n\":2}"); /* comes in the pause: taken after it, or before the end */
	sqd_input_udp.stop(w.in);
	assert_int_equal(w.counts.received, MANY + 2);
	world_end(&w);
}

static void after_a_flood_it_looks_again(void **state SQ_UNUSED)
{
	struct sqd_udp *u;
	struct world w;

	make(&w);
	w.cfg.udp.receive_buffer = 8 << 20;
	start(&w);
	u = SQ_CONTAINER(w.in, struct sqd_udp, base);
	(void)looks_after(&w, 60);
	for (int ms = 0; !uv_is_active((uv_handle_t *)&u->poll) && ms < 10000; ms++) {
		uv_run(&w.loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
	assert_true(uv_is_active((uv_handle_t *)&u->poll));
	say(&w, "{\"n\":2}");
	expect_count(&w, &w.counts.received, 61);
	world_end(&w);
}

static void a_small_buffer_is_not_trusted_with_a_flood(void **state SQ_UNUSED)
{
	struct world w;

	make(&w);
	w.cfg.udp.receive_buffer = 512 * 1024;
	start(&w);
	assert_true(looks_after(&w, 60));
	world_end(&w);
}

/* As logger -u -d and syslog(3) send: an unnamed socket, who it is the kernel knows. */
static void a_unix_socket_takes_datagrams_too(void **state SQ_UNUSED)
{
	char name[64], who[64];
	struct sqd_addr to;
	struct sq_err err = { 0 };
	struct world w;

	make(&w);
	free(w.cfg.udp.listen);
	snprintf(name, sizeof(name), "unix:@squibly-udp-%d", (int)getpid());
	snprintf(who, sizeof(who), "unix uid %u pid %d", (unsigned)getuid(), (int)getpid());
	w.cfg.udp.listen = strdup(name);
	assert_int_equal(sqd_input_udp.start(w.in, &err), 0);
	assert_string_equal(w.in->name + 4, name);
	w.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(sqd_addr_parse(name, &to, NULL), 0);
	assert_int_equal(connect(w.fd, (struct sockaddr *)&to.sa, to.len), 0);
	say(&w, "<13>Nov 22 18:27:00 tag: {\"a\":1}\n");
	say(&w, "{\"b\":2}");
	wait_records(&w, 2);
	assert_string_equal(w.d.records[0], "<13>Nov 22 18:27:00 tag: {\"a\":1}");
	assert_string_equal(w.d.peers[0], who);
	assert_string_equal(w.d.peers[1], who);
	assert_int_equal(w.counts.received, 2);
	world_end(&w);
}

static void the_file_of_a_unix_socket_goes_when_the_input_stops(void **state SQ_UNUSED)
{
	char name[64];
	struct sq_err err = { 0 };
	struct world w;

	make(&w);
	free(w.cfg.udp.listen);
	snprintf(name, sizeof(name), "unix:/tmp/squibly-udp-%d.sock", (int)getpid());
	w.cfg.udp.listen = strdup(name);
	assert_int_equal(sqd_input_udp.start(w.in, &err), 0);
	assert_int_equal(access(name + 5, F_OK), 0);
	sqd_input_udp.stop(w.in);
	assert_int_equal(access(name + 5, F_OK), -1);
	world_end(&w);
}

static void a_failed_start_closes_too(void **state SQ_UNUSED)
{
	struct sq_err err = { 0 };
	struct world w;

	make(&w);
	free(w.cfg.udp.listen);
	w.cfg.udp.listen = strdup("nonsense");
	assert_int_equal(sqd_input_udp.start(w.in, &err), -EINVAL);
	assert_non_null(strstr(err.text, "nonsense"));
	world_end(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_datagram_is_one_record),
		cmocka_unit_test(two_senders_keep_their_names),
		cmocka_unit_test(compressed_datagrams_are_unpacked_or_counted),
		cmocka_unit_test(chunks_are_put_together),
		cmocka_unit_test(a_chunk_left_alone_is_counted_at_the_end),
		cmocka_unit_test(a_datagram_longer_than_its_buffer_is_counted),
		cmocka_unit_test(the_longest_datagram_fits_unless_the_record_may_not),
		cmocka_unit_test(without_batches_datagrams_wait_and_none_is_lost),
		cmocka_unit_test(what_the_kernel_dropped_is_counted),
		cmocka_unit_test(what_was_lost_before_a_silence_is_counted),
		cmocka_unit_test(what_is_lost_in_a_pause_is_counted),
		cmocka_unit_test(what_is_left_in_the_socket_is_counted),
		cmocka_unit_test(a_flood_is_gathered_where_the_buffer_is_large),
		cmocka_unit_test(after_a_flood_it_looks_again),
		cmocka_unit_test(a_small_buffer_is_not_trusted_with_a_flood),
		cmocka_unit_test(a_unix_socket_takes_datagrams_too),
		cmocka_unit_test(the_file_of_a_unix_socket_goes_when_the_input_stops),
		cmocka_unit_test(a_failed_start_closes_too),
	};

	return cmocka_run_group_tests_name("input/udp", tests, NULL, NULL);
}
