#include "daemon/output/file_open.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/output/file_rotate.h"

static const struct sq_opt_enum rotate_names[] = { { "number", SQD_ROTATE_NUMBER },
	                                           { "time", SQD_ROTATE_TIME },
	                                           { 0 } };

#define AT(member) .offset = offsetof(struct sqd_output_file_cfg, member)

/* clang-format off */
const struct sq_opt sqd_file_opts[] = {
	{ "path", SQ_OPT_STR, AT(path), .required = true,
	  .doc = "File to append to; made with mode 0640 when it is not there, opened anew on SIGHUP." },
	{ "rotate_size", SQ_OPT_BYTES, AT(rotate_size), .min = 0, .max = (uint64_t)1 << 50, .def = "0",
	  .doc = "Move the file aside before it becomes longer than this, 1MiB or more; 0 means never." },
	{ "rotate_interval", SQ_OPT_MSEC, AT(rotate_interval), .min = 0, .max = (uint64_t)366 * 86400000, .def = "0",
	  .doc = "Move it aside when so much time has begun anew, counted in UTC: 1h is at each full hour, 1d at "
		 "midnight; a minute at least; 0 means never." },
	{ "rotate_keep", SQ_OPT_U32, AT(rotate_keep), .min = 1, .max = 100000, .def = "10",
	  .doc = "So many files that were moved aside are kept; the oldest are removed." },
	{ "rotate_names", SQ_OPT_ENUM, AT(rotate_names), .enums = rotate_names, .def = "number",
	  .doc = "What they are called: alerts.json.1 is the newest, or alerts.json.20261123T021500Z with the time (UTC)." },
	{ "sync", SQ_OPT_BOOL, AT(sync), .def = "false",
	  .doc = "Alerts count as written when the disk has them (fdatasync, once for all that gathered during the "
		 "one before); else when the system has them, which may lose them with the power." },
	{ "stall_timeout", SQ_OPT_MSEC, AT(stall_timeout), .min = 100, .max = 3600000, .def = "30s",
	  .doc = "A disk, or the reader of a FIFO, that takes nothing for this time counts as failing: what may wait no "
		 "longer than that, as for dead letters, goes on; what waits is written when it answers." },
	{ 0 }
};
/* clang-format on */

static bool is_whole(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* A file whose last line has no end, as a killed process leaves it: end that line, so that ours do
 * not become a part of it. Who may not read the file cannot know, and appends. */
static void end_torn_line(const char *path, int fd)
{
	int in = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char last;

	if (in < 0)
		return;
	if (lseek(in, -1, SEEK_END) >= 0 && read(in, &last, 1) == 1 && last != '\n')
		(void)!write(fd, "\n", 1); /* what fails here fails again with the first alert */
	close(in);
}

const char *sqd_file_why(const char *path, int code)
{
	struct stat st;

	if (code != -ENXIO || stat(path, &st) < 0)
		return sq_strerror(code);
	if (S_ISSOCK(st.st_mode))
		return "a socket, not a file; to standard output writes type: stdout";
	return S_ISFIFO(st.st_mode) ? "a FIFO that nobody reads" : sq_strerror(code);
}

int sqd_file_open(const struct sqd_output_file_cfg *cfg)
{
	const char *path = cfg->path;
	/* O_NONBLOCK: a FIFO without a reader is an error and no endless wait. */
	int fd =
		open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);

	if (fd < 0)
		return -errno;
	if (!is_whole(fd))
		return fd;
	end_torn_line(path, fd);
	if (cfg->sync) {
		int r = sqd_rotate_sync_folder(path); /* its name shall last as its lines do */

		if (r < 0 && r != -EINVAL) { /* some file systems know of no such thing */
			close(fd);
			return r;
		}
	}
	return fd;
}

/* The front of a line that could not be ended there is taken back, if nobody else has written
 * since; lines that are whole stay, once they are as safe as they are to be. */
static void leave(const struct sqd_output_file_cfg *cfg, int fd, struct sqd_file_begun *b)
{
	const char *end = b->bytes.n ? memrchr(b->bytes.p, '\n', b->bytes.n) : NULL;
	size_t whole = end ? (size_t)(end + 1 - b->bytes.p) : 0, torn = b->bytes.n - whole;
	struct stat st;

	b->kept = whole;
	if (!b->bytes.n || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	if (torn && (uint64_t)st.st_size == b->size && ftruncate(fd, st.st_size - (off_t)torn) == 0)
		b->cut = torn;
	if (cfg->sync && fdatasync(fd) < 0)
		b->kept = 0;
}

bool sqd_file_is_removed(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

/* A FIFO, or a device: what was written goes on where it was. */
static bool is_same_stream(int a, int b)
{
	struct stat one, other;

	return fstat(a, &one) == 0 && fstat(b, &other) == 0 && !S_ISREG(one.st_mode) &&
	       one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

int sqd_file_open_anew(const struct sqd_output_file_cfg *cfg, int old, struct sqd_file_begun *b)
{
	int fd;

	b->cut = 0;
	leave(cfg, old, b);
	fd = sqd_file_open(cfg);
	if (fd >= 0 && is_same_stream(old, fd))
		b->kept = b->bytes.n;
	return fd;
}
