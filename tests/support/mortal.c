/* For a squiblyd that dies, or whose disk fails, at a chosen moment: what LMDB asks of the kernel
 * for a spool's file goes through here. SQ_MORTAL says what is to become of the call of that
 *number:
 *
 *	kill:7    the process is killed before it
 *	torn:7    half of it is written, then the process is killed
 *	after:7   it is done, then the process is killed
 *	eio:7     it fails with EIO; every later one, with eio:7+
 *	full:7    the same with ENOSPC
 *	rofs:7    the same with EROFS
 *	big:7     each that writes more than 7 bytes fails with ENOSPC
 *	child     a child that is forked is killed at once, as who is out of memory is
 *
 * Numbers count from 1. With SQ_MORTAL_WHILE nothing of this happens but while that file is there.
 *A test that has this in its own process says it with mortal_set(). This is no part of what is
 * shipped.
 */
/* The names that LMDB was linked with are both to be there. */
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/support/mortal.h"

#define SHOWN __attribute__((visibility("default")))

SHOWN ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at);
SHOWN ssize_t pwrite(int fd, const void *p, size_t n, off_t at);
SHOWN ssize_t writev(int fd, const struct iovec *v, int n);
SHOWN ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at);
SHOWN int fdatasync(int fd);
SHOWN pid_t fork(void);

static _Atomic unsigned calls;
static _Atomic(const char *) chosen;

void mortal_set(const char *what)
{
	calls = 0;
	chosen = what;
}

unsigned mortal_calls(void)
{
	return calls;
}

static int is_spool(int fd)
{
	char link[64], path[512];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return 0;
	path[n] = '\0';
	return n > 9 && strcmp(path + n - 9, "/data.mdb") == 0;
}

static int is_time(void)
{
	const char *path = getenv("SQ_MORTAL_WHILE");

	return !path || access(path, F_OK) == 0;
}

/* What is to be done with this call, which writes `n` bytes: its first letter, or 0: as ever. */
static char fate(int fd, size_t n)
{
	const char *said = chosen ? chosen : getenv("SQ_MORTAL");
	const char *at = said ? strchr(said, ':') : NULL;
	unsigned number, now;
	char *end;

	if (!at || !is_spool(fd) || !is_time())
		return 0;
	now = ++calls;
	number = (unsigned)strtoul(at + 1, &end, 10);
	if (said[0] == 'b')
		return n > number ? 'f' : 0;
	return now == number || (now > number && *end == '+') ? said[0] : 0;
}

static void die(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* @return whether the call has failed, with errno */
static int before(char what)
{
	if (what == 'k')
		die();
	errno = what == 'e' ? EIO : what == 'f' ? ENOSPC : EROFS;
	return what == 'e' || what == 'f' || what == 'r';
}

static ssize_t written(char what, ssize_t r)
{
	if (what == 'a' || what == 't')
		die();
	return r;
}

static size_t sum_of(const struct iovec *v, int n)
{
	size_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += v[i].iov_len;
	return sum;
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	char what = fate(fd, n);

	if (before(what))
		return -1;
	return written(what, syscall(SYS_pwrite64, fd, p, what == 't' ? n / 2 : n, at));
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	return pwrite64(fd, p, n, at);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	char what = fate(fd, sum_of(v, n));

	if (before(what))
		return -1;
	return written(what, syscall(SYS_writev, fd, v, what == 't' ? (n + 1) / 2 : n));
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	char what = fate(fd, sum_of(v, n));

	if (before(what))
		return -1;
	return written(what, syscall(SYS_pwritev, fd, v, what == 't' ? (n + 1) / 2 : n, at, 0));
}

int fdatasync(int fd)
{
	char what = fate(fd, 0);

	if (before(what))
		return -1;
	return (int)written(what, syscall(SYS_fdatasync, fd));
}

pid_t fork(void)
{
	const char *said = getenv("SQ_MORTAL");
	pid_t (*real)(void);
	pid_t child;

	*(void **)&real = dlsym(RTLD_NEXT, "fork");
	child = real();
	if (child == 0 && said && strcmp(said, "child") == 0)
		die();
	return child;
}
