#include "daemon/core/accounts.h"

#include <stdio.h>

/* What is not accounted for yet is on its way, as long as there is a batch that it may be in. When
 * there is none, it has no place, and that is what the account then says. */
static uint64_t on_their_way(const struct sqd_daemon *d, const struct sq_counters *sum)
{
	uint64_t accounted = sq_counters_accounted(sum);

	if (accounted >= sum->received || !sqd_daemon_under_way(d))
		return 0;
	return sum->received - accounted;
}

static void records_account(const struct sqd_daemon *d, struct sqd_metrics *m)
{
	struct sq_counters sum = sqd_daemon_counts(d);
	const struct sqd_metric way = { "on_their_way", on_their_way(d, &sum),
		                        "Records that were read and are not looked at yet", true,
		                        SQD_WAITING };

	for (const struct sq_counter_info *i = sq_counter_infos; i->name; i++) {
		struct sqd_metric row = { i->name, sq_counter_get(&sum, i), i->help };

		if (i->offset == offsetof(struct sq_counters, received))
			row.side = SQD_CAME;
		else if (i->kind == SQ_COUNTER_TERM)
			row.side = SQD_DELIVERED;
		else if (i->kind == SQ_COUNTER_DROP)
			row.side = SQD_DROPPED;
		else
			continue;
		row.always = row.side != SQD_DROPPED;
		sqd_metrics_add(m, &row, 1);
	}
	sqd_metrics_add(m, &way, 1);
}

/* Alerts are counted by who makes them, and once more by who gives them to the outputs. */
static void alerts_account(const struct sqd_daemon *d, struct sqd_metrics *m)
{
	struct sq_counters sum = sqd_daemon_counts(d);
	uint64_t given = d->answering ? d->asked_raised : sqd_daemon_raised(d);
	bool way = sum.alerts > given && sqd_daemon_under_way(d);
	const struct sqd_metric rows[] = {
		{ "alerts", sum.alerts, "Alerts made: one for each rule and event", true,
		  SQD_CAME },
		{ "at_the_outputs", given, "Alerts raised at the outputs they are for; see below",
		  true, SQD_DELIVERED },
		{ "on_their_way", way ? sum.alerts - given : 0,
		  "Alerts whose batch has not been handed over yet", true, SQD_WAITING },
	};

	sqd_metrics_add(m, rows, SQ_LEN(rows));
}

enum { RECORDS, ALERTS };

size_t sqd_accounts(const struct sqd_daemon *d)
{
	return SQD_ACCOUNTS_OUTPUTS + d->n_queues;
}

void sqd_account(const struct sqd_daemon *d, size_t i, struct sqd_account *ret)
{
	*ret = (struct sqd_account){ 0 };
	if (i == RECORDS) {
		(void)snprintf(ret->name, sizeof(ret->name), "records");
		records_account(d, &ret->m);
	} else if (i == ALERTS) {
		(void)snprintf(ret->name, sizeof(ret->name), "alerts");
		alerts_account(d, &ret->m);
	} else {
		sqd_daemon_output_title(d, i - SQD_ACCOUNTS_OUTPUTS, ret->name, sizeof(ret->name));
		sqd_daemon_output_metrics(d, i - SQD_ACCOUNTS_OUTPUTS, &ret->m);
	}
}

bool sqd_accounts_hold(const struct sqd_daemon *d)
{
	for (size_t i = 0; i < sqd_accounts(d); i++) {
		struct sqd_account a;

		sqd_account(d, i, &a);
		if (sqd_metrics_missing(&a.m))
			return false;
	}
	return true;
}
