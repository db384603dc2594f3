/* For somebody who is woken up at night: first whether all is well, then every number with what it
 * means, each account as a sum that can be checked by hand. */
#include "daemon/core/status_text.h"

#include "daemon/base/loop.h"
#include "daemon/core/accounts.h"
#include "daemon/core/human.h"
#include "daemon/core/status_outputs.h"

static void put_row(struct sq_outbuf *out, char sign, const struct sqd_metric *r)
{
	sq_outbuf_printf(out, "  %c %14llu  %-18s %s\n", sign, (unsigned long long)r->value,
	                 r->name, r->help);
}

static void put_account(struct sq_outbuf *out, const struct sqd_daemon *d, size_t i,
                        const struct sqd_account *a)
{
	int64_t missing = sqd_metrics_missing(&a->m);
	char sign = ' ';

	sq_outbuf_printf(out, "\n%s\n", a->name);
	if (i >= SQD_ACCOUNTS_OUTPUTS)
		sqd_status_output_text(d, i - SQD_ACCOUNTS_OUTPUTS, out);
	for (int side = SQD_CAME; side < SQD_SIDES; side++) {
		if (side == SQD_DELIVERED)
			sign = '=';
		for (size_t k = 0; k < a->m.n; k++) {
			const struct sqd_metric *r = &a->m.rows[k];

			if ((int)r->side != side || (!r->value && !r->always))
				continue;
			put_row(out, sign, r);
			sign = '+';
		}
	}
	if (missing > 0)
		sq_outbuf_printf(out, "  !! THIS DOES NOT HOLD: %lld came that are nowhere below\n",
		                 (long long)missing);
	else if (missing < 0)
		sq_outbuf_printf(out, "  !! THIS DOES NOT HOLD: %lld more are told than came\n",
		                 (long long)-missing);
	for (size_t k = 0; k < a->m.n; k++)
		if (a->m.rows[k].side == SQD_ASIDE && (a->m.rows[k].value || a->m.rows[k].always))
			put_row(out, ' ', &a->m.rows[k]);
}

static void put_verdict(const struct sqd_daemon *d, bool complete, struct sq_outbuf *out)
{
	if (!complete)
		sq_outbuf_put(out,
		              SQ_SV("!! An I/O loop does not answer. The numbers below are "
		                    "the last that are known of it,\n"
		                    "!! and sums may not hold for that alone. See the log.\n"));
	else if (sqd_accounts_hold(d))
		sq_outbuf_put(out, SQ_SV("All is accounted for: every record that came in, and "
		                         "every alert at every output.\n"));
	else
		sq_outbuf_put(out, SQ_SV("!! NOT ALL IS ACCOUNTED FOR; look for !! below. This is "
		                         "a fault of squiblyd:\n"
		                         "!! please report it with this text and the log.\n"));
}

void sqd_status_rules(const struct sqd_daemon *d, struct sq_outbuf *out)
{
	sq_outbuf_printf(out, "%u rule%s in force%s, generation %llu, loaded ", d->rules.rules,
	                 d->rules.rules == 1 ? "" : "s", d->rules.cached ? " (cached)" : "",
	                 (unsigned long long)d->rules.generation);
	sqd_put_date(out, d->rules_at);
	sq_outbuf_putc(out, '\n');
	if (!d->refused_at)
		return;
	sq_outbuf_put(out, SQ_SV("!! newer rules were refused "));
	sqd_put_date(out, d->refused_at);
	sq_outbuf_printf(out, ": %s\n", d->refused_why);
}

static void put_rate(const struct sqd_daemon *d, size_t i, struct sq_outbuf *out)
{
	if (!d->inputs[i].in->allowance)
		return;
	sq_outbuf_put(out, SQ_SV(", at most "));
	sqd_put_bytes(out, d->inputs[i].in->allowance->rate);
	sq_outbuf_put(out, SQ_SV(" a second"));
	if (sqd_daemon_holds_back(d, i))
		sq_outbuf_put(out, SQ_SV(", more wants to come in"));
}

static void put_inputs(const struct sqd_daemon *d, struct sq_outbuf *out)
{
	for (size_t i = 0; i < d->n_inputs; i++) {
		struct sqd_metrics m;

		sqd_daemon_input_metrics(d, i, &m);
		sq_outbuf_printf(out, "\ninput %s", d->inputs[i].in->name);
		if (d->inputs[i].in->tenant.n)
			sq_outbuf_printf(out, ", tenant %.*s", SQ_SV_ARG(d->inputs[i].in->tenant));
		put_rate(d, i, out);
		sq_outbuf_putc(out, '\n');
		for (size_t r = 0; r < m.n; r++)
			if (m.rows[r].value || m.rows[r].always)
				put_row(out, ' ', &m.rows[r]);
	}
}

/* What stands in no account, and is not zero. */
static void put_counters(struct sq_outbuf *out, const struct sqd_daemon *d)
{
	struct sq_counters sum = sqd_daemon_counts(d);

	sq_outbuf_put(out, SQ_SV("\nother counters\n"));
	for (const struct sq_counter_info *i = sq_counter_infos; i->name; i++) {
		struct sqd_metric row = { i->name, sq_counter_get(&sum, i), i->help };
		bool told = i->offset == offsetof(struct sq_counters, received) ||
		            i->offset == offsetof(struct sq_counters, alerts);

		if (row.value && i->kind == SQ_COUNTER_INFO && !told)
			put_row(out, ' ', &row);
	}
}

void sqd_status_report(const struct sqd_daemon *d, bool complete, struct sq_outbuf *out)
{
	struct sq_now now = sqd_now();
	uint64_t unanswered = sqd_daemon_unanswered(d);

	sq_outbuf_printf(out, "squiblyd %s, %s for ", SQD_VERSION, sqd_daemon_phase(d));
	sqd_put_span(out, (now.mono_ns - d->began.mono_ns) / 1000000);
	sq_outbuf_put(out, SQ_SV(" since "));
	sqd_put_date(out, d->began.wall_us);
	sq_outbuf_putc(out, '\n');
	put_verdict(d, complete, out);
	sqd_status_outputs_verdict(d, out);
	sqd_status_rules(d, out);
	put_inputs(d, out);
	for (size_t i = 0; i < sqd_accounts(d); i++) {
		struct sqd_account a;

		sqd_account(d, i, &a);
		put_account(out, d, i, &a);
	}
	put_counters(out, d);
	if (unanswered)
		sq_outbuf_printf(out,
		                 "\n%llu records wait for their answer until an output has sent "
		                 "their alerts\n",
		                 (unsigned long long)unanswered);
}
