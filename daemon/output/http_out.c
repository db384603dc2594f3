#include "daemon/output/http_out.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "lib/wire/gzip.h"

enum { WAITS, FLIES, SAFE, REFUSED };

enum {
	LEAST_BYTES = 64 * 1024,  /* a receiver that takes less is told so message by message */
	KEEP_BYTES = 1024 * 1024, /* of memory between requests */
	WHYS_BYTES = 256 * 1024,  /* reasons of one send; what is over gets a word of ours */
};

static void launch(struct sqd_http_out *o);

static const struct sqd_http_cfg *cfg_of(const struct sqd_http_out *o)
{
	return o->base.cfg;
}

/* ---- the messages of a send -------------------------------------------------------------- */

static struct sqd_message message_at(const char *at)
{
	struct sqd_message_head head;
	struct sqd_message m;

	memcpy(&head, at, sizeof(head));
	m = (struct sqd_message){ .id = { head.id[0], head.id[1] } };
	m.key = (struct sq_sv){ at + sizeof(head), head.n_key };
	m.text = (struct sq_sv){ m.key.p + head.n_key, head.n };
	return m;
}

static const char *behind(const char *at)
{
	const struct sqd_message m = message_at(at);

	return m.text.p + m.text.n;
}

/* Find the messages. */
static int take_apart(struct sqd_http_out *o, struct sq_sv bytes)
{
	const char *end = bytes.p + bytes.n, *p;
	size_t n = 0;

	for (p = bytes.p; p < end; p = behind(p))
		n++;
	sq_assert(p == end && n && n <= UINT32_MAX);
	if (n > o->cap) {
		struct sqd_http_msg *msgs = reallocarray(o->msgs, n, sizeof(*msgs));
		uint32_t *flight;

		if (!msgs)
			return -ENOMEM;
		o->msgs = msgs;
		flight = reallocarray(o->flight, n, sizeof(*flight));
		if (!flight)
			return -ENOMEM;
		o->flight = flight;
		o->cap = n;
	}
	o->n = 0;
	for (p = bytes.p; p < end; p = behind(p))
		o->msgs[o->n++] = (struct sqd_http_msg){ .at = p, .state = WAITS };
	return 0;
}

static void refuse(struct sqd_http_out *o, struct sqd_http_msg *m, const char *why)
{
	size_t mark = o->whys.len;

	m->state = REFUSED;
	sq_outbuf_put(&o->whys, (struct sq_sv){ why, strlen(why) + 1 });
	m->why = o->whys.failed ? UINT32_MAX : (uint32_t)mark;
	if (o->whys.failed)
		sq_outbuf_cut(&o->whys, mark);
}

void sqd_http_out_safe(struct sqd_http_out *o, size_t at)
{
	sq_assert(at < o->flying);
	o->msgs[o->flight[at]].state = SAFE;
}

void sqd_http_out_refuse(struct sqd_http_out *o, size_t at, const char *why)
{
	sq_assert(at < o->flying);
	refuse(o, &o->msgs[o->flight[at]], why);
}

/* All is safe or refused: say so. It is said here alone, so that what is refused is said once, also
 * when the output is closed in the middle of a send. */
static void finish(struct sqd_http_out *o)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct sqd_http_msg *m = &o->msgs[i];
		struct sqd_message is;
		const char *why;

		o->base.mended += m->mended && m->state == SAFE;
		if (m->state != REFUSED)
			continue;
		is = message_at(m->at);
		why = m->why == UINT32_MAX ? "refused by the receiver" : o->whys.p + m->why;
		sqd_log_limited(&o->log_limit, SQD_LOG_WARNING, "%s: a message is refused: %s",
		                o->base.name, why);
		o->base.refused(&o->base, &is, why);
	}
	o->n = 0;
	sq_outbuf_reset(&o->whys);
	o->base.sent(&o->base, 0); /* it may send or close; either way we live on for this turn */
	if (o->starved && !o->n && !o->closing) {
		o->starved = false;
		o->base.ready(&o->base); /* last */
	}
}

/* ---- waiting ----------------------------------------------------------------------------- */

/* xorshift64: chance enough to spread requests. */
static uint64_t any(struct sqd_http_out *o)
{
	o->random ^= o->random << 13;
	o->random ^= o->random >> 7;
	o->random ^= o->random << 17;
	return o->random;
}

static void on_timer(uv_timer_t *t)
{
	struct sqd_http_out *o = t->data;

	if (o->n) {
		launch(o);
	} else if (o->starved) { /* there was no memory for the messages of a send */
		o->starved = false;
		o->base.ready(&o->base); /* last */
	}
}

