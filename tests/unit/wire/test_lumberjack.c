#include "tests/support/lumber.h"

#include <errno.h>

#include "lib/wire/lumberjack_private.h"
#include "tests/support/fault_alloc.h"

/* Small, so that every one of them is met. */
static const struct sq_lumber_limits small = {
	.max_window = 100,
	.max_windows = 3,
	.max_frame = 40000,
	.max_record = 20000,
	.max_unpacked = 200000,
	.max_ratio = 150,
	.max_pairs = 8,
	.max_key = 16,
	.keepalive_ms = 5000,
	.max_unacked_ms = 300000,
	.max_silence_ms = 60000,
};

enum { ROOM = SQ_LUMBER_ROOM + 10000, RECORDS_MAX = 1000 };

/* A caller: the room is a heap block of its own, as a batch is, and is given up when it is full, or
 * after `per_room` records. */
struct world {
	struct sq_lumber_env *env;
	struct sq_lumber l;
	char *room;
	size_t tail, room_n;
	unsigned per_room, in_room;
	bool keep; /* windows are not settled by themselves */
	bool fast; /* one room for all, and records are compared with `lines`, not kept */
	struct sq_sv lines;
	uint64_t now;
	struct sq_outbuf acks;
	char *records[RECORDS_MAX];
	unsigned n, oversized, whole, full, places;
};

static void new_room(struct world *w)
{
	sq_lumber_stash(&w->l);
	if (!w->fast) {
		free(w->room);
		w->room = malloc(w->room_n);
	}
	w->tail = 0;
	w->in_room = 0;
}

static struct world *open_world(const struct sq_lumber_limits *limits)
{
	struct world *w = calloc(1, sizeof(*w));

	w->env = sq_lumber_env_new(limits);
	assert_int_equal(sq_lumber_init(&w->l, w->env), 0);
	w->room_n = ROOM;
	w->now = 1000;
	w->acks = wire_new();
	new_room(w);
	return w;
}

static void forget_records(struct world *w)
{
	for (unsigned i = 0; i < w->n; i++)
		free(w->records[i]);
	w->n = w->whole = w->oversized = 0;
	sq_outbuf_reset(&w->acks);
}

static void close_world(struct world *w)
{
	forget_records(w);
	sq_lumber_fini(&w->l);
	sq_lumber_env_free(w->env);
	sq_outbuf_fini(&w->acks);
	free(w->room);
	free(w);
}

static void send_acks(struct world *w)
{
	char to[64];
	unsigned windows;
	size_t n = sq_lumber_acks(&w->l, w->now, to, sizeof(to), &windows);

	assert_int_equal(n, windows * SQ_LUMBER_ACK);
	sq_outbuf_put(&w->acks, (struct sq_sv){ to, n });
}

static void keep_record(struct world *w, struct sq_sv rec, struct sq_sv *in)
{
	assert_true(w->n < RECORDS_MAX);
	if (w->l.in_place) {
		assert_true(rec.p >= w->room + w->tail);
		assert_true(rec.p + rec.n <= w->room + w->room_n);
		w->tail = (size_t)(rec.p + rec.n - w->room);
		w->places++;
	}
	if (w->fast) {
		assert_sv_equal(rec, sq_sv_cut(&w->lines, '\n'));
		w->records[w->n++] = NULL;
	} else {
		w->records[w->n] = malloc(rec.n + 1);
		memcpy(w->records[w->n], rec.p, rec.n);
		w->records[w->n++][rec.n] = '\0';
	}
	if (!w->l.in_place && w->room_n - w->tail >= rec.n) { /* as a caller may */
		memset(w->room + w->tail, 'x', rec.n);
		w->tail += rec.n;
	}
	sq_lumber_taken(&w->l, in);
	if (w->per_room && ++w->in_room == w->per_room)
		new_room(w);
}

