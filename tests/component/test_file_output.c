#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/file_world.h"

static void lines_are_appended(void **state SQ_UNUSED)
{
	struct world w;
	struct stat st;

	make(&w, &sqd_output_file);
	start(&w);
	assert_int_equal(w.out->framing, SQD_FRAMING_LF);
	write_text(&w, SQ_SV("one\n"));
	write_text(&w, SQ_SV("two\n"));
	expect_file(w.path, "one\ntwo\n");
	assert_int_equal(stat(w.path, &st), 0);
	assert_int_equal(st.st_mode & 0137, 0); /* 0640, less what the umask takes */
	end(&w);
}

static void a_torn_line_is_ended_before_ours(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	make(&w, &sqd_output_file);
	fd = open(w.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "one\nto", 6), 6);
	start(&w);
	write_text(&w, SQ_SV("two\n"));
	expect_file(w.path, "one\nto\ntwo\n");
	assert_int_equal(pwrite(fd, "o!", 2, 11), 2);
	w.out->ops->reopen(w.out);
	assert_int_equal(send_text(&w, SQ_SV("three\n")), -EAGAIN); /* the loop has not run */
	run_until(&w.loop, is_ready, &w);
	write_text(&w, SQ_SV("three\n"));
	expect_file(w.path, "one\nto\ntwo\no!\nthree\n");
	close(fd);
	end(&w);
}

static void one_piece_at_a_time(void **state SQ_UNUSED)
{
	struct world w;

	make(&w, &sqd_output_file);
	start(&w);
	assert_int_equal(send_text(&w, SQ_SV("one\n")), 0);
	assert_int_equal(w.sent, 0); /* not from inside */
	assert_int_equal(w.out->ops->send(w.out, SQ_SV("two\n")), -EAGAIN);
	run_until(&w.loop, is_sent, &w);
	end(&w);
}

static void a_renamed_file_is_left_on_reopen(void **state SQ_UNUSED)
{
	char old[128];
	struct world w;

	make(&w, &sqd_output_file);
	start(&w);
	write_text(&w, SQ_SV("before\n"));
	snprintf(old, sizeof(old), "%s.1", w.path);
	assert_int_equal(rename(w.path, old), 0);
	write_text(&w, SQ_SV("between\n"));
	w.out->ops->reopen(w.out);
	assert_int_equal(send_text(&w, SQ_SV("after\n")), -EAGAIN); /* the loop has not run */
	run_until(&w.loop, is_ready, &w);
	write_text(&w, SQ_SV("after\n"));
	expect_file(old, "before\nbetween\n");
	expect_file(w.path, "after\n");
	end(&w);
}

static void a_reopen_during_a_write_comes_after_it(void **state SQ_UNUSED)
{
	char old[128];
	struct world w;

	make(&w, &sqd_output_file);
	start(&w);
	snprintf(old, sizeof(old), "%s.1", w.path);
	assert_int_equal(rename(w.path, old), 0);
	assert_int_equal(send_text(&w, SQ_SV("one\n")), 0);
	w.out->ops->reopen(w.out);
	run_until(&w.loop, is_sent, &w);
	assert_int_equal(w.status, 0);
	w.sent = 0;
	/* The new file may be open by now, or not yet. */
	if (send_text(&w, SQ_SV("two\n")) == -EAGAIN) {
		run_until(&w.loop, is_ready, &w);
		assert_int_equal(send_text(&w, SQ_SV("two\n")), 0);
	}
	run_until(&w.loop, is_sent, &w);
	expect_file(old, "one\n");
	expect_file(w.path, "two\n");
	end(&w);
}

static bool has_path(void *ctx)
{
	struct stat st;

	return stat(((struct world *)ctx)->path, &st) == 0;
}

/* Whoever has moved the file removes it: what is written there from then on would be nowhere. */
static void a_file_that_cannot_be_opened_anew_is_tried_again(void **state SQ_UNUSED)
{
	char old[128];
	struct world w;

	make(&w, &sqd_output_file);
	start(&w);
	snprintf(old, sizeof(old), "%s.1", w.path);
	assert_int_equal(rename(w.path, old), 0);
	assert_int_equal(mkdir(w.path, 0700), 0);
	w.out->ops->reopen(w.out);
	assert_int_equal(send_text(&w, SQ_SV("meanwhile\n")), -EAGAIN);
	run_until(&w.loop, is_ready, &w);
	write_text(&w, SQ_SV("meanwhile\n")); /* nobody waits for that */
	expect_file(old, "meanwhile\n");
	assert_int_equal(rmdir(w.path), 0);
	run_until(&w.loop, has_path, &w);
	w.ready = w.sent = 0;
	if (send_text(&w, SQ_SV("after\n")) == -EAGAIN) { /* it is there, but not known yet */
		run_until(&w.loop, is_ready, &w);
		assert_int_equal(send_text(&w, SQ_SV("after\n")), 0);
	}
	run_until(&w.loop, is_sent, &w);
	expect_file(old, "meanwhile\n");
	expect_file(w.path, "after\n");
	end(&w);
}

