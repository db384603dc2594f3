/* What outputs over HTTP share: a send is made into requests, an answer is judged, and what is to
 * be said again is said again, after a while.
 *
 *   send ─▶ messages WAIT ─▶ some FLY in a request ─▶ judged ─┬▶ SAFE
 *               ▲                                             ├▶ REFUSED (told at the end)
 *               └──────── at once, or after a wait ───────────┘  all safe or refused: sent(0)
 *
 * Of an answer to a whole request:
 *
 *   2xx                    they are safe; Elasticsearch and Splunk say more, which is read
 *   413                    half as many next time; one alone is refused
 *   400, 422               half as many, until the guilty one is alone, which is refused
 *   408, 425, 429, 5xx, no answer: temporary; the same again after a wait, not before Retry-After;
 *                          where there are several receivers and this one is away, the next first
 *   401, 403, 404, 3xx, other 4xx: the same, but somebody must mend it, and the log says so
 *
 * One send at a time is taken. A wait is retry_min, doubled up to retry_max by each failure, and a
 * random part off that. Main loop only.
 */
#pragma once

#include "daemon/base/log.h"
#include "daemon/flow/output.h"
#include "daemon/output/http_client.h"

/** Its part of the configuration; times in milliseconds. The first member of each kind's. */
struct sqd_http_cfg {
	char *url;
	struct sq_opt_strs alternates; /* URLs */
	uint32_t batch;                /* messages of a request */
	bool gzip;
	struct sq_opt_strs headers;
	char *proxy;
	uint64_t connect_timeout, request_timeout, retry_min, retry_max;
	struct sq_tls_client_cfg tls;
};

/* clang-format off */
#define SQD_HTTP_OPTS(type, member)                                                                 \
	{ "alternates", SQ_OPT_STRS, .offset = offsetof(type, member.alternates),                   \
	  .doc = "Further URLs, as in url: when a request gets no answer, or 502, 503 or 504, the " \
		 "next of them all is tried; one at a time is used." },                             \
	{ "headers", SQ_OPT_STRS, .offset = offsetof(type, member.headers),                         \
	  .doc = "Headers that requests have besides: [\"X-Tenant: corp\"]." },                     \
	{ "gzip", SQ_OPT_BOOL, .offset = offsetof(type, member.gzip), .def = "false",               \
	  .doc = "Compress requests (Content-Encoding: gzip)." },                                   \
	{ "proxy", SQ_OPT_STR, .offset = offsetof(type, member.proxy),                              \
	  .doc = "HTTP proxy to go through: http://proxy.example.org:3128; the environment is not " \
		 "asked." },                                                                        \
	{ "connect_timeout", SQ_OPT_MSEC, .offset = offsetof(type, member.connect_timeout),         \
	  .min = 100, .max = 300000, .def = "10s",                                                  \
	  .doc = "Give up an attempt to connect, TLS included, after this time." },                 \
	{ "request_timeout", SQ_OPT_MSEC, .offset = offsetof(type, member.request_timeout),         \
	  .min = 100, .max = 3600000, .def = "1min",                                                \
	  .doc = "Give up a request that is not answered in full after this time." },               \
	{ "retry_min", SQ_OPT_MSEC, .offset = offsetof(type, member.retry_min),                     \
	  .min = 10, .max = 3600000, .def = "250ms",                                                \
	  .doc = "First wait before a request is made again; it doubles with every failure." },     \
	{ "retry_max", SQ_OPT_MSEC, .offset = offsetof(type, member.retry_max),                     \
	  .min = 10, .max = 3600000, .def = "30s",                                                  \
	  .doc = "Longest wait before a request is made again, unless the receiver asks for more "  \
		 "(Retry-After, up to 5 minutes)." },                                               \
	SQ_TLS_CLIENT_FILE_OPTS(type, member.tls)
/* clang-format on */

struct sqd_http_out;

enum sqd_http_verdict {
	SQD_HTTP_SAFE,    /* all messages of the request */
	SQD_HTTP_JUDGED,  /* each was settled alone; those that fly still wait again */
	SQD_HTTP_REST,    /* the same, and those are said again at once */
	SQD_HTTP_LATER,   /* temporary */
	SQD_HTTP_MEND,    /* the same, until somebody mends it */
	SQD_HTTP_SMALLER, /* too much for one request */
	SQD_HTTP_DIVIDE,  /* one of them is at fault */
};

/** What is different between the kinds. All are required. */
struct sqd_http_kind {
	/** Where to, with which headers: calls sqd_http_out_aim(). At the start, and when files are
	 *  to be read anew. */
	int (*aim)(struct sqd_http_out *o, struct sq_err *err);
	/** Append a message to `o->body`; `at` is its place in the request, from 0. */
	void (*encode)(struct sqd_http_out *o, const struct sqd_message *m, size_t at);
	/** All messages of the request are in the body. */
	void (*close_body)(struct sqd_http_out *o);
	/** `body` is what will be sent. Sets `*ret_header`, or leaves it: one more header of this
	 *  request, which stays until the answer. @return 0 or -ENOMEM */
	int (*sign)(struct sqd_http_out *o, struct sq_sv body, const char **ret_header);
	/** Judge an answer (status is not 0); `why` begins empty and may be written: what the log
	 *  and the dead letters say. sqd_http_judge() knows what the status means. */
	enum sqd_http_verdict (*judge)(struct sqd_http_out *o, const struct sqd_http_answer *a,
	                               struct sq_err *why);
	/** Free what the kind has. */
	void (*fini)(struct sqd_http_out *o);
};

