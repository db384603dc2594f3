/* A command line cut into arguments as the C runtime of Windows cuts it, and the plain text of a
 * line that cmd.exe will read.
 *
 * Pure; works on folded text (fold.h), though it does not insist. Nothing is dropped: an argument
 * that nobody understands is still an argument.
 */
#pragma once

#include "lib/base/arena.h"

/** Arguments looked at one by one. With MANY_ARGUMENTS among the tricks there are exactly so many,
 *  and the last one holds all that is left, joined by blanks. */
enum { SQ_CMDLINE_MAX = 256 };

struct sq_cmdline {
	/** The program's name as written; empty when the line has none. */
	struct sq_sv argv0;
	/** What follows, quotes and escapes resolved. May hold empty arguments (`""`). The array
	 * and all bytes lie in the arena. */
	const struct sq_sv *args;
	uint32_t n;
	/** argv0 and the arguments, joined by one blank each; argv0 and args view into it. */
	struct sq_sv joined;
	uint32_t tricks; /* enum sq_trick as bits: SPLIT_QUOTES, NO_ARGV0, MANY_ARGUMENTS */
};

/**
 * Split `line` by the rule of the C runtime: blanks and tabs separate; 2n backslashes and a quote
 * are n backslashes and begin or end a quoted part, 2n+1 are n and a quote as such; `""` within a
 * quoted part is a quote. The program's name knows no escapes, and ends with its closing quote when
 * a switch follows that at once.
 *
 * A line whose first token begins with '-' or '/', and one that begins with a blank, holds
 * arguments only: so BITS and the 64-bit regsvr32 start programs. After a blank the first token is
 * still the program when it names `image`.
 *
 * @param image  base name of the program that was started, folded, or empty
 * @return false when the arena was full; `*ret` then holds no arguments and joined is `line`
 */
bool sq_cmdline_split(struct sq_arena *arena, struct sq_sv line, struct sq_sv image,
                      struct sq_cmdline *ret);

/**
 * The text of a line for cmd.exe, or of one stored for later, without what cmd.exe takes away:
 * carets and quotes. They go wherever they stand, because what is quoted for the outer shell is not
 * for the inner one. Runs of blanks become one, those at both ends go.
 *
 * @param tricks  gets CARET and VARIABLE added; may be NULL
 * @return in the arena, never longer than `line`; `line` itself when the arena was full
 */
struct sq_sv sq_cmdline_plain(struct sq_arena *arena, struct sq_sv line, uint32_t *tricks);
