/* Bump memory that lives as long as its batch.
 *
 * One block, allocated once, handed out front to back, emptied at once. Full is a state of the
 * arena (`overflow`), not an error path through ten functions: the caller gets NULL, whoever owns
 * the event counts it. Not thread safe; one owner at a time.
 */
#pragma once

#include "lib/base/sv.h"

struct sq_arena {
	char *base;
	size_t used, cap; /* bytes */
	bool overflow;    /* an allocation did not fit since the last reset or rewind */
};

/** Allocate the block. @return 0 or -ENOMEM */
int sq_arena_init(struct sq_arena *a, size_t cap) SQ_MUST_CHECK;
void sq_arena_fini(struct sq_arena *a);

/** Empty, reusable. Everything given out before is gone (and poisoned under ASan). */
void sq_arena_reset(struct sq_arena *a);

/** It is empty, and may stay so for long: its memory is the system's until it is used again. */
void sq_arena_cool(struct sq_arena *a);

/** `n` bytes, aligned for any type; contents undefined. NULL when full; `overflow` is set. */
void *sq_arena_alloc(struct sq_arena *a, size_t n);

/** `n` bytes with no alignment, for text. */
char *sq_arena_bytes(struct sq_arena *a, size_t n);

/** A copy of `v`; an empty view when full. */
struct sq_sv sq_arena_dup(struct sq_arena *a, struct sq_sv v);

/** Give back the last bytes: `sq_arena_trim(a, p + n)` makes `p + n` the next byte to hand out. */
void sq_arena_trim(struct sq_arena *a, const char *end);

static inline size_t sq_arena_mark(const struct sq_arena *a)
{
	return a->used;
}

/** Back to a mark; clears `overflow`. */
void sq_arena_rewind(struct sq_arena *a, size_t mark);
