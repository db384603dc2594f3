/* What stands before the bytes of a connection: the PROXY header of a listed peer, and TLS.
 *
 * The PROXY header is looked at in the kernel's buffer and only its own bytes are taken out, so
 * nothing is left over from it. Ciphertext is read into one buffer of the server; what a session
 * could not use of it, since its protocol takes no bytes now, is saved until it does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/input/stream.h"

enum { PEEK = 4096 };

/* Of a peer that must not send one, or not there. Best effort: it may come in pieces. */
bool sqd_stream_is_proxied(struct sq_sv head)
{
	return sq_sv_starts(head, SQ_SV("PROXY TCP")) ||
	       sq_sv_starts(head, SQ_SV("PROXY UNKNOWN")) ||
	       sq_sv_starts(head, SQ_SV("\r\n\r\n\0\r\nQUIT\n"));
}

void sqd_stream_unlisted(struct sqd_conn *c)
{
	sqd_conn_counts(c)->proxy_failed++;
	sqd_conn_fail(c, "sends a PROXY header, but its address is not in proxy_from");
}

static void fail(struct sqd_conn *c, uint64_t *counter, const char *what, const char *why)
{
	struct sqd_server *in = c->server;
	char text[512];

	(*counter)++;
	in->base.counts->connections_failed++;
	sqd_log_limited(&in->front_limit, SQD_LOG_WARNING, "%s: %s: %s: %s; closing", in->base.name,
	                c->peer, what, sqd_log_text(sq_sv_of(why), text));
}

void sqd_stream_front_lost(struct sqd_conn *c, int why)
{
	struct sq_counters *counts = sqd_conn_counts(c);
	const char *text = why ? sq_strerror(why) : "it went away in the middle";

	if (c->stream->fresh)
		; /* somebody looked whether we are there; not an error */
	else if (c->stream->phase == SQD_PHASE_PROXY)
		fail(c, &counts->proxy_failed, "bad PROXY header", text);
	else
		fail(c, &counts->tls_failed, "TLS handshake failed", text);
	sqd_conn_close(c);
}

void sqd_stream_front_late(struct sqd_conn *c)
{
	struct sq_counters *counts = sqd_conn_counts(c);

	counts->handshake_timeouts++;
	if (c->stream->phase == SQD_PHASE_PROXY)
		fail(c, &counts->proxy_failed, "bad PROXY header", "it did not come in time");
	else
		fail(c, &counts->tls_failed, "TLS handshake failed", "it took too long");
	sqd_conn_close(c);
}

/* ---- PROXY ------------------------------------------------------------------------------- */

int sqd_stream_proxy_begin(struct sqd_conn *c)
{
	c->stream->phase = SQD_PHASE_PROXY;
	c->stream->proxy = calloc(1, sizeof(*c->stream->proxy));
	return c->stream->proxy ? 0 : -ENOMEM;
}

/* The header is whole: from now on the client's address is the peer's. @return 0, -ENOMEM, -EUSERS:
 * the client has as many connections as it may have */
static int believe(struct sqd_conn *c, const struct sq_proxy *p)
{
	struct sockaddr_storage client = { 0 };
	char text[SQD_ADDR_TEXT];
	struct sq_identity *id;

	if (!sqd_network_proxied(p, &client))
		return 0; /* the proxy speaks for itself, or does not know */
	sqd_addr_format(&client, text);
	if (!sqd_server_count_peer(c->server, &client, text, &c->stream->who))
		return -EUSERS;
	id = sqd_conn_prove(c);
	if (!id)
		return -ENOMEM;
	_Static_assert(sizeof(id->proxy) >= SQD_ADDR_TEXT, "an address fits");
	memcpy(id->proxy, c->peer, SQD_ADDR_TEXT);
	memcpy(c->peer, text, sizeof(text));
	return 0;
}

bool sqd_stream_proxy_read(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream;
	char bytes[PEEK];
	struct sq_proxy p = { 0 };
	ssize_t n = recv(s->fd, bytes, sizeof(bytes), MSG_PEEK);
	size_t used;
	int r;

	if (n <= 0) { /* an end or an error: this says which, and sees to it */
		(void)sqd_stream_recv(c, bytes, sizeof(bytes));
		return false;
	}
	r = sq_proxy_next(s->proxy, (struct sq_sv){ bytes, (size_t)n }, &used, &p);
	if (used && sqd_stream_recv(c, bytes, used) != used && !c->closing)
		r = -EIO; /* they were there a moment ago */
	if (c->closing)
		return false;
	s->fresh = false;
	if (r < 0) {
		fail(c, &sqd_conn_counts(c)->proxy_failed, "bad PROXY header",
		     s->proxy->why ? s->proxy->why : sq_strerror(r));
		sqd_conn_close(c);
		return false;
	}
	if (r == 0)
		return false;
	r = believe(c, &p);
	free(s->proxy);
	s->proxy = NULL;
	if (r == -EUSERS)
		sqd_conn_close(c); /* that was told */
	else if (r < 0)
		sqd_conn_fail(c, "cannot be served: out of memory");
	else
		sqd_stream_after_proxy(c);
	return true;
}

/* ---- TLS --------------------------------------------------------------------------------- */

