/* Every answer. Each is written whole: head and body in one. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/input/http_private.h"
#include "lib/text/jsonw.h"

void sqd_http_note(struct sqd_http_conn *c, const struct sqd_refusal *why)
{
	struct sqd_http_input *in = sqd_http_input_of(c);
	const struct sq_http_head *head = &c->http.head;
	char path[512] = "";

	if (why->counter)
		(*why->counter)++;
	if (c->state != SQD_HTTP_HEAD && head->path.n)
		(void)sqd_log_text(head->path, path);
	sqd_log_limited(&in->refused_limit, SQD_LOG_WARNING,
	                "%s: %s: %s%s%s%s"
	                "HTTP %d: %s",
	                in->server.base.name, c->base.peer, path[0] ? head->method_name : "",
	                path[0] ? " " : "", path, path[0] ? ": " : "", why->status, why->why);
}

void sqd_http_answer(struct sqd_http_conn *c, int status, const char *allow, bool close)
{
	struct sqd_http_input *in = sqd_http_input_of(c);
	bool begun = c->state != SQD_HTTP_HEAD; /* there is a head to answer */
	const struct sq_http_head *head = &c->http.head;
	struct sq_http_answer a = {
		.status = status,
		.close = close || !begun || !head->keep_alive || c->base.server->stopped,
		.minor_0 = begun && head->minor_0,
		.head = begun && head->method == SQ_HTTP_HEAD,
		.elastic = c->elastic || c->kind == SQD_HTTP_BULK,
		.authenticate = status == 401,
		.retry_s = status == 429 || status == 503 ? SQD_HTTP_RETRY_S : 0,
		.allow = allow,
		.body = sq_outbuf_view(&in->body)
	};
	int r;

	sq_outbuf_reset(&in->out);
	sq_http_answer(&in->out, &a);
	r = in->out.failed ? -ENOMEM : sqd_conn_write(&c->base, sq_outbuf_view(&in->out));
	if (r == -ENOBUFS)
		sqd_conn_fail(&c->base, "does not read our answers");
	else if (r < 0)
		sqd_conn_close(&c->base);
	sqd_http_next(c, a.close);
}

/* ---- no ----------------------------------------------------------------------------------- */

static const char *elastic_type(int status)
{
	switch (status) {
	case 401:
		return "security_exception";
	case 413:
		return "too_long_http_content_exception";
	case 429:
	case 503:
		return "es_rejected_execution_exception";
	default:
		return "illegal_argument_exception";
	}
}

/* In the form that the one who asked knows. @return status */
static int write_refusal(struct sqd_http_conn *c, const struct sqd_refusal *why)
{
	struct sq_outbuf *body = &sqd_http_input_of(c)->body;
	struct sq_jsonw w = sq_jsonw_of(body);

	sq_outbuf_reset(body);
	switch (c->kind) {
	case SQD_HTTP_HEC_EVENT:
	case SQD_HTTP_HEC_RAW:
		sq_hec_answer(body, (enum sq_hec_code)why->hec, -1);
		/* What HEC has no words for keeps the status of HTTP. */
		return why->hec == SQ_HEC_INVALID_FORMAT
		               ? why->status
		               : sq_hec_status((enum sq_hec_code)why->hec);
	case SQD_HTTP_BULK:
		sq_bulk_refusal(body, why->status, elastic_type(why->status), why->why);
		return why->status;
	case SQD_HTTP_EVENTS:
	case SQD_HTTP_OTLP:
	case SQD_HTTP_OTHER:
		break;
	}
	if (c->elastic) {
		sq_bulk_refusal(body, why->status, elastic_type(why->status), why->why);
		return why->status;
	}
	sq_jsonw_object(&w);
	sq_jsonw_member(&w, c->kind == SQD_HTTP_OTLP ? "message" : "error", sq_sv_of(why->why));
	sq_jsonw_end_object(&w);
	return why->status;
}

void sqd_http_refuse(struct sqd_http_conn *c, const struct sqd_refusal *why, bool at_once)
{
	const struct sq_http_head *head = &c->http.head;

	if (why != &c->refusal) {
		sqd_http_note(c, why);
		c->refusal = *why;
	}
	free(c->prepared);
	c->prepared = NULL;
	/* Who waits for leave to send the body, or has much of it left, is not made to. */
	if (c->state != SQD_HTTP_HEAD && !at_once && c->left <= SQD_HTTP_DRAIN_MAX &&
	    !(head->headers[SQ_HTTP_EXPECT].n && c->http.body <= 1)) {
		c->state = SQD_HTTP_DISCARD;
		return;
	}
	sqd_http_answer(c, write_refusal(c, &c->refusal), why->allow, true);
}

