/* The bytes of a link, from the first to the last.
 *
 *   plain:  bytes ────────────────▶ uv_write ──▶ written
 *   TLS:    bytes ──▶ ciphertext ──▶ uv_write ──▶ (the next part) ──▶ written
 */
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "daemon/base/log.h"
#include "daemon/output/link_private.h"

enum {
	TLS_PART = 256 * 1024, /* bytes that are encrypted at a time */
};

static void pump(struct sqd_link *l);

/* ---- bytes on their way ------------------------------------------------------------------ */

static void on_written(uv_write_t *req, int status)
{
	struct sqd_link *l = req->data;

	free(l->cipher);
	l->cipher = NULL;
	l->writing = false;
	if (status < 0) {
		sqd_link_fail(l, status, "");
		return;
	}
	if (l->state == SQD_LINK_UP || l->state == SQD_LINK_SHAKING)
		pump(l); /* last */
}

static void put(struct sqd_link *l, struct sq_sv bytes)
{
	uv_buf_t buf;
	int r;

	/* libuv only reads through the pointer; its type does not say so. */
	memcpy(&buf.base, &bytes.p, sizeof(buf.base));
	buf.len = bytes.n;
	r = uv_write(&l->write, (uv_stream_t *)&l->tcp, &buf, 1, on_written);
	l->writing = r == 0;
	if (r == 0) {
		l->wire_bytes += bytes.n;
		return;
	}
	free(l->cipher);
	l->cipher = NULL;
	sqd_link_fail(l, r, "");
}

static void tls_failed(struct sqd_link *l, int why)
{
	sqd_link_fail(l, why, sq_tls_why(l->tls));
}

/* The next bytes for the wire; none: {NULL, 0}. */
static struct sq_sv next_bytes(struct sqd_link *l)
{
	struct sq_sv part = l->rest;
	int r;

	if (!l->tls) {
		l->rest = (struct sq_sv){ 0 };
		return part;
	}
	if (l->state == SQD_LINK_UP && part.n && !sq_tls_unsent(l->tls).n) {
		part = sq_sv_first(part, TLS_PART);
		r = sq_tls_write(l->tls, part);
		if (r < 0) {
			tls_failed(l, r);
			return (struct sq_sv){ 0 };
		}
		l->rest = sq_sv_skip(l->rest, part.n);
	}
	l->cipher = sq_tls_take(l->tls, &part);
	return l->cipher ? part : (struct sq_sv){ 0 };
}

/* Write what there is to be written. Not from within sqd_link_write(): it may call `written`. */
static void pump(struct sqd_link *l)
{
	struct sq_sv bytes;

	if (l->writing)
		return;
	bytes = next_bytes(l);
	if (bytes.n) {
		put(l, bytes);
		return;
	}
	if (l->state != SQD_LINK_UP || !l->owed)
		return;
	l->owed = false;
	l->ops->written(l); /* last: it may write or close us */
}

int sqd_link_write(struct sqd_link *l, struct sq_sv bytes)
{
	if (l->state != SQD_LINK_UP || l->owed || l->closing)
		return -EAGAIN;
	sq_assert(bytes.n);
	l->rest = bytes;
	l->owed = true;
	if (l->writing)
		return 0; /* words of TLS itself go first */
	bytes = next_bytes(l);
	if (bytes.n)
		put(l, bytes);
	return l->state == SQD_LINK_UP ? 0 : -EAGAIN;
}

uint64_t sqd_link_arrived(const struct sqd_link *l)
{
	const uv_stream_t *s = (const uv_stream_t *)&l->tcp;
	uv_os_fd_t fd;
	int n;

	if (l->state != SQD_LINK_UP)
		return 0;
	if (uv_fileno((const uv_handle_t *)s, &fd) < 0 || ioctl(fd, SIOCOUTQ, &n) < 0)
		n = 0;
	return l->wire_bytes - uv_stream_get_write_queue_size(s) - (unsigned)n;
}

/* ---- bytes that come --------------------------------------------------------------------- */

