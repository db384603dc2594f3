/* Requests whole and cut at every byte; what must be refused, and with which status. */
#include "tests/support/test.h"

#include <errno.h>

#include "lib/wire/http.h"

static const struct sq_http_limits limits = { .max_header = 1024, .max_headers = 32 };

/* What was seen of a stream, as one text: "BEGIN POST /x?q [body] END " or "400 why". */
struct seen {
	char text[4096];
	size_t n;
};

static void say(struct seen *s, const char *fmt, ...) SQ_PRINTF(2, 3);

static void say(struct seen *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	s->n += (size_t)vsnprintf(s->text + s->n, sizeof(s->text) - s->n, fmt, ap);
	va_end(ap);
	assert_true(s->n < sizeof(s->text));
}

static void tell(struct seen *s, struct sq_http *h, int event, struct sq_sv piece, bool *in_body)
{
	if (*in_body && event != SQ_HTTP_BODY) {
		say(s, "] ");
		*in_body = false;
	}
	if (event < 0) {
		say(s, "%d %s", h->status, h->why);
		return;
	}
	switch ((enum sq_http_event)event) {
	case SQ_HTTP_MORE:
		break;
	case SQ_HTTP_BEGUN:
		say(s, "%s %.*s", h->head.method_name, SQ_SV_ARG(h->head.path));
		if (h->head.query.n)
			say(s, "?%.*s", SQ_SV_ARG(h->head.query));
		say(s, "%s%s ", h->head.keep_alive ? "" : " close", h->head.minor_0 ? " 1.0" : "");
		for (size_t i = 0; i < SQ_HTTP_HEADERS; i++) {
			if (h->head.headers[i].n)
				say(s, "%zu=%.*s ", i, SQ_SV_ARG(h->head.headers[i]));
		}
		if (h->head.length)
			say(s, "length=%u ", (unsigned)h->head.length);
		break;
	case SQ_HTTP_BODY:
		say(s, "%s%.*s", *in_body ? "" : "[", SQ_SV_ARG(piece));
		*in_body = true;
		break;
	case SQ_HTTP_END:
		say(s, "END ");
		break;
	}
}

/* Feed pieces of `step` bytes, each in memory of its own. */
static void feed(struct seen *s, struct sq_sv in, size_t first, size_t step)
{
	struct sq_http h;
	bool in_body = false;
	int r = 0;

	*s = (struct seen){ 0 };
	sq_http_init(&h, &limits);
	for (size_t at = 0; at < in.n && r >= 0;) {
		size_t n = at == 0 && first ? first : step;
		char *copy;
		struct sq_sv v;

		if (n > in.n - at)
			n = in.n - at;
		copy = exact(in.p + at, n);
		v = (struct sq_sv){ copy, n };
		do {
			struct sq_sv piece = { 0 };
			size_t used = SIZE_MAX;

			r = sq_http_next(&h, v, &used, &piece);
			assert_true(used <= v.n);
			v = sq_sv_skip(v, used);
			if (r == SQ_HTTP_MORE)
				assert_int_equal(v.n, 0);
			else
				tell(s, &h, r, piece, &in_body);
			if (r == SQ_HTTP_END)
				sq_http_reset(&h);
		} while (r > 0);
		free(copy);
		at += n;
	}
	sq_http_reset(&h);
}

struct row {
	const char *name;
	const char *in;
	const char *want; /* what is told of it; for an error its beginning */
};

#define LONG_NAME "X-abcdefghijklmnopqrstuvwxyz0123456789"

