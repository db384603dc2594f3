/* Each message becomes an event:
 *
 *	{"time":1709294400.123456,"host":"ws-7","sourcetype":"squiblyd","event":{...},
 *	 "fields":{"squiblyd_id":"0001..."}}
 *
 * or, with `endpoint: raw`, a line. The time is that of the message's "@timestamp", when it begins
 * with one as our alerts do; else Splunk takes its own. What Splunk answers with code 0 is safe:
 * it has been taken, though not yet indexed (that would be told by acks, which are not asked for;
 *the channel is there because tokens with acks, and raw lines, want one). It tells which event of a
 * request is invalid: that one is refused, the others are sent again, and may be there twice, with
 * the same squiblyd_id.
 * https://docs.splunk.com/Documentation/Splunk/9.4.1/Data/FormateventsforHTTPEventCollector
 */
#include "daemon/output/splunk.h"

#include <inttypes.h>
#include <stdio.h>

#include "daemon/output/http_out.h"
#include "daemon/output/http_text.h"
#include "lib/base/time.h"
#include "lib/text/jsonw.h"
#include "lib/wire/hec_reply.h"

enum { ANSWER_MAX_BYTES = 64 * 1024, FIXED_MAX_BYTES = 64 * 1024 };

enum { ENDPOINT_EVENT, ENDPOINT_RAW };

struct splunk_cfg {
	struct sqd_http_cfg http; /* first */
	int endpoint;
	char *token_file, *index, *source, *sourcetype;
};

struct splunk {
	struct sqd_http_out out; /* first */
	struct sq_hec_reply reply;
	struct sq_outbuf fixed; /* what is the same in all events */
	uint64_t channel[2];
};

#define AT(member) .offset = offsetof(struct splunk_cfg, member)

static const struct sq_opt_enum endpoints[] = { { "event", ENDPOINT_EVENT },
	                                        { "raw", ENDPOINT_RAW },
	                                        { 0 } };

/* clang-format off */
static const struct sq_opt splunk_opts[] = {
	{ "url", SQ_OPT_STR, AT(http.url), .required = true,
	  .doc = "Where Splunk's HTTP event collector is: https://splunk.example.org:8088." },
	{ "token_file", SQ_OPT_STR, AT(token_file), .required = true,
	  .doc = "File that holds the token of the collector, in one line." },
	{ "endpoint", SQ_OPT_ENUM, AT(endpoint), .enums = endpoints, .def = "event",
	  .doc = "Send events with time, host and our id, or raw lines." },
	{ "index", SQ_OPT_STR, AT(index),
	  .doc = "Index to write to; absent: that of the token." },
	{ "source", SQ_OPT_STR, AT(source),
	  .doc = "Source of the events; absent: that of the token." },
	{ "sourcetype", SQ_OPT_STR, AT(sourcetype), .def = "squiblyd",
	  .doc = "Source type of the events." },
	{ "batch", SQ_OPT_U32, AT(http.batch), .min = 1, .max = 10000, .def = "1000",
	  .doc = "Most messages in one request." },
	SQD_HTTP_OPTS(struct splunk_cfg, http),
	{ 0 }
};
/* clang-format on */

static struct splunk *self(struct sqd_http_out *o)
{
	return SQ_CONTAINER(o, struct splunk, out);
}

/* ---- where to, and who we are ------------------------------------------------------------ */

static void put_parameter(struct sq_outbuf *to, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	sq_outbuf_printf(to, "%c%s=", to->len && memchr(to->p, '?', to->len) ? '&' : '?', name);
	sqd_http_put_escaped(to, value);
}

static void put_path(const struct splunk_cfg *cfg, struct sq_outbuf *to)
{
	if (cfg->endpoint == ENDPOINT_EVENT) {
		sq_outbuf_put(to, SQ_SV("/services/collector/event"));
	} else {
		sq_outbuf_put(to, SQ_SV("/services/collector/raw"));
		put_parameter(to, "index", cfg->index);
		put_parameter(to, "source", cfg->source);
		put_parameter(to, "sourcetype", cfg->sourcetype);
	}
	sq_outbuf_putc(to, '\0');
}

