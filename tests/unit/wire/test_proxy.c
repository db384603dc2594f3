/* Headers of both versions: what they say, what is refused and why, cut at every byte, and with
 * every byte changed. */
#include "tests/support/test.h"

#include <errno.h>

#include "lib/wire/proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define IN(text)                                                                                   \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

/* 192.0.2.7:51234 to 198.51.100.1:5044 */
#define ADDRESSES4 "\xc0\x00\x02\x07\xc6\x33\x64\x01\xc8\x22\x13\xb4"
#define ADDRESSES6                                                                                 \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"                                               \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\xc8\x22\x13\xb4"

struct row {
	const char *name;
	struct sq_sv in;
	int result;
	enum sq_proxy_family family;
	const char *source, *destination; /* bytes, 4 or 16 */
	uint16_t from, to;
	size_t behind; /* bytes of `in` that are not the header's */
	bool local;
};

#define SOURCE4 "\xc0\x00\x02\x07"
#define DEST4   "\xc6\x33\x64\x01"
#define SOURCE6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
#define DEST6   "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"

/* clang-format off */
static struct row rows[] = {
	{ "version 1, IPv4", IN("PROXY TCP4 192.0.2.7 198.51.100.1 51234 5044\r\n"), 1,
	  SQ_PROXY_IPV4, SOURCE4, DEST4, 51234, 5044, .behind = 0 },
	{ "version 1, bytes behind it are the stream's",
	  IN("PROXY TCP4 192.0.2.7 198.51.100.1 51234 5044\r\n{\"a\":1}\r\n"), 1,
	  SQ_PROXY_IPV4, SOURCE4, DEST4, 51234, 5044, .behind = 9 },
	{ "version 1, IPv6", IN("PROXY TCP6 2001:db8::7 2001:db8::1 51234 5044\r\n"), 1,
	  SQ_PROXY_IPV6, SOURCE6, DEST6, 51234, 5044, .behind = 0 },
	{ "version 1, the longest IPv6 line",
	  IN("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"), 1, SQ_PROXY_IPV6,
	  "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	  "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 65535, 65535, .behind = 0 },
	{ "version 1, unknown", IN("PROXY UNKNOWN\r\n"), .result = 1, .family = SQ_PROXY_NONE, .behind = 0 },
	{ "version 1, unknown with whatever behind", IN("PROXY UNKNOWN ffff:: x 65536\r\nZ"), .result = 1,
	  .family = SQ_PROXY_NONE, .behind = 1 },
	{ "version 1, unknown in 107 bytes",
	  IN("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"), .result = 1, .family = SQ_PROXY_NONE, .behind = 0 },
	{ "version 1, 108 bytes",
	  IN("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535 \r\n"), .result = -EMSGSIZE, .behind = 1 },
	{ "version 1, port 0", IN("PROXY TCP4 192.0.2.7 198.51.100.1 0 0\r\n"), 1, SQ_PROXY_IPV4, SOURCE4, DEST4,
	  0, 0, .behind = 0 },
	{ "version 1, a port too large", IN("PROXY TCP4 192.0.2.7 198.51.100.1 65536 1\r\n"), .result = -EBADMSG },
	{ "version 1, a port with a zero in front", IN("PROXY TCP4 192.0.2.7 198.51.100.1 01 1\r\n"), .result = -EBADMSG },
	{ "version 1, a port with a sign", IN("PROXY TCP4 192.0.2.7 198.51.100.1 +1 1\r\n"), .result = -EBADMSG },
	{ "version 1, a port in hexadecimal", IN("PROXY TCP4 192.0.2.7 198.51.100.1 0x1 1\r\n"), .result = -EBADMSG },
	{ "version 1, no port", IN("PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n"), .result = -EBADMSG },
	{ "version 1, something behind the ports", IN("PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n"), .result = -EBADMSG },
	{ "version 1, a blank at its end", IN("PROXY TCP4 192.0.2.7 198.51.100.1 1 2 \r\n"), .result = -EBADMSG },
	{ "version 1, two blanks", IN("PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n"), .result = -EBADMSG },
	{ "version 1, a tab", IN("PROXY TCP4\t192.0.2.7 198.51.100.1 1 2\r\n"), .result = -EBADMSG },
	{ "version 1, IPv6 said to be IPv4", IN("PROXY TCP4 ::1 ::1 1 2\r\n"), .result = -EBADMSG },
	{ "version 1, IPv4 said to be IPv6", IN("PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n"), .result = -EBADMSG },
	{ "version 1, an address with zeros in front", IN("PROXY TCP4 192.0.02.7 198.51.100.1 1 2\r\n"), .result = -EBADMSG },
	{ "version 1, an address with a NUL", IN("PROXY TCP4 192.0.2.7\0 198.51.100.1 1 2\r\n"), .result = -EBADMSG },
	{ "version 1, a name", IN("PROXY TCP4 localhost localhost 1 2\r\n"), .result = -EBADMSG },
	{ "version 1, an address too long for any",
	  IN("PROXY TCP6 0000:0000:0000:0000:0000:0000:255.255.255.2555 ::1 1 2\r\n"), .result = -EBADMSG },
	{ "version 1, UDP4 is not in it", IN("PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n"), .result = -EBADMSG },
	{ "version 1, lower case", IN("PROXY tcp4 192.0.2.7 198.51.100.1 1 2\r\n"), .result = -EBADMSG },
	{ "version 1, nothing", IN("PROXY \r\n"), .result = -EBADMSG },
	{ "version 1, LF alone", IN("PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n"), .result = -EBADMSG },
	{ "version 1, LF alone at once", IN("PROXY \n"), .result = -EBADMSG },
	{ "version 1, CR alone", IN("PROXY UNKNOWN\rX"), .result = -EBADMSG },
	{ "version 1, two CRs", IN("PROXY UNKNOWN\r\r\n"), .result = -EBADMSG, .behind = 1 },
	{ "version 1, cut short", IN("PROXY TCP4 192.0.2.7 198.51.1"), .result = 0 },
	{ "version 1, without its LF", IN("PROXY UNKNOWN\r"), .result = 0 },

