/* TLS as a state machine: ciphertext in and out, plain bytes in and out; sockets are elsewhere.
 *
 * A context holds certificates, keys and policy, read from files once; sessions keep the context
 * they began with, so that it may be replaced under them (struct sq_tls_ctx counts its users).
 * OpenSSL 3; TLS 1.2 and 1.3 (RFC 8446, RFC 5246). One session belongs to one thread.
 */
#pragma once

#include "lib/base/err.h"
#include "lib/model/batch.h"
#include "lib/text/opt.h"

enum sq_tls_version { SQ_TLS_1_2, SQ_TLS_1_3 };
enum sq_tls_clients { SQ_TLS_CLIENTS_NONE, SQ_TLS_CLIENTS_OPTIONAL, SQ_TLS_CLIENTS_REQUIRED };

/** Rows for a table of options: SQ_TLS_SERVER_OPTS(type, member). */
struct sq_tls_server_cfg {
	char *certificate; /* PEM, with its chain; NULL: no TLS */
	char *key;         /* PEM; NULL: in the file of the certificate */
	int clients;       /* enum sq_tls_clients */
	char *client_ca;   /* PEM: who signs certificates of clients */
	struct sq_opt_strs
		client_names; /* CN or SAN must be one of these ("*.corp.example"); none: any */
	int min_version;      /* enum sq_tls_version */
	char *ciphers;        /* of TLS 1.2, as OpenSSL names them; NULL: the strong ones */
};

/** Rows: SQ_TLS_CLIENT_OPTS(type, member). */
struct sq_tls_client_cfg {
	bool on;
	char *ca;          /* PEM; NULL: what the system trusts */
	bool verify;       /* chain and name; default true */
	char *name;        /* expected in the certificate and sent as SNI; NULL: the host's name */
	char *certificate; /* ours, if the server wants one */
	char *key;
	int min_version;
	char *ciphers;
};

struct sq_tls_ctx;
struct sq_tls;

/** Read files, check that they fit each other. NULL with `err`, which names file and cause. */
struct sq_tls_ctx *sq_tls_server_new(const struct sq_tls_server_cfg *cfg, struct sq_err *err);
struct sq_tls_ctx *sq_tls_client_new(const struct sq_tls_client_cfg *cfg, struct sq_err *err);
struct sq_tls_ctx *sq_tls_ctx_ref(struct sq_tls_ctx *ctx);
/** NULL is fine. */
void sq_tls_ctx_unref(struct sq_tls_ctx *ctx);

/** @param host  clients: the name to be verified and sent as SNI; servers: NULL. NULL: no memory */
struct sq_tls *sq_tls_new(struct sq_tls_ctx *ctx, const char *host);
void sq_tls_free(struct sq_tls *t);

/** Ciphertext that has come. It is not copied: until the next call of sq_tls_give() the bytes must
 *  stay, or sq_tls_left() be saved and given again. */
void sq_tls_give(struct sq_tls *t, struct sq_sv ciphertext);
/** What of it was not used yet. */
struct sq_sv sq_tls_left(const struct sq_tls *t);

/** Go on with the handshake. @return 1 done, 0 more bytes are needed, or a negative errno with the
 *  reason in sq_tls_why(). There may be bytes to send after each. */
int sq_tls_handshake(struct sq_tls *t) SQ_MUST_CHECK;
/** Plain bytes into `to`. @return how many, 0: more ciphertext is needed; -EPIPE: the peer ended
 *  the session in order (close_notify); another errno: see sq_tls_why() */
ssize_t sq_tls_read(struct sq_tls *t, char *to, size_t room) SQ_MUST_CHECK;
/** Encrypt all of `bytes`. @return 0 or a negative errno */
int sq_tls_write(struct sq_tls *t, struct sq_sv bytes) SQ_MUST_CHECK;
/** Say close_notify. */
void sq_tls_end(struct sq_tls *t);

/** Ciphertext to be sent; and so many bytes of it have been. */
struct sq_sv sq_tls_unsent(const struct sq_tls *t);
void sq_tls_sent(struct sq_tls *t, size_t n);

/** The reason of the last failure, for a person; one sentence, no line end. */
const char *sq_tls_why(const struct sq_tls *t);
/** The session was resumed from an earlier one. */
bool sq_tls_resumed(const struct sq_tls *t);
/** Subject and names of the peer's certificate; false: it showed none. */
bool sq_tls_identity(const struct sq_tls *t, struct sq_identity *to);
