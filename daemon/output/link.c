/* Getting to the peer, and getting there again. Only sqd_link_fail() closes the socket; only
 * on_tcp_closed() leaves CLOSING. The picture is in link.h.
 */
#include "daemon/output/link.h"

#include <stdio.h>

#include "daemon/base/listen.h"
#include "daemon/base/log.h"
#include "daemon/output/link_private.h"

/* A connection older than this has worked: what ends it is something new. */
enum { LASTING_MS = 10000 };

static void begin_round(struct sqd_link *l);
static void try_next_peer(struct sqd_link *l);
static void try_next(struct sqd_link *l);

static void release(struct sqd_link *l)
{
	sq_assert(l->open_handles);
	if (--l->open_handles == 0 && l->closing)
		l->ops->closed(l); /* last: it frees us */
}

/* ---- rounds ------------------------------------------------------------------------------ */

static void forget_addrs(struct sqd_link *l)
{
	uv_freeaddrinfo(l->addrs);
	l->addrs = l->next_addr = NULL;
}

/* xorshift64: chance enough to spread reconnects. */
static uint64_t any(struct sqd_link *l)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return l->random;
}

static void on_retry(uv_timer_t *t)
{
	begin_round(t->data);
}

/* ---- peers ------------------------------------------------------------------------------- */

static size_t n_peers(const struct sqd_link *l)
{
	return 1 + l->cfg->alternates.n;
}

static const char *peer_at(const struct sqd_link *l, size_t i)
{
	return i ? l->cfg->alternates.list[i - 1] : l->cfg->address;
}

static void go_to_peer(struct sqd_link *l, size_t i)
{
	l->peer = i % n_peers(l);
	if (sqd_addr_split(peer_at(l, l->peer), l->host, l->port, NULL) < 0)
		sq_assert(!"it was good at the start");
}

/* This round is over. */
static void wait_for_next(struct sqd_link *l)
{
	const struct sqd_link_cfg *cfg = l->cfg;
	uint64_t max = cfg->retry_max > cfg->retry_min ? cfg->retry_max : cfg->retry_min;
	uint64_t wait = l->retry_ms / 2 + any(l) % (l->retry_ms / 2 + 1);
	const char *words = l->words;
	char then[48];

	forget_addrs(l);
	l->state = SQD_LINK_WAITING;
	if (!*words)
		words = l->why == UV_EOF ? "closed by the peer" : sqd_addr_strerror(l->why);
	snprintf(then, sizeof(then), "retrying in %u.%u s", (unsigned)(wait / 1000),
	         (unsigned)(wait / 100 % 10));
	sqd_output_failed(l->out, &(struct sqd_failure){
					  .level = SQD_LOG_WARNING, .why = words, .then = then });
	if (!l->insists)
		l->retry_ms = l->retry_ms * 2 < max ? l->retry_ms * 2 : max;
	(void)uv_timer_start(&l->timer, on_retry, wait, 0);
}

static void on_tcp_closed(uv_handle_t *h)
{
	struct sqd_link *l = h->data;

	sqd_link_io_forget(l);
	if (l->was_up)
		l->ops->down(l, l->why); /* it may close us */
	if (l->closing) {
		release(l);
		return;
	}
	release(l); /* the timer is open: this is not the end */
	if (l->was_up) {
		go_to_peer(l, l->peer + 1);
		wait_for_next(l);
	} else {
		try_next(l);
	}
}

/* libuv ends pending requests with UV_ECANCELED, then calls on_tcp_closed(). */
void sqd_link_fail(struct sqd_link *l, int why, const char *words)
{
	if (l->state == SQD_LINK_CLOSING)
		return;
	sq_assert(l->state == SQD_LINK_CONNECTING || l->state == SQD_LINK_SHAKING ||
	          l->state == SQD_LINK_UP);
	l->was_up = l->state == SQD_LINK_UP;
	if (l->was_up && uv_now(l->loop) - l->up_since_ms >= LASTING_MS)
		sqd_link_works(l);
	l->state = SQD_LINK_CLOSING;
	l->why = why;
	snprintf(l->words, sizeof(l->words), "%s", words);
	if (!l->closing)
		(void)uv_timer_stop(&l->timer);
	sqd_link_io_end(l);
	uv_close((uv_handle_t *)&l->tcp, on_tcp_closed);
}

void sqd_link_works(struct sqd_link *l)
{
	l->retry_ms = l->cfg->retry_min;
}

static void on_timeout(uv_timer_t *t)
{
	struct sqd_link *l = t->data;

	sqd_link_fail(l, UV_ETIMEDOUT,
	              l->state == SQD_LINK_SHAKING ? "no TLS handshake in time" : "");
}

/* ---- getting there ----------------------------------------------------------------------- */

static void on_connected(uv_connect_t *req, int status)
{
	struct sqd_link *l = req->data;

	if (l->state == SQD_LINK_CLOSING)
		return; /* UV_ECANCELED: it was closed meanwhile */
	if (status < 0)
		sqd_link_fail(l, status, "");
	else
		sqd_link_io_begin(l); /* last: it may write or close us */
}

