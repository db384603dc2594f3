#include "lib/engine/sifter.h"

/* How many that are left out go by unchecked before the next one that is chosen. */
static uint64_t stride(struct sq_sifter *s)
{
	struct sq_siphash h;
	uint64_t hash[2];

	if (!s->one_in)
		return UINT64_MAX;
	sq_siphash_begin(&h, &s->secret);
	sq_siphash_put_text(&h, SQ_SV("sifter"));
	sq_siphash_put_number(&h, s->stream);
	sq_siphash_put_number(&h, s->chosen++);
	sq_siphash_end(&h, hash);
	return hash[0] % (2 * (uint64_t)s->one_in - 1);
}

void sq_sifter_begin(struct sq_sifter *s)
{
	s->sieve = NULL;
	s->chosen = 0;
	s->unchecked = stride(s);
}

void sq_sifter_end(struct sq_sifter *s)
{
	sq_sifter_use(s, NULL);
}

void sq_sifter_use(struct sq_sifter *s, struct sq_sieve *sieve)
{
	struct sq_sieve *old = s->sieve;

	s->sieve = sq_sieve_ref(sieve);
	sq_sieve_unref(old);
}

void sq_sifter_open(struct sq_sifter *s, struct sq_batch *b)
{
	b->sifted = 0;
	b->sieve = s->sieve ? sq_sieve_generation(s->sieve) : 0;
}

static bool is_chosen(void *ctx)
{
	struct sq_sifter *s = ctx;

	if (s->unchecked) {
		s->unchecked -= s->unchecked != UINT64_MAX;
		return false;
	}
	s->unchecked = stride(s);
	return true;
}

/* Take the record to the end of those that stay. */
static void keep(struct sq_batch *b, struct sq_record rec)
{
	char *to = b->chunk + b->tail;

	memmove(to, rec.raw.p, rec.raw.n);
	rec.raw.p = to;
	b->tail += (uint32_t)rec.raw.n;
	b->records[b->n_records++] = rec;
}

/* Is the batch for this sieve? One that was opened under other rules is for whoever runs it. */
static bool is_mine(const struct sq_sifter *s, const struct sq_batch *b)
{
	return s->sieve && b->sieve == sq_sieve_generation(s->sieve) && !sq_sieve_is_open(s->sieve);
}

bool sq_sifter_lines(struct sq_sifter *s, struct sq_batch *b, uint32_t origin, struct sq_sv text,
                     uint32_t max_record, uint32_t *ret_lines)
{
	uint32_t first = b->n_records, n;
	struct sq_sifter before = *s;

	sq_assert(text.p >= b->chunk + b->tail);
	if (b->sifted != first || !is_mine(s, b) || b->limits.clean)
		return false;
	if (!sq_sieve_lines(s->sieve, b, origin, text, max_record, is_chosen, s, ret_lines)) {
		*s = before; /* none was chosen */
		return false;
	}
	n = b->n_records;
	b->n_records = first;
	for (uint32_t i = first; i < n; i++)
		keep(b, b->records[i]);
	b->sifted = b->n_records;
	return true;
}

void sq_sifter_run(struct sq_sifter *s, struct sq_batch *b)
{
	uint32_t first = b->sifted, n = b->n_records;

	if (first == n || !is_mine(s, b))
		return;
	sq_sieve_run(s->sieve, b, first);
	if (b->limits.clean) { /* they are handed on, too: whoever runs the batch counts them */
		for (uint32_t i = first; i < n; i++)
			b->records[i].check = b->records[i].left_out && is_chosen(s);
		b->sifted = n;
		return;
	}
	b->n_records = first;
	b->tail = first ? (uint32_t)(b->records[first - 1].raw.p + b->records[first - 1].raw.n -
	                             b->chunk)
	                : 0;
	for (uint32_t i = first; i < n; i++) {
		struct sq_record rec = b->records[i];

		rec.check = rec.left_out && is_chosen(s);
		if (!rec.left_out || rec.check) {
			keep(b, rec);
			continue;
		}
		b->counts.clean++;
		b->counts.left_out++;
	}
	b->sifted = b->n_records;
}
