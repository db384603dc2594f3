/* Output over UDP.
 *
 *   WAITING -> RESOLVING -> UP -> WAITING (an error of the socket or the network)
 *                 ^          |
 *                 +----------+ SIGHUP: the name may mean another address now
 *
 * The socket is bound to nobody, so a peer that is away is not noticed: that is UDP.
 */
#include "daemon/output/udp.h"

#include <stdio.h>

#include "daemon/base/listen.h"
#include "daemon/base/log.h"

enum { RETRY_MS = 1000 };

enum state { UDP_OUT_WAITING, UDP_OUT_RESOLVING, UDP_OUT_UP };

struct udp_output {
	struct sqd_output base;
	enum state state;
	bool started, closing;
	bool open;       /* `udp` is */
	bool reopen_due; /* after the datagram in flight */
	char host[256], port[8];
	struct sockaddr_storage to;
	uv_getaddrinfo_t resolve;
	uv_udp_t udp; /* of the family of `to` */
	uv_timer_t retry;
	uv_udp_send_t request;
	struct sq_sv sending; /* p != NULL while `request` is in flight */
};

#define AT(member) .offset = offsetof(struct sqd_output_udp_cfg, member)

/* clang-format off */
static const struct sq_opt udp_opts[] = {
	{ "address", SQ_OPT_STR, AT(address), .required = true,
	  .doc = "Host and port to send to; the name is looked up at the start, on SIGHUP and after an error." },
	{ 0 }
};
/* clang-format on */

static void begin_resolve(struct udp_output *o);

static struct udp_output *self(struct sqd_output *out)
{
	return SQ_CONTAINER(out, struct udp_output, base);
}

static void release(struct udp_output *o)
{
	sq_assert(o->base.open_handles);
	if (--o->base.open_handles == 0 && o->closing)
		o->base.closed(&o->base); /* last: it frees us */
}

static void on_retry(uv_timer_t *t)
{
	begin_resolve(t->data);
}

static void rest(struct udp_output *o, int why)
{
	sqd_output_failed(&o->base, &(struct sqd_failure){ .level = SQD_LOG_WARNING,
	                                                   .why = sqd_addr_strerror(why),
	                                                   .then = "retrying" });
	o->state = UDP_OUT_WAITING;
	(void)uv_timer_start(&o->retry, on_retry, RETRY_MS, 0);
}

/* The address is known: have a socket of its family. */
static void come_up(struct udp_output *o)
{
	if (!o->open) {
		int r = uv_udp_init_ex(o->base.loop, &o->udp, o->to.ss_family);

		if (r < 0) {
			rest(o, r);
			return;
		}
		o->udp.data = o;
		o->open = true;
		o->base.open_handles++;
	}
	o->state = UDP_OUT_UP;
	o->base.ready(&o->base); /* last: it may call send() or close() */
}

static void on_udp_closed(uv_handle_t *h)
{
	struct udp_output *o = h->data;

	o->open = false;
	if (o->closing) {
		release(o);
		return;
	}
	release(o); /* the timer is open: this is not the end */
	come_up(o);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
	struct udp_output *o = req->data;
	sa_family_t before = o->to.ss_family;

	if (status == 0 && !o->closing)
		memcpy(&o->to, found->ai_addr, found->ai_addrlen);
	uv_freeaddrinfo(found);
	if (o->closing) {
		release(o);
		return;
	}
	release(o); /* the timer is open: this is not the end */
	if (status < 0)
		rest(o, status);
	else if (o->open && o->to.ss_family != before)
		uv_close((uv_handle_t *)&o->udp, on_udp_closed);
	else
		come_up(o);
}

static void begin_resolve(struct udp_output *o)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV };
	int r;

	o->reopen_due = false;
	r = uv_getaddrinfo(o->base.loop, &o->resolve, on_resolved, o->host, o->port, &hints);
	if (r < 0) {
		rest(o, r);
		return;
	}
	o->base.open_handles++; /* a request keeps us alive like a handle */
	o->state = UDP_OUT_RESOLVING;
}

static void on_sent(uv_udp_send_t *req, int status)
{
	struct udp_output *o = req->data;

	o->sending = (struct sq_sv){ 0 };
	/* Too long for a datagram is the fault of the message, not of the network. */
	if (status < 0 && status != UV_EMSGSIZE && !o->closing)
		rest(o, status);
	else if (o->reopen_due && !o->closing)
		begin_resolve(o);
	if (!status)
		(void)sqd_output_works(&o->base, "sends again");
	o->base.sent(&o->base, status); /* last: it may call send() or close() */
}

static int udp_send(struct sqd_output *out, struct sq_sv bytes)
{
	struct udp_output *o = self(out);
	uv_buf_t buf;
	int r;

	if (o->state != UDP_OUT_UP || o->sending.p || o->closing)
		return -EAGAIN;
	/* libuv only reads through the pointer; its type does not say so. */
	memcpy(&buf.base, &bytes.p, sizeof(buf.base));
	buf.len = bytes.n;
	r = uv_udp_send(&o->request, &o->udp, &buf, 1, (struct sockaddr *)&o->to, on_sent);
	if (r < 0) {
		rest(o, r);
		return -EAGAIN;
	}
	o->sending = bytes;
	return 0;
}

/* ---- life -------------------------------------------------------------------------------- */

static int udp_start(struct sqd_output *out, struct sq_err *err)
{
	struct udp_output *o = self(out);
	const struct sqd_output_udp_cfg *cfg = out->cfg;
	int r;

	snprintf(out->name, sizeof(out->name), "udp %.100s", cfg->address);
	out->framing = SQD_FRAMING_MESSAGE;
	r = sqd_addr_split(cfg->address, o->host, o->port, err);
	if (r < 0)
		return sq_err_wrap(err, r, "udp output");
	(void)uv_timer_init(out->loop, &o->retry); /* cannot fail */
	out->open_handles++;
	o->retry.data = o->resolve.data = o->request.data = o;
	o->started = true;
	begin_resolve(o);
	return 0;
}

static void udp_reopen(struct sqd_output *out)
{
	struct udp_output *o = self(out);

	if (o->state != UDP_OUT_UP || o->closing)
		return; /* looking it up already, or soon */
	if (o->sending.p)
		o->reopen_due = true;
	else
		begin_resolve(o);
}

static void on_handle_closed(uv_handle_t *h)
{
	release(h->data);
}

static void udp_close(struct sqd_output *out)
{
	struct udp_output *o = self(out);

	if (o->closing)
		return;
	o->closing = true;
	if (!o->started) { /* start() had failed: a handle of no other use calls back later */
		(void)uv_timer_init(out->loop, &o->retry);
		o->retry.data = o;
		out->open_handles++;
	}
	uv_close((uv_handle_t *)&o->retry, on_handle_closed);
	if (o->state == UDP_OUT_RESOLVING)
		(void)uv_cancel((uv_req_t *)&o->resolve); /* when it runs already, it ends */
	if (o->open && !uv_is_closing((uv_handle_t *)&o->udp))
		uv_close((uv_handle_t *)&o->udp, on_handle_closed);
}

const struct sqd_output_ops sqd_output_udp = {
	.kind = "udp",
	.datagrams = true,
	.size = sizeof(struct udp_output),
	.cfg_size = sizeof(struct sqd_output_udp_cfg),
	.opts = udp_opts,
	.check = sqd_output_no_check,
	.start = udp_start,
	.send = udp_send,
	.reopen = udp_reopen,
	.insist = sqd_output_no_insist,
	.close = udp_close,
};
