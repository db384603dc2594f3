/* What the inputs over streams (tcp, beats, http) share: a listener and its connections.
 *
 *   socket ──▶ PROXY header ──▶ TLS ──▶ plain bytes ──▶ the protocol (struct sqd_protocol)
 *
 * The listener accepts, bounds, pauses and ends connections; the bytes of a connection reach its
 * protocol as plain bytes, wherever they came from: TCP or a unix socket, with or without TLS, with
 * or without a PROXY header. A protocol asks for nothing of that.
 *
 * A protocol is given bytes by a pair of calls, room() and take(), so that the bytes of a plain
 * connection are read straight to where they are wanted, those of TLS are decrypted there.
 *
 * For the thread of its loop only.
 */
#pragma once

#include "daemon/base/listen.h"
#include "daemon/base/log.h"
#include "daemon/flow/input.h"
#include "daemon/input/cutter.h"
#include "daemon/input/peers.h"
#include "lib/host/tls.h"

/** Options of every stream input. First member of the kind's cfg; their rows: SQD_SERVER_OPTS. */
struct sqd_server_cfg {
	char *listen; /* "127.0.0.1:5170", "unix:/run/squiblyd/events.sock" */
	uint32_t max_connections;
	uint32_t max_per_peer; /* of them of one address; 0: any */
	uint32_t backlog;
	uint64_t idle;           /* milliseconds; 0 = never */
	uint64_t receive_buffer; /* bytes; 0 = the kernel's choice */
	char *socket_mode;       /* of the file of a unix socket, octal */
	uint64_t send_timeout;   /* milliseconds that what we send may lie unread */
	struct sq_opt_strs
		proxy_from; /* "192.0.2.0/24", "unix": their connections begin with PROXY */
	uint64_t handshake; /* milliseconds for PROXY header and TLS together */
	struct sq_tls_server_cfg tls; /* no certificate: no TLS */
};

struct sqd_conn;
struct sqd_network;
struct sqd_server;

/** What one kind of stream input does with its connections. All are required. Between open() and
 *  closed(), and at no other time, the other ones are called. */
struct sqd_protocol {
	size_t size;  /* of the struct that begins with struct sqd_conn; zeroed */
	bool one_way; /* peers are told nothing */
	/** Bytes may come now: peer and identity are known. 0, or a negative errno: it is closed,
	 * and of all calls only freed() follows. */
	int (*open)(struct sqd_conn *c);
	/** Where plain bytes may be put, at least SQD_CONN_ROOM of them. {NULL, 0}: nowhere, since
	 *  the protocol has just called sqd_conn_starved(), hold, close or fail. Followed at once
	 * by take(), or by nothing when there was nothing to be read. */
	struct sqd_room (*room)(struct sqd_conn *c);
	/** The first `n` bytes of that room have been filled, n > 0. May hold, write, finish,
	 * close. */
	void (*take)(struct sqd_conn *c, size_t n);
	/** Nothing more will come: 0 the peer ended its stream, or was idle; else a negative errno
	 *  (logged and counted already). What is there is made records; the protocol calls
	 *  sqd_conn_close() or _finish(), now or when it is done. May come while held or starved.
	 */
	void (*end)(struct sqd_conn *c, int why);
	/** Batches are free: go on with what was put aside. @return 0, or -EAGAIN: used up again,
	 * and sqd_conn_starved() has been called again */
	int (*resume)(struct sqd_conn *c);
	/** The daemon stops: nothing more is read; put what is there into batches. Connections stay
	 *  until close(), so that what is settled meanwhile can still be acknowledged. */
	void (*stop)(struct sqd_conn *c);
	/** Once a second or more often, and while inputs are paused too: signs of life and
	 * deadlines.
	 */
	void (*tick)(struct sqd_conn *c, uint64_t now_ms);
	/** The connection has been closed: count what is lost, free what the protocol owns but for
	 *  what receipts still need. Nothing may be called on it but let_go(). */
	void (*closed)(struct sqd_conn *c);
	/** Its memory goes now; nothing refers to it any more. */
	void (*freed)(struct sqd_conn *c);

	/* These two may be left out. */

	/** Each connection waits for batches by itself (holds, and never calls sqd_conn_starved()):
	 *  when no batch is free all are read on, and resume() comes for every one. */
	bool waits_alone;
	/** The last handle and connection of the listener are gone: free what the kind's own struct
	 *  owns. Also when start() had failed. */
	void (*gone)(struct sqd_server *in);
};

enum {
	SQD_CONN_ROOM = 64 * 1024,         /* bytes of room at least */
	SQD_CONN_UNSENT_MAX = 1024 * 1024, /* bytes that may wait to be sent to a peer */
};

