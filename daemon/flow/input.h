/* What an input is: sockets in, records into batches.
 *
 * An input of the configuration may have an instance on each of several loops. Each instance is for
 * the thread of its loop alone; all that they share is what struct sqd_input says.
 */
#pragma once

#include <pthread.h>
#include <uv.h>

#include "daemon/flow/allowance.h"
#include "daemon/flow/dispatch.h"
#include "lib/base/err.h"
#include "lib/text/opt.h"

struct sqd_input;

/** The chunk of a batch holds at least so many bytes more than `max_record` of any input: room for
 *  one read behind the longest unfinished record. Checked with the configuration. */
enum { SQD_INPUT_SLACK = 128 * 1024 };

/** Called once, as the last thing an input ever does; only then may its memory be freed. */
typedef void sqd_input_closed_fn(struct sqd_input *in);

/** Operations of one kind of input. All are required but check and alone. */
struct sqd_input_ops {
	const char *kind;          /* as written in the configuration: "tcp" */
	size_t size;               /* of the struct that begins with struct sqd_input */
	size_t cfg_size;           /* of the struct that `opts` fills */
	const struct sq_opt *opts; /* its configuration keys */

	/** Look at what is in the files that start() would read; they were all readable just now.
	 *  Findings go to `diags`, under the file's own name. Any thread. NULL: there is nothing to
	 *  look at. */
	void (*check)(const void *cfg, struct sq_diags *diags);
	/** Open and bind; begin to read. On failure the caller still calls close(). */
	int (*start)(struct sqd_input *in, struct sq_err *err);
	/** No batch is free: stop reading from sockets. May be called again while paused. */
	void (*pause)(struct sqd_input *in);
	/** Batches are free again. May be called while not paused. */
	void (*resume)(struct sqd_input *in);
	/** Accept nothing new and read nothing more; flush what was read into batches. Connections
	 *  stay until their receipts are settled. */
	void (*stop)(struct sqd_input *in);
	/** What was read from files at the start (certificates) is read anew; when that fails, the
	 *  old stays and the reason is logged. Not after stop(). */
	void (*reload)(struct sqd_input *in);
	/** Close every handle; `closed` is called once, later, also when start() had failed. It
	 * waits until every receipt is settled. */
	void (*close)(struct sqd_input *in);
	/** With this configuration there may be one instance only, since what one connection did
	 *  another one asks for. NULL: never. */
	bool (*alone)(const void *cfg);
};

struct sq_tls_ctx;
struct sqd_peers;

/** What the instances of one input share, and the owner of the first keeps longer than all. */
struct sqd_input_shared {
	_Atomic uint32_t connections; /* of all of them: what is limited is their sum */
	pthread_mutex_t lock;         /* guards what follows */
	/* A reference to what the first instance read last, or NULL; the others take it up. So
	 * all show the same certificate and resume each other's sessions. */
	struct sq_tls_ctx *tls;
	/* Made by the first instance, kept until all are gone; NULL: peers are not limited. */
	struct sqd_peers *peers;
};

struct sqd_input {
	const struct sqd_input_ops *ops;
	char name[128]; /* "tcp 127.0.0.1:5170": for logs; start() puts the bound port in */
	void *cfg;      /* what ops->opts filled; the configuration owns it */
	/** Whose records come here; n = 0: not told. A view of the configuration, which is read
	 * once and outlives every input and batch: a reload reads rules, tables and certificates
	 * only. */
	struct sq_sv tenant;
	/** Bytes that all instances together may take; NULL: any. */
	struct sqd_allowance *allowance;
	uv_loop_t *loop;
	struct sqd_dispatch *dispatch;
	struct sq_counters *counts; /* of this instance; its loop alone writes them */
	sqd_input_closed_fn *closed;
	void *ctx;             /* the owner's */
	unsigned open_handles; /* at zero after close(): call `closed` */
	int inherited_fd;      /* a socket that was made for this listener (by systemd), or -1 */
	bool lasting;          /* it is the same socket that systemd keeps: it outlives us */
	int socket;            /* after start(): what it listens on, for sqd_listen_beside() */
	/** One more instance of an input: what a person has to know the first one has said. */
	bool further;
	struct sqd_input_shared *shared; /* NULL: there is one instance */
};
