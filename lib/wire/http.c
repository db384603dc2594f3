#include "lib/wire/http.h"

#include <errno.h>

#ifdef SQ_HAVE_LLHTTP
#include <llhttp.h>
typedef llhttp_t parser_t;
typedef llhttp_settings_t settings_t;
#else
#include <http_parser.h>
typedef http_parser parser_t;
typedef http_parser_settings settings_t;
#endif

enum phase { PHASE_HEAD, PHASE_BODY, PHASE_FAILED };

_Static_assert(sizeof(parser_t) <= sizeof(((struct sq_http *)0)->parser),
               "the library's state fits");

static parser_t *parser_of(struct sq_http *h)
{
	return (parser_t *)(void *)h->parser;
}

/* ---- what the two libraries do differently ------------------------------------------------ */

static const settings_t settings;

#ifdef SQ_HAVE_LLHTTP
/* What a callback returns to have the bytes so far told of. */
static int stop(parser_t *p)
{
	(void)p;
	return HPE_PAUSED;
}

static void start(parser_t *p)
{
	llhttp_init(p, HTTP_REQUEST, &settings);
}

/* @return true: no error, or a pause of ours */
static bool execute(parser_t *p, struct sq_sv in, size_t *ret_used)
{
	llhttp_errno_t r;

	if (llhttp_get_errno(p) == HPE_PAUSED)
		llhttp_resume(p);
	r = llhttp_execute(p, in.p, in.n);
	*ret_used = in.n;
	if (r != HPE_OK)
		*ret_used = (size_t)(llhttp_get_error_pos(p) - in.p);
	if (*ret_used > in.n)
		*ret_used = in.n;
	return r == HPE_OK || r == HPE_PAUSED;
}

static const char *reason(parser_t *p)
{
	return llhttp_get_error_reason(p) ? llhttp_get_error_reason(p) : "not HTTP";
}

static const char *method_name(const parser_t *p)
{
	return llhttp_method_name((llhttp_method_t)p->method);
}

static bool is_chunked(const parser_t *p)
{
	return p->flags & F_CHUNKED;
}

static bool has_length(const parser_t *p)
{
	return p->flags & F_CONTENT_LENGTH;
}

static bool keeps_alive(const parser_t *p)
{
	return llhttp_should_keep_alive(p);
}

/* It leaves the last line end of a header for the next call. */
enum { LEAVES_LINE_END = false };

/* It goes on after a pause without a further byte. */
static bool has_more(const parser_t *p)
{
	return llhttp_get_errno(p) == HPE_PAUSED;
}
#else
static int stop(parser_t *p)
{
	http_parser_pause(p, 1);
	return 0;
}

static void start(parser_t *p)
{
	http_parser_init(p, HTTP_REQUEST);
}

static bool execute(parser_t *p, struct sq_sv in, size_t *ret_used)
{
	if (HTTP_PARSER_ERRNO(p) == HPE_PAUSED)
		http_parser_pause(p, 0);
	*ret_used = http_parser_execute(p, &settings, in.p, in.n);
	return HTTP_PARSER_ERRNO(p) == HPE_OK || HTTP_PARSER_ERRNO(p) == HPE_PAUSED;
}

static const char *reason(parser_t *p)
{
	return http_errno_description(HTTP_PARSER_ERRNO(p));
}

static const char *method_name(const parser_t *p)
{
	return http_method_str((enum http_method)p->method);
}

static bool is_chunked(const parser_t *p)
{
	return p->flags & F_CHUNKED;
}

static bool has_length(const parser_t *p)
{
	return p->flags & F_CONTENTLENGTH;
}

static bool keeps_alive(const parser_t *p)
{
	return http_should_keep_alive(p);
}

enum { LEAVES_LINE_END = true };

/* A pause leaves the last byte unused; and no bytes would mean the end of the stream. */
static bool has_more(const parser_t *p)
{
	(void)p;
	return false;
}
#endif

/* ---- the library's calls ------------------------------------------------------------------ */

static const struct {
	const char *name; /* lower case */
	enum sq_http_header header;
} headers[] = {
	{ "authorization", SQ_HTTP_AUTHORIZATION },
	{ "content-encoding", SQ_HTTP_CONTENT_ENCODING },
	{ "content-type", SQ_HTTP_CONTENT_TYPE },
	{ "expect", SQ_HTTP_EXPECT },
	{ "x-splunk-request-channel", SQ_HTTP_SPLUNK_CHANNEL },
	{ "user-agent", SQ_HTTP_USER_AGENT },
};

static int on_url(parser_t *p, const char *at, size_t n)
{
	struct sq_http *h = p->data;

	if (!h->url.n)
		h->url.at = (uint32_t)h->text.len;
	h->url.n += (uint32_t)n;
	sq_outbuf_put(&h->text, (struct sq_sv){ at, n });
	return 0;
}

