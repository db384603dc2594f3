/* The Base64 that PowerShell takes for a command: -EncodedCommand, and every shorter way to write
 * that option.
 *
 * Pure; works on the raw text of a command line, since folding would make other letters of it. What
 * is decoded is a script, which may hold such a line itself: the caller asks again.
 */
#pragma once

#include "lib/base/arena.h"

/**
 * The next encoded command of `*line`, decoded to UTF-8; `*line` is moved past it. Passed over is
 * what decodes to no text. Linear in the line; what is decoded takes at most one and a quarter
 * times as many bytes as it was given in.
 *
 * @return in the arena; empty: there is none any more, or the arena was full
 */
struct sq_sv sq_encoded_next(struct sq_arena *arena, struct sq_sv *line);
