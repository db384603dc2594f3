/* Whatever the header: taken whole or byte by byte it gives the same, no byte behind it is taken,
 * and the paths lie in the reader. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/wire/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(struct sq_sv path, const struct sq_proxy_reader *r)
{
	if (path.n)
		sq_assert(path.p >= r->bytes && path.p + path.n <= r->bytes + r->n &&
		          path.n <= 108);
}

static void check_same(const struct sq_proxy *a, const struct sq_proxy *b)
{
	sq_assert(a->family == b->family && a->version == b->version && a->local == b->local);
	sq_assert(memcmp(a->source, b->source, sizeof(a->source)) == 0);
	sq_assert(memcmp(a->destination, b->destination, sizeof(a->destination)) == 0);
	sq_assert(a->source_port == b->source_port && a->destination_port == b->destination_port);
	sq_assert(sq_sv_eq(a->source_path, b->source_path));
	sq_assert(sq_sv_eq(a->destination_path, b->destination_path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sq_sv in = { (const char *)data, size };
	struct sq_proxy_reader *one = calloc(2, sizeof(*one)), *two = one + 1;
	struct sq_proxy a = { 0 }, b = { 0 };
	size_t used, taken = 0;
	int r, s = 0;

	if (!one)
		return 0;
	r = sq_proxy_next(one, in, &used, &a);
	sq_assert(used <= size && (r != 0 || used == size) && (r < 0) == (one->why != NULL));
	sq_assert(r == 1 || r == 0 || r == -EPROTO || r == -EBADMSG || r == -EMSGSIZE);
	while (s == 0 && taken < size) {
		size_t n;

		s = sq_proxy_next(two, sq_sv_first(sq_sv_skip(in, taken), 1), &n, &b);
		taken += n;
	}
	sq_assert(r == s);
	if (r == 1) {
		sq_assert(taken == used);
		check_path(a.source_path, one);
		check_path(a.destination_path, one);
		check_same(&a, &b);
	}
	free(one);
	return 0;
}
