/* Each message becomes two lines of a _bulk request:
 *
 *	{"create":{"_id":"000102030405060708090a0b0c0d0e0f"}}
 *	{"@timestamp":"2024-03-01T12:00:00.000Z", ...}
 *
 * and gets an item of its own in the answer: 2xx is safe; so is 409, since `create` says so when a
 * document of this id is there, which is ours from an earlier try. 429 and 5xx are said again, and
 * 401, 403 and 404 too: they are of the index, not of the document, and somebody has to mend it.
 * Any other 4xx (a field of the wrong type) is refused. The same holds for a request that is
 *refused as a whole: what somebody has to mend waits, anything else is divided until the guilty one
 *is alone.
 *
 * Lines must not hold line ends: those between the tokens of a JSON text become blanks, and within
 * its strings there are none.
 * https://www.elastic.co/guide/en/elasticsearch/reference/8.17/docs-bulk.html
 * https://docs.opensearch.org/latest/api-reference/document-apis/bulk/
 */
#include "daemon/output/elasticsearch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "daemon/output/http_out.h"
#include "daemon/output/http_text.h"
#include "lib/wire/bulk_reply.h"

enum {
	ANSWER_MAX_BYTES = 16 * 1024 * 1024, /* of 10,000 items that are all in error */
	NAME_MAX_BYTES = 255,                /* of an index */
};

struct elastic_cfg {
	struct sqd_http_cfg http; /* first */
	char *index, *pipeline;
	char *user, *password_file, *api_key_file;
};

struct elastic {
	struct sqd_http_out out; /* first */
	struct sq_bulk_reply *reply;
	struct sq_err *why; /* while an answer is read: of the first item that waits */
	size_t again;
};

#define AT(member) .offset = offsetof(struct elastic_cfg, member)

/* clang-format off */
static const struct sq_opt elastic_opts[] = {
	{ "url", SQ_OPT_STR, AT(http.url), .required = true,
	  .doc = "Where Elasticsearch or OpenSearch is: https://es.example.org:9200." },
	{ "index", SQ_OPT_STR, AT(index), .required = true,
	  .doc = "Data stream, alias or index to write to: logs-squiblyd-default; a date is written \"<alerts-{now/d}>\"." },
	{ "pipeline", SQ_OPT_STR, AT(pipeline),
	  .doc = "Ingest pipeline; absent: that of the index." },
	{ "user", SQ_OPT_STR, AT(user),
	  .doc = "User to log in as, with password_file." },
	{ "password_file", SQ_OPT_STR, AT(password_file),
	  .doc = "File that holds the user's password, in one line." },
	{ "api_key_file", SQ_OPT_STR, AT(api_key_file),
	  .doc = "File that holds an API key as Elasticsearch gives it (`encoded`), instead of user and password." },
	{ "batch", SQ_OPT_U32, AT(http.batch), .min = 1, .max = 10000, .def = "1000",
	  .doc = "Most messages in one request." },
	SQD_HTTP_OPTS(struct elastic_cfg, http),
	{ 0 }
};
/* clang-format on */

static struct elastic *self(struct sqd_http_out *o)
{
	return SQ_CONTAINER(o, struct elastic, out);
}

/* ---- where to, and who we are ------------------------------------------------------------ */

/* What the names of an index, or of one with a date in it, cannot hold. */
static int check_index(const char *index, struct sq_err *err)
{
	size_t n = strlen(index);

	if (n == 0 || n > NAME_MAX_BYTES || strcspn(index, "\\*?\"| ,#") != n ||
	    strchr("-_+", index[0]) || strcmp(index, ".") == 0 || strcmp(index, "..") == 0)
		return sq_err_set(err, -EINVAL, "index: \"%.64s\" is no name of an index", index);
	return 0;
}

static int check_login(const struct elastic_cfg *cfg, struct sq_err *err)
{
	if (cfg->api_key_file && (cfg->user || cfg->password_file))
		return sq_err_set(err, -EINVAL,
		                  "api_key_file: either this, or user and password_file");
	if (cfg->user && !cfg->password_file)
		return sq_err_set(err, -EINVAL, "user: password_file is missing beside it");
	if (cfg->password_file && !cfg->user)
		return sq_err_set(err, -EINVAL, "password_file: user is missing beside it");
	if (cfg->user && strchr(cfg->user, ':'))
		return sq_err_set(err, -EINVAL, "user: a colon cannot be in it");
	return 0;
}

