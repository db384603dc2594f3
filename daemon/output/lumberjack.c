/* Output in Lumberjack: windows of events, that the peer acknowledges when it has them.
 *
 *   send ──▶ one or more windows ──▶ link ──▶ peer ──▶ acknowledgements, in the order of windows
 *                                                             │
 *   sent ◀── all windows of the send have been acknowledged ◀─┘
 *
 * `pipelining` windows may be on their way. The peer may acknowledge a window in parts, and say
 * with a zero that it is still at it. When the connection is lost, what was acknowledged stays so,
 * even within a window; all after it is sent again over the next one, by us: the queue hears of
 * acknowledged sends, and of nothing else. So a peer that has taken events and was cut off before
 * it said so gets them twice; none is lost.
 *
 * A connection is given up when the peer acknowledges what it was not sent, says what is none of
 * Lumberjack, or is silent for ack_timeout. Silence is when neither acknowledgements come nor its
 * system takes bytes: a line that is slow is not made faster by sending all of it anew.
 */
#include "daemon/output/lumberjack.h"

#include <stdio.h>

#include "daemon/base/log.h"
#include "lib/wire/lumber_out.h"

enum {
	WINDOWS_MAX = 16,
	LOOKS = 4,                  /* so often in ack_timeout it is looked for progress */
	WINDOW_BYTES = 1024 * 1024, /* of a window, unless one event is longer */
};

/* Of a window as it is sent: the longest message of any queue, and what zlib adds at the worst. */
#define WIRE_MAX ((size_t)5 << 30)

struct window {
	size_t end; /* in its send, behind its last message */
	uint32_t count, acked;
};

struct send {
	struct sq_sv bytes;
	size_t acked; /* of them */
};

struct lumber_output {
	struct sqd_output base;
	struct sqd_link link;
	struct sq_lumber_out out;
	struct sq_lumber_acked answer;
	/* Rings, the oldest first. The first window is of the first send. */
	struct send sends[WINDOWS_MAX];
	struct window windows[WINDOWS_MAX];
	unsigned first_send, n_sends, first_window, n_windows;
	/* The next window begins here: which send, counted from the first, and where in it. */
	unsigned next_send;
	size_t next_at;
	uint64_t progress_ms, arrived; /* what the link's own timer looks for meanwhile */
};

#define AT(member) .offset = offsetof(struct sqd_output_lumberjack_cfg, member)

/* clang-format off */
static const struct sq_opt lumber_opts[] = {
	{ "address", SQ_OPT_STR, AT(link.address), .required = true,
	  .doc = "Host and port of Logstash's beats input, or of that of another squiblyd: logstash.example.org:5044." },
	{ "window", SQ_OPT_U32, AT(window), .min = 1, .max = 65536, .def = "2048",
	  .doc = "Most events in a window; the receiver's max_window must not be less." },
	{ "pipelining", SQ_OPT_U32, AT(pipelining), .min = 1, .max = WINDOWS_MAX, .def = "2",
	  .doc = "Windows that are sent before the first of them is acknowledged." },
	{ "compression", SQ_OPT_U32, AT(compression), .min = 0, .max = 9, .def = "0",
	  .doc = "Level of zlib for windows: 0 means none, 9 the smallest and slowest." },
	{ "ack_timeout", SQ_OPT_MSEC, AT(ack_timeout), .min = 100, .max = 3600000, .def = "30s",
	  .doc = "Connect anew when the receiver acknowledges nothing, and takes no bytes, for so long." },
	SQD_LINK_OPTS(struct sqd_output_lumberjack_cfg, link),
	{ 0 }
};
/* clang-format on */

static struct lumber_output *self(struct sqd_output *out)
{
	return SQ_CONTAINER(out, struct lumber_output, base);
}

static struct lumber_output *of_link(struct sqd_link *l)
{
	return SQ_CONTAINER(l, struct lumber_output, link);
}

static const struct sqd_output_lumberjack_cfg *cfg_of(const struct lumber_output *o)
{
	return o->base.cfg;
}

static struct send *send_at(struct lumber_output *o, unsigned i)
{
	return &o->sends[(o->first_send + i) % WINDOWS_MAX];
}

static bool takes(const struct lumber_output *o)
{
	return o->link.state == SQD_LINK_UP && !o->link.closing &&
	       o->n_sends < cfg_of(o)->pipelining;
}

/* ---- patience ---------------------------------------------------------------------------- */

