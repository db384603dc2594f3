/* The queue in front of a spool. Every message has a number there. The memory holds those from the
 * cursor on, as far as there is room; behind them lies what the disk alone has:
 *
 *   delivered | in memory, being sent | on disk | gathered, not durable yet |
 *           cursor                 behind     durable                     next
 *
 * As long as nothing is on disk alone (behind == next), a message goes to the memory as it goes to
 * the spool, and is often delivered before its commit: then it is never written. Otherwise it is
 * read back when there is room, and after a restart all begins that way.
 */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/flow/outqueue_private.h"
#include "daemon/flow/spooler.h"

enum {
	RUNS = 64,
	MEMORY_MIN_BYTES = 64 * 1024,
	AWAY_BYTES = 1024 * 1024,
	DROP_PART = 16, /* so much of the spool is dropped at a time */
};

/* Messages in memory whose numbers follow one another. */
struct run {
	uint64_t seq, n;
};

struct sqd_outspool {
	struct sqd_spooler *spooler;
	struct run runs[RUNS]; /* a ring */
	unsigned first, n;
	uint64_t behind;  /* the number after the last in memory */
	uint64_t done;    /* q->done as it was last looked at */
	uint64_t memory;  /* bytes that may gather */
	uint64_t load;    /* bytes that are read back at a time */
	uint64_t repeats; /* messages that may be given and not be before the cursor */
	uint64_t taken,
		landed; /* messages pushed; those that no longer wait, with what was found */
	uint64_t replayed;
	/* What of the spooler's counts was seen here, and what was lost with files set aside. */
	uint64_t dropped, damaged, set_aside, gone;
	bool drop_oldest, starved;
	void (*closed)(void *ctx);
};

/* ---- what is in memory -------------------------------------------------------------------- */

static bool room_for_run(const struct sqd_outspool *sp, uint64_t seq)
{
	const struct run *last = &sp->runs[(sp->first + sp->n + RUNS - 1) % RUNS];

	return sp->n < RUNS || last->seq + last->n == seq;
}

static void note(struct sqd_outspool *sp, uint64_t seq)
{
	struct run *last = &sp->runs[(sp->first + sp->n + RUNS - 1) % RUNS];

	if (sp->n && last->seq + last->n == seq)
		last->n++;
	else
		sp->runs[(sp->first + sp->n++) % RUNS] = (struct run){ seq, 1 };
}

static void forget(struct sqd_outspool *sp, uint64_t n)
{
	sp->landed += n;
	while (n) {
		struct run *r = &sp->runs[sp->first];
		uint64_t k = n < r->n ? n : r->n;

		sq_assert(sp->n && k);
		r->seq += k;
		r->n -= k;
		n -= k;
		if (r->n)
			return;
		sp->first = (sp->first + 1) % RUNS;
		sp->n--;
	}
}

/* Whoever cannot be reached is not waited for with a full memory: what is on the disk stays there
 * alone, but for what is given to the output when it is back. */
static bool away(const struct sqd_outqueue *q)
{
	return q->out->outage.since.wall_us && q->bytes >= AWAY_BYTES;
}

/* @return 0: it is in memory, or will never be and is counted; < 0: not now */
static int take_in(struct sqd_outqueue *q, const struct sqd_message *m, uint64_t seq)
{
	struct sqd_outspool *sp = q->spool;
	int r;

	if (q->gone || away(q) || !room_for_run(sp, seq))
		return -ENOSPC;
	r = sqd_outqueue_put(q, m);
	if (!r)
		note(sp, seq);
	else if (r == -EMSGSIZE)
		sp->landed++;
	else
		return r;
	sp->behind = seq + 1;
	sqd_outqueue_pump(q);
	return 0;
}

static int take_gathered(void *ctx, const struct sq_spool_record *r)
{
	struct sqd_message m = { .text = r->text, .id = { r->id[0], r->id[1] }, .key = r->key };

	return take_in(ctx, &m, r->seq);
}

