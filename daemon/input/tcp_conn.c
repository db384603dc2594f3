/* One connection: bytes to records.
 *
 *   reading <-> waiting for a batch -> ended -> closing -> closed, unsettled -> freed
 *
 * Bytes are read straight into the chunk of the open batch and framed there, so that a record is
 * never copied. What is left over, the beginning of a record, is copied into `carry` and put in
 * front of the next read. A record that is long in coming would be copied again and again that way:
 * with more than SMALL bytes in it, `carry` itself is read into, and whole records are copied out.
 */
#include "daemon/input/tcp_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/input/put.h"
#include "lib/wire/syslog.h"

enum {
	READ_MIN = 64 * 1024, /* bytes of room for one read */
	READ_MAX = 256 * 1024,
	SMALL = 16 * 1024,      /* bytes of carry that are put in front of the next read */
	CARRY_KEPT = 64 * 1024, /* a larger buffer is given back when little is in it */
	KEEPALIVE_S = 60,       /* a peer that vanished is noticed, even without an idle time */
};

static struct sqd_input *base(const struct sqd_tcp_conn *c)
{
	return &c->in->base;
}

/* ---- carry ------------------------------------------------------------------------------- */

static void carry_free(struct sqd_tcp_conn *c)
{
	free(c->carry);
	c->carry = NULL;
	c->len = c->cap = c->held = 0;
}

/* Room for `need` bytes in all; keeps what is there. */
static int carry_grow(struct sqd_tcp_conn *c, size_t need)
{
	size_t cap = c->cap ? c->cap : 1024;
	char *p;

	if (need <= c->cap)
		return 0;
	while (cap < need)
		cap *= 2;
	p = realloc(c->carry, cap);
	if (!p)
		return -ENOMEM;
	c->carry = p;
	c->cap = cap;
	return 0;
}

/* `rest` (in a chunk) becomes all that carry holds. */
static int carry_set(struct sqd_tcp_conn *c, struct sq_sv rest)
{
	if (rest.n == 0 || (c->cap > CARRY_KEPT && rest.n <= SMALL))
		carry_free(c);
	if (rest.n == 0)
		return 0;
	if (carry_grow(c, rest.n) < 0)
		return -ENOMEM;
	memcpy(c->carry, rest.p, rest.n);
	c->len = rest.n;
	return 0;
}

/* `rest` is the end of what carry holds: move it to the front. */
static void carry_cut(struct sqd_tcp_conn *c, struct sq_sv rest)
{
	char *p;

	if (rest.n == 0) {
		carry_free(c);
		return;
	}
	if (rest.p != c->carry) /* a record that comes byte by byte is not moved for each */
		memmove(c->carry, rest.p, rest.n);
	c->len = rest.n;
	if (c->cap <= CARRY_KEPT || rest.n > SMALL)
		return;
	p = realloc(c->carry, SMALL);
	if (p) {
		c->carry = p;
		c->cap = SMALL;
	}
}

/* ---- records ----------------------------------------------------------------------------- */

/* The next record at the front of `in`, which is cut. As sq_frame_next(), less -EMSGSIZE. */
static int take(struct sqd_tcp_conn *c, struct sq_sv *in, bool eof, struct sq_sv *ret_rec)
{
	struct sq_counters *counts = base(c)->counts;
	size_t used;
	int r;

	do {
		r = sq_frame_next(&c->frame, *in, eof, &used, ret_rec);
		*in = sq_sv_skip(*in, used);
		if (r == -EMSGSIZE) {
			counts->received++;
			counts->oversized++;
		}
	} while (r == -EMSGSIZE);
	return r;
}

static void foreign(struct sqd_tcp_conn *c)
{
	const char *what = "";

	switch (c->frame.foreign) {
	case SQ_FRAME_OURS:
		what = "does not speak a protocol that we know";
		break;
	case SQ_FRAME_TLS:
		what = "speaks TLS on a plain TCP port";
		break;
	case SQ_FRAME_LUMBERJACK:
		what = "speaks Lumberjack (Beats) on a plain TCP port; it needs a beats input";
		break;
	case SQ_FRAME_HTTP:
		what = "speaks HTTP on a plain TCP port";
		break;
	case SQ_FRAME_UTF16:
		what = "sends UTF-16; records are read as UTF-8";
		break;
	}
	base(c)->counts->connections_failed++;
	sqd_log_limited(&c->in->foreign_limit, SQD_LOG_WARNING, "%s: %s %s; closing", base(c)->name,
	                c->peer, what);
	carry_free(c); /* not records, so not lost ones */
	c->pending = false;
	sqd_tcp_conn_close(c);
}

