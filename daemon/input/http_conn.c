/* One HTTP connection: bytes to heads, bodies and ends of requests.
 *
 *   HEAD ─▶ RECORDS ─▶ ENDING ─▶ WAITING ─▶ answered ─▶ HEAD
 *     │                                        ▲
 *     ├──▶ SMALL (a question) ─────────────────┤
 *     └──▶ DISCARD (refused, or no body wanted)┘      any ─▶ OVER
 *
 * One request at a time: while one waits (for batches, to be settled), what comes behind it is put
 * aside in `rest` and nothing more is read. Bytes go through the loop's scratch buffer, but for the
 * middle of a long body that is neither compressed nor chunked: that is read straight into the open
 * batch.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/input/http_private.h"

enum { PROGRESS_BYTES = 1024 };

static struct sqd_http_conn *self(struct sqd_conn *c)
{
	return SQ_CONTAINER(c, struct sqd_http_conn, base);
}

/* What is there cannot be used now. */
static bool must_wait(const struct sqd_http_conn *c)
{
	return c->base.closing || c->starved || c->state == SQD_HTTP_WAITING ||
	       c->state == SQD_HTTP_ENDING || c->state == SQD_HTTP_OVER;
}

/* No batch is free. */
static void starve(struct sqd_http_conn *c)
{
	struct sqd_http_input *in = sqd_http_input_of(c);

	if (!in->starved_ms) {
		in->starved_ms = sqd_http_now(c);
		in->server.base.counts->pauses++;
	}
	if (!c->starved)
		c->waiting_ms = sqd_http_now(c);
	c->starved = true;
	sqd_conn_hold(&c->base);
}

/* ---- bytes that have to wait -------------------------------------------------------------- */

static void rest_free(struct sqd_http_conn *c)
{
	free(c->rest);
	c->rest = NULL;
	c->rest_at = c->rest_piece = c->rest_in = c->rest_end = 0;
}

/* `piece`, which may be empty, lies before the end of `in`. */
static void rest_set(struct sqd_http_conn *c, struct sq_sv piece, struct sq_sv in)
{
	const char *begin = piece.n ? piece.p : in.p, *end = in.p + in.n;
	size_t n = (size_t)(end - begin), at = 0;

	if (!n || c->base.closing || c->state == SQD_HTTP_OVER) {
		rest_free(c);
		return;
	}
	if (c->rest && begin >= c->rest && begin <= c->rest + c->rest_end) {
		at = (size_t)(begin - c->rest);
	} else {
		char *copy = malloc(n);

		rest_free(c);
		if (!copy) {
			sqd_conn_fail(&c->base, "cannot be served: out of memory");
			return;
		}
		memcpy(copy, begin, n);
		c->rest = copy;
	}
	c->rest_at = at;
	c->rest_piece = piece.n;
	c->rest_in = at + (size_t)(in.p - begin);
	c->rest_end = at + n;
}

/* ---- a request ---------------------------------------------------------------------------- */

static void refuse(struct sqd_http_conn *c, const struct sqd_refusal *why)
{
	if (c->request)
		sqd_http_request_abandon(c->request);
	c->request = NULL;
	c->starved = false;
	sqd_http_refuse(c, why, false);
}

static void not_http(struct sqd_http_conn *c)
{
	const char *guess = sq_http_guess(&c->http);
	struct sq_counters *counts = sqd_conn_counts(&c->base);
	struct sqd_refusal why = { c->http.status, c->http.why, SQ_HEC_INVALID_FORMAT, NULL,
		                   c->http.status == 431 ? &counts->http_too_large
		                                         : &counts->http_bad };

	if (c->request)
		sqd_http_request_abandon(c->request);
	c->request = NULL;
	if (guess && c->state == SQD_HTTP_HEAD) {
		counts->http_bad++;
		sqd_conn_fail(&c->base, guess); /* an answer would be of no use */
		return;
	}
	sqd_http_refuse(c, &why, true);
}

static void body_too_long(struct sqd_http_conn *c, const char *text)
{
	const struct sqd_refusal why = { 413, text, SQ_HEC_INVALID_FORMAT, NULL,
		                         &sqd_conn_counts(&c->base)->http_too_large };

	refuse(c, &why);
}

/* A question, bounded. */
static void take_small(struct sqd_http_conn *c, struct sq_sv piece)
{
	sq_outbuf_put(&c->small, piece);
	if (c->small.failed)
		body_too_long(c, "a question so long is not read");
}

/* All that the body has taken of the stream counts, sizes of chunks and what stands behind them and
 * behind the last one too. */
