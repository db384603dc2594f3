/* Any bytes: folding never grows them, folding twice is folding once, offsets go up and lead into
 * the raw text. The same for the text of a path, whose place stays the same, too. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/derive/fold.h"
#include "lib/derive/winpath.h"

enum { INPUT_MAX = 1 << 14, ARENA = 1 << 13, ARENA_PER_BYTE = 128 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sq_sv copy_of(struct sq_sv v)
{
	char *copy = malloc(v.n ? v.n : 1);

	sq_assert(copy);
	if (v.n)
		memcpy(copy, v.p, v.n);
	return (struct sq_sv){ copy, v.n };
}

static void check_text(struct sq_arena *arena, struct sq_sv in)
{
	struct sq_folded once, twice;

	sq_assert(sq_fold_text(arena, in, true, &once));
	sq_assert(once.text.n <= in.n);
	for (size_t i = 0; i < once.text.n && once.offsets; i++)
		sq_assert(once.offsets[i] < once.offsets[i + 1]);
	if (once.offsets)
		sq_assert(once.offsets[once.text.n] == in.n);
	sq_assert(sq_fold_text(arena, once.text, false, &twice));
	sq_assert(sq_sv_eq(once.text, twice.text));
	sq_assert(once.blanks == twice.blanks);
}

static void check_path(struct sq_arena *arena, struct sq_sv in)
{
	struct sq_winpath once, twice;

	sq_assert(sq_winpath_fold(arena, in, &once));
	if (once.path.n > SQ_WINPATH_MAX)
		return;
	sq_assert(sq_winpath_fold(arena, once.path, &twice));
	sq_assert(sq_sv_eq(once.path, twice.path));
	sq_assert(once.place == twice.place);
	sq_assert(sq_sv_eq(once.name, twice.name) && sq_sv_eq(once.stream, twice.stream));
	(void)sq_winpath_names(&once, SQ_SV("scrobj"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sq_arena arena;
	struct sq_sv in;

	if (size > INPUT_MAX)
		return 0;
	sq_assert(sq_arena_init(&arena, ARENA + size * ARENA_PER_BYTE) == 0);
	in = copy_of((struct sq_sv){ (const char *)data, size });
	check_text(&arena, in);
	check_path(&arena, in);
	free((char *)(uintptr_t)in.p);
	sq_arena_fini(&arena);
	return 0;
}