/* clang-format off */
static struct row rows[] = {
	{ "no body", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / END " },
	{ "a body", "POST /events HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "POST /events length=5 [hello] END " },
	{ "an empty body", "PUT /e HTTP/1.1\r\ncontent-length:0\r\n\r\n", "PUT /e END " },
	{ "chunks", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
	  "POST / [abc0123456789] END " },
	{ "capital chunks", "POST / HTTP/1.1\r\nTRANSFER-ENCODING:  Chunked \r\n\r\n0\r\n\r\n", "POST / END " },
	{ "nothing in chunks", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "POST / END " },
	{ "a trailer counts for nothing", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
	  "1\r\na\r\n0\r\nAuthorization: Bearer x\r\n\r\n", "POST / [a] END " },
	{ "a query", "GET /_bulk?a=b&c=d HTTP/1.1\r\n\r\n", "GET /_bulk?a=b&c=d END " },
	{ "a whole address", "GET http://host:9200/x?y HTTP/1.1\r\n\r\n", "GET /x?y END " },
	{ "a whole address without path", "GET http://host HTTP/1.1\r\n\r\n", "GET / END " },
	{ "headers that are looked at", "GET / HTTP/1.1\r\nAUTHORIZATION:  Bearer  x \r\nuser-agent: a/1\r\n"
	  "Content-Type: a\r\nContent-Encoding: gzip\r\nExpect: 100-continue\r\nX-Splunk-Request-Channel: C\r\n\r\n",
	  "GET / 0=Bearer  x 1=gzip 2=a 3=100-continue 4=C 5=a/1 END " },
	{ "the first of two", "GET / HTTP/1.1\r\nUser-Agent: a\r\nUser-Agent: b\r\n\r\n", "GET / 5=a END " },
	{ "empty and unknown values", "GET / HTTP/1.1\r\nExpect:\r\n" LONG_NAME ": x\r\nX:\r\nUser-Agent: u\r\n\r\n",
	  "GET / 5=u END " },
	{ "HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "GET / close 1.0 END " },
	{ "HTTP/1.0 that goes on", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET / 1.0 END " },
	{ "close", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "GET / close END " },
	{ "three after each other", "GET /a HTTP/1.1\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"
	  "GET /c HTTP/1.1\r\n\r\n", "GET /a END POST /b length=1 [x] END GET /c END " },
	{ "an offer of HTTP/2", "POST / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
	  "HTTP2-Settings: AAMAAABk\r\nContent-Length: 2\r\n\r\nab", "POST / length=2 [ab] END " },
	{ "empty lines before it", "\r\n\r\nGET / HTTP/1.1\r\n\r\n", "GET / END " },
	{ "another method", "OPTIONS * HTTP/1.1\r\n\r\n", "OPTIONS * END " },

	{ "length and chunks", "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "400 " },
	{ "chunks and length", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", "400 " },
	{ "two lengths", "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "400 " },
	{ "a list of lengths", "POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\nabc", "400 " },
	{ "a length that is none", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400 " },
	{ "a length with a sign", "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", "400 " },
	{ "a length that overflows", "POST / HTTP/1.1\r\nContent-Length: 18446744073709551617\r\n\r\n", "400 " },
	{ "two codings", "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	  "400 " },
	{ "two proofs", "POST / HTTP/1.1\r\nAuthorization: Bearer a\r\nX: y\r\nAuthorization: Bearer b\r\n\r\n", "400 " },
	{ "an empty proof and another", "POST / HTTP/1.1\r\nAuthorization:\r\nAuthorization: Bearer b\r\n\r\n", "400 " },
	{ "packed twice", "POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip\r\n\r\n", "400 " },
	{ "a coding inside the chunks", "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "400 " },
	{ "chunks in chunks", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "400 " },
	{ "another coding", "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", "400 " },
	{ "chunks in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 " },
	{ "a folded line", "GET / HTTP/1.1\r\nUser-Agent: a\r\n b\r\n\r\n", "400 " },
	{ "a line folded by a tab", "GET / HTTP/1.1\r\nX: a\r\n\tContent-Length: 3\r\n\r\n", "400 " },
	{ "a blank before the colon", "GET / HTTP/1.1\r\nContent-Length : 3\r\n\r\nabc", "400 " },
	{ "no colon", "GET / HTTP/1.1\r\nfoo\r\n\r\n", "400 " },
	{ "a chunk size that is none", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "400 " },
	{ "a negative chunk size", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "400 " },
	{ "a chunk size that overflows", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n",
	  "400 " },
	{ "a chunk longer than its size", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
	  "400 " },
	{ "a chunk longer than its size, by what looks like its end",
	  "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\n0\r\n\r\n", "400 " },
	{ "lines without CR", "GET / HTTP/1.1\n\n", "400 a line that ends without CR" },
	{ "a last line without CR", "GET / HTTP/1.1\r\nX: y\r\n\nGET / HTTP/1.1\r\n\r\n", "400 " },
	{ "a CR inside a line", "GET / HTTP/1.1\r\nX: y\rZ: z\r\n\r\n", "400 " },
	{ "a CR without LF at the end", "GET / HTTP/1.1\r\n\rGET / HTTP/1.1\r\n\r\n", "400 " },
	{ "a chunk's size without CR", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n", "400 " },
	{ "no version but what looks like one", "GET / HTTQ/1.1\r\n\r\n", "400 " },
	{ "HTTP/2.0", "GET / HTTP/2.0\r\n\r\n", "505 " },
	{ "HTTP/0.9", "GET /\r\n\r\n", "400 " },
	{ "no HTTP", "hello\r\n", "400 " },
	{ "an event", "{\"a\":1}\n", "400 " },
};
/* clang-format on */

static bool fits(const struct seen *s, const char *want)
{
	/* What comes before an error depends on where it is cut; no request may be whole. */
	if (sq_is_digit(want[0]))
		return strstr(s->text, want) && !strstr(s->text, "END");
	return strcmp(s->text, want) == 0;
}

static void check(void **state)
{
	const struct row *row = *state;
	struct sq_sv in = sq_sv_of(row->in);
	struct seen s;

	for (size_t cut = 0; cut < in.n; cut++) {
		feed(&s, in, cut, in.n);
		if (!fits(&s, row->want))
			fail_msg("cut at %zu: got \"%s\", want \"%s\"", cut, s.text, row->want);
	}
	feed(&s, in, 1, 1);
	if (!fits(&s, row->want))
		fail_msg("byte by byte: got \"%s\", want \"%s\"", s.text, row->want);
}

static void a_nul_is_refused_wherever_it_is(void **state SQ_UNUSED)
{
	static const char request[] =
		"POST /ab HTTP/1.1\r\nUser-Agent: ab\r\nContent-Length: 11\r\n\r\n";
	struct seen s;

	for (size_t i = 0; i < sizeof(request) - 3; i++) {
		char bad[sizeof(request)];

		memcpy(bad, request, sizeof(bad));
		bad[i] = '\0';
		feed(&s, (struct sq_sv){ bad, sizeof(bad) - 1 }, 0, sizeof(bad));
		if (strncmp(s.text, "400 ", 4) != 0)
			fail_msg("a NUL at %zu: \"%s\"", i, s.text);
	}
}

static void a_long_header_is_refused_at_its_limit(void **state SQ_UNUSED)
{
	static const char begin[] = "GET / HTTP/1.1\r\nX: ";
	struct seen s;
	char in[1200];

	for (size_t n = 1000; n < sizeof(in); n += 1) {
		memset(in, 'x', n);
		memcpy(in, begin, sizeof(begin) - 1);
		memcpy(in + n - 4, "\r\n\r\n", 4);
		feed(&s, (struct sq_sv){ in, n }, 0, n % 2 ? n : 100);
		if (n <= 1024)
			assert_string_equal(s.text, "GET / END ");
		else if (n > 1025) /* the last byte may be left for later */
			assert_string_equal(s.text, "431 request line and headers are too long");
	}
	for (size_t i = 0; i < sizeof(in); i++) /* empty lines for ever */
		in[i] = i % 2 ? '\n' : '\r';
	feed(&s, (struct sq_sv){ in, sizeof(in) }, 0, 7);
	assert_memory_equal(s.text, "431", 3);
}

static void many_headers_are_refused(void **state SQ_UNUSED)
{
	char in[1024];
	struct seen s;

	for (size_t lines = 32; lines < 34; lines++) {
		size_t n = (size_t)snprintf(in, sizeof(in), "GET / HTTP/1.1\r\n");

		for (size_t i = 0; i < lines; i++)
			n += (size_t)snprintf(in + n, sizeof(in) - n, "a: b\r\n");
		n += (size_t)snprintf(in + n, sizeof(in) - n, "\r\n");
		feed(&s, (struct sq_sv){ in, n }, 0, n);
		assert_string_equal(s.text,
		                    lines == 32 ? "GET / END " : "431 too many header lines");
	}
}

static void what_is_no_http_is_guessed(void **state SQ_UNUSED)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "\x16\x03\x01\x02", "speaks TLS" },
		{ "2W\0\0", "speaks Lumberjack" },
		{ "{\"EventID\":1}\n", "sends events without HTTP" },
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "speaks HTTP/2" },
		{ "hello\n", NULL },
	};

	for (size_t i = 0; i < SQ_LEN(cases); i++) {
		struct sq_http h;
		struct sq_sv piece;
		size_t used;
		const char *guess;

		sq_http_init(&h, &limits);
		/* One of the libraries reads on before it is sure. */
		(void)!sq_http_next(&h, (struct sq_sv){ cases[i].in, 4 }, &used, &piece);
		assert_int_equal(
			sq_http_next(&h, sq_sv_of(strlen(cases[i].in) > 4 ? cases[i].in + 4 : "x"),
		                     &used, &piece),
			-EBADMSG); /* for ever */
		guess = sq_http_guess(&h);
		if (cases[i].want)
			assert_memory_equal(guess, cases[i].want, strlen(cases[i].want));
		else
			assert_null(guess);
		sq_http_reset(&h);
	}
}

static void a_body_is_counted_as_sent(void **state SQ_UNUSED)
{
	struct sq_sv
		in = SQ_SV(
			"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
		piece;
	struct sq_http h;
	size_t used;
	int r;

	sq_http_init(&h, &limits);
	do {
		r = sq_http_next(&h, in, &used, &piece);
		in = sq_sv_skip(in, used);
	} while (r > 0 && r != SQ_HTTP_END);
	assert_int_equal(r, SQ_HTTP_END);
	assert_in_range(h.body, 13, 14); /* the last byte of the header may be counted here */
	sq_http_reset(&h);
	assert_int_equal(h.used, 0);
}

static void queries_are_taken_apart(void **state SQ_UNUSED)
{
	struct sq_sv v = SQ_SV("-");

	assert_true(sq_http_query(SQ_SV("a=1&channel=x&b"), SQ_SV("channel"), &v));
	assert_sv_equal(v, SQ_SV("x"));
	assert_true(sq_http_query(SQ_SV("a=1&b"), SQ_SV("b"), &v));
	assert_sv_equal(v, SQ_SV(""));
	v = SQ_SV("-");
	assert_false(sq_http_query(SQ_SV("achannel=x&channels=y"), SQ_SV("channel"), &v));
	assert_false(sq_http_query(SQ_SV(""), SQ_SV("channel"), &v));
	assert_sv_equal(v, SQ_SV("-"));
}

static void answers_are_written_to_the_byte(void **state SQ_UNUSED)
{
	struct sq_http_answer a = { .status = 200, .body = SQ_SV("{}") };
	struct sq_outbuf out = sq_outbuf_of(4096);

	sq_http_answer(&out, &a);
	assert_sv_equal(
		sq_outbuf_view(&out),
		SQ_SV("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"));
	sq_outbuf_reset(&out);
	a = (struct sq_http_answer){ .status = 429,
		                     .close = true,
		                     .retry_s = 5,
		                     .elastic = true,
		                     .minor_0 = true,
		                     .head = true,
		                     .body = SQ_SV("{\"a\":1}") };
	sq_http_answer(&out, &a);
	assert_sv_equal(
		sq_outbuf_view(&out),
		SQ_SV("HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\n"
	              "Content-Length: 7\r\nX-Elastic-Product: Elasticsearch\r\nRetry-After: 5\r\n"
	              "Connection: close\r\n\r\n"));
	sq_outbuf_reset(&out);
	a = (struct sq_http_answer){
		.status = 405, .allow = "POST, PUT", .minor_0 = true, .type = "text/plain"
	};
	sq_http_answer(&out, &a);
	assert_sv_equal(
		sq_outbuf_view(&out),
		SQ_SV("HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n"
	              "Allow: POST, PUT\r\nConnection: keep-alive\r\n\r\n"));
	sq_outbuf_reset(&out);
	a = (struct sq_http_answer){ .status = 401, .authenticate = true };
	sq_http_answer(&out, &a);
	assert_true(sq_sv_find(sq_outbuf_view(&out), SQ_SV("WWW-Authenticate: Bearer realm=")) !=
	            SIZE_MAX);
	sq_outbuf_fini(&out);
	assert_string_equal(sq_http_reason(299), "Unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_nul_is_refused_wherever_it_is),
		cmocka_unit_test(a_long_header_is_refused_at_its_limit),
		cmocka_unit_test(many_headers_are_refused),
		cmocka_unit_test(what_is_no_http_is_guessed),
		cmocka_unit_test(a_body_is_counted_as_sent),
		cmocka_unit_test(queries_are_taken_apart),
		cmocka_unit_test(answers_are_written_to_the_byte),
	};

	return RUN_TABLE("http/requests", rows, check) +
	       cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
