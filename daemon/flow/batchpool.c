#include "daemon/flow/batchpool.h"

#include <errno.h>

int sqd_batchpool_init(struct sqd_batchpool *p, uint32_t n, const struct sq_batch_limits *limits)
{
	*p = (struct sqd_batchpool){ 0 };
	while (p->n < n) {
		struct sq_batch *b = sq_batch_new(limits);

		if (!b)
			return -ENOMEM;
		b->next = p->free;
		p->free = b;
		p->n++;
		p->n_free++;
	}
	return 0;
}

void sqd_batchpool_fini(struct sqd_batchpool *p)
{
	sq_assert(p->n_free == p->n);
	while (p->free) {
		struct sq_batch *b = p->free;

		p->free = b->next;
		sq_batch_free(b);
	}
	*p = (struct sqd_batchpool){ 0 };
}

struct sq_batch *sqd_batchpool_get(struct sqd_batchpool *p)
{
	struct sq_batch *b = p->free;

	if (!b)
		return NULL;
	p->free = b->next;
	p->n_free--;
	b->next = NULL;
	return b;
}

void sqd_batchpool_put(struct sqd_batchpool *p, struct sq_batch *b)
{
	sq_batch_reset(b);
	b->next = p->free;
	p->free = b;
	p->n_free++;
	sq_assert(p->n_free <= p->n);
}
