/* What somebody asks first at night: which output does not get its alerts, since when and why, how
 * much waits, and what will be lost when. */
#include "daemon/core/status_outputs.h"

#include "daemon/base/loop.h"
#include "daemon/core/human.h"

enum {
	SLOW_MS = 60000,   /* an output that works and lets alerts wait for so long */
	LATELY_MS = 600000 /* who looks wants to know what was lost so long ago, and not for ever */
};

struct state {
	struct sqd_outqueue_health h;
	const char *name;      /* in JSON */
	bool attention;        /* somebody should look at it */
	bool unsafe;           /* it has a spool that cannot be written */
	uint64_t waiting;      /* in its queue and before it */
	uint64_t away_ms;      /* how long the outage has lasted */
	uint64_t full_in_ms;   /* as fast as it fills now; UINT64_MAX: nobody knows */
	bool block, oldest;    /* what its when_full does, else the newest are dropped */
	const char *when_full; /* as it is written in the configuration */
};

static uint64_t since_ms(const struct sq_now *then)
{
	return (sqd_now().mono_ns - then->mono_ns) / 1000000;
}

static const char *name_of(const struct sqd_outqueue_health *h)
{
	if (h->gone)
		return "gone";
	if (h->outage->since.wall_us)
		return "away";
	if (h->oldest_ms >= SLOW_MS)
		return "slow";
	return h->outage->worked ? "works" : "untried";
}

/* When the rest of the room is taken, if what has come while the oldest waited came evenly. */
static uint64_t full_in(const struct sqd_outqueue_health *h)
{
	if (h->before_us || h->oldest_ms < 1000 || !h->bytes || h->bytes >= h->max)
		return UINT64_MAX;
	return (uint64_t)((double)(h->max - h->bytes) * (double)h->oldest_ms / (double)h->bytes);
}

static struct state look(const struct sqd_daemon *d, size_t i)
{
	const struct sqd_outqueue *q = d->queues[i];
	enum sqd_when_full when = SQD_FULL_DROP_NEWEST; /* of dead letters */
	struct state s = { 0 };

	sqd_outqueue_health(q, &s.h);
	s.name = name_of(&s.h);
	s.unsafe = *s.h.spool_why && s.h.unsafe;
	s.attention = s.unsafe || s.name[0] == 'g' || s.name[0] == 'a' || s.name[0] == 's' ||
	              s.h.full || s.h.lost_ms < LATELY_MS;
	s.waiting = s.h.waiting + sqd_daemon_held(d, q);
	if (s.h.outage->since.wall_us)
		s.away_ms = since_ms(&s.h.outage->since);
	s.full_in_ms = s.unsafe ? UINT64_MAX : full_in(&s.h); /* the disk is, before the file is */
	if (i < d->n_outputs)
		when = (enum sqd_when_full)d->cfg->outputs.items[i].output->when_full;
	s.block = when == SQD_FULL_BLOCK;
	s.oldest = when == SQD_FULL_DROP_OLDEST;
	s.when_full = s.block ? "block" : s.oldest ? "drop_oldest" : "drop_newest";
	return s;
}

/* ---- for programs ------------------------------------------------------------------------ */

static void put_date(struct sq_jsonw *w, const char *key, int64_t wall_us)
{
	char text[SQ_TIME_TEXT];

	if (wall_us)
		sq_jsonw_member(w, key, (struct sq_sv){ text, sq_time_format(wall_us, text) });
}

static void put_outage(struct sq_jsonw *w, const struct state *s)
{
	const struct sqd_outage *o = s->h.outage;

	put_date(w, "away_since", o->since.wall_us);
	if (o->since.wall_us) {
		sq_jsonw_member_count(w, "away_ms", s->away_ms);
		sq_jsonw_member_count(w, "failures", o->failures);
	}
	sq_jsonw_key(w, "full");
	sq_jsonw_bool(w, s->h.full);
	if (s->h.lost_ms != UINT64_MAX)
		sq_jsonw_member_count(w, "lost_ms", s->h.lost_ms);
	sq_jsonw_member(w, "last_error", sq_sv_of(o->why));
	put_date(w, "last_error_at", o->last.wall_us);
}

static void put_backlog(struct sq_jsonw *w, const struct state *s)
{
	sq_jsonw_member_count(w, "waiting", s->waiting);
	sq_jsonw_member_count(w, "bytes", s->h.bytes);
	sq_jsonw_member_count(w, "max_bytes", s->h.max);
	sq_jsonw_member_count(w, "oldest_ms", s->h.oldest_ms);
	sq_jsonw_key(w, "oldest_is_older");
	sq_jsonw_bool(w, s->h.before_us);
	if (s->full_in_ms != UINT64_MAX)
		sq_jsonw_member_count(w, "full_in_ms", s->full_in_ms);
	if (s->h.ever_sent)
		sq_jsonw_member_count(w, "quiet_ms", s->h.quiet_ms);
}

