/* Requests of every kind over real sockets: records, answers, and when they come. */
#include "tests/support/http_world.h"

#include <sys/stat.h>
#include <zlib.h>

static char *gzip(struct sq_sv in, size_t *ret_n)
{
	char *out = malloc(in.n + 1024);
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in.p,
		       .avail_in = (uInt)in.n,
		       .next_out = (Bytef *)out,
		       .avail_out = (uInt)(in.n + 1024) };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	*ret_n = z.total_out;
	(void)deflateEnd(&z);
	return out;
}

struct row {
	const char *name;
	const char *head; /* without Content-Length */
	const char *body;
	const char *status, *answer;
	const char *records[4];
	bool packed, chunked;
};

/* clang-format off */
static struct row rows[] = {
	{ "lines", "POST /events HTTP/1.1\r\n", "{\"a\":1}\n{\"b\":2}\n", "200", "{\"received\":2}",
	  { "{\"a\":1}", "{\"b\":2}" } },
	{ "the last line without its end", "PUT / HTTP/1.1\r\n", "{\"a\":1}\n{\"b\":2}", "200", "{\"received\":2}",
	  { "{\"a\":1}", "{\"b\":2}" } },
	{ "an array", "POST / HTTP/1.1\r\n", "[{\"a\":1},\n {\"b\":2}]", "200", "{\"received\":2}",
	  { "{\"a\":1}", "{\"b\":2}" } },
	{ "one pretty object", "POST / HTTP/1.1\r\nContent-Type: text/plain\r\n", "{\n  \"a\": 1\n}", "200", "{\"received\":1}",
	  { "{\n  \"a\": 1\n}" } },
	{ "syslog", "POST / HTTP/1.1\r\n", "<14>Jan  1 00:00:00 h x: {\"a\":1}\n", "200", "{\"received\":1}",
	  { "<14>Jan  1 00:00:00 h x: {\"a\":1}" } },
	{ "a bad one among good ones", "POST / HTTP/1.1\r\n", "{\"a\":1}\nhello\n{\"b\":2}\n", "200", "{\"received\":3}",
	  { "{\"a\":1}", "hello", "{\"b\":2}" } },
	{ "nothing", "POST / HTTP/1.1\r\n", "", "200", "{\"received\":0}", { 0 } },
	{ "chunks", "POST /events HTTP/1.1\r\n", "{\"a\":1}\n{\"b\":2}\n", "200", "{\"received\":2}",
	  { "{\"a\":1}", "{\"b\":2}" }, .chunked = true },
	{ "gzip", "POST /events HTTP/1.1\r\nContent-Encoding: gzip\r\n", "{\"a\":1}\n{\"b\":2}\n", "200", "{\"received\":2}",
	  { "{\"a\":1}", "{\"b\":2}" }, .packed = true },
	{ "gzip in chunks", "POST /events HTTP/1.1\r\nContent-Encoding: x-gzip\r\n", "{\"a\":1}\n", "200", "{\"received\":1}",
	  { "{\"a\":1}" }, .packed = true, .chunked = true },
	{ "bulk", "POST /_bulk?filter_path=errors%2Citems.%2A.error%2Citems.%2A.status HTTP/1.1\r\n",
	  "{\"create\":{\"_index\":\"w\"}}\n{\"a\":1}\n{\"create\":{\"_index\":\"w\"}}\n{\"b\":2}\n", "200",
	  "{\"errors\":false,\"items\":[{\"create\":{\"status\":201}},{\"create\":{\"status\":201}}]}",
	  { "{\"a\":1}", "{\"b\":2}" } },
	{ "bulk of an index, packed", "POST /w/_bulk?filter_path=items.*.status HTTP/1.1\r\nContent-Encoding: gzip\r\n",
	  "{\"index\":{}}\n{\"a\":1}\n{\"delete\":{\"_id\":\"1\"}}\n", "200",
	  "{\"errors\":false,\"items\":[{\"index\":{\"status\":201}},{\"delete\":{\"status\":200}}]}", { "{\"a\":1}" },
	  .packed = true },
	{ "bulk that is none", "POST /_bulk HTTP/1.1\r\n", "hello\n", "400",
	  "{\"error\":{\"root_cause\":[{\"type\":\"illegal_argument_exception\",\"reason\":\"Malformed action/metadata line, "
	  "expected START_OBJECT\"}],\"type\":\"illegal_argument_exception\",\"reason\":\"Malformed action/metadata line, "
	  "expected START_OBJECT\"},\"status\":400}", { 0 } },
	{ "an empty bulk", "POST /_bulk HTTP/1.1\r\n", "", "400",
	  "{\"error\":{\"root_cause\":[{\"type\":\"parse_exception\",\"reason\":\"request body is required\"}],"
	  "\"type\":\"parse_exception\",\"reason\":\"request body is required\"},\"status\":400}", { 0 } },
	{ "HEC", "POST /services/collector/event HTTP/1.1\r\n", "{\"event\":{\"a\":1}}{\"event\":\"x\"}", "200",
	  "{\"text\":\"Success\",\"code\":0}", { "{\"event\":{\"a\":1}}", "{\"event\":\"x\"}" } },
	{ "HEC without event", "POST /services/collector HTTP/1.1\r\n", "{\"event\":1}\n{\"a\":1}\n", "400",
	  "{\"text\":\"Event field is required\",\"code\":12,\"invalid-event-number\":1}", { "{\"event\":1}", "{\"a\":1}" } },
	{ "HEC without anything", "POST /services/collector HTTP/1.1\r\n", "", "400", "{\"text\":\"No data\",\"code\":5}", { 0 } },
	{ "HEC raw", "POST /services/collector/raw HTTP/1.1\r\n", "{\"a\":1}\nhello\n", "200",
	  "{\"text\":\"Success\",\"code\":0}", { "{\"a\":1}", "hello" } },
	{ "HEC health", "GET /services/collector/health HTTP/1.1\r\n", "", "200", "{\"text\":\"HEC is healthy\",\"code\":17}", { 0 } },
	{ "HEC acks that are off", "POST /services/collector/ack HTTP/1.1\r\n", "{\"acks\":[0]}", "400",
	  "{\"text\":\"ACK is disabled\",\"code\":14}", { 0 } },
	{ "no such path", "POST /event HTTP/1.1\r\n", "{\"a\":1}\n", "404", "{\"error\":\"no such path\"}", { 0 } },
	{ "a question that brings events", "GET / HTTP/1.1\r\n", "{\"a\":1}\n", "400",
	  "{\"error\":{\"root_cause\":[{\"type\":\"illegal_argument_exception\",\"reason\":\"this question has no body; "
	  "send events by POST\"}],\"type\":\"illegal_argument_exception\",\"reason\":\"this question has no body; send "
	  "events by POST\"},\"status\":400}", { 0 } },
	{ "another method", "GET /events HTTP/1.1\r\n", "", "405", "{\"error\":\"this path does not know the method\"}", { 0 } },
	{ "multipart", "POST / HTTP/1.1\r\nContent-Type: multipart/mixed; boundary=x\r\n", "--x\r\n\r\n{}\r\n--x--\r\n", "415",
	  "{\"error\":\"multipart bodies are not read; send one record a line\"}", { 0 } },
	{ "an encoding of others", "POST / HTTP/1.1\r\nContent-Encoding: br\r\n", "{}", "415",
	  "{\"error\":\"Content-Encoding is none of gzip, deflate, zstd\"}", { 0 } },
	{ "gzip that is none", "POST / HTTP/1.1\r\nContent-Encoding: gzip\r\n", "{\"a\":1}\n", "400", NULL, { 0 } },
	{ "UTF-16", "POST / HTTP/1.1\r\n", "\xff\xfe{ }", "400",
	  "{\"error\":\"the body is UTF-16; records are read as UTF-8\"}", { 0 } },
	{ "a pipeline of Elasticsearch", "PUT /_ingest/pipeline/x HTTP/1.1\r\n", "{\"processors\":[]}", "200",
	  "{\"acknowledged\":true}", { 0 } },
};
/* clang-format on */

