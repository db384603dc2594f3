/* The walk of a spool that may be damaged, by a child: pages that lie about where others are lead
 * anywhere, and a file that was cut ends in SIGBUS. Nothing of that reaches us.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/host/spool_private.h"

/* A child that walks in circles; walking what was sound is a matter of the disk's speed, so this
 * is processor time. */
enum { CPU_SECONDS_MAX = 600 };

/* What damage can end in; any other signal was sent by somebody. */
static bool is_of_damage(int signal)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU };

	for (size_t i = 0; i < SQ_LEN(deadly); i++)
		if (signal == deadly[i])
			return true;
	return false;
}

/* We may be the child of a daemon that runs: its handlers, and what they write to, are not ours. */
static void be_plain(void)
{
	const struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < SIGRTMIN; i++)
		(void)sigaction(i, &plain, NULL); /* but for those that have no handler */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child. Its status says what it found; why goes through the pipe. */
static SQ_NORETURN void walk(const char *dir, int to)
{
	const struct rlimit none = { 0 }, cpu = { CPU_SECONDS_MAX, CPU_SECONDS_MAX + 10 };
	const struct sq_spool_opts opts = { .dir = dir, .read_only = true, .unlocked = true };
	struct sq_err err = { 0 }, aside;
	struct sq_spool *s;
	int null, r;

	be_plain();
	to = dup2(to, STDERR_FILENO + 1);
	(void)close_range(STDERR_FILENO + 2, ~0U, 0); /* sockets and the lock, above all */
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)setrlimit(RLIMIT_CPU, &cpu);
	if (null >= 0)
		(void)dup2(null, STDERR_FILENO); /* LMDB complains there before it aborts */
	r = sq_spool_open(&opts, &s, &aside, &err);
	if (!r)
		r = sq_spool_verify(s, &err);
	if (r && write(to, err.text, strlen(err.text)) < 0)
		_exit(2);
	_exit(r == 0 ? 0 : r == -EUCLEAN ? 1 : r > 0 ? 3 : 2);
}

static size_t read_why(int from, char *to, size_t cap)
{
	size_t n = 0;

	for (;;) {
		ssize_t got = read(from, to + n, cap - 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	to[n] = '\0';
	return n;
}

static int there(const char *dir)
{
	char path[4096];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/data.mdb", dir);
	return stat(path, &st) == 0 && st.st_size > 0;
}

int sq_spool_check(const char *dir, struct sq_err *err)
{
	char why[SQ_ERR_TEXT];
	int ends[2], status = 0;
	pid_t child;

	if (!there(dir))
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return sq_err_set(err, -errno, "%s: %s", dir, sq_strerror(-errno));
	child = fork();
	if (child == 0)
		walk(dir, ends[1]);
	(void)close(ends[1]);
	if (child < 0) {
		(void)close(ends[0]);
		return sq_err_set(err, -errno, "%s: %s", dir, sq_strerror(-errno));
	}
	(void)read_why(ends[0], why, sizeof(why));
	(void)close(ends[0]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status) && !is_of_damage(WTERMSIG(status)))
		return sq_err_set(err, -EIO, "%s: it could not be checked: signal %d came", dir,
		                  WTERMSIG(status));
	if (WIFSIGNALED(status))
		return sq_err_set(err, -EUCLEAN, "%s: damaged: reading it ends in signal %d", dir,
		                  WTERMSIG(status));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
		return sq_err_set(err, 1, "%s", why);
	return sq_err_set(err, WEXITSTATUS(status) == 1 ? -EUCLEAN : -EIO, "%s",
	                  why[0] ? why : "the spool cannot be checked");
}
