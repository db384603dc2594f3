#include <stdio.h>
#include <unistd.h>

#include "daemon/base/loop.h"
#include "daemon/base/metrics.h"
#include "daemon/base/notify.h"
#include "daemon/core/daemon_private.h"

enum { REPORT_MAX_BYTES = 1024 * 1024 };

struct sq_counters sqd_daemon_counts(const struct sqd_daemon *d)
{
	struct sq_counters sum = d->counts;

	for (size_t i = 0; i < d->n_inputs; i++)
		sq_counters_add(&sum, &d->inputs[i].counts);
	return sum;
}

static void write_all(struct sq_sv v)
{
	while (v.n) {
		ssize_t n = write(STDERR_FILENO, v.p, v.n);

		if (n <= 0)
			return; /* nobody listens */
		v = sq_sv_skip(v, (size_t)n);
	}
}

static void print_input(const struct sqd_daemon_input *in, struct sq_outbuf *text)
{
	const struct sqd_metric rows[] = {
		{ "received", in->counts.received, "Records taken in here", true },
		{ "bytes_in", in->counts.bytes_in, "Bytes received here" },
		{ "connections", in->counts.connections, "Connections accepted here" },
		{ "kernel_dropped", in->counts.kernel_dropped,
		  "Datagrams the kernel dropped before we could read them" },
	};
	char title[160];

	snprintf(title, sizeof(title), "input %s", in->in->name);
	sqd_metrics_table(text, title, rows, SQ_LEN(rows));
}

static void print_answers(const struct sqd_daemon *d, struct sq_outbuf *text)
{
	const struct sqd_metric rows[] = {
		{ "unanswered", d->settling ? sqd_settling_waiting(d->settling) : 0,
		  "Records whose senders are answered when the outputs have sent" },
	};

	if (rows[0].value)
		sqd_metrics_table(text, "answers", rows, SQ_LEN(rows));
}

void sqd_daemon_print(const struct sqd_daemon *d, const char *title)
{
	struct sq_outbuf text = sq_outbuf_of(REPORT_MAX_BYTES);
	struct sq_counters sum = sqd_daemon_counts(d);

	sq_outbuf_printf(&text, "squiblyd %s: ", title);
	sqd_metrics_totals(&text, &sum, false);
	for (size_t i = 0; i < d->n_inputs; i++)
		print_input(&d->inputs[i], &text);
	for (size_t i = 0; i < d->n_queues; i++)
		sqd_outqueue_print(d->queues[i], &text);
	print_answers(d, &text);
	write_all(sq_outbuf_view(&text));
	sq_outbuf_fini(&text);
}

void sqd_daemon_announce(const struct sqd_daemon *d)
{
	struct sq_outbuf text = sq_outbuf_of(4096);

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
		                 sq_format_name((enum sq_format)c->format));
	}
	sq_outbuf_putc(&text, '\0');
	if (!text.failed)
		sqd_log(SQD_LOG_INFO, "%s", text.p);
	sq_outbuf_fini(&text);
}

void sqd_daemon_pulse(const struct sqd_daemon *d)
{
	struct sq_outbuf text = sq_outbuf_of(900);
	struct sq_counters sum = sqd_daemon_counts(d);

	sq_outbuf_printf(&text, "%u rules; ", d->rules.rules);
	sqd_metrics_equation(&text, &sum);
	if (!text.failed)
		sqd_notify("STATUS=%.*s", SQ_SV_ARG(sq_outbuf_view(&text)));
	sq_outbuf_fini(&text);
	/* The loop turns, since we are here; a worker that does not is as bad. */
	if (d->watchdog_ms && d->phase != SQD_CLOSING &&
	    !sqd_workers_stuck(sqd_dispatch_workers(d->dispatch), sqd_now().mono_ns,
	                       2 * d->watchdog_ms * 1000000))
		sqd_notify("WATCHDOG=1");
}
