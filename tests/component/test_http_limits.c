/* What must not hurt: too much, broken on purpose, nowhere to put it. */
#include "tests/support/http_world.h"

#include <zlib.h>

#define POST(path, length) "POST " path " HTTP/1.1\r\nContent-Length: " #length "\r\n\r\n"

static void broken_requests_are_told_why_and_closed(void **state SQ_UNUSED)
{
	static const struct {
		const char *request, *status;
	} cases[] = {
		{ "hello\r\n\r\n", "HTTP/1.1 400 " },
		{ "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
		  "HTTP/1.1 400 " },
		{ "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 400 " },
		{ "GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n", "HTTP/1.1 400 " },
		{ "GET / HTTP/3.0\r\n\r\n", "HTTP/1.1 505 " },
	};
	struct http_world *h = http_new();

	world_start(&h->w);
	for (size_t i = 0; i < SQ_LEN(cases); i++) {
		int fd = http_dial(h);
		const char *answer;

		h->n = 0;
		http_say(h, fd, sq_sv_of(cases[i].request));
		answer = http_hear(h, fd);
		assert_starts(answer, cases[i].status);
		assert_non_null(strstr(answer, "Connection: close\r\n"));
		assert_starts(http_body(answer), "{\"error\":\"");
		assert_string_equal(http_hear(h, fd), "");
		close(fd);
	}
	assert_int_equal(h->w.counts.http_bad, SQ_LEN(cases));
	http_free(h);
}

/* A frame of zstd that asks for a window of 8 MiB, or for one of 128 KiB, and holds a line. */
#define ZSTD_LARGE "\x28\xb5\x2f\xfd\0\x68\x18\0\0{}\n"
#define ZSTD_SMALL "\x28\xb5\x2f\xfd\0\x38\x18\0\0{}\n"
#define ZSTD_END   "\x01\0\0"

static int begin_zstd(struct http_world *h, struct sq_sv frame)
{
	int fd = http_dial(h);

	http_say(h, fd,
	         SQ_SV("POST / HTTP/1.1\r\nContent-Length: 15\r\nContent-Encoding: zstd\r\n\r\n"));
	http_say(h, fd, frame);
	return fd;
}

static void end_zstd(struct http_world *h, int fd, const char *status)
{
	h->n = 0;
	http_say(h, fd, SQ_SV(ZSTD_END));
	assert_starts(http_hear(h, fd), status);
	close(fd);
}

/* A few bytes of zstd are a reason to reserve 8 MiB. */
static void what_zstd_remembers_is_bounded_for_all_bodies_together(void **state SQ_UNUSED)
{
	struct http_world *h = http_new();
	int a, b, c;

	h->w.cfg.http.max_unpacking = 16 << 20;
	world_start(&h->w);
	a = begin_zstd(h, SQ_SV(ZSTD_LARGE));
	b = begin_zstd(h, SQ_SV(ZSTD_LARGE));
	wait_records(&h->w, 2);
	c = begin_zstd(h, SQ_SV(ZSTD_LARGE));
	end_zstd(h, c, "HTTP/1.1 503 ");
	assert_int_equal(h->w.counts.http_over_unpacking, 1);
	/* A small one needs nothing of that. */
	c = begin_zstd(h, SQ_SV(ZSTD_SMALL));
	end_zstd(h, c, "HTTP/1.1 200 ");
	/* And what one gives back another may have, whichever way it ends. */
	end_zstd(h, a, "HTTP/1.1 200 ");
	close(b);
	for (int i = 0; i < 20; i++)
		http_turn(h);
	a = begin_zstd(h, SQ_SV(ZSTD_LARGE));
	b = begin_zstd(h, SQ_SV(ZSTD_LARGE));
	end_zstd(h, a, "HTTP/1.1 200 ");
	end_zstd(h, b, "HTTP/1.1 200 ");
	assert_int_equal(h->w.counts.http_over_unpacking, 1);
	assert_int_equal(h->w.counts.received, 5);
	http_free(h);
}

static void what_is_no_http_is_closed_with_a_word(void **state SQ_UNUSED)
{
	static const char *const cases[] = { "\x16\x03\x01\x02", "2W\1\1", "{\"a\":1}\n" };
	struct http_world *h = http_new();

	world_start(&h->w);
	for (size_t i = 0; i < SQ_LEN(cases); i++) {
		int fd = http_dial(h);

		http_say(h, fd, sq_sv_of(cases[i]));
		assert_string_equal(http_hear(h, fd), "");
		close(fd);
	}
	assert_int_equal(h->w.counts.connections_failed, SQ_LEN(cases));
	assert_int_equal(h->w.counts.http_bad, SQ_LEN(cases));
	assert_int_equal(h->w.d.n, 0);
	http_free(h);
}