/* What the inputs of a lane have for tenants: each once. */
static void each_tenant(const struct sqd_daemon *d, unsigned lane,
                        void (*put)(void *to, const char *name), void *to)
{
	const struct sqd_config_list *list = &d->cfg->inputs;

	for (size_t i = 0; i < list->n; i++) {
		const char *name = list->items[i].input->tenant;
		size_t k = 0;

		if (list->items[i].input->lane != lane || !name)
			continue;
		while (k < i && (!list->items[k].input->tenant ||
		                 strcmp(list->items[k].input->tenant, name) != 0))
			k++;
		if (k == i)
			put(to, name);
	}
}

static void put_name(void *to, const char *name)
{
	sq_jsonw_string(to, sq_sv_of(name));
}

/* Whose it is, and who of them waits for it. */
static void put_tenants(const struct sqd_daemon *d, size_t i, struct sq_jsonw *w)
{
	const struct sq_opt_strs *own = &d->cfg->outputs.items[i].output->tenants;

	if (own->n) {
		sq_jsonw_key(w, "tenants");
		sq_jsonw_array(w);
		for (size_t k = 0; k < own->n; k++)
			put_name(w, own->list[k]);
		sq_jsonw_end_array(w);
	}
	if (d->cfg->n_lanes == 1)
		return;
	sq_jsonw_key(w, "waited_for");
	sq_jsonw_array(w);
	for (size_t k = 0; k < d->n_ways; k++) {
		const struct sqd_daemon_way *way = &d->ways[k];

		if (way->output != i || !way->waiting.wall_us)
			continue;
		sq_jsonw_object(w);
		sq_jsonw_key(w, "tenants");
		sq_jsonw_array(w);
		each_tenant(d, way->lane, put_name, w);
		sq_jsonw_end_array(w);
		put_date(w, "since", way->waiting.wall_us);
		sq_jsonw_member_count(w, "ms", since_ms(&way->waiting));
		sq_jsonw_end_object(w);
	}
	sq_jsonw_end_array(w);
}

void sqd_status_outputs_json(const struct sqd_daemon *d, struct sq_jsonw *w)
{
	sq_jsonw_key(w, "outputs");
	sq_jsonw_array(w);
	for (size_t i = 0; i < d->n_queues; i++) {
		struct state s = look(d, i);
		char title[160];

		sqd_daemon_output_title(d, i, title, sizeof(title));
		sq_jsonw_object(w);
		sq_jsonw_member(w, "name", sq_sv_of(title));
		sq_jsonw_member(w, "state", sq_sv_of(s.name));
		if (i < d->n_outputs)
			put_tenants(d, i, w);
		put_outage(w, &s);
		put_backlog(w, &s);
		sq_jsonw_member(w, "when_full", sq_sv_of(s.when_full));
		sq_jsonw_member(w, "kept_on",
		                s.unsafe    ? SQ_SV("both")
		                : s.h.spool ? SQ_SV("disk")
		                            : SQ_SV("memory"));
		if (s.unsafe) {
			sq_jsonw_member(w, "spool_error", sq_sv_of(s.h.spool_why));
			sq_jsonw_member_count(w, "memory_only", s.h.unsafe);
		}
		sq_jsonw_end_object(w);
	}
	sq_jsonw_end_array(w);
}

/* ---- for people -------------------------------------------------------------------------- */

static void put_state(struct sq_outbuf *out, const struct state *s)
{
	const struct sqd_outage *o = s->h.outage;

	if (s->h.gone) {
		sq_outbuf_put(out, SQ_SV("  !! gone: nobody reads it any more, alerts to it are "
		                         "dropped\n"));
		return;
	}
	if (o->since.wall_us) {
		sq_outbuf_put(out, SQ_SV("  !! away since "));
		sqd_put_date(out, o->since.wall_us);
		sq_outbuf_put(out, SQ_SV(", for "));
		sqd_put_span(out, s->away_ms);
		sq_outbuf_printf(out, ": %s; failed %llu time%s, last ", o->why,
		                 (unsigned long long)o->failures, o->failures == 1 ? "" : "s");
		sqd_put_span(out, since_ms(&o->last));
		sq_outbuf_put(out, SQ_SV(" ago\n"));
		return;
	}
	sq_outbuf_put(out,
	              o->worked ? SQ_SV("     works") : SQ_SV("     not reached yet, nor failed"));
	if (o->last.wall_us) {
		sq_outbuf_put(out, SQ_SV("; it failed last "));
		sqd_put_date(out, o->last.wall_us);
		sq_outbuf_printf(out, ": %s", o->why);
	}
	sq_outbuf_putc(out, '\n');
}

