/* A file as the page cache has it, mapped for reading: nothing is copied.
 *
 * Others may write to it while it is looked at, so whoever looks takes each byte as it finds it and
 * believes nothing that it has seen before. What cannot be had (the file was cut short, the disk
 * fails) reads as NUL from then on, and cli_view_held() says so: SIGBUS is caught for that.
 *
 * One view at a time. Opened and closed by one thread, looked at by any.
 */
#pragma once

#include "lib/base/sv.h"

/** The first `size` bytes of the file. @return empty when they cannot be mapped */
struct sq_sv cli_view_open(int fd, uint64_t size);
void cli_view_close(void);

/** All bytes that were looked at so far were those of the file. */
bool cli_view_held(void);
