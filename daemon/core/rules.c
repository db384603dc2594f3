/* The rules in force: loaded at the start, and again when somebody asks, together with all else
 * that is read from files.
 */
#include <errno.h>
#include <unistd.h>

#include "daemon/base/loop.h"
#include "daemon/base/notify.h"
#include "daemon/core/daemon_private.h"

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

int sqd_daemon_start_rules(struct sqd_daemon *d, struct sq_err *err)
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
		if (!d->inputs[i].elsewhere)
			d->inputs[i].in->ops->reload(d->inputs[i].in);
	sqd_ioloops_reload(d->ioloops);
	sqd_reload_request(d->reload);
	return true;
}
