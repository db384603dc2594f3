/* Keys of a spool's file, changed behind its back. */
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/test.h"

/** Change the key of a chunk wherever the file has it, its pages of earlier commits too. And the
 * first `n` of: its sum, which is behind the key, or at the beginning of the pages whose number is;
 * how long its first message is. */
static inline void spool_chunk_change(const char *dir, uint64_t from, uint64_t to, size_t n_more)
{
	static const off_t where[] = { 0, 32 };
	char path[4096], *bytes, *at, flipped;
	int fd, n = 0;
	struct stat st;
	uint64_t page;

	(void)snprintf(path, sizeof(path), "%s/data.mdb", dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size);
	assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
	for (char *p = bytes; (at = memmem(p, (size_t)(bytes + st.st_size - p), &from, 8));
	     p = at + 1) {
		off_t value = at - bytes + 8;

		memcpy(&page, at + 8, sizeof(page));
		if (page < (uint64_t)st.st_size / 4096)
			value = (off_t)page * 4096 + 16;
		assert_int_equal(pwrite(fd, &to, 8, at - bytes), 8);
		for (size_t i = 0; i < n_more; i++) {
			flipped = (char)(bytes[value + where[i]] ^ 0x55);
			assert_int_equal(pwrite(fd, &flipped, 1, value + where[i]), 1);
		}
		n++;
	}
	assert_true(n > 0);
	close(fd);
	free(bytes);
}

static inline void spool_key_change(const char *dir, uint64_t from, uint64_t to, bool sum)
{
	spool_chunk_change(dir, from, to, sum);
}
