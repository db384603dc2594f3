/* Output over one TCP connection: how it gets to its peer, and what happens when it loses it.
 *
 *   WAITING -> RESOLVING -> CONNECTING -> SHAKING -> UP -> CLOSING -> WAITING
 *                 |             |            |              ^ |
 *                 v             +------------+--------------+ v
 *              WAITING                                  CONNECTING (the next address of the name)
 *
 * SHAKING is for TLS alone. Only sqd_tcp_out_fail() closes the socket; only on_tcp_closed() leaves
 * CLOSING. The name is looked up anew for each round of attempts. Between rounds it waits:
 * retry_min, doubled each time up to retry_max, and a random part off that, so that many senders do
 * not return at the same moment. The wait is short again after a connection that lasted, not when
 * one was made: a peer that accepts and closes at once is not to be hammered.
 */
#include "daemon/output/tcp.h"

#include <stdio.h>

#include "daemon/base/listen.h"
#include "daemon/base/log.h"
#include "daemon/output/tcp_private.h"

/* A connection older than this has worked: what ends it is something new. */
enum { LASTING_MS = 10000 };

static const struct sq_opt_enum framings[] = { { "lf", SQD_FRAMING_LF },
	                                       { "octet", SQD_FRAMING_OCTET },
	                                       { 0 } };

#define AT(member) .offset = offsetof(struct sqd_output_tcp_cfg, member)

/* clang-format off */
static const struct sq_opt tcp_opts[] = {
	{ "address", SQ_OPT_STR, AT(address), .required = true,
	  .doc = "Host and port to send to: siem.example.org:514, 192.0.2.1:6514, [2001:db8::1]:514." },
	{ "framing", SQ_OPT_ENUM, AT(framing), .enums = framings, .def = "lf",
	  .doc = "How a message ends: a line end, or RFC 6587 octet counting in front." },
	{ "connect_timeout", SQ_OPT_MSEC, AT(connect_timeout), .min = 100, .max = 300000, .def = "10s",
	  .doc = "Give up an attempt to connect after this time." },
	{ "retry_min", SQ_OPT_MSEC, AT(retry_min), .min = 10, .max = 3600000, .def = "250ms",
	  .doc = "First wait before connecting again; it doubles with every failure." },
	{ "retry_max", SQ_OPT_MSEC, AT(retry_max), .min = 10, .max = 3600000, .def = "30s",
	  .doc = "Longest wait before connecting again." },
	{ "keepalive", SQ_OPT_MSEC, AT(keepalive), .min = 0, .max = 86400000, .def = "1min",
	  .doc = "Probe a silent connection after this time, to notice a peer that vanished; 0 means never." },
	SQ_TLS_CLIENT_OPTS(struct sqd_output_tcp_cfg, tls),
	{ 0 }
};
/* clang-format on */

static void begin_round(struct sqd_tcp_output *o);
static void try_next(struct sqd_tcp_output *o);

static struct sqd_tcp_output *self(struct sqd_output *out)
{
	return SQ_CONTAINER(out, struct sqd_tcp_output, base);
}

static void release(struct sqd_tcp_output *o)
{
	sq_assert(o->base.open_handles);
	if (--o->base.open_handles == 0 && o->closing)
		o->base.closed(&o->base); /* last: it frees us */
}

/* ---- rounds ------------------------------------------------------------------------------ */

static void forget_addrs(struct sqd_tcp_output *o)
{
	uv_freeaddrinfo(o->addrs);
	o->addrs = o->next_addr = NULL;
}

/* xorshift64: chance enough to spread reconnects. */
static uint64_t any(struct sqd_tcp_output *o)
{
	o->random ^= o->random << 13;
	o->random ^= o->random >> 7;
	o->random ^= o->random << 17;
	return o->random;
}

static void on_retry(uv_timer_t *t)
{
	begin_round(t->data);
}

