/* A protocol that does what a test tells it: for tests of daemon/input/server.h alone. One world at
 * a time; include it in one file of a program.
 */
#pragma once

#include "tests/support/stream_world.h"

static struct probe {
	char got[512 * 1024]; /* plain bytes of all connections, in the order they came */
	size_t n;
	size_t room; /* bytes of room that are given; 0: SQD_CONN_ROOM */
	bool hold;   /* hold after each take() */
	bool starve; /* no batch is free */
	bool stays;  /* end() does not close */
	int refuse;  /* what open() returns */
	void (*on_take)(struct sqd_conn *c, struct sq_sv bytes);
	void (*on_end)(struct sqd_conn *c);
	struct sqd_conn *conn; /* opened last */
	char peer[SQD_ADDR_TEXT];
	struct sq_identity identity; /* its, when it was opened; zero when there is none */
	uint64_t opened, takes, ended, closed, freed, stopped, ticks, resumed;
	int why;
} probe;

static int probe_open(struct sqd_conn *c)
{
	if (probe.refuse)
		return probe.refuse;
	probe.opened++;
	probe.conn = c;
	memcpy(probe.peer, c->peer, sizeof(probe.peer));
	probe.identity = c->identity ? *c->identity : (struct sq_identity){ 0 };
	return 0;
}

static struct sqd_room probe_room(struct sqd_conn *c)
{
	struct sqd_room room;

	if (probe.starve) {
		sqd_conn_starved(c);
		return (struct sqd_room){ 0 };
	}
	room = sqd_conn_scratch(c);
	if (room.p)
		room.n = probe.room ? probe.room : SQD_CONN_ROOM;
	return room;
}

static void probe_take(struct sqd_conn *c, size_t n)
{
	const char *p = sqd_conn_scratch(c).p;

	assert_true(n > 0 && n <= (probe.room ? probe.room : SQD_CONN_ROOM));
	assert_false(c->held || c->ended || c->closing);
	assert_true(probe.n + n <= sizeof(probe.got));
	memcpy(probe.got + probe.n, p, n);
	probe.n += n;
	probe.takes++;
	if (probe.hold)
		sqd_conn_hold(c);
	if (probe.on_take)
		probe.on_take(c, (struct sq_sv){ p, n });
}

static void probe_end(struct sqd_conn *c, int why)
{
	probe.ended++;
	probe.why = why;
	if (probe.on_end)
		probe.on_end(c);
	else if (!probe.stays)
		sqd_conn_close(c);
}

static int probe_resume(struct sqd_conn *c)
{
	probe.resumed++;
	if (!probe.starve)
		return 0;
	sqd_conn_starved(c);
	return -EAGAIN;
}

static void probe_stop(struct sqd_conn *c)
{
	(void)c;
	probe.stopped++;
}

static void probe_tick(struct sqd_conn *c, uint64_t now_ms)
{
	(void)c;
	(void)now_ms;
	probe.ticks++;
}

static void probe_closed(struct sqd_conn *c)
{
	assert_true(c->closing);
	probe.closed++;
}

static void probe_freed(struct sqd_conn *c)
{
	if (probe.conn == c)
		probe.conn = NULL;
	probe.freed++;
}

static const struct sqd_protocol probe_protocol = {
	.size = sizeof(struct sqd_conn),
	.open = probe_open,
	.room = probe_room,
	.take = probe_take,
	.end = probe_end,
	.resume = probe_resume,
	.stop = probe_stop,
	.tick = probe_tick,
	.closed = probe_closed,
	.freed = probe_freed,
};

static int probe_start(struct sqd_input *in, struct sq_err *err)
{
	SQ_CONTAINER(in, struct sqd_server, base)->protocol = &probe_protocol;
	return sqd_server_start(in, err);
}

struct probe_cfg {
	struct sqd_server_cfg server;
};

static const struct sq_opt probe_opts[] = { SQD_SERVER_OPTS(struct probe_cfg, server), { 0 } };

static const struct sqd_input_ops probe_ops = {
	.kind = "probe",
	.size = sizeof(struct sqd_server),
	.cfg_size = sizeof(struct probe_cfg),
	.opts = probe_opts,
	.start = probe_start,
	.pause = sqd_server_pause,
	.resume = sqd_server_resume,
	.stop = sqd_server_stop,
	.reload = sqd_server_reload,
	.close = sqd_server_close,
};

static inline void probe_make(struct world *w)
{
	probe = (struct probe){ 0 };
	world_make(w, &probe_ops);
	w->cfg.server.listen = strdup("127.0.0.1:0");
}

/** Until all these bytes have come, and no other. */
static inline void probe_expect(struct world *w, struct sq_sv bytes)
{
	for (int i = 0; probe.n < bytes.n; i++) {
		assert_true(i < 5000);
		uv_run(&w->loop, UV_RUN_NOWAIT);
		if (i > 100)
			(void)poll(NULL, 0, 1);
	}
	assert_int_equal(probe.n, bytes.n);
	assert_memory_equal(probe.got, bytes.p, bytes.n);
}

static inline void set_strs(struct sq_opt_strs *to, const char *text)
{
	to->list = calloc(1, sizeof(char *));
	to->list[0] = strdup(text);
	to->n = 1;
}
