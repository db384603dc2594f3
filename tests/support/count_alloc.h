/* Counts what this program asks of the heap, in our code and in the libraries it uses.
 *
 * Include in one file of a test. With a sanitizer its hooks are asked; else malloc and its like are
 * replaced by functions that count and call glibc's own.
 */
#pragma once

#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

static atomic_ulong count_alloc_calls, count_alloc_frees;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNT_ALLOC_HOOKS 1
int __sanitizer_install_malloc_and_free_hooks(void (*made)(const volatile void *, size_t),
                                              void (*freed)(const volatile void *));

static void count_alloc_made(const volatile void *p, size_t n)
{
	(void)p;
	(void)n;
	atomic_fetch_add_explicit(&count_alloc_calls, 1, memory_order_relaxed);
}

static void count_alloc_freed(const volatile void *p)
{
	if (p)
		atomic_fetch_add_explicit(&count_alloc_frees, 1, memory_order_relaxed);
}
#else
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);
void __libc_free(void *p);

#define COUNT_ALLOC_VISIBLE __attribute__((visibility("default"), used))
#define COUNT_ALLOC_ONE()   atomic_fetch_add_explicit(&count_alloc_calls, 1, memory_order_relaxed)

COUNT_ALLOC_VISIBLE void *malloc(size_t n)
{
	COUNT_ALLOC_ONE();
	return __libc_malloc(n);
}

COUNT_ALLOC_VISIBLE void *calloc(size_t n, size_t size)
{
	COUNT_ALLOC_ONE();
	return __libc_calloc(n, size);
}

COUNT_ALLOC_VISIBLE void *realloc(void *p, size_t n)
{
	COUNT_ALLOC_ONE();
	return __libc_realloc(p, n);
}

COUNT_ALLOC_VISIBLE void *reallocarray(void *p, size_t n, size_t size)
{
	COUNT_ALLOC_ONE();
	return size && n > (size_t)-1 / size ? NULL : __libc_realloc(p, n * size);
}

COUNT_ALLOC_VISIBLE void *memalign(size_t alignment, size_t n)
{
	COUNT_ALLOC_ONE();
	return __libc_memalign(alignment, n);
}

COUNT_ALLOC_VISIBLE void *aligned_alloc(size_t alignment, size_t n)
{
	COUNT_ALLOC_ONE();
	return __libc_memalign(alignment, n);
}

COUNT_ALLOC_VISIBLE int posix_memalign(void **ret, size_t alignment, size_t n)
{
	COUNT_ALLOC_ONE();
	*ret = __libc_memalign(alignment, n);
	return *ret ? 0 : 12; /* ENOMEM */
}

COUNT_ALLOC_VISIBLE void free(void *p)
{
	if (p)
		atomic_fetch_add_explicit(&count_alloc_frees, 1, memory_order_relaxed);
	__libc_free(p);
}
#endif

/** Before anything is counted. */
static inline void count_alloc_begin(void)
{
#ifdef COUNT_ALLOC_HOOKS
	static bool installed;

	if (!installed)
		(void)__sanitizer_install_malloc_and_free_hooks(count_alloc_made,
		                                                count_alloc_freed);
	installed = true;
#endif
	count_alloc_calls = 0;
	count_alloc_frees = 0;
}
