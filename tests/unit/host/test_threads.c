#include "lib/host/threads.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "tests/support/test.h"

enum { PIECES = 100 };

/* Calls of pthread_create() come through here: the linker does that. */
int __real_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg);

static unsigned created, most_created;

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	if (created == most_created)
		return EAGAIN;
	created++;
	return __real_pthread_create(t, attr, run, arg);
}

static int setup(void **state SQ_UNUSED)
{
	created = 0;
	most_created = 1000;
	return 0;
}

struct pieces {
	unsigned done[PIECES]; /* each thread writes those of its own pieces */
	atomic_uint begun, last;
	atomic_bool wrong;
};

static void count(void *arg, uint32_t i)
{
	struct pieces *p = arg;

	p->done[i]++;
}

static void each_piece_is_done_once(void **state SQ_UNUSED)
{
	static const struct {
		unsigned threads;
		uint32_t pieces;
		unsigned others; /* threads that are made */
	} cases[] = { { 0, 3, 0 },      { 1, PIECES, 0 },
		      { 2, PIECES, 1 }, { 5, PIECES, 4 },
		      { 5, 3, 2 },      { 5, 1, 0 },
		      { 5, 0, 0 },      { 1000, PIECES, SQ_THREADS_MAX - 1 } };

	for (size_t c = 0; c < SQ_LEN(cases); c++) {
		struct pieces p = { 0 };
		unsigned threads = cases[c].threads;

		created = 0;
		sq_threads_run(&threads, cases[c].pieces, count, &p);
		for (uint32_t i = 0; i < PIECES; i++)
			assert_int_equal(p.done[i], i < cases[c].pieces);
		assert_int_equal(created, cases[c].others);
	}
}

/* Two pieces that each wait until the other has begun. */
static void wait_for_the_other(void *arg, uint32_t i SQ_UNUSED)
{
	struct pieces *p = arg;

	atomic_fetch_add(&p->begun, 1);
	for (unsigned ms = 0; ms < 10000 && atomic_load(&p->begun) < 2; ms++)
		(void)usleep(1000);
	if (atomic_load(&p->begun) < 2)
		atomic_store(&p->wrong, true);
}

static void pieces_are_done_side_by_side(void **state SQ_UNUSED)
{
	struct pieces p = { 0 };
	unsigned threads = 2;

	sq_threads_run(&threads, 2, wait_for_the_other, &p);
	assert_false(p.wrong);
}

static void no_thread_to_be_had_leaves_all_to_the_caller(void **state SQ_UNUSED)
{
	for (most_created = 0; most_created < 3; most_created++) {
		struct pieces p = { 0 };
		unsigned threads = 4;

		created = 0;
		sq_threads_run(&threads, PIECES, count, &p);
		for (uint32_t i = 0; i < PIECES; i++)
			assert_int_equal(p.done[i], 1);
	}
}

static pthread_t caller;

static void look_at_signals(void *arg, uint32_t i)
{
	struct pieces *p = arg;
	sigset_t now;

	if (pthread_sigmask(SIG_SETMASK, NULL, &now) != 0 ||
	    (sigismember(&now, SIGTERM) == 1) == pthread_equal(pthread_self(), caller))
		atomic_store(&p->wrong, true);
	wait_for_the_other(arg, i);
}

static void signals_stay_with_the_caller(void **state SQ_UNUSED)
{
	struct pieces p = { 0 };
	unsigned threads = 2;
	sigset_t after;

	caller = pthread_self();
	sq_threads_run(&threads, 2, look_at_signals, &p);
	assert_false(p.wrong);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
	assert_int_equal(sigismember(&after, SIGTERM), 0);
}

static void in_order(void *arg, uint32_t i)
{
	struct pieces *p = arg;

	if (atomic_exchange(&p->last, i) + 1 != i && i)
		atomic_store(&p->wrong, true);
}

static void pieces_are_begun_in_order(void **state SQ_UNUSED)
{
	struct pieces p = { 0 };
	unsigned threads = 1;

	sq_threads_run(&threads, PIECES, in_order, &p);
	assert_false(p.wrong);
	assert_int_equal(p.last, PIECES - 1);
}

static void there_is_a_cpu(void **state SQ_UNUSED)
{
	assert_true(sq_threads_cpus() >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_piece_is_done_once, setup),
		cmocka_unit_test_setup(pieces_are_done_side_by_side, setup),
		cmocka_unit_test_setup(no_thread_to_be_had_leaves_all_to_the_caller, setup),
		cmocka_unit_test_setup(signals_stay_with_the_caller, setup),
		cmocka_unit_test_setup(pieces_are_begun_in_order, setup),
		cmocka_unit_test_setup(there_is_a_cpu, setup),
	};

	return cmocka_run_group_tests_name("host/threads", tests, NULL, NULL);
}
