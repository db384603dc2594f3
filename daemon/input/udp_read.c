/* Datagrams from the kernel.
 *
 * A wake-up, and a batch for a worker, cost as much as several datagrams. Where they come fast the
 * socket is left alone for a moment, so that many are taken at once; the kernel's buffer holds what
 * comes meanwhile: only a large one is trusted with that. A datagram that comes alone is taken at
 * once.
 *
 *   POLL --- BUSY datagrams within a millisecond ---> NAP
 *   NAP  --- NAP_MS later: fewer than that, or the buffer was half full ---> POLL
 */
#include "daemon/input/udp_private.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>

enum {
	BURSTS_AT_ONCE = 16,  /* then others have their turn */
	BUSY = 32,            /* datagrams within a millisecond */
	NAP_MS = 1,           /* twice that, as timers go */
	NAP_BUFFER = 4 << 20, /* as the kernel counts: 1 KiB becomes 2.3, and this holds 1,800 */
	ASK_MS = 1000,        /* how often, at most, the kernel is asked what it lost */
	ASK_BUSY_MS = 16,     /* and while it may be losing some, or may have room again */
	SLOT_SPREAD = 64 + 8, /* bytes between slots, so that they do not share cache lines' sets */
};

int sqd_udp_make_slots(struct sqd_udp *u)
{
	const struct sqd_input_udp_cfg *cfg = sqd_udp_cfg(u);
	size_t stride = cfg->max_datagram + SLOT_SPREAD;

	/* Touched only as far as datagrams are long: a large part never becomes memory. */
	u->bytes = calloc(SQD_UDP_BURST, stride);
	if (!u->bytes)
		return -ENOMEM;
	for (unsigned i = 0; i < SQD_UDP_BURST; i++) {
		struct sqd_udp_slot *s = &u->slots[i];

		s->iov = (struct iovec){ u->bytes + i * stride, cfg->max_datagram };
		u->msgs[i].msg_hdr = (struct msghdr){ .msg_name = &s->from,
			                              .msg_iov = &s->iov,
			                              .msg_iovlen = 1 };
	}
	return 0;
}

/* It is asked, not told with each datagram (SO_RXQ_OVFL), which would make each cost a tenth more.
 * Its count is a running one, and may wrap. */
void sqd_udp_count_drops(struct sqd_udp *u)
{
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t n = sizeof(info);

	u->asked_ms = uv_now(u->base.loop);
	u->may_nap = false;
	if (getsockopt(u->fd, SOL_SOCKET, SO_MEMINFO, info, &n) < 0 || n < sizeof(info))
		return;
	u->base.counts->kernel_dropped += info[SK_MEMINFO_DROPS] - u->kernel_drops;
	u->kernel_drops = info[SK_MEMINFO_DROPS];
	/* Who writes to a unix socket has to wait for us. */
	u->may_nap = !u->local && info[SK_MEMINFO_RCVBUF] >= NAP_BUFFER &&
	             info[SK_MEMINFO_RMEM_ALLOC] < info[SK_MEMINFO_RCVBUF] / 2;
}