static void wait_for(struct sqd_http_out *o, uint64_t ms)
{
	if (!o->closing)
		(void)uv_timer_start(&o->timer, on_timer, ms, 0);
}

/* Again, later. Statuses are causes, not what a receiver says about them. */
static void wait_for_next(struct sqd_http_out *o, unsigned status, bool mend, const char *why,
                          uint64_t least_ms)
{
	const struct sqd_http_cfg *cfg = cfg_of(o);
	uint64_t max = cfg->retry_max > cfg->retry_min ? cfg->retry_max : cfg->retry_min;
	uint64_t wait = o->retry_ms / 2 + any(o) % (o->retry_ms / 2 + 1);
	bool several = cfg->alternates.n;
	char text[512], then[48];

	if (!o->insists && wait < least_ms)
		wait = least_ms + any(o) % (o->retry_ms / 2 + 1);
	snprintf(text, sizeof(text), "%s%s%s%s", several ? o->place_shown : "", several ? ": " : "",
	         why, mend ? "; somebody has to mend that" : "");
	snprintf(then, sizeof(then), "retrying in %u.%u s", (unsigned)(wait / 1000),
	         (unsigned)(wait / 100 % 10));
	sqd_output_failed(&o->base,
	                  &(struct sqd_failure){ .level = mend ? SQD_LOG_ERROR : SQD_LOG_WARNING,
	                                         .why = text,
	                                         .then = then,
	                                         .code = status,
	                                         .strange = status >= 300 });
	if (!o->insists)
		o->retry_ms = o->retry_ms * 2 < max ? o->retry_ms * 2 : max;
	wait_for(o, wait);
}

/* The receiver takes messages. */
static void note_success(struct sqd_http_out *o)
{
	o->retry_ms = cfg_of(o)->retry_min;
	if (!sqd_output_works(&o->base, "takes messages again") && !o->worked)
		sqd_log(SQD_LOG_NOTICE, "%s: takes messages", o->base.name);
	sqd_http_place_works(o);
	o->worked = true;
}

/* ---- answers ----------------------------------------------------------------------------- */

enum sqd_http_verdict sqd_http_judge(const struct sqd_http_answer *a, struct sq_err *why)
{
	unsigned s = a->status;
	char text[512];

	if (s >= 200 && s < 300)
		return SQD_HTTP_SAFE;
	if (!why->text[0])
		sq_err_set(why, -EREMOTEIO, "it answered %u%s%s", s, a->body.n ? ": " : "",
		           sqd_log_text(sq_sv_trim(a->body), text));
	if (s == 413)
		return SQD_HTTP_SMALLER;
	if (s == 400 || s == 422)
		return SQD_HTTP_DIVIDE;
	if (s == 408 || s == 425 || s == 429 || s >= 500)
		return SQD_HTTP_LATER;
	if (s >= 300 && s < 400)
		sq_err_set(why, -EREMOTEIO, "it answered %u, a redirect, which is not followed", s);
	return SQD_HTTP_MEND;
}

/* The request is over: what still flies gets `state`; with `all` also what was settled already,
 * since the answer was not to be trusted. @return how many wait */
static size_t land(struct sqd_http_out *o, uint8_t state, bool all)
{
	size_t n = 0;

	for (size_t i = 0; i < o->flying; i++) {
		struct sqd_http_msg *m = &o->msgs[o->flight[i]];

		if (m->state == FLIES || all)
			m->state = state;
		n += m->state == WAITS;
	}
	o->flying = 0;
	return n;
}

static void grow(struct sqd_http_out *o)
{
	size_t max = cfg_of(o)->batch;

	o->limit = o->limit < max / 2 ? o->limit * 2 : max;
}

/* The request as a whole is at fault: next time it is half of it; the one that is alone is the
 * guilty one. */
static void halve(struct sqd_http_out *o, bool bytes, const char *why)
{
	size_t n = o->flying, sent = o->packed.len ? o->packed.len : o->body.len;

	if (n == 1) {
		sqd_http_out_refuse(o, 0, why);
		(void)sqd_output_works(&o->base, "answers again");
	} else {
		o->limit = n / 2;
	}
	if (n > 1 && bytes)
		o->limit_bytes = sent / 2 > LEAST_BYTES ? sent / 2 : LEAST_BYTES;
	(void)land(o, WAITS, n > 1);
	launch(o); /* last */
}

