/* A request that brings records: its body to records, and its life until they are settled.
 *
 *   new ─▶ take ... take ─▶ end ─▶ whole ─▶ settled ─▶ answered, freed
 *                │                   │
 *                └───▶ abandoned ◀───┘  nobody is answered; freed when it is settled
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/input/http_private.h"

static void refused(struct sqd_refusal *why, int status, const char *text, uint64_t *counter)
{
	*why = (struct sqd_refusal){ .status = status,
		                     .why = text,
		                     .hec = status >= 500 ? SQ_HEC_BUSY : SQ_HEC_INVALID_FORMAT,
		                     .counter = counter };
}

static struct sq_counters *counts_of(const struct sqd_http_request *q)
{
	return sqd_conn_counts(&q->owner->base);
}

/* ---- life --------------------------------------------------------------------------------- */

static void give_unpack_back(struct sqd_http_request *q)
{
	struct sqd_http_input *in = sqd_http_input_of(q->owner);
	bool scarce = in->unpacking > sqd_http_cfg(q->owner)->max_unpacking / 2;

	if (q->unpack && in->n_spare < SQD_HTTP_SPARE_UNPACK && !scarce)
		in->spare[in->n_spare++] = q->unpack;
	else
		sq_unpack_free(q->unpack);
	in->unpacking -= q->charge;
	q->charge = 0;
	q->unpack = NULL;
}

/* zstd asks for up to SQ_UNPACK_ZSTD_WINDOW once it has seen the first bytes of a body, which
 * whoever sends it never ends. @return false: others have all there is */
static bool may_hold(struct sqd_http_request *q)
{
	struct sqd_http_input *in = sqd_http_input_of(q->owner);
	size_t n = sq_unpack_memory(q->unpack);

	in->unpacking -= q->charge;
	q->charge = n > SQD_HTTP_UNPACK_FREE ? n - SQD_HTTP_UNPACK_FREE : 0;
	in->unpacking += q->charge;
	return !q->charge || in->unpacking <= sqd_http_cfg(q->owner)->max_unpacking;
}

static void request_free(struct sqd_http_request *q)
{
	struct sqd_conn *owner = &q->owner->base;

	sqd_cutter_reset(&q->cutter);
	give_unpack_back(q);
	if (q->kind == SQD_HTTP_BULK)
		sq_bulk_fini(&q->bulk);
	free(q);
	sqd_conn_let_go(owner);
}

static void on_settled(struct sqd_receipt *r)
{
	struct sqd_http_request *q = SQ_CONTAINER(r, struct sqd_http_request, receipt);
	struct sqd_http_conn *c = q->owner;

	if (q->attached && !q->whole)
		return; /* more of it will come */
	if (q->channel)
		sqd_acks_settled(q->channel, q->ack, r->lost);
	if (q->attached) {
		c->request = NULL;
		q->attached = false;
		sqd_http_answer_settled(c, q);
	}
	request_free(q);
}

static int next_line(void *framer, struct sq_sv in, bool eof, size_t *ret_used,
                     struct sq_sv *ret_rec)
{
	return sq_frame_next(framer, in, eof, ret_used, ret_rec);
}

static void begin_framer(struct sqd_http_request *q, const struct sqd_input_http_cfg *cfg)
{
	const struct sq_bulk_limits limits = { .max_record = (uint32_t)cfg->max_record,
		                               .max_items = cfg->max_items,
		                               .max_notes = SQD_CONN_UNSENT_MAX };

	q->cutter.next = next_line;
	q->cutter.framer = &q->frame;
	switch (q->kind) {
	case SQD_HTTP_BULK:
		sq_bulk_init(&q->bulk, &limits);
		q->bulk.brief = sq_bulk_is_brief(q->owner->http.head.query);
		q->cutter.next = sq_bulk_next;
		q->cutter.framer = &q->bulk;
		break;
	case SQD_HTTP_HEC_EVENT:
		q->hec = (struct sq_hec){ .frame = sq_frame_of((uint32_t)cfg->max_record) };
		q->cutter.next = sq_hec_next;
		q->cutter.framer = &q->hec;
		break;
	case SQD_HTTP_EVENTS:
	case SQD_HTTP_HEC_RAW:
	case SQD_HTTP_OTLP:
	case SQD_HTTP_OTHER:
		q->frame = sq_frame_of((uint32_t)cfg->max_record);
		break;
	}
}

struct sqd_http_request *sqd_http_request_new(struct sqd_http_conn *c, enum sqd_http_kind kind,
                                              const char *user)
{
	struct sqd_http_request *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->owner = c;
	q->kind = kind;
	q->attached = true;
	q->begun_ms = sqd_http_now(c);
	q->receipt = (struct sqd_receipt){ .settled = on_settled,
		                           .identity = c->base.identity,
		                           .until_sent = true };
	if (user[0]) {
		if (c->base.identity)
			q->identity = *c->base.identity;
		memcpy(q->identity.user, user, strnlen(user, sizeof(q->identity.user) - 1));
		q->receipt.identity = &q->identity;
	}
	q->cutter = (struct sqd_cutter){ .in = sqd_conn_input(&c->base),
		                         .receipt = &q->receipt,
		                         .peer = c->base.peer };
	begin_framer(q, sqd_http_cfg(c));
	sqd_conn_keep(&c->base);
	return q;
}