static void long_heads_and_bodies_are_refused(void **state SQ_UNUSED)
{
	struct http_world *h = http_new();
	static char big[40000];

	h->w.cfg.http.max_body = 1024;
	world_start(&h->w);
	memset(big, 'x', sizeof(big));
	memcpy(big, "GET / HTTP/1.1\r\nX: ", 19);
	big[sizeof(big) - 1] = '\0';
	assert_starts(http_ask(h, big), "HTTP/1.1 431 ");
	memset(big, 'x', 1100);
	memcpy(big, POST("/", 1025), sizeof(POST("/", 1025)) - 1);
	big[sizeof(POST("/", 1025)) - 1 + 1025] = '\0';
	assert_starts(http_ask(h, big), "HTTP/1.1 413 ");
	assert_starts(http_ask(h, POST("/", 99999999999)), "HTTP/1.1 413 "); /* not waited for */
	assert_starts(http_ask(h, POST("/_bulk", 99999999999)), "HTTP/1.1 413 ");
	http_free(h);
}

static void chunks_without_end_are_refused_at_max_body(void **state SQ_UNUSED)
{
	struct http_world *h = http_new();
	int fd, i;

	h->w.cfg.http.max_body = 8 * 1024;
	world_start(&h->w);
	fd = http_dial(h);
	http_say(h, fd, SQ_SV("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"));
	for (i = 0; i < 100000 && !h->w.counts.http_too_large; i++)
		http_say(h, fd, SQ_SV("8\r\n{\"a\":1}\n\r\n")), http_turn(h);
	assert_in_range(i, 8 * 1024 / 13 - 1, 8 * 1024 / 13 + 5);
	http_say(h, fd, SQ_SV("0\r\n\r\n"));
	assert_starts(http_hear(h, fd), "HTTP/1.1 413 ");
	/* The rest was short: the connection lives. */
	http_say(h, fd, SQ_SV("GET / HTTP/1.1\r\n\r\n"));
	assert_starts(http_hear(h, fd), "HTTP/1.1 200 ");
	close(fd);
	http_free(h);
}

/* Nothing of this is body, and all of it costs. */
static void what_stands_around_chunks_is_bounded(void **state SQ_UNUSED)
{
	static const struct {
		const char *head;
		char fill;
	} cases[] = {
		{ "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;", 'x' },
		{ "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", '0' },
		{ "POST /nowhere HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;", 'x' },
		{ "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;", 'x' },
	};
	static char fill[4096];
	struct http_world *h = http_new();

	h->w.cfg.http.max_body = 16 * 1024;
	world_start(&h->w);
	for (size_t i = 0; i < SQ_LEN(cases); i++) {
		int fd = http_dial(h), n = 0;

		http_say(h, fd, sq_sv_of(cases[i].head));
		memset(fill, cases[i].fill, sizeof(fill));
		for (; n < 300 && h->w.counts.http_too_large + h->w.counts.http_bad <= i; n++)
			http_say(h, fd, (struct sq_sv){ fill, sizeof(fill) }), http_turn(h);
		for (; n < 300; n++) /* the rest of a refused one, which is read for a while */
			if (send(fd, fill, sizeof(fill), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
				break;
			else
				http_turn(h);
		assert_starts(http_hear(h, fd), "HTTP/1.1 4");
		close(fd);
	}
	assert_int_equal(h->w.d.n, 0);
	http_free(h);
}

/* Whoever asks something has little to say with it. */
static void questions_with_long_bodies_are_refused(void **state SQ_UNUSED)
{
	static const char *const paths[] = { "/_cat", "/_license", "/services/collector/health" };
	static char chunk[4096];
	struct http_world *h = http_new();

	world_start(&h->w);
	memset(chunk, 'x', sizeof(chunk));
	memcpy(chunk, "ff6\r\n", 5);
	memcpy(chunk + 5 + 0xff6, "\r\n", 3);
	for (size_t i = 0; i < SQ_LEN(paths); i++) {
		int fd = http_dial(h);
		char head[200];

		snprintf(head, sizeof(head),
		         "GET %s HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", paths[i]);
		http_say(h, fd, sq_sv_of(head));
		for (int n = 0; n < 300 && h->w.counts.http_too_large == 2 * i; n++)
			http_say(h, fd, sq_sv_of(chunk)), http_turn(h);
		assert_starts(http_hear(h, fd), "HTTP/1.1 413 ");
		close(fd);
		snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n",
		         paths[i]);
		assert_starts(http_ask(h, head), "HTTP/1.1 413 ");
		assert_int_equal(h->w.counts.http_too_large, 2 * i + 2);
	}
	http_free(h);
}

static size_t pack(const char *in, size_t n, char *out, size_t room)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in,
		       .avail_in = (uInt)n,
		       .next_out = (Bytef *)out,
		       .avail_out = (uInt)room };

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	(void)deflateEnd(&z);
	return z.total_out;
}