static int on_name(parser_t *p, const char *at, size_t n)
{
	struct sq_http *h = p->data;

	if (h->phase != PHASE_HEAD) /* of a trailer: nothing that comes after the body counts */
		return 0;
	if (h->in_value || !h->lines) {
		h->in_value = false;
		h->n_name = 0;
		h->lines++;
	}
	for (size_t i = 0; i < n; i++) {
		h->bad_name |= at[i] <= ' ';
		if (h->n_name < sizeof(h->name))
			h->name[h->n_name] = (char)sq_lower((unsigned char)at[i]);
		if (h->n_name <= sizeof(h->name))
			h->n_name++; /* one more than there is room for: a longer name */
	}
	return 0;
}

/* The name of a header is whole: is it one of ours? */
static void know_header(struct sq_http *h)
{
	struct sq_sv name = { h->name, h->n_name };

	h->header = SQ_HTTP_HEADERS;
	h->in_coding = false;
	if (h->n_name > sizeof(h->name))
		return;
	h->in_coding = sq_sv_eq(name, SQ_SV("transfer-encoding"));
	h->transfer_encodings += h->in_coding;
	for (size_t i = 0; i < SQ_LEN(headers); i++) {
		enum sq_http_header is = headers[i].header;

		if (!sq_sv_eq(name, sq_sv_of(headers[i].name)))
			continue;
		if (h->seen & 1u << is) {
			h->repeated |=
				is == SQ_HTTP_AUTHORIZATION || is == SQ_HTTP_CONTENT_ENCODING;
			continue;
		}
		h->seen |= (uint8_t)(1u << is);
		h->header = (uint8_t)is;
		h->values[h->header].at = (uint32_t)h->text.len;
	}
}

static int on_value(parser_t *p, const char *at, size_t n)
{
	struct sq_http *h = p->data;

	if (h->phase != PHASE_HEAD)
		return 0;
	if (!h->in_value)
		know_header(h);
	h->in_value = true;
	for (size_t i = 0; h->in_coding && i < n && h->n_coding <= sizeof(h->coding); i++) {
		if (h->n_coding < sizeof(h->coding))
			h->coding[h->n_coding] = at[i];
		h->n_coding++;
	}
	if (h->header == SQ_HTTP_HEADERS)
		return 0;
	h->values[h->header].n += (uint32_t)n;
	sq_outbuf_put(&h->text, (struct sq_sv){ at, n });
	return 0;
}

static int on_head(parser_t *p)
{
	struct sq_http *h = p->data;

	h->event = SQ_HTTP_BEGUN;
	p->upgrade = 0; /* nobody is obliged to take up an offer */
	return stop(p);
}

static int on_body(parser_t *p, const char *at, size_t n)
{
	struct sq_http *h = p->data;

	if (n == 0) /* llhttp tells of the nothing between two calls too */
		return 0;
	h->event = SQ_HTTP_BODY;
	h->chunk_left -= n < h->chunk_left ? n : h->chunk_left;
	h->piece = (struct sq_sv){ at, n };
	return stop(p);
}

static int on_chunk(parser_t *p)
{
	struct sq_http *h = p->data;

	h->chunk_left = p->content_length;
	return 0;
}

static int on_complete(parser_t *p)
{
	struct sq_http *h = p->data;

	h->event = SQ_HTTP_END;
	return stop(p);
}

static const settings_t settings = {
	.on_url = on_url,
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_headers_complete = on_head,
	.on_body = on_body,
	.on_chunk_header = on_chunk,
	.on_message_complete = on_complete,
};

/* ---- ours --------------------------------------------------------------------------------- */

void sq_http_init(struct sq_http *h, const struct sq_http_limits *limits)
{
	*h = (struct sq_http){ .limits = *limits };
	sq_assert(limits->max_header <= SQ_HTTP_HEADER_MAX);
	h->text = sq_outbuf_of(limits->max_header);
	start(parser_of(h));
	parser_of(h)->data = h;
}

void sq_http_reset(struct sq_http *h)
{
	struct sq_http_limits limits = h->limits;

	sq_outbuf_fini(&h->text);
	sq_http_init(h, &limits);
}

static int fail(struct sq_http *h, int status, const char *why)
{
	h->phase = PHASE_FAILED;
	h->status = status;
	h->why = why;
	return -EBADMSG;
}

/* The library as distributions build it lets pass what two readers could read in two ways. These
 * see every byte that is not of the body. @return NULL, or what is wrong */

