/* Text for people: colours on a terminal, and nothing in it that a terminal would obey.
 */
#pragma once

#include <stdio.h>

#include "lib/base/sv.h"
#include "lib/rules/rule.h"

/** Colours are wanted on `f`: a terminal, NO_COLOR unset, TERM not dumb. */
bool cli_term_colours(FILE *f);

/** Escape sequence that begins the colour of a level, or "" when not `colours`. */
const char *cli_term_level(enum sq_level l, bool colours);
/** "" or the sequence that ends a colour. */
const char *cli_term_off(bool colours);
const char *cli_term_dim(bool colours);

enum { CLI_TERM_NO_TERMINAL = 200 };

/** Columns of a line on `f`: of the terminal, or CLI_TERM_NO_TERMINAL. */
size_t cli_term_width(FILE *f);

/** Print `v` from an event: control characters, what is not UTF-8, and characters that turn the
 *  direction of writing or cannot be seen are shown as escapes, so that an event cannot write to
 *  the terminal.
 *  Pads with blanks to `width` columns (0: not). */
void cli_term_put(FILE *f, struct sq_sv v, size_t width);

/** The same in at most `max` columns (at least 8): of a longer text the middle is left out, since
 *  the ends of a command line tell most. Pads with blanks to `pad` columns.
 *  @return columns printed */
size_t cli_term_fit(FILE *f, struct sq_sv v, size_t pad, size_t max);
