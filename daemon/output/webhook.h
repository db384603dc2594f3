/* The output to whatever takes POST requests. Main loop only. */
#pragma once

#include "daemon/flow/output.h"

extern const struct sqd_output_ops sqd_output_webhook;
