/* The input is a row of datagrams, each after two bytes of length; the top bits of the length are
 * the sender and the time that passes. Every message begun is whole or given up in the end. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/wire/gelf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void unpack(struct sq_gelf *g, struct sq_sv v)
{
	char to[512];
	ptrdiff_t n = sq_gelf_inflate(g, v, to, sizeof(to));

	sq_assert(n == -EBADMSG || n == -EMSGSIZE || (n >= 0 && n <= (ptrdiff_t)sizeof(to)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sq_gelf_limits limits = { 3, 4096, 1024 };
	struct sq_gelf *g = sq_gelf_new(&limits);
	struct sq_sv in = { (const char *)data, size };
	struct sq_now now = { 0 };
	unsigned lost = 0, datagrams = 0;

	sq_assert(g);
	while (in.n >= 2) {
		unsigned head = (unsigned char)in.p[0] * 256u + (unsigned char)in.p[1];
		struct sq_sv v = sq_sv_first(sq_sv_skip(in, 2), head & 0x7ff);
		struct sq_sv whole = { NULL, 0 };
		int r;

		in = sq_sv_skip(in, 2 + v.n);
		now.mono_ns += (uint64_t)(head >> 13) * 1000000000;
		lost += sq_gelf_expire(g, now);
		datagrams++;
		if (sq_gelf_kind(v) != SQ_GELF_CHUNK) {
			unpack(g, v);
			continue;
		}
		r = sq_gelf_chunk(g, v, head >> 11 & 3, now, &whole);
		sq_assert(r == 0 || r == 1 || r == -EBADMSG || r == -ENOBUFS);
		if (r == 1) {
			sq_assert(whole.n <= limits.max_record);
			unpack(g, whole);
		}
		lost += r < 0;
	}
	now.mono_ns += 10000000000u;
	lost += sq_gelf_expire(g, now);
	sq_assert(lost <= datagrams);
	sq_assert(sq_gelf_expire(g, now) == 0);
	sq_gelf_free(g);
	return 0;
}
