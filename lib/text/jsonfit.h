/* Is an object such as every reader of JSON takes it (RFC 8259, in UTF-8), and if not, can it be
 * made so without saying anything else?
 *
 * Senders write bytes that are no UTF-8, control characters as they are, and halves of pairs of
 * surrogates (\ud800 alone). Readers of ours take them all; receivers refuse the message, or all
 * that came with it. Text of UTF-8 without control characters in its strings is found to be fit by
 * eight bytes at a time.
 *
 * Pure, linear, no allocation but what the outbuf takes.
 */
#pragma once

#include "lib/base/outbuf.h"

enum { SQ_JSONFIT_DEPTH = 256 }; /* objects and arrays in each other; many readers take 1000 */

enum sq_json_fitness {
	SQ_JSON_FIT,
	/** It would be but for what is in its strings: bytes that are no UTF-8, control characters,
	 *  or the escape of half a pair of surrogates. */
	SQ_JSON_MENDABLE,
	SQ_JSON_BROKEN, /* no JSON, cut off, no object, something around it, or too deep */
};

/** Of one object, from its first byte to its last. */
enum sq_json_fitness sq_json_judge(struct sq_sv object);

/** Mend what was put into `out` from `at` on, which is mendable: in strings each byte that is no
 *  part of UTF-8 becomes U+FFFD, each control character its escape, and each escape of a surrogate
 *  without its other half that of U+FFFD. */
void sq_json_mend(struct sq_outbuf *out, size_t at);
