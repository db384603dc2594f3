/* The input over UDP, and over unix sockets of datagrams.
 *
 * libuv 1.44 cannot read the kernel's count of lost datagrams and caps how many it takes at once,
 * so the socket is our own; libuv polls it. Up to SQD_UDP_BURST datagrams are taken by one
 * recvmmsg() into slots of our own and copied into the open batch one behind the other: read
 * straight into a chunk each would need 64 KiB of it, whatever its length.
 *
 * When no batch is free nothing is read: what is in the slots waits there, the kernel buffers what
 * it can and counts the rest (SO_MEMINFO). Senders through a unix socket have to wait then.
 */
#include "daemon/input/udp_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define AT(member) .offset = offsetof(struct sqd_input_udp_cfg, member)

/* clang-format off */
static const struct sq_opt udp_opts[] = {
	{ "listen", SQ_OPT_STR, AT(listen), .required = true,
	  .doc = "Address and port: 127.0.0.1:5170, 0.0.0.0:5170 for every IPv4 address; in quotes \"[::1]:5170\", "
		 "\"[::]:5170\" for every IPv6 address, \"*:5170\" for both; or unix:/run/squiblyd/log.sock, a unix socket of datagrams." },
	SQD_SOCKET_MODE_OPT(struct sqd_input_udp_cfg, socket_mode),
	{ "max_record", SQ_OPT_BYTES, AT(max_record), .min = 1024, .max = 16 << 20, .def = "1MiB",
	  .doc = "Longest record, after a GELF message is put together and unpacked; a longer one is dropped and counted." },
	{ "max_datagram", SQ_OPT_BYTES, AT(max_datagram), .min = 512, .max = 1 << 20, .def = "64KiB",
	  .doc = "Longest datagram; the kernel cuts a longer one, which is then dropped and counted as truncated. "
		 "UDP's are never over 64 KiB; those of a unix socket may be." },
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

static struct sqd_udp *self(struct sqd_input *in)
{
	return SQ_CONTAINER(in, struct sqd_udp, base);
}

static void free_memory(struct sqd_udp *u)
{
	free(u->bytes);
	free(u->unpacked);
	sq_gelf_free(u->gelf);
	u->bytes = u->unpacked = NULL;
	u->gelf = NULL;
}

/* A handle is closed, or the receipt is settled: perhaps that was the last. */
static void end_if_last(struct sqd_udp *u)
{
	if (!u->closing || u->base.open_handles || u->receipt.unsettled)
		return;
	free_memory(u);
	u->base.closed(&u->base); /* last: it frees us */
}

static void on_settled(struct sqd_receipt *r)
{
	end_if_last(SQ_CONTAINER(r, struct sqd_udp, receipt));
}

void sqd_udp_pause(struct sqd_input *base)
{
	struct sqd_udp *u = self(base);

	if (u->paused || !u->started)
		return;
	u->paused = true;
	(void)uv_poll_stop(&u->poll);
	(void)uv_timer_stop(&u->nap);
	if (!u->stopped) /* a buffer that nobody empties loses most */
		sqd_udp_watch(u);
}

static int allocate(struct sqd_udp *u)
{
	const struct sqd_input_udp_cfg *cfg = sqd_udp_cfg(u);
	struct sq_gelf_limits limits = { .max_messages = cfg->gelf_messages,
		                         .max_bytes = (uint32_t)cfg->gelf_memory,
		                         .max_record = (uint32_t)cfg->max_record };

	u->unpacked = malloc(cfg->max_record);
	u->gelf = sq_gelf_new(&limits);
	if (sqd_udp_make_slots(u) < 0 || !u->unpacked || !u->gelf) {
		free_memory(u);
		return -ENOMEM;
	}
	return 0;
}

static int open_socket(struct sqd_udp *u, struct sq_err *err)
{
	const struct sqd_input_udp_cfg *cfg = sqd_udp_cfg(u);
	struct sqd_listen l = { .where = cfg->listen,
		                .type = SOCK_DGRAM,
		                .receive_buffer = cfg->receive_buffer,
		                .inherited_fd = u->base.inherited_fd,
		                .socket_mode = cfg->socket_mode };
	char bound[SQD_BOUND_TEXT];
	uint64_t got = 0;

	u->fd = sqd_listen_open(&l, bound, &got, &u->file, err);
	if (u->fd < 0)
		return sq_err_wrap(err, u->fd, "udp input");
	u->base.socket = u->fd;
	snprintf(u->base.name, sizeof(u->base.name), "udp %s", bound);
	sqd_udp_ask(u);
	/* Of a unix socket it is the senders' buffers that count. */
	if (got < cfg->receive_buffer && !u->local && !u->base.further)
		sqd_log(SQD_LOG_NOTICE,
		        "%s: the kernel gave a receive buffer of %llu KiB instead of %llu KiB; "
		        "raise net.core.rmem_max for larger bursts",
		        u->base.name, (unsigned long long)got / 1024,
		        (unsigned long long)cfg->receive_buffer / 1024);
	return 0;
}

static int udp_start(struct sqd_input *base, struct sq_err *err)
{
	struct sqd_udp *u = self(base);
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
		sqd_listen_close(u->fd, &u->file);
		u->fd = -1;
		return sq_err_set(err, r, "%s: %s", base->name, uv_strerror(r));
	}
	(void)uv_timer_init(base->loop, &u->expire); /* these two cannot fail */
	(void)uv_timer_init(base->loop, &u->nap);
	u->poll.data = u->expire.data = u->nap.data = u;
	base->open_handles += 3;
	u->started = true;
	r = uv_poll_start(&u->poll, UV_READABLE, sqd_udp_on_poll);
	return r < 0 ? sq_err_set(err, r, "%s: %s", base->name, uv_strerror(r)) : 0;
}

