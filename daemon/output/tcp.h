/* The output over TCP, plain or with TLS. Main loop only. */
#pragma once

#include "daemon/output/link.h"

extern const struct sqd_output_ops sqd_output_tcp;

/** What its option table fills. */
struct sqd_output_tcp_cfg {
	struct sqd_link_cfg link; /* first, so that the address is where outputs have it */
	int framing;              /* enum sqd_framing */
	uint64_t stall_timeout;   /* milliseconds */
};
