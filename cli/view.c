#include "cli/view.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

static struct {
	char *at;
	size_t n, page;
	struct sigaction before;
	atomic_bool lost;
} view;

/* A page that cannot be had becomes one of NULs. A fault of anybody else is none of our business:
 * it happens again when we return, as if we were not here. */
static void on_bus(int sig, siginfo_t *info, void *ctx SQ_UNUSED)
{
	size_t off = (size_t)((uintptr_t)info->si_addr - (uintptr_t)view.at);
	int saved = errno;

	if (off >= view.n || mmap(view.at + off / view.page * view.page, view.page, PROT_READ,
	                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		(void)sigaction(sig, &view.before, NULL);
	else
		atomic_store_explicit(&view.lost, true, memory_order_relaxed);
	errno = saved;
}

struct sq_sv cli_view_open(int fd, uint64_t size)
{
	const struct sigaction catch = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };
	void *at;

	sq_assert(!view.n);
	if (!size || size > SIZE_MAX / 2)
		return (struct sq_sv){ 0 };
	at = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return (struct sq_sv){ 0 };
	view.page = (size_t)sysconf(_SC_PAGESIZE);
	view.at = at;
	view.n = (size_t)size;
	atomic_store_explicit(&view.lost, false, memory_order_relaxed);
	if (sigaction(SIGBUS, &catch, &view.before) < 0) {
		(void)munmap(at, view.n);
		view.n = 0;
	}
	return (struct sq_sv){ at, view.n };
}

void cli_view_close(void)
{
	if (!view.n)
		return;
	(void)sigaction(SIGBUS, &view.before, NULL);
	(void)munmap(view.at, view.n);
	view.n = 0;
}

bool cli_view_held(void)
{
	return !atomic_load_explicit(&view.lost, memory_order_relaxed);
}