static void a_file_that_was_removed_is_made_anew(void **state SQ_UNUSED)
{
	struct world w;

	make(&w, &sqd_output_file);
	start(&w);
	write_text(&w, SQ_SV("before\n"));
	assert_int_equal(unlink(w.path), 0);
	write_text(&w, SQ_SV("after\n"));
	expect_file(w.path, "after\n");
	assert_int_equal(w.out->outage.failures, 0);
	end(&w);
}

static void a_file_that_never_had_a_name_is_written(void **state SQ_UNUSED)
{
	char path[96];
	struct world w;
	int fd;

	make(&w, &sqd_output_file);
	fd = open(w.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(unlink(w.path), 0);
	snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	w.cfg.path = path;
	start(&w);
	write_text(&w, SQ_SV("one\n"));
	expect_file(path, "one\n");
	close(fd);
	end(&w);
}

/* Nothing is told as written that is nowhere. */
static void what_is_for_a_file_that_was_removed_waits_until_there_is_one(void **state SQ_UNUSED)
{
	struct world w;

	make(&w, &sqd_output_file);
	start(&w);
	assert_int_equal(unlink(w.path), 0);
	assert_int_equal(mkdir(w.path, 0700), 0);
	assert_int_equal(send_text(&w, SQ_SV("kept\n")), 0);
	run_until(&w.loop, is_failing, &w);
	assert_int_equal(w.sent, 0);
	assert_string_equal(w.out->outage.why, "No such file or directory");
	assert_int_equal(rmdir(w.path), 0);
	run_until(&w.loop, is_sent, &w);
	assert_int_equal(w.status, 0);
	expect_file(w.path, "kept\n");
	assert_false(w.out->failing);
	end(&w);
}

static void a_full_disk_is_waited_for(void **state SQ_UNUSED)
{
	struct world w;

	make(&w, &sqd_output_file);
	/* A link that is changed and a SIGHUP: the way out of a full disk. */
	assert_int_equal(symlink("/dev/full", w.path), 0);
	start(&w);
	assert_int_equal(send_text(&w, SQ_SV("kept\n")), 0);
	for (int i = 0; i < 10; i++)
		uv_run(&w.loop, UV_RUN_NOWAIT);
	assert_int_equal(w.sent, 0);
	assert_int_equal(unlink(w.path), 0);
	w.out->ops->reopen(w.out);
	run_until(&w.loop, is_sent, &w);
	assert_int_equal(w.status, 0);
	expect_file(w.path, "kept\n");
	end(&w);
}

static void closing_with_a_full_disk_tells_what_is_owed(void **state SQ_UNUSED)
{
	struct world w;

	make(&w, &sqd_output_file);
	assert_int_equal(symlink("/dev/full", w.path), 0);
	start(&w);
	assert_int_equal(send_text(&w, SQ_SV("lost\n")), 0);
	end(&w);
	assert_int_equal(w.sent, 1);
	assert_true(w.status < 0);
}

static void no_such_folder_is_an_error_with_the_path(void **state SQ_UNUSED)
{
	struct sq_err err = { 0 };
	struct world w;

	make(&w, &sqd_output_file);
	snprintf(w.path, sizeof(w.path), "%s/absent/alerts.json", w.dir);
	assert_int_equal(sqd_output_file.start(w.out, &err), -ENOENT);
	assert_non_null(strstr(err.text, w.path));
	end(&w);
}

/* ---- what takes nothing ------------------------------------------------------------------ */

static void a_fifo_that_nobody_has_open_is_told_as_such(void **state SQ_UNUSED)
{
	struct sq_err err = { 0 };
	struct world w;

	make_fifo(&w);
	assert_int_equal(sqd_output_file.start(w.out, &err), -ENXIO);
	assert_non_null(strstr(err.text, "a FIFO that nobody reads"));
	end(&w);
}

static void a_socket_is_told_as_such(void **state SQ_UNUSED)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sq_err err = { 0 };
	struct world w;

	make(&w, &sqd_output_file);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", w.path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(sqd_output_file.start(w.out, &err), -ENXIO);
	assert_non_null(strstr(err.text, "a socket, not a file"));
	assert_int_equal(sqd_output_file.check(&w.cfg, true, &err), -ENXIO);
	assert_non_null(strstr(err.text, "a socket, where a file is wanted"));
	end(&w);
	close(fd);
}

