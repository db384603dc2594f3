/* What a spool says of itself: of other versions, of numbers that cannot be, and of a file that is
 * another one than that which was open. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/host/spool_chunk.h"
#include "tests/unit/host/scratch.h"
#include "tests/unit/host/spool_value.h"

enum { WORDS = 8 }; /* sum, version, cursor, next, records, writer; and what may come */

static int try_open(void **state, const char *name, bool read_only, struct sq_spool **ret,
                    struct sq_err *aside, struct sq_err *err)
{
	char *dir = scratch_path(*state, name);
	const struct sq_spool_opts o = { .dir = dir, .size = 1 << 20, .read_only = read_only };
	int r = sq_spool_open(&o, ret, aside, err);

	free(dir);
	return r;
}

static struct sq_spool *open_it(void **state, const char *name)
{
	struct sq_err aside, err = { 0 };
	struct sq_spool *s = NULL;

	if (try_open(state, name, false, &s, &aside, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(aside.code, 0);
	return s;
}

static void commit(struct sq_spool *s, uint64_t first, uint64_t end)
{
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	for (uint64_t i = first; i < end; i++) {
		struct sq_spool_record r = { .seq = i, .text = SQ_SV("text") };

		assert_int_equal(sq_spool_put(s, &r, 1, NULL), 0);
	}
	assert_int_equal(sq_spool_commit(s, NULL), 0);
}

static void fill(void **state, const char *name, uint64_t first, uint64_t end)
{
	struct sq_spool *s = open_it(state, name);

	commit(s, first, end);
	sq_spool_close(s);
}

/* Replace the state by these words; the first is made their sum, if it is 0. */
static void put_state(void **state, const char *name, uint64_t words[WORDS], size_t n)
{
	char *dir = scratch_path(*state, name);

	if (!words[0])
		words[0] = sq_chunk_sum(0, (struct sq_sv){ (const char *)&words[1],
		                                           (n - 1) * sizeof(*words) });
	spool_put_value(dir, 0, words, n * sizeof(*words));
	free(dir);
}

static unsigned files_aside(void **state)
{
	char *folder = scratch_path(*state, "spool");
	DIR *d = opendir(folder);
	unsigned n = 0;

	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d));)
		n += strstr(e->d_name, "damaged-") != NULL;
	closedir(d);
	free(folder);
	return n;
}

static void assert_next(void **state, uint64_t cursor, uint64_t next)
{
	struct sq_spool *s = open_it(state, "spool");

	assert_int_equal(sq_spool_state(s)->cursor, cursor);
	assert_int_equal(sq_spool_state(s)->next, next);
	sq_spool_close(s);
}

/* ---- versions ------------------------------------------------------------------------------- */

/* Its state was the same but for who has written it. */
static void what_was_written_before_openings_had_numbers_is_read(void **state)
{
	uint64_t older[WORDS] = { 0, 2, 4, 10, 6 };
	struct sq_spool *s;

	fill(state, "spool", 4, 10);
	put_state(state, "spool", older, 5);
	assert_next(state, 4, 10);
	s = open_it(state, "spool");
	commit(s, 10, 12);
	sq_spool_close(s);
	assert_next(state, 4, 12);
}

static void what_a_later_version_wrote_is_refused_and_left_as_it_is(void **state)
{
	static const size_t lengths[] = { 2, 4, 5, 6, 8 };
	uint64_t ours[WORDS] = { 0, 3, 1, 10, 9, 77 };

	fill(state, "spool", 1, 10);
	for (size_t i = 0; i < SQ_LEN(lengths); i++) {
		uint64_t later[WORDS] = { 0, 4 + i, 1, 10, 9, 77, 1, 2 };

		put_state(state, "spool", later, lengths[i]);
		for (int read_only = 0; read_only < 2; read_only++) {
			struct sq_err aside = { 0 }, err = { 0 };
			struct sq_spool *s = NULL;

			assert_true(try_open(state, "spool", read_only, &s, &aside, &err) < 0);
			assert_non_null(strstr(err.text, "a later squiblyd has written it"));
			assert_int_equal(aside.code, 0);
		}
	}
	assert_int_equal(files_aside(state), 0);
	put_state(state, "spool", ours, 6);
	assert_next(state, 1, 10);
}

