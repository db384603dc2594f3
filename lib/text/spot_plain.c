/* Byte by byte: what every CPU can do. */
#include "lib/text/spot_private.h"

uint32_t sq_spot_plain(const struct sq_spot *s, const char *p, size_t n, uint32_t from,
                       uint32_t *to)
{
	const unsigned char *c = (const unsigned char *)p;
	uint32_t found = 0;

	for (size_t i = 0; i < n; i++) {
		to[found] = from + (uint32_t)i;
		found += (s->allowed[0][c[i]] & s->allowed[1][c[i + 1]] & s->allowed[2][c[i + 2]] &
		          s->allowed[3][c[i + 3]]) != 0;
	}
	return found;
}
