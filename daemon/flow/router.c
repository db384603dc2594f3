#include "daemon/flow/router.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/flow/route.h"

/* Until repeats are tried again that have found no room. */
enum { FOLD_WAIT_MS = 100 };

/* Of a record and what was added to it. */
enum { LINE_MAX_BYTES = 1 << 30 };

struct outlet {
	struct sqd_route route;
	uint64_t batch; /* number of the batch it takes from next */
	uint32_t next;  /* index of the alert in it; of records, counted from b->from */
	uint32_t clean; /* clean records since the last one that was taken */
};

/* Waiting batches are numbered as they come; number `n` lies in held[n % batches]. */
struct sqd_router {
	struct sqd_router_opts opts;
	struct outlet *outlets;
	struct sq_batch **held;
	uint64_t first, end; /* numbers of the oldest held batch and of the next to come */
	struct sq_fold *fold;
	struct sq_dedup *dedup;
	struct sq_outbuf line;          /* a record that has line ends, without them */
	uint64_t raised;                /* alerts, since the beginning */
	struct sqd_router *head, *next; /* of siblings */
	struct sqd_router *turn;        /* the head's: which of all pushes first */
	bool pumping, again; /* the head's, of all: somebody pushes; there is room since */
	bool yielding;       /* nobody blocks any more */
	bool flushing;       /* repeats are due now, whatever their window */
	bool fold_pending;   /* while flushing: there are some left */
	uv_timer_t timer;    /* ends the windows of folding */
	void (*closed)(void *ctx);
	void *closed_ctx;
};

static struct sq_batch *held(const struct sqd_router *r, uint64_t number)
{
	return r->held[number % r->opts.batches];
}

/* @return false: there is no room. True: taken; or never to be, and counted */
static bool offer(const struct sqd_route *to, const struct sqd_message *m)
{
	int e = sqd_outqueue_push(to->queue, m);

	return e != -ENOSPC && e != -ENOMEM;
}

static void drop(const struct sqd_router *r, const struct sqd_route *to)
{
	if (r->yielding && to->when_full != SQD_FULL_DROP_NEWEST)
		sqd_outqueue_counts(to->queue)->dropped_shutdown++;
	else
		sqd_outqueue_dropped(to->queue);
}

/* @return false: the output is full and wants the batch to wait */
static bool give(const struct sqd_router *r, const struct sqd_route *to,
                 const struct sqd_message *m)
{
	if (offer(to, m))
		return true;
	if (to->when_full != SQD_FULL_DROP_NEWEST && !r->yielding) {
		sqd_outqueue_waited(to->queue);
		return false;
	}
	drop(r, to);
	return true;
}

/* Give an output the alerts of a batch. @return false: it is full */
static bool pump_alerts(const struct sqd_router *r, struct outlet *o, const struct sq_batch *b)
{
	for (; o->next < b->n_alerts; o->next++) {
		const struct sq_alert_ref *al = &b->alerts[o->next];
		struct sqd_message m = sqd_route_message(b, al, sqd_route_text(&o->route, al));

		if (sqd_route_wants(&o->route, al) && !give(r, &o->route, &m))
			return false;
	}
	return true;
}

/* What becomes of a record at an output, as the counter of it that is to be raised. */
static uint64_t *fate(struct outlet *o, const struct sq_record *rec, const struct sq_pass_ref *p)
{
	bool matched = p && p->level > o->route.min_level;

	if (rec->again && !rec->fresh)
		return &o->route.counts->duplicates;
	if (matched ? o->route.forward == SQD_FORWARD_CLEAN
	            : o->route.forward == SQD_FORWARD_MATCHED)
		return &o->route.counts->unwanted;
	if (!matched && o->clean)
		return &o->route.counts->unsampled;
	return &o->route.counts->forwarded;
}

/* The record is done with: the next clean one may be sampled. */
static void count_fate(struct outlet *o, uint64_t *counter, const struct sq_pass_ref *p)
{
	bool clean = !p || p->level <= o->route.min_level;

	(*counter)++;
	if (clean &&
	    (counter == &o->route.counts->forwarded || counter == &o->route.counts->unsampled))
		o->clean = (o->clean + 1) % o->route.sample;
}

