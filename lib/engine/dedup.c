/* A ring of keys in the order in which they came, and a table of open addresses to find them: slot
 * by slot from where the key belongs to the first empty one. When a key is forgotten, those behind
 * it that lie in its way are moved up, so that no search stops too early and no slot is lost.
 */
#include "lib/engine/dedup.h"

#include <stdlib.h>

enum { EVENTS_MAX = 1 << 24 };

struct sq_dedup {
	uint64_t (*ring)[2];
	uint32_t *slots; /* index in the ring, and 1; 0 = empty */
	uint32_t mask;   /* of the number of slots, at least twice the ring's */
	uint32_t size, n, next;
};

struct sq_dedup *sq_dedup_new(uint32_t events)
{
	struct sq_dedup *d = calloc(1, sizeof(*d));
	uint32_t slots = 16;

	if (!d)
		return NULL;
	d->size = events > EVENTS_MAX ? EVENTS_MAX : events ? events : 1;
	while (slots < 2 * d->size)
		slots *= 2;
	d->mask = slots - 1;
	d->ring = calloc(d->size, sizeof(*d->ring));
	d->slots = calloc(slots, sizeof(*d->slots));
	if (!d->ring || !d->slots) {
		sq_dedup_free(d);
		return NULL;
	}
	return d;
}

void sq_dedup_free(struct sq_dedup *d)
{
	if (!d)
		return;
	free(d->ring);
	free(d->slots);
	free(d);
}

/* Keys are hashes already. */
static uint32_t home(const struct sq_dedup *d, const uint64_t key[2])
{
	return (uint32_t)key[0] & d->mask;
}

/* The slot of `key`, or the empty one where it would go. */
static uint32_t find(const struct sq_dedup *d, const uint64_t key[2])
{
	uint32_t s = home(d, key);

	for (; d->slots[s]; s = (s + 1) & d->mask) {
		const uint64_t *there = d->ring[d->slots[s] - 1];

		if (there[0] == key[0] && there[1] == key[1])
			break;
	}
	return s;
}

static void forget(struct sq_dedup *d, uint32_t index)
{
	uint32_t hole = find(d, d->ring[index]), s = hole;

	sq_assert(d->slots[hole] == index + 1);
	for (;;) {
		uint32_t from;

		s = (s + 1) & d->mask;
		if (!d->slots[s])
			break;
		/* It may move up if its home is not between the hole and itself. */
		from = home(d, d->ring[d->slots[s] - 1]);
		if (((s - from) & d->mask) < ((s - hole) & d->mask))
			continue;
		d->slots[hole] = d->slots[s];
		hole = s;
	}
	d->slots[hole] = 0;
}

bool sq_dedup_seen(struct sq_dedup *d, const uint64_t key[2])
{
	if (d->slots[find(d, key)])
		return true;
	if (d->n == d->size)
		forget(d, d->next);
	else
		d->n++;
	d->ring[d->next][0] = key[0];
	d->ring[d->next][1] = key[1];
	d->slots[find(d, key)] = d->next + 1;
	d->next = (d->next + 1) % d->size;
	return false;
}

static void put_sender(struct sq_siphash *h, const struct sq_origin *from)
{
	const struct sq_identity *sender = from->identity;

	sq_siphash_put_text(h, sq_sv_of(sender ? sender->user : ""));
	sq_siphash_put_text(h, sq_sv_of(sender ? sender->subject : ""));
	sq_siphash_put_text(h, sq_sv_of(sender ? sender->names : ""));
	sq_siphash_put_text(h, from->tenant);
}

/* Derived fields follow from the others. */
static void put_fields(struct sq_siphash *h, const struct sq_event *ev)
{
	for (uint32_t f = 0; f < sq_fields_count(ev->fields); f++) {
		const struct sq_value *v = &ev->values[f];

		if (v->kind == SQ_VALUE_ABSENT || sq_field_is_derived(f))
			continue;
		sq_siphash_put_number(h, f);
		for (; v; v = sq_event_next(ev, v)) {
			sq_siphash_put_number(h, v->kind);
			sq_siphash_put_text(h, sq_value_sv(v));
		}
	}
	sq_siphash_put_number(h, ev->raw.n);
}

static void put_hits(struct sq_siphash *h, const struct sq_hits *hits,
                     const struct sq_ruleset *rules)
{
	for (uint32_t i = 0; i < hits->n; i++) {
		const struct sq_hit *hit = &hits->list[i];
		const struct sq_rule *rule = sq_ruleset_rule(rules, hit->rule);

		sq_siphash_put_text(h, rule->id.n ? rule->id : rule->title);
		sq_siphash_put_number(h, hit->n_matched);
		for (uint32_t k = 0; k < hit->n_matched; k++) {
			sq_siphash_put_text(h, sq_sv_of(hit->matched[k].field));
			sq_siphash_put_text(h, hit->matched[k].value);
		}
	}
}

bool sq_dedup_key(const struct sq_siphash_key *secret, const struct sq_event *ev,
                  const struct sq_origin *from, const struct sq_hits *hits,
                  const struct sq_ruleset *rules, uint64_t ret[2])
{
	static const enum sq_field names[] = { SQ_F_COMPUTER, SQ_F_CHANNEL, SQ_F_RECORD_ID,
		                               SQ_F_PROVIDER };
	struct sq_siphash h;

	if (hits->capped)
		return false;
	for (size_t i = 0; i < SQ_LEN(names); i++)
		if (!sq_event_get(ev, names[i]).n)
			return false;
	sq_siphash_begin(&h, secret);
	put_sender(&h, from);
	put_fields(&h, ev);
	put_hits(&h, hits, rules);
	sq_siphash_end(&h, ret);
	return true;
}
