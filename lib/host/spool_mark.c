/* How far all is delivered, for whoever opens the spool after a process that was killed. The cursor
 * in the file of messages is as old as the last commit, and a commit is a matter of the disk; this
 * is a few bytes of memory that the kernel keeps when we die: a file in a folder of memory (tmpfs)
 * that is mapped. Writing there waits for no disk, and none that goes away makes it SIGBUS. In the
 * folder of the spool `cursor` is a link to it. After a crash of the machine, and on another
 * machine, that leads nowhere, and what the last commit has counts.
 *
 * There are two places that are written in turns, each with a checksum: of one that was being
 * written, the other is what counts.
 *
 * Numbers of messages mean something to who gave them. So each opening for writing has a number of
 * its own, by chance, which its commits say and its marks: a mark is believed if it is of who has
 * committed last. Nothing is taken for delivered because a copy of the spool was used elsewhere
 * meanwhile, or another file of messages was put here.
 *
 * Everybody may write into /dev/shm, and wait there for a name to become free. So in such a folder
 * we have one of our own, and a mark is believed if nobody can have written it but who owns the
 * file of messages. It says as well of which folder it is: a copy of a spool has a link to the
 * marks of the original, which go on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/siphash.h"
#include "lib/host/spool_chunk.h"
#include "lib/host/spool_private.h"

#define STEM "squiblyd-spool-"

enum { PLACES = 2, FILE_BYTES = 4096, PATH_BYTES = 4096 };

struct sq_spool_mark {
	uint64_t writer, cursor, sum;
};

/* The file as it is mapped. */
struct note {
	struct sq_spool_mark places[PLACES];
	uint64_t dev, ino; /* of the spool's folder; 0: not written yet */
};

/* Not against who writes on purpose, so the key is no secret. */
static const struct sq_siphash_key sum_key = { { 0x73717569626c7964, 0x73706f6f6c2d6d31 } };

static uint64_t mark_sum(const struct sq_spool_mark *m)
{
	struct sq_siphash h;
	uint64_t sum[2];

	sq_siphash_begin(&h, &sum_key);
	sq_siphash_put_number(&h, m->writer);
	sq_siphash_put_number(&h, m->cursor);
	sq_siphash_end(&h, sum);
	return sum[0];
}

void sq_spool_mark(struct sq_spool *s, uint64_t cursor)
{
	struct sq_spool_mark m = { .writer = s->writer, .cursor = cursor };

	if (!s->marks)
		return;
	m.sum = mark_sum(&m);
	s->marks[s->turn] = m;
	s->turn = (s->turn + 1) % PLACES;
	s->marked = cursor;
}

static int path_in(const char *folder, const char *name, char to[PATH_BYTES])
{
	int n = snprintf(to, PATH_BYTES, "%s/%s", folder, name);

	return n > 0 && n < PATH_BYTES ? 0 : -ENAMETOOLONG;
}

/* The device and inode by which the folder of the spool is known. */
static int folder_of(const struct sq_spool *s, struct note *ret)
{
	struct stat st;

	if (stat(s->dir, &st) < 0)
		return -errno;
	ret->dev = st.st_dev;
	ret->ino = st.st_ino;
	return 0;
}

/* Whether nobody but the owner of the messages can have written what is in there. */
static bool is_of_owner(const struct sq_spool *s, int fd)
{
	char path[PATH_BYTES];
	struct stat note, messages;

	if (path_in(s->dir, "data.mdb", path) < 0 || stat(path, &messages) < 0 ||
	    fstat(fd, &note) < 0)
		return false;
	return S_ISREG(note.st_mode) && note.st_uid == messages.st_uid &&
	       !(note.st_mode & (S_IWGRP | S_IWOTH)) && note.st_size >= FILE_BYTES;
}

/* @return its descriptor, or -1: there is none that can be believed */
static int open_note(const struct sq_spool *s, int folder, const char *path)
{
	int fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);

	if (fd >= 0 && is_of_owner(s, fd))
		return fd;
	if (fd >= 0)
		(void)close(fd); /* nothing is written there */
	return -1;
}

static bool is_named_so(const char *name)
{
	return strncmp(name, STEM, strlen(STEM)) == 0;
}

/* Where `cursor` leads to: a link may lead anywhere, and an older squiblyd had a file there. */
static int read_link(const struct sq_spool *s, char to[PATH_BYTES])
{
	char link[PATH_BYTES];
	ssize_t n = -1;

	if (!path_in(s->dir, "cursor", link))
		n = readlink(link, to, PATH_BYTES - 1);
	if (n <= 0)
		return -ENOENT;
	to[n] = '\0';
	return to[0] == '/' && is_named_so(strrchr(to, '/') + 1) ? 0 : -EINVAL;
}

void sq_spool_read_mark(struct sq_spool *s)
{
	struct sq_spool_mark m[PLACES] = { 0 };
	char path[PATH_BYTES];
	ssize_t n = 0;
	int fd;

	if (!s->state.writer || read_link(s, path) < 0)
		return;
	fd = open_note(s, AT_FDCWD, path);
	if (fd >= 0) {
		n = pread(fd, m, sizeof(m), 0);
		(void)close(fd); /* nothing is written there */
	}
	for (size_t i = 0; n == sizeof(m) && i < PLACES; i++) {
		if (m[i].sum != mark_sum(&m[i]) || m[i].writer != s->state.writer ||
		    m[i].cursor <= s->state.cursor || m[i].cursor >= SQ_CHUNK_SEQ_END)
			continue;
		s->state.cursor = m[i].cursor;
		/* While commits fail, any number of messages is delivered that none ever wrote. */
		if (s->state.next < m[i].cursor)
			s->state.next = m[i].cursor;
	}
}

