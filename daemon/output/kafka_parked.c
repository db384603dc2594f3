#include "daemon/output/kafka_parked.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_PLACES = 64 };

void sqd_parking_fini(struct sqd_parking *p)
{
	free(p->all);
	*p = (struct sqd_parking){ 0 };
}

void sqd_parking_reset(struct sqd_parking *p)
{
	p->n = p->unused = 0;
}

static struct sqd_parked *at(struct sqd_parking *p, uint32_t place)
{
	sq_assert(place && place <= p->n);
	return &p->all[place - 1];
}

/* @return its place, or 0: out of memory */
static uint32_t new_place(struct sqd_parking *p)
{
	uint32_t place = p->unused;

	if (place) {
		p->unused = at(p, place)->next;
		return place;
	}
	if (p->n == p->cap) {
		uint32_t cap = p->cap ? 2 * p->cap : FIRST_PLACES;
		struct sqd_parked *more = reallocarray(p->all, cap, sizeof(*more));

		if (!more)
			return 0;
		p->all = more;
		p->cap = cap;
	}
	return ++p->n;
}

static void append(struct sqd_parking *p, struct sqd_parked_list *l, uint32_t place)
{
	at(p, place)->next = 0;
	if (l->n++)
		at(p, l->last)->next = place;
	else
		l->first = place;
	l->last = place;
}

static uint32_t take_first(struct sqd_parking *p, struct sqd_parked_list *l)
{
	uint32_t place = l->first;

	sq_assert(l->n);
	l->first = at(p, place)->next;
	l->n--;
	return place;
}

int sqd_parking_put(struct sqd_parking *p, struct sqd_parked_list *l, const char *head, int why)
{
	uint32_t place = new_place(p);

	if (!place)
		return -ENOMEM;
	*at(p, place) = (struct sqd_parked){ .head = head, .why = why };
	append(p, l, place);
	return 0;
}

struct sqd_parked *sqd_parking_first(struct sqd_parking *p, const struct sqd_parked_list *l)
{
	return l->n ? at(p, l->first) : NULL;
}

void sqd_parking_drop(struct sqd_parking *p, struct sqd_parked_list *l)
{
	uint32_t place = take_first(p, l);

	at(p, place)->next = p->unused;
	p->unused = place;
}

void sqd_parking_move(struct sqd_parking *p, struct sqd_parked_list *from,
                      struct sqd_parked_list *to)
{
	append(p, to, take_first(p, from));
}
