/* What the two files of the TCP output share: tcp.c gets to the peer, tcp_link.c speaks with it. */
#pragma once

#include "daemon/output/tcp.h"

enum sqd_tcp_out_state {
	TCP_OUT_WAITING,
	TCP_OUT_RESOLVING,
	TCP_OUT_CONNECTING,
	TCP_OUT_SHAKING,
	TCP_OUT_UP,
	TCP_OUT_CLOSING
};

struct sqd_tcp_output {
	struct sqd_output base;
	enum sqd_tcp_out_state state;
	bool started, closing;
	bool up_once;    /* a connection was made before */
	bool was_up;     /* the one being closed was */
	bool failing;    /* an outage has been logged: say when it is over */
	int why;         /* of the last failure */
	char words[320]; /* the same in words, when there are better ones than the errno's */
	uint64_t retry_ms, random;
	char host[256], port[8];
	uv_getaddrinfo_t resolve;
	struct addrinfo *addrs, *next_addr; /* found; still to be tried */
	uv_tcp_t tcp;                       /* open in CONNECTING, SHAKING, UP and CLOSING */
	uv_timer_t timer; /* until the next round, the end of patience, or the next look */
	uv_connect_t connect;
	uv_write_t write;
	bool writing;   /* `write` is in flight */
	bool wanted;    /* send() said -EAGAIN: call `ready` */
	bool looking;   /* the timer asks what has arrived */
	bool announced; /* "connected" was logged: what has arrived may be told */
	uint64_t put;   /* bytes for the wire of this connection, so far */
	/* Of each send that is not answered, oldest first: the value of `put` at its end;
	 * ALL_TO_COME while some of it is not yet for the wire, as with the newest only. */
	uint64_t ends[SQD_OUTPUT_SENDS];
	unsigned first_send, n_sends;
	struct sq_sv rest; /* of the newest: what is still to be written, or to be encrypted */
	uint64_t up_since_ms, confirm_ms;
	struct sq_tls_ctx *tls_ctx; /* NULL: plain */
	struct sq_tls *tls;         /* in SHAKING, UP and CLOSING */
	char *cipher;               /* what `write` writes, if it is ciphertext */
	char sink[2048];            /* what the peer says goes here */
};

/** The one way down: close the socket, tell what was not sent, try again later. No effect while
 *  that goes on already. */
void sqd_tcp_out_fail(struct sqd_tcp_output *o, int why);
/** The same with words for the log, made of text that a peer cannot forge lines with. */
void sqd_tcp_out_fail_for(struct sqd_tcp_output *o, int why, const char *words);

/** The connection is made: begin to speak; the timer of connect_timeout still runs. */
void sqd_tcp_link_begin(struct sqd_tcp_output *o);
int sqd_tcp_link_send(struct sqd_tcp_output *o, struct sq_sv bytes) SQ_MUST_CHECK;
/** Say what is left to say (an alert, close_notify), without waiting: the socket is closed next. */
void sqd_tcp_link_end(struct sqd_tcp_output *o);
/** The socket is closed: what belonged to it goes. */
void sqd_tcp_link_forget(struct sqd_tcp_output *o);
