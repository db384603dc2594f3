/* The Beats input: windows of events in, acknowledgements out.
 *
 *   bytes ─▶ lib/wire/lumberjack ─▶ records in the open batch, owed to the window's receipt
 *                                                                         │
 *   sender ◀── ACK ◀── in order, once ◀── window whole and settled ◀──────┘
 *
 * A connection is not read on while no batch is free (all of the input is paused then) or while too
 * many of its windows are unacknowledged; bytes that had been read by then are put aside. Its
 * sender is told "still busy" all the while.
 *
 * However a window ends, its events that had come went their way when they came. A window that is
 * not acknowledged is sent again, so its events may come twice and never not at all.
 */
#include "daemon/input/beats.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/input/put.h"
#include "lib/wire/lumberjack.h"

enum {
	ROOM = 64 * 1024,  /* bytes of the chunk with which unpacking begins */
	ACKS_AT_ONCE = 16, /* acknowledgements in one write */
};

struct beats_conn;

/** Made with its first event; lives until it is whole and settled, or its connection is gone. */
struct window {
	struct sqd_receipt receipt;
	struct window *next; /* of its connection */
	struct beats_conn *conn;
	uint32_t serial;
	bool whole;
	bool kept; /* the connection is kept for it: something is unsettled */
};

struct beats_conn {
	struct sqd_conn base;
	struct sq_lumber lumber;
	struct window *window;  /* being received; NULL before its first event */
	struct window *windows; /* all that there are */
	char *aside;            /* bytes read and not used yet; NULL: none */
	size_t aside_at, aside_n;
	bool pending; /* there is something to go on with, aside or in `lumber` */
	bool full;    /* too many windows are unacknowledged */
	bool due;     /* some were settled as they came: told when all that is there was cut */
};

struct beats_server {
	struct sqd_server server;
	struct sq_lumber_env *env;
};

static struct beats_conn *self(struct sqd_conn *c)
{
	return SQ_CONTAINER(c, struct beats_conn, base);
}

/* ---- windows ----------------------------------------------------------------------------- */

static bool owes(const struct beats_conn *c)
{
	return c->pending || sq_lumber_unacked(&c->lumber) > c->lumber.open;
}

/* The sender has ended its stream, or we stop: once nothing is owed any more there is nothing to
 * wait for. */
static void finish_if_done(struct beats_conn *c)
{
	if ((c->base.ended || c->base.server->stopped) && !owes(c))
		sqd_conn_finish(&c->base);
}

static void write_to(struct beats_conn *c, struct sq_sv bytes)
{
	/* -EPIPE: the stream is lost, and its end comes by another way. */
	if (sqd_conn_write(&c->base, bytes) == -ENOBUFS)
		sqd_conn_fail(&c->base, "does not read its acknowledgements");
}

static void write_acks(struct beats_conn *c)
{
	uint64_t now_ms = uv_now(sqd_conn_input(&c->base)->loop);
	char to[ACKS_AT_ONCE * SQ_LUMBER_ACK];
	unsigned windows;
	size_t n;

	while (!c->base.closing &&
	       (n = sq_lumber_acks(&c->lumber, now_ms, to, sizeof(to), &windows))) {
		sqd_conn_counts(&c->base)->beats_acked += windows;
		write_to(c, (struct sq_sv){ to, n });
	}
	c->due = false;
}

static void send_acks(struct beats_conn *c)
{
	write_acks(c);
	if (c->base.closing)
		return;
	/* Not from here, batches may be on their way; and not when we stop, see beats_stop(). */
	if (c->full && !c->base.server->stopped) {
		c->full = false;
		sqd_conn_resume_soon(&c->base);
	}
	finish_if_done(c);
}

static void window_free(struct window *w)
{
	struct window **at = &w->conn->windows;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	free(w);
}

/* Its events are through. May free the connection: the last thing that is done with it. */
static void on_settled(struct sqd_receipt *r)
{
	struct window *w = SQ_CONTAINER(r, struct window, receipt);
	struct beats_conn *c = w->conn;

	w->kept = false;
	if (c->base.closing || w->whole) {
		if (c->window == w)
			c->window = NULL;
		/* What was given up on the way down is not acknowledged. */
		if (!c->base.closing && !r->lost) {
			sq_lumber_settle(&c->lumber, w->serial);
			send_acks(c);
		}
		window_free(w);
	}
	sqd_conn_let_go(&c->base);
}