/* A line end inside of a record would make two of it. JSON has them between its tokens only, where
 * a blank says the same. */
static struct sq_sv one_line(struct sqd_router *r, struct sq_sv text)
{
	char *p, *end;

	if (!memchr(text.p, '\n', text.n))
		return text;
	sq_outbuf_reset(&r->line);
	sq_outbuf_put(&r->line, text);
	end = r->line.p + r->line.len;
	for (p = r->line.p; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
		*p = ' ';
	return r->line.failed ? text : sq_outbuf_view(&r->line);
}

static struct sqd_message message_of_record(struct sqd_router *r, const struct outlet *o,
                                            const struct sq_batch *b, const struct sq_record *rec,
                                            const struct sq_pass_ref *p)
{
	struct sqd_message m = { .text = rec->raw };

	if (p) {
		m.id[0] = p->id[0];
		m.id[1] = p->id[1];
		m.key = (struct sq_sv){ b->out.p + p->host.at, p->host.n };
	}
	if (p && p->text[o->route.view].n)
		m.text = (struct sq_sv){ b->out.p + p->text[o->route.view].at,
			                 p->text[o->route.view].n };
	if (sqd_outqueue_output(o->route.queue)->framing == SQD_FRAMING_LF)
		m.text = one_line(r, m.text);
	return m;
}

/* Give an output the records of a batch that have been run. @return false: it is full */
static bool pump_records(struct sqd_router *r, struct outlet *o, const struct sq_batch *b)
{
	for (; b->from + o->next < b->done; o->next++) {
		const struct sq_record *rec = &b->records[b->from + o->next];
		const struct sq_pass_ref *p = rec->pass ? &b->passes[rec->pass - 1] : NULL;
		uint64_t *counter = fate(o, rec, p);

		if (counter == &o->route.counts->forwarded) {
			struct sqd_message m = message_of_record(r, o, b, rec, p);

			if (!give(r, &o->route, &m))
				return false;
		}
		count_fate(o, counter, p);
	}
	return true;
}

/* Give one output all it can take. @return true: it took some, and is full */
static bool pump_outlet(struct sqd_router *r, struct outlet *o)
{
	uint64_t batch = o->batch;
	uint32_t next = o->next;

	for (; o->batch < r->end; o->batch++, o->next = 0) {
		const struct sq_batch *b = held(r, o->batch);
		bool taken = o->route.forward ? pump_records(r, o, b) : pump_alerts(r, o, b);

		if (!taken) {
			sqd_route_waits(&o->route, true);
			return o->batch != batch || o->next != next;
		}
	}
	sqd_route_waits(&o->route, false);
	return false;
}

static struct sqd_router *behind_it(const struct sqd_router *r)
{
	return r->next ? r->next : r->head;
}

/* Whoever has filled a queue lets the one behind him begin the next time: he may have more for it
 * than it ever has room for. */
static void pump_in_turn(struct sqd_router *head)
{
	struct sqd_router *first = head->turn, *r = first;

	do {
		for (size_t i = 0; i < r->opts.n_routes; i++)
			if (pump_outlet(r, &r->outlets[i]))
				head->turn = behind_it(r);
		r = behind_it(r);
	} while (r != first);
}

static void release_taken(struct sqd_router *r)
{
	uint64_t taken = r->end;

	for (size_t i = 0; i < r->opts.n_routes; i++)
		if (r->outlets[i].batch < taken)
			taken = r->outlets[i].batch;
	while (r->first < taken)
		r->opts.released(r->opts.ctx, held(r, r->first++));
}

/* Pushing may call us back when a queue runs empty at once: the outer call goes on instead, and
 * with siblings that were before in the row once more. */
static void pump(struct sqd_router *r)
{
	struct sqd_router *head = r->head;

	head->again = true;
	if (head->pumping)
		return;
	head->pumping = true;
	while (head->again) {
		head->again = false;
		pump_in_turn(head);
	}
	head->pumping = false;
	for (r = head; r; r = r->next)
		release_taken(r);
}

static bool behind(const struct sqd_router *r)
{
	return r->first < r->end;
}

/* Repeats come in bursts, at the end of their windows: no output that blocks may be too full for
 * the next of them. */
static bool roomy(const struct sqd_router *r)
{
	for (size_t i = 0; i < r->opts.n_routes && !r->yielding; i++) {
		const struct sqd_route *to = &r->outlets[i].route;

		if (to->when_full == SQD_FULL_BLOCK && sqd_outqueue_nearly_full(to->queue))
			return false;
	}
	return true;
}

static bool emit_folded(void *ctx, const struct sq_folded *what)
{
	struct sqd_router *r = ctx;
	struct sqd_message m = { .text = what->text,
		                 .id = { what->id[0], what->id[1] },
		                 .key = what->host };

	for (size_t i = 0; i < r->opts.n_routes; i++) {
		const struct sqd_route *to = &r->outlets[i].route;

		if (!sqd_route_wants_folded(to, what))
			continue;
		sqd_outqueue_counts(to->queue)->summaries++;
		if (!offer(to, &m)) /* it makes nobody wait */
			drop(r, to);
	}
	return roomy(r);
}

static bool lose_folded(void *ctx, const struct sq_folded *what)
{
	struct sqd_router *r = ctx;

	for (size_t i = 0; i < r->opts.n_routes; i++) {
		const struct sqd_route *to = &r->outlets[i].route;

		if (!sqd_route_wants_folded(to, what))
			continue;
		sqd_outqueue_counts(to->queue)->summaries++;
		sqd_outqueue_counts(to->queue)->dropped_shutdown++;
	}
	return true;
}

static void on_fold_timer(uv_timer_t *t);

static void fold_expire(struct sqd_router *r)
{
	struct sqd_router *head = r->head;
	uint64_t next_ns = 0;

	/* While an output makes batches wait, a summary would overtake them: later. Pushing may
	 * call us back: the outer call goes on instead. */
	if (!r->fold || head->pumping)
		return;
	if (roomy(r) && !behind(r)) {
		head->pumping = true;
		head->again = false;
		next_ns = sq_fold_expire(r->fold, sqd_now(), r->flushing, emit_folded, r);
		head->pumping = false;
		if (head->again) /* for a sibling */
			pump(r);
	}
	r->fold_pending = next_ns != UINT64_MAX;
	if (r->fold_pending)
		(void)uv_timer_start(&r->timer, on_fold_timer,
		                     next_ns ? next_ns / 1000000 + 1 : FOLD_WAIT_MS, 0);
}

static void on_fold_timer(uv_timer_t *t)
{
	struct sqd_router *r = t->data;

	fold_expire(r);
	if (r->flushing)
		r->opts.progress(r->opts.ctx); /* last: it may begin to end us */
}

static void on_room(void *ctx)
{
	struct sqd_router *r = ctx;

	pump(r);
	for (struct sqd_router *s = r->head; s; s = s->next)
		if (s->flushing)
			fold_expire(s);
	r->opts.progress(r->opts.ctx);
}

/* Nobody gets it. */
static void leave_out(struct sq_alert_ref *al)
{
	for (int f = 0; f < SQ_TEXTS; f++)
		al->text[f].n = 0;
}

static bool left_out(const struct sq_alert_ref *al)
{
	uint32_t n = 0;

	for (int f = 0; f < SQ_TEXTS; f++)
		n |= al->text[f].n;
	return n == 0;
}

/* Count the events that the pipeline has left to be counted. Batches come in the order in which
 * their records came, so it is the later one that is the repeat. */
static void drop_duplicates(struct sqd_router *r, struct sq_batch *b)
{
	struct sq_counters *c = r->opts.totals;

	for (uint32_t i = 0; i < b->n_events; i++) {
		const struct sq_event_ref *e = &b->events[i];

		if (r->dedup && sq_dedup_seen(r->dedup, e->key)) {
			c->dropped_duplicate++;
			b->records[e->record].again = true;
			for (uint32_t a = e->first_alert; a < e->end_alert; a++)
				leave_out(&b->alerts[a]);
			continue;
		}
		b->records[e->record].fresh = true;
		c->alerted += e->alerted;
		c->clean += !e->alerted;
		c->alerts += e->alerts;
	}
}

/* Repeats are taken out of the batch once, for all outputs. */
static void fold(struct sqd_router *r, struct sq_batch *b)
{
	struct sq_now now = sqd_now();

	for (uint32_t i = 0; i < b->n_alerts; i++) {
		struct sq_alert_ref *al = &b->alerts[i];

		if (left_out(al) || sq_fold_pass(r->fold, al, b->out.p, now))
			continue;
		r->opts.totals->alerts_folded++;
		leave_out(al);
	}
	if (b->n_alerts && !uv_is_active((uv_handle_t *)&r->timer))
		fold_expire(r);
}

static void bury(struct sqd_router *r, const struct sq_batch *b)
{
	for (uint32_t i = 0; i < b->n_dead && r->opts.dead_letters; i++) {
		struct sqd_message m = { .text = { b->out.p + b->dead[i].at, b->dead[i].n } };

		if (sqd_outqueue_offer(r->opts.dead_letters, &m))
			r->opts.totals->dead_letters++;
		else
			r->opts.totals->dead_letters_lost++;
	}
}

/* Alerts that somebody may want. */
static uint64_t count_raised(const struct sq_batch *b)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < b->n_alerts; i++)
		n += !left_out(&b->alerts[i]);
	return n;
}

