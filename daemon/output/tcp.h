/* The output over TCP, plain or with TLS. Main loop only. */
#pragma once

#include "daemon/flow/output.h"
#include "lib/host/tls.h"

extern const struct sqd_output_ops sqd_output_tcp;

/** What its option table fills; times in milliseconds. */
struct sqd_output_tcp_cfg {
	char *address;
	int framing; /* enum sqd_framing */
	uint64_t connect_timeout;
	uint64_t retry_min, retry_max;
	uint64_t keepalive; /* 0 = none */
	struct sq_tls_client_cfg tls;
};
