/* An idempotent producer. Messages are given to librdkafka where they lie: it sends them from the
 * queue's memory, which stays until all of their send have been reported.
 *
 *	IDLE -> UP -> ENDING -> IDLE     ENDING: after a fatal error, on SIGHUP with TLS or SASL,
 *	                                 and to close; IDLE again: after retry_min
 *
 * Happy path: send() gives what fits into librdkafka's queue; a report takes a message off its
 * send; the oldest send with none left but refused ones is answered. What goes wrong, by whose
 *fault it is:
 *
 *	the message (too large, not to be stored)	refused, for the dead letters
 *	the network, the brokers			librdkafka waits and tries again, for ever
 *	the configuration (no such topic, not allowed)	we wait and try again: somebody will mend
 *		it, and until then nothing is lost
 *	too large, but perhaps the whole batch was	tried again, alone
 *	fatal (librdkafka's own word)			the client is made anew and the queue gives
 *		everything again
 *
 * Order is kept within a partition but where a message is tried again by us: then those behind it
 * have gone before.
 */
#include "daemon/output/kafka.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/output/kafka_private.h"

#define AT(member) .offset = offsetof(struct sqd_output_kafka_cfg, member)

static const struct sq_opt_enum compressions[] = { { "none", 0 }, { "gzip", 1 }, { "snappy", 2 },
	                                           { "lz4", 3 },  { "zstd", 4 }, { 0 } };

/* clang-format off */
static const struct sq_opt kafka_opts[] = {
	SQD_KAFKA_OPTS(struct sqd_output_kafka_cfg, kafka),
	{ "topic", SQ_OPT_STR, AT(topic), .required = true,
	  .doc = "Topic to write to; the key of a message is the host's name, and its header squibly-id the id of the alert." },
	{ "compression", SQ_OPT_ENUM, AT(compression), .enums = compressions, .def = "lz4",
	  .doc = "How batches of messages are packed." },
	{ "linger", SQ_OPT_MSEC, AT(linger), .min = 0, .max = 10000, .def = "5ms",
	  .doc = "How long a message waits for others to make a batch with. With `forward: all` and senders that wait for no answer, "
		 "1s saves a fifth of the CPU time." },
	{ "answer_timeout", SQ_OPT_MSEC, AT(answer_timeout), .min = 1000, .max = 300000, .def = "30s",
	  .doc = "A broker that has not answered after this time is asked again." },
	{ "max_message", SQ_OPT_BYTES, AT(max_message), .min = 1000, .max = 1000000000, .def = "1000000",
	  .doc = "Longest message; a longer one is refused, as one that is too long for the broker (message.max.bytes there)." },
	{ "max_in_flight", SQ_OPT_U32, AT(max_in_flight), .min = 1, .max = 10000000, .def = "100000",
	  .doc = "Most messages that librdkafka has at one time; what waits beyond waits in `queue`." },
	{ 0 }
};
/* clang-format on */

static struct sqd_kafka_output *self(struct sqd_output *out)
{
	return SQ_CONTAINER(out, struct sqd_kafka_output, base);
}

static void on_events(struct sqd_kafka *k)
{
	struct sqd_kafka_output *o = SQ_CONTAINER(k, struct sqd_kafka_output, client);

	sqd_kafka_out_take(o);
	sqd_kafka_out_go_on(o);
}

static void on_outage(struct sqd_kafka *k, const char *why)
{
	struct sqd_kafka_output *o = SQ_CONTAINER(k, struct sqd_kafka_output, client);

	if (why)
		sqd_output_failed(&o->base, &(struct sqd_failure){ .level = SQD_LOG_WARNING,
		                                                   .why = why,
		                                                   .then = "retrying" });
	else
		(void)sqd_output_works(&o->base, "works again");
}

static void release(struct sqd_kafka_output *o)
{
	sq_assert(o->base.open_handles);
	if (--o->base.open_handles == 0 && o->closing)
		o->base.closed(&o->base); /* last: it frees us */
}