/* Everything that is raised, and every record, has a place in the account of every output, from
 * here on. */
static void enter(struct sqd_router *r, const struct sq_batch *b, uint64_t raised, uint64_t folded)
{
	for (size_t i = 0; i < r->opts.n_routes; i++) {
		const struct sqd_route *to = &r->outlets[i].route;
		struct sqd_outqueue_counts *c = sqd_outqueue_counts(to->queue);

		if (to->forward) {
			to->counts->records += b->done - b->from;
			continue;
		}
		c->raised += raised;
		c->folded += folded;
		for (uint32_t a = 0; a < b->n_alerts; a++)
			c->below_level +=
				!left_out(&b->alerts[a]) && !sqd_route_wants(to, &b->alerts[a]);
	}
}

void sqd_router_deliver(struct sqd_router *r, struct sq_batch *b)
{
	uint64_t raised, folded = r->opts.totals->alerts_folded;

	sq_assert(r->end - r->first < r->opts.batches);
	bury(r, b);
	drop_duplicates(r, b);
	raised = count_raised(b);
	r->raised += raised;
	if (r->fold)
		fold(r, b);
	enter(r, b, raised, r->opts.totals->alerts_folded - folded);
	r->held[r->end++ % r->opts.batches] = b;
	pump(r);
}

