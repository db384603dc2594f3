/* The log when nobody reads it: a pipe stands for whatever is behind standard error. */
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "tests/support/test.h"

enum { PIPE_BYTES = 16384, LINES = 2000 };

struct behind {
	int real, from; /* standard error as it was; what we read */
};

static void begin(struct behind *b)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES) > 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	b->real = dup(STDERR_FILENO);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	close(ends[1]);
	b->from = ends[0];
}

static void end(struct behind *b)
{
	assert_int_equal(dup2(b->real, STDERR_FILENO), STDERR_FILENO);
	close(b->real);
	if (b->from >= 0)
		close(b->from);
}

/* What has come, as text. */
static size_t read_all(const struct behind *b, char *to, size_t cap)
{
	size_t n = 0;
	ssize_t got;

	while ((got = read(b->from, to + n, cap - 1 - n)) > 0)
		n += (size_t)got;
	to[n] = '\0';
	return n;
}

static unsigned lines_in(const char *text)
{
	unsigned n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

static void what_is_read_is_whole(void **state)
{
	char got[8192];
	struct behind b;

	(void)state;
	begin(&b);
	sqd_log(SQD_LOG_ERROR, "first\nline");
	sqd_log_write(SQ_SV("second\nthird\n"));
	read_all(&b, got, sizeof(got));
	end(&b);
	assert_string_equal(got, "first line\nsecond\nthird\n");
	assert_int_equal(sqd_log_lost(), 0);
}

static void who_does_not_read_does_not_stop_us(void **state)
{
	char got[1 << 18], want[80];
	uint64_t before = sqd_log_lost(), missed;
	time_t began = time(NULL);
	struct behind b;
	unsigned first;

	(void)state;
	begin(&b);
	for (int i = 0; i < LINES; i++)
		sqd_log(SQD_LOG_ERROR, "line %d of a log that nobody reads for now", i);
	assert_true(time(NULL) - began < 30); /* once a tenth of a second, not for each of them */
	read_all(&b, got, sizeof(got));
	first = lines_in(got);
	missed = sqd_log_lost() - before;
	assert_true(first > 0 && missed > 0);
	assert_int_equal(first + missed, LINES);

	sqd_log(SQD_LOG_ERROR, "read on");
	read_all(&b, got, sizeof(got));
	end(&b);
	snprintf(want, sizeof(want), "%llu lines of this log were lost: nobody read it\nread on\n",
	         (unsigned long long)missed);
	assert_string_equal(got, want);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* He reads a page now and then, and each time the pipe fills up again: a wait of 100 ms for each of
 * 60 pages would be six seconds. */
static void who_reads_slowly_is_not_waited_for_each_time(void **state)
{
	char page[4096];
	uint64_t began = now_ms();
	struct behind b;

	(void)state;
	begin(&b);
	for (int i = 0; i < 60; i++) {
		uint64_t before = sqd_log_lost();

		while (sqd_log_lost() == before)
			sqd_log(SQD_LOG_ERROR, "a line of a log that somebody reads slowly");
		assert_int_equal(read(b.from, page, sizeof(page)), sizeof(page));
	}
	while (read(b.from, page, sizeof(page)) > 0)
		;
	sqd_log(SQD_LOG_ERROR,
	        "read on"); /* what was lost is told here, and not to the next test */
	end(&b);
	assert_true(now_ms() - began < 3000);
}

/* A table of counters is longer than a pipe: as many lines as fit come, none in part. */
static void a_long_text_is_cut_between_lines(void **state)
{
	char text[4 * PIPE_BYTES] = "", got[1 << 18];
	uint64_t before = sqd_log_lost();
	size_t n = 0;
	struct behind b;

	(void)state;
	for (int i = 0; i < LINES; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "row %d, and what it means\n", i);
	begin(&b);
	sqd_log_write((struct sq_sv){ text, n });
	n = read_all(&b, got, sizeof(got));
	end(&b);
	assert_true(n > 0 && got[n - 1] == '\n');
	assert_memory_equal(got, text, n);
	assert_int_equal(lines_in(got) + sqd_log_lost() - before, LINES);
}

static void nobody_at_all_is_no_error(void **state)
{
	struct behind b;

	(void)state;
	begin(&b);
	close(b.from);
	b.from = -1;
	sqd_log(SQD_LOG_ERROR, "to nobody"); /* SIGPIPE is ignored */
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_read_is_whole),
		cmocka_unit_test(who_does_not_read_does_not_stop_us),
		cmocka_unit_test(who_reads_slowly_is_not_waited_for_each_time),
		cmocka_unit_test(a_long_text_is_cut_between_lines),
		cmocka_unit_test(nobody_at_all_is_no_error),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
