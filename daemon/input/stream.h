/* The socket of a connection, up to plain bytes. Private to server.c, conn.c and stream*.c.
 *
 *   PROXY ──▶ TLS ──▶ OPEN ──▶ FINISH ──▶ closed
 *
 * PROXY and TLS are passed over by connections that have none. Only OPEN knows the protocol. The
 * socket is our own and libuv polls it: TCP or unix, reads go wherever the protocol wants them, and
 * a read that finds no room does not happen.
 */
#pragma once

#include "daemon/base/network.h"
#include "daemon/input/server.h"
#include "lib/base/outbuf.h"
#include "lib/wire/proxy.h"

enum sqd_phase { SQD_PHASE_PROXY, SQD_PHASE_TLS, SQD_PHASE_OPEN, SQD_PHASE_FINISH };

struct sqd_stream {
	struct sqd_conn *conn;
	struct sqd_peer who; /* it is counted as a connection of that */
	uv_poll_t poll;
	int fd;
	int polled; /* events that libuv looks for */
	enum sqd_phase phase;
	bool opened;   /* the protocol knows the connection, from open() on */
	bool fresh;    /* no byte of the stream proper has come */
	bool reading;  /* sqd_stream_read() or _go() is on the stack */
	bool eof;      /* the socket gives no more */
	bool broken;   /* nor takes any */
	bool wrote;    /* the protocol has written: it is told when what it said is lost */
	bool shut;     /* FIN was sent */
	bool closed;   /* libuv has let go of the handle */
	bool stop_due; /* stop() comes when what was decrypted is taken */
	bool stopped;  /* it has come: no more bytes are given */
	size_t owed;   /* bytes that the kernel had acknowledged when we were told to stop */
	bool more;     /* the session may have decrypted bytes to give */
	bool at_end;   /* end(why) comes when the protocol takes bytes again */
	int why;
	bool why_told;   /* it was counted and logged where it was seen */
	bool going;      /* in server->going */
	bool resume_due; /* and the protocol's resume() is wanted */
	struct sqd_stream *next_going;
	uint64_t round;       /* of the server's: when it was last read */
	uint64_t deadline_ms; /* of PROXY, TLS and FINISH */
	uint64_t sent_ms;     /* when the peer last took bytes, or the first of the unsent came */
	struct sq_proxy_reader *proxy; /* while in PROXY */
	struct sq_tls *tls;
	char *saved;          /* ciphertext that was not used yet; the session views it */
	struct sq_outbuf out; /* unsent plain bytes, from `out_at` on; no memory while none */
	size_t out_at;
};

/* ---- stream.c ---- */

/** Begin with `fd`, which is taken. @return 0 or a negative errno: the caller closes */
int sqd_stream_begin(struct sqd_conn *c, int fd, const struct sockaddr_storage *peer) SQ_MUST_CHECK;
/** PROXY is done or was not there: TLS, or open. */
void sqd_stream_after_proxy(struct sqd_conn *c);
/** Bytes may come. */
void sqd_stream_open(struct sqd_conn *c);
/** Poll for what is wanted now. */
void sqd_stream_update(struct sqd_conn *c);
/** Bytes of the stream proper, or its end, are wanted now. */
bool sqd_stream_wants(const struct sqd_conn *c);
/** What is there without a new event: decrypted bytes, an end that was put off. */
void sqd_stream_go(struct sqd_conn *c);
/** We stop. A peer that is told nothing takes what our kernel has acknowledged for delivered: so
 *  much of it is still owed, and no more, or a busy sender would keep us from stopping. */
void sqd_stream_owe(struct sqd_conn *c);
/** Read what is owed, as far as there are batches. Followed by sqd_stream_go(). */
void sqd_stream_read_owed(struct sqd_conn *c);
/** sqd_stream_go() from the loop, soon. */
void sqd_stream_go_soon(struct sqd_conn *c);
/** Send what the kernel takes. */
void sqd_stream_flush(struct sqd_conn *c);
/** The socket is of no more use: negative errno, or 0 for its end. May close. */
void sqd_stream_lost(struct sqd_conn *c, int why);
/** recv() into `to`, looking after counters, ends and errors. @return bytes, 0: none now */
size_t sqd_stream_recv(struct sqd_conn *c, char *to, size_t n);
/** A deadline has passed? May close. */
void sqd_stream_tick(struct sqd_conn *c, uint64_t now_ms);
/** The socket has something that was not read: bytes, its end, an error. */
bool sqd_stream_unread(const struct sqd_conn *c);
/** Memory and handle go; sqd_conn_reap() follows. */
void sqd_stream_close(struct sqd_conn *c);

