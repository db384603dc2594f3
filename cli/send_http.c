/* Requests of HTTP/1.1: a POST of many records, answered when they are settled. What the body looks
 * like follows from the path: Elasticsearch's _bulk, Splunk's collector, else a line a record.
 */
#include <errno.h>

#include <zlib.h>

#include "cli/send.h"

enum {
	GZIP_LEVEL = 6,
	WAIT_MS = 1000,   /* before the next try, when the peer does not say how long */
	WAIT_MAX_S = 60,  /* however long it says */
	REASON_MAX = 200, /* bytes of an answer that are shown */
};

static bool is_bulk(const struct sender *s)
{
	return sq_sv_ends(sq_sv_of(s->http_path), SQ_SV("/_bulk"));
}

static bool is_collector(const struct sender *s)
{
	return sq_sv_starts(sq_sv_of(s->http_path), SQ_SV("/services/collector"));
}

static bool is_raw(const struct sender *s)
{
	return is_collector(s) && sq_sv_find(sq_sv_of(s->http_path), SQ_SV("/raw")) != SIZE_MAX;
}

static int http_add(struct sender *s, struct sq_sv rec)
{
	if (is_bulk(s)) {
		/* "/INDEX/_bulk" has named it already. */
		sq_outbuf_put(&s->out, strlen(s->http_path) > 6
		                               ? SQ_SV("{\"create\":{}}\n")
		                               : SQ_SV("{\"create\":{\"_index\":\"squibly\"}}\n"));
		send_put_json(&s->out, rec);
	} else if (is_collector(s) && !is_raw(s)) {
		sq_outbuf_put(&s->out, SQ_SV("{\"event\":"));
		send_put_json(&s->out, rec);
		sq_outbuf_putc(&s->out, '}');
	} else {
		size_t at = s->out.len;

		sq_outbuf_put(&s->out, rec);
		for (size_t i = at; i < s->out.len; i++)
			if (s->out.p[i] == '\n' || s->out.p[i] == '\r')
				s->out.p[i] = ' ';
	}
	sq_outbuf_putc(&s->out, '\n');
	return send_batch_added(s);
}

/* ---- the request --------------------------------------------------------------------------- */

static int gzip(struct sq_sv v, struct sq_outbuf *to)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)v.p, .avail_in = (uInt)v.n };
	size_t room;
	int r;

	if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	room = deflateBound(&z, v.n);
	z.next_out = (Bytef *)sq_outbuf_reserve(to, room);
	z.avail_out = (uInt)room;
	r = z.next_out ? deflate(&z, Z_FINISH) : Z_MEM_ERROR;
	to->len += z.total_out;
	(void)deflateEnd(&z);
	return r == Z_STREAM_END ? 0 : -ENOMEM;
}

static void put_head(struct sender *s, struct sq_outbuf *w, size_t length)
{
	const struct send_target *t = &s->target;
	bool six = strchr(t->host, ':') != NULL;

	sq_outbuf_printf(w, "POST %s HTTP/1.1\r\nHost: %s%s%s", s->http_path, six ? "[" : "",
	                 t->host, six ? "]" : "");
	if (t->port)
		sq_outbuf_printf(w, ":%s", t->port);
	sq_outbuf_printf(w,
	                 "\r\nUser-Agent: squibly/" SQ_VERSION "\r\nContent-Type: %s\r\n"
	                 "Content-Length: %zu\r\n",
	                 is_raw(s)         ? "text/plain"
	                 : is_collector(s) ? "application/json"
	                                   : "application/x-ndjson",
	                 length);
	if (s->gzip)
		sq_outbuf_put(w, SQ_SV("Content-Encoding: gzip\r\n"));
	if (s->token)
		sq_outbuf_printf(w, "Authorization: %s %s\r\n",
		                 is_collector(s) ? "Splunk" : "Bearer", s->token);
	sq_outbuf_put(w, SQ_SV("\r\n"));
}

static int send_request(struct sender *s, struct sq_err *err)
{
	struct sq_sv body = sq_outbuf_view(&s->out);
	int r;

	sq_outbuf_reset(&s->body);
	if (s->gzip) {
		if (gzip(body, &s->body) < 0)
			return sq_err_set(err, -ENOMEM, "out of memory");
		body = sq_outbuf_view(&s->body);
	}
	sq_outbuf_reset(&s->wire);
	put_head(s, &s->wire, body.n);
	sq_outbuf_put(&s->wire, body);
	if (s->wire.failed)
		return sq_err_set(err, -ENOMEM, "out of memory");
	r = send_conn_write(s, sq_outbuf_view(&s->wire), err);
	sq_outbuf_reset(&s->body);
	return r;
}

/* ---- the answer ---------------------------------------------------------------------------- */

/* What the peer says, in a line that a terminal may show. */
static int refuse(int error, const struct send_answer *a, struct sq_err *err)
{
	char text[REASON_MAX + 1];
	size_t n = a->body.n < REASON_MAX ? a->body.n : REASON_MAX;

	for (size_t i = 0; i < n; i++)
		text[i] = a->body.p[i] >= ' ' && a->body.p[i] != 0x7f ? a->body.p[i] : ' ';
	while (n && text[n - 1] == ' ')
		n--;
	text[n] = '\0';
	return sq_err_set(err, error, "the peer answered %d%s%s", a->status, n ? ": " : "", text);
}

/* One batch that the peer does not want; the others it may take. */
static int refused_batch(struct sender *s, const struct send_answer *a)
{
	struct sq_err why = { 0 };

	(void)refuse(-EINVAL, a, &why);
	if (!s->refused)
		(void)cli_fail("%s", why.text);
	s->refused = true;
	return 0;
}

static int judge(struct sender *s, const struct send_answer *a, uint64_t *ret_taken,
                 struct sq_err *err)
{
	*ret_taken = 0;
	if (a->status >= 200 && a->status < 300) {
		*ret_taken = s->in_batch;
		return is_bulk(s) ? send_answer_items(a->body, ret_taken, err) : 0;
	}
	switch (a->status) {
	case 408:
	case 429:
	case 500:
	case 502:
	case 503:
	case 504:
		s->wait_ms = !a->told_after            ? WAIT_MS
		             : a->after_s > WAIT_MAX_S ? WAIT_MAX_S * UINT64_C(1000)
		                                       : a->after_s * 1000;
		return refuse(-EAGAIN, a, err);
	case 400:
	case 413:
	case 422:
		return refused_batch(s, a);
	default: /* 401, 403, 404 ...: it is not this batch that is wrong */
		return refuse(-EACCES, a, err);
	}
}

static int http_exchange(struct sender *s, uint64_t *ret_taken, struct sq_err *err)
{
	struct send_answer a;
	int r = send_request(s, err), answered;

	/* A server may refuse a request before it has read it all. */
	answered =
		s->conn.fd >= 0 && r != -ENOMEM ? send_answer_read(s, &a, r < 0 ? NULL : err) : r;
	if (answered < 0)
		return r < 0 ? r : answered;
	r = judge(s, &a, ret_taken, err);
	if (a.close)
		send_conn_close(s);
	return r;
}

const struct send_kind send_http = {
	.add = http_add,
	.flush = send_batch_flush,
	.finish = send_batch_finish,
	.exchange = http_exchange,
};
