/* The listener of stream inputs: accepts, limits, pauses and ends connections.
 *
 * It accepts on a socket of its own (daemon/base/listen.h) that libuv only polls. libuv's own
 * uv_listen() would, when descriptors run out, close what waits without a word.
 */
#include "daemon/input/server.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/input/stream.h"

enum {
	ACCEPTS_AT_ONCE = 64,  /* then others have their turn */
	ACCEPT_RETRY_MS = 250, /* rest after running out of descriptors or memory */
	TICK_MIN_MS = 10,      /* how often deadlines are looked at: a quarter of the shortest, */
	TICK_MAX_MS = 1000,    /* within these */
	EASE_SPREAD_MS = 100,  /* whoever of several loops comes first takes nearly all there is */
};

static struct sqd_server *self(struct sqd_input *in)
{
	return SQ_CONTAINER(in, struct sqd_server, base);
}

const struct sqd_server_cfg *sqd_server_cfg(const struct sqd_server *in)
{
	return in->base.cfg; /* its first member */
}

void sqd_server_release(struct sqd_server *in)
{
	sq_assert(in->base.open_handles);
	in->base.open_handles--;
	if (!in->closing || in->base.open_handles)
		return;
	free(in->scratch);
	free(in->wire);
	free(in->trusted);
	if (!in->base.shared)
		sqd_peers_free(in->peers);
	sq_tls_ctx_unref(in->tls);
	if (in->protocol && in->protocol->gone)
		in->protocol->gone(in);
	in->base.closed(&in->base); /* last: it frees us */
}

/* ---- walking over connections ------------------------------------------------------------ */

void sqd_server_walk_begin(struct sqd_server *in)
{
	in->walking++;
	in->base.open_handles++; /* `closed` must not come before the end of the walk */
}

void sqd_server_walk_end(struct sqd_server *in)
{
	struct sqd_conn *c, *next;

	in->walking--;
	for (c = in->walking ? NULL : in->conns; c; c = next) {
		next = c->next;
		sqd_conn_reap(c);
	}
	sqd_server_release(in);
}

void sqd_server_add(struct sqd_server *in, struct sqd_conn *c)
{
	c->prev = in->last;
	if (c->prev)
		c->prev->next = c;
	else
		in->conns = c;
	in->last = c;
}

void sqd_server_remove(struct sqd_server *in, struct sqd_conn *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		in->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	else
		in->last = c->prev;
}

/* `c` found no batch. The next time it is the first, or, if it had its share this time, the one
 * behind it: whoever is first gets something, so everybody's turn comes. */
void sqd_server_turn(struct sqd_server *in, struct sqd_conn *c)
{
	struct sqd_conn *first = c->turn == in->turn ? c->next : c;

	if (in->walking || !first || first == in->conns)
		return;
	in->last->next = in->conns;
	in->conns->prev = in->last;
	in->last = first->prev;
	in->last->next = NULL;
	first->prev = NULL;
	in->conns = first;
}

void sqd_server_pause(struct sqd_input *base)
{
	struct sqd_server *in = self(base);

	if (in->paused || in->protocol->waits_alone)
		return;
	in->paused = true;
	for (struct sqd_conn *c = in->conns; c; c = c->next)
		sqd_stream_update(c);
}

void sqd_server_resume(struct sqd_input *base)
{
	struct sqd_server *in = self(base);
	struct sqd_conn *c;

	if (!in->paused && !in->protocol->waits_alone)
		return;
	in->paused = false;
	in->turn++;
	sqd_server_walk_begin(in);
	for (c = in->conns; c; c = c->next) {
		if (sqd_conn_resume(c) == -EAGAIN)
			break; /* and paused again: the others go on next time */
	}
	in->walking--;
	if (c)
		sqd_server_turn(in, c);
	in->walking++;
	sqd_server_walk_end(in);
}

