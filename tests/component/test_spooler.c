/* A queue with a spool: what has passed is on disk, what is too much for the memory is read back,
 * what a process before us left comes first. */
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/flow/refusals.h"
#include "lib/host/spool.h"
#include "tests/support/fake_output.h"
#include "tests/support/run_loop.h"
#include "tests/unit/host/scratch.h"

struct world {
	uv_loop_t loop;
	struct fake_output *f;
	struct sqd_outqueue *q;
	char *dir;
	bool closed;
};

static void open_queue(struct world *w, const char *folder, uint64_t max, bool drop_oldest)
{
	const struct sqd_outqueue_spool o = { .size = 1 << 20,
		                              .interval_ms = 1,
		                              .drop_oldest = drop_oldest };
	struct sqd_outqueue_spool opts = o;
	struct sq_err err = { 0 };

	assert_int_equal(uv_loop_init(&w->loop), 0);
	w->dir = scratch_path(folder, "spool");
	opts.dir = w->dir;
	w->f = fake_new(SQD_FRAMING_LF);
	w->f->base.loop = &w->loop;
	w->q = sqd_outqueue_new(&w->f->base, max);
	if (sqd_outqueue_spool(w->q, &opts, &err) < 0)
		fail_msg("%s", err.text);
}

static void on_closed(void *ctx)
{
	((struct world *)ctx)->closed = true;
}

static void close_queue(struct world *w)
{
	w->closed = false;
	sqd_outqueue_close(w->q, on_closed, w);
	while (w->f->sending.p)
		fake_sent(w->f, -ECANCELED);
	w->f->base.closed(&w->f->base);
	while (!w->closed)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	sq_outbuf_fini(&w->f->got);
	sqd_outqueue_free(w->q);
	free(w->dir);
}

static int push(struct world *w, unsigned n, size_t len)
{
	char text[4096];
	struct sqd_message m = { .text = { text, len }, .id = { 7, n }, .key = SQ_SV("ws-1") };

	memset(text, 'x', sizeof(text));
	snprintf(text, sizeof(text), "%06u", n);
	text[6] = ' ';
	return sqd_outqueue_push(w->q, &m);
}

static void until_passed(struct world *w)
{
	while (sqd_outqueue_passed(w->q) < sqd_outqueue_taken(w->q))
		(void)uv_run(&w->loop, UV_RUN_ONCE);
}

/* Answer every send until `n` messages in all have arrived. */
static void deliver(struct world *w, uint64_t n)
{
	while (sqd_outqueue_counts(w->q)->sent < n) {
		while (w->f->sending.p)
			fake_sent(w->f, 0);
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
	}
}

static unsigned nth(const struct world *w, size_t line, size_t len)
{
	return (unsigned)strtoul(w->f->got.p + line * (len + 1), NULL, 10);
}

static void what_is_committed_has_passed_though_nothing_is_sent(void **state)
{
	struct world w;

	open_queue(&w, *state, 1 << 20, false);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(push(&w, i, 100), 0);
	assert_true(sqd_outqueue_passed(w.q) < sqd_outqueue_taken(w.q));
	assert_false(sqd_outqueue_empty(w.q));
	until_passed(&w);
	assert_int_equal(sqd_outqueue_counts(w.q)->sent, 0);
	assert_int_equal(sqd_outqueue_waiting(w.q), 10);
	close_queue(&w);
}

static void what_is_left_comes_first_at_the_next_start(void **state)
{
	struct world w;

	open_queue(&w, *state, 1 << 20, false);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(push(&w, i, 100), 0);
	close_queue(&w); /* which commits */
	open_queue(&w, *state, 1 << 20, false);
	assert_int_equal(sqd_outqueue_waiting(w.q), 10);
	assert_int_equal(push(&w, 10, 100), 0);
	deliver(&w, 11);
	for (unsigned i = 0; i < 11; i++)
		assert_int_equal(nth(&w, i, 100), i);
	assert_int_equal(sqd_outqueue_waiting(w.q), 0);
	assert_int_equal(sqd_outqueue_counts(w.q)->queued, 1);
	close_queue(&w);
	open_queue(&w, *state, 1 << 20, false);
	assert_int_equal(sqd_outqueue_waiting(w.q), 0);
	close_queue(&w);
}

static void what_is_too_much_for_the_memory_is_read_back_in_order(void **state)
{
	struct world w;
	unsigned n = 0;

	open_queue(&w, *state, 65536, false);
	while (n < 300) {
		if (push(&w, n, 1000))
			until_passed(&w); /* what gathers is bounded too */
		else
			n++;
	}
	until_passed(&w);
	assert_true(sqd_outqueue_bytes(w.q) <= 65536);
	assert_int_equal(sqd_outqueue_waiting(w.q), 300);
	deliver(&w, 300);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(nth(&w, i, 1000), i);
	assert_int_equal(push(&w, 300, 1000), 0); /* and straight again */
	assert_true(w.f->sending.p != NULL);
	deliver(&w, 301);
	close_queue(&w);
}

