/* Networks as a person writes them: which addresses a list of them means.
 *
 *	192.0.2.7        one address
 *	192.0.2.0/24     a network
 *	2001:db8::/32    IPv6 too
 *	unix             every connection of a unix socket
 *
 * IPv4 that came through an IPv6 socket is IPv4.
 */
#pragma once

#include <sys/socket.h>

#include "lib/base/err.h"
#include "lib/wire/proxy.h"

struct sqd_network {
	sa_family_t family; /* AF_INET, AF_INET6, AF_UNIX */
	uint8_t prefix;     /* bits of it that count */
	uint8_t address[16];
};

/** @return 0, or -EINVAL with what is wrong: no such address, bits set behind the prefix ... */
int sqd_network_parse(const char *text, struct sqd_network *ret, struct sq_err *err) SQ_MUST_CHECK;

/** An IPv4 address in IPv6 form is itself; AF_UNIX has every unix socket. */
bool sqd_network_has(const struct sqd_network *n, const struct sockaddr_storage *sa);

/** One of `n` networks has it; none has in an empty list. */
bool sqd_networks_have(const struct sqd_network *list, size_t n, const struct sockaddr_storage *sa);

/** The client's address as a PROXY header tells it, for sqd_addr_format() and sqd_networks_have().
 *  @return false: it tells none (SQ_PROXY_NONE), `to` is left as it was */
bool sqd_network_proxied(const struct sq_proxy *p, struct sockaddr_storage *to);
