/* TLS as a state machine: ciphertext in and out, plain bytes in and out; sockets are elsewhere.
 *
 * A context holds certificates, keys and policy, read from files once; sessions keep the context
 * they began with, so that it may be replaced under them (struct sq_tls_ctx counts its users).
 * OpenSSL 3; TLS 1.2 and 1.3 (RFC 8446, RFC 5246). One session belongs to one thread.
 */
#pragma once

#include <sys/types.h>

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
	bool one_way;         /* not an option: clients are never answered, so some never read */
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

extern const struct sq_opt_enum sq_tls_versions[];       /* "1.2", "1.3" */
extern const struct sq_opt_enum sq_tls_client_choices[]; /* "none", "optional", "required" */

/* clang-format off */
#define SQ_TLS_SERVER_OPTS(type, member)                                                            \
	{ "tls_certificate", SQ_OPT_STR, .offset = offsetof(type, member.certificate),              \
	  .doc = "File of our certificate and its chain (PEM): turns TLS on." },                    \
	{ "tls_key", SQ_OPT_STR, .offset = offsetof(type, member.key),                              \
	  .doc = "File of the certificate's private key (PEM, without password); absent: it is in " \
		 "the file of the certificate." },                                                  \
	{ "tls_clients", SQ_OPT_ENUM, .offset = offsetof(type, member.clients),                     \
	  .enums = sq_tls_client_choices, .def = "none",                                            \
	  .doc = "Certificates of clients: not asked for, checked when shown, or required." },      \
	{ "tls_client_ca", SQ_OPT_STR, .offset = offsetof(type, member.client_ca),                  \
	  .doc = "File of the authorities (PEM) that sign certificates of clients." },              \
	{ "tls_client_names", SQ_OPT_STRS, .offset = offsetof(type, member.client_names),           \
	  .doc = "A client's certificate must bear one of these names (common name, DNS name, "     \
		 "address, URI or mail): [ws-7.example.org, \"*.clients.example.org\"]; none: any." }, \
	{ "tls_min_version", SQ_OPT_ENUM, .offset = offsetof(type, member.min_version),             \
	  .enums = sq_tls_versions, .def = "1.2",                                                   \
	  .doc = "Oldest version of TLS that is spoken." },                                         \
	{ "tls_ciphers", SQ_OPT_STR, .offset = offsetof(type, member.ciphers),                      \
	  .doc = "Ciphers of TLS 1.2 as OpenSSL names them; absent: the strong ones (ECDHE with "   \
		 "AES-GCM or ChaCha20)." }

#define SQ_TLS_CLIENT_OPTS(type, member)                                                            \
	{ "tls", SQ_OPT_BOOL, .offset = offsetof(type, member.on), .def = "false",                  \
	  .doc = "Speak TLS." },                                                                    \
	SQ_TLS_CLIENT_FILE_OPTS(type, member)

/** The same where a URL says whether TLS is spoken. */
#define SQ_TLS_CLIENT_FILE_OPTS(type, member)                                                       \
	{ "tls_ca", SQ_OPT_STR, .offset = offsetof(type, member.ca),                                \
	  .doc = "File of the authorities (PEM) that are trusted to sign the peer's certificate; "  \
		 "absent: those of the system." },                                                  \
	{ "tls_verify", SQ_OPT_BOOL, .offset = offsetof(type, member.verify), .def = "true",        \
	  .doc = "Check the peer's certificate and its name; without, anybody may pose as it." },   \
	{ "tls_name", SQ_OPT_STR, .offset = offsetof(type, member.name),                            \
	  .doc = "Name that the peer's certificate must bear; absent: the host of the address." },  \
	{ "tls_certificate", SQ_OPT_STR, .offset = offsetof(type, member.certificate),              \
	  .doc = "File of our own certificate and its chain (PEM), for peers that want one." },     \
	{ "tls_key", SQ_OPT_STR, .offset = offsetof(type, member.key),                              \
	  .doc = "File of its private key (PEM, without password); absent: it is in the file of "   \
		 "the certificate." },                                                              \
	{ "tls_min_version", SQ_OPT_ENUM, .offset = offsetof(type, member.min_version),             \
	  .enums = sq_tls_versions, .def = "1.2",                                                   \
	  .doc = "Oldest version of TLS that is spoken." },                                         \
	{ "tls_ciphers", SQ_OPT_STR, .offset = offsetof(type, member.ciphers),                      \
	  .doc = "Ciphers of TLS 1.2 as OpenSSL names them; absent: the strong ones (ECDHE with "   \
		 "AES-GCM or ChaCha20)." }
/* clang-format on */

/** Do the options ask for TLS? @return 1, 0, or -EINVAL: there are keys without the one that turns
 *  TLS on, which would be plain text where somebody believes it is not; `err` names the key */
int sq_tls_server_wanted(const struct sq_tls_server_cfg *cfg, struct sq_err *err) SQ_MUST_CHECK;
int sq_tls_client_wanted(const struct sq_tls_client_cfg *cfg, struct sq_err *err) SQ_MUST_CHECK;

/** A stream that begins so begins with TLS: for ports where plain text is expected. */
static inline bool sq_tls_is_hello(struct sq_sv head)
{
	return head.n >= 3 && head.p[0] == 0x16 && head.p[1] == 3 && (uint8_t)head.p[2] <= 4;
}

struct sq_tls_ctx;
struct sq_tls;

/** Read files, check that they fit each other. NULL with `err`, which names file and cause. */
struct sq_tls_ctx *sq_tls_server_new(const struct sq_tls_server_cfg *cfg, struct sq_err *err);
struct sq_tls_ctx *sq_tls_client_new(const struct sq_tls_client_cfg *cfg, struct sq_err *err);
/** What a person should know of the files that were read (the certificate has expired, or will
 *  within two weeks); "" when there is nothing. */
const char *sq_tls_ctx_warning(const struct sq_tls_ctx *ctx);
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
/** Encrypt all of `bytes`. @return 0; -ENOBUFS: more than SQ_TLS_UNSENT_MAX would be unsent,
 * nothing was taken and the session goes on; another negative errno: it is over */
enum { SQ_TLS_UNSENT_MAX = 4 * 1024 * 1024 };
int sq_tls_write(struct sq_tls *t, struct sq_sv bytes) SQ_MUST_CHECK;
/** Say close_notify. */
void sq_tls_end(struct sq_tls *t);

/** Ciphertext to be sent, valid until the next call that changes the session; and so many bytes of
 *  it have been. The memory is freed when all have. */
struct sq_sv sq_tls_unsent(const struct sq_tls *t);
void sq_tls_sent(struct sq_tls *t, size_t n);
/** The same for who sends later: the unsent bytes as `*ret` with the memory they lie in, which the
 *  caller frees. NULL: there are none. */
char *sq_tls_take(struct sq_tls *t, struct sq_sv *ret);

/** The reason of the last failure, for a person; one sentence, no line end. */
const char *sq_tls_why(const struct sq_tls *t);
/** The session was resumed from an earlier one. */
bool sq_tls_resumed(const struct sq_tls *t);
/** Subject and names of the peer's certificate; false: it showed none. */
bool sq_tls_identity(const struct sq_tls *t, struct sq_identity *to);
