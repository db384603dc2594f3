/* Messages lie one after another, already framed, in pieces of 256 KiB, and are given to the output
 * as they lie there. Bytes behind what it has been given may be appended to the same piece
 * meanwhile: a piece never moves.
 */
#include "daemon/flow/outqueue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/flow/outqueue_private.h"

enum { PREFIX_MAX_BYTES = 24 }; /* "LEN SP", the length word, or the head of a record */

static struct sqd_piece *piece_new(struct sqd_outqueue *q, size_t need)
{
	size_t cap = need > SQD_PIECE_BYTES ? need : SQD_PIECE_BYTES;
	struct sqd_piece *p;

	if (cap == SQD_PIECE_BYTES && q->spare) {
		p = q->spare;
		q->spare = NULL;
	} else {
		p = malloc(sizeof(*p) + cap);
		if (!p)
			return NULL;
	}
	p->next = NULL;
	p->at = p->given = p->len = 0;
	p->n_sent = p->n_given = p->n = 0;
	p->cap = (uint32_t)cap;
	return p;
}

void sqd_outqueue_drop_piece(struct sqd_outqueue *q)
{
	struct sqd_piece *p = q->first;

	q->first = p->next;
	if (!q->first)
		q->last = NULL;
	if (q->give == p)
		q->give = p->next;
	if (p->cap == SQD_PIECE_BYTES && !q->spare)
		q->spare = p;
	else
		free(p);
}

/* The piece for the next message. NULL: out of memory. */
static struct sqd_piece *piece_for(struct sqd_outqueue *q, size_t need)
{
	struct sqd_piece *p = q->last;

	if (p && p->cap - p->len >= need && p->n < SQD_PIECE_MESSAGES)
		return p;
	p = piece_new(q, need);
	if (!p)
		return NULL;
	if (q->last)
		q->last->next = p;
	else
		q->first = p;
	q->last = p;
	/* A piece that was emptied and then found too small is in front of us. */
	if (q->first != p && q->first->n_sent == q->first->n)
		sqd_outqueue_drop_piece(q);
	if (!q->give)
		q->give = p;
	return p;
}

/* What is in front of and behind a message. Datagrams are told apart by a length word that is never
 * sent. */
static size_t frame_prefix(const struct sqd_outqueue *q, const struct sqd_message *m,
                           char to[PREFIX_MAX_BYTES])
{
	struct sqd_message_head head = { .id = { m->id[0], m->id[1] },
		                         .n = (uint32_t)m->text.n,
		                         .n_key = (uint32_t)m->key.n };
	uint32_t word = (uint32_t)m->text.n;

	switch (q->out->framing) {
	case SQD_FRAMING_LF:
		return 0;
	case SQD_FRAMING_OCTET:
		return (size_t)snprintf(to, PREFIX_MAX_BYTES, "%zu ", m->text.n);
	case SQD_FRAMING_MESSAGE:
		memcpy(to, &word, sizeof(word));
		return sizeof(word);
	case SQD_FRAMING_RECORDS:
		memcpy(to, &head, sizeof(head));
		return sizeof(head);
	}
	return 0;
}

static void append(struct sqd_piece *p, struct sq_sv bytes)
{
	if (bytes.n)
		memcpy(p->bytes + p->len, bytes.p, bytes.n);
	p->len += (uint32_t)bytes.n;
}

int sqd_outqueue_put(struct sqd_outqueue *q, const struct sqd_message *m)
{
	char prefix[PREFIX_MAX_BYTES];
	size_t n_prefix = frame_prefix(q, m, prefix);
	size_t n_end = q->out->framing == SQD_FRAMING_LF;
	size_t n_key = q->out->framing == SQD_FRAMING_RECORDS ? m->key.n : 0;
	size_t need = n_prefix + n_key + m->text.n + n_end;
	struct sqd_piece *p;

	if (q->gone) {
		q->counts.dropped_gone++;
		return SQD_OUTPUT_GONE;
	}
	if (need > q->max || need >= UINT32_MAX) {
		q->counts.dropped_too_long++;
		return -EMSGSIZE;
	}
	if (need > q->max - q->bytes || q->closing) {
		q->refused = true;
		return -ENOSPC;
	}
	p = piece_for(q, need);
	if (!p)
		return -ENOMEM;
	append(p, (struct sq_sv){ prefix, n_prefix });
	append(p, (struct sq_sv){ m->key.p, n_key });
	append(p, m->text);
	if (n_end)
		p->bytes[p->len++] = '\n';
	p->ends[p->n++] = p->len;
	q->bytes += need;
	q->taken += need;
	if (q->bytes > q->counts.high_water)
		q->counts.high_water = q->bytes;
	if (!q->spool)
		sqd_outqueue_pump(q);
	return 0;
}

