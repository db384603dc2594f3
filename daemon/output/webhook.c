/* A body is what the template says, with a message, or several, put into it:
 *
 *	{{message}}   a JSON value: an object as it stands, what is no JSON as a string
 *	{{text}}      the inside of a JSON string: for {"text":"{{text}}"}
 *	{{raw}}       as it stands
 *	{{id}}        32 hexadecimal digits, or nothing
 *	{{host}}      the inside of a JSON string
 *	{{messages}}  all of the request: an array of JSON values
 *
 * Without {{messages}}, a `batch` of more than one makes an array of what the template says of
 *each.
 *
 * With a secret each request is signed: X-Squiblyd-Signature: t=SECONDS,v1=HEX, where HEX is
 * HMAC-SHA256 of SECONDS, a dot and the bytes of the body as they are sent. The receiver makes the
 * same, compares in constant time, and refuses what is old.
 */
#include "daemon/output/webhook.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/output/http_out.h"
#include "daemon/output/http_text.h"
#include "lib/host/hmac.h"
#include "lib/text/jsonw.h"

enum {
	ANSWER_MAX_BYTES = 16 * 1024, /* only looked at for the log */
	PARTS_MAX = 64,
};

enum what {
	WHAT_END,
	WHAT_LITERAL,
	WHAT_MESSAGE,
	WHAT_TEXT,
	WHAT_RAW,
	WHAT_ID,
	WHAT_HOST,
	WHAT_ALL
};

struct part {
	enum what what;
	struct sq_sv text; /* of a literal; views the configuration */
};

struct webhook_cfg {
	struct sqd_http_cfg http; /* first */
	char *body, *content_type, *token_file, *secret_file;
};

struct webhook {
	struct sqd_http_out out; /* first */
	struct part parts[PARTS_MAX];
	const struct part *all; /* {{messages}}; NULL: the template is of one message */
	char *secret;
	char signature[128];
};

#define AT(member) .offset = offsetof(struct webhook_cfg, member)

/* clang-format off */
static const struct sq_opt webhook_opts[] = {
	{ "url", SQ_OPT_STR, AT(http.url), .required = true,
	  .doc = "Where to POST to: https://hooks.example.org/alerts?team=soc; only its host is ever logged." },
	{ "body", SQ_OPT_STR, AT(body),
	  .doc = "What a request holds: \"{{message}}\" (the default) is the message as JSON, {{text}} the inside of a "
		 "JSON string, {{raw}} as it stands, {{id}}, {{host}}; {{messages}} is an array of all in the request." },
	{ "content_type", SQ_OPT_STR, AT(content_type), .def = "application/json",
	  .doc = "Content type of requests." },
	{ "token_file", SQ_OPT_STR, AT(token_file),
	  .doc = "File that holds a token, in one line, which is shown as Authorization: Bearer." },
	{ "secret_file", SQ_OPT_STR, AT(secret_file),
	  .doc = "File that holds a secret, in one line: requests are signed with it (X-Squiblyd-Signature, HMAC-SHA256)." },
	{ "batch", SQ_OPT_U32, AT(http.batch), .min = 1, .max = 10000, .def = "1",
	  .doc = "Most messages in one request; more than one make an array." },
	SQD_HTTP_OPTS(struct webhook_cfg, http),
	{ 0 }
};
/* clang-format on */

static struct webhook *self(struct sqd_http_out *o)
{
	return SQ_CONTAINER(o, struct webhook, out);
}

/* ---- the template ------------------------------------------------------------------------ */

static enum what what_of(struct sq_sv name)
{
	static const struct {
		struct sq_sv name;
		enum what what;
	} names[] = {
		{ SQ_SV("message"), WHAT_MESSAGE }, { SQ_SV("text"), WHAT_TEXT },
		{ SQ_SV("raw"), WHAT_RAW },         { SQ_SV("id"), WHAT_ID },
		{ SQ_SV("host"), WHAT_HOST },       { SQ_SV("messages"), WHAT_ALL },
	};

	for (size_t i = 0; i < SQ_LEN(names); i++)
		if (sq_sv_eq(names[i].name, name))
			return names[i].what;
	return WHAT_END;
}

