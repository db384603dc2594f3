/* The input over UDP.
 *
 * libuv 1.44 cannot read the kernel's count of lost datagrams and caps how many it takes at once,
 * so the socket is our own; libuv polls it. Up to BURST datagrams are taken by one recvmmsg() into
 * slots of our own and copied into the open batch one behind the other: read straight into a chunk
 * each would need 64 KiB of it, whatever its length.
 *
 * When no batch is free nothing is read: what is in the slots waits there, the kernel buffers what
 * it can and counts the rest (SO_RXQ_OVFL).
 */
#include "daemon/input/udp.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/base/listen.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/input/put.h"
#include "lib/wire/gelf.h"

enum {
	BURST = 64,           /* datagrams taken at once */
	BURSTS_AT_ONCE = 4,   /* then others have their turn */
	ASK_DROPS_MS = 1000,  /* how often, at most, the kernel is asked what it lost */
	EXPIRE_MS = 1000,     /* how often incomplete GELF messages are looked at */
	SLOT_SPREAD = 64 + 8, /* bytes between slots, so that they do not share cache lines' sets */
};

/* What recvmmsg() fills for one datagram. */
struct slot {
	struct sockaddr_storage from;
	struct iovec iov;
	union {
		char bytes[CMSG_SPACE(sizeof(uint32_t))];
		struct cmsghdr align;
	} control;
};

struct udp_input {
	struct sqd_input base;
	struct sqd_receipt receipt; /* of all records: UDP owes nobody an answer */
	int fd;                     /* -1: none */
	uv_poll_t poll;
	uv_timer_t expire; /* runs while chunks of GELF messages may be waiting */
	bool started, paused, stopped, closing;
	uint32_t kernel_drops; /* the kernel's count when last seen */
	uint64_t asked_ms;     /* loop time when it was last asked for it */
	struct sq_gelf *gelf;
	uint64_t chunk_ns; /* when the last chunk came */

	struct mmsghdr msgs[BURST];
	struct slot slots[BURST];
	char *bytes;       /* of the slots */
	unsigned at, n;    /* slots [at, n) are still to be taken */
	char *unpacked;    /* one record, inflated or put together; max_record bytes */
	size_t n_unpacked; /* it waits for a batch */

	struct sockaddr_storage last; /* sender whose text is in `peer` */
	char peer[SQD_ADDR_TEXT];
};

#define AT(member) .offset = offsetof(struct sqd_input_udp_cfg, member)

/* clang-format off */
static const struct sq_opt udp_opts[] = {
	{ "listen", SQ_OPT_STR, AT(listen), .required = true,
	  .doc = "Address and port: 127.0.0.1:5170, [::1]:5170, 0.0.0.0:5170 for every IPv4 address, [::]:5170 "
		 "for every IPv6 address, *:5170 for both." },
	{ "max_record", SQ_OPT_BYTES, AT(max_record), .min = 1024, .max = 16 << 20, .def = "1MiB",
	  .doc = "Longest record, after a GELF message is put together and unpacked; a longer one is dropped and counted." },
	{ "max_datagram", SQ_OPT_BYTES, AT(max_datagram), .min = 512, .max = 64 << 10, .def = "64KiB",
	  .doc = "Longest datagram; the kernel cuts a longer one, which is then dropped and counted as truncated." },
	{ "receive_buffer", SQ_OPT_BYTES, AT(receive_buffer), .min = 0, .max = 1 << 30, .def = "4MiB",
	  .doc = "Receive buffer of the kernel, for bursts; more than net.core.rmem_max needs CAP_NET_ADMIN; "
		 "0 leaves the choice to the kernel." },
	{ "gelf_messages", SQ_OPT_U32, AT(gelf_messages), .min = 1, .max = 65536, .def = "1024",
	  .doc = "Chunked GELF messages that are put together at one time." },
	{ "gelf_memory", SQ_OPT_BYTES, AT(gelf_memory), .min = 64 << 10, .max = 1 << 30, .def = "16MiB",
	  .doc = "Memory for the chunks of GELF messages that are not whole yet." },
	{ 0 }
};
/* clang-format on */

static struct udp_input *self(struct sqd_input *in)
{
	return SQ_CONTAINER(in, struct udp_input, base);
}

static const struct sqd_input_udp_cfg *cfg_of(const struct udp_input *u)
{
	return u->base.cfg;
}

static void free_memory(struct udp_input *u)
{
	free(u->bytes);
	free(u->unpacked);
	sq_gelf_free(u->gelf);
	u->bytes = u->unpacked = NULL;
	u->gelf = NULL;
}

