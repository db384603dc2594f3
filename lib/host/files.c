#include "lib/host/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PATHS_MAX = 100000,
	DEPTH_MAX = 32, /* of folders below a path */
	READ_AT_LEAST = 16384,
};

static int read_all(int fd, const char *path, struct sq_outbuf *out, struct sq_err *err)
{
	for (;;) {
		size_t room = out->max - out->len;
		size_t want = room < READ_AT_LEAST ? room : READ_AT_LEAST;
		char over, *to;
		ssize_t n;

		/* With the buffer at its maximum, one byte more tells "just fits" from "too large".
		 */
		to = want ? sq_outbuf_reserve(out, want) : &over;
		if (!to)
			return sq_err_set(err, -ENOMEM, "%s: out of memory", path);
		if (want)
			want = out->cap - out->len;
		n = read(fd, to, want ? want : 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sq_err_set(err, -errno, "%s: %s", path, sq_strerror(errno));
		if (n == 0)
			return 0;
		if (!want)
			return sq_err_set(err, -EFBIG, "%s: larger than %zu bytes", path, out->max);
		out->len += (size_t)n;
	}
}

int sq_file_read(const char *path, struct sq_outbuf *out, struct sq_err *err)
{
	struct stat st;
	int fd, r;

	/* O_NONBLOCK so that a FIFO is refused instead of waited for. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return sq_err_set(err, -errno, "%s: %s", path, sq_strerror(errno));
	if (fstat(fd, &st) < 0)
		r = sq_err_set(err, -errno, "%s: %s", path, sq_strerror(errno));
	else if (S_ISDIR(st.st_mode))
		r = sq_err_set(err, -EISDIR, "%s: a folder, not a file", path);
	else if (!S_ISREG(st.st_mode))
		r = sq_err_set(err, -EINVAL, "%s: not a regular file", path);
	else if (st.st_size > 0 && (uint64_t)st.st_size > out->max - out->len)
		r = sq_err_set(err, -EFBIG, "%s: larger than %zu bytes", path, out->max);
	else
		r = read_all(fd, path, out, err);
	(void)close(fd); /* it was only read */
	return r;
}

static int write_all(int fd, struct sq_sv bytes)
{
	while (bytes.n) {
		ssize_t n = write(fd, bytes.p, bytes.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes = sq_sv_skip(bytes, (size_t)n);
	}
	return 0;
}

/* The folder that `path` lies in. @return false: too long */
static bool folder_of(const char *path, char folder[4096])
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	while (n && path[n - 1] != '/')
		n--;
	while (n > 1 && path[n - 1] == '/')
		n--;
	if (n >= 4096)
		return false;
	memcpy(folder, n ? path : ".", n ? n : 1);
	folder[n ? n : 1] = '\0';
	return true;
}

static int may_enter(const char *folder, struct sq_err *err)
{
	struct stat st;

	if (stat(folder, &st) < 0)
		return sq_err_set(err, -errno, "%s: %s", folder, sq_strerror(-errno));
	if (!S_ISDIR(st.st_mode))
		return sq_err_set(err, -ENOTDIR, "%s: not a folder", folder);
	if (access(folder, W_OK | X_OK) < 0)
		return sq_err_set(err, -errno, "%s: %s", folder, sq_strerror(-errno));
	return 0;
}

/* What is not there yet: can its folder take it? */
static int may_make(const char *path, struct sq_err *err)
{
	char folder[4096];

	if (!folder_of(path, folder))
		return sq_err_set(err, -ENAMETOOLONG, "%.64s...: too long", path);
	return may_enter(folder, err);
}

int sq_file_may_write(const char *path, struct sq_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT
		               ? may_make(path, err)
		               : sq_err_set(err, -errno, "%s: %s", path, sq_strerror(-errno));
	if (S_ISDIR(st.st_mode))
		return sq_err_set(err, -EISDIR, "%s: a folder, where a file is wanted", path);
	if (S_ISSOCK(st.st_mode)) /* as /dev/stdout of a service is, which has the journal there */
		return sq_err_set(err, -ENXIO, "%s: a socket, where a file is wanted", path);
	if (access(path, W_OK) < 0)
		return sq_err_set(err, -errno, "%s: %s", path, sq_strerror(-errno));
	return 0;
}

int sq_folder_may_write(const char *path, struct sq_err *err)
{
	struct stat st;

	return stat(path, &st) < 0 && errno == ENOENT ? may_make(path, err) : may_enter(path, err);
}

int sq_file_replace(const char *path, struct sq_sv bytes, unsigned mode, struct sq_err *err)
{
	char *temp;
	int fd, r;

	if (asprintf(&temp, "%s.XXXXXX", path) < 0)
		return sq_err_set(err, -ENOMEM, "%s: out of memory", path);
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0) {
		r = sq_err_set(err, -errno, "%s: %s", temp, sq_strerror(errno));
		free(temp);
		return r;
	}
	r = write_all(fd, bytes);
	if (r == 0 && fchmod(fd, (mode_t)mode) < 0)
		r = -errno;
	/* The rename may reach the disk before the bytes: without this a crash leaves an empty file
	 * under the right name. */
	if (r == 0 && fdatasync(fd) < 0)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(temp, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(temp); /* the first failure is the one to tell */
		(void)sq_err_set(err, r, "%s: %s", path, sq_strerror(r));
	}
	free(temp);
	return r;
}

