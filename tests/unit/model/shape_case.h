/* Records of one event each and what they must become; every file of them is run by the same
 * checks. */
#pragma once

#include "tests/unit/model/reading.h"

struct shape_case {
	const char *name;
	const char *record;
	const char *shape;
	enum sq_category category;
	uint32_t event_id;
	const char *want[12]; /* "Field=value"; "Field!" = absent */
};

static inline void check_want(const struct sq_fields *fields, const struct sq_event *ev,
                              const char *want)
{
	size_t n = strcspn(want, "=!");
	int field = sq_fields_find(fields, (struct sq_sv){ want, n });

	assert_true(field >= 0);
	if (want[n] == '!')
		assert_false(sq_event_has(ev, (uint32_t)field) &&
		             sq_event_get(ev, (uint32_t)field).n);
	else
		assert_sv_equal(sq_event_get(ev, (uint32_t)field), sq_sv_of(want + n + 1));
}

static inline void check_shape(void **state)
{
	const struct shape_case *tc = *state;
	size_t n = strlen(tc->record);
	char *copy = exact(tc->record, n);
	struct sq_sv rest = { copy, n };
	struct sq_event ev;
	struct reading t;
	int r;

	begin(&t, &(struct sq_reader_opts){ 0 });
	r = sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev);
	if (r != 1)
		fail_msg("%s", sq_reader_why(t.reader));
	assert_string_equal(ev.shape, tc->shape);
	assert_int_equal(ev.event_id, tc->event_id);
	assert_string_equal(sq_category_name(ev.category), sq_category_name(tc->category));
	assert_sv_equal(ev.raw, ((struct sq_sv){ copy, n }));
	for (size_t i = 0; i < SQ_LEN(tc->want) && tc->want[i]; i++)
		check_want(t.fields, &ev, tc->want[i]);
	assert_int_equal(sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev), 0);
	end(&t);
	free(copy);
}

/** Whatever a record is cut to, there is an answer and nothing is read beyond its end. */
static inline void check_prefixes(const struct shape_case *cases, size_t n_cases)
{
	for (size_t i = 0; i < n_cases; i++) {
		const char *record = cases[i].record;
		struct reading t;

		begin(&t, &(struct sq_reader_opts){ .want_all = true });
		for (size_t n = 0; n < strlen(record); n++) {
			char *copy = exact(record, n);
			struct sq_sv rest = { copy, n };
			struct sq_event ev;
			int calls = 0;

			sq_arena_reset(&t.arena);
			while (sq_reader_next(t.reader, &rest, NULL, &t.arena, &ev) != 0)
				assert_true(++calls < 10);
			free(copy);
		}
		end(&t);
	}
}