static void udp_resume(struct sqd_input *base)
{
	struct sqd_udp *u = self(base);

	if (!u->paused)
		return;
	u->paused = false;
	(void)uv_timer_stop(&u->nap);
	if (!sqd_udp_empty_slots(u))
		return;
	if (u->stopped)
		sqd_udp_read_last(u);
	else
		(void)uv_poll_start(&u->poll, UV_READABLE, sqd_udp_on_poll);
}

/* What the kernel's buffer holds at most. */
static size_t room_of(const struct sqd_udp *u)
{
	int n = 0;
	socklen_t size = sizeof(n);

	return getsockopt(u->fd, SOL_SOCKET, SO_RCVBUF, &n, &size) == 0 && n > 0 ? (size_t)n : 0;
}

static void udp_stop(struct sqd_input *base)
{
	struct sqd_udp *u = self(base);

	if (u->stopped || !u->started)
		return;
	u->stopped = true;
	(void)uv_poll_stop(&u->poll);
	(void)uv_timer_stop(&u->nap);
	sqd_listen_close(-1, &u->file); /* who comes now shall not write to nobody */
	/* In a socket that outlives us datagrams are left to whoever serves it next. */
	u->last_bytes = u->base.lasting ? 0 : room_of(u);
	sqd_udp_read_last(u);
	sqd_udp_count_drops(u);
}

/* What lies in the kernel's buffer yet, because no batch came free for it: it goes with the socket.
 * @return datagrams */
static uint64_t drain(struct sqd_udp *u)
{
	uint64_t n = 0;
	ssize_t got;
	char byte;

	while (u->last_bytes && (got = recv(u->fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC)) >= 0) {
		size_t took = (size_t)got + 1; /* an empty one takes room too */

		u->last_bytes = took < u->last_bytes ? u->last_bytes - took : 0;
		n += got > 0;
	}
	u->last_bytes = 0;
	return n;
}

/* What found no batch before the end, and the messages that were never whole. */
static void count_lost(struct sqd_udp *u)
{
	uint64_t n = u->n - u->at + (u->n_unpacked ? 1 : 0) + (u->started ? drain(u) : 0);
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
	struct sqd_udp *u = h->data;

	if (h == (uv_handle_t *)&u->poll) {
		sqd_listen_close(u->fd, &u->file);
		u->fd = -1;
	}
	u->base.open_handles--;
	end_if_last(u); /* last */
}

static void udp_close(struct sqd_input *base)
{
	struct sqd_udp *u = self(base);

	if (u->closing)
		return;
	udp_stop(base);
	u->closing = true;
	count_lost(u);
	if (u->started) {
		uv_close((uv_handle_t *)&u->poll, on_handle_closed);
		uv_close((uv_handle_t *)&u->nap, on_handle_closed);
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
	.size = sizeof(struct sqd_udp),
	.cfg_size = sizeof(struct sqd_input_udp_cfg),
	.opts = udp_opts,
	.start = udp_start,
	.pause = sqd_udp_pause,
	.resume = udp_resume,
	.stop = udp_stop,
	.reload = udp_reload,
	.close = udp_close,
};
