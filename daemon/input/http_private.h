/* What the files of the HTTP input share.
 *
 *	http.c          options, start and stop
 *	http_conn.c     a connection: bytes to heads, bodies and ends of requests
 *	http_route.c    what a request is, and whether we take it
 *	http_request.c  a request that brings records: from its head until it is settled
 *	http_answer.c   every answer
 *	http_auth.c     files of names and secrets
 *	http_acks.c     HEC: what was told to be asked for later
 */
#pragma once

#include "daemon/input/http.h"
#include "lib/wire/bulk.h"
#include "lib/wire/credentials.h"
#include "lib/wire/elastic.h"
#include "lib/wire/hec.h"
#include "lib/wire/http.h"
#include "lib/wire/unpack.h"

struct sqd_http_conn;

enum {
	SQD_HTTP_DRAIN_MAX = 1024 * 1024,   /* bytes of a refused body that are read to keep the
	                                     * connection; a longer one ends it */
	SQD_HTTP_SMALL_MAX = 64 * 1024,     /* bytes of a body that is not records: a question */
	SQD_HTTP_RETRY_S = 5,               /* when to come again */
	SQD_HTTP_SPARE_UNPACK = 4,          /* contexts that are kept */
	SQD_HTTP_UNPACK_FREE = 1024 * 1024, /* bytes of one that max_unpacking does not count */
	SQD_HTTP_ACK_WINDOW = 1024,         /* acks of a channel that are remembered */
};

/* To who asks something, and sends more than SQD_HTTP_DRAIN_MAX with it. */
#define SQD_HTTP_NO_BODY "a body so long does not belong to this request"

/* ---- acks of HEC ------------------------------------------------------------------------- */

enum sqd_ack { SQD_ACK_NONE, SQD_ACK_PENDING, SQD_ACK_SETTLED };

struct sqd_channel {
	char name[65];
	char user[SQ_CREDENTIAL_NAME];
	uint64_t next;                      /* id to come */
	uint32_t pending;                   /* ids that are not settled */
	uint32_t begun;                     /* requests that will take an id */
	uint64_t used_ms;                   /* when it was last asked for */
	uint8_t state[SQD_HTTP_ACK_WINDOW]; /* enum sqd_ack of id modulo window */
};

struct sqd_acks {
	struct sqd_channel **list;
	uint32_t n, max;
};

void sqd_acks_fini(struct sqd_acks *a);
/** The channel of that name and user; made when `make` and there is room or one that nobody waits
 * for. */
struct sqd_channel *sqd_acks_channel(struct sqd_acks *a, struct sq_sv name, const char *user,
                                     uint64_t now_ms, bool make);
/** A new id. @return false: too many are not settled */
bool sqd_acks_begin(struct sqd_channel *ch, uint64_t *ret_id) SQ_MUST_CHECK;
/** It is settled; or it was `lost`, and will never be. */
void sqd_acks_settled(struct sqd_channel *ch, uint64_t id, bool lost);
bool sqd_acks_ask(const struct sqd_channel *ch, uint64_t id);

/* ---- the listener ------------------------------------------------------------------------ */

struct sqd_http_input {
	struct sqd_server server; /* first */
	struct sq_credentials credentials;
	bool guarded; /* only who is in `credentials` may send */
	struct sqd_acks acks;
	uint64_t starved_ms;        /* since when no batch has been free; 0: one was */
	struct sq_outbuf body, out; /* of the answer that is being written */
	struct sq_unpack *spare[SQD_HTTP_SPARE_UNPACK];
	unsigned n_spare;
	uint64_t unpacking; /* what max_unpacking bounds */
	struct sqd_log_limit refused_limit, asked_limit, timeout_limit;
};

/* ---- requests ---------------------------------------------------------------------------- */

enum sqd_http_kind {
	SQD_HTTP_EVENTS,
	SQD_HTTP_BULK,
	SQD_HTTP_HEC_EVENT,
	SQD_HTTP_HEC_RAW,
	SQD_HTTP_OTLP,
	SQD_HTTP_OTHER, /* none that brings records */
};

/** Why something is not taken. */
struct sqd_refusal {
	int status;
	const char *why;   /* static; for the answer and the log */
	int hec;           /* enum sq_hec_code, if it is asked in this way */
	const char *allow; /* of 405 */
	uint64_t *counter; /* may be NULL */
};

/** A request that brings records. Lives until it is answered and settled. */
struct sqd_http_request {
	struct sqd_receipt receipt;
	struct sqd_http_conn *owner; /* kept, also when nobody is answered any more */
	struct sq_identity identity; /* used when somebody has proved a name */
	enum sqd_http_kind kind;
	union {
		struct sq_frame frame;
		struct sq_hec hec;
		struct sq_bulk bulk;
	};
	struct sqd_cutter cutter;
	struct sq_unpack *unpack; /* NULL: the body is not compressed */
	size_t charge;            /* of it in the listener's `unpacking` */
	uint64_t begun_ms;
	bool inside;                 /* the unpacker has more */
	bool whole;                  /* all of it was taken */
	bool attached;               /* the connection waits for it */
	struct sqd_channel *channel; /* of HEC acks; answered already */
	uint64_t ack;
};

