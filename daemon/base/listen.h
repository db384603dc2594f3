/* Addresses as a person writes them, and the sockets that inputs listen on.
 *
 *	127.0.0.1:5170   IPv4
 *	[::1]:5170       IPv6; "[::]:5170" takes IPv6 alone, so that it can stand beside 0.0.0.0
 *	*:5170           every address, IPv6 and IPv4 by one socket
 *
 * Port 0 lets the kernel choose. Sockets are made here and not by libuv 1.44, which cannot set what
 * must be set between socket() and bind(). Main loop, or before it starts.
 */
#pragma once

#include <sys/socket.h>

#include "lib/base/err.h"

enum { SQD_ADDR_TEXT = 64 }; /* "[2001:db8::1]:514" and its end; a scope is left out */

struct sqd_addr {
	struct sockaddr_storage sa;
	socklen_t len; /* bytes of it */
	bool both;     /* "*": IPv4 as well, through an IPv6 socket */
};

/** Host and port apart, brackets taken off; nothing is looked up. @return 0, -EINVAL */
int sqd_addr_split(const char *text, char host[256], char port[8],
                   struct sq_err *err) SQ_MUST_CHECK;

/** A numeric address and port, or "*". @return 0, -EINVAL */
int sqd_addr_parse(const char *text, struct sqd_addr *ret, struct sq_err *err) SQ_MUST_CHECK;

/** "192.0.2.7:51234", "[2001:db8::1]:514"; IPv4 that came through an IPv6 socket is shown as IPv4;
 *  "local" for other families. @return `to` */
const char *sqd_addr_format(const struct sockaddr_storage *sa, char to[SQD_ADDR_TEXT]);

struct sqd_listen {
	const char *where;       /* as configured */
	int type;                /* SOCK_STREAM or SOCK_DGRAM */
	int backlog;             /* streams: connections not yet accepted */
	uint64_t receive_buffer; /* bytes; 0 = the kernel's choice */
	int inherited_fd;        /* taken instead of a new socket, when not -1 */
};

/**
 * A bound (and, for streams, listening) socket that does not block and is closed on exec; the
 * caller owns it. An inherited one is taken also on failure.
 *
 * @param ret_bound   the address it is bound to, with the real port
 * @param ret_buffer  the receive buffer that the kernel gave, may be NULL; less than asked for
 *                    when net.core.rmem_max is lower and we may not override it
 * @return the descriptor, or a negative errno
 */
int sqd_listen_open(const struct sqd_listen *l, char ret_bound[SQD_ADDR_TEXT], uint64_t *ret_buffer,
                    struct sq_err *err) SQ_MUST_CHECK;

/* ---- sockets that systemd passes (sd_listen_fds(3)) -------------------------------------- */

enum { SQD_PASSED_FIRST = 3, SQD_PASSED_MAX = 64 };

/** The sockets passed to this process; each is taken once. */
struct sqd_passed {
	int fds[SQD_PASSED_MAX]; /* -1: taken */
	unsigned n;
};

/** Read LISTEN_PID and LISTEN_FDS, and take them out of the environment; marks the descriptors
 *  close-on-exec. None is not an error. @return how many */
unsigned sqd_passed_read(struct sqd_passed *p);

/** The passed socket of this type that is bound to `where` (port and address; a wildcard matches
 *  its own kind alone). @return the descriptor, the caller's from now on, or -1 */
int sqd_passed_take(struct sqd_passed *p, const char *where, int type);

/** Close those that nobody took. @return how many */
unsigned sqd_passed_close(struct sqd_passed *p);
