#include "daemon/input/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	READ_MAX = 256 * 1024,
	READ_ON = 32 * 1024, /* who sends so much at once has sent more by the time it is cut */
	READS_AT_ONCE = 16,  /* then others have their turn, */
	TURN_NS = 5000000,   /* or after so long: a few packed bytes may be much work */
	KEEPALIVE_S = 60,    /* a peer that vanished is noticed, even without an idle time: */
	PROBE_S = 15,        /* after so long without a byte, and so many probes unanswered, */
	PROBES = 4,          /* so long apart */
	SHARES = 256, /* of a second of max_rate: with READS_AT_ONCE, less than it rests for */
	SHARE_MIN = 4 * 1024,
};

static const struct sqd_protocol *proto(const struct sqd_conn *c)
{
	return c->server->protocol;
}

static uint64_t now(const struct sqd_conn *c)
{
	return uv_now(c->server->base.loop);
}

/* ---- what is looked for ------------------------------------------------------------------ */

bool sqd_stream_wants(const struct sqd_conn *c)
{
	return !c->closing && !c->held && !c->ended && !c->server->paused && !c->stream->stopped &&
	       c->stream->phase == SQD_PHASE_OPEN;
}

static bool wants_socket(const struct sqd_conn *c)
{
	const struct sqd_stream *s = c->stream;

	if (s->eof || c->closing)
		return false;
	if (s->phase == SQD_PHASE_FINISH)
		return true;
	if (s->saved)
		return false;
	return s->phase != SQD_PHASE_OPEN || (sqd_stream_wants(c) && !c->server->slowed &&
	                                      (!c->server->stopped || s->owed) && !s->at_end);
}

static void on_poll(uv_poll_t *h, int status, int events);

void sqd_stream_update(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream;
	int want = 0;

	if (c->closing)
		return;
	if (wants_socket(c))
		want |= UV_READABLE;
	if (!s->broken && sqd_conn_unsent(c))
		want |= UV_WRITABLE;
	if (want == s->polled)
		return;
	s->polled = want;
	if (want)
		(void)uv_poll_start(&s->poll, want, on_poll); /* the handle is open */
	else
		(void)uv_poll_stop(&s->poll);
}

/* ---- going on without an event ----------------------------------------------------------- */

static void on_go(uv_idle_t *h)
{
	struct sqd_server *in = h->data;
	struct sqd_stream *list = in->going, *s;

	in->going = NULL;
	(void)uv_idle_stop(h);
	sqd_server_walk_begin(in);
	while ((s = list)) {
		list = s->next_going;
		s->going = false;
		if (s->conn->closing)
			continue;
		if (s->resume_due && !in->paused && s->phase == SQD_PHASE_OPEN && !s->broken) {
			if (sqd_conn_resume(s->conn) == -EAGAIN)
				continue; /* it comes again */
			continue;
		}
		sqd_stream_go(s->conn);
		sqd_stream_update(s->conn);
	}
	sqd_server_walk_end(in);
}

void sqd_stream_go_soon(struct sqd_conn *c)
{
	struct sqd_server *in = c->server;

	if (c->stream->going || c->closing)
		return;
	c->stream->going = true;
	c->stream->next_going = in->going;
	in->going = c->stream;
	(void)uv_idle_start(&in->go, on_go);
}

/* What had to wait for the bytes before it. */
static void after_bytes(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream;

	if (s->at_end && sqd_stream_wants(c)) {
		s->at_end = false;
		sqd_conn_ended(c, s->why, s->why_told);
	}
	/* What a protocol that holds does not want now, it will not be given any more. */
	if (s->stop_due && ((!s->more && !s->owed) || c->held) && !c->closing) {
		s->stop_due = false;
		s->stopped = true;
		proto(c)->stop(c);
	}
}

void sqd_stream_go(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream;

	if (s->broken && s->wrote) {
		sqd_stream_lost(c, -EPIPE);
		return;
	}
	if (s->phase == SQD_PHASE_FINISH) {
		sqd_stream_flush(c);
		return;
	}
	s->reading = true;
	if (s->tls && s->phase == SQD_PHASE_OPEN)
		sqd_stream_tls_go(c);
	s->reading = false;
	after_bytes(c);
}

/* ---- sending ----------------------------------------------------------------------------- */

size_t sqd_conn_unsent(const struct sqd_conn *c)
{
	const struct sqd_stream *s = c->stream;

	return s->tls ? sq_tls_unsent(s->tls).n : s->out.len - s->out_at;
}

