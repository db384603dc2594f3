/* A connection of the TCP output: TLS or plain, from the first byte to the last.
 *
 *   plain:  bytes ────────────────▶ uv_write ──▶ (the next send) ──▶ acknowledged? ──▶ sent
 *   TLS:    bytes ──▶ ciphertext ──▶ uv_write ──▶ (the next part) ──▶ acknowledged? ──▶ sent
 *
 * A send is answered when the peer's system has acknowledged its last byte, not when ours has taken
 * it: what lies in the send buffer of a connection that breaks would be lost, and that may be
 * megabytes. Meanwhile the next ones are written: an acknowledgement may take 40 ms of the peer's
 * patience, and an alert is not to wait for that of another. The kernel does not tell when it
 * comes, so we ask: whenever something has been written, and by a timer. On a new connection
 * nothing is answered for a little longer: relays accept first, and reset when they find nobody
 * behind them; and a peer that wants a certificate of ours refuses it after our side of TLS 1.3 is
 * done.
 *
 * It reads too, and throws away what it reads: that is how a peer that goes away is noticed.
 */
#include "daemon/output/tcp_private.h"

#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "daemon/base/log.h"

enum {
	CONFIRM_MIN_MS = 2, /* doubled until something is confirmed */
	CONFIRM_MAX_MS = 64,
	TRUST_MS = 250,        /* a connection younger than this may yet be refused */
	TLS_PART = 256 * 1024, /* bytes that are encrypted at a time */
};

#define ALL_TO_COME UINT64_MAX

static void pump(struct sqd_tcp_output *o);

/* ---- what is sent, and when it has been -------------------------------------------------- */

/* It is a connection that works, as far as we can know. */
static void announce(struct sqd_tcp_output *o)
{
	if (o->announced)
		return;
	o->announced = true;
	o->failing = false;
	sqd_log(SQD_LOG_NOTICE, "%s: connected", o->base.name);
}

/* Of the bytes for the wire, those that the peer's system has acknowledged; all of them also when
 * we cannot know. */
static uint64_t confirmed(const struct sqd_tcp_output *o)
{
	uint64_t waiting = uv_stream_get_write_queue_size((const uv_stream_t *)&o->tcp);
	uv_os_fd_t fd;
	int n;

	if (uv_fileno((const uv_handle_t *)&o->tcp, &fd) == 0 && ioctl(fd, SIOCOUTQ, &n) == 0)
		waiting += (unsigned)n;
	return o->put - waiting;
}

/* Answer the sends that have arrived. @return whether there was one; we may be closing then */
static bool answer(struct sqd_tcp_output *o)
{
	uint64_t to;
	bool any = false;

	if (!o->n_sends)
		return false;
	to = confirmed(o);
	while (o->state == TCP_OUT_UP && o->n_sends && o->ends[o->first_send] <= to) {
		o->first_send = (o->first_send + 1) % SQD_OUTPUT_SENDS;
		o->n_sends--;
		any = true;
		o->base.sent(&o->base, 0); /* it may call send() or close() */
	}
	return any;
}

static void on_look(uv_timer_t *t)
{
	struct sqd_tcp_output *o = t->data;
	bool any;

	announce(o);
	any = answer(o);
	if (o->state != TCP_OUT_UP)
		return;
	o->looking = o->n_sends;
	if (!o->looking)
		return;
	if (any)
		o->confirm_ms = CONFIRM_MIN_MS;
	(void)uv_timer_start(&o->timer, on_look, o->confirm_ms, 0);
	if (o->confirm_ms < CONFIRM_MAX_MS)
		o->confirm_ms *= 2;
}

/* Something was sent: look soon for its arrival. On a connection that is not trusted yet the timer
 * runs already. */
static void look_soon(struct sqd_tcp_output *o)
{
	o->confirm_ms = CONFIRM_MIN_MS;
	if (o->looking || !o->announced)
		return;
	o->looking = true;
	(void)uv_timer_start(&o->timer, on_look, CONFIRM_MIN_MS, 0);
}

static bool takes(const struct sqd_tcp_output *o)
{
	return o->state == TCP_OUT_UP && !o->closing && !o->writing && !o->rest.n &&
	       o->n_sends < SQD_OUTPUT_SENDS;
}

static void on_written(uv_write_t *req, int status)
{
	struct sqd_tcp_output *o = req->data;

	free(o->cipher);
	o->cipher = NULL;
	o->writing = false;
	if (status < 0) {
		sqd_tcp_out_fail(o, status); /* and when it is closed, what is in flight is told */
		return;
	}
	if (o->state == TCP_OUT_UP || o->state == TCP_OUT_SHAKING)
		pump(o);
	if (o->state == TCP_OUT_UP && o->announced && o->n_sends > 1)
		(void)answer(o);
	if (o->wanted && takes(o)) {
		o->wanted = false;
		o->base.ready(&o->base); /* last: it may call send() or close() */
	}
}

/* ---- bytes on their way ------------------------------------------------------------------ */

static void put(struct sqd_tcp_output *o, struct sq_sv bytes)
{
	uv_buf_t buf;
	int r;

	/* libuv only reads through the pointer; its type does not say so. */
	memcpy(&buf.base, &bytes.p, sizeof(buf.base));
	buf.len = bytes.n;
	r = uv_write(&o->write, (uv_stream_t *)&o->tcp, &buf, 1, on_written);
	o->writing = r == 0;
	if (r == 0) {
		o->put += bytes.n;
		return;
	}
	free(o->cipher);
	o->cipher = NULL;
	sqd_tcp_out_fail(o, r);
}

static void tls_failed(struct sqd_tcp_output *o, int why)
{
	sqd_tcp_out_fail_for(o, why, sq_tls_why(o->tls));
}