/* The request as it is sent. */
static char *write_request(const struct row *row, size_t *ret_n)
{
	struct sq_sv body = sq_sv_of(row->body);
	char *packed = NULL, *to = malloc(8192);
	size_t n;

	if (row->packed) {
		packed = gzip(body, &n);
		body = (struct sq_sv){ packed, n };
	}
	if (row->chunked) {
		n = (size_t)snprintf(to, 4096, "%sTransfer-Encoding: chunked\r\n\r\n", row->head);
		for (size_t i = 0; i < body.n; i += 5) {
			size_t more = body.n - i < 5 ? body.n - i : 5;

			n += (size_t)snprintf(to + n, 64, "%zx\r\n", more);
			memcpy(to + n, body.p + i, more);
			memcpy(to + n + more, "\r\n", 2);
			n += more + 2;
		}
		n += (size_t)snprintf(to + n, 64, "0\r\n\r\n");
	} else {
		n = (size_t)snprintf(to, 4096, "%sContent-Length: %zu\r\n\r\n", row->head, body.n);
		memcpy(to + n, body.p, body.n);
		n += body.n;
	}
	free(packed);
	*ret_n = n;
	return to;
}

static void check_cut(struct http_world *h, const struct row *row, int fd, struct sq_sv request,
                      size_t cut)
{
	char begin[64];
	const char *answer;
	unsigned n = 0;

	http_say(h, fd, sq_sv_first(request, cut));
	http_turn(h);
	http_turn(h);
	http_say(h, fd, sq_sv_skip(request, cut));
	answer = http_hear(h, fd);
	snprintf(begin, sizeof(begin), "HTTP/1.1 %s ", row->status);
	assert_starts(answer, begin);
	if (row->answer)
		assert_string_equal(http_body(answer), row->answer);
	while (n < SQ_LEN(row->records) && row->records[n])
		n++;
	assert_int_equal(h->w.d.n, n);
	for (unsigned i = 0; i < n; i++)
		assert_string_equal(h->w.d.records[i], row->records[i]);
	fake_dispatch_forget(&h->w.d);
}

