/* A dispatch without workers, for tests of inputs: it keeps copies of the records, and gives
 * batches back when it is told to. Stands for daemon/flow/dispatch.c in a program that includes it
 * once.
 */
#pragma once

#include <errno.h>

#include "daemon/flow/input.h"
#include "tests/support/test.h"

enum { FAKE_RECORDS = 8192, FAKE_BATCHES = 16 };

struct sqd_dispatch {
	struct sq_batch_limits limits;
	unsigned free;         /* batches that may still be taken */
	struct sq_batch *open; /* being filled */
	struct sq_batch *sealed[FAKE_BATCHES];
	unsigned n_sealed;
	char *records[FAKE_RECORDS]; /* of sealed batches, in order; terminated */
	size_t lengths[FAKE_RECORDS];
	char peers[FAKE_RECORDS][64];
	char subjects[FAKE_RECORDS][64]; /* of the sender's certificate; "" when it showed none */
	unsigned n;
	unsigned opened; /* batches taken, all in all */
	uint64_t turn;
	uint32_t short_at;  /* records in the open batch; 0: never */
	unsigned forgotten; /* receipts that nobody waits for any more */
	bool lines;         /* lines are cut here; none of them is left out */
};

bool sqd_dispatch_short(const struct sqd_dispatch *d)
{
	return d->short_at && d->open && d->open->n_records >= d->short_at;
}

void sqd_dispatch_forget(struct sqd_dispatch *d, struct sqd_receipt *r)
{
	assert_true(r->unsettled);
	r->until_sent = false;
	d->forgotten++;
}

/* Records stay as they are. */
void sqd_dispatch_sift(struct sqd_dispatch *d)
{
	(void)d;
}

/* As much as a sifter is to the caller that leaves nothing out. */
bool sqd_dispatch_lines(struct sqd_dispatch *d, uint32_t origin, struct sq_sv text,
                        uint32_t max_record, uint32_t *ret_lines)
{
	struct sq_batch *b = d->open;
	struct sq_batch before = *b;

	assert_true(text.n && text.p[text.n - 1] == '\n' && text.p >= b->chunk + b->tail);
	while (d->lines && text.n) {
		size_t end = sq_sv_chr(text, '\n');
		struct sq_sv line = sq_sv_trim(sq_sv_first(text, end));

		if (!line.n || line.n > max_record || line.p[0] != '{' ||
		    line.p[line.n - 1] != '}' || sq_batch_add(b, origin, line) < 0)
			break;
		text = sq_sv_skip(text, end + 1);
	}
	*ret_lines = b->n_records - before.n_records;
	if (text.n) {
		b->n_records = before.n_records;
		b->origins[origin].n -= *ret_lines;
		return false;
	}
	for (uint32_t i = before.n_records; i < b->n_records; i++) {
		struct sq_sv *raw = &b->records[i].raw;

		raw->p = memmove(b->chunk + b->tail, raw->p, raw->n);
		b->tail += (uint32_t)raw->n;
	}
	return true;
}

uint64_t sqd_dispatch_turn(const struct sqd_dispatch *d)
{
	return d->turn;
}

struct sq_batch *sqd_dispatch_open(struct sqd_dispatch *d, size_t room)
{
	sq_assert(room <= d->limits.chunk);
	if (d->open &&
	    (sq_batch_room(d->open) < room || d->open->n_records >= d->open->limits.records ||
	     d->open->n_origins >= d->open->limits.origins))
		sqd_dispatch_seal(d);
	if (!d->open && d->free) {
		d->free--;
		d->opened++;
		d->open = sq_batch_new(&d->limits);
		assert_non_null(d->open);
	}
	return d->open;
}

void sqd_dispatch_seal(struct sqd_dispatch *d)
{
	struct sq_batch *b = d->open;

	if (!b)
		return;
	d->open = NULL;
	for (uint32_t i = 0; i < b->n_records; i++) {
		const struct sq_record *r = &b->records[i];

		assert_true(d->n < FAKE_RECORDS);
		assert_true(r->raw.p >= b->chunk && r->raw.p + r->raw.n <= b->chunk + b->tail);
		d->records[d->n] = strndup(r->raw.p, r->raw.n);
		d->lengths[d->n] = r->raw.n;
		memcpy(d->peers[d->n], b->origins[r->origin].peer, 64);
		snprintf(d->subjects[d->n++], 64, "%.63s",
		         b->origins[r->origin].identity ? b->origins[r->origin].identity->subject
		                                        : "");
	}
	assert_true(d->n_sealed < FAKE_BATCHES);
	d->sealed[d->n_sealed++] = b;
}

int sqd_dispatch_origin(struct sqd_dispatch *d, struct sq_batch *b, struct sqd_receipt *receipt,
                        const char *peer)
{
	assert_true(b == d->open);
	for (uint32_t i = 0; i < b->n_origins; i++) {
		if (b->origins[i].receipt == receipt && strcmp(b->origins[i].peer, peer) == 0)
			return (int)i;
	}
	int r = sq_batch_origin(b, receipt, peer);

	if (r >= 0)
		b->origins[r].identity = receipt->identity;
	return r;
}

/** Settle and give back every sealed batch. */
static inline void fake_dispatch_settle(struct sqd_dispatch *d)
{
	for (unsigned i = 0; i < d->n_sealed; i++) {
		struct sq_batch *b = d->sealed[i];

		for (uint32_t k = 0; k < b->n_origins; k++) {
			if (b->origins[k].n)
				sqd_receipt_settle(b->origins[k].receipt, b->origins[k].n);
		}
		sq_batch_free(b);
		d->free++;
	}
	d->n_sealed = 0;
}

/** Forget the records seen so far. */
static inline void fake_dispatch_forget(struct sqd_dispatch *d)
{
	for (unsigned i = 0; i < d->n; i++)
		free(d->records[i]);
	d->n = 0;
}
