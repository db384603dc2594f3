/* First byte: how many items were asked about. Whatever the answer is, no more are handed on, in
 * order, and when it is believed, all of them.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lib/wire/bulk_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_item(void *ctx, const struct sq_bulk_reply_item *item)
{
	size_t *n = ctx;

	sq_assert(item->at == (*n)++);
	sq_assert(item->status == 0 || (item->status >= 100 && item->status < 1000));
	sq_assert(item->type.n <= SQ_BULK_REPLY_TYPE_MAX);
	sq_assert(item->reason.n <= SQ_BULK_REPLY_REASON_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sq_bulk_reply *r;
	size_t n = 0;
	char *copy;

	if (!r)
		r = sq_bulk_reply_new();
	if (!size)
		return 0;
	copy = malloc(size);
	sq_assert(r && copy);
	memcpy(copy, data, size);
	if (sq_bulk_reply_read(r, (struct sq_sv){ copy + 1, size - 1 }, data[0], on_item, &n) == 0)
		sq_assert(n == data[0]);
	sq_assert(n <= data[0]);
	free(copy);
	return 0;
}
