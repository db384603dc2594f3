/* The input for Beats: Lumberjack over TCP or TLS. What it promises its senders:
 * lib/wire/lumberjack.h and docs/operations.md, "Beats". */
#pragma once

#include "daemon/input/server.h"

extern const struct sqd_input_ops sqd_input_beats;

/** What its option table fills. */
struct sqd_input_beats_cfg {
	struct sqd_server_cfg server;
	uint64_t max_record; /* bytes */
	uint32_t max_window; /* events */
	uint32_t max_windows;
	uint64_t max_frame;    /* bytes */
	uint64_t max_unpacked; /* bytes */
	uint32_t max_ratio;
	uint32_t max_pairs;
	uint64_t max_key;        /* bytes */
	uint64_t max_unfinished; /* bytes */
	uint64_t keepalive;      /* milliseconds */
	uint64_t max_unacked;    /* milliseconds */
	uint64_t max_silence;    /* milliseconds */
};
