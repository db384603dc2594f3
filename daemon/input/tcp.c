/* The listener of the TCP input: accepts, limits, pauses and ends connections.
 *
 * It accepts on a socket of its own (daemon/base/listen.h) that libuv only polls. libuv's own
 * uv_listen() would, when descriptors run out, close what waits without a word.
 */
#include "daemon/input/tcp.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/input/tcp_conn.h"

enum {
	ACCEPTS_AT_ONCE = 64,  /* then others have their turn */
	ACCEPT_RETRY_MS = 250, /* rest after running out of descriptors or memory */
	SCAN_MIN_MS = 10,      /* how often idle connections are looked for: a quarter of the */
	SCAN_MAX_MS = 1000,    /* idle time, within these */
};

#define AT(member) .offset = offsetof(struct sqd_input_tcp_cfg, member)

/* clang-format off */
static const struct sq_opt tcp_opts[] = {
	{ "listen", SQ_OPT_STR, AT(listen), .required = true,
	  .doc = "Address and port: 127.0.0.1:5170, [::1]:5170, 0.0.0.0:5170 for every IPv4 address, [::]:5170 "
		 "for every IPv6 address, *:5170 for both." },
	{ "max_record", SQ_OPT_BYTES, AT(max_record), .min = 1024, .max = 16 << 20, .def = "1MiB",
	  .doc = "Longest record; a longer one is skipped to its end and counted as oversized." },
	{ "max_connections", SQ_OPT_U32, AT(max_connections), .min = 1, .max = 65536, .def = "1024",
	  .doc = "Connections at one time; further ones are closed at once and counted." },
	{ "idle", SQ_OPT_MSEC, AT(idle), .min = 0, .max = 7 * 86400000, .def = "0",
	  .doc = "Close a connection that has said nothing for so long; 0 means never." },
	{ "receive_buffer", SQ_OPT_BYTES, AT(receive_buffer), .min = 0, .max = 256 << 20, .def = "0",
	  .doc = "Receive buffer of the kernel for each connection; 0 leaves the choice to it, which is best." },
	{ "backlog", SQ_OPT_U32, AT(backlog), .min = 1, .max = 65535, .def = "128",
	  .doc = "Connections that the kernel keeps until they are accepted." },
	{ 0 }
};
/* clang-format on */

static struct sqd_tcp_input *self(struct sqd_input *in)
{
	return SQ_CONTAINER(in, struct sqd_tcp_input, base);
}

void sqd_tcp_release(struct sqd_tcp_input *in)
{
	sq_assert(in->base.open_handles);
	in->base.open_handles--;
	if (in->closing && !in->base.open_handles)
		in->base.closed(&in->base); /* last: it frees us */
}

/* ---- walking over connections ------------------------------------------------------------ */

static void walk_begin(struct sqd_tcp_input *in)
{
	in->walking++;
	in->base.open_handles++; /* `closed` must not come before the end of the walk */
}

static void walk_end(struct sqd_tcp_input *in)
{
	struct sqd_tcp_conn *c, *next;

	in->walking--;
	for (c = in->walking ? NULL : in->conns; c; c = next) {
		next = c->next;
		sqd_tcp_conn_reap(c);
	}
	sqd_tcp_release(in);
}

void sqd_tcp_pause(struct sqd_tcp_input *in)
{
	if (in->paused)
		return;
	in->paused = true;
	for (struct sqd_tcp_conn *c = in->conns; c; c = c->next) {
		if (!c->closing)
			(void)uv_read_stop((uv_stream_t *)&c->tcp);
	}
}

static void tcp_pause(struct sqd_input *in)
{
	sqd_tcp_pause(self(in));
}

static void tcp_resume(struct sqd_input *base)
{
	struct sqd_tcp_input *in = self(base);

	if (!in->paused)
		return;
	in->paused = false;
	walk_begin(in);
	for (struct sqd_tcp_conn *c = in->conns; c; c = c->next) {
		if (sqd_tcp_conn_resume(c) == -EAGAIN)
			break; /* and paused again: the others go on next time */
	}
	walk_end(in);
}

static void on_scan(uv_timer_t *t)
{
	struct sqd_tcp_input *in = t->data;
	const struct sqd_input_tcp_cfg *cfg = in->base.cfg;
	uint64_t now = uv_now(t->loop);

	if (in->paused || in->stopped)
		return; /* it is we who do not listen */
	walk_begin(in);
	for (struct sqd_tcp_conn *c = in->conns; c; c = c->next) {
		if (c->closing || c->ended || now - c->last_ms < cfg->idle)
			continue;
		in->base.counts->connections_idle++;
		sqd_tcp_conn_end(c);
	}
	walk_end(in);
}

/* ---- accepting --------------------------------------------------------------------------- */

static void on_poll(uv_poll_t *h, int status, int events);

static void on_retry(uv_timer_t *t)
{
	struct sqd_tcp_input *in = t->data;

	if (!in->stopped)
		(void)uv_poll_start(&in->poll, UV_READABLE, on_poll);
}

/* Descriptors or memory are short. The peers wait in the backlog meanwhile. */
static void rest(struct sqd_tcp_input *in, int why)
{
	sqd_log_limited(&in->accept_limit, SQD_LOG_ERROR,
	                "%s: cannot accept a connection: %s; retrying", in->base.name,
	                sq_strerror(why));
	(void)uv_poll_stop(&in->poll);
	(void)uv_timer_start(&in->retry, on_retry, ACCEPT_RETRY_MS, 0);
}

