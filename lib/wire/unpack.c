#include "lib/wire/unpack.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "lib/wire/gzip_header.h"

enum {
	AHEAD_MAX = 8, /* bytes that the inflater may have taken past the end of a member */
	ZSTD_WINDOW_LOG = 23,
};

_Static_assert(1 << ZSTD_WINDOW_LOG == SQ_UNPACK_ZSTD_WINDOW, "one limit, written twice");

struct sq_unpack {
	struct inflate_state *inflater;
	ZSTD_DCtx *zstd;
	struct sq_unpack_limits limits;
	uint64_t used, made;
	enum sq_unpack_kind kind;
	struct sq_gzip_header header;
	int error;
	bool whole;   /* a member has ended and none has begun since */
	bool inside;  /* a member has begun */
	bool settled; /* gzip: the header is over; else its two bytes, or those of a stream without,
	               * were seen */
	bool drained; /* nothing waits inside for room */
	uint8_t n_ahead, n_last;
	uint8_t ahead[AHEAD_MAX]; /* bytes to read before those of the caller */
	uint8_t last[AHEAD_MAX];  /* the last bytes given to the inflater, newest at the end */
};

struct sq_unpack *sq_unpack_new(void)
{
	return calloc(1, sizeof(struct sq_unpack));
}

void sq_unpack_free(struct sq_unpack *u)
{
	if (!u)
		return;
	free(u->inflater);
	ZSTD_freeDCtx(u->zstd);
	free(u);
}

static int begin_zstd(struct sq_unpack *u)
{
	size_t r;

	if (!u->zstd)
		u->zstd = ZSTD_createDCtx();
	if (!u->zstd)
		return -ENOMEM;
	(void)ZSTD_DCtx_reset(u->zstd, ZSTD_reset_session_only); /* cannot fail for a session */
	r = ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
	sq_assert(!ZSTD_isError(r));
	return 0;
}

/* What stands around the deflated bytes that the inflater gets. */
static uint32_t wrapping(enum sq_unpack_kind kind)
{
	return kind == SQ_UNPACK_GZIP ? ISAL_GZIP_NO_HDR_VER : ISAL_ZLIB;
}

static int begin_inflate(struct sq_unpack *u)
{
	if (!u->inflater)
		u->inflater = malloc(sizeof(*u->inflater));
	if (!u->inflater)
		return -ENOMEM;
	isal_inflate_init(u->inflater);
	u->inflater->crc_flag = wrapping(u->kind);
	return 0;
}

int sq_unpack_begin(struct sq_unpack *u, enum sq_unpack_kind kind, struct sq_unpack_limits limits)
{
	*u = (struct sq_unpack){ .inflater = u->inflater,
		                 .zstd = u->zstd,
		                 .limits = limits,
		                 .kind = kind,
		                 .drained = true };
	return kind == SQ_UNPACK_ZSTD ? begin_zstd(u) : begin_inflate(u);
}

/* What the inflater was given is remembered by its last bytes: when a member ends, it may have read
 * on into what follows, even in an earlier call. */
static void remember(struct sq_unpack *u, struct sq_sv given)
{
	size_t keep;

	if (given.n >= AHEAD_MAX) {
		memcpy(u->last, given.p + given.n - AHEAD_MAX, AHEAD_MAX);
		u->n_last = AHEAD_MAX;
		return;
	}
	keep = u->n_last < AHEAD_MAX - given.n ? u->n_last : AHEAD_MAX - given.n;
	memmove(u->last, u->last + u->n_last - keep, keep);
	memcpy(u->last + keep, given.p, given.n);
	u->n_last = (uint8_t)(keep + given.n);
}

/* A member has ended and `left` bytes are not part of it; `given` is what this call gave. */
static void end_member(struct sq_unpack *u, struct sq_sv *in, struct sq_sv given, size_t left)
{
	size_t back = left > given.n ? left - given.n : 0;

	sq_assert(back <= u->n_last);
	memcpy(u->ahead, u->last + u->n_last - back, back);
	u->n_ahead = (uint8_t)back;
	*in = sq_sv_skip(*in, given.n - (left - back));
	u->n_last = 0;
	u->inside = false;
	u->whole = true;
	u->header = (struct sq_gzip_header){ 0 };
	u->settled = u->kind != SQ_UNPACK_GZIP;
	isal_inflate_reset(u->inflater);
	u->inflater->crc_flag = wrapping(u->kind);
}

