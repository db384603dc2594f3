/* Outputs to a file and to standard output. Main loop only; writing is done on libuv's threads. */
#pragma once

#include "daemon/flow/output.h"

extern const struct sqd_output_ops sqd_output_file;
extern const struct sqd_output_ops sqd_output_stdout;

/** What the option table of "file" fills. */
struct sqd_output_file_cfg {
	char *path;
	uint64_t rotate_size;     /* bytes; 0: any */
	uint64_t rotate_interval; /* milliseconds; 0: for ever */
	uint32_t rotate_keep;     /* files */
	int rotate_names;         /* enum sqd_rotate_names */
	bool sync;
	uint64_t stall_timeout; /* milliseconds; 0: none */
};

/** "stdout" has nothing to configure. */
struct sqd_output_stdout_cfg {
	bool unused;
};
