/* Files of certificates and keys: read whole, understood, and checked against each other. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "lib/host/files.h"
#include "lib/host/tls_private.h"

enum {
	FILE_MAX = 4 * 1024 * 1024,
	ROOM = 64 * 1024,          /* enough for every file with a key */
	SOON_SECONDS = 14 * 86400, /* tell of a certificate that expires within */
};

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

int sq_tls_no_memory(struct sq_err *err)
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
	(void)sq_outbuf_reserve(bytes, ROOM); /* moving would leave a copy of a key behind */
	r = sq_file_read(file, bytes, err);
	if (r < 0) {
		(void)sq_err_wrap(err, r, "%s", key);
		return NULL;
	}
	bio = BIO_new_mem_buf(bytes->p ? bytes->p : "", (int)bytes->len);
	if (!bio)
		(void)sq_tls_no_memory(err);
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
		return sq_tls_no_memory(err);
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
		            ? sq_tls_no_memory(err)
		            : sq_err_set(
				      err, -EINVAL,
				      "tls_key: %s: the key is not the one of the certificate in %s",
				      file, certificate);
	EVP_PKEY_free(key);
	close_pem(bio, &bytes);
	return r;
}

int sq_tls_use_certificate(struct sq_tls_ctx *ctx, const char *file, const char *key,
                           struct sq_err *err)
{
	struct sq_outbuf bytes;
	BIO *bio = open_pem("tls_certificate", file, &bytes, err);
	int r = bio ? read_chain(ctx, bio, file, err) : -EINVAL;

	close_pem(bio, &bytes);
	return r < 0 ? r : read_key(ctx, key ? key : file, file, err);
}

/* Whoever is in the file is trusted, be it a root or not. Servers tell clients these names. */
int sq_tls_use_authorities(struct sq_tls_ctx *ctx, const char *key, const char *file,
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
