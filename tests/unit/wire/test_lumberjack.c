#include "tests/support/fault_alloc.h"
#include "tests/unit/wire/lumberjack_world.h"

/* ---- windows in every form, cut everywhere ---- */

static void test_forms(void **state)
{
	/* Plain, one C, several C, and a mix, one after another on one connection. */
	static const char acks[] = "2A\0\0\0\x0a"
				   "2A\0\0\0\x0a"
				   "2A\0\0\0\x0a"
				   "2A\0\0\0\x04"
				   "2A\0\0\0\0"
				   "2A\0\0\0\1";
	struct sq_outbuf b = wire_new(), plain = wire_new();

	(void)state;
	wire_window(&b, 10, 0, 0);
	wire_window(&b, 10, 10, 10);
	wire_window(&b, 10, 20, 3);
	wire_head(&b, "2W", 4);
	wire_json(&b, "2J", 1, SQ_SV("{\"n\":30}"));
	wire_json(&plain, "2J", 2, SQ_SV("{\"n\":31}"));
	wire_json(&plain, "1J", 3, SQ_SV("{\"n\":32}"));
	wire_packed(&b, "2C", &plain);
	wire_json(&b, "2J", 4, SQ_SV("{\"n\":33}"));
	wire_head(&b, "2W", 0);
	wire_window(&b, 1, 34, 1);
	for (size_t piece = 1; piece <= b.len; piece += 1 + piece / 16) {
		for (unsigned per_room = 0; per_room < 3; per_room++) {
			struct world *w = open_world(&small);

			w->per_room = per_room;
			assert_int_equal(feed(w, sq_outbuf_view(&b), piece), 0);
			expect_numbers(w, 35);
			expect_acks(w, acks, sizeof(acks) - 1);
			assert_int_equal(sq_lumber_unacked(&w->l), 0);
			close_world(w);
		}
	}
	sq_outbuf_fini(&b);
	sq_outbuf_fini(&plain);
}

/* Packed events are used where they were unpacked, but for those that were cut. */
static void test_in_place(void **state)
{
	struct sq_outbuf b = wire_new();
	struct world *w = open_world(&small);

	(void)state;
	wire_window(&b, 100, 0, 100);
	assert_int_equal(feed(w, sq_outbuf_view(&b), SIZE_MAX), 0);
	expect_numbers(w, 100);
	assert_int_equal(w->places, 100);
	close_world(w);
	sq_outbuf_fini(&b);
}

static void pairs(struct sq_outbuf *b, const char *type, uint32_t seq, const char *const *texts)
{
	uint32_t n = 0;

	while (texts[n])
		n++;
	wire_head(b, type, seq);
	wire_u32(b, n / 2);
	for (uint32_t i = 0; i < n; i++)
		wire_string(b, sq_sv_of(texts[i]));
}

static void test_pairs(void **state)
{
	static const char *const line[] = { "host", "a", "line", " {\"x\":[1,\"}\"]} ", NULL };
	static const char *const text[] = { "line", "no object", "host", "a\"b", NULL };
	static const char *const two[] = { "line", "{\"a\":1}{\"b\":2}", NULL };
	static const char *const none[] = { NULL };
	struct sq_outbuf b = wire_new(), plain = wire_new();

	(void)state;
	for (int packed = 0; packed < 2; packed++) {
		struct sq_outbuf *to = packed ? &plain : &b;

		wire_head(&b, "1W", 6);
		pairs(to, "1D", 1, line);
		pairs(to, "2D", 2, text); /* the type decides, not the version */
		pairs(to, "1D", 3, two);
		pairs(to, "1D", 4, none);
		wire_json(to, "1J", 5, SQ_SV("{}"));
		pairs(to, "1D", 6, line);
		if (packed)
			wire_packed(&b, "1C", &plain);
	}
	for (size_t piece = 1; piece <= b.len; piece++) {
		struct world *w = open_world(&small);

		w->per_room = (unsigned)piece % 3;
		assert_int_equal(feed(w, sq_outbuf_view(&b), piece), 0);
		assert_int_equal(w->n, 12);
		for (unsigned i = 0; i < 12; i += 6) {
			assert_string_equal(w->records[i], "{\"x\":[1,\"}\"]}");
			assert_string_equal(w->records[i + 1],
			                    "{\"line\":\"no object\",\"host\":\"a\\\"b\"}");
			assert_string_equal(w->records[i + 2],
			                    "{\"line\":\"{\\\"a\\\":1}{\\\"b\\\":2}\"}");
			assert_string_equal(w->records[i + 3], "{}");
			assert_string_equal(w->records[i + 4], "{}");
			assert_string_equal(w->records[i + 5], "{\"x\":[1,\"}\"]}");
		}
		expect_acks(w,
		            "1A\0\0\0\x06"
		            "1A\0\0\0\x06",
		            12);
		close_world(w);
	}
	sq_outbuf_fini(&b);
	sq_outbuf_fini(&plain);
}

