/* Any bytes as image, command line or stored command of an event: deriving ends, every value lies
 * in memory that is there, and the second time says the same. */
#include <stdlib.h>

#include "lib/derive/derive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA = 1 << 17 };

/* A sum over all that was derived, which reads all of it. */
static uint64_t sum_of(const struct sq_event *ev)
{
	uint64_t sum = ev->flags;

	for (uint32_t i = SQ_F_PRODUCED; i < SQ_F_CANONICAL; i++)
		for (const struct sq_value *v = &ev->values[i]; v; v = sq_event_next(ev, v))
			if (v->kind >= SQ_VALUE_TEXT)
				sum = sum * 31 + sq_sv_hash(sq_value_sv(v)) + i;
	return sum;
}

static uint64_t run(struct sq_sv image, struct sq_sv text, uint8_t how, size_t cap)
{
	static const uint32_t fields[] = { SQ_F_TASK_CONTENT, SQ_F_DETAILS,
		                           SQ_F_SCRIPT_BLOCK_TEXT };
	struct sq_value values[SQ_F_CANONICAL] = { 0 };
	struct sq_value more[SQ_EVENT_MORE_MAX];
	struct sq_event ev = { .values = values, .more = more };
	struct sq_arena a;
	uint64_t sum;

	sq_assert(sq_arena_init(&a, cap) == 0);
	sq_event_set(&ev, SQ_F_IMAGE, image);
	if (how < 192) {
		ev.category = SQ_CATEGORY_PROCESS_CREATION;
		sq_event_add(&ev, SQ_F_COMMAND_LINE, text);
		if (how < 16)
			sq_event_add(&ev, SQ_F_COMMAND_LINE, image);
		if (how % 4 == 0)
			sq_event_set(&ev, SQ_F_CURRENT_DIRECTORY, how % 8 ? image : text);
	} else {
		sq_event_set(&ev, fields[how % SQ_LEN(fields)], text);
	}
	sq_derive(&ev, &a, SQ_DERIVE_ALL);
	sum = sum_of(&ev);
	sq_arena_fini(&a);
	return sum;
}

/* The first byte says what the rest is; images that have a model come up often. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sq_sv images[] = {
		{ "C:\\Windows\\System32\\regsvr32.exe", 33 },
		{ "C:\\Windows\\System32\\cmd.exe", 28 },
		{ "C:\\Windows\\System32\\rundll32.exe", 33 },
		{ "C:\\Windows\\System32\\mshta.exe", 30 },
		{ "C:\\x.exe", 8 },
	};
	uint8_t how = size ? data[0] : 0;
	size_t n = size ? size - 1 : 0;
	char *copy = malloc(n ? n : 1);
	struct sq_sv text = { copy, n }, image = images[how % SQ_LEN(images)];

	sq_assert(copy);
	if (n)
		memcpy(copy, data + 1, n);
	if (how % 7 == 0) { /* up to the first line end it is the image */
		image = sq_sv_cut(&text, '\n');
		if (!text.p)
			text.p = copy;
	}
	sq_assert(run(image, text, how, ARENA) == run(image, text, how, ARENA));
	(void)run(image, text, how, size * 3);
	free(copy);
	return 0;
}
