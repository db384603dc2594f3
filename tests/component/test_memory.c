/* When what the process has freed is given back: often enough, and not for nothing. */
#include <malloc.h>
#include <sys/mman.h>

#include "daemon/base/memory.h"
#include "tests/support/test.h"

enum { MUCH = 64 << 20, LOOK_MS = 30000 };

static size_t heap_has;
static unsigned n_looks, n_trims;

/* By the linker's --wrap: what the heap says, and whether it is asked. */
struct mallinfo2 __wrap_mallinfo2(void);
int __wrap_malloc_trim(size_t pad);

struct mallinfo2 __wrap_mallinfo2(void)
{
	n_looks++;
	return (struct mallinfo2){ .fordblks = heap_has };
}

int __wrap_malloc_trim(size_t pad SQ_UNUSED)
{
	n_trims++;
	return 1;
}

static void *grow(void)
{
	void *p = mmap(NULL, MUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	memset(p, 1, MUCH);
	return p;
}

/* One after another, since what it remembers is the process's. */
static void it_is_given_back_when_there_is_more_of_it(void **state SQ_UNUSED)
{
	uint64_t now = 10 * LOOK_MS;
	void *kept = grow(), *more;

	heap_has = MUCH;
	sqd_memory_trim(now);
	assert_int_equal(n_trims, 1);
	sqd_memory_trim(now + LOOK_MS - 1); /* a moment ago */
	assert_int_equal(n_looks, 1);
	/* It counts as free for ever, and is there no more. */
	for (unsigned i = 0; i < 10; i++)
		sqd_memory_trim(now += LOOK_MS);
	assert_int_equal(n_trims, 1);
	/* A burst, that still needs what it took; and after it. */
	more = grow();
	heap_has = 0;
	sqd_memory_trim(now += LOOK_MS);
	assert_int_equal(n_trims, 1);
	heap_has = MUCH;
	sqd_memory_trim(now += LOOK_MS);
	assert_int_equal(n_trims, 2);
	sqd_memory_trim(now += LOOK_MS);
	assert_int_equal(n_trims, 2);
	/* What has gone by itself, and comes again, is growth. */
	assert_int_equal(munmap(more, MUCH), 0);
	sqd_memory_trim(now += LOOK_MS);
	assert_int_equal(n_trims, 2);
	more = grow();
	sqd_memory_trim(now + LOOK_MS);
	assert_int_equal(n_trims, 3);
	assert_int_equal(munmap(more, MUCH), 0);
	assert_int_equal(munmap(kept, MUCH), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_given_back_when_there_is_more_of_it),
	};

	return cmocka_run_group_tests_name("base/memory", tests, NULL, NULL);
}
