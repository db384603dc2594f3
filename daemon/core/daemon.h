/* The whole: starts everything in order, stops it in the reverse order.
 */
#pragma once

#include "daemon/core/config.h"

/** Run until told to stop. @return the exit code: 0, or 1 when it could not start (said on standard
 *  error) */
int sqd_daemon_run(const struct sqd_config *cfg);
