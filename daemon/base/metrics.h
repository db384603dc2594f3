/* The counters as a table that a person reads at a glance, and as one line.
 */
#pragma once

#include "lib/base/counters.h"
#include "lib/base/outbuf.h"

/** One row of a table beside the totals. */
struct sqd_metric {
	const char *name;
	uint64_t value;
	const char *help;
	bool always; /* shown also when it is zero */
};

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
