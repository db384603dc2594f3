/* The counters as a table that a person reads at a glance, and as one line.
 */
#pragma once

#include "lib/base/counters.h"
#include "lib/base/outbuf.h"

/** Where the number of a row stands in the account of its table: all that came is done with, still
 *  here, or lost for a cause that is told. */
enum sqd_side {
	SQD_ASIDE,     /* nowhere: it says something else */
	SQD_CAME,      /* left of the equals sign, all others right of it */
	SQD_DELIVERED, /* done */
	SQD_WAITING,   /* to be done */
	SQD_SPARED,    /* not to be done: nobody wants it here, or another one stands for it */
	SQD_DROPPED,   /* lost, for this cause */
	SQD_SIDES,
};

/** One row of a table beside the totals. */
struct sqd_metric {
	const char *name;
	uint64_t value;
	const char *help;
	bool always; /* shown also when it is zero */
	enum sqd_side side;
};

/** Rows of one table, from whoever has some to add. */
struct sqd_metrics {
	struct sqd_metric rows[64];
	size_t n;
};

/** Add `n` rows; there must be room, since no number of theirs grows at run time. */
void sqd_metrics_add(struct sqd_metrics *m, const struct sqd_metric *rows, size_t n);

/** What came less what is accounted for: zero when the account holds, positive when something is
 *  missing, negative when something was counted twice. */
int64_t sqd_metrics_missing(const struct sqd_metrics *m);

/** "raised 12 = sent 10 + waiting 0 + folded 1 + below_level 0 + dropped 1 (full 1)", and ",
 *  MISCOUNTED by N" when it does not hold. No line end. */
void sqd_metrics_account(struct sq_outbuf *out, const struct sqd_metrics *m);

/** "received 123 = alerted 2 + clean 121 + malformed 0 + oversized 0 + dropped 0", the causes of
 *  dropped in brackets when there are some, and ", in flight N" when not all is settled. No line
 *  end. */
void sqd_metrics_equation(struct sq_outbuf *out, const struct sq_counters *c);

/** The equation and one line for each counter: value, name, help. Zeros are left out of INFO and
 *  DROP rows unless `all`. */
void sqd_metrics_totals(struct sq_outbuf *out, const struct sq_counters *c, bool all);

/** A titled table of `n` rows, without zeros that need not be shown. */
void sqd_metrics_table(struct sq_outbuf *out, const char *title, const struct sqd_metric *rows,
                       size_t n);