/* The one that was queued last has come just now. */
static void mark_age(struct sqd_outqueue *q)
{
	uint64_t now = uv_now(q->out->loop), waiting;

	if (!sqd_ages_due(&q->ages, now))
		return;
	waiting = sqd_outqueue_waiting(q);
	sqd_ages_came(&q->ages, q->counts.queued - 1,
	              waiting < q->counts.queued ? q->counts.queued - waiting : 0, now);
}

int sqd_outqueue_push(struct sqd_outqueue *q, const struct sqd_message *m)
{
	int r;

	if (q->spool) {
		r = sqd_outspool_push(q, m);
	} else {
		r = sqd_outqueue_put(q, m);
		q->counts.queued += !r;
	}
	if (!r)
		mark_age(q);
	return r;
}

bool sqd_outqueue_offer(struct sqd_outqueue *q, const struct sqd_message *m)
{
	int r = sqd_outqueue_push(q, m);

	q->counts.raised++;
	if (r == -ENOSPC || r == -ENOMEM)
		sqd_outqueue_dropped(q);
	return r == 0;
}

struct sqd_outqueue *sqd_outqueue_new(struct sqd_output *out, uint64_t max)
{
	struct sqd_outqueue *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->out = out;
	q->max = max;
	q->began_ms = uv_now(out->loop);
	sqd_outqueue_connect(q);
	return q;
}

void sqd_outqueue_limit(struct sqd_outqueue *q, uint64_t per_second)
{
	struct sqd_rate *r = &q->rate;

	sq_assert(!r->per_second && !q->taken);
	if (!per_second)
		return;
	(void)uv_timer_init(q->out->loop, &r->timer); /* cannot fail */
	r->timer.data = q;
	r->per_second = per_second;
	r->tokens = per_second * 1000;
	r->filled_ms = uv_now(q->out->loop);
}

void sqd_outqueue_on_room(struct sqd_outqueue *q, void (*on_room)(void *ctx), void *ctx)
{
	q->on_room = on_room;
	q->room_ctx = ctx;
}

void sqd_outqueue_on_passed(struct sqd_outqueue *q, void (*on_passed)(void *ctx), void *ctx)
{
	q->on_passed = on_passed;
	q->passed_ctx = ctx;
}

void sqd_outqueue_on_refused(struct sqd_outqueue *q, sqd_outqueue_refused_fn *on_refused, void *ctx)
{
	q->on_refused = on_refused;
	q->refused_ctx = ctx;
}

bool sqd_outqueue_nearly_full(const struct sqd_outqueue *q)
{
	return q->spool ? !sqd_outspool_roomy(q) : q->bytes > q->max / 4 * 3;
}

bool sqd_outqueue_empty(const struct sqd_outqueue *q)
{
	return q->spool ? sqd_outspool_settled(q) : !q->bytes;
}

void sqd_outqueue_hurry(struct sqd_outqueue *q)
{
	q->hurried = true;
}

struct sqd_output *sqd_outqueue_output(struct sqd_outqueue *q)
{
	return q->out;
}

struct sqd_outqueue_counts *sqd_outqueue_counts(struct sqd_outqueue *q)
{
	return &q->counts;
}

uint64_t sqd_outqueue_taken(const struct sqd_outqueue *q)
{
	return q->spool ? sqd_outspool_taken(q) : q->taken;
}

uint64_t sqd_outqueue_passed(const struct sqd_outqueue *q)
{
	uint64_t gone = q->taken - q->bytes, held = sqd_outqueue_held(q);

	if (q->spool)
		return sqd_outspool_passed(q);
	return gone < held ? gone : held;
}

uint64_t sqd_outqueue_waiting(const struct sqd_outqueue *q)
{
	uint64_t sum = 0;

	if (q->spool)
		return sqd_outspool_waiting(q);
	if (q->closed)
		return 0; /* they are counted as dropped */
	for (const struct sqd_piece *p = q->first; p; p = p->next)
		sum += p->n - p->n_sent;
	return sum;
}

static void part_closed(struct sqd_outqueue *q)
{
	if (--q->open)
		return;
	if (!q->spool) /* there it stays, for the next */
		q->counts.dropped_shutdown += sqd_outqueue_waiting(q);
	q->closed = true;
	sqd_outqueue_forget_letters(q);
	q->on_closed(q->closed_ctx); /* last: it may free us */
}

static void on_spool_closed(void *ctx)
{
	part_closed(ctx);
}

static void on_output_closed(struct sqd_output *out)
{
	struct sqd_outqueue *q = out->ctx;

	/* Only now is it known how far it has come. */
	if (q->spool)
		sqd_outspool_close(q, on_spool_closed);
	else
		part_closed(q);
}

static void on_timer_closed(uv_handle_t *h)
{
	part_closed(h->data);
}

