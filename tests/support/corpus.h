/* The real events beside the source tree, as records in memory. */
#pragma once

#include "tests/support/test.h"

#include <dirent.h>
#include <zlib.h>

enum { CORPUS_FILE_MAX = 64 << 20, CORPUS_RECORDS_MAX = 40000, CORPUS_FILES_MAX = 128 };

struct corpus {
	struct sq_sv *records; /* views of `files`, one for each line */
	size_t n;
	char *files[CORPUS_FILES_MAX];
	size_t n_files;
};

/** What a test program ends with that could run nothing: meson counts it as skipped. */
enum { CORPUS_SKIPPED = 77 };

/** Where it lies, or NULL, which is told. */
static inline const char *corpus_find(void)
{
	static char path[4096];
	const char *dir = getenv("SQUIBLY_SHARED"), *source = getenv("SQ_SOURCE_DIR");
	DIR *d;

	if (dir)
		(void)snprintf(path, sizeof(path), "%s", dir);
	else
		(void)snprintf(path, sizeof(path), "%s/../shared", source ? source : ".");
	d = opendir(path);
	if (!d) {
		print_message("skipped: no real events in %s\n", path);
		return NULL;
	}
	closedir(d);
	return path;
}

/** Where it lies; skips the test when it does not. */
static inline const char *corpus_folder(void)
{
	const char *path = corpus_find();

	if (!path)
		skip();
	return path;
}

/** A whole file, unpacked when it is packed; the caller's to free. */
static inline struct sq_sv corpus_slurp(const char *path)
{
	char *p = malloc(CORPUS_FILE_MAX), *fit;
	gzFile f = gzopen(path, "rb");
	int n;

	if (!p || !f)
		fail_msg("%s cannot be read", path);
	n = gzread(f, p, CORPUS_FILE_MAX);
	assert_true(n >= 0 && n < CORPUS_FILE_MAX);
	gzclose(f);
	fit = realloc(p, n ? (size_t)n : 1);
	assert_non_null(fit);
	return (struct sq_sv){ fit, (size_t)n };
}

/** Add the lines of a file, unpacked when it is packed. Every `step`-th one. */
static inline void corpus_file(struct corpus *c, const char *path, size_t step)
{
	struct sq_sv all = corpus_slurp(path), rest = all;
	size_t line = 0;

	assert_true(c->n_files < CORPUS_FILES_MAX);
	c->files[c->n_files++] = (char *)(uintptr_t)all.p;
	if (!c->records)
		c->records = calloc(CORPUS_RECORDS_MAX, sizeof(*c->records));
	while (rest.n) {
		struct sq_sv record = sq_sv_cut(&rest, '\n');

		if (line++ % step == 0 && record.n) {
			assert_true(c->n < CORPUS_RECORDS_MAX);
			c->records[c->n++] = record;
		}
	}
}

/** All files of a folder of the corpus. */
static inline void corpus_add(struct corpus *c, const char *folder, size_t step)
{
	char path[5000];
	struct dirent *e;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/%s", corpus_folder(), folder);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s/%s", corpus_folder(), folder, e->d_name);
		corpus_file(c, path, step);
	}
	closedir(d);
}

static inline void corpus_end(struct corpus *c)
{
	for (size_t i = 0; i < c->n_files; i++)
		free(c->files[i]);
	free(c->records);
	*c = (struct corpus){ 0 };
}
