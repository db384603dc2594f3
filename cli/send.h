/* What the files of squibly send share.
 *
 *   send.c         options, help, the sum at the end
 *   send_read.c    records out of files, at a rate
 *   send_target.c  where to: HOST:PORT, unix:PATH, a URL
 *   send_conn.c    one connection, with or without TLS, with blocking calls
 *   send_plain.c   a line or a datagram a record; nobody answers
 *   send_batch.c   many records at once, that are answered: kept, and sent again, until they are
 *   send_beats.c   ... as windows of Lumberjack
 *   send_http.c    ... as requests of HTTP; send_answer.c reads the answers
 *
 * Blocking sockets: this is a tool to try things with, and a slow receiver shall slow it down.
 */
#pragma once

#include "cli/cli.h"
#include "lib/base/outbuf.h"
#include "lib/host/tls.h"
#include "lib/wire/lumber_out.h"

enum {
	SEND_MAX_RECORD = 16 * 1024 * 1024,
	SEND_BLOCK = 256 * 1024,            /* bytes read, or gathered before they are sent */
	SEND_MAX_BATCH = 8 * 1024 * 1024,   /* bytes of records after which a batch is sent */
	SEND_MAX_ANSWER = 16 * 1024 * 1024, /* bytes of an answer */
	SEND_MAX_WINDOW = 65536,            /* records of a batch */
};

/** Where to. All but `http_path` lies in the argument, which is changed. */
struct send_target {
	bool local;        /* a unix socket */
	const char *host;  /* "localhost" of a unix socket */
	const char *port;  /* NULL of a unix socket */
	const char *path;  /* of a unix socket; '@' in front: an abstract name */
	char *http_path;   /* of a URL, with its '/', to be freed; NULL: it has none */
	bool url, url_tls; /* "http://...", "https://..." */
};

/** @return CLI_OK or CLI_FAILED, with a message */
int send_target_read(char *text, struct send_target *ret);

struct send_conn {
	int fd; /* -1: not open */
	struct sq_tls *tls;
	char in[16 * 1024]; /* ciphertext that has come; send_conn_read() */
};

struct sender;

/** How records are sent. Each returns an exit status, with a message when that is not CLI_OK. */
struct send_kind {
	int (*add)(struct sender *s, struct sq_sv rec);
	int (*flush)(struct sender *s);  /* what is gathered */
	int (*finish)(struct sender *s); /* all is given */
	/** One batch to the peer and its answer; `send_batch` only. `*ret_taken`: how many of
	 *  the batch's records were acknowledged. @return 0 answered; -EAGAIN: again after
	 *  `s->wait_ms`; -EACCES: refused, and so will be all others; another errno: the
	 *  connection is of no use any more */
	int (*exchange)(struct sender *s, uint64_t *ret_taken, struct sq_err *err);
};

struct sender {
	const struct send_kind *kind;
	struct send_target target;
	struct send_conn conn;

	/* Options. */
	bool udp, beats, http, quiet, gzip;
	uint64_t rate, repeat;
	uint64_t window;    /* records of a batch; 0: as the kind likes */
	uint64_t compress;  /* level of zlib; 0: none */
	uint64_t retries;   /* how often a batch is sent again */
	uint64_t timeout_s; /* for an answer */
	uint64_t wait_s;    /* for the peer to close when all lines are sent */
	const char *token, *http_path;
	bool tls;
	struct sq_tls_client_cfg tls_cfg;
	struct sq_tls_ctx *tls_ctx;

	struct sq_outbuf out;        /* what is gathered: lines, or the records of a batch */
	struct sq_outbuf wire;       /* a batch as it goes out */
	struct sq_lumber_out lumber; /* of --beats, in place of both */
	struct sq_outbuf answer, body;
	uint64_t in_batch;       /* records */
	uint64_t batch_began_ns; /* when its first record came */
	uint64_t wait_ms;        /* set by exchange() */
	bool connected_once;
	bool refused; /* told of once */

	char *chunk; /* SEND_BLOCK + SEND_MAX_RECORD bytes, and a header's worth */
	uint64_t records, acknowledged, resent, bytes, too_long, began_ns;
};

uint64_t send_mono_ns(void);
void send_sleep_ms(uint64_t ms);

/** Everything of one file, "-" is standard input. */
int send_file(struct sender *s, const char *path);

extern const struct send_kind send_plain, send_beats, send_http;

/** The same for every kind that is answered. */
int send_batch_flush(struct sender *s);
int send_batch_finish(struct sender *s);
/** A record was put into `s->out` or `s->lumber`. */
int send_batch_added(struct sender *s);

/** A record as a JSON object in one line: the one that it is or holds behind a syslog header, else
 *  its text (without that header) as `message`. */
void send_put_json(struct sq_outbuf *to, struct sq_sv rec);

/** Connect, shake hands. @return 0 or a negative errno */
int send_conn_open(struct sender *s, struct sq_err *err);
/** All of it; one datagram when the socket is of datagrams. Counts bytes. */
int send_conn_write(struct sender *s, struct sq_sv v, struct sq_err *err);
/** At least one byte. @return how many, 0: the peer has ended the stream; negative errno */
ssize_t send_conn_read(struct sender *s, char *to, size_t n, struct sq_err *err);
/** End the stream in order and wait for the peer to do so. @return 0 or a negative errno */
int send_conn_end(struct sender *s, struct sq_err *err);
/** Where nobody answers, after send_conn_end(): wait, for `wait_s` at most, until the peer closes,
 * too. @return 0: all was read, or nobody knows; -ECONNRESET: it closed and had not read all;
 * another negative errno */
int send_conn_see_off(struct sender *s, struct sq_err *err);
/** Now. */
void send_conn_close(struct sender *s);

struct send_answer {
	int status;
	bool close; /* the peer ends the connection after it */
	bool told_after;
	uint64_t after_s;  /* Retry-After */
	struct sq_sv body; /* in s->body or s->answer */
};

/** Read the answer to a request of HTTP. @return 0 or a negative errno */
int send_answer_read(struct sender *s, struct send_answer *ret, struct sq_err *err);
/** How many items of a _bulk answer were taken. @return 0, -EBADMSG */
int send_answer_items(struct sq_sv body, uint64_t *ret_taken, struct sq_err *err);
