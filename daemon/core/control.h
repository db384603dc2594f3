/* The control socket: whoever may connect asks how the daemon is, or tells it to load its rules.
 *
 * One line in, one answer out, then the end:
 *
 *	status   one JSON document; its first member is "holds"
 *	report   the same for people
 *	rules    which rules are in force, for people
 *	reload   as SIGHUP does
 *
 * The answers of all but `status` begin with a line of our own: "ok LEN", "broken LEN" (the
 * accounts do not hold, or not all is known) or "error LEN", and LEN bytes of text.
 *
 * A peer can hurt nobody but other peers: at most so many are served at one time, the others wait
 *in the kernel's queue; a request has 64 bytes at most; who sends or takes too slowly is cut off.
 * Main loop only.
 */
#pragma once

#include <uv.h>

#include "daemon/base/listen.h"
#include "lib/base/outbuf.h"

enum sqd_request {
	SQD_REQUEST_STATUS,
	SQD_REQUEST_REPORT,
	SQD_REQUEST_RULES,
	SQD_REQUEST_RELOAD,
	SQD_REQUEST_UNKNOWN,
};

/** One line, without its end; blanks around it are left out. */
enum sqd_request sqd_request_parse(struct sq_sv line);

struct sqd_control;

struct sqd_control_opts {
	uv_loop_t *loop;
	const char *path;
	const char *mode;     /* octal text */
	uint32_t connections; /* served at one time */
	uint64_t timeout_ms;  /* for a request to come, and for its answer to be taken */
	/** Somebody wants to know: call sqd_control_answer() when all there is to know is known. */
	void (*asked)(void *ctx);
	/** Write the answer. `complete`: sqd_control_answer() was called, not awaited in vain. */
	void (*answer)(void *ctx, enum sqd_request what, bool complete, struct sq_outbuf *out);
	void *ctx;
};

/** Listen. A file that nobody listens on any more is replaced, nothing else is. NULL with `err`. */
struct sqd_control *sqd_control_new(const struct sqd_control_opts *opts, struct sq_err *err);

/** Answer all who have asked. */
void sqd_control_answer(struct sqd_control *c);

/** Close; the handles end by themselves. NULL: nothing. */
void sqd_control_close(struct sqd_control *c);

/** After the loop has ended. */
void sqd_control_free(struct sqd_control *c);
