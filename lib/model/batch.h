/* The unit that changes hands: one chunk of received bytes, the records cut out of it, and what
 * was made of them.
 *
 * Exactly one owner at a time (pool, loop, worker, main loop again); handing it over hands over
 * everything in it. The chunk never moves, so views into it are plain pointers until
 * sq_batch_reset().
 */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/counters.h"
#include "lib/base/outbuf.h"

/** Who a sender has proved to be. Its owner (a connection) keeps it, unchanged, as long as records
 *  of it are unsettled. Texts are terminated, cut when too long, and "" when there is nothing. */
struct sq_identity {
	char user[64];     /* name that belongs to the token or password that was shown */
	char subject[256]; /* of the client's certificate, RFC 2253: "CN=ws-7,O=Example" */
	char names[512];   /* its subject alternative names: "DNS:ws-7.example.org, IP:192.0.2.7" */
	char proxy[64];    /* address of the proxy that told us the peer's */
};

/** Who sent some of the records. */
struct sq_origin {
	void *receipt; /* the daemon's; NULL for files. See daemon/flow/receipt.h */
	const struct sq_identity *identity; /* NULL: nothing was proved */
	/* Whose records they are: a short name of letters, digits, '.', '_' and '-', which its
	 * owner (the configuration) keeps, unchanged, longer than any batch; n = 0: not told. */
	struct sq_sv tenant;
	uint32_t n;         /* records of this origin: what the receipt is owed */
	uint32_t further;   /* events that records of it held beside their first ones */
	uint32_t malformed; /* of records and further events */
	char peer[64];      /* "192.0.2.7:51234", "[2001:db8::1]:514"; terminated */
};

struct sq_record {
	struct sq_sv raw; /* views the chunk */
	uint32_t origin;  /* index in sq_batch.origins */
	bool left_out;    /* no rule can match it: it need not be read (lib/engine/sieve.h) */
	bool check;       /* read it all the same, and see that none does (lib/engine/sifter.h) */
	/* Of events sent again (lib/engine/dedup.h): one of it is new, or cannot be told; one of
	 * it was remembered. Who hands records on leaves out those that hold nothing new. */
	bool fresh, again;
	uint32_t pass; /* 1 + index in sq_batch.passes; 0: nothing is added, it goes on as it is */
};

enum sq_format {
	SQ_FORMAT_JSON,
	SQ_FORMAT_SYSLOG,
	SQ_FORMAT_CEF,
	SQ_FORMAT_LEEF,
	SQ_FORMAT_OCSF,
	SQ_FORMAT_SYSLOG3164,
	SQ_FORMATS
};

enum {
	SQ_TEXTS = 2 * SQ_FORMATS,
	/* Bytes of a text that goes out as a datagram, of IPv4 or IPv6; room is left for a count.
	 */
	SQ_DATAGRAM_TEXT = 65000,
};

/** Who is to get a text. */
enum { SQ_TO_STREAMS = 1, SQ_TO_DATAGRAMS = 2 };

/** One alert, encoded in every format that an output wants; the bytes lie in sq_batch.out. */
struct sq_alert_ref {
	uint64_t fold_key[2]; /* of rule, host and command line */
	uint64_t id[2];       /* stable: of rule and event (lib/engine/event_id.h); zero: none */
	struct {
		uint32_t at, n; /* the host's name as the event has it, so of any bytes, at most
		                 * 255; in sq_batch.out, for all alerts of an event the same. n = 0:
		                 * not known */
	} host;
	uint8_t level; /* enum sq_level */
	/** From SQ_FORMATS on: the same once more, cut for datagrams; n = 0: there is no need. */
	struct {
		uint32_t at, n; /* n = 0: nobody wants this format */
	} text[SQ_TEXTS];
};

/** At most so many ways in which a record may be handed on (lib/engine/verdict.h). */
enum { SQ_VIEWS = 8 };

/** A record that is handed on with something added to it or taken out of it. */
struct sq_pass_ref {
	uint64_t id[2]; /* stable: of the event; zero: not known */
	struct {
		uint32_t at, n; /* the host's name, in sq_batch.out; n = 0: not known */
	} host;
	uint8_t level; /* 1 + the highest enum sq_level of the rules that matched; 0: none did */
	struct {
		uint32_t at, n; /* in sq_batch.out; n = 0: as it came */
	} text[SQ_VIEWS];
};