uint64_t sqd_router_raised(const struct sqd_router *r)
{
	return r ? r->raised : 0;
}

uint64_t sqd_router_held(const struct sqd_router *r, const struct sqd_outqueue *q)
{
	uint64_t n = 0;

	for (size_t i = 0; r && i < r->opts.n_routes; i++) {
		const struct outlet *o = &r->outlets[i];
		uint32_t from = o->next;

		if (o->route.queue != q)
			continue;
		for (uint64_t number = o->batch; number < r->end; number++, from = 0) {
			const struct sq_batch *b = held(r, number);

			if (o->route.forward)
				n += b->done - b->from - from;
			for (uint32_t a = from; !o->route.forward && a < b->n_alerts; a++)
				n += sqd_route_wants(&o->route, &b->alerts[a]);
		}
	}
	return n;
}

void sqd_router_flush(struct sqd_router *r)
{
	r->flushing = true;
	fold_expire(r);
}

void sqd_router_yield(struct sqd_router *r)
{
	r->yielding = true;
	pump(r);
	if (r->flushing)
		fold_expire(r);
}

bool sqd_router_idle(const struct sqd_router *r)
{
	for (size_t i = 0; i < r->opts.n_routes; i++)
		if (!sqd_outqueue_empty(r->outlets[i].route.queue))
			return false;
	if (r->opts.dead_letters && !sqd_outqueue_empty(r->opts.dead_letters))
		return false;
	return !behind(r) && !(r->flushing && r->fold_pending);
}