/* @return 0, or -EPROTO */
static int run(struct world *w, struct sq_sv *in)
{
	struct sq_sv rec;

	for (;;) {
		int r = sq_lumber_next(&w->l, in, w->room + w->tail, w->room_n - w->tail, w->now,
		                       &rec);

		if (r < 0)
			return r;
		switch ((enum sq_lumber_got)r) {
		case SQ_LUMBER_MORE:
			assert_int_equal(in->n, 0);
			new_room(w);
			return 0;
		case SQ_LUMBER_NEED_ROOM:
			new_room(w);
			continue;
		case SQ_LUMBER_RECORD:
			keep_record(w, rec, in);
			continue;
		case SQ_LUMBER_OVERSIZED:
			w->oversized++;
			continue;
		case SQ_LUMBER_WHOLE:
			w->whole++;
			if (w->keep)
				continue;
			sq_lumber_settle(&w->l, sq_lumber_last(&w->l));
			send_acks(w);
			continue;
		case SQ_LUMBER_FULL:
			w->full++;
			return 0;
		}
	}
}

/* In pieces, each a block of its own. */
static int feed(struct world *w, struct sq_sv all, size_t piece)
{
	while (all.n) {
		struct sq_sv part = sq_sv_first(all, piece);
		char *p = exact(part.p, part.n);
		struct sq_sv in = { p, part.n };
		int r = run(w, &in);

		if (r == 0)
			assert_int_equal(in.n, 0);
		free(p);
		if (r < 0)
			return r;
		all = sq_sv_skip(all, part.n);
	}
	return 0;
}

static void expect_numbers(const struct world *w, unsigned n)
{
	assert_int_equal(w->n, n);
	for (unsigned i = 0; i < n; i++) {
		char want[32];

		(void)snprintf(want, sizeof(want), "{\"n\":%u}", i);
		assert_string_equal(w->records[i], want);
	}
}

static void expect_acks(const struct world *w, const char *acks, size_t n)
{
	assert_int_equal(w->acks.len, n);
	if (n)
		assert_memory_equal(w->acks.p, acks, n);
}

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

/* ---- what ends a stream ---- */

struct bad_row {
	const char *name;
	enum sq_lumber_fault fault;
	void (*make)(struct sq_outbuf *b);
	unsigned records; /* handed out before */
	bool late;        /* that is the most: a fault takes what was unpacked with it along */
};

static void window_of_two(struct sq_outbuf *b)
{
	wire_head(b, "2W", 2);
	wire_json(b, "2J", 1, SQ_SV("{}"));
}

static void bad_tls(struct sq_outbuf *b)
{
	sq_outbuf_put(b, SQ_SV("\x16\x03\x01\x02\x00\x01\x00"));
}

static void bad_http(struct sq_outbuf *b)
{
	sq_outbuf_put(b, SQ_SV("POST /_bulk HTTP/1.1\r\n"));
}

static void bad_json(struct sq_outbuf *b)
{
	sq_outbuf_put(b, SQ_SV("{\"EventID\":1}\n"));
}

static void bad_foreign(struct sq_outbuf *b)
{
	sq_outbuf_put(b, SQ_SV("<14>Jul 21 23:27:52 host"));
}

static void bad_version(struct sq_outbuf *b)
{
	window_of_two(b);
	wire_json(b, "3J", 2, SQ_SV("{}"));
}

static void bad_type(struct sq_outbuf *b)
{
	window_of_two(b);
	wire_json(b, "2X", 2, SQ_SV("{}"));
}

static void bad_ack(struct sq_outbuf *b)
{
	wire_head(b, "2A", 1);
}

static void bad_second_window(struct sq_outbuf *b)
{
	window_of_two(b);
	wire_head(b, "2W", 2);
}

static void bad_event_first(struct sq_outbuf *b)
{
	wire_json(b, "2J", 1, SQ_SV("{}"));
}

