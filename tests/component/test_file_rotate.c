#include "tests/support/file_world.h"

#include <dirent.h>
#include <errno.h>
#include <sys/time.h>

#include "daemon/output/file_rotate.h"

/* In place of libc's: the disk of these tests fails when it is told to. Threads of libuv's pool
 * call. */
static _Atomic unsigned syncs, sync_fails;

int fdatasync(int fd SQ_UNUSED)
{
	syncs++;
	if (!sync_fails)
		return 0;
	sync_fails--;
	errno = EIO;
	return -1;
}

/* ---- an output in a folder of its own ---------------------------------------------------- */

static void make_rotating(struct world *w)
{
	make(w, &sqd_output_file);
	w->cfg.rotate_keep = 3;
	syncs = sync_fails = 0;
}

/* Calls `each` with every name in the folder. */
static unsigned each_name(const struct world *w, void (*each)(DIR *d, const char *name))
{
	DIR *d = opendir(w->dir);
	struct dirent *e;
	unsigned n = 0;

	while ((e = readdir(d)))
		if (e->d_name[0] != '.') {
			n++;
			if (each)
				each(d, e->d_name);
		}
	closedir(d);
	return n;
}

static void remove_one(DIR *d, const char *name)
{
	assert_int_equal(unlinkat(dirfd(d), name, 0), 0);
}

static void end_rotated(struct world *w)
{
	end_output(w);
	assert_int_equal(chmod(w->dir, 0700), 0);
	(void)each_name(w, remove_one);
	assert_int_equal(rmdir(w->dir), 0);
	assert_int_equal(uv_loop_close(&w->loop), 0);
}

static void write_line(struct world *w, const char *text)
{
	w->sent = w->ready = 0;
	if (send_text(w, sq_sv_of(text)) == -EAGAIN) { /* it opens a file */
		run_until(&w->loop, is_ready, w);
		assert_int_equal(send_text(w, sq_sv_of(text)), 0);
	}
	run_until(&w->loop, is_sent, w);
	assert_int_equal(w->status, 0);
}

