/* A stop is a mark for each queue: how much it had taken in all when a batch was released. Stops
 * are numbered as they come, stop `n` lies in stops[n % STOPS], and since marks only grow, those
 * behind the oldest one cannot be reached before it.
 *
 * A receipt that waits at one stop and owes for a later batch too moves to the stop of that one.
 * Nothing is lost by it: nobody is told before all that it owes is settled, and the records of the
 * later batch were owed already.
 */
#include "daemon/flow/settling.h"

#include <stdlib.h>

enum { STOPS = 256 };

struct stop {
	struct sqd_receipt *oldest, *newest;
};

struct awaited {
	struct sqd_outqueue *queue; /* or */
	const struct sqd_gauge *gauge;
	bool patient;
};

struct sqd_settling {
	struct awaited *queues;
	size_t n, max;
	struct stop stops[STOPS];
	uint64_t *marks;     /* max for each of stops[] */
	uint64_t first, end; /* numbers of the oldest stop and of the next to come */
	uint64_t waiting;    /* records */
	bool yielding, given_up;
	bool busy;           /* settling: whoever is told may call us */
	bool watching;       /* gauges, not queues */
	_Atomic bool anyone; /* waits; for who sets the gauges */
	void (*on_passed)(void *ctx);
	void *passed_ctx;
};

struct sqd_settling *sqd_settling_new(size_t queues)
{
	struct sqd_settling *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->max = queues;
	s->queues = calloc(queues + 1, sizeof(*s->queues));
	s->marks = calloc(queues + 1, STOPS * sizeof(*s->marks));
	if (!s->queues || !s->marks) {
		sqd_settling_free(s);
		return NULL;
	}
	return s;
}

void sqd_settling_free(struct sqd_settling *s)
{
	if (!s)
		return;
	sq_assert(!s->waiting);
	free(s->marks);
	free(s->queues);
	free(s);
}

static void on_passed(void *ctx)
{
	struct sqd_settling *s = ctx;

	sqd_settling_look(s);
	if (s->on_passed)
		s->on_passed(s->passed_ctx);
}

void sqd_settling_on_passed(struct sqd_settling *s, void (*told)(void *ctx), void *ctx)
{
	s->on_passed = told;
	s->passed_ctx = ctx;
}

void sqd_settling_await(struct sqd_settling *s, struct sqd_outqueue *q, bool patient)
{
	sq_assert(s->n < s->max && s->first == s->end);
	s->queues[s->n++] = (struct awaited){ .queue = q, .patient = patient };
	sqd_outqueue_on_passed(q, on_passed, s);
}

void sqd_settling_watch(struct sqd_settling *s, const struct sqd_gauge *gauge, bool patient)
{
	sq_assert(s->n < s->max && s->first == s->end);
	s->queues[s->n++] = (struct awaited){ .gauge = gauge, .patient = patient };
	s->watching = true;
}

bool sqd_settling_anyone(const struct sqd_settling *s)
{
	return atomic_load(&s->anyone);
}

/* Before the gauges are looked at, so that who sets them later knows of us; see gauge.h. */
static void tell_waiting(struct sqd_settling *s)
{
	if (s->watching)
		atomic_store(&s->anyone, s->waiting > 0);
}

static uint64_t taken(const struct awaited *a)
{
	return a->gauge ? atomic_load_explicit(&a->gauge->taken, memory_order_relaxed)
	                : sqd_outqueue_taken(a->queue);
}

static bool failing(const struct awaited *a)
{
	return a->gauge ? atomic_load_explicit(&a->gauge->failing, memory_order_relaxed)
	                : sqd_outqueue_output(a->queue)->failing;
}

static struct stop *stop_at(struct sqd_settling *s, uint64_t number)
{
	return &s->stops[number % STOPS];
}

static uint64_t *marks_of(const struct sqd_settling *s, uint64_t number)
{
	return &s->marks[number % STOPS * s->max];
}

static bool passed(const struct awaited *a, uint64_t mark)
{
	uint64_t now = a->gauge ? atomic_load(&a->gauge->passed) : sqd_outqueue_passed(a->queue);

	return now >= mark || (!a->patient && failing(a));
}

static bool stop_passed(const struct sqd_settling *s, uint64_t number)
{
	const uint64_t *marks = marks_of(s, number);

	for (size_t i = 0; i < s->n; i++)
		if (!passed(&s->queues[i], marks[i]))
			return false;
	return true;
}

