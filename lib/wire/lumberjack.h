/* What Beats speak: Lumberjack, versions 1 and 2, from the side of the server.
 *
 *	'2' 'W' count                 a window begins: so many events follow, then the client waits
 *	'2' 'J' seq length JSON       an event; or '1' 'D' seq pairs (length key length value)...
 *	'2' 'C' length zlib           whole J and D frames, packed
 *	'2' 'A' seq                   from us: the window that ended with event `seq` is ours now
 *
 * Numbers are 32 bits, big end first. Facts, other servers' mistakes, why things are as they are:
 * docs/formats.md, "Lumberjack".
 *
 * The promise: each window is acknowledged exactly once, in order, with the sequence number of its
 * last event, when its owner has settled it; never in part. While the client waits for us it is
 * sent "2A0" from time to time, and nothing at any other time. An error of the protocol ends the
 * stream without an acknowledgement, so that the client sends again what it has not been promised.
 *
 *	r = sq_lumber_next(l, &in, room, n, now, &rec)     until MORE
 *	  RECORD     put rec into a batch: sq_lumber_taken(); or sq_lumber_stash() and try later
 *	  WHOLE      when the window's events are settled: sq_lumber_settle(l, serial)
 *	sq_lumber_acks()    after any settle: bytes to send
 *	sq_lumber_tick()    about once a second
 *
 * Events of packed frames are unpacked straight into the room that the caller gives, the free end
 *of a batch, and handed out where they lie. What is unfinished at the end of the input is copied
 *aside by sq_lumber_stash().
 *
 * Pure: no I/O, no clock. What it allocates is bounded: the ring of windows by init, the bytes of
 *one unfinished frame, and a context to unpack while a C frame is open; an idle connection has
 *neither.
 */
#pragma once

#include "lib/base/outbuf.h"
#include "lib/wire/unpack.h"

struct sq_lumber_limits {
	uint32_t max_window;     /* events in a window */
	uint32_t max_windows;    /* received whole or in part and not yet acknowledged */
	uint32_t max_frame;      /* bytes of a C frame, or of an event that is skipped */
	uint32_t max_record;     /* bytes of an event; a longer one is skipped and reported */
	uint64_t max_unpacked;   /* bytes that one C frame may hold */
	uint32_t max_ratio;      /* of those to its length; see struct sq_unpack_limits */
	uint32_t max_pairs;      /* of a D frame */
	uint32_t max_key;        /* bytes of their keys */
	uint64_t max_unfinished; /* bytes of unfinished events that all connections together hold,
	                          * SQ_LUMBER_FREE of each not counted; 0: any */
	uint32_t keepalive_ms;   /* "2A0" so often while the client waits for us */
	uint32_t max_unacked_ms; /* the client has waited so long for the next acknowledgement */
	uint32_t max_silence_ms; /* inside a frame, and not for our fault */
};

/** Why a stream has ended; what sq_lumber_reason() says of it. */
enum sq_lumber_fault {
	SQ_LUMBER_OK,
	/* The first byte was that of something else. */
	SQ_LUMBER_TLS,
	SQ_LUMBER_HTTP,
	SQ_LUMBER_JSON,
	SQ_LUMBER_FOREIGN,
	/* Errors of the protocol. */
	SQ_LUMBER_VERSION,
	SQ_LUMBER_TYPE,
	SQ_LUMBER_WINDOW_EARLY, /* W while a window is unfinished */
	SQ_LUMBER_NO_WINDOW,    /* an event outside of a window */
	SQ_LUMBER_BEYOND,       /* more events than the window said, within one C frame */
	SQ_LUMBER_NESTED,       /* W or C inside of C */
	SQ_LUMBER_EMPTY,        /* J or C of no bytes */
	SQ_LUMBER_SPLIT,        /* a C frame ends inside of an event */
	SQ_LUMBER_DAMAGED,
	SQ_LUMBER_TRUNCATED,
	SQ_LUMBER_TRAILING,
	/* Limits. */
	SQ_LUMBER_MAX_WINDOW,
	SQ_LUMBER_MAX_FRAME,
	SQ_LUMBER_MAX_UNPACKED,
	SQ_LUMBER_MAX_RATIO,
	SQ_LUMBER_MAX_PAIRS,
	SQ_LUMBER_MAX_KEY,
	SQ_LUMBER_MAX_UNFINISHED,
	SQ_LUMBER_UNACKED, /* max_unacked_ms */
	SQ_LUMBER_SILENT,  /* max_silence_ms */
	SQ_LUMBER_MEMORY,
	SQ_LUMBER_FAULTS
};

/** "sent an event outside of a window": what the peer did, without its name and a full stop. */
const char *sq_lumber_reason(enum sq_lumber_fault fault);

enum {
	SQ_LUMBER_ACK = 6,           /* bytes of an acknowledgement */
	SQ_LUMBER_ROOM = 16 * 1024,  /* bytes of room below which sq_lumber_next() asks for more */
	SQ_LUMBER_FREE = 128 * 1024, /* bytes put aside for a connection whatever others hold */
};

/** What the connections of one listener share: limits, and memory that none of them needs for
 *  longer than a frame. */
struct sq_lumber_env;

/** @return NULL when out of memory */
struct sq_lumber_env *sq_lumber_env_new(const struct sq_lumber_limits *limits);
/** After the last connection's fini. */
void sq_lumber_env_free(struct sq_lumber_env *e);

