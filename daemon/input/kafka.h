/* The input from Kafka: a member of a consumer group. Each message is one record, and an offset is
 * committed when everything before it is settled.
 */
#pragma once

#include "daemon/base/kafka.h"
#include "daemon/flow/input.h"

extern const struct sqd_input_ops sqd_input_kafka;

/** What its option table fills. */
struct sqd_input_kafka_cfg {
	struct sqd_kafka_cfg kafka; /* first */
	struct sq_opt_strs topics;
	char *group, *instance;
	int start;           /* where to begin without a committed offset: "earliest" or "latest" */
	uint64_t max_record; /* bytes */
	uint64_t prefetch;   /* bytes */
	uint64_t session, commit_interval, revoke_wait; /* milliseconds */
};
