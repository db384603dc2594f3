#include "daemon/base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <uv.h>

static int bad_address(const char *text, struct sq_err *err)
{
	return sq_err_set(err, -EINVAL,
	                  "\"%.100s\" is not an address: write HOST:PORT or [IPV6]:PORT", text);
}

const char *sqd_addr_strerror(int why)
{
	switch (why) {
	case UV_EAI_NONAME:
	case UV_EAI_NODATA:
		return "no such name (DNS)";
	case UV_EAI_AGAIN:
	case UV_EAI_FAIL:
		return "its name could not be looked up (DNS)";
	default:
		return uv_strerror(why);
	}
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

/* "unix:/path" and "unix:@name", less "unix:". */
static int parse_unix(const char *text, struct sq_sv name, struct sqd_addr *ret, struct sq_err *err)
{
	struct sqd_addr a = { .sa.ss_family = AF_UNIX };
	struct sockaddr_un *un = (struct sockaddr_un *)&a.sa;
	bool abstract = name.n && name.p[0] == '@';

	if (name.n < 2 || (name.p[0] != '/' && !abstract) || name.p[name.n - 1] == '/')
		return sq_err_set(
			err, -EINVAL,
			"\"%.100s\": write the whole path, unix:/run/squiblyd/events.sock, "
			"or an abstract name, unix:@events",
			text);
	if (name.n >= sizeof(un->sun_path))
		return sq_err_set(err, -EINVAL,
		                  "\"%.100s\": the path of a unix socket has at most %zu bytes, "
		                  "this one %zu",
		                  text, sizeof(un->sun_path) - 1, name.n);
	memcpy(un->sun_path, name.p, name.n);
	if (abstract)
		un->sun_path[0] = '\0';
	/* The NUL behind a path belongs to it, but would be one more byte of an abstract name. */
	a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name.n + !abstract);
	*ret = a;
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

	if (sq_sv_starts(sq_sv_of(text), SQ_SV("unix:")))
		return parse_unix(text, sq_sv_skip(sq_sv_of(text), 5), ret, err);
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

static void format_unix(const struct sockaddr_un *un, char *to, size_t room)
{
	size_t n = sizeof(un->sun_path), at = 0;

	while (n && !un->sun_path[n - 1])
		n--;
	at = (size_t)snprintf(to, room, n ? "unix:" : "unix");
	for (size_t i = 0; i < n && at + 1 < room; i++) {
		unsigned char c = (unsigned char)un->sun_path[i];

		if (i == 0 && !c)
			c = '@';
		to[at++] = (char)(c < 0x20 || c >= 0x7f ? '?' : c);
	}
	to[at] = '\0';
}

static void format(const struct sockaddr_storage *sa, char *to, size_t room)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)sa;
	const struct sockaddr_in *four = (const struct sockaddr_in *)sa;
	char host[INET6_ADDRSTRLEN] = "";

	if (sa->ss_family == AF_INET) {
		(void)inet_ntop(AF_INET, &four->sin_addr, host, sizeof(host));
		snprintf(to, room, "%s:%u", host, ntohs(four->sin_port));
	} else if (sa->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
		(void)inet_ntop(AF_INET, &six->sin6_addr.s6_addr[12], host, sizeof(host));
		snprintf(to, room, "%s:%u", host, ntohs(six->sin6_port));
	} else if (sa->ss_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof(host));
		snprintf(to, room, "[%s]:%u", host, ntohs(six->sin6_port));
	} else {
		format_unix((const struct sockaddr_un *)sa, to, room);
	}
}

const char *sqd_addr_format(const struct sockaddr_storage *sa, char to[SQD_ADDR_TEXT])
{
	format(sa, to, SQD_ADDR_TEXT);
	return to;
}

const char *sqd_addr_format_bound(const struct sockaddr_storage *sa, char to[SQD_BOUND_TEXT])
{
	format(sa, to, SQD_BOUND_TEXT);
	return to;
}

const char *sqd_addr_format_local(const struct ucred *who, char to[SQD_ADDR_TEXT])
{
	if (who->pid > 0)
		snprintf(to, SQD_ADDR_TEXT, "unix uid %u pid %d", (unsigned)who->uid,
		         (int)who->pid);
	else if (who->pid == 0) /* it lives in another PID namespace */
		snprintf(to, SQD_ADDR_TEXT, "unix uid %u", (unsigned)who->uid);
	else
		snprintf(to, SQD_ADDR_TEXT, "unix");
	return to;
}

const char *sqd_addr_peer(int fd, const struct sockaddr_storage *sa, char to[SQD_ADDR_TEXT])
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (sa->ss_family != AF_UNIX || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return sqd_addr_format(sa, to);
	return sqd_addr_format_local(&who, to);
}