/* A handle is closed, or the receipt is settled: perhaps that was the last. */
static void end_if_last(struct udp_input *u)
{
	if (!u->closing || u->base.open_handles || u->receipt.unsettled)
		return;
	free_memory(u);
	u->base.closed(&u->base); /* last: it frees us */
}

static void on_settled(struct sqd_receipt *r)
{
	end_if_last(SQ_CONTAINER(r, struct udp_input, receipt));
}

/* ---- records ----------------------------------------------------------------------------- */

static void lost(struct udp_input *u, uint64_t *cause)
{
	u->base.counts->received++;
	(*cause)++;
}

/* Blanks, line ends and NULs around the datagram are not part of the record. */
static struct sq_sv trim(struct sq_sv v)
{
	do {
		v = sq_sv_trim(v);
		while (v.n && v.p[v.n - 1] == '\0')
			v.n--;
	} while (v.n && sq_is_space(v.p[v.n - 1]));
	return v;
}

/* @return 0 taken (or counted, or empty), -EAGAIN no batch is free */
static int put_plain(struct udp_input *u, struct sq_sv v)
{
	v = trim(v);
	if (v.n == 0)
		return 0;
	if (v.n > cfg_of(u)->max_record) {
		lost(u, &u->base.counts->oversized);
		return 0;
	}
	return sqd_input_put(&u->base, &u->receipt, u->peer, v);
}

/* What is in `unpacked` goes into a batch, now or at resume. */
static int put_unpacked(struct udp_input *u, size_t n)
{
	int r = put_plain(u, (struct sq_sv){ u->unpacked, n });

	u->n_unpacked = r < 0 ? n : 0;
	return r;
}

static int put_packed(struct udp_input *u, struct sq_sv v)
{
	ptrdiff_t n = sq_gelf_inflate(u->gelf, v, u->unpacked, cfg_of(u)->max_record);

	if (n < 0) {
		lost(u, &u->base.counts->dropped_inflate);
		return 0;
	}
	return put_unpacked(u, (size_t)n);
}

/* A message that was put together. It must be copied: the framer's memory is not ours to keep. */
static int put_whole(struct udp_input *u, struct sq_sv v)
{
	switch (sq_gelf_kind(v)) {
	case SQ_GELF_PLAIN:
		break;
	case SQ_GELF_ZLIB:
	case SQ_GELF_GZIP:
		return put_packed(u, v);
	case SQ_GELF_CHUNK: /* chunks of chunks: nobody sends that in good faith */
		lost(u, &u->base.counts->dropped_chunks);
		return 0;
	}
	if (v.n > cfg_of(u)->max_record) {
		lost(u, &u->base.counts->oversized);
		return 0;
	}
	memcpy(u->unpacked, v.p, v.n);
	return put_unpacked(u, v.n);
}

static void on_expire(uv_timer_t *t);

/* Address and port: two programs on one host may choose the same id. */
static uint64_t hash_peer(const struct udp_input *u)
{
	return sq_sv_hash(sq_sv_of(u->peer));
}

static int put_chunk(struct udp_input *u, struct sq_sv v)
{
	struct sq_now now = sqd_now();
	struct sq_sv whole;
	int r;

	u->chunk_ns = now.mono_ns;
	if (!uv_is_active((uv_handle_t *)&u->expire))
		(void)uv_timer_start(&u->expire, on_expire, EXPIRE_MS, EXPIRE_MS);
	r = sq_gelf_chunk(u->gelf, v, hash_peer(u), now, &whole);
	if (r < 0)
		lost(u, &u->base.counts->dropped_chunks);
	return r == 1 ? put_whole(u, whole) : 0;
}

static void on_expire(uv_timer_t *t)
{
	struct udp_input *u = t->data;
	struct sq_now now = sqd_now();
	unsigned n = sq_gelf_expire(u->gelf, now);

	u->base.counts->received += n;
	u->base.counts->dropped_chunks += n;
	if (now.mono_ns - u->chunk_ns > UINT64_C(10000000000))
		(void)uv_timer_stop(t); /* nothing can be waiting any more */
}

/* ---- datagrams --------------------------------------------------------------------------- */

/* The kernel's running count. It may wrap; and a datagram brings the count of when it came, which
 * is older than one that was asked for. */
static void count_drops(struct udp_input *u, uint32_t total)
{
	uint32_t more = total - u->kernel_drops;

	if (more > INT32_MAX)
		return;
	u->base.counts->kernel_dropped += more;
	u->kernel_drops = total;
}

static void note_kernel_drops(struct udp_input *u, struct msghdr *h)
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
static uint32_t drops_now(const struct udp_input *u)
{
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t n = sizeof(info);

	if (getsockopt(u->fd, SOL_SOCKET, SO_MEMINFO, info, &n) < 0 || n < sizeof(info))
		return u->kernel_drops;
	return info[SK_MEMINFO_DROPS];
}