/* Without a good sum it says nothing, and what cannot be is damage too. */
static void what_only_looks_so_is_damaged(void **state)
{
	static const uint64_t rows[][WORDS] = {
		{ 1, 4, 1, 10, 9, 77 },                  /* its sum is wrong */
		{ 0, 2, 1, 10, 9, 77 },                  /* of another length */
		{ 0, 3, 1, SQ_CHUNK_SEQ_END, 9, 77 },    /* keys have no room for it */
		{ 0, 3, UINT64_MAX, UINT64_MAX, 9, 77 }, /* nor for these */
		{ 0, 3, 11, 10, 9, 77 },
	};

	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		struct sq_err aside = { 0 }, err = { 0 };
		uint64_t words[WORDS];
		struct sq_spool *s = NULL;

		memcpy(words, rows[i], sizeof(words));
		fill(state, "spool", 1, 10);
		put_state(state, "spool", words, 6);
		if (try_open(state, "spool", false, &s, &aside, &err) < 0)
			fail_msg("%zu: %s", i, err.text);
		assert_int_equal(aside.code, -EUCLEAN);
		assert_int_equal(files_aside(state), i + 1);
		sq_spool_close(s);
	}
}

/* ---- another file than that which was open ----------------------------------------------------
 */

static void move(void **state, const char *from, const char *to)
{
	char *a = scratch_path(*state, from), *b = scratch_path(*state, to);

	assert_int_equal(rename(a, b), 0);
	free(a);
	free(b);
}

static void assert_refused(struct sq_spool *s)
{
	for (int trusted = 0; trusted < 2; trusted++) {
		struct sq_err aside = { 0 }, err = { 0 };

		assert_int_equal(sq_spool_reopen(s, trusted, &aside, &err), -ESTALE);
		assert_non_null(strstr(err.text, "spool: data.mdb was exchanged"));
		assert_int_equal(aside.code, 0);
		assert_int_equal(sq_spool_state(s)->next, 10); /* as it was */
	}
}

static void the_file_of_another_opening_is_told_and_not_used(void **state)
{
	static const uint64_t ends[] = { 3, 10, 40 }; /* whatever its numbers are */
	struct sq_spool *s = open_it(state, "spool");
	struct sq_err aside, err = { 0 };

	commit(s, 1, 10);
	move(state, "spool/data.mdb", "ours");
	for (size_t i = 0; i < SQ_LEN(ends); i++) {
		fill(state, "other", 1, ends[i]);
		move(state, "other/data.mdb", "spool/data.mdb");
		assert_refused(s);
		assert_int_equal(files_aside(state), 0);
	}
	move(state, "ours", "spool/data.mdb");
	if (sq_spool_reopen(s, true, &aside, &err) < 0)
		fail_msg("%s", err.text);
	commit(s, 10, 12);
	sq_spool_close(s);
	assert_next(state, 1, 12);
}

static void numbers_that_we_never_gave_are_told(void **state)
{
	struct sq_spool *s = open_it(state, "spool");
	struct sq_err aside;
	uint64_t words[WORDS] = { 0, 3, 1, 11, 9 };

	commit(s, 1, 10);
	words[5] = sq_spool_state(s)->writer;
	fill(state, "other", 1, 10);
	put_state(state, "other", words, 6);
	move(state, "spool/data.mdb", "ours");
	move(state, "other/data.mdb", "spool/data.mdb");
	assert_refused(s);
	words[0] = 0;
	words[3] = 10;
	fill(state, "another", 1, 10);
	put_state(state, "another", words, 6);
	move(state, "another/data.mdb", "spool/data.mdb");
	assert_int_equal(sq_spool_reopen(s, true, &aside, NULL), 0);
	sq_spool_close(s);
}

/* As it is when there is none any more, or before the first commit. */
static void one_that_is_empty_or_was_there_before_is_used(void **state)
{
	char *path = scratch_path(*state, "spool/data.mdb");
	struct sq_err aside;
	struct sq_spool *s;

	fill(state, "spool", 1, 10);
	s = open_it(state, "spool");
	assert_int_equal(sq_spool_reopen(s, true, &aside, NULL), 0);
	assert_int_equal(sq_spool_reopen(s, false, &aside, NULL), 0);
	commit(s, 10, 12);
	assert_int_equal(sq_spool_reopen(s, true, &aside, NULL), 0);
	assert_int_equal(sq_spool_state(s)->next, 12);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sq_spool_reopen(s, true, &aside, NULL), 0);
	assert_int_equal(sq_spool_state(s)->next, 1);
	sq_spool_close(s);
	free(path);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_before_openings_had_numbers_is_read),
		TEST(what_a_later_version_wrote_is_refused_and_left_as_it_is),
		TEST(what_only_looks_so_is_damaged),
		TEST(the_file_of_another_opening_is_told_and_not_used),
		TEST(numbers_that_we_never_gave_are_told),
		TEST(one_that_is_empty_or_was_there_before_is_used),
	};

	return cmocka_run_group_tests_name("host/spool_state", tests, NULL, NULL);
}
