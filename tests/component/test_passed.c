/* Sockets that systemd passes. */
#include "tests/component/listen_world.h"

/* In a child, where descriptors from 3 on may be what we like. */
static void in_child(void (*body)(void **), void **state)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		body(state);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* cmocka's own checks would go on in the child as if it were the parent. */
static void must(bool holds, int line)
{
	if (holds)
		return;
	fprintf(stderr, "test_listen.c:%d: does not hold in the child\n", line);
	_exit(1);
}
#define MUST(x) must(x, __LINE__)

/* Sockets at 3, 4, 5, 6: a stream and a datagram socket of one path each, then TCP, then an
 * abstract one. */
static void pass_four(void **state, const char *names)
{
	static const char *const where_[] = { "stream.sock", "datagram.sock" };
	char pid[16], name[64];
	int fds[4];

	for (int i = 0; i < 2; i++) {
		at(state, where_[i]);
		fds[i] = open_at(where, i ? SOCK_DGRAM : SOCK_STREAM, NULL);
	}
	fds[2] = open_at("127.0.0.1:0", SOCK_STREAM, NULL);
	snprintf(name, sizeof(name), "unix:@squibly-passed-%d", (int)getppid());
	fds[3] = open_at(name, SOCK_STREAM, NULL);
	for (int i = 0; i < 4; i++)
		MUST(fds[i] >= 0 && dup2(fds[i], 40 + i) >= 0);
	for (int i = 0; i < 4; i++)
		MUST(dup2(40 + i, SQD_PASSED_FIRST + i) >= 0);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "4", 1);
	if (names)
		setenv("LISTEN_FDNAMES", names, 1);
}

static void by_address(void **state)
{
	struct sqd_passed p;
	char name[64];

	pass_four(state, NULL);
	MUST(sqd_passed_read(&p) == 4);
	MUST(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS"));
	MUST(fcntl(3, F_GETFD) == FD_CLOEXEC);
	at(state, "stream.sock");
	MUST(sqd_passed_take(&p, where, SOCK_DGRAM) == -1);
	MUST(sqd_passed_take(&p, where, SOCK_STREAM) == 3);
	MUST(sqd_passed_take(&p, where, SOCK_STREAM) == -1); /* once only */
	at(state, "datagram.sock");
	MUST(sqd_passed_take(&p, where, SOCK_DGRAM) == 4);
	at(state, "other.sock");
	MUST(sqd_passed_take(&p, where, SOCK_STREAM) == -1);
	snprintf(name, sizeof(name), "unix:@squibly-passed-%d", (int)getppid());
	MUST(sqd_passed_take(&p, name, SOCK_STREAM) == 6);
	MUST(sqd_passed_close(&p) == 1); /* TCP */
	MUST(sqd_passed_close(&p) == 0);
}

static void passed_sockets_are_found_by_address(void **state)
{
	in_child(by_address, state);
}

static void by_name(void **state)
{
	struct sqd_passed p;

	pass_four(state, "events:events:tcp:other");
	MUST(sqd_passed_read(&p) == 4);
	MUST(sqd_passed_take_named(&p, "none", SOCK_STREAM) == -ENOENT);
	MUST(sqd_passed_take_named(&p, "event", SOCK_STREAM) == -ENOENT);
	MUST(sqd_passed_take_named(&p, "events", SOCK_DGRAM) == 4);
	MUST(sqd_passed_take_named(&p, "events", SOCK_DGRAM) == -EPROTOTYPE);
	MUST(sqd_passed_take_named(&p, "events", SOCK_STREAM) == 3);
	MUST(sqd_passed_take_named(&p, "events", SOCK_STREAM) == -ENOENT);
	MUST(sqd_passed_take_named(&p, "other", SOCK_STREAM) == 6);
	MUST(sqd_passed_close(&p) == 1);
}

static void passed_sockets_are_found_by_name(void **state)
{
	in_child(by_name, state);
}

static void not_for_us(void **state)
{
	struct sqd_passed p;

	pass_four(state, "a:b:c:d");
	setenv("LISTEN_PID", "1", 1);
	MUST(sqd_passed_read(&p) == 0);
	MUST(sqd_passed_take_named(&p, "a", SOCK_STREAM) == -ENOENT);
	MUST(!getenv("LISTEN_FDNAMES"));
}

static void sockets_passed_to_somebody_else_are_not_ours(void **state)
{
	in_child(not_for_us, state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(passed_sockets_are_found_by_address),
		IN_FOLDER(passed_sockets_are_found_by_name),
		IN_FOLDER(sockets_passed_to_somebody_else_are_not_ours),
	};

	return cmocka_run_group_tests_name("passed", tests, NULL, NULL);
}
