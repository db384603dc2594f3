#include "daemon/base/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

/* The bytes of an address, IPv4 taken out of IPv6. */
static sa_family_t bytes_of(const struct sockaddr_storage *sa, const uint8_t **ret)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)sa;
	const struct sockaddr_in *four = (const struct sockaddr_in *)sa;

	*ret = NULL;
	if (sa->ss_family == AF_INET)
		*ret = (const uint8_t *)&four->sin_addr;
	if (sa->ss_family != AF_INET6)
		return sa->ss_family;
	*ret = six->sin6_addr.s6_addr;
	if (!IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
		return AF_INET6;
	*ret += 12;
	return AF_INET;
}

/* Bit number `i` of an address, from the left. */
static bool bit(const uint8_t *address, unsigned i)
{
	return address[i / 8] & (0x80u >> i % 8);
}

static int bad_network(const char *text, struct sq_err *err)
{
	return sq_err_set(err, -EINVAL,
	                  "\"%.100s\" is no network: write 192.0.2.7, 192.0.2.0/24, "
	                  "2001:db8::/32 or unix",
	                  text);
}

/* Decimal digits alone: sq_sv_to_u64() takes hexadecimal, too. */
static bool read_prefix(struct sq_sv v, uint64_t max, uint64_t *ret)
{
	for (size_t i = 0; i < v.n; i++)
		if (!sq_is_digit(v.p[i]))
			return false;
	return v.n > 0 && v.n <= 3 && sq_sv_to_u64(v, ret) && *ret <= max;
}

int sqd_network_parse(const char *text, struct sqd_network *ret, struct sq_err *err)
{
	struct sq_sv rest = sq_sv_of(text), host = sq_sv_cut(&rest, '/');
	struct sqd_network n = { .family = AF_INET };
	char name[INET6_ADDRSTRLEN] = "";
	bool whole = host.n == strlen(text);
	uint64_t prefix, bits;

	if (strcmp(text, "unix") == 0) {
		*ret = (struct sqd_network){ .family = AF_UNIX };
		return 0;
	}
	if (host.n >= sizeof(name))
		return bad_network(text, err);
	memcpy(name, host.p, host.n);
	if (inet_pton(AF_INET, name, n.address) != 1) {
		n.family = AF_INET6;
		if (inet_pton(AF_INET6, name, n.address) != 1)
			return bad_network(text, err);
	}
	bits = n.family == AF_INET ? 32 : 128;
	prefix = bits;
	if (!whole && !read_prefix(rest, bits, &prefix))
		return sq_err_set(err, -EINVAL, "\"%.100s\": a prefix is a number from 0 to %u",
		                  text, (unsigned)bits);
	/* Somebody who writes 10.1.2.3/8 may mean the one address or the whole network, and this
	 * decides who is believed. */
	for (unsigned i = (unsigned)prefix; i < bits; i++)
		if (bit(n.address, i))
			return sq_err_set(err, -EINVAL,
			                  "\"%.100s\": the address has bits behind its /%u; write "
			                  "the network's address, or the address alone",
			                  text, (unsigned)prefix);
	n.prefix = (uint8_t)prefix;
	*ret = n;
	return 0;
}

bool sqd_network_has(const struct sqd_network *n, const struct sockaddr_storage *sa)
{
	const uint8_t *address;
	unsigned whole = n->prefix / 8;

	if (bytes_of(sa, &address) != n->family)
		return false;
	if (!address) /* AF_UNIX: there is only one */
		return n->family == AF_UNIX;
	if (memcmp(address, n->address, whole) != 0)
		return false;
	for (unsigned i = whole * 8; i < n->prefix; i++)
		if (bit(address, i) != bit(n->address, i))
			return false;
	return true;
}

bool sqd_networks_have(const struct sqd_network *list, size_t n, const struct sockaddr_storage *sa)
{
	for (size_t i = 0; i < n; i++)
		if (sqd_network_has(&list[i], sa))
			return true;
	return false;
}

bool sqd_network_proxied(const struct sq_proxy *p, struct sockaddr_storage *to)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;
	struct sockaddr_in *four = (struct sockaddr_in *)to;

	switch (p->family) {
	case SQ_PROXY_NONE:
		return false;
	case SQ_PROXY_IPV4:
		*to = (struct sockaddr_storage){ .ss_family = AF_INET };
		memcpy(&four->sin_addr, p->source, sizeof(four->sin_addr));
		four->sin_port = htons(p->source_port);
		break;
	case SQ_PROXY_IPV6:
		*to = (struct sockaddr_storage){ .ss_family = AF_INET6 };
		memcpy(&six->sin6_addr, p->source, sizeof(six->sin6_addr));
		six->sin6_port = htons(p->source_port);
		break;
	case SQ_PROXY_UNIX:
		*to = (struct sockaddr_storage){ .ss_family = AF_UNIX };
		break;
	}
	return true;
}
