/* Who does several pieces of work that have nothing to do with each other.
 *
 * Libraries below lib/host know no threads. Where they have work that may be done side by side they
 * ask for one of these; whoever calls them may have threads (lib/host/threads.h).
 */
#pragma once

#include <stdatomic.h>

#include "lib/base/base.h"

typedef void sq_each_task(void *arg, uint32_t i);

struct sq_each {
	/** Calls `task(arg, i)` once for each `i` below `n`, on any threads; it begins with the
	 *  first ones and returns when all have returned. NULL: one after another. */
	void (*run)(void *ctx, uint32_t n, sq_each_task *task, void *arg);
	void *ctx;
	/** Nobody wants what would come of it any more: who does a piece may leave out one that he
	 *  has not begun, and must tell that it is missing. Any thread sets it; NULL: never. */
	const atomic_bool *stop;
};

static inline bool sq_each_is_stopped(const struct sq_each *each)
{
	return each->stop && atomic_load_explicit(each->stop, memory_order_relaxed);
}

static inline void sq_each_run(const struct sq_each *each, uint32_t n, sq_each_task *task,
                               void *arg)
{
	if (each->run) {
		each->run(each->ctx, n, task, arg);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		task(arg, i);
}
