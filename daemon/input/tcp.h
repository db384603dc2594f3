/* The input over TCP. Records are cut by lib/wire/frame.h; many listeners may run side by side. */
#pragma once

#include "daemon/input/server.h"

extern const struct sqd_input_ops sqd_input_tcp;

/** What its option table fills. */
struct sqd_input_tcp_cfg {
	struct sqd_server_cfg server;
	uint64_t max_record; /* bytes */
};
