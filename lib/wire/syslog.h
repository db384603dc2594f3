/* Take a syslog header off a record, and keep what it says.
 *
 * RFC 5424, RFC 3164 as it is really sent (parts missing, ISO time), the UTF-8 BOM, the "@cee:"
 * cookie. What is left is the payload: from the first '{', '[' or "<Event" on. A record that begins
 * with one of those costs one comparison. Pure; views point into the record.
 */
#pragma once

#include "lib/base/sv.h"

struct sq_syslog {
	struct sq_sv payload; /* the event; empty when the record holds none */
	struct sq_sv host;    /* HOSTNAME of the header; empty when absent or "-" */
	struct sq_sv app;     /* APP-NAME or TAG; empty when absent */
	struct sq_sv time;    /* TIMESTAMP as sent; empty when absent */
	int64_t time_us;      /* of an RFC 5424 or ISO timestamp with a zone; else 0 */
	int priority;         /* 0..191, or -1: no (lawful) PRI */
};

/** Never fails: what is no syslog is all payload, or has none. */
void sq_syslog_strip(struct sq_sv record, struct sq_syslog *ret);
