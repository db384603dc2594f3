#include "daemon/input/udp_private.h"

#include <errno.h>

#include "daemon/base/loop.h"
#include "daemon/input/put.h"

enum { EXPIRE_MS = 1000 }; /* how often incomplete GELF messages are looked at */

void sqd_udp_lost(struct sqd_udp *u, uint64_t *cause)
{
	u->base.counts->received++;
	(*cause)++;
}

/* Blanks, line ends and NULs around the datagram are not part of the record. */
static struct sq_sv trim(struct sq_sv v)
{
	do {
		v = sq_sv_trim(v);
		while (v.n && v.p[v.n - 1] == '\0')
			v.n--;
	} while (v.n && sq_is_space(v.p[v.n - 1]));
	return v;
}

/* @return 0 taken (or counted, or empty), -EAGAIN no batch is free */
static int put_plain(struct sqd_udp *u, struct sq_sv v)
{
	v = trim(v);
	if (v.n == 0)
		return 0;
	if (v.n > sqd_udp_cfg(u)->max_record) {
		sqd_udp_lost(u, &u->base.counts->oversized);
		return 0;
	}
	return sqd_input_put(&u->base, &u->receipt, u->peer, v);
}

/* What is in `unpacked` goes into a batch, now or at resume. */
int sqd_udp_put_unpacked(struct sqd_udp *u, size_t n)
{
	int r = put_plain(u, (struct sq_sv){ u->unpacked, n });

	u->n_unpacked = r < 0 ? n : 0;
	return r;
}

static int put_packed(struct sqd_udp *u, struct sq_sv v)
{
	ptrdiff_t n = sq_gelf_inflate(u->gelf, v, u->unpacked, sqd_udp_cfg(u)->max_record);

	if (n < 0) {
		sqd_udp_lost(u, &u->base.counts->dropped_inflate);
		return 0;
	}
	return sqd_udp_put_unpacked(u, (size_t)n);
}

/* A message that was put together. It must be copied: the framer's memory is not ours to keep. */
static int put_whole(struct sqd_udp *u, struct sq_sv v)
{
	switch (sq_gelf_kind(v)) {
	case SQ_GELF_PLAIN:
		break;
	case SQ_GELF_ZLIB:
	case SQ_GELF_GZIP:
		return put_packed(u, v);
	case SQ_GELF_CHUNK: /* chunks of chunks: nobody sends that in good faith */
		sqd_udp_lost(u, &u->base.counts->dropped_chunks);
		return 0;
	}
	if (v.n > sqd_udp_cfg(u)->max_record) {
		sqd_udp_lost(u, &u->base.counts->oversized);
		return 0;
	}
	memcpy(u->unpacked, v.p, v.n);
	return sqd_udp_put_unpacked(u, v.n);
}

/* Address and port: two programs on one host may choose the same id. */
static uint64_t hash_peer(const struct sqd_udp *u)
{
	return sq_sv_hash(sq_sv_of(u->peer));
}

/* Give up GELF messages whose chunks do not come. */
static void on_expire(uv_timer_t *t)
{
	struct sqd_udp *u = t->data;
	struct sq_now now = sqd_now();
	unsigned n = sq_gelf_expire(u->gelf, now);

	u->base.counts->received += n;
	u->base.counts->dropped_chunks += n;
	if (now.mono_ns - u->chunk_ns > UINT64_C(10000000000))
		(void)uv_timer_stop(t); /* nothing can be waiting any more */
}

static int put_chunk(struct sqd_udp *u, struct sq_sv v)
{
	struct sq_now now = sqd_now();
	struct sq_sv whole;
	int r;

	u->chunk_ns = now.mono_ns;
	if (!uv_is_active((uv_handle_t *)&u->expire))
		(void)uv_timer_start(&u->expire, on_expire, EXPIRE_MS, EXPIRE_MS);
	r = sq_gelf_chunk(u->gelf, v, hash_peer(u), now, &whole);
	if (r < 0)
		sqd_udp_lost(u, &u->base.counts->dropped_chunks);
	return r == 1 ? put_whole(u, whole) : 0;
}

int sqd_udp_put(struct sqd_udp *u, struct sq_sv v)
{
	switch (sq_gelf_kind(v)) {
	case SQ_GELF_PLAIN:
		break;
	case SQ_GELF_ZLIB:
	case SQ_GELF_GZIP:
		return put_packed(u, v);
	case SQ_GELF_CHUNK:
		return put_chunk(u, v);
	}
	return put_plain(u, v);
}
