/* A disk that is full in the middle of a line, and what SIGHUP makes of the line then. */
#include "tests/support/test.h"

#include <errno.h>

#include "tests/support/file_world.h"

/* The disk is full when it has taken so many bytes; < 0: it never is. What else it says, it says
 * once. */
static _Atomic long room = -1;
static _Atomic int says = ENOSPC;

ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
	if (room < 0 || fd <= STDERR_FILENO)
		return __real_write(fd, p, n);
	if (room == 0) {
		errno = says;
		room = says == ENOSPC ? 0 : -1;
		return -1;
	}
	n = n < (size_t)room ? n : (size_t)room;
	room -= (long)n;
	return __real_write(fd, p, n);
}

/* The disk is full in the middle of the third line. */
static void begin_line(struct world *w)
{
	room = sizeof("one\ntwo\nth") - 1;
	assert_int_equal(send_text(w, SQ_SV("one\ntwo\nthree\n")), 0);
	run_until(&w->loop, is_failing, w);
	assert_int_equal(room, 0);
	assert_int_equal(w->sent, 0);
	room = -1;
}

static void end_lines(struct world *w)
{
	w->out->ops->reopen(w->out);
	run_until(&w->loop, is_sent, w);
	assert_int_equal(w->status, 0);
}

static void a_line_that_was_begun_is_whole_when_its_file_is_opened_anew(void **state SQ_UNUSED)
{
	struct world w;

	make(&w, &sqd_output_file);
	start(&w);
	begin_line(&w);
	expect_file(w.path, "one\ntwo\nth");
	end_lines(&w);
	expect_file(w.path, "one\ntwo\nthree\n");
	write_text(&w, SQ_SV("four\n"));
	expect_file(w.path, "one\ntwo\nthree\nfour\n");
	end(&w);
}

static void a_line_that_was_begun_is_in_the_new_file_alone(void **state)
{
	bool sync = *state != NULL;
	char old[128];
	struct world w;

	make(&w, &sqd_output_file);
	w.cfg.sync = sync;
	start(&w);
	snprintf(old, sizeof(old), "%s.1", w.path);
	begin_line(&w);
	assert_int_equal(rename(w.path, old), 0);
	end_lines(&w);
	expect_file(old, "one\ntwo\n");
	expect_file(w.path, "three\n");
	end(&w);
}

/* Then nothing of the file is ours to take back. */
static void a_line_that_was_begun_stays_when_somebody_has_written_behind_it(void **state SQ_UNUSED)
{
	char old[128];
	struct world w;
	int fd;

	make(&w, &sqd_output_file);
	start(&w);
	snprintf(old, sizeof(old), "%s.1", w.path);
	begin_line(&w);
	fd = open(w.path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "!\n", 2), 2);
	close(fd);
	assert_int_equal(rename(w.path, old), 0);
	end_lines(&w);
	expect_file(old, "one\ntwo\nth!\n");
	expect_file(w.path, "three\n");
	end(&w);
}

/* It cannot be opened anew: the old one goes on, and so does the line. */
static void a_line_that_was_begun_is_whole_where_no_new_file_can_be(void **state SQ_UNUSED)
{
	char old[128];
	struct world w;

	make(&w, &sqd_output_file);
	start(&w);
	snprintf(old, sizeof(old), "%s.1", w.path);
	begin_line(&w);
	assert_int_equal(rename(w.path, old), 0);
	assert_int_equal(mkdir(w.path, 0700), 0);
	end_lines(&w);
	expect_file(old, "one\ntwo\nthree\n");
	assert_int_equal(rmdir(w.path), 0);
	end(&w);
}

static void a_line_that_was_begun_in_a_fifo_goes_on_there(void **state SQ_UNUSED)
{
	char got[64] = "";
	struct world w;
	int fd;

	make_fifo(&w);
	fd = open(w.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	start(&w);
	begin_line(&w);
	end_lines(&w);
	assert_true(read(fd, got, sizeof(got) - 1) > 0);
	assert_string_equal(got, "one\ntwo\nthree\n");
	close(fd);
	end(&w);
}

/* As NFS says it when somebody else has removed the file. */
static void a_file_that_the_server_knows_no_more_is_made_anew(void **state SQ_UNUSED)
{
	char old[128];
	struct world w;

	make(&w, &sqd_output_file);
	start(&w);
	snprintf(old, sizeof(old), "%s.1", w.path);
	assert_int_equal(rename(w.path, old), 0);
	room = sizeof("one\ntw") - 1;
	says = ESTALE;
	assert_int_equal(send_text(&w, SQ_SV("one\ntwo\n")), 0);
	run_until(&w.loop, is_sent, &w);
	says = ENOSPC;
	assert_int_equal(w.status, 0);
	assert_int_equal(w.out->outage.failures, 0);
	expect_file(w.path, "one\ntwo\n");
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_that_was_begun_is_whole_when_its_file_is_opened_anew),
		cmocka_unit_test(a_line_that_was_begun_is_in_the_new_file_alone),
		cmocka_unit_test_prestate(a_line_that_was_begun_is_in_the_new_file_alone, &room),
		cmocka_unit_test(a_line_that_was_begun_stays_when_somebody_has_written_behind_it),
		cmocka_unit_test(a_line_that_was_begun_is_whole_where_no_new_file_can_be),
		cmocka_unit_test(a_line_that_was_begun_in_a_fifo_goes_on_there),
		cmocka_unit_test(a_file_that_the_server_knows_no_more_is_made_anew),
	};

	return cmocka_run_group_tests_name("output/file-full", tests, NULL, NULL);
}
