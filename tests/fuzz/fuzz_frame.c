/* First byte: how the rest is cut into pieces. However it is cut: every record is short enough and
 * lies in the stream, the framer makes progress, and holds back no more than it says. Where no line
 * can be taken as a whole (it says so in frame.h), the records are the same as those of one piece.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/wire/frame.h"

enum { MAX_RECORD = 64 };

struct sum {
	uint64_t hash;
	size_t records, oversized;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t take(struct sq_frame *f, struct sq_sv held, bool eof, struct sum *sum)
{
	for (;;) {
		char *copy = malloc(held.n ? held.n : 1);
		struct sq_sv rec = { NULL, 0 };
		size_t used = SIZE_MAX;
		int r;

		sq_assert(copy);
		if (held.n)
			memcpy(copy, held.p, held.n);
		r = sq_frame_next(f, (struct sq_sv){ copy, held.n }, eof, &used, &rec);
		sq_assert(used <= held.n);
		if (r == 1) {
			sq_assert(rec.n > 0 && rec.n <= MAX_RECORD);
			sq_assert(rec.p >= copy && rec.p + rec.n <= copy + used);
			sum->hash = sum->hash * 31 + sq_sv_hash(rec);
			sum->records++;
		}
		sum->oversized += r == -EMSGSIZE;
		held = sq_sv_skip(held, used);
		free(copy);
		if (r == 1 || r == -EMSGSIZE) {
			sq_assert(used > 0);
			continue;
		}
		sq_assert(r == 0 || r == -EPROTO);
		sq_assert(r == -EPROTO || held.n <= MAX_RECORD + 64);
		return r ? SIZE_MAX : held.n;
	}
}

static struct sum feed(struct sq_sv in, size_t step)
{
	struct sq_frame f = sq_frame_of(MAX_RECORD);
	struct sum sum = { 0 };
	size_t begin = 0, end = 0;

	while (end < in.n) {
		size_t left;

		end = in.n - end < step ? in.n : end + step;
		left = take(&f, (struct sq_sv){ in.p + begin, end - begin }, false, &sum);
		if (left == SIZE_MAX)
			return sum;
		begin = end - left;
	}
	if (take(&f, sq_sv_skip(in, begin), true, &sum) != SIZE_MAX)
		sq_assert(sum.records + sum.oversized <= in.n);
	return sum;
}

/* A line that ends with a brace, and is there as a whole, is not looked into. */
static bool holds_brace_line(struct sq_sv v)
{
	for (size_t i = 1; i < v.n; i++) {
		if ((v.p[i] == '\n' || v.p[i] == '\0') &&
		    (v.p[i - 1] == '}' || sq_is_space(v.p[i - 1])))
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sq_sv in = { (const char *)data + 1, size - 1 };
	struct sum whole, pieces;

	if (size == 0)
		return 0;
	whole = feed(in, in.n ? in.n : 1);
	pieces = feed(in, data[0] % 32 + 1);
	if (!holds_brace_line(in)) {
		sq_assert(whole.records == pieces.records && whole.hash == pieces.hash);
		sq_assert(whole.oversized == pieces.oversized);
	}
	sq_assert(sq_frame_value_length(in) <= in.n);
	return 0;
}