/** One connection. Members are for the protocol to read; what changes them are the functions. */
struct sqd_conn {
	struct sqd_server *server;
	struct sqd_conn *next, *prev; /* in server->conns */
	uint64_t turn;                /* of the server's: when it was last given bytes */
	struct sqd_receipt receipt;   /* for protocols that need one for all; keeps the memory */
	char peer[SQD_ADDR_TEXT]; /* the client's address, told by a PROXY header if there is one */
	struct sq_identity *identity; /* NULL: nothing proved; allocated when there is something */
	uint64_t last_ms;             /* loop time of the last bytes from the peer */
	unsigned kept;                /* sqd_conn_keep() less sqd_conn_let_go() */
	bool held;                    /* the protocol wants no bytes now */
	bool ended;                   /* end() was called, or the connection finishes */
	bool closing;
	struct sqd_stream *stream; /* private to conn.c and stream.c */
};

/** The kind's own cfg, for its protocol. */
const void *sqd_conn_cfg(const struct sqd_conn *c);
struct sqd_input *sqd_conn_input(const struct sqd_conn *c);
struct sq_counters *sqd_conn_counts(const struct sqd_conn *c);

/** A buffer of SQD_CONN_SCRATCH bytes that all connections of the loop share: valid from room() to
 *  the end of take(). For protocols that do not read straight into a batch. */
enum { SQD_CONN_SCRATCH = 128 * 1024 };
struct sqd_room sqd_conn_scratch(struct sqd_conn *c);

/** Take no bytes until sqd_conn_unhold(). May be called from take(). */
void sqd_conn_hold(struct sqd_conn *c);
/** room() and take() will be called again, from the loop and not from inside. */
void sqd_conn_unhold(struct sqd_conn *c);

/** The protocol's resume() is called from the loop, soon: for what it had put aside while held, and
 *  for callers that are too deep in something else. Not while no batch is free; then resume() comes
 *  anyway. After stop() the last batch may have been handed on: take none then. */
void sqd_conn_resume_soon(struct sqd_conn *c);

/** The peer has sent something that was not read yet. A system call: for ticks. */
bool sqd_conn_waiting(const struct sqd_conn *c);
/** The same, where it may be max_rate that makes it wait. */
bool sqd_conn_slowed(const struct sqd_conn *c);

/** No batch is free: no connection of the input is read until resume(). */
void sqd_conn_starved(struct sqd_conn *c);

/** Send bytes (copied; TLS encrypts them), at once if the kernel takes them. Each call is a system
 *  call: an answer is best given whole. @return 0, or -ENOBUFS: SQD_CONN_UNSENT_MAX would be
 *  exceeded, nothing was taken (the peer does not read; fail it), -EPIPE: closing or broken,
 *  -ENOMEM. Never calls the protocol from inside. */
int sqd_conn_write(struct sqd_conn *c, struct sq_sv bytes) SQ_MUST_CHECK;
/** Bytes that wait for the peer to read. */
size_t sqd_conn_unsent(const struct sqd_conn *c);

/** Send what is unsent, end the stream in order (close_notify, FIN), wait for the peer to do the
 *  same so that it reads our last word, then close; within a deadline. No bytes are taken any more.
 */
void sqd_conn_finish(struct sqd_conn *c);
/** Close now: closed() is called from inside. The memory stays until nothing is kept and the
 *  receipt is settled. */
void sqd_conn_close(struct sqd_conn *c);
/** Close for an error of the peer: counted as connections_failed, and one limited log line
 *  "INPUT: PEER TEXT; closing". */
void sqd_conn_fail(struct sqd_conn *c, const char *text);

/** Something outside refers to the connection (a window, a request). While it is kept it does not
 *  count as idle. */
void sqd_conn_keep(struct sqd_conn *c);
/** May free it: the last thing that is done with it. */
void sqd_conn_let_go(struct sqd_conn *c);

/* ---- the operations of struct sqd_input, for kinds that are a server and nothing else ---- */