static void bound_body(struct sqd_http_conn *c)
{
	if (c->state == SQD_HTTP_RECORDS && c->http.body > sqd_http_cfg(c)->max_body + 1)
		body_too_long(c, "the body is longer than max_body");
	if (c->http.body <= SQD_HTTP_DRAIN_MAX)
		return;
	if (c->state == SQD_HTTP_SMALL)
		body_too_long(c, "a question so long is not read");
	if (c->state == SQD_HTTP_DISCARD && c->prepared)
		body_too_long(c, SQD_HTTP_NO_BODY); /* it was not refused so far */
	if (c->state == SQD_HTTP_DISCARD)
		sqd_http_refuse(c, &c->refusal, true);
}

/* A piece of the body; what was used of it is cut off. */
static void take_piece(struct sqd_http_conn *c, struct sq_sv *piece)
{
	struct sqd_refusal why;
	size_t n = piece->n;
	int r;

	bound_body(c);
	switch (c->state) {
	case SQD_HTTP_RECORDS:
		r = sqd_http_request_take(c->request, piece, &why);
		if (r == -EAGAIN) {
			starve(c);
		} else if (r < 0) {
			refuse(c, &why);
			*piece = (struct sq_sv){ 0 };
		}
		return;
	case SQD_HTTP_SMALL:
		take_small(c, *piece);
		break;
	case SQD_HTTP_DISCARD:
	case SQD_HTTP_HEAD:
	case SQD_HTTP_ENDING:
	case SQD_HTTP_WAITING:
	case SQD_HTTP_OVER:
		break;
	}
	*piece = sq_sv_skip(*piece, n);
}

/* All of the body is in batches, or is refused. */
static void ended(struct sqd_http_conn *c, int r, const struct sqd_refusal *why)
{
	struct sqd_http_request *q = c->request;

	if (r == -EAGAIN) {
		c->state = SQD_HTTP_ENDING;
		starve(c);
	} else if (r < 0) {
		refuse(c, why);
		sqd_http_answer_prepared(c);
	} else {
		c->state = SQD_HTTP_WAITING;
		c->waiting_ms = sqd_http_now(c);
		sqd_conn_hold(&c->base);
		sqd_http_request_whole(q);
	}
}

static void end_of_request(struct sqd_http_conn *c)
{
	struct sqd_refusal why;
	int r;

	switch (c->state) {
	case SQD_HTTP_RECORDS:
		r = sqd_http_request_end(c->request, &why);
		ended(c, r, &why);
		break;
	case SQD_HTTP_SMALL:
		sqd_http_asked(c);
		break;
	case SQD_HTTP_DISCARD:
		sqd_http_answer_prepared(c);
		break;
	case SQD_HTTP_HEAD:
	case SQD_HTTP_ENDING:
	case SQD_HTTP_WAITING:
	case SQD_HTTP_OVER:
		break;
	}
}

/* ---- the stream --------------------------------------------------------------------------- */

static void one_event(struct sqd_http_conn *c, int event, struct sq_sv *piece)
{
	if (event < 0) {
		not_http(c);
		return;
	}
	switch ((enum sq_http_event)event) {
	case SQ_HTTP_MORE:
		break;
	case SQ_HTTP_BEGUN:
		c->asked = true;
		c->progress = 0;
		c->progress_ms = sqd_http_now(c);
		c->left = c->http.head.length;
		sqd_http_route(c);
		break;
	case SQ_HTTP_BODY:
		c->left -= piece->n < c->left ? piece->n : c->left;
		take_piece(c, piece);
		break;
	case SQ_HTTP_END:
		end_of_request(c);
		break;
	}
}

/* `piece` is what is left of a piece of body that lies before `in`. */
static void feed(struct sqd_http_conn *c, struct sq_sv piece, struct sq_sv in)
{
	int event = SQ_HTTP_BODY;
	size_t used;

	if (piece.n || (c->request && c->request->inside && c->state == SQD_HTTP_RECORDS))
		take_piece(c, &piece);
	while (!must_wait(c)) {
		bool begins = c->state == SQD_HTTP_HEAD && !c->http.used;

		event = sq_http_next(&c->http, in, &used, &piece);
		in = sq_sv_skip(in, used);
		if (begins && c->http.used)
			c->begun_ms = sqd_http_now(c);
		if (event == SQ_HTTP_MORE) {
			bound_body(c);
			break;
		}
		one_event(c, event, &piece);
	}
	rest_set(c, piece, in);
}

/* The peer has ended its stream, and everything before is done. */
static void at_eof(struct sqd_http_conn *c)
{
	const struct sqd_refusal cut = { 400, "the connection ended in the middle of a request", 0,
		                         NULL, &sqd_conn_counts(&c->base)->http_bad };

	if (c->state == SQD_HTTP_HEAD && !c->http.used) {
		sqd_conn_finish(&c->base);
		return;
	}
	sqd_http_note(c, &cut);
	sqd_conn_close(&c->base);
}

