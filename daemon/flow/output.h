/* What an output is: bytes out, told when they are safe with who gets them. Main loop only.
 *
 * An output knows nothing of alerts and queues: daemon/flow/outqueue.h feeds it. Sends are answered
 * in the order in which they were made, and there may be several that are not answered yet: what
 * takes long is not the writing but the other side's word that it has arrived.
 */
#pragma once

#include <errno.h>
#include <uv.h>

#include "daemon/base/log.h"
#include "lib/base/time.h"
#include "lib/text/opt.h"

struct sqd_output;

/** A status of `sent`: the output is gone for good (standard output was closed by its reader).
 *  The queue drops and counts this piece and all that come. */
enum { SQD_OUTPUT_GONE = -ESHUTDOWN };

/** Sends that may be unanswered at one time; the queue makes no more. */
enum { SQD_OUTPUT_SENDS = 256 };

/** One message, and what tells it from others. */
struct sqd_message {
	struct sq_sv text;
	uint64_t id[2]; /* stable: the same when the same event is sent again. Zero: it has none */
	struct sq_sv key; /* of what should stay together and in order: the host. May be empty */
};

/** In front of each message with SQD_FRAMING_RECORDS, in the machine's order and not aligned.
 * Behind it the key, then the text. */
struct sqd_message_head {
	uint64_t id[2];
	uint32_t n;     /* bytes of the text */
	uint32_t n_key; /* bytes of the key */
};

/** Take the next message off the front of a send with SQD_FRAMING_RECORDS. It views what was given.
 *  @return false: there is none left */
static inline bool sqd_message_next(struct sq_sv *left, struct sqd_message *ret)
{
	struct sqd_message_head head;

	if (!left->n)
		return false;
	sq_assert(left->n >= sizeof(head));
	memcpy(&head, left->p, sizeof(head));
	sq_assert(left->n - sizeof(head) >= (size_t)head.n_key + head.n);
	*ret = (struct sqd_message){ .text = { left->p + sizeof(head) + head.n_key, head.n },
		                     .id = { head.id[0], head.id[1] },
		                     .key = { left->p + sizeof(head), head.n_key } };
	*left = sq_sv_skip(*left, sizeof(head) + head.n_key + head.n);
	return true;
}

/**
 * The oldest of the sends that are not answered is safe with the other side (status 0), or not.
 * Exactly once for each accepted send(), in their order, never from inside of it; it may call
 * send() again. A negative status is
 *	-EMSGSIZE        the message is longer than a datagram may be: dropped and counted, the next
 *	                 one may be sent
 *	SQD_OUTPUT_GONE  see above
 *	any other errno  this one and all later sends that are not answered are void, and no longer
 *to be answered; the queue gives the same bytes again, from this one on. send() says -EAGAIN until
 *the output has mended itself (it is the output that waits, reconnects and backs off)
 */
typedef void sqd_output_sent_fn(struct sqd_output *out, int status);
/** The output can take bytes (again) after send() had said -EAGAIN; called once for one or more of
 *  those. It may call send(). */
typedef void sqd_output_ready_fn(struct sqd_output *out);
/** The receiver will never take this message, one of the oldest send that is not answered: it is
 *  dropped and counted as such, and goes to the dead letters with `why`; the output has logged it,
 *  limited in rate. Said when all of the send is known, right before it is answered with 0: what is
 *  given again has not been refused, and so nothing is refused twice. `m` is borrowed; its text is
 *  the one given to send(). */
typedef void sqd_output_refused_fn(struct sqd_output *out, const struct sqd_message *m,
                                   const char *why);
typedef void sqd_output_closed_fn(struct sqd_output *out);

/** How the queue ends each message before it gives them to send(). */
enum sqd_framing {
	SQD_FRAMING_LF,      /* message LF, many in one send() */
	SQD_FRAMING_OCTET,   /* RFC 6587: LEN SP message, many in one send() */
	SQD_FRAMING_MESSAGE, /* exactly one message in one send(), nothing added (datagrams) */
	SQD_FRAMING_RECORDS, /* struct sqd_message_head, key, text; many in one send() */
};

/** Operations of one kind of output. All are required: a kind that has nothing to do in one of
 *  them says so with an empty function. */
