/* An output over HTTP alone on a loop, with a receiver that answers what the test says. That real
 * requests are right is for the end-to-end tests; here are the contract with the queue, and memory.
 */
#include "tests/support/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/output/elasticsearch.h"
#include "daemon/output/splunk.h"
#include "daemon/output/webhook.h"
#include "lib/base/outbuf.h"
#include "lib/text/yaml.h"
#include "tests/support/fault_alloc.h"
#include "tests/support/run_loop.h"

struct world {
	uv_loop_t loop;
	struct sqd_output *out;
	void *cfg;
	int listener, fd;
	uint16_t port;
	char in[65536]; /* of the request that comes */
	size_t n_in;
	size_t max; /* bytes of a request; one that says it is longer is answered and left; 0: any
	             */
	unsigned left; /* so many were */
	unsigned requests;
	const char *const *answers; /* by their turn; the last one for all that follow */
	unsigned sent, ready, refused;
	int status;
	uint64_t refused_id;
	char why[512];
	bool closed;
};

static void on_sent(struct sqd_output *out, int status)
{
	struct world *w = out->ctx;

	w->sent++;
	w->status = status;
}

static void on_ready(struct sqd_output *out)
{
	((struct world *)out->ctx)->ready++;
}

static void on_refused(struct sqd_output *out, const struct sqd_message *m, const char *why)
{
	struct world *w = out->ctx;

	assert_int_equal(w->sent, 0); /* the answer to its send is still to come */
	w->refused++;
	w->refused_id = m->id[1];
	snprintf(w->why, sizeof(w->why), "%s", why);
}

static void on_closed(struct sqd_output *out)
{
	struct world *w = out->ctx;

	assert_int_equal(out->open_handles, 0);
	w->closed = true;
}

/* ---- the receiver ------------------------------------------------------------------------ */

static bool whole_request(struct world *w)
{
	const char *end, *length;

	w->in[w->n_in] = '\0';
	end = strstr(w->in, "\r\n\r\n");
	length = strcasestr(w->in, "content-length: ");
	return end && length &&
	       w->n_in == (size_t)(end + 4 - w->in) + strtoul(length + 16, NULL, 10);
}

