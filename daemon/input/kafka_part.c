/* Offsets. Messages of a partition that are under way lie in windows, oldest first, each with a
 * receipt that is settled when all made of them has been sent. When the oldest window is settled
 * its end is the offset to be committed; a later one that is settled before it waits for it. What
 * was killed is read again from there.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/input/kafka_private.h"
#include "daemon/input/put.h"

enum { CACHE_LINE = 64, FETCH_AHEAD = 8192 /* bytes */ };

static struct sqd_kafka_window *window_at(struct sqd_kafka_part *p, uint32_t i)
{
	return &p->windows[(p->first + i) % SQD_KAFKA_WINDOWS];
}

static void part_free(struct sqd_kafka_part *p)
{
	struct sqd_kafka_part **at = &p->in->parts;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	if (p->in->last == p)
		p->in->last = NULL;
	if (p->row)
		rd_kafka_topic_partition_list_destroy(p->row);
	free(p->topic);
	free(p);
}

/* librdkafka commits what is stored, every commit_interval and before the partition goes. */
static void store(struct sqd_kafka_part *p)
{
	rd_kafka_resp_err_t err;

	p->row->elems[0].offset = p->settled;
	p->row->elems[0].err = RD_KAFKA_RESP_ERR_NO_ERROR;
	err = rd_kafka_offsets_store(p->in->client.rk, p->row);
	if (err) /* it has just been taken from us; whoever has it reads that once more */
		sqd_log_limited(&p->in->limit, SQD_LOG_DEBUG, "%s: %s: %s", p->in->base.name,
		                p->name, rd_kafka_err2str(err));
}

/* Windows that are settled go, in order. May free the partition: the last thing done with it. */
static void progress(struct sqd_kafka_part *p)
{
	int64_t before = p->settled;

	while (p->n && !window_at(p, 0)->receipt.unsettled) {
		struct sqd_kafka_window *w = window_at(p, 0);

		p->lost |= w->receipt.lost;
		if (!p->lost && w->n)
			p->settled = w->end;
		p->first = (p->first + 1) % SQD_KAFKA_WINDOWS;
		p->n--;
	}
	if (p->gone) {
		if (!p->n)
			part_free(p);
		return;
	}
	if (p->settled != before && p->in->up)
		store(p);
	/* By way of the loop: we are deep in somebody's callback. */
	if (!p->n && (p->leaving || p->in->leaving) && p->in->up)
		sqd_kafka_again(&p->in->client);
}

static void on_settled(struct sqd_receipt *r)
{
	progress(SQ_CONTAINER(r, struct sqd_kafka_window, receipt)->part);
}

/* The window for the next message. */
static struct sqd_kafka_window *newest(struct sqd_kafka_part *p)
{
	struct sqd_kafka_window *w = p->n ? window_at(p, p->n - 1) : NULL;

	if (w && (w->n < SQD_KAFKA_WINDOW_MESSAGES || p->n == SQD_KAFKA_WINDOWS))
		return w;
	w = window_at(p, p->n++);
	*w = (struct sqd_kafka_window){ .part = p,
		                        .receipt = { .settled = on_settled, .until_sent = true } };
	return w;
}

static struct sqd_kafka_part *part_of(struct sqd_kafka_input *in, const rd_kafka_message_t *m)
{
	struct sqd_kafka_part *p = in->last;

	/* Messages come in runs of one partition. */
	if (p && p->number == m->partition && p->rkt == m->rkt && !p->gone)
		return p;
	p = sqd_kafka_part_find(in, rd_kafka_topic_name(m->rkt), m->partition);
	if (p)
		p->rkt = m->rkt;
	in->last = p;
	return p;
}

/* Another thread wrote it a while ago, on its own processor: all of its lines at one time, instead
 * of waiting for the first, the last, and then those between. */
static void fetch_ahead(struct sq_sv v)
{
	for (size_t at = 0; at < v.n && at < FETCH_AHEAD; at += CACHE_LINE)
		__builtin_prefetch(v.p + at);
}

