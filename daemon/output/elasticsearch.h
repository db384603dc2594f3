/* The output to Elasticsearch and OpenSearch, by their _bulk API. Main loop only. */
#pragma once

#include "daemon/flow/output.h"

extern const struct sqd_output_ops sqd_output_elasticsearch;
