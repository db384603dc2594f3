#include "lib/derive/recall.h"

#include <stdlib.h>

#include "lib/derive/library.h"

enum {
	SLOTS = 512,
	SLOT_BYTES = 2048 - 32,
	/* Reading takes more of the arena for a while than it keeps: up to fifty bytes for one of
	 * the line. With so much room left neither it nor a copy can fail, so both give the same.
	 */
	ROOM = 128 * 1024,
};

/* All that is read of the event, but for CurrentDirectory: what hangs on that one is not kept, and
 * these alone say whether anything does. */
static const uint16_t inputs[] = { SQ_F_COMMAND_LINE,       SQ_F_IMAGE,       SQ_F_PARENT_IMAGE,
	                           SQ_F_ORIGINAL_FILE_NAME, SQ_F_DESCRIPTION, SQ_F_HASHES };

enum { INPUTS = SQ_LEN(inputs) };

/* A derived value; its bytes follow those of the one before. */
struct made {
	uint16_t field, n;
};

struct slot {
	uint16_t n[INPUTS]; /* bytes of each; they begin `bytes` */
	uint16_t n_made;    /* behind them: struct made, this many; 0: the slot is empty */
	uint16_t n_text;    /* and their bytes */
	uint8_t last;       /* of each two, in the first: which was asked for again */
	char bytes[SLOT_BYTES];
};

struct sq_recall {
	struct sq_sv key[INPUTS]; /* of the event being read */
	struct slot *learning;    /* NULL: what it says is not kept */
	struct slot slots[SLOTS];
};

struct sq_recall *sq_recall_new(void)
{
	return calloc(1, sizeof(struct sq_recall));
}

void sq_recall_free(struct sq_recall *r)
{
	free(r);
}

static uint64_t mix(uint64_t h, struct sq_sv v)
{
	h += v.n;
	while (v.n) {
		size_t n = v.n < sizeof(uint64_t) ? v.n : sizeof(uint64_t);
		uint64_t w = 0;

		memcpy(&w, v.p, n);
		h = (h ^ w) * 0x9e3779b97f4a7c15u;
		h ^= h >> 32;
		v = sq_sv_skip(v, n);
	}
	return h;
}

/* A field that is there twice is read twice, which nobody learns. @return false: not to be kept */
static bool take_key(struct sq_recall *r, const struct sq_event *ev, uint64_t *ret_hash)
{
	size_t n = 0;

	*ret_hash = 0;
	for (unsigned i = 0; i < INPUTS; i++) {
		if (ev->values[inputs[i]].more)
			return false;
		r->key[i] = sq_event_get(ev, inputs[i]);
		n += r->key[i].n;
		if (n > SLOT_BYTES / 2)
			return false;
		*ret_hash = mix(*ret_hash, r->key[i]);
	}
	return true;
}

static bool is_of(const struct slot *s, const struct sq_sv key[INPUTS])
{
	const char *p = s->bytes;

	if (!s->n_made)
		return false;
	for (unsigned i = 0; i < INPUTS; i++)
		if (s->n[i] != key[i].n)
			return false;
	for (unsigned i = 0; i < INPUTS; p += key[i++].n)
		if (key[i].n && memcmp(p, key[i].p, key[i].n) != 0)
			return false;
	return true;
}

static size_t key_bytes(const struct slot *s)
{
	size_t n = 0;

	for (unsigned i = 0; i < INPUTS; i++)
		n += s->n[i];
	return n;
}

static bool tell(const struct slot *s, struct sq_event *ev, struct sq_arena *a)
{
	const char *at = s->bytes + key_bytes(s);
	struct sq_sv text = { at + s->n_made * sizeof(struct made), s->n_text };

	if (SQ_EVENT_MORE_MAX - ev->n_more < s->n_made)
		return false;
	text = sq_arena_dup(a, text);
	for (uint32_t i = 0; i < s->n_made; i++) {
		struct made m;

		memcpy(&m, at + i * sizeof(m), sizeof(m));
		(void)sq_event_add(ev, m.field, sq_sv_first(text, m.n)); /* there is room */
		text = sq_sv_skip(text, m.n);
	}
	return true;
}

bool sq_recall_find(struct sq_recall *r, struct sq_event *ev, struct sq_arena *a)
{
	struct slot *pair;
	uint64_t hash;

	r->learning = NULL;
	if (a->cap - a->used < ROOM || !take_key(r, ev, &hash))
		return false;
	pair = &r->slots[(hash >> 20) % (SLOTS / 2) * 2];
	for (uint8_t i = 0; i < 2; i++) {
		if (!is_of(&pair[i], r->key))
			continue;
		pair->last = i;
		return tell(&pair[i], ev, a);
	}
	/* What comes once does not drive out what was asked for again. */
	r->learning = &pair[pair->n_made ? !pair->last : 0];
	return false;
}

/* Write the values of all derived fields, as far as they fit. @return how many there are; 0 when
 * they do not fit */
static uint16_t put_made(const struct sq_event *ev, char *to, size_t room, uint16_t *ret_text)
{
	char *text;
	size_t n = 0;

	for (uint32_t f = SQ_F_PRODUCED; f < SQ_F_CANONICAL; f++)
		for (const struct sq_value *v = &ev->values[f]; v; v = sq_event_next(ev, v))
			n += v->kind != SQ_VALUE_ABSENT;
	if (n * sizeof(struct made) > room)
		return 0;
	text = to + n * sizeof(struct made);
	room -= n * sizeof(struct made);
	*ret_text = 0;
	for (uint32_t f = SQ_F_PRODUCED; f < SQ_F_CANONICAL; f++) {
		for (const struct sq_value *v = &ev->values[f]; v; v = sq_event_next(ev, v)) {
			struct made m = { (uint16_t)f, (uint16_t)v->n };

			if (v->kind == SQ_VALUE_ABSENT)
				continue;
			if (v->n > room - *ret_text)
				return 0;
			memcpy(to, &m, sizeof(m));
			to += sizeof(m);
			memcpy(text + *ret_text, v->p, v->n);
			*ret_text = (uint16_t)(*ret_text + v->n);
		}
	}
	return (uint16_t)n;
}

void sq_recall_learn(struct sq_recall *r, const struct sq_event *ev, const struct sq_arena *a)
{
	struct slot *s = r->learning;
	char *to;

	if (!s || a->overflow || ev->flags & SQ_EVENT_OVERFLOW ||
	    ev->derived & SQ_DERIVED_BY_FOLDER)
		return;
	to = s->bytes;
	for (unsigned i = 0; i < INPUTS; i++) {
		s->n[i] = (uint16_t)r->key[i].n;
		if (r->key[i].n)
			memcpy(to, r->key[i].p, r->key[i].n);
		to += r->key[i].n;
	}
	s->n_made = put_made(ev, to, (size_t)(s->bytes + SLOT_BYTES - to), &s->n_text);
}
