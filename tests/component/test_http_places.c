/* Outputs over HTTP with several receivers: who is asked, and when another. */
#include "tests/component/http_out_world.h"

#include <sys/mman.h>

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

/* Who says something of messages ends the round: the other one may be back. */
static void who_answers_begins_a_new_round(void **state SQ_UNUSED)
{
	static const char *const parts[] = { "413 ", "502 ", NULL };
	static const char *const back[] = { "502 ", "204 ", NULL };
	struct sq_outbuf b = records(2);
	struct world w, first;

	make(&w, &sqd_output_webhook, "batch: 2\n", parts);
	put_before(&w, &first, back);
	((struct sqd_http_cfg *)w.cfg)->retry_min = 3600000; /* no wait is made */
	start(&w);
	send_all(&w, &b);
	assert_int_equal(w.requests, 2);
	assert_int_equal(first.requests, 3);
	assert_int_equal(w.out->outage.failures, 0);
	end(&w);
	put_away(&first);
	sq_outbuf_fini(&b);
}

/* Who asks for peace has it, while others are asked. */
static void who_wants_to_be_left_alone_is_not_asked_in_the_next_round(void **state SQ_UNUSED)
{
	static const char *const late[] = { "502 ", "502 ", "204 ", NULL };
	static const char *const busy[] = { "503 ", NULL };
	struct sq_outbuf b = records(1);
	struct world w, first;

	make(&w, &sqd_output_webhook, "", late);
	put_before(&w, &first, busy);
	first.header = "Retry-After: 3600\r\n";
	start(&w);
	send_all(&w, &b);
	assert_int_equal(first.requests, 1);
	assert_int_equal(w.requests, 3);
	end(&w);
	put_away(&first);
	sq_outbuf_fini(&b);
}

static bool has_failed(void *ctx)
{
	struct world *w = ctx;

	receiver_turn(w);
	return w->out->outage.failures > 0;
}

/* Near the end there is no later: who wants to be left alone is asked all the same. */
static void at_the_end_nobody_is_left_alone(void **state SQ_UNUSED)
{
	static const char *const late[] = { "503 ", "503 ", "503 ", "204 ", NULL };
	struct sq_outbuf b = records(1);

	for (int several = 0; several < 2; several++) {
		static const char *const never[] = { "503 ", NULL };
		struct world w, first;

		make(&w, &sqd_output_webhook, "", late);
		w.header = "Retry-After: 3600\r\n";
		if (several) {
			put_before(&w, &first, never);
			first.header = w.header;
		}
		start(&w);
		assert_int_equal(w.out->ops->send(w.out, sq_outbuf_view(&b)), 0);
		run_until(&w.loop, has_failed, &w);
		w.out->ops->insist(w.out);
		run_until(&w.loop, is_sent, &w);
		assert_int_equal(w.status, 0);
		assert_int_equal(w.requests, 4);
		end(&w);
		if (several)
			put_away(&first);
	}
	sq_outbuf_fini(&b);
}

/* ---- what the log says ------------------------------------------------------------------- */

static int stderr_was;

static void log_aside(void)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	stderr_was = dup(2);
	assert_true(fd >= 0 && stderr_was >= 0 && dup2(fd, 2) == 2);
	close(fd);
}

/* What it said. */
static const char *logged(void)
{
	static char text[8192];
	ssize_t n = pread(2, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	assert_int_equal(dup2(stderr_was, 2), 2);
	close(stderr_was);
	return text;
}

static unsigned times(const char *text, const char *what)
{
	unsigned n = 0;

	while ((text = strstr(text, what))) {
		text += strlen(what);
		n++;
	}
	return n;
}

static void token(char path[])
{
	int fd = mkstemp(path);

	assert_true(fd >= 0 && write(fd, "secret\n", 7) == 7);
	close(fd);
}

/* Rounds go on for long: what is said once is said once, and why a receiver was left. */
static void the_log_has_a_line_for_what_is_new(void **state SQ_UNUSED)
{
	static const char *const late[] = { "503 ", "503 ", "503 ", "204 ", NULL };
	static const char *const never[] = { "502 ", "502 ", "502 ", NULL };
	char path[] = "/tmp/squibly-token-XXXXXX", more[64], want[96];
	struct sq_outbuf b = records(1);
	struct world w, first;
	const char *log;

	token(path);
	snprintf(more, sizeof(more), "token_file: %s\n", path);
	make(&w, &sqd_output_webhook, more, late);
	put_before(&w, &first, never);
	log_aside();
	start(&w);
	send_all(&w, &b);
	w.out->ops->reopen(w.out);
	send_all(&w, &b);
	log = logged();
	assert_int_equal(first.requests, 4);
	assert_int_equal(times(log, "as plain text"), 1);
	snprintf(want, sizeof(want), ":%u: it answered 502; asking the next", first.port);
	assert_int_equal(times(log, want), 1);
	assert_int_equal(times(log, "asking the next"), 1);
	end(&w);
	put_away(&first);
	(void)unlink(path);
	sq_outbuf_fini(&b);
}

/* The one before is asked on, with waits. */
static void who_cannot_be_aimed_at_is_not_tried_at_once_again(void **state SQ_UNUSED)
{
	static const char *const any[] = { "204 ", NULL };
	static const char *const never[] = { "502 ", NULL };
	char path[] = "/tmp/squibly-token-XXXXXX", more[64];
	struct sq_outbuf b = records(1);
	struct world w, first;

	token(path);
	snprintf(more, sizeof(more), "token_file: %s\n", path);
	make(&w, &sqd_output_webhook, more, any);
	put_before(&w, &first, never);
	((struct sqd_http_cfg *)w.cfg)->retry_min = 3600000; /* one wait is the end */
	start(&w);
	(void)unlink(path);
	assert_int_equal(w.out->ops->send(w.out, sq_outbuf_view(&b)), 0);
	run_until(&w.loop, has_failed, &w);
	assert_int_equal(first.requests, 2);
	assert_int_equal(w.requests, 0);
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
		cmocka_unit_test(who_answers_begins_a_new_round),
		cmocka_unit_test(who_wants_to_be_left_alone_is_not_asked_in_the_next_round),
		cmocka_unit_test(at_the_end_nobody_is_left_alone),
		cmocka_unit_test(the_log_has_a_line_for_what_is_new),
		cmocka_unit_test(who_cannot_be_aimed_at_is_not_tried_at_once_again),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("http_places", tests, NULL, NULL);
}