static void out_free(struct sqd_stream *s)
{
	sq_outbuf_fini(&s->out);
	s->out_at = 0;
}

/* Put bytes behind what is unsent. */
static int queue(struct sqd_stream *s, struct sq_sv bytes)
{
	if (s->out_at) { /* only what the kernel did not take is here, so this is rare */
		memmove(s->out.p, s->out.p + s->out_at, s->out.len - s->out_at);
		s->out.len -= s->out_at;
		s->out_at = 0;
	}
	sq_outbuf_put(&s->out, bytes);
	return s->out.failed ? -ENOMEM : 0;
}

/* @return bytes that the kernel took; on an error `broken` */
static size_t put(struct sqd_conn *c, struct sq_sv bytes)
{
	struct sqd_stream *s = c->stream;
	size_t done = 0;
	ssize_t n;

	while (done < bytes.n && !s->broken) {
		n = send(s->fd, bytes.p + done, bytes.n - done, MSG_NOSIGNAL);
		if (n > 0)
			done += (size_t)n;
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR)
			s->broken = true;
	}
	if (!done)
		return 0;
	s->sent_ms = now(c);
	if (s->phase == SQD_PHASE_FINISH)
		s->deadline_ms = s->sent_ms + sqd_server_cfg(c->server)->send_timeout;
	return done;
}

/* Our last word is out: FIN, and the peer's is waited for. */
static void finished(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream;

	if (!s->shut && shutdown(s->fd, SHUT_WR) < 0)
		s->broken = true;
	s->shut = true;
	if (s->eof || s->broken)
		sqd_conn_close(c);
}

void sqd_stream_push(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream;

	if (s->tls) {
		sq_tls_sent(s->tls, put(c, sq_tls_unsent(s->tls)));
		if (s->broken)
			sq_tls_sent(s->tls, sq_tls_unsent(s->tls).n);
		return;
	}
	if (!s->out.p)
		return;
	s->out_at += put(c, sq_sv_skip(sq_outbuf_view(&s->out), s->out_at));
	if (s->out_at == s->out.len || s->broken)
		out_free(s);
}

void sqd_stream_flush(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream;

	sqd_stream_push(c);
	/* What nobody but TLS wanted to say is not missed; the peer's last bytes may still be there
	 * to be read, and after them its end or the error. */
	if (s->broken && (s->wrote || s->phase != SQD_PHASE_OPEN))
		sqd_stream_lost(c, -EPIPE);
	else if (s->phase == SQD_PHASE_FINISH && !sqd_conn_unsent(c))
		finished(c);
	else
		sqd_stream_update(c);
}

int sqd_conn_write(struct sqd_conn *c, struct sq_sv bytes)
{
	struct sqd_stream *s = c->stream;
	int r = 0;

	if (c->closing || s->broken || s->phase != SQD_PHASE_OPEN)
		return -EPIPE;
	if (sqd_conn_unsent(c) + bytes.n > SQD_CONN_UNSENT_MAX)
		return -ENOBUFS;
	s->wrote = true;
	if (!sqd_conn_unsent(c))
		s->sent_ms = now(c);
	if (s->tls) {
		r = sq_tls_write(s->tls, bytes);
		if (r == -ENOBUFS)
			return r;
		sqd_stream_push(c);
	} else if (!s->out.p) {
		bytes = sq_sv_skip(bytes, put(c, bytes));
		if (bytes.n && !s->broken)
			r = queue(s, bytes);
	} else {
		r = queue(s, bytes);
	}
	if (s->broken || r < 0) {
		s->broken = true; /* a part of the bytes is of no use to anybody */
		sqd_stream_go_soon(c);
		return r < 0 ? r : -EPIPE;
	}
	sqd_stream_update(c);
	return 0;
}

/* ---- receiving --------------------------------------------------------------------------- */

void sqd_stream_lost(struct sqd_conn *c, int why)
{
	struct sqd_stream *s = c->stream;

	if (why)
		s->broken = true;
	s->eof = true;
	if (s->phase == SQD_PHASE_FINISH) {
		if (s->shut || s->broken)
			sqd_conn_close(c);
		return;
	}
	if (s->phase != SQD_PHASE_OPEN) {
		sqd_stream_front_lost(c, why);
		return;
	}
	/* Whoever came and went without a byte has asked whether we are there. */
	if (s->fresh)
		why = 0;
	/* Many do not care to end TLS in order; what is cut off shows in the records. */
	else if (!why && s->tls && !s->at_end)
		sqd_conn_counts(c)->tls_truncated++;
	sqd_conn_ended(c, why, false);
}

