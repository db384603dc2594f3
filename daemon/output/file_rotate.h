/* A file that has become long or old is moved aside, and the oldest of those before it go. Nothing
 * of the loop: what is here waits for the disk, and runs where that may be waited for. */
#pragma once

#include "lib/base/err.h"

enum sqd_rotate_names {
	SQD_ROTATE_NUMBER, /* alerts.json.1 is the newest; all are renamed each time */
	SQD_ROTATE_TIME,   /* alerts.json.20261123T021500Z: when it was moved, in UTC; "-2" if there
	                      is one */
};

struct sqd_rotate {
	const char *path;
	uint32_t keep; /* files beside the one that is written; 1 at least */
	int names;     /* enum sqd_rotate_names */
};

/**
 * Move the file at `path` aside, if it is the one that is open as `fd`; then remove those that are
 * more than `keep`, oldest first, which are told by their names. Nothing is overwritten, and what
 * stops half way (a crash, a full disk) is taken up the next time.
 *
 * @param now_us  UTC; for the name
 * @return 1 moved; 0 there is nothing of ours at `path`; negative errno: it is where it was
 */
int sqd_rotate_move(const struct sqd_rotate *r, int fd, int64_t now_us) SQ_MUST_CHECK;

/** Make what was done to names in the folder of `path` last. @return 0 or a negative errno */
int sqd_rotate_sync_folder(const char *path) SQ_MUST_CHECK;
