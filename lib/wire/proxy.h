/* The PROXY protocol: who the client is, told by the proxy in front of us.
 *
 * Versions 1 (one line of text) and 2 (binary), as in https://www.haproxy.org/download/2.9/doc/
 * proxy-protocol.txt . The header stands before everything else of a connection, before TLS too,
 * and it is believed: only connections of listed addresses may be given to this reader. On those it
 * must be there; the protocol forbids to guess.
 *
 * Pure: no I/O, no allocation, no clock. One struct sq_proxy_reader belongs to one connection, and
 * only until its header has been read: it holds 4 KiB.
 */
#pragma once

#include "lib/base/sv.h"

enum {
	SQ_PROXY_V1_MAX = 107,      /* bytes of a version 1 line with its CR LF */
	SQ_PROXY_V2_FIXED = 16,     /* bytes of a version 2 header before its addresses */
	SQ_PROXY_V2_MAX_REST = 4096 /* bytes of addresses and TLVs; a longer header is refused */
};

enum sq_proxy_family {
	SQ_PROXY_NONE, /* LOCAL, UNKNOWN, UNSPEC: the connection's own addresses are what counts */
	SQ_PROXY_IPV4,
	SQ_PROXY_IPV6,
	SQ_PROXY_UNIX,
};

/** What a header says. */
struct sq_proxy {
	enum sq_proxy_family family;
	uint8_t version; /* 1 or 2 */
	bool local;      /* the proxy speaks for itself (a health check); family is NONE */
	uint8_t source[16], destination[16]; /* 4 or 16 bytes, as on the wire */
	uint16_t source_port, destination_port;
	struct sq_sv source_path, destination_path; /* UNIX: up to 108 bytes each, perhaps none or
	                                             * with a leading NUL; views into the reader */
};

/** All zero at first. */
struct sq_proxy_reader {
	const char *why; /* set by a negative return: a sentence for a log, no line end */
	uint16_t n;      /* bytes of the header that have come */
	char bytes[SQ_PROXY_V2_FIXED + SQ_PROXY_V2_MAX_REST];
};

/**
 * Go on with the next bytes of the connection, as they come.
 *
 * @param ret_used  always set: how many of them belong to the header (those behind are the
 *                  stream's; on 0 all of them)
 * @param ret       on 1 only
 * @return  1  the header is whole
 *          0  more bytes are needed
 *          -EPROTO    these are no PROXY header: the connection must be closed
 *          -EBADMSG   a broken header, or one whose checksum is wrong
 *          -EMSGSIZE  a header over the limits above
 */
int sq_proxy_next(struct sq_proxy_reader *r, struct sq_sv in, size_t *ret_used,
                  struct sq_proxy *ret) SQ_MUST_CHECK;
