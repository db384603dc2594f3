/* That real requests are right is for the end-to-end tests; here are the contract with the queue,
 * and memory.
 */
#include "tests/component/http_out_world.h"
#include "tests/support/fault_alloc.h"

static void one_send_at_a_time_then_ready(void **state SQ_UNUSED)
{
	static const char *const answers[] = { "204 ", NULL };
	struct sq_outbuf b = records(1);
	struct world w;

	make(&w, &sqd_output_webhook, "", answers);
	start(&w);
	assert_int_equal(w.out->ops->send(w.out, sq_outbuf_view(&b)), 0);
	assert_int_equal(w.out->ops->send(w.out, sq_outbuf_view(&b)), -EAGAIN);
	run_until(&w.loop, is_sent, &w);
	assert_int_equal(w.status, 0);
	assert_int_equal(w.ready, 1);
	w.sent = 0;
	assert_int_equal(w.out->ops->send(w.out, sq_outbuf_view(&b)), 0);
	run_until(&w.loop, is_sent, &w);
	assert_int_equal(w.ready, 1);
	assert_int_equal(w.requests, 2);
	end(&w);
	sq_outbuf_fini(&b);
}

static void what_is_refused_is_told_once_before_the_answer(void **state SQ_UNUSED)
{
	static const char *const answers[] = {
		"200 {\"items\":[{\"create\":{\"status\":201}},{\"create\":{\"status\":400,\"error\":"
		"{\"type\":\"t\",\"reason\":\"r\"}}},{\"create\":{\"status\":503}}]}",
		"200 {\"items\":[{\"create\":{\"status\":201}}]}", NULL
	};
	struct sq_outbuf b = records(3);
	struct world w;

	make(&w, &sqd_output_elasticsearch, "index: x\n", answers);
	start(&w);
	assert_int_equal(w.out->ops->send(w.out, sq_outbuf_view(&b)), 0);
	run_until(&w.loop, is_sent, &w);
	assert_int_equal(w.status, 0);
	assert_int_equal(w.refused, 1);
	assert_int_equal(w.refused_id, 2);
	assert_string_equal(w.why, "400 t: r");
	assert_int_equal(w.requests, 2);
	end(&w);
	sq_outbuf_fini(&b);
}

static void an_answer_with_too_few_items_settles_nothing(void **state SQ_UNUSED)
{
	static const char *const answers[] = {
		"200 {\"items\":[{\"create\":{\"status\":400}}]}",
		"200 {\"items\":[{\"create\":{\"status\":201}},{\"create\":{\"status\":409}}]}",
		NULL
	};
	struct sq_outbuf b = records(2);
	struct world w;

	make(&w, &sqd_output_elasticsearch, "index: x\n", answers);
	start(&w);
	assert_int_equal(w.out->ops->send(w.out, sq_outbuf_view(&b)), 0);
	run_until(&w.loop, is_sent, &w);
	assert_int_equal(w.status, 0);
	assert_int_equal(w.refused, 0);
	assert_int_equal(w.requests, 2);
	end(&w);
	sq_outbuf_fini(&b);
}

/* It is nobody's outage any more when it refuses a message: that was read. */
static void a_receiver_that_refuses_again_is_there(void **state SQ_UNUSED)
{
	static const char *const answers[] = { "401 who are you", "400 not that", NULL };
	struct sq_outbuf b = records(1);
	struct world w;

	make(&w, &sqd_output_elasticsearch, "index: x\n", answers);
	start(&w);
	assert_int_equal(w.out->ops->send(w.out, sq_outbuf_view(&b)), 0);
	run_until(&w.loop, is_sent, &w);
	assert_int_equal(w.refused, 1);
	assert_int_equal(w.out->outage.failures, 1);
	assert_int_equal(w.out->outage.since.wall_us, 0);
	end(&w);
	sq_outbuf_fini(&b);
}

/* It says so while we still send, and hears no more of it. */
static void a_receiver_that_will_not_take_so_much_is_heard_while_we_send(void **state SQ_UNUSED)
{
	static const char *const answers[] = { "204 ", NULL };
	struct sq_outbuf b = sq_outbuf_of(64 << 20);
	struct world w;
	char *text;

	text = malloc(1 << 20);
	for (unsigned i = 0; i < 9; i++) { /* more than is on its way at one time */
		size_t n = i == 8 ? 1000 : 1 << 20;
		struct sqd_message_head head = { .id = { 0, i + 1 }, .n = (uint32_t)n };

		memset(text, ' ', n);
		memcpy(text, "{\"n\":", 5);
		text[5] = '1';
		text[n - 1] = '}';
		sq_outbuf_put(&b, (struct sq_sv){ (const char *)&head, sizeof(head) });
		sq_outbuf_put(&b, (struct sq_sv){ text, n });
	}
	make(&w, &sqd_output_webhook, "batch: 9\nbody: '{{messages}}'\n", answers);
	w.max = 60000;
	start(&w);
	assert_int_equal(w.out->ops->send(w.out, sq_outbuf_view(&b)), 0);
	run_until(&w.loop, is_sent, &w);
	assert_int_equal(w.status, 0);
	assert_int_equal(w.refused, 8);
	assert_non_null(strstr(w.why, "413"));
	assert_int_equal(w.requests, 1);
	assert_in_range(w.left, 9, 9 + 8);
	end(&w);
	free(text);
	sq_outbuf_fini(&b);
}