void sqd_kafka_part_take(struct sqd_kafka_input *in, const rd_kafka_message_t *m)
{
	struct sq_counters *counts = in->base.counts;
	struct sq_sv v = { m->payload, m->len };
	struct sqd_kafka_part *p = part_of(in, m);
	struct sqd_kafka_window *w;
	int r;

	if (!p || p->leaving)
		return; /* whoever has it next reads it */
	fetch_ahead(v);
	w = newest(p);
	w->n++;
	w->end = p->taken = m->offset + 1;
	counts->bytes_in += m->len;
	v = m->payload ? sq_sv_trim(v) : (struct sq_sv){ 0 };
	if (!v.n) {
		counts->kafka_empty++;
	} else if (v.n > sqd_kafka_in_cfg(in)->max_record) {
		counts->received++;
		counts->oversized++;
		sqd_log_limited(&in->long_limit, SQD_LOG_WARNING,
		                "%s: the message at offset %" PRId64
		                " of %s is longer than max_record, %zu bytes; not looked at",
		                in->base.name, m->offset, p->name, m->len);
	} else {
		r = sqd_input_put(&in->base, &w->receipt, p->name, v);
		sq_assert(r == 0); /* the caller saw to it that there is room */
	}
	if (!w->receipt.unsettled)
		progress(p); /* nothing is to be waited for */
}

/* ---- all of them ------------------------------------------------------------------------- */

int sqd_kafka_part_add(struct sqd_kafka_input *in, const rd_kafka_topic_partition_t *a)
{
	struct sqd_kafka_part *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->in = in;
	p->number = a->partition;
	p->taken = p->settled = -1;
	p->next = in->parts;
	in->parts = p;
	snprintf(p->name, sizeof(p->name), "%.50s[%d]", a->topic, (int)a->partition);
	p->topic = strdup(a->topic);
	p->row = rd_kafka_topic_partition_list_new(1);
	if (!p->topic || !p->row) {
		part_free(p);
		return -ENOMEM;
	}
	rd_kafka_topic_partition_list_add(p->row, a->topic, a->partition);
	return 0;
}

struct sqd_kafka_part *sqd_kafka_part_find(struct sqd_kafka_input *in, const char *topic,
                                           int32_t number)
{
	struct sqd_kafka_part *p = in->parts;

	while (p && (p->gone || p->number != number || strcmp(p->topic, topic) != 0))
		p = p->next;
	return p;
}

uint64_t sqd_kafka_part_leave(struct sqd_kafka_part *p)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < p->n; i++)
		n += window_at(p, i)->receipt.unsettled;
	p->gone = p->leaving = true;
	if (!p->n)
		part_free(p);
	return n;
}

uint64_t sqd_kafka_parts_leave(struct sqd_kafka_input *in)
{
	struct sqd_kafka_part *p = in->parts, *next;
	uint64_t n = 0;

	for (; p; p = next) {
		next = p->next;
		if (!p->gone)
			n += sqd_kafka_part_leave(p);
	}
	return n;
}

rd_kafka_topic_partition_list_t *sqd_kafka_parts_list(const struct sqd_kafka_input *in)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);

	for (const struct sqd_kafka_part *p = in->parts; p; p = p->next)
		if (!p->gone)
			rd_kafka_topic_partition_list_add(list, p->topic, p->number);
	return list;
}

/* A thread of librdkafka that has found its queue full sleeps for up to a second, whoever empties
 * it meanwhile, unless it has something to send. So it gets something to send: the smallest
 * question there is. Nobody waits for the answer; without it all goes on as it would have. */
void sqd_kafka_parts_wake(const struct sqd_kafka_input *in)
{
	rd_kafka_topic_partition_list_t *list = sqd_kafka_parts_list(in);

	for (int i = 0; i < list->cnt; i++)
		list->elems[i].offset = RD_KAFKA_OFFSET_END;
	if (list->cnt)
		(void)rd_kafka_offsets_for_times(in->client.rk, list, 0);
	rd_kafka_topic_partition_list_destroy(list);
}

uint64_t sqd_kafka_parts_lag(const struct sqd_kafka_input *in)
{
	uint64_t lag = 0;

	for (const struct sqd_kafka_part *p = in->parts; p; p = p->next) {
		int64_t low = -1, high = -1, at = p->settled;

		if (p->gone ||
		    rd_kafka_get_watermark_offsets(in->client.rk, p->topic, p->number, &low,
		                                   &high) != RD_KAFKA_RESP_ERR_NO_ERROR)
			continue;
		if (at < 0)
			at = p->n ? low : high; /* nothing has come, or nothing is settled yet */
		if (high > at)
			lag += (uint64_t)(high - at);
	}
	return lag;
}
