/* The output over UDP: one message, one datagram. Main loop only. */
#pragma once

#include "daemon/flow/output.h"

extern const struct sqd_output_ops sqd_output_udp;

/** What its option table fills. */
struct sqd_output_udp_cfg {
	char *address;
};