/* @return how many messages of it the output would have got */
static uint64_t forget_batch(struct outlet *o, const struct sq_batch *b)
{
	uint64_t before = o->route.forward ? o->route.counts->forwarded : 0, n = 0;

	for (; !o->route.forward && o->next < b->n_alerts; o->next++)
		n += sqd_route_wants(&o->route, &b->alerts[o->next]);
	for (; o->route.forward && b->from + o->next < b->done; o->next++) {
		const struct sq_record *rec = &b->records[b->from + o->next];
		const struct sq_pass_ref *p = rec->pass ? &b->passes[rec->pass - 1] : NULL;

		count_fate(o, fate(o, rec, p), p);
	}
	return o->route.forward ? o->route.counts->forwarded - before : n;
}

void sqd_router_forget(struct sqd_router *r)
{
	for (size_t i = 0; i < r->opts.n_routes; i++) {
		struct outlet *o = &r->outlets[i];
		struct sqd_outqueue_counts *c = sqd_outqueue_counts(o->route.queue);

		for (; o->batch < r->end; o->batch++, o->next = 0)
			c->dropped_shutdown += forget_batch(o, held(r, o->batch));
	}
	r->first = r->end;
	if (r->fold)
		(void)sq_fold_expire(r->fold, sqd_now(), true, lose_folded, r);
}

static void router_free(struct sqd_router *r)
{
	sq_fold_free(r->fold);
	sq_dedup_free(r->dedup);
	sq_outbuf_fini(&r->line);
	free(r->outlets);
	free(r->held);
	free(r);
}

static void on_timer_closed(uv_handle_t *h)
{
	struct sqd_router *r = h->data;
	void (*closed)(void *) = r->closed;
	void *ctx = r->closed_ctx;

	router_free(r);
	closed(ctx);
}

void sqd_router_close(struct sqd_router *r, void (*closed)(void *ctx), void *ctx)
{
	sq_assert(!behind(r));
	for (size_t i = 0; i < r->opts.n_routes; i++)
		sqd_outqueue_on_room(r->outlets[i].route.queue, NULL, NULL);
	if (r->opts.dead_letters)
		sqd_outqueue_on_room(r->opts.dead_letters, NULL, NULL);
	r->closed = closed;
	r->closed_ctx = ctx;
	uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}

struct sqd_router *sqd_router_new(const struct sqd_router_opts *opts)
{
	struct sqd_router *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->opts = *opts;
	r->head = opts->sibling ? opts->sibling->head : r;
	r->turn = r;
	r->line = sq_outbuf_of(LINE_MAX_BYTES);
	r->outlets = calloc(opts->n_routes + 1, sizeof(*r->outlets));
	r->held = calloc(opts->batches, sizeof(struct sq_batch *));
	if (opts->fold)
		r->fold = sq_fold_new(opts->fold);
	if (opts->deduplicate)
		r->dedup = sq_dedup_new(opts->deduplicate);
	if (!r->outlets || !r->held || (opts->fold && !r->fold) ||
	    (opts->deduplicate && !r->dedup)) {
		router_free(r);
		return NULL;
	}
	if (opts->sibling) {
		r->next = r->head->next;
		r->head->next = r;
	}
	for (size_t i = 0; i < opts->n_routes; i++) {
		r->outlets[i].route = opts->routes[i];
		sqd_outqueue_on_room(opts->routes[i].queue, on_room, r);
	}
	if (opts->dead_letters)
		sqd_outqueue_on_room(opts->dead_letters, on_room, r);
	(void)uv_timer_init(opts->loop, &r->timer); /* cannot fail */
	r->timer.data = r;
	return r;
}
