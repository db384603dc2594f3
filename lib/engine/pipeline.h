/* One batch, from records to alert bytes: strip, read, match, encode, count.
 *
 * A pipeline belongs to one thread and one rule set; it holds the reader and the matcher, made
 * ready beforehand, so that a thread takes up new rules by taking another pipeline.
 */
#pragma once

#include "lib/engine/alert.h"
#include "lib/engine/dedup.h"
#include "lib/engine/oracle.h"
#include "lib/engine/sieve.h"
#include "lib/engine/verdict.h"
#include "lib/model/reader.h"

struct sq_pipeline_opts {
	struct sq_reader_opts reader;
	struct sq_observer observer;
	enum sq_level
		min_level; /* alerts below are not encoded; the record still counts as alerted */
	uint8_t formats;   /* bit per enum sq_format to encode */
	uint8_t datagram_formats; /* of those, the ones that go out as datagrams too */
	/** In how many ways records are handed on, b->limits.views of them: b->passes. Kept. */
	const struct sq_view *views;
	uint32_t n_views;
	bool dead_letters; /* write malformed records into the batch */
	/* Leave events that have a key for the caller to count: b->events. b->limits.events > 0. */
	bool deduplicate;
	struct sq_siphash_key secret; /* of those keys, and of the records that are checked */
	struct sq_oracle_opts check;  /* a sample of the records, by the slow way (oracle.h) */
	struct sq_sieve *sieve;       /* of the rule set, referenced; NULL: every record is read */
	struct sq_lookups *lookups;   /* referenced; NULL: none */
	bool validate_all;            /* use no sieve: every record is read */
	bool derive_all; /* make every derived field of every event, for who looks at them */
};

struct sq_pipeline;

/** Keeps a reference to `rs`. NULL: out of memory. */
struct sq_pipeline *sq_pipeline_new(struct sq_ruleset *rs, const struct sq_pipeline_opts *opts);
void sq_pipeline_free(struct sq_pipeline *pl);

/**
 * Run the records of `b` from b->done on. Stops early, with sq_batch_unfinished(b) true, when the
 * alerts of the batch reach b->limits.out: the caller delivers them, calls sq_batch_clear_out() and
 * runs the batch again. Every record is counted into b->counts exactly once; those that hold more
 * than one event count `received` for each further one. What is in b->events is not counted: the
 * caller counts it as alerted or clean, with its alerts, or as dropped_duplicate. A record that the
 * sieve leaves out is counted as clean, and shown to nobody.
 */
void sq_pipeline_run(struct sq_pipeline *pl, struct sq_batch *b, struct sq_now now);

/** For tools: called for every event and for every malformed record (ev NULL, why set). */
typedef void sq_pipeline_see_fn(void *ctx, const struct sq_event *ev, const struct sq_hits *hits,
                                struct sq_sv raw, const char *why);
void sq_pipeline_watch(struct sq_pipeline *pl, sq_pipeline_see_fn *see, void *ctx);
