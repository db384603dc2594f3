/* What ends a stream: each fault of a sender, and what is said of it. */
#include "tests/unit/wire/lumberjack_world.h"

struct bad_row {
	const char *name;
	enum sq_lumber_fault fault;
	void (*make)(struct sq_outbuf *b);
	unsigned records; /* handed out before */
	bool late;        /* that is the most: a fault takes what was unpacked with it along */
};

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

int main(void)
{
	return RUN_TABLE("lumberjack/faults", bads, test_bad);
}
