/* A file that is looked at where it is mapped, whatever becomes of it meanwhile. */
#include "cli/view.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/test.h"

enum { PAGES = 8 };

static size_t page(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* PAGES pages of 'x', of which the name is gone. */
static int file_of_pages(void)
{
	char name[] = "/tmp/squibly-view-XXXXXX", *text = malloc(page());
	int fd = mkstemp(name);

	assert_true(fd >= 0 && text);
	assert_int_equal(unlink(name), 0);
	memset(text, 'x', page());
	for (int i = 0; i < PAGES; i++)
		assert_int_equal(write(fd, text, page()), page());
	free(text);
	return fd;
}

static char byte_of(struct sq_sv v, size_t at)
{
	return ((const volatile char *)v.p)[at];
}

static void what_is_in_the_file_is_seen(void **state)
{
	int fd = file_of_pages();
	struct sq_sv v = cli_view_open(fd, PAGES * page());

	(void)state;
	assert_int_equal(v.n, PAGES * page());
	for (size_t i = 0; i < v.n; i++)
		assert_int_equal(byte_of(v, i), 'x');
	assert_true(cli_view_held());
	cli_view_close();
	cli_view_close(); /* of nothing */
	close(fd);
}

static void what_was_cut_off_reads_as_nul_and_is_told(void **state)
{
	int fd = file_of_pages();
	struct sq_sv v = cli_view_open(fd, PAGES * page());

	(void)state;
	assert_int_equal(byte_of(v, 0), 'x');
	assert_int_equal(ftruncate(fd, (off_t)(2 * page())), 0);
	assert_true(cli_view_held()); /* nobody has looked yet */
	assert_int_equal(byte_of(v, 2 * page() - 1), 'x');
	assert_int_equal(byte_of(v, 5 * page() + 7), '\0');
	assert_false(cli_view_held());
	for (size_t i = 2 * page(); i < v.n; i++)
		assert_int_equal(byte_of(v, i), '\0');
	assert_int_equal(byte_of(v, page()), 'x');
	cli_view_close();

	v = cli_view_open(fd, page()); /* the next file begins anew */
	assert_int_equal(byte_of(v, 0), 'x');
	assert_true(cli_view_held());
	cli_view_close();
	close(fd);
}

static void what_cannot_be_mapped_is_no_view(void **state)
{
	int ends[2], fd = file_of_pages();

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(cli_view_open(ends[0], page()).n, 0);
	assert_int_equal(cli_view_open(fd, 0).n, 0);
	assert_int_equal(cli_view_open(fd, UINT64_MAX).n, 0);
	assert_int_equal(cli_view_open(-1, page()).n, 0);
	cli_view_close();
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

static void on_bus(int sig)
{
	(void)sig;
	_exit(77);
}

/* A fault elsewhere goes to whoever cared for it before. */
static void a_fault_of_others_is_theirs(void **state)
{
	int fd = file_of_pages(), other = file_of_pages(), status;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (!child) {
		struct sigaction catch = { .sa_handler = on_bus };
		char *far;

		if (sigaction(SIGBUS, &catch, NULL) < 0 || !cli_view_open(fd, page()).n)
			_exit(1);
		far = mmap(NULL, page(), PROT_READ, MAP_SHARED, other, 0);
		if (far == MAP_FAILED || ftruncate(other, 0) < 0)
			_exit(1);
		_exit(byte_of((struct sq_sv){ far, 1 }, 0) == 'x');
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 77);
	close(fd);
	close(other);
}

static void when_it_is_closed_the_signal_is_as_before(void **state)
{
	struct sigaction catch = { .sa_handler = on_bus }, after;
	int fd = file_of_pages();

	(void)state;
	assert_int_equal(sigaction(SIGBUS, &catch, NULL), 0);
	assert_int_equal(cli_view_open(fd, page()).n, page());
	assert_int_equal(sigaction(SIGBUS, NULL, &after), 0);
	assert_true(after.sa_handler != on_bus);
	cli_view_close();
	assert_int_equal(sigaction(SIGBUS, NULL, &after), 0);
	assert_true(after.sa_handler == on_bus);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_in_the_file_is_seen),
		cmocka_unit_test(what_was_cut_off_reads_as_nul_and_is_told),
		cmocka_unit_test(what_cannot_be_mapped_is_no_view),
		cmocka_unit_test(a_fault_of_others_is_theirs),
		cmocka_unit_test(when_it_is_closed_the_signal_is_as_before),
	};

	return cmocka_run_group_tests_name("cli/view", tests, NULL, NULL);
}