/* The next part of `*rest`. */
static int next_part(struct sq_sv *rest, struct part *p, struct sq_err *err)
{
	size_t at = sq_sv_find(*rest, SQ_SV("{{")), end;
	struct sq_sv name;

	if (at != 0) {
		*p = (struct part){ WHAT_LITERAL, sq_sv_first(*rest, at) };
		*rest = sq_sv_skip(*rest, p->text.n);
		return 0;
	}
	end = sq_sv_find(*rest, SQ_SV("}}"));
	name = sq_sv_trim(sq_sv_first(sq_sv_skip(*rest, 2), end == SIZE_MAX ? 32 : end - 2));
	*p = (struct part){ end == SIZE_MAX ? WHAT_END : what_of(name), { 0 } };
	if (end == SIZE_MAX)
		return sq_err_set(err, -EINVAL, "body: {{%.*s is not closed by }}",
		                  SQ_SV_ARG(sq_sv_first(name, 32)));
	if (p->what == WHAT_END)
		return sq_err_set(err, -EINVAL,
		                  "body: there is no {{%.*s}}, but {{message}}, {{text}}, {{raw}}, "
		                  "{{id}}, {{host}} and {{messages}}",
		                  SQ_SV_ARG(sq_sv_first(name, 32)));
	*rest = sq_sv_skip(*rest, end + 2);
	return 0;
}

static int read_template(struct webhook *w, const char *text, struct sq_err *err)
{
	struct sq_sv rest = sq_sv_of(text);
	size_t n = 0, of_one = 0;

	w->all = NULL;
	while (rest.n) {
		int r = n + 1 < PARTS_MAX ? next_part(&rest, &w->parts[n], err)
		                          : sq_err_set(err, -EINVAL, "body: it has too many parts");

		if (r < 0)
			return r;
		if (w->parts[n].what == WHAT_ALL && w->all)
			return sq_err_set(err, -EINVAL, "body: {{messages}} can be there once");
		if (w->parts[n].what == WHAT_ALL)
			w->all = &w->parts[n];
		else
			of_one += w->parts[n].what != WHAT_LITERAL;
		n++;
	}
	w->parts[n].what = WHAT_END;
	if (w->all ? of_one != 0 : of_one == 0)
		return sq_err_set(err, -EINVAL,
		                  w->all ? "body: {{messages}} goes with nothing of one message"
		                         : "body: no message is put into it");
	return 0;
}

/* ---- requests ---------------------------------------------------------------------------- */

static void put_part(struct sqd_http_out *o, const struct part *p, const struct sqd_message *m)
{
	struct sq_outbuf *to = &o->body;

	switch (p->what) {
	case WHAT_LITERAL:
		sq_outbuf_put(to, p->text);
		break;
	case WHAT_MESSAGE:
	case WHAT_ALL:
		o->mended |= sqd_http_put_value(to, m->text);
		break;
	case WHAT_TEXT:
		sq_json_escape(to, m->text);
		break;
	case WHAT_RAW:
		sq_outbuf_put(to, m->text);
		break;
	case WHAT_ID:
		if (m->id[0] || m->id[1])
			sq_outbuf_printf(to, "%016" PRIx64 "%016" PRIx64, m->id[0], m->id[1]);
		break;
	case WHAT_HOST:
		sq_json_escape(to, m->key);
		break;
	case WHAT_END:
		break;
	}
}

static void encode(struct sqd_http_out *o, const struct sqd_message *m, size_t at)
{
	const struct webhook_cfg *cfg = o->base.cfg;
	struct webhook *w = self(o);
	const struct part *p = w->parts;

	if (w->all) {
		for (; at == 0 && p < w->all; p++)
			put_part(o, p, m);
		sq_outbuf_putc(&o->body, at ? ',' : '[');
		put_part(o, w->all, m);
		return;
	}
	if (cfg->http.batch > 1)
		sq_outbuf_putc(&o->body, at ? ',' : '[');
	for (; p->what != WHAT_END; p++)
		put_part(o, p, m);
}

static void close_body(struct sqd_http_out *o)
{
	const struct webhook_cfg *cfg = o->base.cfg;
	struct webhook *w = self(o);

	if (w->all || cfg->http.batch > 1)
		sq_outbuf_putc(&o->body, ']');
	for (const struct part *p = w->all ? w->all + 1 : NULL; p && p->what != WHAT_END; p++)
		sq_outbuf_put(&o->body, p->text); /* literals alone */
}

