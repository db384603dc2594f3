#include "lib/wire/proxy.h"

#include <arpa/inet.h>
#include <errno.h>

/* Version 2 begins with what no other protocol begins with. */
static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";
static const char v1_start[6] = "PROXY ";

enum {
	COMMAND_LOCAL = 0,
	COMMAND_PROXY = 1,
	FAMILY_UNSPEC = 0x00, /* family in the upper half, stream (1) or datagram (2) below */
	FAMILY_TCP4 = 0x11,
	FAMILY_UDP4 = 0x12,
	FAMILY_TCP6 = 0x21,
	FAMILY_UDP6 = 0x22,
	FAMILY_UNIX_STREAM = 0x31,
	FAMILY_UNIX_DATAGRAM = 0x32,
	TLV_HEAD = 3, /* type, two bytes of length */
	TLV_CRC32C = 0x03,
	UNIX_PATH = 108,
};

static int fail(struct sq_proxy_reader *r, int error, const char *why)
{
	r->why = why;
	return error;
}

static uint16_t be16(const char *p)
{
	return (uint16_t)((unsigned char)p[0] << 8 | (unsigned char)p[1]);
}

/* ---- version 1: one line ------------------------------------------------------------------ */

/* Decimal as the protocol wants it: no sign, no blank, no zero in front. */
static bool read_port(struct sq_sv v, uint16_t *ret)
{
	uint32_t n = 0;

	if (v.n == 0 || v.n > 5 || (v.p[0] == '0' && v.n > 1))
		return false;
	for (size_t i = 0; i < v.n; i++) {
		if (!sq_is_digit(v.p[i]))
			return false;
		n = n * 10 + (uint32_t)(v.p[i] - '0');
	}
	*ret = (uint16_t)n;
	return n <= UINT16_MAX;
}

static bool read_address(struct sq_sv v, enum sq_proxy_family family, uint8_t to[16])
{
	char text[INET6_ADDRSTRLEN];

	/* inet_pton() would stop at a NUL. */
	if (v.n >= sizeof(text) || sq_sv_chr(v, '\0') != SIZE_MAX)
		return false;
	memcpy(text, v.p, v.n);
	text[v.n] = '\0';
	return inet_pton(family == SQ_PROXY_IPV4 ? AF_INET : AF_INET6, text, to) == 1;
}

/* The line without its "PROXY " and CR LF. */
static int parse_line(struct sq_proxy_reader *r, struct sq_sv line, struct sq_proxy *ret)
{
	struct sq_sv rest = line, word = sq_sv_cut(&rest, ' '), source, destination, from, to;
	struct sq_proxy p = { .version = 1 };

	if (sq_sv_eq(word, SQ_SV("UNKNOWN"))) { /* what follows is to be ignored */
		*ret = p;
		return 1;
	}
	if (sq_sv_eq(word, SQ_SV("TCP4")))
		p.family = SQ_PROXY_IPV4;
	else if (sq_sv_eq(word, SQ_SV("TCP6")))
		p.family = SQ_PROXY_IPV6;
	else
		return fail(r, -EBADMSG, "its PROXY line names neither TCP4, TCP6 nor UNKNOWN");
	source = sq_sv_cut(&rest, ' ');
	destination = sq_sv_cut(&rest, ' ');
	from = sq_sv_cut(&rest, ' ');
	to = rest;
	if (!read_address(source, p.family, p.source) ||
	    !read_address(destination, p.family, p.destination))
		return fail(r, -EBADMSG, "its PROXY line has a wrong address");
	if (!read_port(from, &p.source_port) || !read_port(to, &p.destination_port))
		return fail(r, -EBADMSG, "its PROXY line has a wrong port");
	*ret = p;
	return 1;
}

