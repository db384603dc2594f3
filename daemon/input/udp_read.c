#include "daemon/input/udp_private.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>

enum {
	BURSTS_AT_ONCE = 4,   /* then others have their turn */
	ASK_DROPS_MS = 1000,  /* how often, at most, the kernel is asked what it lost */
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
			                              .msg_iovlen = 1,
			                              .msg_control = s->control.bytes };
	}
	return 0;
}

/* The kernel's running count. It may wrap; and a datagram brings the count of when it came, which
 * is older than one that was asked for. */
static void count_drops(struct sqd_udp *u, uint32_t total)
{
	uint32_t more = total - u->kernel_drops;

	if (more > INT32_MAX)
		return;
	u->base.counts->kernel_dropped += more;
	u->kernel_drops = total;
}

static void note_kernel_drops(struct sqd_udp *u, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		uint32_t total;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
			continue;
		memcpy(&total, CMSG_DATA(c), sizeof(total));
		count_drops(u, total);
	}
}

/* @return the count now, or what it was when last seen */
static uint32_t drops_now(const struct sqd_udp *u)
{
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t n = sizeof(info);

	if (getsockopt(u->fd, SOL_SOCKET, SO_MEMINFO, info, &n) < 0 || n < sizeof(info))
		return u->kernel_drops;
	return info[SK_MEMINFO_DROPS];
}

/* What was lost behind the last datagram of a burst no datagram tells of. */
void sqd_udp_count_drops(struct sqd_udp *u)
{
	u->asked_ms = uv_now(u->base.loop);
	count_drops(u, drops_now(u));
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
	/* Without it losses in the kernel go uncounted. */
	(void)setsockopt(u->fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
	u->kernel_drops = drops_now(u); /* an inherited socket may have lost some before us */
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

/* @return false: nothing more to read now */
static bool read_burst(struct sqd_udp *u)
{
	int n;

	for (unsigned i = 0; i < SQD_UDP_BURST; i++) {
		struct msghdr *h = &u->msgs[i].msg_hdr;

		h->msg_namelen = sizeof(u->slots[i].from);
		h->msg_controllen = sizeof(u->slots[i].control);
		h->msg_flags = 0;
	}
	n = recvmmsg(u->fd, u->msgs, SQD_UDP_BURST, MSG_DONTWAIT, NULL);
	if (n <= 0)
		return n < 0 && errno == EINTR;
	u->at = 0;
	u->n = (unsigned)n;
	for (unsigned i = 0; i < u->n; i++)
		u->base.counts->bytes_in += u->msgs[i].msg_len;
	note_kernel_drops(u, &u->msgs[n - 1].msg_hdr); /* the count is a running one */
	return sqd_udp_empty_slots(u) && n == SQD_UDP_BURST;
}

void sqd_udp_on_poll(uv_poll_t *h, int status SQ_UNUSED, int events SQ_UNUSED)
{
	struct sqd_udp *u = h->data;

	/* An error is a pending one of the socket: recvmmsg() takes it off. */
	for (int i = 0; i < BURSTS_AT_ONCE && !u->paused && read_burst(u); i++)
		;
	if (uv_now(h->loop) - u->asked_ms >= ASK_DROPS_MS)
		sqd_udp_count_drops(u);
}
