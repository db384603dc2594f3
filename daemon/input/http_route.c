/* What a request is, judged by its head, and whether we take it. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/input/http_private.h"

static void refuse(struct sqd_http_conn *c, int status, const char *why, enum sq_hec_code hec,
                   uint64_t *counter)
{
	const struct sqd_refusal r = {
		.status = status, .why = why, .hec = hec, .counter = counter
	};

	sqd_http_refuse(c, &r, false);
}

static void bad(struct sqd_http_conn *c, int status, const char *why)
{
	refuse(c, status, why, SQ_HEC_INVALID_FORMAT, &sqd_conn_counts(&c->base)->http_bad);
}

static void bad_method(struct sqd_http_conn *c, const char *allow)
{
	const struct sqd_refusal r = { 405, "this path does not know the method",
		                       SQ_HEC_INVALID_FORMAT, allow,
		                       &sqd_conn_counts(&c->base)->http_bad };

	sqd_http_refuse(c, &r, false);
}

/* Answer with what is in the listener's `body` when the request has been read. */
static void prepare(struct sqd_http_conn *c)
{
	const struct sq_outbuf *body = &sqd_http_input_of(c)->body;

	c->state = SQD_HTTP_DISCARD;
	if (c->left > SQD_HTTP_DRAIN_MAX) {
		refuse(c, 413, SQD_HTTP_NO_BODY, SQ_HEC_INVALID_FORMAT,
		       &sqd_conn_counts(&c->base)->http_too_large);
		return;
	}
	c->prepared = body->len ? strndup(body->p, body->len) : strdup("");
	if (!c->prepared)
		refuse(c, 503, "out of memory", SQ_HEC_BUSY, NULL);
}

/* ---- who ---------------------------------------------------------------------------------- */

static bool is_hec(const struct sqd_http_conn *c)
{
	return c->kind == SQD_HTTP_HEC_EVENT || c->kind == SQD_HTTP_HEC_RAW;
}

/* @return false: refused */
static bool admit(struct sqd_http_conn *c)
{
	struct sqd_http_input *in = sqd_http_input_of(c);
	uint64_t *counter = &sqd_conn_counts(&c->base)->http_unauthorized;
	const struct sq_credential *who = NULL;

	c->user[0] = '\0';
	if (!in->guarded)
		return true;
	switch (sq_credentials_check(&in->credentials, c->http.head.headers[SQ_HTTP_AUTHORIZATION],
	                             &who)) {
	case SQ_CREDENTIAL_FITS:
		memcpy(c->user, who->name, sizeof(c->user));
		return true;
	case SQ_CREDENTIAL_NONE:
		refuse(c, 401, "no token or password was shown", SQ_HEC_TOKEN_REQUIRED, counter);
		break;
	case SQ_CREDENTIAL_INVALID:
		refuse(c, 401, "Authorization is neither Bearer, Basic, ApiKey nor Splunk",
		       SQ_HEC_INVALID_AUTHORIZATION, counter);
		break;
	case SQ_CREDENTIAL_WRONG:
		refuse(c, 401, "wrong token, or wrong name or password", SQ_HEC_INVALID_TOKEN,
		       counter);
		break;
	}
	return false;
}

/* ---- requests that bring records ---------------------------------------------------------- */

/* @return false: refused */
static bool check_encoding(struct sqd_http_conn *c, int *ret_kind)
{
	static const struct {
		const char *name;
		int kind;
	} encodings[] = {
		{ "identity", -1 },           { "gzip", SQ_UNPACK_GZIP },
		{ "x-gzip", SQ_UNPACK_GZIP }, { "deflate", SQ_UNPACK_DEFLATE },
		{ "zstd", SQ_UNPACK_ZSTD },
	};
	struct sq_sv v = c->http.head.headers[SQ_HTTP_CONTENT_ENCODING];

	*ret_kind = -1;
	if (!v.n)
		return true;
	for (size_t i = 0; i < SQ_LEN(encodings); i++) {
		*ret_kind = encodings[i].kind;
		if (sq_sv_ieq(v, sq_sv_of(encodings[i].name)))
			return true;
	}
	bad(c, 415, "Content-Encoding is none of gzip, deflate, zstd");
	return false;
}

