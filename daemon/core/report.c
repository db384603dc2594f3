#include <stdio.h>

#include "daemon/base/loop.h"
#include "daemon/base/metrics.h"
#include "daemon/base/notify.h"
#include "daemon/core/daemon_private.h"

enum { REPORT_MAX_BYTES = 1024 * 1024 };

struct sq_counters sqd_daemon_counts(const struct sqd_daemon *d)
{
	struct sq_counters sum = d->counts;

	/* Repeats are told apart by the router, which may have counted records that a further loop
	 * has not shown yet: of those it had counted before they were asked, none. */
	if (d->answering)
		sum = d->asked;
	for (size_t i = 0; i < d->n_inputs; i++)
		sq_counters_add(&sum, &d->inputs[i].counts);
	sqd_ioloops_counts(d->ioloops, &sum);
	sum.log_lost = sqd_log_lost();
	return sum;
}

void sqd_daemon_input_metrics(const struct sqd_daemon *d, size_t i, struct sqd_metrics *m)
{
	struct sq_counters c = d->inputs[i].counts;

	sqd_ioloops_row_counts(d->ioloops, i, &c);

	const struct sqd_metric rows[] = {
		{ "received", c.received, "Records taken in here", true },
		{ "bytes_in", c.bytes_in, "Bytes received here" },
		{ "connections", c.connections, "Connections accepted here" },
		{ "kernel_dropped", c.kernel_dropped,
		  "Datagrams the kernel dropped before we could read them" },
		{ "dropped_rate", c.dropped_rate,
		  "Datagrams thrown away because more came than max_rate" },
		{ "rate_pauses", c.rate_pauses,
		  "Times that reading stopped for a moment because of max_rate" },
	};

	*m = (struct sqd_metrics){ 0 };
	sqd_metrics_add(m, rows, SQ_LEN(rows));
}

bool sqd_daemon_holds_back(const struct sqd_daemon *d, size_t i)
{
	const struct sqd_allowance *a = d->inputs[i].in->allowance;

	return a && sqd_allowance_scarce(a, uv_now(&d->loop));
}

static void print_input(const struct sqd_daemon *d, size_t row, struct sq_outbuf *text)
{
	struct sqd_metrics m;
	const struct sqd_input *in = d->inputs[row].in;
	char title[256];

	sqd_daemon_input_metrics(d, row, &m);
	snprintf(title, sizeof(title), "input %s%s%.*s", in->name, in->tenant.n ? ", tenant " : "",
	         SQ_SV_ARG(in->tenant));
	sqd_metrics_table(text, title, m.rows, m.n);
}

static void print_loop(const struct sq_counters *c, unsigned number, struct sq_outbuf *text)
{
	const struct sqd_metric rows[] = {
		{ "received", c->received, "Records taken in on this loop", true },
		{ "bytes_in", c->bytes_in, "Bytes received on this loop" },
		{ "connections", c->connections, "Connections accepted on this loop" },
		{ "pauses", c->pauses,
		  "Times that its inputs stopped reading because none of its batches was free" },
	};
	char title[64];

	snprintf(title, sizeof(title), "loop %u%s", number, number == 1 ? ", the main one" : "");
	sqd_metrics_table(text, title, rows, SQ_LEN(rows));
}

/* How the load is spread, when there are several. */
static void print_loops(const struct sqd_daemon *d, struct sq_outbuf *text)
{
	unsigned n = sqd_ioloops_count(d->ioloops);
	struct sq_counters c = d->counts;

	for (size_t i = 0; i < d->n_inputs; i++)
		sq_counters_add(&c, &d->inputs[i].counts);
	if (n)
		print_loop(&c, 1, text);
	for (unsigned i = 0; i < n; i++) {
		c = (struct sq_counters){ 0 };
		sqd_ioloops_loop_counts(d->ioloops, i, &c);
		print_loop(&c, i + 2, text);
	}
}

uint64_t sqd_daemon_raised(const struct sqd_daemon *d)
{
	uint64_t n = 0;

	for (unsigned i = 0; d->routers && i < d->cfg->n_lanes; i++)
		n += sqd_router_raised(d->routers[i]);
	return n;
}

