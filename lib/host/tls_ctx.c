/* Contexts: what is spoken, with whom, and what is kept of it. Files are read in tls_files.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "lib/host/tls_private.h"

enum {
	TICKET_SECONDS = 3600,
};

/* Forward secrecy and authenticated encryption: RFC 9325, 4.2. */
#define STRONG_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK:!SRP"

const struct sq_opt_enum sq_tls_versions[] = { { "1.2", SQ_TLS_1_2 },
	                                       { "1.3", SQ_TLS_1_3 },
	                                       { 0 } };
const struct sq_opt_enum sq_tls_client_choices[] = { { "none", SQ_TLS_CLIENTS_NONE },
	                                             { "optional", SQ_TLS_CLIENTS_OPTIONAL },
	                                             { "required", SQ_TLS_CLIENTS_REQUIRED },
	                                             { 0 } };

/* ---- life -------------------------------------------------------------------------------- */

struct sq_tls_ctx *sq_tls_ctx_ref(struct sq_tls_ctx *ctx)
{
	(void)__atomic_add_fetch(&ctx->users, 1, __ATOMIC_RELAXED);
	return ctx;
}

void sq_tls_ctx_unref(struct sq_tls_ctx *ctx)
{
	if (!ctx || __atomic_sub_fetch(&ctx->users, 1, __ATOMIC_ACQ_REL))
		return;
	SSL_CTX_free(ctx->ssl);
	BIO_meth_free(ctx->bio);
	free(ctx->name);
	for (size_t i = 0; i < ctx->names.n; i++)
		free(ctx->names.list[i]);
	free(ctx->names.list);
	free(ctx);
}

const char *sq_tls_ctx_warning(const struct sq_tls_ctx *ctx)
{
	return ctx->warning;
}

/* ---- policy ------------------------------------------------------------------------------ */

/* OpenSSL passes over names that it does not know when there is one that it does; but who wrote
 * them meant something. */
static int use_ciphers(struct sq_tls_ctx *ctx, const char *ciphers, struct sq_err *err)
{
	struct sq_sv left = sq_sv_of(ciphers ? ciphers : "");

	while (left.n) {
		struct sq_sv one = sq_sv_cut(&left, ':');
		char name[128];

		if (!one.n || strchr("!-+@", one.p[0]))
			continue; /* takes away or sorts */
		snprintf(name, sizeof(name), "%.*s", SQ_SV_ARG(one));
		if (SSL_CTX_set_cipher_list(ctx->ssl, name) != 1)
			return sq_err_set(
				err, -EINVAL,
				"tls_ciphers: OpenSSL knows no cipher of TLS 1.2 in \"%s\"", name);
	}
	if (SSL_CTX_set_cipher_list(ctx->ssl, ciphers ? ciphers : STRONG_CIPHERS) == 1)
		return 0;
	return ciphers ? sq_err_set(err, -EINVAL,
	                            "tls_ciphers: OpenSSL knows no cipher of TLS 1.2 in \"%s\"",
	                            ciphers)
	               : sq_tls_no_memory(err);
}

static struct sq_tls_ctx *new_ctx(bool server, int min_version, const char *ciphers,
                                  struct sq_err *err)
{
	struct sq_tls_ctx *ctx = calloc(1, sizeof(*ctx));

	ERR_clear_error();
	if (!ctx) {
		(void)sq_tls_no_memory(err);
		return NULL;
	}
	ctx->users = 1;
	ctx->server = server;
	ctx->bio = sq_tls_bio_method();
	ctx->ssl =
		ctx->bio ? SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()) : NULL;
	if (!ctx->ssl || SSL_CTX_set_min_proto_version(ctx->ssl, min_version == SQ_TLS_1_3
	                                                                 ? TLS1_3_VERSION
	                                                                 : TLS1_2_VERSION) != 1) {
		(void)sq_tls_no_memory(err);
		goto fail;
	}
	(void)SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	                                            SSL_OP_CIPHER_SERVER_PREFERENCE |
	                                            SSL_OP_PRIORITIZE_CHACHA);
	/* What is sent of our chain is what the file holds, not what else is trusted here. */
	(void)SSL_CTX_set_mode(ctx->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	(void)SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_security_level(ctx->ssl, 2);
	SSL_CTX_set_msg_callback(ctx->ssl, sq_tls_on_message);
	if (use_ciphers(ctx, ciphers, err) < 0)
		goto fail;
	return ctx;

fail:
	sq_tls_ctx_unref(ctx);
	ERR_clear_error();
	return NULL;
}

/* ---- servers ----------------------------------------------------------------------------- */

int sq_tls_server_wanted(const struct sq_tls_server_cfg *cfg, struct sq_err *err)
{
	const char *key = NULL;

	if (cfg->certificate)
		return 1;
	if (cfg->key)
		key = "tls_key";
	else if (cfg->client_ca)
		key = "tls_client_ca";
	else if (cfg->client_names.n)
		key = "tls_client_names";
	else if (cfg->clients != SQ_TLS_CLIENTS_NONE)
		key = "tls_clients";
	if (!key)
		return 0;
	return sq_err_set(err, -EINVAL, "%s is set, but TLS is off: tls_certificate turns it on",
	                  key);
}

