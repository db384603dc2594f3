#include "daemon/flow/sievebox.h"

void sqd_sievebox_init(struct sqd_sievebox *box)
{
	pthread_mutex_init(&box->lock, NULL);
	box->sieve = NULL;
	atomic_init(&box->puts, 0);
}

void sqd_sievebox_fini(struct sqd_sievebox *box)
{
	sq_sieve_unref(box->sieve);
	pthread_mutex_destroy(&box->lock);
}

void sqd_sievebox_put(struct sqd_sievebox *box, struct sq_sieve *sieve)
{
	struct sq_sieve *old;

	pthread_mutex_lock(&box->lock);
	old = box->sieve;
	box->sieve = sq_sieve_ref(sieve);
	atomic_fetch_add_explicit(&box->puts, 1, memory_order_relaxed);
	pthread_mutex_unlock(&box->lock);
	sq_sieve_unref(old);
}

bool sqd_sievebox_news(struct sqd_sievebox *box, uint64_t *seen, struct sq_sieve **ret)
{
	if (atomic_load_explicit(&box->puts, memory_order_relaxed) == *seen)
		return false;
	pthread_mutex_lock(&box->lock);
	*seen = atomic_load_explicit(&box->puts, memory_order_relaxed);
	*ret = sq_sieve_ref(box->sieve);
	pthread_mutex_unlock(&box->lock);
	return true;
}