void sq_paths_fini(struct sq_paths *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		free(p->list[i]);
	free(p->list);
	*p = (struct sq_paths){ 0 };
}

/* Takes `path`, also on failure. */
static int keep(struct sq_paths *p, char *path, struct sq_err *err)
{
	if (!path)
		return sq_err_set(err, -ENOMEM, "out of memory");
	if (p->n == PATHS_MAX) {
		free(path);
		return sq_err_set(err, -E2BIG, "more than %d files", PATHS_MAX);
	}
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 32;
		char **list = reallocarray(p->list, cap, sizeof(*list));

		if (!list) {
			free(path);
			return sq_err_set(err, -ENOMEM, "out of memory");
		}
		p->list = list;
		p->cap = cap;
	}
	p->list[p->n++] = path;
	return 0;
}

/* A folder being walked, and those it lies in: a link back to one of them is a loop. */
struct place {
	const struct place *above;
	dev_t dev;
	ino_t ino;
	unsigned depth;
};

struct walk {
	struct sq_paths *to;
	const char *suffix, *suffix2;
	struct sq_err *err;
};

static bool is_loop(const struct place *at, const struct stat *st)
{
	for (; at; at = at->above) {
		if (at->dev == st->st_dev && at->ino == st->st_ino)
			return true;
	}
	return false;
}

static bool wanted(const struct walk *w, const char *name)
{
	struct sq_sv v = sq_sv_of(name);

	return sq_sv_ends(v, sq_sv_of(w->suffix)) ||
	       (w->suffix2 && sq_sv_ends(v, sq_sv_of(w->suffix2)));
}

static int walk_folder(const struct walk *w, const char *path, const struct stat *st,
                       const struct place *above);

static int walk_entry(const struct walk *w, const char *folder, const char *name,
                      const struct place *at)
{
	const char *slash = sq_sv_ends(sq_sv_of(folder), SQ_SV("/")) ? "" : "/";
	struct stat st;
	char *path;
	int r = 0;

	if (asprintf(&path, "%s%s%s", folder, slash, name) < 0)
		return sq_err_set(w->err, -ENOMEM, "out of memory");
	if (stat(path, &st) < 0) {
		/* A link to nowhere that looks like one of ours is kept: reading it says so. */
		if (wanted(w, name))
			return keep(w->to, path, w->err);
	} else if (S_ISDIR(st.st_mode)) {
		if (!is_loop(at, &st))
			r = walk_folder(w, path, &st, at);
	} else if (S_ISREG(st.st_mode) && wanted(w, name)) {
		return keep(w->to, path, w->err);
	}
	free(path);
	return r;
}

static int walk_folder(const struct walk *w, const char *path, const struct stat *st,
                       const struct place *above)
{
	struct place here = { above, st->st_dev, st->st_ino, above ? above->depth + 1 : 0 };
	struct dirent *e;
	DIR *d;
	int r = 0;

	if (here.depth > DEPTH_MAX)
		return sq_err_set(w->err, -ELOOP, "%s: more than %d folders deep", path, DEPTH_MAX);
	d = opendir(path);
	if (!d)
		return sq_err_set(w->err, -errno, "%s: %s", path, sq_strerror(errno));
	for (errno = 0; r == 0 && (e = readdir(d)); errno = 0) {
		if (e->d_name[0] != '.')
			r = walk_entry(w, path, e->d_name, &here);
	}
	if (r == 0 && errno)
		r = sq_err_set(w->err, -errno, "%s: %s", path, sq_strerror(errno));
	(void)closedir(d); /* it was only read */
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int sq_paths_add(struct sq_paths *p, const char *path, const char *suffix, const char *suffix2,
                 struct sq_err *err)
{
	const struct walk w = { p, suffix, suffix2, err };
	size_t before = p->n;
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return sq_err_set(err, -errno, "%s: %s", path, sq_strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return keep(p, strdup(path), err);
	r = walk_folder(&w, path, &st, NULL);
	if (p->n > before)
		qsort(p->list + before, p->n - before, sizeof(*p->list), by_name);
	return r;
}