static int take_record(void *ctx, const struct sq_spool_record *r)
{
	struct sqd_outqueue *q = ctx;
	int e = take_gathered(q, r);

	q->spool->replayed += !e;
	return e;
}

/* All that one load may bring has room, so that nothing is read twice; or nothing is here that
 * could make room. */
static bool room_for_load(const struct sqd_outqueue *q)
{
	return !q->bytes || q->max - q->bytes >= q->spool->load;
}

static void refill(struct sqd_outqueue *q)
{
	struct sqd_outspool *sp = q->spool;

	if (q->closing || q->gone || away(q) || !room_for_load(q) || sp->n == RUNS)
		return;
	if (sp->behind < sqd_spooler_durable(sp->spooler))
		sqd_spooler_load(sp->spooler, sp->behind, sp->load);
	else if (sp->behind < sqd_spooler_next(sp->spooler))
		sqd_spooler_gathered(sp->spooler, take_gathered, q, &sp->behind);
}

uint64_t sqd_outspool_answered(const struct sqd_outqueue *q)
{
	const struct sqd_outspool *sp = q->spool;

	return sp->n ? sp->runs[sp->first].seq : sp->behind;
}

void sqd_outspool_settle(struct sqd_outqueue *q)
{
	struct sqd_outspool *sp = q->spool;
	uint64_t seq, held;

	forget(sp, q->done - sp->done);
	sp->done = q->done;
	seq = sqd_outspool_answered(q);
	held = sqd_outqueue_held(q);
	sqd_spooler_delivered(sp->spooler, seq < held ? seq : held);
}

void sqd_outspool_progress(struct sqd_outqueue *q)
{
	sqd_outspool_settle(q);
	refill(q);
	sqd_outqueue_pump(q);
}

/* What was given and is behind the cursor is given again by who comes after us, when we are killed.
 * Numbers may be missing among those: then there are less of them. */
uint64_t sqd_outspool_ahead(const struct sqd_outqueue *q)
{
	const struct sqd_outspool *sp = q->spool;
	uint64_t given = sqd_outspool_answered(q) + (q->done - sp->done) + q->in_flight;
	uint64_t n = given - sqd_spooler_cursor(sp->spooler);

	return n < sp->repeats ? sp->repeats - n : 0;
}

/* ---- the spooler's side ------------------------------------------------------------------- */

static bool has_oldest(const struct sqd_outspool *sp)
{
	return sp->drop_oldest && sp->behind < sqd_spooler_durable(sp->spooler);
}

static void drop_oldest(struct sqd_outspool *sp)
{
	uint64_t used = sqd_spooler_used(sp->spooler), max = sqd_spooler_max(sp->spooler);
	/* It may be the disk that is full, and little of that is ours. */
	uint64_t of = used < max / 2 ? used : max;

	if (has_oldest(sp))
		sqd_spooler_drop(sp->spooler, sp->behind, of / DROP_PART + 1);
}

/* The file is full for what came: memory that is, is no reason to drop what is safe. */
static void make_room(struct sqd_outqueue *q)
{
	struct sqd_outspool *sp = q->spool;

	if (sp->starved && sqd_spooler_file_has_room(sp->spooler))
		sp->starved = false;
	if (sp->starved)
		drop_oldest(sp);
}

/* With a file that was set aside all went that the disk alone had. What waits is that, what is in
 * memory, and what has gathered. */
static void count_gone(struct sqd_outqueue *q)
{
	struct sqd_outspool *sp = q->spool;
	const struct sqd_spooler_counts *c = sqd_spooler_counts(sp->spooler);
	uint64_t to = sqd_spooler_gone_to(sp->spooler), kept, lost;

	if (c->set_aside == sp->set_aside)
		return;
	sp->set_aside = c->set_aside;
	if (to > sp->behind)
		sp->behind = to;
	kept = sqd_spooler_next(sp->spooler) - sp->behind;
	for (unsigned i = 0; i < sp->n; i++)
		kept += sp->runs[(sp->first + i) % RUNS].n;
	lost = sqd_outspool_waiting(q) - kept;
	sp->gone += lost;
	sp->landed += lost;
}

