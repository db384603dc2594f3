/* The cursor beside the spool's file where others are on the machine: what they may have written is
 * not believed, and what is not ours is left.
 */
#include <sys/sendfile.h>

#include "lib/host/spool_chunk.h"
#include "tests/unit/host/spool_mark.h"

static char *note_path(void **state)
{
	char *link = scratch_path(*state, "spool/cursor"), to[4096];
	ssize_t n = readlink(link, to, sizeof(to) - 1);

	assert_true(n > 0);
	to[n] = '\0';
	free(link);
	return strdup(to);
}

static void what_others_may_write_is_not_believed(void **state)
{
	static const struct {
		mode_t mode;
		bool believed;
	} rows[] = { { 0620, false }, { 0602, false }, { 0666, false },
		     { 0644, true },  { 0400, true },  { 0600, true } };
	const uint64_t cursors[] = { 3, 8 };
	char *note;

	leave(state, cursors, SQ_LEN(cursors));
	note = note_path(state);
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		assert_int_equal(chmod(note, rows[i].mode), 0);
		assert_found(state, rows[i].believed ? 8 : 1, 10);
	}
	free(note);
}

/* Root's tool reads what the daemon's user wrote, and root's daemon not what anybody did. */
static void what_another_user_wrote_is_not_believed(void **state)
{
	const uint64_t cursors[] = { 3, 8 };
	char *note, *data = scratch_path(*state, "spool/data.mdb");

	if (geteuid() != 0) {
		free(data);
		skip(); /* nobody else gives files away */
	}
	leave(state, cursors, SQ_LEN(cursors));
	note = note_path(state);
	assert_int_equal(chown(note, 65534, 65534), 0);
	assert_found(state, 1, 10);
	assert_int_equal(chown(data, 65534, 65534), 0);
	assert_found(state, 8, 10);
	assert_int_equal(chown(note, 0, 0), 0);
	assert_found(state, 1, 10);
	free(note);
	free(data);
}

static void what_is_no_file_of_that_length_is_not_believed(void **state)
{
	const uint64_t cursors[] = { 3, 8 };
	char *note, *kept;

	leave(state, cursors, SQ_LEN(cursors));
	note = note_path(state);
	move(state, "run", "kept");
	scratch_folder(*state, "run");
	assert_true(asprintf(&kept, "%s/kept/%s", (char *)*state, strrchr(note, '/') + 1) > 0);
	assert_int_equal(symlink(kept, note), 0);
	assert_found(state, 1, 10);
	assert_int_equal(unlink(note), 0);
	assert_int_equal(mkfifo(note, 0600), 0); /* which nobody waits for */
	assert_found(state, 1, 10);
	assert_int_equal(unlink(note), 0);
	assert_int_equal(mkdir(note, 0700), 0);
	assert_found(state, 1, 10);
	assert_int_equal(rmdir(note), 0);
	assert_int_equal(rename(kept, note), 0);
	assert_found(state, 8, 10);
	change(state, 4095, true);
	assert_found(state, 1, 10);
	free(note);
	free(kept);
}

/* Keys have no room for such numbers. */
static void a_number_that_no_message_can_have_is_not_believed(void **state)
{
	const uint64_t cursors[] = { SQ_CHUNK_SEQ_END, UINT64_MAX },
		       last[] = { SQ_CHUNK_SEQ_END - 1 };
	const uint64_t other[] = { 5, SQ_CHUNK_SEQ_END };

	leave(state, cursors, SQ_LEN(cursors));
	assert_found(state, 1, 10);
	scratch_teardown(state);
	scratch_setup(state);
	leave(state, other, SQ_LEN(other));
	assert_found(state, 5, 10);
	scratch_teardown(state);
	scratch_setup(state);
	leave(state, last, SQ_LEN(last));
	assert_found(state, last[0], last[0]);
}

/* ---- a folder where others may write as well ------------------------------------------------ */

static char *own_name(const char *in)
{
	char *name;

	assert_true(asprintf(&name, "%s/squiblyd-%u", in, (unsigned)geteuid()) > 0);
	return name;
}

static void open_for_all(void **state)
{
	char *run = scratch_path(*state, "run");

	scratch_folder(*state, "run");
	assert_int_equal(chmod(run, 01777), 0);
	free(run);
}

static void in_a_folder_for_all_there_is_one_of_our_own(void **state)
{
	char *own = own_name("run"), *path = scratch_path(*state, own);
	struct stat st;

	open_for_all(state);
	for (uint64_t i = 1; i < 4; i++) {
		struct sq_spool *s = begin(state, "run");

		assert_int_equal(sq_spool_state(s)->cursor, i);
		assert_int_equal(lstat(path, &st), 0);
		assert_true(S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0700);
		assert_int_equal(files_in(state, "run"), 1);
		assert_int_equal(files_in(state, own), 1);
		sq_spool_mark(s, i + 1);
		sq_spool_close(s);
		assert_found(state, i + 1, i + 1);
	}
	free(own);
	free(path);
}