void sqd_udp_ask(struct sqd_udp *u)
{
	struct sockaddr_storage bound = { 0 };
	socklen_t len = sizeof(bound);
	int on = 1;

	u->local = getsockname(u->fd, (struct sockaddr *)&bound, &len) == 0 &&
	           bound.ss_family == AF_UNIX;
	/* Without it senders are nameless; everything else works. */
	if (u->local)
		(void)setsockopt(u->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	sqd_udp_count_drops(u); /* an inherited socket may have lost some before us */
	u->base.counts->kernel_dropped -= u->kernel_drops;
	u->asked_ms = 0;
}

/* Who sent it through a unix socket, as the kernel vouches for it: nearly all such senders' sockets
 * have no name. */
static void know_local_peer(struct sqd_udp *u, struct msghdr *h)
{
	struct ucred who = { .pid = -1 };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
			memcpy(&who, CMSG_DATA(c), sizeof(who));
	if (u->peer[0] && memcmp(&who, &u->last_local, sizeof(who)) == 0)
		return;
	u->last_local = who;
	sqd_addr_format_local(&who, u->peer);
}

/* The text of the sender; the same as last time costs one comparison. */
static void know_peer(struct sqd_udp *u, struct msghdr *h)
{
	const struct sockaddr_storage *from = h->msg_name;

	if (u->local) {
		know_local_peer(u, h);
		return;
	}
	if (u->peer[0] && memcmp(from, &u->last, h->msg_namelen) == 0)
		return;
	memcpy(&u->last, from, h->msg_namelen);
	sqd_addr_format(from, u->peer);
}

/* @return 0, or -EAGAIN: no batch is free; the datagram stays, or lies in `unpacked` */
static int take_datagram(struct sqd_udp *u, unsigned i)
{
	struct msghdr *h = &u->msgs[i].msg_hdr;

	know_peer(u, h);
	if (h->msg_flags & MSG_TRUNC) {
		sqd_udp_lost(u, &u->base.counts->dropped_truncated);
		return 0;
	}
	return sqd_udp_put(u, (struct sq_sv){ u->slots[i].iov.iov_base, u->msgs[i].msg_len });
}

bool sqd_udp_empty_slots(struct sqd_udp *u)
{
	int r = u->n_unpacked ? sqd_udp_put_unpacked(u, u->n_unpacked) : 0;

	while (r == 0 && u->at < u->n) {
		r = take_datagram(u, u->at);
		if (r == 0 || u->n_unpacked)
			u->at++;
	}
	if (r == 0)
		return true;
	sqd_udp_pause(&u->base);
	return false;
}

/* What max_rate does not allow is thrown away: nobody can be told to wait. Who writes to a unix
 * socket can, by not reading on. */
static void ration(struct sqd_udp *u)
{
	struct sqd_allowance *a = u->base.allowance;
	uint64_t now_ms = uv_now(u->base.loop), left, taken = 0, over = 0;
	unsigned n;

	if (!a)
		return;
	left = u->local ? UINT64_MAX : sqd_allowance_left(a, now_ms);
	for (n = 0; n < u->n && taken < left; n++)
		taken += u->msgs[n].msg_len;
	u->slow_ms = sqd_allowance_take(a, now_ms, taken);
	for (unsigned i = n; i < u->n; i++)
		over += u->msgs[i].msg_len > 0;
	u->n = n;
	if (!over)
		return;
	u->base.counts->received += over;
	u->base.counts->dropped_rate += over;
	sqd_log_limited(&u->rate_limit, SQD_LOG_WARNING,
	                "%s: more comes than max_rate; datagrams are dropped", u->base.name);
}

/* @return datagrams; fewer than SQD_UDP_BURST: there are no more now, or we are paused */
static unsigned read_burst(struct sqd_udp *u)
{
	int n;

	for (unsigned i = 0; i < SQD_UDP_BURST; i++) {
		struct msghdr *h = &u->msgs[i].msg_hdr;

		h->msg_namelen = sizeof(u->slots[i].from);
		h->msg_control = u->local ? u->slots[i].control.bytes : NULL;
		h->msg_controllen = u->local ? sizeof(u->slots[i].control) : 0;
		h->msg_flags = 0;
	}
	do {
		n = recvmmsg(u->fd, u->msgs, SQD_UDP_BURST, MSG_DONTWAIT, NULL);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return 0;
	u->at = 0;
	u->n = (unsigned)n;
	for (unsigned i = 0; i < u->n; i++)
		u->base.counts->bytes_in += u->msgs[i].msg_len;
	ration(u);
	return sqd_udp_empty_slots(u) ? (unsigned)n : 0;
}

/* Has it come so fast that the next ones are better taken together? */
static bool is_busy(struct sqd_udp *u, unsigned n)
{
	uint64_t now_ms = uv_now(u->base.loop);

	if (now_ms != u->busy_ms)
		u->n_busy = 0;
	u->busy_ms = now_ms;
	u->n_busy += n;
	return u->n_busy >= BUSY;
}

static void on_nap(uv_timer_t *t);

/* What there is, as far as it is our turn. */
static void read_all(struct sqd_udp *u)
{
	unsigned all = 0, n = SQD_UDP_BURST;

	u->slow_ms = 0;
	for (int i = 0; i < BURSTS_AT_ONCE && n == SQD_UDP_BURST && !(u->local && u->slow_ms);
	     i++) {
		n = read_burst(u);
		all += n;
	}
	if (u->paused || u->stopped)
		return;
	if (u->local && u->slow_ms) {
		u->base.counts->rate_pauses++;
		(void)uv_poll_stop(&u->poll);
		(void)uv_timer_start(&u->nap, on_nap, u->slow_ms, 0);
		return;
	}
	if (is_busy(u, all) && u->may_nap && n < SQD_UDP_BURST) {
		(void)uv_poll_stop(&u->poll);
		(void)uv_timer_start(&u->nap, on_nap, NAP_MS, 0);
		return;
	}
	if (!uv_is_active((uv_handle_t *)&u->poll))
		(void)uv_poll_start(&u->poll, UV_READABLE, sqd_udp_on_poll);
	/* What is lost behind the last datagram, none tells of. */
	if (all && !uv_is_active((uv_handle_t *)&u->nap))
		(void)uv_timer_start(&u->nap, on_nap, ASK_MS, 0);
}

static void on_nap(uv_timer_t *t)
{
	struct sqd_udp *u = t->data;

	sqd_udp_count_drops(u); /* before reading: how full has it become? */
	read_all(u);
}

static void on_watch(uv_timer_t *t)
{
	sqd_udp_count_drops(t->data);
}

void sqd_udp_watch(struct sqd_udp *u)
{
	(void)uv_timer_start(&u->nap, on_watch, ASK_MS, ASK_MS);
}

void sqd_udp_read_last(struct sqd_udp *u)
{
	while (u->last_bytes && !u->paused) {
		uint64_t before = u->base.counts->bytes_in, got;
		unsigned n = read_burst(u);

		got = u->base.counts->bytes_in - before + n; /* an empty one takes room too */
		u->last_bytes = got && got < u->last_bytes ? u->last_bytes - got : 0;
		if (n < SQD_UDP_BURST && !u->paused)
			u->last_bytes = 0;
	}
}

void sqd_udp_on_poll(uv_poll_t *h, int status SQ_UNUSED, int events SQ_UNUSED)
{
	struct sqd_udp *u = h->data;

	/* An error is a pending one of the socket: recvmmsg() takes it off. */
	read_all(u);
	if (uv_now(h->loop) - u->asked_ms >= (u->n_busy < BUSY ? ASK_MS : ASK_BUSY_MS))
		sqd_udp_count_drops(u);
}
