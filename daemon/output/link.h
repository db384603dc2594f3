/* A connection of ours to a peer, plain or with TLS: made, watched, and made again when it is lost.
 *
 *   WAITING -> RESOLVING -> CONNECTING -> SHAKING -> UP -> CLOSING -> WAITING
 *                 |             |            |              ^ |
 *                 v             +------------+--------------+ v
 *              WAITING                                  CONNECTING (the next address of the name),
 *                                                       RESOLVING (the next of several peers)
 *
 * SHAKING is for TLS alone. A round tries each address of each peer; names are looked up anew for
 * it. It begins with the peer behind the one whose connection was lost, so that one who accepts and
 * then does nothing is not asked for ever while another waits. Between rounds
 * it waits: retry_min, doubled each time up to retry_max, and a random part off that, so that many
 * senders do not return at the same moment. The wait is short again after a connection that lasted
 * or has worked (sqd_link_works()), not when one was made: a peer that accepts and closes at once
 * is not to be hammered.
 *
 * What is said over it is its owner's, an output: it embeds the link, and its callbacks. Main loop
 * only. link.c gets to the peer, link_io.c carries bytes.
 */
#pragma once

#include "daemon/flow/output.h"
#include "lib/host/tls.h"

struct sqd_link;

/** Called by the link, never from inside a call of its owner but sqd_link_write() (down: never). */
struct sqd_link_ops {
	/** A connection is there: bytes may be written. May write, or close the link. */
	void (*up)(struct sqd_link *l);
	/** What was written last is with our system. May write, or close the link. */
	void (*written)(struct sqd_link *l);
	/** The peer has said these; borrowed. May write, fail, or close the link. */
	void (*got)(struct sqd_link *l, struct sq_sv bytes);
	/** The connection that was up is lost, and its socket closed; bytes that were being written
	 *  are the owner's again. May close the link. */
	void (*down)(struct sqd_link *l, int why);
	/** After sqd_link_close(): nothing of the link is open. Last of all; may free it. */
	void (*closed)(struct sqd_link *l);
};

/** What SQD_LINK_OPTS fills; times in milliseconds. */
struct sqd_link_cfg {
	char *address;
	struct sq_opt_strs alternates;
	uint64_t connect_timeout;
	uint64_t retry_min, retry_max;
	uint64_t keepalive; /* 0 = none */
	struct sq_tls_client_cfg tls;
};

/* clang-format off */
#define SQD_LINK_OPTS(type, member)                                                                 \
	{ "alternates", SQ_OPT_STRS, .offset = offsetof(type, member.alternates),                   \
	  .doc = "Further addresses, as in address: when a connection is lost or cannot be made, "  \
		 "the next of them all is tried; one at a time is used." },                         \
	{ "connect_timeout", SQ_OPT_MSEC, .offset = offsetof(type, member.connect_timeout),         \
	  .min = 100, .max = 300000, .def = "10s",                                                  \
	  .doc = "Give up an attempt to connect after this time." },                                \
	{ "retry_min", SQ_OPT_MSEC, .offset = offsetof(type, member.retry_min), .min = 10,          \
	  .max = 3600000, .def = "250ms",                                                           \
	  .doc = "First wait before connecting again; it doubles with every failure." },            \
	{ "retry_max", SQ_OPT_MSEC, .offset = offsetof(type, member.retry_max), .min = 10,          \
	  .max = 3600000, .def = "30s",                                                             \
	  .doc = "Longest wait before connecting again." },                                         \
	{ "keepalive", SQ_OPT_MSEC, .offset = offsetof(type, member.keepalive), .min = 0,           \
	  .max = 86400000, .def = "1min",                                                           \
	  .doc = "Probe a silent connection after this time, to notice a peer that vanished; 0 "    \
		 "means never." },                                                                  \
	SQ_TLS_CLIENT_OPTS(type, member.tls)
/* clang-format on */

/** A connection younger than this may yet be refused by who has accepted it. */
enum { SQD_LINK_TRUST_MS = 250 };

