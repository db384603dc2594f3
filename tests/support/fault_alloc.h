/* Make the n-th allocation fail, to walk through every error path of a cold function.
 *
 * A test that wants it has `fault_alloc` as the third element of its row in meson.build:
 * [['base/err', files('test_err.c'), [fault_alloc]]]. Then malloc, calloc, realloc, reallocarray,
 * strdup and strndup of the test and of our own libraries come through here; those inside of
 * foreign shared libraries do not.
 *
 *	for (unsigned n = 1;; n++) {
 *		fault_alloc_at(n);
 *		r = function_under_test();
 *		if (!fault_alloc_end())
 *			break;            (nothing failed: r must be success)
 *		assert_int_equal(r, -ENOMEM);
 *	}
 */
#pragma once

#include <stdbool.h>

/** The `n`-th allocation from now fails, once. From 1. */
void fault_alloc_at(unsigned n);

/** Back to normal. @return whether the failure was reached */
bool fault_alloc_end(void);
