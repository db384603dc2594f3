/* The sieve as the one who receives uses it: records that are left out leave their batch at once.
 *
 * What was just received is still in the processor's cache; looked at there, it need not be fetched
 * again by a worker on another one. Records that are kept move together in the chunk, so that the
 * next bytes are received where the last ones were, and workers get batches that are worth their
 * while. Those that are left out are counted, and their senders owed no less (sq_origin.n stays).
 *
 * Where records go on that no rule matches (sq_batch_limits.clean), nothing leaves: they are
 * marked, not read, and counted by whoever runs the batch.
 *
 * Now and then one of them stays all the same, to be checked the slow way by whoever runs the batch
 * (oracle.h). One sifter for each receiving thread; it is used by that thread alone.
 */
#pragma once

#include "lib/base/siphash.h"
#include "lib/engine/sieve.h"

struct sq_sifter {
	struct sq_sieve *sieve; /* of newer batches; NULL: nothing is left out */
	/* Which of the records that are left out stay to be checked. */
	struct sq_siphash_key secret;
	uint32_t one_in;            /* on average one in so many; 0: none */
	uint64_t stream;            /* another one for each sifter: it chooses otherwise */
	uint64_t chosen, unchecked; /* private: how many were, how many are left until the next */
};

/** All but `sieve` is set by the caller. */
void sq_sifter_begin(struct sq_sifter *s);
void sq_sifter_end(struct sq_sifter *s);

/** New rules: batches that are opened from now on go through `sieve` (referenced; may be NULL). */
void sq_sifter_use(struct sq_sifter *s, struct sq_sieve *sieve);

/** A batch was opened. */
void sq_sifter_open(struct sq_sifter *s, struct sq_batch *b);

/**
 * Cut and look at whole lines at once, as sq_sieve_lines(), which lie in the chunk behind its tail.
 * What stays moves to the tail.
 * @return false: they are not like that, or the batch is not for this sieve, or there are records
 * in it that have not been looked at; nothing has been done
 */
bool sq_sifter_lines(struct sq_sifter *s, struct sq_batch *b, uint32_t origin, struct sq_sv text,
                     uint32_t max_record, uint32_t *ret_lines);

/** Look at the records that came since the last call. Nobody may hold a view into the chunk: its
 *  tail moves. */
void sq_sifter_run(struct sq_sifter *s, struct sq_batch *b);
