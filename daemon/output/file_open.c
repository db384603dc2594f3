#include "daemon/output/file_open.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/output/file_rotate.h"

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
