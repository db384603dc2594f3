/* One hash for the keys of events: field names and the components of paths.
 *
 * Private to lib/model. A key is hashed by its length, its first eight bytes and its last eight,
 * which costs the same for every length; the tables built on it are constant, small and filled by
 * us, so that nobody can make their chains long.
 */
#pragma once

#include "lib/model/field.h"

static inline uint32_t sq_key_hash(struct sq_sv key)
{
	uint64_t a = 0, b = 0, h;

	if (key.n >= 8) {
		memcpy(&a, key.p, 8);
		memcpy(&b, key.p + key.n - 8, 8);
	} else if (key.n >= 4) {
		uint32_t lo, hi;

		memcpy(&lo, key.p, 4);
		memcpy(&hi, key.p + key.n - 4, 4);
		a = lo | (uint64_t)hi << 32;
	} else if (key.n) {
		a = (unsigned char)key.p[0] | (uint64_t)(unsigned char)key.p[key.n >> 1] << 8 |
		    (uint64_t)(unsigned char)key.p[key.n - 1] << 16;
	}
	h = (a ^ (b << 29 | b >> 35) ^ key.n) * 0x9e3779b97f4a7c15u;
	return (uint32_t)(h >> 32);
}

/** sq_fields_find() for who has the hash of `name` already. */
int sq_fields_find_hashed(const struct sq_fields *f, struct sq_sv name, uint32_t hash);
