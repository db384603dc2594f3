/* The input over TCP. Records are cut by lib/wire/frame.h; many listeners may run side by side. */
#pragma once

#include "daemon/flow/input.h"

extern const struct sqd_input_ops sqd_input_tcp;

/** What its option table fills. */
struct sqd_input_tcp_cfg {
	char *listen;
	uint64_t max_record; /* bytes */
	uint32_t max_connections;
	uint64_t idle;           /* milliseconds; 0 = never */
	uint64_t receive_buffer; /* bytes; 0 = the kernel's choice */
	uint32_t backlog;
};
