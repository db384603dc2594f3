/* Acks of Splunk's event collector: what is settled, and for whom it is kept. */
#include "tests/support/http_world.h"

#define POST(path, length) "POST " path " HTTP/1.1\r\nContent-Length: " #length "\r\n\r\n"

static const char *ask_acks(struct http_world *h, const char *ids)
{
	char request[512];

	snprintf(
		request, sizeof(request),
		"POST /services/collector/ack?channel=C-1 HTTP/1.1\r\nContent-Length: %zu\r\n\r\n%s",
		strlen(ids), ids);
	return http_body(http_ask(h, request));
}

#define HEC                                                                                        \
	"POST /services/collector HTTP/1.1\r\nX-Splunk-Request-Channel: C-1\r\n"                   \
	"Content-Length: 11\r\n\r\n{\"event\":1}"

static void acks_tell_what_is_settled(void **state SQ_UNUSED)
{
	struct http_world *h = calloc(1, sizeof(*h));

	http_make(h);
	h->w.cfg.http.hec_acks = true;
	h->settles = false;
	world_start(&h->w);
	assert_string_equal(http_body(http_ask(h, HEC)),
	                    "{\"text\":\"Success\",\"code\":0,\"ackId\":0}");
	assert_string_equal(http_body(http_ask(h, HEC)),
	                    "{\"text\":\"Success\",\"code\":0,\"ackId\":1}");
	assert_string_equal(ask_acks(h, "{\"acks\":[0,1,2]}"),
	                    "{\"acks\":{\"0\":false,\"1\":false,\"2\":false}}");
	http_settle(h);
	assert_string_equal(ask_acks(h, "{\"acks\":[1,2,0]}"),
	                    "{\"acks\":{\"1\":true,\"2\":false,\"0\":true}}");
	assert_string_equal(http_body(http_ask(h, HEC)),
	                    "{\"text\":\"Success\",\"code\":0,\"ackId\":2}");
	assert_string_equal(ask_acks(h, "{\"acks\":[1,2]}"), "{\"acks\":{\"1\":true,\"2\":false}}");
	assert_string_equal(ask_acks(h, "nonsense"),
	                    "{\"text\":\"Invalid data format\",\"code\":6}");
	assert_string_equal(http_body(http_ask(h, POST("/services/collector", 11) "{\"event\":1}")),
	                    "{\"text\":\"Data channel is missing\",\"code\":10}");
	assert_string_equal(http_body(http_ask(h,
	                                       "POST /services/collector?channel=a%20b HTTP/1.1\r\n"
	                                       "Content-Length: 11\r\n\r\n{\"event\":1}")),
	                    "{\"text\":\"Invalid data channel\",\"code\":11}");
	http_settle(h);
	world_end(&h->w);
	free(h);
}

static void channels_are_bounded(void **state SQ_UNUSED)
{
	struct http_world *h = calloc(1, sizeof(*h));

	http_make(h);
	h->w.cfg.http.hec_acks = true;
	h->w.cfg.http.hec_channels = 1;
	h->settles = false;
	world_start(&h->w);
	assert_starts(http_ask(h, HEC), "HTTP/1.1 200 ");
	assert_string_equal(http_body(http_ask(h,
	                                       "POST /services/collector?channel=C-2 HTTP/1.1\r\n"
	                                       "Content-Length: 11\r\n\r\n{\"event\":1}")),
	                    "{\"text\":\"Server is busy\",\"code\":9}");
	assert_int_equal(h->w.counts.http_busy, 1);
	http_settle(h);
	/* Nobody waits for the first any more. */
	assert_starts(
		http_ask(
			h,
			"POST /services/collector?channel=C-2 HTTP/1.1\r\nContent-Length: 11\r\n\r\n"
			"{\"event\":1}"),
		"HTTP/1.1 200 ");
	assert_string_equal(ask_acks(h, "{\"acks\":[0]}"), "{\"acks\":{\"0\":false}}");
	http_settle(h);
	world_end(&h->w);
	free(h);
}

#define OTHER                                                                                      \
	"POST /services/collector?channel=C-2 HTTP/1.1\r\nContent-Length: 11\r\n\r\n{\"event\":1}"

static void a_request_on_its_way_keeps_its_channel(void **state SQ_UNUSED)
{
	struct http_world *h = calloc(1, sizeof(*h));
	int fd;

	http_make(h);
	h->w.cfg.http.hec_acks = true;
	h->w.cfg.http.hec_channels = 1;
	world_start(&h->w);
	fd = http_dial(h);
	http_say(h, fd, sq_sv_first(SQ_SV(HEC), sizeof(HEC) - 4));
	http_silence(h, fd);
	assert_starts(http_ask(h, OTHER), "HTTP/1.1 503 ");
	http_say(h, fd, sq_sv_skip(SQ_SV(HEC), sizeof(HEC) - 4));
	assert_string_equal(http_body(http_hear(h, fd)),
	                    "{\"text\":\"Success\",\"code\":0,\"ackId\":0}");
	http_settle(h);
	assert_string_equal(ask_acks(h, "{\"acks\":[0]}"), "{\"acks\":{\"0\":true}}");
	/* One that is broken off gives it up. */
	http_say(h, fd, sq_sv_first(SQ_SV(HEC), sizeof(HEC) - 4));
	http_silence(h, fd);
	close(fd);
	while (h->w.counts.http_bad + h->w.counts.connections_failed == 0)
		http_turn(h);
	assert_starts(http_ask(h, OTHER), "HTTP/1.1 200 ");
	http_settle(h);
	world_end(&h->w);
	free(h);
}

/* Its end could not be told: the question would be taken for the next request. */
static void a_question_without_a_length_ends_the_connection(void **state SQ_UNUSED)
{
	struct http_world *h = calloc(1, sizeof(*h));
	const char *answer;
	int fd;

	http_make(h);
	h->w.cfg.http.hec_acks = true;
	world_start(&h->w);
	fd = http_dial(h);
	http_say(h, fd,
	         SQ_SV("POST /services/collector/ack?channel=C-1 HTTP/1.1\r\n\r\n{\"acks\":[0]}"));
	answer = http_hear(h, fd);
	assert_starts(answer, "HTTP/1.1 411 ");
	assert_string_equal(http_body(answer), "{\"text\":\"Invalid data format\",\"code\":6}");
	assert_string_equal(http_hear(h, fd), "");
	close(fd);
	assert_int_equal(h->w.counts.http_bad, 1);
	assert_starts(
		http_ask(h, "POST /services/collector/ack?channel=C-1 HTTP/1.1\r\n"
	                    "Transfer-Encoding: chunked\r\n\r\nc\r\n{\"acks\":[0]}\r\n0\r\n\r\n"),
		"HTTP/1.1 200 ");
	world_end(&h->w);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(acks_tell_what_is_settled),
		cmocka_unit_test(channels_are_bounded),
		cmocka_unit_test(a_request_on_its_way_keeps_its_channel),
		cmocka_unit_test(a_question_without_a_length_ends_the_connection),
	};

	return cmocka_run_group_tests_name("http_acks", tests, NULL, NULL);
}
