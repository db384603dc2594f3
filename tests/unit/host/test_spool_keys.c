/* Keys of a spool that is open are damaged: what is sound is read all the same, what is not is
 * counted, and nothing is behind the last. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "lib/host/spool_chunk.h"
#include "tests/support/spool_key.h"
#include "tests/unit/host/scratch.h"

enum {
	FIRST = 0x00315a01, /* a number that nothing else in the file looks like */
	CURSOR = FIRST + 1, /* within the first chunk */
};

/* Messages of each chunk. */
static const uint64_t sizes[] = { 3, 1, 7, 2, 255, 4, 1 };

struct seen {
	uint64_t at;      /* the number behind all that was told */
	uint64_t whole;   /* messages that came */
	uint64_t damaged; /* and that did not */
};

static int note(void *ctx, const struct sq_spool_record *r)
{
	struct seen *seen = ctx;
	char text[32];

	snprintf(text, sizeof(text), "alert %llu", (unsigned long long)r->seq);
	assert_true(sq_sv_eq(r->text, sq_sv_of(text)));
	assert_true(r->seq >= seen->at);
	seen->at = r->seq + 1;
	seen->whole++;
	return 0;
}

static void note_damaged(void *ctx, uint64_t seq, uint64_t n, struct sq_sv bytes SQ_UNUSED)
{
	struct seen *seen = ctx;

	assert_true(seq >= seen->at && n > 0);
	seen->at = seq + n;
	seen->damaged += n;
}

static void put(struct sq_spool *s, uint64_t first, uint64_t n)
{
	struct sq_spool_record r[SQ_SPOOL_RECORDS];
	static char texts[SQ_SPOOL_RECORDS][32];

	for (uint64_t i = 0; i < n; i++) {
		snprintf(texts[i], sizeof(texts[i]), "alert %llu", (unsigned long long)(first + i));
		r[i] = (struct sq_spool_record){ .seq = first + i, .text = sq_sv_of(texts[i]) };
	}
	assert_int_equal(sq_spool_put(s, r, n, NULL), 0);
}

static uint64_t first_of(size_t chunk)
{
	uint64_t first = FIRST;

	for (size_t i = 0; i < chunk; i++)
		first += sizes[i];
	return first;
}

static struct sq_spool *open_it(const char *dir)
{
	const struct sq_spool_opts o = { .dir = dir, .size = 4 << 20 };
	struct sq_err aside, err = { 0 };
	struct sq_spool *s = NULL;