uint64_t sqd_daemon_held(const struct sqd_daemon *d, const struct sqd_outqueue *q)
{
	uint64_t n = 0;

	for (unsigned i = 0; d->routers && i < d->cfg->n_lanes; i++)
		n += sqd_router_held(d->routers[i], q);
	return n;
}

/* What an output got that gets the records themselves. */
static void add_forward(const struct sqd_daemon *d, size_t i, struct sqd_metrics *m)
{
	const struct sqd_forward_counts *c = &d->forwarded[i];
	const struct sqd_metric rows[] = {
		{ "records", c->records, "Records that came by", true, SQD_CAME },
		{ "unwanted", c->unwanted, "Records left out: matched, or clean, by `forward`",
		  true, SQD_SPARED },
		{ "unsampled", c->unsampled, "Clean records left out by `sample`", false,
		  SQD_SPARED },
		{ "duplicates", c->duplicates,
		  "Records left out that held only events that were sent again", false,
		  SQD_SPARED },
		{ "forwarded", c->forwarded, "Records given to the queue", true },
	};

	m->rows[0].always = false; /* it gets no alerts */
	sqd_metrics_add(m, rows, SQ_LEN(rows));
}

void sqd_daemon_output_metrics(const struct sqd_daemon *d, size_t i, struct sqd_metrics *m)
{
	const struct sqd_outqueue *q = d->queues[i];

	*m = (struct sqd_metrics){ 0 };
	sqd_outqueue_metrics(q, sqd_daemon_held(d, q), m);
	if (i >= d->n_outputs) /* dead letters */
		m->rows[0].help = "Malformed records, and messages that a receiver refused";
	else if (d->cfg->outputs.items[i].output->forward)
		add_forward(d, i, m);
}

void sqd_daemon_output_title(const struct sqd_daemon *d, size_t i, char *to, size_t size)
{
	(void)snprintf(to, size, "output %s%s", i < d->n_outputs ? "" : "dead letters, ",
	               sqd_outqueue_output(d->queues[i])->name);
}

static void print_output(const struct sqd_daemon *d, size_t i, struct sq_outbuf *text)
{
	struct sqd_metrics m;
	char title[160];

	sqd_daemon_output_metrics(d, i, &m);
	sqd_daemon_output_title(d, i, title, sizeof(title));
	sqd_metrics_table(text, title, m.rows, m.n);
	sq_outbuf_put(text, SQ_SV("  "));
	sqd_metrics_account(text, &m);
	sq_outbuf_putc(text, '\n');
}

uint64_t sqd_daemon_unanswered(const struct sqd_daemon *d)
{
	return (d->settling ? sqd_settling_waiting(d->settling) : 0) +
	       sqd_ioloops_waiting(d->ioloops);
}

static void print_answers(const struct sqd_daemon *d, struct sq_outbuf *text)
{
	const struct sqd_metric rows[] = {
		{ "unanswered", sqd_daemon_unanswered(d),
		  "Records whose senders are answered when the outputs have sent" },
	};

	if (rows[0].value)
		sqd_metrics_table(text, "answers", rows, SQ_LEN(rows));
}

/* Further loops were asked before, and what the router has counted since is not in what they have
 * shown: it was under way then. */
bool sqd_daemon_under_way(const struct sqd_daemon *d)
{
	return (d->dispatch && sqd_dispatch_under_way(d->dispatch)) ||
	       sqd_ioloops_under_way(d->ioloops) ||
	       (d->answering && (memcmp(&d->asked, &d->counts, sizeof(d->asked)) != 0 ||
	                         d->asked_raised != sqd_daemon_raised(d)));
}

const char *sqd_daemon_phase(const struct sqd_daemon *d)
{
	switch (d->phase) {
	case SQD_STARTING:
		return "starting";
	case SQD_RUNNING:
		return "running";
	case SQD_DRAINING:
		return "stopping, working off what was received,";
	case SQD_FLUSHING:
		return "stopping, waiting for outputs,";
	case SQD_CLOSING:
		return "closing";
	}
	return "";
}

