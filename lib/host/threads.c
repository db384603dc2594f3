#include "lib/host/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

/* Of a thread, at most: what a process has by itself, wherever the default is less. Hyperscan walks
 * expressions recursively. */
enum { STACK_BYTES = 8 << 20 };

unsigned sq_threads_cpus(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n > 1 ? (unsigned)n : 1;
}

struct crew {
	sq_each_task *task;
	void *arg;
	uint32_t n;
	atomic_uint next; /* piece that nobody has begun */
};

/* What the pieces have done is seen by the caller because it joins the threads. */
static void *work(void *ctx)
{
	struct crew *c = ctx;
	uint32_t i;

	while ((i = atomic_fetch_add_explicit(&c->next, 1, memory_order_relaxed)) < c->n)
		c->task(c->arg, i);
	return NULL;
}

/* Signals are for the threads that were there before: these begin with all of them blocked. */
static unsigned start(struct crew *c, pthread_t *threads, unsigned n)
{
	sigset_t all, before;
	pthread_attr_t attr;
	unsigned i = 0;

	if (pthread_attr_init(&attr) != 0)
		return 0;
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	while (i < n && pthread_create(&threads[i], &attr, work, c) == 0)
		i++;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	return i;
}

void sq_threads_run(void *ctx, uint32_t n, sq_each_task *task, void *arg)
{
	const unsigned *most = ctx;
	struct crew c = { .task = task, .arg = arg, .n = n };
	pthread_t others[SQ_THREADS_MAX - 1];
	unsigned n_others = 0;

	while (n_others < SQ_LEN(others) && n_others + 1 < *most && n_others + 1 < n)
		n_others++;
	n_others = n_others ? start(&c, others, n_others) : 0;
	(void)work(&c);
	while (n_others)
		(void)pthread_join(others[--n_others], NULL);
}
