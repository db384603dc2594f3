/* Messages of the Kafka output: given, reported, tried again, refused. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/output/kafka_private.h"
#include "lib/engine/event_id.h"

static struct sqd_kafka_given *send_at(struct sqd_kafka_output *o, uint32_t i)
{
	return &o->sends[(o->first + i) % SQD_KAFKA_SENDS];
}

/* The send that a message belongs to. Reports come nearly in order: it is among the first. */
static struct sqd_kafka_given *send_of(struct sqd_kafka_output *o, const char *head)
{
	for (uint32_t i = 0; i < o->n; i++) {
		struct sqd_kafka_given *g = send_at(o, i);

		if (head >= g->bytes.p && head < g->bytes.p + g->bytes.n)
			return g;
	}
	sq_assert(!"a message of a send");
	return NULL;
}

static struct sqd_message message_at(const char *at)
{
	struct sqd_message_head head;

	memcpy(&head, at, sizeof(head)); /* it is not aligned */
	at += sizeof(head);
	return (struct sqd_message){ .key = { at, head.n_key },
		                     .text = { at + head.n_key, head.n },
		                     .id = { head.id[0], head.id[1] } };
}

static size_t bytes_of(const struct sqd_message *m)
{
	return sizeof(struct sqd_message_head) + m->key.n + m->text.n;
}

/* ---- waiting ----------------------------------------------------------------------------- */

/* xorshift64: chance enough that many of us do not come again at the same moment. */
static uint64_t any(struct sqd_kafka_output *o)
{
	o->random ^= o->random << 13;
	o->random ^= o->random >> 7;
	o->random ^= o->random << 17;
	return o->random;
}

void sqd_kafka_out_later(struct sqd_kafka_output *o)
{
	uint64_t max = sqd_kafka_out_cfg(o)->kafka.retry_max;
	uint64_t wait = o->retry_ms / 2 + any(o) % (o->retry_ms / 2 + 1);

	if (uv_is_active((uv_handle_t *)&o->timer))
		return;
	(void)uv_timer_start(&o->timer, sqd_kafka_out_on_timer, wait, 0);
	if (!o->insists)
		o->retry_ms = o->retry_ms * 2 < max ? o->retry_ms * 2 : max;
}

static void hold_up(struct sqd_kafka_output *o, rd_kafka_resp_err_t why)
{
	if (why == RD_KAFKA_RESP_ERR__FATAL || rd_kafka_fatal_error(o->client.rk, NULL, 0)) {
		o->broken = true;
		return;
	}
	sqd_kafka_failed(&o->client, rd_kafka_err2str(why));
	sqd_kafka_out_later(o);
}

/* ---- messages that came back ------------------------------------------------------------- */

static void park(struct sqd_kafka_output *o, struct sqd_parked_list *l, const char *head,
                 rd_kafka_resp_err_t why)
{
	if (sqd_parking_put(&o->parking, l, head, why) < 0) {
		sqd_log(SQD_LOG_ERROR, "%s: out of memory; beginning anew", o->base.name);
		o->broken = true;
	}
	sqd_kafka_again(&o->client); /* we may be inside of send(), which answers nothing */
}

/* Is it the message, or one of its batch, that a broker will never take? */
static bool fault_of_message(rd_kafka_resp_err_t why)
{
	return why == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
	       why == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE ||
	       why == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE ||
	       why == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
	       why == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP ||
	       why == RD_KAFKA_RESP_ERR_POLICY_VIOLATION;
}

static void came_back(struct sqd_kafka_output *o, const char *head, rd_kafka_resp_err_t why,
                      bool was_alone)
{
	if (!fault_of_message(why)) {
		hold_up(o, why);
		park(o, &o->again, head, why);
	} else if (was_alone) {
		park(o, &send_of(o, head)->refused, head, why);
	} else {
		park(o, &o->singles, head, why);
	}
}

/* A report: the message is delivered, or will not be by itself. */
static void report(struct sqd_kafka_output *o, const rd_kafka_message_t *m)
{
	const char *head = m->_private;
	bool was_alone = o->alone == head;

	o->in_flight--;
	if (was_alone)
		o->alone = NULL;
	if (m->err) {
		came_back(o, head, m->err, was_alone);
		return;
	}
	send_of(o, head)->open--;
	o->retry_ms = sqd_kafka_out_cfg(o)->kafka.retry_min;
	sqd_kafka_mended(&o->client);
}

/* ---- giving ------------------------------------------------------------------------------ */

/* librdkafka only reads what it is given without RD_KAFKA_MSG_F_FREE; its types do not say so. */
static void *unconst(const char *p)
{
	void *q;

	memcpy(&q, &p, sizeof(q));
	return q;
}

/* Headers of our own: those that librdkafka 2.0 makes for us are freed twice when it refuses the
 * message for its topic. NULL: the message has no id, or there is no memory for telling it. */
static rd_kafka_headers_t *headers_of(const struct sqd_message *m)
{
	rd_kafka_headers_t *headers;
	char id[SQ_ID_TEXT];

	if (!sq_id_known(m->id))
		return NULL;
	headers = rd_kafka_headers_new(1);
	sq_id_format(m->id, id);
	if (headers)
		(void)rd_kafka_header_add(headers, "squibly-id", -1, id, sizeof(id));
	return headers;
}