/* All on one connection, unless it is closed by the answer. */
static void check(void **state)
{
	const struct row *row = *state;
	struct http_world *h = calloc(1, sizeof(*h));
	size_t n;
	char *request = write_request(row, &n);
	int fd;

	http_make(h);
	world_start(&h->w);
	fd = http_dial(h);
	for (size_t cut = 1; cut <= n; cut++)
		check_cut(h, row, fd, (struct sq_sv){ request, n }, cut);
	close(fd);
	assert_int_equal(h->w.counts.connections, 1);
	assert_int_equal(h->w.counts.http_requests, n);
	world_end(&h->w);
	free(request);
	free(h);
}

#define POST(path, length) "POST " path " HTTP/1.1\r\nContent-Length: " #length "\r\n\r\n"

static void it_answers_when_all_is_settled(void **state SQ_UNUSED)
{
	struct http_world *h = calloc(1, sizeof(*h));
	int fd;

	http_make(h);
	h->settles = false;
	world_start(&h->w);
	fd = http_dial(h);
	http_say(h, fd, SQ_SV(POST("/", 16) "{\"a\":1}\n{\"b\":2}\n"));
	http_silence(h, fd);
	http_settle(h);
	assert_starts(http_hear(h, fd), "HTTP/1.1 200 ");
	assert_int_equal(h->w.d.n, 2);
	close(fd);
	world_end(&h->w);
	free(h);
}

static void requests_after_each_other_are_answered_in_order(void **state SQ_UNUSED)
{
	struct http_world *h = calloc(1, sizeof(*h));
	int fd;

	http_make(h);
	h->settles = false;
	world_start(&h->w);
	fd = http_dial(h);
	http_say(h, fd,
	         SQ_SV(POST("/", 8) "{\"a\":1}\n" POST(
			 "/_bulk", 21) "{\"index\":{}}\n{\"b\":2}\n"
	                               "GET / HTTP/1.1\r\n\r\n" POST("/nope",
	                                                             1) "x" POST("/",
	                                                                         8) "{\"c\":3}\n"));
	http_silence(h, fd);
	http_settle(h);
	assert_string_equal(http_body(http_hear(h, fd)), "{\"received\":1}");
	http_silence(h, fd); /* the second is not settled */
	assert_int_equal(h->w.d.n, 1);
	h->settles = true;
	assert_non_null(strstr(http_hear(h, fd), "\"errors\":false"));
	assert_non_null(strstr(http_hear(h, fd), "tagline"));
	assert_starts(http_hear(h, fd), "HTTP/1.1 404 ");
	assert_string_equal(http_body(http_hear(h, fd)), "{\"received\":1}");
	assert_int_equal(h->w.d.n, 3);
	assert_string_equal(h->w.d.records[2], "{\"c\":3}");
	close(fd);
	world_end(&h->w);
	free(h);
}