static void on_look(uv_timer_t *t)
{
	struct lumber_output *o = of_link(t->data);
	uint64_t now = uv_now(o->base.loop), arrived = sqd_link_arrived(&o->link);
	char words[64];

	if (arrived != o->arrived) {
		o->arrived = arrived;
		o->progress_ms = now;
	}
	if (now - o->progress_ms < cfg_of(o)->ack_timeout)
		return;
	snprintf(words, sizeof(words), "no acknowledgement in %llu s",
	         (unsigned long long)((now - o->progress_ms) / 1000));
	sqd_link_fail(&o->link, UV_ETIMEDOUT, words);
}

/* The peer has shown that it lives, or was sent the first thing to answer. */
static void be_patient(struct lumber_output *o)
{
	uint64_t each = cfg_of(o)->ack_timeout / LOOKS;

	o->progress_ms = uv_now(o->base.loop);
	if (!o->n_windows)
		(void)uv_timer_stop(&o->link.own);
	else if (!uv_is_active((uv_handle_t *)&o->link.own))
		(void)uv_timer_start(&o->link.own, on_look, each, each);
}

/* ---- windows ----------------------------------------------------------------------------- */

/* The first send is done with: all of it was acknowledged. */
static void answer_first(struct lumber_output *o)
{
	o->first_send = (o->first_send + 1) % WINDOWS_MAX;
	o->n_sends--;
	sq_assert(o->next_send);
	o->next_send--;
	o->base.sent(&o->base, 0); /* last: it may call send() or close() */
}

/* The next bytes that are not in a window yet; none: {NULL, 0}. */
static struct sq_sv next_bytes(struct lumber_output *o)
{
	while (o->next_send < o->n_sends) {
		struct send *s = send_at(o, o->next_send);

		if (o->next_at < s->bytes.n)
			return sq_sv_skip(s->bytes, o->next_at);
		o->next_send++;
		o->next_at = o->next_send < o->n_sends ? send_at(o, o->next_send)->acked : 0;
	}
	return (struct sq_sv){ 0 };
}

/* Fill a window with messages from the front of `left`. @return what is left of it */
static struct sq_sv fill(struct lumber_output *o, struct sq_sv left)
{
	struct sq_sv rest = left;
	struct sqd_message m;

	sq_lumber_out_reset(&o->out);
	while (o->out.count < cfg_of(o)->window && sqd_message_next(&rest, &m)) {
		if (o->out.count && sq_lumber_out_bytes(&o->out) + m.text.n > WINDOW_BYTES)
			break;
		sq_lumber_out_add(&o->out, m.text);
		left = rest;
	}
	return left;
}

/* Send the next window, of what is `left` of its send. */
static void send_window(struct lumber_output *o, struct sq_sv left)
{
	struct send *s = send_at(o, o->next_send);
	struct sq_sv wire;
	struct window *w;

	left = fill(o, left);
	if (sq_lumber_out_end(&o->out, (int)cfg_of(o)->compression, &wire) < 0) {
		sqd_link_fail(&o->link, UV_ENOMEM, "");
		return;
	}
	w = &o->windows[(o->first_window + o->n_windows++) % WINDOWS_MAX];
	*w = (struct window){ .end = s->bytes.n - left.n, .count = o->out.count };
	o->next_at = w->end;
	if (o->n_windows == 1)
		be_patient(o);
	if (sqd_link_write(&o->link, wire) < 0) /* `down` will tell, and it is sent again */
		sq_assert(o->link.state == SQD_LINK_CLOSING);
}

static bool may_write(const struct lumber_output *o)
{
	return o->link.state == SQD_LINK_UP && !o->link.owed && !o->link.closing &&
	       o->n_windows < cfg_of(o)->pipelining;
}

static void pump(struct lumber_output *o)
{
	struct sq_sv left;

	if (!may_write(o))
		return;
	left = next_bytes(o);
	if (left.n)
		send_window(o, left); /* and the next when it is written */
}

/* ---- acknowledgements -------------------------------------------------------------------- */

/* The first `n` messages of the first send that are not acknowledged are now. */
static void advance(struct send *s, uint32_t n)
{
	struct sq_sv left = sq_sv_skip(s->bytes, s->acked);
	struct sqd_message m;

	while (n-- && sqd_message_next(&left, &m))
		continue;
	s->acked = s->bytes.n - left.n;
}

