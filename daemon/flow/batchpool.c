#include "daemon/flow/batchpool.h"

#include <errno.h>
#include <stdlib.h>

enum {
	TRIM_MS = 5000,
	TRIM_AT_ONCE = 64, /* batches: each takes a dozen calls of the system, on an I/O loop */
};

int sqd_batchpool_grow(struct sqd_batchpool *p, uint32_t n, const struct sq_batch_limits *limits)
{
	struct sq_batch **list = realloc(p->free, (p->n + (size_t)n) * sizeof(struct sq_batch *));

	sq_assert(p->n_free == p->n);
	if (!list)
		return -ENOMEM;
	p->free = list;
	for (; n; n--) {
		struct sq_batch *b = sq_batch_new(limits);

		if (!b)
			return -ENOMEM;
		p->free[p->n_free++] = b;
		p->n = p->low = p->cold = p->n_free;
	}
	return 0;
}

void sqd_batchpool_fini(struct sqd_batchpool *p)
{
	sq_assert(p->n_free == p->n);
	for (uint32_t i = 0; i < p->n; i++)
		sq_batch_free(p->free[i]);
	free(p->free);
	*p = (struct sqd_batchpool){ 0 };
}

struct sq_batch *sqd_batchpool_get(struct sqd_batchpool *p)
{
	if (!p->n_free)
		return NULL;
	p->n_free--;
	if (p->low > p->n_free)
		p->low = p->n_free;
	if (p->cold > p->n_free)
		p->cold = p->n_free;
	return p->free[p->n_free];
}

void sqd_batchpool_put(struct sqd_batchpool *p, struct sq_batch *b)
{
	sq_batch_reset(b);
	sq_assert(p->n_free < p->n);
	p->free[p->n_free++] = b;
}

void sqd_batchpool_trim(struct sqd_batchpool *p, uint64_t now_ms)
{
	uint32_t end = p->cold + TRIM_AT_ONCE < p->low ? p->cold + TRIM_AT_ONCE : p->low;

	if (now_ms - p->trimmed_ms < TRIM_MS)
		return;
	p->trimmed_ms = now_ms;
	for (; p->cold < end; p->cold++)
		sq_batch_cool(p->free[p->cold]);
	p->low = p->n_free;
}

int sqd_batchshare_init(struct sqd_batchshare *s, struct sqd_batchpool *pool, uint32_t n,
                        const struct sq_batch_limits *limits)
{
	*s = (struct sqd_batchshare){ .max = n };
	s->pool = pool ? pool : &s->own;
	return sqd_batchpool_grow(s->pool, n, limits);
}

void sqd_batchshare_fini(struct sqd_batchshare *s)
{
	sq_assert(!s->taken);
	sqd_batchpool_fini(&s->own);
}

struct sq_batch *sqd_batchshare_get(struct sqd_batchshare *s)
{
	if (sqd_batchshare_none(s))
		return NULL;
	s->taken++;
	return sqd_batchpool_get(s->pool);
}

void sqd_batchshare_put(struct sqd_batchshare *s, struct sq_batch *b)
{
	s->taken--;
	sqd_batchpool_put(s->pool, b);
}
