/* The way down, in the order of the bytes: inputs, batches, queues; then all handles.
 *
 *   stop        inputs take no more; what was read goes into batches; outputs that wait before
 *               they try again, try now
 *   drained     every batch is delivered: what was folded is given too
 *   flushed     every queue is empty: close
 *   grace       answers to what a spool has are not waited for any longer: it is sent again
 *   half time   an output that is full makes batches wait no longer, so that the others get all
 *   deadline    or a second signal: what is left is counted as dropped, close
 *   close       further loops and inputs, all together; then dispatch and routers, then the queues;
 *               the loop runs empty
 */
#include <stdlib.h>

#include "daemon/base/loop.h"
#include "daemon/base/notify.h"
#include "daemon/core/daemon_private.h"
#include "daemon/input/peers.h"
#include "lib/host/tls.h"

enum { GRACE_MS = 1000 };

/* Those that were made. */
static void each_router(const struct sqd_daemon *d, void (*act)(struct sqd_router *r))
{
	for (unsigned i = 0; d->routers && i < d->cfg->n_lanes && d->routers[i]; i++)
		act(d->routers[i]);
}

static bool routers_idle(const struct sqd_daemon *d)
{
	for (unsigned i = 0; i < d->cfg->n_lanes; i++)
		if (!sqd_router_idle(d->routers[i]))
			return false;
	return true;
}

static void give_up(struct sqd_daemon *d)
{
	struct sq_counters sum;
	uint64_t accounted;

	sqd_ioloops_join(d->ioloops); /* from here on there is no thread but us and the workers */
	sqd_dispatch_halt(d->dispatch);
	sqd_ioloops_halt(d->ioloops);
	each_router(d, sqd_router_forget);
	sqd_dispatch_abandon(d->dispatch);
	sqd_ioloops_abandon(d->ioloops);
	/* Whatever was received and has no other place in the equation was still on its way. */
	sum = sqd_daemon_counts(d);
	accounted = sq_counters_accounted(&sum);
	if (sum.received > accounted)
		d->counts.dropped_shutdown += sum.received - accounted;
	sqd_daemon_close(d);
}

/* Whose they are, and how many. */
static void tell_left(const struct sqd_daemon *d)
{
	for (size_t i = 0; i < d->n_queues; i++) {
		struct sqd_outqueue_health h;
		uint64_t held = sqd_daemon_held(d, d->queues[i]);

		sqd_outqueue_health(d->queues[i], &h);
		if (h.waiting + held)
			sqd_log(SQD_LOG_WARNING, "%s: %llu left; %s",
			        sqd_outqueue_output(d->queues[i])->name,
			        (unsigned long long)(h.waiting + held),
			        h.spool ? "what its spool has stays there" : "dropped");
	}
}

static void on_deadline(uv_timer_t *t)
{
	struct sqd_daemon *d = t->data;

	sqd_log(SQD_LOG_WARNING, "the deadline for stopping has passed; dropped what is left");
	tell_left(d);
	give_up(d);
}

static void on_half_time(uv_timer_t *t)
{
	struct sqd_daemon *d = t->data;

	(void)uv_timer_start(t, on_deadline, d->cfg->shutdown_ms - d->cfg->shutdown_ms / 2, 0);
	sqd_settling_yield(d->settling);
	sqd_ioloops_yield(d->ioloops);
	each_router(d, sqd_router_yield);
	sqd_daemon_progress(d); /* last: it may begin to close */
}

static uint64_t grace_ms(const struct sqd_daemon *d)
{
	return d->cfg->shutdown_ms / 4 < GRACE_MS ? d->cfg->shutdown_ms / 4 : GRACE_MS;
}

static void on_grace(uv_timer_t *t)
{
	struct sqd_daemon *d = t->data;

	(void)uv_timer_start(t, on_half_time, d->cfg->shutdown_ms / 2 - grace_ms(d), 0);
	for (size_t i = 0; i < d->n_queues; i++)
		sqd_outqueue_hurry(d->queues[i]);
	sqd_daemon_progress(d); /* last: it may begin to close */
}

/* A receiver that is back is not to be missed since nobody has looked for half a minute. */
static void insist(struct sqd_output *out)
{
	out->ops->insist(out);
}

void sqd_daemon_stop(struct sqd_daemon *d)
{
	if (d->phase == SQD_CLOSING)
		return;
	if (d->phase != SQD_RUNNING) {
		sqd_log(SQD_LOG_WARNING, "told again to stop; dropped what is left");
		tell_left(d);
		give_up(d);
		return;
	}
	d->phase = SQD_DRAINING;
	sqd_notify("STOPPING=1\nSTATUS=working off what was received");
	sqd_log(SQD_LOG_INFO, "stopping");
	for (size_t i = 0; i < d->n_inputs; i++)
		if (!d->inputs[i].elsewhere)
			d->inputs[i].in->ops->stop(d->inputs[i].in);
	for (size_t i = 0; i < d->n_queues; i++)
		insist(sqd_outqueue_output(d->queues[i]));
	(void)uv_timer_start(&d->deadline, on_grace, grace_ms(d), 0);
	sqd_dispatch_drain(d->dispatch);
	sqd_ioloops_drain(d->ioloops);
}

