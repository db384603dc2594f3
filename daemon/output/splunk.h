/* The output to Splunk, by its HTTP event collector. Main loop only. */
#pragma once

#include "daemon/flow/output.h"

extern const struct sqd_output_ops sqd_output_splunk;
