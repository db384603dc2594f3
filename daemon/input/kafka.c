/* A member of a consumer group, which the brokers give partitions to and take them from.
 *
 *   librdkafka ──events──▶ records in the open batch, owed to a window of their partition
 *                                                              │
 *   brokers ◀──commit── offset behind all that is settled ◀────┘
 *
 * When half of what librdkafka's queue can hold has been taken, its threads are woken: they may
 * have found it full, and would sleep while we empty it. Not where librdkafka can be told not to.
 *
 * While no batch is free nothing is taken out of librdkafka's queue, which is bounded (prefetch)
 * and then fetches nothing. When that lasts, partitions are paused, so that we hear when the group
 * changes; what had been fetched is fetched again.
 *
 * Cooperative rebalancing: only partitions that move stop, and all others go on meanwhile. One that
 * is taken from us is paused; its receipts have revoke_wait to be settled, then it goes, its last
 * offset is committed, and what was not settled is read again by whoever has it next.
 *
 * The way down: stop() takes nothing more; close() waits for the receipts, leaves the group, so
 * that others need not wait for our session to end, and ends the client. Reading certificates anew
 * goes the same way, and begins again. A fatal error ends the client at once, and begins again.
 */
#include "daemon/input/kafka.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/input/kafka_private.h"
#include "daemon/input/put.h"

enum {
	TICK_MS = 100,
	AT_ONCE = 2048,    /* messages in a turn of the loop */
	SIFT_EACH = 32,    /* messages */
	SILENT_MS = 2000,  /* without a batch, before partitions are paused */
	LEAVE_MS = 5000,   /* for saying goodbye */
	LAG_MS = 1000,     /* between two looks at the lag */
	SESSION_PARTS = 3, /* heartbeats in a session */
	PREFETCH_MESSAGES = 100000,
};

#define AT(member) .offset = offsetof(struct sqd_input_kafka_cfg, member)

static const struct sq_opt_enum starts[] = { { "earliest", 0 }, { "latest", 1 }, { 0 } };

/* clang-format off */
static const struct sq_opt kafka_opts[] = {
	SQD_KAFKA_OPTS(struct sqd_input_kafka_cfg, kafka),
	{ "topics", SQ_OPT_STRS, AT(topics), .required = true,
	  .doc = "Topics to read; one that begins with ^ is a regular expression: [events, \"^winlog-.*\"]." },
	{ "group", SQ_OPT_STR, AT(group), .def = "squiblyd",
	  .doc = "Consumer group: its members share the partitions, and its offsets say what has been done." },
	{ "instance", SQ_OPT_STR, AT(instance),
	  .doc = "Name of this member, its own in the group: one that comes back within `session` finds its "
		 "partitions again, and nobody has to wait; absent: each start is a new member." },
	{ "start", SQ_OPT_ENUM, AT(start), .enums = starts, .def = "earliest",
	  .doc = "Where to begin in a partition of which the group has committed nothing: with the earliest message that "
		 "is there, or with those to come." },
	{ "max_record", SQ_OPT_BYTES, AT(max_record), .min = 1024, .max = 16 << 20, .def = "1MiB",
	  .doc = "Longest message; a longer one is counted as oversized and not looked at; the log says where it lies." },
	{ "prefetch", SQ_OPT_BYTES, AT(prefetch), .min = 1 << 20, .max = (uint64_t)2 << 30, .def = "64MiB",
	  .doc = "Memory for messages that were fetched and not taken yet; one answer of a broker may be over it." },
	{ "session", SQ_OPT_MSEC, AT(session), .min = 1000, .max = 300000, .def = "45s",
	  .doc = "A member that is not heard of for so long has died: its partitions go to others." },
	{ "commit_interval", SQ_OPT_MSEC, AT(commit_interval), .min = 10, .max = 300000, .def = "1s",
	  .doc = "How often offsets are committed; what was settled since is read twice after a crash." },
	{ "revoke_wait", SQ_OPT_MSEC, AT(revoke_wait), .min = 0, .max = 120000, .def = "5s",
	  .doc = "How long a partition that goes to another member is kept until what was read from it is settled; what is "
		 "not by then is read again there." },
	{ 0 }
};
/* clang-format on */

