/* A stream of a Lumberjack client, in pieces: never more acknowledgements than windows, in order,
 * and every event comes out the same as when the stream comes whole.
 *
 * The first byte says how the stream is cut and how large the room is. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/wire/lumberjack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 40000 };

static const struct sq_lumber_limits limits = { .max_window = 200,
	                                        .max_windows = 3,
	                                        .max_frame = 100000,
	                                        .max_record = 20000,
	                                        .max_unpacked = 300000,
	                                        .max_ratio = 900,
	                                        .max_pairs = 20,
	                                        .max_key = 50,
	                                        .keepalive_ms = 5000,
	                                        .max_unacked_ms = 300000,
	                                        .max_silence_ms = 60000 };

struct outcome {
	enum sq_lumber_fault fault;
	unsigned records, oversized, windows, acked;
	uint64_t hash;
};

struct reader {
	struct sq_lumber l;
	char *room;
	size_t tail;
	struct outcome o;
};

static void give_room(struct reader *r)
{
	sq_lumber_stash(&r->l);
	free(r->room);
	r->room = malloc(ROOM);
	r->tail = 0;
}

static void settle(struct reader *r)
{
	char acks[12];
	unsigned windows;
	size_t n;

	sq_lumber_settle(&r->l, sq_lumber_last(&r->l));
	n = sq_lumber_acks(&r->l, 1, acks, sizeof(acks), &windows);
	sq_assert(n == windows * SQ_LUMBER_ACK);
	r->o.acked += windows;
	sq_assert(r->o.acked <= r->o.windows);
}

static bool take_all(struct reader *r, struct sq_sv in)
{
	struct sq_sv rec;
	int got;

	while ((got = sq_lumber_next(&r->l, &in, r->room + r->tail, ROOM - r->tail, 1, &rec)) > 0) {
		switch ((enum sq_lumber_got)got) {
		case SQ_LUMBER_MORE:
			break;
		case SQ_LUMBER_NEED_ROOM:
			give_room(r);
			break;
		case SQ_LUMBER_RECORD:
			sq_assert(rec.n <= limits.max_record);
			r->o.hash = r->o.hash * 31 + sq_sv_hash(rec);
			r->o.records++;
			if (r->l.in_place)
				r->tail = (size_t)(rec.p + rec.n - r->room);
			sq_lumber_taken(&r->l, &in);
			break;
		case SQ_LUMBER_OVERSIZED:
			r->o.oversized++;
			break;
		case SQ_LUMBER_WHOLE:
			r->o.windows++;
			settle(r);
			break;
		case SQ_LUMBER_FULL:
			abort(); /* all are settled at once */
		}
	}
	sq_assert(got < 0 || in.n == 0);
	give_room(r);
	return got == 0;
}

static struct outcome read_stream(struct sq_lumber_env *e, struct sq_sv all, size_t piece)
{
	struct reader r = { 0 };

	sq_assert(sq_lumber_init(&r.l, e) == 0);
	give_room(&r);
	while (all.n) {
		struct sq_sv part = sq_sv_first(all, piece);
		char *p = malloc(part.n); /* of its own, so that ASan sees one byte too many */
		bool more;

		memcpy(p, part.p, part.n);
		more = take_all(&r, (struct sq_sv){ p, part.n });
		free(p);
		if (!more)
			break;
		all = sq_sv_skip(all, part.n);
	}
	sq_assert(r.o.acked == r.o.windows);
	r.o.fault = r.l.fault;
	sq_lumber_fini(&r.l);
	free(r.room);
	return r.o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sq_sv in = { (const char *)data + 1, size ? size - 1 : 0 };
	struct sq_lumber_env *e;
	struct outcome whole, cut;

	if (!size)
		return 0;
	e = sq_lumber_env_new(&limits);
	sq_assert(e);
	whole = read_stream(e, in, SIZE_MAX);
	cut = read_stream(e, in, 1 + data[0] % 64);
	sq_lumber_env_free(e);
	/* What is unpacked together with a fault is not handed out. */
	sq_assert((whole.fault == SQ_LUMBER_OK) == (cut.fault == SQ_LUMBER_OK));
	if (whole.fault == SQ_LUMBER_OK) {
		sq_assert(whole.records == cut.records && whole.hash == cut.hash);
		sq_assert(whole.windows == cut.windows && whole.oversized == cut.oversized);
	}
	return 0;
}
