/* Which part of a word is looked for by a window of lib/text/spot.h, and in which bucket: there
 * where Windows events have it the least, alone and mixed with the other words of the bucket. Pure;
 * cold path.
 */
#pragma once

#include "lib/text/spot.h"

/**
 * Choose a window for each of `n` words, of printable ASCII in lower case, three bytes or more.
 *
 * @param without  by word: not 0: it needs none
 * @param bucket   the first that may be used; all from there on may
 * @param ret_bucket, ret_off  by word: the bucket, and where in the word the window begins
 * @return how many of all places are found then, as characters go
 */
double sq_windows_place(const struct sq_sv *words, uint32_t n, const uint8_t *without,
                        unsigned bucket, uint8_t *ret_bucket, uint8_t *ret_off);