/* A run of the inflater over `*in`, which is either what lies ahead or what the caller gave. */
static int inflate_some(struct sq_unpack *u, struct sq_sv *in, char *to, size_t cap, size_t *made)
{
	struct sq_sv given = sq_sv_first(*in, UINT32_MAX / 2);
	struct inflate_state *s = u->inflater;
	uint32_t room = cap > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)cap;
	int r;

	s->next_in = (uint8_t *)(uintptr_t)given.p;
	s->avail_in = (uint32_t)given.n;
	s->next_out = (uint8_t *)to;
	s->avail_out = room;
	u->inside = true;
	u->whole = false;
	r = isal_inflate(s);
	*made = room - s->avail_out;
	if (r < 0 || r == ISAL_NEED_DICT)
		return -EBADMSG;
	u->drained = s->avail_out > 0 || s->block_state == ISAL_BLOCK_FINISH;
	if (s->block_state == ISAL_BLOCK_FINISH) {
		/* Versions before 2.32 leave in their bit buffer what they took too much. */
		end_member(u, in, given, s->avail_in + (size_t)s->read_in_length / 8);
		return 0;
	}
	given.n -= s->avail_in;
	remember(u, given);
	*in = sq_sv_skip(*in, given.n);
	return 0;
}

/* HTTP's "deflate" means zlib, but some senders leave its header out. Two bytes tell: a zlib header
 * is a multiple of 31 and names method 8, which as the beginning of a bare stream would be a stored
 * block with padding that nobody writes. A header that asks for a dictionary is refused here: the
 * inflater would notice only when it got the header in one piece.
 * @return 1 seen, 0 more bytes are needed, -EBADMSG */
static int settle(struct sq_unpack *u, struct sq_sv *in)
{
	enum { DICTIONARY = 0x20 };

	while (u->n_ahead < 2 && in->n) {
		u->ahead[u->n_ahead++] = (uint8_t)in->p[0];
		*in = sq_sv_skip(*in, 1);
	}
	if (u->n_ahead < 2)
		return 0;
	if (u->kind == SQ_UNPACK_DEFLATE &&
	    ((u->ahead[0] & 15) != 8 || (u->ahead[0] << 8 | u->ahead[1]) % 31))
		u->inflater->crc_flag = ISAL_DEFLATE;
	else if (u->ahead[1] & DICTIONARY)
		return -EBADMSG;
	u->settled = true;
	return 1;
}

/* @return 1 it is over, 0 more bytes are needed, -EBADMSG */
static int skip_header(struct sq_unpack *u, struct sq_sv *in)
{
	struct sq_sv ahead = { (const char *)u->ahead, u->n_ahead };
	size_t used;
	int r = sq_gzip_header_run(&u->header, ahead, &used);

	u->whole = false;
	u->n_ahead = (uint8_t)(u->n_ahead - used);
	memmove(u->ahead, u->ahead + used, u->n_ahead);
	if (r == 0) {
		r = sq_gzip_header_run(&u->header, *in, &used);
		*in = sq_sv_skip(*in, used);
	}
	u->settled = r == 1;
	return r;
}

static int step_inflate(struct sq_unpack *u, struct sq_sv *in, char *to, size_t cap, size_t *made)
{
	uint8_t bytes[AHEAD_MAX];
	struct sq_sv ahead = { (const char *)bytes, 0 };
	int r;

	*made = 0;
	if (u->whole) {
		uint8_t next = u->n_ahead ? u->ahead[0] : in->n ? (uint8_t)in->p[0] : 0;

		if (!u->n_ahead && !in->n)
			return 0;
		if (u->kind != SQ_UNPACK_GZIP || next != 0x1f)
			return -EILSEQ;
	}
	if (!u->settled) {
		u->inside = u->inside || u->n_ahead || in->n;
		r = u->kind == SQ_UNPACK_GZIP ? skip_header(u, in) : settle(u, in);
		if (r <= 0)
			return r;
	}
	ahead.n = u->n_ahead;
	if (!ahead.n)
		return inflate_some(u, in, to, cap, made);

	memcpy(bytes, u->ahead, ahead.n);
	u->n_ahead = 0;
	r = inflate_some(u, &ahead, to, cap, made);
	if (r == 0 && ahead.n) { /* room was full, or a member ended, before all was taken */
		memcpy(u->ahead + u->n_ahead, ahead.p, ahead.n);
		u->n_ahead = (uint8_t)(u->n_ahead + ahead.n);
	}
	return r;
}