static struct sqd_kafka_input *self(struct sqd_input *base)
{
	return SQ_CONTAINER(base, struct sqd_kafka_input, base);
}

/* ---- events ------------------------------------------------------------------------------ */

static void on_commit(struct sqd_kafka_input *in, rd_kafka_event_t *ev)
{
	rd_kafka_resp_err_t err = rd_kafka_event_error(ev);

	if (!err)
		in->base.counts->kafka_commits++;
	else if (err != RD_KAFKA_RESP_ERR__NO_OFFSET) /* nothing new: no commit */
		sqd_log_limited(&in->limit, SQD_LOG_WARNING, "%s: commit: %s; retrying",
		                in->base.name, rd_kafka_err2str(err));
}

/* What max_rate allows is used up: as when no batch is free. */
static void spend(struct sqd_kafka_input *in, size_t n)
{
	struct sqd_allowance *a = in->base.allowance;
	uint64_t now_ms = sqd_kafka_in_ms(in), wait_ms;

	wait_ms = a ? sqd_allowance_take(a, now_ms, n) : 0;
	if (!wait_ms)
		return;
	in->base.counts->rate_pauses++;
	in->slow_ms = now_ms + wait_ms;
	in->starve_ms = now_ms;
	in->starved = true;
}

static void on_message(struct sqd_kafka_input *in, rd_kafka_event_t *ev)
{
	const rd_kafka_message_t *m = rd_kafka_event_message_next(ev);

	if (!m || m->err)
		return;
	/* Of a paused partition none can come; if one did, its offset must not be passed by. */
	if (in->silent || in->stopped || in->leaving) {
		in->broken |= !in->left;
		return;
	}
	in->woken_n++;
	in->woken_bytes += m->len;
	spend(in, m->len);
	sqd_kafka_part_take(in, m);
}

/* In time: before all of a full queue has been taken. */
static void wake_fetchers(struct sqd_kafka_input *in)
{
	if (in->backs_off || (in->woken_bytes < sqd_kafka_in_cfg(in)->prefetch / 2 &&
	                      in->woken_n < PREFETCH_MESSAGES / 2))
		return;
	in->woken_bytes = in->woken_n = 0;
	sqd_kafka_parts_wake(in);
}

static void on_event(struct sqd_kafka_input *in, rd_kafka_event_t *ev)
{
	switch (rd_kafka_event_type(ev)) {
	case RD_KAFKA_EVENT_FETCH:
		on_message(in, ev);
		break;
	case RD_KAFKA_EVENT_REBALANCE:
		sqd_kafka_in_rebalance(in, ev);
		break;
	case RD_KAFKA_EVENT_OFFSET_COMMIT:
		on_commit(in, ev);
		break;
	case RD_KAFKA_EVENT_ERROR: /* a fatal one */
		in->broken = true;
		break;
	default:
		break;
	}
	rd_kafka_event_destroy(ev);
}

/* Room for the longest message, so that taking it cannot fail. */
static bool have_room(struct sqd_kafka_input *in)
{
	if (sqd_dispatch_open(in->base.dispatch, sqd_kafka_in_cfg(in)->max_record))
		return true;
	in->starved = true;
	in->starve_ms = sqd_kafka_in_ms(in);
	return false;
}

static void take_events(struct sqd_kafka_input *in)
{
	rd_kafka_event_t *ev;

	for (unsigned n = 0; in->up && !in->broken; n++) {
		bool quiet = in->silent || in->stopped || in->leaving;

		if (!quiet && (in->starved || !have_room(in)))
			return; /* resume() or the tick goes on */
		if (n == AT_ONCE) {
			sqd_kafka_again(&in->client); /* others want their turn too */
			return;
		}
		ev = sqd_kafka_next(&in->client);
		if (!ev)
			return;
		on_event(in, ev);
		if (n % SIFT_EACH == SIFT_EACH - 1)
			sqd_dispatch_sift(in->base.dispatch);
		wake_fetchers(in);
	}
}

/* ---- leaving ----------------------------------------------------------------------------- */

