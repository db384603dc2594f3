/* A batch on its way:
 *
 *   pool -> open -> RUNNING -> DONE -> HANDED -> pool
 *                      ^                  |
 *                      +--- unfinished ---+
 *
 * `order` is a ring of the batches between open and pool, oldest first. Workers finish in any
 * order; batches are handed on in the order of the ring, so alerts leave in the order in which
 * their records came, however many workers there are. A batch that has more alerts than it may hold
 * comes back unfinished, is run on, and holds up those behind it: its place is kept. One that is
 * not delivered, because nothing was made of it, waits in its place until all before it are back.
 */
#include "daemon/flow/dispatch.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "daemon/flow/worker.h"

enum state { RUNNING, DONE, HANDED, PASSED_BY };

/* Origins of a batch that are looked at before a new one is made. */
enum { ORIGINS_LOOKED_AT = 16 };

/* See gathers(): records of one turn, records of a batch, and how long at most. */
enum { BUSY = 32, GATHER = 512, GATHER_NS = 300 * 1000 };

/* Bytes that are looked at together in the middle of a turn: what the second cache holds, less what
 * else is in it. */
enum { AT_HAND = 128 * 1024 };

/* Records that may leave one batch: while an output that must not drop is stalled, one of which
 * nothing is left fills on, and what its senders are owed is counted in 32 bits. */
enum { LEFT_OUT = 1 << 20 };

struct slot {
	struct sq_batch *batch;
	enum state state;
	bool raised; /* a part of it that has been delivered held alerts or dead letters */
};

struct sqd_dispatch {
	struct sqd_dispatch_opts opts;
	struct sqd_batchshare batches;
	struct sqd_workers *workers;
	struct sqd_desk desk;
	bool own_workers;
	unsigned eager; /* while fewer of our batches run, the open one is not kept waiting */
	struct sq_batch *open;
	struct sq_sifter sifter;
	uint64_t sieves_seen;
	uint32_t came; /* records of this turn, as far as they have been looked at */

	struct slot *order; /* ring of opts.batches */
	uint32_t head, n_order;
	uint32_t n_handed; /* so many from the head on are HANDED or PASSED_BY */
	uint32_t running;
	bool held; /* the last of the handed ones is unfinished: hand on no other */

	uint64_t turn;       /* of the loop */
	uint64_t short_turn; /* in which the last free batch was taken */
	bool starved;        /* an input was told to wait */
	bool draining;       /* `drained` is still to be called */
	bool advancing;
	bool halted;         /* batches stay in `order` until sqd_dispatch_abandon() */
	uint64_t generation; /* of the rules that all workers are known to run */
	struct sqd_log_limit malformed_limit, doubt_limit;

	uv_async_t done; /* a worker has something for us, or inputs are to be resumed */
	/* They seal the open batch. After polling, for what was read; and before it, since what
	 * timers and idle handles gave must not wait for the next byte of somebody. */
	uv_check_t turn_end;
	uv_prepare_t before_poll;
	uv_idle_t look_again;   /* active: the next turn must not wait for bytes */
	uint64_t gathers_since; /* when the open batch was first left to gather; 0: it was not */
	unsigned open_handles;
	void (*closed)(void *ctx);
	void *closed_ctx;
};

static struct slot *slot_at(struct sqd_dispatch *d, uint32_t i)
{
	return &d->order[(d->head + i) % d->opts.batches];
}

/* What the batch has counted goes into the totals, once. */
static void absorb(struct sqd_dispatch *d, struct sq_batch *b)
{
	sq_counters_add(d->opts.totals, &b->counts);
	b->counts = (struct sq_counters){ 0 };
	if (b->why[0]) {
		char text[512];

		sqd_log_limited(&d->malformed_limit, SQD_LOG_WARNING, "malformed record from %s",
		                sqd_log_text(sq_sv_of(b->why), text));
		b->why[0] = '\0';
	}
	if (b->doubt[0]) {
		sqd_log_limited(&d->doubt_limit, SQD_LOG_ERROR,
		                "a check finds other alerts, please report: %s", b->doubt);
		b->doubt[0] = '\0';
	}
}

