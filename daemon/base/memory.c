#include "daemon/base/memory.h"

#include <malloc.h>

enum {
	EACH_MS = 30000,
	WORTH_BYTES = 16 << 20,
};

/* The C library gives back the end of a heap by itself, and keeps what is free before it: after a
 * burst, queues and the texts of batches. */
void sqd_memory_trim(uint64_t now_ms)
{
#ifdef __GLIBC__
	static uint64_t looked_ms; /* main loop only */

	if (now_ms - looked_ms < EACH_MS)
		return;
	looked_ms = now_ms;
	if (mallinfo2().fordblks >= WORTH_BYTES)
		(void)malloc_trim(0);
#else
	(void)now_ms;
#endif
}
