/* The cursor beside the spool's file: what it says counts without a commit, if it can be believed.
 */
#include "tests/unit/host/spool_mark.h"

static void the_newest_counts(void **state)
{
	const uint64_t cursors[] = { 3, 5, 8 };

	leave(state, cursors, SQ_LEN(cursors));
	assert_found(state, 8, 10);
}

static void what_was_delivered_and_never_written_keeps_its_number(void **state)
{
	const uint64_t cursors[] = { 25 };

	leave(state, cursors, SQ_LEN(cursors));
	assert_found(state, 25, 25);
}

/* The other place has the one before. */
static void of_one_that_was_being_written_the_other_counts(void **state)
{
	const uint64_t cursors[] = { 3, 5, 8, 9 };

	leave(state, cursors, SQ_LEN(cursors)); /* the newest is in the second place */
	for (size_t at = 0; at < PLACE_BYTES; at++) {
		change(state, PLACE_BYTES + at, false);
		assert_found(state, 8, 10);
		change(state, PLACE_BYTES + at, false);
	}
	assert_found(state, 9, 10);
}

static void what_cannot_be_read_is_not_believed(void **state)
{
	const uint64_t cursors[] = { 3, 5 };

	leave(state, cursors, SQ_LEN(cursors));
	change(state, 3, false);
	change(state, PLACE_BYTES + 3, false);
	assert_found(state, 1, 10);
	change(state, PLACE_BYTES + 3, false);
	assert_found(state, 5, 10);
	change(state, PLACE_BYTES, true);
	assert_found(state, 1, 10);
	change(state, 0, true);
	assert_found(state, 1, 10);
}

static void who_is_killed_again_and_again_goes_on_where_it_was(void **state)
{
	const uint64_t cursors[] = { 3, 25 };

	leave(state, cursors, SQ_LEN(cursors));
	for (uint64_t i = 25; i < 30; i++) {
		struct sq_spool *s = begin(state, "run");

		assert_int_equal(sq_spool_state(s)->cursor, i);
		assert_int_equal(files_in(state, "run"), 1); /* in place of that before */
		sq_spool_mark(s, i + 1);
		sq_spool_close(s);
		assert_found(state, i + 1, i + 1);
	}
}

static void when_a_commit_has_said_it_nothing_is_left_there(void **state)
{
	struct sq_spool *s;

	scratch_folder(*state, "run");
	s = begin(state, "run");
	commit(s, 1, 10);
	sq_spool_mark(s, 10);
	assert_true(leads_anywhere(state));
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	assert_int_equal(sq_spool_trim(s, 10, NULL), 0);
	assert_int_equal(sq_spool_commit(s, NULL), 0);
	sq_spool_close(s);
	assert_int_equal(files_in(state, "run"), 0);
	assert_false(leads_anywhere(state));
	assert_found(state, 10, 10);
}

/* The machine was started anew, or it is another one: only what is committed is known. */
static void where_that_memory_is_not_the_last_commit_counts(void **state)
{
	const uint64_t cursors[] = { 3, 8 };

	leave(state, cursors, SQ_LEN(cursors));
	move(state, "run", "elsewhere");
	assert_found(state, 1, 10);
	scratch_folder(*state, "run");
	sq_spool_close(begin(state, "run"));
	assert_found(state, 1, 10);
}

/* Messages that came there have numbers that were delivered here, and were not. */
static void what_was_said_before_others_went_on_does_not_count(void **state)
{
	const uint64_t cursors[] = { 3, 25 };
	struct sq_spool *s;

	leave(state, cursors, SQ_LEN(cursors));
	move(state, "run", "here");
	move(state, "spool/cursor", "cursor-here");
	scratch_folder(*state, "there");
	s = begin(state, "there");
	commit(s, 10, 20);
	sq_spool_mark(s, 4);
	sq_spool_close(s);
	move(state, "spool/cursor", "cursor-there");
	move(state, "cursor-here", "spool/cursor");
	move(state, "here", "run");
	assert_found(state, 1, 20);
	move(state, "cursor-there", "spool/cursor");
	assert_found(state, 4, 20);
}

/* As when one was set aside, or brought from elsewhere. */
static void what_was_said_of_another_file_does_not_count(void **state)
{
	const uint64_t cursors[] = { 3, 5 };
	struct sq_spool *s;

	leave(state, cursors, SQ_LEN(cursors));
	move(state, "spool/data.mdb", "aside");
	s = open_it(state, false);
	assert_int_equal(sq_spool_state(s)->cursor, 1);
	commit(s, 1, 4);
	sq_spool_close(s);
	assert_found(state, 1, 4);
}

/* A tool that empties the spool while nobody writes notes nothing. */
static void who_has_no_place_for_it_marks_nothing(void **state)
{
	const uint64_t cursors[] = { 3, 5 };
	struct sq_spool *s;

	leave(state, cursors, SQ_LEN(cursors));
	s = open_it(state, false);
	commit(s, 10, 12);
	sq_spool_mark(s, 9);
	sq_spool_close(s);
	assert_found(state, 5, 12);
	assert_int_equal(files_in(state, "run"), 1);
}

static void where_there_is_no_room_for_it_is_told(void **state)
{
	struct sq_spool *s = open_it(state, false);
	char *nowhere = scratch_path(*state, "nowhere"), *run = scratch_path(*state, "run");
	struct sq_err err = { 0 };

	commit(s, 1, 3);
	assert_int_equal(sq_spool_open_mark(s, nowhere, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere: "));
	assert_int_equal(sq_spool_open_mark(s, "run", &err), -EINVAL); /* from where? */
	scratch_folder(*state, "run");
	scratch_folder(*state, "spool/cursor"); /* which cannot be replaced */
	assert_true(sq_spool_open_mark(s, run, &err) < 0);
	assert_int_equal(files_in(state, "run"), 0);
	sq_spool_mark(s, 2);
	sq_spool_close(s);
	assert_found(state, 1, 3);
	free(nowhere);
	free(run);
}

/* An older squiblyd had a file there; and a link may lead anywhere. */
static void what_is_not_ours_is_neither_believed_nor_removed(void **state)
{
	char *path = scratch_file(*state, "theirs",
	                          "somebody's, and longer than two places for a cursor");
	char *was = scratch_path(*state, "spool/cursor");

	scratch_folder(*state, "run");
	scratch_folder(*state, "spool");
	scratch_link(*state, path, "spool/cursor");
	sq_spool_close(begin(state, "run"));
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(rename(path, was), 0);
	sq_spool_close(begin(state, "run"));
	assert_found(state, 1, 1);
	assert_int_equal(files_in(state, "run"), 0);
	free(path);
	free(was);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_newest_counts),
		TEST(what_was_delivered_and_never_written_keeps_its_number),
		TEST(of_one_that_was_being_written_the_other_counts),
		TEST(what_cannot_be_read_is_not_believed),
		TEST(who_is_killed_again_and_again_goes_on_where_it_was),
		TEST(when_a_commit_has_said_it_nothing_is_left_there),
		TEST(where_that_memory_is_not_the_last_commit_counts),
		TEST(what_was_said_before_others_went_on_does_not_count),
		TEST(what_was_said_of_another_file_does_not_count),
		TEST(who_has_no_place_for_it_marks_nothing),
		TEST(where_there_is_no_room_for_it_is_told),
		TEST(what_is_not_ours_is_neither_believed_nor_removed),
	};

	return cmocka_run_group_tests_name("host/spool_mark", tests, NULL, NULL);
}
