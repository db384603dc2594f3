/* The way out of the queue: what is given to the output, and what its answers mean.
 *
 * Happy path: send, send, send ... sent, sent, sent. An output that can take no more answers
 * -EAGAIN, and the next answer or `ready` goes on. One that failed gets the same bytes again, from
 * the first that was not answered on: all that was given is waiting again. One that is gone for
 * good turns the queue into a drain that counts.
 *
 * A rate limit is one timer: what has no token waits until it fires, and then goes together with
 * what has come meanwhile.
 */
#include <errno.h>

#include "daemon/flow/outqueue_private.h"

enum {
	TOKEN = 1000,     /* one message; so many tokens a millisecond as messages a second */
	HOLD_MIN_MS = 20, /* the timer of a rate limit is not one for each message */
};

/* ---- so many a second ---- */

static void fill(struct sqd_rate *r, uint64_t now_ms)
{
	uint64_t full = r->per_second * TOKEN, ms = now_ms - r->filled_ms;

	r->filled_ms = now_ms;
	if (ms > 1000) /* more than the bucket holds */
		ms = 1000;
	r->tokens += ms * r->per_second;
	if (r->tokens > full)
		r->tokens = full;
}

static void on_tokens(uv_timer_t *t);

/* How many messages the rate lets through now. None: the timer will say when. */
static uint64_t affordable(struct sqd_outqueue *q)
{
	struct sqd_rate *r = &q->rate;
	uint64_t wait_ms;

	if (!r->per_second)
		return UINT64_MAX;
	if (r->holding)
		return 0;
	fill(r, uv_now(q->out->loop));
	if (r->tokens >= TOKEN)
		return r->tokens / TOKEN;
	wait_ms = (TOKEN - r->tokens + r->per_second - 1) / r->per_second;
	if (wait_ms < HOLD_MIN_MS)
		wait_ms = HOLD_MIN_MS;
	r->holding = true;
	q->counts.rate_held++;
	q->counts.rate_held_ms += wait_ms;
	(void)uv_timer_start(&r->timer, on_tokens, wait_ms, 0);
	return 0;
}

/* How many messages may be given now. None: a timer, or the spool, will say when. */
static uint64_t allowed(struct sqd_outqueue *q)
{
	uint64_t ahead = q->spool ? sqd_outspool_ahead(q) : UINT64_MAX;
	uint64_t n = ahead ? affordable(q) : 0;

	return n < ahead ? n : ahead;
}

/* ---- what is given ---- */

static struct sqd_flight *oldest(struct sqd_outqueue *q)
{
	sq_assert(q->n_flights);
	return &q->flights[q->first_flight];
}

/* Something waits: then it is in q->give. */
static bool waiting(struct sqd_outqueue *q)
{
	while (q->give && q->give->n_given == q->give->n && q->give->next)
		q->give = q->give->next;
	return q->give && q->give->n_given < q->give->n;
}

/* The next messages, at most `most` of them; what the output gets of them is `*ret`. */
static struct sqd_flight next_flight(const struct sqd_outqueue *q, uint64_t most, struct sq_sv *ret)
{
	bool one = q->out->framing == SQD_FRAMING_MESSAGE;
	const struct sqd_piece *p = q->give;
	uint32_t skip = one ? sizeof(uint32_t) : 0; /* the word before a datagram */
	uint32_t n = one ? 1 : p->n - p->n_given;

	if (n > most)
		n = (uint32_t)most;
	struct sqd_flight f = { .bytes = p->ends[p->n_given + n - 1] - p->given, .messages = n };

	*ret = (struct sq_sv){ p->bytes + p->given + skip, f.bytes - skip };
	return f;
}

static void given(struct sqd_outqueue *q, const struct sqd_flight *f)
{
	q->flights[(q->first_flight + q->n_flights++) % SQD_OUTPUT_SENDS] = *f;
	q->in_flight += f->messages;
	q->give->given += f->bytes;
	q->give->n_given += f->messages;
	if (q->rate.per_second)
		q->rate.tokens -= (uint64_t)f->messages * TOKEN;
}

/* The oldest that was given is done with, sent or given up. */
static void consume(struct sqd_outqueue *q, const struct sqd_flight *f)
{
	struct sqd_piece *p = q->first;

	p->at += f->bytes;
	p->n_sent += f->messages;
	q->bytes -= f->bytes;
	q->done += f->messages;
	sq_assert(p->at <= p->given && p->n_sent <= p->n_given);
	if (p->n_sent < p->n)
		return;
	if (p == q->last && p->cap == SQD_PIECE_BYTES) /* the same memory again */
		p->at = p->given = p->len = p->n_sent = p->n_given = p->n = 0;
	else
		sqd_outqueue_drop_piece(q);
}

static struct sqd_flight answered(struct sqd_outqueue *q)
{
	struct sqd_flight f = *oldest(q);

	q->first_flight = (q->first_flight + 1) % SQD_OUTPUT_SENDS;
	q->n_flights--;
	q->in_flight -= f.messages;
	return f;
}

