/* A hand-made process event, derived; and its fields as one text each. For the tests of models. */
#pragma once

#include "lib/derive/derive.h"
#include "tests/support/test.h"

struct derived {
	struct sq_fields *fields;
	struct sq_value values[SQ_F_CANONICAL];
	struct sq_value more[SQ_EVENT_MORE_MAX];
	struct sq_event ev;
	struct sq_arena arena;
	char *copies[8];
	unsigned n_copies;
	char text[65536], wrong[1280];
};

static inline void derived_init(struct derived *d)
{
	*d = (struct derived){ .fields = sq_fields_new() };
	assert_non_null(d->fields);
	assert_int_equal(sq_arena_init(&d->arena, 1u << 20), 0);
	d->ev = (struct sq_event){ .fields = d->fields,
		                   .values = d->values,
		                   .more = d->more,
		                   .category = SQ_CATEGORY_PROCESS_CREATION,
		                   .event_id = 1 };
}

static inline void derived_fini(struct derived *d)
{
	for (unsigned i = 0; i < d->n_copies; i++)
		free(d->copies[i]);
	sq_arena_fini(&d->arena);
	sq_fields_free(d->fields);
}

/* An exact copy, so that ASan sees a byte read too many. NULL sets nothing. */
static inline void derived_put(struct derived *d, uint32_t field, const char *text)
{
	if (!text)
		return;
	assert_true(d->n_copies < SQ_LEN(d->copies));
	d->copies[d->n_copies] = exact(text, strlen(text));
	(void)sq_event_add(&d->ev, field, (struct sq_sv){ d->copies[d->n_copies], strlen(text) });
	d->n_copies++;
}

/* Values of the field `name`, '|' between them; "-" when there is none. */
static inline const char *derived_text(struct derived *d, const char *name)
{
	int field = sq_fields_find(d->fields, sq_sv_of(name));
	const struct sq_value *v;
	size_t n = 0;

	if (field < 0)
		fail_msg("no field %s", name);
	v = &d->values[field];
	if (v->kind == SQ_VALUE_ABSENT)
		return "-";
	for (; v; v = sq_event_next(&d->ev, v)) {
		assert_true(n + v->n + 2 < sizeof(d->text));
		if (n)
			d->text[n++] = '|';
		memcpy(d->text + n, v->p, v->n);
		n += v->n;
	}
	d->text[n] = '\0';
	return d->text;
}

/* What is not as `want` says, in lines "name=values", each name without "squibly."; "": nothing. */
static inline const char *derived_wrong(struct derived *d, const char *want)
{
	struct sq_sv rest = sq_sv_of(want);

	assert_true(rest.n > 0);
	while (rest.n) {
		struct sq_sv values = sq_sv_cut(&rest, '\n');
		struct sq_sv name = sq_sv_cut(&values, '=');
		char full[128];
		const char *got;

		(void)snprintf(full, sizeof(full), "squibly.%.*s", SQ_SV_ARG(name));
		got = derived_text(d, full);
		if (sq_sv_eq(sq_sv_of(got), values))
			continue;
		(void)snprintf(d->wrong, sizeof(d->wrong), "%s is \"%.500s\", want \"%.*s\"", full,
		               got, SQ_SV_ARG(sq_sv_first(values, 500)));
		return d->wrong;
	}
	return "";
}