/* It is a connection that works, as far as we can know. */
static void on_trusted(uv_timer_t *t)
{
	struct sqd_link *l = t->data;
	const char *to = l->peer ? l->cfg->alternates.list[l->peer - 1] : "";
	char words[320];

	l->trusted = true;
	snprintf(words, sizeof(words), "connected%s%s", l->peer ? " to " : "", to);
	if (!sqd_output_works(l->out, words))
		sqd_log(SQD_LOG_NOTICE, "%s: %s", l->out->name, words);
}

static void up(struct sqd_link *l)
{
	l->state = SQD_LINK_UP;
	l->up_since_ms = uv_now(l->loop);
	(void)uv_timer_start(&l->timer, on_trusted, SQD_LINK_TRUST_MS, 0);
	if (l->up_once)
		l->reconnects++;
	l->up_once = true;
	l->ops->up(l); /* last: it may write or close us */
}

/* Go on with the handshake. */
static void shake(struct sqd_link *l)
{
	int r = sq_tls_handshake(l->tls);

	if (r < 0) {
		tls_failed(l, r);
		return;
	}
	pump(l);
	if (r == 1 && l->state == SQD_LINK_SHAKING)
		up(l); /* last */
}

/* What an established session says. */
static void listen_to(struct sqd_link *l)
{
	char plain[2048];
	ssize_t r = 0;

	while (l->state == SQD_LINK_UP) {
		r = sq_tls_read(l->tls, plain, sizeof(plain));
		if (r <= 0)
			break;
		l->ops->got(l, (struct sq_sv){ plain, (size_t)r });
	}
	if (l->state != SQD_LINK_UP)
		return;
	if (r == -EPIPE)
		sqd_link_fail(l, UV_EOF, "");
	else if (r < 0)
		tls_failed(l, (int)r);
	else
		pump(l); /* it may have asked for new keys */
}

static void on_alloc(uv_handle_t *h, size_t suggested SQ_UNUSED, uv_buf_t *buf)
{
	struct sqd_link *l = h->data;

	*buf = uv_buf_init(l->sink, sizeof(l->sink));
}

static void on_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf)
{
	struct sqd_link *l = s->data;
	struct sq_sv bytes = { buf->base, nread > 0 ? (size_t)nread : 0 };

	if (nread == UV_EOF && l->state == SQD_LINK_SHAKING) {
		sqd_link_fail(l, UV_EOF, "closed by the peer in the TLS handshake");
	} else if (nread < 0) {
		sqd_link_fail(l, (int)nread, "");
	} else if (nread > 0 && !l->tls) {
		l->ops->got(l, bytes); /* last */
	} else if (nread > 0) {
		sq_tls_give(l->tls, bytes);
		if (l->state == SQD_LINK_SHAKING)
			shake(l);
		if (l->state == SQD_LINK_UP) /* what came behind the handshake */
			listen_to(l);
	}
}

/* ---- beginning and end ------------------------------------------------------------------- */

void sqd_link_io_begin(struct sqd_link *l)
{
	int r = uv_read_start((uv_stream_t *)&l->tcp, on_alloc, on_read);

	l->wire_bytes = 0;
	l->trusted = false;
	if (r < 0) {
		sqd_link_fail(l, r, "");
		return;
	}
	if (!l->tls_ctx) {
		up(l);
		return;
	}
	l->state = SQD_LINK_SHAKING;
	l->tls = sq_tls_new(l->tls_ctx, l->host);
	if (!l->tls)
		sqd_link_fail(l, UV_ENOMEM, "");
	else
		shake(l);
}

void sqd_link_io_end(struct sqd_link *l)
{
	struct sq_sv bytes;
	char *memory;
	uv_buf_t buf;

	if (!l->tls || l->writing)
		return; /* in the middle of a record there is nothing to be said */
	sq_tls_end(l->tls);
	memory = sq_tls_take(l->tls, &bytes);
	if (!memory)
		return;
	memcpy(&buf.base, &bytes.p, sizeof(buf.base));
	buf.len = bytes.n;
	(void)uv_try_write((uv_stream_t *)&l->tcp, &buf, 1);
	free(memory);
}

void sqd_link_io_forget(struct sqd_link *l)
{
	sq_assert(!l->writing);
	sq_tls_free(l->tls);
	l->tls = NULL;
	l->rest = (struct sq_sv){ 0 };
	l->owed = false;
}