void sqd_http_request_abandon(struct sqd_http_request *q)
{
	q->attached = false;
	if (q->channel)
		q->channel->begun--;
	q->channel = NULL; /* no ack was promised yet */
	sqd_cutter_reset(&q->cutter);
	give_unpack_back(q);
	/* It need not stay, and its connection with it, for as long as an output is away. */
	if (q->receipt.unsettled)
		sqd_dispatch_forget(sqd_conn_input(&q->owner->base)->dispatch, &q->receipt);
	else
		request_free(q);
}

int sqd_http_request_unpack(struct sqd_http_request *q, enum sq_unpack_kind kind)
{
	const struct sqd_input_http_cfg *cfg = sqd_http_cfg(q->owner);
	struct sqd_http_input *in = sqd_http_input_of(q->owner);
	const struct sq_unpack_limits limits = { .max_out = cfg->max_body,
		                                 .max_ratio = cfg->max_ratio };

	q->unpack = in->n_spare ? in->spare[--in->n_spare] : sq_unpack_new();
	return q->unpack ? sq_unpack_begin(q->unpack, kind, limits) : -ENOMEM;
}

/* ---- the body ----------------------------------------------------------------------------- */

static const char *foreign(const struct sq_frame *f)
{
	switch (f->foreign) {
	case SQ_FRAME_UTF16:
		return "the body is UTF-16; records are read as UTF-8";
	case SQ_FRAME_OURS:
	case SQ_FRAME_TLS:
	case SQ_FRAME_LUMBERJACK:
	case SQ_FRAME_HTTP:
		break;
	}
	return "the body is neither JSON nor lines of text";
}

/* What the cutter said. */
static int seen_to(struct sqd_http_request *q, int r, struct sqd_refusal *why)
{
	struct sq_counters *counts = counts_of(q);

	if (r == 0 || r == -EAGAIN)
		return r;
	if (r == -ENOMEM)
		refused(why, 503, "out of memory", NULL);
	else if (q->kind != SQD_HTTP_BULK)
		refused(why, 400, foreign(&q->frame), &counts->http_bad);
	else if (r == -E2BIG)
		refused(why, 413, q->bulk.why, &counts->http_too_large);
	else
		refused(why, 400, q->bulk.why, &counts->http_bad);
	return r;
}

static int unpack_failed(struct sqd_http_request *q, int r, struct sqd_refusal *why)
{
	struct sq_counters *counts = counts_of(q);

	if (r == -ENOMEM)
		refused(why, 503, sq_unpack_reason(r), NULL);
	else if (r == -EMSGSIZE || r == -E2BIG)
		refused(why, 413, sq_unpack_reason(r), &counts->http_too_large);
	else
		refused(why, 400, sq_unpack_reason(r), &counts->http_bad);
	return r;
}

/* Unpacked straight into the open batch. */
static int take_packed(struct sqd_http_request *q, struct sq_sv *piece, struct sqd_refusal *why)
{
	do {
		struct sqd_room room = { 0 };
		size_t used, made;
		int r = sqd_cutter_room(&q->cutter, &room), u;

		if (r < 0)
			return seen_to(q, r, why);
		u = sq_unpack_run(q->unpack, *piece, &used, room.p, room.n, &made);
		*piece = sq_sv_skip(*piece, used);
		if (!may_hold(q)) {
			refused(why, 503, "max_unpacking is used up; send it again",
			        &counts_of(q)->http_over_unpacking);
			return -ENOBUFS;
		}
		q->inside = made == room.n;
		r = made ? sqd_cutter_cut(&q->cutter, made) : 0;
		if (u < 0)
			return unpack_failed(q, u, why);
		if (r < 0)
			return seen_to(q, r, why);
	} while (piece->n || q->inside);
	return 0;
}

int sqd_http_request_take(struct sqd_http_request *q, struct sq_sv *piece, struct sqd_refusal *why)
{
	struct sq_sv bytes = *piece;

	if (q->unpack)
		return take_packed(q, piece, why);
	*piece = sq_sv_skip(bytes, bytes.n);
	return seen_to(q, sqd_cutter_put(&q->cutter, bytes), why);
}

int sqd_http_request_cut(struct sqd_http_request *q, size_t n, struct sqd_refusal *why)
{
	return seen_to(q, sqd_cutter_cut(&q->cutter, n), why);
}

int sqd_http_request_end(struct sqd_http_request *q, struct sqd_refusal *why)
{
	bool any = q->unpack && sq_unpack_made(q->unpack);

	if (q->unpack && !sq_unpack_done(q->unpack) &&
	    (any || q->owner->http.head.length || q->owner->http.head.chunked)) {
		refused(why, 400, "the compressed body is cut off", &counts_of(q)->http_bad);
		return -EBADMSG;
	}
	return seen_to(q, sqd_cutter_end(&q->cutter), why);
}

int sqd_http_request_resume(struct sqd_http_request *q, struct sqd_refusal *why)
{
	return seen_to(q, sqd_cutter_resume(&q->cutter), why);
}

void sqd_http_request_whole(struct sqd_http_request *q)
{
	struct sqd_http_conn *c = q->owner;

	q->whole = true;
	give_unpack_back(q);
	sqd_cutter_reset(&q->cutter);
	if (q->channel)
		q->channel->begun--;
	/* With acks the sender asks later: it is answered at once, unless there is something wrong.
	 */
	if (q->channel && sqd_acks_begin(q->channel, &q->ack)) {
		q->attached = false;
		c->request = NULL;
		sqd_http_answer_settled(c, q);
		if (!q->receipt.unsettled)
			on_settled(&q->receipt);
		return;
	}
	q->channel = NULL;
	if (!q->receipt.unsettled)
		on_settled(&q->receipt);
}
