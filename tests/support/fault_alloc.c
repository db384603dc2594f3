#include "tests/support/fault_alloc.h"

#include <stdatomic.h>
#include <stddef.h>

/* `ld --wrap=malloc` sends our calls of malloc to __wrap_malloc, and __real_malloc to malloc. */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);

/* Threads count together. */
static atomic_uint countdown;
static atomic_bool reached;

void fault_alloc_at(unsigned n)
{
	atomic_store(&reached, false);
	atomic_store(&countdown, n);
}

bool fault_alloc_end(void)
{
	atomic_store(&countdown, 0);
	return atomic_load(&reached);
}

static bool fails(void)
{
	unsigned left = atomic_load(&countdown);

	while (left && !atomic_compare_exchange_weak(&countdown, &left, left - 1))
		continue;
	if (left == 1)
		atomic_store(&reached, true);
	return left == 1;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t n)
{
	return fails() ? NULL : __real_strndup(text, n);
}
