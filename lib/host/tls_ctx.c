/* Contexts: certificates, keys and policy, read from files and checked against each other. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "lib/host/files.h"
#include "lib/host/tls_private.h"

enum {
	FILE_MAX = 4 * 1024 * 1024,
	TICKET_SECONDS = 3600,
	SOON_SECONDS = 14 * 86400, /* tell of a certificate that expires within */
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

/* ---- errors ------------------------------------------------------------------------------ */

/* OpenSSL failed at `file`; the innermost reason is the telling one. */
static int file_failed(const char *key, const char *file, struct sq_err *err)
{
	unsigned long code = ERR_peek_error();
	const char *text = ERR_reason_error_string(code);
	bool no_memory = ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;

	return sq_err_set(err, no_memory ? -ENOMEM : -EINVAL, "%s: %s: %s", key, file,
	                  text ? text : "cannot be used");
}

static int no_memory(struct sq_err *err)
{
	return sq_err_set(err, -ENOMEM, "TLS: out of memory");
}

/* ---- files ------------------------------------------------------------------------------- */

/* A file as a BIO over `bytes`, which the caller wipes: it may hold a key. */
static BIO *open_pem(const char *key, const char *file, struct sq_outbuf *bytes, struct sq_err *err)
{
	BIO *bio;
	int r;

	*bytes = sq_outbuf_of(FILE_MAX);
	r = sq_file_read(file, bytes, err);
	if (r < 0) {
		(void)sq_err_wrap(err, r, "%s", key);
		return NULL;
	}
	bio = BIO_new_mem_buf(bytes->p ? bytes->p : "", (int)bytes->len);
	if (!bio)
		(void)no_memory(err);
	return bio;
}

static void close_pem(BIO *bio, struct sq_outbuf *bytes)
{
	BIO_free(bio);
	if (bytes->p)
		OPENSSL_cleanse(bytes->p, bytes->cap);
	sq_outbuf_fini(bytes);
	ERR_clear_error();
}

/* The end of a PEM file looks like an error. */
static bool at_end(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

static void look_at_dates(struct sq_tls_ctx *ctx, X509 *cert, const char *file)
{
	time_t soon = time(NULL) + SOON_SECONDS;
	const char *what = NULL;

	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		what = "has expired; peers will refuse it";
	else if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
		what = "is not valid yet; peers will refuse it";
	else if (X509_cmp_time(X509_get0_notAfter(cert), &soon) < 0)
		what = "expires within two weeks";
	if (what)
		snprintf(ctx->warning, sizeof(ctx->warning),
		         "tls_certificate: %.150s: the certificate %s", file, what);
}

/* Our certificate first, then those that lead to the authority. */
static int read_chain(struct sq_tls_ctx *ctx, BIO *bio, const char *file, struct sq_err *err)
{
	X509 *cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	int r = 0;

	if (!cert)
		return at_end()
		               ? sq_err_set(
					 err, -EINVAL,
					 "tls_certificate: %s: there is no certificate (PEM) in it",
					 file)
		               : file_failed("tls_certificate", file, err);
	if (SSL_CTX_use_certificate(ctx->ssl, cert) != 1)
		r = file_failed("tls_certificate", file, err);
	look_at_dates(ctx, cert, file);
	X509_free(cert);
	while (r == 0) {
		ERR_clear_error();
		cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		if (!cert)
			return at_end() ? 0 : file_failed("tls_certificate", file, err);
		if (SSL_CTX_add0_chain_cert(ctx->ssl, cert) != 1) {
			r = file_failed("tls_certificate", file, err);
			X509_free(cert);
		}
	}
	return r;
}

/* A daemon has nobody to ask for a password. */
static int no_password(char *to SQ_UNUSED, int room SQ_UNUSED, int writing SQ_UNUSED, void *asked)
{
	*(bool *)asked = true;
	return -1;
}

static int no_key(const char *file, struct sq_err *err)
{
	if (ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE)
		return no_memory(err);
	return sq_err_set(err, -EINVAL,
	                  "tls_key: %s: there is no private key (PEM) in it that can be read",
	                  file);
}

static int read_key(struct sq_tls_ctx *ctx, const char *file, const char *certificate,
                    struct sq_err *err)
{
	struct sq_outbuf bytes;
	BIO *bio = open_pem("tls_key", file, &bytes, err);
	EVP_PKEY *key;
	bool asked = false;
	int r = 0;

	if (!bio) {
		close_pem(NULL, &bytes);
		return -EINVAL;
	}
	key = PEM_read_bio_PrivateKey(bio, NULL, no_password, &asked);
	if (asked)
		r = sq_err_set(
			err, -EINVAL,
			"tls_key: %s: the key is encrypted; it must be there without password",
			file);
	else if (!key)
		r = no_key(file, err);
	else if (SSL_CTX_use_PrivateKey(ctx->ssl, key) != 1)
		r = ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE
		            ? no_memory(err)
		            : sq_err_set(
				      err, -EINVAL,
				      "tls_key: %s: the key is not the one of the certificate in %s",
				      file, certificate);
	EVP_PKEY_free(key);
	close_pem(bio, &bytes);
	return r;
}

static int use_certificate(struct sq_tls_ctx *ctx, const char *file, const char *key,
                           struct sq_err *err)
{
	struct sq_outbuf bytes;
	BIO *bio = open_pem("tls_certificate", file, &bytes, err);
	int r = bio ? read_chain(ctx, bio, file, err) : -EINVAL;

	close_pem(bio, &bytes);
	return r < 0 ? r : read_key(ctx, key ? key : file, file, err);
}

/* Whoever is in the file is trusted, be it a root or not. Servers tell clients these names. */
static int use_authorities(struct sq_tls_ctx *ctx, const char *key, const char *file,
                           struct sq_err *err)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx->ssl);
	struct sq_outbuf bytes;
	BIO *bio = open_pem(key, file, &bytes, err);
	int r = bio ? 0 : -EINVAL;
	unsigned n = 0;

	while (r == 0) {
		X509 *cert;

		ERR_clear_error();
		cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
		if (!cert) {
			if (!at_end())
				r = file_failed(key, file, err);
			else if (!n)
				r = sq_err_set(err, -EINVAL,
				               "%s: %s: there is no certificate (PEM) in it", key,
				               file);
			break;
		}
		n++;
		if (X509_STORE_add_cert(store, cert) != 1 ||
		    (ctx->server && SSL_CTX_add_client_CA(ctx->ssl, cert) != 1))
			r = file_failed(key, file, err);
		X509_free(cert);
	}
	(void)X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	close_pem(bio, &bytes);
	return r;
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
	               : no_memory(err);
}