void sqd_outqueue_close(struct sqd_outqueue *q, void (*closed)(void *ctx), void *ctx)
{
	sq_assert(!q->closing);
	q->closing = true;
	sqd_outqueue_end_full(q);
	q->on_closed = closed;
	q->closed_ctx = ctx;
	q->open = 1;
	if (q->rate.per_second) {
		q->open++;
		uv_close((uv_handle_t *)&q->rate.timer, on_timer_closed);
	}
	q->out->closed = on_output_closed;
	q->out->ops->close(q->out);
}

void sqd_outqueue_free(struct sqd_outqueue *q)
{
	if (!q)
		return;
	sq_assert(q->closed);
	while (q->first)
		sqd_outqueue_drop_piece(q);
	sqd_outspool_free(q);
	free(q->spare);
	free(q->out);
	free(q);
}

void sqd_outqueue_health(const struct sqd_outqueue *q, struct sqd_outqueue_health *ret)
{
	uint64_t now = uv_now(q->out->loop), waiting = sqd_outqueue_waiting(q);

	*ret = (struct sqd_outqueue_health){
		.outage = &q->out->outage,
		.gone = q->gone,
		.spool = q->spool != NULL,
		.waiting = waiting,
		.bytes = q->bytes,
		.max = q->max,
		.before_us = waiting > q->counts.queued,
		.full = q->full.on,
		.cost = q->full.cost,
		.full_since = q->full.since,
		.dropped = sqd_outqueue_no_room(q),
		.refused = q->counts.dropped_refused,
		.lost_ms = q->lost_ms ? now - q->lost_ms : UINT64_MAX,
		.ever_sent = q->counts.sent != 0,
		.quiet_ms = now - q->sent_ms,
	};
	ret->spool_why = "";
	if (q->spool) {
		ret->bytes = sqd_outspool_used(q, &ret->max);
		ret->spool_why = sqd_outspool_why(q);
		ret->unsafe = sqd_outspool_unsafe(q);
	}
	if (ret->before_us)
		ret->oldest_ms = now - q->began_ms;
	else if (waiting)
		ret->oldest_ms = now - sqd_ages_since(&q->ages, q->counts.queued - waiting, now);
}

void sqd_outqueue_metrics(const struct sqd_outqueue *q, uint64_t held, struct sqd_metrics *m)
{
	const struct sqd_outqueue_counts *c = &q->counts;
	const struct sqd_metric rows[] = {
		{ "raised", c->raised, "Alerts that were raised", true, SQD_CAME },
		{ "summaries", c->summaries, "Summaries of folded alerts, one for each window",
		  false, SQD_CAME },
		{ "sent", c->sent, "Messages written", true, SQD_DELIVERED },
		{ "waiting", held + sqd_outqueue_waiting(q),
		  "Messages that wait for this output, in its queue or before it", true,
		  SQD_WAITING },
		{ "folded", c->folded, "Alerts counted into an earlier one", false, SQD_SPARED },
		{ "below_level", c->below_level, "Alerts below the min_level of this output", false,
		  SQD_SPARED },
		{ "dropped_full", c->dropped_full, "Messages dropped because the queue was full",
		  false, SQD_DROPPED },
		{ "dropped_too_long", c->dropped_too_long,
		  "Messages dropped because they fit into no datagram, or not into the queue",
		  false, SQD_DROPPED },
		{ "dropped_gone", c->dropped_gone,
		  "Messages dropped because nobody reads this output any more", false,
		  SQD_DROPPED },
		{ "dropped_refused", c->dropped_refused,
		  "Messages dropped because the receiver will never take them", false,
		  SQD_DROPPED },
		{ "dropped_shutdown", c->dropped_shutdown,
		  "Messages still in the queue when the deadline for stopping passed", false,
		  SQD_DROPPED },
		{ "queued", c->queued, "Messages taken into the queue", true },
		{ "waiting_bytes", q->closed ? 0 : q->bytes, "Bytes in the queue now" },
		{ "high_water_bytes", c->high_water, "Most bytes in the queue at one time" },
		{ "bytes_sent", c->bytes_sent, "Bytes written" },
		{ "refused_kept", c->refused_kept, "Refused messages written to the dead letters" },
		{ "refused_lost", c->refused_lost,
		  "Refused messages that the dead letters could not take, or that had none" },
		{ "refused_unsafe", c->refused_unsafe,
		  "Refused messages that counted as settled before their letter was written, since its file "
		  "failed or took nothing" },
		{ "rate_held", c->rate_held, "Times that rate_limit made messages wait" },
		{ "rate_held_ms", c->rate_held_ms,
		  "Milliseconds for which rate_limit made messages wait" },
		{ "retries", c->retries,
		  "Writes that failed after they had begun, whose messages were given again" },
		{ "reconnects", q->out->reconnects, "Connections made after the first" },
		{ "mended", q->out->mended,
		  "Messages in which bytes that JSON cannot hold were replaced on the way out" },
	};

	sqd_metrics_add(m, rows, SQ_LEN(rows));
	if (q->spool)
		sqd_outspool_metrics(q, m);
}