/* The queue gives it all again to whoever comes after us: nothing may have been called refused. */
static void closed_in_the_middle_nothing_is_refused(void **state SQ_UNUSED)
{
	static const char *const answers[] = { NULL };
	struct sq_outbuf b = records(3);
	struct world w;

	make(&w, &sqd_output_elasticsearch, "index: x\n", answers);
	start(&w);
	assert_int_equal(w.out->ops->send(w.out, sq_outbuf_view(&b)), 0);
	run_until(&w.loop, is_asked, &w);
	assert_int_equal(w.sent, 0);
	end(&w);
	assert_int_equal(w.sent, 1);
	assert_int_equal(w.status, -ECANCELED);
	assert_int_equal(w.refused, 0);
	sq_outbuf_fini(&b);
}

static void files_are_read_anew_between_requests(void **state SQ_UNUSED)
{
	static const char *const answers[] = { "204 ", NULL };
	struct sq_outbuf b = records(1);
	struct world w;

	make(&w, &sqd_output_webhook, "", answers);
	start(&w);
	w.out->ops->reopen(w.out);
	assert_int_equal(w.out->ops->send(w.out, sq_outbuf_view(&b)), 0);
	w.out->ops->reopen(w.out); /* under a request */
	run_until(&w.loop, is_sent, &w);
	w.sent = 0;
	assert_int_equal(w.out->ops->send(w.out, sq_outbuf_view(&b)), 0);
	run_until(&w.loop, is_sent, &w);
	assert_int_equal(w.requests, 2);
	end(&w);
	sq_outbuf_fini(&b);
}

/* Wherever memory is missing once: it does not start, or all arrives. */
static void each_allocation_may_fail(void **state SQ_UNUSED)
{
	static const char *const elastic[] = {
		"200 {\"items\":[{\"create\":{\"status\":201}},{\"create\":{\"status\":400}}]}",
		NULL
	};
	static const char *const any[] = { "200 {\"code\":0}", NULL };
	static const char *const away[] = { "503 ", "204 ", NULL };
	static const struct {
		const struct sqd_output_ops *ops;
		const char *more;
		const char *const *answers;
	} kinds[] = {
		{ &sqd_output_elasticsearch, "index: x\n", elastic },
		{ &sqd_output_webhook, "", any },
		{ &sqd_output_webhook, "batch: 2\nbody: '{{messages}}'\ngzip: true\n", any },
		{ &sqd_output_webhook, "alternates: [\"http://127.0.0.1:1\"]\n", away },
	};
	struct sq_outbuf b = records(2);

	for (size_t k = 0; k < SQ_LEN(kinds); k++) {
		bool reached = true;

		for (unsigned n = 1; reached; n++) {
			struct world w;
			int r;

			make(&w, kinds[k].ops, kinds[k].more, kinds[k].answers);
			fault_alloc_at(n);
			r = w.out->ops->start(w.out, NULL);
			while (r == 0 && w.out->ops->send(w.out, sq_outbuf_view(&b)) == -EAGAIN)
				uv_run(&w.loop, UV_RUN_ONCE); /* until it is ready */
			if (r == 0)
				run_until(&w.loop, is_sent, &w);
			reached = fault_alloc_end();
			if (r < 0)
				assert_true(reached);
			else
				assert_int_equal(w.status, 0);
			end(&w);
		}
	}
	sq_outbuf_fini(&b);
}

/* The index is at fault, which is waited for; also when memory fails anywhere on the way. What is
 * the reason is longer than what the reader of JSON has in its own pool, and has an escape. */
static void what_cannot_be_read_refuses_nothing(void **state SQ_UNUSED)
{
	static char long_answer[60 * 1024];
	static const char *const answers[] = { long_answer,
		                               "200 {\"items\":[{\"create\":{\"status\":201}}]}",
		                               NULL };
	struct sq_outbuf b = records(1);
	bool reached = true;

	snprintf(long_answer, sizeof(long_answer),
	         "400 {\"error\":{\"reason\":\"\\n%0*d\",\"type\":\"security_exception\"},"
	         "\"status\":400}",
	         (int)sizeof(long_answer) - 128, 0);
	for (unsigned n = 1; reached; n++) {
		struct world w;

		make(&w, &sqd_output_elasticsearch, "index: x\n", answers);
		start(&w);
		while (w.out->ops->send(w.out, sq_outbuf_view(&b)) == -EAGAIN)
			uv_run(&w.loop, UV_RUN_ONCE);
		fault_alloc_at(n);
		run_until(&w.loop, is_sent, &w);
		reached = fault_alloc_end();
		assert_int_equal(w.status, 0);
		assert_int_equal(w.refused, 0);
		end(&w);
	}
	sq_outbuf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_send_at_a_time_then_ready),
		cmocka_unit_test(what_is_refused_is_told_once_before_the_answer),
		cmocka_unit_test(an_answer_with_too_few_items_settles_nothing),
		cmocka_unit_test(a_receiver_that_refuses_again_is_there),
		cmocka_unit_test(a_receiver_that_will_not_take_so_much_is_heard_while_we_send),
		cmocka_unit_test(closed_in_the_middle_nothing_is_refused),
		cmocka_unit_test(files_are_read_anew_between_requests),
		cmocka_unit_test(each_allocation_may_fail),
		cmocka_unit_test(what_cannot_be_read_refuses_nothing),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("http_out", tests, NULL, NULL);
}
