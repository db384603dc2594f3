#include "tests/support/certs.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "lib/base/base.h"

static void add(X509 *cert, X509V3_CTX *ctx, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, ctx, nid, value);

	sq_assert(ext && X509_add_ext(cert, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

struct certs_pair certs_make(const struct certs_want *want, const struct certs_pair *issuer)
{
	static long serial = 1000;
	struct certs_pair pair = { .cert = X509_new(), .key = EVP_EC_gen("P-256") };
	const struct certs_pair *by = issuer ? issuer : &pair;
	bool month = !want->from && !want->until;
	X509_NAME *name;
	X509V3_CTX ctx;

	sq_assert(pair.cert && pair.key);
	name = X509_get_subject_name(pair.cert);
	sq_assert(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
	                                     (const unsigned char *)"Example", -1, -1, 0) == 1);
	sq_assert(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	                                     (const unsigned char *)want->cn, -1, -1, 0) == 1);
	sq_assert(X509_set_version(pair.cert, X509_VERSION_3) == 1);
	sq_assert(ASN1_INTEGER_set(X509_get_serialNumber(pair.cert), ++serial) == 1);
	sq_assert(X509_gmtime_adj(X509_getm_notBefore(pair.cert), month ? -3600 : want->from));
	sq_assert(X509_gmtime_adj(X509_getm_notAfter(pair.cert), month ? 30 * 86400 : want->until));
	sq_assert(X509_set_pubkey(pair.cert, pair.key) == 1);
	sq_assert(X509_set_issuer_name(pair.cert, X509_get_subject_name(by->cert)) == 1);
	X509V3_set_ctx(&ctx, by->cert, pair.cert, NULL, NULL, 0);
	add(pair.cert, &ctx, NID_basic_constraints,
	    want->authority ? "critical,CA:TRUE" : "CA:FALSE");
	if (want->names)
		add(pair.cert, &ctx, NID_subject_alt_name, want->names);
	if (want->use)
		add(pair.cert, &ctx, NID_ext_key_usage, want->use);
	sq_assert(X509_sign(pair.cert, by->key, EVP_sha256()) > 0);
	return pair;
}

void certs_free(struct certs_pair *pair)
{
	X509_free(pair->cert);
	EVP_PKEY_free(pair->key);
	*pair = (struct certs_pair){ 0 };
}

static FILE *open_at(const char *folder, const char *name)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "we");
	sq_assert(f);
	return f;
}

void certs_write(const char *folder, const char *name, const struct certs_pair *pair,
                 const struct certs_pair *chain, bool with_key)
{
	FILE *f = open_at(folder, name);

	sq_assert(PEM_write_X509(f, pair->cert) == 1);
	if (chain)
		sq_assert(PEM_write_X509(f, chain->cert) == 1);
	if (with_key)
		sq_assert(PEM_write_PrivateKey(f, pair->key, NULL, NULL, 0, NULL, NULL) == 1);
	sq_assert(fclose(f) == 0);
}

void certs_write_key(const char *folder, const char *name, const struct certs_pair *pair,
                     const char *password)
{
	FILE *f = open_at(folder, name);

	sq_assert(PEM_write_PKCS8PrivateKey(f, pair->key, password ? EVP_aes_128_cbc() : NULL,
	                                    password, password ? (int)strlen(password) : 0, NULL,
	                                    NULL) == 1);
	sq_assert(fclose(f) == 0);
}
