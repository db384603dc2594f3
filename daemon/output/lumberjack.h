/* The output in Lumberjack version 2, as Beats speak it: to Logstash, or to another squiblyd. Main
 * loop only. */
#pragma once

#include "daemon/output/link.h"

extern const struct sqd_output_ops sqd_output_lumberjack;

/** What its option table fills; times in milliseconds. */
struct sqd_output_lumberjack_cfg {
	struct sqd_link_cfg link; /* first, so that the address is where outputs have it */
	uint32_t window;          /* events */
	uint32_t pipelining;      /* windows */
	uint32_t compression;     /* level of zlib; 0: none */
	uint64_t ack_timeout;
};