/* This round is over. */
static void wait_for_next(struct sqd_tcp_output *o)
{
	const struct sqd_output_tcp_cfg *cfg = o->base.cfg;
	uint64_t max = cfg->retry_max > cfg->retry_min ? cfg->retry_max : cfg->retry_min;
	uint64_t wait = o->retry_ms / 2 + any(o) % (o->retry_ms / 2 + 1);
	const char *words = o->words;

	forget_addrs(o);
	o->state = TCP_OUT_WAITING;
	if (!*words)
		words = o->why == UV_EOF ? "closed by the peer" : uv_strerror(o->why);
	/* One line for an outage, not one for each attempt. */
	sqd_log(o->failing ? SQD_LOG_DEBUG : SQD_LOG_WARNING, "%s: %s; retrying in %u.%u s",
	        o->base.name, words, (unsigned)(wait / 1000), (unsigned)(wait / 100 % 10));
	o->failing = true;
	o->retry_ms = o->retry_ms * 2 < max ? o->retry_ms * 2 : max;
	(void)uv_timer_start(&o->timer, on_retry, wait, 0);
}

static void on_tcp_closed(uv_handle_t *h)
{
	struct sqd_tcp_output *o = h->data;

	sqd_tcp_link_forget(o);
	if (o->n_sends) { /* never confirmed; send() says -EAGAIN while CLOSING */
		o->n_sends = 0;
		o->base.sent(&o->base, o->why); /* of them all; it may close us */
	}
	if (o->closing) {
		release(o);
		return;
	}
	release(o); /* the timer is open: this is not the end */
	if (o->was_up)
		wait_for_next(o);
	else
		try_next(o);
}

void sqd_tcp_out_fail(struct sqd_tcp_output *o, int why)
{
	sqd_tcp_out_fail_for(o, why, "");
}

/* libuv ends pending requests with UV_ECANCELED, then calls on_tcp_closed(). */
void sqd_tcp_out_fail_for(struct sqd_tcp_output *o, int why, const char *words)
{
	const struct sqd_output_tcp_cfg *cfg = o->base.cfg;

	if (o->state == TCP_OUT_CLOSING)
		return;
	sq_assert(o->state == TCP_OUT_CONNECTING || o->state == TCP_OUT_SHAKING ||
	          o->state == TCP_OUT_UP);
	o->was_up = o->state == TCP_OUT_UP;
	if (o->was_up && uv_now(o->base.loop) - o->up_since_ms >= LASTING_MS)
		o->retry_ms = cfg->retry_min;
	o->state = TCP_OUT_CLOSING;
	o->why = why;
	snprintf(o->words, sizeof(o->words), "%s", words);
	if (!o->closing)
		(void)uv_timer_stop(&o->timer);
	sqd_tcp_link_end(o);
	uv_close((uv_handle_t *)&o->tcp, on_tcp_closed);
}

static void on_timeout(uv_timer_t *t)
{
	struct sqd_tcp_output *o = t->data;

	sqd_tcp_out_fail_for(o, UV_ETIMEDOUT,
	                     o->state == TCP_OUT_SHAKING ? "no TLS handshake in time" : "");
}

/* ---- getting there ----------------------------------------------------------------------- */

static void on_connected(uv_connect_t *req, int status)
{
	struct sqd_tcp_output *o = req->data;

	if (o->state == TCP_OUT_CLOSING)
		return; /* UV_ECANCELED: it was closed meanwhile */
	if (status < 0)
		sqd_tcp_out_fail(o, status);
	else
		sqd_tcp_link_begin(o); /* last: it may call send() or close() */
}

/* Connect to the next address of the name. */
static void try_next(struct sqd_tcp_output *o)
{
	const struct sqd_output_tcp_cfg *cfg = o->base.cfg;
	struct addrinfo *a = o->next_addr;
	int r;

	if (!a) {
		wait_for_next(o);
		return;
	}
	o->next_addr = a->ai_next;
	(void)uv_tcp_init(o->base.loop, &o->tcp); /* makes no socket, so it cannot fail */
	o->tcp.data = o;
	o->base.open_handles++;
	o->state = TCP_OUT_CONNECTING;
	r = uv_tcp_connect(&o->connect, &o->tcp, a->ai_addr, on_connected);
	if (r < 0) {
		sqd_tcp_out_fail(o, r);
		return;
	}
	(void)uv_tcp_nodelay(&o->tcp, 1); /* these two are comforts */
	if (cfg->keepalive)
		(void)uv_tcp_keepalive(&o->tcp, 1, (unsigned)((cfg->keepalive + 999) / 1000));
	(void)uv_timer_start(&o->timer, on_timeout, cfg->connect_timeout, 0);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
	struct sqd_tcp_output *o = req->data;

	if (o->closing) {
		uv_freeaddrinfo(found);
		release(o);
		return;
	}
	release(o); /* the timer is open: this is not the end */
	if (status < 0) {
		o->why = status;
		o->words[0] = '\0';
		wait_for_next(o);
		return;
	}
	o->addrs = o->next_addr = found;
	try_next(o);
}