/* Byte by byte: not one behind the line end may be taken. */
static int next_line(struct sq_proxy_reader *r, struct sq_sv in, size_t *used, struct sq_proxy *ret)
{
	while (*used < in.n) {
		char c = in.p[(*used)++];

		r->bytes[r->n++] = c;
		if (r->bytes[r->n - 2] == '\r' && c == '\n')
			return parse_line(r,
			                  (struct sq_sv){ r->bytes + sizeof(v1_start),
			                                  r->n - sizeof(v1_start) - 2u },
			                  ret);
		if (r->bytes[r->n - 2] == '\r' || c == '\n')
			return fail(r, -EBADMSG, "its PROXY line does not end with CR LF");
		if (r->n == SQ_PROXY_V1_MAX)
			return fail(r, -EMSGSIZE, "its PROXY line is longer than 107 bytes");
	}
	return 0;
}

/* ---- version 2: binary -------------------------------------------------------------------- */

/* CRC-32C (Castagnoli) of a header once per connection: a table would not pay. */
static uint32_t crc32c(uint32_t crc, const char *p, size_t n)
{
	crc = ~crc;
	for (size_t i = 0; i < n; i++) {
		crc ^= (unsigned char)p[i];
		for (int k = 0; k < 8; k++)
			crc = (crc >> 1) ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
	}
	return ~crc;
}

/* The checksum covers the header with four NULs in its own place. */
static bool checksum_right(const struct sq_proxy_reader *r, size_t at)
{
	const unsigned char *v = (const unsigned char *)r->bytes + at;
	uint32_t told = (uint32_t)v[0] << 24 | (uint32_t)v[1] << 16 | (uint32_t)v[2] << 8 | v[3];
	uint32_t crc = crc32c(0, r->bytes, at);

	crc = crc32c(crc, "\0\0\0\0", 4);
	return crc32c(crc, r->bytes + at + 4, r->n - at - 4) == told;
}

static int check_tlvs(struct sq_proxy_reader *r, size_t at)
{
	bool summed = false;

	while (at < r->n) {
		size_t len;

		if (r->n - at < TLV_HEAD)
			return fail(r, -EBADMSG, "a field of its PROXY header is cut short");
		len = be16(r->bytes + at + 1);
		if (len > r->n - at - TLV_HEAD)
			return fail(r, -EBADMSG, "a field of its PROXY header runs past the end");
		if (r->bytes[at] == TLV_CRC32C) {
			if (len != 4 || summed)
				return fail(r, -EBADMSG, "its PROXY header has a broken checksum");
			if (!checksum_right(r, at + TLV_HEAD))
				return fail(r, -EBADMSG, "its PROXY header has a wrong checksum");
			summed = true;
		}
		at += TLV_HEAD + len;
	}
	return 1;
}

/* A path ends at its first NUL, an abstract name (one NUL in front) with the last byte that is
 * none. */
static struct sq_sv read_path(const char *p)
{
	size_t n = p[0] ? strnlen(p, UNIX_PATH) : UNIX_PATH;

	while (n && !p[n - 1])
		n--;
	return (struct sq_sv){ p, n };
}

/* Addresses of `size` bytes each, and their ports. */
static void read_inet(const char *at, size_t size, struct sq_proxy *p)
{
	memcpy(p->source, at, size);
	memcpy(p->destination, at + size, size);
	p->source_port = be16(at + 2 * size);
	p->destination_port = be16(at + 2 * size + 2);
}