/* The same end as that of a pause, but what has come already goes on meanwhile. */
static void on_ease(uv_timer_t *t)
{
	struct sqd_server *in = t->data;

	in->slowed = false;
	in->turn++;
	for (struct sqd_conn *c = in->conns; c; c = c->next)
		sqd_stream_update(c);
}

/* Connections stop being polled one by one, as their bytes come: who says nothing costs nothing. */
void sqd_server_spend(struct sqd_server *in, struct sqd_conn *c, size_t n)
{
	uint64_t wait_ms;

	if (!in->base.allowance)
		return;
	wait_ms = sqd_allowance_take(in->base.allowance, uv_now(in->base.loop), n);
	if (!wait_ms || in->slowed || in->stopped)
		return;
	if (in->base.shared) /* so that it is not always the same one */
		wait_ms += uv_hrtime() % EASE_SPREAD_MS;
	in->slowed = true;
	in->base.counts->rate_pauses++;
	(void)uv_timer_start(&in->ease, on_ease, wait_ms, 0);
	c->turn = in->turn;
	sqd_server_turn(in, c);
}

static bool is_idle(const struct sqd_conn *c, uint64_t now_ms)
{
	uint64_t idle = sqd_server_cfg(c->server)->idle;

	/* Where it is we who do not listen, or who owe an answer, the peer is not idle; nor where
	 * we were stopped (a virtual machine that is moved, a debugger), and he spoke meanwhile. */
	return idle && now_ms - c->last_ms >= idle && c->stream->phase == SQD_PHASE_OPEN &&
	       !c->ended && !c->held && !c->kept && !c->server->paused && !c->server->stopped &&
	       !sqd_stream_unread(c);
}

static void on_tick(uv_timer_t *t)
{
	struct sqd_server *in = t->data;
	uint64_t now_ms = uv_now(t->loop);

	sqd_server_walk_begin(in);
	for (struct sqd_conn *c = in->conns; c; c = c->next) {
		if (!c->closing)
			sqd_stream_tick(c, now_ms);
		if (!c->closing && is_idle(c, now_ms)) {
			in->base.counts->connections_idle++;
			sqd_conn_ended(c, 0, true);
		}
		if (!c->closing && c->stream->opened)
			in->protocol->tick(c, now_ms);
	}
	if (!in->conns)
		(void)uv_timer_stop(t);
	sqd_server_walk_end(in);
}

/* A quarter of the shortest of the times that are kept. */
static void start_tick(struct sqd_server *in)
{
	const struct sqd_server_cfg *cfg = sqd_server_cfg(in);
	uint64_t every = cfg->send_timeout;

	if (cfg->idle && cfg->idle < every)
		every = cfg->idle;
	if (cfg->handshake < every)
		every = cfg->handshake;
	every /= 4;
	if (every < TICK_MIN_MS)
		every = TICK_MIN_MS;
	if (every > TICK_MAX_MS)
		every = TICK_MAX_MS;
	(void)uv_timer_start(&in->tick, on_tick, every, every);
}

/* ---- accepting --------------------------------------------------------------------------- */

static void on_poll(uv_poll_t *h, int status, int events);

static void on_retry(uv_timer_t *t)
{
	struct sqd_server *in = t->data;

	if (!in->stopped)
		(void)uv_poll_start(&in->poll, UV_READABLE, on_poll);
}