static void bad_packed_first(struct sq_outbuf *b)
{
	struct sq_outbuf plain = wire_new();

	wire_json(&plain, "2J", 1, SQ_SV("{}"));
	wire_packed(b, "2C", &plain);
	sq_outbuf_fini(&plain);
}

static void bad_event_after(struct sq_outbuf *b)
{
	wire_window(b, 2, 0, 0);
	wire_json(b, "2J", 3, SQ_SV("{}"));
}

static void packed_text(struct sq_outbuf *b, uint32_t count, void (*fill)(struct sq_outbuf *))
{
	struct sq_outbuf plain = wire_new();

	wire_head(b, "2W", count);
	fill(&plain);
	wire_packed(b, "2C", &plain);
	sq_outbuf_fini(&plain);
}

static void three(struct sq_outbuf *b)
{
	for (uint32_t i = 1; i <= 3; i++)
		wire_json(b, "2J", i, SQ_SV("{}"));
}

static void bad_beyond(struct sq_outbuf *b)
{
	packed_text(b, 2, three);
}

static void bad_nested(struct sq_outbuf *b)
{
	packed_text(b, 2, bad_packed_first);
}

static void bad_nested_window(struct sq_outbuf *b)
{
	packed_text(b, 2, window_of_two);
}

static void bad_empty(struct sq_outbuf *b)
{
	wire_head(b, "2W", 1);
	wire_json(b, "2J", 1, SQ_SV(""));
}

static void bad_empty_packed(struct sq_outbuf *b)
{
	wire_head(b, "2W", 1);
	wire_head(b, "2C", 0);
}

static void half(struct sq_outbuf *b)
{
	three(b);
	b->len -= 1;
}

static void bad_split(struct sq_outbuf *b)
{
	packed_text(b, 6, half);
}

static void half_long(struct sq_outbuf *b)
{
	char letters[5000];

	memset(letters, 'x', sizeof(letters));
	wire_head(b, "2J", 1);
	wire_u32(b, 30000);
	sq_outbuf_put(b, (struct sq_sv){ letters, sizeof(letters) });
}

static void bad_split_oversized(struct sq_outbuf *b)
{
	packed_text(b, 1, half_long);
}

static void bad_damaged(struct sq_outbuf *b)
{
	packed_text(b, 3, three);
	b->p[b->len - 1] ^= 1; /* the checksum */
}

static void bad_no_zlib(struct sq_outbuf *b)
{
	wire_head(b, "2W", 1);
	wire_head(b, "2C", 10);
	sq_outbuf_put(b, SQ_SV("0123456789"));
}

/* The C frame is longer or shorter by `by` than what it holds. */
static void wrong_length(struct sq_outbuf *b, int by)
{
	struct sq_outbuf plain = wire_new(), z = wire_new();

	three(&plain);
	wire_zlib(&z, sq_outbuf_view(&plain));
	wire_head(b, "2W", 3);
	wire_head(b, "2C", (uint32_t)((int)z.len + by));
	if (by < 0)
		z.len -= (size_t)-by;
	sq_outbuf_put(b, sq_outbuf_view(&z));
	if (by > 0)
		wire_window(b, 1, 0, 0);
	sq_outbuf_fini(&plain);
	sq_outbuf_fini(&z);
}

static void bad_trailing(struct sq_outbuf *b)
{
	wrong_length(b, 3);
}

static void bad_truncated(struct sq_outbuf *b)
{
	wrong_length(b, -2);
}

static void bad_window_size(struct sq_outbuf *b)
{
	wire_head(b, "2W", 101);
}

static void bad_window_huge(struct sq_outbuf *b)
{
	wire_head(b, "2W", 0xffffffff);
}

static void bad_event_size(struct sq_outbuf *b)
{
	wire_head(b, "2W", 1);
	wire_head(b, "2J", 1);
	wire_u32(b, 40001);
}

