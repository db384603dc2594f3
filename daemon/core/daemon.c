#include "daemon/core/daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "daemon/base/loop.h"
#include "daemon/base/notify.h"
#include "daemon/core/status.h"

enum {
	PULSE_MS = 10000,
};

/* ---- what the parts call ---- */

static void on_deliver(void *ctx, struct sq_batch *b)
{
	struct sqd_daemon *d = ctx;

	sqd_router_deliver(d->router, b);
}

static void on_released(void *ctx, struct sq_batch *b)
{
	struct sqd_daemon *d = ctx;

	if (sqd_dispatch_ctx_of(b) == d)
		sqd_dispatch_delivered(d->dispatch, b);
	else
		sqd_ioloops_released(d->ioloops, b);
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
		d->inputs[i].in->ops->resume(d->inputs[i].in);
}

static void on_taken_up(void *ctx)
{
	struct sqd_daemon *d = ctx;

	if (d->reload)
		sqd_reload_taken_up(d->reload);
}

static void on_reloaded(void *ctx, int result, const struct sqd_rules_info *info)
{
	struct sqd_daemon *d = ctx;

	if (result < 0) {
		d->refused_at = sqd_now().wall_us;
		(void)snprintf(d->refused_why, sizeof(d->refused_why), "%s",
		               sqd_reload_why(d->reload));
	} else {
		d->rules = *info;
		d->rules_at = sqd_now().wall_us;
		d->refused_at = 0;
		sqd_log(SQD_LOG_INFO, "reloaded: %u rule%s%s", info->rules,
		        info->rules == 1 ? "" : "s", info->cached ? " (cached)" : "");
	}
	sqd_notify("READY=1");
	sqd_daemon_tell(d, SQD_TELL_PULSE);
}

bool sqd_daemon_reload(struct sqd_daemon *d)
{
	if (d->phase != SQD_RUNNING)
		return false;
	sqd_notify_reloading();
	for (size_t i = 0; i < d->n_queues; i++) {
		struct sqd_output *out = sqd_outqueue_output(d->queues[i]);

		out->ops->reopen(out);
	}
	for (size_t i = 0; i < d->n_inputs; i++)
		d->inputs[i].in->ops->reload(d->inputs[i].in);
	sqd_ioloops_reload(d->ioloops);
	sqd_reload_request(d->reload);
	return true;
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
	sqd_daemon_beat(d);
}

/* ---- start, in the reverse order of the bytes ---- */

static int start_output(struct sqd_daemon *d, const struct sqd_config_item *item, uint64_t max,
                        struct sq_err *err)
{
	struct sqd_output *out = calloc(1, item->output_ops->size);
	struct sqd_outqueue *q;

	if (!out)
		return sq_err_set(err, -ENOMEM, "outputs: out of memory");
	out->ops = item->output_ops;
	out->cfg = item->cfg;
	out->loop = &d->loop;
	snprintf(out->name, sizeof(out->name), "%s", item->output_ops->kind);
	q = sqd_outqueue_new(out, max);
	if (!q) {
		free(out);
		return sq_err_set(err, -ENOMEM, "outputs: out of memory");
	}
	d->queues[d->n_queues++] = q;
	return out->ops->start(out, err);
}

/* Before the first alert, so that what an earlier process has left comes first. */
static int start_spool(struct sqd_outqueue *q, const struct sqd_output_common *c,
                       struct sq_err *err)
{
	const struct sqd_outqueue_spool opts = {
		.dir = c->spool,
		.size = c->spool_size,
		.interval_ms = c->spool_interval_ms,
		.drop_oldest = c->when_full == SQD_FULL_DROP_OLDEST,
	};

	return c->durability == SQD_DURABILITY_SPOOL ? sqd_outqueue_spool(q, &opts, err) : 0;
}

static int start_outputs(struct sqd_daemon *d, struct sq_err *err)
{
	const struct sqd_config_list *list = &d->cfg->outputs;
	int r = 0;

	d->queues = calloc(list->n + 1, sizeof(struct sqd_outqueue *));
	d->forwarded = calloc(list->n + 1, sizeof(*d->forwarded));
	if (!d->queues || !d->forwarded)
		return sq_err_set(err, -ENOMEM, "outputs: out of memory");
	for (; d->n_outputs < list->n && !r; d->n_outputs += !r) {
		const struct sqd_output_common *c = list->items[d->n_outputs].output;

		r = start_output(d, &list->items[d->n_outputs], c->queue, err);
		if (!r)
			sqd_outqueue_limit(d->queues[d->n_outputs], c->rate_limit);
		if (!r)
			r = start_spool(d->queues[d->n_outputs], c, err);
	}
	if (!r && d->cfg->dead_letter.common)
		r = sq_err_wrap(err,
		                start_output(d, &d->cfg->dead_letter,
		                             sqd_config_limits(d->cfg).chunk * UINT64_C(2), err),
		                "dead_letter");
	return r;
}

static void await(struct sqd_daemon *d, struct sqd_outqueue *q, bool patient)
{
	sqd_settling_await(d->settling, q, patient);
	sqd_ioloops_await(d->ioloops, q, patient);
}

