#include "daemon/base/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- addresses --------------------------------------------------------------------------- */

static int bad_address(const char *text, struct sq_err *err)
{
	return sq_err_set(err, -EINVAL,
	                  "\"%.100s\" is not an address: write HOST:PORT, [IPV6]:PORT or *:PORT",
	                  text);
}

int sqd_addr_split(const char *text, char host[256], char port[8], struct sq_err *err)
{
	struct sq_sv v = sq_sv_of(text), name, number;
	const char *colon = strrchr(text, ':');
	uint64_t n;

	if (!colon)
		return bad_address(text, err);
	name = sq_sv_first(v, (size_t)(colon - text));
	number = sq_sv_skip(v, name.n + 1);
	if (name.n >= 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
		name = (struct sq_sv){ name.p + 1, name.n - 2 };
	else if (sq_sv_chr(name, ':') != SIZE_MAX || sq_sv_chr(name, '[') != SIZE_MAX)
		return bad_address(text, err);
	if (name.n == 0 || name.n > 255 || number.n == 0 || number.n > 5 ||
	    !sq_is_digit(number.p[0]))
		return bad_address(text, err);
	if (!sq_sv_to_u64(number, &n) || n > 65535)
		return sq_err_set(err, -EINVAL, "\"%.100s\": a port is a number from 0 to 65535",
		                  text);
	memcpy(host, name.p, name.n);
	host[name.n] = '\0';
	memcpy(port, number.p, number.n);
	port[number.n] = '\0';
	return 0;
}

int sqd_addr_parse(const char *text, struct sqd_addr *ret, struct sq_err *err)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		                  .ai_socktype = SOCK_STREAM };
	struct addrinfo *list;
	char host[256], port[8];
	bool both;
	int r;

	r = sqd_addr_split(text, host, port, err);
	if (r < 0)
		return r;
	both = strcmp(host, "*") == 0;
	r = getaddrinfo(both ? "::" : host, port, &hints, &list);
	if (r != 0)
		return sq_err_set(
			err, -EINVAL,
			"\"%.100s\": \"%.100s\" is not an IP address (names are not looked "
			"up here)",
			text, host);
	*ret = (struct sqd_addr){ .len = list->ai_addrlen, .both = both };
	memcpy(&ret->sa, list->ai_addr, list->ai_addrlen);
	freeaddrinfo(list);
	return 0;
}

const char *sqd_addr_format(const struct sockaddr_storage *sa, char to[SQD_ADDR_TEXT])
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)sa;
	const struct sockaddr_in *four = (const struct sockaddr_in *)sa;
	char host[INET6_ADDRSTRLEN] = "";

	if (sa->ss_family == AF_INET) {
		(void)inet_ntop(AF_INET, &four->sin_addr, host, sizeof(host));
		snprintf(to, SQD_ADDR_TEXT, "%s:%u", host, ntohs(four->sin_port));
	} else if (sa->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
		(void)inet_ntop(AF_INET, &six->sin6_addr.s6_addr[12], host, sizeof(host));
		snprintf(to, SQD_ADDR_TEXT, "%s:%u", host, ntohs(six->sin6_port));
	} else if (sa->ss_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof(host));
		snprintf(to, SQD_ADDR_TEXT, "[%s]:%u", host, ntohs(six->sin6_port));
	} else {
		snprintf(to, SQD_ADDR_TEXT, "local");
	}
	return to;
}

/* ---- sockets ----------------------------------------------------------------------------- */