/* Errors of the one connection that was waiting: accept(2) says to go on with the next. */
static bool passing(int code)
{
	return code == EINTR || code == ECONNABORTED || code == EPROTO || code == EPERM ||
	       code == ENETDOWN || code == ENOPROTOOPT || code == EHOSTDOWN || code == ENONET ||
	       code == EHOSTUNREACH || code == ENETUNREACH || code == EOPNOTSUPP;
}

/* @return false: nothing more to accept now */
static bool accept_one(struct sqd_tcp_input *in)
{
	const struct sqd_input_tcp_cfg *cfg = in->base.cfg;
	struct sockaddr_storage peer = { 0 };
	socklen_t len = sizeof(peer);
	char text[SQD_ADDR_TEXT];
	int fd, r;

	fd = accept4(in->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0 && passing(errno))
		return true;
	if (fd < 0) {
		if (errno != EAGAIN)
			rest(in, -errno);
		return false;
	}
	if (in->n_conns >= cfg->max_connections) {
		close(fd);
		in->base.counts->connections_refused++;
		sqd_log_limited(&in->refused_limit, SQD_LOG_WARNING,
		                "%s: %s refused: max_connections (%u) are open", in->base.name,
		                sqd_addr_format(&peer, text), (unsigned)cfg->max_connections);
		return true;
	}
	in->base.counts->connections++;
	r = sqd_tcp_conn_open(in, fd, &peer);
	if (r == 0)
		return true;
	in->base.counts->connections_failed++;
	rest(in, r);
	return false;
}

static void on_poll(uv_poll_t *h, int status, int events SQ_UNUSED)
{
	struct sqd_tcp_input *in = h->data;

	if (status < 0) {
		rest(in, status);
		return;
	}
	for (int i = 0; i < ACCEPTS_AT_ONCE && accept_one(in); i++)
		;
}

/* ---- life -------------------------------------------------------------------------------- */

static int tcp_start(struct sqd_input *base, struct sq_err *err)
{
	struct sqd_tcp_input *in = self(base);
	const struct sqd_input_tcp_cfg *cfg = base->cfg;
	struct sqd_listen l = { .where = cfg->listen,
		                .type = SOCK_STREAM,
		                .backlog = (int)cfg->backlog,
		                .receive_buffer = cfg->receive_buffer,
		                .inherited_fd = base->inherited_fd };
	uint64_t every = cfg->idle / 4;
	char bound[SQD_BOUND_TEXT];
	int r;

	in->fd = sqd_listen_open(&l, bound, NULL, NULL, err);
	if (in->fd < 0)
		return sq_err_wrap(err, in->fd, "tcp input");
	snprintf(base->name, sizeof(base->name), "tcp %s", bound);
	r = uv_poll_init(base->loop, &in->poll, in->fd);
	if (r < 0) {
		close(in->fd);
		in->fd = -1;
		return sq_err_set(err, r, "%s: %s", base->name, uv_strerror(r));
	}
	(void)uv_timer_init(base->loop, &in->retry); /* these cannot fail */
	(void)uv_timer_init(base->loop, &in->scan);
	in->poll.data = in->retry.data = in->scan.data = in;
	base->open_handles += 3;
	in->started = true;
	if (every < SCAN_MIN_MS)
		every = SCAN_MIN_MS;
	if (every > SCAN_MAX_MS)
		every = SCAN_MAX_MS;
	if (cfg->idle)
		(void)uv_timer_start(&in->scan, on_scan, every, every);
	r = uv_poll_start(&in->poll, UV_READABLE, on_poll);
	return r < 0 ? sq_err_set(err, r, "%s: %s", base->name, uv_strerror(r)) : 0;
}

static void tcp_stop(struct sqd_input *base)
{
	struct sqd_tcp_input *in = self(base);

	if (in->stopped || !in->started)
		return;
	in->stopped = true;
	(void)uv_poll_stop(&in->poll);
	(void)uv_timer_stop(&in->retry);
	(void)uv_timer_stop(&in->scan);
	walk_begin(in);
	for (struct sqd_tcp_conn *c = in->conns; c; c = c->next)
		sqd_tcp_conn_stop(c);
	walk_end(in);
}

static void on_handle_closed(uv_handle_t *h)
{
	struct sqd_tcp_input *in = h->data;

	if (h == (uv_handle_t *)&in->poll) {
		close(in->fd);
		in->fd = -1;
	}
	sqd_tcp_release(in);
}

/* Also when start() had failed: then there may be nothing to close but the promise to call back. */
static void tcp_close(struct sqd_input *base)
{
	struct sqd_tcp_input *in = self(base);

	if (in->closing)
		return;
	tcp_stop(base);
	in->closing = true;
	walk_begin(in);
	for (struct sqd_tcp_conn *c = in->conns; c; c = c->next)
		sqd_tcp_conn_close(c);
	if (in->started) {
		uv_close((uv_handle_t *)&in->poll, on_handle_closed);
		uv_close((uv_handle_t *)&in->retry, on_handle_closed);
		uv_close((uv_handle_t *)&in->scan, on_handle_closed);
	} else {
		/* `closed` comes later, never from inside: a handle of no other use does that. */
		(void)uv_timer_init(base->loop, &in->retry);
		in->retry.data = in;
		base->open_handles++;
		uv_close((uv_handle_t *)&in->retry, on_handle_closed);
	}
	walk_end(in);
}

const struct sqd_input_ops sqd_input_tcp = {
	.kind = "tcp",
	.size = sizeof(struct sqd_tcp_input),
	.cfg_size = sizeof(struct sqd_input_tcp_cfg),
	.opts = tcp_opts,
	.start = tcp_start,
	.pause = tcp_pause,
	.resume = tcp_resume,
	.stop = tcp_stop,
	.close = tcp_close,
};
