/* What stands in Windows events as they are forwarded, and how often: for choosing what to look
 * for.
 *
 * Pure; cold path. Characters alone do not tell what stands together: "trol" is made of the same
 * ones as "rtlo", and stands in every event that names CurrentControlSet.
 */
#pragma once

#include "lib/base/sv.h"

enum {
	SQ_TYPICAL_TEXT = 1873, /* bytes */
	SQ_TYPICAL_LOG = 14,
};

/** What events say all the time, letters in lower case; ends with NUL. */
extern const char sq_typical_text[SQ_TYPICAL_TEXT + 1];

/** How often a character stands in events, letters in either case; of all characters. */
double sq_typical_char(unsigned char c);

/** The four-byte pieces of that text, counted. Init, then constant. */
struct sq_typical {
	uint8_t times[1 << SQ_TYPICAL_LOG]; /* by hash */
};

void sq_typical_init(struct sq_typical *t);

/** How often the four bytes at `p` (in lower case) stand in events, of all places: as its
 * characters go, and in that text. */
double sq_typical_gram(const struct sq_typical *t, const char *p);
