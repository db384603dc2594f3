/* The life of a connection: from accept to the last that refers to it.
 *
 *   opened ─▶ ended ─▶ closing ─▶ closed, still kept or unsettled ─▶ freed
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/input/stream.h"

static const struct sqd_protocol *proto(const struct sqd_conn *c)
{
	return c->server->protocol;
}

const void *sqd_conn_cfg(const struct sqd_conn *c)
{
	return c->server->base.cfg;
}

struct sqd_input *sqd_conn_input(const struct sqd_conn *c)
{
	return &c->server->base;
}

struct sq_counters *sqd_conn_counts(const struct sqd_conn *c)
{
	return c->server->base.counts;
}

struct sqd_room sqd_conn_scratch(struct sqd_conn *c)
{
	struct sqd_server *in = c->server;

	if (!in->scratch)
		in->scratch = malloc(SQD_CONN_SCRATCH);
	if (in->scratch)
		return (struct sqd_room){ in->scratch, SQD_CONN_SCRATCH };
	sqd_conn_fail(c, "cannot be served: out of memory");
	return (struct sqd_room){ 0 };
}

struct sq_identity *sqd_conn_prove(struct sqd_conn *c)
{
	if (!c->identity)
		c->identity = calloc(1, sizeof(*c->identity));
	c->receipt.identity = c->identity;
	return c->identity;
}

/* ---- birth and death --------------------------------------------------------------------- */

static void on_settled(struct sqd_receipt *r)
{
	sqd_conn_reap(SQ_CONTAINER(r, struct sqd_conn, receipt));
}

int sqd_conn_open(struct sqd_server *in, int fd, const struct sockaddr_storage *peer,
                  struct sqd_peer *who)
{
	/* One block for both: there may be thousands, and neither lives without the other. */
	size_t size = (in->protocol->size + 15) & ~(size_t)15;
	struct sqd_conn *c = calloc(1, size + sizeof(struct sqd_stream));
	int r;

	if (!c) {
		sqd_server_dismiss(in, who);
		close(fd);
		return -ENOMEM;
	}
	c->server = in;
	c->receipt.settled = on_settled;
	c->last_ms = uv_now(in->base.loop);
	c->stream = (struct sqd_stream *)((char *)c + size);
	c->stream->conn = c;
	c->stream->who = *who;
	sqd_addr_peer(fd, peer, c->peer);
	sqd_server_add(in, c);
	in->n_conns++;
	in->base.open_handles++; /* until it is freed, not until it is closed */
	r = sqd_stream_begin(c, fd, peer);
	if (r < 0)
		sqd_conn_close(c);
	return r;
}

void sqd_conn_close(struct sqd_conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	c->server->n_conns--;
	sqd_server_dismiss(c->server, &c->stream->who);
	if (c->stream->opened)
		proto(c)->closed(c);
	sqd_stream_close(c);
}

void sqd_conn_fail(struct sqd_conn *c, const char *text)
{
	struct sqd_server *in = c->server;

	if (c->closing)
		return;
	in->base.counts->connections_failed++;
	sqd_log_limited(&in->failed_limit, SQD_LOG_WARNING, "%s: %s %s; closing", in->base.name,
	                c->peer, text);
	sqd_conn_close(c);
}

void sqd_conn_reap(struct sqd_conn *c)
{
	struct sqd_server *in = c->server;

	if (!c->stream->closed || c->kept || c->receipt.unsettled || in->walking)
		return;
	sqd_server_remove(in, c);
	if (c->stream->opened)
		proto(c)->freed(c);
	free(c->identity);
	free(c);
	sqd_server_release(in); /* last: it may end the listener */
}

void sqd_conn_keep(struct sqd_conn *c)
{
	c->kept++;
}

void sqd_conn_let_go(struct sqd_conn *c)
{
	sq_assert(c->kept);
	c->kept--;
	c->last_ms = uv_now(c->server->base.loop); /* it was we who made it wait */
	sqd_conn_reap(c);
}

/* ---- flow -------------------------------------------------------------------------------- */

void sqd_conn_hold(struct sqd_conn *c)
{
	c->held = true;
	if (!c->closing)
		sqd_stream_update(c);
}