/* As many servers do: what was sent and not read makes a reset of the end of the connection. */
static bool is_left(struct world *w)
{
	static const char answer[] =
		"HTTP/1.1 413 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
	const char *length;

	w->in[w->n_in] = '\0';
	length = strcasestr(w->in, "content-length: ");
	if (!w->max || !length || strtoul(length + 16, NULL, 10) <= w->max)
		return false;
	(void)send(w->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
	close(w->fd);
	w->fd = -1;
	w->n_in = 0;
	w->left++;
	return true;
}

static void receiver_turn(struct world *w)
{
	char text[65536];
	const char *body;
	ssize_t n;

	if (w->fd < 0)
		w->fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (w->fd < 0)
		return;
	n = recv(w->fd, w->in + w->n_in, sizeof(w->in) - 1 - w->n_in, 0);
	if (n == 0) {
		close(w->fd);
		w->fd = -1;
		w->n_in = 0;
	}
	if (n <= 0)
		return;
	w->n_in += (size_t)n;
	if (is_left(w) || !whole_request(w))
		return;
	if (!strstr(w->in, "gzip"))
		assert_non_null(strstr(w->in, "{\"n\":"));
	w->n_in = 0;
	w->requests++;
	if (!*w->answers)
		return; /* silence */
	body = *w->answers + 4;
	n = snprintf(text, sizeof(text), "HTTP/1.1 %.3s X\r\nContent-Length: %zu\r\n\r\n%s",
	             *w->answers, strlen(body), body);
	assert_int_equal(send(w->fd, text, (size_t)n, MSG_NOSIGNAL), n);
	if (w->answers[1])
		w->answers++;
}

static bool is_sent(void *ctx)
{
	struct world *w = ctx;

	receiver_turn(w);
	return w->sent > 0;
}

static bool is_asked(void *ctx)
{
	struct world *w = ctx;

	receiver_turn(w);
	return w->requests > 0;
}

static bool is_closed(void *ctx)
{
	return ((struct world *)ctx)->closed;
}

/* ---- the world --------------------------------------------------------------------------- */

static void listen_somewhere(struct world *w)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int whole_answers = 128 * 1024; /* fit into the buffer of the connection */
	socklen_t len = sizeof(at);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(w->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(setsockopt(w->listener, SOL_SOCKET, SO_SNDBUF, &whole_answers,
	                            sizeof(whole_answers)),
	                 0);
	assert_int_equal(listen(w->listener, 8), 0);
	assert_int_equal(getsockname(w->listener, (struct sockaddr *)&at, &len), 0);
	w->port = ntohs(at.sin_port);
}

/* `more`: lines of its configuration. */
static void make(struct world *w, const struct sqd_output_ops *ops, const char *more,
                 const char *const *answers)
{
	struct sq_yaml_doc **docs;
	struct sq_diags diags = { 0 };
	char text[1024];
	int n;

	*w = (struct world){ .fd = -1, .answers = answers };
	listen_somewhere(w);
	uv_loop_init(&w->loop);
	snprintf(text, sizeof(text),
	         "url: http://127.0.0.1:%u\nretry_min: 10ms\nretry_max: 20ms\n%s", w->port, more);
	n = sq_yaml_load(sq_sv_of(text), "test", &sq_yaml_limits_default, &docs, &diags);
	assert_int_equal(n, 1);
	w->cfg = calloc(1, ops->cfg_size);
	assert_int_equal(sq_opt_read(ops->opts, sq_yaml_root(docs[0]), NULL, w->cfg, "test",
	                             &diags),
	                 0);
	sq_yaml_free_all(docs, 1);
	w->out = calloc(1, ops->size);
	w->out->ops = ops;
	w->out->cfg = w->cfg;
	w->out->loop = &w->loop;
	w->out->sent = on_sent;
	w->out->ready = on_ready;
	w->out->refused = on_refused;
	w->out->closed = on_closed;
	w->out->ctx = w;
}

static void end(struct world *w)
{
	w->out->ops->close(w->out);
	w->out->ops->close(w->out); /* once is enough */
	run_until(&w->loop, is_closed, w);
	sq_opt_free(w->out->ops->opts, w->cfg);
	free(w->cfg);
	free(w->out);
	close(w->listener);
	if (w->fd >= 0)
		close(w->fd);
	assert_int_equal(uv_loop_close(&w->loop), 0);
}

static void start(struct world *w)
{
	struct sq_err err = { 0 };

	if (w->out->ops->start(w->out, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(w->out->framing, SQD_FRAMING_RECORDS);
}

/* `n` messages, as the queue frames them. */
static struct sq_outbuf records(unsigned n)
{
	struct sq_outbuf b = sq_outbuf_of(1 << 20);

	for (unsigned i = 0; i < n; i++) {
		char text[64];
		int len = snprintf(text, sizeof(text), "{\"n\":\n%u}", i);
		struct sqd_message_head head = { .id = { 0, i + 1 },
			                         .n = (uint32_t)len,
			                         .n_key = 4 };

		sq_outbuf_put(&b, (struct sq_sv){ (const char *)&head, sizeof(head) });
		sq_outbuf_put(&b, SQ_SV("ws-7"));
		sq_outbuf_put(&b, (struct sq_sv){ text, (size_t)len });
	}
	return b;
}

/* ---- tests ------------------------------------------------------------------------------- */

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
	static const struct {
		const struct sqd_output_ops *ops;
		const char *more;
		const char *const *answers;
	} kinds[] = {
		{ &sqd_output_elasticsearch, "index: x\n", elastic },
		{ &sqd_output_webhook, "", any },
		{ &sqd_output_webhook, "batch: 2\nbody: '{{messages}}'\ngzip: true\n", any },
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
		cmocka_unit_test(a_receiver_that_will_not_take_so_much_is_heard_while_we_send),
		cmocka_unit_test(closed_in_the_middle_nothing_is_refused),
		cmocka_unit_test(files_are_read_anew_between_requests),
		cmocka_unit_test(each_allocation_may_fail),
		cmocka_unit_test(what_cannot_be_read_refuses_nothing),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("http_out", tests, NULL, NULL);
}