static void end_client(struct sqd_kafka_input *in)
{
	uint64_t n;

	in->up = false;
	if (!in->left)
		sqd_kafka_in_spare(in);
	if (in->revoking)
		rd_kafka_topic_partition_list_destroy(in->revoking);
	in->revoking = NULL;
	n = sqd_kafka_parts_leave(in);
	in->base.counts->kafka_given_up += n;
	sqd_kafka_end(&in->client, true);
}

static bool busy(const struct sqd_kafka_input *in)
{
	for (const struct sqd_kafka_part *p = in->parts; p; p = p->next)
		if (sqd_kafka_part_busy(p))
			return true;
	return false;
}

/* One step on the way out of the group, if the one before it is done. */
static void look_at_leaving(struct sqd_kafka_input *in)
{
	bool late = !in->closing && sqd_kafka_in_ms(in) >= in->leave_ms;
	rd_kafka_error_t *error;

	if (!in->leaving || !in->up)
		return;
	if (!in->left) {
		if (busy(in) && !late)
			return;
		sqd_kafka_in_spare(in);
		in->left = true;
		in->leave_ms = sqd_kafka_in_ms(in) + LEAVE_MS;
		error = rd_kafka_consumer_close_queue(in->client.rk, in->client.queue);
		if (error) {
			rd_kafka_error_destroy(error);
			end_client(in);
		}
		return;
	}
	if (rd_kafka_consumer_closed(in->client.rk) || sqd_kafka_in_ms(in) >= in->leave_ms)
		end_client(in);
}

static void leave(struct sqd_kafka_input *in)
{
	sqd_kafka_in_silence(in, true);
	in->leaving = true;
	in->leave_ms = sqd_kafka_in_ms(in) + sqd_kafka_in_cfg(in)->revoke_wait;
	look_at_leaving(in);
}

/* All that can be done now. */
static void go_on(struct sqd_kafka_input *in)
{
	take_events(in);
	if (!in->up)
		return;
	if (in->broken) {
		end_client(in);
		return;
	}
	sqd_kafka_in_look(in);
	look_at_leaving(in);
}

static void on_events(struct sqd_kafka *k)
{
	go_on(SQ_CONTAINER(k, struct sqd_kafka_input, client));
}

/* ---- life -------------------------------------------------------------------------------- */

static void release(struct sqd_kafka_input *in)
{
	sq_assert(in->base.open_handles);
	if (--in->base.open_handles == 0 && in->closing)
		in->base.closed(&in->base); /* last: it frees us */
}

static void on_tick_closed(uv_handle_t *h)
{
	release(h->data);
}

static void end_tick(struct sqd_kafka_input *in)
{
	uv_close((uv_handle_t *)&in->tick, on_tick_closed);
}

static void on_ended(struct sqd_kafka *k)
{
	struct sqd_kafka_input *in = SQ_CONTAINER(k, struct sqd_kafka_input, client);

	in->broken = in->leaving = in->left = in->silent = in->heard = false;
	in->leave_ms = sqd_kafka_in_ms(in) + sqd_kafka_in_cfg(in)->kafka.retry_min;
	release(in); /* the tick is open: this is not the end */
}

static struct rd_kafka_conf_s *configure(struct sqd_kafka_input *in, struct sq_err *err)
{
	const struct sqd_input_kafka_cfg *cfg = sqd_kafka_in_cfg(in);
	char session[24], beat[24], commit[24], prefetch[24], messages[24], why[128];
	const struct sqd_kafka_setting rows[] = {
		{ "group.id", cfg->group },
		{ "group.instance.id", cfg->instance },
		{ "auto.offset.reset", cfg->start ? "latest" : "earliest" },
		/* What is stored is committed; we store what is settled. */
		{ "enable.auto.commit", "true" },
		{ "enable.auto.offset.store", "false" },
		{ "auto.commit.interval.ms", commit },
		{ "partition.assignment.strategy", "cooperative-sticky" },
		{ "session.timeout.ms", session },
		{ "heartbeat.interval.ms", beat },
		{ "max.poll.interval.ms", "300000" },
		{ "queued.max.messages.kbytes", prefetch },
		{ "queued.min.messages", messages }, /* a bound as well, by its effect */
		{ "check.crcs", "true" },
		{ "allow.auto.create.topics", "false" },
		{ "topic.metadata.refresh.interval.ms", "30000" },
		{ 0 },
	};
	struct rd_kafka_conf_s *conf;

