/* The cursor beside the spool's file: what it says counts without a commit, if it can be believed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "lib/host/spool.h"
#include "tests/unit/host/scratch.h"

enum { PLACE_BYTES = 24 };

static struct sq_spool *open_it(void **state, bool read_only)
{
	char *dir = scratch_path(*state, "spool");
	const struct sq_spool_opts o = { .dir = dir, .size = 1 << 20, .read_only = read_only };
	struct sq_err aside, err = { 0 };
	struct sq_spool *s = NULL;

	if (sq_spool_open(&o, &s, &aside, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(aside.code, 0);
	free(dir);
	return s;
}

static void put(struct sq_spool *s, uint64_t first, uint64_t end)
{
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	for (uint64_t i = first; i < end; i++) {
		struct sq_spool_record r = { .seq = i, .text = SQ_SV("text") };

		assert_int_equal(sq_spool_put(s, &r, 1, NULL), 0);
	}
	assert_int_equal(sq_spool_commit(s, NULL), 0);
}

/* A process that has delivered so much and did not come to say so to the file. */
static void leave(void **state, const uint64_t *cursors, size_t n)
{
	struct sq_spool *s = open_it(state, false);

	put(s, 1, 10);
	for (size_t i = 0; i < n; i++)
		sq_spool_mark(s, cursors[i]);
	assert_int_equal(sq_spool_state(s)->cursor, 1);
	sq_spool_close(s);
}

static void assert_found(void **state, uint64_t cursor, uint64_t next)
{
	for (int read_only = 1; read_only >= 0; read_only--) {
		struct sq_spool *s = open_it(state, read_only);

		assert_int_equal(sq_spool_state(s)->cursor, cursor);
		assert_int_equal(sq_spool_state(s)->next, next);
		sq_spool_close(s);
	}
}

/* Change a byte of a place, or make the file as long as that. */
static void change(void **state, size_t at, bool cut)
{
	char *path = scratch_path(*state, "spool/cursor"), byte;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (cut) {
		assert_int_equal(ftruncate(fd, (off_t)at), 0);
	} else {
		assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
		byte ^= 4;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	}
	close(fd);
	free(path);
}

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

/* It goes on in the place that is older, also after a restart. */
static void of_one_that_was_being_written_the_other_counts(void **state)
{
	const uint64_t cursors[] = { 3, 5, 8 };
	struct sq_spool *s;

	leave(state, cursors, SQ_LEN(cursors)); /* the newest is in the first place */
	s = open_it(state, false);
	sq_spool_mark(s, 9);
	sq_spool_close(s);
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

/* As when one was set aside, or brought from elsewhere. */
static void what_was_said_of_another_file_does_not_count(void **state)
{
	const uint64_t cursors[] = { 3, 5 };
	char *path = scratch_path(*state, "spool/data.mdb");
	char *aside = scratch_path(*state, "spool/aside");
	struct sq_spool *s;

	leave(state, cursors, SQ_LEN(cursors));
	assert_int_equal(rename(path, aside), 0);
	s = open_it(state, false);
	assert_int_equal(sq_spool_state(s)->cursor, 1);
	put(s, 1, 4);
	sq_spool_mark(s, 2);
	sq_spool_close(s);
	assert_found(state, 2, 4);
	free(path);
	free(aside);
}

static void what_is_no_file_of_ours_is_refused(void **state)
{
	char *dir = scratch_path(*state, "spool");
	const struct sq_spool_opts o = { .dir = dir, .size = 1 << 20 };
	struct sq_err aside, err = { 0 };
	struct sq_spool *s;

	scratch_folder(*state, "spool");
	scratch_link(*state, "/etc/passwd", "spool/cursor");
	assert_int_equal(sq_spool_open(&o, &s, &aside, &err), -ELOOP);
	assert_non_null(strstr(err.text, "spool/cursor: "));
	free(dir);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_newest_counts),
		TEST(what_was_delivered_and_never_written_keeps_its_number),
		TEST(of_one_that_was_being_written_the_other_counts),
		TEST(what_cannot_be_read_is_not_believed),
		TEST(what_was_said_of_another_file_does_not_count),
		TEST(what_is_no_file_of_ours_is_refused),
	};

	return cmocka_run_group_tests_name("host/spool_mark", tests, NULL, NULL);
}
