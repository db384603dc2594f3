#include "daemon/base/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

enum {
	EACH_MS = 30000,
	WORTH_BYTES = 16 << 20,
};

#ifdef __GLIBC__
/* Bytes of ours in memory. 0: nobody knows. */
static uint64_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%*u %llu", &pages) != 1)
		pages = 0;
	(void)fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
#endif

/* The C library gives back the end of a heap by itself, and keeps what is free before it: after a
 * burst, queues and the texts of batches. What it has given back it still counts as free, and looks
 * at each piece of it to give it back once more: so it is asked when we have grown since. */
void sqd_memory_trim(uint64_t now_ms)
{
#ifdef __GLIBC__
	static uint64_t looked_ms, least; /* main loop only */
	uint64_t now;

	if (now_ms - looked_ms < EACH_MS)
		return;
	looked_ms = now_ms;
	now = resident();
	if (least > now)
		least = now;
	if (now && now - least < WORTH_BYTES)
		return;
	if (mallinfo2().fordblks < WORTH_BYTES)
		return;
	(void)malloc_trim(0);
	least = resident();
#else
	(void)now_ms;
#endif
}