static char *many_records(unsigned records, size_t size)
{
	char *all = malloc(records * size + 1);

	for (unsigned i = 0; i < records; i++) {
		char *at = all + i * size;

		memset(at, 'x', size);
		at[snprintf(at, 32, "{\"n\":%u,\"x\":\"", i)] = 'x';
		memcpy(at + size - 3, "\"}\n", 3);
	}
	all[records * size] = '\0';
	return all;
}

static void check_many(struct http_world *h, unsigned records, size_t size)
{
	char begin[32];

	assert_int_equal(h->w.d.n, records);
	for (unsigned i = 0; i < records; i++) {
		snprintf(begin, sizeof(begin), "{\"n\":%u,\"x\":\"x", i);
		assert_starts(h->w.d.records[i], begin);
		assert_int_equal(h->w.d.lengths[i], size - 1);
	}
	fake_dispatch_forget(&h->w.d);
}

/* Read straight into batches, through chunks and unpacked: the same records. */
static void a_long_body_fills_many_batches(void **state SQ_UNUSED)
{
	enum { RECORDS = 700, SIZE = 1500 };
	struct http_world *h = calloc(1, sizeof(*h));
	char *all = many_records(RECORDS, SIZE), head[256];
	struct sq_sv body = { all, (size_t)RECORDS * SIZE };
	size_t n_packed;
	char *packed = gzip(body, &n_packed);
	int fd;

	http_make(h);
	world_start(&h->w);
	fd = http_dial(h);
	snprintf(head, sizeof(head), "POST /events HTTP/1.1\r\nContent-Length: %zu\r\n\r\n",
	         body.n);
	http_say(h, fd, sq_sv_of(head));
	http_say(h, fd, body);
	assert_string_equal(http_body(http_hear(h, fd)), "{\"received\":700}");
	check_many(h, RECORDS, SIZE);

	snprintf(head, sizeof(head),
	         "POST /events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n", body.n);
	http_say(h, fd, sq_sv_of(head));
	http_say(h, fd, body);
	http_say(h, fd, SQ_SV("\r\n0\r\n\r\n"));
	assert_string_equal(http_body(http_hear(h, fd)), "{\"received\":700}");
	check_many(h, RECORDS, SIZE);

	snprintf(head, sizeof(head),
	         "POST /events HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
	         n_packed);
	h->w.cfg.http.max_ratio = 0;
	http_say(h, fd, sq_sv_of(head));
	http_say(h, fd, (struct sq_sv){ packed, n_packed });
	assert_string_equal(http_body(http_hear(h, fd)), "{\"received\":700}");
	check_many(h, RECORDS, SIZE);
	close(fd);
	world_end(&h->w);
	free(all);
	free(packed);
	free(h);
}

static void a_peer_that_ends_its_stream_is_answered(void **state SQ_UNUSED)
{
	struct http_world *h = calloc(1, sizeof(*h));
	int fd;

	http_make(h);
	h->settles = false;
	world_start(&h->w);
	fd = http_dial(h);
	http_say(h, fd, SQ_SV(POST("/", 8) "{\"a\":1}\n" POST("/", 8) "{\"b\":2}\n"));
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	http_silence(h, fd);
	h->settles = true;
	assert_starts(http_hear(h, fd), "HTTP/1.1 200 ");
	assert_starts(http_hear(h, fd), "HTTP/1.1 200 ");
	assert_string_equal(http_hear(h, fd), "");
	close(fd);
	assert_int_equal(h->w.counts.connections_failed, 0);
	world_end(&h->w);
	free(h);
}

