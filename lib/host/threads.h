/* Pieces of work side by side, on threads that end with them.
 */
#pragma once

#include "lib/base/each.h"

enum { SQ_THREADS_MAX = 16 };

/** How many CPUs this process may use. At least 1. */
unsigned sq_threads_cpus(void);

/**
 * The `run` of a struct sq_each. `ctx` is a `const unsigned *`: how many threads at most, the
 * calling one among them; more than SQ_THREADS_MAX are as many. Pieces are begun in order.
 * Where the system gives fewer threads, there are fewer.
 */
void sq_threads_run(void *ctx, uint32_t n, sq_each_task *task, void *arg);