/* No connection takes all of what others may have too. */
static size_t share_of(const struct sqd_conn *c, size_t n)
{
	const struct sqd_allowance *a = c->server->base.allowance;
	uint64_t share;

	if (!a || c->stream->phase != SQD_PHASE_OPEN)
		return n;
	share = a->rate / SHARES > SHARE_MIN ? a->rate / SHARES : SHARE_MIN;
	return n < share ? n : (size_t)share;
}

size_t sqd_stream_recv(struct sqd_conn *c, char *to, size_t n)
{
	struct sqd_stream *s = c->stream;
	ssize_t got;

	do {
		got = recv(s->fd, to, share_of(c, n), 0);
	} while (got < 0 && errno == EINTR);
	s->owed = got > 0 && (size_t)got < s->owed ? s->owed - (size_t)got : 0;
	if (got > 0) {
		c->last_ms = now(c);
		c->server->base.counts->bytes_in += (uint64_t)got;
		sqd_server_spend(c->server, c, (size_t)got);
		return (size_t)got;
	}
	if (got == 0 || errno != EAGAIN)
		sqd_stream_lost(c, got ? -errno : 0);
	return 0;
}

/* @return true: there may be more */
static bool read_plain(struct sqd_conn *c)
{
	struct sqd_room room = proto(c)->room(c);
	size_t n;

	if (!room.n || c->closing)
		return false;
	if (room.n > READ_MAX)
		room.n = READ_MAX;
	n = sqd_stream_recv(c, room.p, room.n);
	if (!n)
		return false;
	if (c->stream->fresh && sqd_stream_is_proxied((struct sq_sv){ room.p, n })) {
		sqd_stream_unlisted(c);
		return false;
	}
	c->stream->fresh = false;
	c->turn = c->server->turn;
	proto(c)->take(c, n);
	return n == room.n || n >= READ_ON;
}

/* The peer still talks, but nobody listens. */
static bool read_away(struct sqd_conn *c)
{
	char away[4096];

	return sqd_stream_recv(c, away, sizeof(away)) == sizeof(away);
}

static bool read_some(struct sqd_conn *c)
{
	switch (c->stream->phase) {
	case SQD_PHASE_PROXY:
		return sqd_stream_proxy_read(c);
	case SQD_PHASE_TLS:
		return sqd_stream_tls_read(c);
	case SQD_PHASE_OPEN:
		return c->stream->tls ? sqd_stream_tls_read(c) : read_plain(c);
	case SQD_PHASE_FINISH:
		return read_away(c);
	}
	return false;
}

/* A thousand connections that all have bytes would use up all batches in one turn of the loop, be
 * paused and resumed, and each of that is a system call for each of them. So when batches come to
 * an end, the rest of them wait for the next turn, untouched; and come first then. */
static bool lets_others(struct sqd_conn *c)
{
	struct sqd_server *in = c->server;
	uint64_t turn = sqd_dispatch_turn(in->base.dispatch);

	if (c->stream->phase != SQD_PHASE_OPEN)
		return false;
	if (in->loop_turn != turn) {
		in->loop_turn = turn;
		in->round += !in->cut;
		in->was_cut = in->cut;
		in->cut = false;
	}
	if (sqd_dispatch_short(in->base.dispatch)) {
		in->cut = true;
		return true;
	}
	if (in->was_cut && c->stream->round == in->round)
		return true;
	c->stream->round = in->round;
	return false;
}

static bool is_short(const struct sqd_conn *c)
{
	return c->stream->phase == SQD_PHASE_OPEN && sqd_dispatch_short(c->server->base.dispatch);
}

static void read_turn(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream;
	uint64_t until = uv_hrtime() + TURN_NS;

	s->reading = true;
	for (int i = 0; i < READS_AT_ONCE && wants_socket(c) && read_some(c) && !is_short(c) &&
	                uv_hrtime() < until;
	     i++)
		;
	s->reading = false;
	if (!c->closing && s->phase == SQD_PHASE_OPEN)
		after_bytes(c);
}

/* It has not been answered, and so it cannot have sent anything that is to be kept. */
static bool is_unanswered(const struct sqd_stream *s)
{
	return s->phase == SQD_PHASE_PROXY || (s->phase == SQD_PHASE_TLS && s->fresh);
}

void sqd_stream_owe(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream;
	int n = 0;

	if (proto(c)->one_way && !is_unanswered(s) && !s->eof && ioctl(s->fd, FIONREAD, &n) == 0 &&
	    n > 0)
		s->owed = (size_t)n;
}

