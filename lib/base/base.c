#include "lib/base/base.h"

#include <stdio.h>
#include <stdlib.h>

void sq_assert_failed(const char *expr, const char *file, int line)
{
	fprintf(stderr, "<2>assertion failed: %s (%s:%d)\n", expr, file, line);
	abort();
}
