/* How the daemon is: every account, whether it holds, rules and inputs; for programs and for
 * people.
 *
 * Nothing is listed here that is listed elsewhere: rows come from lib/base/counters.h and from the
 * tables of inputs and outputs, and a row that is new there is told here.
 */
#pragma once

#include "daemon/core/daemon_private.h"

/** Write the answer to `what`, with what is known now. `complete`: every loop has shown its
 * counters. `out` holds the whole answer of the control socket. Main loop. */
void sqd_status_answer(struct sqd_daemon *d, enum sqd_request what, bool complete,
                       struct sq_outbuf *out);

/** One account: a table whose sides must be equal. */
struct sqd_account {
	char name[160];
	struct sqd_metrics m;
};

/** Accounts there are: records, alerts, then one for each output, the dead letters last. */
size_t sqd_status_accounts(const struct sqd_daemon *d);
void sqd_status_account(const struct sqd_daemon *d, size_t i, struct sqd_account *ret);

/** Every account holds. */
bool sqd_status_holds(const struct sqd_daemon *d);

/** status_text.c: for people. */
void sqd_status_report(const struct sqd_daemon *d, bool complete, struct sq_outbuf *out);
void sqd_status_rules(const struct sqd_daemon *d, struct sq_outbuf *out);
