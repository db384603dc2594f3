#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/metrics.h"
#include "daemon/core/control.h"
#include "tests/support/fault_alloc.h"
#include "tests/support/run_loop.h"
#include "tests/support/test.h"

/* ---- requests ---------------------------------------------------------------------------- */

struct request_case {
	const char *name;
	struct sq_sv in;
	enum sqd_request want;
};

static struct request_case request_cases[] = {
	{ "status", SQ_SV("status"), SQD_REQUEST_STATUS },
	{ "report", SQ_SV("report"), SQD_REQUEST_REPORT },
	{ "rules", SQ_SV("rules"), SQD_REQUEST_RULES },
	{ "reload", SQ_SV("reload"), SQD_REQUEST_RELOAD },
	{ "blanks around it", SQ_SV(" \tstatus \r"), SQD_REQUEST_STATUS },
	{ "nothing", SQ_SV(""), SQD_REQUEST_UNKNOWN },
	{ "blanks alone", SQ_SV("  "), SQD_REQUEST_UNKNOWN },
	{ "capitals", SQ_SV("Status"), SQD_REQUEST_UNKNOWN },
	{ "the beginning", SQ_SV("statu"), SQD_REQUEST_UNKNOWN },
	{ "more", SQ_SV("status0"), SQD_REQUEST_UNKNOWN },
	{ "two words", SQ_SV("status reload"), SQD_REQUEST_UNKNOWN },
	{ "a NUL behind it", SQ_SV("reload\0"), SQD_REQUEST_UNKNOWN },
	{ "no text at all", SQ_SV("\xff\xfe\x01"), SQD_REQUEST_UNKNOWN },
};

static void check_request(void **state)
{
	const struct request_case *tc = *state;

	assert_int_equal(sqd_request_parse(tc->in), tc->want);
}

/* ---- accounts ---------------------------------------------------------------------------- */

struct account_case {
	const char *name;
	uint64_t raised, sent, waiting, folded, full, gone;
	int64_t missing;
	const char *want;
};

static struct account_case account_cases[] = {
	{ "nothing came", 0, 0, 0, 0, 0, 0, 0, "raised 0 = sent 0 + waiting 0 + dropped 0" },
	{ "it holds", 10, 4, 3, 1, 1, 1, 0,
	  "raised 10 = sent 4 + waiting 3 + folded 1 + dropped 2 (full 1, gone 1)" },
	{ "one is missing", 5, 4, 0, 0, 0, 0, 1,
	  "raised 5 = sent 4 + waiting 0 + dropped 0, MISCOUNTED by -1" },
	{ "one is told twice", 5, 4, 1, 0, 0, 1, -1,
	  "raised 5 = sent 4 + waiting 1 + dropped 1 (gone 1), MISCOUNTED by 1" },
};

static void check_account(void **state)
{
	const struct account_case *tc = *state;
	const struct sqd_metric rows[] = {
		{ "bytes", 12345, "told, and no part of it" },
		{ "dropped_full", tc->full, "", false, SQD_DROPPED },
		{ "sent", tc->sent, "", true, SQD_DELIVERED },
		{ "raised", tc->raised, "", true, SQD_CAME },
		{ "waiting", tc->waiting, "", true, SQD_WAITING },
		{ "folded", tc->folded, "", false, SQD_SPARED },
		{ "dropped_gone", tc->gone, "", false, SQD_DROPPED },
	};
	struct sqd_metrics m = { 0 };
	struct sq_outbuf out = sq_outbuf_of(4096);

	sqd_metrics_add(&m, rows, SQ_LEN(rows));
	assert_int_equal(sqd_metrics_missing(&m), tc->missing);
	sqd_metrics_account(&out, &m);
	assert_sv_equal(sq_outbuf_view(&out), sq_sv_of(tc->want));
	sq_outbuf_fini(&out);
}

/* ---- the socket -------------------------------------------------------------------------- */

enum { SERVED = 2 };