/* The old Ruby client says its window once; numbers go on over the connection. */
static void test_ruby(void **state)
{
	static const char *const line[] = { "line", "{}", NULL };
	struct sq_outbuf b = wire_new(), plain = wire_new();
	struct world *w = open_world(&small);

	(void)state;
	wire_head(&b, "1W", 2);
	for (uint32_t i = 1; i <= 5; i++) {
		pairs(&plain, "1D", 0xfffffffd + i, line);
		wire_packed(&b, "1C", &plain);
	}
	assert_int_equal(feed(w, sq_outbuf_view(&b), SIZE_MAX), 0);
	assert_int_equal(w->n, 5);
	expect_acks(w,
	            "1A\xff\xff\xff\xff"
	            "1A\0\0\0\x01",
	            12);
	assert_int_equal(sq_lumber_unacked(&w->l), 1);
	close_world(w);
	sq_outbuf_fini(&b);
	sq_outbuf_fini(&plain);
}

/* A frame that comes in pieces is looked at a few times, not once for each of its strings. */
static void test_pairs_in_pieces(void **state)
{
	enum { PAIRS = 1000, STEPS = 16 };
	struct sq_lumber_limits limits = small;
	struct sq_outbuf b = wire_new();
	struct sq_lumber_frame f = { .length = 2 };
	struct world *w;
	int steps = 0, r;

	(void)state;
	limits.max_pairs = PAIRS;
	w = open_world(&limits);
	wire_head(&b, "1W", 1);
	assert_int_equal(feed(w, sq_outbuf_view(&b), SIZE_MAX), 0);
	sq_outbuf_reset(&b);
	wire_head(&b, "1D", 1);
	wire_u32(&b, PAIRS);
	for (int i = 0; i < 2 * PAIRS; i++)
		wire_string(&b, SQ_SV("x"));
	do {
		assert_true(f.length <= b.len);
		r = sq_lumber_parse(&w->l, sq_sv_first(sq_outbuf_view(&b), f.length), false, &f);
		assert_true(++steps < STEPS);
	} while (r == 0);
	assert_int_equal(r, 1);
	assert_int_equal(f.length, b.len);
	close_world(w);

	/* Lengths that alone are longer than an event may be are not waited for. */
	limits.max_record = 4000;
	w = open_world(&limits);
	w->l.open = true;
	w->l.count = 1;
	r = sq_lumber_parse(&w->l, sq_sv_first(sq_outbuf_view(&b), 10), false, &f);
	assert_int_equal(r, 1);
	assert_true(f.oversized);
	close_world(w);
	sq_outbuf_fini(&b);
}

/* ---- memory that all connections share ---- */

/* The beginning of an event of `n` bytes, which never ends. */
static int begin_event(struct sq_lumber *l, struct sq_lumber_env *e, size_t n)
{
	struct sq_outbuf b = wire_new();
	struct sq_sv in, rec;
	char *room = malloc(ROOM), *letters = malloc(n);
	int r;

	memset(letters, 'x', n);
	assert_int_equal(sq_lumber_init(l, e), 0);
	wire_head(&b, "2W", 1);
	wire_json(&b, "2J", 1, (struct sq_sv){ letters, n });
	in = sq_sv_first(sq_outbuf_view(&b), b.len - 1);
	r = sq_lumber_next(l, &in, room, ROOM, 1, &rec);
	free(letters);
	free(room);
	sq_outbuf_fini(&b);
	return r;
}