/* ---- what earlier openings have left ------------------------------------------------------- */

/* A note, if it is of this spool. */
static void remove_note(const struct sq_spool *s, int folder, const char *path)
{
	struct note is = { 0 }, ours = { 0 };
	int fd = open_note(s, folder, path);

	if (fd < 0)
		return;
	if (!folder_of(s, &ours) && pread(fd, &is, sizeof(is), 0) == sizeof(is) &&
	    is.dev == ours.dev && is.ino == ours.ino)
		(void)unlinkat(folder, path, 0); /* which may be gone */
	(void)close(fd);                         /* nothing is written there */
}

/* All of this spool but `name`: who is killed before the link leads to it leaves one. */
static void remove_others(const struct sq_spool *s, int folder, const char *name)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	for (const struct dirent *e; d && (e = readdir(d));) {
		if (is_named_so(e->d_name) && strcmp(e->d_name, name) != 0)
			remove_note(s, folder, e->d_name);
	}
	if (d)
		(void)closedir(d);
	else if (fd >= 0)
		(void)close(fd); /* they stay until the next start */
}

/* ---- life --------------------------------------------------------------------------------- */

/* A folder of ours in one where others may write as well. */
static int open_own(int in, const char *folder, char ret_path[PATH_BYTES], struct sq_err *err)
{
	struct stat st;
	char name[32];
	int fd, r;

	(void)snprintf(name, sizeof(name), "squiblyd-%u", (unsigned)geteuid());
	r = path_in(folder, name, ret_path);
	if (r < 0)
		return sq_err_set(err, r, "%s: %s", folder, sq_strerror(r));
	if (mkdirat(in, name, 0700) < 0 && errno != EEXIST)
		return sq_err_set(err, -errno, "%s: %s", ret_path, sq_strerror(-errno));
	fd = openat(in, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return sq_err_set(err, -errno, "%s: %s", ret_path, sq_strerror(-errno));
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & 077))
		return fd;
	(void)close(fd); /* nothing is written there */
	return sq_err_set(err, -EPERM, "%s: it is not ours alone", ret_path);
}

/* @return the descriptor of the folder where the note is to be, or errno with `err` */
static int open_folder(const char *folder, char ret_path[PATH_BYTES], struct sq_err *err)
{
	struct stat st;
	int own, fd = -EINVAL; /* the link is read from elsewhere */

	if (folder[0] == '/') {
		fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		fd = fd < 0 ? -errno : fd;
	}
	if (fd < 0)
		return sq_err_set(err, fd, "%s: %s", folder, sq_strerror(fd));
	if (fstat(fd, &st) == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH)) &&
	    snprintf(ret_path, PATH_BYTES, "%s", folder) < PATH_BYTES)
		return fd;
	own = open_own(fd, folder, ret_path, err);
	(void)close(fd); /* nothing is written there */
	return own;
}

/* What is mapped must be there: a page for which a full memory has no room is SIGBUS. */
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

static int make(struct sq_spool *s, int folder, const char *name)
{
	struct note *at = MAP_FAILED;
	int fd, r;

	fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = place(fd);
	if (!r) {
		at = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		r = at == MAP_FAILED ? -errno : folder_of(s, at);
	}
	(void)close(fd); /* what is written is written to what is mapped */
	if (at != MAP_FAILED)
		s->marks = at->places;
	for (size_t i = 0; !r && i < PLACES; i++)
		sq_spool_mark(s, s->state.cursor);
	return r;
}

/* From now on `cursor` leads to `path`, and that of who wrote before us is gone. */
static int lead(const struct sq_spool *s, const char *path)
{
	char link[PATH_BYTES], fresh[PATH_BYTES], before[PATH_BYTES];
	int r = path_in(s->dir, "cursor", link);
	bool any;

	if (!r)
		r = path_in(s->dir, "cursor.new", fresh);
	if (r < 0)
		return r;
	any = !read_link(s, before);
	(void)unlink(fresh); /* or the next says why not */
	if (symlink(path, fresh) < 0)
		return -errno;
	if (rename(fresh, link) < 0) {
		r = -errno;
		(void)unlink(fresh);
	} else if (any) {
		remove_note(s, AT_FDCWD, before);
	}
	return r;
}

static void unmap(struct sq_spool *s)
{
	if (s->marks)
		(void)munmap(s->marks, FILE_BYTES); /* of what was mapped: cannot fail */
	s->marks = NULL;
}

int sq_spool_open_mark(struct sq_spool *s, const char *folder, struct sq_err *err)
{
	char in[PATH_BYTES], path[PATH_BYTES], name[64];
	int fd, r;

	sq_assert(!s->marks && s->state.writer == s->writer);
	fd = open_folder(folder, in, err);
	if (fd < 0)
		return fd;
	(void)snprintf(name, sizeof(name), STEM "%016llx", (unsigned long long)s->writer);
	r = path_in(in, name, path);
	if (!r)
		r = make(s, fd, name);
	if (!r)
		r = lead(s, path);
	if (!r) {
		remove_others(s, fd, name);
	} else {
		(void)unlinkat(fd, name, 0); /* if it is there: nobody else has that number */
		unmap(s);
	}
	(void)close(fd); /* nothing is written there */
	return r < 0 ? sq_err_set(err, r, "%s/%s: %s", in, name, sq_strerror(r)) : 0;
}

void sq_spool_close_mark(struct sq_spool *s)
{
	char path[PATH_BYTES];

	if (!s->marks)
		return;
	unmap(s);
	if (s->state.cursor < s->marked)
		return;
	/* What the last commit says as well, nobody needs to look for here. */
	if (!read_link(s, path))
		remove_note(s, AT_FDCWD, path);
	if (!path_in(s->dir, "cursor", path))
		(void)unlink(path);
}
