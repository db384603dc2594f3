/* The pool of threads that files, spools and names are waited for in. One program, since libuv asks
 * for its size once. */
#include "tests/support/test.h"

#include <pthread.h>

#include "daemon/base/loop.h"
#include "tests/support/run_loop.h"

enum { STUCK = 6 };

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static bool done;

static void wait_for_disk(uv_work_t *w SQ_UNUSED)
{
	pthread_mutex_lock(&held);
	pthread_mutex_unlock(&held);
}

static void write_soon(uv_work_t *w SQ_UNUSED)
{
}

static void on_stuck(uv_work_t *w, int status SQ_UNUSED)
{
	++*(unsigned *)w->data;
}

static void on_done(uv_work_t *w SQ_UNUSED, int status SQ_UNUSED)
{
	done = true;
}

static bool is_done(void *ctx SQ_UNUSED)
{
	return done;
}

static bool all_are_back(void *ctx)
{
	return *(unsigned *)ctx == STUCK;
}

static void what_never_answers_leaves_a_thread_for_others(void **state SQ_UNUSED)
{
	uv_work_t stuck[STUCK], other;
	unsigned back = 0;
	uv_loop_t loop;

	assert_int_equal(sqd_loop_pool(STUCK + 1), 0);
	uv_loop_init(&loop);
	pthread_mutex_lock(&held);
	for (int i = 0; i < STUCK; i++) {
		stuck[i].data = &back;
		assert_int_equal(uv_queue_work(&loop, &stuck[i], wait_for_disk, on_stuck), 0);
	}
	assert_int_equal(uv_queue_work(&loop, &other, write_soon, on_done), 0);
	run_until(&loop, is_done, NULL);
	assert_int_equal(back, 0);
	pthread_mutex_unlock(&held);
	run_until(&loop, all_are_back, &back);
	sqd_loop_end(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_never_answers_leaves_a_thread_for_others),
	};

	return cmocka_run_group_tests_name("base/pool", tests, NULL, NULL);
}
