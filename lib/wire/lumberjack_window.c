/* Lumberjack: windows, their acknowledgements, and time. */
#include <errno.h>
#include <stdlib.h>

#include "lib/wire/lumberjack_private.h"

static const char *const reasons[SQ_LUMBER_FAULTS] = {
	[SQ_LUMBER_OK] = "sent nothing wrong",
	[SQ_LUMBER_TLS] = "speaks TLS on a plain-text port for Beats",
	[SQ_LUMBER_HTTP] = "speaks HTTP on a port for Beats; it needs an http input",
	[SQ_LUMBER_JSON] = "sends plain JSON to a port for Beats; it needs a tcp input",
	[SQ_LUMBER_FOREIGN] = "does not speak Lumberjack (Beats)",
	[SQ_LUMBER_VERSION] = "sent an unknown Lumberjack version",
	[SQ_LUMBER_TYPE] = "sent an unknown Lumberjack frame type",
	[SQ_LUMBER_WINDOW_EARLY] = "began a window before the one before it was full",
	[SQ_LUMBER_NO_WINDOW] = "sent an event outside of a window",
	[SQ_LUMBER_BEYOND] = "sent more events than its window",
	[SQ_LUMBER_NESTED] = "sent a window or compressed frame inside of a compressed frame",
	[SQ_LUMBER_EMPTY] = "sent a frame of no bytes",
	[SQ_LUMBER_SPLIT] = "sent a compressed frame that ends inside of an event",
	[SQ_LUMBER_DAMAGED] = "sent a damaged compressed frame",
	[SQ_LUMBER_TRUNCATED] = "sent a compressed frame that is cut short",
	[SQ_LUMBER_TRAILING] = "sent a compressed frame with bytes after its end",
	[SQ_LUMBER_MAX_WINDOW] = "sent a window over max_window",
	[SQ_LUMBER_MAX_FRAME] = "sent a frame over max_frame",
	[SQ_LUMBER_MAX_UNPACKED] = "sent a compressed frame over max_unpacked",
	[SQ_LUMBER_MAX_RATIO] = "sent a compressed frame over max_ratio",
	[SQ_LUMBER_MAX_PAIRS] = "sent an event over max_pairs",
	[SQ_LUMBER_MAX_KEY] = "sent a key over max_key",
	[SQ_LUMBER_MAX_UNFINISHED] =
		"is in the middle of a long event, and max_unfinished is used up by such",
	[SQ_LUMBER_UNACKED] = "has waited for max_unacked and its events are still not through",
	[SQ_LUMBER_SILENT] = "is silent inside of a frame",
	[SQ_LUMBER_MEMORY] = "cannot be served: out of memory",
};

const char *sq_lumber_reason(enum sq_lumber_fault fault)
{
	return reasons[fault];
}

int sq_lumber_fail(struct sq_lumber *l, enum sq_lumber_fault fault)
{
	l->fault = fault;
	return -EPROTO;
}

struct sq_lumber_env *sq_lumber_env_new(const struct sq_lumber_limits *limits)
{
	struct sq_lumber_env *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	sq_assert(limits->max_windows > 0 && limits->max_record <= limits->max_frame);
	e->limits = *limits;
	e->json = sq_outbuf_of(limits->max_record);
	return e;
}

void sq_lumber_env_free(struct sq_lumber_env *e)
{
	if (!e)
		return;
	for (unsigned i = 0; i < e->n_idle; i++)
		sq_unpack_free(e->idle[i]);
	sq_outbuf_fini(&e->json);
	free(e);
}

uint32_t sq_lumber_last(const struct sq_lumber *l)
{
	return l->serial + l->ring_n - 1;
}

void sq_lumber_settle(struct sq_lumber *l, uint32_t serial)
{
	uint32_t i = serial - l->serial;

	sq_assert(i < l->ring_n);
	l->ring[(l->ring_at + i) % l->env->limits.max_windows].settled = true;
}

static void write_ack(char *to, char version, uint32_t seq)
{
	to[0] = version;
	to[1] = 'A';
	to[2] = (char)(seq >> 24);
	to[3] = (char)(seq >> 16);
	to[4] = (char)(seq >> 8);
	to[5] = (char)seq;
}

size_t sq_lumber_acks(struct sq_lumber *l, uint64_t now_ms, char *to, size_t cap,
                      unsigned *ret_windows)
{
	size_t n = 0;

	*ret_windows = 0;
	while (l->ring_n && cap - n >= SQ_LUMBER_ACK) {
		const struct sq_lumber_window *w = &l->ring[l->ring_at];

		if (!w->settled)
			break;
		write_ack(to + n, w->version, w->seq);
		n += SQ_LUMBER_ACK;
		l->ring_at = (l->ring_at + 1) % l->env->limits.max_windows;
		l->ring_n--;
		l->serial++;
		++*ret_windows;
	}
	if (n) {
		l->told_ms = now_ms;
		l->owing_ms = l->ring_n ? now_ms : 0;
	}
	return n;
}

/* The client is in the middle of a frame. */
static bool inside_frame(const struct sq_lumber *l)
{
	return l->packed || l->carry_at < l->carry_n || l->skip || l->strings;
}

int sq_lumber_tick(struct sq_lumber *l, uint64_t now_ms, bool stalled, uint64_t read_ms, char *to)
{
	const struct sq_lumber_limits *limits = &l->env->limits;
	uint64_t since;

	if (!stalled && inside_frame(l) && now_ms - read_ms >= limits->max_silence_ms) {
		(void)sq_lumber_fail(l, SQ_LUMBER_SILENT);
		return -ETIMEDOUT;
	}
	if (!stalled && !l->ring_n) {
		l->owing_ms = 0;
		return 0;
	}
	if (!l->owing_ms)
		l->owing_ms = now_ms;
	if (now_ms - l->owing_ms >= limits->max_unacked_ms) {
		(void)sq_lumber_fail(l, SQ_LUMBER_UNACKED);
		return -ETIMEDOUT;
	}
	since = l->told_ms > l->owing_ms ? l->told_ms : l->owing_ms;
	if (now_ms - since < limits->keepalive_ms)
		return 0;
	write_ack(to, '2', 0);
	l->told_ms = now_ms;
	return SQ_LUMBER_ACK;
}

uint32_t sq_lumber_unacked(const struct sq_lumber *l)
{
	return l->ring_n + l->open;
}