void sqd_http_answer_prepared(struct sqd_http_conn *c)
{
	struct sq_outbuf *body = &sqd_http_input_of(c)->body;

	if (c->state != SQD_HTTP_DISCARD)
		return; /* answered already */
	if (!c->prepared) {
		sqd_http_answer(c, write_refusal(c, &c->refusal), c->refusal.allow, false);
		return;
	}
	sq_outbuf_reset(body);
	sq_outbuf_put(body, sq_sv_of(c->prepared));
	sqd_http_answer(c, 200, NULL, false);
}

/* ---- yes ---------------------------------------------------------------------------------- */

static int write_events(const struct sqd_http_request *q, struct sq_outbuf *body)
{
	sq_outbuf_printf(body, "{\"received\":%llu",
	                 (unsigned long long)(q->cutter.records + q->cutter.oversized +
	                                      q->receipt.further));
	/* With 200 all the same: its sender would send the very same again, for ever. */
	if (q->receipt.malformed)
		sq_outbuf_printf(body, ",\"malformed\":%llu",
		                 (unsigned long long)q->receipt.malformed);
	if (q->cutter.oversized)
		sq_outbuf_printf(body, ",\"oversized\":%llu",
		                 (unsigned long long)q->cutter.oversized);
	sq_outbuf_putc(body, '}');
	return 200;
}

/* What will not be had by sending it again is told beside the success. */
static int write_otlp(const struct sqd_http_request *q, struct sq_outbuf *body)
{
	unsigned long long malformed = q->receipt.malformed, oversized = q->cutter.oversized;

	if (malformed || oversized)
		sq_outbuf_printf(
			body,
			"{\"partialSuccess\":{\"rejectedLogRecords\":\"%llu\","
			"\"errorMessage\":\"%llu malformed, %llu longer than max_record\"}}",
			malformed + oversized, malformed, oversized);
	else
		sq_outbuf_put(body, SQ_SV("{}"));
	return 200;
}

static int write_bulk(struct sqd_http_conn *c, const struct sqd_http_request *q,
                      struct sq_outbuf *body)
{
	if (!q->bulk.items) {
		sq_bulk_refusal(body, 400, "parse_exception", "request body is required");
		return 400;
	}
	if (sq_bulk_answer(&q->bulk, sqd_http_now(c) - q->begun_ms, body))
		return 200;
	sq_outbuf_reset(body);
	sq_bulk_refusal(body, 413, elastic_type(413),
	                "the answer would be too long: send fewer documents");
	return 413;
}

static int write_hec(const struct sqd_http_request *q, struct sq_outbuf *body)
{
	bool events = q->kind == SQD_HTTP_HEC_EVENT;
	enum sq_hec_code code = events ? q->hec.code : SQ_HEC_SUCCESS;

	if (!(q->cutter.records + q->cutter.oversized))
		code = SQ_HEC_NO_DATA;
	if (code == SQ_HEC_SUCCESS && q->channel) {
		sq_outbuf_printf(body, "{\"text\":\"Success\",\"code\":0,\"ackId\":%llu}",
		                 (unsigned long long)q->ack);
		return 200;
	}
	sq_hec_answer(body, code,
	              code == SQ_HEC_SUCCESS || code == SQ_HEC_NO_DATA ? -1
	                                                               : (int64_t)q->hec.wrong);
	return sq_hec_status(code);
}

void sqd_http_answer_settled(struct sqd_http_conn *c, struct sqd_http_request *q)
{
	static const struct sqd_refusal lost = { 503, "going down; send it again", SQ_HEC_BUSY,
		                                 NULL, NULL };
	struct sq_outbuf *body = &sqd_http_input_of(c)->body;
	int status = 200;

	if (q->receipt.lost) {
		sqd_conn_counts(&c->base)->http_unsettled++;
		sqd_http_answer(c, write_refusal(c, &lost), NULL, true);
		return;
	}
	sq_outbuf_reset(body);
	switch (q->kind) {
	case SQD_HTTP_EVENTS:
	case SQD_HTTP_OTHER:
		status = write_events(q, body);
		break;
	case SQD_HTTP_OTLP:
		status = write_otlp(q, body);
		break;
	case SQD_HTTP_BULK:
		status = write_bulk(c, q, body);
		break;
	case SQD_HTTP_HEC_EVENT:
	case SQD_HTTP_HEC_RAW:
		status = write_hec(q, body);
		break;
	}
	sqd_http_answer(c, status, NULL, false);
}