/* ---- receipts at a stop ------------------------------------------------------------------ */

static void unlink_receipt(struct sqd_settling *s, struct sqd_receipt *r)
{
	struct stop *at = stop_at(s, r->stop);

	if (r->older)
		r->older->newer = r->newer;
	else
		at->oldest = r->newer;
	if (r->newer)
		r->newer->older = r->older;
	else
		at->newest = r->older;
	r->older = r->newer = NULL;
}

static void link_receipt(struct sqd_settling *s, struct sqd_receipt *r, uint64_t number)
{
	struct stop *at = stop_at(s, number);

	r->stop = number;
	r->older = at->newest;
	r->newer = NULL;
	if (at->newest)
		at->newest->newer = r;
	else
		at->oldest = r;
	at->newest = r;
}

static void note(struct sqd_settling *s, struct sqd_receipt *r, uint32_t n, uint64_t number)
{
	if (r->waiting && r->stop != number)
		unlink_receipt(s, r);
	if (!r->waiting || r->stop != number)
		link_receipt(s, r, number);
	r->waiting += n;
	s->waiting += n;
}

/* What waits of it waits no longer. Whoever embeds it may free it. */
static void settle(struct sqd_settling *s, struct sqd_receipt *r)
{
	uint64_t n = r->waiting;

	unlink_receipt(s, r);
	r->waiting = 0;
	s->waiting -= n;
	sqd_receipt_settle(r, n);
}

/* ---- stops ------------------------------------------------------------------------------- */

/* A stop for all that the queues hold now. @return false: they hold nothing */
static bool open_stop(struct sqd_settling *s)
{
	const uint64_t *last = s->end > s->first ? marks_of(s, s->end - 1) : NULL;
	bool held = false, same = last != NULL;
	uint64_t *marks;

	for (size_t i = 0; i < s->n; i++) {
		uint64_t mark = taken(&s->queues[i]);

		held |= !passed(&s->queues[i], mark);
		same &= last && last[i] == mark;
	}
	if (!held)
		return false;
	/* With all places in use, the newest is moved up; there is a new one when the oldest has
	 * been passed. */
	if (!same && s->end - s->first < STOPS)
		*stop_at(s, s->end++) = (struct stop){ 0 };
	marks = marks_of(s, s->end - 1);
	for (size_t i = 0; i < s->n; i++)
		marks[i] = taken(&s->queues[i]);
	return true;
}

void sqd_settling_look(struct sqd_settling *s)
{
	if (s->busy)
		return;
	s->busy = true;
	tell_waiting(s);
	while (s->first < s->end) {
		struct sqd_receipt *r = stop_at(s, s->first)->oldest;

		if (!r)
			s->first++;
		else if (s->given_up || stop_passed(s, s->first))
			settle(s, r);
		else
			break;
	}
	tell_waiting(s);
	s->busy = false;
}

void sqd_settling_batch(struct sqd_settling *s, const struct sq_batch *b, bool raised)
{
	bool wait = s && raised && !s->given_up && open_stop(s);
	bool lost = s && (s->given_up || (s->yielding && raised));

	if (s)
		s->busy = true;
	for (uint32_t i = 0; i < b->n_origins; i++) {
		struct sqd_receipt *r = b->origins[i].receipt;
		uint32_t n = b->origins[i].n;

		if (!r || !n)
			continue;
		r->lost |= lost;
		r->further += b->origins[i].further;
		r->malformed += b->origins[i].malformed;
		if (wait && r->until_sent)
			note(s, r, n, s->end - 1);
		else
			sqd_receipt_settle(r, n);
	}
	if (s) {
		s->busy = false;
		sqd_settling_look(s);
	}
}

void sqd_settling_forget(struct sqd_settling *s, struct sqd_receipt *r)
{
	r->until_sent = false;
	if (!s || !r->waiting)
		return;
	settle(s, r); /* last: it may free it */
}

void sqd_settling_yield(struct sqd_settling *s)
{
	s->yielding = true;
}

void sqd_settling_give_up(struct sqd_settling *s)
{
	s->given_up = true;
	for (uint64_t i = s->first; i < s->end; i++)
		for (struct sqd_receipt *r = stop_at(s, i)->oldest; r; r = r->newer)
			r->lost = true;
	sqd_settling_look(s);
}

uint64_t sqd_settling_waiting(const struct sqd_settling *s)
{
	return s->waiting;
}