/* Acknowledged: the events of the first window up to `seq`. */
static void take_ack(struct lumber_output *o, uint32_t seq)
{
	struct window *w = &o->windows[o->first_window];
	struct send *s = send_at(o, 0);
	char words[96];

	if (seq == 0) { /* it lives, and is still at it */
		be_patient(o);
		return;
	}
	if (!o->n_windows || seq > w->count) {
		snprintf(words, sizeof(words),
		         "the peer acknowledged %u events of a window of %u; is it Lumberjack?",
		         seq, o->n_windows ? w->count : 0);
		sqd_link_fail(&o->link, UV_EPROTO, words);
		return;
	}
	sqd_link_works(&o->link);
	if (seq > w->acked && seq < w->count) {
		advance(s, seq - w->acked);
		w->acked = seq;
	} else if (seq == w->count) {
		s->acked = w->end;
		o->first_window = (o->first_window + 1) % WINDOWS_MAX;
		o->n_windows--;
	}
	be_patient(o);
	if (s->acked < s->bytes.n)
		return;
	(void)next_bytes(o); /* it is past the end of this send now */
	answer_first(o);
}

static void on_got(struct sqd_link *l, struct sq_sv bytes)
{
	struct lumber_output *o = of_link(l);
	uint32_t seq;
	int r = 0;

	while (l->state == SQD_LINK_UP && (r = sq_lumber_acked_next(&o->answer, &bytes, &seq)) == 1)
		take_ack(o, seq);
	if (r < 0)
		sqd_link_fail(l, UV_EPROTO,
		              "the peer's answer is none of Lumberjack; is it an input for Beats?");
	pump(o);
}

/* ---- the link ---------------------------------------------------------------------------- */

static void on_up(struct sqd_link *l)
{
	struct lumber_output *o = of_link(l);

	o->base.reconnects = l->reconnects;
	o->arrived = 0;
	pump(o);
	if (takes(o))                    /* if not, an answer will come first */
		o->base.ready(&o->base); /* last: it may call send() or close() */
}

static void on_written(struct sqd_link *l)
{
	pump(of_link(l));
}

/* What was on its way is to be sent again, from the first event that was not acknowledged. */
static void on_down(struct sqd_link *l, int why SQ_UNUSED)
{
	struct lumber_output *o = of_link(l);

	o->n_windows = 0;
	o->next_send = 0;
	o->next_at = o->n_sends ? send_at(o, 0)->acked : 0;
	o->answer = (struct sq_lumber_acked){ 0 };
	(void)uv_timer_stop(&o->link.own);
}

/* ---- life -------------------------------------------------------------------------------- */

static void on_link_closed(struct sqd_link *l)
{
	struct lumber_output *o = of_link(l);

	if (o->n_sends) {
		o->n_sends = 0;
		o->base.sent(&o->base, -ECANCELED); /* of them all */
	}
	sq_lumber_out_fini(&o->out);
	o->base.closed(&o->base); /* last: it frees us */
}

static const struct sqd_link_ops link_ops = {
	.up = on_up,
	.written = on_written,
	.got = on_got,
	.down = on_down,
	.closed = on_link_closed,
};

static int lumber_start(struct sqd_output *out, struct sq_err *err)
{
	struct lumber_output *o = self(out);
	int r;

	snprintf(out->name, sizeof(out->name), "lumberjack %.100s", cfg_of(o)->link.address);
	out->framing = SQD_FRAMING_RECORDS;
	o->out = sq_lumber_out_of(WIRE_MAX);
	sqd_link_init(&o->link, &link_ops, &cfg_of(o)->link, out);
	r = sqd_link_start(&o->link, err);
	return r < 0 ? sq_err_wrap(err, r, "%s", out->name) : 0;
}

static int lumber_send(struct sqd_output *out, struct sq_sv bytes)
{
	struct lumber_output *o = self(out);

	if (!takes(o))
		return -EAGAIN;
	sq_assert(bytes.n);
	*send_at(o, o->n_sends++) = (struct send){ .bytes = bytes };
	pump(o);
	return 0;
}

static void lumber_reopen(struct sqd_output *out)
{
	sqd_link_reopen(&self(out)->link);
}

static void lumber_insist(struct sqd_output *out)
{
	sqd_link_insist(&self(out)->link);
}

static void lumber_close(struct sqd_output *out)
{
	struct lumber_output *o = self(out);

	sqd_link_init(&o->link, &link_ops, &cfg_of(o)->link, out); /* if it was not started */
	sqd_link_close(&o->link);
}

const struct sqd_output_ops sqd_output_lumberjack = {
	.kind = "lumberjack",
	.json = true,
	.size = sizeof(struct lumber_output),
	.cfg_size = sizeof(struct sqd_output_lumberjack_cfg),
	.opts = lumber_opts,
	.check = sqd_output_no_check,
	.start = lumber_start,
	.send = lumber_send,
	.reopen = lumber_reopen,
	.insist = lumber_insist,
	.close = lumber_close,
};
