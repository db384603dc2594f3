#include "daemon/base/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { MODE_DEFAULT = 0660 };

enum { STREAM_BUFFER = 1 << 20 };

static int set_flag(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int force_receive_buffer(int fd, int bytes)
{
	if (set_flag(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes) == 0)
		return 0;
	return set_flag(fd, SOL_SOCKET, SO_RCVBUF, bytes); /* cut to rmem_max, silently */
}

/* The kernel begins with little and gives more to whom it has seen send much; until then they are
 * read in small pieces, which costs up to twice as much (docs/decisions/receive.md). So ours begin
 * with more, and are still the kernel's to change, unless whoever opened the socket has said how
 * large they are, or the kernel (before 5.14) cannot do both. */
static void begin_with_more(int fd)
{
	int locks = 0;
	socklen_t len = sizeof(locks);

	if (getsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &locks, &len) < 0 || locks)
		return;
	(void)force_receive_buffer(fd, STREAM_BUFFER); /* else it is as it was */
	(void)set_flag(fd, SOL_SOCKET, SO_BUF_LOCK, 0);
}

static int set_receive_buffer(int fd, const struct sqd_listen *l)
{
	if (l->receive_buffer)
		return force_receive_buffer(fd, l->receive_buffer > INT32_MAX / 2
		                                        ? INT32_MAX / 2
		                                        : (int)l->receive_buffer);
	if (l->type == SOCK_STREAM)
		begin_with_more(fd);
	return 0;
}

/* Options that must be set before bind(). */
static int set_options(int fd, const struct sqd_listen *l, const struct sqd_addr *a)
{
	int r = 0;

	/* So that a restart need not wait for old connections to time out. Not for datagrams, where
	 * it would let two programs share a port unawares. */
	if (l->type == SOCK_STREAM && a->sa.ss_family != AF_UNIX)
		r = set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!r && a->sa.ss_family == AF_INET6)
		r = set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, !a->both);
	/* Before listen(): accepted sockets inherit it, and their window is scaled to it. */
	return r ? r : set_receive_buffer(fd, l);
}

/* Socket, options, bind; a file that bind() makes has no more than `mode`. */
static int make_socket(const struct sqd_listen *l, const struct sqd_addr *a, mode_t mode)
{
	int fd = socket(a->sa.ss_family, l->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = set_options(fd, l, a);
	/* Linux makes the file with the mode of the socket, less the umask. */
	if (!r && a->sa.ss_family == AF_UNIX && fchmod(fd, mode) < 0)
		r = -errno;
	if (!r && bind(fd, (const struct sockaddr *)&a->sa, a->len) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* "*" on a machine without IPv6 means every IPv4 address. */
static int make_any(const struct sqd_listen *l, struct sqd_addr *a)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&a->sa;
	struct sqd_addr four = { .len = sizeof(struct sockaddr_in) };
	struct sockaddr_in *in = (struct sockaddr_in *)&four.sa;
	int fd = make_socket(l, a, 0);

	if (!a->both || (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL))
		return fd;
	in->sin_family = AF_INET;
	in->sin_port = six->sin6_port;
	return make_socket(l, &four, 0);
}

static int take_inherited(const struct sqd_listen *l)
{
	int fd = l->inherited_fd, type = 0, listens = 0, r;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0) {
		r = -errno;
		goto fail;
	}
	r = -EPROTOTYPE;
	if (type != l->type)
		goto fail;
	r = set_receive_buffer(fd, l);
	if (r < 0)
		goto fail;
	len = sizeof(listens);
	if (type == SOCK_STREAM && (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 ||
	                            (!listens && listen(fd, l->backlog) < 0))) {
		r = -errno;
		goto fail;
	}
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		r = -errno;
		goto fail;
	}
	return fd;

fail:
	close(fd);
	return r;
}

/* ---- unix sockets: the file --------------------------------------------------------------- */

int sqd_socket_mode_parse(const char *text, mode_t *ret, struct sq_err *err)
{
	struct sq_sv v = sq_sv_of(text);
	mode_t mode = 0;

	for (size_t i = 0; i < v.n && mode <= 0777; i++) {
		if (v.p[i] < '0' || v.p[i] > '7')
			mode = 01000;
		mode = mode << 3 | (mode_t)(v.p[i] & 7);
	}
	if (v.n == 0 || mode > 0777)
		return sq_err_set(err, -EINVAL,
		                  "\"%.100s\" is no mode: write it in octal, 0660 for example",
		                  text);
	*ret = mode;
	return 0;
}