static void go_on(struct sqd_http_conn *c)
{
	struct sqd_refusal why;
	int r;

	if (c->base.closing)
		return;
	if (c->starved) {
		c->starved = false;
		r = sqd_http_request_resume(c->request, &why);
		if (r == 0 && c->state == SQD_HTTP_ENDING)
			r = sqd_http_request_end(c->request, &why);
		if (c->state == SQD_HTTP_ENDING)
			ended(c, r, &why);
		else if (r == -EAGAIN)
			starve(c);
		else if (r < 0)
			refuse(c, &why);
	}
	if (!must_wait(c))
		feed(c, (struct sq_sv){ c->rest + c->rest_at, c->rest_piece },
		     (struct sq_sv){ c->rest + c->rest_in, c->rest_end - c->rest_in });
	if (must_wait(c))
		return;
	c->progress_ms = sqd_http_now(c);
	if (c->base.held)
		sqd_conn_unhold(&c->base);
	if (c->eof)
		at_eof(c);
}

void sqd_http_next(struct sqd_http_conn *c, bool close)
{
	struct sq_http *h = &c->http;

	free(c->prepared);
	c->prepared = NULL;
	sq_outbuf_fini(&c->small);
	c->elastic = false;
	c->kind = SQD_HTTP_OTHER;
	if (c->base.closing)
		return;
	if (close || c->base.server->stopped) {
		c->state = SQD_HTTP_OVER;
		rest_free(c);
		sqd_conn_finish(&c->base);
		return;
	}
	sq_http_reset(h);
	c->state = SQD_HTTP_HEAD;
	if (c->rest || c->eof)
		sqd_conn_resume_soon(&c->base);
	else if (c->base.held)
		sqd_conn_unhold(&c->base);
}

/* ---- the protocol ------------------------------------------------------------------------- */

static int http_open(struct sqd_conn *base)
{
	const struct sqd_input_http_cfg *cfg = sqd_conn_cfg(base);
	struct sqd_http_conn *c = self(base);
	const struct sq_http_limits limits = { (uint32_t)cfg->max_header, cfg->max_headers };

	sq_http_init(&c->http, &limits);
	c->small = sq_outbuf_of(SQD_HTTP_SMALL_MAX);
	c->kind = SQD_HTTP_OTHER;
	c->begun_ms = sqd_http_now(c);
	return 0;
}

/* A long body is read to where its records will be. */
static bool wants_direct(const struct sqd_http_conn *c)
{
	return c->state == SQD_HTTP_RECORDS && !c->request->unpack && c->left >= SQD_CONN_ROOM;
}

static struct sqd_room http_room(struct sqd_conn *base)
{
	struct sqd_http_conn *c = self(base);
	struct sqd_room room = { 0 };
	int r;

	if (c->rest)
		go_on(c);
	if (must_wait(c) || c->rest) {
		if (!base->closing)
			sqd_conn_hold(base);
		return room;
	}
	c->direct = wants_direct(c);
	if (!c->direct)
		return sqd_conn_scratch(base);
	r = sqd_cutter_room(&c->request->cutter, &room);
	if (r == -EAGAIN)
		starve(c);
	else if (r < 0)
		sqd_conn_fail(base, "cannot be served: out of memory");
	if (r < 0)
		return (struct sqd_room){ 0 };
	if (room.n > c->left)
		room.n = c->left;
	c->room = room;
	return room;
}

/* `n` bytes of the body lie in the open batch. The parser only has to be told. */
static void take_direct(struct sqd_http_conn *c, struct sq_sv in)
{
	struct sqd_refusal why;
	struct sq_sv piece = { 0 };
	size_t n = in.n, used;
	int event = SQ_HTTP_MORE, r;

	do {
		event = sq_http_next(&c->http, in, &used, &piece);
		in = sq_sv_skip(in, used);
		if (event == SQ_HTTP_BODY)
			c->left -= piece.n;
	} while (event == SQ_HTTP_BODY);
	sq_assert(event >= 0 && !in.n);
	r = sqd_http_request_cut(c->request, n, &why);
	if (r == -EAGAIN) {
		if (event == SQ_HTTP_END)
			c->state = SQD_HTTP_ENDING;
		starve(c);
		return;
	}
	if (r < 0)
		refuse(c, &why);
	if (event == SQ_HTTP_END)
		end_of_request(c);
}

static void http_take(struct sqd_conn *base, size_t n)
{
	struct sqd_http_conn *c = self(base);
	struct sqd_room at = c->direct ? c->room : sqd_conn_scratch(base);
	struct sq_sv in = { at.p, n };

	if (c->direct)
		take_direct(c, in);
	else
		feed(c, (struct sq_sv){ in.p, 0 }, in);
}

