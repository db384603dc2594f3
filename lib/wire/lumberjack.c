/* Lumberjack: from bytes to events.
 *
 * Bytes that are not cut yet lie in one of three places, and are taken from there in this order:
 *
 *	carry    put aside: the beginning of a frame, or what had to leave the room; bytes are added
 *	         only until the frame at its front is whole
 *	fresh    in the caller's room, unpacked; bytes are added behind
 *	input    what came from the network, while no C frame is open
 */
#include "lib/wire/lumberjack.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/wire/lumberjack_private.h"

enum source { FROM_CARRY, FROM_FRESH, FROM_INPUT };

enum {
	PIECE = 64 * 1024, /* bytes unpacked at one time: what may have to be put aside */
	CARRY_KEEP = 1024, /* a carry buffer of so many bytes is kept between windows */
};

int sq_lumber_init(struct sq_lumber *l, struct sq_lumber_env *e)
{
	*l = (struct sq_lumber){ .env = e };
	l->ring = calloc(e->limits.max_windows, sizeof(*l->ring));
	return l->ring ? 0 : -ENOMEM;
}

static void give_unpack(struct sq_lumber *l)
{
	struct sq_lumber_env *e = l->env;

	if (e && l->unpack && e->n_idle < SQ_LEN(e->idle))
		e->idle[e->n_idle++] = l->unpack;
	else
		sq_unpack_free(l->unpack);
	l->unpack = NULL;
}

/* ---- what is put aside ---- */

static uint64_t charge(size_t cap)
{
	return cap > SQ_LUMBER_FREE ? cap - SQ_LUMBER_FREE : 0;
}

static void carry_free(struct sq_lumber *l)
{
	if (l->carry)
		l->env->unfinished -= charge(l->carry_cap);
	free(l->carry);
	l->carry = NULL;
	l->carry_at = l->carry_n = l->carry_cap = 0;
}

void sq_lumber_fini(struct sq_lumber *l)
{
	give_unpack(l);
	carry_free(l);
	free(l->ring);
	l->ring = NULL;
}

/* A few packed bytes may be the beginning of a long event, which whoever sends it never ends. */
static bool may_hold(const struct sq_lumber *l, size_t cap)
{
	const struct sq_lumber_env *e = l->env;
	uint64_t others = e->unfinished - charge(l->carry_cap);

	return !e->limits.max_unfinished || !charge(cap) ||
	       others + charge(cap) <= e->limits.max_unfinished;
}

/* Room for `n` bytes more. What was cut from the front makes room first. */
static int carry_reserve(struct sq_lumber *l, size_t n)
{
	size_t want, cap = l->carry_cap ? l->carry_cap : 512;
	char *p;

	l->carry_n -= l->carry_at;
	if (l->carry_at && l->carry_n)
		memmove(l->carry, l->carry + l->carry_at, l->carry_n);
	l->carry_at = 0;
	want = l->carry_n + n;
	if (want <= l->carry_cap)
		return 0;
	while (cap < want)
		cap *= 2;
	if (!may_hold(l, cap))
		return sq_lumber_fail(l, SQ_LUMBER_MAX_UNFINISHED);
	p = realloc(l->carry, cap);
	if (!p)
		return sq_lumber_fail(l, SQ_LUMBER_MEMORY);
	l->env->unfinished += charge(cap) - charge(l->carry_cap);
	l->carry = p;
	l->carry_cap = cap;
	return 0;
}

static int carry_add(struct sq_lumber *l, struct sq_sv v)
{
	if (carry_reserve(l, v.n) < 0)
		return -EPROTO;
	if (v.n)
		memcpy(l->carry + l->carry_n, v.p, v.n);
	l->carry_n += v.n;
	return 0;
}

/* Between windows a connection may be idle for hours: let go of a large buffer. */
static void carry_shrink(struct sq_lumber *l)
{
	if (l->carry_at < l->carry_n || l->carry_cap <= CARRY_KEEP)
		return;
	carry_free(l);
}

