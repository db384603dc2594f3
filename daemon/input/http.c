/* The HTTP input's options, its start and its stop. */
#include "daemon/input/http.h"

#include <stdio.h>

#include "daemon/input/http_private.h"

#define AT(member) .offset = offsetof(struct sqd_input_http_cfg, member)

/* clang-format off */
static const struct sq_opt http_opts[] = {
	SQD_SERVER_OPTS(struct sqd_input_http_cfg, server),
	{ "paths", SQ_OPT_STRS, AT(paths), .def = "[/, /events]",
	  .doc = "Paths that take events by POST or PUT: lines, arrays, objects after each other, syslog lines." },
	{ "elasticsearch", SQ_OPT_BOOL, AT(elasticsearch), .def = "true",
	  .doc = "Be an Elasticsearch to Beats and others: _bulk, and what they ask for before it." },
	{ "hec", SQ_OPT_BOOL, AT(hec), .def = "true",
	  .doc = "Be a Splunk HTTP event collector below /services/collector." },
	{ "hec_acks", SQ_OPT_BOOL, AT(hec_acks), .def = "false",
	  .doc = "Indexer acknowledgement: answer HEC requests at once with an ackId, and /services/collector/ack tells "
		 "when it is settled; every request must name a channel. Without, the answer itself waits until then." },
	{ "hec_channels", SQ_OPT_U32, AT(hec_channels), .min = 1, .max = 65536, .def = "1024",
	  .doc = "Channels that are remembered for hec_acks; the one that was used longest ago makes room." },
	{ "otlp", SQ_OPT_BOOL, AT(otlp), .def = "true",
	  .doc = "Take OpenTelemetry's logs as JSON at /v1/logs (encoding: json of the exporter otlphttp; protobuf is refused)." },
	{ "tokens_file", SQ_OPT_STR, AT(tokens_file),
	  .doc = "File of lines NAME:TOKEN: only who shows one of the tokens may send (Bearer, Splunk, ApiKey). The name is "
		 "told with its events; it may have several tokens, a token one name. Read again on SIGHUP." },
	{ "users_file", SQ_OPT_STR, AT(users_file),
	  .doc = "File of lines NAME:PASSWORD for basic authentication, in the same way." },
	{ "max_record", SQ_OPT_BYTES, AT(max_record), .min = 1024, .max = 16 << 20, .def = "1MiB",
	  .doc = "Longest record; a longer one is skipped to its end and counted as oversized." },
	{ "max_body", SQ_OPT_BYTES, AT(max_body), .min = 1024, .max = UINT64_C(4) << 30, .def = "100MiB",
	  .doc = "Longest body of a request, as it is sent and as it is unpacked; a longer one is answered with 413." },
	{ "max_ratio", SQ_OPT_U32, AT(max_ratio), .min = 0, .max = 100000, .def = "900",
	  .doc = "How many times longer than it was sent a body may become by unpacking, from 64 KiB on; 0 means any. "
		 "Events reach 140, padded by an attacker 600, bombs 1032." },
	{ "max_unpacking", SQ_OPT_BYTES, AT(max_unpacking), .min = 16 << 20, .max = 1ll << 40, .def = "128MiB",
	  .doc = "Most memory for what zstd has to remember of all bodies of this input on a loop together, 1 MiB of each not "
		 "counted; a request that needs more is answered with 503 and comes again." },
	{ "max_header", SQ_OPT_BYTES, AT(max_header), .min = 1024, .max = SQ_HTTP_HEADER_MAX, .def = "16KiB",
	  .doc = "Longest request line and headers together." },
	{ "max_headers", SQ_OPT_U32, AT(max_headers), .min = 8, .max = 1000, .def = "100",
	  .doc = "Header lines of a request." },
	{ "max_items", SQ_OPT_U32, AT(max_items), .min = 1, .max = 32768, .def = "16384",
	  .doc = "Actions of one _bulk request; one with more is answered with 413, and Beats divide it." },
	{ "header_timeout", SQ_OPT_MSEC, AT(header_timeout), .min = 10, .max = 3600000, .def = "10s",
	  .doc = "Time for a header to become whole, and for the first byte of a connection to come." },
	{ "body_timeout", SQ_OPT_MSEC, AT(body_timeout), .min = 10, .max = 3600000, .def = "30s",
	  .doc = "Time in which at least 1 KiB more of a body must come, while we read." },
	{ "busy_after", SQ_OPT_MSEC, AT(busy_after), .min = 0, .max = 3600000, .def = "5s",
	  .doc = "When no batch has been free for so long, new requests are answered with 429." },
	{ "answer_timeout", SQ_OPT_MSEC, AT(answer_timeout), .min = 10, .max = 3600000, .def = "1min",
	  .doc = "A request that is not settled after so long is answered with 503; its sender sends it again. Beats wait 90s." },
	{ 0 }
};
/* clang-format on */