/* Members that all events have, each with a comma behind it. */
static void put_fixed(const struct splunk_cfg *cfg, struct sq_outbuf *to)
{
	const struct {
		const char *key, *value;
	} rows[] = { { "index", cfg->index },
		     { "source", cfg->source },
		     { "sourcetype", cfg->sourcetype } };

	sq_outbuf_reset(to);
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		if (!rows[i].value || !*rows[i].value)
			continue;
		sq_outbuf_printf(to, "\"%s\":\"", rows[i].key);
		sq_json_escape(to, sq_sv_of(rows[i].value));
		sq_outbuf_put(to, SQ_SV("\","));
	}
}

static int aim(struct sqd_http_out *o, struct sq_err *err)
{
	const struct splunk_cfg *cfg = o->base.cfg;
	struct splunk *s = self(o);
	struct sq_outbuf path = sq_outbuf_of(16384);
	char *token = NULL, *login = NULL, channel[80];
	int r = sqd_http_secret(o->base.name, cfg->token_file, &token, err);

	put_path(cfg, &path);
	put_fixed(cfg, &s->fixed);
	if (r == 0 && asprintf(&login, "Authorization: Splunk %s", token) < 0)
		login = NULL;
	if (r == 0 && (!login || path.failed || s->fixed.failed))
		r = sq_err_set(err, -ENOMEM, "out of memory");
	snprintf(channel, sizeof(channel),
	         "X-Splunk-Request-Channel: %08" PRIx64 "-%04" PRIx64 "-4%03" PRIx64 "-a%03" PRIx64
	         "-%012" PRIx64,
	         s->channel[0] >> 32, s->channel[0] >> 16 & 0xffff, s->channel[0] & 0xfff,
	         s->channel[1] >> 52, s->channel[1] & UINT64_C(0xffffffffffff));
	if (r == 0) {
		const char *headers[] = { cfg->endpoint == ENDPOINT_EVENT
			                          ? "Content-Type: application/json"
			                          : "Content-Type: text/plain; charset=utf-8",
			                  channel, login, NULL };

		r = sqd_http_out_aim(o, path.p, headers, NULL, err);
	}
	sqd_http_forget(login);
	sqd_http_forget(token);
	sq_outbuf_fini(&path);
	return r;
}

/* ---- requests ---------------------------------------------------------------------------- */

/* The time that an alert begins with: {"@timestamp":"2024-03-01T12:00:00.123456Z", */
static bool find_time(struct sq_sv text, int64_t *ret_us)
{
	struct sq_sv begin = SQ_SV("{\"@timestamp\":\"");

	if (!sq_sv_starts(text, begin))
		return false;
	text = sq_sv_first(sq_sv_skip(text, begin.n), 64);
	return sq_time_parse(sq_sv_cut(&text, '"'), ret_us, NULL) && *ret_us >= 0;
}

static void encode_event(struct splunk *s, const struct sqd_message *m)
{
	struct sq_outbuf *to = &s->out.body;
	int64_t us;

	sq_outbuf_putc(to, '{');
	if (find_time(m->text, &us))
		sq_outbuf_printf(to, "\"time\":%" PRId64 ".%06" PRId64 ",", us / 1000000,
		                 us % 1000000);
	if (m->key.n) {
		sq_outbuf_put(to, SQ_SV("\"host\":\""));
		sq_json_escape(to, m->key);
		sq_outbuf_put(to, SQ_SV("\","));
	}
	sq_outbuf_put(to, sq_outbuf_view(&s->fixed));
	sq_outbuf_put(to, SQ_SV("\"event\":"));
	s->out.mended = sqd_http_put_value(to, m->text);
	if (m->id[0] || m->id[1])
		sq_outbuf_printf(to,
		                 ",\"fields\":{\"squiblyd_id\":\"%016" PRIx64 "%016" PRIx64 "\"}",
		                 m->id[0], m->id[1]);
	sq_outbuf_put(to, SQ_SV("}\n"));
}