/** Send once what is unsent, whatever becomes of it. */
void sqd_stream_push(struct sqd_conn *c);

/* ---- stream_front.c ---- */

enum { SQD_WIRE_BYTES = 128 * 1024 }; /* of ciphertext at one time: sqd_server.wire */

int sqd_stream_proxy_begin(struct sqd_conn *c) SQ_MUST_CHECK;
int sqd_stream_tls_begin(struct sqd_conn *c) SQ_MUST_CHECK;
/** Read the socket. @return true: there may be more */
bool sqd_stream_proxy_read(struct sqd_conn *c);
bool sqd_stream_tls_read(struct sqd_conn *c);
/** Decrypt what has come, as far as the protocol takes it. */
void sqd_stream_tls_go(struct sqd_conn *c);
/** The socket ended in PROXY or TLS, or the deadline has passed: say so and close. */
void sqd_stream_front_lost(struct sqd_conn *c, int why);
void sqd_stream_front_late(struct sqd_conn *c);
/** The stream begins with a PROXY header, which nobody asked for. */
bool sqd_stream_is_proxied(struct sq_sv head);
void sqd_stream_unlisted(struct sqd_conn *c);
/** Say close_notify if that is easy; free everything. */
void sqd_stream_front_close(struct sqd_conn *c);

/* ---- conn.c ---- */

/** Takes `fd`, which was admitted, and `who`. @return 0 or a negative errno (`fd` is closed then)
 */
int sqd_conn_open(struct sqd_server *in, int fd, const struct sockaddr_storage *peer,
                  struct sqd_peer *who) SQ_MUST_CHECK;
/** Free it if nothing holds it any more. This may be the end of its listener too. */
void sqd_conn_reap(struct sqd_conn *c);
/** Its stream has ended; a negative errno is counted and logged here, unless `told`. */
void sqd_conn_ended(struct sqd_conn *c, int why, bool told);
/** @return 0, or -EAGAIN: batches are used up again */
int sqd_conn_resume(struct sqd_conn *c) SQ_MUST_CHECK;
void sqd_conn_stop(struct sqd_conn *c);
/** Allocated when it is asked for; NULL: no memory. */
struct sq_identity *sqd_conn_prove(struct sqd_conn *c);

/* ---- server.c ---- */

const struct sqd_server_cfg *sqd_server_cfg(const struct sqd_server *in);
/** A handle or connection of `in` is gone; calls `closed` for the last. */
void sqd_server_release(struct sqd_server *in);
void sqd_server_add(struct sqd_server *in, struct sqd_conn *c);
/** One more connection of that address, whose text is `peer`. @return false: it has as many as it
 *  may have; counted and told */
bool sqd_server_count_peer(struct sqd_server *in, const struct sockaddr_storage *sa,
                           const char *peer, struct sqd_peer *ret) SQ_MUST_CHECK;
/** A connection that was admitted, and counted as one of `who`, is one no more. */
void sqd_server_dismiss(struct sqd_server *in, struct sqd_peer *who);
void sqd_server_remove(struct sqd_server *in, struct sqd_conn *c);
/** `c` has read `n` bytes: is that all that max_rate allows for now? */
void sqd_server_spend(struct sqd_server *in, struct sqd_conn *c, size_t n);
/** It found no batch: who goes on first when there are some again? Not in a walk. */
void sqd_server_turn(struct sqd_server *in, struct sqd_conn *c);
/** Nothing is freed in between. */
void sqd_server_walk_begin(struct sqd_server *in);
void sqd_server_walk_end(struct sqd_server *in);