/* The channel of a HEC request, from its header or its query; empty: none. @return false: refused
 */
static bool find_channel(struct sqd_http_conn *c, struct sq_sv *ret)
{
	const struct sq_http_head *head = &c->http.head;

	*ret = head->headers[SQ_HTTP_SPLUNK_CHANNEL];
	if (!ret->n)
		(void)sq_http_query(head->query, SQ_SV("channel"), ret);
	if (!ret->n)
		refuse(c, 400, "hec_acks is set, and the request names no channel",
		       SQ_HEC_CHANNEL_MISSING, &sqd_conn_counts(&c->base)->http_bad);
	else if (!sq_hec_is_channel(*ret))
		refuse(c, 400, "the channel's name is no GUID", SQ_HEC_CHANNEL_INVALID,
		       &sqd_conn_counts(&c->base)->http_bad);
	else
		return true;
	return false;
}

/* What follows a head that does not say how long its body is would be taken for the next request,
 * so the connection ends with the answer. @return false: refused */
static bool check_size(struct sqd_http_conn *c)
{
	const struct sqd_refusal unsized = {
		.status = 411,
		.why = "the request has neither Content-Length nor chunks: its body cannot be told",
		.hec = SQ_HEC_INVALID_FORMAT,
		.counter = &sqd_conn_counts(&c->base)->http_bad
	};

	if (!c->http.head.sized) {
		sqd_http_refuse(c, &unsized, true);
		return false;
	}
	if (c->http.head.length <= sqd_http_cfg(c)->max_body)
		return true;
	refuse(c, 413, "the body is longer than max_body", SQ_HEC_INVALID_FORMAT,
	       &sqd_conn_counts(&c->base)->http_too_large);
	return false;
}

static bool is_busy(const struct sqd_http_conn *c)
{
	const struct sqd_http_input *in = sqd_http_input_of(c);

	return in->starved_ms && sqd_http_now(c) - in->starved_ms >= sqd_http_cfg(c)->busy_after;
}

static bool brings_body(const struct sqd_http_conn *c)
{
	return c->http.head.length || c->http.head.chunked;
}

static bool expects_continue(const struct sqd_http_conn *c)
{
	const struct sq_http_head *head = &c->http.head;

	return !head->minor_0 && brings_body(c) &&
	       sq_sv_ieq(head->headers[SQ_HTTP_EXPECT], SQ_SV("100-continue"));
}

/* The head is in order: take the body. */
static void begin_records(struct sqd_http_conn *c, int encoding, struct sqd_channel *channel)
{
	struct sqd_http_request *q = sqd_http_request_new(c, c->kind, c->user);

	if (q && encoding >= 0 && sqd_http_request_unpack(q, (enum sq_unpack_kind)encoding) < 0) {
		sqd_http_request_abandon(q);
		q = NULL;
	}
	if (!q) {
		refuse(c, 503, "out of memory", SQ_HEC_BUSY, NULL);
		return;
	}
	q->channel = channel;
	if (channel)
		channel->begun++;
	c->request = q;
	c->state = SQD_HTTP_RECORDS;
	if (expects_continue(c) && sqd_conn_write(&c->base, SQ_SV(SQ_HTTP_CONTINUE)) < 0)
		sqd_conn_close(&c->base);
}

