/* Opening what an output appends to. Any thread; it may wait for a disk, but not for a reader. */
#pragma once

#include "daemon/output/file.h"

/** @return a descriptor at the end of the file, a line begun there ended; or -errno. -ENXIO: a FIFO
 *  that nobody reads, or a socket */
int sqd_file_open(const struct sqd_output_file_cfg *cfg) SQ_MUST_CHECK;

/** What sqd_file_open() said, in words. Looks at the file. */
const char *sqd_file_why(const char *path, int code);
