/* What can be known before anything starts: of TLS, keys that miss each other, files, dates; of
 * outputs, what they read and where they write. */
#include <errno.h>

#include "daemon/base/kafka.h"
#include "daemon/core/config_private.h"
#include "lib/host/files.h"
#include "lib/host/tls.h"

enum {
	INPUT_FILE_MAX = 16 * 1024 * 1024
}; /* bytes; who reads it for good has a maximum of his own */

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

/* An output over HTTP may have several. */
static bool is_https(const struct sqd_config_item *item, const char *url)
{
	const struct sq_opt_strs *alternates = sqd_config_texts(item, "alternates");
	bool tls = sq_sv_istarts(sq_sv_of(url), SQ_SV("https:"));

	for (size_t i = 0; alternates && i < alternates->n && !tls; i++)
		tls = sq_sv_istarts(sq_sv_of(alternates->list[i]), SQ_SV("https:"));
	return tls;
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
	tls.on = is_https(item, url);
	if (!tls.on && (tls.ca || tls.name || tls.certificate || tls.key))
		return sq_err_set(err, -EINVAL,
		                  "keys of TLS are set, but the url does not begin with https:, "
		                  "and no alternate does");
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

static void check_tls(const struct sqd_config_item *item, const struct sqd_config_place *at,
                      bool input)
{
	struct sq_err err = { 0 };
	struct sq_tls_ctx *ctx;

	if (sqd_config_wants_tls(item, input, &err) <= 0)
		return; /* what is wrong with its keys was said when they were read */
	ctx = serves(item, input) ? sq_tls_server_new(server_of(item), &err)
	                          : sq_tls_client_new(client_of(item), &err);
	if (!ctx)
		sqd_config_blame(item, at, SQ_DIAG_ERROR, err.text);
	else if (*sq_tls_ctx_warning(ctx))
		sqd_config_blame(item, at, SQ_DIAG_WARNING, sq_tls_ctx_warning(ctx));
	sq_tls_ctx_unref(ctx);
}

/* What an input reads besides. */
static void check_input(const struct sqd_config_item *item, const struct sqd_config_place *at)
{
	size_t errors = at->diags->errors;

	for (const struct sq_opt *o = item->table; o->key; o++) {
		struct sq_outbuf text = sq_outbuf_of(INPUT_FILE_MAX);
		const char *path = sqd_config_text(item, o->key);
		struct sq_err err = { 0 };

		if (!path || !sq_sv_ends(sq_sv_of(o->key), SQ_SV("_file")) ||
		    sq_file_read(path, &text, &err) == 0)
			path = NULL;
		if (path) {
			sq_err_wrap(&err, -EINVAL, "%s", o->key);
			sqd_config_blame(item, at, SQ_DIAG_ERROR, err.text);
		}
		if (text.p)
			explicit_bzero(text.p, text.cap);
		sq_outbuf_fini(&text);
	}
	if (item->input_ops->check && at->diags->errors == errors)
		item->input_ops->check(item->cfg, at->diags);
}

/* What an output reads and writes. */
static void check_output(const struct sqd_config_item *item, const struct sqd_config_place *at)
{
	const char *spool = item->output ? item->output->spool : NULL;
	struct sq_err err = { 0 };

	if (item->output_ops->check(item->cfg, true, &err) < 0)
		sqd_config_blame(item, at, SQ_DIAG_ERROR, err.text);
	if (spool && sq_folder_may_write(spool, &err) < 0) {
		sq_err_wrap(&err, -EINVAL, "spool");
		sqd_config_blame(item, at, SQ_DIAG_ERROR, err.text);
	}
}

int sqd_config_check_files(const struct sqd_config *cfg, struct sq_diags *diags)
{
	const struct sqd_config_place at = { cfg->file ? cfg->file : "built-in default", diags };
	size_t errors = diags->errors;
	struct sq_lookups *lookups = NULL;
	struct sq_err err = { 0 };

	if (sqd_lookups_load(cfg, &lookups, diags) == 0)
		sq_lookups_unref(lookups);
	for (size_t i = 0; i < cfg->inputs.n; i++) {
		check_tls(&cfg->inputs.items[i], &at, true);
		check_input(&cfg->inputs.items[i], &at);
	}
	for (size_t i = 0; i < cfg->outputs.n; i++) {
		check_tls(&cfg->outputs.items[i], &at, false);
		check_output(&cfg->outputs.items[i], &at);
	}
	if (cfg->dead_letter.cfg &&
	    cfg->dead_letter.output_ops->check(cfg->dead_letter.cfg, true, &err) < 0)
		sqd_config_blame(&cfg->dead_letter, &at, SQ_DIAG_ERROR, err.text);
	return diags->errors > errors ? -EINVAL : 0;
}
