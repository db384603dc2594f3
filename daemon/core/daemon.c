#include "daemon/core/daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "daemon/base/loop.h"
#include "daemon/base/memory.h"
#include "daemon/base/notify.h"
#include "daemon/core/status.h"

enum {
	PULSE_MS = 10000,
};

/* ---- what the parts call ---- */

static void on_deliver(void *ctx, struct sq_batch *b)
{
	struct sqd_daemon *d = ctx;

	bool ours = sqd_dispatch_ctx_of(b) == d;
	unsigned lane = ours ? 0 : sqd_daemon_lane_of(d, sqd_ioloops_which(d->ioloops, b));

	sqd_router_deliver(d->routers[lane], b);
}

static void on_passed(void *ctx)
{
	struct sqd_daemon *d = ctx;

	sqd_ioloops_passed(d->ioloops);
}

static void on_resume(void *ctx)
{
	struct sqd_daemon *d = ctx;

	for (size_t i = 0; i < d->n_inputs; i++)
		if (!d->inputs[i].elsewhere)
			d->inputs[i].in->ops->resume(d->inputs[i].in);
}

static void on_taken_up(void *ctx)
{
	struct sqd_daemon *d = ctx;

	if (d->reload)
		sqd_reload_taken_up(d->reload);
}

static void on_signal(void *ctx, enum sqd_signal what)
{
	struct sqd_daemon *d = ctx;

	switch (what) {
	case SQD_SIGNAL_STOP:
		sqd_daemon_stop(d);
		return;
	case SQD_SIGNAL_RELOAD:
		(void)sqd_daemon_reload(d);
		return;
	case SQD_SIGNAL_COUNTERS:
		sqd_daemon_tell(d, SQD_TELL_COUNTERS);
		return;
	}
}

static void on_pulse(uv_timer_t *t)
{
	struct sqd_daemon *d = t->data;

	sqd_settling_look(d->settling); /* an output that begins to fail does not say so */
	sqd_ioloops_passed(d->ioloops);
	for (size_t i = 0; i < d->n_queues; i++)
		sqd_outqueue_look(d->queues[i]);
	sqd_batchpool_trim(&d->batches, uv_now(&d->loop));
	sqd_memory_trim(uv_now(&d->loop));
	sqd_daemon_beat(d);
}

/* ---- start, in the reverse order of the bytes ---- */

/* Batches of one loop that keep workers busy: all loops together, as many as there are workers. */
static unsigned eager(const struct sqd_config *cfg)
{
	unsigned loops = sqd_config_loops(cfg);

	return (sqd_config_workers(cfg) + loops - 1) / loops;
}

static struct sq_sifter sifter(const struct sqd_daemon *d)
{
	return (struct sq_sifter){ .secret = d->secret, .one_in = d->cfg->check_one_in };
}

static int start_dispatch(struct sqd_daemon *d, struct sq_err *err)
{
	const struct sqd_dispatch_opts opts = {
		.loop = &d->loop,
		.batches = sqd_config_batches(d->cfg),
		.limits = sqd_config_limits(d->cfg),
		.pool = &d->batches,
		.workers = sqd_config_workers(d->cfg),
		.eager = eager(d->cfg),
		.sieves = &d->sieves,
		.sifter = sifter(d),
		.totals = &d->counts,
		.settling = sqd_settling_new(d->cfg->outputs.n + 1),
		.deliver = on_deliver,
		.resume = on_resume,
		.drained = sqd_daemon_drained,
		.taken_up = on_taken_up,
		.ctx = d,
	};

	d->settling = opts.settling;
	if (!d->settling)
		return sq_err_set(err, -ENOMEM, "receipts: out of memory");
	d->dispatch = sqd_dispatch_new(&opts, err);
	return d->dispatch ? 0 : -ENOMEM;
}

static size_t queues_of(void *ctx, unsigned i)
{
	const struct sqd_daemon *d = ctx;

	return sqd_daemon_lane_queues(d, sqd_daemon_lane_of(d, i));
}

/* Beside the main loop, if there are to be any. Lanes share threads: what holds one up, missing
 * batches, holds up no thread. */
static int start_loops(struct sqd_daemon *d, struct sq_err *err)
{
	unsigned loops = sqd_config_loops(d->cfg) + d->cfg->n_lanes - 1;
	const struct sqd_ioloops_opts opts = {
		.main = &d->loop,
		.n = loops - 1,
		.threads = sqd_config_loops(d->cfg) > 1 ? sqd_config_loops(d->cfg) - 1 : 1,
		.queues = d->cfg->outputs.n + 1,
		.queues_of = queues_of,
		.batches = sqd_config_batches(d->cfg),
		.eager = eager(d->cfg),
		.limits = sqd_config_limits(d->cfg),
		.workers = sqd_dispatch_workers(d->dispatch),
		.sieves = &d->sieves,
		.sifter = sifter(d),
		.deliver = on_deliver,
		.drained = sqd_daemon_drained,
		.answered = sqd_daemon_answered,
		.ctx = d,
	};

	d->undrained = 1;
	if (loops == 1)
		return 0;
	d->undrained = 2;
	sqd_settling_on_passed(d->settling, on_passed, d);
	d->ioloops = sqd_ioloops_new(&opts, err);
	return d->ioloops ? 0 : -ENOMEM;
}

