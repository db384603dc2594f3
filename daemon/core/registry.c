#include "daemon/core/registry.h"

#include "daemon/input/beats.h"
#include "daemon/input/http.h"
#include "daemon/input/kafka.h"
#include "daemon/input/tcp.h"
#include "daemon/input/udp.h"
#include "daemon/output/elasticsearch.h"
#include "daemon/output/file.h"
#include "daemon/output/kafka.h"
#include "daemon/output/lumberjack.h"
#include "daemon/output/splunk.h"
#include "daemon/output/tcp.h"
#include "daemon/output/udp.h"
#include "daemon/output/webhook.h"

const struct sqd_input_ops *const sqd_input_kinds[] = { &sqd_input_tcp,   &sqd_input_udp,
	                                                &sqd_input_beats, &sqd_input_http,
	                                                &sqd_input_kafka, NULL };

const struct sqd_output_ops *const sqd_output_kinds[] = {
	&sqd_output_stdout,        &sqd_output_file,
	&sqd_output_tcp,           &sqd_output_udp,
	&sqd_output_elasticsearch, &sqd_output_kafka,
	&sqd_output_lumberjack,    &sqd_output_splunk,
	&sqd_output_webhook,       NULL,
};

const struct sqd_output_ops *const sqd_dead_letter_kind = &sqd_output_file;