static void test_unfinished(void **state)
{
	struct sq_lumber_limits limits = small;
	struct sq_lumber_env *e;
	struct sq_lumber l[5];
	struct sq_sv in = SQ_SV("x"), rec;
	char room[SQ_LUMBER_ROOM];

	(void)state;
	limits.max_frame = limits.max_record = 300000;
	limits.max_unfinished = 300000; /* two of 256 KiB, less 128 KiB each */
	e = sq_lumber_env_new(&limits);
	assert_int_equal(begin_event(&l[0], e, 250000), SQ_LUMBER_MORE);
	assert_int_equal(begin_event(&l[1], e, 250000), SQ_LUMBER_MORE);
	assert_int_equal(begin_event(&l[2], e, 250000), -EPROTO);
	assert_int_equal(l[2].fault, SQ_LUMBER_MAX_UNFINISHED);
	assert_int_equal(begin_event(&l[3], e, 100000), SQ_LUMBER_MORE); /* that is always free */
	sq_lumber_fini(&l[2]);

	/* One that is through makes room, within its window too. */
	l[0].count = 2;
	assert_int_equal(sq_lumber_next(&l[0], &in, room, sizeof(room), 1, &rec), SQ_LUMBER_RECORD);
	assert_int_equal(rec.n, 250000);
	sq_lumber_taken(&l[0], &in);
	assert_int_equal(sq_lumber_next(&l[0], &in, room, sizeof(room), 1, &rec), SQ_LUMBER_MORE);
	assert_int_equal(begin_event(&l[2], e, 250000), SQ_LUMBER_MORE);
	assert_int_equal(begin_event(&l[4], e, 250000), -EPROTO);
	for (size_t i = 0; i < SQ_LEN(l); i++)
		sq_lumber_fini(&l[i]);
	assert_int_equal(e->unfinished, 0);
	sq_lumber_env_free(e);
}

/* ---- events that are too long ---- */

static void test_oversized(void **state)
{
	struct sq_outbuf b = wire_new(), plain = wire_new();
	char *letters = malloc(30000);
	struct sq_lumber_limits limits = small;

	(void)state;
	limits.max_ratio = 0;
	memset(letters, 'x', 30000);
	for (int packed = 0; packed < 2; packed++) {
		struct sq_outbuf *to = packed ? &plain : &b;

		wire_head(&b, "2W", 5);
		wire_json(to, "2J", 1, SQ_SV("{}"));
		wire_json(to, "2J", 2, (struct sq_sv){ letters, 20001 });
		wire_json(to, "2J", 3, (struct sq_sv){ letters, 20000 });
		wire_head(to, "1D", 4);
		wire_u32(to, 3);
		wire_string(to, SQ_SV("key"));
		wire_string(to, (struct sq_sv){ letters, 15000 });
		wire_string(to, SQ_SV("other"));
		wire_string(to, (struct sq_sv){ letters, 30000 });
		wire_string(to, SQ_SV(""));
		wire_string(to, SQ_SV(""));
		wire_json(to, "2J", 5, SQ_SV("[]"));
		if (packed)
			wire_packed(&b, "2C", &plain);
	}
	for (size_t piece = 1; piece < 300; piece += 1 + piece / 8) {
		struct world *w = open_world(&limits);

		assert_int_equal(feed(w, sq_outbuf_view(&b), piece == 1 ? SIZE_MAX : piece), 0);
		assert_int_equal(w->n, 6);
		assert_string_equal(w->records[0], "{}");
		assert_int_equal(strlen(w->records[1]), 20000);
		assert_string_equal(w->records[2], "[]");
		assert_string_equal(w->records[5], "[]");
		assert_int_equal(w->oversized, 4);
		expect_acks(w,
		            "2A\0\0\0\x05"
		            "2A\0\0\0\x05",
		            12);
		close_world(w);
	}
	free(letters);
	sq_outbuf_fini(&b);
	sq_outbuf_fini(&plain);
}

/* Pairs that fit, but not any more when written as JSON. */
static void test_oversized_json(void **state)
{
	struct sq_outbuf b = wire_new();
	struct world *w = open_world(&small);
	char *quotes = malloc(15000);

	(void)state;
	memset(quotes, '"', 15000);
	wire_head(&b, "1W", 2);
	wire_head(&b, "1D", 1);
	wire_u32(&b, 1);
	wire_string(&b, SQ_SV("k"));
	wire_string(&b, (struct sq_sv){ quotes, 15000 });
	wire_json(&b, "1J", 2, SQ_SV("{}"));
	assert_int_equal(feed(w, sq_outbuf_view(&b), 4096), 0);
	assert_int_equal(w->oversized, 1);
	assert_int_equal(w->n, 1);
	expect_acks(w, "1A\0\0\0\2", 6);
	free(quotes);
	close_world(w);
	sq_outbuf_fini(&b);
}