/* What is behind such a head is no request: the answer ends the connection. */
static void a_body_without_a_length_is_refused(void **state SQ_UNUSED)
{
	static const char *const heads[] = {
		"POST /events HTTP/1.1\r\n\r\n{\"a\":1}\n",
		"PUT /_bulk HTTP/1.1\r\n\r\n{\"create\":{}}\n{\"a\":1}\n",
		"POST /services/collector HTTP/1.0\r\nConnection: keep-alive\r\n\r\n{\"event\":1}\n",
	};
	struct http_world *h = calloc(1, sizeof(*h));

	http_make(h);
	world_start(&h->w);
	for (size_t i = 0; i < SQ_LEN(heads); i++) {
		int fd = http_dial(h);
		const char *answer;

		http_say(h, fd, sq_sv_of(heads[i]));
		answer = http_hear(h, fd);
		assert_starts(answer, "HTTP/1.1 411 Length Required\r\n");
		assert_non_null(strstr(answer, "Connection: close\r\n"));
		assert_string_equal(http_hear(h, fd), "");
		close(fd);
		assert_int_equal(h->w.counts.http_bad, i + 1);
	}
	assert_int_equal(h->w.counts.received, 0);
	assert_starts(http_ask(h, POST("/events", 0)), "HTTP/1.1 200 ");
	world_end(&h->w);
	free(h);
}

