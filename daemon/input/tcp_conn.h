/* One connection of the TCP input, and what it sees of its listener. Private to input/tcp*.c. */
#pragma once

#include "daemon/base/listen.h"
#include "daemon/base/log.h"
#include "daemon/input/tcp.h"
#include "lib/wire/frame.h"

struct sqd_tcp_conn {
	struct sqd_receipt receipt;
	struct sqd_tcp_input *in;
	struct sqd_tcp_conn *next, *prev; /* in in->conns */
	uv_tcp_t tcp;
	struct sq_frame frame;
	char *carry; /* bytes not framed yet; NULL while there are none */
	size_t len, cap;
	size_t held; /* so many bytes at the front of `carry` are a record that found no batch */
	uint64_t last_ms; /* loop time of the last bytes */
	bool into_carry;  /* the read that is going on writes there */
	bool pending;     /* `carry` may hold whole records: go on at resume */
	bool ended;       /* the stream has ended; close when `carry` is empty */
	bool closing;     /* uv_close() was called */
	bool closed;      /* it has called back */
	char peer[SQD_ADDR_TEXT];
};

struct sqd_tcp_input {
	struct sqd_input base;
	struct sqd_tcp_conn *conns;
	uint32_t n_conns; /* that are not closing */
	int fd;           /* listening; -1 = none */
	uv_poll_t poll;
	uv_timer_t retry; /* accept again after descriptors ran out */
	uv_timer_t scan;  /* looks for idle connections */
	bool started;     /* poll and timers are open */
	bool paused;      /* no batch is free: no connection is read */
	bool stopped;     /* stop() was called */
	bool closing;
	unsigned walking; /* somebody walks `conns`: free nothing */
	struct sqd_log_limit foreign_limit, failed_limit, refused_limit, accept_limit;
};

/** Takes `fd`. @return 0 or a negative errno (`fd` is closed then) */
int sqd_tcp_conn_open(struct sqd_tcp_input *in, int fd,
                      const struct sockaddr_storage *peer) SQ_MUST_CHECK;

/** Batches are free: frame what waits, read on. @return 0, or -EAGAIN: they are used up again */
int sqd_tcp_conn_resume(struct sqd_tcp_conn *c) SQ_MUST_CHECK;

/** stop(): read nothing more; what is there goes into batches. */
void sqd_tcp_conn_stop(struct sqd_tcp_conn *c);

/** As if the peer had ended the stream: what is there is framed, then it is closed. */
void sqd_tcp_conn_end(struct sqd_tcp_conn *c);

/** What waits for a batch is counted as lost. */
void sqd_tcp_conn_close(struct sqd_tcp_conn *c);

/** Free it if nothing holds it any more. This may be the end of its listener too. */
void sqd_tcp_conn_reap(struct sqd_tcp_conn *c);

/* ---- the listener's, called by connections ---- */

void sqd_tcp_pause(struct sqd_tcp_input *in);
/** A handle or connection of `in` is gone; calls `closed` for the last. */
void sqd_tcp_release(struct sqd_tcp_input *in);
