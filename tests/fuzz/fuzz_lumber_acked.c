/* What a receiver says to our Lumberjack output: in pieces of any length it says the same as at
 * once. First byte: how it is cut.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/wire/lumber_out.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
	uint64_t n, hash;
	int end;
};

static struct heard hear(const uint8_t *data, size_t size, size_t piece)
{
	struct sq_lumber_acked a = { 0 };
	struct heard h = { 0 };

	for (size_t at = 0; at < size && !h.end; at += piece) {
		size_t n = size - at < piece ? size - at : piece;
		char *copy = malloc(n); /* so that a byte too many is noticed */
		struct sq_sv in = { copy, n };
		uint32_t seq;
		int r;

		sq_assert(copy);
		memcpy(copy, data + at, n);
		while ((r = sq_lumber_acked_next(&a, &in, &seq)) == 1) {
			h.n++;
			h.hash = (h.hash ^ seq) * UINT64_C(1099511628211);
		}
		sq_assert(r == -EPROTO || (r == 0 && in.n == 0 && a.n < sizeof(a.bytes)));
		h.end = r;
		free(copy);
	}
	sq_assert(h.n <= size / 6);
	return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heard whole, cut;

	if (!size)
		return 0;
	whole = hear(data + 1, size - 1, size);
	cut = hear(data + 1, size - 1, 1 + data[0] % 16);
	sq_assert(whole.n == cut.n && whole.hash == cut.hash && whole.end == cut.end);
	return 0;
}