	snprintf(session, sizeof(session), "%" PRIu64, cfg->session);
	snprintf(beat, sizeof(beat), "%" PRIu64,
	         cfg->session > 9000 ? 3000 : cfg->session / SESSION_PARTS);
	snprintf(commit, sizeof(commit), "%" PRIu64, cfg->commit_interval);
	snprintf(prefetch, sizeof(prefetch), "%" PRIu64, cfg->prefetch / 1024);
	snprintf(messages, sizeof(messages), "%d", PREFETCH_MESSAGES);
	conf = sqd_kafka_conf(&cfg->kafka, err);
	/* librdkafka 2.2 and later sleep for so long, not until they are woken; older ones do not
	 * know it. To them the question that wakes is no question without a time to answer in. */
	if (conf)
		in->backs_off = rd_kafka_conf_set(conf, "fetch.queue.backoff.ms", "10", why,
		                                  sizeof(why)) == RD_KAFKA_CONF_OK;
	if (!conf || sqd_kafka_set(conf, rows, err) == 0)
		return conf;
	rd_kafka_conf_destroy(conf);
	return NULL;
}

static int subscribe(struct sqd_kafka_input *in, struct sq_err *err)
{
	const struct sq_opt_strs *topics = &sqd_kafka_in_cfg(in)->topics;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)topics->n);
	rd_kafka_resp_err_t why;

	for (size_t i = 0; i < topics->n; i++)
		rd_kafka_topic_partition_list_add(list, topics->list[i], RD_KAFKA_PARTITION_UA);
	why = rd_kafka_subscribe(in->client.rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return why ? sq_err_set(err, -EINVAL, "topics: %s", rd_kafka_err2str(why)) : 0;
}

static int begin(struct sqd_kafka_input *in, struct sq_err *err)
{
	struct rd_kafka_conf_s *conf = configure(in, err);
	int r;

	if (!conf)
		return -EINVAL;
	r = sqd_kafka_begin(&in->client, true, conf,
	                    RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_REBALANCE |
	                            RD_KAFKA_EVENT_OFFSET_COMMIT,
	                    err);
	if (r < 0)
		return r;
	in->base.open_handles++;
	in->up = true;
	r = subscribe(in, err);
	if (r < 0)
		end_client(in);
	return r;
}

static void begin_again(struct sqd_kafka_input *in)
{
	const struct sqd_kafka_cfg *cfg = &sqd_kafka_in_cfg(in)->kafka;
	struct sq_err err = { 0 };

	if (sqd_kafka_in_ms(in) < in->leave_ms)
		return;
	in->leave_ms = sqd_kafka_in_ms(in) + cfg->retry_max;
	if (begin(in, &err) < 0)
		sqd_log_limited(&in->limit, SQD_LOG_ERROR, "%s: %s; retrying", in->base.name,
		                err.text);
}

static void kafka_resume(struct sqd_input *base);

/* librdkafka is to be asked now and then, or it takes us for hung; and we may have to wait for one
 * of the things that nobody tells of. */
static void on_tick(uv_timer_t *t)
{
	struct sqd_kafka_input *in = t->data;

	if (in->closing && !in->client.open) {
		end_tick(in);
		return;
	}
	if (!in->client.open && !in->stopped)
		begin_again(in);
	if (!in->up)
		return;
	if (in->slow_ms && sqd_kafka_in_ms(in) >= in->slow_ms) {
		in->slow_ms = 0;
		kafka_resume(&in->base); /* if it is batches that are missing, it stops again */
	}
	if (in->starved && sqd_kafka_in_ms(in) - in->starve_ms >= SILENT_MS)
		sqd_kafka_in_silence(in, true);
	if (sqd_kafka_in_ms(in) - in->lag_ms >= LAG_MS) {
		in->lag_ms = sqd_kafka_in_ms(in);
		in->base.counts->kafka_lag = sqd_kafka_parts_lag(in);
	}
	go_on(in);
}