/* Back to the pool. Receipts first: who sent the records may go away now. */
static void release(struct sqd_dispatch *d, struct sq_batch *b, bool raised)
{
	sqd_settling_batch(d->opts.settling, b, raised);
	sqd_batchshare_put(&d->batches, b);
	/* By way of the loop: an input that resumes may want to open a batch at once, and we may
	 * be deep in somebody's callback. */
	if (d->starved || d->draining)
		uv_async_send(&d->done);
}

static void run(struct sqd_dispatch *d, struct slot *s)
{
	s->state = RUNNING;
	d->running++;
	sqd_workers_give(d->workers, s->batch);
}

/* The oldest batch is back. */
static void pop(struct sqd_dispatch *d, bool raised)
{
	struct slot s = *slot_at(d, 0);

	d->head = (d->head + 1) % d->opts.batches;
	d->n_order--;
	d->n_handed--;
	release(d, s.batch, raised || s.raised);
}

static void pop_passed_by(struct sqd_dispatch *d)
{
	while (d->n_handed && slot_at(d, 0)->state == PASSED_BY)
		pop(d, false);
}

/* Nobody has anything to take from it. */
static bool bare(const struct sq_batch *b)
{
	return !sq_batch_raised(b) && !b->n_events && !sq_batch_unfinished(b);
}

/* Hand on what is done, as far as order allows. Deliver may call sqd_dispatch_delivered(). */
static void advance(struct sqd_dispatch *d)
{
	if (d->advancing)
		return;
	d->advancing = true;
	while (!d->held && d->n_handed < d->n_order) {
		struct slot *s = slot_at(d, d->n_handed);

		if (s->state != DONE)
			break;
		d->n_handed++;
		if (d->opts.skip_bare && bare(s->batch)) {
			s->state = PASSED_BY;
			pop_passed_by(d);
			continue;
		}
		s->state = HANDED;
		d->held = sq_batch_unfinished(s->batch);
		d->opts.deliver(d->opts.ctx, s->batch);
	}
	d->advancing = false;
}

void sqd_dispatch_delivered(struct sqd_dispatch *d, struct sq_batch *b)
{
	bool raised = sq_batch_raised(b);

	if (d->halted)
		return;
	if (sq_batch_unfinished(b)) {
		struct slot *s = slot_at(d, d->n_handed - 1);

		sq_assert(d->held && s->batch == b);
		s->raised |= raised;
		sq_batch_clear_out(b);
		d->held = false;
		d->n_handed--;
		run(d, s);
		return;
	}
	sq_assert(d->n_handed && slot_at(d, 0)->batch == b);
	pop(d, raised);
	pop_passed_by(d);
}

void sqd_dispatch_forget(struct sqd_dispatch *d, struct sqd_receipt *r)
{
	sqd_settling_forget(d->opts.settling, r);
}

static void check_drained(struct sqd_dispatch *d)
{
	if (!d->draining || d->n_order || d->open)
		return;
	d->draining = false;
	d->opts.drained(d->opts.ctx);
}

static void collect(struct sqd_dispatch *d)
{
	struct sq_batch *b = sqd_workers_take_done(d->workers, &d->desk), *next;

	for (; b; b = next) {
		uint32_t i = 0;

		next = b->next;
		b->next = NULL;
		while (slot_at(d, i)->batch != b)
			sq_assert(++i < d->n_order);
		sq_assert(slot_at(d, i)->state == RUNNING);
		slot_at(d, i)->state = DONE;
		d->running--;
		absorb(d, b);
	}
}