static struct sqd_http_input *self(struct sqd_input *in)
{
	return SQ_CONTAINER(in, struct sqd_http_input, server.base);
}

/* ---- life --------------------------------------------------------------------------------- */

/* What it owns is needed until the last request is settled. */
void sqd_http_gone(struct sqd_server *server)
{
	struct sqd_http_input *in = self(&server->base);

	sq_credentials_fini(&in->credentials);
	sqd_acks_fini(&in->acks);
	sq_outbuf_fini(&in->body);
	sq_outbuf_fini(&in->out);
	while (in->n_spare)
		sq_unpack_free(in->spare[--in->n_spare]);
}

static int http_start(struct sqd_input *base, struct sq_err *err)
{
	const struct sqd_input_http_cfg *cfg = base->cfg;
	struct sqd_http_input *in = self(base);
	int r;

	in->server.protocol = &sqd_http_protocol;
	in->acks.max = cfg->hec_channels;
	in->body = sq_outbuf_of(SQD_CONN_UNSENT_MAX - 4096);
	in->out = sq_outbuf_of(SQD_CONN_UNSENT_MAX);
	snprintf(base->name, sizeof(base->name), "http %s", cfg->server.listen);
	r = sqd_http_auth_load(in, err);
	if (r < 0)
		return sq_err_wrap(err, r, "http input");
	r = sqd_server_start(base, err);
	if (r < 0)
		return r;
	if (!base->further && sqd_http_auth_open(cfg, base->name))
		sqd_log(SQD_LOG_WARNING, "%s: " SQD_HTTP_OPEN, base->name);
	return 0;
}

static void http_resume(struct sqd_input *base)
{
	struct sqd_http_input *in = self(base);

	if (!in->starved_ms)
		return;
	in->starved_ms = 0;
	sqd_server_resume(base);
}

static void http_reload(struct sqd_input *base)
{
	struct sqd_http_input *in = self(base);
	struct sq_err err = { 0 };

	sqd_server_reload(base);
	if (!in->guarded)
		return;
	if (sqd_http_auth_load(in, &err) < 0)
		sqd_log(SQD_LOG_ERROR, "%s: %s; the old names and secrets stay", base->name,
		        err.text);
	else if (!base->further)
		sqd_log(SQD_LOG_INFO, "%s: %zu names and secrets read", base->name,
		        in->credentials.n);
}

/* Acks are asked for over another connection, which may be one of another instance. */
static bool http_alone(const void *cfg)
{
	return ((const struct sqd_input_http_cfg *)cfg)->hec_acks;
}

const struct sqd_input_ops sqd_input_http = {
	.kind = "http",
	.size = sizeof(struct sqd_http_input),
	.cfg_size = sizeof(struct sqd_input_http_cfg),
	.opts = http_opts,
	.check = sqd_http_auth_check,
	.start = http_start,
	.pause = sqd_server_pause,
	.resume = http_resume,
	.stop = sqd_server_stop,
	.reload = http_reload,
	.close = sqd_server_close,
	.alone = http_alone,
};