static int check(const void *of, bool files, struct sq_err *err)
{
	const struct elastic_cfg *cfg = of;
	int r = check_index(cfg->index, err);

	r = r ? r : check_login(cfg, err);
	if (r == 0 && files)
		r = sqd_http_secret_check("password_file", cfg->password_file, err);
	if (r == 0 && files)
		r = sqd_http_secret_check("api_key_file", cfg->api_key_file, err);
	return r;
}

static int put_path(const struct elastic_cfg *cfg, struct sq_outbuf *to, struct sq_err *err)
{
	sq_outbuf_putc(to, '/');
	sqd_http_put_escaped(to, cfg->index);
	sq_outbuf_put(to, SQ_SV("/_bulk?filter_path=errors,items.*.status,items.*.error.type,"
	                        "items.*.error.reason,items.*.error.caused_by.reason,error"));
	if (cfg->pipeline) {
		sq_outbuf_put(to, SQ_SV("&pipeline="));
		sqd_http_put_escaped(to, cfg->pipeline);
	}
	sq_outbuf_putc(to, '\0');
	return to->failed ? sq_err_set(err, -ENOMEM, "out of memory") : 0;
}

/* Who we are: a header in `*ret_key`, or `ret_login` is filled; or nothing. What they hold is freed
 * with sqd_http_forget(). */
static int read_login(struct elastic *e, char **ret_key, char **ret_password, struct sq_err *err)
{
	const struct elastic_cfg *cfg = e->out.base.cfg;
	char *secret = NULL;
	int r;

	if (!cfg->api_key_file && !cfg->user)
		return 0;
	if (!cfg->api_key_file)
		return sqd_http_secret(e->out.base.name, cfg->password_file, ret_password, err);
	r = sqd_http_secret(e->out.base.name, cfg->api_key_file, &secret, err);
	if (r == 0 && asprintf(ret_key, "Authorization: ApiKey %s", secret) < 0) {
		*ret_key = NULL;
		r = sq_err_set(err, -ENOMEM, "out of memory");
	}
	sqd_http_forget(secret);
	return r;
}

static int aim(struct sqd_http_out *o, struct sq_err *err)
{
	const struct elastic_cfg *cfg = o->base.cfg;
	struct sq_outbuf path = sq_outbuf_of(4096);
	char *key = NULL, *password = NULL;
	int r = check(cfg, false, err);

	if (r == 0)
		r = put_path(cfg, &path, err);
	if (r == 0)
		r = read_login(self(o), &key, &password, err);
	if (r == 0) {
		const char *headers[] = { "Content-Type: application/x-ndjson", key, NULL };
		struct sqd_http_login login = { cfg->user, password };

		r = sqd_http_out_aim(o, path.p, headers, password ? &login : NULL, err);
	}
	sqd_http_forget(key);
	sqd_http_forget(password);
	sq_outbuf_fini(&path);
	return r;
}

/* ---- requests ---------------------------------------------------------------------------- */

static void encode(struct sqd_http_out *o, const struct sqd_message *m, size_t at SQ_UNUSED)
{
	if (m->id[0] || m->id[1])
		sq_outbuf_printf(&o->body,
		                 "{\"create\":{\"_id\":\"%016" PRIx64 "%016" PRIx64 "\"}}\n",
		                 m->id[0], m->id[1]);
	else
		sq_outbuf_put(&o->body, SQ_SV("{\"create\":{}}\n"));
	sqd_http_put_line(&o->body, m->text);
}

/* ---- answers ----------------------------------------------------------------------------- */

/* What somebody can mend at the receiver, and will be good for this document then. */
static bool is_of_the_index(const struct sq_bulk_reply_item *item)
{
	return item->status == 401 || item->status == 403 || item->status == 404 ||
	       sq_sv_eq(item->type, SQ_SV("invalid_index_name_exception")) ||
	       sq_sv_eq(item->type, SQ_SV("cluster_block_exception")) ||
	       sq_sv_eq(item->type, SQ_SV("index_closed_exception")) ||
	       sq_sv_eq(item->type, SQ_SV("validation_exception")) || /* too many shards */
	       (sq_sv_eq(item->type, SQ_SV("illegal_argument_exception")) &&
	        (sq_sv_starts(item->reason, SQ_SV("pipeline with id")) ||
	         sq_sv_starts(item->reason, SQ_SV("no write index"))));
}