static struct window *window_of(struct beats_conn *c)
{
	struct window *w = c->window;

	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w)
			return NULL;
		w->conn = c;
		w->receipt.settled = on_settled;
		w->receipt.identity = c->base.identity;
		w->receipt.until_sent = true;
		w->next = c->windows;
		c->window = c->windows = w;
	}
	if (!w->kept)
		sqd_conn_keep(&c->base);
	w->kept = true;
	return w;
}

static void window_whole(struct beats_conn *c)
{
	struct window *w = c->window;

	sqd_conn_counts(&c->base)->beats_windows++;
	c->window = NULL;
	if (w && w->receipt.unsettled) {
		w->serial = sq_lumber_last(&c->lumber);
		w->whole = true;
		return;
	}
	/* No event of it is under way any more; but was one given up before the last had come? */
	if (!w || !w->receipt.lost)
		sq_lumber_settle(&c->lumber, sq_lumber_last(&c->lumber));
	if (w)
		window_free(w);
	c->due = true;
}

/* ---- faults ------------------------------------------------------------------------------ */

static uint64_t *counter_of(struct sq_counters *counts, enum sq_lumber_fault fault)
{
	switch (fault) {
	case SQ_LUMBER_MAX_WINDOW:
		return &counts->beats_over_window;
	case SQ_LUMBER_MAX_FRAME:
		return &counts->beats_over_frame;
	case SQ_LUMBER_MAX_UNPACKED:
		return &counts->beats_over_unpacked;
	case SQ_LUMBER_MAX_RATIO:
		return &counts->beats_over_ratio;
	case SQ_LUMBER_MAX_PAIRS:
	case SQ_LUMBER_MAX_KEY:
		return &counts->beats_over_pairs;
	case SQ_LUMBER_MAX_UNFINISHED:
		return &counts->beats_over_unfinished;
	case SQ_LUMBER_UNACKED:
		return &counts->beats_unacked;
	case SQ_LUMBER_SILENT:
		return &counts->beats_silent;
	case SQ_LUMBER_OK:
	case SQ_LUMBER_TLS:
	case SQ_LUMBER_HTTP:
	case SQ_LUMBER_JSON:
	case SQ_LUMBER_FOREIGN:
	case SQ_LUMBER_VERSION:
	case SQ_LUMBER_TYPE:
	case SQ_LUMBER_WINDOW_EARLY:
	case SQ_LUMBER_NO_WINDOW:
	case SQ_LUMBER_BEYOND:
	case SQ_LUMBER_NESTED:
	case SQ_LUMBER_EMPTY:
	case SQ_LUMBER_SPLIT:
	case SQ_LUMBER_DAMAGED:
	case SQ_LUMBER_TRUNCATED:
	case SQ_LUMBER_TRAILING:
		return &counts->beats_faults;
	case SQ_LUMBER_MEMORY: /* not the sender's fault */
	case SQ_LUMBER_FAULTS:
		break;
	}
	return NULL;
}

static void fail(struct beats_conn *c)
{
	uint64_t *counter = counter_of(sqd_conn_counts(&c->base), c->lumber.fault);

	if (counter)
		++*counter;
	sqd_conn_fail(&c->base, sq_lumber_reason(c->lumber.fault));
}

/* ---- bytes to records -------------------------------------------------------------------- */

/* Give a record to the open batch; `*b` is another one, or NULL, afterwards. */
static int give(struct beats_conn *c, struct sq_batch **b, struct sq_sv record, struct sq_sv *in)
{
	struct sqd_input *input = sqd_conn_input(&c->base);
	struct window *w = window_of(c);

	if (!w) {
		c->lumber.fault = SQ_LUMBER_MEMORY;
		return -ENOMEM;
	}
	if (c->lumber.in_place) {
		sqd_input_add(input, *b, &w->receipt, c->base.peer, record);
	} else {
		*b = NULL;
		if (sqd_input_put(input, &w->receipt, c->base.peer, record) < 0) {
			/* Nothing is under way. It stays: what was lost of it is noted there. */
			if (!w->receipt.unsettled) {
				w->kept = false;
				sqd_conn_let_go(&c->base);
			}
			return -EAGAIN;
		}
	}
	sq_lumber_taken(&c->lumber, in);
	return 0;
}

