/* The outputs of the configuration, each behind its queue; and the router that gives them what the
 * rules found.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/core/daemon_private.h"

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

/* Memory that is there when we are killed: the runtime folder that systemd gives, or everybody's.
 */
static const char *find_marks(char *to, size_t cap)
{
	const char *folder = getenv("RUNTIME_DIRECTORY");

	if (!folder || !folder[0])
		return "/dev/shm";
	(void)snprintf(to, cap, "%.*s", (int)strcspn(folder, ":"), folder);
	return to;
}

/* Before the first alert, so that what an earlier process has left comes first. */
static int start_spool(struct sqd_outqueue *q, const struct sqd_output_common *c,
                       struct sq_err *err)
{
	char marks[4096];
	const struct sqd_outqueue_spool opts = {
		.dir = c->spool,
		.size = c->spool_size,
		.interval_ms = c->spool_interval_ms,
		.repeats = c->spool_repeats,
		.drop_oldest = c->when_full == SQD_FULL_DROP_OLDEST,
		.marks = find_marks(marks, sizeof(marks)),
	};

	return c->durability == SQD_DURABILITY_SPOOL ? sqd_outqueue_spool(q, &opts, err) : 0;
}

static int start_queues(struct sqd_daemon *d, struct sq_err *err)
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
	sqd_ioloops_passed(((struct sqd_daemon *)ctx)->ioloops);
}

/* Dead letters are everybody's. */
static bool takes(const struct sqd_daemon *d, size_t i, unsigned lane)
{
	return i == d->cfg->outputs.n ||
	       sqd_config_lane_takes(d->cfg, &d->cfg->outputs.items[i], lane);
}

size_t sqd_daemon_lane_queues(const struct sqd_daemon *d, unsigned lane)
{
	size_t n = 0;

	for (size_t i = 0; i <= d->cfg->outputs.n; i++)
		n += takes(d, i, lane);
	return n;
}

/* A receipt waits for the outputs of its lane alone. */
static void await(struct sqd_daemon *d, size_t i, bool patient)
{
	struct sqd_outqueue *q = d->queues[i];

	if (takes(d, i, 0))
		sqd_settling_await(d->settling, q, patient);
	else
		sqd_outqueue_on_passed(q, on_passed, d);
	for (unsigned k = 0; k < sqd_ioloops_count(d->ioloops); k++)
		if (takes(d, i, sqd_daemon_lane_of(d, k)))
			sqd_ioloops_await(d->ioloops, k, q, patient);
}

static struct sqd_route route_of(const struct sqd_daemon *d, size_t i)
{
	const struct sqd_config_item *item = &d->cfg->outputs.items[i];
	const struct sqd_output_common *c = item->output;

	return (struct sqd_route){
		.queue = d->queues[i],
		.format = (enum sq_format)c->format,
		.min_level = (enum sq_level)c->min_level,
		.when_full = (enum sqd_when_full)c->when_full,
		.datagrams = item->output_ops->datagrams,
		.forward = (enum sqd_forward)c->forward,
		.sample = c->sample,
		.counts = &d->forwarded[i],
		.view = c->forward ? sqd_config_view(d->cfg, item) : 0,
	};
}

/* A router for each lane: what waits there for an output keeps none of another's batches. */
static int start_router(struct sqd_daemon *d, unsigned lane, struct sq_err *err)
{
	const struct sqd_config *cfg = d->cfg;
	struct sqd_route *routes = calloc(d->n_outputs + 1, sizeof(*routes));
	struct sq_fold_limits fold = { .window_ns = cfg->fold_window_ms * 1000000,
		                       .entries = cfg->fold_entries,
		                       .bytes = cfg->fold_bytes };
	struct sqd_router_opts opts = {
		.loop = &d->loop,
		.sibling = lane ? d->routers[0] : NULL,
		.routes = routes,
		.batches = sqd_config_batches(cfg) * (lane ? 1 : sqd_config_loops(cfg)),
		.fold = cfg->fold_window_ms ? &fold : NULL,
		.deduplicate = cfg->dedup_window,
		.dead_letters = d->n_queues > d->n_outputs ? d->queues[d->n_outputs] : NULL,
		.totals = &d->counts,
		.released = on_released,
		.progress = sqd_daemon_progress,
		.ctx = d,
	};

	for (size_t i = 0; routes && i < d->n_outputs; i++)
		if (takes(d, i, lane)) {
			struct sqd_daemon_way *way = &d->ways[d->n_ways++];

			*way = (struct sqd_daemon_way){ .lane = lane, .output = i };
			routes[opts.n_routes] = route_of(d, i);
			routes[opts.n_routes++].waiting = &way->waiting;
		}
	d->routers[lane] = routes ? sqd_router_new(&opts) : NULL;
	free(routes);
	return d->routers[lane] ? 0 : sq_err_set(err, -ENOMEM, "router: out of memory");
}

static int start_routers(struct sqd_daemon *d, struct sq_err *err)
{
	struct sqd_outqueue *dead = d->n_queues > d->n_outputs ? d->queues[d->n_outputs] : NULL;
	size_t ways = 0;
	int r = 0;

	/* What may be dropped when a queue is full holds up nobody's answer, but for the disk that
	 * it goes to. */
	for (size_t i = 0; i < d->n_outputs; i++) {
		const struct sqd_output_common *c = d->cfg->outputs.items[i].output;

		if (c->when_full == SQD_FULL_BLOCK || c->durability == SQD_DURABILITY_SPOOL)
			await(d, i, true);
	}
	if (dead)
		await(d, d->n_outputs, false);
	sqd_refusals_init(&d->refusals, dead);
	for (size_t i = 0; i < d->n_outputs; i++)
		sqd_refusals_watch(&d->refusals, d->queues[i]);
	for (unsigned lane = 0; lane < d->cfg->n_lanes; lane++)
		ways += sqd_daemon_lane_queues(d, lane);
	d->ways = calloc(ways, sizeof(*d->ways));
	d->routers = calloc(d->cfg->n_lanes, sizeof(struct sqd_router *));
	if (!d->routers || !d->ways)
		return sq_err_set(err, -ENOMEM, "router: out of memory");
	for (unsigned lane = 0; lane < d->cfg->n_lanes && !r; lane++)
		r = start_router(d, lane, err);
	return r;
}

int sqd_daemon_start_outputs(struct sqd_daemon *d, struct sq_err *err)
{
	int r = start_queues(d, err);

	return r ? r : start_routers(d, err);
}
