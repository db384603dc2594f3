/* The output over TCP. Main loop only. */
#pragma once

#include "daemon/flow/output.h"

extern const struct sqd_output_ops sqd_output_tcp;

/** What its option table fills; times in milliseconds. */
struct sqd_output_tcp_cfg {
	char *address;
	int framing; /* enum sqd_framing */
	uint64_t connect_timeout;
	uint64_t retry_min, retry_max;
	uint64_t keepalive; /* 0 = none */
};