static void bad_packed_size(struct sq_outbuf *b)
{
	wire_head(b, "2W", 1);
	wire_head(b, "2C", 40001);
}

static void bad_value_size(struct sq_outbuf *b)
{
	wire_head(b, "1W", 1);
	wire_head(b, "1D", 1);
	wire_u32(b, 1);
	wire_string(b, SQ_SV("k"));
	wire_u32(b, 40001);
}

static void many_long(struct sq_outbuf *b)
{
	char *letters = malloc(19000);
	uint32_t seed = 1;

	for (size_t i = 0; i < 19000; i++) {
		if (i % 500 == 0)
			seed = 1;
		seed = seed * 1664525 + 1013904223;
		letters[i] = (char)('a' + (seed >> 30));
	}
	for (uint32_t i = 1; i <= 11; i++)
		wire_json(b, "2J", i, (struct sq_sv){ letters, 19000 });
	free(letters);
}

static void bad_unpacked(struct sq_outbuf *b)
{
	packed_text(b, 100, many_long);
}

static void bomb(struct sq_outbuf *b)
{
	char *letters = malloc(20000);

	memset(letters, ' ', 20000);
	for (uint32_t i = 1; i <= 10; i++)
		wire_json(b, "2J", i, (struct sq_sv){ letters, 19900 });
	free(letters);
}

static void bad_ratio(struct sq_outbuf *b)
{
	packed_text(b, 10, bomb);
}

static void bad_pairs(struct sq_outbuf *b)
{
	wire_head(b, "1W", 1);
	wire_head(b, "1D", 1);
	wire_u32(b, 9);
}

static void bad_key(struct sq_outbuf *b)
{
	wire_head(b, "1W", 1);
	wire_head(b, "1D", 1);
	wire_u32(b, 1);
	wire_string(b, SQ_SV("01234567890123456"));
}

/* The second key of an event that is being skipped. */
static void bad_key_later(struct sq_outbuf *b)
{
	char *letters = malloc(30000);

	memset(letters, 'x', 30000);
	wire_head(b, "1W", 1);
	wire_head(b, "1D", 1);
	wire_u32(b, 2);
	wire_string(b, SQ_SV("k"));
	wire_string(b, (struct sq_sv){ letters, 30000 });
	wire_string(b, SQ_SV("01234567890123456"));
	free(letters);
}