static void a_fifo_whose_reader_does_not_read_fails_until_it_does(void **state SQ_UNUSED)
{
	enum { N = 300 * 1024 }; /* more than a FIFO holds */
	char *big = calloc(1, N), *got = malloc(N);
	struct world w;
	ssize_t n = 0;
	int fd;

	make_fifo(&w);
	fd = open(w.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	start(&w);
	assert_int_equal(send_text(&w, (struct sq_sv){ big, N }), 0);
	run_until(&w.loop, is_failing, &w);
	assert_string_equal(w.out->outage.why, "it takes nothing");
	assert_int_equal(w.sent, 0);
	for (int i = 0; n < N && i < 5000; i++) {
		ssize_t r = read(fd, got, N);

		n += r > 0 ? r : 0;
		uv_run(&w.loop, UV_RUN_NOWAIT);
		(void)usleep(100);
	}
	run_until(&w.loop, is_sent, &w);
	assert_int_equal(w.status, 0);
	assert_false(w.out->failing);
	end(&w);
	close(fd);
	free(big);
	free(got);
}

/* A disk that does not answer: write() returns when `held` is given up. */
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool holds;

ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
	if (holds && fd > STDERR_FILENO) { /* not what is logged */
		pthread_mutex_lock(&held);
		pthread_mutex_unlock(&held);
	}
	return __real_write(fd, p, n);
}

static void a_disk_that_does_not_answer_fails_until_it_does(void **state SQ_UNUSED)
{
	struct world w;

	make(&w, &sqd_output_file);
	w.cfg.stall_timeout = 100;
	start(&w);
	pthread_mutex_lock(&held);
	holds = true;
	assert_int_equal(send_text(&w, SQ_SV("late\n")), 0);
	run_until(&w.loop, is_failing, &w);
	assert_int_equal(w.sent, 0);
	assert_int_equal(send_text(&w, SQ_SV("more\n")), -EAGAIN);
	holds = false;
	pthread_mutex_unlock(&held);
	run_until(&w.loop, is_sent, &w);
	assert_int_equal(w.status, 0);
	assert_false(w.out->failing);
	expect_file(w.path, "late\n");
	write_text(&w, SQ_SV("more\n"));
	expect_file(w.path, "late\nmore\n");
	end(&w);
}

static bool works_again(void *ctx)
{
	return !((struct world *)ctx)->out->failing;
}

/* Nothing waits to be written, so nothing else would tell. */
static void an_open_that_takes_long_is_over_when_it_is_open(void **state SQ_UNUSED)
{
	struct world w;
	int fd;

	make(&w, &sqd_output_file);
	w.cfg.stall_timeout = 100;
	start(&w);
	fd = open(w.path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "torn", 4), 4); /* is ended by a write when it is opened */
	close(fd);
	pthread_mutex_lock(&held);
	holds = true;
	w.out->ops->reopen(w.out);
	assert_int_equal(send_text(&w, SQ_SV("later\n")), -EAGAIN);
	run_until(&w.loop, is_failing, &w);
	holds = false;
	pthread_mutex_unlock(&held);
	run_until(&w.loop, works_again, &w);
	assert_int_equal(w.out->outage.since.wall_us, 0);
	write_text(&w, SQ_SV("later\n"));
	expect_file(w.path, "torn\nlater\n");
	end(&w);
}

static void a_write_that_takes_less_long_is_no_failure(void **state SQ_UNUSED)
{
	uint64_t from;
	struct world w;

	make(&w, &sqd_output_file);
	w.cfg.stall_timeout = 3600000;
	start(&w);
	pthread_mutex_lock(&held);
	holds = true;
	assert_int_equal(send_text(&w, SQ_SV("late\n")), 0);
	for (from = uv_now(&w.loop); uv_now(&w.loop) < from + 50;)
		uv_run(&w.loop, UV_RUN_NOWAIT);
	holds = false;
	pthread_mutex_unlock(&held);
	run_until(&w.loop, is_sent, &w);
	assert_int_equal(w.ready, 0);
	assert_int_equal(w.out->outage.failures, 0);
	end(&w);
}