/* ---- acknowledgements and time ---- */

static void test_order(void **state)
{
	struct sq_outbuf b = wire_new();
	struct world *w = open_world(&small);
	struct sq_sv in;

	(void)state;
	w->keep = true;
	for (uint32_t i = 1; i <= 4; i++)
		wire_window(&b, i, 0, i % 2);
	in = sq_outbuf_view(&b);
	assert_int_equal(run(w, &in), 0);
	assert_int_equal(w->full, 1); /* three may be unacknowledged, the fourth waits */
	assert_true(in.n > 0);
	assert_int_equal(w->n, 6);
	sq_lumber_settle(&w->l, 2);
	sq_lumber_settle(&w->l, 1);
	send_acks(w);
	expect_acks(w, "", 0); /* the first is not settled */
	sq_lumber_settle(&w->l, 0);
	send_acks(w);
	expect_acks(w,
	            "2A\0\0\0\1"
	            "2A\0\0\0\2"
	            "2A\0\0\0\3",
	            18);
	send_acks(w);
	expect_acks(w,
	            "2A\0\0\0\1"
	            "2A\0\0\0\2"
	            "2A\0\0\0\3",
	            18);
	assert_int_equal(run(w, &in), 0);
	assert_int_equal(in.n, 0);
	sq_lumber_settle(&w->l, 3);
	send_acks(w);
	assert_int_equal(w->acks.len, 24);
	assert_int_equal(w->acks.p[23], 4);
	close_world(w);
	sq_outbuf_fini(&b);
}

/* Seconds from now on; the client said something at the beginning only. */
static int tick_at(struct world *w, unsigned seconds, bool stalled, char *to)
{
	return sq_lumber_tick(&w->l, 1000 + 1000 * (uint64_t)seconds, stalled, 1000, to);
}

static void test_keepalive(void **state)
{
	struct sq_outbuf b = wire_new();
	struct world *w = open_world(&small);
	char to[SQ_LUMBER_ACK];

	(void)state;
	assert_int_equal(tick_at(w, 100, false, to), 0); /* idle: nothing is ever said */
	w->keep = true;
	w->now = 1000 + 100 * 1000;
	wire_window(&b, 2, 0, 0);
	assert_int_equal(feed(w, sq_outbuf_view(&b), SIZE_MAX), 0);
	assert_int_equal(tick_at(w, 104, false, to), 0);
	assert_int_equal(tick_at(w, 105, false, to), SQ_LUMBER_ACK);
	assert_memory_equal(to, "2A\0\0\0\0", 6);
	assert_int_equal(tick_at(w, 109, false, to), 0);
	assert_int_equal(tick_at(w, 110, false, to), SQ_LUMBER_ACK);
	w->now = 1000 + 111 * 1000;
	sq_lumber_settle(&w->l, 0);
	send_acks(w);
	assert_int_equal(tick_at(w, 116, false, to), 0);
	assert_int_equal(tick_at(w, 1000, false, to), 0);
	close_world(w);
	sq_outbuf_fini(&b);
}

static void test_keepalive_stalled(void **state)
{
	struct sq_outbuf b = wire_new();
	struct world *w = open_world(&small);
	char to[SQ_LUMBER_ACK];

	(void)state;
	window_of_two(&b);
	assert_int_equal(feed(w, sq_outbuf_view(&b), SIZE_MAX), 0);
	assert_int_equal(tick_at(w, 50, false, to), 0); /* the client is the one that waits */
	assert_int_equal(tick_at(w, 51, true, to), 0);
	assert_int_equal(tick_at(w, 56, true, to), SQ_LUMBER_ACK);
	assert_int_equal(tick_at(w, 57, false, to), 0);
	assert_int_equal(tick_at(w, 58, true, to), 0);
	assert_int_equal(tick_at(w, 63, true, to), SQ_LUMBER_ACK);
	close_world(w);
	sq_outbuf_fini(&b);
}

