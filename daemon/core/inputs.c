/* The inputs of the configuration: each on the main loop, and once more on every further loop when
 * its socket can be shared.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/base/passed.h"
#include "daemon/core/daemon_private.h"

/* The socket that systemd passes for this input: the one it names, else one with its address. */
static int inherited(struct sqd_passed *passed, const struct sqd_config_item *item,
                     struct sq_err *err)
{
	const char *listen = sqd_config_text(item, "listen"), *name = item->input->socket;
	bool datagrams = strcmp(item->input_ops->kind, "udp") == 0;
	int type = datagrams ? SOCK_DGRAM : SOCK_STREAM, fd;

	if (!name)
		return listen ? sqd_passed_take(passed, listen, type) : -1;
	fd = sqd_passed_take_named(passed, name, type);
	if (fd == -EPROTOTYPE)
		return sq_err_set(err, fd,
		                  "input %s: the socket \"%s\" that systemd passed is none of %s",
		                  item->input_ops->kind, name, datagrams ? "datagrams" : "streams");
	if (fd < 0)
		return sq_err_set(err, fd, "input %s: systemd passed no socket named \"%s\"",
		                  item->input_ops->kind, name);
	return fd;
}

static struct sq_sv tenant_of(const struct sqd_config_item *item)
{
	return sq_sv_of(item->input->tenant ? item->input->tenant : "");
}

/* One more instance of the input `row`. @return 0, -EOPNOTSUPP: it cannot be, or an error */
static int start_on(struct sqd_daemon *d, unsigned loop, size_t row,
                    const struct sqd_config_item *item, struct sq_err *err)
{
	const struct sqd_input *first = d->inputs[row].in;
	int fd = sqd_listen_beside(first->socket, first->inherited_fd < 0, err);
	struct sqd_input *in;

	if (fd < 0)
		return fd;
	in = calloc(1, item->input_ops->size);
	if (!in) {
		close(fd);
		return sq_err_set(err, -ENOMEM, "inputs: out of memory");
	}
	*in = (struct sqd_input){
		.ops = item->input_ops,
		.cfg = item->cfg,
		.tenant = tenant_of(item),
		.allowance = first->allowance,
		.inherited_fd = fd,
		.lasting = first->lasting,
		.further = true,
		.shared = &d->inputs[row].shared,
	};
	memcpy(in->name, first->name, sizeof(in->name));
	return sqd_ioloops_start(d->ioloops, loop, in, row, err);
}

static int start_further(struct sqd_daemon *d, size_t row, const struct sqd_config_item *item,
                         struct sq_err *err)
{
	bool (*alone)(const void *) = item->input_ops->alone;

	if (alone && alone(item->cfg))
		return 0;
	for (unsigned i = 0; i + 1 < sqd_config_loops(d->cfg); i++) {
		int r = start_on(d, i, row, item, err);

		if (r == -EOPNOTSUPP)
			return 0;
		if (r < 0)
			return sq_err_wrap(err, r, "%s", d->inputs[row].in->name);
	}
	return 0;
}

static int start_input(struct sqd_daemon *d, const struct sqd_config_item *item,
                       struct sqd_passed *passed, struct sq_err *err)
{
	struct sqd_daemon_input *slot = &d->inputs[d->n_inputs];
	int fd = inherited(passed, item, err), r;

	if (fd < -1)
		return fd;
	slot->in = calloc(1, item->input_ops->size);
	if (!slot->in) {
		if (fd >= 0)
			close(fd);
		return sq_err_set(err, -ENOMEM, "inputs: out of memory");
	}
	*slot->in = (struct sqd_input){
		.ops = item->input_ops,
		.cfg = item->cfg,
		.tenant = tenant_of(item),
		.allowance = item->input->max_rate ? &slot->allowance : NULL,
		.loop = &d->loop,
		.dispatch = d->dispatch,
		.counts = &slot->counts,
		.closed = sqd_daemon_input_closed,
		.ctx = d,
		.inherited_fd = fd,
		.lasting = fd >= 0,
	};
	slot->allowance.rate = item->input->max_rate;
	if (sqd_ioloops_count(d->ioloops))
		slot->in->shared = &slot->shared;
	snprintf(slot->in->name, sizeof(slot->in->name), "%s", item->input_ops->kind);
	pthread_mutex_init(&slot->shared.lock, NULL);
	d->n_inputs++;
	if (item->input->lane) {
		slot->elsewhere = true;
		return sqd_ioloops_start(d->ioloops, sqd_daemon_loop_of(d, item->input->lane),
		                         slot->in, d->n_inputs - 1, err);
	}
	r = slot->in->ops->start(slot->in, err);
	return r < 0 ? r : start_further(d, d->n_inputs - 1, item, err);
}

int sqd_daemon_start_inputs(struct sqd_daemon *d, struct sq_err *err)
{
	const struct sqd_config_list *list = &d->cfg->inputs;
	struct sqd_passed passed = { 0 };
	unsigned left;
	int r = 0;

	(void)sqd_passed_read(&passed);
	d->inputs = calloc(list->n + 1, sizeof(*d->inputs));
	if (!d->inputs)
		r = sq_err_set(err, -ENOMEM, "inputs: out of memory");
	/* Those that name their socket first, so that nobody else takes it by its address. */
	for (int named = 1; named >= 0; named--)
		for (size_t i = 0; i < list->n && !r; i++)
			if (!!list->items[i].input->socket == named)
				r = start_input(d, &list->items[i], &passed, err);
	left = sqd_passed_close(&passed);
	if (left && !r)
		sqd_log(SQD_LOG_WARNING, "%u sockets that systemd passed fit no input; ignoring",
		        left);
	return r;
}
