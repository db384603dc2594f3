/* The accounts that must come out even: what came in is what was made of it, record by record and
 * alert by alert. Rows come from lib/base/counters.h and from the tables of outputs; a row that is
 * new there is in its account at once.
 *
 * Of the main loop only.
 */
#pragma once

#include "daemon/core/daemon_private.h"

/** One account: a table whose sides must be equal (sqd_metrics_missing()). */
struct sqd_account {
	char name[160];
	struct sqd_metrics m;
};

/** The first account of an output. */
enum { SQD_ACCOUNTS_OUTPUTS = 2 };

/** Accounts there are: records, alerts, then one for each output, the dead letters last. */
size_t sqd_accounts(const struct sqd_daemon *d);
void sqd_account(const struct sqd_daemon *d, size_t i, struct sqd_account *ret);

/** Every account holds. */
bool sqd_accounts_hold(const struct sqd_daemon *d);