/** Rows of an option table: `member` is the struct sqd_server_cfg in the kind's `type`. */
#define SQD_SERVER_AT(type, member, name) .offset = offsetof(type, member.name)
/* clang-format off */
#define SQD_SERVER_OPTS(type, member)                                                              \
	{ "listen", SQ_OPT_STR, SQD_SERVER_AT(type, member, listen), .required = true,             \
	  .doc = "Address and port: 127.0.0.1:5170, 0.0.0.0:5170 for every IPv4 address; in quotes \"[::1]:5170\", " \
		 "\"[::]:5170\" for every IPv6 address, \"*:5170\" for both; or a unix socket: " \
		 "unix:/run/squiblyd/events.sock." },                                              \
	{ "max_connections", SQ_OPT_U32, SQD_SERVER_AT(type, member, max_connections),             \
	  .min = 1, .max = 65536, .def = "1024",                                                   \
	  .doc = "Connections at one time; further ones are closed at once and counted." },        \
	{ "max_connections_per_peer", SQ_OPT_U32, SQD_SERVER_AT(type, member, max_per_peer),       \
	  .min = 0, .max = 65536, .def = "0",                                                      \
	  .doc = "Connections of one address at one time; further ones are closed at once and counted; 0 means any. Behind proxy_from " \
		 "the address is the client's, and a proxy's own is not limited." },                \
	{ "idle", SQ_OPT_MSEC, SQD_SERVER_AT(type, member, idle),                                  \
	  .min = 0, .max = 7 * 86400000, .def = "0",                                               \
	  .doc = "Close a connection that has said nothing for so long; 0 means never." },         \
	{ "receive_buffer", SQ_OPT_BYTES, SQD_SERVER_AT(type, member, receive_buffer),             \
	  .min = 0, .max = 256 << 20, .def = "0",                                                  \
	  .doc = "Receive buffer of the kernel for each connection; 0 begins with 1 MiB, or net.core.rmem_max if that is less, and lets the kernel change it." }, \
	{ "backlog", SQ_OPT_U32, SQD_SERVER_AT(type, member, backlog),                             \
	  .min = 1, .max = 65535, .def = "128",                                                    \
	  .doc = "Connections that the kernel keeps until they are accepted." },                   \
	{ "send_timeout", SQ_OPT_MSEC, SQD_SERVER_AT(type, member, send_timeout),                  \
	  .min = 10, .max = 3600000, .def = "1min",                                                \
	  .doc = "Close a connection whose peer leaves unread for so long what we send." },             \
	SQD_SOCKET_MODE_OPT(type, member.socket_mode),                                             \
	{ "proxy_from", SQ_OPT_STRS, SQD_SERVER_AT(type, member, proxy_from),                      \
	  .doc = "Addresses and networks of proxies: [192.0.2.7, 2001:db8::/32, unix]. Their connections must begin " \
		 "with a PROXY header, version 1 or 2, which tells the client's address; nobody else's may." }, \
	{ "handshake_timeout", SQ_OPT_MSEC, SQD_SERVER_AT(type, member, handshake),                \
	  .min = 10, .max = 600000, .def = "10s",                                                  \
	  .doc = "Close a connection whose PROXY header and TLS handshake take longer." },         \
	SQ_TLS_SERVER_OPTS(type, member.tls)
/* clang-format on */

struct sqd_server {
	struct sqd_input base;
	const struct sqd_protocol *protocol;

	/* The rest is private to server.c, conn.c and stream.c. */
	struct sqd_conn *conns, *last; /* in the order of their turns: the first goes on first */
	uint64_t turn;                 /* counts how often batches were free again */
	uint64_t round;                /* counts how often everybody who had bytes was read */
	uint64_t loop_turn;            /* the one in which the next two were set */
	bool cut, was_cut;             /* not everybody was, in it and in the one before */
	uint32_t n_conns;              /* that are not closing */
	int fd;                        /* listening; -1 = none */
	struct sqd_listen_file file;   /* of a unix socket */
	uv_poll_t poll;
	uv_timer_t retry; /* accept again after descriptors ran out */
	uv_timer_t tick;  /* runs while there are connections */
	uv_timer_t ease;  /* runs while `slowed` */
	uv_idle_t go;     /* runs while `going` is not empty */
	struct sqd_stream *going;
	struct sq_tls_ctx *tls;      /* NULL: no TLS */
	char *wire;                  /* ciphertext that has come; SQD_WIRE_BYTES */
	struct sqd_network *trusted; /* connections from there begin with PROXY */
	size_t n_trusted;
	struct sqd_peers *peers; /* NULL: a peer may have as many connections as it likes */
	char *scratch;           /* SQD_CONN_SCRATCH bytes, once somebody has asked for them */
	bool started;            /* the handles above are open */
	bool paused;             /* no batch is free: no connection is read */
	bool slowed;             /* max_rate is used up: the same, until `ease` */
	bool stopped;            /* stop() was called */
	bool closing;
	unsigned walking; /* somebody walks `conns`: free nothing */
	struct sqd_log_limit failed_limit, front_limit, ended_limit, refused_limit, accept_limit,
		crowded_limit;
};

/* A kind's own struct begins with struct sqd_server and its start() sets `protocol`, then calls
 * sqd_server_start(); the others are used as they are. */
int sqd_server_start(struct sqd_input *in, struct sq_err *err) SQ_MUST_CHECK;
void sqd_server_pause(struct sqd_input *in);
void sqd_server_resume(struct sqd_input *in);
void sqd_server_stop(struct sqd_input *in);
void sqd_server_reload(struct sqd_input *in);
void sqd_server_close(struct sqd_input *in);
