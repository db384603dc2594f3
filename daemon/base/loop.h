/* Small services around the loop: the time, and the end.
 */
#pragma once

#include <uv.h>

#include "lib/base/time.h"

/** What time it is. Any thread. */
struct sq_now sqd_now(void);

/** How long the calling thread has run, in nanoseconds of a processor's time. A system call. */
uint64_t sqd_thread_ns(void);

/** Threads of libuv's pool, which all loops share: before the first of them is given work, since
 *  then it is too late. The environment is not asked. @return 0, or -ENOMEM */
int sqd_loop_pool(unsigned threads) SQ_MUST_CHECK;

/** Close the loop. Every handle must be closed by now: one that is not is our own mistake, is named
 *  on standard error, and the program aborts, so that no test can overlook it. */
void sqd_loop_end(uv_loop_t *loop);
