/* SipHash-2-4 with 128 bits of result: a keyed hash for what others choose the bytes of. Whoever
 * does not know the key can neither find two inputs of the same hash nor say what it will be.
 *
 * Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012, and its 128-bit variant.
 */
#pragma once

#include "lib/base/sv.h"

struct sq_siphash_key {
	uint64_t k[2]; /* secret, of equal chance */
};

struct sq_siphash {
	uint64_t v[4];
	uint64_t tail; /* bytes that do not fill a word yet, little endian */
	uint64_t n;    /* bytes given */
};

/** begin(), any number of put(), end(): the hash is that of all bytes one behind the other, however
 *  they were divided. end() spends `h`; begin() makes it new. */
void sq_siphash_begin(struct sq_siphash *h, const struct sq_siphash_key *key);
void sq_siphash_put(struct sq_siphash *h, struct sq_sv bytes);
void sq_siphash_end(struct sq_siphash *h, uint64_t ret[2]);

/** A number, in a form that takes the same room for all. */
void sq_siphash_put_number(struct sq_siphash *h, uint64_t n);

/** A text with its length, so that two texts cannot run into each other. */
static inline void sq_siphash_put_text(struct sq_siphash *h, struct sq_sv text)
{
	sq_siphash_put_number(h, text.n);
	sq_siphash_put(h, text);
}