/* The whole header is there. */
static int parse_binary(struct sq_proxy_reader *r, struct sq_proxy *ret)
{
	const char *at = r->bytes + SQ_PROXY_V2_FIXED;
	size_t rest = r->n - (size_t)SQ_PROXY_V2_FIXED, size = 0;
	struct sq_proxy p = { .version = 2 };
	int result;

	if ((r->bytes[12] & 0x0f) == COMMAND_LOCAL) { /* all that follows is to be discarded */
		p.local = true;
		*ret = p;
		return 1;
	}
	switch (r->bytes[13]) {
	case FAMILY_UNSPEC:
		*ret = p;
		return 1;
	case FAMILY_TCP4:
	case FAMILY_UDP4:
		p.family = SQ_PROXY_IPV4;
		size = 2 * 4 + 4;
		break;
	case FAMILY_TCP6:
	case FAMILY_UDP6:
		p.family = SQ_PROXY_IPV6;
		size = 2 * 16 + 4;
		break;
	case FAMILY_UNIX_STREAM:
	case FAMILY_UNIX_DATAGRAM:
		p.family = SQ_PROXY_UNIX;
		size = 2 * UNIX_PATH;
		break;
	default:
		return fail(r, -EBADMSG, "its PROXY header has an unknown address family");
	}
	if (rest < size)
		return fail(r, -EBADMSG, "its PROXY header is too short for its addresses");
	result = check_tlvs(r, SQ_PROXY_V2_FIXED + size);
	if (result < 0)
		return result;
	if (p.family == SQ_PROXY_UNIX) {
		p.source_path = read_path(at);
		p.destination_path = read_path(at + UNIX_PATH);
	} else {
		read_inet(at, p.family == SQ_PROXY_IPV4 ? 4 : 16, &p);
	}
	*ret = p;
	return 1;
}

/* What can be said of the first 16 bytes. */
static int check_fixed(struct sq_proxy_reader *r)
{
	unsigned char command = (unsigned char)r->bytes[12];

	if (command >> 4 != 2)
		return fail(r, -EBADMSG, "its PROXY header has an unknown version");
	if ((command & 0x0f) > COMMAND_PROXY)
		return fail(r, -EBADMSG, "its PROXY header has an unknown command");
	if (be16(r->bytes + 14) > SQ_PROXY_V2_MAX_REST)
		return fail(r, -EMSGSIZE, "its PROXY header is longer than 4096 bytes");
	return 0;
}

static void gather(struct sq_proxy_reader *r, struct sq_sv in, size_t *used, size_t until)
{
	size_t n = until - r->n;

	if (n > in.n - *used)
		n = in.n - *used;
	if (n)
		memcpy(r->bytes + r->n, in.p + *used, n);
	r->n = (uint16_t)(r->n + n);
	*used += n;
}

static int next_binary(struct sq_proxy_reader *r, struct sq_sv in, size_t *used,
                       struct sq_proxy *ret)
{
	size_t whole;
	int result;

	if (r->n < SQ_PROXY_V2_FIXED) {
		gather(r, in, used, SQ_PROXY_V2_FIXED);
		if (r->n < SQ_PROXY_V2_FIXED)
			return 0;
		result = check_fixed(r);
		if (result < 0)
			return result;
	}
	whole = (size_t)SQ_PROXY_V2_FIXED + be16(r->bytes + 14);
	gather(r, in, used, whole);
	return r->n < whole ? 0 : parse_binary(r, ret);
}

/* ---- both ---------------------------------------------------------------------------------- */

/* 1: version 1, 2: version 2, 0: cannot be told yet. The first byte tells them apart, so that
 * nothing is taken that belongs to neither. */
static int version(struct sq_proxy_reader *r, struct sq_sv in, size_t *used)
{
	const char *want;
	size_t n;

	if (r->n == 0 && in.n == 0)
		return 0;
	if (r->n == 0)
		r->bytes[r->n++] = in.p[(*used)++];
	want = r->bytes[0] == v1_start[0] ? v1_start : signature;
	n = want == v1_start ? sizeof(v1_start) : sizeof(signature);
	if (r->n < n)
		gather(r, in, used, n);
	if (memcmp(r->bytes, want, r->n < n ? r->n : n) != 0)
		return fail(r, -EPROTO, "it does not begin with a PROXY header");
	if (r->n < n)
		return 0;
	return want == v1_start ? 1 : 2;
}

int sq_proxy_next(struct sq_proxy_reader *r, struct sq_sv in, size_t *ret_used,
                  struct sq_proxy *ret)
{
	int v;

	*ret_used = 0;
	v = version(r, in, ret_used);
	if (v <= 0)
		return v;
	return v == 1 ? next_line(r, in, ret_used, ret) : next_binary(r, in, ret_used, ret);
}