static int start_router(struct sqd_daemon *d, struct sq_err *err)
{
	const struct sqd_config *cfg = d->cfg;
	struct sqd_route *routes = calloc(d->n_outputs + 1, sizeof(*routes));
	struct sq_fold_limits fold = { .window_ns = cfg->fold_window_ms * 1000000,
		                       .entries = cfg->fold_entries,
		                       .bytes = cfg->fold_bytes };
	struct sqd_router_opts opts = {
		.loop = &d->loop,
		.routes = routes,
		.n_routes = d->n_outputs,
		.batches = sqd_config_batches(cfg) * sqd_config_loops(cfg),
		.fold = cfg->fold_window_ms ? &fold : NULL,
		.deduplicate = cfg->dedup_window,
		.dead_letters = d->n_queues > d->n_outputs ? d->queues[d->n_outputs] : NULL,
		.totals = &d->counts,
		.released = on_released,
		.progress = sqd_daemon_progress,
		.ctx = d,
	};

	for (size_t i = 0; routes && i < d->n_outputs; i++) {
		const struct sqd_output_common *c = cfg->outputs.items[i].output;

		routes[i] = (struct sqd_route){
			.queue = d->queues[i],
			.format = (enum sq_format)c->format,
			.min_level = (enum sq_level)c->min_level,
			.when_full = (enum sqd_when_full)c->when_full,
			.datagrams = cfg->outputs.items[i].output_ops->datagrams,
			.forward = (enum sqd_forward)c->forward,
			.sample = c->sample,
			.counts = &d->forwarded[i],
			.view = c->forward ? sqd_config_view(cfg, &cfg->outputs.items[i]) : 0,
		};
	}
	/* What may be dropped when a queue is full holds up nobody's answer, but for the disk that
	 * it goes to. */
	for (size_t i = 0; routes && i < d->n_outputs; i++)
		if (routes[i].when_full == SQD_FULL_BLOCK ||
		    cfg->outputs.items[i].output->durability == SQD_DURABILITY_SPOOL)
			await(d, routes[i].queue, true);
	if (opts.dead_letters)
		await(d, opts.dead_letters, false);
	sqd_refusals_init(&d->refusals, opts.dead_letters);
	for (size_t i = 0; i < d->n_outputs; i++)
		sqd_refusals_watch(&d->refusals, d->queues[i]);
	d->router = routes ? sqd_router_new(&opts) : NULL;
	free(routes);
	return d->router ? 0 : sq_err_set(err, -ENOMEM, "router: out of memory");
}

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

/* Beside the main loop, if there are to be any. */
static int start_loops(struct sqd_daemon *d, struct sq_err *err)
{
	unsigned loops = sqd_config_loops(d->cfg);
	const struct sqd_ioloops_opts opts = {
		.main = &d->loop,
		.n = loops - 1,
		.inputs = d->cfg->inputs.n,
		.queues = d->cfg->outputs.n + 1,
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

static struct sq_pipeline_opts pipeline_opts(const struct sqd_config *cfg)
{
	struct sq_pipeline_opts o = {
		.reader = { .max_depth = cfg->max_depth,
		            .max_keys = cfg->max_keys,
		            .skim = cfg->skim },
		.observer = { .version = SQD_VERSION },
		.min_level = SQ_LEVEL_CRITICAL,
		.dead_letters = cfg->dead_letter.common != NULL,
		.deduplicate = cfg->dedup_window > 0,
		.validate_all = sqd_config_reads_all(cfg),
		.views = cfg->views,
		.n_views = cfg->n_views,
		.check = { .one_in = cfg->check_one_in,
		           .share = cfg->check_share,
		           .clock_ns = sqd_thread_ns },
	};

	for (size_t i = 0; i < cfg->outputs.n; i++) {
		const struct sqd_output_common *c = cfg->outputs.items[i].output;

		if (!c->forward)
			o.formats |= (uint8_t)(1u << c->format);
		if (!c->forward && cfg->outputs.items[i].output_ops->datagrams)
			o.datagram_formats |= (uint8_t)(1u << c->format);
		if (c->min_level < (int)o.min_level)
			o.min_level = (enum sq_level)c->min_level;
	}
	if (gethostname(o.observer.hostname, sizeof(o.observer.hostname) - 1) < 0)
		o.observer.hostname[0] = '\0';
	return o;
}

static int start_rules(struct sqd_daemon *d, struct sq_err *err)
{
	struct sqd_reload_opts opts = {
		.loop = &d->loop,
		.cfg = d->cfg,
		.workers = sqd_dispatch_workers(d->dispatch),
		.sieves = &d->sieves,
		.pipeline = pipeline_opts(d->cfg),
		.totals = &d->counts,
		.done = on_reloaded,
		.ctx = d,
	};

	opts.pipeline.secret = d->secret;
	d->reload = sqd_reload_new(&opts);
	if (!d->reload)
		return sq_err_set(err, -ENOMEM, "rules: out of memory");
	return sqd_reload_first(d->reload, &d->rules, err);
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
		r = start_rules(d, err);
	if (!r)
		r = start_outputs(d, err);
	if (!r)
		r = start_router(d, err);
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
	int r = uv_loop_init(&d.loop);

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
