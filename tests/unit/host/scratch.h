/* A folder of its own for each test, removed at its end. `*state` is its path. */
#pragma once

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/test.h"

static inline int scratch_setup(void **state)
{
	char *path = strdup("/tmp/squibly-test-XXXXXX");

	*state = mkdtemp(path);
	return *state ? 0 : -1;
}

static inline int scratch_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline int scratch_teardown(void **state)
{
	int r = nftw(*state, scratch_remove, 16, FTW_DEPTH | FTW_PHYS);

	free(*state);
	return r;
}

/** Path of `name` in the folder, to be freed. */
static inline char *scratch_path(const char *folder, const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
	return path;
}

/** Write a file; gives its path, to be freed. */
static inline char *scratch_file(const char *folder, const char *name, const char *text)
{
	char *path = scratch_path(folder, name);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	return path;
}

static inline void scratch_folder(const char *folder, const char *name)
{
	char *path = scratch_path(folder, name);

	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
}

static inline void scratch_link(const char *folder, const char *to, const char *name)
{
	char *path = scratch_path(folder, name);

	assert_int_equal(symlink(to, path), 0);
	free(path);
}
