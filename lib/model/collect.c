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

/* One more value of the same place, unless it only repeats what is there. */
static void append(struct sq_collect *c, struct sq_value *v, const struct sq_found *f)
{
	struct sq_event *ev = c->ev;

	if (!f->repeated)
		ev->flags |= SQ_EVENT_DUPLICATE_KEY;
	for (;; v = &ev->more[v->more - 1]) {
		if (!f->repeated && v->kind == f->kind && sq_sv_eq(sq_value_sv(v), f->text))
			return;
		if (!v->more)
			break;
	}
	if (ev->n_more == SQ_EVENT_READ_MAX) {
		ev->flags |= SQ_EVENT_OVERFLOW;
		return;
	}
	store(c, &ev->more[ev->n_more++], f);
	v->more = (uint16_t)ev->n_more;
}

static bool is_empty(const struct sq_value *v)
{
	return v->kind == SQ_VALUE_NULL || v->n == 0;
}

void sq_collect_put(struct sq_collect *c, uint32_t field, const struct sq_found *f)
{
	struct sq_value *v = sq_collect_slot(c, field);
	bool empty = f->kind == SQ_VALUE_NULL || f->text.n == 0;

	if (SQ_LIKELY(v->kind == SQ_VALUE_ABSENT))
		store(c, v, f);
	else if (v->rank == f->rank)
		append(c, v, f);
	else if (is_empty(v) != empty ? !empty : f->rank < v->rank)
		store(c, v, f);
}

void sq_collect_text(struct sq_collect *c, uint32_t field, uint8_t rank, struct sq_sv text)
{
	sq_collect_put(c, field, &(struct sq_found){ text, SQ_VALUE_TEXT, rank, true, false });
}