static void records(struct sqd_http_conn *c)
{
	struct sqd_http_input *in = sqd_http_input_of(c);
	struct sqd_channel *channel = NULL;
	struct sq_sv name;
	int encoding;

	if (c->http.head.method != SQ_HTTP_POST && c->http.head.method != SQ_HTTP_PUT) {
		bad_method(c, "POST, PUT");
		return;
	}
	if (sq_sv_istarts(c->http.head.headers[SQ_HTTP_CONTENT_TYPE], SQ_SV("multipart/"))) {
		bad(c, 415, "multipart bodies are not read; send one record a line");
		return;
	}
	/* Taken for lines its events would get lost with a 200. */
	if (sq_sv_istarts(c->http.head.headers[SQ_HTTP_CONTENT_TYPE],
	                  SQ_SV("application/x-protobuf"))) {
		bad(c, 415, "protobuf is not read; send JSON (exporter otlphttp: encoding: json)");
		return;
	}
	if (!check_encoding(c, &encoding) || !check_size(c))
		return;
	if (is_busy(c)) {
		refuse(c, 429, "no batch has been free for busy_after; send it again", SQ_HEC_BUSY,
		       &sqd_conn_counts(&c->base)->http_busy);
		return;
	}
	if (is_hec(c) && sqd_http_cfg(c)->hec_acks) {
		if (!find_channel(c, &name))
			return;
		channel = sqd_acks_channel(&in->acks, name, c->user, sqd_http_now(c), true);
		if (!channel) {
			refuse(c, 503, "all of hec_channels wait for acks", SQ_HEC_BUSY,
			       &sqd_conn_counts(&c->base)->http_busy);
			return;
		}
	}
	begin_records(c, encoding, channel);
}

/* ---- HEC ---------------------------------------------------------------------------------- */

static void hec_ask(struct sqd_http_conn *c)
{
	struct sq_sv name;

	if (!sqd_http_cfg(c)->hec_acks) {
		refuse(c, 400, "hec_acks is not set", SQ_HEC_ACK_DISABLED,
		       &sqd_conn_counts(&c->base)->http_bad);
		return;
	}
	if (!check_size(c) || !find_channel(c, &name))
		return;
	memcpy(c->channel, name.p, name.n);
	c->channel[name.n] = '\0';
	c->state = SQD_HTTP_SMALL;
}

void sqd_http_asked(struct sqd_http_conn *c)
{
	struct sqd_http_input *in = sqd_http_input_of(c);
	struct sqd_channel *ch =
		sqd_acks_channel(&in->acks, sq_sv_of(c->channel), c->user, sqd_http_now(c), false);
	struct sq_sv question = sq_outbuf_view(&c->small);
	struct sq_outbuf *body = &in->body;
	bool began = false;
	unsigned n = 0;
	uint64_t id;
	int r;

	sq_outbuf_reset(body);
	sq_outbuf_put(body, SQ_SV("{\"acks\":{"));
	while ((r = sq_hec_ack_next(&question, &began, &id)) == 1 && n < SQ_HEC_ACKS_MAX)
		sq_outbuf_printf(body, "%s\"%llu\":%s", n++ ? "," : "", (unsigned long long)id,
		                 ch && sqd_acks_ask(ch, id) ? "true" : "false");
	sq_outbuf_put(body, SQ_SV("}}"));
	if (r == 0 && !body->failed) {
		sqd_http_answer(c, 200, NULL, false);
		return;
	}
	bad(c, 400, "not of the form {\"acks\":[0,1,2]}");
	sqd_http_answer_prepared(c);
}

/* @return false: not a path of HEC */
static bool route_hec(struct sqd_http_conn *c)
{
	enum sq_hec_path path = sq_hec_path(c->http.head.path);
	struct sqd_http_input *in = sqd_http_input_of(c);

	c->kind = path == SQ_HEC_RAW ? SQD_HTTP_HEC_RAW : SQD_HTTP_HEC_EVENT;
	switch (path) {
	case SQ_HEC_NOT:
		c->kind = SQD_HTTP_OTHER;
		return false;
	case SQ_HEC_HEALTH: /* everybody may ask */
		if (is_busy(c)) {
			refuse(c, 503, "no batch is free", SQ_HEC_BUSY, NULL);
			return true;
		}
		sq_outbuf_reset(&in->body);
		sq_hec_answer(&in->body, SQ_HEC_HEALTHY, -1);
		prepare(c);
		return true;
	case SQ_HEC_EVENT:
	case SQ_HEC_RAW:
		if (admit(c))
			records(c);
		return true;
	case SQ_HEC_ACK:
		if (admit(c))
			hec_ask(c);
		return true;
	}
	return true;
}

