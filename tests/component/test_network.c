/* Ranges of addresses, and addresses that a proxy tells. */
#include "tests/component/listen_world.h"

struct network_row {
	const char *name, *network;
	const char *in[3], *out[4]; /* addresses with ports */
};

static struct network_row networks[] = {
	{ "one address",
	  "192.0.2.7",
	  { "192.0.2.7:1", "[::ffff:192.0.2.7]:1" },
	  { "192.0.2.6:1", "[2001:db8::7]:1", "unix:@a" } },
	{ "/24",
	  "192.0.2.0/24",
	  { "192.0.2.0:1", "192.0.2.255:1" },
	  { "192.0.1.255:1", "192.0.3.0:1" } },
	{ "/31",
	  "192.0.2.6/31",
	  { "192.0.2.6:1", "192.0.2.7:1" },
	  { "192.0.2.5:1", "192.0.2.8:1" } },
	{ "/9",
	  "10.128.0.0/9",
	  { "10.128.0.0:1", "10.255.255.255:1" },
	  { "10.127.255.255:1", "11.128.0.0:1" } },
	{ "/32", "192.0.2.7/32", { "192.0.2.7:1" }, { "192.0.2.6:1" } },
	{ "every IPv4 address",
	  "0.0.0.0/0",
	  { "192.0.2.7:1", "[::ffff:1.2.3.4]:1" },
	  { "[::1]:1", "unix:@a" } },
	{ "every IPv6 address",
	  "::/0",
	  { "[::1]:1" },
	  { "192.0.2.7:1", "[::ffff:192.0.2.7]:1", "unix:@a" } },
	{ "IPv6 /32",
	  "2001:db8::/32",
	  { "[2001:db8::1]:1", "[2001:db8:ffff::]:1" },
	  { "[2001:db9::]:1", "[2001:db7:ffff::]:1" } },
	{ "IPv6 /127",
	  "2001:db8::6/127",
	  { "[2001:db8::6]:1", "[2001:db8::7]:1" },
	  { "[2001:db8::8]:1", "[2001:db8::5]:1" } },
	{ "unix", "unix", { "unix:@a", "unix:/run/a" }, { "127.0.0.1:1", "[::1]:1" } },
};

static void check_network(void **state)
{
	const struct network_row *row = *state;
	struct sqd_network n;
	struct sqd_addr a;

	assert_int_equal(sqd_network_parse(row->network, &n, NULL), 0);
	for (size_t i = 0; i < SQ_LEN(row->in) && row->in[i]; i++) {
		assert_int_equal(sqd_addr_parse(row->in[i], &a, NULL), 0);
		assert_true(sqd_network_has(&n, &a.sa));
		assert_true(sqd_networks_have(&n, 1, &a.sa));
		assert_false(sqd_networks_have(&n, 0, &a.sa));
	}
	for (size_t i = 0; i < SQ_LEN(row->out) && row->out[i]; i++) {
		assert_int_equal(sqd_addr_parse(row->out[i], &a, NULL), 0);
		assert_false(sqd_network_has(&n, &a.sa));
	}
}

static void what_is_no_network_is_refused(void **state SQ_UNUSED)
{
	static const char *const rows[][2] = {
		{ "", "is no network" },
		{ "localhost", "is no network" },
		{ "192.0.2", "is no network" },
		{ "192.0.2.7:514", "is no network" },
		{ "[::1]", "is no network" },
		{ "2001:db8:0000:0000:0000:0000:0000:0000:0000:0000:0000", "is no network" },
		{ "192.0.2.0/", "from 0 to 32" },
		{ "192.0.2.0/33", "from 0 to 32" },
		{ "192.0.2.0/-1", "from 0 to 32" },
		{ "192.0.2.0/0x8", "from 0 to 32" },
		{ "192.0.2.0/24/24", "from 0 to 32" },
		{ "::/129", "from 0 to 128" },
		{ "192.0.2.7/24", "has bits behind its /24" },
		{ "2001:db8::1/64", "has bits behind its /64" },
		{ "0.0.0.1/0", "has bits behind its /0" },
	};
	struct sqd_network n;

	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		err = (struct sq_err){ 0 };
		assert_int_equal(sqd_network_parse(rows[i][0], &n, &err), -EINVAL);
		if (!strstr(err.text, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], err.text);
	}
}

static void a_proxied_address_is_an_address(void **state SQ_UNUSED)
{
	struct sq_proxy p = { .family = SQ_PROXY_IPV4,
		              .source = { 192, 0, 2, 7 },
		              .source_port = 51234 };
	struct sockaddr_storage sa = { .ss_family = AF_INET6 };
	char text[SQD_ADDR_TEXT];

	assert_true(sqd_network_proxied(&p, &sa));
	assert_string_equal(sqd_addr_format(&sa, text), "192.0.2.7:51234");
	p = (struct sq_proxy){ .family = SQ_PROXY_IPV6,
		               .source = { 0x20, 1, 0xd, 0xb8, [15] = 7 },
		               .source_port = 1 };
	assert_true(sqd_network_proxied(&p, &sa));
	assert_string_equal(sqd_addr_format(&sa, text), "[2001:db8::7]:1");
	p.family = SQ_PROXY_UNIX;
	assert_true(sqd_network_proxied(&p, &sa));
	assert_string_equal(sqd_addr_format(&sa, text), "unix");
	p.family = SQ_PROXY_NONE;
	assert_false(sqd_network_proxied(&p, &sa));
	assert_int_equal(sa.ss_family, AF_UNIX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_network_is_refused),
		cmocka_unit_test(a_proxied_address_is_an_address),
	};

	return RUN_TABLE("network/networks", networks, check_network) +
	       cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
