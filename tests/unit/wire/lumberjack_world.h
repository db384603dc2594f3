/* A caller of the state machine of Lumberjack, with small limits, for its tests. */
#pragma once

#include "tests/support/lumber.h"

#include <errno.h>

#include "lib/wire/lumberjack_private.h"

/* Small, so that every one of them is met. */
static const struct sq_lumber_limits small = {
	.max_window = 100,
	.max_windows = 3,
	.max_frame = 40000,
	.max_record = 20000,
	.max_unpacked = 200000,
	.max_ratio = 150,
	.max_pairs = 8,
	.max_key = 16,
	.keepalive_ms = 5000,
	.max_unacked_ms = 300000,
	.max_silence_ms = 60000,
};

enum { ROOM = SQ_LUMBER_ROOM + 10000, RECORDS_MAX = 1000 };

/* A caller: the room is a heap block of its own, as a batch is, and is given up when it is full, or
 * after `per_room` records. */
struct world {
	struct sq_lumber_env *env;
	struct sq_lumber l;
	char *room;
	size_t tail, room_n;
	unsigned per_room, in_room;
	bool keep; /* windows are not settled by themselves */
	bool fast; /* one room for all, and records are compared with `lines`, not kept */
	struct sq_sv lines;
	uint64_t now;
	struct sq_outbuf acks;
	char *records[RECORDS_MAX];
	unsigned n, oversized, whole, full, places;
};

static inline void new_room(struct world *w)
{
	sq_lumber_stash(&w->l);
	if (!w->fast) {
		free(w->room);
		w->room = malloc(w->room_n);
	}
	w->tail = 0;
	w->in_room = 0;
}

static inline struct world *open_world(const struct sq_lumber_limits *limits)
{
	struct world *w = calloc(1, sizeof(*w));

	w->env = sq_lumber_env_new(limits);
	assert_int_equal(sq_lumber_init(&w->l, w->env), 0);
	w->room_n = ROOM;
	w->now = 1000;
	w->acks = wire_new();
	new_room(w);
	return w;
}

static inline void forget_records(struct world *w)
{
	for (unsigned i = 0; i < w->n; i++)
		free(w->records[i]);
	w->n = w->whole = w->oversized = 0;
	sq_outbuf_reset(&w->acks);
}

static inline void close_world(struct world *w)
{
	forget_records(w);
	sq_lumber_fini(&w->l);
	sq_lumber_env_free(w->env);
	sq_outbuf_fini(&w->acks);
	free(w->room);
	free(w);
}

static inline void send_acks(struct world *w)
{
	char to[64];
	unsigned windows;
	size_t n = sq_lumber_acks(&w->l, w->now, to, sizeof(to), &windows);

	assert_int_equal(n, windows * SQ_LUMBER_ACK);
	sq_outbuf_put(&w->acks, (struct sq_sv){ to, n });
}

static inline void keep_record(struct world *w, struct sq_sv rec, struct sq_sv *in)
{
	assert_true(w->n < RECORDS_MAX);
	if (w->l.in_place) {
		assert_true(rec.p >= w->room + w->tail);
		assert_true(rec.p + rec.n <= w->room + w->room_n);
		w->tail = (size_t)(rec.p + rec.n - w->room);
		w->places++;
	}
	if (w->fast) {
		assert_sv_equal(rec, sq_sv_cut(&w->lines, '\n'));
		w->records[w->n++] = NULL;
	} else {
		w->records[w->n] = malloc(rec.n + 1);
		memcpy(w->records[w->n], rec.p, rec.n);
		w->records[w->n++][rec.n] = '\0';
	}
	if (!w->l.in_place && w->room_n - w->tail >= rec.n) { /* as a caller may */
		memset(w->room + w->tail, 'x', rec.n);
		w->tail += rec.n;
	}
	sq_lumber_taken(&w->l, in);
	if (w->per_room && ++w->in_room == w->per_room)
		new_room(w);
}

/* @return 0, or -EPROTO */
static inline int run(struct world *w, struct sq_sv *in)
{
	struct sq_sv rec;

	for (;;) {
		int r = sq_lumber_next(&w->l, in, w->room + w->tail, w->room_n - w->tail, w->now,
		                       &rec);

		if (r < 0)
			return r;
		switch ((enum sq_lumber_got)r) {
		case SQ_LUMBER_MORE:
			assert_int_equal(in->n, 0);
			new_room(w);
			return 0;
		case SQ_LUMBER_NEED_ROOM:
			new_room(w);
			continue;
		case SQ_LUMBER_RECORD:
			keep_record(w, rec, in);
			continue;
		case SQ_LUMBER_OVERSIZED:
			w->oversized++;
			continue;
		case SQ_LUMBER_WHOLE:
			w->whole++;
			if (w->keep)
				continue;
			sq_lumber_settle(&w->l, sq_lumber_last(&w->l));
			send_acks(w);
			continue;
		case SQ_LUMBER_FULL:
			w->full++;
			return 0;
		}
	}
}

/* In pieces, each a block of its own. */
static inline int feed(struct world *w, struct sq_sv all, size_t piece)
{
	while (all.n) {
		struct sq_sv part = sq_sv_first(all, piece);
		char *p = exact(part.p, part.n);
		struct sq_sv in = { p, part.n };
		int r = run(w, &in);

		if (r == 0)
			assert_int_equal(in.n, 0);
		free(p);
		if (r < 0)
			return r;
		all = sq_sv_skip(all, part.n);
	}
	return 0;
}

static inline void expect_numbers(const struct world *w, unsigned n)
{
	assert_int_equal(w->n, n);
	for (unsigned i = 0; i < n; i++) {
		char want[32];

		(void)snprintf(want, sizeof(want), "{\"n\":%u}", i);
		assert_string_equal(w->records[i], want);
	}
}

static inline void expect_acks(const struct world *w, const char *acks, size_t n)
{
	assert_int_equal(w->acks.len, n);
	if (n)
		assert_memory_equal(w->acks.p, acks, n);
}

static inline void window_of_two(struct sq_outbuf *b)
{
	wire_head(b, "2W", 2);
	wire_json(b, "2J", 1, SQ_SV("{}"));
}