/* libuv makes one wake-up of many: everything there is gets done. */
static void on_done(uv_async_t *h)
{
	struct sqd_dispatch *d = h->data;
	uint64_t generation;

	if (!d->workers || d->halted)
		return; /* closing */
	collect(d);
	advance(d);
	generation = sqd_workers_generation(d->workers);
	if (generation != d->generation) {
		d->generation = generation;
		d->opts.taken_up(d->opts.ctx);
	}
	if (d->starved && sqd_batchshare_high(&d->batches)) {
		d->starved = false;
		d->opts.resume(d->opts.ctx);
	}
	check_drained(d); /* last: it may begin to end us */
}

/* As long as the handle is active, polling does not wait; that is all that is wanted of it. */
static void on_look_again(uv_idle_t *h)
{
	(void)h;
}

/* Once there are new rules nothing goes by the sieve of the old ones, in a batch that was opened
 * before them neither: one may have stood open, and empty, since the last sender came. */
static void take_sieve(struct sqd_dispatch *d)
{
	struct sq_sieve *sieve;

	if (!sqd_sievebox_news(d->opts.sieves, &d->sieves_seen, &sieve))
		return;
	sq_sifter_use(&d->sifter, sieve);
	sq_sieve_unref(sieve);
	if (d->open && !d->open->n_records)
		sq_sifter_open(&d->sifter, d->open);
}

/* What was received is looked at while it is at hand; what the sifter leaves is for the workers. */
static void sift(struct sqd_dispatch *d)
{
	d->came += d->open->n_records - d->open->sifted;
	if (d->opts.sieves) {
		take_sieve(d);
		sq_sifter_run(&d->sifter, d->open);
	}
	d->open->sifted = d->open->n_records;
}

bool sqd_dispatch_lines(struct sqd_dispatch *d, uint32_t origin, struct sq_sv text,
                        uint32_t max_record, uint32_t *ret_lines)
{
	if (!d->opts.sieves)
		return false;
	sift(d);
	if (!sq_sifter_lines(&d->sifter, d->open, origin, text, max_record, ret_lines))
		return false;
	d->came += *ret_lines;
	return true;
}

void sqd_dispatch_sift(struct sqd_dispatch *d)
{
	const struct sq_batch *b = d->open;

	if (b && b->n_records > b->sifted &&
	    b->chunk + b->tail - b->records[b->sifted].raw.p >= AT_HAND)
		sift(d);
}

/* May the open batch gather for another turn? When much came in this one more is likely to be there
 * already, and waking a worker for each few records that are kept costs more than they do. */
static bool gathers(struct sqd_dispatch *d, uint32_t came)
{
	uint64_t now;

	if (came < BUSY || d->open->n_records >= GATHER || d->draining)
		return false;
	now = uv_hrtime();
	if (!d->gathers_since)
		d->gathers_since = now;
	return now - d->gathers_since < GATHER_NS;
}

/* A quiet system hands on one event at once; a busy one fills whole batches. One of which nothing
 * is left needs no worker, only its turn: it goes on filling until it is the oldest. */
static void end_turn(struct sqd_dispatch *d)
{
	uint32_t came;

	(void)uv_idle_stop(&d->look_again);
	if (!d->open || !d->workers || d->halted)
		return;
	sift(d);
	came = d->came;
	d->came = 0;
	if (!d->open->n_records) {
		/* On the way down one that an input opened in vain would keep us up. */
		if (d->open->n_origins ? !d->n_order : d->draining) {
			sqd_dispatch_seal(d);
			advance(d);
		}
		return;
	}
	if (d->running >= d->eager)
		return;
	if (gathers(d, came)) {
		(void)uv_idle_start(&d->look_again, on_look_again);
		return;
	}
	sqd_dispatch_seal(d);
}

static void on_turn_end(uv_check_t *h)
{
	end_turn(h->data);
}

static void on_before_poll(uv_prepare_t *h)
{
	struct sqd_dispatch *d = h->data;

	d->turn++;
	/* What the end of the turn before left to gather is not new. */
	if (!uv_is_active((uv_handle_t *)&d->look_again))
		end_turn(d);
}

