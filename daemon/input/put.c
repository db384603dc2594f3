#include "daemon/input/put.h"

#include <errno.h>

int sqd_input_origin(struct sqd_input *in, struct sq_batch *b, struct sqd_receipt *receipt,
                     const char *peer)
{
	int r = sqd_dispatch_origin(in->dispatch, b, receipt, peer);

	if (r >= 0)
		b->origins[r].tenant = in->tenant;
	return r;
}

void sqd_input_add(struct sqd_input *in, struct sq_batch *b, struct sqd_receipt *receipt,
                   const char *peer, struct sq_sv record)
{
	int origin = sqd_input_origin(in, b, receipt, peer);
	uint32_t end = (uint32_t)(record.p + record.n - b->chunk);
	int r;

	sq_assert(origin >= 0 && end >= b->tail);
	r = sq_batch_add(b, (uint32_t)origin, record);
	sq_assert(r == 0);
	b->tail = end;
	sqd_receipt_owe(receipt, 1);
	in->counts->received++;
}

int sqd_input_put(struct sqd_input *in, struct sqd_receipt *receipt, const char *peer,
                  struct sq_sv record)
{
	struct sq_batch *b = sqd_dispatch_open(in->dispatch, record.n);
	char *to;

	if (!b)
		return -EAGAIN;
	to = b->chunk + b->tail;
	memcpy(to, record.p, record.n);
	sqd_input_add(in, b, receipt, peer, (struct sq_sv){ to, record.n });
	return 0;
}
