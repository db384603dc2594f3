/* How far all is delivered, for whoever opens the spool after a process that was killed. The cursor
 * in the file of messages is as old as the last commit, and a commit is a matter of the disk; this
 * is a few bytes of memory that the kernel keeps when we die. It is never synced: after a crash of
 * the machine it says what the disk happens to have of it, which is true as well, only older.
 *
 * There are two places that are written in turns, each with a checksum: of one that was being
 * written, the other is what counts. Each says of which file of messages it speaks, by its inode,
 * so that nothing is taken for delivered because another file was delivered so far.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/siphash.h"
#include "lib/host/spool_private.h"

enum { PLACES = 2, FILE_BYTES = 4096 };

struct sq_spool_mark {
	uint64_t inode, cursor, sum;
};

/* Not against who writes on purpose, so the key is no secret. */
static const struct sq_siphash_key sum_key = { { 0x73717569626c7964, 0x73706f6f6c2d6d31 } };

static uint64_t mark_sum(const struct sq_spool_mark *m)
{
	struct sq_siphash h;
	uint64_t sum[2];

	sq_siphash_begin(&h, &sum_key);
	sq_siphash_put_number(&h, m->inode);
	sq_siphash_put_number(&h, m->cursor);
	sq_siphash_end(&h, sum);
	return sum[0];
}

void sq_spool_mark(struct sq_spool *s, uint64_t cursor)
{
	struct sq_spool_mark m = { .inode = atomic_load_explicit(&s->inode, memory_order_relaxed),
		                   .cursor = cursor };

	if (!s->marks)
		return;
	m.sum = mark_sum(&m);
	s->marks[s->turn] = m;
	s->turn = (s->turn + 1) % PLACES;
}

void sq_spool_name_mark(struct sq_spool *s)
{
	char path[4096];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/data.mdb", s->dir);
	atomic_store_explicit(&s->inode, stat(path, &st) < 0 ? 0 : st.st_ino, memory_order_relaxed);
}

void sq_spool_read_mark(struct sq_spool *s)
{
	struct sq_spool_mark m[PLACES] = { 0 };
	char path[4096];
	ssize_t n = 0;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/cursor", s->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0) {
		n = pread(fd, m, sizeof(m), 0);
		(void)close(fd); /* nothing is written there */
	}
	for (size_t i = 0; n == sizeof(m) && i < PLACES; i++) {
		if (m[i].sum != mark_sum(&m[i]) || m[i].inode != s->inode ||
		    m[i].cursor <= s->state.cursor)
			continue;
		s->state.cursor = m[i].cursor;
		s->turn = (unsigned)(i + 1) % PLACES;
		if (s->state.next < m[i].cursor)
			s->state.next = m[i].cursor; /* delivered before it was ever written */
	}
}

/* What is mapped must be there: a page for which a full disk has no room is SIGBUS. */
static int place(int fd)
{
	struct stat st;
	int e = posix_fallocate(fd, 0, FILE_BYTES);

	if (e != EINVAL && e != EOPNOTSUPP)
		return -e;
	if (fstat(fd, &st) < 0) /* some file systems know of no such thing */
		return -errno;
	return st.st_size >= FILE_BYTES || ftruncate(fd, FILE_BYTES) == 0 ? 0 : -errno;
}

int sq_spool_open_mark(struct sq_spool *s, struct sq_err *err)
{
	char path[4096];
	void *at;
	int fd, r;

	if (s->marks)
		return 0;
	(void)snprintf(path, sizeof(path), "%s/cursor", s->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return sq_err_set(err, -errno, "%s: %s", path, sq_strerror(-errno));
	r = place(fd);
	at = r ? MAP_FAILED : mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!r && at == MAP_FAILED)
		r = -errno;
	(void)close(fd);
	if (r < 0)
		return sq_err_set(err, r, "%s: %s", path, sq_strerror(r));
	s->marks = at;
	return 0;
}

void sq_spool_close_mark(struct sq_spool *s)
{
	if (s->marks)
		(void)munmap(s->marks, FILE_BYTES); /* of what was mapped: cannot fail */
	s->marks = NULL;
}