/* What was lost behind the last datagram of a burst no datagram tells of. */
static void ask_kernel_drops(struct udp_input *u)
{
	u->asked_ms = uv_now(u->base.loop);
	count_drops(u, drops_now(u));
}

/* The text of the sender; the same as last time costs one comparison. */
static void know_peer(struct udp_input *u, const struct msghdr *h)
{
	const struct sockaddr_storage *from = h->msg_name;

	if (u->peer[0] && memcmp(from, &u->last, h->msg_namelen) == 0)
		return;
	memcpy(&u->last, from, h->msg_namelen);
	sqd_addr_format(from, u->peer);
}

/* @return 0, or -EAGAIN: no batch is free; the datagram stays, or lies in `unpacked` */
static int take_datagram(struct udp_input *u, unsigned i)
{
	struct msghdr *h = &u->msgs[i].msg_hdr;
	struct sq_sv v = { u->slots[i].iov.iov_base, u->msgs[i].msg_len };

	know_peer(u, h);
	if (h->msg_flags & MSG_TRUNC) {
		lost(u, &u->base.counts->dropped_truncated);
		return 0;
	}
	switch (sq_gelf_kind(v)) {
	case SQ_GELF_PLAIN:
		break;
	case SQ_GELF_ZLIB:
	case SQ_GELF_GZIP:
		return put_packed(u, v);
	case SQ_GELF_CHUNK:
		return put_chunk(u, v);
	}
	return put_plain(u, v);
}

static void udp_pause(struct sqd_input *base)
{
	struct udp_input *u = self(base);

	if (u->paused || !u->started)
		return;
	u->paused = true;
	(void)uv_poll_stop(&u->poll);
}

/* What was received into batches. @return false: none is free, we are paused */
static bool empty_slots(struct udp_input *u)
{
	int r = u->n_unpacked ? put_unpacked(u, u->n_unpacked) : 0;

	while (r == 0 && u->at < u->n) {
		r = take_datagram(u, u->at);
		if (r == 0 || u->n_unpacked)
			u->at++;
	}
	if (r == 0)
		return true;
	udp_pause(&u->base);
	return false;
}

/* @return false: nothing more to read now */
static bool read_burst(struct udp_input *u)
{
	int n;

	for (unsigned i = 0; i < BURST; i++) {
		struct msghdr *h = &u->msgs[i].msg_hdr;

		h->msg_namelen = sizeof(u->slots[i].from);
		h->msg_controllen = sizeof(u->slots[i].control);
		h->msg_flags = 0;
	}
	n = recvmmsg(u->fd, u->msgs, BURST, MSG_DONTWAIT, NULL);
	if (n <= 0)
		return n < 0 && errno == EINTR;
	u->at = 0;
	u->n = (unsigned)n;
	for (unsigned i = 0; i < u->n; i++)
		u->base.counts->bytes_in += u->msgs[i].msg_len;
	note_kernel_drops(u, &u->msgs[n - 1].msg_hdr); /* the count is a running one */
	return empty_slots(u) && n == BURST;
}

static void on_poll(uv_poll_t *h, int status SQ_UNUSED, int events SQ_UNUSED)
{
	struct udp_input *u = h->data;

	/* An error is a pending one of the socket: recvmmsg() takes it off. */
	for (int i = 0; i < BURSTS_AT_ONCE && !u->paused && read_burst(u); i++)
		;
	if (uv_now(h->loop) - u->asked_ms >= ASK_DROPS_MS)
		ask_kernel_drops(u);
}

/* ---- life -------------------------------------------------------------------------------- */

static int allocate(struct udp_input *u)
{
	const struct sqd_input_udp_cfg *cfg = cfg_of(u);
	size_t stride = cfg->max_datagram + SLOT_SPREAD;
	struct sq_gelf_limits limits = { .max_messages = cfg->gelf_messages,
		                         .max_bytes = (uint32_t)cfg->gelf_memory,
		                         .max_record = (uint32_t)cfg->max_record };

	/* Touched only as far as datagrams are long: a large part never becomes memory. */
	u->bytes = calloc(BURST, stride);
	u->unpacked = malloc(cfg->max_record);
	u->gelf = sq_gelf_new(&limits);
	if (!u->bytes || !u->unpacked || !u->gelf) {
		free_memory(u);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < BURST; i++) {
		struct slot *s = &u->slots[i];

		s->iov = (struct iovec){ u->bytes + i * stride, cfg->max_datagram };
		u->msgs[i].msg_hdr = (struct msghdr){ .msg_name = &s->from,
			                              .msg_iov = &s->iov,
			                              .msg_iovlen = 1,
			                              .msg_control = s->control.bytes };
	}
	return 0;
}