void sqd_daemon_drained(void *ctx)
{
	struct sqd_daemon *d = ctx;

	if (d->phase != SQD_DRAINING || --d->undrained)
		return;
	each_router(d, sqd_router_flush);
	d->phase = SQD_FLUSHING;
	sqd_daemon_progress(d);
}

void sqd_daemon_progress(void *ctx)
{
	struct sqd_daemon *d = ctx;

	if (d->phase != SQD_FLUSHING || !routers_idle(d))
		return;
	sqd_settling_look(d->settling); /* nobody waits for an empty queue */
	sqd_daemon_close(d);
}

static void on_queue_closed(void *ctx)
{
	struct sqd_daemon *d = ctx;

	sq_assert(d->queues_closing);
	d->queues_closing--; /* they are freed after the loop: their counters are printed */
}

static void close_queues(struct sqd_daemon *d)
{
	d->queues_closing = d->n_queues;
	for (size_t i = 0; i < d->n_queues; i++)
		sqd_outqueue_close(d->queues[i], on_queue_closed, d);
}

static void on_router_closed(void *ctx)
{
	struct sqd_daemon *d = ctx;

	if (!--d->routers_closing)
		close_queues(d);
}

static void on_dispatch_closed(void *ctx)
{
	struct sqd_daemon *d = ctx;

	d->dispatch = NULL;
	for (unsigned i = 0; d->routers && i < d->cfg->n_lanes && d->routers[i]; i++) {
		d->routers_closing++;
		sqd_router_close(d->routers[i], on_router_closed, d);
		d->routers[i] = NULL;
	}
	if (!d->routers_closing)
		close_queues(d);
}

static void on_reload_closed(void *ctx)
{
	struct sqd_daemon *d = ctx;

	d->reload = NULL;
	if (d->dispatch)
		sqd_dispatch_close(d->dispatch, on_dispatch_closed, d);
	else
		close_queues(d);
}

static void inputs_closed(struct sqd_daemon *d)
{
	if (d->reload)
		sqd_reload_close(d->reload, on_reload_closed, d);
	else
		on_reload_closed(d);
}

/* The further loops, with all their inputs; or one of ours. */
static void on_loops_closed(void *ctx)
{
	struct sqd_daemon *d = ctx;

	sq_assert(d->inputs_closing);
	if (!--d->inputs_closing)
		inputs_closed(d);
}

void sqd_daemon_input_closed(struct sqd_input *in)
{
	on_loops_closed(in->ctx);
}

void sqd_daemon_close(struct sqd_daemon *d)
{
	size_t n = 0;

	d->phase = SQD_CLOSING;
	sqd_control_close(d->control);
	sqd_signals_close(&d->signals);
	uv_close((uv_handle_t *)&d->deadline, NULL);
	uv_close((uv_handle_t *)&d->pulse, NULL);
	for (size_t i = 0; i < d->n_inputs; i++)
		n += !d->inputs[i].elsewhere;
	d->inputs_closing = n + 1;
	sqd_ioloops_close(d->ioloops, on_loops_closed, d);
	for (size_t i = 0; i < d->n_inputs; i++)
		if (!d->inputs[i].elsewhere)
			d->inputs[i].in->ops->close(d->inputs[i].in);
}

void sqd_daemon_free(struct sqd_daemon *d)
{
	sq_assert(!d->dispatch && !d->routers_closing && !d->reload && !d->queues_closing);
	for (size_t i = 0; i < d->n_inputs; i++) {
		if (!d->inputs[i].elsewhere)
			free(d->inputs[i].in);
		sq_tls_ctx_unref(d->inputs[i].shared.tls);
		sqd_peers_free(d->inputs[i].shared.peers);
		pthread_mutex_destroy(&d->inputs[i].shared.lock);
	}
	for (size_t i = 0; i < d->n_queues; i++)
		sqd_outqueue_free(d->queues[i]);
	sqd_control_free(d->control);
	sqd_refusals_fini(&d->refusals);
	sqd_settling_free(d->settling);
	sqd_batchpool_fini(&d->batches);
	sqd_ioloops_free(d->ioloops);
	sqd_sievebox_fini(&d->sieves);
	free(d->inputs);
	free(d->routers);
	free(d->forwarded);
	free(d->ways);
	free(d->queues);
}
