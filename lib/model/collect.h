/* One event in the making: values by field, each with how good its place was, and what else is
 * needed to finish it.
 *
 * Private to lib/model. The value of the best place that is not empty comes first and is what an
 * alert shows. One of the same place (a JSON key given twice) is kept beside it, and so is a
 * different one of another place where both speak of what happened: for matching all of them count,
 * so that nothing hides behind another.
 */
#pragma once

#include "lib/model/event.h"
#include "lib/model/fieldmap.h"

enum { SQ_LIST_MAX = 64, SQ_TEXTS_MAX = 4 };

/** Room for the arguments of a command line, put behind one another in the arena. */
struct sq_joined {
	char *p;
	size_t cap;
};

struct sq_collect {
	struct sq_event *ev;
	struct sq_arena *arena;
	struct sq_value *values; /* SQ_FIELDS_MAX */
	struct sq_value *more;   /* SQ_EVENT_MORE_MAX, of which reading fills SQ_EVENT_READ_MAX */
	struct sq_sv *all;       /* SQ_EVENT_ALL_MAX, or NULL */
	struct sq_value aux[SQ_AUX_N];
	struct sq_joined joined[2];        /* of SQ_AUX_ARGS and SQ_AUX_PARENT_ARGS */
	struct sq_value list[SQ_LIST_MAX]; /* EventData without names, in order */
	struct sq_sv texts[SQ_TEXTS_MAX];  /* JSON or XML inside strings, still to be read */
	bool rendered[SQ_TEXTS_MAX];       /* that text stood in place of the rendered message */
	uint32_t n_fields, n_list, n_texts;
	uint32_t n_data; /* values found under EventData names, not at the top of a record */
	uint32_t hints;  /* 1 << enum sq_hint */
};

/** Ready for the next event. */
void sq_collect_begin(struct sq_collect *c, struct sq_event *ev, struct sq_arena *a,
                      const struct sq_fields *fields, struct sq_sv raw);

/** A text and where it came from. */
struct sq_found {
	struct sq_sv text;
	uint8_t kind;  /* enum sq_value_kind */
	uint8_t rank;  /* enum sq_band and on */
	bool stays;    /* it lies in the record or the arena; else it is copied when kept */
	bool repeated; /* a later element of an array: no duplicate key */
};

/** `field`: a field's number, or one of enum sq_aux. */
void sq_collect_put(struct sq_collect *c, uint32_t field, const struct sq_found *f);

/** Put a text that lies in the record or the arena. */
void sq_collect_text(struct sq_collect *c, uint32_t field, uint8_t rank, struct sq_sv text);

/** The text, in memory that lasts. Empty and flagged when the arena is full. */
struct sq_sv sq_collect_keep(struct sq_collect *c, struct sq_sv text, bool stays);

/** What sq_fields_find() found may be filled by a name in the record. What the record says of
 * itself is not overruled by a program that logs a "Computer", and nobody but us says what is
 * derived. */
static inline bool sq_collect_is_open(const struct sq_collect *c, int field)
{
	return field > SQ_F_MESSAGE && (uint32_t)field < c->n_fields &&
	       !sq_field_is_derived((uint32_t)field);
}

static inline struct sq_value *sq_collect_slot(struct sq_collect *c, uint32_t field)
{
	return field >= SQ_AUX_BASE ? &c->aux[field - SQ_AUX_BASE] : &c->values[field];
}

/** Text of a slot's first value; empty when absent or null. */
static inline struct sq_sv sq_collect_get(struct sq_collect *c, uint32_t field)
{
	const struct sq_value *v = sq_collect_slot(c, field);

	return v->kind >= SQ_VALUE_TEXT ? sq_value_sv(v) : (struct sq_sv){ "", 0 };
}

static inline bool sq_collect_hinted(const struct sq_collect *c, enum sq_hint h)
{
	return c->hints >> h & 1;
}
