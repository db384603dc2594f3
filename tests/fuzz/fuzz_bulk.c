/* First byte: how the rest is cut, and whether names are kept. However it is cut: the same
 * documents, the same answer, one item for each action; no document is too long; what is held is
 * bounded. HEC's framer and its questions get the same bytes.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/wire/bulk.h"
#include "lib/wire/hec.h"

enum { MAX_RECORD = 64, MAX_ITEMS = 50 };

struct sum {
	uint64_t hash;
	size_t records;
	uint32_t items;
	int error;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take(struct sq_bulk *b, struct sq_sv *held, bool eof, struct sum *sum)
{
	int r;

	do {
		char *copy = malloc(held->n ? held->n : 1);
		struct sq_sv rec = { 0 };
		size_t used = SIZE_MAX;

		sq_assert(copy);
		if (held->n)
			memcpy(copy, held->p, held->n);
		r = sq_bulk_next(b, (struct sq_sv){ copy, held->n }, eof, &used, &rec);
		sq_assert(used <= held->n);
		if (r == 1) {
			sq_assert(rec.n > 0 && rec.n <= MAX_RECORD);
			sq_assert(rec.p >= copy && rec.p + rec.n <= copy + used);
			sum->hash = sum->hash * 31 + sq_sv_hash(rec);
			sum->records++;
		}
		sq_assert(r <= 0 || used > 0);
		*held = sq_sv_skip(*held, used);
		free(copy);
	} while (r == 1 || r == -EMSGSIZE);
	sq_assert(r < 0 || held->n <= SQ_BULK_ACTION_MAX + 1);
	return r;
}

static struct sum feed(struct sq_sv in, size_t step, bool brief, struct sq_outbuf *answer)
{
	const struct sq_bulk_limits limits = { MAX_RECORD, MAX_ITEMS, 4096 };
	struct sum sum = { 0 };
	struct sq_sv held = { in.p, 0 };
	struct sq_bulk b;

	sq_bulk_init(&b, &limits);
	b.brief = brief;
	for (size_t at = 0; at < in.n && !sum.error;) {
		at = in.n - at < step ? in.n : at + step;
		held.n = (size_t)(in.p + at - held.p);
		sum.error = take(&b, &held, false, &sum);
	}
	if (!sum.error)
		sum.error = take(&b, &held, true, &sum);
	sq_assert(b.items <= MAX_ITEMS && b.errors <= b.items && sum.records <= b.items);
	sum.items = b.items;
	sq_assert(sq_bulk_answer(&b, 1, answer));
	sq_bulk_fini(&b);
	return sum;
}

static void feed_hec(struct sq_sv in)
{
	struct sq_hec h = { .frame = sq_frame_of(MAX_RECORD) };
	struct sq_sv rec, question = in;
	bool began = false;
	uint64_t id;
	size_t used;
	int r;

	do {
		r = sq_hec_next(&h, in, true, &used, &rec);
		in = sq_sv_skip(in, used);
	} while (r == 1 || r == -EMSGSIZE);
	sq_assert(h.code == SQ_HEC_SUCCESS || h.wrong < h.events);
	while (sq_hec_ack_next(&question, &began, &id) == 1)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sq_sv in = { (const char *)data + 1, size - 1 };
	struct sq_outbuf a = sq_outbuf_of(64 * 1024), b = sq_outbuf_of(64 * 1024);
	struct sum whole, pieces;

	if (size == 0)
		return 0;
	whole = feed(in, in.n ? in.n : 1, data[0] & 1, &a);
	pieces = feed(in, data[0] / 2 % 32 + 1, data[0] & 1, &b);
	sq_assert(whole.error == pieces.error && whole.items == pieces.items);
	sq_assert(whole.records == pieces.records && whole.hash == pieces.hash);
	sq_assert(sq_sv_eq(sq_outbuf_view(&a), sq_outbuf_view(&b)));
	sq_outbuf_fini(&a);
	sq_outbuf_fini(&b);
	feed_hec(in);
	return 0;
}