/* @return 0 all of `in` is used, -EAGAIN no batch is free, -EBUSY too many windows, else a fault */
static int cut(struct beats_conn *c, struct sq_sv *in)
{
	struct sqd_input *input = sqd_conn_input(&c->base);
	struct sq_counters *counts = input->counts;
	struct sq_lumber *l = &c->lumber;
	struct sq_batch *b = NULL;
	struct sq_sv record;
	int r;

	while (!c->base.closing) {
		if (!b || sqd_input_full(b)) {
			sq_lumber_stash(l);
			b = sqd_dispatch_open(input->dispatch, ROOM);
			if (!b)
				return -EAGAIN;
		}
		r = sq_lumber_next(l, in, b->chunk + b->tail, sq_batch_room(b), uv_now(input->loop),
		                   &record);
		if (r < 0)
			return r;
		switch ((enum sq_lumber_got)r) {
		case SQ_LUMBER_MORE:
			return 0;
		case SQ_LUMBER_NEED_ROOM:
			b = NULL;
			continue;
		case SQ_LUMBER_RECORD:
			r = give(c, &b, record, in);
			if (r < 0)
				return r;
			continue;
		case SQ_LUMBER_OVERSIZED:
			counts->received++;
			counts->oversized++;
			continue;
		case SQ_LUMBER_WHOLE:
			window_whole(c);
			continue;
		case SQ_LUMBER_FULL:
			if (!c->due)
				return -EBUSY;
			write_acks(c);
			continue;
		}
	}
	return 0;
}

static void forget_aside(struct beats_conn *c)
{
	free(c->aside);
	c->aside = NULL;
	c->aside_at = c->aside_n = 0;
}

/* Keep what is left of `in`, which lies in `aside` already or in the scratch buffer. */
static int put_aside(struct beats_conn *c, struct sq_sv in)
{
	c->pending = true;
	if (c->aside) {
		c->aside_at = c->aside_n - in.n;
		return 0;
	}
	if (!in.p || !in.n)
		return 0;
	c->aside = malloc(in.n);
	if (!c->aside)
		return -ENOMEM;
	memcpy(c->aside, in.p, in.n);
	c->aside_n = in.n;
	return 0;
}

static int go_on(struct beats_conn *c, struct sq_sv in)
{
	int r;

	c->pending = false;
	r = cut(c, &in);
	sq_lumber_stash(&c->lumber);
	if (c->base.closing)
		return 0;
	if (c->lumber.fault) /* perhaps of the stash: nobody may come and be told later */
		r = -EPROTO;
	if ((r == -EAGAIN || r == -EBUSY) && put_aside(c, in) < 0) {
		c->lumber.fault = SQ_LUMBER_MEMORY;
		r = -ENOMEM;
	}
	if (c->due) /* what is pending is known by now, so that it is not finished too early */
		send_acks(c);
	if (c->base.closing)
		return 0;
	switch (r) {
	case 0:
		forget_aside(c);
		if (c->base.held)
			sqd_conn_unhold(&c->base);
		finish_if_done(c);
		return 0;
	case -EAGAIN:
		sqd_conn_starved(&c->base);
		return -EAGAIN;
	case -EBUSY:
		sqd_conn_counts(&c->base)->beats_full++;
		c->full = true;
		sqd_conn_hold(&c->base);
		return 0;
	}
	fail(c);
	return 0;
}

/* ---- the protocol ------------------------------------------------------------------------ */

static int beats_open(struct sqd_conn *base)
{
	struct beats_server *in = SQ_CONTAINER(base->server, struct beats_server, server);

	return sq_lumber_init(&self(base)->lumber, in->env);
}

static struct sqd_room beats_room(struct sqd_conn *base)
{
	return sqd_conn_scratch(base);
}

static void beats_take(struct sqd_conn *base, size_t n)
{
	(void)go_on(self(base), (struct sq_sv){ sqd_conn_scratch(base).p, n });
}

static void beats_end(struct sqd_conn *base, int why)
{
	struct beats_conn *c = self(base);

	if (why)
		sqd_conn_close(base); /* nobody is left to be told */
	else
		finish_if_done(c); /* a sender may end its half and wait for the rest */
}

static int beats_resume(struct sqd_conn *base)
{
	struct beats_conn *c = self(base);

	if (!c->pending || c->full)
		return 0;
	return go_on(c, (struct sq_sv){ c->aside ? c->aside + c->aside_at : NULL,
	                                c->aside_n - c->aside_at });
}