/* Standard output is put away while a test has it. */
static int swap_stdout(int fd)
{
	int old;

	fflush(stdout);
	old = dup(STDOUT_FILENO);
	assert_true(old >= 0 && dup2(fd, STDOUT_FILENO) == STDOUT_FILENO);
	close(fd);
	return old;
}

static void stdout_whose_reader_waits_is_written_in_pieces(void **state SQ_UNUSED)
{
	enum { N = 300 * 1024 }; /* more than a pipe holds */
	char *big = malloc(N), *got = malloc(N);
	struct world w;
	size_t n = 0;
	int fds[2], old;

	memset(big, 'x', N);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	old = swap_stdout(fds[1]);
	make(&w, &sqd_output_stdout);
	start(&w);
	assert_int_equal(send_text(&w, (struct sq_sv){ big, N }), 0);
	for (int i = 0; n < N && i < 5000; i++) {
		ssize_t r = read(fds[0], got + n, N - n);

		n += r > 0 ? (size_t)r : 0;
		uv_run(&w.loop, UV_RUN_NOWAIT);
		(void)usleep(100);
	}
	run_until(&w.loop, is_sent, &w);
	(void)swap_stdout(old);
	assert_int_equal(w.status, 0);
	assert_int_equal(n, N);
	assert_memory_equal(got, big, N);
	end(&w);
	close(fds[0]);
	free(big);
	free(got);
}

static void stdout_without_a_reader_is_gone_for_good(void **state SQ_UNUSED)
{
	struct world w;
	int fds[2], old;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	old = swap_stdout(fds[1]);
	close(fds[0]);
	make(&w, &sqd_output_stdout);
	start(&w);
	for (int i = 0; i < 3; i++) {
		w.sent = 0;
		assert_int_equal(send_text(&w, SQ_SV("x\n")), 0);
		run_until(&w.loop, is_sent, &w);
		assert_int_equal(w.status, SQD_OUTPUT_GONE);
	}
	(void)swap_stdout(old);
	end(&w);
}

static void closing_does_not_wait_for_a_reader_of_stdout(void **state SQ_UNUSED)
{
	enum { N = 300 * 1024 };
	char *big = calloc(1, N);
	struct world w;
	int fds[2], old;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	old = swap_stdout(fds[1]);
	make(&w, &sqd_output_stdout);
	start(&w);
	assert_int_equal(send_text(&w, (struct sq_sv){ big, N }), 0);
	for (int i = 0; i < 10; i++)
		uv_run(&w.loop, UV_RUN_NOWAIT);
	end(&w);
	(void)swap_stdout(old);
	assert_int_equal(w.sent, 1);
	assert_int_equal(w.status, -ECANCELED);
	close(fds[0]);
	free(big);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_appended),
		cmocka_unit_test(a_torn_line_is_ended_before_ours),
		cmocka_unit_test(one_piece_at_a_time),
		cmocka_unit_test(a_renamed_file_is_left_on_reopen),
		cmocka_unit_test(a_reopen_during_a_write_comes_after_it),
		cmocka_unit_test(a_file_that_cannot_be_opened_anew_is_tried_again),
		cmocka_unit_test(a_file_that_was_removed_is_made_anew),
		cmocka_unit_test(a_file_that_never_had_a_name_is_written),
		cmocka_unit_test(what_is_for_a_file_that_was_removed_waits_until_there_is_one),
		cmocka_unit_test(a_full_disk_is_waited_for),
		cmocka_unit_test(closing_with_a_full_disk_tells_what_is_owed),
		cmocka_unit_test(no_such_folder_is_an_error_with_the_path),
		cmocka_unit_test(a_fifo_that_nobody_has_open_is_told_as_such),
		cmocka_unit_test(a_socket_is_told_as_such),
		cmocka_unit_test(a_fifo_whose_reader_does_not_read_fails_until_it_does),
		cmocka_unit_test(a_disk_that_does_not_answer_fails_until_it_does),
		cmocka_unit_test(an_open_that_takes_long_is_over_when_it_is_open),
		cmocka_unit_test(a_write_that_takes_less_long_is_no_failure),
		cmocka_unit_test(stdout_whose_reader_waits_is_written_in_pieces),
		cmocka_unit_test(stdout_without_a_reader_is_gone_for_good),
		cmocka_unit_test(closing_does_not_wait_for_a_reader_of_stdout),
	};
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	(void)sigaction(SIGPIPE, &ignore, NULL); /* as the daemon does */
	return cmocka_run_group_tests_name("output/file", tests, NULL, NULL);
}
