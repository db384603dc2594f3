/* Addresses as a person writes them.
 *
 *	127.0.0.1:5170          IPv4
 *	[::1]:5170              IPv6; "[::]:5170" takes IPv6 alone, so that it can stand beside
 *0.0.0.0
 *	*:5170                  every address, IPv6 and IPv4 by one socket
 *	unix:/run/x/events.sock a unix socket, its whole path
 *	unix:@events            a unix socket of Linux's abstract names, which no file stands for
 *
 * Port 0 lets the kernel choose. Main loop, or before it starts.
 */
#pragma once

#include <sys/socket.h>

#include "lib/base/err.h"

enum {
	SQD_ADDR_TEXT = 64,   /* of a peer: "[2001:db8::1]:514", "unix uid 1000 pid 4242" */
	SQD_BOUND_TEXT = 120, /* of a socket of ours: the path of a unix socket whole */
};

struct sqd_addr {
	struct sockaddr_storage sa;
	socklen_t len; /* bytes of it */
	bool both;     /* "*": IPv4 as well, through an IPv6 socket */
};

/** What a code of libuv about a name or a connection means, in words for who runs us. */
const char *sqd_addr_strerror(int why);

/** Host and port apart, brackets taken off; nothing is looked up. @return 0, -EINVAL */
int sqd_addr_split(const char *text, char host[256], char port[8],
                   struct sq_err *err) SQ_MUST_CHECK;

/** A numeric address and port, "*" or a unix socket. @return 0, -EINVAL */
int sqd_addr_parse(const char *text, struct sqd_addr *ret, struct sq_err *err) SQ_MUST_CHECK;

/** "192.0.2.7:51234", "[2001:db8::1]:514"; IPv4 that came through an IPv6 socket is shown as IPv4,
 *  a scope is left out. Of a unix socket "unix:PATH" as far as there is room, "unix:@NAME", or
 *  "unix" when it has no name; what is not printable is shown as '?'. Bytes of `sa` behind its
 *  length are zero. @return `to` */
const char *sqd_addr_format(const struct sockaddr_storage *sa, char to[SQD_ADDR_TEXT]);

/** The same for a socket of ours. @return `to` */
const char *sqd_addr_format_bound(const struct sockaddr_storage *sa, char to[SQD_BOUND_TEXT]);

/** "unix uid 1000 pid 4242", as far as it is known; a pid of -1: nothing is. @return `to` */
const char *sqd_addr_format_local(const struct ucred *who, char to[SQD_ADDR_TEXT]);

/** Who is at the other end of the accepted connection `fd`: sqd_addr_format(), but of a unix socket
 *  "unix uid 1000 pid 4242", which the kernel vouches for. @return `to` */
const char *sqd_addr_peer(int fd, const struct sockaddr_storage *sa, char to[SQD_ADDR_TEXT]);