static int copy_names(struct sq_tls_ctx *ctx, const struct sq_opt_strs *names)
{
	if (!names->n)
		return 0;
	ctx->names.list = calloc(names->n, sizeof(*ctx->names.list));
	if (!ctx->names.list)
		return -ENOMEM;
	for (; ctx->names.n < names->n; ctx->names.n++) {
		ctx->names.list[ctx->names.n] = strdup(names->list[ctx->names.n]);
		if (!ctx->names.list[ctx->names.n])
			return -ENOMEM;
	}
	return 0;
}

static int use_clients(struct sq_tls_ctx *ctx, const struct sq_tls_server_cfg *cfg,
                       struct sq_err *err)
{
	int mode = SSL_VERIFY_PEER;
	int r;

	if (cfg->clients == SQ_TLS_CLIENTS_NONE) {
		if (!cfg->client_ca && !cfg->client_names.n)
			return 0;
		return sq_err_set(err, -EINVAL,
		                  "%s is set, but tls_clients is none: no client would be asked",
		                  cfg->client_ca ? "tls_client_ca" : "tls_client_names");
	}
	if (!cfg->client_ca)
		return sq_err_set(err, -EINVAL,
		                  "tls_clients needs tls_client_ca: who signs their certificates");
	if (cfg->clients == SQ_TLS_CLIENTS_REQUIRED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ctx->ssl, mode, sq_tls_on_verify);
	ctx->verify = true;
	r = sq_tls_use_authorities(ctx, "tls_client_ca", cfg->client_ca, err);
	if (r < 0)
		return r;
	return copy_names(ctx, &cfg->client_names) < 0 ? sq_tls_no_memory(err) : 0;
}

/* Tickets keep sessions with the clients. Their keys live and die with the context, so that what
 * was agreed under an older configuration is not resumed under a new one.
 *
 * TLS 1.3 sends them when the handshake is done. Who never reads would close with it unread, which
 * the kernel makes a reset, and what it had still to send would be lost. */
static int use_tickets(struct sq_tls_ctx *ctx, bool one_way, struct sq_err *err)
{
	static const unsigned char id[] = "squiblyd";

	(void)SSL_CTX_set_timeout(ctx->ssl, TICKET_SECONDS);
	if (SSL_CTX_set_session_id_context(ctx->ssl, id, sizeof(id) - 1) != 1 ||
	    SSL_CTX_set_num_tickets(ctx->ssl, one_way ? 0 : 1) != 1)
		return sq_tls_no_memory(err);
	return 0;
}

struct sq_tls_ctx *sq_tls_server_new(const struct sq_tls_server_cfg *cfg, struct sq_err *err)
{
	struct sq_tls_ctx *ctx = new_ctx(true, cfg->min_version, cfg->ciphers, err);
	int r;

	if (!ctx)
		return NULL;
	sq_assert(cfg->certificate);
	r = sq_tls_use_certificate(ctx, cfg->certificate, cfg->key, err);
	if (r == 0)
		r = use_clients(ctx, cfg, err);
	if (r == 0)
		r = use_tickets(ctx, cfg->one_way, err);
	ERR_clear_error();
	if (r == 0)
		return ctx;
	sq_tls_ctx_unref(ctx);
	return NULL;
}

/* ---- clients ----------------------------------------------------------------------------- */

int sq_tls_client_wanted(const struct sq_tls_client_cfg *cfg, struct sq_err *err)
{
	const char *key = NULL;

	if (cfg->on)
		return 1;
	if (cfg->ca)
		key = "tls_ca";
	else if (cfg->name)
		key = "tls_name";
	else if (cfg->certificate)
		key = "tls_certificate";
	else if (cfg->key)
		key = "tls_key";
	if (!key)
		return 0;
	return sq_err_set(err, -EINVAL, "%s is set, but TLS is off: \"tls: true\" turns it on",
	                  key);
}

static int use_servers(struct sq_tls_ctx *ctx, const struct sq_tls_client_cfg *cfg,
                       struct sq_err *err)
{
	if (cfg->name && !*cfg->name) /* OpenSSL takes it for: whatever the name is */
		return sq_err_set(err, -EINVAL, "tls_name is empty");
	if (cfg->name) {
		ctx->name = strdup(cfg->name);
		if (!ctx->name)
			return sq_tls_no_memory(err);
	}
	if (!cfg->verify)
		return 0;
	ctx->verify = true;
	SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_PEER, sq_tls_on_verify);
	if (cfg->ca)
		return sq_tls_use_authorities(ctx, "tls_ca", cfg->ca, err);
	return SSL_CTX_set_default_verify_paths(ctx->ssl) == 1 ? 0 : sq_tls_no_memory(err);
}

struct sq_tls_ctx *sq_tls_client_new(const struct sq_tls_client_cfg *cfg, struct sq_err *err)
{
	struct sq_tls_ctx *ctx = new_ctx(false, cfg->min_version, cfg->ciphers, err);
	int r = 0;

	if (!ctx)
		return NULL;
	if (cfg->key && !cfg->certificate)
		r = sq_err_set(err, -EINVAL, "tls_key is set, but tls_certificate is not");
	else if (cfg->certificate)
		r = sq_tls_use_certificate(ctx, cfg->certificate, cfg->key, err);
	if (r == 0)
		r = use_servers(ctx, cfg, err);
	ERR_clear_error();
	if (r == 0)
		return ctx;
	sq_tls_ctx_unref(ctx);
	return NULL;
}
