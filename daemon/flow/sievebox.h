/* Where the sieve of the newest rules lies for the loops that receive.
 *
 * Put there by who loads rules, taken by each loop when it opens a batch: asking whether there is a
 * new one is reading a number, the lock is taken for each new sieve only.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "lib/engine/sieve.h"

struct sqd_sievebox {
	pthread_mutex_t lock; /* guards `sieve` */
	struct sq_sieve *sieve;
	_Atomic uint64_t puts;
};

/** Before there are other threads, and when there are none any more. */
void sqd_sievebox_init(struct sqd_sievebox *box);
void sqd_sievebox_fini(struct sqd_sievebox *box);

/** Any thread. A reference of its own is taken; NULL: there is none for the new rules. */
void sqd_sievebox_put(struct sqd_sievebox *box, struct sq_sieve *sieve);

/**
 * Any thread. Is there something new since `*seen`, which begins as 0?
 * @param ret  then gets a reference, or NULL
 */
bool sqd_sievebox_news(struct sqd_sievebox *box, uint64_t *seen, struct sq_sieve **ret);