static void encode(struct sqd_http_out *o, const struct sqd_message *m, size_t at SQ_UNUSED)
{
	const struct splunk_cfg *cfg = o->base.cfg;

	if (cfg->endpoint == ENDPOINT_EVENT)
		encode_event(self(o), m);
	else
		sqd_http_put_line(&o->body, m->text);
}

/* ---- answers ----------------------------------------------------------------------------- */

/* What is wrong with how we are configured, not with an event. */
static bool is_ours_to_mend(int64_t code)
{
	switch (code) {
	case 7:  /* incorrect index */
	case 10: /* data channel is missing */
	case 11: /* invalid data channel */
	case 14: /* ACK is disabled */
	case 16: /* query string authorization is not enabled */
		return true;
	default:
		return false;
	}
}

static enum sqd_http_verdict judge(struct sqd_http_out *o, const struct sqd_http_answer *a,
                                   struct sq_err *why)
{
	struct splunk *s = self(o);
	enum sqd_http_verdict by_status = sqd_http_judge(a, why);
	int r = sq_hec_reply_read(&s->reply, a->body);

	if (r == -ENOMEM) {
		sq_err_set(why, r, "out of memory");
		return SQD_HTTP_LATER;
	}
	if (by_status == SQD_HTTP_SAFE && (r < 0 || s->reply.code != 0)) {
		sq_err_set(why, -EREMOTEIO, "it answered %u without code 0: is it a collector?",
		           a->status);
		return SQD_HTTP_LATER;
	}
	if (r < 0 || by_status != SQD_HTTP_DIVIDE)
		return by_status;
	if (is_ours_to_mend(s->reply.code))
		return SQD_HTTP_MEND;
	if (s->reply.event < 0 || (uint64_t)s->reply.event >= o->flying)
		return SQD_HTTP_DIVIDE;
	sqd_http_out_refuse(o, (size_t)s->reply.event, why->text);
	return SQD_HTTP_REST;
}

/* ---- before anything starts -------------------------------------------------------------- */

static int check(const void *of, bool files, struct sq_err *err)
{
	const struct splunk_cfg *cfg = of;

	return files ? sqd_http_secret_check("token_file", cfg->token_file, err) : 0;
}

/* ---- life -------------------------------------------------------------------------------- */

static void fini(struct sqd_http_out *o)
{
	sq_hec_reply_fini(&self(o)->reply);
	sq_outbuf_fini(&self(o)->fixed);
}

static int splunk_start(struct sqd_output *out, struct sq_err *err)
{
	static const struct sqd_http_kind kind = { .aim = aim,
		                                   .encode = encode,
		                                   .close_body = sqd_http_no_end,
		                                   .sign = sqd_http_no_sign,
		                                   .judge = judge,
		                                   .fini = fini };
	struct splunk *s = self(sqd_http_out_of(out));

	s->fixed = sq_outbuf_of(FIXED_MAX_BYTES);
	if (sq_hec_reply_init(&s->reply) < 0)
		return sq_err_set(err, -ENOMEM, "splunk: out of memory");
	if (uv_random(NULL, NULL, s->channel, sizeof(s->channel), 0, NULL) < 0)
		s->channel[0] = s->channel[1] = uv_hrtime();
	return sqd_http_out_start(&s->out, &kind, ANSWER_MAX_BYTES, err);
}

const struct sqd_output_ops sqd_output_splunk = {
	.kind = "splunk",
	.size = sizeof(struct splunk),
	.cfg_size = sizeof(struct splunk_cfg),
	.opts = splunk_opts,
	.check = check,
	.start = splunk_start,
	.send = sqd_http_out_send,
	.reopen = sqd_http_out_reopen,
	.insist = sqd_http_out_insist,
	.close = sqd_http_out_close,
};
