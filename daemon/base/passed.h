/* Sockets that systemd opened for us (sd_listen_fds(3)).
 *
 * Each belongs to one input: the one that asks for its name (FileDescriptorName=), or the one whose
 * address it is bound to. Before the main loop starts.
 */
#pragma once

#include "lib/base/err.h"

enum { SQD_PASSED_FIRST = 3, SQD_PASSED_MAX = 64, SQD_PASSED_NAMES = 4096 };

/** The sockets passed to this process; each is taken once. */
struct sqd_passed {
	int fds[SQD_PASSED_MAX]; /* -1: taken */
	unsigned n;
	char names[SQD_PASSED_NAMES]; /* LISTEN_FDNAMES: in their order, colons between */
};

/** Read LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, and take them out of the environment; marks the
 *  descriptors close-on-exec. None is not an error. @return how many */
unsigned sqd_passed_read(struct sqd_passed *p);

/** The passed socket of this type that is bound to `where` (port and address, or path; a wildcard
 *  matches its own kind alone). @return the descriptor, the caller's from now on, or -1 */
int sqd_passed_take(struct sqd_passed *p, const char *where, int type);

/** The first passed socket of this name that nobody took. @return the descriptor, the caller's from
 *  now on, or -ENOENT; -EPROTOTYPE: those of the name are of another type */
int sqd_passed_take_named(struct sqd_passed *p, const char *name, int type);

/** Close those that nobody took. @return how many */
unsigned sqd_passed_close(struct sqd_passed *p);
