/* Senders that do not keep to the protocol, or send what is too long. */
#include "tests/component/beats_world.h"

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

/* The same, and the next of its events finds no batch for a while. */
static void what_was_lost_is_remembered_while_there_is_no_batch(void **state)
{
	struct sq_outbuf b = wire_new();
	struct sqd_receipt *window;
	char *text;
	struct world w;
	size_t first, n;
	char heard;
	int fd;

	(void)state;
	begin(&w);
	w.cfg.beats.max_record = w.d.limits.chunk;
	world_start(&w);
	n = w.d.limits.chunk - 20000;
	text = malloc(n);
	memset(text, 'x', n);
	fd = world_dial(&w, SOCK_STREAM);
	wire_head(&b, "2W", 2);
	wire_json(&b, "2J", 1, SQ_SV("{}"));
	first = b.len;
	wire_json(&b, "2J", 2, (struct sq_sv){ text, n });
	say_n(fd, b.p, first);
	w.want = 1;
	run_until(&w.loop, world_has_records, &w);
	window = w.d.sealed[0]->origins[0].receipt;
	window->lost = true;
	fake_dispatch_settle(&w.d);
	/* Another one's record lies in the last batch: the event does not fit behind it. */
	w.d.free = 1;
	assert_non_null(sqd_dispatch_open(&w.d, 1));
	w.d.open->tail = 30000;
	say_n(fd, b.p + first, b.len - first);
	for (int i = 0; i < 3000 && w.d.open; i++)
		world_turn(&w, 1);
	world_turn(&w, 5);
	assert_int_equal(w.counts.received, 1);
	fake_dispatch_settle(&w.d);
	w.d.free = 2;
	w.in->ops->resume(w.in);
	w.counter = &w.counts.beats_windows;
	run_until(&w.loop, world_has_counted, &w);
	settle(&w);
	assert_int_equal(w.counts.received, 2);
	assert_int_equal(w.counts.beats_acked, 0);
	assert_int_equal(hear_some(&w, fd, &heard, 1), 0);
	close(fd);
	free(text);
	sq_outbuf_fini(&b);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_oversized_event_is_skipped),
		cmocka_unit_test(a_window_of_which_something_was_lost_is_never_acknowledged),
		cmocka_unit_test(what_was_lost_is_remembered_while_there_is_no_batch),
	};

	return RUN_TABLE("input/beats_faults: bad senders", bads, a_bad_sender_is_closed) +
	       cmocka_run_group_tests_name("input/beats_faults", tests, NULL, NULL);
}
