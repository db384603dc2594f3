/* A spool that is marked by a process that ends, and what the next makes of it. */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "lib/host/spool.h"
#include "tests/unit/host/scratch.h"

enum { PLACE_BYTES = 24 };

static inline struct sq_spool *open_it(void **state, bool read_only)
{
	char *dir = scratch_path(*state, "spool");
	const struct sq_spool_opts o = { .dir = dir, .size = 1 << 20, .read_only = read_only };
	struct sq_err aside, err = { 0 };
	struct sq_spool *s = NULL;

	if (sq_spool_open(&o, &s, &aside, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(aside.code, 0);
	free(dir);
	return s;
}

static inline void commit(struct sq_spool *s, uint64_t first, uint64_t end)
{
	assert_int_equal(sq_spool_begin(s, NULL), 0);
	for (uint64_t i = first; i < end; i++) {
		struct sq_spool_record r = { .seq = i, .text = SQ_SV("text") };

		assert_int_equal(sq_spool_put(s, &r, 1, NULL), 0);
	}
	assert_int_equal(sq_spool_commit(s, NULL), 0);
}

/* As the daemon does it: what is found is committed, then marks may be made, in the folder `name`.
 */
static inline struct sq_spool *begin(void **state, const char *name)
{
	struct sq_spool *s = open_it(state, false);
	char *folder = scratch_path(*state, name);
	struct sq_err err = { 0 };

	commit(s, 0, 0);
	if (sq_spool_open_mark(s, folder, &err) < 0)
		fail_msg("%s", err.text);
	free(folder);
	return s;
}

/* A process that has delivered so much and did not come to say so to the file. */
static inline void leave(void **state, const uint64_t *cursors, size_t n)
{
	struct sq_spool *s;

	scratch_folder(*state, "run");
	s = begin(state, "run");
	commit(s, 1, 10);
	for (size_t i = 0; i < n; i++)
		sq_spool_mark(s, cursors[i]);
	assert_int_equal(sq_spool_state(s)->cursor, 1);
	sq_spool_close(s);
}

static inline unsigned files_in(void **state, const char *name)
{
	char *folder = scratch_path(*state, name);
	DIR *d = opendir(folder);
	unsigned n = 0;

	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	free(folder);
	return n;
}

static inline bool leads_anywhere(void **state)
{
	char *path = scratch_path(*state, "spool/cursor");
	struct stat st;
	bool is = lstat(path, &st) == 0;

	free(path);
	return is;
}

static inline void move(void **state, const char *from, const char *to)
{
	char *a = scratch_path(*state, from), *b = scratch_path(*state, to);

	assert_int_equal(rename(a, b), 0);
	free(a);
	free(b);
}

static inline void assert_found(void **state, uint64_t cursor, uint64_t next)
{
	for (int read_only = 1; read_only >= 0; read_only--) {
		struct sq_spool *s = open_it(state, read_only);

		assert_int_equal(sq_spool_state(s)->cursor, cursor);
		assert_int_equal(sq_spool_state(s)->next, next);
		sq_spool_close(s);
	}
}

/* Change a byte of a place, or make the file as long as that. */
static inline void change(void **state, size_t at, bool cut)
{
	char *path = scratch_path(*state, "spool/cursor"), byte;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (cut) {
		assert_int_equal(ftruncate(fd, (off_t)at), 0);
	} else {
		assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
		byte ^= 4;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	}
	close(fd);
	free(path);
}
