/* cmocka in the right order, and what nearly every test needs. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/sv.h"

/** Compare two views, showing both on failure. */
#define assert_sv_equal(got, want)                                                                 \
	do {                                                                                       \
		struct sq_sv got_ = (got), want_ = (want);                                         \
		if (!sq_sv_eq(got_, want_))                                                        \
			fail_msg("got \"%.*s\", want \"%.*s\"", SQ_SV_ARG(got_),                   \
			         SQ_SV_ARG(want_));                                                \
	} while (0)

/** Run `rows[i]` (structs that begin with `const char *name`) as one named cmocka test each. */
#define RUN_TABLE(group, rows, function)                                                           \
	run_table(group, rows, SQ_LEN(rows), sizeof((rows)[0]), function)

static inline int run_table(const char *group, void *rows, size_t n, size_t size,
                            void (*function)(void **))
{
	struct CMUnitTest *tests = calloc(n, sizeof(*tests));
	int failed;

	for (size_t i = 0; i < n; i++) {
		char *row = (char *)rows + i * size;

		tests[i] = (struct CMUnitTest){ .name = *(const char **)(void *)row,
			                        .test_func = function,
			                        .initial_state = row };
	}
	failed = _cmocka_run_group_tests(group, tests, n, NULL, NULL);
	free(tests);
	return failed;
}

/** A heap copy of exactly `n` bytes, so that ASan sees one byte too many. Free with free(). */
static inline char *exact(const char *p, size_t n)
{
	char *copy = malloc(n ? n : 1);

	if (n)
		memcpy(copy, p, n);
	return copy;
}

/** The next of a row of numbers that is the same in every run (Knuth's MMIX generator). */
static inline uint32_t test_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}
