/* Run a loop until something is true, with a deadline instead of sleeps. */
#pragma once

#include <uv.h>

#include "tests/support/test.h"

enum { RUN_LOOP_DEADLINE_MS = 5000 };

static inline void run_loop_on_tick(uv_timer_t *t)
{
	(void)t;
}

static inline void run_loop_on_deadline(uv_timer_t *t)
{
	*(bool *)t->data = true;
}

/** Run `loop` until `done(ctx)`; fails the test after `deadline_ms`. What is looked at may change
 *  without an event on the loop: it looks again each millisecond. */
static inline void run_until_late(uv_loop_t *loop, bool (*done)(void *ctx), void *ctx,
                                  unsigned deadline_ms)
{
	uv_timer_t tick, deadline;
	bool late = false;

	uv_timer_init(loop, &tick);
	uv_timer_init(loop, &deadline);
	deadline.data = &late;
	uv_timer_start(&tick, run_loop_on_tick, 1, 1);
	uv_timer_start(&deadline, run_loop_on_deadline, deadline_ms, 0);
	while (!done(ctx) && !late)
		uv_run(loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&tick, NULL);
	uv_close((uv_handle_t *)&deadline, NULL);
	uv_run(loop, UV_RUN_NOWAIT); /* their closing ends here; they lie on our stack */
	if (late && !done(ctx))
		fail_msg("it did not happen within %u ms", deadline_ms);
}

/** The same within five seconds. */
static inline void run_until(uv_loop_t *loop, bool (*done)(void *ctx), void *ctx)
{
	run_until_late(loop, done, ctx, RUN_LOOP_DEADLINE_MS);
}

static inline bool run_loop_false(void *ctx)
{
	(void)ctx;
	return false;
}