static struct sq_tls_ctx *new_ctx(bool server, int min_version, const char *ciphers,
                                  struct sq_err *err)
{
	struct sq_tls_ctx *ctx = calloc(1, sizeof(*ctx));

	ERR_clear_error();
	if (!ctx) {
		(void)no_memory(err);
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
		(void)no_memory(err);
		goto fail;
	}
	(void)SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	                                            SSL_OP_CIPHER_SERVER_PREFERENCE |
	                                            SSL_OP_PRIORITIZE_CHACHA);
	(void)SSL_CTX_set_mode(ctx->ssl, SSL_MODE_RELEASE_BUFFERS);
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
	r = use_authorities(ctx, "tls_client_ca", cfg->client_ca, err);
	if (r < 0)
		return r;
	return copy_names(ctx, &cfg->client_names) < 0 ? no_memory(err) : 0;
}

/* Tickets keep sessions with the clients. Their keys live and die with the context, so that what
 * was agreed under an older configuration is not resumed under a new one. */
static int use_tickets(struct sq_tls_ctx *ctx, struct sq_err *err)
{
	static const unsigned char id[] = "squiblyd";

	(void)SSL_CTX_set_timeout(ctx->ssl, TICKET_SECONDS);
	if (SSL_CTX_set_session_id_context(ctx->ssl, id, sizeof(id) - 1) != 1 ||
	    SSL_CTX_set_num_tickets(ctx->ssl, 1) != 1)
		return no_memory(err);
	return 0;
}

struct sq_tls_ctx *sq_tls_server_new(const struct sq_tls_server_cfg *cfg, struct sq_err *err)
{
	struct sq_tls_ctx *ctx = new_ctx(true, cfg->min_version, cfg->ciphers, err);
	int r;

	if (!ctx)
		return NULL;
	sq_assert(cfg->certificate);
	r = use_certificate(ctx, cfg->certificate, cfg->key, err);
	if (r == 0)
		r = use_clients(ctx, cfg, err);
	if (r == 0)
		r = use_tickets(ctx, err);
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
	if (cfg->name) {
		ctx->name = strdup(cfg->name);
		if (!ctx->name)
			return no_memory(err);
	}
	if (!cfg->verify)
		return 0;
	ctx->verify = true;
	SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_PEER, sq_tls_on_verify);
	if (cfg->ca)
		return use_authorities(ctx, "tls_ca", cfg->ca, err);
	return SSL_CTX_set_default_verify_paths(ctx->ssl) == 1 ? 0 : no_memory(err);
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
		r = use_certificate(ctx, cfg->certificate, cfg->key, err);
	if (r == 0)
		r = use_servers(ctx, cfg, err);
	ERR_clear_error();
	if (r == 0)
		return ctx;
	sq_tls_ctx_unref(ctx);
	return NULL;
}
