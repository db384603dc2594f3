/* Signals as named events on the main loop. SIGPIPE and SIGXFSZ are ignored for
 * good: who writes is told by an error.
 */
#pragma once

#include <uv.h>

#include "lib/base/base.h"

enum sqd_signal { SQD_SIGNAL_STOP, SQD_SIGNAL_RELOAD, SQD_SIGNAL_COUNTERS };

typedef void sqd_signal_fn(void *ctx, enum sqd_signal what);

struct sqd_signals {
	uv_signal_t handles[4]; /* SIGTERM, SIGINT, SIGHUP, SIGUSR1 */
	unsigned open;
	sqd_signal_fn *on_signal;
	void *ctx;
};

/** @return 0 or negative errno; sqd_signals_close() is called in any case */
int sqd_signals_open(struct sqd_signals *s, uv_loop_t *loop, sqd_signal_fn *on_signal,
                     void *ctx) SQ_MUST_CHECK;

/** The memory of `s` may go when the loop has run out of handles. */
void sqd_signals_close(struct sqd_signals *s);
