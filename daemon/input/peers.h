/* How many connections each peer of an input has, over all instances of it: what
 * max_connections_per_peer limits.
 *
 * A peer is an address, whatever the port. Who comes through a unix socket has none and is not
 * counted. The table is made once, with room for as many peers as there may be connections, so that
 * nothing is allocated when one comes; it is asked when a connection begins and when it ends, by
 * any loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/base/base.h"

struct sqd_peers;

/** Whose connection it is. All zero: nobody's that is counted. */
struct sqd_peer {
	uint8_t address[16]; /* IPv6; IPv4 as ::ffff:192.0.2.7 */
	uint32_t scope;      /* of a link-local one: which link */
	bool counted;        /* sqd_peers_drop() is to come */
};

/** For at most `connections` at one time, `each` of one peer. NULL: out of memory. */
struct sqd_peers *sqd_peers_new(uint32_t connections, uint32_t each);
void sqd_peers_free(struct sqd_peers *p);

/** One more connection from `sa`; `*ret` is for drop(). NULL `p`: nobody is counted.
 *  @return false: it has as many as it may have, and nothing is to be dropped */
bool sqd_peers_add(struct sqd_peers *p, const struct sockaddr_storage *sa,
                   struct sqd_peer *ret) SQ_MUST_CHECK;

/** The connection is gone. Nothing when it was not counted, or dropped already. */
void sqd_peers_drop(struct sqd_peers *p, struct sqd_peer *who);