enum sqd_link_state {
	SQD_LINK_WAITING,
	SQD_LINK_RESOLVING,
	SQD_LINK_CONNECTING,
	SQD_LINK_SHAKING,
	SQD_LINK_UP,
	SQD_LINK_CLOSING
};

/** For the owner to read: state, closing, trusted, owed, up_since_ms, wire_bytes, reconnects; `own`
 * is its timer. The rest is private. */
struct sqd_link {
	const struct sqd_link_ops *ops;
	const struct sqd_link_cfg *cfg;
	uv_loop_t *loop;
	struct sqd_output *out; /* the owner: its name is for the log, its outage is told here */
	enum sqd_link_state state;
	bool started, closing;
	bool insists; /* waits do not become longer */
	bool up_once; /* a connection was made before */
	bool was_up;  /* the one being closed was */
	bool trusted; /* this connection is older than SQD_LINK_TRUST_MS */
	unsigned open_handles;
	uint64_t reconnects; /* connections made after the first */
	uint64_t up_since_ms;
	int why;         /* of the last failure */
	char words[320]; /* the same in words, when there are better ones than the errno's */
	uint64_t retry_ms, random;
	size_t peer;  /* which: 0 is cfg->address, then the alternates */
	size_t tried; /* peers in this round, this one not counted */
	char host[256], port[8];
	uv_getaddrinfo_t resolve;
	struct addrinfo *addrs, *next_addr; /* found; still to be tried */
	uv_tcp_t tcp;                       /* open in CONNECTING, SHAKING, UP and CLOSING */
	uv_timer_t timer; /* until the next round, the end of patience, or some trust */
	uv_timer_t own;   /* for what the owner waits for; its `data` is the link */
	uv_connect_t connect;
	uv_write_t write;
	bool writing;        /* `write` is in flight */
	bool owed;           /* `written` is */
	struct sq_sv rest;   /* of what the owner writes: still to be encrypted, or to be written */
	uint64_t wire_bytes; /* given to our system on this connection */
	struct sq_tls_ctx *tls_ctx; /* NULL: plain */
	struct sq_tls *tls;         /* in SHAKING, UP and CLOSING */
	char *cipher;               /* what `write` writes, if it is ciphertext */
	char sink[2048];            /* what the peer says comes in here */
};

/** Make a link that is all zero one that can be closed; sqd_link_close() must follow. `out` is the
 *  owner, and has its loop. Without effect the second time. */
void sqd_link_init(struct sqd_link *l, const struct sqd_link_ops *ops,
                   const struct sqd_link_cfg *cfg, struct sqd_output *out);

/** Begin. Fails only for what a person must mend. */
int sqd_link_start(struct sqd_link *l, struct sq_err *err) SQ_MUST_CHECK;

/** Write all of `bytes`, which stay until `written` or `down`. One at a time. @return 0, or
 * -EAGAIN: not up, or still writing; when it was up and is not now, `down` follows */
int sqd_link_write(struct sqd_link *l, struct sq_sv bytes) SQ_MUST_CHECK;

/** Bytes of this connection that the peer's system has acknowledged, as they were on the wire: all
 *  that left us when that cannot be known. */
uint64_t sqd_link_arrived(const struct sqd_link *l);

/** The peer does what it is there for: the next outage begins with a short wait. */
void sqd_link_works(struct sqd_link *l);

/** This connection is of no use: close it, and try again later. `words`: for the log, without text
 *  that a peer could forge lines with; "": what the errno says. No effect when it is closing. */
void sqd_link_fail(struct sqd_link *l, int why, const char *words);

/** Certificates and keys are read anew, for connections to come. What fails is logged. */
void sqd_link_reopen(struct sqd_link *l);

/** Do not wait any longer for the next round, and from now on retry_min between rounds. */
void sqd_link_insist(struct sqd_link *l);

/** For good. `down` comes first if it was up. */
void sqd_link_close(struct sqd_link *l);