/* ---- Elasticsearch ------------------------------------------------------------------------ */

static bool is_upload(const struct sqd_http_conn *c)
{
	return c->http.head.method == SQ_HTTP_POST || c->http.head.method == SQ_HTTP_PUT;
}

/* @return false: nothing that an Elasticsearch would answer */
static bool route_elastic(struct sqd_http_conn *c)
{
	struct sqd_http_input *in = sqd_http_input_of(c);
	enum sq_elastic what;
	char path[512];

	/* Who asks what we are brings nothing: events would get lost with a 200. */
	if (sq_sv_eq(c->http.head.path, SQ_SV("/")) && brings_body(c) && !is_upload(c)) {
		c->elastic = true;
		if (admit(c))
			bad(c, 400, "this question has no body; send events by POST");
		return true;
	}
	sq_outbuf_reset(&in->body);
	what = sq_elastic_answer(&c->http.head, &in->body);
	c->elastic = what != SQ_ELASTIC_NOT;
	if (!c->elastic)
		return false;
	if (what == SQ_ELASTIC_BULK) {
		c->kind = SQD_HTTP_BULK;
		if (admit(c))
			records(c);
		return true;
	}
	if (what == SQ_ELASTIC_ELSE)
		sqd_log_limited(
			&in->asked_limit, SQD_LOG_INFO,
			"%s: %s asked for %s %s, which nothing is known of; answered as done",
			in->server.base.name, c->base.peer, c->http.head.method_name,
			sqd_log_text(c->http.head.path, path));
	/* Wrong secrets are told of at the first question. */
	if (admit(c))
		prepare(c);
	return true;
}

/* ---- all ---------------------------------------------------------------------------------- */

static bool is_path_of_events(const struct sqd_http_conn *c)
{
	const struct sq_opt_strs *paths = &sqd_http_cfg(c)->paths;

	for (size_t i = 0; i < paths->n; i++) {
		if (sq_sv_eq(sq_sv_of(paths->list[i]), c->http.head.path))
			return true;
	}
	return false;
}

void sqd_http_route(struct sqd_http_conn *c)
{
	const struct sqd_input_http_cfg *cfg = sqd_http_cfg(c);
	const struct sq_http_head *head = &c->http.head;
	bool events = is_path_of_events(c);

	sqd_conn_counts(&c->base)->http_requests++;
	c->kind = SQD_HTTP_OTHER;
	c->elastic = false;
	c->state = SQD_HTTP_DISCARD; /* until something else is decided */
	if (head->method == SQ_HTTP_OTHER) {
		bad_method(c, "GET, HEAD, POST, PUT, DELETE");
		return;
	}
	if (cfg->hec && route_hec(c))
		return;
	if (cfg->otlp && sq_sv_eq(head->path, SQ_SV("/v1/logs"))) {
		c->kind = SQD_HTTP_OTLP;
		if (admit(c))
			records(c);
		return;
	}
	/* "GET /" is Elasticsearch's even where "POST /" takes events. */
	if (events && (is_upload(c) || !cfg->elasticsearch || !sq_sv_eq(head->path, SQ_SV("/")))) {
		c->kind = SQD_HTTP_EVENTS;
		if (admit(c))
			records(c);
		return;
	}
	if (cfg->elasticsearch && route_elastic(c))
		return;
	if (admit(c))
		bad(c, 404, "no such path");
}