void sq_lumber_stash(struct sq_lumber *l)
{
	if (!l->fresh.n || l->fault)
		return;
	sq_assert(l->carry_at == l->carry_n);
	if (carry_add(l, l->fresh) < 0)
		return;
	if (l->from == FROM_FRESH)
		l->from = FROM_CARRY;
	l->fresh = (struct sq_sv){ NULL, 0 };
}

/* ---- unpacking ---- */

static int begin_packed(struct sq_lumber *l, uint32_t length)
{
	struct sq_lumber_env *e = l->env;
	const struct sq_unpack_limits limits = { e->limits.max_unpacked, e->limits.max_ratio };

	if (!length)
		return sq_lumber_fail(l, SQ_LUMBER_EMPTY);
	if (length > e->limits.max_frame)
		return sq_lumber_fail(l, SQ_LUMBER_MAX_FRAME);
	l->unpack = e->n_idle ? e->idle[--e->n_idle] : sq_unpack_new();
	if (!l->unpack || sq_unpack_begin(l->unpack, SQ_UNPACK_ZLIB, limits) < 0)
		return sq_lumber_fail(l, SQ_LUMBER_MEMORY);
	l->packed = true;
	l->unpacked = false;
	l->packed_left = length;
	return 0;
}

static int unpack_fault(struct sq_lumber *l, int error)
{
	switch (error) {
	case -EILSEQ:
		return sq_lumber_fail(l, SQ_LUMBER_TRAILING);
	case -EMSGSIZE:
		return sq_lumber_fail(l, SQ_LUMBER_MAX_UNPACKED);
	case -E2BIG:
		return sq_lumber_fail(l, SQ_LUMBER_MAX_RATIO);
	case -ENOMEM:
		return sq_lumber_fail(l, SQ_LUMBER_MEMORY);
	}
	return sq_lumber_fail(l, SQ_LUMBER_DAMAGED);
}

/* @return 1 with some bytes made, or none and `unpacked`; 0 more input is needed */
static int unpack_some(struct sq_lumber *l, struct sq_sv *in, char *to, size_t cap, size_t *made)
{
	struct sq_sv give = sq_sv_first(*in, l->packed_left);
	size_t used;
	int r = sq_unpack_run(l->unpack, give, &used, to, cap, made);

	*in = sq_sv_skip(*in, used);
	l->packed_left -= (uint32_t)used;
	if (r < 0)
		return unpack_fault(l, r);
	if (*made)
		return 1;
	if (l->packed_left)
		return 0;
	if (!sq_unpack_done(l->unpack))
		return sq_lumber_fail(l, SQ_LUMBER_TRUNCATED);
	l->unpacked = true;
	return 1;
}

/* Unpack into the room, behind what lies there. */
static int unpack_fresh(struct sq_lumber *l, struct sq_sv *in, char *room, size_t room_n)
{
	char *to = l->fresh.n ? room + (l->fresh.p - room) + l->fresh.n : room;
	size_t cap = (size_t)(room + room_n - to), made;
	int r;

	sq_dassert(to >= room && to <= room + room_n);
	if (cap < SQ_LUMBER_ROOM) {
		sq_lumber_stash(l);
		return l->fault ? -EPROTO : SQ_LUMBER_NEED_ROOM;
	}
	r = unpack_some(l, in, to, cap < PIECE ? cap : PIECE, &made);
	if (r <= 0)
		return r < 0 ? r : SQ_LUMBER_MORE;
	l->fresh = (struct sq_sv){ to - l->fresh.n, l->fresh.n + made };
	return -EAGAIN;
}

/* ---- bytes to where they are cut ---- */