static const char *send_packed(struct http_world *h, struct sq_sv packed)
{
	int fd = http_dial(h);
	const char *answer;
	char head[200];

	snprintf(head, sizeof(head),
	         "POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
	         packed.n);
	h->n = 0;
	http_say(h, fd, sq_sv_of(head));
	http_say(h, fd, packed);
	answer = http_hear(h, fd);
	close(fd);
	return answer;
}

static void bombs_do_not_go_off(void **state SQ_UNUSED)
{
	enum { BIG = 4 * 1024 * 1024 };
	struct http_world *h = http_new();
	char *zeros = calloc(1, BIG), packed[16 * 1024];
	size_t n;

	memset(zeros, ' ', BIG);
	h->w.cfg.http.max_body = 1024 * 1024;
	h->w.cfg.http.max_ratio = 0;
	world_start(&h->w);
	n = pack(zeros, BIG, packed, sizeof(packed));
	assert_starts(send_packed(h, (struct sq_sv){ packed, n }), "HTTP/1.1 413 ");
	assert_int_equal(h->w.counts.http_too_large, 1);
	h->w.cfg.http.max_ratio = 100;
	n = pack(zeros, 512 * 1024, packed, sizeof(packed));
	assert_starts(send_packed(h, (struct sq_sv){ packed, n }), "HTTP/1.1 413 ");
	assert_int_equal(h->w.counts.http_too_large, 2);
	assert_int_equal(h->w.d.n, 0);
	free(zeros);
	http_free(h);
}

static void damaged_bodies_are_refused(void **state SQ_UNUSED)
{
	struct http_world *h = http_new();
	char packed[256];
	const char *answer;
	size_t n = pack("{\"a\":1}\n", 8, packed, sizeof(packed));

	world_start(&h->w);
	answer = send_packed(h, (struct sq_sv){ packed, n - 3 });
	assert_string_equal(http_body(answer), "{\"error\":\"the compressed body is cut off\"}");
	memcpy(packed + n, "garbage", 7);
	assert_starts(send_packed(h, (struct sq_sv){ packed, n + 7 }), "HTTP/1.1 400 ");
	packed[n - 5] ^= 1; /* the checksum */
	assert_starts(send_packed(h, (struct sq_sv){ packed, n }), "HTTP/1.1 400 ");
	assert_starts(send_packed(h, (struct sq_sv){ packed, 0 }), "HTTP/1.1 200 ");
	assert_int_equal(h->w.counts.http_bad, 3);
	http_free(h);
}

/* ---- nowhere to put it ------------------------------------------------------------------- */

static void new_requests_are_told_to_come_again(void **state SQ_UNUSED)
{
	struct http_world *h = http_new();
	unsigned batches = h->w.d.free;
	const char *answer;
	int fd;

	h->settles = false;
	h->w.cfg.http.busy_after = 50;
	world_start(&h->w);
	h->w.d.free = 0;
	fd = http_dial(h);
	http_say(h, fd, SQ_SV(POST("/", 8) "{\"a\":1}\n"));
	http_silence(h, fd);
	for (int i = 0; i < 60; i++) {
		http_turn(h);
		(void)poll(NULL, 0, 1);
	}
	answer = http_ask(h, POST("/", 8) "{\"b\":2}\n");
	assert_starts(answer, "HTTP/1.1 429 ");
	assert_non_null(strstr(answer, "Retry-After: 5\r\n"));
	answer = http_ask(h, POST("/_bulk", 8) "{\"b\":2}\n");
	assert_starts(answer, "HTTP/1.1 429 ");
	assert_non_null(strstr(answer, "es_rejected_execution_exception"));
	assert_string_equal(http_body(http_ask(h, POST("/services/collector", 11) "{\"event\":1}")),
	                    "{\"text\":\"Server is busy\",\"code\":9}");
	assert_starts(http_ask(h, "GET /services/collector/health HTTP/1.1\r\n\r\n"),
	              "HTTP/1.1 503 ");
	assert_starts(http_ask(h, "GET / HTTP/1.1\r\n\r\n"),
	              "HTTP/1.1 200 "); /* questions need no batch */
	assert_int_equal(h->w.counts.http_busy, 3);
	assert_int_equal(h->w.counts.received, 0);
	h->w.d.free = batches;
	h->settles = true;
	h->n = 0;
	assert_string_equal(http_body(http_hear(h, fd)), "{\"received\":1}");
	assert_string_equal(http_body(http_ask(h, POST("/", 8) "{\"b\":2}\n")), "{\"received\":1}");
	assert_int_equal(h->w.d.n, 2);
	close(fd);
	http_free(h);
}

