#include "lib/base/arena.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define SQ_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SQ_ASAN 1
#endif
#endif

#ifdef SQ_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   __asan_poison_memory_region(p, n)
#define UNPOISON(p, n) __asan_unpoison_memory_region(p, n)
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

enum {
	ALIGN = _Alignof(max_align_t),
	LARGE = 16 << 20, /* bytes of a block that is mapped */
};

/* As calloc() does it: nothing is written before it is used. But where MALLOC_PERTURB_ is set, as
 * meson does it for tests, and with ThreadSanitizer calloc() writes to all of it, and the plan of
 * a sieve has 192 MiB. AddressSanitizer has to see what the block points to. */
static bool is_mapped(size_t n)
{
#ifdef SQ_ASAN
	(void)n;
	return false;
#else
	return n >= LARGE;
#endif
}

static char *block_new(size_t n)
{
	void *p;

	if (!is_mapped(n))
		return calloc(1, n ? n : 1); /* zeroed: gcc takes poisoning for a read */
	p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

static void block_free(char *p, size_t n)
{
	if (is_mapped(n))
		(void)munmap(p, n); /* it fails for addresses that are none of a map */
	else
		free(p);
}

int sq_arena_init(struct sq_arena *a, size_t cap)
{
	char *base = block_new(cap);

	if (!base)
		return -ENOMEM;
	*a = (struct sq_arena){ .base = base, .cap = cap };
	POISON(base, cap);
	return 0;
}

void sq_arena_fini(struct sq_arena *a)
{
	if (!a || !a->base)
		return;
	UNPOISON(a->base, a->cap);
	block_free(a->base, a->cap);
	*a = (struct sq_arena){ 0 };
}

void sq_arena_reset(struct sq_arena *a)
{
	sq_arena_rewind(a, 0);
}

void sq_arena_rewind(struct sq_arena *a, size_t mark)
{
	sq_assert(mark <= a->used);
	POISON(a->base + mark, a->used - mark);
	a->used = mark;
	a->overflow = false;
}

char *sq_arena_bytes(struct sq_arena *a, size_t n)
{
	char *p = a->base + a->used;

	if (n > a->cap - a->used) {
		a->overflow = true;
		return NULL;
	}
	a->used += n;
	UNPOISON(p, n);
	return p;
}

void *sq_arena_alloc(struct sq_arena *a, size_t n)
{
	size_t pad = (size_t)(-(uintptr_t)(a->base + a->used) & (ALIGN - 1));

	if (pad > a->cap - a->used) {
		a->overflow = true;
		return NULL;
	}
	a->used += pad;
	return sq_arena_bytes(a, n);
}

struct sq_sv sq_arena_dup(struct sq_arena *a, struct sq_sv v)
{
	char *p = sq_arena_bytes(a, v.n);

	if (!p)
		return (struct sq_sv){ "", 0 };
	if (v.n)
		memcpy(p, v.p, v.n);
	return (struct sq_sv){ p, v.n };
}

void sq_arena_trim(struct sq_arena *a, const char *end)
{
	size_t used = (size_t)(end - a->base);

	sq_assert(used <= a->used);
	POISON(a->base + used, a->used - used);
	a->used = used;
}
