#include "daemon/base/passed.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/address.h"

unsigned sqd_passed_read(struct sqd_passed *p)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	uint64_t who = 0, n = 0;

	*p = (struct sqd_passed){ 0 };
	if (pid && fds && sq_sv_to_u64(sq_sv_of(pid), &who) && who == (uint64_t)getpid() &&
	    sq_sv_to_u64(sq_sv_of(fds), &n)) {
		p->n = n < SQD_PASSED_MAX ? (unsigned)n : SQD_PASSED_MAX;
		for (unsigned i = 0; i < p->n; i++) {
			p->fds[i] = SQD_PASSED_FIRST + (int)i;
			(void)fcntl(p->fds[i], F_SETFD, FD_CLOEXEC);
		}
		(void)snprintf(p->names, sizeof(p->names), "%s", names ? names : "");
	}
	/* A child of ours must not think they are for it. */
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return p->n;
}

static bool is_type(int fd, int type)
{
	socklen_t len = sizeof(int);
	int is = 0;

	return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &is, &len) == 0 && is == type;
}

static bool same_inet6(const struct sqd_addr *a, const struct sockaddr_storage *b, int fd)
{
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)&a->sa;
	const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)b;
	socklen_t len = sizeof(int);
	int only = 0;

	if (a6->sin6_port != b6->sin6_port ||
	    memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) != 0)
		return false;
	/* systemd's "ListenStream=5170" is our "*:5170". */
	return !IN6_IS_ADDR_UNSPECIFIED(&a6->sin6_addr) ||
	       (getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len) == 0 && only == !a->both);
}

static bool same_address(const struct sqd_addr *a, const struct sockaddr_storage *b, int fd)
{
	const struct sockaddr_in *a4 = (const struct sockaddr_in *)&a->sa;
	const struct sockaddr_in *b4 = (const struct sockaddr_in *)b;
	const struct sockaddr_un *unix_a = (const struct sockaddr_un *)&a->sa;
	const struct sockaddr_un *unix_b = (const struct sockaddr_un *)b;

	if (a->sa.ss_family != b->ss_family)
		return false;
	if (b->ss_family == AF_INET)
		return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	if (b->ss_family == AF_INET6)
		return same_inet6(a, b, fd);
	/* Both were zero behind their names. */
	return b->ss_family == AF_UNIX &&
	       memcmp(unix_a->sun_path, unix_b->sun_path, sizeof(unix_a->sun_path)) == 0;
}

/* Out of the list, to the caller. */
static int hand_over(struct sqd_passed *p, unsigned i)
{
	int fd = p->fds[i];

	p->fds[i] = -1;
	return fd;
}

int sqd_passed_take(struct sqd_passed *p, const char *where, int type)
{
	struct sqd_addr a;

	if (sqd_addr_parse(where, &a, NULL) < 0)
		return -1;
	for (unsigned i = 0; i < p->n; i++) {
		struct sockaddr_storage bound = { 0 };
		socklen_t len = sizeof(bound);

		if (is_type(p->fds[i], type) &&
		    getsockname(p->fds[i], (struct sockaddr *)&bound, &len) == 0 &&
		    same_address(&a, &bound, p->fds[i]))
			return hand_over(p, i);
	}
	return -1;
}

int sqd_passed_take_named(struct sqd_passed *p, const char *name, int type)
{
	struct sq_sv rest = sq_sv_of(p->names), want = sq_sv_of(name);
	bool other = false;

	/* One unit may pass several sockets under one name: a stream and a datagram socket. */
	for (unsigned i = 0; i < p->n && rest.n; i++) {
		if (!sq_sv_eq(sq_sv_cut(&rest, ':'), want) || p->fds[i] < 0)
			continue;
		if (is_type(p->fds[i], type))
			return hand_over(p, i);
		other = true;
	}
	return other ? -EPROTOTYPE : -ENOENT;
}

unsigned sqd_passed_close(struct sqd_passed *p)
{
	unsigned closed = 0;

	for (unsigned i = 0; i < p->n; i++) {
		if (p->fds[i] < 0)
			continue;
		close(hand_over(p, i));
		closed++;
	}
	return closed;
}
