/* Messages that lie together in a spool: read from any of them on, taken out together, and what is
 * damaged of them is told by number. */
#include "lib/host/spool_chunk.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/unit/host/scratch.h"
#include "tests/unit/host/spool_value.h"

/* ---- bytes alone ---- */

static void any_bit_that_flips_costs_that_message_or_all(void **state SQ_UNUSED)
{
	static const struct sq_spool_record r[] = {
		{ 7, { 1, 2 }, SQ_SV("ws-1"), SQ_SV("the first") },
		{ 8, { 3, 4 }, SQ_SV(""), SQ_SV("") },
		{ 9, { 5, 6 }, SQ_SV("ws-2"), SQ_SV("the last") },
	};
	uint64_t key = sq_chunk_key(7, 3);
	size_t n = sq_chunk_bytes(r, 3), n_text = 4 + 9 + 4 + 8, whole;
	char *bytes = malloc(n);
	struct sq_chunk c;
	struct sq_spool_record got;

	sq_chunk_write(bytes, key, r);
	assert_true(sq_chunk_begin(&c, key, (struct sq_sv){ bytes, n }));
	for (size_t i = 0; i < SQ_LEN(r); i++) {
		assert_int_equal(sq_chunk_next(&c, &got), 1);
		assert_int_equal(got.seq, r[i].seq);
		assert_int_equal(got.id[1], r[i].id[1]);
		assert_true(sq_sv_eq(got.key, r[i].key) && sq_sv_eq(got.text, r[i].text));
	}
	assert_int_equal(sq_chunk_next(&c, &got), 0);
	for (size_t bit = 0; bit < n * 8; bit++) {
		bytes[bit / 8] ^= (char)(1 << bit % 8);
		if (bit / 8 < n - n_text) {
			assert_false(sq_chunk_begin(&c, key, (struct sq_sv){ bytes, n }));
		} else {
			assert_true(sq_chunk_begin(&c, key, (struct sq_sv){ bytes, n }));
			for (whole = 0; c.seq < c.end;)
				whole += sq_chunk_next(&c, &got) == 1;
			assert_int_equal(whole, 2);
		}
		bytes[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (unsigned bit = 0; bit < 64; bit++)
		assert_false(sq_chunk_begin(&c, key ^ 1ULL << bit, (struct sq_sv){ bytes, n }));
	free(bytes);
}

static void a_chunk_that_is_cut_is_damaged_at_every_byte(void **state SQ_UNUSED)
{
	static const struct sq_spool_record r = { 1, { 1, 2 }, SQ_SV("ws-1"), SQ_SV("text") };
	uint64_t key = sq_chunk_key(1, 1);
	size_t n = sq_chunk_bytes(&r, 1);
	char *bytes = malloc(n);
	struct sq_chunk c;

	sq_chunk_write(bytes, key, &r);
	for (size_t cut = 0; cut < n; cut++) {
		char *exact = malloc(cut + !cut);

		memcpy(exact, bytes, cut);
		assert_false(sq_chunk_begin(&c, key, (struct sq_sv){ exact, cut }));
		free(exact);
	}
	memset(bytes, 0, n);
	assert_false(sq_chunk_begin(&c, key, (struct sq_sv){ bytes, n }));
	assert_false(sq_chunk_begin(&c, 0, (struct sq_sv){ bytes, n }));
	free(bytes);
}

/* ---- in a spool ---- */

struct seen {
	uint64_t n, first, last, damaged;
};

static int note(void *ctx, const struct sq_spool_record *r)
{
	struct seen *seen = ctx;

	seen->first = seen->n++ ? seen->first : r->seq;
	assert_true(r->seq > seen->last);
	seen->last = r->seq;
	return 0;
}

static void note_damaged(void *ctx, uint64_t seq SQ_UNUSED, uint64_t n, struct sq_sv v SQ_UNUSED)
{
	struct seen *seen = ctx;

	seen->damaged += n;
}

static struct seen read_from(struct sq_spool *s, uint64_t from)
{
	struct seen seen = { 0 };

	assert_int_equal(sq_spool_read(s, from, note, note_damaged, &seen, NULL), 0);
	return seen;
}

static struct sq_spool *open_it(const char *dir)
{
	const struct sq_spool_opts o = { .dir = dir, .size = 4 << 20 };
	struct sq_err aside, err = { 0 };
	struct sq_spool *s = NULL;

	if (sq_spool_open(&o, &s, &aside, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(aside.code, 0);
	return s;
}

static void put(struct sq_spool *s, uint64_t first, size_t n)
{
	struct sq_spool_record r[SQ_SPOOL_RECORDS];

	for (size_t i = 0; i < n; i++)
		r[i] = (struct sq_spool_record){ .seq = first + i, .text = SQ_SV("some alert") };
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	assert_int_equal(sq_spool_put(s, r, n, NULL), 0);
	assert_int_equal(sq_spool_commit(s, NULL), 0);
}

static void trim(struct sq_spool *s, uint64_t cursor)
{
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	assert_int_equal(sq_spool_trim(s, cursor, NULL), 0);
	assert_int_equal(sq_spool_commit(s, NULL), 0);
}

static void assert_holds(struct sq_spool *s, uint64_t records, uint64_t waiting)
{
	uint64_t n;

	assert_int_equal(sq_spool_state(s)->records, records);
	assert_int_equal(sq_spool_waiting(s, &n, NULL), 0);
	assert_int_equal(n, waiting);
	assert_int_equal(sq_spool_verify(s, NULL), 0);
}

static void what_was_put_together_is_read_from_any_of_it_and_leaves_together(void **state)
{
	char *dir = scratch_path(*state, "spool");
	struct sq_spool *s = open_it(dir);

	put(s, 1, 10);
	put(s, 11, 1);
	put(s, 20, SQ_SPOOL_RECORDS);
	for (uint64_t from = 1; from <= 11; from++) {
		assert_int_equal(read_from(s, from).n, 12 - from + SQ_SPOOL_RECORDS);
		assert_int_equal(read_from(s, from).first, from);
	}
	assert_int_equal(read_from(s, 15).first, 20);
	assert_int_equal(read_from(s, 19 + SQ_SPOOL_RECORDS).n, 1);
	assert_int_equal(read_from(s, 20 + SQ_SPOOL_RECORDS).n, 0);
	trim(s, 8);
	assert_holds(s, 11 + SQ_SPOOL_RECORDS, 4 + SQ_SPOOL_RECORDS);
	sq_spool_close(s);
	s = open_it(dir);
	assert_holds(s, 11 + SQ_SPOOL_RECORDS, 4 + SQ_SPOOL_RECORDS);
	assert_int_equal(read_from(s, sq_spool_state(s)->cursor).first, 8);
	trim(s, 11);
	assert_holds(s, 1 + SQ_SPOOL_RECORDS, 1 + SQ_SPOOL_RECORDS);
	trim(s, 500);
	assert_holds(s, 0, 0);
	sq_spool_close(s);
	free(dir);
}

/* The rest of a chunk of which something is on its way stays, and is read before what is left. */
static void what_is_dropped_begins_within_a_chunk(void **state)
{
	char *dir = scratch_path(*state, "spool");
	struct sq_spool *s = open_it(dir);
	uint64_t n = 0;

	for (uint64_t i = 0; i < 20; i++)
		put(s, 1 + 100 * i, 100);                      /* more than half a page */
	for (uint64_t left = 1900; left > 1700; left -= 100) { /* also over what went before */
		assert_int_equal(sq_spool_begin(s, NULL), 0);
		assert_int_equal(sq_spool_drop(s, 31, 1, &n, NULL), 0);
		assert_int_equal(n, 100);
		assert_int_equal(sq_spool_commit(s, NULL), 0);
		assert_holds(s, left, left);
		assert_int_equal(read_from(s, 31).first, 31);
		assert_int_equal(read_from(s, 31).n, left - 30);
		assert_int_equal(read_from(s, 101).n, left - 100);
	}
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	assert_int_equal(sq_spool_drop(s, 1961, 1, &n, NULL), 0);
	assert_int_equal(n, 0); /* there is no other chunk behind it */
	assert_int_equal(sq_spool_commit(s, NULL), 0);
	assert_holds(s, 1800, 1800);
	sq_spool_close(s);
	free(dir);
}

/* Perhaps by other chunks than before. */
static void what_may_be_there_already_is_put_anew(void **state)
{
	char *dir = scratch_path(*state, "spool");
	struct sq_spool *s = open_it(dir);

	put(s, 1, 10);
	put(s, 11, 20);
	put(s, 31, 10);
	put(s, 15, 20); /* those before were delivered meanwhile */
	put(s, 35, 26);
	assert_holds(s, 56, 56);
	assert_int_equal(read_from(s, 11).first, 15);
	assert_int_equal(read_from(s, 11).n, 46);
	assert_int_equal(sq_spool_state(s)->next, 61);
	sq_spool_close(s);
	free(dir);
}

/* ---- what is in the file ---- */

static void a_chunk_without_its_heads_is_told_by_its_numbers(void **state)
{
	char *dir = scratch_path(*state, "spool"), bytes[400] = { 0 };
	struct sq_spool *s = open_it(dir);

	put(s, 1, 10);
	put(s, 11, 10);
	put(s, 21, 10);
	sq_spool_close(s);
	spool_put_value(dir, sq_chunk_key(11, 10), bytes, sizeof(bytes));
	s = open_it(dir);
	assert_int_equal(read_from(s, 1).n, 20);
	assert_int_equal(read_from(s, 1).damaged, 10);
	assert_int_equal(read_from(s, 15).damaged, 6);
	assert_int_equal(read_from(s, 21).damaged, 0);
	assert_holds(s, 30, 30);
	trim(s, 21);
	assert_holds(s, 10, 10);
	sq_spool_close(s);
	free(dir);
}

/* Its messages would be taken for damaged ones. */
static void what_an_older_version_wrote_is_left_as_it_is(void **state)
{
	char *dir = scratch_path(*state, "spool");
	const struct sq_spool_opts o = { .dir = dir, .size = 4 << 20 };
	uint64_t older[4] = { 0, 1, 5, 9 }; /* its state was as long as that */
	struct sq_err aside, err = { 0 };
	struct sq_spool *s = open_it(dir);

	put(s, 1, 10);
	sq_spool_close(s);
	spool_put_value(dir, 0, older, sizeof(older));
	assert_true(sq_spool_open(&o, &s, &aside, &err) < 0);
	assert_int_equal(aside.code, 0);
	assert_non_null(strstr(err.text, "an older squiblyd has written it"));
	free(dir);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_bit_that_flips_costs_that_message_or_all),
		cmocka_unit_test(a_chunk_that_is_cut_is_damaged_at_every_byte),
		TEST(what_was_put_together_is_read_from_any_of_it_and_leaves_together),
		TEST(what_is_dropped_begins_within_a_chunk),
		TEST(what_may_be_there_already_is_put_anew),
		TEST(a_chunk_without_its_heads_is_told_by_its_numbers),
		TEST(what_an_older_version_wrote_is_left_as_it_is),
	};

	return cmocka_run_group_tests_name("host/spool-chunk", tests, NULL, NULL);
}
