/* How many connections each peer has. */
#include "daemon/input/peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "tests/support/test.h"

static struct sockaddr_storage four(uint32_t address)
{
	struct sockaddr_storage sa = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&sa;

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(address);
	in->sin_port = htons((uint16_t)(address * 7)); /* does not matter */
	return sa;
}

static struct sockaddr_storage six(const char *address, uint32_t scope)
{
	struct sockaddr_storage sa = { 0 };
	struct sockaddr_in6 *in = (struct sockaddr_in6 *)&sa;

	in->sin6_family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET6, address, &in->sin6_addr), 1);
	in->sin6_scope_id = scope;
	return sa;
}

static void a_peer_is_an_address(void **state SQ_UNUSED)
{
	struct sqd_peers *p = sqd_peers_new(64, 1);
	struct sockaddr_storage sa[] = { four(0xc0000207), six("2001:db8::7", 0),
		                         six("2001:db8::8", 0), six("fe80::7", 1),
		                         six("fe80::7", 2) };
	struct sockaddr_storage again[] = { six("::ffff:192.0.2.7", 0), six("2001:db8::7", 3),
		                            six("2001:db8::8", 0), six("fe80::7", 1),
		                            six("fe80::7", 2) };
	struct sqd_peer who[SQ_LEN(sa)], more;

	for (size_t i = 0; i < SQ_LEN(sa); i++)
		assert_true(sqd_peers_add(p, &sa[i], &who[i]));
	for (size_t i = 0; i < SQ_LEN(sa); i++)
		assert_false(sqd_peers_add(p, &again[i], &more));
	for (size_t i = 0; i < SQ_LEN(sa); i++) {
		sqd_peers_drop(p, &who[i]);
		sqd_peers_drop(p, &who[i]); /* once is enough */
		assert_true(sqd_peers_add(p, &again[i], &who[i]));
		assert_false(sqd_peers_add(p, &sa[i], &more));
	}
	sqd_peers_free(p);
}

static void who_has_no_address_is_not_counted(void **state SQ_UNUSED)
{
	struct sqd_peers *p = sqd_peers_new(2, 1);
	struct sockaddr_storage local = { .ss_family = AF_UNIX }, sa = four(1);
	struct sqd_peer who;

	for (int i = 0; i < 100; i++) {
		assert_true(sqd_peers_add(p, &local, &who));
		assert_false(who.counted);
		sqd_peers_drop(p, &who);
		assert_true(sqd_peers_add(NULL, &sa, &who));
		assert_false(who.counted);
	}
	sqd_peers_free(p);
}

/* As many as there may be at all come and go, of peers of which some have several: the table says
 * what counting them one by one says. */
static void come_and_go(uint32_t random)
{
	enum { CONNECTIONS = 37, PEERS = 23, EACH = 3 };
	struct sqd_peers *p = sqd_peers_new(CONNECTIONS, EACH);
	struct sqd_peer open[CONNECTIONS];
	uint32_t address[CONNECTIONS], has[PEERS] = { 0 };
	size_t n = 0;

	for (int i = 0; i < 5000; i++) {
		random = random * 1664525 + 1013904223;
		if (n < CONNECTIONS && random >> 31) {
			uint32_t a = (random >> 8) % PEERS;
			struct sockaddr_storage sa = four(a);

			assert_int_equal(sqd_peers_add(p, &sa, &open[n]), has[a] < EACH);
			if (has[a] == EACH)
				continue;
			has[a]++;
			address[n++] = a;
		} else if (n) {
			size_t k = (random >> 8) % n;

			has[address[k]]--;
			sqd_peers_drop(p, &open[k]);
			open[k] = open[--n];
			address[k] = address[n];
		}
	}
	sqd_peers_free(p);
}

/* Each table has another key, by which peers meet in other places. */
static void whoever_goes_nobody_else_is_forgotten(void **state SQ_UNUSED)
{
	for (uint32_t i = 0; i < 40; i++)
		come_and_go(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_is_an_address),
		cmocka_unit_test(who_has_no_address_is_not_counted),
		cmocka_unit_test(whoever_goes_nobody_else_is_forgotten),
	};

	return cmocka_run_group_tests_name("peers", tests, NULL, NULL);
}
