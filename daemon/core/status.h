/* How the daemon is: every account, whether it holds, rules and inputs; for programs and for
 * people (status_text.h).
 *
 * Nothing is listed here that is listed elsewhere: rows come from accounts.h and from the tables of
 * inputs, and a row that is new there is told here.
 */
#pragma once

#include "daemon/core/daemon_private.h"

/** Write the answer to `what`, with what is known now. `complete`: every loop has shown its
 * counters. `out` holds the whole answer of the control socket. Main loop. */
void sqd_status_answer(struct sqd_daemon *d, enum sqd_request what, bool complete,
                       struct sq_outbuf *out);