void sqd_conn_unhold(struct sqd_conn *c)
{
	if (!c->held || c->closing)
		return;
	c->held = false;
	c->last_ms = uv_now(c->server->base.loop);
	if (c->stream->reading)
		return; /* whoever reads goes on */
	sqd_stream_update(c);
	if (c->stream->tls || c->stream->at_end)
		sqd_stream_go_soon(c);
}

void sqd_conn_resume_soon(struct sqd_conn *c)
{
	c->stream->resume_due = true;
	sqd_stream_go_soon(c);
}

bool sqd_conn_waiting(const struct sqd_conn *c)
{
	const struct sqd_stream *s = c->stream;
	char byte;

	if (c->closing || s->eof || s->broken)
		return false;
	return s->saved || s->more || recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool sqd_conn_slowed(const struct sqd_conn *c)
{
	return c->server->base.allowance && sqd_conn_waiting(c);
}

void sqd_conn_starved(struct sqd_conn *c)
{
	sqd_server_pause(&c->server->base);
	sqd_server_turn(c->server, c);
}

void sqd_conn_ended(struct sqd_conn *c, int why, bool told)
{
	struct sqd_server *in = c->server;

	if (c->closing)
		return;
	if (why && !told) {
		in->base.counts->connections_failed++;
		sqd_log_limited(&in->ended_limit, SQD_LOG_INFO, "%s: %s: %s", in->base.name,
		                c->peer, sq_strerror(why));
	}
	if (c->ended || !c->stream->opened) {
		sqd_conn_close(c);
		return;
	}
	c->ended = true;
	sqd_stream_update(c);
	proto(c)->end(c, why);
}

int sqd_conn_resume(struct sqd_conn *c)
{
	if (c->closing)
		return 0;
	c->stream->resume_due = false;
	if (c->stream->opened && c->stream->phase == SQD_PHASE_OPEN) {
		uint64_t before = sqd_conn_counts(c)->received;
		int r = proto(c)->resume(c);

		if (sqd_conn_counts(c)->received > before)
			c->turn = c->server->turn;
		if (r == -EAGAIN)
			return -EAGAIN;
		if (c->closing)
			return 0;
		c->last_ms = uv_now(c->server->base.loop);
		sqd_stream_go(c);
		/* At once: when all batches have come back without it, we are done. */
		sqd_stream_read_owed(c);
		if (!c->closing)
			sqd_stream_go(c);
	}
	if (!c->closing)
		sqd_stream_update(c);
	return c->server->paused ? -EAGAIN : 0;
}

void sqd_conn_stop(struct sqd_conn *c)
{
	if (c->closing || c->stream->phase == SQD_PHASE_FINISH)
		return;
	/* The header of a proxy lies in front of what we are to read. */
	if (c->server->protocol->one_way && c->stream->phase == SQD_PHASE_PROXY &&
	    !c->stream->eof) {
		c->stream->reading = true;
		(void)sqd_stream_proxy_read(c);
		c->stream->reading = false;
		if (c->closing)
			return;
	}
	/* A peer whose handshake is over may have sent records behind its last word of it. */
	sqd_stream_owe(c);
	sqd_stream_read_owed(c);
	if (c->closing || c->stream->phase == SQD_PHASE_FINISH)
		return;
	if (!c->stream->opened) { /* nothing of it was taken in */
		sqd_conn_close(c);
		return;
	}
	c->stream->stop_due = true;
	sqd_stream_go(c);
	if (!c->closing)
		sqd_stream_update(c);
}

/* ---- sending ----------------------------------------------------------------------------- */

void sqd_conn_finish(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream;
	uint64_t wait = sqd_server_cfg(c->server)->send_timeout;

	if (c->closing || s->phase == SQD_PHASE_FINISH)
		return;
	if (s->broken) {
		sqd_conn_close(c);
		return;
	}
	if (s->tls && s->phase == SQD_PHASE_OPEN)
		sq_tls_end(s->tls);
	c->ended = true;
	s->phase = SQD_PHASE_FINISH;
	s->deadline_ms = uv_now(c->server->base.loop) + wait;
	/* From the loop: the caller may be deep in the protocol, and what is sent may close. */
	sqd_stream_go_soon(c);
}
