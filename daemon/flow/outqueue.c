/* Messages lie one after another, already framed, in pieces of 256 KiB; the first piece is given to
 * the output as it is. Bytes behind what is in flight may be appended to the same piece meanwhile:
 * a piece never moves.
 *
 * Happy path: push -> send -> sent -> send ... An output that is not connected answers -EAGAIN and
 * calls ready; it is the output that waits and backs off. One that took bytes and failed gets the
 * same ones again. One that is gone for good turns the queue into a drain that counts.
 */
#include "daemon/flow/outqueue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	PIECE_BYTES = 256 * 1024,
	PREFIX_MAX_BYTES = 24, /* "LEN SP", the length word, or the head of a record */
};

struct piece {
	struct piece *next;
	size_t at, len, cap; /* bytes sent, used, available */
	uint64_t messages;   /* not yet sent */
	char bytes[];
};

struct sqd_outqueue {
	struct sqd_output *out;
	uint64_t max, bytes;
	uint64_t taken; /* bytes, since the beginning */
	struct piece *first, *last;
	struct piece *spare;   /* of PIECE_BYTES, kept so that a quiet queue allocates nothing */
	bool sending;          /* the output has bytes of the first piece */
	size_t sending_bytes;  /* of it, from first->at on */
	uint64_t sending_msgs; /* messages in flight */
	uint64_t refused_of_sending; /* of those, what the receiver will never take */
	bool refused;                /* a push was refused since the last on_room */
	bool gone;                   /* the output said SQD_OUTPUT_GONE */
	bool closing;
	bool closed;
	struct sqd_outqueue_counts counts;
	void (*on_room)(void *ctx);
	void *room_ctx;
	void (*on_passed)(void *ctx);
	void *passed_ctx;
	sqd_outqueue_refused_fn *on_refused;
	void *refused_ctx;
	void (*on_closed)(void *ctx);
	void *closed_ctx;
};

static struct piece *piece_new(struct sqd_outqueue *q, size_t need)
{
	size_t cap = need > PIECE_BYTES ? need : PIECE_BYTES;
	struct piece *p;

	if (cap == PIECE_BYTES && q->spare) {
		p = q->spare;
		q->spare = NULL;
	} else {
		p = malloc(sizeof(*p) + cap);
		if (!p)
			return NULL;
	}
	p->next = NULL;
	p->at = p->len = 0;
	p->cap = cap;
	p->messages = 0;
	return p;
}

