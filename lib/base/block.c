#include "lib/base/block.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "lib/base/asan.h"

/* As calloc() does it for what is big: nothing is written before it is used. But small ones it
 * takes from where others have been, and where MALLOC_PERTURB_ is set, as meson does it for tests,
 * and with ThreadSanitizer it writes to all of it. AddressSanitizer has to see what the block
 * points to. */
#ifdef SQ_ASAN

void *sq_block_new(size_t n)
{
	return calloc(1, n ? n : 1);
}

void sq_block_free(void *p, size_t n)
{
	(void)n;
	free(p);
}

void sq_block_cool(void *p, size_t n)
{
	(void)p;
	(void)n;
}

#else

void *sq_block_new(size_t n)
{
	void *p = mmap(NULL, n ? n : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void sq_block_free(void *p, size_t n)
{
	if (p)
		(void)munmap(p, n ? n : 1); /* it fails for addresses that are none of a map */
}

void sq_block_cool(void *p, size_t n)
{
	if (p)
		(void)madvise(p, n ? n : 1, MADV_DONTNEED);
}

#endif