/** Longest time that a receiver may ask for with Retry-After. */
enum { SQD_HTTP_ASKED_MAX_MS = 300000 };

/** One of the URLs. */
struct sqd_http_place {
	uint64_t not_before_ms; /* of the loop: it has asked for so much peace */
	uint32_t round;         /* in which it was asked last */
};

struct sqd_http_msg {
	const char *at; /* its head, in the bytes of the send */
	uint32_t why;   /* where in `whys` its refusal stands */
	uint8_t state;
	bool mended;
};

/** A kind's struct begins with it. */
struct sqd_http_out {
	struct sqd_output base;
	const struct sqd_http_kind *kind;
	struct sqd_http_client *client;
	uv_timer_t timer; /* of a wait */
	bool started, closing;
	bool plain;             /* a URL is without TLS */
	bool plain_told;        /* that a secret goes there */
	bool client_open, busy; /* `busy`: a request is under way */
	bool stale;             /* files are to be read before the next request */
	bool starved;           /* send() said -EAGAIN: `ready` is owed */
	bool insists;           /* waits do not become longer */
	bool mended;            /* for encode() to set: it replaced bytes of the message */
	bool worked;            /* a request was answered well */
	uint64_t retry_ms, random;
	struct sqd_http_place *places; /* the URLs; owned */
	uint32_t round;                /* each of them is asked once in it; then there is a wait */
	size_t place;                  /* the one that is asked */
	size_t aimed_at;               /* the one that the client has */
	size_t place_worked;           /* the last one that took messages */
	char place_shown[SQD_HTTP_SHOWN];
	struct sqd_http_msg *msgs; /* of the send that is not answered; none: n == 0 */
	uint32_t *flight;          /* which of them are in the request */
	size_t n, cap;
	size_t flying;      /* messages of the request */
	size_t limit;       /* messages of the next one */
	size_t limit_bytes; /* what a receiver was found to take, with a least */
	struct sq_outbuf body, packed, whys;
	struct sqd_log_limit log_limit;
};

static inline struct sqd_http_out *sqd_http_out_of(struct sqd_output *out)
{
	return SQ_CONTAINER(out, struct sqd_http_out, base);
}

/** The start of each kind: checks what all have in common, sets name and framing, reads files,
 *  aims. @param max_answer  bytes of an answer that are wanted */
int sqd_http_out_start(struct sqd_http_out *o, const struct sqd_http_kind *kind, size_t max_answer,
                       struct sq_err *err) SQ_MUST_CHECK;
/** Requests go to the configured URL with `path` (its own escapes made; may be "") behind it, and
 *  with these headers besides the configured ones; NULL at the end. `login` may be NULL. For
 *  aim(). */
int sqd_http_out_aim(struct sqd_http_out *o, const char *path, const char *const *headers,
                     const struct sqd_http_login *login, struct sq_err *err) SQ_MUST_CHECK;

/** A message of the request, by its place in it, is safe, or refused for good. Of SQD_HTTP_JUDGED.
 */
void sqd_http_out_safe(struct sqd_http_out *o, size_t at);
void sqd_http_out_refuse(struct sqd_http_out *o, size_t at, const char *why);

/** The verdict that the status alone gives; fills `why`. */
enum sqd_http_verdict sqd_http_judge(const struct sqd_http_answer *a, struct sq_err *why);

/** Of kinds that have nothing to add at the end, and sign nothing. */
void sqd_http_no_end(struct sqd_http_out *o);
int sqd_http_no_sign(struct sqd_http_out *o, struct sq_sv body, const char **ret_header);

/* ---- http_place.c ---- */

/** Before anything starts: looks at URLs and headers, and sets the name. */
int sqd_http_places_init(struct sqd_http_out *o, struct sq_err *err) SQ_MUST_CHECK;
/** The outcome of a request: who says something begins a new round. */
void sqd_http_place_answered(struct sqd_http_out *o, const struct sqd_http_answer *a);
/** How long the receiver wants to be left alone, in milliseconds. */
uint64_t sqd_http_asked_for(const struct sqd_http_answer *a);
/** A request has failed, `why` is for the log. If nobody was there, the next one is to be asked
 * from now on.
 *  @return true: at once, since it has not been asked in this round, nor asked for peace; false:
 *  after a wait of `*ret_ms` at least */
bool sqd_http_place_next(struct sqd_http_out *o, const struct sqd_http_answer *a, const char *why,
                         uint64_t *ret_ms);
/** It takes messages. */
void sqd_http_place_works(struct sqd_http_out *o);

/** The operations that are the same for all kinds. */
int sqd_http_out_send(struct sqd_output *out, struct sq_sv bytes) SQ_MUST_CHECK;
void sqd_http_out_reopen(struct sqd_output *out);
void sqd_http_out_insist(struct sqd_output *out);
void sqd_http_out_close(struct sqd_output *out);
