/* For a tool that writes to a disk that fails when it is asked whether it has it. This is no part
 * of what is shipped.
 */
#include <errno.h>

int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
	(void)fd;
	errno = EIO;
	return -1;
}
