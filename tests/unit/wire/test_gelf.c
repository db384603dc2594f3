#include "tests/support/test.h"

#include <errno.h>

#include "lib/wire/gelf.h"
#include "tests/support/fault_alloc.h"

enum { MAX_RECORD = 4096, SECOND = 1000000000 };

static const struct sq_gelf_limits limits = { .max_messages = 4,
	                                      .max_bytes = 8 * 1024,
	                                      .max_record = MAX_RECORD };

static struct sq_now at(double seconds)
{
	return (struct sq_now){ .mono_ns = (uint64_t)(seconds * SECOND) };
}

/* One chunk; `id` 'a' is "aaaaaaaa". */
static int chunk_of(struct sq_gelf *g, char id, unsigned seq, unsigned count, struct sq_sv data,
                    uint64_t peer, struct sq_now now, struct sq_sv *ret)
{
	char *p = malloc(12 + data.n);
	int r;

	p[0] = 0x1e;
	p[1] = 0x0f;
	memset(p + 2, id, 8);
	p[10] = (char)seq;
	p[11] = (char)count;
	if (data.n)
		memcpy(p + 12, data.p, data.n);
	r = sq_gelf_chunk(g, (struct sq_sv){ p, 12 + data.n }, peer, now, ret);
	free(p);
	return r;
}

static int chunk(struct sq_gelf *g, char id, unsigned seq, unsigned count, const char *data,
                 struct sq_sv *ret)
{
	return chunk_of(g, id, seq, count, sq_sv_of(data), 1, at(0), ret);
}

static int setup(void **state)
{
	*state = sq_gelf_new(&limits);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	sq_gelf_free(*state);
	return 0;
}

#define STEP(name)                                                                                 \
	{                                                                                          \
#name, name, setup, teardown, NULL                                                 \
	}

static void kinds_are_told_apart(void **state)
{
	(void)state;
	assert_int_equal(sq_gelf_kind(SQ_SV("")), SQ_GELF_PLAIN);
	assert_int_equal(sq_gelf_kind(SQ_SV("x")), SQ_GELF_PLAIN);
	assert_int_equal(sq_gelf_kind(SQ_SV("{\"a\":1}")), SQ_GELF_PLAIN);
	assert_int_equal(sq_gelf_kind(SQ_SV("x {}")), SQ_GELF_PLAIN);
	assert_int_equal(sq_gelf_kind(SQ_SV("\x78\x01")), SQ_GELF_ZLIB);
	assert_int_equal(sq_gelf_kind(SQ_SV("\x78\x9c")), SQ_GELF_ZLIB);
	assert_int_equal(sq_gelf_kind(SQ_SV("\x78\xda")), SQ_GELF_ZLIB);
	assert_int_equal(sq_gelf_kind(SQ_SV("\x1f\x8b\x08")), SQ_GELF_GZIP);
	assert_int_equal(sq_gelf_kind(SQ_SV("\x1e\x0f")), SQ_GELF_CHUNK);
}

static void chunks_in_order(void **state)
{
	struct sq_sv v;

	assert_int_equal(chunk(*state, 'a', 0, 3, "one ", &v), 0);
	assert_int_equal(chunk(*state, 'a', 1, 3, "two ", &v), 0);
	assert_int_equal(chunk(*state, 'a', 2, 3, "three", &v), 1);
	assert_sv_equal(v, SQ_SV("one two three"));
}

static void chunks_out_of_order_and_twice(void **state)
{
	struct sq_sv v;

	assert_int_equal(chunk(*state, 'a', 2, 3, "three", &v), 0);
	assert_int_equal(chunk(*state, 'a', 2, 3, "other", &v), 0);
	assert_int_equal(chunk(*state, 'a', 0, 3, "one ", &v), 0);
	assert_int_equal(chunk(*state, 'a', 0, 3, "other", &v), 0);
	assert_int_equal(chunk(*state, 'a', 1, 3, "two ", &v), 1);
	assert_sv_equal(v, SQ_SV("one two three"));
}

static void one_chunk_is_a_message(void **state)
{
	struct sq_sv v;

	assert_int_equal(chunk(*state, 'a', 0, 1, "{}", &v), 1);
	assert_sv_equal(v, SQ_SV("{}"));
	/* The same again is a late copy of it. */
	assert_int_equal(chunk(*state, 'a', 0, 1, "{}", &v), 0);
	assert_int_equal(sq_gelf_expire(*state, at(6)), 0);
	assert_int_equal(chunk(*state, 'a', 0, 1, "{}", &v), 1);
}