static int step_zstd(struct sq_unpack *u, struct sq_sv *in, char *to, size_t cap, size_t *made)
{
	ZSTD_inBuffer from = { in->p, in->n, 0 };
	ZSTD_outBuffer out = { to, cap, 0 };
	bool was_whole = u->whole;
	size_t r;

	if (!in->n && (u->whole || !u->inside)) {
		*made = 0;
		return 0;
	}
	u->inside = true;
	u->whole = false;
	r = ZSTD_decompressStream(u->zstd, &out, &from);
	*made = out.pos;
	if (ZSTD_isError(r)) {
		switch ((int)ZSTD_getErrorCode(r)) {
		case ZSTD_error_memory_allocation:
			return -ENOMEM;
		case ZSTD_error_frameParameter_windowTooLarge:
			return -E2BIG;
		case ZSTD_error_prefix_unknown:
			return was_whole ? -EILSEQ : -EBADMSG;
		}
		return -EBADMSG;
	}
	*in = sq_sv_skip(*in, from.pos);
	u->drained = r == 0 || out.pos < cap;
	u->whole = r == 0;
	u->inside = r != 0;
	return 0;
}

/* One step, its output within both limits. */
static int step(struct sq_unpack *u, struct sq_sv *in, char *to, size_t cap, size_t *made)
{
	uint64_t left = u->limits.max_out ? u->limits.max_out - u->made : UINT64_MAX;
	size_t before = in->n;
	char beyond;
	int r;

	if (cap > left)
		cap = (size_t)left;
	if (!cap) /* the next byte is one too many; but the stream may be at its end */
		to = &beyond;
	r = u->kind == SQ_UNPACK_ZSTD ? step_zstd(u, in, to, cap ? cap : 1, made)
	                              : step_inflate(u, in, to, cap ? cap : 1, made);
	u->used += before - in->n;
	if (!cap && *made) {
		*made = 0;
		return -EMSGSIZE;
	}
	u->made += *made;
	if (r == 0 && u->limits.max_ratio && u->made > SQ_UNPACK_JUDGED &&
	    u->made / u->limits.max_ratio >= u->used)
		return -E2BIG;
	return r;
}

int sq_unpack_run(struct sq_unpack *u, struct sq_sv in, size_t *ret_used, char *to, size_t cap,
                  size_t *ret_made)
{
	size_t given = in.n, made = 0;

	sq_assert(cap > 0);
	while (!u->error && made < cap) {
		size_t before = in.n, some = 0;
		uint8_t ahead = u->n_ahead;

		u->error = step(u, &in, to + made, cap - made, &some);
		made += some;
		if (!some && in.n == before && u->n_ahead == ahead) {
			if (in.n && !u->error) /* the library stands still: it lost the thread */
				u->error = -EBADMSG;
			break;
		}
	}
	*ret_used = given - in.n;
	*ret_made = made;
	if (u->error)
		return u->error;
	return !in.n && sq_unpack_done(u);
}

bool sq_unpack_done(const struct sq_unpack *u)
{
	return !u->error && u->whole && !u->n_ahead && u->drained;
}

uint64_t sq_unpack_made(const struct sq_unpack *u)
{
	return u->made;
}

size_t sq_unpack_memory(const struct sq_unpack *u)
{
	return ZSTD_sizeof_DCtx(u->zstd); /* 0 for NULL */
}

const char *sq_unpack_reason(int error)
{
	switch (error) {
	case -EILSEQ:
		return "bytes follow the end of the compressed data";
	case -EMSGSIZE:
		return "compressed data unpacks to too many bytes";
	case -E2BIG:
		return "compressed data unpacks to too many times its size";
	case -ENOMEM:
		return "out of memory while unpacking";
	}
	return "compressed data is damaged";
}