static const char *check_line_end(struct sq_http *h, char c)
{
	if (h->last == '\r' && c != '\n')
		return "a CR that ends no line";
	if (c == '\n' && h->last != '\r')
		return "a line that ends without CR";
	return NULL;
}

static const char *check_head(struct sq_http *h, struct sq_sv in)
{
	const char *wrong = NULL;

	for (size_t i = 0; i < in.n && !wrong; i++) {
		char c = in.p[i];

		wrong = check_line_end(h, c);
		if (c == '\0')
			wrong = "a NUL in the header";
		if (h->last == '\n' && (c == ' ' || c == '\t'))
			wrong = "a folded header line";
		h->last = c;
		if (h->request_line || c == '\r')
			continue;
		if (c != '\n') {
			h->tail = h->tail << 8 | (unsigned char)c;
			continue;
		}
		h->request_line = h->tail != 0; /* empty lines may come before it */
		if (h->tail && h->tail >> 24 != UINT64_C(0x485454502f)) /* "HTTP/" */
			wrong = "a request line without HTTP version";
	}
	return h->bad_name ? "a blank in the name of a header" : wrong;
}

static const char *check_framing(struct sq_http *h, struct sq_sv in)
{
	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];
		const char *wrong = check_line_end(h, c);

		if (wrong)
			return wrong;
		if (h->after_data == 1 && c != '\r')
			return "a chunk that is longer than its size";
		if (h->after_data)
			h->after_data = h->after_data == 1 ? 2 : 0;
		h->last = c;
	}
	return NULL;
}

/* What was used behind the header: chunk sizes around at most one piece. */
static const char *check_chunks(struct sq_http *h, struct sq_sv in)
{
	struct sq_sv piece = h->event == SQ_HTTP_BODY ? h->piece : (struct sq_sv){ in.p + in.n, 0 };
	const char *wrong;

	if (!h->head.chunked)
		return NULL;
	wrong = check_framing(h, sq_sv_first(in, (size_t)(piece.p - in.p)));
	if (!wrong && piece.n && h->chunk_left == 0)
		h->after_data = 1;
	if (!wrong && piece.p + piece.n < in.p + in.n)
		wrong = check_framing(h, sq_sv_skip(in, (size_t)(piece.p - in.p) + piece.n));
	return wrong;
}

static enum sq_http_method method_of(const parser_t *p)
{
	static const struct {
		const char *name;
		enum sq_http_method method;
	} methods[] = { { "GET", SQ_HTTP_GET },
		        { "HEAD", SQ_HTTP_HEAD },
		        { "POST", SQ_HTTP_POST },
		        { "PUT", SQ_HTTP_PUT },
		        { "DELETE", SQ_HTTP_DELETE } };

	for (size_t i = 0; i < SQ_LEN(methods); i++) {
		if (strcmp(method_name(p), methods[i].name) == 0)
			return methods[i].method;
	}
	return SQ_HTTP_OTHER;
}

/* "http://host/path" is what a proxy is asked for; clients that think we are one mean the path. */
static struct sq_sv without_host(struct sq_sv target)
{
	size_t colon = sq_sv_find(target, SQ_SV("://")), slash;

	if (target.n == 0 || target.p[0] == '/' || colon == SIZE_MAX)
		return target;
	target = sq_sv_skip(target, colon + 3);
	slash = sq_sv_chr(target, '/');
	return slash == SIZE_MAX ? SQ_SV("/") : sq_sv_skip(target, slash);
}

/* Chunks, and nothing inside or around them: "gzip, chunked" is for who reads gzip. */
static bool is_plainly_chunked(struct sq_http *h)
{
	struct sq_sv coding = { h->coding, h->n_coding };

	return h->transfer_encodings == 1 && h->n_coding <= sizeof(h->coding) &&
	       sq_sv_ieq(sq_sv_trim(coding), SQ_SV("chunked")) && is_chunked(parser_of(h));
}