static void empty_chunks_count(void **state)
{
	struct sq_sv v;

	assert_int_equal(chunk(*state, 'a', 0, 3, "", &v), 0);
	assert_int_equal(chunk(*state, 'a', 0, 3, "", &v), 0);
	assert_int_equal(chunk(*state, 'a', 2, 3, "", &v), 0);
	assert_int_equal(chunk(*state, 'a', 1, 3, "x", &v), 1);
	assert_sv_equal(v, SQ_SV("x"));
}

static void messages_and_senders_are_kept_apart(void **state)
{
	struct sq_sv v;

	assert_int_equal(chunk_of(*state, 'a', 0, 2, SQ_SV("a1"), 1, at(0), &v), 0);
	assert_int_equal(chunk_of(*state, 'b', 0, 2, SQ_SV("b1"), 1, at(0), &v), 0);
	assert_int_equal(chunk_of(*state, 'a', 0, 2, SQ_SV("A1"), 2, at(0), &v), 0);
	assert_int_equal(chunk_of(*state, 'a', 1, 2, SQ_SV("A2"), 2, at(0), &v), 1);
	assert_sv_equal(v, SQ_SV("A1A2"));
	assert_int_equal(chunk_of(*state, 'b', 1, 2, SQ_SV("b2"), 1, at(0), &v), 1);
	assert_sv_equal(v, SQ_SV("b1b2"));
	assert_int_equal(chunk_of(*state, 'a', 1, 2, SQ_SV("a2"), 1, at(0), &v), 1);
	assert_sv_equal(v, SQ_SV("a1a2"));
}

static void one_hundred_and_twenty_eight_chunks(void **state)
{
	struct sq_gelf_limits large = { 1, 256 * 1024, MAX_RECORD };
	struct sq_gelf *g = sq_gelf_new(&large);
	struct sq_sv v;

	(void)state;
	for (unsigned i = 127; i > 0; i--)
		assert_int_equal(chunk(g, 'a', i, 128, "0123456789", &v), 0);
	assert_int_equal(chunk(g, 'a', 0, 128, "0123456789", &v), 1);
	assert_int_equal(v.n, 1280);
	sq_gelf_free(g);
}

static void wrong_chunks(void **state)
{
	struct sq_sv v;

	assert_int_equal(chunk(*state, 'a', 0, 0, "x", &v), -EBADMSG);
	assert_int_equal(chunk(*state, 'a', 0, 129, "x", &v), -EBADMSG);
	assert_int_equal(chunk(*state, 'a', 0, 255, "x", &v), -EBADMSG);
	assert_int_equal(chunk(*state, 'a', 2, 2, "x", &v), -EBADMSG);
	assert_int_equal(chunk(*state, 'a', 255, 128, "x", &v), -EBADMSG);
	assert_int_equal(sq_gelf_chunk(*state,
	                               SQ_SV("\x1e\x0f"
	                                     "12345678\0"),
	                               1, at(0), &v),
	                 -EBADMSG);
	assert_int_equal(sq_gelf_chunk(*state, SQ_SV("{}"), 1, at(0), &v), -EBADMSG);
	assert_int_equal(sq_gelf_expire(*state, at(9)), 0); /* none of them began a message */
}

static void a_wrong_chunk_gives_up_its_message(void **state)
{
	struct sq_sv v;

	assert_int_equal(chunk(*state, 'a', 0, 3, "x", &v), 0);
	assert_int_equal(chunk(*state, 'a', 1, 4, "x", &v), -EBADMSG); /* another count */
	assert_int_equal(chunk(*state, 'a', 1, 3, "x", &v), 0);        /* late: ignored */
	assert_int_equal(chunk(*state, 'a', 2, 3, "x", &v), 0);
	assert_int_equal(sq_gelf_expire(*state, at(9)), 0); /* it was told already */
}

static void messages_expire_after_five_seconds(void **state)
{
	struct sq_sv v;

	assert_int_equal(chunk_of(*state, 'a', 0, 2, SQ_SV("x"), 1, at(10), &v), 0);
	assert_int_equal(chunk_of(*state, 'b', 0, 2, SQ_SV("x"), 1, at(12), &v), 0);
	assert_int_equal(sq_gelf_expire(*state, at(14.9)), 0);
	assert_int_equal(sq_gelf_expire(*state, at(15)), 1);
	/* The late part of what has expired begins anew, and expires too. */
	assert_int_equal(chunk_of(*state, 'a', 1, 2, SQ_SV("y"), 1, at(15), &v), 0);
	assert_int_equal(chunk_of(*state, 'b', 1, 2, SQ_SV("y"), 1, at(16), &v), 1);
	assert_int_equal(sq_gelf_expire(*state, at(19)), 0);
	assert_int_equal(sq_gelf_expire(*state, at(20)), 1);
	assert_int_equal(sq_gelf_expire(*state, at(30)), 0);
}