struct sqd_output_ops {
	const char *kind; /* as written in the configuration: "tcp" */
	bool datagrams;   /* a message may have SQ_DATAGRAM_TEXT bytes, not more */
	bool json;        /* messages must be JSON: another format is a mistake */
	bool ids;         /* messages come with their ids and keys: SQD_FRAMING_RECORDS */
	size_t size;      /* of the struct that begins with struct sqd_output */
	size_t cfg_size;
	const struct sq_opt *opts; /* its own configuration keys, beside those of every output */

	/** What is wrong with its configuration beyond single options, and with `files` in what
	 * they name too: what start() would fail for, before anything is started. `err` begins with
	 *  the option: "index: ...". */
	int (*check)(const void *cfg, bool files, struct sq_err *err);
	/** Begin; returns at once. Fails only for what a person must mend (bad address, no such
	 *  folder), never because a peer is away. Sets out->framing. */
	int (*start)(struct sqd_output *out, struct sq_err *err);
	/** Send; `bytes` stay valid until `sent`, or until an earlier send is answered with an
	 * error. 0: taken. -EAGAIN: not now (not connected, still writing); `ready` will be called,
	 * or an earlier send answered. */
	int (*send)(struct sqd_output *out, struct sq_sv bytes);
	/** SIGHUP: files are opened anew. */
	void (*reopen)(struct sqd_output *out);
	/** The end is near: an attempt that waits for its time is made now, and those that fail
	 *  from here on are made again after the shortest wait. Once. */
	void (*insist)(struct sqd_output *out);
	/** Close; sends that are not answered are told first. `closed` is called once, later. */
	void (*close)(struct sqd_output *out);
};

/** Of those who have nothing to check. */
static inline int sqd_output_no_check(const void *cfg SQ_UNUSED, bool files SQ_UNUSED,
                                      struct sq_err *err SQ_UNUSED)
{
	return 0;
}

/** Of those who never wait long for an attempt. */
static inline void sqd_output_no_insist(struct sqd_output *out SQ_UNUSED)
{
}

/** Whether the other side can be reached, as far as the output knows; for a person to read. */
struct sqd_outage {
	struct sq_now since; /* when it failed first; wall_us 0: no outage is under way */
	struct sq_now last;  /* when it failed last; stays when the outage is over */
	uint64_t failures;   /* of the outage under way, or of the last one */
	bool worked;         /* it has been reached at least once */
	char why[256];       /* of the last failure, printable; "": it has never failed */
	/* Private: whether the log has this outage, as which cause, and how often it may. */
	bool told;
	uint64_t told_as;
	struct sqd_log_limit limit;
};

/** What has gone wrong with an attempt that will be made again. */
struct sqd_failure {
	enum sqd_log_level level; /* SQD_LOG_ERROR: somebody has to mend it */
	const char *why;          /* printable or not; borrowed, as all texts here */
	const char *then;         /* "retrying in 0.2 s" */
	/** What else makes it another cause than the last: a status of HTTP. With `strange`, `why`
	 *  has words of the receiver, which may be new ones each time, and it is this alone. */
	unsigned code;
	bool strange;
};

struct sqd_output {
	const struct sqd_output_ops *ops;
	char name[128]; /* "tcp 192.0.2.1:6514": for logs and counters */
	void *cfg;
	uv_loop_t *loop;
	enum sqd_framing framing;
	sqd_output_sent_fn *sent;
	sqd_output_ready_fn *ready;
	sqd_output_refused_fn *refused;
	sqd_output_closed_fn *closed;
	void *ctx; /* the queue */
	unsigned open_handles;
	bool failing;        /* a file: the last attempt failed; it is tried again */
	uint64_t reconnects; /* connections made after the first; for the counters */
	uint64_t mended;     /* messages in which bytes that JSON cannot hold were replaced */
	struct sqd_outage outage;
};

/** An attempt to reach the other side, or to write, has failed and will be made again. The log has
 *  one line for an outage, and one more when its cause becomes another, however many attempts there
 *  are: this writes it, also who calls it each time. Numbers in `why` make no other cause. Outages
 *  and causes that come and go are a line each half a minute at most, after the first ten. */
void sqd_output_failed(struct sqd_output *out, const struct sqd_failure *f);

/** The other side can be reached, or takes messages. `again` is for the log: "connected", when the
 *  outage that it had a line about is over. @return false: there was none */
bool sqd_output_works(struct sqd_output *out, const char *again);
