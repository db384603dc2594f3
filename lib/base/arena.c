#include "lib/base/arena.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/base/asan.h"
#include "lib/base/block.h"

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
	LARGE = 256 * 1024, /* bytes of what is mapped, and not resident before it is used */
};

/* Zeroed: gcc takes poisoning for a read. */
static char *memory_new(size_t n)
{
	return n >= LARGE ? sq_block_new(n) : calloc(1, n ? n : 1);
}

static void memory_free(char *p, size_t n)
{
	if (n >= LARGE)
		sq_block_free(p, n);
	else
		free(p);
}

int sq_arena_init(struct sq_arena *a, size_t cap)
{
	char *base = memory_new(cap);

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
	memory_free(a->base, a->cap);
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

void sq_arena_cool(struct sq_arena *a)
{
	sq_assert(a->used == 0);
	if (a->cap >= LARGE)
		sq_block_cool(a->base, a->cap);
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
