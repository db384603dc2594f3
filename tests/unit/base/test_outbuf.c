#include "tests/support/test.h"

#include "lib/base/outbuf.h"
#include "tests/support/fault_alloc.h"

static void writing_grows(void **state)
{
	struct sq_outbuf b = sq_outbuf_of(100000);

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		sq_outbuf_putc(&b, (char)('0' + i % 10));
		assert_true(b.len <= b.cap && b.cap <= b.max);
	}
	sq_outbuf_put(&b, (struct sq_sv){ NULL, 0 });
	sq_outbuf_put(&b, SQ_SV("abc"));
	sq_outbuf_printf(&b, "%d-%s", 42, "x");
	assert_false(b.failed);
	assert_int_equal(b.len, 10007);
	assert_memory_equal(b.p, "0123456789", 10);
	assert_memory_equal(b.p + 9998, "89abc42-x", 9);
	sq_outbuf_fini(&b);
	assert_null(b.p);
	sq_outbuf_putc(&b, 'x'); /* and can be used again */
	assert_sv_equal(sq_outbuf_view(&b), SQ_SV("x"));
	sq_outbuf_fini(&b);
	sq_outbuf_fini(NULL);
}

static void what_does_not_fit_is_left_out(void **state)
{
	struct sq_outbuf b = sq_outbuf_of(5);

	(void)state;
	sq_outbuf_put(&b, SQ_SV("1234"));
	sq_outbuf_put(&b, SQ_SV("56"));
	assert_true(b.failed);
	sq_outbuf_putc(&b, '5'); /* would fit, but comes after a hole */
	assert_sv_equal(sq_outbuf_view(&b), SQ_SV("1234"));
	sq_outbuf_cut(&b, 4);
	sq_outbuf_putc(&b, '5');
	assert_false(b.failed);
	assert_sv_equal(sq_outbuf_view(&b), SQ_SV("12345"));
	sq_outbuf_putc(&b, '6');
	assert_true(b.failed);
	sq_outbuf_reset(&b);
	assert_int_equal(b.len, 0);
	sq_outbuf_printf(&b, "%s", "12345");
	assert_false(b.failed);
	assert_sv_equal(sq_outbuf_view(&b), SQ_SV("12345"));
	sq_outbuf_reset(&b);
	sq_outbuf_printf(&b, "%s", "123456");
	assert_true(b.failed);
	assert_int_equal(b.len, 0);
	sq_outbuf_reset(&b);
	assert_null(sq_outbuf_reserve(&b, SIZE_MAX));
	assert_true(b.failed);
	sq_outbuf_fini(&b);
}

static void a_warm_buffer_allocates_nothing(void **state)
{
	struct sq_outbuf b = sq_outbuf_of(4096);

	(void)state;
	assert_non_null(sq_outbuf_reserve(&b, 4096));
	sq_outbuf_reset(&b);
	fault_alloc_at(1);
	for (unsigned i = 0; i < 400; i++)
		sq_outbuf_put(&b, SQ_SV("0123456789"));
	assert_false(fault_alloc_end());
	assert_int_equal(b.len, 4000);
	sq_outbuf_fini(&b);
}

static void no_memory_loses_the_write(void **state)
{
	struct sq_outbuf b = sq_outbuf_of(4096);

	(void)state;
	fault_alloc_at(1);
	sq_outbuf_put(&b, SQ_SV("x"));
	assert_true(fault_alloc_end());
	assert_true(b.failed);
	assert_int_equal(b.len, 0);
	sq_outbuf_reset(&b);
	sq_outbuf_put(&b, SQ_SV("y"));
	assert_non_null(sq_outbuf_reserve(&b, 255));
	fault_alloc_at(1);
	assert_null(sq_outbuf_reserve(&b, 256));
	assert_true(fault_alloc_end());
	assert_sv_equal(sq_outbuf_view(&b), SQ_SV("y"));
	sq_outbuf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writing_grows),
		cmocka_unit_test(what_does_not_fit_is_left_out),
		cmocka_unit_test(a_warm_buffer_allocates_nothing),
		cmocka_unit_test(no_memory_loses_the_write),
	};

	return cmocka_run_group_tests_name("outbuf", tests, NULL, NULL);
}