enum sqd_http_state {
	SQD_HTTP_HEAD,    /* between requests, or in a head */
	SQD_HTTP_RECORDS, /* in the body of `request` */
	SQD_HTTP_ENDING,  /* all of the body is there; batches are missing */
	SQD_HTTP_WAITING, /* `request` is whole, but not settled */
	SQD_HTTP_SMALL,   /* in a body that is a question */
	SQD_HTTP_DISCARD, /* in a body that nobody wants; `refusal` or `prepared` is the answer */
	SQD_HTTP_OVER,    /* the last answer was given */
};

struct sqd_http_conn {
	struct sqd_conn base; /* first */
	struct sq_http http;
	enum sqd_http_state state;
	struct sqd_http_request *request;
	enum sqd_http_kind kind; /* of the request, for the form of its answers */
	struct sqd_refusal refusal;
	char *prepared; /* body of a good answer that only waits for the end of the request; owned
	                 */
	bool elastic;   /* the answer says that we are Elasticsearch */
	struct sq_outbuf small;
	char user[SQ_CREDENTIAL_NAME];
	char channel[65];
	uint64_t left;        /* bytes of the body to come, when its length is known */
	struct sqd_room room; /* that was given in the open batch */
	bool direct;          /* it was */
	bool starved;         /* waits for a batch */
	bool eof;             /* the peer will say nothing more */
	bool asked;           /* the head of a request has come */

	/* Bytes that had to wait: first the rest of a piece of body, then the stream. */
	char *rest;
	size_t rest_at, rest_piece, rest_in, rest_end;

	uint64_t begun_ms;    /* of the head; at first, of the connection */
	uint64_t progress_ms; /* of the body */
	uint64_t progress;
	uint64_t waiting_ms; /* for a batch, or to be settled */
};

static inline struct sqd_http_input *sqd_http_input_of(const struct sqd_http_conn *c)
{
	return SQ_CONTAINER(c->base.server, struct sqd_http_input, server);
}

static inline const struct sqd_input_http_cfg *sqd_http_cfg(const struct sqd_http_conn *c)
{
	return sqd_conn_cfg(&c->base);
}

static inline uint64_t sqd_http_now(const struct sqd_http_conn *c)
{
	return uv_now(sqd_conn_input(&c->base)->loop);
}

/* http.c */
void sqd_http_gone(struct sqd_server *in);

/* http_conn.c */
extern const struct sqd_protocol sqd_http_protocol;
/** The answer to the request was given: the next one, or the end. */
void sqd_http_next(struct sqd_http_conn *c, bool close);

/* http_route.c: a head is there; sets state. */
void sqd_http_route(struct sqd_http_conn *c);
/** The question in `small` is whole. */
void sqd_http_asked(struct sqd_http_conn *c);

/* http_request.c */
/** @return NULL: out of memory */
struct sqd_http_request *sqd_http_request_new(struct sqd_http_conn *c, enum sqd_http_kind kind,
                                              const char *user);
/** Nobody waits for it any more; it goes when it is settled. What is not a whole record is
 *  forgotten. */
void sqd_http_request_abandon(struct sqd_http_request *q);
/** Begin to unpack. @return 0 or -ENOMEM */
int sqd_http_request_unpack(struct sqd_http_request *q, enum sq_unpack_kind kind) SQ_MUST_CHECK;
/** A piece of the body; what was taken of it is cut off. @return 0 all of it, -EAGAIN no batch is
 * free, or another error with `*why` */
int sqd_http_request_take(struct sqd_http_request *q, struct sq_sv *piece,
                          struct sqd_refusal *why) SQ_MUST_CHECK;
/** Bytes have been put into the room of its cutter. As take. */
int sqd_http_request_cut(struct sqd_http_request *q, size_t n,
                         struct sqd_refusal *why) SQ_MUST_CHECK;
/** The body is whole. As take. */
int sqd_http_request_end(struct sqd_http_request *q, struct sqd_refusal *why) SQ_MUST_CHECK;
/** Batches are free. As take. */
int sqd_http_request_resume(struct sqd_http_request *q, struct sqd_refusal *why) SQ_MUST_CHECK;
/** All of it was taken: answer now, or when it is settled. */
void sqd_http_request_whole(struct sqd_http_request *q);

/* http_answer.c */
/** Answer with the contents of the listener's `body`, and go on. */
void sqd_http_answer(struct sqd_http_conn *c, int status, const char *allow, bool close);
/** Say no: at once when the connection ends with it, else when the request has been read. */
void sqd_http_refuse(struct sqd_http_conn *c, const struct sqd_refusal *why, bool at_once);
/** The request whose answer is ready has been read to its end. */
void sqd_http_answer_prepared(struct sqd_http_conn *c);
/** `request` is settled. */
void sqd_http_answer_settled(struct sqd_http_conn *c, struct sqd_http_request *q);
/** One limited line about a peer, and a count. */
void sqd_http_note(struct sqd_http_conn *c, const struct sqd_refusal *why);

/* http_auth.c */
#define SQD_HTTP_OPEN                                                                              \
	"everybody who reaches this address may send events: set tokens_file, users_file or "      \
	"tls_clients: required"
/** Whoever reaches the input may send, and others than this machine do. `name`: "http ADDRESS". */
bool sqd_http_auth_open(const struct sqd_input_http_cfg *cfg, const char *name);
/** As sqd_input_ops.check: what is in the files of names and secrets. */
void sqd_http_auth_check(const void *cfg, struct sq_diags *diags);
/** @return 0, or a negative errno with `err` */
int sqd_http_auth_load(struct sqd_http_input *in, struct sq_err *err) SQ_MUST_CHECK;