static struct bad_row bads[] = {
	{ "TLS", SQ_LUMBER_TLS, bad_tls, 0 },
	{ "HTTP", SQ_LUMBER_HTTP, bad_http, 0 },
	{ "JSON in lines", SQ_LUMBER_JSON, bad_json, 0 },
	{ "syslog", SQ_LUMBER_FOREIGN, bad_foreign, 0 },
	{ "a version that we do not know", SQ_LUMBER_VERSION, bad_version, 1 },
	{ "a type that we do not know", SQ_LUMBER_TYPE, bad_type, 1 },
	{ "an acknowledgement from the client", SQ_LUMBER_TYPE, bad_ack, 0 },
	{ "a window in a window", SQ_LUMBER_WINDOW_EARLY, bad_second_window, 1 },
	{ "an event before the window", SQ_LUMBER_NO_WINDOW, bad_event_first, 0 },
	{ "packed events before the window", SQ_LUMBER_NO_WINDOW, bad_packed_first, 0 },
	{ "an event after the window", SQ_LUMBER_NO_WINDOW, bad_event_after, 2 },
	{ "more packed events than the window", SQ_LUMBER_BEYOND, bad_beyond, 2 },
	{ "C inside of C", SQ_LUMBER_NESTED, bad_nested, 0 },
	{ "W inside of C", SQ_LUMBER_NESTED, bad_nested_window, 0 },
	{ "JSON of no bytes", SQ_LUMBER_EMPTY, bad_empty, 0 },
	{ "C of no bytes", SQ_LUMBER_EMPTY, bad_empty_packed, 0 },
	{ "an event cut by the end of C", SQ_LUMBER_SPLIT, bad_split, 2 },
	{ "an oversized event cut by the end of C", SQ_LUMBER_SPLIT, bad_split_oversized, 0 },
	{ "a wrong checksum", SQ_LUMBER_DAMAGED, bad_damaged, 3, true },
	{ "no zlib at all", SQ_LUMBER_DAMAGED, bad_no_zlib, 0 },
	{ "bytes after the end of zlib", SQ_LUMBER_TRAILING, bad_trailing, 3, true },
	{ "zlib cut short", SQ_LUMBER_TRUNCATED, bad_truncated, 3, true },
	{ "a window over the limit", SQ_LUMBER_MAX_WINDOW, bad_window_size, 0 },
	{ "a window of 2^32-1", SQ_LUMBER_MAX_WINDOW, bad_window_huge, 0 },
	{ "an event over the frame limit", SQ_LUMBER_MAX_FRAME, bad_event_size, 0 },
	{ "C over the frame limit", SQ_LUMBER_MAX_FRAME, bad_packed_size, 0 },
	{ "a value over the frame limit", SQ_LUMBER_MAX_FRAME, bad_value_size, 0 },
	{ "too many unpacked bytes", SQ_LUMBER_MAX_UNPACKED, bad_unpacked, 10, true },
	{ "a bomb", SQ_LUMBER_MAX_RATIO, bad_ratio, 9, true },
	{ "too many pairs", SQ_LUMBER_MAX_PAIRS, bad_pairs, 0 },
	{ "a key that is too long", SQ_LUMBER_MAX_KEY, bad_key, 0 },
	{ "a later key that is too long", SQ_LUMBER_MAX_KEY, bad_key_later, 0 },
};

