/* What the files of TLS share; lib/host/tls.h is what others see. */
#pragma once

#include <openssl/ssl.h>

#include "lib/host/tls.h"

enum {
	SQ_TLS_WHY_TEXT = 512,
	SQ_TLS_HEAD = 8, /* so many first bytes tell plain text, and what kind of it */
};

struct sq_tls_ctx {
	unsigned users; /* atomic: sessions of several threads may share a context */
	bool server, verify;
	SSL_CTX *ssl;
	BIO_METHOD *bio;
	char *name;               /* clients: instead of the host */
	struct sq_opt_strs names; /* servers: of clients; a copy */
	char warning[256];
};

struct sq_tls {
	SSL *ssl;
	struct sq_tls_ctx *ctx;
	struct sq_sv in;      /* given and not read yet */
	struct sq_outbuf out; /* ciphertext; its first `sent` bytes are gone */
	size_t sent;
	uint32_t shaking;  /* bytes of the handshake that were read */
	uint16_t dataless; /* records since the last data */
	uint8_t n_head;
	char head[SQ_TLS_HEAD]; /* the first bytes of the peer */
	bool up, flood, no_memory;
	int error; /* negative errno that ended it, 0 while it lives */
	char *why; /* owned; NULL: nothing to say, or no memory for it */
};

/** The BIO of sessions, and what OpenSSL calls for each record; see tls_session.c. */
BIO_METHOD *sq_tls_bio_method(void);
void sq_tls_on_message(int written, int version, int type, const void *p, size_t n, SSL *ssl,
                       void *ctx);

/** -ENOMEM with its text. */
int sq_tls_no_memory(struct sq_err *err);
/** Our certificate with its chain and its key (`key` NULL: in the same file); tells of dates. */
int sq_tls_use_certificate(struct sq_tls_ctx *ctx, const char *file, const char *key,
                           struct sq_err *err) SQ_MUST_CHECK;
/** Whoever is in the file is trusted, be it a root or not; servers tell clients these names.
 *  @param key  of the configuration, for messages */
int sq_tls_use_authorities(struct sq_tls_ctx *ctx, const char *key, const char *file,
                           struct sq_err *err) SQ_MUST_CHECK;

/** Remember why it fails; the first reason given is the one that is kept. */
void sq_tls_say(struct sq_tls *t, const char *fmt, ...) SQ_PRINTF(2, 3);

/** Say why from what OpenSSL left behind, and give the errno that fits. */
int sq_tls_explain(struct sq_tls *t);

/** What the first bytes are when they are not TLS: a sentence, or NULL. `*ret_wait`: more bytes are
 *  needed to tell. */
const char *sq_tls_not_tls(struct sq_sv head, bool server, bool *ret_wait);

/** For SSL_CTX_set_verify(): says why a certificate is refused, and checks names of clients. */
int sq_tls_on_verify(int ok, X509_STORE_CTX *store);

/** One of the names that are asked for is in the certificate; true when none is asked for. */
bool sq_tls_name_fits(X509 *cert, const struct sq_opt_strs *wanted);

/** Subject as RFC 2253 has it, cut when too long. It cannot forge a line of a log: control
 *  characters are escaped, and with `ascii` all that is not printable ASCII. */
void sq_tls_subject(X509 *cert, char *to, size_t room, bool ascii);