static void http_end(struct sqd_conn *base, int why)
{
	struct sqd_http_conn *c = self(base);

	c->eof = true;
	if (why < 0) {
		sqd_conn_close(base);
	} else if (must_wait(c) || c->rest) {
		return; /* the answer first */
	} else {
		at_eof(c);
	}
}

static int http_resume(struct sqd_conn *base)
{
	struct sqd_http_conn *c = self(base);
	const uint64_t *received = &sqd_conn_counts(base)->received, before = *received;
	uint64_t since = c->waiting_ms;
	bool starved = c->starved;

	if (c->starved || c->rest || c->eof)
		go_on(c);
	if (!c->starved)
		return 0;
	/* Others were quicker: its sender has waited since before. */
	if (starved && *received == before)
		c->waiting_ms = since;
	return -EAGAIN;
}

/* What is whole may still be settled and answered; the sender of anything else sends it again. */
static void http_stop(struct sqd_conn *base)
{
	struct sqd_http_conn *c = self(base);

	if (c->state == SQD_HTTP_WAITING || c->state == SQD_HTTP_ENDING ||
	    c->state == SQD_HTTP_OVER)
		return;
	if (c->state == SQD_HTTP_RECORDS) {
		const struct sqd_refusal why = { 503, "going down; send it again", SQ_HEC_BUSY,
			                         NULL, NULL };

		sqd_http_request_abandon(c->request);
		c->request = NULL;
		c->starved = false;
		sqd_http_refuse(c, &why, true);
		return;
	}
	sqd_conn_finish(base);
}

static void timed_out(struct sqd_http_conn *c, const char *why)
{
	const struct sqd_refusal slow = { 408, why, SQ_HEC_NO_DATA, NULL,
		                          &sqd_conn_counts(&c->base)->http_timeouts };

	if (c->request)
		sqd_http_request_abandon(c->request);
	c->request = NULL;
	sqd_http_refuse(c, &slow, true);
}

/* Who connects only to take others' places. After a request `idle` counts. */
static void said_nothing(struct sqd_http_conn *c)
{
	sqd_conn_counts(&c->base)->connections_idle++;
	sqd_conn_finish(&c->base);
}

/* It is settled too late for its sender, or finds no batch. */
static void not_settled(struct sqd_http_conn *c)
{
	const struct sqd_refusal late = {
		503,
		"not settled within answer_timeout: an output may be away; "
		"send it again",
		SQ_HEC_BUSY, NULL, &sqd_conn_counts(&c->base)->http_unsettled
	};
	bool whole = c->state == SQD_HTTP_WAITING;

	sqd_http_request_abandon(c->request);
	c->request = NULL;
	c->starved = false;
	sqd_http_refuse(c, &late, !whole);
	if (whole)
		sqd_http_answer_prepared(c);
}

static void http_tick(struct sqd_conn *base, uint64_t now_ms)
{
	struct sqd_http_conn *c = self(base);
	const struct sqd_input_http_cfg *cfg = sqd_http_cfg(c);

	if (c->state == SQD_HTTP_WAITING || c->starved) {
		if (c->request && now_ms - c->waiting_ms >= cfg->answer_timeout)
			not_settled(c);
		return;
	}
	if (c->state == SQD_HTTP_OVER || base->held || c->rest)
		return;              /* it is we who do not read */
	if (sqd_conn_slowed(base)) { /* the same */
		c->begun_ms = c->progress_ms = now_ms;
		return;
	}
	if (c->state == SQD_HTTP_HEAD) {
		if (now_ms - c->begun_ms < cfg->header_timeout)
			return;
		if (c->http.used)
			timed_out(c, "the header did not become whole within header_timeout");
		else if (!c->asked)
			said_nothing(c);
		return;
	}
	if (c->http.body - c->progress >= PROGRESS_BYTES) {
		c->progress = c->http.body;
		c->progress_ms = now_ms;
	} else if (now_ms - c->progress_ms >= cfg->body_timeout) {
		timed_out(c, "the body came too slowly for body_timeout");
	}
}

static void http_closed(struct sqd_conn *base)
{
	struct sqd_http_conn *c = self(base);

	if (c->request)
		sqd_http_request_abandon(c->request);
	c->request = NULL;
	sq_http_reset(&c->http);
	rest_free(c);
	free(c->prepared);
	c->prepared = NULL;
	sq_outbuf_fini(&c->small);
}

static void http_freed(struct sqd_conn *base SQ_UNUSED)
{
}

const struct sqd_protocol sqd_http_protocol = {
	.size = sizeof(struct sqd_http_conn),
	.open = http_open,
	.room = http_room,
	.take = http_take,
	.end = http_end,
	.resume = http_resume,
	.stop = http_stop,
	.tick = http_tick,
	.closed = http_closed,
	.freed = http_freed,
	/* Heads are read on, so that new requests can be told to come again. */
	.waits_alone = true,
	.gone = sqd_http_gone,
};