/* librdkafka has let go of everything: what was under way is void. */
static void on_ended(struct sqd_kafka *k)
{
	struct sqd_kafka_output *o = SQ_CONTAINER(k, struct sqd_kafka_output, client);
	bool owed = o->n > 0;

	o->state = KAFKA_IDLE;
	o->n = o->first = o->in_flight = 0;
	o->again = o->singles = (struct sqd_parked_list){ 0 };
	sqd_parking_reset(&o->parking);
	o->alone = NULL;
	o->broken = false;
	if (o->closing) {
		sqd_parking_fini(&o->parking);
	} else {
		sqd_kafka_out_later(o);
	}
	if (owed)
		o->base.sent(&o->base, -ECONNRESET); /* it may call send() or close() */
	release(o);
}

static struct rd_kafka_conf_s *configure(const struct sqd_kafka_output *o, struct sq_err *err)
{
	static const char *const codecs[] = { "none", "gzip", "snappy", "lz4", "zstd" };
	const struct sqd_output_kafka_cfg *cfg = sqd_kafka_out_cfg(o);
	char linger[24], timeout[24], patience[24], max[24], messages[24], retry[24], refresh[24];
	const struct sqd_kafka_setting rows[] = {
		{ "enable.idempotence", "true" }, /* and so acks=all, and retries without end */
		{ "message.timeout.ms", "0" },
		{ "partitioner", "murmur2_random" }, /* the same partitions as Java's producers */
		{ "topic.metadata.refresh.interval.ms", refresh },
		{ "queue.buffering.max.kbytes", "2097151" }, /* not copied: `queue` bounds them */
		{ "queue.buffering.max.messages", messages },
		{ "compression.codec", codecs[cfg->compression] },
		{ "linger.ms", linger },
		{ "request.timeout.ms", timeout },
		{ "socket.timeout.ms", patience },
		{ "message.max.bytes", max },
		{ "retry.backoff.ms", retry },
		{ 0 },
	};
	struct rd_kafka_conf_s *conf;

	snprintf(linger, sizeof(linger), "%" PRIu64, cfg->linger);
	snprintf(timeout, sizeof(timeout), "%" PRIu64, cfg->answer_timeout);
	snprintf(patience, sizeof(patience), "%" PRIu64, cfg->answer_timeout);
	snprintf(max, sizeof(max), "%" PRIu64, cfg->max_message);
	snprintf(messages, sizeof(messages), "%" PRIu32, cfg->max_in_flight);
	/* Until then a topic that was not there, or not allowed, stays so. */
	snprintf(refresh, sizeof(refresh), "%" PRIu64,
	         cfg->kafka.retry_max < 1000 ? 1000 : cfg->kafka.retry_max);
	snprintf(retry, sizeof(retry), "%" PRIu64, cfg->kafka.retry_min);
	conf = sqd_kafka_conf(&cfg->kafka, err);
	if (!conf || sqd_kafka_set(conf, rows, err) == 0)
		return conf;
	rd_kafka_conf_destroy(conf);
	return NULL;
}

static int begin(struct sqd_kafka_output *o, struct sq_err *err)
{
	struct rd_kafka_conf_s *conf = configure(o, err);
	int r;

	if (!conf)
		return -EINVAL;
	r = sqd_kafka_begin(&o->client, false, conf, RD_KAFKA_EVENT_DR, err);
	if (r < 0)
		return r;
	o->base.open_handles++;
	o->topic = rd_kafka_topic_new(o->client.rk, sqd_kafka_out_cfg(o)->topic, NULL);
	sq_assert(o->topic); /* its name was checked */
	o->state = KAFKA_UP;
	o->reopen_due = false;
	return 0;
}

void sqd_kafka_out_on_timer(uv_timer_t *t)
{
	struct sqd_kafka_output *o = t->data;
	struct sq_err err = { 0 };

	if (o->state == KAFKA_IDLE) {
		o->base.reconnects++;
		if (begin(o, &err) < 0) {
			sqd_output_failed(&o->base, &(struct sqd_failure){ .level = SQD_LOG_ERROR,
			                                                   .why = err.text,
			                                                   .then = "retrying" });
			sqd_kafka_out_later(o);
			return;
		}
	}
	sqd_kafka_out_go_on(o);
}

