/* Where a line ends: the first LF or NUL, looked for at the speed of memory.
 *
 * Pure. One pass finds either byte; memchr() would need one for each. Each kind of CPU has a body
 * of its own, all give the same; nothing is read past the end of the text.
 */
#pragma once

#include "lib/base/sv.h"

/** Position of the first LF or NUL in `v`, or SIZE_MAX. */
size_t sq_line_end(struct sq_sv v);

struct sq_line_end_body {
	const char *name; /* "avx512", "avx2", "plain" */
	size_t (*find)(struct sq_sv v);
	bool (*runs)(void); /* on this CPU */
};

/** All bodies that were compiled in, the best first; the last runs everywhere. For tests. */
extern const struct sq_line_end_body sq_line_end_bodies[];
extern const size_t sq_line_end_bodies_n;
