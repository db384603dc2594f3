/* Tell systemd how we are: READY, RELOADING, STOPPING, STATUS, WATCHDOG, without libsystemd.
 *
 * One datagram to the socket that NOTIFY_SOCKET names (a path, or '@' and an abstract name).
 * Without that variable every call does nothing. Any thread; never blocks, and losing a message
 * harms nobody, so there is no result.
 */
#pragma once

#include "lib/base/base.h"

/** Lines as sd_notify(3) takes them: "READY=1\nSTATUS=7 rules". At most 1 KiB. */
void sqd_notify(const char *fmt, ...) SQ_PRINTF(1, 2);

/** "RELOADING=1" with the time systemd wants beside it. */
void sqd_notify_reloading(void);

/** How often WATCHDOG=1 must be sent, in milliseconds: half of WATCHDOG_USEC. 0: not wanted (no
 * such variable, or WATCHDOG_PID names another process). */
uint64_t sqd_notify_watchdog_ms(void);
