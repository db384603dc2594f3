/* Opening what an output appends to. Any thread; it may wait for a disk, but not for a reader. */
#pragma once

#include "daemon/output/file.h"

extern const struct sq_opt sqd_file_opts[]; /* fill struct sqd_output_file_cfg */

/** @return a descriptor at the end of the file, a line begun there ended; or -errno. -ENXIO: a FIFO
 *  that nobody reads, or a socket */
int sqd_file_open(const struct sqd_output_file_cfg *cfg) SQ_MUST_CHECK;

/** What of a piece of lines is in the file that is to be left. */
struct sqd_file_begun {
	struct sq_sv bytes; /* from the front of the piece on */
	uint64_t size;      /* of that file, as far as we have written it */
	size_t cut;         /* bytes of a line that were taken back out of it */
	size_t kept;        /* of `bytes`: need not be written again, when the new one is open */
};

/** As sqd_file_open(), in place of `old`, which stays open: no line is torn over two files or is in
 *  both, nor torn in one that is opened a second time. `b->cut` holds in any case. */
int sqd_file_open_anew(const struct sqd_output_file_cfg *cfg, int old,
                       struct sqd_file_begun *b) SQ_MUST_CHECK;

/** What is written there is nowhere: it has no name any more. */
bool sqd_file_is_removed(int fd);

/** What sqd_file_open() said, in words. Looks at the file. */
const char *sqd_file_why(const char *path, int code);