static int take_head(struct sq_http *h)
{
	const parser_t *p = parser_of(h);
	struct sq_http_head *head = &h->head;
	struct sq_sv target;

	if (h->text.failed)
		return -ENOMEM;
	if (p->http_major != 1 || p->http_minor > 1)
		return fail(h, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
	if (h->lines > h->limits.max_headers)
		return fail(h, 431, "too many header lines");
	if (h->transfer_encodings && (!is_plainly_chunked(h) || p->http_minor == 0))
		return fail(h, 400, "a transfer coding other than chunked");
	if (h->repeated)
		return fail(h, 400, "Authorization or Content-Encoding twice");
	target = without_host((struct sq_sv){ h->text.p + h->url.at, h->url.n });
	target = sq_sv_cut(&target, '#');
	head->query = target;
	head->path = sq_sv_cut(&head->query, '?');
	for (size_t i = 0; i < SQ_HTTP_HEADERS; i++) {
		struct sq_sv v = { h->text.p + h->values[i].at, h->values[i].n };

		head->headers[i] = sq_sv_trim(v);
	}
	head->method = method_of(p);
	head->method_name = method_name(p);
	head->chunked = is_chunked(p);
	head->sized = head->chunked || has_length(p);
	head->length = !head->chunked && head->sized ? p->content_length : 0;
	head->minor_0 = p->http_minor == 0;
	head->keep_alive = keeps_alive(p);
	h->phase = PHASE_BODY;
	return SQ_HTTP_BEGUN;
}

int sq_http_next(struct sq_http *h, struct sq_sv in, size_t *ret_used, struct sq_sv *ret_piece)
{
	bool head = h->phase == PHASE_HEAD;
	const char *wrong;
	struct sq_sv used;
	bool good;

	*ret_used = 0;
	if (h->phase == PHASE_FAILED)
		return -EBADMSG;
	h->event = SQ_HTTP_MORE;
	if (head) {
		for (size_t i = h->used; i < sizeof(h->first) && i - h->used < in.n; i++)
			h->first[i] = in.p[i - h->used];
		in = sq_sv_first(in, h->limits.max_header - h->used + 1);
	}
	if (in.n == 0 && !has_more(parser_of(h)))
		return SQ_HTTP_MORE;
	good = execute(parser_of(h), in, ret_used);
	if (head)
		h->used += (uint32_t)*ret_used;
	else
		h->body += *ret_used;
	used = sq_sv_first(in, *ret_used);
	wrong = head ? check_head(h, used) : check_chunks(h, used);
	if (!wrong && LEAVES_LINE_END && h->event == SQ_HTTP_BEGUN)
		wrong = h->last == '\r' ? check_line_end(h, in.p[used.n])
		                        : "a line that ends without CR";
	if (wrong)
		return fail(h, 400, wrong);
	if (!good)
		return fail(h, 400, reason(parser_of(h)));
	if (head && h->used > h->limits.max_header)
		return fail(h, 431, "request line and headers are too long");
	if (h->event == SQ_HTTP_BEGUN)
		return take_head(h);
	if (h->event == SQ_HTTP_BODY)
		*ret_piece = h->piece;
	return h->event;
}

const char *sq_http_guess(const struct sq_http *h)
{
	const char *f = h->first;

	if (f[0] == 0x16)
		return "speaks TLS on a plain HTTP port";
	if ((f[0] == '1' || f[0] == '2') &&
	    (f[1] == 'W' || f[1] == 'C' || f[1] == 'D' || f[1] == 'J'))
		return "speaks Lumberjack (Beats) on an HTTP port; it needs a beats input";
	if (f[0] == '{' || f[0] == '[' || f[0] == '<')
		return "sends events without HTTP; it needs a tcp input";
	if (memcmp(f, "PRI ", 4) == 0)
		return "speaks HTTP/2; only HTTP/1.1 is spoken here";
	return NULL;
}

bool sq_http_query(struct sq_sv query, struct sq_sv key, struct sq_sv *ret)
{
	while (query.n) {
		struct sq_sv value = sq_sv_cut(&query, '&'), name = sq_sv_cut(&value, '=');

		if (sq_sv_eq(name, key)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

/* ---- answers ------------------------------------------------------------------------------ */

const char *sq_http_reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 411, "Length Required" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < SQ_LEN(reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].text;
	}
	return "Unknown";
}

void sq_http_answer(struct sq_outbuf *out, const struct sq_http_answer *a)
{
	sq_outbuf_printf(out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n",
	                 a->status, sq_http_reason(a->status),
	                 a->type ? a->type : "application/json", a->body.n);
	if (a->elastic)
		sq_outbuf_put(out, SQ_SV("X-Elastic-Product: Elasticsearch\r\n"));
	if (a->authenticate)
		sq_outbuf_put(out, SQ_SV("WWW-Authenticate: Bearer realm=\"squiblyd\", "
		                         "Basic realm=\"squiblyd\"\r\n"));
	if (a->allow)
		sq_outbuf_printf(out, "Allow: %s\r\n", a->allow);
	if (a->retry_s)
		sq_outbuf_printf(out, "Retry-After: %u\r\n", (unsigned)a->retry_s);
	if (a->close)
		sq_outbuf_put(out, SQ_SV("Connection: close\r\n"));
	else if (a->minor_0)
		sq_outbuf_put(out, SQ_SV("Connection: keep-alive\r\n"));
	sq_outbuf_put(out, SQ_SV("\r\n"));
	if (!a->head)
		sq_outbuf_put(out, a->body);
}