/* The fault is found however the bytes come, and nothing is acknowledged after it. */
static void test_bad(void **state)
{
	static const size_t pieces[] = { SIZE_MAX, 1, 2, 3, 7, 11, 64, 1000 };
	const struct bad_row *row = *state;
	struct sq_outbuf b = wire_new();

	row->make(&b);
	for (size_t i = 0; i < SQ_LEN(pieces); i++) {
		struct world *w = open_world(&small);
		struct sq_sv none = SQ_SV("");
		struct sq_sv rec;

		assert_int_equal(feed(w, sq_outbuf_view(&b), pieces[i]), -EPROTO);
		assert_int_equal(w->l.fault, row->fault);
		if (row->late)
			assert_true(w->n <= row->records);
		else
			assert_int_equal(w->n, row->records);
		assert_int_equal(w->acks.len, row->make == bad_event_after ? SQ_LUMBER_ACK : 0);
		/* It stays. */
		assert_int_equal(sq_lumber_next(&w->l, &none, w->room, w->room_n, 1, &rec),
		                 -EPROTO);
		assert_true(strlen(sq_lumber_reason(w->l.fault)) > 10);
		close_world(w);
	}
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

/* ---- what real clients send ---- */

struct recorded_row {
	const char *name;
	const char *acks;
	size_t n_acks;
	bool is_v1;
};

static struct recorded_row recordings[] = {
	{ "wire_lumberjack_v2_plain.bin", "2A\0\0\0\x14", 6, false },
	{ "wire_lumberjack_v2_zlib.bin", "2A\0\0\0\x14", 6, false },
	{ "wire_lumberjack_v2_multi_c.bin", "2A\0\0\0\x14", 6, false },
	{ "wire_lumberjack_v2_two_windows_reset.bin",
	  "2A\0\0\0\x0a"
	  "2A\0\0\0\x0a",
	  12, false },
	{ "wire_lumberjack_v1_data.bin", "1A\0\0\0\x14", 6, true },
};

enum { FILE_MAX_BYTES = 1 << 20 };

static struct sq_sv load(const char *folder, const char *name)
{
	const char *shared = getenv("SQUIBLY_SHARED"), *source = getenv("SQ_SOURCE_DIR");
	char path[4096], *p;
	gzFile f;
	int n;

	(void)snprintf(path, sizeof(path), "%s%s/corpus/%s/%s",
	               shared   ? shared
	               : source ? source
	                        : ".",
	               shared ? "" : "/../shared", folder, name);
	f = gzopen(path, "rb");
	if (!f) {
		print_message("skipped: no shared data (set SQUIBLY_SHARED)\n");
		skip();
	}
	p = malloc(FILE_MAX_BYTES);
	n = gzread(f, p, FILE_MAX_BYTES);
	assert_true(n > 0 && n < FILE_MAX_BYTES);
	gzclose(f);
	return (struct sq_sv){ p, (size_t)n };
}

/* The values of the pairs "line", found by another way than that under test. */
static struct sq_sv lines_of_v1(struct sq_sv wire)
{
	char *plain = malloc(FILE_MAX_BYTES);
	uLongf n = FILE_MAX_BYTES;
	struct sq_outbuf to = wire_new();
	struct sq_sv left;

	assert_int_equal(uncompress((Bytef *)plain, &n, (const Bytef *)wire.p + 12,
	                            (uLong)wire.n - 12),
	                 Z_OK);
	left = (struct sq_sv){ plain, n };
	for (;;) {
		size_t at = sq_sv_find(left, SQ_SV("\0\0\0\4line"));
		size_t length;

		if (at == SIZE_MAX)
			break;
		left = sq_sv_skip(left, at + 8);
		length = (size_t)(unsigned char)left.p[2] * 256 + (unsigned char)left.p[3];
		sq_outbuf_put(&to, sq_sv_first(sq_sv_skip(left, 4), length));
		sq_outbuf_putc(&to, '\n');
	}
	free(plain);
	return sq_outbuf_view(&to);
}

static void expect_lines(const struct world *w, struct sq_sv lines)
{
	assert_int_equal(w->n, 20);
	for (unsigned i = 0; i < 20; i++)
		assert_sv_equal(sq_sv_of(w->records[i]), sq_sv_cut(&lines, '\n'));
}

static void test_recorded(void **state)
{
	const struct recorded_row *row = *state;
	struct sq_lumber_limits limits = small;
	struct sq_sv wire = load("wire", row->name), lines;
	struct world *w;

	lines = row->is_v1 ? lines_of_v1(wire)
	                   : load("shapes", "derived_winlogbeat_8.17_raw.ndjson.gz");
	limits.max_frame = 1 << 20;
	for (size_t piece = 1; piece <= 64; piece *= 64) {
		w = open_world(&limits);
		w->per_room = 3;
		assert_int_equal(feed(w, wire, piece), 0);
		expect_lines(w, lines);
		expect_acks(w, row->acks, row->n_acks);
		close_world(w);
	}
	/* In two, at every place; one connection for all. */
	w = open_world(&limits);
	w->fast = true;
	for (size_t cut = 1; cut < wire.n; cut++) {
		struct sq_sv a = sq_sv_first(wire, cut), b = sq_sv_skip(wire, cut);

		w->lines = lines;
		assert_int_equal(run(w, &a), 0);
		assert_int_equal(a.n, 0);
		assert_int_equal(run(w, &b), 0);
		assert_int_equal(b.n, 0);
		assert_int_equal(w->n, 20);
		expect_acks(w, row->acks, row->n_acks);
		forget_records(w);
	}
	close_world(w);
	free((void *)(uintptr_t)wire.p);
	free((void *)(uintptr_t)lines.p);
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
	int failed = cmocka_run_group_tests_name("lumberjack", tests, NULL, NULL);

	failed += RUN_TABLE("lumberjack/faults", bads, test_bad);
	failed += RUN_TABLE("lumberjack/recorded", recordings, test_recorded);
	return failed;
}
