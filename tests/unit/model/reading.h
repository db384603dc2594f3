/* One record through the reader: for tests of what becomes of it. */
#pragma once

#include "tests/support/test.h"

#include <errno.h>

#include "lib/model/reader.h"

#define SYSMON   "Microsoft-Windows-Sysmon/Operational"
#define CREATION SQ_CATEGORY_PROCESS_CREATION

struct reading {
	struct sq_fields *fields;
	struct sq_reader *reader;
	struct sq_arena arena;
};

static inline void begin(struct reading *t, const struct sq_reader_opts *opts)
{
	t->fields = sq_fields_new();
	assert_non_null(t->fields);
	t->reader = sq_reader_new(t->fields, opts);
	assert_non_null(t->reader);
	assert_int_equal(sq_arena_init(&t->arena, 1 << 20), 0);
}

static inline void end(struct reading *t)
{
	sq_arena_fini(&t->arena);
	sq_reader_free(t->reader);
	sq_fields_free(t->fields);
}

/** Begin without options, and read the first event of `record`, which must outlive it. */
static inline void read_first(struct reading *t, const char *record, struct sq_event *ev)
{
	struct sq_sv rest = sq_sv_of(record);

	begin(t, &(struct sq_reader_opts){ 0 });
	assert_int_equal(sq_reader_next(t->reader, &rest, NULL, &t->arena, ev), 1);
}