static void on_moved(void *ctx)
{
	struct sqd_outqueue *q = ctx;
	struct sqd_outspool *sp = q->spool;
	const struct sqd_spooler_counts *c = sqd_spooler_counts(sp->spooler);
	uint64_t next;

	if (c->dropped != sp->dropped)
		sqd_outqueue_dropped_oldest(q);
	sp->landed += c->dropped - sp->dropped + c->damaged - sp->damaged;
	sp->dropped = c->dropped;
	sp->damaged = c->damaged;
	count_gone(q);
	if (sqd_spooler_take(sp->spooler, take_record, q, &next) && next > sp->behind)
		sp->behind = next;
	make_room(q);
	sqd_outqueue_tell_passed(q);
	sqd_outqueue_tell_room(q);
}

int sqd_outspool_push(struct sqd_outqueue *q, const struct sqd_message *m)
{
	struct sqd_outspool *sp = q->spool;
	bool straight = sp->behind == sqd_spooler_next(sp->spooler) && !away(q);
	uint64_t seq;
	int r;

	if (q->gone) {
		q->counts.dropped_gone++;
		return SQD_OUTPUT_GONE;
	}
	r = q->closing ? -ENOSPC : sqd_spooler_push(sp->spooler, m, &seq);
	if (r == -EMSGSIZE)
		q->counts.dropped_too_long++;
	if (r == -EFBIG ||
	    (r == -ENOSPC && !q->closing && !sqd_spooler_file_has_room(sp->spooler))) {
		sp->starved = true;
		drop_oldest(sp);
		r = -ENOSPC;
	}
	q->refused |= r == -ENOSPC;
	if (r < 0)
		return r;
	q->counts.queued++;
	sp->taken++;
	if (straight)
		(void)take_in(q, m, seq); /* else it is read back */
	return 0;
}

bool sqd_outspool_roomy(const struct sqd_outqueue *q)
{
	return sqd_spooler_roomy(q->spool->spooler);
}

/* All that it would lose is safe. Who is to answer just now is waited for if there is time: what
 * was not answered is sent again. */
bool sqd_outspool_settled(const struct sqd_outqueue *q)
{
	return sqd_outspool_passed(q) == sqd_outspool_taken(q) && (q->hurried || !q->n_flights);
}

uint64_t sqd_outspool_taken(const struct sqd_outqueue *q)
{
	return sqd_spooler_next(q->spool->spooler);
}

uint64_t sqd_outspool_passed(const struct sqd_outqueue *q)
{
	return sqd_spooler_durable(q->spool->spooler);
}

uint64_t sqd_outspool_waiting(const struct sqd_outqueue *q)
{
	const struct sqd_outspool *sp = q->spool;

	return sqd_spooler_found(sp->spooler) + sp->taken - sp->landed;
}

bool sqd_outspool_drops(const struct sqd_outqueue *q)
{
	const struct sqd_outspool *sp = q->spool;

	return sp->starved && has_oldest(sp) && !sqd_spooler_barren(sp->spooler);
}

uint64_t sqd_outspool_dropped(const struct sqd_outqueue *q)
{
	return q->spool->dropped;
}

uint64_t sqd_outspool_used(const struct sqd_outqueue *q, uint64_t *ret_max)
{
	*ret_max = sqd_spooler_max(q->spool->spooler);
	return sqd_spooler_used(q->spool->spooler);
}

const char *sqd_outspool_why(const struct sqd_outqueue *q)
{
	return sqd_spooler_why(q->spool->spooler);
}

uint64_t sqd_outspool_unsafe(const struct sqd_outqueue *q)
{
	const struct sqd_spooler *s = q->spool->spooler;
	uint64_t n = sqd_spooler_next(s) - sqd_spooler_durable(s), waiting;

	waiting = sqd_outspool_waiting(q);
	return n < waiting ? n : waiting;
}

/* ---- life --------------------------------------------------------------------------------- */

