/* The TCP input: records one after another, nothing is answered. Listener and connections:
 * server.h; bytes to records: cutter.h.
 */
#include "daemon/input/tcp.h"

#include <errno.h>

#include "lib/wire/frame.h"
#include "lib/wire/syslog.h"

struct tcp_conn {
	struct sqd_conn base;
	struct sqd_cutter cutter;
	struct sq_frame frame;
	bool stopped; /* no more bytes are given */
};

static struct tcp_conn *self(struct sqd_conn *c)
{
	return SQ_CONTAINER(c, struct tcp_conn, base);
}

static int next(void *framer, struct sq_sv in, bool eof, size_t *ret_used, struct sq_sv *ret_rec)
{
	return sq_frame_next(framer, in, eof, ret_used, ret_rec);
}

static const char *foreign(const struct sq_frame *f)
{
	switch (f->foreign) {
	case SQ_FRAME_OURS:
		break;
	case SQ_FRAME_TLS:
		return "speaks TLS on a plain TCP port";
	case SQ_FRAME_LUMBERJACK:
		return "speaks Lumberjack (Beats) on a plain TCP port; it needs a beats input";
	case SQ_FRAME_HTTP:
		return "speaks HTTP on a plain TCP port; it needs an http input";
	case SQ_FRAME_UTF16:
		return "sends UTF-16; records are read as UTF-8";
	}
	return "does not speak a protocol that we know";
}

/* What the cutter said. */
static int seen_to(struct tcp_conn *c, int r)
{
	if (r == -EAGAIN)
		sqd_conn_starved(&c->base);
	else if (r == -ENOMEM)
		sqd_conn_fail(&c->base, "cannot be served: out of memory");
	else if (r < 0)
		sqd_conn_fail(&c->base, foreign(&c->frame));
	return r;
}

static int tcp_open(struct sqd_conn *base)
{
	const struct sqd_input_tcp_cfg *cfg = sqd_conn_cfg(base);
	struct tcp_conn *c = self(base);

	c->frame = sq_frame_of((uint32_t)cfg->max_record);
	c->cutter = (struct sqd_cutter){ .in = sqd_conn_input(base),
		                         .receipt = &base->receipt,
		                         .peer = base->peer,
		                         .next = next,
		                         .framer = &c->frame,
		                         .lines = &c->frame };
	return 0;
}

static struct sqd_room tcp_room(struct sqd_conn *base)
{
	struct sqd_room room = { 0 };

	if (seen_to(self(base), sqd_cutter_room(&self(base)->cutter, &room)) < 0)
		return (struct sqd_room){ 0 };
	return room;
}

static void tcp_take(struct sqd_conn *base, size_t n)
{
	(void)seen_to(self(base), sqd_cutter_cut(&self(base)->cutter, n));
}

/* A record that was cut off is given on as it is: the reader counts it as malformed. */
static void tcp_end(struct sqd_conn *base, int why SQ_UNUSED)
{
	if (seen_to(self(base), sqd_cutter_end(&self(base)->cutter)) == 0)
		sqd_conn_close(base);
}

/* An event that is there to its end, perhaps behind a syslog header. */
static bool is_whole(struct sq_sv rest)
{
	struct sq_syslog header;

	sq_syslog_strip(rest, &header);
	return sq_frame_value_length(header.payload) > 0;
}

/* We stop, and what was owed is read. The connection goes at once: what its sender sends from now
 * on is lost, and the sooner it is told the less that is. */
static void leave(struct tcp_conn *c)
{
	struct sqd_cutter *k = &c->cutter;
	struct sq_sv rest = sqd_cutter_rest(k);

	if (k->pending)
		return; /* resume comes again */
	/* A sender may leave out the last line end: what is a whole value is a record. The
	 * beginning of one is not; it was taken in, so it is counted. */
	if (rest.n && is_whole(rest)) {
		if (seen_to(c, sqd_cutter_end(k)) < 0)
			return;
	} else if (rest.n) {
		sqd_conn_counts(&c->base)->received++;
		sqd_conn_counts(&c->base)->dropped_shutdown++;
		sqd_cutter_reset(k);
	}
	sqd_conn_close(&c->base);
}

static int tcp_resume(struct sqd_conn *base)
{
	struct tcp_conn *c = self(base);
	int r = seen_to(c, sqd_cutter_resume(&c->cutter));

	if (r == 0 && base->ended)
		sqd_conn_close(base);
	else if (r == 0 && c->stopped)
		leave(c);
	return r == -EAGAIN ? r : 0;
}

static void tcp_stop(struct sqd_conn *base)
{
	self(base)->stopped = true;
	if (!base->ended)
		leave(self(base));
}

static void tcp_tick(struct sqd_conn *base SQ_UNUSED, uint64_t now_ms SQ_UNUSED)
{
}

static void tcp_closed(struct sqd_conn *base)
{
	sqd_cutter_lose(&self(base)->cutter);
}

static void tcp_freed(struct sqd_conn *base SQ_UNUSED)
{
}

static const struct sqd_protocol protocol = {
	.size = sizeof(struct tcp_conn),
	.one_way = true,
	.open = tcp_open,
	.room = tcp_room,
	.take = tcp_take,
	.end = tcp_end,
	.resume = tcp_resume,
	.stop = tcp_stop,
	.tick = tcp_tick,
	.closed = tcp_closed,
	.freed = tcp_freed,
};

static int tcp_start(struct sqd_input *in, struct sq_err *err)
{
	SQ_CONTAINER(in, struct sqd_server, base)->protocol = &protocol;
	return sqd_server_start(in, err);
}

/* clang-format off */
static const struct sq_opt tcp_opts[] = {
	SQD_SERVER_OPTS(struct sqd_input_tcp_cfg, server),
	{ "max_record", SQ_OPT_BYTES, .offset = offsetof(struct sqd_input_tcp_cfg, max_record),
	  .min = 1024, .max = 16 << 20, .def = "1MiB",
	  .doc = "Longest record; a longer one is skipped to its end and counted as oversized." },
	{ 0 }
};
/* clang-format on */

const struct sqd_input_ops sqd_input_tcp = {
	.kind = "tcp",
	.size = sizeof(struct sqd_server),
	.cfg_size = sizeof(struct sqd_input_tcp_cfg),
	.opts = tcp_opts,
	.start = tcp_start,
	.pause = sqd_server_pause,
	.resume = sqd_server_resume,
	.stop = sqd_server_stop,
	.reload = sqd_server_reload,
	.close = sqd_server_close,
};
