/* Output over one TCP connection.
 *
 *   WAITING -> RESOLVING -> CONNECTING -> UP -> CLOSING -> WAITING
 *                 |             |                  ^ |
 *                 v             +------------------+ v
 *              WAITING                        CONNECTING (the next address of the name)
 *
 * Only fail() closes the socket; only on_tcp_closed() leaves CLOSING. The name is looked up anew
 * for each round of attempts. Between rounds it waits: retry_min, doubled each time up to
 * retry_max, and a random part off that, so that many senders do not return at the same moment. The
 * wait is short again after a connection that lasted, not when one was made: a peer that accepts
 * and closes at once is not to be hammered.
 *
 * A piece is sent when the peer's system has acknowledged it, not when ours has taken it: what lies
 * in the send buffer of a connection that breaks would be lost, and that may be megabytes. The
 * kernel does not tell when that happens, so a timer asks. On a new connection it waits a little
 * longer: relays accept first, and reset when they find nobody behind them.
 *
 * It reads too, and throws away what it reads: that is how a peer that goes away is noticed.
 */
#include "daemon/output/tcp.h"

#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "daemon/base/listen.h"
#include "daemon/base/log.h"

enum {
	CONFIRM_MIN_MS = 2, /* doubled until it is confirmed */
	CONFIRM_MAX_MS = 64,
	TRUST_MS = 250,     /* a connection younger than this may yet be refused */
	LASTING_MS = 10000, /* one older than this has worked: what ends it is something new */
};

enum state { TCP_OUT_WAITING, TCP_OUT_RESOLVING, TCP_OUT_CONNECTING, TCP_OUT_UP, TCP_OUT_CLOSING };

struct tcp_output {
	struct sqd_output base;
	enum state state;
	bool started, closing;
	bool up_once; /* a connection was made before */
	bool was_up;  /* the one being closed was */
	bool failing; /* an outage has been logged: say when it is over */
	int why;      /* of the last failure */
	uint64_t retry_ms, random;
	char host[256], port[8];
	uv_getaddrinfo_t resolve;
	struct addrinfo *addrs, *next_addr; /* found; still to be tried */
	uv_tcp_t tcp;                       /* open in CONNECTING, UP and CLOSING */
	uv_timer_t timer; /* until the next round, the end of patience, or the next look */
	uv_connect_t connect;
	uv_write_t write;
	struct sq_sv sending; /* p != NULL: `sent` is owed */
	uint64_t up_since_ms, confirm_ms;
	char sink[1024]; /* what the peer says goes here */
};

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
	{ 0 }
};
/* clang-format on */

static void begin_round(struct tcp_output *o);
static void try_next(struct tcp_output *o);

static struct tcp_output *self(struct sqd_output *out)
{
	return SQ_CONTAINER(out, struct tcp_output, base);
}

static void release(struct tcp_output *o)
{
	sq_assert(o->base.open_handles);
	if (--o->base.open_handles == 0 && o->closing)
		o->base.closed(&o->base); /* last: it frees us */
}

/* ---- rounds ------------------------------------------------------------------------------ */

static void forget_addrs(struct tcp_output *o)
{
	uv_freeaddrinfo(o->addrs);
	o->addrs = o->next_addr = NULL;
}

/* xorshift64: chance enough to spread reconnects. */
static uint64_t any(struct tcp_output *o)
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
static void wait_for_next(struct tcp_output *o)
{
	const struct sqd_output_tcp_cfg *cfg = o->base.cfg;
	uint64_t max = cfg->retry_max > cfg->retry_min ? cfg->retry_max : cfg->retry_min;
	uint64_t wait = o->retry_ms / 2 + any(o) % (o->retry_ms / 2 + 1);

	forget_addrs(o);
	o->state = TCP_OUT_WAITING;
	/* One line for an outage, not one for each attempt. */
	sqd_log(o->failing ? SQD_LOG_DEBUG : SQD_LOG_WARNING, "%s: %s; retrying in %u.%u s",
	        o->base.name, o->why == UV_EOF ? "closed by the peer" : uv_strerror(o->why),
	        (unsigned)(wait / 1000), (unsigned)(wait / 100 % 10));
	o->failing = true;
	o->retry_ms = o->retry_ms * 2 < max ? o->retry_ms * 2 : max;
	(void)uv_timer_start(&o->timer, on_retry, wait, 0);
}

