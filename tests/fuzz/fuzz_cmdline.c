/* Any line: every argument lies in the joined text in order, nothing but quotes, blanks and
 * escaping backslashes is lost, and the text for cmd.exe is stable. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/derive/cmdline.h"
#include "lib/derive/fold.h"

enum { INPUT_MAX = 1 << 14, ARENA = 1 << 14, ARENA_PER_BYTE = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes that no rule of splitting takes away. */
static size_t count_kept(struct sq_sv v)
{
	size_t n = 0;

	for (size_t i = 0; i < v.n; i++)
		n += v.p[i] != '"' && v.p[i] != '\\' && v.p[i] != ' ' && v.p[i] != '\t';
	return n;
}

static void check_split(struct sq_arena *arena, struct sq_sv line, struct sq_sv image)
{
	struct sq_cmdline got;
	const char *at;

	sq_assert(sq_cmdline_split(arena, line, image, &got));
	sq_assert(got.n <= SQ_CMDLINE_MAX && got.joined.n <= line.n);
	sq_assert(count_kept(got.joined) == count_kept(line));
	if (line.n == 0)
		return;
	sq_assert(!(got.tricks & SQ_TRICK_BIT(SQ_TRICK_NO_ARGV0)) || got.argv0.n == 0);
	at = got.joined.p + got.argv0.n;
	for (uint32_t i = 0; i < got.n; i++) {
		sq_assert(got.args[i].p >= at);
		at = got.args[i].p + got.args[i].n;
		sq_assert(at <= got.joined.p + got.joined.n);
	}
	if (got.n)
		sq_assert(at == got.joined.p + got.joined.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sq_arena arena;
	struct sq_sv line, plain;
	uint32_t tricks = 0;
	char *copy;

	if (size > INPUT_MAX)
		return 0;
	copy = malloc(size ? size : 1);
	sq_assert(copy && sq_arena_init(&arena, ARENA + size * ARENA_PER_BYTE) == 0);
	if (size)
		memcpy(copy, data, size);
	line = (struct sq_sv){ copy, size };
	check_split(&arena, line, SQ_SV(""));
	check_split(&arena, line, SQ_SV("regsvr32.exe"));
	plain = sq_cmdline_plain(&arena, line, &tricks);
	sq_assert(plain.n <= size);
	sq_assert(sq_sv_eq(sq_cmdline_plain(&arena, plain, NULL), plain));
	free(copy);
	sq_arena_fini(&arena);
	return 0;
}
