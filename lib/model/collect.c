#include "lib/model/collect.h"

void sq_collect_begin(struct sq_collect *c, struct sq_event *ev, struct sq_arena *a,
                      const struct sq_fields *fields, struct sq_sv raw)
{
	c->ev = ev;
	c->arena = a;
	c->n_fields = sq_fields_count(fields);
	c->n_list = c->n_texts = c->n_data = c->hints = 0;
	memset(c->values, 0, c->n_fields * sizeof(*c->values));
	memset(c->aux, 0, sizeof(c->aux));
	memset(c->joined, 0, sizeof(c->joined));
	*ev = (struct sq_event){ .raw = raw,
		                 .fields = fields,
		                 .values = c->values,
		                 .more = c->more,
		                 .all = c->all,
		                 .shape = "unknown" };
}

struct sq_sv sq_collect_keep(struct sq_collect *c, struct sq_sv text, bool stays)
{
	struct sq_sv kept;

	if (stays || text.n == 0)
		return stays ? text : (struct sq_sv){ "", 0 };
	kept = sq_arena_dup(c->arena, text);
	if (kept.n == 0)
		c->ev->flags |= SQ_EVENT_OVERFLOW;
	return kept;
}

static void store(struct sq_collect *c, struct sq_value *v, const struct sq_found *f)
{
	struct sq_sv text = sq_collect_keep(c, f->text, f->stays);

	*v = (struct sq_value){ text.p, (uint32_t)text.n, 0, f->kind, f->rank };
}

static bool is_empty(const struct sq_value *v)
{
	return v->kind == SQ_VALUE_NULL || v->n == 0;
}

static struct sq_value *next(struct sq_collect *c, struct sq_value *v)
{
	return v->more ? &c->ev->more[v->more - 1] : NULL;
}

/* Is it among the values from `v` on? Of another place it may be a number where this one has text.
 */
static bool is_there(struct sq_collect *c, struct sq_value *v, const struct sq_found *f)
{
	for (; v; v = next(c, v)) {
		bool kinds = v->kind == f->kind || (v->rank != f->rank && v->kind >= SQ_VALUE_TEXT);

		if (kinds && sq_sv_eq(sq_value_sv(v), f->text))
			return true;
	}
	return false;
}

/* One more value of the field, at the end or, when it is better than the first, before it. */
static void add(struct sq_collect *c, struct sq_value *v, const struct sq_found *f, bool better)
{
	struct sq_event *ev = c->ev;
	struct sq_value *slot;

	if (ev->n_more == SQ_EVENT_MORE_MAX) {
		ev->flags |= SQ_EVENT_OVERFLOW;
		if (better) {
			uint16_t more = v->more;

			store(c, v, f);
			v->more = more;
		}
		return;
	}
	slot = &ev->more[ev->n_more++];
	if (better) {
		*slot = *v;
		store(c, v, f);
	} else {
		while (v->more)
			v = &ev->more[v->more - 1];
		store(c, slot, f);
	}
	v->more = (uint16_t)ev->n_more;
}

/* Do values of two places both count? The process and what it did: whoever writes a record with two
 * command lines shall not choose which one is looked at. What a record says of itself is different:
 * a relay's name beside the host's is no conflict. */
static bool both_count(uint32_t field, const struct sq_value *v, const struct sq_found *f)
{
	if (field == SQ_F_EVENT_ID || field == SQ_F_CHANNEL)
		return v->rank < SQ_BAND_WEAK && f->rank < SQ_BAND_WEAK;
	return field > SQ_F_MESSAGE && field < SQ_AUX_BASE && f->rank < SQ_BAND_MESSAGE;
}

static struct sq_joined *joined_of(struct sq_collect *c, uint32_t field)
{
	if (field == SQ_AUX_ARGS)
		return &c->joined[0];
	return field == SQ_AUX_PARENT_ARGS ? &c->joined[1] : NULL;
}

/* Arguments become one command line, however many there are. */
static void join(struct sq_collect *c, struct sq_joined *j, struct sq_value *v,
                 const struct sq_found *f)
{
	size_t n = (size_t)v->n + 1 + f->text.n;

	if (f->kind == SQ_VALUE_NULL)
		return;
	if (v->kind == SQ_VALUE_ABSENT) {
		store(c, v, f);
		return;
	}
	if (n > j->cap) {
		char *p = sq_arena_bytes(c->arena, 2 * n);

		if (!p) {
			c->ev->flags |= SQ_EVENT_OVERFLOW;
			return;
		}
		memcpy(p, v->p, v->n);
		*j = (struct sq_joined){ p, 2 * n };
		v->p = p;
	}
	j->p[v->n] = ' ';
	if (f->text.n)
		memcpy(j->p + v->n + 1, f->text.p, f->text.n);
	v->n = (uint32_t)n;
	v->kind = SQ_VALUE_TEXT;
}

void sq_collect_put(struct sq_collect *c, uint32_t field, const struct sq_found *f)
{
	struct sq_value *v = sq_collect_slot(c, field);
	struct sq_joined *j = joined_of(c, field);
	bool empty = f->kind == SQ_VALUE_NULL || f->text.n == 0;
	bool better = is_empty(v) != empty ? !empty : f->rank < v->rank;

	if (SQ_UNLIKELY(j != NULL)) {
		join(c, j, v, f);
	} else if (SQ_LIKELY(v->kind == SQ_VALUE_ABSENT)) {
		store(c, v, f);
	} else if (v->rank == f->rank) {
		if (!f->repeated)
			c->ev->flags |= SQ_EVENT_DUPLICATE_KEY;
		if (f->repeated || !is_there(c, v, f))
			add(c, v, f, better && !f->repeated);
	} else if (!empty && !is_empty(v) && both_count(field, v, f)) {
		if (!is_there(c, v, f))
			add(c, v, f, better);
	} else if (better && v->more == 0) {
		store(c, v, f);
	} else if (better) {
		add(c, v, f, true);
	}
}

void sq_collect_text(struct sq_collect *c, uint32_t field, uint8_t rank, struct sq_sv text)
{
	sq_collect_put(c, field, &(struct sq_found){ text, SQ_VALUE_TEXT, rank, true, false });
}