	{ "nothing", IN(""), .result = 0 },
	{ "JSON", IN("{\"a\":1}\n"), .result = -EPROTO },
	{ "a TLS hello", IN("\x16\x03\x01\x02"), .result = -EPROTO },
	{ "POST", IN("POST / HTTP/1.1\r\n"), .result = -EPROTO },
	{ "lower case", IN("proxy UNKNOWN\r\n"), .result = -EPROTO },
	{ "PROXY without a blank", IN("PROXYX"), .result = -EPROTO },
	{ "an empty line", IN("\r\n{\"a\":1}\n"), .result = -EPROTO },
	{ "the old signature's beginning", IN("\r\n\r\n\0\r\nQUIX\n"), .result = -EPROTO },

	{ "version 2, IPv4", IN(SIGNATURE "\x21\x11\0\x0c" ADDRESSES4), 1,
	  SQ_PROXY_IPV4, SOURCE4, DEST4, 51234, 5044, .behind = 0 },
	{ "version 2, bytes behind it are the stream's", IN(SIGNATURE "\x21\x11\0\x0c" ADDRESSES4 "2W"), 1,
	  SQ_PROXY_IPV4, SOURCE4, DEST4, 51234, 5044, .behind = 2 },
	{ "version 2, IPv4 over UDP", IN(SIGNATURE "\x21\x12\0\x0c" ADDRESSES4), 1,
	  SQ_PROXY_IPV4, SOURCE4, DEST4, 51234, 5044, .behind = 0 },
	{ "version 2, IPv6", IN(SIGNATURE "\x21\x21\0\x24" ADDRESSES6), 1,
	  SQ_PROXY_IPV6, SOURCE6, DEST6, 51234, 5044, .behind = 0 },
	{ "version 2, IPv6 over UDP", IN(SIGNATURE "\x21\x22\0\x24" ADDRESSES6), 1,
	  SQ_PROXY_IPV6, SOURCE6, DEST6, 51234, 5044, .behind = 0 },
	{ "version 2, fields behind the addresses",
	  IN(SIGNATURE "\x21\x11\0\x1c" ADDRESSES4 "\x01\0\x02h2" "\x04\0\0" "\xe0\0\x05hello"), 1,
	  SQ_PROXY_IPV4, SOURCE4, DEST4, 51234, 5044, .behind = 0 },
	{ "version 2, a field past the end", IN(SIGNATURE "\x21\x11\0\x10" ADDRESSES4 "\x01\0\x02h"), .result = -EBADMSG },
	{ "version 2, a field far past the end", IN(SIGNATURE "\x21\x11\0\x0f" ADDRESSES4 "\x01\xff\xff"), .result = -EBADMSG },
	{ "version 2, half a field", IN(SIGNATURE "\x21\x11\0\x0e" ADDRESSES4 "\x01\0"), .result = -EBADMSG },
	{ "version 2, local", IN(SIGNATURE "\x20\0\0\0"), .result = 1, .family = SQ_PROXY_NONE, .local = true },
	{ "version 2, local: its addresses are discarded", IN(SIGNATURE "\x20\x11\0\x0c" ADDRESSES4 "x"), .result = 1,
	  .family = SQ_PROXY_NONE, .local = true, .behind = 1 },
	{ "version 2, local: whatever follows is discarded", IN(SIGNATURE "\x20\x99\0\x03\xff\xff\xff"), .result = 1,
	  .family = SQ_PROXY_NONE, .local = true },
	{ "version 2, unspecified", IN(SIGNATURE "\x21\0\0\x03\x04\0\0"), .result = 1, .family = SQ_PROXY_NONE },
	{ "version 2, IPv4 in too few bytes", IN(SIGNATURE "\x21\x11\0\x0b\xc0\0\x02\x07\xc6\x33\x64\x01\xc8\x22\x13"),
	  .result = -EBADMSG },
	{ "version 2, IPv6 in the bytes of IPv4", IN(SIGNATURE "\x21\x21\0\x0c" ADDRESSES4), .result = -EBADMSG },
	{ "version 2, an unknown family", IN(SIGNATURE "\x21\x41\0\x0c" ADDRESSES4), .result = -EBADMSG },
	{ "version 2, a family without its kind", IN(SIGNATURE "\x21\x10\0\x0c" ADDRESSES4), .result = -EBADMSG },
	{ "version 2, a family of high bits", IN(SIGNATURE "\x21\xff\0\x0c" ADDRESSES4), .result = -EBADMSG },
	{ "version 2, an unknown command", IN(SIGNATURE "\x22\x11\0\x0c" ADDRESSES4), .result = -EBADMSG, .behind = 12 },
	{ "version 3", IN(SIGNATURE "\x31\x11\0\x0c" ADDRESSES4), .result = -EBADMSG, .behind = 12 },
	{ "version 1 in the binary form", IN(SIGNATURE "\x11\x11\0\x0c" ADDRESSES4), .result = -EBADMSG, .behind = 12 },
	{ "version 2, longer than the limit", IN(SIGNATURE "\x21\x11\x10\x01" ADDRESSES4), .result = -EMSGSIZE, .behind = 12 },
	{ "version 2, cut short", IN(SIGNATURE "\x21\x11\0\x0c\xc0\0\x02"), .result = 0 },

