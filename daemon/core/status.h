/* How the daemon is: every account, whether it holds, rules and inputs; for programs and for
 * people.
 *
 * Nothing is listed here that is listed elsewhere: rows come from lib/base/counters.h and from the
 * tables of inputs and outputs, and a row that is new there is told here.
 */
#pragma once

#include "daemon/core/daemon_private.h"
#include "lib/text/jsonw.h"

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

/** The first account of an output. */
enum { SQD_STATUS_OUTPUTS = 2 };

/** status_outputs.c: whether each output can be reached, since when not and why, what waits for it
 *  and what becomes of that. Member "outputs"; */
void sqd_status_outputs_json(const struct sqd_daemon *d, struct sq_jsonw *w);
/** some lines for people, for output `i`; */
void sqd_status_output_text(const struct sqd_daemon *d, size_t i, struct sq_outbuf *out);
/** one line, when some output needs somebody's attention. */
void sqd_status_outputs_verdict(const struct sqd_daemon *d, struct sq_outbuf *out);

/** status_text.c: for people. "3 days 04:12:33"; "2026-11-20 01:02:03 UTC". */
void sqd_status_put_span(struct sq_outbuf *out, uint64_t ms);
void sqd_status_put_date(struct sq_outbuf *out, int64_t wall_us);
void sqd_status_report(const struct sqd_daemon *d, bool complete, struct sq_outbuf *out);
void sqd_status_rules(const struct sqd_daemon *d, struct sq_outbuf *out);
