/* Input in a block of its own length, so that a byte too many that is read is noticed. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "lib/base/base.h"

static inline char *copy_of(const char *p, size_t n)
{
	char *copy = malloc(n ? n : 1);

	sq_assert(copy);
	if (n)
		memcpy(copy, p, n);
	return copy;
}
