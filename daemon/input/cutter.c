#include "daemon/input/cutter.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/input/put.h"

enum {
	SMALL = 16 * 1024,      /* bytes of carry that are put in front of the next bytes */
	CARRY_KEPT = 64 * 1024, /* a larger buffer is given back when little is in it */
};

/* ---- carry ------------------------------------------------------------------------------- */

static void carry_free(struct sqd_cutter *k)
{
	free(k->carry);
	k->carry = NULL;
	k->len = k->cap = k->held = 0;
}

/* Room for `need` bytes in all; keeps what is there. */
static int carry_grow(struct sqd_cutter *k, size_t need)
{
	size_t cap = k->cap ? k->cap : 1024;
	char *p;

	if (need <= k->cap)
		return 0;
	while (cap < need)
		cap *= 2;
	p = realloc(k->carry, cap);
	if (!p)
		return -ENOMEM;
	k->carry = p;
	k->cap = cap;
	return 0;
}

/* `rest` (in a chunk) becomes all that carry holds. */
static int carry_set(struct sqd_cutter *k, struct sq_sv rest)
{
	if (rest.n == 0 || (k->cap > CARRY_KEPT && rest.n <= SMALL))
		carry_free(k);
	if (rest.n == 0)
		return 0;
	if (carry_grow(k, rest.n) < 0)
		return -ENOMEM;
	memcpy(k->carry, rest.p, rest.n);
	k->len = rest.n;
	return 0;
}

/* `rest` is the end of what carry holds: move it to the front. */
static void carry_cut(struct sqd_cutter *k, struct sq_sv rest)
{
	char *p;

	if (rest.n == 0) {
		carry_free(k);
		return;
	}
	if (rest.p != k->carry) /* a record that comes byte by byte is not moved for each */
		memmove(k->carry, rest.p, rest.n);
	k->len = rest.n;
	if (k->cap <= CARRY_KEPT || rest.n > SMALL)
		return;
	p = realloc(k->carry, SMALL);
	if (p) {
		k->carry = p;
		k->cap = SMALL;
	}
}

/* What was being put aside is the beginning of one record, to be sure. */
static int no_memory(struct sqd_cutter *k)
{
	k->in->counts->received++;
	k->in->counts->dropped_pressure++;
	sqd_cutter_reset(k);
	return -ENOMEM;
}

/* ---- records ----------------------------------------------------------------------------- */

/* The next record at the front of `in`, which is cut. As the framer, less -EMSGSIZE. */
static int next(struct sqd_cutter *k, struct sq_sv *in, bool eof, struct sq_sv *ret_rec)
{
	size_t used;
	int r;

	do {
		r = k->next(k->framer, *in, eof, &used, ret_rec);
		*in = sq_sv_skip(*in, used);
		if (r == -EMSGSIZE) {
			k->oversized++;
			k->in->counts->received++;
			k->in->counts->oversized++;
		}
	} while (r == -EMSGSIZE);
	return r;
}

/* Cut what is in carry; records are copied into the batch. */
static int drain(struct sqd_cutter *k)
{
	struct sq_sv in = { k->carry, k->len }, rec = { 0 };
	size_t held = k->held;
	int r;

	for (;;) {
		r = 1;
		if (held) {
			rec = sq_sv_first(in, held);
			in = sq_sv_skip(in, held);
			held = 0;
		} else {
			r = next(k, &in, k->ended, &rec);
		}
		if (r != 1)
			break;
		if (sqd_input_put(k->in, k->receipt, k->peer, rec) == 0) {
			k->records++;
			continue;
		}
		/* The framer has let go of this record; it stays in front of the rest. */
		memmove(k->carry, rec.p, rec.n);
		memmove(k->carry + rec.n, in.p, in.n);
		k->len = rec.n + in.n;
		k->held = rec.n;
		k->pending = true;
		return -EAGAIN;
	}
	k->held = 0;
	k->pending = false;
	if (r == 0)
		carry_cut(k, in);
	else
		sqd_cutter_reset(k);
	return r;
}

/* Records of `in`, which lies in the chunk of the open batch, as far as there is room for them.
 * @return as next(); 1: the batch is full */
static int cut_records(struct sqd_cutter *k, struct sq_batch *b, struct sq_sv *in)
{
	struct sq_sv rec = { 0 };
	uint32_t before = b->n_records, n;
	int r = 1, origin = -1;

	/* One origin for all of them: it is looked for once. */
	while (origin < 0 ? !sqd_input_full(b) : b->n_records < b->limits.records) {
		r = next(k, in, false, &rec);
		if (r != 1)
			break;
		if (origin < 0)
			origin = sqd_input_origin(k->in, b, k->receipt, k->peer);
		sq_assert(origin >= 0 && rec.p >= b->chunk + b->tail);
		if (sq_batch_add(b, (uint32_t)origin, rec) < 0)
			sq_assert(false); /* the loop saw to it */
	}
	n = b->n_records - before;
	if (!n)
		return r;
	b->tail = (uint32_t)(rec.p + rec.n - b->chunk);
	sqd_receipt_owe(k->receipt, n);
	k->in->counts->received += n;
	k->records += n;
	return r;
}