static void expect(const struct world *w, const char *end, const char *want)
{
	char path[160], got[256] = "";
	int fd;

	snprintf(path, sizeof(path), "%s%s", w->path, end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (!want) {
		assert_int_equal(fd, -1);
		return;
	}
	assert_true(fd >= 0);
	assert_true(read(fd, got, sizeof(got) - 1) >= 0);
	close(fd);
	assert_string_equal(got, want);
}

static void put(const struct world *w, const char *end, const char *text)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s%s", w->path, end);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* As if its last line had been written so many seconds ago. */
static void make_old(const struct world *w, int seconds)
{
	struct timeval now, both[2];

	gettimeofday(&now, NULL);
	both[0] = both[1] = (struct timeval){ .tv_sec = now.tv_sec - seconds };
	assert_int_equal(utimes(w->path, both), 0);
}

/* ---- by size ----------------------------------------------------------------------------- */

static void a_file_that_would_be_too_long_is_moved_aside(void **state SQ_UNUSED)
{
	struct world w;

	make_rotating(&w);
	w.cfg.rotate_size = 10;
	start(&w);
	write_line(&w, "one\n");
	write_line(&w, "two\n");
	expect(&w, ".1", NULL); /* eight of ten */
	write_line(&w, "3\n");  /* ten: not too long */
	expect(&w, ".1", NULL);
	write_line(&w, "four\n");
	expect(&w, "", "four\n");
	expect(&w, ".1", "one\ntwo\n3\n");
	write_line(&w, "longer than allowed\n"); /* goes into a file of its own */
	write_line(&w, "six\n");
	expect(&w, "", "six\n");
	expect(&w, ".1", "longer than allowed\n");
	expect(&w, ".2", "four\n");
	expect(&w, ".3", "one\ntwo\n3\n");
	write_line(&w, "seven\n");
	write_line(&w, "eight\n");
	expect(&w, ".1", "six\nseven\n");
	expect(&w, ".2", "longer than allowed\n");
	expect(&w, ".3", "four\n");
	expect(&w, ".4", NULL);
	end_rotated(&w);
}

static void what_was_there_before_counts(void **state SQ_UNUSED)
{
	struct world w;

	make_rotating(&w);
	w.cfg.rotate_size = 10;
	put(&w, "", "12345678\n");
	start(&w);
	write_line(&w, "one\n");
	expect(&w, "", "one\n");
	expect(&w, ".1", "12345678\n");
	end_rotated(&w);
}

static void a_gap_is_filled_and_nothing_beyond_it_moved(void **state SQ_UNUSED)
{
	struct world w;

	make_rotating(&w);
	w.cfg.rotate_size = 5;
	put(&w, ".1", "b\n");
	put(&w, ".3", "c\n");
	put(&w, ".4", "of a time when more were kept\n");
	put(&w, ".5", "the same\n");
	put(&w, ".7", "not ours to know\n");
	start(&w);
	write_line(&w, "one\n");
	write_line(&w, "two\n");
	expect(&w, ".1", "one\n");
	expect(&w, ".2", "b\n");
	expect(&w, ".3", "c\n");
	expect(&w, ".4", NULL);
	expect(&w, ".5", NULL);
	expect(&w, ".7", "not ours to know\n");
	end_rotated(&w);
}

/* ---- names with times -------------------------------------------------------------------- */

static void times_are_names_and_the_oldest_go(void **state SQ_UNUSED)
{
	static const char *const foreign[] = { ".20200101T000000Z.gz", ".20200101T000000", ".1",
		                               ".20200101T000000Z-1", ".20200101T000000Zx" };
	struct world w;

	make_rotating(&w);
	w.cfg.rotate_size = 5;
	w.cfg.rotate_names = SQD_ROTATE_TIME;
	put(&w, ".20200101T000000Z", "a\n");
	put(&w, ".20200101T000000Z-2", "b\n");
	put(&w, ".20200101T000000Z-10", "c\n");
	put(&w, ".20200102T000000Z", "d\n");
	for (size_t i = 0; i < SQ_LEN(foreign); i++)
		put(&w, foreign[i], "none of ours\n");
	start(&w);
	write_line(&w, "one\n");
	write_line(&w, "two\n");
	expect(&w, "", "two\n");
	expect(&w, ".20200101T000000Z", NULL);
	expect(&w, ".20200101T000000Z-2", NULL);
	expect(&w, ".20200101T000000Z-10", "c\n");
	expect(&w, ".20200102T000000Z", "d\n");
	for (size_t i = 0; i < SQ_LEN(foreign); i++)
		expect(&w, foreign[i], "none of ours\n");
	assert_int_equal(each_name(&w, NULL), 1 + 3 + SQ_LEN(foreign));
	end_rotated(&w);
}

static void many_in_one_second_keep_their_order(void **state SQ_UNUSED)
{
	struct sqd_rotate r = { .keep = 3, .names = SQD_ROTATE_TIME };
	struct world w;

	make_rotating(&w);
	start(&w);
	r.path = w.path;
	for (int i = 0; i < 5; i++) {
		int64_t at = 1795400100250000; /* 2026-11-23T02:15:00.25Z */
		char text[16];
		int fd;

		snprintf(text, sizeof(text), "%d\n", i);
		put(&w, "", text);
		fd = open(w.path, O_RDONLY | O_CLOEXEC);
		if (i == 4)
			at -= 3600000000; /* the clock was put back */
		assert_int_equal(sqd_rotate_move(&r, fd, at), 1);
		close(fd);
	}
	expect(&w, "", NULL);
	assert_int_equal(each_name(&w, NULL), 3);
	expect(&w, ".20261123T021500Z", NULL);
	expect(&w, ".20261123T021500Z-2", NULL);
	expect(&w, ".20261123T021500Z-3", "2\n");
	expect(&w, ".20261123T021500Z-5", "4\n");
	end_rotated(&w);
}

/* ---- by time ----------------------------------------------------------------------------- */

static void lines_of_an_interval_that_is_over_are_moved_aside(void **state SQ_UNUSED)
{
	struct world w;

	make_rotating(&w);
	w.cfg.rotate_interval = 86400000;
	put(&w, "", "yesterday\n");
	make_old(&w, 86400);
	start(&w);
	write_line(&w, "today\n");
	write_line(&w, "today too\n");
	expect(&w, "", "today\ntoday too\n");
	expect(&w, ".1", "yesterday\n");
	end_rotated(&w);
}

static void lines_of_this_interval_stay(void **state SQ_UNUSED)
{
	struct world w;

	make_rotating(&w);
	w.cfg.rotate_interval = (uint64_t)366 * 86400000 * 100; /* no test waits for its end */
	put(&w, "", "earlier\n");
	start(&w);
	write_line(&w, "now\n");
	expect(&w, "", "earlier\nnow\n");
	expect(&w, ".1", NULL);
	end_rotated(&w);
}

static void a_date_in_the_future_is_taken_as_now(void **state SQ_UNUSED)
{
	struct world w;

	make_rotating(&w);
	w.cfg.rotate_interval = 100;
	put(&w, "", "the clock was wrong\n");
	make_old(&w, -86400);
	start(&w);
	for (int i = 0; i < 40; i++) { /* the next interval begins in 100 ms */
		uv_run(&w.loop, UV_RUN_NOWAIT);
		(void)usleep(10000);
	}
	expect(&w, ".1", "the clock was wrong\n");
	end_rotated(&w);
}

static bool is_moved(void *ctx)
{
	char path[128];

	snprintf(path, sizeof(path), "%s.1", ((struct world *)ctx)->path);
	return access(path, F_OK) == 0;
}

static void nothing_need_be_written_for_it(void **state SQ_UNUSED)
{
	struct world w;

	make_rotating(&w);
	w.cfg.rotate_interval = 200;
	start(&w);
	write_line(&w, "one\n");
	run_until(&w.loop, is_moved, &w);
	write_line(&w, "two\n");
	assert_true(each_name(&w, NULL) >= 2);
	end_rotated(&w);
}

/* ---- what goes wrong --------------------------------------------------------------------- */

static void what_cannot_be_moved_is_written_on(void **state SQ_UNUSED)
{
	struct world w;
	char in_the_way[128], below[160];

	make_rotating(&w);
	w.cfg.rotate_size = 5;
	w.cfg.rotate_keep = 1;
	snprintf(in_the_way, sizeof(in_the_way), "%s.1", w.path);
	snprintf(below, sizeof(below), "%s/x", in_the_way);
	assert_int_equal(mkdir(in_the_way, 0700), 0); /* nothing can be renamed to this */
	assert_int_equal(mkdir(below, 0700), 0);
	start(&w);
	write_line(&w, "one\n");
	write_line(&w, "two\n");
	write_line(&w, "three\n");
	expect(&w, "", "one\ntwo\nthree\n");
	assert_int_equal(rmdir(below), 0);
	assert_int_equal(rmdir(in_the_way), 0);
	end_rotated(&w);
}

static void a_file_of_somebody_else_in_its_place_is_left(void **state SQ_UNUSED)
{
	char old[128];
	struct world w;

	make_rotating(&w);
	w.cfg.rotate_size = 8;
	start(&w);
	write_line(&w, "one\n");
	snprintf(old, sizeof(old), "%s.old", w.path);
	assert_int_equal(rename(w.path, old), 0); /* logrotate, before its SIGHUP */
	put(&w, "", "x\n");
	write_line(&w, "three\n");
	expect(&w, ".old", "one\n");
	expect(&w, ".1", NULL);
	expect(&w, "", "x\nthree\n");
	end_rotated(&w);
}

/* ---- until the disk has it --------------------------------------------------------------- */

static void with_sync_the_disk_is_asked_once_for_a_piece(void **state SQ_UNUSED)
{
	struct world w;

	make_rotating(&w);
	w.cfg.sync = true;
	start(&w);
	write_line(&w, "one\ntwo\nthree\n");
	assert_int_equal(syncs, 1);
	write_line(&w, "four\n");
	assert_int_equal(syncs, 2);
	end_rotated(&w);
}

static void without_it_is_not_asked(void **state SQ_UNUSED)
{
	struct world w;

	make_rotating(&w);
	start(&w);
	write_line(&w, "one\n");
	assert_int_equal(syncs, 0);
	end_rotated(&w);
}

static void what_the_disk_refused_is_written_again(void **state SQ_UNUSED)
{
	struct world w;

	make_rotating(&w);
	w.cfg.sync = true;
	start(&w);
	write_line(&w, "one\n");
	sync_fails = 1;
	write_line(&w, "two\n"); /* after a second */
	assert_int_equal(syncs, 3);
	/* Perhaps the first is not on the disk, perhaps both are: once at least. */
	expect(&w, "", "one\ntwo\ntwo\n");
	end_rotated(&w);
}

static void what_the_disk_refused_is_not_told_as_written(void **state SQ_UNUSED)
{
	struct world w;

	make_rotating(&w);
	w.cfg.sync = true;
	start(&w);
	sync_fails = 100;
	w.sending = true;
	assert_int_equal(w.out->ops->send(w.out, SQ_SV("one\n")), 0);
	for (int i = 0; i < 50 && !syncs; i++) {
		uv_run(&w.loop, UV_RUN_NOWAIT);
		(void)usleep(1000);
	}
	end_rotated(&w);
	assert_true(w.status < 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_would_be_too_long_is_moved_aside),
		cmocka_unit_test(what_was_there_before_counts),
		cmocka_unit_test(a_gap_is_filled_and_nothing_beyond_it_moved),
		cmocka_unit_test(times_are_names_and_the_oldest_go),
		cmocka_unit_test(many_in_one_second_keep_their_order),
		cmocka_unit_test(lines_of_an_interval_that_is_over_are_moved_aside),
		cmocka_unit_test(lines_of_this_interval_stay),
		cmocka_unit_test(a_date_in_the_future_is_taken_as_now),
		cmocka_unit_test(nothing_need_be_written_for_it),
		cmocka_unit_test(what_cannot_be_moved_is_written_on),
		cmocka_unit_test(a_file_of_somebody_else_in_its_place_is_left),
		cmocka_unit_test(with_sync_the_disk_is_asked_once_for_a_piece),
		cmocka_unit_test(without_it_is_not_asked),
		cmocka_unit_test(what_the_disk_refused_is_written_again),
		cmocka_unit_test(what_the_disk_refused_is_not_told_as_written),
	};

	return cmocka_run_group_tests_name("output/file-rotate", tests, NULL, NULL);
}