struct world {
	uv_loop_t loop;
	struct sqd_control *control;
	char path[64];
	unsigned asked, answered, incomplete;
	bool silent;       /* the daemon does not answer by itself */
	size_t answer_len; /* of each answer */
	uint64_t until_ms;
};

static void on_asked(void *ctx)
{
	struct world *w = ctx;

	w->asked++;
	if (!w->silent)
		sqd_control_answer(w->control);
}

static void on_answer(void *ctx, enum sqd_request what, bool complete, struct sq_outbuf *out)
{
	struct world *w = ctx;

	w->answered++;
	w->incomplete += !complete;
	for (size_t i = 0; i < w->answer_len; i++)
		sq_outbuf_putc(out, (char)('0' + (int)what));
}

/* @return false: it cannot listen, and says why */
static bool try_setup(struct world *w)
{
	struct sqd_control_opts opts = { .loop = &w->loop,
		                         .path = w->path,
		                         .mode = "0600",
		                         .connections = SERVED,
		                         .timeout_ms = 150,
		                         .asked = on_asked,
		                         .answer = on_answer,
		                         .ctx = w };
	struct sq_err err = { 0 };

	*w = (struct world){ .answer_len = 3 };
	uv_loop_init(&w->loop);
	snprintf(w->path, sizeof(w->path), "/tmp/squibly-control-%d.sock", (int)getpid());
	w->control = sqd_control_new(&opts, &err);
	assert_int_equal(!w->control, err.text[0] != '\0');
	return w->control != NULL;
}

static void setup(struct world *w)
{
	assert_true(try_setup(w));
}

static void teardown(struct world *w)
{
	sqd_control_close(w->control);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	sqd_control_free(w->control);
	assert_int_equal(access(w->path, F_OK), -1);
	assert_int_equal(uv_loop_close(&w->loop), 0);
}

static int connect_to(const struct world *w)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(sa.sun_path, w->path, strlen(w->path));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

struct reader {
	int fd;
	size_t n;
	bool ended;
};

static bool has_ended(void *ctx)
{
	struct reader *r = ctx;
	char got[4096];
	ssize_t n = recv(r->fd, got, sizeof(got), 0);

	if (n > 0)
		r->n += (size_t)n;
	r->ended = n == 0 || (n < 0 && errno != EAGAIN);
	return r->ended;
}

static void expect_answer(struct world *w, int fd, size_t len)
{
	struct reader r = { .fd = fd };

	run_until(&w->loop, has_ended, &r);
	assert_int_equal(r.n, len);
	close(fd);
}

