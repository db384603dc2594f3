/* The HTTP input: events by POST, as Elasticsearch's _bulk, as Splunk's event collector. */
#pragma once

#include "daemon/input/server.h"

struct sqd_input_http_cfg {
	struct sqd_server_cfg server; /* first */
	uint64_t max_record;          /* bytes */
	uint64_t max_body;            /* bytes of a request, as sent and as unpacked */
	uint32_t max_ratio;           /* unpacked by sent; 0: any */
	uint64_t max_unpacking;       /* bytes, of all bodies that are being unpacked */
	uint64_t max_header;          /* bytes */
	uint32_t max_headers;         /* lines */
	uint32_t max_items;           /* actions of a _bulk request */
	struct sq_opt_strs paths;     /* of plain events */
	bool elasticsearch, hec, hec_acks, otlp;
	uint32_t hec_channels;
	char *tokens_file, *users_file;
	uint64_t header_timeout, body_timeout, answer_timeout, busy_after; /* milliseconds */
};

extern const struct sqd_input_ops sqd_input_http;
