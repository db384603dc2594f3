/* Sockets to listen on, in a folder of the test. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "daemon/base/listen.h"
#include "daemon/base/network.h"
#include "daemon/base/passed.h"
#include "tests/unit/host/scratch.h"

static char where[200], bound[SQD_BOUND_TEXT];
static struct sqd_listen_file file;
static struct sq_err err;

/* "unix:FOLDER/NAME" into `where`. */
static inline const char *at(void **state, const char *name)
{
	snprintf(where, sizeof(where), "unix:%s/%s", (const char *)*state, name);
	return where + 5;
}

static inline int open_at(const char *address, int type, const char *mode)
{
	struct sqd_listen l = { .where = address,
		                .type = type,
		                .backlog = 4,
		                .inherited_fd = -1,
		                .socket_mode = mode };

	err = (struct sq_err){ 0 };
	return sqd_listen_open(&l, bound, NULL, &file, &err);
}

static inline int dial(const char *address, int type)
{
	struct sqd_addr a;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	assert_int_equal(sqd_addr_parse(address, &a, NULL), 0);
	if (connect(fd, (struct sockaddr *)&a.sa, a.len) == 0)
		return fd;
	close(fd);
	return -errno;
}

static inline bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static inline mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)