	/* CRC-32C of the header with zeros in the field; computed apart, by a few lines of Python. */
	{ "version 2, a right checksum", IN(SIGNATURE "\x21\x11\0\x13" ADDRESSES4 "\x03\0\x04" "\xd1\x53\xc1\xe5"), 1,
	  SQ_PROXY_IPV4, SOURCE4, DEST4, 51234, 5044, .behind = 0 },
	{ "version 2, a wrong checksum", IN(SIGNATURE "\x21\x11\0\x13" ADDRESSES4 "\x03\0\x04\x01\x02\x03\x04"), .result = -EBADMSG },
	{ "version 2, a checksum of three bytes", IN(SIGNATURE "\x21\x11\0\x12" ADDRESSES4 "\x03\0\x03\x01\x02\x03"),
	  .result = -EBADMSG },
};
/* clang-format on */

static void check_result(const struct row *row, const struct sq_proxy *p)
{
	size_t n = row->family == SQ_PROXY_IPV4 ? 4 : 16;

	assert_int_equal(p->family, row->family);
	assert_int_equal(p->local, row->local);
	assert_int_equal(p->version, row->in.p[0] == 'P' ? 1 : 2);
	if (row->family == SQ_PROXY_NONE)
		return;
	assert_memory_equal(p->source, row->source, n);
	assert_memory_equal(p->destination, row->destination, n);
	assert_int_equal(p->source_port, row->from);
	assert_int_equal(p->destination_port, row->to);
}

static void whole(const struct row *row)
{
	struct sq_proxy_reader *r = calloc(1, sizeof(*r));
	char *copy = exact(row->in.p, row->in.n);
	struct sq_proxy p = { .version = 99 };
	size_t used = 77;
	int got = sq_proxy_next(r, (struct sq_sv){ copy, row->in.n }, &used, &p);

	assert_int_equal(got, row->result);
	if (row->result >= 0)
		assert_int_equal(used, row->in.n - row->behind);
	if (row->result == 1)
		check_result(row, &p);
	else
		assert_int_equal(p.version, 99);
	assert_int_equal(r->why != NULL, row->result < 0);
	free(copy);
	free(r);
}

/* In two pieces, and byte by byte. */
static void cut(const struct row *row)
{
	for (size_t at = 0; at <= row->in.n + 1; at++) {
		struct sq_proxy_reader *r = calloc(1, sizeof(*r));
		size_t taken = 0, used;
		struct sq_proxy p;
		int got = 0;

		while (got == 0 && taken < row->in.n) {
			size_t n = at > row->in.n ? 1 : taken < at ? at - taken : row->in.n - taken;
			char *copy = exact(row->in.p + taken, n);

			got = sq_proxy_next(r, (struct sq_sv){ copy, n }, &used, &p);
			taken += used;
			assert_true(used <= n);
			assert_true(got != 0 || used == n);
			free(copy);
		}
		assert_int_equal(got, row->result);
		if (got == 1) {
			assert_int_equal(taken, row->in.n - row->behind);
			check_result(row, &p);
		}
		free(r);
	}
}