/* Windows that are whole may still be acknowledged; one that is not never will. What waited for an
 * acknowledgement waits on until it is counted as lost: the alerts that bring about the last
 * acknowledgements are sent when no batch is taken any more. */
static void beats_stop(struct sqd_conn *base)
{
	struct beats_conn *c = self(base);

	if (c->pending && !base->server->paused)
		c->full = true;
	finish_if_done(c);
}

static void beats_tick(struct sqd_conn *base, uint64_t now_ms)
{
	struct beats_conn *c = self(base);
	bool waits = base->held || base->server->paused;
	bool stalled = (waits && (c->pending || c->lumber.open || sqd_conn_waiting(base))) ||
	               sqd_conn_slowed(base);
	char ack[SQ_LUMBER_ACK];
	int r = sq_lumber_tick(&c->lumber, now_ms, stalled, base->last_ms, ack);

	if (r < 0) {
		fail(c);
	} else if (r > 0) {
		sqd_conn_counts(base)->beats_keepalives++;
		write_to(c, (struct sq_sv){ ack, (size_t)r });
	}
}

/* Events that were read to their end and found no batch before we stopped: each is counted. */
static void lose_pending(struct beats_conn *c)
{
	struct sq_counters *counts = sqd_conn_counts(&c->base);
	struct sq_sv in = { c->aside ? c->aside + c->aside_at : NULL, c->aside_n - c->aside_at };
	char *room = malloc(ROOM);
	struct sq_sv record;
	unsigned windows;
	char acks[SQ_LUMBER_ACK];
	int r;

	while (room &&
	       (r = sq_lumber_next(&c->lumber, &in, room, ROOM, 1, &record)) > SQ_LUMBER_MORE) {
		counts->received += r == SQ_LUMBER_RECORD || r == SQ_LUMBER_OVERSIZED;
		counts->oversized += r == SQ_LUMBER_OVERSIZED;
		if (r == SQ_LUMBER_RECORD) {
			counts->dropped_shutdown++;
			sq_lumber_taken(&c->lumber, &in);
			sq_lumber_stash(&c->lumber); /* the room is used from its start again */
		} else if (r == SQ_LUMBER_WHOLE) {
			counts->beats_windows++;
		} else if (r == SQ_LUMBER_FULL) { /* make place; nobody is told */
			sq_lumber_settle(&c->lumber, c->lumber.serial);
			(void)sq_lumber_acks(&c->lumber, 1, acks, sizeof(acks), &windows);
			counts->beats_cut += windows;
		}
	}
	free(room);
}

static void beats_closed(struct sqd_conn *base)
{
	struct beats_conn *c = self(base);

	if (c->pending && base->server->stopped && !c->lumber.fault)
		lose_pending(c);
	sqd_conn_counts(base)->beats_cut += sq_lumber_unacked(&c->lumber);
	/* Nobody is acknowledged any more: they need not stay for as long as an output is away. */
	for (struct window *w = c->windows, *next; w; w = next) {
		next = w->next;
		if (w->receipt.unsettled)
			sqd_dispatch_forget(sqd_conn_input(base)->dispatch, &w->receipt);
		else
			window_free(w);
	}
	forget_aside(c);
	sq_lumber_fini(&c->lumber);
}

static void beats_freed(struct sqd_conn *base SQ_UNUSED)
{
}

static const struct sqd_protocol protocol = {
	.size = sizeof(struct beats_conn),
	.open = beats_open,
	.room = beats_room,
	.take = beats_take,
	.end = beats_end,
	.resume = beats_resume,
	.stop = beats_stop,
	.tick = beats_tick,
	.closed = beats_closed,
	.freed = beats_freed,
};

/* ---- the input --------------------------------------------------------------------------- */

static int beats_start(struct sqd_input *in, struct sq_err *err)
{
	struct beats_server *s = SQ_CONTAINER(in, struct beats_server, server.base);
	const struct sqd_input_beats_cfg *cfg = in->cfg;
	const struct sq_lumber_limits limits = {
		.max_window = cfg->max_window,
		.max_windows = cfg->max_windows,
		.max_frame = (uint32_t)(cfg->max_frame > cfg->max_record ? cfg->max_frame
		                                                         : cfg->max_record),
		.max_record = (uint32_t)cfg->max_record,
		.max_unpacked = cfg->max_unpacked,
		.max_ratio = cfg->max_ratio,
		.max_pairs = cfg->max_pairs,
		.max_key = (uint32_t)cfg->max_key,
		.max_unfinished = cfg->max_unfinished,
		.keepalive_ms = (uint32_t)cfg->keepalive,
		.max_unacked_ms = (uint32_t)cfg->max_unacked,
		.max_silence_ms = (uint32_t)cfg->max_silence,
	};

	s->server.protocol = &protocol;
	s->env = sq_lumber_env_new(&limits);
	if (!s->env)
		return sq_err_set(err, -ENOMEM, "beats input %s: out of memory",
		                  cfg->server.listen);
	return sqd_server_start(in, err);
}

