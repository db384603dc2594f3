/* Output over one TCP connection, to a receiver that never answers.
 *
 * A send is answered when the peer's system has acknowledged its last byte, not when ours has taken
 * it: what lies in the send buffer of a connection that breaks would be lost, and that may be
 * megabytes. Meanwhile the next ones are written: an acknowledgement may take 40 ms of the peer's
 * patience, and an alert is not to wait for that of another. The kernel does not tell when it
 * comes, so we ask: whenever something has been written, and by a timer. On a new connection
 * nothing is answered for a little longer: relays accept first, and reset when they find nobody
 * behind them; and a peer that wants a certificate of ours refuses it after our side of TLS 1.3 is
 * done.
 *
 * A receiver that takes nothing for `stall_timeout` is left when there is another one: a program
 * that is stopped keeps its connections, and its system answers for it. Where there is none,
 * waiting is all that can be done, and what lies with its system already is not sent twice.
 *
 * What the peer says is thrown away; it is read to notice when the peer goes away.
 */
#include "daemon/output/tcp.h"

#include <stdio.h>

enum {
	CONFIRM_MIN_MS = 2, /* doubled until something is confirmed */
	CONFIRM_MAX_MS = 64,
};

#define ALL_TO_COME UINT64_MAX

struct tcp_output {
	struct sqd_output base;
	struct sqd_link link;
	bool wanted;  /* send() said -EAGAIN: call `ready` */
	bool looking; /* the link's own timer asks what has arrived */
	uint64_t confirm_ms;
	uint64_t arrived, progress_ms; /* bytes when last looked; when they had become more */
	/* Of each send that is not answered, oldest first: how many bytes of the connection there
	 * were at its end; ALL_TO_COME while some of it is to be written, as with the newest only.
	 */
	uint64_t ends[SQD_OUTPUT_SENDS];
	unsigned first_send, n_sends;
};

static const struct sq_opt_enum framings[] = { { "lf", SQD_FRAMING_LF },
	                                       { "octet", SQD_FRAMING_OCTET },
	                                       { 0 } };

#define AT(member) .offset = offsetof(struct sqd_output_tcp_cfg, member)

/* clang-format off */
static const struct sq_opt tcp_opts[] = {
	{ "address", SQ_OPT_STR, AT(link.address), .required = true,
	  .doc = "Host and port to send to: siem.example.org:514, 192.0.2.1:6514; in quotes \"[2001:db8::1]:514\"." },
	{ "framing", SQ_OPT_ENUM, AT(framing), .enums = framings, .def = "lf",
	  .doc = "How a message ends: a line end, or RFC 6587 octet counting in front." },
	{ "stall_timeout", SQ_OPT_MSEC, AT(stall_timeout), .min = 100, .max = 3600000, .def = "30s",
	  .doc = "Where there are alternates: go to the next when the receiver takes no bytes for so long." },
	SQD_LINK_OPTS(struct sqd_output_tcp_cfg, link),
	{ 0 }
};
/* clang-format on */

static struct tcp_output *self(struct sqd_output *out)
{
	return SQ_CONTAINER(out, struct tcp_output, base);
}

static struct tcp_output *of_link(struct sqd_link *l)
{
	return SQ_CONTAINER(l, struct tcp_output, link);
}

/* ---- what is sent, and when it has been -------------------------------------------------- */

/* Answer the sends that have arrived. @return whether there was one; we may be closing then */
static bool answer(struct tcp_output *o)
{
	bool any = false;
	uint64_t to;

	if (!o->n_sends)
		return false;
	to = sqd_link_arrived(&o->link);
	while (o->link.state == SQD_LINK_UP && o->n_sends && o->ends[o->first_send] <= to) {
		o->first_send = (o->first_send + 1) % SQD_OUTPUT_SENDS;
		o->n_sends--;
		any = true;
		o->base.sent(&o->base, 0); /* it may call send() or close() */
	}
	return any;
}

/* Bytes wait: does the peer take any? Only who has another one to go to becomes impatient. */
static bool is_stalled(struct tcp_output *o)
{
	const struct sqd_output_tcp_cfg *cfg = o->base.cfg;
	uint64_t now = uv_now(o->base.loop), arrived = sqd_link_arrived(&o->link);

	if (arrived != o->arrived) {
		o->arrived = arrived;
		o->progress_ms = now;
	}
	return cfg->link.alternates.n && now - o->progress_ms >= cfg->stall_timeout;
}

