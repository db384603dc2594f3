/* The status for people: first whether all is well, then every number with what it means. Main
 * loop. */
#pragma once

#include "daemon/core/daemon_private.h"

/** All of it. `complete`: every loop has shown its counters. */
void sqd_status_report(const struct sqd_daemon *d, bool complete, struct sq_outbuf *out);
/** Which rules are in force, and why newer ones are not. */
void sqd_status_rules(const struct sqd_daemon *d, struct sq_outbuf *out);