static void put_losses(struct sq_outbuf *out, const struct state *s)
{
	const struct sqd_outqueue_health *h = &s->h;

	if (h->full) {
		sq_outbuf_printf(out, "  !! its %s is full since ",
		                 h->cost == SQD_COST_OLDEST ? "spool" : "queue");
		sqd_put_date(out, h->full_since.wall_us);
		sq_outbuf_printf(out, ": %s\n",
		                 h->cost == SQD_COST_WAIT     ? "inputs wait"
		                 : h->cost == SQD_COST_NEWEST ? "what comes is dropped"
		                                              : "the oldest are dropped");
	}
	if (h->lost_ms >= LATELY_MS)
		return;
	sq_outbuf_printf(out,
	                 "  !! %llu dropped for want of room, %llu refused by the receiver; the "
	                 "last ",
	                 (unsigned long long)h->dropped, (unsigned long long)h->refused);
	sqd_put_span(out, h->lost_ms);
	sq_outbuf_put(out, SQ_SV(" ago\n"));
}

static void put_waiting(struct sq_outbuf *out, const struct state *s)
{
	const struct sqd_outqueue_health *h = &s->h;

	sq_outbuf_printf(out, "  %s %llu wait, ", s->attention ? "!!" : "  ",
	                 (unsigned long long)s->waiting);
	sqd_put_bytes(out, h->bytes);
	sq_outbuf_put(out, SQ_SV(" of "));
	sqd_put_bytes(out, h->max);
	sq_outbuf_put(out, h->before_us ? SQ_SV(", the oldest since before the start ")
	                                : SQ_SV(", the oldest for "));
	sqd_put_span(out, h->oldest_ms);
	sq_outbuf_put(out, h->before_us ? SQ_SV(" ago") : SQ_SV(""));
	if (h->ever_sent) {
		sq_outbuf_put(out, SQ_SV("; sent last "));
		sqd_put_span(out, h->quiet_ms);
		sq_outbuf_put(out, SQ_SV(" ago"));
	}
	sq_outbuf_putc(out, '\n');
}

static void put_unsafe(struct sq_outbuf *out, const struct state *s)
{
	if (s->unsafe)
		sq_outbuf_printf(out,
		                 "  !! the spool cannot be written: %s; %llu of %llu are in memory "
		                 "only\n",
		                 s->h.spool_why, (unsigned long long)s->h.unsafe,
		                 (unsigned long long)s->waiting);
}

static void put_what_comes(struct sq_outbuf *out, const struct state *s)
{
	sq_outbuf_put(out, SQ_SV("     when full"));
	if (s->full_in_ms != UINT64_MAX) {
		sq_outbuf_put(out, SQ_SV(" (as fast as now: in "));
		sqd_put_span(out, s->full_in_ms);
		sq_outbuf_putc(out, ')');
	}
	sq_outbuf_printf(out, ", %s; when squiblyd ends, %s\n",
	                 s->block    ? "inputs wait, and datagrams are lost"
	                 : s->oldest ? "the oldest are dropped"
	                             : "the newest are dropped",
	                 s->unsafe    ? "what is in memory only is lost"
	                 : s->h.spool ? "what waits stays on disk"
	                              : "what waits then is lost");
}

static void say_name(void *to, const char *name)
{
	sq_outbuf_printf(to, " %s", name);
}

static void put_whose(const struct sqd_daemon *d, size_t i, struct sq_outbuf *out)
{
	const struct sq_opt_strs *own = &d->cfg->outputs.items[i].output->tenants;

	if (own->n)
		sq_outbuf_put(out, SQ_SV("     of tenants:"));
	for (size_t k = 0; k < own->n; k++)
		say_name(out, own->list[k]);
	if (own->n)
		sq_outbuf_putc(out, '\n');
	for (size_t k = 0; k < d->n_ways && d->cfg->n_lanes > 1; k++) {
		const struct sqd_daemon_way *way = &d->ways[k];

		if (way->output != i || !way->waiting.wall_us)
			continue;
		sq_outbuf_put(out, SQ_SV("  !! waiting for it: inputs of"));
		each_tenant(d, way->lane, say_name, out);
		sq_outbuf_put(out, SQ_SV(", since "));
		sqd_put_date(out, way->waiting.wall_us);
		sq_outbuf_put(out, SQ_SV(", for "));
		sqd_put_span(out, since_ms(&way->waiting));
		sq_outbuf_putc(out, '\n');
	}
}

void sqd_status_output_text(const struct sqd_daemon *d, size_t i, struct sq_outbuf *out)
{
	struct state s = look(d, i);

	put_state(out, &s);
	if (i < d->n_outputs)
		put_whose(d, i, out);
	put_losses(out, &s);
	if (!s.waiting)
		return;
	put_waiting(out, &s);
	put_unsafe(out, &s);
	put_what_comes(out, &s);
}

void sqd_status_outputs_verdict(const struct sqd_daemon *d, struct sq_outbuf *out)
{
	unsigned n = 0;

	for (size_t i = 0; i < d->n_queues; i++)
		n += look(d, i).attention;
	if (n)
		sq_outbuf_printf(out,
		                 "!! %u of %zu outputs cannot be reached, take nothing, or lose "
		                 "alerts; see !! there.\n",
		                 n, d->n_queues);
}
