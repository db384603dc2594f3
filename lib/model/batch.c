#include "lib/model/batch.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/base/block.h"

enum {
	ALERT_MIN =
		512, /* bytes: no alert is shorter, so `out` is full before the table of alerts */
	VERDICT_MAX = 4 << 20, /* bytes of what is added to one record */
	ROWS_MIN = 1024, /* of the tables of alerts and dead letters, however small `out` is */
};

static uint32_t rows_of(uint32_t out)
{
	return out / ALERT_MIN > ROWS_MIN ? out / ALERT_MIN : ROWS_MIN;
}

/* An event may be written in several formats, for several rules, with its record in each: `out`
 * may grow past the mark at which the pipeline stops, but not without end. Of each way to hand
 * records on, one may become six times as long (a control character is one byte, its escape six),
 * and is mended beside itself. Memory is taken for what is written only. */
static size_t out_max(const struct sq_batch_limits *limits)
{
	return (size_t)limits->out + (16 + 7 * (size_t)limits->views) * limits->chunk + 65536;
}

/* What is big, and of no use before there are records. */
struct part {
	void *p;
	size_t n; /* bytes */
};

enum { PARTS = 7 };

static size_t bytes(uint64_t n, size_t each)
{
	return (size_t)n * each;
}

static void list_parts(const struct sq_batch *b, struct part to[PARTS])
{
	const struct sq_batch_limits *l = &b->limits;
	const struct part parts[PARTS] = {
		{ b->chunk, l->chunk },
		{ b->records, bytes(l->records, sizeof(*b->records)) },
		{ b->origins, bytes(l->origins, sizeof(*b->origins)) },
		{ b->alerts, bytes(b->cap_alerts, sizeof(*b->alerts)) },
		{ b->dead, bytes(b->cap_dead, sizeof(*b->dead)) },
		{ b->events, bytes(l->events, sizeof(*b->events)) },
		{ b->passes, bytes(l->views ? l->records : 0, sizeof(*b->passes)) },
	};

	memcpy(to, parts, sizeof(parts));
}

static bool make_parts(struct sq_batch *b)
{
	struct part parts[PARTS];
	bool made = true;

	list_parts(b, parts);
	b->chunk = sq_block_new(parts[0].n);
	b->records = sq_block_new(parts[1].n);
	b->origins = sq_block_new(parts[2].n);
	b->alerts = sq_block_new(parts[3].n);
	b->dead = sq_block_new(parts[4].n);
	b->events = sq_block_new(parts[5].n);
	b->passes = sq_block_new(parts[6].n);
	list_parts(b, parts);
	for (int i = 0; i < PARTS; i++)
		made &= parts[i].p != NULL;
	return made;
}

struct sq_batch *sq_batch_new(const struct sq_batch_limits *limits)
{
	struct sq_batch *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->limits = *limits;
	b->cap_alerts = rows_of(limits->out);
	b->cap_dead = rows_of(limits->out);
	b->out = sq_outbuf_of(out_max(limits));
	b->verdict.text = sq_outbuf_of(VERDICT_MAX);
	if (make_parts(b) && sq_arena_init(&b->arena, limits->arena) == 0)
		return b;
	sq_batch_free(b);
	return NULL;
}

void sq_batch_free(struct sq_batch *b)
{
	struct part parts[PARTS];

	if (!b)
		return;
	sq_arena_fini(&b->arena);
	sq_outbuf_fini(&b->out);
	sq_outbuf_fini(&b->verdict.text);
	list_parts(b, parts);
	for (int i = 0; i < PARTS; i++)
		sq_block_free(parts[i].p, parts[i].n);
	free(b);
}

void sq_batch_cool(struct sq_batch *b)
{
	struct part parts[PARTS];

	sq_assert(!b->n_records && !b->n_origins && !b->tail);
	sq_arena_cool(&b->arena);
	sq_outbuf_fini(&b->out);
	sq_outbuf_fini(&b->verdict.text);
	b->out = sq_outbuf_of(out_max(&b->limits));
	b->verdict.text = sq_outbuf_of(VERDICT_MAX);
	list_parts(b, parts);
	for (int i = 0; i < PARTS; i++)
		sq_block_cool(parts[i].p, parts[i].n);
}

void sq_batch_reset(struct sq_batch *b)
{
	b->tail = 0;
	b->n_records = 0;
	b->sieve = 0;
	b->sifted = 0;
	b->n_origins = 0;
	b->done = 0;
	b->from = 0;
	sq_outbuf_reset(&b->verdict.text);
	b->verdict = (struct sq_finding){ .text = b->verdict.text };
	b->rest = (struct sq_sv){ 0 };
	b->counts = (struct sq_counters){ 0 };
	sq_arena_reset(&b->arena);
	sq_batch_clear_out(b);
}

int sq_batch_origin(struct sq_batch *b, void *receipt, const char *peer)
{
	struct sq_origin *o;
	size_t n = strlen(peer);

	if (b->n_origins == b->limits.origins)
		return -ENOSPC;
	o = &b->origins[b->n_origins];
	*o = (struct sq_origin){ .receipt = receipt };
	memcpy(o->peer, peer, n < sizeof(o->peer) ? n : sizeof(o->peer) - 1);
	return (int)b->n_origins++;
}

int sq_batch_add(struct sq_batch *b, uint32_t origin, struct sq_sv raw)
{
	sq_dassert(origin < b->n_origins);
	sq_dassert(raw.p >= b->chunk && raw.p + raw.n <= b->chunk + b->limits.chunk);
	if (b->n_records == b->limits.records)
		return -ENOSPC;
	b->records[b->n_records++] = (struct sq_record){ .raw = raw, .origin = origin };
	b->origins[origin].n++;
	return 0;
}

void sq_batch_clear_out(struct sq_batch *b)
{
	sq_outbuf_reset(&b->out);
	b->n_alerts = 0;
	b->n_dead = 0;
	b->n_events = 0;
	b->n_passes = 0;
	b->from = b->done;
	b->why[0] = '\0';
	b->doubt[0] = '\0';
}
