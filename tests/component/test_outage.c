/* What the log says of an output that is away: its beginning, another cause, its end. */
#include "tests/support/test.h"

#include <sys/mman.h>
#include <unistd.h>

#include "daemon/flow/output.h"

static struct sqd_output out = { .name = "out" };
static int log_fd, stderr_was;

static int setup(void **state SQ_UNUSED)
{
	out = (struct sqd_output){ .name = "out" };
	log_fd = memfd_create("log", MFD_CLOEXEC);
	fflush(stderr);
	stderr_was = dup(2);
	return log_fd >= 0 && dup2(log_fd, 2) == 2 ? 0 : -1;
}

static int teardown(void **state SQ_UNUSED)
{
	close(log_fd);
	return dup2(stderr_was, 2) == 2 && close(stderr_was) == 0 ? 0 : -1;
}

/* Lines since the last time. */
static const char *said(void)
{
	static char text[16384];
	ssize_t n = pread(log_fd, text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_int_equal(ftruncate(log_fd, 0), 0);
	assert_int_equal(lseek(log_fd, 0, SEEK_SET), 0);
	return text;
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void fail_as(const char *why, unsigned code, bool strange)
{
	sqd_output_failed(&out, &(struct sqd_failure){ .level = SQD_LOG_WARNING,
	                                               .why = why,
	                                               .then = "retrying",
	                                               .code = code,
	                                               .strange = strange });
}

static void fail_for(const char *why)
{
	fail_as(why, 0, false);
}

static void an_outage_is_told_once_and_its_end(void **state SQ_UNUSED)
{
	for (int i = 0; i < 100; i++)
		fail_for("connection refused");
	assert_string_equal(said(), "out: connection refused; retrying\n");
	assert_int_equal(out.outage.failures, 100);
	assert_true(sqd_output_works(&out, "connected"));
	assert_string_equal(said(), "out: connected, after 0.0 s\n");
	assert_false(sqd_output_works(&out, "connected"));
	assert_string_equal(said(), "");
	fail_for("connection refused");
	assert_string_equal(said(), "out: connection refused; retrying\n");
}

static void who_has_never_failed_has_nothing_to_tell(void **state SQ_UNUSED)
{
	assert_false(sqd_output_works(&out, "connected"));
	assert_true(out.outage.worked);
	assert_string_equal(said(), "");
}

static void another_cause_is_told(void **state SQ_UNUSED)
{
	fail_for("connection refused");
	fail_for("it is self-signed");
	fail_for("it is self-signed");
	fail_for("connection\nrefused");
	assert_string_equal(said(), "out: connection refused; retrying\n"
	                            "out: it is self-signed; retrying\n"
	                            "out: connection?refused; retrying\n");
}

static void numbers_and_words_of_strangers_are_no_cause(void **state SQ_UNUSED)
{
	fail_for("no connection after 12 ms");
	fail_for("no connection after 3012 ms");
	assert_int_equal(lines(said()), 1);
	fail_as("it answered 503: request a8f", 503, true);
	fail_as("it answered 503: request b2c", 503, true);
	assert_string_equal(said(), "out: it answered 503: request a8f; retrying\n");
	fail_as("it answered 401: request d19", 401, true);
	assert_int_equal(lines(said()), 1);
}

static void causes_that_take_turns_do_not_fill_the_log(void **state SQ_UNUSED)
{
	for (int i = 0; i < 1000; i++)
		fail_for(i % 2 ? "this" : "that");
	assert_int_equal(lines(said()), 10);
	assert_true(sqd_output_works(&out, "works"));
	assert_int_equal(lines(said()), 1);
}

static void outages_that_come_and_go_do_not_fill_the_log(void **state SQ_UNUSED)
{
	for (int i = 0; i < 1000; i++) {
		fail_for("this");
		assert_true(sqd_output_works(&out, "works"));
	}
	assert_int_equal(lines(said()), 20); /* each with its end, or not at all */
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		EACH(an_outage_is_told_once_and_its_end),
		EACH(who_has_never_failed_has_nothing_to_tell),
		EACH(another_cause_is_told),
		EACH(numbers_and_words_of_strangers_are_no_cause),
		EACH(causes_that_take_turns_do_not_fill_the_log),
		EACH(outages_that_come_and_go_do_not_fill_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