static void on_look(uv_timer_t *t)
{
	struct tcp_output *o = of_link(t->data);
	uint64_t age = uv_now(o->base.loop) - o->link.up_since_ms;
	bool any;

	if (!o->link.trusted) {
		uint64_t left = age < SQD_LINK_TRUST_MS ? SQD_LINK_TRUST_MS - age : 1;

		(void)uv_timer_start(&o->link.own, on_look, left, 0);
		return;
	}
	any = answer(o);
	if (o->link.state != SQD_LINK_UP)
		return;
	o->looking = o->n_sends;
	if (!o->looking)
		return;
	if (is_stalled(o)) {
		sqd_link_fail(&o->link, UV_ETIMEDOUT, "it takes no bytes");
		return;
	}
	if (any)
		o->confirm_ms = CONFIRM_MIN_MS;
	(void)uv_timer_start(&o->link.own, on_look, o->confirm_ms, 0);
	if (o->confirm_ms < CONFIRM_MAX_MS)
		o->confirm_ms *= 2;
}

/* Something was sent: look soon for its arrival. */
static void look_soon(struct tcp_output *o)
{
	o->confirm_ms = CONFIRM_MIN_MS;
	if (o->looking)
		return;
	o->looking = true;
	o->progress_ms = uv_now(o->base.loop);
	(void)uv_timer_start(&o->link.own, on_look, CONFIRM_MIN_MS, 0);
}

static bool takes(const struct tcp_output *o)
{
	return o->link.state == SQD_LINK_UP && !o->link.closing && !o->link.owed &&
	       o->n_sends < SQD_OUTPUT_SENDS;
}

static int tcp_send(struct sqd_output *out, struct sq_sv bytes)
{
	struct tcp_output *o = self(out);

	if (!takes(o)) {
		o->wanted = true;
		return -EAGAIN;
	}
	o->ends[(o->first_send + o->n_sends++) % SQD_OUTPUT_SENDS] = ALL_TO_COME;
	if (sqd_link_write(&o->link, bytes) < 0) { /* nothing is owed for it: it failed at once */
		o->n_sends--;
		o->wanted = true;
		return -EAGAIN;
	}
	look_soon(o);
	return 0;
}

/* ---- the link ---------------------------------------------------------------------------- */

static void on_up(struct sqd_link *l)
{
	struct tcp_output *o = of_link(l);

	o->base.reconnects = l->reconnects;
	o->wanted = false;
	o->base.ready(&o->base); /* last: it may call send() or close() */
}

static void on_written(struct sqd_link *l)
{
	struct tcp_output *o = of_link(l);

	sq_assert(o->n_sends);
	o->ends[(o->first_send + o->n_sends - 1) % SQD_OUTPUT_SENDS] = l->wire_bytes;
	if (l->trusted && o->n_sends > 1)
		(void)answer(o);
	if (o->wanted && takes(o)) {
		o->wanted = false;
		o->base.ready(&o->base); /* last: it may call send() or close() */
	}
}

static void on_got(struct sqd_link *l SQ_UNUSED, struct sq_sv bytes SQ_UNUSED)
{
}

static void on_down(struct sqd_link *l, int why)
{
	struct tcp_output *o = of_link(l);

	o->looking = false;
	(void)uv_timer_stop(&o->link.own);
	if (!o->n_sends)
		return;
	o->n_sends = 0;              /* never confirmed; send() says -EAGAIN until it is up again */
	o->base.sent(&o->base, why); /* of them all. Last: it may close us */
}

/* ---- life -------------------------------------------------------------------------------- */

static void on_link_closed(struct sqd_link *l)
{
	struct tcp_output *o = of_link(l);

	o->base.closed(&o->base); /* last: it frees us */
}

static const struct sqd_link_ops link_ops = {
	.up = on_up,
	.written = on_written,
	.got = on_got,
	.down = on_down,
	.closed = on_link_closed,
};

static int tcp_start(struct sqd_output *out, struct sq_err *err)
{
	struct tcp_output *o = self(out);
	const struct sqd_output_tcp_cfg *cfg = out->cfg;
	int r;

	snprintf(out->name, sizeof(out->name), "tcp %.100s", cfg->link.address);
	out->framing = (enum sqd_framing)cfg->framing;
	sqd_link_init(&o->link, &link_ops, &cfg->link, out);
	r = sqd_link_start(&o->link, err);
	return r < 0 ? sq_err_wrap(err, r, "%s", out->name) : 0;
}

/* Certificates and keys are read anew, for connections to come. */
static void tcp_reopen(struct sqd_output *out)
{
	sqd_link_reopen(&self(out)->link);
}

static void tcp_insist(struct sqd_output *out)
{
	sqd_link_insist(&self(out)->link);
}

static void tcp_close(struct sqd_output *out)
{
	const struct sqd_output_tcp_cfg *cfg = out->cfg;

	sqd_link_init(&self(out)->link, &link_ops, &cfg->link, out); /* if it was not started */
	sqd_link_close(&self(out)->link);
}

const struct sqd_output_ops sqd_output_tcp = {
	.kind = "tcp",
	.size = sizeof(struct tcp_output),
	.cfg_size = sizeof(struct sqd_output_tcp_cfg),
	.opts = tcp_opts,
	.check = sqd_output_no_check,
	.start = tcp_start,
	.send = tcp_send,
	.reopen = tcp_reopen,
	.insist = tcp_insist,
	.close = tcp_close,
};