/* Make the frame at the front of carry `want` bytes long. */
static int fill_carry(struct sq_lumber *l, struct sq_sv *in, size_t want)
{
	size_t lack = want - (l->carry_n - l->carry_at), made;
	struct sq_sv some;
	int r;

	if (!l->packed) {
		some = sq_sv_first(*in, lack);
		if (!some.n)
			return SQ_LUMBER_MORE;
		*in = sq_sv_skip(*in, some.n);
		return carry_add(l, some) < 0 ? -EPROTO : -EAGAIN;
	}
	/* No more is reserved than may come soon: a length alone costs its sender nothing. */
	if (lack > PIECE)
		lack = PIECE;
	if (carry_reserve(l, lack) < 0)
		return -EPROTO;
	r = unpack_some(l, in, l->carry + l->carry_n, lack, &made);
	if (r <= 0)
		return r < 0 ? r : SQ_LUMBER_MORE;
	l->carry_n += made;
	return -EAGAIN;
}

/* The frame in `v` wants to be `want` bytes long. @return -EAGAIN: look again */
static int fill(struct sq_lumber *l, struct sq_sv *in, char *room, size_t room_n, size_t want)
{
	if (l->unpacked)
		return sq_lumber_fail(l, SQ_LUMBER_SPLIT);
	if (l->from == FROM_CARRY)
		return fill_carry(l, in, want);
	if (l->from == FROM_FRESH)
		return unpack_fresh(l, in, room, room_n);
	if (in->n && carry_add(l, *in) < 0)
		return -EPROTO;
	*in = sq_sv_skip(*in, in->n);
	return SQ_LUMBER_MORE;
}

static struct sq_sv uncut(struct sq_lumber *l, struct sq_sv in)
{
	if (l->carry_at == l->carry_n && l->carry_cap > SQ_LUMBER_FREE)
		carry_free(l); /* the long event is through */
	if (l->carry_at < l->carry_n) {
		l->from = FROM_CARRY;
		return (struct sq_sv){ l->carry + l->carry_at, l->carry_n - l->carry_at };
	}
	if (l->packed) {
		l->from = FROM_FRESH;
		return l->fresh;
	}
	l->from = FROM_INPUT;
	return in;
}

static void drop(struct sq_lumber *l, struct sq_sv *in, size_t n)
{
	switch ((enum source)l->from) {
	case FROM_CARRY:
		l->carry_at += n;
		return;
	case FROM_FRESH:
		l->fresh = sq_sv_skip(l->fresh, n);
		return;
	case FROM_INPUT:
		*in = sq_sv_skip(*in, n);
		return;
	}
}

/* ---- events that are too long ---- */

/* Drop what there is of it. A D frame is dropped string by string. @return -EAGAIN: go on */
static int skip_some(struct sq_lumber *l, struct sq_sv *in, char *room, size_t room_n)
{
	struct sq_sv v = uncut(l, *in);
	size_t n;

	if (!v.n)
		return fill(l, in, room, room_n, 1);
	if (l->skip) {
		n = v.n < l->skip ? v.n : (size_t)l->skip;
		l->skip -= n;
		drop(l, in, n);
		return -EAGAIN;
	}
	l->length[l->n_length++] = (uint8_t)v.p[0];
	drop(l, in, 1);
	if (l->n_length < 4)
		return -EAGAIN;
	l->n_length = 0;
	l->skip = sq_lumber_u32((const char *)l->length);
	l->strings--;
	if (l->strings % 2 && l->skip > l->env->limits.max_key) /* a key: its value is to come */
		return sq_lumber_fail(l, SQ_LUMBER_MAX_KEY);
	if (l->skip > l->env->limits.max_frame)
		return sq_lumber_fail(l, SQ_LUMBER_MAX_FRAME);
	return -EAGAIN;
}

/* ---- frames ---- */

static int begin_window(struct sq_lumber *l, uint32_t count, char version)
{
	if (count > l->env->limits.max_window)
		return sq_lumber_fail(l, SQ_LUMBER_MAX_WINDOW);
	l->open = true;
	l->version = version;
	l->count = count;
	l->got = 0;
	l->seq = 0;
	l->v1_window = version == '1' ? count : 0;
	return 0;
}