static void check(void **state)
{
	const struct row *row = *state;

	whole(row);
	cut(row);
}

/* ---- more than rows can say ---------------------------------------------------------------- */

static int read_all(struct sq_proxy_reader *r, const char *p, size_t n, struct sq_proxy *ret)
{
	char *copy = exact(p, n);
	size_t used;
	int got = sq_proxy_next(r, (struct sq_sv){ copy, n }, &used, ret);

	free(copy);
	return got;
}

static void unix_addresses_are_paths(void **state SQ_UNUSED)
{
	static struct sq_proxy_reader r;
	char in[16 + 216] = SIGNATURE "\x21\x31\0\xd8/run/client.sock";
	struct sq_proxy p;

	memset(in + 16 + 108, 'x', 108); /* a path that fills its place has no NUL */
	assert_int_equal(read_all(&r, in, sizeof(in), &p), 1);
	assert_int_equal(p.family, SQ_PROXY_UNIX);
	assert_sv_equal(p.source_path, SQ_SV("/run/client.sock"));
	assert_int_equal(p.destination_path.n, 108);

	r = (struct sq_proxy_reader){ 0 };
	memset(in + 16, 0, 216);
	memcpy(in + 17, "abstract", 8);
	in[13] = 0x32;
	assert_int_equal(read_all(&r, in, sizeof(in), &p), 1);
	assert_sv_equal(p.source_path, SQ_SV("\0abstract"));
	assert_int_equal(p.destination_path.n, 0); /* unnamed */

	r = (struct sq_proxy_reader){ 0 };
	in[15] = (char)0xd7;
	assert_int_equal(read_all(&r, in, sizeof(in), &p), -EBADMSG);
}

static void the_longest_header_fits(void **state SQ_UNUSED)
{
	static struct sq_proxy_reader r;
	static char in[16 + 4096] = SIGNATURE "\x21\x11\x10\0" ADDRESSES4 "\xe0\x0f\xf1";
	struct sq_proxy p;

	assert_int_equal(read_all(&r, in, sizeof(in), &p), 1); /* 4096 - 12 - 3 = 0xff1 */
	assert_int_equal(p.source_port, 51234);
	r = (struct sq_proxy_reader){ 0 };
	assert_int_equal(read_all(&r, in, sizeof(in) - 1, &p), 0);
}

/* Any bit changed is found out, or makes a header of a kind that has no checksum: LOCAL or UNSPEC,
 * both without an address. But for the type of the field that is the checksum. */
static void every_byte_changed_is_noticed(void **state SQ_UNUSED)
{
	static struct sq_proxy_reader r;
	size_t n = 0;

	while (strcmp(rows[n].name, "version 2, a right checksum") != 0)
		n++;
	for (size_t at = 0; at < rows[n].in.n; at++) {
		for (int bit = 0; bit < 8; bit++) {
			char *in = exact(rows[n].in.p, rows[n].in.n);
			struct sq_proxy p = { 0 };
			int got;

			in[at] = (char)(in[at] ^ 1 << bit);
			r = (struct sq_proxy_reader){ 0 };
			got = read_all(&r, in, rows[n].in.n, &p);
			assert_true(got <= 0 || p.family == SQ_PROXY_NONE || at == 16 + 12);
			free(in);
		}
	}
}

/* Whatever a byte of a line becomes: it is refused, or one that somebody could have sent. */
static void a_changed_line_stays_a_line(void **state SQ_UNUSED)
{
	static const char line[] = "PROXY TCP4 192.0.2.7 198.51.100.1 51234 5044\r\n";
	static struct sq_proxy_reader r;

	for (size_t at = 0; at < sizeof(line) - 1; at++) {
		for (int c = 0; c < 256; c++) {
			char *in = exact(line, sizeof(line) - 1);
			struct sq_proxy p = { .family = SQ_PROXY_IPV4 };
			int got;

			in[at] = (char)c;
			r = (struct sq_proxy_reader){ 0 };
			got = read_all(&r, in, sizeof(line) - 1, &p);
			assert_true(got == 1 || got < 0 || at == sizeof(line) - 3 ||
			            at == sizeof(line) - 2);
			assert_int_equal(p.family, SQ_PROXY_IPV4);
			assert_true(got != 1 || c == line[at] || (c >= '0' && c <= '9') ||
			            c == '.');
			free(in);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unix_addresses_are_paths),
		cmocka_unit_test(the_longest_header_fits),
		cmocka_unit_test(every_byte_changed_is_noticed),
		cmocka_unit_test(a_changed_line_stays_a_line),
	};
	int failed = RUN_TABLE("proxy/rows", rows, check);

	return failed + cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