/* Push until it is full; gives how many. */
static unsigned fill(struct world *w)
{
	unsigned n = 0;

	for (;; n++) {
		int r = push(w, n, 2000);

		if (r == -ENOSPC) {
			uint64_t passed = sqd_outqueue_passed(w->q);

			until_passed(w);
			if (passed == sqd_outqueue_passed(w->q))
				return n;
			n--;
		} else {
			assert_int_equal(r, 0);
		}
	}
}

static void a_full_spool_refuses_until_something_is_delivered(void **state)
{
	struct world w;
	unsigned n;

	open_queue(&w, *state, 65536, false);
	n = fill(&w);
	assert_true(n > 150 && n < 500);
	deliver(&w, n / 2);
	while (push(&w, n, 2000))
		(void)uv_run(&w.loop, UV_RUN_ONCE);
	deliver(&w, n + 1);
	for (unsigned i = 0; i <= n; i++)
		assert_int_equal(nth(&w, i, 2000), i);
	close_queue(&w);
}

static void the_oldest_make_room_for_the_newest(void **state)
{
	struct world w;
	unsigned n = 0;
	uint64_t left;

	open_queue(&w, *state, 65536, true);
	while (n < 1000)
		if (push(&w, n, 2000))
			(void)uv_run(&w.loop, UV_RUN_ONCE);
		else
			n++;
	until_passed(&w);
	left = sqd_outqueue_waiting(w.q);
	assert_true(left < 500);
	deliver(&w, left);
	assert_int_equal(nth(&w, 0, 2000), 0); /* was on its way */
	assert_int_equal(nth(&w, left - 1, 2000), 999);
	assert_int_equal(sqd_outqueue_waiting(w.q), 0);
	close_queue(&w);
}

static void what_is_damaged_is_left_out_and_counted(void **state)
{
	struct world w;
	struct sqd_metrics m = { .n = 0 };
	char *path, *at, *bytes;
	struct stat st;
	int fd;

	open_queue(&w, *state, 1 << 20, false);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(push(&w, i, 100), 0);
	close_queue(&w);
	path = scratch_path(*state, "spool/data.mdb");
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size);
	assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
	for (char *p = bytes; (at = memmem(p, (size_t)(bytes + st.st_size - p), "000004 x", 8));
	     p = at + 1)
		assert_int_equal(pwrite(fd, "Y", 1, at - bytes + 20), 1);
	close(fd);
	open_queue(&w, *state, 1 << 20, false);
	deliver(&w, 9);
	assert_int_equal(nth(&w, 3, 100), 3);
	assert_int_equal(nth(&w, 4, 100), 5);
	assert_int_equal(sqd_outqueue_waiting(w.q), 0);
	sqd_outqueue_metrics(w.q, 0, &m);
	for (size_t i = 0; i < m.n; i++)
		if (strcmp(m.rows[i].name, "dropped_damaged") == 0)
			assert_int_equal(m.rows[i].value, 1);
	close_queue(&w);
	free(bytes);
	free(path);
}

/* What a receiver never takes leaves the spool when it is with the dead letters, and not before:
 * this process may be killed at any time. */
static void what_is_refused_stays_until_its_letter_is_written(void **state)
{
	for (int written = 0; written < 2; written++) {
		struct fake_output *dead = fake_new(SQD_FRAMING_LF);
		struct sqd_outqueue *letters = sqd_outqueue_new(&dead->base, 65536);
		struct sqd_message m = { .text = SQ_SV("x") };
		struct sqd_refusals r;
		struct world w;

		sqd_refusals_init(&r, letters);
		open_queue(&w, *state, 1 << 20, false);
		sqd_refusals_watch(&r, w.q);
		assert_int_equal(push(&w, 0, 100), 0);
		assert_int_equal(push(&w, 1, 100), 0);
		until_passed(&w);
		fake_sent(w.f, 0);
		w.f->base.refused(&w.f->base, &m, "bad");
		fake_sent(w.f, 0);
		assert_int_equal(sqd_outqueue_waiting(w.q), 0);
		if (written)
			fake_sent(dead, 0);
		close_queue(&w);
		open_queue(&w, *state, 1 << 20, false);
		assert_int_equal(sqd_outqueue_waiting(w.q), !written);
		deliver(&w, !written);
		close_queue(&w);
		fake_end(dead, letters);
		sqd_refusals_fini(&r);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_committed_has_passed_though_nothing_is_sent),
		TEST(what_is_left_comes_first_at_the_next_start),
		TEST(what_is_too_much_for_the_memory_is_read_back_in_order),
		TEST(a_full_spool_refuses_until_something_is_delivered),
		TEST(the_oldest_make_room_for_the_newest),
		TEST(what_is_damaged_is_left_out_and_counted),
		TEST(what_is_refused_stays_until_its_letter_is_written),
	};

	return cmocka_run_group_tests_name("flow/spooler", tests, NULL, NULL);
}
