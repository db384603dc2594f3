/* Memory of a fixed size that the system gives page by page, as it is first written to, and takes
 * back when its owner says that nothing in it is needed: what is big, and often not used.
 */
#pragma once

#include <stddef.h>

/** `n` bytes, zero, at least 1; none of them resident. NULL: out of memory. Ended with
 *  sq_block_free() and the same `n`. */
void *sq_block_new(size_t n);

/** NULL `p`: nothing. */
void sq_block_free(void *p, size_t n);

/** Forget what is in it: it may be zero then, and is not resident. With AddressSanitizer nothing is
 *  done, so nobody may rely on the zeros. */
void sq_block_cool(void *p, size_t n);