/* Nearly all that comes is whole lines of objects, of which hardly one is kept: those are cut and
 * sifted in one pass. They are cut from `in`. */
static void cut_lines(struct sqd_cutter *k, struct sq_batch *b, struct sq_sv *in)
{
	const char *last = k->lines ? memrchr(in->p, '\n', in->n) : NULL;
	uint32_t origins = b->n_origins, n;
	struct sq_sv text = { in->p, 0 };
	int origin;

	if (!last || !sq_frame_is_in_line(k->lines) || sqd_input_full(b))
		return;
	text.n = (size_t)(last + 1 - in->p);
	origin = sqd_input_origin(k->in, b, k->receipt, k->peer);
	if (origin < 0)
		return;
	if (!sqd_dispatch_lines(k->in->dispatch, (uint32_t)origin, text, k->lines->max_record,
	                        &n)) {
		b->n_origins = origins; /* nothing is owed to it */
		return;
	}
	*k->lines = sq_frame_between(k->lines->max_record);
	*in = sq_sv_skip(*in, text.n);
	sqd_receipt_owe(k->receipt, n);
	k->in->counts->received += n;
	k->records += n;
}

/* Cut `n` bytes at the tail of the open batch, where they lie. */
static int cut_in_place(struct sqd_cutter *k, struct sq_batch *b, size_t n)
{
	struct sq_sv in = { b->chunk + b->tail, n };
	int r;

	cut_lines(k, b, &in); /* the framer goes on behind them, or cuts all */
	r = cut_records(k, b, &in);
	if (r < 0) {
		sqd_cutter_reset(k);
		return r;
	}
	/* Before the batch may be handed on: the rest lies in its chunk. */
	if (carry_set(k, in) < 0)
		return no_memory(k);
	return r == 1 && in.n ? drain(k) : 0;
}

int sqd_cutter_room(struct sqd_cutter *k, struct sqd_room *ret)
{
	struct sq_batch *b;

	sq_assert(!k->pending);
	k->into_carry = k->len > SMALL;
	if (k->into_carry) {
		if (carry_grow(k, k->len + SQD_CUTTER_ROOM) < 0)
			return no_memory(k);
		*ret = (struct sqd_room){ k->carry + k->len, SQD_CUTTER_ROOM };
		return 0;
	}
	sqd_dispatch_sift(k->in->dispatch);
	b = sqd_dispatch_open(k->in->dispatch, k->len + SQD_CUTTER_ROOM);
	if (!b)
		return -EAGAIN;
	*ret = (struct sqd_room){ b->chunk + b->tail + k->len, sq_batch_room(b) - k->len };
	return 0;
}

int sqd_cutter_cut(struct sqd_cutter *k, size_t n)
{
	struct sq_batch *b;

	if (k->into_carry) {
		k->len += n;
		return drain(k);
	}
	/* The same batch as when room was asked for: nothing ran in between. */
	b = sqd_dispatch_open(k->in->dispatch, k->len + n);
	sq_assert(b);
	if (k->len)
		memcpy(b->chunk + b->tail, k->carry, k->len);
	return cut_in_place(k, b, k->len + n);
}

int sqd_cutter_put(struct sqd_cutter *k, struct sq_sv bytes)
{
	struct sqd_room room = { 0 };
	int r = k->pending ? -EAGAIN : 0;

	while (bytes.n && !r) {
		r = sqd_cutter_room(k, &room);
		if (r)
			break;
		if (room.n > bytes.n)
			room.n = bytes.n;
		memcpy(room.p, bytes.p, room.n);
		bytes = sq_sv_skip(bytes, room.n);
		r = sqd_cutter_cut(k, room.n);
	}
	if (r != -EAGAIN || !bytes.n)
		return r;
	if (carry_grow(k, k->len + bytes.n) < 0)
		return no_memory(k);
	memcpy(k->carry + k->len, bytes.p, bytes.n);
	k->len += bytes.n;
	k->pending = true;
	return -EAGAIN;
}

int sqd_cutter_end(struct sqd_cutter *k)
{
	k->ended = true;
	return drain(k);
}

int sqd_cutter_resume(struct sqd_cutter *k)
{
	return k->pending ? drain(k) : 0;
}

void sqd_cutter_lose(struct sqd_cutter *k)
{
	struct sq_sv in = { k->carry, k->len }, rec;
	uint64_t n = k->held ? 1 : 0;

	in = sq_sv_skip(in, k->held);
	while (in.n && next(k, &in, true, &rec) == 1)
		n++;
	k->in->counts->received += n;
	k->in->counts->dropped_shutdown += n;
	sqd_cutter_reset(k);
}

void sqd_cutter_reset(struct sqd_cutter *k)
{
	carry_free(k);
	k->pending = k->ended = k->into_carry = false;
}