static void who_asks_to_close_is_closed(void **state SQ_UNUSED)
{
	struct http_world *h = calloc(1, sizeof(*h));
	const char *answer;
	int fd;

	http_make(h);
	world_start(&h->w);
	for (int old = 0; old < 2; old++) {
		fd = http_dial(h);
		http_say(h, fd,
		         old ? SQ_SV("GET / HTTP/1.0\r\n\r\n")
		             : SQ_SV("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"));
		answer = http_hear(h, fd);
		assert_starts(answer, "HTTP/1.1 200 ");
		assert_non_null(strstr(answer, "Connection: close\r\n"));
		assert_string_equal(http_hear(h, fd), "");
		close(fd);
	}
	fd = http_dial(h);
	http_say(h, fd, SQ_SV("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
	assert_non_null(strstr(http_hear(h, fd), "Connection: keep-alive\r\n"));
	http_say(h, fd, SQ_SV("HEAD / HTTP/1.1\r\n\r\n"));
	h->n = 0;
	for (int i = 0; i < 100 && !h->n; i++) {
		ssize_t r;

		http_turn(h);
		r = recv(fd, h->answer, sizeof(h->answer), 0);
		h->n = r > 0 ? (size_t)r : 0;
	}
	assert_memory_equal(h->answer + h->n - 4, "\r\n\r\n", 4); /* a length, but no body */
	close(fd);
	world_end(&h->w);
	free(h);
}

static void leave_to_send_is_given(void **state SQ_UNUSED)
{
	struct http_world *h = calloc(1, sizeof(*h));
	int fd;

	http_make(h);
	world_start(&h->w);
	fd = http_dial(h);
	http_say(h, fd,
	         SQ_SV("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n"));
	assert_string_equal(http_hear(h, fd), "HTTP/1.1 100 Continue\r\n\r\n");
	http_say(h, fd, SQ_SV("{\"a\":1}\n"));
	assert_starts(http_hear(h, fd), "HTTP/1.1 200 ");
	/* And refused before anything is sent. */
	http_say(h, fd,
	         SQ_SV("POST /nope HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n"));
	assert_starts(http_hear(h, fd), "HTTP/1.1 404 ");
	assert_string_equal(http_hear(h, fd), "");
	close(fd);
	world_end(&h->w);
	free(h);
}

/* ---- names and secrets ------------------------------------------------------------------- */

static char *write_file(const char *name, const char *text, mode_t mode)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/squiblyd-test-%d-%s", (int)getpid(), name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
	return strdup(path);
}

static void only_who_is_known_may_send(void **state SQ_UNUSED)
{
	struct http_world *h = calloc(1, sizeof(*h));
	char *tokens = write_file("tokens", "beats:s3cret\n", 0600), *path;
	const char *answer;

	http_make(h);
	h->w.cfg.http.tokens_file = tokens;
	world_start(&h->w);
	answer = http_ask(h, POST("/", 8) "{\"a\":1}\n");
	assert_starts(answer, "HTTP/1.1 401 ");
	assert_non_null(strstr(answer, "WWW-Authenticate: Bearer realm="));
	assert_string_equal(http_body(answer), "{\"error\":\"no token or password was shown\"}");
	assert_starts(
		http_ask(h,
	                 "POST / HTTP/1.1\r\nAuthorization: Bearer x\r\nContent-Length: 0\r\n\r\n"),
		"HTTP/1.1 401 ");
	assert_starts(http_ask(h, "GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 401 ");
	assert_starts(http_ask(h, "GET /nope HTTP/1.1\r\n\r\n"), "HTTP/1.1 401 ");
	answer = http_ask(h, POST("/services/collector", 0));
	assert_string_equal(http_body(answer), "{\"text\":\"Token is required\",\"code\":2}");
	answer = http_ask(
		h,
		"POST /services/collector HTTP/1.1\r\nAuthorization: Splunk x\r\nContent-Length: 0\r\n\r\n");
	assert_starts(answer, "HTTP/1.1 403 ");
	assert_string_equal(http_body(answer), "{\"text\":\"Invalid token\",\"code\":4}");
	assert_starts(http_ask(h, "GET /services/collector/health HTTP/1.1\r\n\r\n"),
	              "HTTP/1.1 200 ");
	assert_int_equal(h->w.counts.http_unauthorized, 6);
	assert_int_equal(h->w.d.n, 0);
	h->settles = false;
	{
		int fd = http_dial(h);
		const struct sq_batch *b;

		http_say(
			h, fd,
			SQ_SV("POST / HTTP/1.1\r\nAuthorization: Bearer s3cret\r\nContent-Length: 8\r\n\r\n"
		              "{\"a\":1}\n"));
		http_silence(h, fd);
		b = h->w.d.open;
		assert_non_null(b);
		assert_int_equal(b->n_origins, 1);
		assert_string_equal(((struct sqd_receipt *)b->origins[0].receipt)->identity->user,
		                    "beats");
		assert_true(((struct sqd_receipt *)b->origins[0].receipt)->until_sent);
		h->settles = true;
		assert_starts(http_hear(h, fd), "HTTP/1.1 200 ");
		close(fd);
	}
	/* Read again; a broken file changes nothing. */
	path = write_file("tokens", "beats:other\n", 0600);
	h->w.in->ops->reload(h->w.in);
	assert_starts(http_ask(h, "GET / HTTP/1.1\r\nAuthorization: Bearer s3cret\r\n\r\n"),
	              "HTTP/1.1 401 ");
	assert_starts(http_ask(h, "GET / HTTP/1.1\r\nAuthorization: Bearer other\r\n\r\n"),
	              "HTTP/1.1 200 ");
	free(path);
	path = write_file("tokens", "nonsense\n", 0600);
	h->w.in->ops->reload(h->w.in);
	assert_starts(http_ask(h, "GET / HTTP/1.1\r\nAuthorization: Bearer other\r\n\r\n"),
	              "HTTP/1.1 200 ");
	unlink(path);
	free(path);
	world_end(&h->w);
	free(h);
}

static void files_that_cannot_be_read_are_told_at_the_start(void **state SQ_UNUSED)
{
	struct http_world *h = calloc(1, sizeof(*h));
	struct sq_err err = { 0 };

	http_make(h);
	h->w.cfg.http.users_file = strdup("/nonexistent/users");
	assert_true(h->w.in->ops->start(h->w.in, &err) < 0);
	assert_non_null(strstr(err.text, "/nonexistent/users"));
	world_end(&h->w);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_answers_when_all_is_settled),
		cmocka_unit_test(requests_after_each_other_are_answered_in_order),
		cmocka_unit_test(a_long_body_fills_many_batches),
		cmocka_unit_test(a_peer_that_ends_its_stream_is_answered),
		cmocka_unit_test(a_body_without_a_length_is_refused),
		cmocka_unit_test(who_asks_to_close_is_closed),
		cmocka_unit_test(leave_to_send_is_given),
		cmocka_unit_test(only_who_is_known_may_send),
		cmocka_unit_test(files_that_cannot_be_read_are_told_at_the_start),
	};

	return RUN_TABLE("http/requests", rows, check) +
	       cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