void sqd_stream_read_owed(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream;

	s->reading = true;
	while (s->owed && wants_socket(c))
		(void)read_some(c);
	s->reading = false;
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct sqd_stream *s = h->data;
	struct sqd_conn *c = s->conn;
	const uint64_t *in = &c->server->base.counts->bytes_in, before = *in;

	if (status < 0) { /* libuv has stopped polling; the calls below will say why */
		s->polled = 0;
		events = UV_READABLE | UV_WRITABLE;
	}
	if ((events & UV_WRITABLE) && !c->closing)
		sqd_stream_flush(c);
	if (status >= 0 && (events & UV_READABLE) && wants_socket(c) && lets_others(c))
		return; /* as it is: it will be told again */
	if (events & UV_READABLE)
		read_turn(c);
	/* Bytes that came before the error are still to be had, and are asked for again. */
	if (status < 0 && *in == before && wants_socket(c))
		sqd_stream_lost(c, -ECONNRESET);
	sqd_stream_update(c);
}

/* ---- life -------------------------------------------------------------------------------- */

static void comforts(int fd, sa_family_t family)
{
	int one = 1, idle = KEEPALIVE_S, apart = PROBE_S, probes = PROBES;

	if (family == AF_UNIX)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &apart, sizeof(apart));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	/* Answers are written whole, so nothing is won by waiting for more. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

void sqd_stream_open(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream;
	int r;

	s->phase = SQD_PHASE_OPEN;
	r = proto(c)->open(c);
	if (r < 0) {
		sqd_conn_ended(c, r, false);
		return;
	}
	s->opened = true;
	sqd_stream_update(c);
}

int sqd_stream_begin(struct sqd_conn *c, int fd, const struct sockaddr_storage *peer)
{
	struct sqd_stream *s = c->stream;
	int r = uv_poll_init(c->server->base.loop, &s->poll, fd);

	if (r < 0) {
		s->fd = -1;
		close(fd);
		return r;
	}
	s->fd = fd;
	s->out = sq_outbuf_of(SQD_CONN_UNSENT_MAX);
	s->poll.data = s;
	s->fresh = true;
	s->deadline_ms = now(c) + sqd_server_cfg(c->server)->handshake;
	comforts(fd, peer->ss_family);
	if (!sqd_networks_have(c->server->trusted, c->server->n_trusted, peer)) {
		sqd_stream_after_proxy(c);
		return 0;
	}
	r = sqd_stream_proxy_begin(c);
	sqd_stream_update(c);
	return r;
}

void sqd_stream_after_proxy(struct sqd_conn *c)
{
	c->stream->fresh = true;
	if (!c->server->tls)
		sqd_stream_open(c);
	else if (sqd_stream_tls_begin(c) < 0)
		sqd_conn_fail(c, "cannot be served: out of memory");
	else
		sqd_stream_update(c);
}

void sqd_stream_tick(struct sqd_conn *c, uint64_t now_ms)
{
	struct sqd_stream *s = c->stream;
	const struct sqd_server_cfg *cfg = sqd_server_cfg(c->server);

	if (s->phase != SQD_PHASE_OPEN && now_ms >= s->deadline_ms) {
		if (s->phase == SQD_PHASE_FINISH)
			sqd_conn_close(c);
		else
			sqd_stream_front_late(c);
		return;
	}
	if (s->phase == SQD_PHASE_OPEN && sqd_conn_unsent(c) &&
	    now_ms - s->sent_ms >= cfg->send_timeout)
		sqd_conn_fail(c, "does not read what is sent to it");
}

bool sqd_stream_unread(const struct sqd_conn *c)
{
	char byte;

	return recv(c->stream->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

static void on_closed(uv_handle_t *h)
{
	struct sqd_stream *s = h->data;

	close(s->fd);
	s->fd = -1;
	s->closed = true;
	sqd_conn_reap(s->conn);
}

void sqd_stream_close(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream, **at;

	for (at = &c->server->going; s->going && *at; at = &(*at)->next_going) {
		if (*at != s)
			continue;
		*at = s->next_going;
		break;
	}
	s->going = false;
	sqd_stream_front_close(c);
	out_free(s);
	if (s->fd >= 0) {
		uv_close((uv_handle_t *)&s->poll, on_closed);
		return;
	}
	/* There never was a handle; our caller opens us, so nobody else holds us. */
	s->closed = true;
	sqd_conn_reap(c);
}
