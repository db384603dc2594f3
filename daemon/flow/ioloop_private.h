/* What the files of further loops share: ioloop.c makes, runs and ends them, ioloop_turn.c is what
 * they and the main loop tell each other meanwhile.
 */
#pragma once

#include <pthread.h>

#include "daemon/flow/batchlist.h"
#include "daemon/flow/ioloop.h"

/* What the main loop wants of a loop: bits, done in this order. */
enum {
	ORDER_YIELD = 1,
	ORDER_RELOAD = 2,
	ORDER_DRAIN = 4,
	ORDER_SHOW = 8,
	ORDER_LEAVE = 16,
};

struct sqd_ioloop_input {
	struct sqd_ioloop_input *next;
	struct sqd_input *in; /* owned */
	size_t row;
	struct sq_counters counts; /* the loop's */
	struct sq_counters shown;  /* under the lock */
};

/* What some of them share. */
struct sqd_iothread {
	uv_loop_t loop;
	struct sqd_batchpool batches; /* of all its loops */
	pthread_t thread;
	struct sqd_ioloops *all;
	bool made;          /* the loop */
	bool started;       /* the thread */
	_Atomic bool ended; /* the loop has run empty; news for the main loop */
};

struct sqd_ioloop {
	struct sqd_ioloops *all;
	struct sqd_iothread *on;
	uv_async_t told; /* there are orders, or batches that were given back */
	struct sqd_settling *settling;
	struct sqd_dispatch *dispatch;
	struct sq_counters totals;
	struct sqd_ioloop_input *inputs;
	size_t inputs_closing;
	/* Written by the main thread while there is no other, so both may read it. */
	bool running;

	pthread_mutex_t lock; /* guards all below, and `shown` of inputs */
	unsigned orders;
	struct sqd_batchlist back, forth; /* to the loop, to the main loop */
	bool drained, answered;           /* news for the main loop */
	struct sq_counters shown;
	uint64_t shown_waiting;
	bool shown_under_way;
};

struct sqd_ioloop_awaited {
	struct sqd_outqueue *queue;
	struct sqd_gauge gauge;
};

struct sqd_ioloops {
	struct sqd_ioloops_opts opts;
	uv_async_t news; /* on the main loop */
	struct sqd_ioloop_awaited *awaited;
	size_t n_awaited;
	unsigned n, n_drained, n_answered;
	bool asking, again;
	unsigned unended; /* threads that still run their loops to the end */
	void (*closed)(void *ctx);
	void *closed_ctx;
	struct sqd_iothread *threads; /* opts.threads of them */
	struct sqd_ioloop list[];
};

/** What a loop does with its batches; the rest is to be filled in. */
extern const struct sqd_dispatch_opts sqd_ioloop_dispatch;

/** Do what the main loop wants, take back what it gives. On the loop's thread; also on the main
 * one, when the loop's has ended. @return the orders there were */
unsigned sqd_ioloop_attend(struct sqd_ioloop *l);
void sqd_ioloop_on_told(uv_async_t *h);

/** Main thread: what a loop has for the main one. */
void sqd_ioloop_hear(struct sqd_ioloop *l);
void sqd_ioloops_on_news(uv_async_t *h);

/** Main thread: give all that run these orders. `a` may be NULL. */
void sqd_ioloops_order(struct sqd_ioloops *a, unsigned what);

/** Main thread: on the way down, join threads whose loops have run empty. May call `closed`. */
void sqd_ioloops_look_at_ends(struct sqd_ioloops *a);

/** Main thread: show how far the queues are. */
void sqd_ioloops_set_gauges(struct sqd_ioloops *a);