static void no_memory(struct sqd_tcp_conn *c)
{
	base(c)->counts->connections_failed++;
	/* What was being put aside: the beginning of one record, to be sure. */
	base(c)->counts->received++;
	base(c)->counts->dropped_pressure++;
	sqd_log_limited(&c->in->failed_limit, SQD_LOG_ERROR, "%s: %s: out of memory; closing",
	                base(c)->name, c->peer);
	carry_free(c);
	c->pending = false;
	sqd_tcp_conn_close(c);
}

/* Frame what is in carry; records are copied into the batch.
 * @return 0, -EAGAIN no batch is free (we are paused), -EPROTO foreign (we are closing) */
static int drain(struct sqd_tcp_conn *c, bool eof)
{
	struct sq_sv in = { c->carry, c->len }, rec = { 0 };
	size_t held = c->held;
	int r;

	for (;;) {
		r = 1;
		if (held) {
			rec = sq_sv_first(in, held);
			in = sq_sv_skip(in, held);
			held = 0;
		} else {
			r = take(c, &in, eof, &rec);
		}
		if (r != 1)
			break;
		if (sqd_input_put(base(c), &c->receipt, c->peer, rec) == 0)
			continue;
		/* The framer has let go of this record; it stays in front of the rest. */
		memmove(c->carry, rec.p, rec.n);
		memmove(c->carry + rec.n, in.p, in.n);
		c->len = rec.n + in.n;
		c->held = rec.n;
		c->pending = true;
		sqd_tcp_pause(c->in);
		return -EAGAIN;
	}
	c->held = 0;
	c->pending = false;
	if (r == -EPROTO) {
		foreign(c);
		return r;
	}
	carry_cut(c, in);
	return 0;
}

/* Frame `n` bytes at the tail of the open batch, where they lie. */
static void frame_in_place(struct sqd_tcp_conn *c, struct sq_batch *b, size_t n)
{
	struct sq_sv in = { b->chunk + b->tail, n }, rec;
	int r = 1;

	while (!sqd_input_full(b)) {
		r = take(c, &in, false, &rec);
		if (r != 1)
			break;
		sqd_input_add(base(c), b, &c->receipt, c->peer, rec);
	}
	if (r == -EPROTO) {
		foreign(c);
		return;
	}
	/* Before the batch may be handed on: the rest lies in its chunk. */
	if (carry_set(c, in) < 0) {
		no_memory(c);
		return;
	}
	if (sqd_input_full(b) && in.n)
		(void)drain(c, false); /* whatever it says, it has seen to it */
}

/* ---- libuv ------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *h, size_t suggested SQ_UNUSED, uv_buf_t *buf)
{
	struct sqd_tcp_conn *c = h->data;
	struct sq_batch *b;
	size_t room;

	/* on_read() is told UV_ENOBUFS then, and does what is to be done: libuv 1.44 must not be
	 * told to stop reading from here. */
	*buf = uv_buf_init(NULL, 0);
	c->into_carry = c->len > SMALL;
	if (c->into_carry) {
		if (carry_grow(c, c->len + READ_MIN) < 0)
			return;
		*buf = uv_buf_init(c->carry + c->len, READ_MIN);
		return;
	}
	b = sqd_dispatch_open(base(c)->dispatch, c->len + READ_MIN);
	if (!b)
		return;
	room = sq_batch_room(b) - c->len;
	*buf = uv_buf_init(b->chunk + b->tail + c->len,
	                   (unsigned)(room < READ_MAX ? room : READ_MAX));
}

static void ended(struct sqd_tcp_conn *c, int why)
{
	(void)uv_read_stop((uv_stream_t *)&c->tcp);
	c->ended = true;
	if (why != UV_EOF) {
		base(c)->counts->connections_failed++;
		sqd_log_limited(&c->in->failed_limit, SQD_LOG_INFO, "%s: %s: %s", base(c)->name,
		                c->peer, uv_strerror(why));
	}
	/* A record that was cut off is given on as it is: the reader counts it as malformed. */
	if (drain(c, true) == 0)
		sqd_tcp_conn_close(c);
}

void sqd_tcp_conn_end(struct sqd_tcp_conn *c)
{
	ended(c, UV_EOF);
}

