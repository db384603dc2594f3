/* A TCP input on a port of its own, and who connects to it. */
#pragma once

#include "tests/support/stream_world.h"

static inline void tcp_make(struct world *w)
{
	world_make(w, &sqd_input_tcp);
	w->cfg.tcp.server.listen = strdup("127.0.0.1:0");
	w->cfg.tcp.max_record = 64 * 1024;
}

static inline int tcp_dial(struct world *w)
{
	return world_dial(w, SOCK_STREAM);
}