static void apply(struct sqd_http_out *o, enum sqd_http_verdict verdict,
                  const struct sqd_http_answer *a, const char *why)
{
	size_t flying = o->flying, again;
	uint64_t least_ms;

	switch (verdict) {
	case SQD_HTTP_SAFE:
		(void)land(o, SAFE, true);
		note_success(o);
		grow(o);
		launch(o); /* last */
		return;
	case SQD_HTTP_JUDGED:
		again = land(o, WAITS, false);
		if (again == 0) {
			note_success(o);
			grow(o);
			launch(o); /* last */
			return;
		}
		if (again < flying) /* it takes some: not longer each time */
			o->retry_ms = cfg_of(o)->retry_min;
		wait_for_next(o, a->status, false, why, sqd_http_asked_for(a));
		return;
	case SQD_HTTP_REST:
		(void)land(o, WAITS, false);
		launch(o); /* last */
		return;
	case SQD_HTTP_LATER:
	case SQD_HTTP_MEND:
		(void)land(o, WAITS, true);
		if (sqd_http_place_next(o, a, why, &least_ms)) {
			launch(o); /* last */
			return;
		}
		wait_for_next(o, a->status, verdict == SQD_HTTP_MEND, why, least_ms);
		return;
	case SQD_HTTP_SMALLER:
	case SQD_HTTP_DIVIDE:
		halve(o, verdict == SQD_HTTP_SMALLER, why); /* last */
		return;
	}
}

static void on_done(void *ctx, const struct sqd_http_answer *a)
{
	struct sqd_http_out *o = ctx;
	enum sqd_http_verdict verdict = SQD_HTTP_LATER;
	struct sq_err why = { 0 };
	char text[512];

	o->busy = false;
	if (a->connections && o->worked)
		o->base.reconnects += a->connections;
	sqd_http_place_answered(o, a);
	if (a->status)
		verdict = o->kind->judge(o, a, &why);
	else
		sq_err_set(&why, -EREMOTEIO, "%s", sqd_log_text(sq_sv_of(a->why), text));
	apply(o, verdict, a, why.text); /* last: it may tell of the end of the send */
}

/* ---- requests ---------------------------------------------------------------------------- */

void sqd_http_no_end(struct sqd_http_out *o SQ_UNUSED)
{
}

int sqd_http_no_sign(struct sqd_http_out *o SQ_UNUSED, struct sq_sv body SQ_UNUSED,
                     const char **ret_header SQ_UNUSED)
{
	return 0;
}

/* Take the messages of the next request, in order, and write its body. */
static void gather(struct sqd_http_out *o)
{
	o->flying = 0;
	sq_outbuf_reset(&o->body);
	for (size_t i = 0; i < o->n && o->flying < o->limit; i++) {
		struct sqd_http_msg *m = &o->msgs[i];
		size_t mark = o->body.len;
		struct sqd_message is;

		if (m->state != WAITS)
			continue;
		is = message_at(m->at);
		if (o->flying && mark + is.text.n > o->limit_bytes)
			return;
		o->mended = false;
		o->kind->encode(o, &is, o->flying);
		m->mended = o->mended;
		if (o->body.failed && o->flying) { /* with what there is */
			sq_outbuf_cut(&o->body, mark);
			return;
		}
		m->state = FLIES;
		o->flight[o->flying++] = (uint32_t)i;
		if (o->body.failed) /* what was written of it is no request */
			return;
	}
}

static int post(struct sqd_http_out *o)
{
	const char *header = NULL;
	struct sq_sv body;

	o->kind->close_body(o);
	sq_outbuf_reset(&o->packed);
	if (!o->body.failed && cfg_of(o)->gzip)
		sq_gzip(sq_outbuf_view(&o->body), &o->packed);
	if (o->body.failed || o->packed.failed)
		return -ENOMEM;
	body = sq_outbuf_view(cfg_of(o)->gzip ? &o->packed : &o->body);
	if (o->kind->sign(o, body, &header) < 0)
		return -ENOMEM;
	return sqd_http_client_post(o->client, body, header);
}

static void read_files_anew(struct sqd_http_out *o)
{
	struct sq_err err = { 0 };

	o->stale = false;
	if (o->kind->aim(o, &err) == 0)
		return;
	o->place = o->aimed_at;
	sqd_log_limited(&o->log_limit, SQD_LOG_ERROR, "%s: %s; keeping what was read before",
	                o->base.name, err.text);
}

static void spare(struct sq_outbuf *b)
{
	size_t max = b->max;

	if (b->cap <= KEEP_BYTES)
		return;
	sq_outbuf_fini(b);
	*b = sq_outbuf_of(max);
}

