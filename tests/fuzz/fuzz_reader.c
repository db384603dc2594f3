/* Any bytes as a record: reading ends, every value is readable, and a good record after it is read
 * as if nothing had been. */
#include <stdlib.h>

#include "lib/model/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(struct sq_sv v)
{
	volatile char sum = 0;

	for (size_t i = 0; i < v.n; i++)
		sum = (char)(sum + v.p[i]);
}

static void check_event(const struct sq_event *ev)
{
	for (uint32_t i = 0; i < sq_fields_count(ev->fields); i++) {
		for (const struct sq_value *v = &ev->values[i]; v; v = sq_event_next(ev, v)) {
			if (v->kind >= SQ_VALUE_TEXT)
				touch(sq_value_sv(v));
		}
	}
	for (uint32_t i = 0; i < ev->n_all; i++)
		touch(ev->all[i]);
	touch(ev->raw);
	sq_assert(ev->shape && ev->shape[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sq_fields *fields = sq_fields_new();
	struct sq_reader *r = sq_reader_new(fields, &(struct sq_reader_opts){ .want_all = true });
	char *copy = malloc(size ? size : 1);
	struct sq_sv rest = { copy, size };
	struct sq_arena a;
	struct sq_event ev;
	size_t calls = 0;
	int n;

	sq_assert(r && copy && sq_arena_init(&a, 65536) == 0);
	if (size)
		memcpy(copy, data, size);
	while ((n = sq_reader_next(r, &rest, NULL, &a, &ev)) != 0) {
		sq_assert(++calls <= size + 1);
		sq_assert(rest.n <= size);
		if (n > 0)
			check_event(&ev);
		else
			sq_assert(sq_reader_why(r)[0]);
		sq_arena_reset(&a);
	}
	rest = SQ_SV("{\"EventID\":4688,\"CommandLine\":\"x\"}");
	sq_assert(sq_reader_next(r, &rest, NULL, &a, &ev) == 1 && ev.event_id == 4688);
	sq_arena_fini(&a);
	sq_reader_free(r);
	sq_fields_free(fields);
	free(copy);
	return 0;
}
