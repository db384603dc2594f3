/* The output to Kafka: each message with its host as the key, so that what one host did stays in
 * order in one partition. Main loop only.
 */
#pragma once

#include "daemon/base/kafka.h"
#include "daemon/flow/output.h"

extern const struct sqd_output_ops sqd_output_kafka;

/** What its option table fills. */
struct sqd_output_kafka_cfg {
	struct sqd_kafka_cfg kafka; /* first */
	char *topic;
	int compression;
	uint64_t linger, answer_timeout; /* milliseconds */
	uint64_t max_message;            /* bytes */
	uint32_t max_in_flight;          /* messages */
};