static int sign(struct sqd_http_out *o, struct sq_sv body, const char **ret_header)
{
	struct webhook *w = self(o);
	unsigned char mac[SQ_HMAC_BYTES];
	char seconds[32];
	uv_timeval64_t now;
	size_t n;

	if (!w->secret)
		return 0;
	(void)uv_gettimeofday(&now);
	n = (size_t)snprintf(seconds, sizeof(seconds), "%" PRId64 ".", now.tv_sec);
	if (sq_hmac_sha256(sq_sv_of(w->secret), (struct sq_sv[]){ { seconds, n }, body }, 2, mac) <
	    0)
		return -ENOMEM;
	n = (size_t)snprintf(w->signature, sizeof(w->signature),
	                     "X-Squiblyd-Signature: t=%" PRId64 ",v1=", now.tv_sec);
	for (size_t i = 0; i < sizeof(mac); i++)
		n += (size_t)snprintf(w->signature + n, sizeof(w->signature) - n, "%02x", mac[i]);
	*ret_header = w->signature;
	return 0;
}

/* ---- where to, and who we are ------------------------------------------------------------ */

static int aim(struct sqd_http_out *o, struct sq_err *err)
{
	const struct webhook_cfg *cfg = o->base.cfg;
	struct webhook *w = self(o);
	char *token = NULL, *secret = NULL, *login = NULL, *type = NULL;
	int r = 0;

	if (cfg->token_file)
		r = sqd_http_secret(o->base.name, cfg->token_file, &token, err);
	if (r == 0 && cfg->secret_file)
		r = sqd_http_secret(o->base.name, cfg->secret_file, &secret, err);
	if (r == 0 && token && asprintf(&login, "Authorization: Bearer %s", token) < 0) {
		login = NULL;
		r = sq_err_set(err, -ENOMEM, "out of memory");
	}
	if (r == 0 && asprintf(&type, "Content-Type: %s", cfg->content_type) < 0) {
		type = NULL;
		r = sq_err_set(err, -ENOMEM, "out of memory");
	}
	if (r == 0)
		r = sqd_http_header_check(type, err);
	if (r == 0) {
		const char *headers[] = { type, login, NULL };

		r = sqd_http_out_aim(o, "", headers, NULL, err);
	}
	if (r == 0) {
		sqd_http_forget(w->secret);
		w->secret = secret;
		secret = NULL;
	}
	sqd_http_forget(secret);
	sqd_http_forget(login);
	sqd_http_forget(token);
	free(type);
	return r;
}

static enum sqd_http_verdict judge(struct sqd_http_out *o SQ_UNUSED,
                                   const struct sqd_http_answer *a, struct sq_err *why)
{
	return sqd_http_judge(a, why);
}

/* ---- before anything starts -------------------------------------------------------------- */

static int check_type(const struct webhook_cfg *cfg, struct sq_err *err)
{
	char *type = NULL;
	int r;

	if (asprintf(&type, "Content-Type: %s", cfg->content_type) < 0)
		return sq_err_set(err, -ENOMEM, "out of memory");
	r = sqd_http_header_check(type, err);
	free(type);
	return r < 0 ? sq_err_wrap(err, r, "content_type") : 0;
}

static int check(const void *of, bool files, struct sq_err *err)
{
	const struct webhook_cfg *cfg = of;
	struct webhook unused = { 0 };
	int r = read_template(&unused, cfg->body ? cfg->body : "{{message}}", err);

	r = r ? r : check_type(cfg, err);
	if (r == 0 && files)
		r = sqd_http_secret_check("token_file", cfg->token_file, err);
	if (r == 0 && files)
		r = sqd_http_secret_check("secret_file", cfg->secret_file, err);
	return r;
}

/* ---- life -------------------------------------------------------------------------------- */

static void fini(struct sqd_http_out *o)
{
	sqd_http_forget(self(o)->secret);
}

static int webhook_start(struct sqd_output *out, struct sq_err *err)
{
	static const struct sqd_http_kind kind = { .aim = aim,
		                                   .encode = encode,
		                                   .close_body = close_body,
		                                   .sign = sign,
		                                   .judge = judge,
		                                   .fini = fini };
	const struct webhook_cfg *cfg = out->cfg;
	struct webhook *w = self(sqd_http_out_of(out));
	int r = read_template(w, cfg->body ? cfg->body : "{{message}}", err);

	if (r < 0)
		return sq_err_wrap(err, r, "webhook output");
	return sqd_http_out_start(&w->out, &kind, ANSWER_MAX_BYTES, err);
}

const struct sqd_output_ops sqd_output_webhook = {
	.kind = "webhook",
	.size = sizeof(struct webhook),
	.cfg_size = sizeof(struct webhook_cfg),
	.opts = webhook_opts,
	.check = check,
	.start = webhook_start,
	.send = sqd_http_out_send,
	.reopen = sqd_http_out_reopen,
	.insist = sqd_http_out_insist,
	.close = sqd_http_out_close,
};
