#include "daemon/output/file_rotate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/sv.h"
#include "lib/base/time.h"

enum {
	STAMP = 16,     /* bytes of "20261123T021500Z" */
	SAME_MAX = 1000 /* files that were moved in one second */
};

/* Is it the file that we write, and not one that somebody has put in its place? */
static bool is_ours(const char *path, int fd)
{
	struct stat at, open_one;

	return stat(path, &at) == 0 && fstat(fd, &open_one) == 0 && at.st_dev == open_one.st_dev &&
	       at.st_ino == open_one.st_ino && S_ISREG(at.st_mode);
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* "PATH.N"; false: too long for a path. */
static bool numbered(const char *path, uint32_t n, char to[PATH_MAX])
{
	int len = snprintf(to, PATH_MAX, "%s.%u", path, n);

	return len > 0 && len < PATH_MAX;
}

/* ---- numbers ----------------------------------------------------------------------------- */

/* Each goes one further, up to the first number that is free, or `keep`, whose file goes. The
 * furthest first, so that a crash leaves a gap and no loss. */
static int move_by_number(const struct sqd_rotate *r)
{
	char from[PATH_MAX], to[PATH_MAX];
	uint32_t n = 1;

	while (n < r->keep && numbered(r->path, n, to) && exists(to))
		n++;
	for (; n > 1; n--) {
		if (!numbered(r->path, n - 1, from) || !numbered(r->path, n, to))
			return -ENAMETOOLONG;
		if (rename(from, to) < 0)
			return -errno;
	}
	if (!numbered(r->path, 1, to))
		return -ENAMETOOLONG;
	if (rename(r->path, to) < 0)
		return -errno;
	/* Those of a time when more were kept. */
	for (n = r->keep + 1; numbered(r->path, n, to) && unlink(to) == 0; n++)
		continue;
	return 1;
}

/* ---- times ------------------------------------------------------------------------------- */

/* Our number for a time. */
static uint64_t order_at(int64_t us)
{
	char text[SQ_TIME_TEXT];
	uint64_t order = 0;

	(void)sq_time_format(us, text);
	for (const char *c = text; *c && *c != '.'; c++)
		if (sq_is_digit(*c))
			order = order * 10 + (uint64_t)(*c - '0');
	return order * SAME_MAX + 1;
}

/* Files are in the order of a number: year to second in its upper digits, "-N" in the lower three.
 * This is that of the part of a name behind that of our file; 0: it is none of ours. */
static uint64_t order_of(struct sq_sv end)
{
	static const char shape[] = "dddddddd"
				    "T"
				    "dddddd"
				    "Z";
	uint64_t order = 0, same = 1;

	if (end.n < STAMP)
		return 0;
	for (size_t i = 0; i < STAMP; i++) {
		if (shape[i] == 'd' ? !sq_is_digit(end.p[i]) : end.p[i] != shape[i])
			return 0;
		if (shape[i] == 'd')
			order = order * 10 + (uint64_t)(end.p[i] - '0');
	}
	end = sq_sv_skip(end, STAMP);
	if (end.n && (end.p[0] != '-' || !sq_sv_to_u64(sq_sv_skip(end, 1), &same) || same < 2 ||
	              same >= SAME_MAX))
		return 0;
	return order * SAME_MAX + same;
}

/* What is in the folder. */
struct seen {
	DIR *folder;
	struct sq_sv name; /* of our file */
	unsigned n;        /* that were moved aside */
	uint64_t newest;
	char oldest[NAME_MAX + 1];
};

static int open_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];

	if (!slash)
		return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if ((size_t)(slash - path) + 2 > sizeof(folder)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path) + 1, path);
	return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int seen_open(struct seen *s, const char *path)
{
	const char *slash = strrchr(path, '/');
	int fd = open_folder(path);

	*s = (struct seen){ .name = sq_sv_of(slash ? slash + 1 : path) };
	s->folder = fd >= 0 ? fdopendir(fd) : NULL;
	if (s->folder)
		return 0;
	if (fd >= 0)
		close(fd);
	return -errno;
}

static void look(struct seen *s)
{
	uint64_t least = UINT64_MAX;
	struct dirent *e;

	s->n = 0;
	s->newest = 0;
	rewinddir(s->folder);
	while ((e = readdir(s->folder))) {
		struct sq_sv v = sq_sv_of(e->d_name);
		uint64_t order;

		if (!sq_sv_starts(v, s->name) || v.n <= s->name.n || v.p[s->name.n] != '.')
			continue;
		order = order_of(sq_sv_skip(v, s->name.n + 1));
		if (!order)
			continue;
		s->n++;
		if (order > s->newest)
			s->newest = order;
		if (order < least) {
			least = order;
			snprintf(s->oldest, sizeof(s->oldest), "%s", e->d_name);
		}
	}
}

/* The name after all that there are, also when the clock was put back: what was written last must
 * not be taken for the oldest. */
static int name_by_time(const struct sqd_rotate *r, uint64_t newest, int64_t now_us,
                        char to[PATH_MAX])
{
	uint64_t order = order_at(now_us), second;
	unsigned same;
	int len;

	if (order <= newest)
		order = newest + 1;
	second = order / SAME_MAX;
	same = (unsigned)(order % SAME_MAX);
	if (same == 0)
		return -EEXIST; /* a thousand in one second */
	len = snprintf(to, PATH_MAX, "%s.%08" PRIu64 "T%06" PRIu64 "Z", r->path, second / 1000000,
	               second % 1000000);
	if (same > 1 && len > 0 && len < PATH_MAX)
		len += snprintf(to + len, (size_t)(PATH_MAX - len), "-%u", same);
	return len > 0 && len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* And then the oldest go. One that cannot be removed is tried again next time. */
static int move_by_time(const struct sqd_rotate *r, int64_t now_us)
{
	char to[PATH_MAX];
	struct seen s;
	int e = seen_open(&s, r->path);

	if (e < 0)
		return e;
	look(&s);
	e = name_by_time(r, s.newest, now_us, to);
	if (e == 0)
		e = rename(r->path, to) < 0 ? -errno : 1;
	if (e == 1)
		for (look(&s); s.n > r->keep; look(&s))
			if (unlinkat(dirfd(s.folder), s.oldest, 0) < 0)
				break;
	closedir(s.folder);
	return e;
}

/* ---- both -------------------------------------------------------------------------------- */

int sqd_rotate_move(const struct sqd_rotate *r, int fd, int64_t now_us)
{
	if (!is_ours(r->path, fd))
		return 0;
	return r->names == SQD_ROTATE_NUMBER ? move_by_number(r) : move_by_time(r, now_us);
}

int sqd_rotate_sync_folder(const char *path)
{
	int fd = open_folder(path), r;

	if (fd < 0)
		return -errno;
	r = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return r;
}