static void open_next(struct sqd_dispatch *d)
{
	d->open = sqd_batchshare_get(&d->batches);
	if (sqd_batchshare_none(&d->batches))
		d->short_turn = d->turn;
	if (!d->open)
		return;
	d->open->home = &d->desk;
	if (!d->opts.sieves)
		return;
	take_sieve(d);
	sq_sifter_open(&d->sifter, d->open);
}

struct sq_batch *sqd_dispatch_open(struct sqd_dispatch *d, size_t room)
{
	struct sq_batch *b = d->open;

	sq_assert(room <= d->opts.limits.chunk);
	if (b && (sq_batch_room(b) < room || b->n_records >= b->limits.records ||
	          b->n_origins >= b->limits.origins || b->counts.left_out >= LEFT_OUT))
		sqd_dispatch_seal(d);
	if (!d->open)
		open_next(d);
	if (!d->open && !d->starved) {
		d->starved = true;
		d->opts.totals->pauses++;
	}
	return d->open;
}

bool sqd_dispatch_short(const struct sqd_dispatch *d)
{
	return d->short_turn == d->turn;
}

bool sqd_dispatch_under_way(const struct sqd_dispatch *d)
{
	static const struct sq_counters none;
	const struct sq_batch *b = d->open;

	return d->n_order || (b && (b->n_records || b->n_origins ||
	                            memcmp(&b->counts, &none, sizeof(none)) != 0));
}

uint64_t sqd_dispatch_turn(const struct sqd_dispatch *d)
{
	return d->turn;
}

void sqd_dispatch_seal(struct sqd_dispatch *d)
{
	struct sq_batch *b = d->open;
	struct slot *s;

	if (!b)
		return;
	sift(d);
	d->open = NULL;
	d->gathers_since = 0;
	(void)uv_idle_stop(&d->look_again);
	if (!b->n_origins) { /* at most something was counted */
		absorb(d, b);
		release(d, b, false);
		return;
	}
	sq_assert(d->n_order < d->opts.batches);
	s = slot_at(d, d->n_order++);
	*s = (struct slot){ .batch = b };
	if (b->n_records) {
		run(d, s);
		return;
	}
	s->state = DONE; /* it is handed on in its turn */
	absorb(d, b);
	if (!d->halted)
		uv_async_send(&d->done);
}

int sqd_dispatch_origin(struct sqd_dispatch *d, struct sq_batch *b, struct sqd_receipt *receipt,
                        const char *peer)
{
	uint32_t n = b->n_origins;
	int r;

	sq_assert(b == d->open);
	for (uint32_t i = 0; i < n && i < ORIGINS_LOOKED_AT; i++) {
		const struct sq_origin *o = &b->origins[n - 1 - i];

		if (o->receipt == receipt && strncmp(o->peer, peer, sizeof(o->peer) - 1) == 0)
			return (int)(n - 1 - i);
	}
	r = sq_batch_origin(b, receipt, peer);
	if (r >= 0)
		b->origins[r].identity = receipt->identity;
	return r;
}

struct sqd_workers *sqd_dispatch_workers(struct sqd_dispatch *d)
{
	return d->workers;
}

void *sqd_dispatch_ctx_of(const struct sq_batch *b)
{
	const struct sqd_desk *desk = b->home;
	const struct sqd_dispatch *d = desk->ctx;

	return d->opts.ctx;
}

void sqd_dispatch_drain(struct sqd_dispatch *d)
{
	sqd_dispatch_seal(d);
	d->draining = true;
	uv_async_send(&d->done);
}

void sqd_dispatch_halt(struct sqd_dispatch *d)
{
	d->draining = false;
	d->halted = true;
	sqd_workers_stop(d->workers);
	(void)sqd_workers_take_queued(d->workers); /* all of them are in `order` too */
	collect(d);
	for (uint32_t i = d->n_handed; i < d->n_order; i++)
		if (slot_at(d, i)->state == DONE)
			d->opts.deliver(d->opts.ctx, slot_at(d, i)->batch);
}