/* Nobody listens on the socket `path` any more: 1; somebody does: 0; or a negative errno. */
static int is_stale(const struct sqd_addr *a, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	r = connect(fd, (const struct sockaddr *)&a->sa, a->len) < 0 ? -errno : 0;
	close(fd);
	switch (r) {
	case -ECONNREFUSED:
	case -ENOENT: /* it went meanwhile */
		return 1;
	case 0:
	case -EAGAIN:     /* its backlog is full */
	case -EPROTOTYPE: /* streams here, datagrams there */
		return 0;
	default:
		return r;
	}
}

/* Make way for a socket where there is a file already. */
static int remove_stale(const struct sqd_addr *a, int type, const char *where, struct sq_err *err)
{
	const char *path = ((const struct sockaddr_un *)&a->sa)->sun_path;
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return sq_err_set(err, -EEXIST,
		                  "cannot listen on %s: there is a file that is no socket; it is "
		                  "not replaced",
		                  where);
	r = is_stale(a, type);
	if (r < 0)
		return sq_err_set(err, r,
		                  "cannot listen on %s: there is a socket, and trying whether it "
		                  "is in use failed: %s",
		                  where, sq_strerror(r));
	if (r == 0)
		return sq_err_set(err, -EADDRINUSE,
		                  "cannot listen on %s: somebody listens there already", where);
	if (unlink(path) < 0 && errno != ENOENT)
		return sq_err_set(err, -errno, "cannot replace the old socket %s: %s", where,
		                  sq_strerror(-errno));
	return 0;
}

/* Remember the file, and give it the mode that the umask cut. By a descriptor of the file itself,
 * so that nothing else put in its place meanwhile is touched. */
static int keep_file(const char *path, mode_t mode, struct sqd_listen_file *ret)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), r = 0;
	char self[64];
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISSOCK(st.st_mode))
		r = -EEXIST;
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (!r && (st.st_mode & 0777) != mode && chmod(self, mode) < 0)
		r = -errno;
	close(fd);
	if (r < 0)
		return r;
	*ret = (struct sqd_listen_file){ .dev = st.st_dev, .ino = st.st_ino };
	(void)snprintf(ret->path, sizeof(ret->path), "%s", path);
	return 0;
}

static void remove_file(struct sqd_listen_file *file)
{
	struct stat st;

	if (file->path[0] && lstat(file->path, &st) == 0 && st.st_dev == file->dev &&
	    st.st_ino == file->ino)
		(void)unlink(file->path); /* the next start replaces it otherwise */
	*file = (struct sqd_listen_file){ 0 };
}

/* Why bind() failed, for somebody who has to do something about it. */
static int explain(const struct sqd_addr *a, const char *where, int r, struct sq_err *err)
{
	const char *path =
		a->sa.ss_family == AF_UNIX ? ((const struct sockaddr_un *)&a->sa)->sun_path : "";
	const char *slash = strrchr(path, '/');
	int n = slash && slash > path ? (int)(slash - path) : 1;

	if (r == -EADDRINUSE)
		return sq_err_set(err, r,
		                  "cannot listen on %s: %s: another program, or another squiblyd, "
		                  "listens there",
		                  where, sq_strerror(r));
	if (r == -EADDRNOTAVAIL)
		return sq_err_set(err, r,
		                  "cannot listen on %s: %s: this machine has no such address",
		                  where, sq_strerror(r));
	if (r == -EACCES && a->sa.ss_family != AF_UNIX)
		return sq_err_set(err, r,
		                  "cannot listen on %s: %s: ports below 1024 are root's; let "
		                  "systemd open it (socket:)",
		                  where, sq_strerror(r));
	if (r == -ENOENT && path[0])
		return sq_err_set(err, r, "cannot listen on %s: the folder %.*s does not exist",
		                  where, n, path);
	if (r == -EACCES && path[0])
		return sq_err_set(err, r,
		                  "cannot listen on %s: no permission to make a socket in %.*s",
		                  where, n, path);
	return sq_err_set(err, r, "cannot listen on %s: %s", where, sq_strerror(r));
}

static int make_unix(const struct sqd_listen *l, const struct sqd_addr *a,
                     struct sqd_listen_file *file, struct sq_err *err)
{
	const char *path = ((const struct sockaddr_un *)&a->sa)->sun_path;
	mode_t mode = MODE_DEFAULT;
	int fd, r = 0;

