/* Preloaded into a program, counts what it asks of the heap and how often it takes a lock, in a
 * file that HOTCOUNT names: two numbers of 64 bits, allocations (with frees) and locks (with
 * waits).
 *
 * Calls inside glibc are not seen; what a library we use asks of it is.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEEN __attribute__((visibility("default"), used))

enum { ALLOCATIONS, LOCKS, KINDS };

static _Atomic uint64_t before_open[KINDS];
static _Atomic uint64_t *counts = before_open;

static void one(int kind)
{
	atomic_fetch_add_explicit(&counts[kind], 1, memory_order_relaxed);
}

static __attribute__((constructor)) void open_counts(void)
{
	const char *path = getenv("HOTCOUNT");
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	void *p;

	if (fd < 0 || ftruncate(fd, sizeof(before_open)) < 0)
		return;
	p = mmap(NULL, sizeof(before_open), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		counts = p;
}

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);
void __libc_free(void *p);

SEEN void *malloc(size_t n)
{
	one(ALLOCATIONS);
	return __libc_malloc(n);
}

SEEN void *calloc(size_t n, size_t size)
{
	one(ALLOCATIONS);
	return __libc_calloc(n, size);
}

SEEN void *realloc(void *p, size_t n)
{
	one(ALLOCATIONS);
	return __libc_realloc(p, n);
}

SEEN void *reallocarray(void *p, size_t n, size_t size)
{
	one(ALLOCATIONS);
	return size && n > SIZE_MAX / size ? NULL : __libc_realloc(p, n * size);
}

SEEN void *memalign(size_t alignment, size_t n)
{
	one(ALLOCATIONS);
	return __libc_memalign(alignment, n);
}

SEEN void *aligned_alloc(size_t alignment, size_t n)
{
	return memalign(alignment, n);
}

SEEN int posix_memalign(void **ret, size_t alignment, size_t n)
{
	*ret = memalign(alignment, n);
	return *ret ? 0 : 12; /* ENOMEM */
}

SEEN void free(void *p)
{
	if (p)
		one(ALLOCATIONS);
	__libc_free(p);
}

/* glibc's own, behind this library. */
#define NEXT(name) ((__typeof__(&(name)))(uintptr_t)dlsym(RTLD_NEXT, #name))

SEEN int pthread_mutex_lock(pthread_mutex_t *m)
{
	static __typeof__(&pthread_mutex_lock) next;

	one(LOCKS);
	if (!next)
		next = NEXT(pthread_mutex_lock);
	return next(m);
}

SEEN int pthread_mutex_trylock(pthread_mutex_t *m)
{
	static __typeof__(&pthread_mutex_trylock) next;

	one(LOCKS);
	if (!next)
		next = NEXT(pthread_mutex_trylock);
	return next(m);
}

SEEN int pthread_rwlock_rdlock(pthread_rwlock_t *l)
{
	static __typeof__(&pthread_rwlock_rdlock) next;

	one(LOCKS);
	if (!next)
		next = NEXT(pthread_rwlock_rdlock);
	return next(l);
}

SEEN int pthread_cond_signal(pthread_cond_t *c)
{
	static __typeof__(&pthread_cond_signal) next;

	one(LOCKS);
	if (!next)
		next = NEXT(pthread_cond_signal);
	return next(c);
}

SEEN int pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	static __typeof__(&pthread_cond_wait) next;

	one(LOCKS);
	if (!next)
		next = NEXT(pthread_cond_wait);
	return next(c, m);
}
