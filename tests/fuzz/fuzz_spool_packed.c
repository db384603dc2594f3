/* Messages of any bytes and lengths, packed and unpacked: the same in the same order, and what
 * found no room has left nothing behind. First byte: how much room there is; then for each message
 * the lengths of its key and its text, and these.
 */
#include <stdint.h>
#include <stdlib.h>

#include "daemon/flow/spool_packed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sq_sv take(struct sq_sv *in, size_t n)
{
	struct sq_sv v = sq_sv_first(*in, n);

	*in = sq_sv_skip(*in, v.n);
	return v;
}

static bool next(struct sq_sv *in, uint64_t seq, struct sq_spool_record *r)
{
	struct sq_sv lengths = take(in, 2);

	if (lengths.n < 2)
		return false;
	*r = (struct sq_spool_record){ .seq = seq, .id = { seq * 3, ~seq } };
	r->key = take(in, (unsigned char)lengths.p[0] % 64);
	r->text = take(in, (unsigned char)lengths.p[1]);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sq_sv all = { (const char *)data, size }, in, left;
	size_t room = take(&all, 1).n ? (size_t)data[0] * 16 : 0;
	struct sq_outbuf out = sq_outbuf_of(room);
	struct sq_spool_record r, got;
	uint64_t packed = 0, seen = 0;
	char *copy;

	for (in = all; next(&in, packed + 1, &r); packed++) {
		size_t before = out.len;

		sqd_pack(&out, &r);
		if (!out.failed)
			continue;
		sq_assert(out.len == before &&
		          before + sizeof(struct sqd_packed) + r.key.n + r.text.n > room);
		break;
	}
	copy = malloc(out.len ? out.len : 1); /* so that a byte too many is noticed */
	sq_assert(copy);
	if (out.len)
		memcpy(copy, out.p, out.len);
	left = (struct sq_sv){ copy, out.len };
	for (in = all; sqd_unpack(&left, &got); seen++) {
		sq_assert(next(&in, seen + 1, &r));
		sq_assert(got.seq == r.seq && got.id[0] == r.id[0] && got.id[1] == r.id[1]);
		sq_assert(sq_sv_eq(got.key, r.key) && sq_sv_eq(got.text, r.text));
	}
	sq_assert(seen == packed && left.n == 0);
	free(copy);
	sq_outbuf_fini(&out);
	return 0;
}