/* The one way down. libuv ends pending requests with UV_ECANCELED, then calls on_tcp_closed(). */
static void fail(struct tcp_output *o, int why);

static void on_tcp_closed(uv_handle_t *h)
{
	struct tcp_output *o = h->data;

	if (o->sending.p) { /* written, and never confirmed; send() says -EAGAIN while CLOSING */
		o->sending = (struct sq_sv){ 0 };
		o->base.sent(&o->base, o->why); /* it may close us */
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

static void fail(struct tcp_output *o, int why)
{
	const struct sqd_output_tcp_cfg *cfg = o->base.cfg;

	if (o->state == TCP_OUT_CLOSING)
		return;
	sq_assert(o->state == TCP_OUT_CONNECTING || o->state == TCP_OUT_UP);
	o->was_up = o->state == TCP_OUT_UP;
	if (o->was_up && uv_now(o->base.loop) - o->up_since_ms >= LASTING_MS)
		o->retry_ms = cfg->retry_min;
	o->state = TCP_OUT_CLOSING;
	o->why = why;
	if (!o->closing)
		(void)uv_timer_stop(&o->timer);
	uv_close((uv_handle_t *)&o->tcp, on_tcp_closed);
}

static void on_timeout(uv_timer_t *t)
{
	fail(t->data, UV_ETIMEDOUT);
}

/* ---- a connection that is up ------------------------------------------------------------- */

static void on_alloc(uv_handle_t *h, size_t suggested SQ_UNUSED, uv_buf_t *buf)
{
	struct tcp_output *o = h->data;

	*buf = uv_buf_init(o->sink, sizeof(o->sink));
}

static void on_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf SQ_UNUSED)
{
	if (nread < 0)
		fail(s->data, (int)nread);
}

static void on_connected(uv_connect_t *req, int status)
{
	struct tcp_output *o = req->data;
	int r = status;

	if (o->state == TCP_OUT_CLOSING)
		return; /* UV_ECANCELED: fail() closed us meanwhile */
	if (r == 0)
		r = uv_read_start((uv_stream_t *)&o->tcp, on_alloc, on_read);
	if (r < 0) {
		fail(o, r);
		return;
	}
	(void)uv_timer_stop(&o->timer);
	forget_addrs(o);
	o->state = TCP_OUT_UP;
	o->up_since_ms = uv_now(o->base.loop);
	if (o->up_once)
		o->base.reconnects++;
	o->up_once = true;
	sqd_log(SQD_LOG_NOTICE, "%s: connected", o->base.name);
	o->failing = false;
	o->base.ready(&o->base); /* last: it may call send() or close() */
}

/* Bytes that the peer's system has not acknowledged. 0 also when we cannot know. */
static int unconfirmed(const struct tcp_output *o)
{
	uv_os_fd_t fd;
	int n;

	if (uv_fileno((const uv_handle_t *)&o->tcp, &fd) < 0 || ioctl(fd, SIOCOUTQ, &n) < 0)
		return 0;
	return n;
}

static void on_look(uv_timer_t *t)
{
	struct tcp_output *o = t->data;
	uint64_t age = uv_now(o->base.loop) - o->up_since_ms;

	if (age < TRUST_MS) {
		(void)uv_timer_start(&o->timer, on_look, TRUST_MS - age, 0);
		return;
	}
	if (unconfirmed(o) > 0) {
		(void)uv_timer_start(&o->timer, on_look, o->confirm_ms, 0);
		if (o->confirm_ms < CONFIRM_MAX_MS)
			o->confirm_ms *= 2;
		return;
	}
	o->sending = (struct sq_sv){ 0 };
	o->base.sent(&o->base, 0); /* last: it may call send() or close() */
}

static void on_written(uv_write_t *req, int status)
{
	struct tcp_output *o = req->data;

	if (status == 0) {
		if (o->state != TCP_OUT_UP)
			return; /* on_tcp_closed() tells */
		o->confirm_ms = CONFIRM_MIN_MS;
		(void)uv_timer_start(&o->timer, on_look, CONFIRM_MIN_MS, 0);
		return;
	}
	o->sending = (struct sq_sv){ 0 };
	fail(o, status);
	o->base.sent(&o->base, status); /* last: it may call send() or close() */
}

static int tcp_send(struct sqd_output *out, struct sq_sv bytes)
{
	struct tcp_output *o = self(out);
	uv_buf_t buf;
	int r;

	/* libuv only reads through the pointer; its type does not say so. */
	memcpy(&buf.base, &bytes.p, sizeof(buf.base));
	buf.len = bytes.n;
	if (o->state != TCP_OUT_UP || o->sending.p || o->closing)
		return -EAGAIN;
	sq_assert(bytes.n);
	r = uv_write(&o->write, (uv_stream_t *)&o->tcp, &buf, 1, on_written);
	if (r < 0) {
		fail(o, r);
		return -EAGAIN;
	}
	o->sending = bytes;
	return 0;
}

/* ---- getting there ----------------------------------------------------------------------- */

/* Connect to the next address of the name. */
static void try_next(struct tcp_output *o)
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
		fail(o, r);
		return;
	}
	(void)uv_tcp_nodelay(&o->tcp, 1); /* these two are comforts */
	if (cfg->keepalive)
		(void)uv_tcp_keepalive(&o->tcp, 1, (unsigned)((cfg->keepalive + 999) / 1000));
	(void)uv_timer_start(&o->timer, on_timeout, cfg->connect_timeout, 0);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
	struct tcp_output *o = req->data;

	if (o->closing) {
		uv_freeaddrinfo(found);
		release(o);
		return;
	}
	release(o); /* the timer is open: this is not the end */
	if (status < 0) {
		o->why = status;
		wait_for_next(o);
		return;
	}
	o->addrs = o->next_addr = found;
	try_next(o);
}