static int end_packed(struct sq_lumber *l)
{
	l->packed = false;
	l->unpacked = false;
	l->fresh = (struct sq_sv){ NULL, 0 };
	give_unpack(l);
	return -EAGAIN;
}

static int end_window(struct sq_lumber *l, uint64_t now_ms)
{
	uint32_t max = l->env->limits.max_windows;

	sq_assert(l->ring_n < max);
	l->ring[(l->ring_at + l->ring_n) % max] =
		(struct sq_lumber_window){ .seq = l->seq, .version = l->version };
	l->ring_n++;
	l->open = false;
	if (!l->owing_ms)
		l->owing_ms = now_ms;
	carry_shrink(l);
	return SQ_LUMBER_WHOLE;
}

static void event_done(struct sq_lumber *l, struct sq_sv *in)
{
	drop(l, in, l->frame);
	l->got++;
	l->seq = l->frame_seq;
	l->frame = 0;
}

void sq_lumber_taken(struct sq_lumber *l, struct sq_sv *in)
{
	sq_assert(l->frame);
	event_done(l, in);
}

/* An event whose frame is whole, or whose head is and the rest is too long. */
static int event(struct sq_lumber *l, struct sq_sv *in, struct sq_sv v,
                 const struct sq_lumber_frame *f, struct sq_sv *ret)
{
	bool fits = !f->oversized;

	l->frame = f->length;
	l->frame_seq = f->number;
	if (fits && f->type == 'J')
		*ret = (struct sq_sv){ v.p + SQ_LUMBER_HEAD, f->body };
	else if (fits)
		fits = sq_lumber_pairs(l->env, sq_sv_first(v, f->length), f->pairs, ret) > 0;
	if (!fits) {
		event_done(l, in);
		if (f->oversized && f->type == 'J')
			l->skip = f->body;
		else if (f->oversized)
			l->strings = 2 * f->pairs;
		return SQ_LUMBER_OVERSIZED;
	}
	l->in_place = l->from == FROM_FRESH && ret->p >= v.p && ret->p < v.p + f->length;
	if (!l->in_place) {
		sq_lumber_stash(l); /* the caller may copy it to where the rest lies now */
		return l->fault ? -EPROTO : SQ_LUMBER_RECORD;
	}
	return SQ_LUMBER_RECORD;
}

static int frame(struct sq_lumber *l, struct sq_sv *in, char *room, size_t room_n,
                 struct sq_sv *ret)
{
	struct sq_sv v = uncut(l, *in);
	struct sq_lumber_frame f;
	int r;

	if (!v.n && l->unpacked)
		return end_packed(l);
	r = sq_lumber_parse(l, v, l->packed, &f);
	if (r < 0)
		return r;
	if (!r)
		return fill(l, in, room, room_n, f.length);
	if (!l->open && l->ring_n == l->env->limits.max_windows)
		return SQ_LUMBER_FULL;
	if (!l->open && begin_window(l, f.type == 'W' ? f.number : l->v1_window,
	                             f.type == 'W' ? f.version : '1') < 0)
		return -EPROTO;
	switch (f.type) {
	case 'W':
		drop(l, in, f.length);
		return -EAGAIN;
	case 'C':
		drop(l, in, f.length);
		return begin_packed(l, f.number) < 0 ? -EPROTO : -EAGAIN;
	}
	return event(l, in, v, &f, ret);
}

int sq_lumber_next(struct sq_lumber *l, struct sq_sv *in, char *room, size_t room_n,
                   uint64_t now_ms, struct sq_sv *ret_rec)
{
	int r = -EAGAIN;

	while (r == -EAGAIN) {
		if (l->fault)
			return -EPROTO;
		if (l->skip || l->strings)
			r = skip_some(l, in, room, room_n);
		else if (l->open && l->got == l->count && !l->packed)
			r = end_window(l, now_ms);
		else
			r = frame(l, in, room, room_n, ret_rec);
	}
	return r;
}
