/* What a receiver refused for good goes to the dead letters, with the reason that it gave. Main
 *loop only.
 *
 *	{"@timestamp":..,"output":..,"reason":..,"message":..[,"message_length":N]}
 *
 * What was refused counts as sent only when its line has been written (or the disk of the dead
 * letters is failing): no receipt is settled, and nothing leaves a spool, before.
 *
 * Valid JSON and UTF-8 whatever the message or the reason held. A message is kept to 64 KiB.
 */
#pragma once

#include "daemon/flow/outqueue.h"

struct sqd_refusals {
	struct sqd_outqueue *dead_letters; /* NULL: none; what is refused is only counted */
	struct sq_outbuf line;
};

/** Keeps `dead_letters`. */
void sqd_refusals_init(struct sqd_refusals *r, struct sqd_outqueue *dead_letters);
void sqd_refusals_fini(struct sqd_refusals *r);

/** What `q` is told is taken by `r`, which outlives it. */
void sqd_refusals_watch(struct sqd_refusals *r, struct sqd_outqueue *q);

/** Such a line, without its end. */
void sqd_refusals_write(struct sq_outbuf *to, int64_t wall_us, const char *output,
                        const struct sqd_message *m, const char *why);