/* The next bytes for the wire; none: {NULL, 0}. */
static struct sq_sv next_bytes(struct sqd_tcp_output *o)
{
	struct sq_sv part = o->rest;
	int r;

	if (!o->tls) {
		o->rest = (struct sq_sv){ 0 };
		return part;
	}
	if (o->state == TCP_OUT_UP && part.n && !sq_tls_unsent(o->tls).n) {
		part = sq_sv_first(part, TLS_PART);
		r = sq_tls_write(o->tls, part);
		if (r < 0) {
			tls_failed(o, r);
			return (struct sq_sv){ 0 };
		}
		o->rest = sq_sv_skip(o->rest, part.n);
	}
	o->cipher = sq_tls_take(o->tls, &part);
	return o->cipher ? part : (struct sq_sv){ 0 };
}

/* Write what there is to be written. */
static void pump(struct sqd_tcp_output *o)
{
	struct sq_sv bytes;
	uint64_t *newest;

	if (o->writing)
		return;
	bytes = next_bytes(o);
	if (!bytes.n)
		return;
	put(o, bytes);
	if (!o->n_sends || o->rest.n)
		return;
	newest = &o->ends[(o->first_send + o->n_sends - 1) % SQD_OUTPUT_SENDS];
	if (*newest == ALL_TO_COME)
		*newest = o->put;
}

int sqd_tcp_link_send(struct sqd_tcp_output *o, struct sq_sv bytes)
{
	if (!takes(o)) {
		o->wanted = true;
		return -EAGAIN;
	}
	sq_assert(bytes.n);
	o->rest = bytes;
	o->ends[(o->first_send + o->n_sends++) % SQD_OUTPUT_SENDS] = ALL_TO_COME;
	pump(o);
	if (o->state != TCP_OUT_UP) { /* nothing is owed for this one: it failed at once */
		o->n_sends--;
		o->wanted = true;
		return -EAGAIN;
	}
	look_soon(o);
	return 0;
}

/* ---- bytes that come --------------------------------------------------------------------- */

static void up(struct sqd_tcp_output *o)
{
	o->state = TCP_OUT_UP;
	o->up_since_ms = uv_now(o->base.loop);
	(void)uv_timer_start(&o->timer, on_look, TRUST_MS, 0);
	if (o->up_once)
		o->base.reconnects++;
	o->up_once = true;
	o->wanted = false;
	o->base.ready(&o->base); /* last: it may call send() or close() */
}

/* Go on with the handshake. */
static void shake(struct sqd_tcp_output *o)
{
	int r = sq_tls_handshake(o->tls);

	if (r < 0) {
		tls_failed(o, r);
		return;
	}
	pump(o);
	if (r == 1 && o->state == TCP_OUT_SHAKING)
		up(o); /* last */
}

/* What an established session says to us is nothing but its end. */
static void listen_to(struct sqd_tcp_output *o)
{
	char nothing[1024];
	ssize_t r;

	do {
		r = sq_tls_read(o->tls, nothing, sizeof(nothing));
	} while (r > 0);
	if (r == -EPIPE)
		sqd_tcp_out_fail(o, UV_EOF);
	else if (r < 0)
		tls_failed(o, (int)r);
	else
		pump(o); /* it may have asked for new keys */
}

static void on_alloc(uv_handle_t *h, size_t suggested SQ_UNUSED, uv_buf_t *buf)
{
	struct sqd_tcp_output *o = h->data;

	*buf = uv_buf_init(o->sink, sizeof(o->sink));
}

static void on_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf)
{
	struct sqd_tcp_output *o = s->data;

	if (nread < 0 && o->state == TCP_OUT_SHAKING && nread == UV_EOF) {
		sqd_tcp_out_fail_for(o, UV_EOF, "closed by the peer in the TLS handshake");
	} else if (nread < 0) {
		sqd_tcp_out_fail(o, (int)nread);
	} else if (nread > 0 && o->tls) {
		sq_tls_give(o->tls, (struct sq_sv){ buf->base, (size_t)nread });
		if (o->state == TCP_OUT_SHAKING)
			shake(o);
		if (o->state == TCP_OUT_UP) /* what came behind the handshake */
			listen_to(o);
	}
}

/* ---- beginning and end ------------------------------------------------------------------- */

void sqd_tcp_link_begin(struct sqd_tcp_output *o)
{
	int r = uv_read_start((uv_stream_t *)&o->tcp, on_alloc, on_read);

	if (r < 0) {
		sqd_tcp_out_fail(o, r);
		return;
	}
	if (!o->tls_ctx) {
		up(o);
		return;
	}
	o->state = TCP_OUT_SHAKING;
	o->tls = sq_tls_new(o->tls_ctx, o->host);
	if (!o->tls)
		sqd_tcp_out_fail(o, UV_ENOMEM);
	else
		shake(o);
}

void sqd_tcp_link_end(struct sqd_tcp_output *o)
{
	struct sq_sv bytes;
	char *memory;
	uv_buf_t buf;

	if (!o->tls || o->writing)
		return; /* in the middle of a record there is nothing to be said */
	sq_tls_end(o->tls);
	memory = sq_tls_take(o->tls, &bytes);
	if (!memory)
		return;
	memcpy(&buf.base, &bytes.p, sizeof(buf.base));
	buf.len = bytes.n;
	(void)uv_try_write((uv_stream_t *)&o->tcp, &buf, 1);
	free(memory);
}

void sqd_tcp_link_forget(struct sqd_tcp_output *o)
{
	sq_assert(!o->writing);
	sq_tls_free(o->tls);
	o->tls = NULL;
	o->rest = (struct sq_sv){ 0 };
	o->looking = o->announced = false;
	o->put = 0;
}