void sqd_dispatch_abandon(struct sqd_dispatch *d)
{
	sq_assert(d->halted);
	if (d->opts.settling)
		sqd_settling_give_up(d->opts.settling);
	while (d->n_order) {
		struct sq_batch *b = slot_at(d, 0)->batch;

		d->head = (d->head + 1) % d->opts.batches;
		d->n_order--;
		absorb(d, b);
		release(d, b, true);
	}
	if (d->open) {
		absorb(d, d->open);
		release(d, d->open, true);
		d->open = NULL;
	}
	d->n_handed = 0;
	d->running = 0;
	d->held = false;
}

static void wake(void *ctx)
{
	uv_async_send(&((struct sqd_dispatch *)ctx)->done);
}

static void dispatch_free(struct sqd_dispatch *d)
{
	sq_sifter_end(&d->sifter);
	sqd_batchshare_fini(&d->batches);
	free(d->order);
	free(d);
}

static void on_handle_closed(uv_handle_t *h)
{
	struct sqd_dispatch *d = h->data;
	void (*closed)(void *) = d->closed;
	void *ctx = d->closed_ctx;

	if (--d->open_handles)
		return;
	dispatch_free(d);
	if (closed)
		closed(ctx);
}

void sqd_dispatch_close(struct sqd_dispatch *d, void (*closed)(void *ctx), void *ctx)
{
	sqd_dispatch_seal(d); /* an open batch without records goes back */
	sq_assert(!d->n_order && !d->open);
	/* Workers first: they wake a handle that is about to close. */
	sqd_workers_stop(d->workers);
	if (d->own_workers)
		sqd_workers_free(d->workers);
	d->workers = NULL;
	d->closed = closed;
	d->closed_ctx = ctx;
	uv_close((uv_handle_t *)&d->turn_end, on_handle_closed);
	uv_close((uv_handle_t *)&d->before_poll, on_handle_closed);
	uv_close((uv_handle_t *)&d->look_again, on_handle_closed);
	uv_close((uv_handle_t *)&d->done, on_handle_closed);
}

struct sqd_dispatch *sqd_dispatch_new(const struct sqd_dispatch_opts *opts, struct sq_err *err)
{
	struct sqd_dispatch *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		goto no_memory;
	d->opts = *opts;
	d->sifter = opts->sifter;
	sq_sifter_begin(&d->sifter);
	d->order = calloc(opts->batches, sizeof(*d->order));
	if (!d->order || sqd_batchshare_init(&d->batches, opts->pool, opts->batches, &opts->limits))
		goto no_memory;
	r = uv_async_init(opts->loop, &d->done, on_done);
	if (r < 0) {
		sq_err_set(err, r, "event loop: %s", uv_strerror(r));
		dispatch_free(d);
		return NULL;
	}
	d->done.data = d;
	(void)uv_check_init(opts->loop, &d->turn_end); /* these cannot fail */
	d->turn_end.data = d;
	(void)uv_check_start(&d->turn_end, on_turn_end);
	(void)uv_prepare_init(opts->loop, &d->before_poll);
	d->before_poll.data = d;
	(void)uv_prepare_start(&d->before_poll, on_before_poll);
	(void)uv_idle_init(opts->loop, &d->look_again);
	d->look_again.data = d;
	d->open_handles = 4;
	d->turn = 1;
	d->desk = (struct sqd_desk){ .wake = wake, .ctx = d };
	d->own_workers = !opts->shared;
	d->workers = opts->shared ? opts->shared : sqd_workers_start(opts->workers, wake, d, err);
	if (!d->workers) {
		sqd_dispatch_close(d, NULL, NULL);
		return NULL;
	}
	d->eager = opts->eager ? opts->eager : sqd_workers_count(d->workers);
	return d;

no_memory:
	sq_err_set(err, -ENOMEM, "batches: out of memory");
	if (d)
		dispatch_free(d);
	return NULL;
}
