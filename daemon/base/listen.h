/* The sockets that inputs listen on.
 *
 * They are made here and not by libuv 1.44, which cannot set what must be set between socket() and
 * bind(). Main loop, or before it starts.
 */
#pragma once

#include "daemon/base/address.h"
#include "lib/text/opt.h"

/** The file of a unix socket of ours: what sqd_listen_close() may remove. */
struct sqd_listen_file {
	char path[108]; /* "": there is none */
	dev_t dev;
	ino_t ino;
};

struct sqd_listen {
	const char *where;       /* as configured */
	int type;                /* SOCK_STREAM or SOCK_DGRAM */
	int backlog;             /* streams: connections not yet accepted */
	uint64_t receive_buffer; /* bytes; 0 = the kernel's choice, streams from 1 MiB on */
	int inherited_fd;        /* taken instead of a new socket, when not -1 */
	const char *socket_mode; /* unix sockets: octal text; NULL: "0660" */
};

/** Row for the table of options of a listener: who may connect to its unix socket. */
#define SQD_SOCKET_MODE_OPT(type, member)                                                                     \
	{                                                                                                     \
		"socket_mode", SQ_OPT_STR,                                                                    \
			.offset = offsetof(type, member), .def = "0660",                                      \
			.doc = "Permissions of the file of a unix socket, in octal: 0660 lets its owner and " \
			       "group connect, 0666 everybody."                                               \
	}

/** Octal permission bits, "0660" or "660". @return 0, -EINVAL */
int sqd_socket_mode_parse(const char *text, mode_t *ret, struct sq_err *err) SQ_MUST_CHECK;

/**
 * A bound (and, for streams, listening) socket that does not block and is closed on exec; the
 * caller owns it. An inherited one is taken also on failure.
 *
 * The file of a unix socket is made with the mode asked for, and replaces one that nobody listens
 * on any more; anything else in its place is an error.
 *
 * @param ret_bound   the address it is bound to, with the real port
 * @param ret_buffer  the receive buffer that the kernel gave, may be NULL; less than asked for
 *                    when net.core.rmem_max is lower and we may not override it
 * @param ret_file    for sqd_listen_close(); its path is empty when there is no file, or when it
 *                    is not ours because the socket is inherited. May be NULL: the file stays
 * @return the descriptor, or a negative errno
 */
int sqd_listen_open(const struct sqd_listen *l, char ret_bound[SQD_BOUND_TEXT],
                    uint64_t *ret_buffer, struct sqd_listen_file *ret_file,
                    struct sq_err *err) SQ_MUST_CHECK;

/**
 * One more socket on the address of `fd`, for another thread to take connections or datagrams from:
 * what sqd_listen_open() is given as an inherited one. The caller owns it.
 *
 * When `fd` is ours and of IP, it is a socket of its own (SO_REUSEPORT): the kernel gives each
 * connection to one of them by its addresses, and all datagrams of a sender to the same one. `fd`
 * was bound without that option, so no other program has the address, nor gets it unless it is run
 * by the same user. Another stream socket (of systemd, or unix) is shared as it is: whoever comes
 * first accepts.
 *
 * @return the descriptor; -EOPNOTSUPP: its datagrams cannot be shared out; or a negative errno
 */
int sqd_listen_beside(int fd, bool ours, struct sq_err *err) SQ_MUST_CHECK;

/** Close the socket, and remove its file when that is still the one we made. `fd` may be -1, `file`
 *  NULL or all zero; it is emptied. */
void sqd_listen_close(int fd, struct sqd_listen_file *file);
