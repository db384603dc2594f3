/* An input for Beats on a loop, and clients that speak Lumberjack to it. */
#pragma once

/* The Beats input behind a real socket, before a dispatcher that settles when it is told to. */
#include <poll.h>

#include "tests/support/fault_alloc.h"
#include "tests/support/input_world.h"
#include "tests/support/lumber.h"
#include "tests/support/stream_world.h"

enum { QUICK = 40 /* ms: short times of a test */ };

static inline void begin(struct world *w)
{
	world_make(w, &sqd_input_beats);
	w->cfg.server.listen = strdup("127.0.0.1:0");
	w->cfg.server.handshake = QUICK; /* so that ticks come often */
}

static inline void begin_and_start(struct world *w)
{
	begin(w);
	world_start(w);
}

/* What there is to read now, after a turn of the loop. */
static inline size_t hear_some(struct world *w, int fd, char *to, size_t n)
{
	ssize_t r;

	uv_run(&w->loop, UV_RUN_NOWAIT);
	r = recv(fd, to, n, MSG_DONTWAIT);
	if (r == 0)
		fail_msg("the connection was closed");
	if (r < 0)
		(void)poll(NULL, 0, 1);
	return r > 0 ? (size_t)r : 0;
}

static inline void settle(struct world *w)
{
	if (w->d.open && w->d.open->n_records)
		sqd_dispatch_seal(&w->d);
	fake_dispatch_settle(&w->d);
}

/* Exactly these acknowledgements come, with everything being settled all the time. */
static inline void expect_acks(struct world *w, int fd, const char *acks, size_t n)
{
	char got[256];
	size_t have = 0;

	for (int i = 0; i < 3000 && have < n; i++) {
		settle(w);
		have += hear_some(w, fd, got + have, sizeof(got) - have);
	}
	for (int i = 0; i < 5; i++)
		have += hear_some(w, fd, got + have, sizeof(got) - have);
	assert_int_equal(have, n);
	assert_memory_equal(got, acks, n);
}

static inline void expect_nothing(struct world *w, int fd)
{
	char byte;

	for (int i = 0; i < 20; i++)
		assert_int_equal(hear_some(w, fd, &byte, 1), 0);
}

static inline void say_wire(int fd, const struct sq_outbuf *b)
{
	say_n(fd, b->p, b->len);
}

static inline void expect_equation(const struct world *w)
{
	assert_int_equal(w->counts.malformed, 0);
	assert_int_equal(w->counts.received,
	                 w->d.n + w->counts.oversized + w->counts.dropped_shutdown);
}

/* What go-lumber's AwaitACK does: numbers below the count are progress, each within its time; more
 * than the count, or silence, is an error. */
static inline void await_ack(struct world *w, int fd, uint32_t count, unsigned timeout_ms,
                             int blocked_ms)
{
	uint64_t began = uv_hrtime() / 1000000, last = began, now = began;
	uint32_t ack = 0;
	char got[6];
	size_t have = 0;

	while (ack < count) {
		if (now - began > (uint64_t)blocked_ms)
			settle(w);
		have += hear_some(w, fd, got + have, 6 - have);
		now = uv_hrtime() / 1000000;
		if (now - last > timeout_ms)
			fail_msg("i/o timeout at ack %u of %u", ack, count);
		if (have < 6)
			continue;
		assert_memory_equal(got, "2A", 2);
		ack = (uint32_t)(unsigned char)got[4] * 256 + (unsigned char)got[5];
		assert_true(ack == 0 || ack == count); /* never in part */
		have = 0;
		last = now;
	}
}