static void on_asked(void *ctx)
{
	sqd_daemon_tell(ctx, SQD_TELL_STATUS);
}

static void on_answer(void *ctx, enum sqd_request what, bool complete, struct sq_outbuf *out)
{
	sqd_status_answer(ctx, what, complete, out);
}

/* Where nobody has said where it is to be, a daemon runs without one rather than not at all. */
static int start_control(struct sqd_daemon *d, struct sq_err *err)
{
	const char *folder = getenv("RUNTIME_DIRECTORY"), *path = d->cfg->control_path;
	struct sqd_control_opts opts = { .loop = &d->loop,
		                         .path = path,
		                         .mode = d->cfg->control_mode,
		                         .connections = d->cfg->control_connections,
		                         .timeout_ms = d->cfg->control_timeout_ms,
		                         .asked = on_asked,
		                         .answer = on_answer,
		                         .ctx = d };
	char own[128];

	if (path ? !path[0] : !folder || !folder[0])
		return 0;
	if (!path) {
		(void)snprintf(own, sizeof(own), "%.*s/control.sock", (int)strcspn(folder, ":"),
		               folder);
		opts.path = own;
	}
	d->control = sqd_control_new(&opts, err);
	if (d->control || path)
		return d->control ? 0 : -EINVAL;
	sqd_log(SQD_LOG_WARNING, "%s; going on without it", err->text);
	*err = (struct sq_err){ 0 };
	return 0;
}

static int start(struct sqd_daemon *d, struct sq_err *err)
{
	int r;

	r = sqd_signals_open(&d->signals, &d->loop, on_signal, d);
	if (r < 0)
		return sq_err_set(err, r, "signals: %s", sq_strerror(r));
	if (getrandom(&d->secret, sizeof(d->secret), 0) < 0)
		return sq_err_set(err, -errno, "random numbers: %s", sq_strerror(-errno));
	r = start_dispatch(d, err);
	if (!r)
		r = start_loops(d, err);
	if (!r)
		r = sqd_daemon_start_rules(d, err);
	if (!r)
		r = sqd_daemon_start_outputs(d, err);
	if (!r)
		r = sqd_daemon_start_inputs(d, err);
	if (!r)
		r = start_control(d, err);
	if (!r)
		r = sqd_ioloops_run(d->ioloops, err);
	return r;
}

int sqd_daemon_run(const struct sqd_config *cfg)
{
	struct sqd_daemon d = { .cfg = cfg, .began = sqd_now() };
	struct sq_err err = { 0 };
	uint64_t pulse_ms = PULSE_MS;
	int r = sqd_loop_pool(sqd_config_threads(cfg));

	r = r < 0 ? r : uv_loop_init(&d.loop);
	if (r < 0) {
		sqd_log(SQD_LOG_ERROR, "cannot start: event loop: %s", uv_strerror(r));
		return 1;
	}
	sqd_sievebox_init(&d.sieves);
	(void)uv_timer_init(&d.loop, &d.deadline); /* these cannot fail */
	(void)uv_timer_init(&d.loop, &d.pulse);
	d.deadline.data = d.pulse.data = &d;
	d.rules_at = d.began.wall_us;
	r = start(&d, &err);
	if (r < 0) {
		sqd_log(SQD_LOG_ERROR, "cannot start: %s", err.text[0] ? err.text : sq_strerror(r));
		d.exit_code = 1;
		sqd_daemon_close(&d);
	} else {
		d.phase = SQD_RUNNING;
		d.watchdog_ms = sqd_notify_watchdog_ms();
		if (d.watchdog_ms && d.watchdog_ms < pulse_ms)
			pulse_ms = d.watchdog_ms;
		(void)uv_timer_start(&d.pulse, on_pulse, pulse_ms, pulse_ms);
		sqd_daemon_announce(&d);
		sqd_notify("READY=1");
		sqd_daemon_tell(&d, SQD_TELL_PULSE);
	}
	(void)uv_run(&d.loop, UV_RUN_DEFAULT);
	sqd_loop_end(&d.loop);
	if (!d.exit_code)
		sqd_daemon_print(&d, "stopped");
	sqd_daemon_free(&d);
	return d.exit_code;
}