static void beats_close(struct sqd_input *in)
{
	struct beats_server *s = SQ_CONTAINER(in, struct beats_server, server.base);

	/* Every connection is told closed() in there; the listener itself goes later. */
	sqd_server_close(in);
	sq_lumber_env_free(s->env);
	s->env = NULL;
}

/* clang-format off */
#define AT(member) .offset = offsetof(struct sqd_input_beats_cfg, member)

static const struct sq_opt beats_opts[] = {
	SQD_SERVER_OPTS(struct sqd_input_beats_cfg, server),
	{ "max_record", SQ_OPT_BYTES, AT(max_record), .min = 1024, .max = 16 << 20, .def = "1MiB",
	  .doc = "Longest event; a longer one is skipped and counted as oversized, its window goes on." },
	{ "max_window", SQ_OPT_U32, AT(max_window), .min = 1, .max = 1 << 24, .def = "65536",
	  .doc = "Most events in one window (bulk_max_size of the Beat); a sender of more is closed." },
	{ "max_windows", SQ_OPT_U32, AT(max_windows), .min = 1, .max = 1024, .def = "16",
	  .doc = "Windows of one connection that may be unacknowledged (pipelining of the Beat); it is not read "
		 "further until one is acknowledged." },
	{ "max_frame", SQ_OPT_BYTES, AT(max_frame), .min = 64 << 10, .max = 1 << 30, .def = "64MiB",
	  .doc = "Longest compressed frame as it is sent, and longest event that is skipped; a sender of a "
		 "longer one is closed." },
	{ "max_unpacked", SQ_OPT_BYTES, AT(max_unpacked), .min = 64 << 10, .max = 1ll << 40, .def = "1GiB",
	  .doc = "Most bytes that a compressed frame may unpack to; it is unpacked in small pieces." },
	{ "max_ratio", SQ_OPT_U32, AT(max_ratio), .min = 0, .max = 100000, .def = "900",
	  .doc = "Most times that what is unpacked may be larger than the frame, from 64 KiB on; 0 means any. "
		 "Events reach 140, padded by an attacker 600, bombs 1032." },
	{ "max_pairs", SQ_OPT_U32, AT(max_pairs), .min = 1, .max = 100000, .def = "1024",
	  .doc = "Most pairs in an event of version 1." },
	{ "max_key", SQ_OPT_BYTES, AT(max_key), .min = 16, .max = 64 << 10, .def = "1KiB",
	  .doc = "Longest key in an event of version 1." },
	{ "max_unfinished", SQ_OPT_BYTES, AT(max_unfinished), .min = 1 << 20, .max = 1ll << 40, .def = "128MiB",
	  .doc = "Most memory for unfinished long events of all connections of this input on a loop together, 128 KiB of each "
		 "not counted; a sender whose event needs more is closed." },
	{ "keepalive", SQ_OPT_MSEC, AT(keepalive), .min = 10, .max = 25000, .def = "5s",
	  .doc = "How often a sender that waits for an acknowledgement is told that its window is under way." },
	{ "max_unacked", SQ_OPT_MSEC, AT(max_unacked), .min = 100, .max = 7 * 86400000, .def = "5min",
	  .doc = "Close a connection to which no window could be acknowledged for so long." },
	{ "max_silence", SQ_OPT_MSEC, AT(max_silence), .min = 100, .max = 3600000, .def = "1min",
	  .doc = "Close a connection that says nothing for so long in the middle of a frame." },
	{ 0 }
};
/* clang-format on */

const struct sqd_input_ops sqd_input_beats = {
	.kind = "beats",
	.size = sizeof(struct beats_server),
	.cfg_size = sizeof(struct sqd_input_beats_cfg),
	.opts = beats_opts,
	.start = beats_start,
	.pause = sqd_server_pause,
	.resume = sqd_server_resume,
	.stop = sqd_server_stop,
	.reload = sqd_server_reload,
	.close = beats_close,
};