void sqd_daemon_print(const struct sqd_daemon *d, const char *title)
{
	struct sq_outbuf text = sq_outbuf_of(REPORT_MAX_BYTES);
	struct sq_counters sum = sqd_daemon_counts(d);

	sq_outbuf_printf(&text, "squiblyd %s: ", title);
	sqd_metrics_totals(&text, &sum, false);
	for (size_t i = 0; i < d->n_inputs; i++)
		print_input(d, i, &text);
	print_loops(d, &text);
	for (size_t i = 0; i < d->n_queues; i++)
		print_output(d, i, &text);
	print_answers(d, &text);
	sqd_log_write(sq_outbuf_view(&text));
	sq_outbuf_fini(&text);
}

void sqd_daemon_announce(const struct sqd_daemon *d)
{
	struct sq_outbuf text = sq_outbuf_of(REPORT_MAX_BYTES);

	sq_outbuf_printf(&text, "squiblyd %s: %u rule%s%s, listening on ", SQD_VERSION,
	                 d->rules.rules, d->rules.rules == 1 ? "" : "s",
	                 d->rules.cached ? " (cached)" : "");
	for (size_t i = 0; i < d->n_inputs; i++)
		sq_outbuf_printf(&text, "%s%s", i ? ", " : "", d->inputs[i].in->name);
	sq_outbuf_put(&text, SQ_SV("; alerts to "));
	for (size_t i = 0; i < d->n_outputs; i++) {
		const struct sqd_output_common *c = d->cfg->outputs.items[i].output;

		sq_outbuf_printf(&text, "%s%s as %s", i ? ", " : "",
		                 sqd_outqueue_output(d->queues[i])->name,
		                 c->forward ? "records"
		                            : sq_format_name((enum sq_format)c->format));
	}
	sq_outbuf_putc(&text, '\0');
	if (!text.failed)
		sqd_log(SQD_LOG_INFO, "%s", text.p);
	sq_outbuf_fini(&text);
}

/* STATUS= for systemd, and the watchdog when all is well. */
static void pulse(const struct sqd_daemon *d)
{
	struct sq_outbuf text = sq_outbuf_of(900);
	struct sq_counters sum = sqd_daemon_counts(d);

	sq_outbuf_printf(&text, "%u rules; ", d->rules.rules);
	sqd_metrics_equation(&text, &sum);
	if (!text.failed)
		sqd_notify("STATUS=%.*s", SQ_SV_ARG(sq_outbuf_view(&text)));
	sq_outbuf_fini(&text);
	/* The loops turn, since we are here; a worker that does not is as bad. */
	if (d->watchdog_ms && d->phase != SQD_CLOSING &&
	    !sqd_workers_stuck(sqd_dispatch_workers(d->dispatch), sqd_now().mono_ns,
	                       2 * d->watchdog_ms * 1000000))
		sqd_notify("WATCHDOG=1");
}

static void tell(struct sqd_daemon *d)
{
	unsigned what = d->to_tell;

	d->to_tell = 0;
	if (what & SQD_TELL_COUNTERS)
		sqd_daemon_print(d, "counters");
	if (what & SQD_TELL_PULSE)
		pulse(d);
	if (what & SQD_TELL_STATUS)
		sqd_control_answer(d->control);
}

void sqd_daemon_tell(struct sqd_daemon *d, unsigned what)
{
	d->to_tell |= what;
	d->asked = d->counts;
	d->asked_raised = sqd_daemon_raised(d);
	if (!sqd_ioloops_ask(d->ioloops))
		tell(d);
}

void sqd_daemon_answered(void *ctx)
{
	struct sqd_daemon *d = ctx;

	d->unanswered = 0;
	d->answering = true;
	tell(d);
	d->answering = false;
}

/* A loop that hangs does not answer: then nothing is told to the watchdog, and the counters are
 * printed as they were known last. */
void sqd_daemon_beat(struct sqd_daemon *d)
{
	if (d->to_tell & SQD_TELL_PULSE && ++d->unanswered >= 2) {
		sqd_log(SQD_LOG_ERROR, "an I/O loop does not answer");
		if (d->to_tell & SQD_TELL_COUNTERS)
			sqd_daemon_print(d, "counters, without those of an I/O loop that hangs");
		d->to_tell &= ~(unsigned)SQD_TELL_COUNTERS;
	}
	sqd_daemon_tell(d, SQD_TELL_PULSE);
}