int sqd_stream_tls_begin(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream;

	s->phase = SQD_PHASE_TLS;
	s->fresh = true;
	s->tls = sq_tls_new(c->server->tls, NULL);
	return s->tls ? 0 : -ENOMEM;
}

/* Ciphertext that was not used lies in the server's buffer, which the next connection needs. */
static void save(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream;
	struct sq_sv left = sq_tls_left(s->tls);

	if (left.n && s->saved)
		return; /* a part of what was saved before */
	if (left.n) {
		s->saved = malloc(left.n);
		if (!s->saved) {
			sqd_conn_fail(c, "cannot be served: out of memory");
			return;
		}
		memcpy(s->saved, left.p, left.n);
		sq_tls_give(s->tls, (struct sq_sv){ s->saved, left.n });
		return;
	}
	sq_tls_give(s->tls, (struct sq_sv){ 0 });
	free(s->saved);
	s->saved = NULL;
}

/* Decrypt into one room. @return as sq_tls_read(), after what was read has been taken */
static ssize_t decrypt(struct sqd_conn *c)
{
	const struct sqd_protocol *p = c->server->protocol;
	struct sqd_room room = p->room(c);
	size_t got = 0;
	ssize_t r = 0;

	if (!room.n || c->closing)
		return 0;
	while (got < room.n) {
		r = sq_tls_read(c->stream->tls, room.p + got, room.n - got);
		if (r <= 0)
			break;
		got += (size_t)r;
	}
	if (got) {
		c->stream->fresh = false;
		c->turn = c->server->turn;
		p->take(c, got);
	}
	return got && r > 0 ? (ssize_t)got : r;
}

static void session_failed(struct sqd_conn *c, int r)
{
	struct sqd_stream *s = c->stream;

	s->at_end = true;
	s->why = 0;
	if (r == -EPIPE)
		return;
	s->why = r;
	s->why_told = true;
	fail(c, &sqd_conn_counts(c)->tls_failed, "TLS failed", sq_tls_why(s->tls));
}

void sqd_stream_tls_go(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream;
	ssize_t r = 1;

	while (r > 0 && !s->at_end && sqd_stream_wants(c))
		r = decrypt(c);
	if (c->closing)
		return;
	s->more = r > 0 && !s->at_end;
	if (r < 0)
		session_failed(c, (int)r);
	save(c);
	if (c->closing)
		return;
	if (sq_tls_unsent(s->tls).n > SQD_CONN_UNSENT_MAX)
		sqd_conn_fail(c, "does not read what TLS has to answer");
	else if (sq_tls_unsent(s->tls).n)
		sqd_stream_flush(c);
}

/* Up: who is it? */
static void greet(struct sqd_conn *c)
{
	struct sq_counters *counts = sqd_conn_counts(c);
	struct sq_identity shown = { 0 }, *id;

	counts->tls_handshakes++;
	counts->tls_resumed += sq_tls_resumed(c->stream->tls);
	if (sq_tls_identity(c->stream->tls, &shown)) {
		id = sqd_conn_prove(c);
		if (!id) {
			sqd_conn_fail(c, "cannot be served: out of memory");
			return;
		}
		memcpy(id->subject, shown.subject, sizeof(id->subject));
		memcpy(id->names, shown.names, sizeof(id->names));
	}
	c->stream->fresh = true;
	sqd_stream_push(c); /* tickets; a peer that is gone may have left records */
	sqd_stream_open(c);
}

static void shake(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream;
	int r = sq_tls_handshake(s->tls);

	if (r == 1) {
		greet(c);
		return;
	}
	if (r == 0) {
		save(c); /* nothing is left but in odd cases */
		if (!c->closing)
			sqd_stream_flush(c);
		return;
	}
	fail(c, &sqd_conn_counts(c)->tls_failed, "TLS handshake failed", sq_tls_why(s->tls));
	sqd_conn_finish(c); /* the alert says why; a reset would overtake it */
}

bool sqd_stream_tls_read(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream;
	char *wire = c->server->wire;
	size_t n = sqd_stream_recv(c, wire, SQD_WIRE_BYTES);

	if (!n)
		return false;
	if (s->phase == SQD_PHASE_TLS && s->fresh &&
	    sqd_stream_is_proxied((struct sq_sv){ wire, n })) {
		sqd_stream_unlisted(c);
		return false;
	}
	if (s->phase == SQD_PHASE_TLS)
		s->fresh = false;
	sq_tls_give(s->tls, (struct sq_sv){ wire, n });
	if (s->phase == SQD_PHASE_TLS)
		shake(c);
	if (!c->closing && s->phase == SQD_PHASE_OPEN)
		sqd_stream_tls_go(c);
	return n == SQD_WIRE_BYTES;
}

void sqd_stream_front_close(struct sqd_conn *c)
{
	struct sqd_stream *s = c->stream;

	free(s->proxy);
	s->proxy = NULL;
	if (s->tls && s->opened && !s->broken && !s->shut) {
		sq_tls_end(s->tls);
		sqd_stream_push(c);
	}
	sq_tls_free(s->tls);
	s->tls = NULL;
	free(s->saved);
	s->saved = NULL;
}