static void begin_round(struct sqd_tcp_output *o)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	int r;

	r = uv_getaddrinfo(o->base.loop, &o->resolve, on_resolved, o->host, o->port, &hints);
	if (r < 0) {
		o->why = r;
		o->words[0] = '\0';
		wait_for_next(o);
		return;
	}
	o->base.open_handles++; /* a request keeps us alive like a handle */
	o->state = TCP_OUT_RESOLVING;
}

/* ---- life -------------------------------------------------------------------------------- */

/* Read the files of TLS. When that fails, all is as before. */
static int use_tls(struct sqd_tcp_output *o, struct sq_err *err)
{
	const struct sqd_output_tcp_cfg *cfg = o->base.cfg;
	int r = sq_tls_client_wanted(&cfg->tls, err);
	struct sq_tls_ctx *ctx;

	if (r <= 0)
		return r;
	ctx = sq_tls_client_new(&cfg->tls, err);
	if (!ctx)
		return -EINVAL;
	if (*sq_tls_ctx_warning(ctx))
		sqd_log(SQD_LOG_WARNING, "%s: %s", o->base.name, sq_tls_ctx_warning(ctx));
	sq_tls_ctx_unref(o->tls_ctx);
	o->tls_ctx = ctx;
	return 0;
}

static int tcp_start(struct sqd_output *out, struct sq_err *err)
{
	struct sqd_tcp_output *o = self(out);
	const struct sqd_output_tcp_cfg *cfg = out->cfg;
	int r;

	snprintf(out->name, sizeof(out->name), "tcp %.100s", cfg->address);
	out->framing = (enum sqd_framing)cfg->framing;
	r = sqd_addr_split(cfg->address, o->host, o->port, err);
	if (r < 0)
		return sq_err_wrap(err, r, "tcp output");
	r = use_tls(o, err);
	if (r < 0)
		return sq_err_wrap(err, r, "%s", out->name);
	(void)uv_timer_init(out->loop, &o->timer); /* cannot fail */
	out->open_handles++;
	o->timer.data = o->resolve.data = o->connect.data = o->write.data = o;
	o->retry_ms = cfg->retry_min;
	o->random = uv_hrtime() | 1;
	o->started = true;
	begin_round(o);
	return 0;
}

/* Certificates and keys are read anew, for connections to come. */
static void tcp_reopen(struct sqd_output *out)
{
	struct sq_err err = { 0 };

	if (use_tls(self(out), &err) < 0)
		sqd_log(SQD_LOG_ERROR, "%s: %s; keeping what was read before", out->name, err.text);
}

static int tcp_send(struct sqd_output *out, struct sq_sv bytes)
{
	return sqd_tcp_link_send(self(out), bytes);
}

static void on_timer_closed(uv_handle_t *h)
{
	release(h->data);
}

static void tcp_close(struct sqd_output *out)
{
	struct sqd_tcp_output *o = self(out);

	if (o->closing)
		return;
	o->closing = true;
	sq_tls_ctx_unref(o->tls_ctx); /* the session has its own reference */
	o->tls_ctx = NULL;
	if (!o->started) { /* start() had failed: a handle of no other use calls back later */
		(void)uv_timer_init(out->loop, &o->timer);
		o->timer.data = o;
		out->open_handles++;
	}
	uv_close((uv_handle_t *)&o->timer, on_timer_closed);
	if (o->state == TCP_OUT_RESOLVING)
		(void)uv_cancel((uv_req_t *)&o->resolve); /* when it runs already, it ends */
	else if (o->state == TCP_OUT_CONNECTING || o->state == TCP_OUT_SHAKING ||
	         o->state == TCP_OUT_UP)
		sqd_tcp_out_fail(o, UV_ECANCELED);
	forget_addrs(o);
}

const struct sqd_output_ops sqd_output_tcp = {
	.kind = "tcp",
	.size = sizeof(struct sqd_tcp_output),
	.cfg_size = sizeof(struct sqd_output_tcp_cfg),
	.opts = tcp_opts,
	.start = tcp_start,
	.send = tcp_send,
	.reopen = tcp_reopen,
	.close = tcp_close,
};
