#include "tests/support/test.h"

#include <errno.h>
#include <sys/resource.h>

#include "lib/base/arena.h"
#include "tests/support/fault_alloc.h"

static void memory_is_aligned_and_apart(void **state)
{
	struct sq_arena a;
	char *text, *block;

	(void)state;
	assert_int_equal(sq_arena_init(&a, 1024), 0);
	for (size_t n = 1; n < 20; n++) {
		text = sq_arena_bytes(&a, n);
		memset(text, 'x', n);
		block = sq_arena_alloc(&a, 8);
		assert_int_equal((uintptr_t)block % _Alignof(max_align_t), 0);
		assert_true(block >= text + n);
		memset(block, 'y', 8);
		assert_int_equal(text[n - 1], 'x');
	}
	assert_false(a.overflow);
	sq_arena_fini(&a);
	sq_arena_fini(&a);
	sq_arena_fini(NULL);
}

static void full_is_a_state(void **state)
{
	struct sq_arena a;
	size_t mark;

	(void)state;
	assert_int_equal(sq_arena_init(&a, 64), 0);
	assert_non_null(sq_arena_bytes(&a, 64));
	assert_non_null(sq_arena_bytes(&a, 0));
	assert_false(a.overflow);
	assert_null(sq_arena_bytes(&a, 1));
	assert_true(a.overflow);
	sq_arena_reset(&a);
	assert_false(a.overflow);
	assert_int_equal(a.used, 0);
	assert_null(sq_arena_alloc(&a, SIZE_MAX));
	assert_true(a.overflow);
	sq_arena_reset(&a);
	assert_non_null(sq_arena_bytes(&a, 60));
	mark = sq_arena_mark(&a);
	assert_null(sq_arena_alloc(&a, 1)); /* the padding alone does not fit */
	assert_true(a.overflow);
	assert_sv_equal(sq_arena_dup(&a, SQ_SV("12345")), SQ_SV(""));
	sq_arena_rewind(&a, mark);
	assert_false(a.overflow);
	assert_sv_equal(sq_arena_dup(&a, SQ_SV("1234")), SQ_SV("1234"));
	assert_sv_equal(sq_arena_dup(&a, (struct sq_sv){ NULL, 0 }), SQ_SV(""));
	assert_false(a.overflow);
	sq_arena_fini(&a);
}

static void the_last_bytes_can_be_given_back(void **state)
{
	struct sq_arena a;
	char *p, *q;

	(void)state;
	assert_int_equal(sq_arena_init(&a, 64), 0);
	p = sq_arena_bytes(&a, 40);
	memcpy(p, "abc", 3);
	sq_arena_trim(&a, p + 3);
	q = sq_arena_bytes(&a, 61);
	assert_ptr_equal(q, p + 3);
	assert_memory_equal(p, "abc", 3);
	sq_arena_fini(&a);
}

static void an_empty_arena_is_full(void **state)
{
	struct sq_arena a;

	(void)state;
	assert_int_equal(sq_arena_init(&a, 0), 0);
	assert_null(sq_arena_alloc(&a, 1));
	assert_true(a.overflow);
	sq_arena_fini(&a);
}

static void no_memory(void **state)
{
	struct sq_arena a = { 0 };

	(void)state;
	fault_alloc_at(1);
	assert_int_equal(sq_arena_init(&a, 64), -ENOMEM);
	assert_true(fault_alloc_end());
	sq_arena_fini(&a);
}

static long pages_touched(void)
{
	struct rusage used;

	assert_int_equal(getrusage(RUSAGE_SELF, &used), 0);
	return used.ru_minflt;
}

/* Also when MALLOC_PERTURB_ is set, as meson does it for tests. */
static void of_a_large_block_nothing_is_touched_before_it_is_used(void **state)
{
	const size_t size = 64 << 20;
	long before = pages_touched();
	struct sq_arena a;
	char *all;

	(void)state;
	assert_int_equal(sq_arena_init(&a, size), 0);
	assert_true(pages_touched() - before < 8192); /* half of its pages of 4 KiB */
	all = sq_arena_bytes(&a, size);
	assert_non_null(all);
	all[0] = all[size - 1] = 'x';
	assert_null(sq_arena_bytes(&a, 1));
	sq_arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_aligned_and_apart),
		cmocka_unit_test(full_is_a_state),
		cmocka_unit_test(the_last_bytes_can_be_given_back),
		cmocka_unit_test(an_empty_arena_is_full),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(of_a_large_block_nothing_is_touched_before_it_is_used),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