static void assert_not_noted(void **state)
{
	struct sq_spool *s = open_it(state, false);
	char *run = scratch_path(*state, "run");
	struct sq_err err = { 0 };

	commit(s, 0, 0);
	assert_true(sq_spool_open_mark(s, run, &err) < 0);
	assert_non_null(strstr(err.text, "run/squiblyd-"));
	assert_false(leads_anywhere(state));
	sq_spool_mark(s, 7);
	commit(s, 0, 0);
	sq_spool_close(s);
	free(run);
}

static void one_that_is_not_ours_alone_is_not_used(void **state)
{
	static const mode_t modes[] = { 0755, 0770, 0701 };
	char *own = own_name("run"), *path = scratch_path(*state, own);

	open_for_all(state);
	scratch_folder(*state, "elsewhere");
	scratch_link(*state, "../elsewhere", own);
	assert_not_noted(state);
	assert_int_equal(unlink(path), 0);
	free(scratch_file(*state, own, "a file"));
	assert_not_noted(state);
	assert_int_equal(unlink(path), 0);
	scratch_folder(*state, own);
	for (size_t i = 0; i < SQ_LEN(modes); i++) {
		assert_int_equal(chmod(path, modes[i]), 0);
		assert_not_noted(state);
	}
	assert_int_equal(chmod(path, 0700), 0);
	if (geteuid() == 0) { /* nobody else gives folders away */
		assert_int_equal(chown(path, 65534, 65534), 0);
		assert_not_noted(state);
		assert_int_equal(chown(path, 0, 0), 0);
	}
	assert_int_equal(files_in(state, own), 0);
	sq_spool_close(begin(state, "run"));
	free(own);
	free(path);
}

/* ---- what is removed ------------------------------------------------------------------------ */

/* Its messages, and its link. */
static void copy_spool(void **state, const char *to)
{
	char *from = scratch_path(*state, "spool/data.mdb"), *note = note_path(state);
	char *messages, *link;
	int in = open(from, O_RDONLY | O_CLOEXEC), out;

	scratch_folder(*state, to);
	assert_true(asprintf(&messages, "%s/%s/data.mdb", (char *)*state, to) > 0);
	assert_true(asprintf(&link, "%s/cursor", to) > 0);
	out = open(messages, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (sendfile(out, in, NULL, 1 << 20) > 0)
		;
	close(in);
	close(out);
	scratch_link(*state, note, link);
	free(from);
	free(note);
	free(messages);
	free(link);
}

static void a_copy_leaves_the_original_what_it_has(void **state)
{
	const uint64_t cursors[] = { 3, 8 };
	struct sq_spool *s;

	leave(state, cursors, SQ_LEN(cursors));
	copy_spool(state, "copy");
	move(state, "spool", "original");
	move(state, "copy", "spool");
	s = begin(state, "run");
	assert_int_equal(files_in(state, "run"), 2);
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	assert_int_equal(sq_spool_trim(s, 10, NULL), 0);
	assert_int_equal(sq_spool_commit(s, NULL), 0);
	sq_spool_close(s);
	assert_int_equal(files_in(state, "run"), 1);
	move(state, "spool", "copy");
	move(state, "original", "spool");
	assert_found(state, 8, 10);
}

static void who_was_killed_before_the_link_was_there_leaves_nothing(void **state)
{
	const uint64_t cursors[] = { 3, 8 };
	char *link = scratch_path(*state, "spool/cursor");

	leave(state, cursors, SQ_LEN(cursors));
	free(scratch_file(*state, "run/squiblyd-spool-theirs", "another's"));
	assert_int_equal(unlink(link), 0);
	assert_int_equal(files_in(state, "run"), 2);
	sq_spool_close(begin(state, "run"));
	assert_int_equal(files_in(state, "run"), 1);
	free(link);
}

static void that_in_another_folder_is_removed_as_well(void **state)
{
	const uint64_t cursors[] = { 3, 8 };
	struct sq_spool *s;

	leave(state, cursors, SQ_LEN(cursors));
	scratch_folder(*state, "other");
	s = begin(state, "other");
	assert_int_equal(files_in(state, "run"), 0);
	assert_int_equal(files_in(state, "other"), 1);
	sq_spool_close(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_others_may_write_is_not_believed),
		TEST(what_another_user_wrote_is_not_believed),
		TEST(what_is_no_file_of_that_length_is_not_believed),
		TEST(a_number_that_no_message_can_have_is_not_believed),
		TEST(in_a_folder_for_all_there_is_one_of_our_own),
		TEST(one_that_is_not_ours_alone_is_not_used),
		TEST(a_copy_leaves_the_original_what_it_has),
		TEST(who_was_killed_before_the_link_was_there_leaves_nothing),
		TEST(that_in_another_folder_is_removed_as_well),
	};

	return cmocka_run_group_tests_name("host/spool_forged", tests, NULL, NULL);
}
