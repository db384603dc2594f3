/* Answers of HTTP/1, bounded and whole. */
#include <errno.h>

#include "cli/send.h"
#include "lib/text/json.h"

enum { HEAD_MAX = 64 * 1024, READ_AT_ONCE = 16 * 1024 };

struct head {
	int status;
	size_t length; /* bytes of it in s->answer */
	bool sized, chunked, close, told_after;
	uint64_t content, after_s;
};

/* More bytes behind s->answer. 1, 0: the end of the stream, or a negative errno */
static int more(struct sender *s, struct sq_err *err)
{
	char *to = sq_outbuf_reserve(&s->answer, READ_AT_ONCE);
	ssize_t n;

	if (!to)
		return sq_err_set(err, -EMSGSIZE, "the peer's answer is too long");
	n = send_conn_read(s, to, READ_AT_ONCE, err);
	if (n > 0)
		s->answer.len += (size_t)n;
	return n > 0 ? 1 : (int)n;
}

static int cut_short(struct sq_err *err)
{
	return sq_err_set(err, -ECONNRESET, "the peer closed the connection before it answered");
}

/* More bytes, which must come. */
static int must_have_more(struct sender *s, struct sq_err *err)
{
	int r = more(s, err);

	return r == 0 ? cut_short(err) : r;
}

static int no_http(struct sq_err *err)
{
	return sq_err_set(err, -EPROTO, "the peer's answer is none of HTTP");
}

static void read_field(struct sq_sv line, struct head *h)
{
	struct sq_sv value = line, name = sq_sv_cut(&value, ':');

	value = sq_sv_trim(value);
	if (sq_sv_ieq(name, SQ_SV("Content-Length")))
		h->sized = sq_sv_to_u64(value, &h->content);
	else if (sq_sv_ieq(name, SQ_SV("Transfer-Encoding")))
		h->chunked = sq_sv_ieq(value, SQ_SV("chunked"));
	else if (sq_sv_ieq(name, SQ_SV("Connection")))
		h->close = sq_sv_ieq(value, SQ_SV("close"));
	else if (sq_sv_ieq(name, SQ_SV("Retry-After"))) /* a date: as if it were not there */
		h->told_after = sq_sv_to_u64(value, &h->after_s);
}

/* The head at the front of s->answer. */
static int parse_head(struct sq_sv text, struct head *ret, struct sq_err *err)
{
	struct head h = { .length = text.n };
	struct sq_sv line = sq_sv_cut(&text, '\n');

	if (!sq_sv_starts(line, SQ_SV("HTTP/1.")) || line.n < 12 || line.p[8] != ' ')
		return no_http(err);
	h.close = line.p[7] == '0';
	for (int i = 9; i < 12; i++) {
		if (!sq_is_digit(line.p[i]))
			return no_http(err);
		h.status = h.status * 10 + line.p[i] - '0';
	}
	while (text.n)
		read_field(sq_sv_cut(&text, '\n'), &h);
	*ret = h;
	return 0;
}

static int read_head(struct sender *s, struct head *ret, struct sq_err *err)
{
	for (;;) {
		struct sq_sv have = sq_outbuf_view(&s->answer);
		size_t end = sq_sv_find(have, SQ_SV("\r\n\r\n"));
		int r;

		if (end != SIZE_MAX) {
			r = parse_head(sq_sv_first(have, end + 4), ret, err);
			if (r < 0 || ret->status >= 200)
				return r;
			/* 100 Continue and its like: the answer is still to come. */
			memmove(s->answer.p, s->answer.p + end + 4, have.n - end - 4);
			s->answer.len = have.n - end - 4;
			continue;
		}
		if (have.n > HEAD_MAX || (have.n >= 5 && !sq_sv_starts(have, SQ_SV("HTTP/"))))
			return no_http(err);
		r = must_have_more(s, err);
		if (r < 0)
			return r;
	}
}