/** What rules have found in the record that is being run: all events of it together. */
struct sq_finding {
	/** Members of the object "squibly" and the list of rules, which is still open. */
	struct sq_outbuf text;
	uint32_t rules;  /* that matched; those beyond a maximum are counted only */
	uint8_t level;   /* as in sq_pass_ref */
	bool several;    /* there is more than one event in it, or something beside the event */
	uint64_t id[2];  /* of the first event that matched, else of the first */
	char host[256];  /* the name of its first event's, cut when longer */
	uint32_t n_host; /* bytes of it */
};

/** One malformed record as a line of JSON for the dead-letter file, in sq_batch.out. */
struct sq_dead_ref {
	uint32_t at, n;
};

/** An event that is counted only when it is known not to be a repeat (lib/engine/dedup.h). */
struct sq_event_ref {
	uint64_t key[2];
	uint32_t first_alert, end_alert; /* in sq_batch.alerts */
	uint32_t record;                 /* in sq_batch.records */
	uint32_t alerts;                 /* how many to count */
	bool alerted;                    /* a rule matched; there may be no alert of it */
};

struct sq_batch_limits {
	uint32_t chunk;   /* bytes of the chunk */
	uint32_t records; /* at most so many records */
	uint32_t origins;
	uint32_t events; /* at most so many events with keys; 0: none has one */
	uint32_t arena;  /* bytes */
	bool clean;     /* records that no rule matches are handed on too: they stay in the batch */
	uint32_t views; /* in how many ways records are handed on; 0: they are not */
	uint32_t out;   /* bytes of encoded alerts before the batch must be handed on; the buffer
	                 * may grow past it by 16 chunks, for one event with many alerts */
};

struct sq_batch {
	struct sq_batch *next; /* link of whoever owns the batch */
	void *home;            /* the daemon's: where it goes when it has been run */
	struct sq_batch_limits limits;

	char *chunk;
	uint32_t tail; /* bytes of the chunk in use */

	struct sq_record *records;
	uint32_t n_records;
	uint64_t sieve;    /* generation of the one that has looked at them; 0: none has */
	uint32_t sifted;   /* records that it has looked at */
	uint32_t from;     /* the first record whose outcome has not been delivered */
	uint32_t done;     /* records already run: the pipeline stops early when `out` is full */
	struct sq_sv rest; /* of records[done], when it holds several events */

	struct sq_origin *origins;
	uint32_t n_origins;

	struct sq_arena arena; /* of the event being run */

	struct sq_outbuf out;
	struct sq_alert_ref *alerts;
	uint32_t n_alerts, cap_alerts;
	struct sq_dead_ref *dead;
	uint32_t n_dead, cap_dead;
	struct sq_event_ref *events;
	uint32_t n_events;
	struct sq_pass_ref *passes; /* limits.records of them, if there are views */
	uint32_t n_passes;
	struct sq_finding verdict; /* of records[done] */
	char why[160]; /* of the last malformed record: "PEER: reason"; empty when none */
	/* Of the last record for which the slow way found other alerts (lib/engine/oracle.h):
	 * "PEER: what differs; record: its beginning", printable; empty when none. */
	char doubt[1536];

	struct sq_counters counts; /* since the batch was opened; added up by the main loop */
};

/** All memory of a batch is allocated here. NULL: out of memory. */
struct sq_batch *sq_batch_new(const struct sq_batch_limits *limits);
void sq_batch_free(struct sq_batch *b);

/** It is empty, and may stay so for long: its memory is the system's until it is filled again. */
void sq_batch_cool(struct sq_batch *b);

/** Empty, reusable. The receipts of its origins must have been settled. */
void sq_batch_reset(struct sq_batch *b);

/** Free room at the end of the chunk. */
static inline size_t sq_batch_room(const struct sq_batch *b)
{
	return b->limits.chunk - b->tail;
}

/** Index of a new origin, or -ENOSPC. */
int sq_batch_origin(struct sq_batch *b, void *receipt, const char *peer) SQ_MUST_CHECK;

/** Add a record that lies in the chunk. @return 0 or -ENOSPC: the batch is full, seal it */
int sq_batch_add(struct sq_batch *b, uint32_t origin, struct sq_sv raw) SQ_MUST_CHECK;

/** Forget the alerts, dead letters and keys that have been delivered, keep the records still to
 * run. */
void sq_batch_clear_out(struct sq_batch *b);

/** Something is to be handed on of what is here: outputs have to look at it. */
static inline bool sq_batch_raised(const struct sq_batch *b)
{
	return b->n_alerts || b->n_dead || b->n_passes || (b->limits.clean && b->n_records);
}

/** Records are left to run: give the batch to a pipeline once more. */
static inline bool sq_batch_unfinished(const struct sq_batch *b)
{
	return b->done < b->n_records;
}