/* Connect to the next address of the name. */
static void try_next(struct sqd_link *l)
{
	const struct sqd_link_cfg *cfg = l->cfg;
	struct addrinfo *a = l->next_addr;
	int r;

	if (!a) {
		try_next_peer(l);
		return;
	}
	l->next_addr = a->ai_next;
	(void)uv_tcp_init(l->loop, &l->tcp); /* makes no socket, so it cannot fail */
	l->tcp.data = l;
	l->open_handles++;
	l->state = SQD_LINK_CONNECTING;
	r = uv_tcp_connect(&l->connect, &l->tcp, a->ai_addr, on_connected);
	if (r < 0) {
		sqd_link_fail(l, r, "");
		return;
	}
	(void)uv_tcp_nodelay(&l->tcp, 1); /* these two are comforts */
	if (cfg->keepalive)
		(void)uv_tcp_keepalive(&l->tcp, 1, (unsigned)((cfg->keepalive + 999) / 1000));
	(void)uv_timer_start(&l->timer, on_timeout, cfg->connect_timeout, 0);
}

static void no_names(struct sqd_link *l, int why)
{
	l->why = why;
	l->words[0] = '\0';
	try_next_peer(l);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
	struct sqd_link *l = req->data;

	if (l->closing) {
		uv_freeaddrinfo(found);
		release(l);
		return;
	}
	release(l); /* the timer is open: this is not the end */
	if (status < 0) {
		no_names(l, status);
		return;
	}
	l->addrs = l->next_addr = found;
	try_next(l);
}

static void ask_names(struct sqd_link *l)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	int r = uv_getaddrinfo(l->loop, &l->resolve, on_resolved, l->host, l->port, &hints);

	if (r < 0) {
		no_names(l, r);
		return;
	}
	l->open_handles++; /* a request keeps us alive like a handle */
	l->state = SQD_LINK_RESOLVING;
}

static void begin_round(struct sqd_link *l)
{
	l->tried = 0;
	ask_names(l);
}

/* None of this peer's addresses will do. */
static void try_next_peer(struct sqd_link *l)
{
	go_to_peer(l, l->peer + 1);
	if (++l->tried == n_peers(l)) {
		wait_for_next(l);
		return;
	}
	forget_addrs(l);
	ask_names(l);
}

/* ---- life -------------------------------------------------------------------------------- */

/* Read the files of TLS. When that fails, all is as before. */
static int use_tls(struct sqd_link *l, struct sq_err *err)
{
	int r = sq_tls_client_wanted(&l->cfg->tls, err);
	struct sq_tls_ctx *ctx;

	if (r <= 0)
		return r;
	ctx = sq_tls_client_new(&l->cfg->tls, err);
	if (!ctx)
		return -EINVAL;
	if (*sq_tls_ctx_warning(ctx))
		sqd_log(SQD_LOG_WARNING, "%s: %s", l->out->name, sq_tls_ctx_warning(ctx));
	sq_tls_ctx_unref(l->tls_ctx);
	l->tls_ctx = ctx;
	return 0;
}

void sqd_link_init(struct sqd_link *l, const struct sqd_link_ops *ops,
                   const struct sqd_link_cfg *cfg, struct sqd_output *out)
{
	if (l->ops)
		return;
	l->ops = ops;
	l->cfg = cfg;
	l->out = out;
	l->loop = out->loop;
	(void)uv_timer_init(l->loop, &l->timer); /* these cannot fail */
	(void)uv_timer_init(l->loop, &l->own);
	l->open_handles = 2;
	l->timer.data = l->own.data = l;
	l->resolve.data = l->connect.data = l->write.data = l;
}

int sqd_link_start(struct sqd_link *l, struct sq_err *err)
{
	int r = 0;

	for (size_t i = n_peers(l); i-- > 0 && r == 0;) /* the first one stays */
		r = sqd_addr_split(peer_at(l, i), l->host, l->port, err);
	if (r < 0)
		return r;
	r = use_tls(l, err);
	if (r < 0)
		return r;
	l->retry_ms = l->cfg->retry_min;
	l->random = uv_hrtime() | 1;
	l->started = true;
	begin_round(l);
	return 0;
}

void sqd_link_reopen(struct sqd_link *l)
{
	struct sq_err err = { 0 };

	if (use_tls(l, &err) < 0)
		sqd_log(SQD_LOG_ERROR, "%s: %s; keeping what was read before", l->out->name,
		        err.text);
}

void sqd_link_insist(struct sqd_link *l)
{
	l->insists = true;
	l->retry_ms = l->cfg->retry_min;
	if (l->started && !l->closing && l->state == SQD_LINK_WAITING)
		(void)uv_timer_start(&l->timer, on_retry, 0, 0);
}

static void on_timer_closed(uv_handle_t *h)
{
	release(h->data);
}

void sqd_link_close(struct sqd_link *l)
{
	if (l->closing)
		return;
	l->closing = true;
	sq_tls_ctx_unref(l->tls_ctx); /* the session has its own reference */
	l->tls_ctx = NULL;
	uv_close((uv_handle_t *)&l->timer, on_timer_closed);
	uv_close((uv_handle_t *)&l->own, on_timer_closed);
	if (l->state == SQD_LINK_RESOLVING)
		(void)uv_cancel((uv_req_t *)&l->resolve); /* when it runs already, it ends */
	else if (l->state == SQD_LINK_CONNECTING || l->state == SQD_LINK_SHAKING ||
	         l->state == SQD_LINK_UP)
		sqd_link_fail(l, UV_ECANCELED, "");
	forget_addrs(l);
}