/* The next request of the send; when there is none, its end. */
static void launch(struct sqd_http_out *o)
{
	sq_assert(o->n && !o->busy);
	if (o->closing)
		return; /* the end is told when our handles are closed */
	if (o->stale)
		read_files_anew(o);
	gather(o);
	if (!o->flying) {
		spare(&o->body);
		spare(&o->packed);
		finish(o); /* last */
		return;
	}
	if (post(o) < 0) {
		(void)land(o, WAITS, true);
		wait_for_next(o, 0, false, "out of memory", 0);
		return;
	}
	o->busy = true;
}

int sqd_http_out_send(struct sqd_output *out, struct sq_sv bytes)
{
	struct sqd_http_out *o = sqd_http_out_of(out);

	if (o->n || o->closing) {
		o->starved = true;
		return -EAGAIN;
	}
	if (take_apart(o, bytes) < 0) {
		o->starved = true;
		wait_for(o, cfg_of(o)->retry_min);
		return -EAGAIN;
	}
	o->limit = cfg_of(o)->batch;
	launch(o); /* there is a message, so it does not end here */
	return 0;
}

/* ---- life -------------------------------------------------------------------------------- */

int sqd_http_out_start(struct sqd_http_out *o, const struct sqd_http_kind *kind, size_t max_answer,
                       struct sq_err *err)
{
	int r;

	o->kind = kind; /* it has something to free */
	r = sqd_http_places_init(o, err);
	if (r < 0)
		return r;
	o->base.framing = SQD_FRAMING_RECORDS;
	o->limit_bytes = SIZE_MAX;
	o->retry_ms = cfg_of(o)->retry_min;
	o->random = uv_hrtime() | 1;
	/* What a body takes is bounded by what the queue holds. */
	o->body = o->packed = sq_outbuf_of(SIZE_MAX / 4);
	o->whys = sq_outbuf_of(WHYS_BYTES);
	o->client = sqd_http_client_new(o->base.loop, max_answer, on_done, o);
	if (!o->client)
		return sq_err_set(err, -ENOMEM, "%s: out of memory", o->base.name);
	o->client_open = true;
	o->base.open_handles++;
	(void)uv_timer_init(o->base.loop, &o->timer); /* cannot fail */
	o->timer.data = o;
	o->base.open_handles++;
	o->started = true;
	r = kind->aim(o, err);
	return r < 0 ? sq_err_wrap(err, r, "%s", o->base.name) : 0;
}

/* Certificates and secrets are read anew; not under a request that uses them. */
void sqd_http_out_reopen(struct sqd_output *out)
{
	struct sqd_http_out *o = sqd_http_out_of(out);

	o->stale = true;
	o->limit_bytes = SIZE_MAX;
	if (!o->busy && o->started && !o->closing)
		read_files_anew(o);
}

/* Also when the receiver has asked for a longer wait: there will be no later. */
void sqd_http_out_insist(struct sqd_output *out)
{
	struct sqd_http_out *o = sqd_http_out_of(out);

	o->insists = true;
	o->retry_ms = cfg_of(o)->retry_min;
	if (o->started && !o->closing && uv_is_active((uv_handle_t *)&o->timer))
		wait_for(o, 0);
}

static void release(struct sqd_http_out *o)
{
	sq_assert(o->base.open_handles);
	if (--o->base.open_handles)
		return;
	if (o->kind)
		o->kind->fini(o);
	free(o->msgs);
	free(o->flight);
	free(o->places);
	sq_outbuf_fini(&o->body);
	sq_outbuf_fini(&o->packed);
	sq_outbuf_fini(&o->whys);
	if (o->n) {
		o->n = 0;
		o->base.sent(&o->base, -ECANCELED);
	}
	o->base.closed(&o->base); /* last: it frees us */
}

static void on_client_closed(void *ctx)
{
	release(ctx);
}

static void on_timer_closed(uv_handle_t *h)
{
	release(h->data);
}

void sqd_http_out_close(struct sqd_output *out)
{
	struct sqd_http_out *o = sqd_http_out_of(out);

	if (o->closing)
		return;
	o->closing = true;
	if (!o->started) { /* start() had failed: a handle of no other use calls back later */
		(void)uv_timer_init(out->loop, &o->timer);
		o->timer.data = o;
		out->open_handles++;
	}
	uv_close((uv_handle_t *)&o->timer, on_timer_closed);
	if (o->client_open)
		sqd_http_client_close(o->client, on_client_closed);
}
