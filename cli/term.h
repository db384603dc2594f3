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

/** Print `v` from an event: control characters, what is not UTF-8 and characters that turn the
 *  direction of writing are shown as escapes, so that an event cannot write to the terminal.
 *  Pads with blanks to `width` columns (0: not). */
void cli_term_put(FILE *f, struct sq_sv v, size_t width);