static void name_it(struct sqd_kafka_input *in)
{
	const struct sqd_input_kafka_cfg *cfg = sqd_kafka_in_cfg(in);

	snprintf(in->base.name, sizeof(in->base.name), "kafka %.60s%s (group %.40s)",
	         cfg->topics.list[0], cfg->topics.n > 1 ? " and others" : "", cfg->group);
}

static int kafka_start(struct sqd_input *base, struct sq_err *err)
{
	struct sqd_kafka_input *in = self(base);
	const struct sqd_input_kafka_cfg *cfg = base->cfg;
	int r;

	if (!cfg->topics.n || !cfg->group[0])
		return sq_err_set(err, -EINVAL, "kafka input: it needs topics and a group");
	name_it(in);
	base->socket = -1;
	in->client = (struct sqd_kafka){
		.loop = base->loop, .name = base->name, .on_events = on_events, .on_ended = on_ended
	};
	(void)uv_timer_init(base->loop, &in->tick); /* cannot fail */
	in->tick.data = in;
	base->open_handles++;
	in->started = true;
	r = sqd_kafka_check(&cfg->kafka, err);
	if (!r)
		r = begin(in, err);
	if (r < 0)
		return sq_err_wrap(err, r, "kafka input");
	(void)uv_timer_start(&in->tick, on_tick, TICK_MS, TICK_MS);
	return 0;
}

/* It pauses by itself: what others do when no batch is free is not asking for one. */
static void kafka_pause(struct sqd_input *base)
{
	struct sqd_kafka_input *in = self(base);

	if (!in->starved)
		in->starve_ms = sqd_kafka_in_ms(in);
	in->starved = true;
}

static void kafka_resume(struct sqd_input *base)
{
	struct sqd_kafka_input *in = self(base);

	if (!in->starved || in->stopped || sqd_kafka_in_ms(in) < in->slow_ms)
		return;
	in->starved = false;
	if (!in->leaving)
		sqd_kafka_in_silence(in, false);
	if (in->up)
		sqd_kafka_again(&in->client);
}

static void kafka_stop(struct sqd_input *base)
{
	struct sqd_kafka_input *in = self(base);

	if (in->stopped)
		return;
	sqd_kafka_in_silence(in, true);
	in->stopped = true;
}

/* With certificates or a password we leave the group and come again; members of the same instance
 * find their partitions again. */
static void kafka_reload(struct sqd_input *base)
{
	struct sqd_kafka_input *in = self(base);
	const struct sqd_kafka_cfg *cfg = &sqd_kafka_in_cfg(in)->kafka;
	struct rd_kafka_conf_s *conf;
	struct sq_err err = { 0 };

	if ((!cfg->tls.on && cfg->sasl == SQD_KAFKA_SASL_NONE) || !in->up || in->leaving)
		return;
	conf = configure(in, &err);
	if (!conf) {
		sqd_log(SQD_LOG_ERROR, "%s: %s; keeping what was read before", base->name,
		        err.text);
		return;
	}
	rd_kafka_conf_destroy(conf);
	leave(in);
}

static void kafka_close(struct sqd_input *base)
{
	struct sqd_kafka_input *in = self(base);

	if (in->closing)
		return;
	in->closing = in->stopped = true;
	if (!in->started) { /* start() had failed: a handle of no other use calls back later */
		(void)uv_timer_init(base->loop, &in->tick);
		in->tick.data = in;
		base->open_handles++;
	}
	if (in->up)
		leave(in);
	(void)uv_timer_start(&in->tick, on_tick, 0, TICK_MS / 10);
}

static bool kafka_alone(const void *cfg SQ_UNUSED)
{
	return true; /* one member of the group; librdkafka's threads do the work that takes time */
}

const struct sqd_input_ops sqd_input_kafka = {
	.kind = "kafka",
	.size = sizeof(struct sqd_kafka_input),
	.cfg_size = sizeof(struct sqd_input_kafka_cfg),
	.opts = kafka_opts,
	.start = kafka_start,
	.pause = kafka_pause,
	.resume = kafka_resume,
	.stop = kafka_stop,
	.reload = kafka_reload,
	.close = kafka_close,
	.alone = kafka_alone,
};