static rd_kafka_resp_err_t produce(struct sqd_kafka_output *o, const char *head)
{
	struct sqd_message m = message_at(head);
	rd_kafka_headers_t *headers = headers_of(&m);
	rd_kafka_vu_t vus[6] = {
		{ .vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = o->topic },
		{ .vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = 0 },
		{ .vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = unconst(head) },
		{ .vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = { unconst(m.text.p), m.text.n } },
	};
	rd_kafka_error_t *error;
	rd_kafka_resp_err_t err;
	size_t n = 4;

	if (m.key.n)
		vus[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_KEY,
			                    .u.mem = { unconst(m.key.p), m.key.n } };
	if (headers)
		vus[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers };
	error = rd_kafka_produceva(o->client.rk, vus, n);
	if (!error) {
		o->in_flight++;
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	}
	if (headers)
		rd_kafka_headers_destroy(headers);
	err = rd_kafka_error_code(error);
	rd_kafka_error_destroy(error);
	return err;
}

/* The first of a list. @return false: not now */
static bool give_first(struct sqd_kafka_output *o, struct sqd_parked_list *l)
{
	struct sqd_parked *p = sqd_parking_first(&o->parking, l);
	rd_kafka_resp_err_t err = produce(o, p->head);

	if (fault_of_message(err)) {
		p->why = err;
		sqd_parking_move(&o->parking, l, &send_of(o, p->head)->refused);
		return true;
	}
	if (err && err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
		hold_up(o, err);
	if (err)
		return false;
	if (l == &o->singles)
		o->alone = p->head;
	sqd_parking_drop(&o->parking, l);
	return true;
}

/* What has come back and waited. Alone means that nothing else is under way. @return false: some of
 * it waits still */
static bool give_parked(struct sqd_kafka_output *o)
{
	while (o->again.n && !o->alone)
		if (!give_first(o, &o->again))
			return false;
	while (o->singles.n && !o->alone && !o->in_flight)
		if (!give_first(o, &o->singles))
			return false;
	return !o->again.n && !o->singles.n && !o->alone;
}

/* On in the newest send. Not past what has to be tried again, so that order is kept as far as that
 * goes. */
static void give(struct sqd_kafka_output *o)
{
	struct sqd_kafka_given *g = o->n ? send_at(o, o->n - 1) : NULL;

	if (uv_is_active((uv_handle_t *)&o->timer))
		return;
	if (!give_parked(o))
		return;
	while (g && g->at < g->bytes.n && !o->broken) {
		const char *head = g->bytes.p + g->at;
		struct sqd_message m = message_at(head);
		rd_kafka_resp_err_t err = produce(o, head);

		if (fault_of_message(err))
			park(o, &g->refused, head, err);
		else if (err && err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			hold_up(o, err);
		if (err && !fault_of_message(err))
			return;
		g->open++;
		g->at += bytes_of(&m);
	}
}

/* ---- answering --------------------------------------------------------------------------- */

/* All of the oldest send is delivered, or never will be: that is told now, and not before, since
 * what is given again is not to be refused twice. */
static void tell_refused(struct sqd_kafka_output *o, struct sqd_kafka_given *g)
{
	const struct sqd_parked *p;

	while ((p = sqd_parking_first(&o->parking, &g->refused))) {
		struct sqd_message m = message_at(p->head);
		const char *why = rd_kafka_err2str((rd_kafka_resp_err_t)p->why);

		sqd_log_limited(&o->limit, SQD_LOG_WARNING, "%s: a message is refused: %s",
		                o->base.name, why);
		o->base.refused(&o->base, &m, why);
		sqd_parking_drop(&o->parking, &g->refused);
	}
}

static bool can_take(const struct sqd_kafka_output *o)
{
	const struct sqd_kafka_given *g =
		o->n ? &o->sends[(o->first + o->n - 1) % SQD_KAFKA_SENDS] : NULL;

	return o->state == KAFKA_UP && !o->closing && !o->reopen_due && !o->broken &&
	       o->n < SQD_KAFKA_SENDS && (!g || g->at == g->bytes.n);
}

void sqd_kafka_out_end(struct sqd_kafka_output *o)
{
	o->state = KAFKA_ENDING;
	rd_kafka_topic_destroy(o->topic);
	o->topic = NULL;
	sqd_kafka_end(&o->client, true);
}

/* All that can be done now. Calls out: nothing is done after it. */
void sqd_kafka_out_go_on(struct sqd_kafka_output *o)
{
	if (o->state == KAFKA_UP && !o->broken && !o->closing)
		give(o);
	while (o->n && o->state == KAFKA_UP) {
		struct sqd_kafka_given *g = send_at(o, 0);

		if (g->at < g->bytes.n || g->open > g->refused.n)
			break;
		tell_refused(o, g);
		o->first = (o->first + 1) % SQD_KAFKA_SENDS;
		o->n--;
		o->base.sent(&o->base, 0); /* it may call send() or close() */
	}
	if (o->state != KAFKA_UP || o->closing)
		return;
	if (o->broken || (o->reopen_due && !o->n)) {
		sqd_kafka_out_end(o);
		return;
	}
	if (o->wanted && can_take(o)) {
		o->wanted = false;
		o->base.ready(&o->base);
	}
}

void sqd_kafka_out_take(struct sqd_kafka_output *o)
{
	rd_kafka_event_t *ev;

	while ((ev = sqd_kafka_next(&o->client))) {
		const rd_kafka_message_t *m;

		if (rd_kafka_event_type(ev) == RD_KAFKA_EVENT_ERROR)
			o->broken = true;
		while ((m = rd_kafka_event_message_next(ev)))
			report(o, m);
		rd_kafka_event_destroy(ev);
	}
}

int sqd_kafka_out_send(struct sqd_kafka_output *o, struct sq_sv bytes)
{
	if (!can_take(o)) {
		o->wanted = true;
		return -EAGAIN;
	}
	*send_at(o, o->n++) = (struct sqd_kafka_given){ .bytes = bytes };
	give(o);
	if (o->broken)
		sqd_kafka_again(&o->client);
	return 0;
}