/* The first piece is sent in full. */
static void piece_drop(struct sqd_outqueue *q)
{
	struct piece *p = q->first;

	q->first = p->next;
	if (!q->first)
		q->last = NULL;
	if (p->cap == PIECE_BYTES && !q->spare)
		q->spare = p;
	else
		free(p);
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

/* What to give to the output next, out of the first piece. */
static struct sq_sv next_bytes(const struct sqd_outqueue *q, uint64_t *ret_msgs)
{
	const struct piece *p = q->first;
	uint32_t word;

	if (q->out->framing != SQD_FRAMING_MESSAGE) {
		*ret_msgs = p->messages;
		return (struct sq_sv){ p->bytes + p->at, p->len - p->at };
	}
	memcpy(&word, p->bytes + p->at, sizeof(word));
	*ret_msgs = 1;
	return (struct sq_sv){ p->bytes + p->at + sizeof(word), word };
}

/* `n` bytes of the first piece are done with, sent or given up. */
static void consume(struct sqd_outqueue *q, size_t n, uint64_t msgs)
{
	struct piece *p = q->first;

	if (q->out->framing == SQD_FRAMING_MESSAGE)
		n += sizeof(uint32_t);
	p->at += n;
	p->messages -= msgs;
	q->bytes -= n;
	sq_assert(p->at <= p->len);
	if (p->at < p->len)
		return;
	if (p == q->last && p->cap == PIECE_BYTES)
		p->at = p->len = 0; /* the same memory again */
	else
		piece_drop(q);
}

/* Nobody will ever read this: empty the queue, so that nobody waits for it. */
static void lose_all(struct sqd_outqueue *q)
{
	q->gone = true;
	while (q->first) {
		q->counts.dropped_gone += q->first->messages;
		piece_drop(q);
	}
	q->bytes = 0;
}

static void drop_too_long(struct sqd_outqueue *q, size_t n, uint64_t msgs)
{
	q->counts.dropped_too_long++;
	consume(q, n, msgs);
}

static void pump(struct sqd_outqueue *q)
{
	while (!q->sending && !q->closing && q->bytes) {
		uint64_t msgs;
		struct sq_sv v = next_bytes(q, &msgs);
		int r;

		q->sending = true;
		q->sending_bytes = v.n;
		q->sending_msgs = msgs;
		r = q->out->ops->send(q->out, v);
		if (!r)
			return;
		q->sending = false;
		if (r != -EMSGSIZE || q->out->framing != SQD_FRAMING_MESSAGE)
			return; /* -EAGAIN: `ready` will come */
		drop_too_long(q, v.n, msgs);
	}
}

static void tell_room(struct sqd_outqueue *q)
{
	if (!q->on_room || q->closing || (q->bytes && !q->refused))
		return;
	/* Room for one more is not enough to wake somebody up; a quarter is. */
	if (q->bytes > q->max / 4 * 3)
		return;
	q->refused = false;
	q->on_room(q->room_ctx);
}

static void tell_passed(struct sqd_outqueue *q)
{
	if (q->on_passed)
		q->on_passed(q->passed_ctx);
}

static void on_sent(struct sqd_output *out, int status)
{
	struct sqd_outqueue *q = out->ctx;
	size_t n = q->sending_bytes;
	uint64_t msgs = q->sending_msgs;

	sq_assert(q->sending);
	q->sending = false;
	if (!status) {
		q->counts.sent += msgs - q->refused_of_sending;
		q->counts.bytes_sent += n;
		consume(q, n, msgs);
	} else if (status == -EMSGSIZE && out->framing == SQD_FRAMING_MESSAGE) {
		drop_too_long(q, n, msgs);
	} else if (status == SQD_OUTPUT_GONE) {
		lose_all(q);
	} else {
		q->counts.retries++;
	}
	q->refused_of_sending = 0;
	pump(q);
	tell_passed(q);
	tell_room(q); /* last: it may push, or begin to end us */
}

static void count_refused(struct sqd_output *out, const struct sqd_message *m, const char *why)
{
	struct sqd_outqueue *q = out->ctx;

	q->counts.dropped_refused++;
	q->refused_of_sending++;
	if (q->on_refused)
		q->on_refused(q->refused_ctx, out, m, why);
}

static void on_ready(struct sqd_output *out)
{
	pump(out->ctx);
	tell_passed(out->ctx); /* of what was too long */
}

static void append(struct piece *p, struct sq_sv bytes)
{
	if (bytes.n)
		memcpy(p->bytes + p->len, bytes.p, bytes.n);
	p->len += bytes.n;
}

int sqd_outqueue_push(struct sqd_outqueue *q, const struct sqd_message *m)
{
	char prefix[PREFIX_MAX_BYTES];
	size_t n_prefix = frame_prefix(q, m, prefix);
	size_t n_end = q->out->framing == SQD_FRAMING_LF;
	size_t n_key = q->out->framing == SQD_FRAMING_RECORDS ? m->key.n : 0;
	size_t need = n_prefix + n_key + m->text.n + n_end;
	struct piece *p = q->last;

	if (q->gone) {
		q->counts.dropped_gone++;
		return SQD_OUTPUT_GONE;
	}
	if (need > q->max || m->text.n >= UINT32_MAX) {
		q->counts.dropped_too_long++;
		return -EMSGSIZE;
	}
	if (need > q->max - q->bytes || q->closing) {
		q->refused = true;
		return -ENOSPC;
	}
	if (!p || p->cap - p->len < need) {
		p = piece_new(q, need);
		if (!p)
			return -ENOMEM;
		if (q->last)
			q->last->next = p;
		else
			q->first = p;
		q->last = p;
		/* A piece that was emptied and then found too small is in front of us. */
		if (q->first != p && q->first->at == q->first->len)
			piece_drop(q);
	}
	append(p, (struct sq_sv){ prefix, n_prefix });
	append(p, (struct sq_sv){ m->key.p, n_key });
	append(p, m->text);
	if (n_end)
		p->bytes[p->len++] = '\n';
	p->messages++;
	q->bytes += need;
	q->taken += need;
	q->counts.queued++;
	if (q->bytes > q->counts.high_water)
		q->counts.high_water = q->bytes;
	pump(q);
	return 0;
}

struct sqd_outqueue *sqd_outqueue_new(struct sqd_output *out, uint64_t max)
{
	struct sqd_outqueue *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->out = out;
	q->max = max;
	out->ctx = q;
	out->sent = on_sent;
	out->ready = on_ready;
	out->refused = count_refused;
	return q;
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
	return q->bytes > q->max / 4 * 3;
}

bool sqd_outqueue_empty(const struct sqd_outqueue *q)
{
	return !q->bytes;
}

struct sqd_output *sqd_outqueue_output(struct sqd_outqueue *q)
{
	return q->out;
}

struct sqd_outqueue_counts *sqd_outqueue_counts(struct sqd_outqueue *q)
{
	return &q->counts;
}

uint64_t sqd_outqueue_bytes(const struct sqd_outqueue *q)
{
	return q->bytes;
}

uint64_t sqd_outqueue_taken(const struct sqd_outqueue *q)
{
	return q->taken;
}

uint64_t sqd_outqueue_passed(const struct sqd_outqueue *q)
{
	return q->taken - q->bytes;
}

static void on_output_closed(struct sqd_output *out)
{
	struct sqd_outqueue *q = out->ctx;

	for (const struct piece *p = q->first; p; p = p->next)
		q->counts.dropped_shutdown += p->messages;
	q->closed = true;
	q->on_closed(q->closed_ctx); /* last: it may free us */
}

void sqd_outqueue_close(struct sqd_outqueue *q, void (*closed)(void *ctx), void *ctx)
{
	sq_assert(!q->closing);
	q->closing = true;
	q->on_closed = closed;
	q->closed_ctx = ctx;
	q->out->closed = on_output_closed;
	q->out->ops->close(q->out);
}

void sqd_outqueue_free(struct sqd_outqueue *q)
{
	if (!q)
		return;
	sq_assert(q->closed);
	while (q->first)
		piece_drop(q);
	free(q->spare);
	free(q->out);
	free(q);
}

void sqd_outqueue_print(const struct sqd_outqueue *q, struct sq_outbuf *text)
{
	const struct sqd_outqueue_counts *c = &q->counts;
	const struct sqd_metric rows[] = {
		{ "queued", c->queued, "Alerts taken into the queue", true },
		{ "sent", c->sent, "Alerts written", true },
		{ "waiting_bytes", q->bytes, "Bytes in the queue now" },
		{ "high_water_bytes", c->high_water, "Most bytes in the queue at one time" },
		{ "bytes_sent", c->bytes_sent, "Bytes written" },
		{ "dropped_full", c->dropped_full, "Alerts dropped because the queue was full" },
		{ "dropped_too_long", c->dropped_too_long,
		  "Alerts dropped because they fit into no datagram, or not into the queue" },
		{ "dropped_gone", c->dropped_gone,
		  "Alerts dropped because nobody reads this output any more" },
		{ "dropped_refused", c->dropped_refused,
		  "Alerts dropped because the receiver will never take them" },
		{ "dropped_shutdown", c->dropped_shutdown,
		  "Alerts still in the queue when the deadline for stopping passed" },
		{ "retries", c->retries, "Writes that failed and were given again" },
		{ "reconnects", q->out->reconnects, "Connections made after the first" },
	};
	char title[160];

	snprintf(title, sizeof(title), "output %s", q->out->name);
	sqd_metrics_table(text, title, rows, SQ_LEN(rows));
}