/* All that was given and not answered waits again. */
static void take_back(struct sqd_outqueue *q)
{
	q->n_flights = 0;
	q->in_flight = 0;
	q->give = q->first;
	for (struct sqd_piece *p = q->first; p && p->n_given > p->n_sent; p = p->next) {
		p->given = p->at;
		p->n_given = p->n_sent;
	}
}

/* Nobody will ever read this: empty the queue, so that nobody waits for it. */
static void lose_all(struct sqd_outqueue *q)
{
	q->gone = true;
	q->n_flights = 0;
	q->in_flight = 0;
	while (q->first) {
		q->counts.dropped_gone += q->first->n - q->first->n_sent;
		q->done += q->first->n - q->first->n_sent;
		sqd_outqueue_drop_piece(q);
	}
	q->bytes = 0;
}

void sqd_outqueue_pump(struct sqd_outqueue *q)
{
	while (!q->busy && !q->closing && q->n_flights < SQD_OUTPUT_SENDS && waiting(q)) {
		uint64_t most = allowed(q);
		struct sqd_flight f;
		struct sq_sv v;
		int r;

		if (!most)
			return;
		f = next_flight(q, most, &v);
		r = q->out->ops->send(q->out, v);
		if (!r) {
			given(q, &f);
		} else if (r == -EMSGSIZE && q->out->framing == SQD_FRAMING_MESSAGE) {
			if (q->n_flights)
				return; /* until it is the oldest: an answer will come */
			q->counts.dropped_too_long++;
			given(q, &f);
			(void)answered(q);
			consume(q, &f);
			if (q->spool) /* it is no longer ahead of what is answered */
				sqd_outspool_settle(q);
		} else {
			q->busy = true;
		}
	}
}

/* ---- what the output says ---- */

void sqd_outqueue_tell_room(struct sqd_outqueue *q)
{
	if (!q->on_room || q->closing)
		return;
	/* Room for one more is not enough to wake somebody up; a quarter is. But who waits for all
	 * to be safe is told of that, however full the disk is. */
	if (!sqd_outqueue_empty(q) && (!q->refused || sqd_outqueue_nearly_full(q)))
		return;
	q->refused = false;
	q->on_room(q->room_ctx);
}

void sqd_outqueue_tell_passed(struct sqd_outqueue *q)
{
	if (q->spool)
		sqd_outspool_progress(q);
	sqd_outqueue_letters_passed(q);
	if (q->on_passed)
		q->on_passed(q->passed_ctx);
}

/* With a spool, only who has looked how far all is answered knows what may be given. */
static void go_on(struct sqd_outqueue *q)
{
	if (!q->spool)
		sqd_outqueue_pump(q);
	sqd_outqueue_tell_passed(q);
}

static void on_tokens(uv_timer_t *t)
{
	struct sqd_outqueue *q = t->data;

	q->rate.holding = false;
	go_on(q); /* of what was too long */
}

static void count_sent(struct sqd_outqueue *q, const struct sqd_flight *f)
{
	sq_assert(f->refused <= f->messages);
	q->sent_ms = uv_now(q->out->loop);
	q->counts.sent += f->messages - f->refused;
	q->counts.dropped_refused += f->refused;
	if (f->refused)
		q->lost_ms = q->sent_ms;
	q->counts.bytes_sent += f->bytes;
	if (q->out->framing == SQD_FRAMING_MESSAGE)
		q->counts.bytes_sent -= sizeof(uint32_t);
}

static void on_sent(struct sqd_output *out, int status)
{
	struct sqd_outqueue *q = out->ctx;
	bool too_long = status == -EMSGSIZE && out->framing == SQD_FRAMING_MESSAGE;

	sq_assert(q->n_flights);
	q->busy = false;
	if (!status || too_long) {
		struct sqd_flight f = answered(q);

		if (too_long)
			q->counts.dropped_too_long++;
		else
			count_sent(q, &f);
		consume(q, &f);
	} else if (status == SQD_OUTPUT_GONE) {
		lose_all(q);
	} else {
		sq_assert(!oldest(q)->refused); /* it would be refused again */
		q->counts.retries++;
		take_back(q);
	}
	go_on(q);
	sqd_outqueue_tell_room(q); /* last: it may push, or begin to end us */
}

/* It is counted when its send is answered, which is at once. */
static void on_refused(struct sqd_output *out, const struct sqd_message *m, const char *why)
{
	struct sqd_outqueue *q = out->ctx;

	oldest(q)->refused++;
	if (!q->on_refused)
		return;
	if (q->on_refused(q->refused_ctx, q, m, why))
		q->counts.refused_kept++;
	else
		q->counts.refused_lost++;
}

static void on_ready(struct sqd_output *out)
{
	struct sqd_outqueue *q = out->ctx;

	q->busy = false;
	go_on(q); /* of what was too long */
}

void sqd_outqueue_connect(struct sqd_outqueue *q)
{
	q->out->ctx = q;
	q->out->sent = on_sent;
	q->out->ready = on_ready;
	q->out->refused = on_refused;
}