/* Hexadecimal size at the front of a chunk. */
static bool chunk_size(struct sq_sv line, size_t *ret)
{
	size_t n = 0, i = 0;

	for (; i < line.n && n < SEND_MAX_ANSWER; i++) {
		unsigned char c = sq_lower((unsigned char)line.p[i]);

		if (c >= '0' && c <= '9')
			n = n * 16 + (size_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			n = n * 16 + (size_t)(c - 'a' + 10);
		else
			break;
	}
	*ret = n;
	return i > 0 && n < SEND_MAX_ANSWER;
}

/* Unchunked into s->body. */
static int read_chunks(struct sender *s, size_t at, struct sq_err *err)
{
	for (;;) {
		struct sq_sv have = sq_sv_skip(sq_outbuf_view(&s->answer), at);
		size_t line = sq_sv_chr(have, '\n'), n;
		int r;

		if (line != SIZE_MAX) {
			if (!chunk_size(have, &n))
				return no_http(err);
			if (have.n >= line + 1 + n + 2) {
				sq_outbuf_put(&s->body, sq_sv_first(sq_sv_skip(have, line + 1), n));
				at += line + 1 + n + 2; /* the last one's empty line, too */
				if (n == 0)
					return s->body.failed ? -ENOMEM : 0;
				continue;
			}
		}
		r = must_have_more(s, err);
		if (r < 0)
			return r;
	}
}

static int read_body(struct sender *s, struct head *h, struct sq_sv *ret, struct sq_err *err)
{
	int r = 1;

	if (h->chunked) {
		r = read_chunks(s, h->length, err);
		*ret = sq_outbuf_view(&s->body);
		return r;
	}
	if (h->status == 204 || h->status == 304 || (h->sized && h->content == 0))
		return 0;
	if (!h->sized)
		h->close = true; /* it ends with the connection */
	while (r > 0 && (!h->sized || s->answer.len - h->length < h->content))
		r = h->sized ? must_have_more(s, err) : more(s, err);
	*ret = sq_sv_skip(sq_outbuf_view(&s->answer), h->length);
	return r < 0 ? r : 0;
}

int send_answer_read(struct sender *s, struct send_answer *ret, struct sq_err *err)
{
	struct sq_sv body = { 0 };
	struct head h = { 0 };
	int r;

	sq_outbuf_reset(&s->answer);
	sq_outbuf_reset(&s->body);
	r = read_head(s, &h, err);
	if (!r)
		r = read_body(s, &h, &body, err);
	if (r < 0)
		return r;
	*ret = (struct send_answer){ .status = h.status,
		                     .close = h.close,
		                     .told_after = h.told_after,
		                     .after_s = h.after_s,
		                     .body = body };
	return 0;
}

/* ---- _bulk --------------------------------------------------------------------------------- */

struct items {
	bool status; /* the next scalar is an item's */
	uint64_t taken;
};

static bool on_edge(void *ctx SQ_UNUSED, bool array SQ_UNUSED)
{
	return true;
}

static bool on_key(void *ctx, struct sq_sv key)
{
	struct items *i = ctx;

	i->status = sq_sv_eq(key, SQ_SV("status"));
	return true;
}

static bool on_scalar(void *ctx, enum sq_json_kind kind, struct sq_sv text, bool stays SQ_UNUSED)
{
	struct items *i = ctx;

	if (i->status && kind == SQ_JSON_NUMBER && text.n == 3 && text.p[0] == '2')
		i->taken++;
	i->status = false;
	return true;
}

int send_answer_items(struct sq_sv body, uint64_t *ret_taken, struct sq_err *err)
{
	static const struct sq_json_sink sink = { on_edge, on_edge, on_key, on_scalar };
	const struct sq_json_limits limits = { .max_depth = 32, .max_keys = 8 * 1024 * 1024 };
	struct items items = { 0 };
	struct sq_json *js = sq_json_new(&sink, &items, &limits);
	size_t used;
	int r = js ? sq_json_read(js, body, &used) : -ENOMEM;

	sq_json_free(js);
	if (r < 0)
		return sq_err_set(err, r, "the peer's answer is none of _bulk");
	*ret_taken = items.taken;
	return 0;
}