/** A window that is received and not yet acknowledged. */
struct sq_lumber_window {
	uint32_t seq; /* of its last event: what the acknowledgement says */
	char version; /* '1' or '2', of its W */
	bool settled;
};

/** One connection. For the caller to read: fault, in_place, got, count; the rest is private. */
struct sq_lumber {
	struct sq_lumber_env *env;
	enum sq_lumber_fault fault;
	bool in_place; /* of the last record: it lies in the room */

	bool began;    /* the first byte has been judged */
	bool open;     /* a window has begun and is not whole */
	bool packed;   /* inside of a C frame */
	bool unpacked; /* all that it held has come out */
	uint8_t from;  /* enum source: where the last record was found */
	uint8_t n_length;
	char version;             /* of the open window */
	uint8_t length[4];        /* of the next string of a D frame that is skipped */
	uint32_t v1_window;       /* events of a window that begins without a W; 0: there is none */
	uint32_t count;           /* events of the open window */
	uint32_t got;             /* of them received */
	uint32_t seq;             /* of the last */
	uint32_t strings;         /* of a D frame, still to skip */
	uint64_t skip;            /* bytes of an event still to skip */
	uint32_t packed_left;     /* bytes of the C frame still to come */
	uint32_t frame_seq;       /* of the record that was handed out */
	size_t frame;             /* bytes of its frame */
	struct sq_unpack *unpack; /* while packed */

	struct sq_sv fresh; /* unpacked into the room, not cut yet */
	char *carry;        /* bytes not cut yet that had to be put aside */
	size_t carry_at, carry_n, carry_cap;

	struct sq_lumber_window *ring; /* env->limits.max_windows of them */
	uint32_t ring_at, ring_n;
	uint32_t serial;   /* of ring[ring_at] */
	uint64_t owing_ms; /* since then the client waits for an acknowledgement; 0: it does not */
	uint64_t told_ms;  /* the last acknowledgement of any kind */
};

/** @return 0 or -ENOMEM */
int sq_lumber_init(struct sq_lumber *l, struct sq_lumber_env *e) SQ_MUST_CHECK;
void sq_lumber_fini(struct sq_lumber *l);

enum sq_lumber_got {
	SQ_LUMBER_MORE,      /* all of `in` is used; stash, and come again with more */
	SQ_LUMBER_NEED_ROOM, /* the room is too small: stash, come again with SQ_LUMBER_ROOM or more
	                      */
	SQ_LUMBER_RECORD,    /* an event of the window that is being received */
	SQ_LUMBER_OVERSIZED, /* one that is longer than max_record: it is skipped, the window has it
	                      */
	SQ_LUMBER_WHOLE,     /* the window is whole: sq_lumber_last() is its number */
	SQ_LUMBER_FULL, /* max_windows are unacknowledged: come again after an acknowledgement */
};

/**
 * Go on with the bytes of the stream: what was left of `*in` the last time, and what follows it.
 *
 * `room` may be used for what is unpacked. Until sq_lumber_stash() has been called nobody else may
 * write to it, except that what lies before the end of a record that was taken is the caller's: the
 * next call gives the rest of the same room, or after a stash another one.
 *
 * @param in       moved forward over what was used
 * @param now_ms   any clock that does not go back; not 0
 * @param ret_rec  on RECORD: `in_place` it lies in the room; else elsewhere, and is to be copied
 *                 (into the room, if liked). Valid until the next call. The same event comes again
 *                 until sq_lumber_taken()
 * @return enum sq_lumber_got, or -EPROTO: see `fault`; the connection is to be closed
 */
int sq_lumber_next(struct sq_lumber *l, struct sq_sv *in, char *room, size_t room_n,
                   uint64_t now_ms, struct sq_sv *ret_rec) SQ_MUST_CHECK;

/** The record that was handed out last is in a batch. Moves `*in` when it came from there. */
void sq_lumber_taken(struct sq_lumber *l, struct sq_sv *in);

/** The room will be used otherwise: put aside what lies there uncut. Out of memory is told by the
 *  next sq_lumber_next(). */
void sq_lumber_stash(struct sq_lumber *l);

/** Number of the window that has become whole last; they count up from 0. */
uint32_t sq_lumber_last(const struct sq_lumber *l);

/** All events of window `serial` are settled. Once for each that was WHOLE, in any order. */
void sq_lumber_settle(struct sq_lumber *l, uint32_t serial);

/** Write the acknowledgements that are due, at most `cap` bytes of whole ones; `ret_windows` is how
 *  many windows they end. @return bytes */
size_t sq_lumber_acks(struct sq_lumber *l, uint64_t now_ms, char *to, size_t cap,
                      unsigned *ret_windows);

/**
 * What is said while a client waits, and deadlines.
 * @param stalled  we do not read, and the client may have sent something
 * @param read_ms  time of the last bytes of the client
 * @param to       SQ_LUMBER_ACK bytes
 * @return bytes to send (a keep-alive), 0, or -ETIMEDOUT: close; see `fault`
 */
int sq_lumber_tick(struct sq_lumber *l, uint64_t now_ms, bool stalled, uint64_t read_ms,
                   char *to) SQ_MUST_CHECK;

/** Windows that were begun and have not been acknowledged. */
uint32_t sq_lumber_unacked(const struct sq_lumber *l);