	if (sq_spool_open(&o, &s, &aside, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

static struct sq_spool *make(const char *dir)
{
	struct sq_spool *s = open_it(dir);

	assert_int_equal(sq_spool_begin(s, NULL), 0);
	for (size_t i = 0; i < SQ_LEN(sizes); i++)
		put(s, first_of(i), sizes[i]);
	assert_int_equal(sq_spool_trim(s, CURSOR, NULL), 0);
	assert_int_equal(sq_spool_commit(s, NULL), 0);
	return s;
}

/* Whatever number it is read from: all that is there comes once and in order, and what does not, is
 * told to be damaged. */
static void assert_read(struct sq_spool *s, uint64_t damaged_first, uint64_t n_damaged)
{
	const uint64_t end = first_of(SQ_LEN(sizes));

	for (uint64_t from = FIRST; from <= end;
	     from += from > first_of(4) + 2 && from < first_of(5) - 2 ? 50 : 1) {
		uint64_t lost =
			damaged_first + n_damaged > from ? damaged_first + n_damaged - from : 0;
		struct seen seen = { .at = from };

		lost = lost < n_damaged ? lost : n_damaged;
		assert_int_equal(sq_spool_read(s, from, note, note_damaged, &seen, NULL), 0);
		assert_int_equal(seen.damaged, lost);
		assert_int_equal(seen.whole, end - from - lost);
	}
}

/* Each message that comes is looked at: so of those of a chunk nothing is lost. */
static void a_bit_of_a_key_costs_nothing(void **state)
{
	char *dir = scratch_path(*state, "spool");
	struct sq_spool *s = make(dir);
	uint64_t waiting;

	for (size_t i = 0; i < SQ_LEN(sizes); i++) {
		uint64_t key = sq_chunk_key(first_of(i), sizes[i]);

		for (unsigned bit = 0; bit < 64; bit++) {
			spool_key_change(dir, key, key ^ 1ULL << bit, false);
			assert_read(s, FIRST, 0);
			assert_int_equal(sq_spool_waiting(s, &waiting, NULL), 0);
			assert_int_equal(waiting, first_of(SQ_LEN(sizes)) - CURSOR);
			assert_int_equal(sq_spool_verify(s, NULL), 1);
			spool_key_change(dir, key ^ 1ULL << bit, key, false);
		}
	}
	assert_int_equal(sq_spool_verify(s, NULL), 0);
	sq_spool_close(s);
	free(dir);
}

static uint64_t roll(void)
{
	static uint64_t dice = 88172645463325252;

	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice;
}

/* Between neighbours that are right there is only one that it can be. */
static void a_key_of_anything_costs_nothing(void **state)
{
	char *dir = scratch_path(*state, "spool");
	struct sq_spool *s = make(dir);

	for (size_t i = 1; i < SQ_LEN(sizes); i++) {
		uint64_t key = sq_chunk_key(first_of(i), sizes[i]);

		for (unsigned n = 0; n < 40; n++) {
			uint64_t other = roll() >> (n < 20 ? 0 : 32) | 1;

			spool_key_change(dir, key, other, false);
			assert_read(s, FIRST, 0);
			spool_key_change(dir, other, key, false);
		}
	}
	sq_spool_close(s);
	free(dir);
}

static void what_is_damaged_with_its_key_is_counted_and_all_else_comes(void **state)
{
	char *dir = scratch_path(*state, "spool");
	struct sq_spool *s = make(dir);

	for (size_t i = 1; i < SQ_LEN(sizes); i++) {
		uint64_t key = sq_chunk_key(first_of(i), sizes[i]);

		for (unsigned bit = 0; bit <= 64; bit++) { /* at last, the sum alone */
			uint64_t other = bit < 64 ? key ^ 1ULL << bit : key;

			spool_key_change(dir, key, other, true);
			assert_read(s, first_of(i), sizes[i]);
			spool_key_change(dir, other, key, true);
		}
	}
	sq_spool_close(s);
	free(dir);
}

/* Drop from within the first chunk: that stays, and what is counted are whole ones behind it. */
static void drop(struct sq_spool *s)
{
	struct sq_err aside;
	size_t left = 1;
	uint64_t n;

	assert_int_equal(sq_spool_begin(s, NULL), 0);
	assert_int_equal(sq_spool_drop(s, CURSOR, 4096, &n, NULL), 0);
	while (left < SQ_LEN(sizes) && first_of(left) < first_of(1) + n)
		left++;
	assert_true(n > 0);
	assert_int_equal(first_of(left), first_of(1) + n);
	assert_int_equal(sq_spool_reopen(s, true, &aside, NULL), 0); /* as if it had failed */
}

static void trim(struct sq_spool *s, uint64_t cursor)
{
	struct sq_err aside;
	uint64_t left = 0;

	for (size_t i = 0; i < SQ_LEN(sizes); i++)
		left += first_of(i + 1) > cursor ? sizes[i] : 0;
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	assert_int_equal(sq_spool_trim(s, cursor, NULL), 0);
	assert_int_equal(sq_spool_commit(s, NULL), 0);
	assert_int_equal(sq_spool_state(s)->records, left);
	assert_int_equal(sq_spool_state(s)->cursor, cursor);
	assert_int_equal(sq_spool_reopen(s, true, &aside, NULL), 0);
}

static void what_is_taken_out_is_what_was_meant(void **state)
{
	for (unsigned bit = 0; bit < 64; bit += 3) {
		for (size_t i = 0; i < SQ_LEN(sizes); i++) {
			uint64_t key = sq_chunk_key(first_of(i), sizes[i]),
				 cursor = first_of(4) + 7;
			struct seen seen = { .at = cursor };
			char name[32], *dir;
			struct sq_spool *s;

			snprintf(name, sizeof(name), "spool-%u-%zu", bit, i);
			dir = scratch_path(*state, name);
			s = make(dir);
			spool_key_change(dir, key, key ^ 1ULL << bit, false);
			drop(s);
			trim(s, cursor);
			assert_int_equal(sq_spool_read(s, cursor, note, note_damaged, &seen, NULL),
			                 0);
			assert_int_equal(seen.whole, first_of(SQ_LEN(sizes)) - cursor);
			assert_int_equal(seen.damaged, 0);
			sq_spool_close(s);
			free(dir);
		}
	}
}

struct gap_case {
	uint64_t key;       /* in the place of the second chunk's */
	size_t n_more;      /* damaged as well: its sum, a length */
	uint64_t n_damaged; /* messages, where there are 5 */
	uint64_t first;     /* of these */
};

static const struct gap_case gap_cases[] = {
	/* What a key promises, there may be no room for in the chunk. */
	{ (FIRST + 6) << 8 | 60, 1, 5, FIRST + 94 },
	{ (FIRST + 6) << 8 | 5, 1, 5, FIRST + 6 },
	{ (FIRST + 6) << 8 | 4, 1, 5, FIRST + 94 },
	{ 7 << 8 | 5, 1, 5, FIRST + 94 },
	/* Without its lengths it is only known for how many it is too small. */
	{ (FIRST + 6) << 8 | 60, 2, 7, FIRST + 92 },
};

static struct sq_spool *make_gap(const char *dir)
{
	struct sq_spool *s = open_it(dir);

	assert_int_equal(sq_spool_begin(s, NULL), 0);
	put(s, FIRST, 4);
	put(s, FIRST + 4, 5);
	put(s, FIRST + 99, 10);
	put(s, FIRST + 109, 10);
	assert_int_equal(sq_spool_commit(s, NULL), 0);
	return s;
}

/* And the file is none that has to be set aside once that chunk is gone. */
static void what_is_damaged_beside_a_gap_counts_for_no_more_than_it_can_have(void **state)
{
	for (size_t i = 0; i < SQ_LEN(gap_cases); i++) {
		const struct gap_case *c = &gap_cases[i];
		struct seen seen = { .at = FIRST };
		char name[32], *dir;
		struct sq_err aside;
		struct sq_spool *s;
		uint64_t waiting;

		snprintf(name, sizeof(name), "spool-%zu", i);
		dir = scratch_path(*state, name);
		s = make_gap(dir);
		spool_chunk_change(dir, sq_chunk_key(FIRST + 4, 5), c->key, c->n_more);
		assert_int_equal(sq_spool_read(s, c->first, note, note_damaged, &seen, NULL), 0);
		assert_int_equal(seen.damaged, c->n_damaged);
		assert_int_equal(seen.whole, 20);
		assert_int_equal(sq_spool_begin(s, NULL), 0);
		assert_int_equal(sq_spool_trim(s, FIRST + 99, NULL), 0);
		assert_int_equal(sq_spool_commit(s, NULL), 0);
		assert_int_equal(sq_spool_state(s)->records, 25 - c->n_damaged);
		for (int again = 0; again < 2; again++) {
			bool told = c->n_damaged != 5 && !again;

			assert_int_equal(sq_spool_reopen(s, false, &aside, NULL), 0);
			assert_int_equal(aside.code, told);
			assert_true(!told || strstr(aside.text, "0 keys are wrong, and known; 20 "
			                                        "alerts are there, 18 were"));
			assert_int_equal(sq_spool_state(s)->records, 20);
			assert_int_equal(sq_spool_waiting(s, &waiting, NULL), 0);
			assert_int_equal(waiting, 20);
			assert_int_equal(sq_spool_begin(s, NULL), 0);
			assert_int_equal(sq_spool_commit(s, NULL), 0);
		}
		sq_spool_close(s);
		free(dir);
	}
}

/* Behind what was taken out nothing begins before the end of that. */
static void what_is_left_after_a_drop_is_behind_what_was_dropped(void **state)
{
	for (uint64_t from = FIRST; from < FIRST + 99; from++) {
		char name[32], *dir;
		struct sq_spool *s;
		struct seen seen = { .at = from };
		uint64_t n;

		if (from == FIRST + 9)
			from = FIRST + 90;
		snprintf(name, sizeof(name), "spool-%u", (unsigned)(from - FIRST));
		dir = scratch_path(*state, name);
		s = make_gap(dir);
		/* The third is none that is damaged in the fourth's way. */
		spool_chunk_change(dir, sq_chunk_key(FIRST + 4, 5), 7 << 8 | 5, 2);
		spool_chunk_change(dir, sq_chunk_key(FIRST + 99, 10), 9 << 8 | 5, 2);
		assert_int_equal(sq_spool_begin(s, NULL), 0);
		assert_int_equal(sq_spool_drop(s, from, 1, &n, NULL), 0);
		assert_int_equal(sq_spool_commit(s, NULL), 0);
		assert_int_equal(sq_spool_read(s, from, note, note_damaged, &seen, NULL), 0);
		assert_in_range(n, 0, FIRST + 119 - from);
		assert_in_range(seen.at, from, FIRST + 119);
		sq_spool_close(s);
		free(dir);
	}
}

static void odd_keys_that_are_known_are_no_reason_to_set_a_file_aside(void **state)
{
	char *dir = scratch_path(*state, "spool");
	uint64_t end = first_of(SQ_LEN(sizes));
	struct seen seen = { .at = FIRST };
	struct sq_spool *s = make(dir);
	struct sq_err aside;

	for (size_t i = 1; i < SQ_LEN(sizes); i += 2) {
		uint64_t key = sq_chunk_key(first_of(i), sizes[i]);

		spool_key_change(dir, key, key ^ 1ULL << (9 * i), false);
	}
	assert_int_equal(sq_spool_reopen(s, false, &aside, NULL), 0);
	assert_int_equal(aside.code, 1);
	assert_non_null(strstr(aside.text, "3 keys are wrong"));
	assert_read(s, FIRST, 0);
	trim(s, first_of(3));
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	put(s, end, 5);
	assert_int_equal(sq_spool_commit(s, NULL), 0);
	assert_int_equal(sq_spool_reopen(s, false, &aside, NULL), 0);
	assert_int_equal(aside.code, 1);
	assert_int_equal(sq_spool_read(s, FIRST, note, note_damaged, &seen, NULL), 0);
	assert_int_equal(seen.whole, end + 5 - first_of(3));
	sq_spool_close(s);
	free(dir);
}

/* The key of the spool's own record, and one of a chunk that says nothing of it. */
static void odd_keys_that_are_not_known_are_one(void **state)
{
	for (unsigned sum = 0; sum < 2; sum++) {
		char name[32], *dir;
		struct sq_err aside;
		struct sq_spool *s;

		snprintf(name, sizeof(name), "spool-%u", sum);
		dir = scratch_path(*state, name);
		s = make(dir);
		spool_key_change(dir, sq_chunk_key(first_of(2), sizes[2]), sum ? 77 : 0, sum);
		assert_int_equal(sq_spool_reopen(s, false, &aside, NULL), 0);
		assert_int_equal(aside.code, -EUCLEAN);
		sq_spool_close(s);
		free(dir);
	}
}

static void a_commit_of_what_is_too_long_is_over(void **state)
{
	char *dir = scratch_path(*state, "spool");
	struct sq_spool *s = make(dir);
	uint64_t end = first_of(SQ_LEN(sizes));
	struct sq_spool_record r = { .seq = end, .text = { "", 1 << 30 } };

	for (int i = 0; i < 2; i++) {
		assert_int_equal(sq_spool_begin(s, NULL), 0);
		assert_int_equal(sq_spool_put(s, &r, 1, NULL), -EMSGSIZE);
	}
	assert_read(s, FIRST, 0);
	sq_spool_close(s);
	free(dir);
}

/* Nothing can be put behind a key that is higher than all to come. */
static void a_last_key_that_is_too_high_is_put_right_for_what_comes(void **state)
{
	uint64_t last = first_of(SQ_LEN(sizes) - 1), n = sizes[SQ_LEN(sizes) - 1];
	uint64_t key = sq_chunk_key(last, n);

	for (unsigned bit = 0; bit < 64; bit += bit < 10 ? 1 : 6) {
		for (unsigned sum = 0; sum < 2; sum++) {
			struct seen seen = { .at = FIRST };
			char name[32], *dir;
			struct sq_spool *s;

			snprintf(name, sizeof(name), "spool-%u-%u", bit, sum);
			dir = scratch_path(*state, name);
			s = make(dir);
			spool_key_change(dir, key, key ^ 1ULL << bit, sum);
			assert_int_equal(sq_spool_begin(s, NULL), 0);
			put(s, last + n, 5);
			put(s, last + n + 5, 1);
			assert_int_equal(sq_spool_commit(s, NULL), 0);
			assert_int_equal(sq_spool_read(s, FIRST, note, note_damaged, &seen, NULL),
			                 0);
			assert_int_equal(seen.whole, last - FIRST + (sum ? 0 : n) + 6);
			assert_int_equal(seen.damaged, sum ? n : 0);
			if (key < (key ^ 1ULL << bit) && bit >= 8)
				assert_int_equal(sq_spool_verify(s, NULL), 0);
			sq_spool_close(s);
			free(dir);
		}
	}
}

static void behind_two_of_them_nothing_is_put(void **state)
{
	char *dir = scratch_path(*state, "spool");
	struct sq_spool *s = make(dir);
	uint64_t end = first_of(SQ_LEN(sizes));
	struct sq_spool_record r = { .seq = end, .text = SQ_SV("more") };
	struct sq_err aside;

	for (size_t i = SQ_LEN(sizes) - 2; i < SQ_LEN(sizes); i++) {
		uint64_t key = sq_chunk_key(first_of(i), sizes[i]);

		spool_key_change(dir, key, key ^ 1ULL << 60, false);
	}
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	assert_int_equal(sq_spool_put(s, &r, 1, NULL), -EUCLEAN);
	assert_int_equal(sq_spool_reopen(s, false, &aside, NULL), 0);
	assert_int_equal(aside.code, -EUCLEAN);
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	assert_int_equal(sq_spool_put(s, &r, 1, NULL), 0);
	assert_int_equal(sq_spool_commit(s, NULL), 0);
	sq_spool_close(s);
	free(dir);
}

/* The spool's own record is found by its key as well. */
static void a_file_without_its_own_record_is_not_new(void **state)
{
	char *dir = scratch_path(*state, "spool"), *path = scratch_path(dir, "data.mdb"),
	     page[4096];
	struct sq_spool *s = make(dir);
	struct sq_err aside;
	int fd = open(path, O_RDWR | O_CLOEXEC), n = 0;

	/* The node whose value is the state: key, sum, version, cursor, next. */
	for (off_t at = 8192; pread(fd, page, sizeof(page), at) == sizeof(page);
	     at += sizeof(page)) {
		const uint64_t want[] = { CURSOR, first_of(SQ_LEN(sizes)) };
		char *hit = memmem(page, sizeof(page), want, sizeof(want));

		if (!hit)
			continue;
		assert_int_equal(pwrite(fd, "\x01", 1, at + (hit - page) - 24), 1);
		n++;
	}
	assert_true(n > 0);
	close(fd);
	assert_read(s, FIRST, 0);
	assert_int_equal(sq_spool_reopen(s, true, &aside, NULL), 0);
	assert_int_equal(aside.code, -EUCLEAN);
	sq_spool_close(s);
	free(path);
	free(dir);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_bit_of_a_key_costs_nothing),
		TEST(a_key_of_anything_costs_nothing),
		TEST(what_is_damaged_with_its_key_is_counted_and_all_else_comes),
		TEST(what_is_taken_out_is_what_was_meant),
		TEST(what_is_damaged_beside_a_gap_counts_for_no_more_than_it_can_have),
		TEST(what_is_left_after_a_drop_is_behind_what_was_dropped),
		TEST(odd_keys_that_are_known_are_no_reason_to_set_a_file_aside),
		TEST(odd_keys_that_are_not_known_are_one),
		TEST(a_commit_of_what_is_too_long_is_over),
		TEST(a_last_key_that_is_too_high_is_put_right_for_what_comes),
		TEST(behind_two_of_them_nothing_is_put),
		TEST(a_file_without_its_own_record_is_not_new),
	};

	return cmocka_run_group_tests_name("host/spool-keys", tests, NULL, NULL);
}