static void the_oldest_message_makes_room_for_a_fifth(void **state)
{
	struct sq_sv v;

	for (char id = 'a'; id <= 'd'; id++)
		assert_int_equal(chunk(*state, id, 0, 2, "x", &v), 0);
	assert_int_equal(chunk(*state, 'e', 0, 2, "x", &v), -ENOBUFS); /* 'a' is gone */
	assert_int_equal(chunk(*state, 'b', 1, 2, "y", &v), 1);
	assert_int_equal(chunk(*state, 'f', 0, 2, "x", &v), 0); /* in place of 'b', done */
	assert_int_equal(chunk(*state, 'e', 1, 2, "y", &v), 1);
	assert_sv_equal(v, SQ_SV("xy"));
	assert_int_equal(sq_gelf_expire(*state, at(9)), 3); /* 'c', 'd', 'f' */
}

static void the_oldest_messages_make_room_for_bytes(void **state)
{
	static const char kib[3072];
	struct sq_sv v;

	/* 8 blocks: 3 each for 'a' and 'b', 1 for 'c'; then 'd' needs 3 and 'a' goes. */
	assert_int_equal(chunk_of(*state, 'a', 0, 2, (struct sq_sv){ kib, 3072 }, 1, at(0), &v), 0);
	assert_int_equal(chunk_of(*state, 'b', 0, 2, (struct sq_sv){ kib, 2049 }, 1, at(0), &v), 0);
	assert_int_equal(chunk_of(*state, 'c', 0, 2, (struct sq_sv){ kib, 1 }, 1, at(0), &v), 0);
	assert_int_equal(chunk_of(*state, 'd', 0, 2, (struct sq_sv){ kib, 3072 }, 1, at(0), &v),
	                 -ENOBUFS);
	/* A message that is whole is told first; what made room for it, at the next expiry. */
	assert_int_equal(chunk_of(*state, 'd', 1, 2, (struct sq_sv){ kib, 1024 }, 1, at(0), &v), 1);
	assert_int_equal(v.n, 4096);
	assert_int_equal(chunk_of(*state, 'c', 1, 2, (struct sq_sv){ kib, 3072 }, 1, at(0), &v), 1);
	assert_int_equal(v.n, 3073);
	assert_int_equal(sq_gelf_expire(*state, at(1)), 0);
	assert_int_equal(sq_gelf_expire(*state, at(9)), 1); /* 'b' */
}

static void a_whole_message_may_make_others_go(void **state)
{
	static const char kib[4096];
	struct sq_sv v;

	assert_int_equal(chunk_of(*state, 'a', 0, 2, (struct sq_sv){ kib, 4096 }, 1, at(0), &v), 0);
	assert_int_equal(chunk_of(*state, 'b', 0, 2, (struct sq_sv){ kib, 1024 }, 1, at(0), &v), 0);
	assert_int_equal(chunk_of(*state, 'c', 0, 1, (struct sq_sv){ kib, 4096 }, 1, at(0), &v), 1);
	assert_int_equal(v.n, 4096);
	assert_int_equal(sq_gelf_expire(*state, at(1)), 1); /* 'a' */
	assert_int_equal(sq_gelf_expire(*state, at(1)), 0);
}

static void a_message_over_its_maximum_is_given_up(void **state)
{
	static const char kib[MAX_RECORD];
	struct sq_sv v;

	assert_int_equal(chunk_of(*state, 'a', 0, 2, (struct sq_sv){ kib, MAX_RECORD }, 1, at(0),
	                          &v),
	                 0);
	assert_int_equal(chunk(*state, 'a', 1, 2, "x", &v), -ENOBUFS);
	assert_int_equal(chunk(*state, 'a', 1, 2, "", &v), 0);
	assert_int_equal(sq_gelf_expire(*state, at(9)), 0);
}

static void limits_below_one_datagram(void **state)
{
	struct sq_gelf_limits tiny = { 0, 0, 4096 };
	struct sq_gelf *g = sq_gelf_new(&tiny);
	static const char kib[2048];
	struct sq_sv v;

	(void)state;
	assert_int_equal(chunk_of(g, 'a', 0, 1, (struct sq_sv){ kib, 1024 }, 1, at(0), &v), 1);
	assert_int_equal(chunk_of(g, 'b', 0, 1, (struct sq_sv){ kib, 1025 }, 1, at(0), &v),
	                 -ENOBUFS);
	assert_int_equal(chunk_of(g, 'c', 0, 2, SQ_SV("x"), 1, at(0), &v), 0);
	assert_int_equal(chunk_of(g, 'd', 0, 2, SQ_SV("x"), 1, at(0), &v), -ENOBUFS);
	assert_int_equal(sq_gelf_expire(g, at(9)), 1);
	sq_gelf_free(g);
}

