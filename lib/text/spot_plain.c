/* Byte by byte: what every CPU can do. */
#include "lib/text/spot_private.h"

uint32_t sq_spot_plain(const struct sq_spot *s, const char *p, size_t n, uint32_t from,
                       uint32_t *to)
{
	uint32_t found = 0;

	for (size_t i = 0; i < n; i++) {
		to[found] = from + (uint32_t)i;
		found += sq_spot_is_at(s, p + i);
	}
	return found;
}