static void begin_round(struct tcp_output *o)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	int r;

	r = uv_getaddrinfo(o->base.loop, &o->resolve, on_resolved, o->host, o->port, &hints);
	if (r < 0) {
		o->why = r;
		wait_for_next(o);
		return;
	}
	o->base.open_handles++; /* a request keeps us alive like a handle */
	o->state = TCP_OUT_RESOLVING;
}

/* ---- life -------------------------------------------------------------------------------- */

static int tcp_start(struct sqd_output *out, struct sq_err *err)
{
	struct tcp_output *o = self(out);
	const struct sqd_output_tcp_cfg *cfg = out->cfg;
	int r;

	snprintf(out->name, sizeof(out->name), "tcp %.100s", cfg->address);
	out->framing = (enum sqd_framing)cfg->framing;
	r = sqd_addr_split(cfg->address, o->host, o->port, err);
	if (r < 0)
		return sq_err_wrap(err, r, "tcp output");
	(void)uv_timer_init(out->loop, &o->timer); /* cannot fail */
	out->open_handles++;
	o->timer.data = o->resolve.data = o->connect.data = o->write.data = o;
	o->retry_ms = cfg->retry_min;
	o->random = uv_hrtime() | 1;
	o->started = true;
	begin_round(o);
	return 0;
}

/* Nothing to do: a connection is not a file. */
static void tcp_reopen(struct sqd_output *out SQ_UNUSED)
{
}

static void on_timer_closed(uv_handle_t *h)
{
	release(h->data);
}

static void tcp_close(struct sqd_output *out)
{
	struct tcp_output *o = self(out);

	if (o->closing)
		return;
	o->closing = true;
	if (!o->started) { /* start() had failed: a handle of no other use calls back later */
		(void)uv_timer_init(out->loop, &o->timer);
		o->timer.data = o;
		out->open_handles++;
	}
	uv_close((uv_handle_t *)&o->timer, on_timer_closed);
	if (o->state == TCP_OUT_RESOLVING)
		(void)uv_cancel((uv_req_t *)&o->resolve); /* when it runs already, it ends */
	else if (o->state == TCP_OUT_CONNECTING || o->state == TCP_OUT_UP)
		fail(o, UV_ECANCELED);
	forget_addrs(o);
}

const struct sqd_output_ops sqd_output_tcp = {
	.kind = "tcp",
	.size = sizeof(struct tcp_output),
	.cfg_size = sizeof(struct sqd_output_tcp_cfg),
	.opts = tcp_opts,
	.start = tcp_start,
	.send = tcp_send,
	.reopen = tcp_reopen,
	.close = tcp_close,
};