/* A flood of pieces that never come together: memory is bounded and every message told once. */
static void a_flood_is_accounted_for(void **state)
{
	struct sq_sv v;
	unsigned begun = 0, lost = 0, whole = 0;
	uint32_t seed = 1;

	for (unsigned i = 0; i < 20000; i++) {
		static const char data[2500];
		char id = (char)i;
		unsigned seq = (seed = seed * 1664525 + 1013904223) >> 31;
		struct sq_sv part = { data, seed >> 8 & 2047 };
		int r = chunk_of(*state, id, 0, 1 + seq, part, i, at(i * 0.01), &v);

		begun++;
		whole += r == 1;
		lost += r == -ENOBUFS;
		assert_true(r != -EBADMSG);
		lost += sq_gelf_expire(*state, at(i * 0.01));
	}
	lost += sq_gelf_expire(*state, at(1000));
	assert_int_equal(begun, whole + lost);
}

/* python3 -c 'import zlib; print(zlib.compress(b"{\"a\":1}" * 9))', and gzip.compress */
static const char zlib_text[] =
	"\x78\x9c\xab\x56\x4a\x54\xb2\x32\xac\xad\x26\x93\x02\x00\x49\x78\x12\x49";

static void check_inflate(void **state)
{
	struct sq_sv packed = { zlib_text, sizeof(zlib_text) - 1 };
	char to[64];

	assert_int_equal(sq_gelf_inflate(*state, packed, to, sizeof(to)), 63);
	assert_memory_equal(to, "{\"a\":1}{\"a\":1}", 14);
	assert_int_equal(sq_gelf_inflate(*state, packed, to, 63), 63); /* just fits */
	assert_int_equal(sq_gelf_inflate(*state, packed, to, 62), -EMSGSIZE);
	assert_int_equal(sq_gelf_inflate(*state, packed, to, 1), -EMSGSIZE);
	for (size_t n = 0; n < packed.n; n++) {
		char *copy = exact(packed.p, n);

		assert_int_equal(sq_gelf_inflate(*state, (struct sq_sv){ copy, n }, to, sizeof(to)),
		                 -EBADMSG);
		free(copy);
	}
	for (size_t n = 0; n < packed.n; n++) {
		char *copy = exact(packed.p, packed.n);

		copy[n] ^= 0x55;
		assert_true(sq_gelf_inflate(*state, (struct sq_sv){ copy, packed.n }, to, 64) < 0);
		free(copy);
	}
	/* And whatever came before does not matter. */
	assert_int_equal(sq_gelf_inflate(*state, packed, to, sizeof(to)), 63);
	assert_int_equal(sq_gelf_inflate(*state, SQ_SV("{}"), to, sizeof(to)), -EBADMSG);
}

static void gzip_is_unpacked_too(void **state)
{
	/* printf '{}' | gzip -n */
	struct sq_sv packed = SQ_SV("\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0\x43\xbf\xa6\xa3\x02"
	                            "\0\0\0");
	char to[8];

	assert_int_equal(sq_gelf_inflate(*state, packed, to, sizeof(to)), 2);
	assert_memory_equal(to, "{}", 2);
}

static void no_memory_is_survived(void **state)
{
	(void)state;
	for (unsigned n = 1;; n++) {
		struct sq_gelf *g;
		bool failed;

		fault_alloc_at(n);
		g = sq_gelf_new(&limits);
		failed = fault_alloc_end();
		assert_int_equal(g == NULL, failed);
		sq_gelf_free(g);
		if (!failed) {
			assert_true(n > 5);
			return;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STEP(kinds_are_told_apart),
		STEP(chunks_in_order),
		STEP(chunks_out_of_order_and_twice),
		STEP(one_chunk_is_a_message),
		STEP(empty_chunks_count),
		STEP(messages_and_senders_are_kept_apart),
		STEP(one_hundred_and_twenty_eight_chunks),
		STEP(wrong_chunks),
		STEP(a_wrong_chunk_gives_up_its_message),
		STEP(messages_expire_after_five_seconds),
		STEP(the_oldest_message_makes_room_for_a_fifth),
		STEP(the_oldest_messages_make_room_for_bytes),
		STEP(a_whole_message_may_make_others_go),
		STEP(a_message_over_its_maximum_is_given_up),
		STEP(limits_below_one_datagram),
		STEP(a_flood_is_accounted_for),
		STEP(check_inflate),
		STEP(gzip_is_unpacked_too),
		STEP(no_memory_is_survived),
	};

	return cmocka_run_group_tests_name("gelf", tests, NULL, NULL);
}