int sqd_outqueue_spool(struct sqd_outqueue *q, const struct sqd_outqueue_spool *opts,
                       struct sq_err *err)
{
	struct sqd_outspool *sp = calloc(1, sizeof(*sp));
	int r;

	sq_assert(!q->spool && !q->taken);
	if (!sp)
		return sq_err_set(err, -ENOMEM, "spool: out of memory");
	/* So that what is dropped as the oldest is never all in memory, on its way. */
	if (q->max > opts->size / 4)
		q->max = opts->size / 4;
	sp->memory = q->max / 4 < MEMORY_MIN_BYTES ? MEMORY_MIN_BYTES : q->max / 4;
	sp->load = q->max < sp->memory ? q->max : sp->memory;
	sp->drop_oldest = opts->drop_oldest;
	sp->repeats = opts->repeats;
	const struct sqd_spooler_opts o = { .loop = q->out->loop,
		                            .name = q->out->name,
		                            .dir = opts->dir,
		                            .size = opts->size,
		                            .interval_ms = opts->interval_ms,
		                            .memory = sp->memory,
		                            .marks = opts->marks,
		                            .moved = on_moved,
		                            .ctx = q };

	r = sqd_spooler_open(&o, &sp->spooler, err);
	if (r < 0) {
		free(sp);
		return r;
	}
	q->spool = sp;
	sp->behind = sqd_spooler_cursor(sp->spooler);
	sp->set_aside = sqd_spooler_counts(sp->spooler)->set_aside;
	refill(q);
	return 0;
}

static void on_spooler_closed(void *ctx)
{
	struct sqd_outqueue *q = ctx;
	struct sqd_outspool *sp = q->spool;
	uint64_t lost = sqd_outspool_taken(q) - sqd_outspool_passed(q);
	uint64_t gone_to = sqd_spooler_gone_to(sp->spooler);

	q->counts.dropped_shutdown += lost;
	sp->landed += lost;
	/* What was in a file that was set aside, and in memory only since then. */
	for (unsigned i = 0; i < sp->n; i++) {
		const struct run *r = &sp->runs[(sp->first + i) % RUNS];
		uint64_t n = r->seq < gone_to ? gone_to - r->seq : 0;

		n = n < r->n ? n : r->n;
		sp->gone += n;
		sp->landed += n;
	}
	sp->closed(q); /* last: it may free us */
}

void sqd_outspool_close(struct sqd_outqueue *q, void (*closed)(void *ctx))
{
	sqd_outspool_progress(q);
	q->spool->closed = closed;
	sqd_spooler_close(q->spool->spooler, on_spooler_closed, q);
}

void sqd_outspool_free(struct sqd_outqueue *q)
{
	if (!q->spool)
		return;
	sqd_spooler_free(q->spool->spooler);
	free(q->spool);
	q->spool = NULL;
}

void sqd_outspool_metrics(const struct sqd_outqueue *q, struct sqd_metrics *m)
{
	const struct sqd_outspool *sp = q->spool;
	const struct sqd_spooler_counts *c = sqd_spooler_counts(sp->spooler);
	const struct sqd_metric rows[] = {
		{ "found", sqd_spooler_found(sp->spooler),
		  "Messages that were in the spool at the start", true, SQD_CAME },
		{ "dropped_oldest", sp->dropped, "Messages dropped because the spool was full",
		  false, SQD_DROPPED },
		{ "dropped_damaged", sp->damaged + sp->gone,
		  "Messages in the spool that were damaged, or in a file that was, and set aside",
		  false, SQD_DROPPED },
		{ "spooled", c->spooled, "Messages written to the spool" },
		{ "replayed", sp->replayed, "Messages read back from the spool" },
		{ "spool_bytes", sqd_spooler_used(sp->spooler), "Bytes of the spool in use" },
		{ "commits", c->commits, "Commits of the spool" },
		{ "commit_failures", c->failures, "Commits that failed; they are made anew" },
		{ "set_aside", c->set_aside, "Files of the spool that were damaged and set aside" },
	};

	sqd_metrics_add(m, rows, SQ_LEN(rows));
}
