/* Certificates and keys for tests, made when the test runs: no key is kept in the tree.
 *
 * EC keys (P-256), so that making them takes no time. All files are PEM, written to a folder of the
 * test.
 */
#pragma once

#include <stdbool.h>

#include <openssl/x509.h>

struct certs_pair {
	X509 *cert;
	EVP_PKEY *key;
};

struct certs_want {
	const char *cn;
	const char *names; /* "DNS:ws-7.example.org,IP:192.0.2.7"; NULL: none */
	const char *use;   /* "serverAuth" or "clientAuth"; NULL: any */
	long from, until;  /* seconds from now; both 0: an hour ago, in a month */
	bool authority;
};

/** A certificate of `want`, signed by `issuer` (NULL: by itself). Asserts when it cannot. */
struct certs_pair certs_make(const struct certs_want *want, const struct certs_pair *issuer);
void certs_free(struct certs_pair *pair);

/** Write certificates (and the key of the first when `with_key`) to FOLDER/NAME. */
void certs_write(const char *folder, const char *name, const struct certs_pair *pair,
                 const struct certs_pair *chain, bool with_key);
/** The key alone; `password` NULL: in plain. */
void certs_write_key(const char *folder, const char *name, const struct certs_pair *pair,
                     const char *password);