	if (l->socket_mode)
		r = sqd_socket_mode_parse(l->socket_mode, &mode, err);
	if (!r && path[0])
		r = remove_stale(a, l->type, l->where, err);
	if (r < 0)
		return r;
	fd = make_socket(l, a, mode);
	if (fd < 0)
		return explain(a, l->where, fd, err);
	r = path[0] ? keep_file(path, mode, file) : 0;
	if (r < 0) {
		(void)unlink(path); /* it has just been made */
		close(fd);
		return sq_err_set(err, r, "%s: setting its mode: %s", l->where, sq_strerror(r));
	}
	return fd;
}

/* ---- all together -------------------------------------------------------------------------- */

static int make_listener(const struct sqd_listen *l, struct sqd_listen_file *file,
                         struct sq_err *err)
{
	struct sqd_addr a;
	int fd = sqd_addr_parse(l->where, &a, err);

	if (fd < 0)
		return fd;
	if (a.sa.ss_family == AF_UNIX) {
		fd = make_unix(l, &a, file, err);
		if (fd < 0)
			return fd;
	} else {
		fd = make_any(l, &a);
		if (fd < 0)
			return explain(&a, l->where, fd, err);
	}
	if (l->type == SOCK_STREAM && listen(fd, l->backlog) < 0) {
		int r = -errno;

		sqd_listen_close(fd, file);
		return explain(&a, l->where, r, err);
	}
	return fd;
}

int sqd_listen_open(const struct sqd_listen *l, char ret_bound[SQD_BOUND_TEXT],
                    uint64_t *ret_buffer, struct sqd_listen_file *ret_file, struct sq_err *err)
{
	struct sockaddr_storage bound = { 0 };
	struct sqd_listen_file file = { 0 };
	socklen_t len = sizeof(bound);
	int fd, got = 0;

	if (l->inherited_fd >= 0) {
		fd = take_inherited(l);
		if (fd < 0)
			return sq_err_set(err, fd, "%s: the socket passed for it: %s", l->where,
			                  sq_strerror(fd));
	} else {
		fd = make_listener(l, &file, err);
		if (fd < 0)
			return fd;
	}
	if (getsockname(fd, (struct sockaddr *)&bound, &len) < 0) {
		int r = -errno;

		sqd_listen_close(fd, &file);
		return sq_err_set(err, r, "%s: %s", l->where, sq_strerror(r));
	}
	sqd_addr_format_bound(&bound, ret_bound);
	len = sizeof(got);
	/* The kernel doubles the number for its own bookkeeping and shows the double. */
	if (ret_buffer && getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &len) == 0)
		*ret_buffer = (uint64_t)got / 2;
	if (ret_file)
		*ret_file = file;
	return fd;
}

/* Bound to where `fd` is; `fd` begins to share only now. */
static int bind_beside(int fd, int type, const struct sockaddr_storage *sa, socklen_t len)
{
	int s = socket(sa->ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r, only = 0;
	socklen_t size = sizeof(only);

	if (s < 0)
		return -errno;
	r = type == SOCK_STREAM ? set_flag(s, SOL_SOCKET, SO_REUSEADDR, 1) : 0;
	if (!r && sa->ss_family == AF_INET6 &&
	    getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size) == 0)
		r = set_flag(s, IPPROTO_IPV6, IPV6_V6ONLY, only);
	if (!r)
		r = set_flag(s, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!r)
		r = set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!r && bind(s, (const struct sockaddr *)sa, len) < 0)
		r = -errno;
	if (r < 0) {
		close(s);
		return r;
	}
	return s;
}

int sqd_listen_beside(int fd, bool ours, struct sq_err *err)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof(sa), size = sizeof(int);
	int type = 0, r;

	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0) {
		r = -errno;
	} else if (ours && sa.ss_family != AF_UNIX) {
		r = bind_beside(fd, type, &sa, len);
	} else if (type == SOCK_STREAM) {
		r = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (r < 0)
			r = -errno;
	} else {
		return -EOPNOTSUPP;
	}
	return r < 0 ? sq_err_set(err, r, "one more socket for the same address: %s",
	                          sq_strerror(r))
	             : r;
}

void sqd_listen_close(int fd, struct sqd_listen_file *file)
{
	/* The name first: who connects in between gets no connection that nobody accepts. */
	if (file)
		remove_file(file);
	if (fd >= 0)
		close(fd);
}