static int check(const struct sqd_output_kafka_cfg *cfg, struct sq_err *err)
{
	size_t n = strlen(cfg->topic);
	int r = sqd_kafka_check(&cfg->kafka, err);

	if (r < 0)
		return r;
	/* What brokers allow. */
	if (!n || n > 249 ||
	    strspn(cfg->topic,
	           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != n)
		return sq_err_set(err, -EINVAL,
		                  "topic: letters, digits, '.', '_' and '-', 1 to 249 of them");
	return 0;
}

static int kafka_start(struct sqd_output *out, struct sq_err *err)
{
	struct sqd_kafka_output *o = self(out);
	const struct sqd_output_kafka_cfg *cfg = out->cfg;
	int r;

	snprintf(out->name, sizeof(out->name), "kafka %.110s", cfg->topic);
	out->framing = SQD_FRAMING_RECORDS;
	o->client = (struct sqd_kafka){ .loop = out->loop,
		                        .name = out->name,
		                        .on_events = on_events,
		                        .on_ended = on_ended,
		                        .on_outage = on_outage };
	o->random = uv_hrtime() | 1;
	o->retry_ms = cfg->kafka.retry_min;
	r = check(cfg, err);
	if (r < 0)
		return sq_err_wrap(err, r, "kafka output");
	(void)uv_timer_init(out->loop, &o->timer); /* cannot fail */
	o->timer.data = o;
	out->open_handles++;
	o->started = true;
	r = begin(o, err);
	return r < 0 ? sq_err_wrap(err, r, "kafka output") : 0;
}

static int kafka_send(struct sqd_output *out, struct sq_sv bytes)
{
	return sqd_kafka_out_send(self(out), bytes);
}

/* Certificates and passwords are read anew. What cannot be read now is not tried with. */
static void kafka_reopen(struct sqd_output *out)
{
	struct sqd_kafka_output *o = self(out);
	const struct sqd_output_kafka_cfg *cfg = out->cfg;
	struct rd_kafka_conf_s *conf;
	struct sq_err err = { 0 };

	if ((!cfg->kafka.tls.on && cfg->kafka.sasl == SQD_KAFKA_SASL_NONE) || o->closing)
		return;
	conf = configure(o, &err);
	if (!conf) {
		sqd_log(SQD_LOG_ERROR, "%s: %s; keeping what was read before", out->name, err.text);
		return;
	}
	rd_kafka_conf_destroy(conf);
	if (o->state != KAFKA_UP)
		return;
	o->reopen_due = true;
	sqd_kafka_again(&o->client);
}

/* What librdkafka waits for by itself, it goes on to wait for. */
static void kafka_insist(struct sqd_output *out)
{
	struct sqd_kafka_output *o = self(out);

	o->insists = true;
	o->retry_ms = sqd_kafka_out_cfg(o)->kafka.retry_min;
	if (o->started && !o->closing && uv_is_active((uv_handle_t *)&o->timer))
		(void)uv_timer_start(&o->timer, sqd_kafka_out_on_timer, 0, 0);
}

static void on_timer_closed(uv_handle_t *h)
{
	release(h->data);
}

static void kafka_close(struct sqd_output *out)
{
	struct sqd_kafka_output *o = self(out);

	if (o->closing)
		return;
	o->closing = true;
	if (!o->started) { /* start() had failed: a handle of no other use calls back later */
		(void)uv_timer_init(out->loop, &o->timer);
		o->timer.data = o;
		out->open_handles++;
	}
	uv_close((uv_handle_t *)&o->timer, on_timer_closed);
	if (o->state == KAFKA_UP) {
		sqd_kafka_out_take(o); /* what has arrived is not to be called lost */
		sqd_kafka_out_go_on(o);
		sqd_kafka_out_end(o);
	}
}

const struct sqd_output_ops sqd_output_kafka = {
	.kind = "kafka",
	.ids = true,
	.size = sizeof(struct sqd_kafka_output),
	.cfg_size = sizeof(struct sqd_output_kafka_cfg),
	.opts = kafka_opts,
	.check = sqd_output_no_check,
	.start = kafka_start,
	.send = kafka_send,
	.reopen = kafka_reopen,
	.insist = kafka_insist,
	.close = kafka_close,
};