/* A batch at a time becomes free: everything gets through, in order, of all kinds of bodies. */
static void requests_go_on_as_batches_become_free(void **state SQ_UNUSED)
{
	enum { RECORDS = 200, SIZE = 1000 };
	struct http_world *h = http_new();
	static char all[RECORDS * SIZE + 1], packed[RECORDS * SIZE], head[256];
	size_t n;

	memset(all, 'x', sizeof(all) - 1);
	for (size_t i = 0; i < RECORDS; i++) {
		char *at = all + i * SIZE;

		at[snprintf(at, 64, "{\"n\":%zu,\"x\":\"", i)] = 'x';
		memcpy(at + SIZE - 3, "\"}\n", 3);
	}
	assert_int_equal(strlen(all), RECORDS * SIZE);
	n = pack(all, RECORDS * SIZE, packed, sizeof(packed));
	h->w.d.limits.records = 16;
	h->w.cfg.http.max_ratio = 0;
	world_start(&h->w);
	for (int kind = 0; kind < 3; kind++) {
		int fd = http_dial(h);
		struct sq_sv body = { kind == 2 ? packed : all, kind == 2 ? n : RECORDS * SIZE };

		h->w.d.free = 1;
		h->n = 0;
		snprintf(head, sizeof(head), "POST / HTTP/1.1\r\n%s%s%zu\r\n\r\n",
		         kind == 2 ? "Content-Encoding: gzip\r\n" : "",
		         kind == 1 ? "Transfer-Encoding: chunked\r\nX: " : "Content-Length: ",
		         body.n);
		http_say(h, fd, sq_sv_of(head));
		if (kind == 1) {
			snprintf(head, sizeof(head), "%zx\r\n", body.n);
			http_say(h, fd, sq_sv_of(head));
		}
		http_say(h, fd, body);
		if (kind == 1)
			http_say(h, fd, SQ_SV("\r\n0\r\n\r\n"));
		http_say(h, fd, SQ_SV("GET / HTTP/1.1\r\n\r\n"));
		assert_string_equal(http_body(http_hear(h, fd)), "{\"received\":200}");
		assert_starts(http_hear(h, fd), "HTTP/1.1 200 ");
		assert_int_equal(h->w.d.n, RECORDS);
		for (int i = 0; i < RECORDS; i++)
			assert_memory_equal(h->w.d.records[i], all + (size_t)i * SIZE, SIZE - 1);
		fake_dispatch_forget(&h->w.d);
		close(fd);
	}
	h->w.d.free = FAKE_BATCHES;
	http_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_zstd_remembers_is_bounded_for_all_bodies_together),
		cmocka_unit_test(broken_requests_are_told_why_and_closed),
		cmocka_unit_test(what_is_no_http_is_closed_with_a_word),
		cmocka_unit_test(long_heads_and_bodies_are_refused),
		cmocka_unit_test(chunks_without_end_are_refused_at_max_body),
		cmocka_unit_test(what_stands_around_chunks_is_bounded),
		cmocka_unit_test(questions_with_long_bodies_are_refused),
		cmocka_unit_test(bombs_do_not_go_off),
		cmocka_unit_test(damaged_bodies_are_refused),
		cmocka_unit_test(new_requests_are_told_to_come_again),
		cmocka_unit_test(requests_go_on_as_batches_become_free),
	};

	return cmocka_run_group_tests_name("http/limits", tests, NULL, NULL);
}