static void put(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void a_request_is_answered_and_the_connection_ended(void **state)
{
	struct world w;
	int fd;

	(void)state;
	setup(&w);
	fd = connect_to(&w);
	put(fd, "sta");
	uv_run(&w.loop, UV_RUN_NOWAIT);
	assert_int_equal(w.asked, 0);
	put(fd, "tus\nreport\n");
	expect_answer(&w, fd, 3);
	assert_int_equal(w.asked, 1);
	assert_int_equal(w.answered, 1);
	teardown(&w);
}

static void who_does_not_ask_is_not_served_for_ever(void **state)
{
	struct world w;
	int fd[8];

	(void)state;
	setup(&w);
	/* Two are served, the others wait until these have said nothing for too long. */
	for (size_t i = 0; i < SQ_LEN(fd); i++)
		fd[i] = connect_to(&w);
	put(fd[SQ_LEN(fd) - 1], "status\n");
	expect_answer(&w, fd[SQ_LEN(fd) - 1], 3);
	for (size_t i = 0; i + 1 < SQ_LEN(fd); i++)
		expect_answer(&w, fd[i], 0);
	teardown(&w);
}

static bool is_late(void *ctx)
{
	const struct world *w = ctx;

	return uv_now(&w->loop) >= w->until_ms;
}

static void who_does_not_read_is_cut_off(void **state)
{
	struct world w;
	struct reader r;
	int fd;

	(void)state;
	setup(&w);
	w.answer_len = 2 * 1024 * 1024; /* more than a socket holds */
	fd = connect_to(&w);
	put(fd, "report\n");
	w.until_ms = uv_now(&w.loop) + 500;
	run_until(&w.loop, is_late, &w);
	r = (struct reader){ .fd = fd };
	run_until(&w.loop, has_ended, &r);
	assert_true(r.n < w.answer_len);
	close(fd);
	teardown(&w);
}

static void a_daemon_that_does_not_know_all_says_what_it_knows(void **state)
{
	struct world w;
	int fd;

	(void)state;
	setup(&w);
	w.silent = true;
	fd = connect_to(&w);
	put(fd, "status\n");
	expect_answer(&w, fd, 3);
	assert_int_equal(w.incomplete, 1);
	teardown(&w);
}

/* Each allocation fails once: there is no control socket then, or no answer to this request, or a
 * whole one; and the next request is answered. */
static void a_lack_of_memory_costs_one_answer(void **state SQ_UNUSED)
{
	bool failed = true;
	unsigned n, silent = 0, none = 0;

	for (n = 1; failed; n++) {
		struct world w;
		struct reader r;

		fault_alloc_at(n);
		if (!try_setup(&w)) {
			assert_true(fault_alloc_end());
			assert_int_equal(uv_run(&w.loop, UV_RUN_DEFAULT), 0);
			assert_int_equal(uv_loop_close(&w.loop), 0);
			assert_int_equal(access(w.path, F_OK), -1);
			none++;
			continue;
		}
		r = (struct reader){ .fd = connect_to(&w) };
		put(r.fd, "report\n");
		run_until(&w.loop, has_ended, &r);
		failed = fault_alloc_end();
		close(r.fd);
		assert_true(r.n == 3 || (r.n == 0 && failed));
		silent += r.n == 0;
		r = (struct reader){ .fd = connect_to(&w) };
		put(r.fd, "status\n");
		expect_answer(&w, r.fd, 3);
		teardown(&w);
	}
	assert_true(none > 0 && silent > 0);
}

static void it_is_closed_in_the_middle_of_everything(void **state)
{
	struct world w;
	int asking, reading;

	(void)state;
	setup(&w);
	w.silent = true;
	asking = connect_to(&w);
	reading = connect_to(&w);
	put(asking, "status\n");
	put(reading, "sta");
	while (!w.asked)
		uv_run(&w.loop, UV_RUN_ONCE);
	teardown(&w);
	close(asking);
	close(reading);
}

int main(void)
{
	static const struct CMUnitTest socket_tests[] = {
		cmocka_unit_test(a_request_is_answered_and_the_connection_ended),
		cmocka_unit_test(who_does_not_ask_is_not_served_for_ever),
		cmocka_unit_test(who_does_not_read_is_cut_off),
		cmocka_unit_test(a_daemon_that_does_not_know_all_says_what_it_knows),
		cmocka_unit_test(a_lack_of_memory_costs_one_answer),
		cmocka_unit_test(it_is_closed_in_the_middle_of_everything),
	};
	struct CMUnitTest
		tests[SQ_LEN(request_cases) + SQ_LEN(account_cases) + SQ_LEN(socket_tests)];
	size_t n = 0;

	for (size_t i = 0; i < SQ_LEN(request_cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = request_cases[i].name,
			                          .test_func = check_request,
			                          .initial_state = &request_cases[i] };
	for (size_t i = 0; i < SQ_LEN(account_cases); i++)
		tests[n++] = (struct CMUnitTest){ .name = account_cases[i].name,
			                          .test_func = check_account,
			                          .initial_state = &account_cases[i] };
	for (size_t i = 0; i < SQ_LEN(socket_tests); i++)
		tests[n++] = socket_tests[i];
	return _cmocka_run_group_tests("core/control", tests, n, NULL, NULL);
}