static void on_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf)
{
	struct sqd_tcp_conn *c = s->data;
	struct sq_batch *b;

	if (nread == 0)
		return;
	if (nread == UV_ENOBUFS) {
		if (c->into_carry)
			no_memory(c);
		else
			sqd_tcp_pause(c->in);
		return;
	}
	if (nread < 0) {
		ended(c, (int)nread);
		return;
	}
	c->last_ms = uv_now(s->loop);
	base(c)->counts->bytes_in += (uint64_t)nread;
	if (c->into_carry) {
		c->len += (size_t)nread;
		(void)drain(c, false); /* whatever it says, it has seen to it */
		return;
	}
	/* The same batch as in on_alloc(): nothing ran in between. */
	b = sqd_dispatch_open(base(c)->dispatch, c->len + (size_t)nread);
	sq_assert(b && buf->base == b->chunk + b->tail + c->len);
	if (c->len)
		memcpy(b->chunk + b->tail, c->carry, c->len);
	frame_in_place(c, b, c->len + (size_t)nread);
}

static void on_closed(uv_handle_t *h)
{
	struct sqd_tcp_conn *c = h->data;

	c->closed = true;
	sqd_tcp_conn_reap(c);
}

static void on_settled(struct sqd_receipt *r)
{
	sqd_tcp_conn_reap(SQ_CONTAINER(r, struct sqd_tcp_conn, receipt));
}

void sqd_tcp_conn_reap(struct sqd_tcp_conn *c)
{
	struct sqd_tcp_input *in = c->in;

	if (!c->closed || c->receipt.unsettled || in->walking)
		return;
	if (c->prev)
		c->prev->next = c->next;
	else
		in->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	carry_free(c);
	free(c);
	sqd_tcp_release(in); /* last: it may end the listener */
}

/* ---- life -------------------------------------------------------------------------------- */

int sqd_tcp_conn_open(struct sqd_tcp_input *in, int fd, const struct sockaddr_storage *peer)
{
	const struct sqd_input_tcp_cfg *cfg = in->base.cfg;
	struct sqd_tcp_conn *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->in = in;
	c->receipt.settled = on_settled;
	c->frame = sq_frame_of((uint32_t)cfg->max_record);
	c->last_ms = uv_now(in->base.loop);
	sqd_addr_format(peer, c->peer);
	(void)uv_tcp_init(in->base.loop, &c->tcp); /* makes no socket, so it cannot fail */
	c->tcp.data = c;
	c->next = in->conns;
	if (c->next)
		c->next->prev = c;
	in->conns = c;
	in->n_conns++;
	in->base.open_handles++; /* until it is freed, not until it is closed */
	r = uv_tcp_open(&c->tcp, fd);
	if (r < 0)
		close(fd);
	else
		(void)uv_tcp_keepalive(&c->tcp, 1, KEEPALIVE_S); /* a comfort */
	if (r == 0 && !in->paused)
		r = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
	if (r < 0)
		sqd_tcp_conn_close(c);
	return r;
}

int sqd_tcp_conn_resume(struct sqd_tcp_conn *c)
{
	if (c->closing)
		return 0;
	if (c->pending && drain(c, c->ended) < 0)
		return c->pending ? -EAGAIN : 0;
	if (c->ended && !c->in->stopped) {
		sqd_tcp_conn_close(c);
	} else if (!c->in->stopped) {
		c->last_ms = uv_now(c->tcp.loop);
		/* Reading already is no error to us. */
		(void)uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
	}
	return 0;
}

/* An event that is there to its end, perhaps behind a syslog header. */
static bool is_whole(struct sq_sv rest)
{
	struct sq_syslog header;

	sq_syslog_strip(rest, &header);
	return sq_frame_value_length(header.payload) > 0;
}

void sqd_tcp_conn_stop(struct sqd_tcp_conn *c)
{
	struct sq_sv rest;

	if (c->closing)
		return;
	(void)uv_read_stop((uv_stream_t *)&c->tcp);
	if (c->ended || c->pending)
		return; /* resume goes on with it */
	rest = (struct sq_sv){ c->carry, c->len };
	/* A sender may leave out the last line end: what is a whole value is a record. The
	 * beginning of one is not; it was taken in, so it is counted. */
	c->ended = true;
	if (rest.n && is_whole(rest)) {
		(void)drain(c, true);
		return;
	}
	if (rest.n) {
		base(c)->counts->received++;
		base(c)->counts->dropped_shutdown++;
	}
	carry_free(c);
}

/* Records that found no batch before the end. */
static void count_lost(struct sqd_tcp_conn *c)
{
	struct sq_sv in = { c->carry, c->len }, rec;
	uint64_t n = c->held ? 1 : 0;

	in = sq_sv_skip(in, c->held);
	while (take(c, &in, true, &rec) == 1)
		n++;
	base(c)->counts->received += n;
	base(c)->counts->dropped_shutdown += n;
}

void sqd_tcp_conn_close(struct sqd_tcp_conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	c->in->n_conns--;
	if (c->len)
		count_lost(c);
	carry_free(c);
	c->pending = false;
	uv_close((uv_handle_t *)&c->tcp, on_closed);
}
