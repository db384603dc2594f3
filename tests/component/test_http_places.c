/* Outputs over HTTP with several receivers: who is asked, and when another. */
#include "tests/component/http_out_world.h"

/* Another receiver, in front of that of `w`. */
static void put_before(struct world *w, struct world *first, const char *const *answers)
{
	struct sqd_http_cfg *cfg = w->cfg;

	*first = (struct world){ .fd = -1, .answers = answers };
	listen_somewhere(first);
	w->also = first;
	cfg->alternates.list = calloc(1, sizeof(char *));
	cfg->alternates.list[0] = cfg->url;
	cfg->alternates.n = 1;
	assert_true(asprintf(&cfg->url, "http://127.0.0.1:%u", first->port) > 0);
}

static void put_away(struct world *first)
{
	close(first->listener);
	if (first->fd >= 0)
		close(first->fd);
	first->listener = first->fd = -1;
}

static void send_all(struct world *w, const struct sq_outbuf *b)
{
	w->sent = 0;
	assert_int_equal(w->out->ops->send(w->out, sq_outbuf_view(b)), 0);
	run_until(&w->loop, is_sent, w);
	assert_int_equal(w->status, 0);
}

/* Nobody listens, or somebody says that nobody is there: the next is asked at once, and kept. */
static void where_nobody_is_the_next_is_asked_and_kept(void **state SQ_UNUSED)
{
	static const char *const taken[] = { "200 {\"items\":[{\"create\":{\"status\":201}}]}",
		                             NULL };
	static const char *const away[] = { "502 ", "503 ", "504 " };
	struct sq_outbuf b = records(1);

	for (size_t i = 0; i <= SQ_LEN(away); i++) {
		const char *const says[] = { i ? away[i - 1] : NULL, NULL };
		struct world w, first;

		make(&w, &sqd_output_elasticsearch, "index: x\n", taken);
		put_before(&w, &first, says);
		((struct sqd_http_cfg *)w.cfg)->retry_min = 3600000; /* no wait is made */
		if (i == 0)
			put_away(&first);
		start(&w);
		send_all(&w, &b);
		assert_int_equal(w.requests, 1);
		assert_int_equal(w.out->outage.failures, 0);
		send_all(&w, &b);
		assert_int_equal(w.requests, 2);
		assert_int_equal(first.requests, i != 0);
		end(&w);
		if (i)
			put_away(&first);
	}
	sq_outbuf_fini(&b);
}

/* What a receiver says of messages, or of who we are, is not asked of another. */
static void who_answers_is_not_left(void **state SQ_UNUSED)
{
	static const char *const any[] = { "204 ", NULL };
	static const char *const says[] = { "429 ", "401 ", "500 ", "404 ", "400 ", NULL };
	struct sq_outbuf b = records(1);
	struct world w, first;

	make(&w, &sqd_output_webhook, "", any);
	put_before(&w, &first, says);
	start(&w);
	send_all(&w, &b);
	assert_int_equal(w.refused, 1);
	assert_int_equal(first.requests, 5);
	assert_int_equal(w.requests, 0);
	end(&w);
	put_away(&first);
	sq_outbuf_fini(&b);
}

/* A round in which none of them is there is one failure, and ends in a wait. */
static void when_none_is_there_rounds_are_made(void **state SQ_UNUSED)
{
	static const char *const late[] = { "503 ", "503 ", "204 ", NULL };
	static const char *const never[] = { "502 ", NULL };
	struct sq_outbuf b = records(1);
	struct world w, first;

	make(&w, &sqd_output_webhook, "", late);
	put_before(&w, &first, never);
	start(&w);
	send_all(&w, &b);
	assert_int_equal(first.requests, 3);
	assert_int_equal(w.requests, 3);
	assert_int_equal(w.out->outage.failures, 2);
	assert_non_null(strstr(w.out->outage.why, "it answered 503"));
	assert_non_null(strstr(w.out->outage.why,
	                       strrchr(((struct sqd_http_cfg *)w.cfg)->alternates.list[0], ':')));
	end(&w);
	put_away(&first);
	sq_outbuf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_nobody_is_the_next_is_asked_and_kept),
		cmocka_unit_test(who_answers_is_not_left),
		cmocka_unit_test(when_none_is_there_rounds_are_made),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("http_places", tests, NULL, NULL);
}