static void test_unacked(void **state)
{
	struct sq_outbuf b = wire_new();
	struct world *w = open_world(&small);
	char to[SQ_LUMBER_ACK];
	unsigned told = 0;

	(void)state;
	w->keep = true;
	wire_window(&b, 1, 0, 0);
	wire_window(&b, 1, 1, 0);
	assert_int_equal(feed(w, sq_outbuf_view(&b), SIZE_MAX), 0);
	for (unsigned s = 1; s < 299; s++)
		told += tick_at(w, s, false, to) == SQ_LUMBER_ACK;
	assert_int_equal(told, 59);
	/* An acknowledgement begins the time anew for the next window. */
	w->now = 1000 + 299 * 1000;
	sq_lumber_settle(&w->l, 0);
	send_acks(w);
	assert_int_equal(w->acks.len, 6);
	assert_true(tick_at(w, 598, false, to) >= 0);
	assert_int_equal(tick_at(w, 599, false, to), -ETIMEDOUT);
	assert_int_equal(w->l.fault, SQ_LUMBER_UNACKED);
	close_world(w);
	sq_outbuf_fini(&b);
}

static void test_silent(void **state)
{
	struct sq_outbuf b = wire_new();
	struct world *w = open_world(&small);
	char to[SQ_LUMBER_ACK];

	(void)state;
	wire_window(&b, 2, 0, 2);
	assert_int_equal(feed(w, sq_sv_first(sq_outbuf_view(&b), b.len - 1), SIZE_MAX), 0);
	assert_int_equal(tick_at(w, 59, false, to), 0);
	assert_int_equal(tick_at(w, 61, true, to), 0); /* we did not read */
	assert_int_equal(tick_at(w, 61, false, to), -ETIMEDOUT);
	assert_int_equal(w->l.fault, SQ_LUMBER_SILENT);
	close_world(w);
	sq_outbuf_fini(&b);
}

/* ---- memory ---- */

static void test_memory(void **state)
{
	struct sq_outbuf b = wire_new();

	(void)state;
	wire_window(&b, 10, 0, 5);
	wire_window(&b, 10, 10, 0);
	for (unsigned n = 1;; n++) {
		struct world *w = calloc(1, sizeof(*w));
		int r = -ENOMEM;

		w->acks = wire_new();
		w->room_n = ROOM;
		w->room = malloc(ROOM);
		w->acks.p = malloc(100);
		w->acks.cap = 100;
		fault_alloc_at(n);
		w->env = sq_lumber_env_new(&small);
		if (w->env)
			r = sq_lumber_init(&w->l, w->env);
		for (size_t at = 0; r == 0 && at < b.len; at += 13) {
			struct sq_sv in = sq_sv_first(sq_sv_skip(sq_outbuf_view(&b), at), 13), rec;
			int got;

			while ((got = sq_lumber_next(&w->l, &in, w->room, ROOM, 1, &rec)) > 0) {
				if (got == SQ_LUMBER_RECORD) {
					sq_lumber_taken(&w->l, &in);
					w->n++;
				} else if (got == SQ_LUMBER_WHOLE) {
					sq_lumber_settle(&w->l, sq_lumber_last(&w->l));
					send_acks(w);
				}
				sq_lumber_stash(&w->l);
			}
			sq_lumber_stash(&w->l);
			r = got;
		}
		if (r < 0 && w->env && w->l.env && w->l.ring)
			assert_int_equal(w->l.fault, SQ_LUMBER_MEMORY);
		if (!fault_alloc_end()) {
			assert_int_equal(r, 0);
			assert_int_equal(w->n, 20);
			expect_acks(w,
			            "2A\0\0\0\x0a"
			            "2A\0\0\0\x0a",
			            12);
			w->n = 0;
			close_world(w);
			assert_true(n > 5);
			break;
		}
		assert_int_equal(r < 0, 1);
		w->n = 0;
		close_world(w);
	}
	sq_outbuf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_ruby),
		cmocka_unit_test(test_pairs_in_pieces),
		cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_oversized),
		cmocka_unit_test(test_oversized_json),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_keepalive),
		cmocka_unit_test(test_keepalive_stalled),
		cmocka_unit_test(test_unacked),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests_name("lumberjack", tests, NULL, NULL);
}