/* Descriptors or memory are short. The peers wait in the backlog meanwhile. */
static void rest(struct sqd_server *in, int why)
{
	in->base.counts->accepts_failed++;
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

/* One more connection, of all instances of the input together. @return false: no */
static bool admit(struct sqd_server *in)
{
	struct sqd_input_shared *all = in->base.shared;
	uint32_t max = sqd_server_cfg(in)->max_connections;

	if (!all)
		return in->n_conns < max;
	if (atomic_fetch_add_explicit(&all->connections, 1, memory_order_relaxed) < max)
		return true;
	atomic_fetch_sub_explicit(&all->connections, 1, memory_order_relaxed);
	return false;
}

bool sqd_server_count_peer(struct sqd_server *in, const struct sockaddr_storage *sa,
                           const char *peer, struct sqd_peer *ret)
{
	if (sqd_peers_add(in->peers, sa, ret))
		return true;
	in->base.counts->connections_crowded++;
	sqd_log_limited(&in->crowded_limit, SQD_LOG_WARNING,
	                "%s: %s refused: max_connections_per_peer (%u) of its address are open",
	                in->base.name, peer, (unsigned)sqd_server_cfg(in)->max_per_peer);
	return false;
}

void sqd_server_dismiss(struct sqd_server *in, struct sqd_peer *who)
{
	sqd_peers_drop(in->peers, who);
	if (in->base.shared)
		atomic_fetch_sub_explicit(&in->base.shared->connections, 1, memory_order_relaxed);
}

/* @return false: nothing more to accept now */
static bool accept_one(struct sqd_server *in)
{
	const struct sqd_server_cfg *cfg = sqd_server_cfg(in);
	struct sockaddr_storage peer = { 0 };
	socklen_t len = sizeof(peer);
	struct sqd_peer who = { 0 };
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
	if (!admit(in)) {
		in->base.counts->connections_refused++;
		sqd_log_limited(&in->refused_limit, SQD_LOG_WARNING,
		                "%s: %s refused: max_connections (%u) are open", in->base.name,
		                sqd_addr_peer(fd, &peer, text), (unsigned)cfg->max_connections);
		close(fd);
		return true;
	}
	/* Whom a proxy speaks for will be told. */
	if (in->peers && !sqd_networks_have(in->trusted, in->n_trusted, &peer) &&
	    !sqd_server_count_peer(in, &peer, sqd_addr_peer(fd, &peer, text), &who)) {
		sqd_server_dismiss(in, &who);
		close(fd);
		return true;
	}
	in->base.counts->connections++;
	r = sqd_conn_open(in, fd, &peer, &who);
	if (r == 0) {
		if (!uv_is_active((uv_handle_t *)&in->tick))
			start_tick(in);
		return true;
	}
	in->base.counts->connections_failed++;
	rest(in, r);
	return false;
}

static void on_poll(uv_poll_t *h, int status, int events SQ_UNUSED)
{
	struct sqd_server *in = h->data;

	if (status < 0) {
		rest(in, status);
		return;
	}
	for (int i = 0; i < ACCEPTS_AT_ONCE && accept_one(in); i++)
		;
}

/* ---- life -------------------------------------------------------------------------------- */

static struct sq_tls_ctx *read_certificate(struct sqd_server *in, struct sq_err *err)
{
	struct sq_tls_server_cfg cfg = sqd_server_cfg(in)->tls;
	struct sq_tls_ctx *ctx;

	cfg.one_way = in->protocol->one_way;
	ctx = sq_tls_server_new(&cfg, err);
	if (ctx && *sq_tls_ctx_warning(ctx))
		sqd_log(SQD_LOG_WARNING, "%s %s: %s", in->base.ops->kind,
		        sqd_server_cfg(in)->listen, sq_tls_ctx_warning(ctx));
	return ctx;
}

/* The first instance reads certificates, for all. */
static void share_certificate(struct sqd_server *in)
{
	struct sqd_input_shared *all = in->base.shared;
	struct sq_tls_ctx *old;

	if (!all)
		return;
	pthread_mutex_lock(&all->lock);
	old = all->tls;
	all->tls = sq_tls_ctx_ref(in->tls);
	pthread_mutex_unlock(&all->lock);
	sq_tls_ctx_unref(old);
}

static void take_shared_certificate(struct sqd_server *in)
{
	struct sqd_input_shared *all = in->base.shared;
	struct sq_tls_ctx *old = in->tls;

	pthread_mutex_lock(&all->lock);
	in->tls = sq_tls_ctx_ref(all->tls);
	pthread_mutex_unlock(&all->lock);
	sq_tls_ctx_unref(old);
}

/* One table for all instances: what is limited is the sum. */
static int make_peers(struct sqd_server *in)
{
	const struct sqd_server_cfg *cfg = sqd_server_cfg(in);
	struct sqd_input_shared *all = in->base.shared;

	if (!cfg->max_per_peer)
		return 0;
	if (!in->base.further)
		in->peers = sqd_peers_new(cfg->max_connections, cfg->max_per_peer);
	if (!all)
		return in->peers ? 0 : -ENOMEM;
	pthread_mutex_lock(&all->lock);
	if (!in->base.further)
		all->peers = in->peers;
	in->peers = all->peers;
	pthread_mutex_unlock(&all->lock);
	return in->peers ? 0 : -ENOMEM;
}

/* Files are read here, before the socket is opened. */
static int prepare(struct sqd_server *in, struct sq_err *err)
{
	const struct sqd_server_cfg *cfg = sqd_server_cfg(in);
	int r;

	in->trusted = calloc(cfg->proxy_from.n + 1, sizeof(*in->trusted));
	if (!in->trusted)
		return sq_err_set(err, -ENOMEM, "out of memory");
	for (; in->n_trusted < cfg->proxy_from.n; in->n_trusted++) {
		r = sqd_network_parse(cfg->proxy_from.list[in->n_trusted],
		                      &in->trusted[in->n_trusted], err);
		if (r < 0)
			return sq_err_wrap(err, r, "proxy_from");
	}
	if (make_peers(in) < 0)
		return sq_err_set(err, -ENOMEM, "out of memory");
	r = sq_tls_server_wanted(&cfg->tls, err);
	if (r <= 0)
		return r;
	in->wire = malloc(SQD_WIRE_BYTES);
	if (!in->wire)
		return sq_err_set(err, -ENOMEM, "out of memory");
	if (in->base.further) {
		take_shared_certificate(in);
		return 0;
	}
	in->tls = read_certificate(in, err);
	if (!in->tls)
		return err && err->code ? err->code : -EINVAL;
	share_certificate(in);
	return 0;
}

int sqd_server_start(struct sqd_input *base, struct sq_err *err)
{
	struct sqd_server *in = self(base);
	const struct sqd_server_cfg *cfg = sqd_server_cfg(in);
	struct sqd_listen l = { .where = cfg->listen,
		                .type = SOCK_STREAM,
		                .backlog = (int)cfg->backlog,
		                .receive_buffer = cfg->receive_buffer,
		                .inherited_fd = base->inherited_fd,
		                .socket_mode = cfg->socket_mode };
	char bound[SQD_BOUND_TEXT];
	int r;

	in->fd = -1;
	in->turn = 1; /* nobody has had it */
	r = prepare(in, err);
	if (r < 0)
		return sq_err_wrap(err, r, "%s input %s", base->ops->kind, cfg->listen);
	in->fd = sqd_listen_open(&l, bound, NULL, &in->file, err);
	if (in->fd < 0)
		return sq_err_wrap(err, in->fd, "%s input", base->ops->kind);
	base->socket = in->fd;
	snprintf(base->name, sizeof(base->name), "%s %s", base->ops->kind, bound);
	r = uv_poll_init(base->loop, &in->poll, in->fd);
	if (r < 0) {
		sqd_listen_close(in->fd, &in->file);
		in->fd = -1;
		return sq_err_set(err, r, "%s: %s", base->name, uv_strerror(r));
	}
	(void)uv_timer_init(base->loop, &in->retry); /* these cannot fail */
	(void)uv_timer_init(base->loop, &in->tick);
	(void)uv_timer_init(base->loop, &in->ease);
	(void)uv_idle_init(base->loop, &in->go);
	in->poll.data = in->retry.data = in->tick.data = in->ease.data = in->go.data = in;
	base->open_handles += 5;
	in->started = true;
	r = uv_poll_start(&in->poll, UV_READABLE, on_poll);
	return r < 0 ? sq_err_set(err, r, "%s: %s", base->name, uv_strerror(r)) : 0;
}

/* Who connects from now on is refused and goes elsewhere. Who waits in the backlog may have been
 * told by our kernel that all has arrived; but in that of a socket that outlives us they are left
 * to whoever serves it next. */
static void stop_listening(struct sqd_server *in)
{
	int family = AF_UNIX;
	socklen_t n = sizeof(family);

	(void)uv_poll_stop(&in->poll);
	(void)uv_timer_stop(&in->retry);
	if (in->base.lasting)
		return;
	sqd_listen_close(-1, &in->file);
	for (uint32_t i = 0; in->protocol->one_way && i <= sqd_server_cfg(in)->backlog; i++)
		if (!accept_one(in))
			break;
	/* Not of a unix socket: all loops have the same one, and its name is gone. */
	if (getsockopt(in->fd, SOL_SOCKET, SO_DOMAIN, &family, &n) == 0 && family != AF_UNIX)
		(void)shutdown(in->fd, SHUT_RD);
}

void sqd_server_stop(struct sqd_input *base)
{
	struct sqd_server *in = self(base);

	if (in->stopped || !in->started)
		return;
	stop_listening(in);
	in->stopped = true;
	in->slowed = false; /* what is owed is taken whatever its rate */
	(void)uv_timer_stop(&in->ease);
	sqd_server_walk_begin(in);
	for (struct sqd_conn *c = in->conns; c; c = c->next)
		sqd_conn_stop(c);
	sqd_server_walk_end(in);
}

void sqd_server_reload(struct sqd_input *base)
{
	struct sqd_server *in = self(base);
	struct sq_err err = { 0 };
	struct sq_tls_ctx *anew;

	if (!in->tls || in->stopped)
		return;
	if (base->further) {
		take_shared_certificate(in);
		return;
	}
	anew = read_certificate(in, &err);
	if (!anew) {
		base->counts->tls_reloads_failed++;
		sqd_log(SQD_LOG_ERROR, "%s: certificate not reloaded: %s; the old one stays",
		        base->name, err.text);
		return;
	}
	sq_tls_ctx_unref(in->tls); /* sessions keep what they began with */
	in->tls = anew;
	share_certificate(in);
	sqd_log(SQD_LOG_INFO, "%s: certificate reloaded", base->name);
}

static void on_handle_closed(uv_handle_t *h)
{
	struct sqd_server *in = h->data;

	if (h == (uv_handle_t *)&in->poll) {
		sqd_listen_close(in->fd, &in->file);
		in->fd = -1;
	}
	sqd_server_release(in);
}

/* Also when start() had failed: then there may be nothing to close but the promise to call back. */
void sqd_server_close(struct sqd_input *base)
{
	struct sqd_server *in = self(base);

	if (in->closing)
		return;
	sqd_server_stop(base);
	in->closing = true;
	sqd_server_walk_begin(in);
	for (struct sqd_conn *c = in->conns; c; c = c->next)
		sqd_conn_close(c);
	if (in->started) {
		uv_close((uv_handle_t *)&in->poll, on_handle_closed);
		uv_close((uv_handle_t *)&in->retry, on_handle_closed);
		uv_close((uv_handle_t *)&in->tick, on_handle_closed);
		uv_close((uv_handle_t *)&in->ease, on_handle_closed);
		uv_close((uv_handle_t *)&in->go, on_handle_closed);
	} else {
		/* `closed` comes later, never from inside: a handle of no other use does that. */
		(void)uv_timer_init(base->loop, &in->retry);
		in->retry.data = in;
		base->open_handles++;
		uv_close((uv_handle_t *)&in->retry, on_handle_closed);
	}
	sqd_server_walk_end(in);
}