static int set_flag(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_receive_buffer(int fd, uint64_t bytes)
{
	int want = bytes > INT32_MAX / 2 ? INT32_MAX / 2 : (int)bytes;

	if (!bytes || set_flag(fd, SOL_SOCKET, SO_RCVBUFFORCE, want) == 0)
		return 0;
	return set_flag(fd, SOL_SOCKET, SO_RCVBUF, want); /* cut to rmem_max, silently */
}

/* Socket, options, bind. */
static int make_socket(const struct sqd_listen *l, const struct sqd_addr *a)
{
	int fd = socket(a->sa.ss_family, l->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	if (l->type == SOCK_STREAM) {
		/* So that a restart need not wait for old connections to time out. Not for
		 * datagrams, where it would let two programs share a port unawares. */
		r = set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
		if (r < 0)
			goto fail;
	}
	if (a->sa.ss_family == AF_INET6) {
		r = set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, !a->both);
		if (r < 0)
			goto fail;
	}
	/* Before listen(): accepted sockets inherit it, and their window is scaled to it. */
	r = set_receive_buffer(fd, l->receive_buffer);
	if (r < 0)
		goto fail;
	if (bind(fd, (const struct sockaddr *)&a->sa, a->len) < 0 ||
	    (l->type == SOCK_STREAM && listen(fd, l->backlog) < 0)) {
		r = -errno;
		goto fail;
	}
	return fd;

fail:
	close(fd);
	return r;
}

/* "*" on a machine without IPv6 means every IPv4 address. */
static int make_any(const struct sqd_listen *l, struct sqd_addr *a)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&a->sa;
	struct sqd_addr four = { .len = sizeof(struct sockaddr_in) };
	struct sockaddr_in *in = (struct sockaddr_in *)&four.sa;
	int fd = make_socket(l, a);

	if (!a->both || (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL))
		return fd;
	in->sin_family = AF_INET;
	in->sin_port = six->sin6_port;
	return make_socket(l, &four);
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
	r = set_receive_buffer(fd, l->receive_buffer);
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

int sqd_listen_open(const struct sqd_listen *l, char ret_bound[SQD_ADDR_TEXT], uint64_t *ret_buffer,
                    struct sq_err *err)
{
	struct sockaddr_storage bound = { 0 };
	socklen_t len = sizeof(bound);
	struct sqd_addr a;
	int fd, got = 0;

	if (l->inherited_fd >= 0) {
		fd = take_inherited(l);
		if (fd < 0)
			return sq_err_set(err, fd, "%s: the socket passed for it: %s", l->where,
			                  sq_strerror(fd));
	} else {
		fd = sqd_addr_parse(l->where, &a, err);
		if (fd < 0)
			return fd;
		fd = make_any(l, &a);
		if (fd < 0)
			return sq_err_set(err, fd, "cannot listen on %s: %s", l->where,
			                  sq_strerror(fd));
	}
	if (getsockname(fd, (struct sockaddr *)&bound, &len) < 0) {
		int r = -errno;

		close(fd);
		return sq_err_set(err, r, "%s: %s", l->where, sq_strerror(r));
	}
	sqd_addr_format(&bound, ret_bound);
	len = sizeof(got);
	/* The kernel doubles the number for its own bookkeeping and shows the double. */
	if (ret_buffer && getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &len) == 0)
		*ret_buffer = (uint64_t)got / 2;
	return fd;
}

/* ---- sockets that systemd passes --------------------------------------------------------- */

unsigned sqd_passed_read(struct sqd_passed *p)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t who = 0, n = 0;

	*p = (struct sqd_passed){ 0 };
	if (pid && fds && sq_sv_to_u64(sq_sv_of(pid), &who) && who == (uint64_t)getpid() &&
	    sq_sv_to_u64(sq_sv_of(fds), &n)) {
		p->n = n < SQD_PASSED_MAX ? (unsigned)n : SQD_PASSED_MAX;
		for (unsigned i = 0; i < p->n; i++) {
			p->fds[i] = SQD_PASSED_FIRST + (int)i;
			(void)fcntl(p->fds[i], F_SETFD, FD_CLOEXEC);
		}
	}
	/* A child of ours must not think they are for it. */
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return p->n;
}

static bool same_address(const struct sqd_addr *a, const struct sockaddr_storage *b, int fd)
{
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)&a->sa;
	const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)b;
	const struct sockaddr_in *a4 = (const struct sockaddr_in *)&a->sa;
	const struct sockaddr_in *b4 = (const struct sockaddr_in *)b;
	int only = 0;
	socklen_t len = sizeof(only);

	if (a->sa.ss_family != b->ss_family)
		return false;
	if (b->ss_family == AF_INET)
		return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	if (b->ss_family != AF_INET6 || a6->sin6_port != b6->sin6_port ||
	    memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) != 0)
		return false;
	/* systemd's "ListenStream=5170" is our "*:5170". */
	return !IN6_IS_ADDR_UNSPECIFIED(&a6->sin6_addr) ||
	       (getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len) == 0 && only == !a->both);
}

int sqd_passed_take(struct sqd_passed *p, const char *where, int type)
{
	struct sqd_addr a;

	if (sqd_addr_parse(where, &a, NULL) < 0)
		return -1;
	for (unsigned i = 0; i < p->n; i++) {
		struct sockaddr_storage bound = { 0 };
		socklen_t len = sizeof(bound), tlen = sizeof(int);
		int fd = p->fds[i], is = 0;

		if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &is, &tlen) < 0 || is != type ||
		    getsockname(fd, (struct sockaddr *)&bound, &len) < 0 ||
		    !same_address(&a, &bound, fd))
			continue;
		p->fds[i] = -1;
		return fd;
	}
	return -1;
}

unsigned sqd_passed_close(struct sqd_passed *p)
{
	unsigned closed = 0;

	for (unsigned i = 0; i < p->n; i++) {
		if (p->fds[i] < 0)
			continue;
		close(p->fds[i]);
		p->fds[i] = -1;
		closed++;
	}
	return closed;
}