static int open_socket(struct udp_input *u, struct sq_err *err)
{
	const struct sqd_input_udp_cfg *cfg = cfg_of(u);
	struct sqd_listen l = { .where = cfg->listen,
		                .type = SOCK_DGRAM,
		                .receive_buffer = cfg->receive_buffer,
		                .inherited_fd = u->base.inherited_fd };
	char bound[SQD_BOUND_TEXT];
	uint64_t got = 0;
	int on = 1;

	u->fd = sqd_listen_open(&l, bound, &got, NULL, err);
	if (u->fd < 0)
		return sq_err_wrap(err, u->fd, "udp input");
	snprintf(u->base.name, sizeof(u->base.name), "udp %s", bound);
	if (got < cfg->receive_buffer)
		sqd_log(SQD_LOG_NOTICE,
		        "%s: the kernel gave a receive buffer of %llu KiB instead of %llu KiB; "
		        "raise net.core.rmem_max for larger bursts",
		        u->base.name, (unsigned long long)got / 1024,
		        (unsigned long long)cfg->receive_buffer / 1024);
	/* Without it losses in the kernel go uncounted; everything else works. */
	(void)setsockopt(u->fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
	u->kernel_drops = drops_now(u); /* an inherited socket may have lost some before us */
	return 0;
}

static int udp_start(struct sqd_input *base, struct sq_err *err)
{
	struct udp_input *u = self(base);
	int r;

	u->fd = -1;
	u->receipt.settled = on_settled;
	if (allocate(u) < 0)
		return sq_err_set(err, -ENOMEM, "udp input: out of memory");
	r = open_socket(u, err);
	if (r < 0)
		return r;
	r = uv_poll_init(base->loop, &u->poll, u->fd);
	if (r < 0) {
		close(u->fd);
		u->fd = -1;
		return sq_err_set(err, r, "%s: %s", base->name, uv_strerror(r));
	}
	(void)uv_timer_init(base->loop, &u->expire); /* cannot fail */
	u->poll.data = u->expire.data = u;
	base->open_handles += 2;
	u->started = true;
	r = uv_poll_start(&u->poll, UV_READABLE, on_poll);
	return r < 0 ? sq_err_set(err, r, "%s: %s", base->name, uv_strerror(r)) : 0;
}

static void udp_resume(struct sqd_input *base)
{
	struct udp_input *u = self(base);

	if (!u->paused)
		return;
	u->paused = false;
	if (empty_slots(u) && !u->stopped)
		(void)uv_poll_start(&u->poll, UV_READABLE, on_poll);
}

static void udp_stop(struct sqd_input *base)
{
	struct udp_input *u = self(base);

	if (u->stopped || !u->started)
		return;
	u->stopped = true;
	(void)uv_poll_stop(&u->poll);
	ask_kernel_drops(u);
}

/* What found no batch before the end, and the messages that were never whole. */
static void count_lost(struct udp_input *u)
{
	uint64_t n = u->n - u->at + (u->n_unpacked ? 1 : 0);
	struct sq_now end = { .mono_ns = UINT64_MAX };
	unsigned parts = u->gelf ? sq_gelf_expire(u->gelf, end) : 0;

	u->base.counts->received += n + parts;
	u->base.counts->dropped_shutdown += n;
	u->base.counts->dropped_chunks += parts;
	u->at = u->n;
	u->n_unpacked = 0;
}

static void on_handle_closed(uv_handle_t *h)
{
	struct udp_input *u = h->data;

	if (h == (uv_handle_t *)&u->poll) {
		close(u->fd);
		u->fd = -1;
	}
	u->base.open_handles--;
	end_if_last(u); /* last */
}

static void udp_close(struct sqd_input *base)
{
	struct udp_input *u = self(base);

	if (u->closing)
		return;
	udp_stop(base);
	u->closing = true;
	count_lost(u);
	if (u->started) {
		uv_close((uv_handle_t *)&u->poll, on_handle_closed);
	} else { /* start() had failed: a handle of no other use calls back later */
		(void)uv_timer_init(base->loop, &u->expire);
		u->expire.data = u;
		base->open_handles++;
	}
	uv_close((uv_handle_t *)&u->expire, on_handle_closed);
}

static void udp_reload(struct sqd_input *in SQ_UNUSED)
{
}

const struct sqd_input_ops sqd_input_udp = {
	.kind = "udp",
	.size = sizeof(struct udp_input),
	.cfg_size = sizeof(struct sqd_input_udp_cfg),
	.opts = udp_opts,
	.start = udp_start,
	.pause = udp_pause,
	.resume = udp_resume,
	.stop = udp_stop,
	.reload = udp_reload,
	.close = udp_close,
};
