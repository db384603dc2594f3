/* What can be known of TLS before anything listens: keys that miss each other, files, dates. */
#include <errno.h>

#include "daemon/base/kafka.h"
#include "daemon/core/config_private.h"
#include "daemon/output/http_client.h"
#include "lib/host/tls.h"

/* The options of TLS are where the first of their rows points. */
static const void *options_of(const struct sqd_config_item *item, const char *first, size_t offset)
{
	const struct sq_opt *o = sqd_config_row(item, first);

	return o ? (const char *)item->common + o->offset - offset : NULL;
}

static const struct sq_tls_server_cfg *server_of(const struct sqd_config_item *item)
{
	return options_of(item, "tls_certificate", offsetof(struct sq_tls_server_cfg, certificate));
}

static const struct sq_tls_client_cfg *client_of(const struct sqd_config_item *item)
{
	return options_of(item, "tls_verify", offsetof(struct sq_tls_client_cfg, verify));
}

/* Of an output: `tls: true`, or a URL that says so. */
static int client_wants(const struct sqd_config_item *item, struct sq_err *err)
{
	const char *url = sqd_config_text(item, "url");
	struct sq_tls_client_cfg tls;

	if (!client_of(item))
		return 0;
	tls = *client_of(item);
	if (!url)
		return sq_tls_client_wanted(&tls, err);
	tls.on = sq_sv_istarts(sq_sv_of(url), SQ_SV("https:"));
	if (!tls.on && (tls.ca || tls.name || tls.certificate || tls.key))
		return sq_err_set(err, -EINVAL,
		                  "keys of TLS are set, but the url does not begin with https:");
	return tls.on;
}

/* Does it accept connections? An input that connects (kafka) has the options of a client. */
static bool serves(const struct sqd_config_item *item, bool input)
{
	return input && !sqd_config_row(item, "tls");
}

int sqd_config_wants_tls(const struct sqd_config_item *item, bool input, struct sq_err *err)
{
	/* The options of a kind that has brokers begin with those of its client, TLS among them. */
	if (sqd_config_row(item, "brokers") && sqd_kafka_check(item->cfg, err) < 0)
		return -EINVAL;
	if (serves(item, input))
		return server_of(item) ? sq_tls_server_wanted(server_of(item), err) : 0;
	return client_wants(item, err);
}

static void check_item(const struct sqd_config *cfg, const struct sqd_config_item *item, bool input,
                       struct sq_diags *diags)
{
	const char *kind = input ? item->input_ops->kind : item->output_ops->kind;
	const char *where = sqd_config_text(item, input ? "listen" : "address");
	const char *url = input ? NULL : sqd_config_text(item, "url");
	struct sqd_http_url parts;
	const char *file = cfg->file ? cfg->file : "built-in default";
	struct sq_err err = { 0 };
	struct sq_tls_ctx *ctx;

	if (url && sqd_http_url_read(url, &parts, NULL) == 0)
		where = parts.shown; /* the rest may be a secret */
	if (sqd_config_wants_tls(item, input, &err) <= 0)
		return; /* what is wrong with its keys was said when they were read */
	ctx = serves(item, input) ? sq_tls_server_new(server_of(item), &err)
	                          : sq_tls_client_new(client_of(item), &err);
	if (!ctx)
		sq_diag_add(diags, SQ_DIAG_ERROR, file, 0, 0, "%s %s: %s", kind, where ? where : "",
		            err.text);
	else if (*sq_tls_ctx_warning(ctx))
		sq_diag_add(diags, SQ_DIAG_WARNING, file, 0, 0, "%s %s: %s", kind,
		            where ? where : "", sq_tls_ctx_warning(ctx));
	sq_tls_ctx_unref(ctx);
}

int sqd_config_check_files(const struct sqd_config *cfg, struct sq_diags *diags)
{
	size_t errors = diags->errors;
	struct sq_lookups *lookups = NULL;

	if (sqd_lookups_load(cfg, &lookups, diags) == 0)
		sq_lookups_unref(lookups);

	for (size_t i = 0; i < cfg->inputs.n; i++)
		check_item(cfg, &cfg->inputs.items[i], true, diags);
	for (size_t i = 0; i < cfg->outputs.n; i++)
		check_item(cfg, &cfg->outputs.items[i], false, diags);
	return diags->errors > errors ? -EINVAL : 0;
}