static void on_item(void *ctx, const struct sq_bulk_reply_item *item)
{
	struct elastic *e = ctx;
	struct sq_err why = { 0 };
	char type[512], reason[512], cause[512];
	unsigned s = item->status;

	if ((s >= 200 && s < 300) || s == 409) {
		sqd_http_out_safe(&e->out, item->at);
		return;
	}
	if (s == 0)
		sq_err_set(&why, -EREMOTEIO, "an item of the answer has no status");
	else
		sq_err_set(&why, -EREMOTEIO, "%u%s%s%s%s%s%s%s", s, item->type.n ? " " : "",
		           sqd_log_text(item->type, type), item->reason.n ? ": " : "",
		           sqd_log_text(item->reason, reason), item->cause.n ? " (" : "",
		           sqd_log_text(item->cause, cause), item->cause.n ? ")" : "");
	if (s >= 400 && s < 500 && s != 429 && s != 408 && !is_of_the_index(item)) {
		sqd_http_out_refuse(&e->out, item->at, why.text);
		return;
	}
	if (e->again++ == 0)
		*e->why = why;
}

/* A whole request was refused: is it for what we ask, not for a document? */
static bool is_of_the_request(struct elastic *e, const struct sqd_http_answer *a)
{
	const struct sq_bulk_reply_item *said;
	int r = sq_bulk_reply_read(e->reply, a->body, 0, on_item, e);

	if (r == -ENOMEM)
		return true; /* no document is refused for what could not be read */
	if (r != -EBADMSG)
		return false;
	said = sq_bulk_reply_whole(e->reply);
	return is_of_the_index(said) ||
	       (sq_sv_eq(said->type, SQ_SV("illegal_argument_exception")) &&
	        sq_sv_starts(said->reason, SQ_SV("request [/"))) || /* unrecognized parameter */
	       sq_sv_eq(said->type, SQ_SV("security_exception"));
}

static enum sqd_http_verdict judge(struct sqd_http_out *o, const struct sqd_http_answer *a,
                                   struct sq_err *why)
{
	enum sqd_http_verdict verdict = SQD_HTTP_MEND;
	struct elastic *e = self(o);
	char text[512];
	int r;

	if (a->status != 200) {
		if (a->status < 300)
			sq_err_set(why, -EREMOTEIO, "it answered %u, which is no answer of _bulk",
			           a->status);
		if (a->status >= 300)
			verdict = sqd_http_judge(a, why);
		return verdict == SQD_HTTP_DIVIDE && is_of_the_request(e, a) ? SQD_HTTP_MEND
		                                                             : verdict;
	}
	if (a->cut) {
		sq_err_set(why, -EREMOTEIO, "its answer is longer than %d bytes", ANSWER_MAX_BYTES);
		return o->flying > 1 ? SQD_HTTP_SMALLER : SQD_HTTP_LATER;
	}
	e->why = why;
	e->again = 0;
	r = sq_bulk_reply_read(e->reply, a->body, o->flying, on_item, e);
	if (r == 0 && e->again)
		sq_err_wrap(why, r, "%zu of %zu documents are not taken", e->again, o->flying);
	if (r == 0)
		return SQD_HTTP_JUDGED;
	sq_err_set(why, r, "its answer cannot be read: %s",
	           r == -ENOMEM ? "out of memory"
	                        : sqd_log_text(sq_sv_of(sq_bulk_reply_why(e->reply)), text));
	return SQD_HTTP_LATER;
}

/* ---- life -------------------------------------------------------------------------------- */

static void fini(struct sqd_http_out *o)
{
	sq_bulk_reply_free(self(o)->reply);
}

static int elastic_start(struct sqd_output *out, struct sq_err *err)
{
	static const struct sqd_http_kind kind = { .aim = aim,
		                                   .encode = encode,
		                                   .close_body = sqd_http_no_end,
		                                   .sign = sqd_http_no_sign,
		                                   .judge = judge,
		                                   .fini = fini };
	struct elastic *e = self(sqd_http_out_of(out));

	e->reply = sq_bulk_reply_new();
	if (!e->reply)
		return sq_err_set(err, -ENOMEM, "elasticsearch: out of memory");
	return sqd_http_out_start(&e->out, &kind, ANSWER_MAX_BYTES, err);
}

const struct sqd_output_ops sqd_output_elasticsearch = {
	.kind = "elasticsearch",
	.json = true,
	.ids = true,
	.size = sizeof(struct elastic),
	.cfg_size = sizeof(struct elastic_cfg),
	.opts = elastic_opts,
	.check = check,
	.start = elastic_start,
	.send = sqd_http_out_send,
	.reopen = sqd_http_out_reopen,
	.insist = sqd_http_out_insist,
	.close = sqd_http_out_close,
};
