/* What the daemon says: one line on standard error, with its level in front ("<4>") when that is
 *the journal. Any thread.
 *
 *	tcp 127.0.0.1:5170: 127.0.0.1:40122 speaks TLS on a plain port; closing
 *
 * Text from the network goes through sqd_log_text() first. Lines that a peer can provoke are given
 * through a rate limit, which says how many it swallowed.
 */
#pragma once

#include "lib/base/err.h"
#include "lib/base/time.h"

enum sqd_log_level {
	SQD_LOG_ERROR = 3,
	SQD_LOG_WARNING = 4,
	SQD_LOG_NOTICE = 5,
	SQD_LOG_INFO = 6,
	SQD_LOG_DEBUG = 7
};

/** Lines above this level are not written. Set once, before threads start. */
void sqd_log_set_level(enum sqd_log_level level);

/** Find out whether standard error is the journal (JOURNAL_STREAM). Once, before threads start. */
void sqd_log_find_journal(void);

/** One line, without its end; any thread. What a sender can provoke belongs to sqd_log_limited().
 */
void sqd_log(enum sqd_log_level level, const char *fmt, ...) SQ_PRINTF(2, 3);

/** Whole lines, as they are, to where the log goes. Any thread. Where nobody reads (a full pipe) it
 *  waits a tenth of a second, at most once a second, and loses what comes until somebody does. */
void sqd_log_write(struct sq_sv text);

/** Lines that were lost so. Any thread. */
uint64_t sqd_log_lost(void);

/** A rate limit: `burst` lines at once, then one each `each_s` seconds. Static or embedded; zero is
 *  10, and 1. */
struct sqd_log_limit {
	uint32_t burst;
	uint32_t each_s;
	uint64_t tokens_ns; /* private */
	uint64_t last_ns;
	uint64_t swallowed;
};

/** As sqd_log(), unless over the limit; not for use by two threads at once. @return whether it was
 *  written */
bool sqd_log_limited(struct sqd_log_limit *limit, enum sqd_log_level level, const char *fmt, ...)
	SQ_PRINTF(3, 4);

/** At most 120 bytes of `v`, everything but printable ASCII escaped as \xNN, "..." when cut.
 *  @return `to` */
const char *sqd_log_text(struct sq_sv v, char to[512]);
