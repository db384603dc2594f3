/* Addresses and the sockets that inputs listen on, unix sockets above all: whose file is replaced,
 * with which mode it is made, and when it is removed. */
#include <uv.h>

#include "tests/component/listen_world.h"

/* ---- addresses ------------------------------------------------------------------------------ */

struct address_row {
	const char *name, *text;
	int family;       /* 0: refused */
	const char *back; /* as it is shown; NULL: as it was written */
	const char *why;
};

static struct address_row addresses[] = {
	{ "IPv4", "127.0.0.1:5170", AF_INET },
	{ "IPv6", "[::1]:5170", AF_INET6 },
	{ "every address", "*:5170", AF_INET6, "[::]:5170" },
	{ "a path", "unix:/run/squiblyd/events.sock", AF_UNIX },
	{ "an abstract name", "unix:@events", AF_UNIX },
	{ "a path with a colon and blanks", "unix:/run/a b:1", AF_UNIX },
	{ "what a terminal would obey is not shown", "unix:/run/\x1b[1m\x80", AF_UNIX,
	  "unix:/run/?[1m?" },
	{ "no port", "127.0.0.1", 0, NULL, "is not an address: write HOST:PORT or [IPV6]:PORT" },
	{ "a name", "localhost:1", 0, NULL, "not an IP address" },
	{ "no path", "unix:", 0, NULL, "whole path" },
	{ "a relative path", "unix:events.sock", 0, NULL, "whole path" },
	{ "a folder", "unix:/run/", 0, NULL, "whole path" },
	{ "the root", "unix:/", 0, NULL, "whole path" },
	{ "an empty abstract name", "unix:@", 0, NULL, "whole path" },
	{ "the longest path",
	  "unix:/"
	  "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	  "890123456789012345",
	  AF_UNIX },
	{ "one byte more",
	  "unix:/"
	  "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	  "8901234567890123456",
	  0, NULL, "at most 107 bytes, this one 108" },
};

static void check_address(void **state)
{
	const struct address_row *row = *state;
	struct sqd_addr a = { .len = 99 };
	int r = sqd_addr_parse(row->text, &a, (err = (struct sq_err){ 0 }, &err));

	if (!row->family) {
		assert_int_equal(r, -EINVAL);
		assert_int_equal(a.len, 99);
		assert_non_null(strstr(err.text, row->why));
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(a.sa.ss_family, row->family);
	assert_string_equal(sqd_addr_format_bound(&a.sa, bound), row->back ? row->back : row->text);
}

static void a_peer_text_is_cut_to_its_room(void **state SQ_UNUSED)
{
	char text[SQD_ADDR_TEXT];
	struct sqd_addr a;

	assert_int_equal(sqd_addr_parse(addresses[14].text, &a, NULL), 0);
	sqd_addr_format(&a.sa, text);
	assert_int_equal(strlen(text), SQD_ADDR_TEXT - 1);
	assert_memory_equal(text, addresses[14].text, SQD_ADDR_TEXT - 1);
	assert_string_equal(sqd_addr_format(&(struct sockaddr_storage){ .ss_family = AF_UNIX },
	                                    text),
	                    "unix");
}

static void what_is_wrong_with_a_name_is_said_in_words(void **state)
{
	(void)state;
	assert_string_equal(sqd_addr_strerror(UV_EAI_NONAME), "no such name (DNS)");
	assert_string_equal(sqd_addr_strerror(UV_EAI_NODATA), "no such name (DNS)");
	assert_string_equal(sqd_addr_strerror(UV_EAI_AGAIN),
	                    "its name could not be looked up (DNS)");
	assert_string_equal(sqd_addr_strerror(UV_ECONNREFUSED), "connection refused");
}

/* ---- unix sockets --------------------------------------------------------------------------- */

static void a_stream_socket_comes_and_goes(void **state)
{
	const char *path = at(state, "s.sock");
	struct sockaddr_storage peer = { 0 };
	char text[SQD_ADDR_TEXT], want[SQD_ADDR_TEXT];
	socklen_t len = sizeof(peer);
	int fd = open_at(where, SOCK_STREAM, NULL), client, accepted;

	assert_true(fd >= 0);
	assert_string_equal(bound, where);
	assert_int_equal(mode_of(path), 0660);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	client = dial(where, SOCK_STREAM);
	assert_true(client >= 0);
	accepted = accept4(fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
	assert_true(accepted >= 0);
	snprintf(want, sizeof(want), "unix uid %u pid %d", (unsigned)getuid(), (int)getpid());
	assert_string_equal(sqd_addr_peer(accepted, &peer, text), want);
	close(accepted);
	close(client);
	sqd_listen_close(fd, &file);
	assert_false(exists(path));
	sqd_listen_close(-1, &file); /* once more does nothing */
}

static void the_mode_is_exactly_what_was_asked_for(void **state)
{
	static const struct {
		const char *text;
		mode_t mode, umask;
	} rows[] = {
		{ "0666", 0666, 0077 }, { "600", 0600, 0 }, { "0777", 0777, 0027 }, { "0", 0, 0 }
	};
	const char *path = at(state, "mode.sock");

	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		mode_t before = umask(rows[i].umask);
		int fd = open_at(where, SOCK_DGRAM, rows[i].text);

		umask(before);
		assert_true(fd >= 0);
		assert_int_equal(mode_of(path), rows[i].mode);
		sqd_listen_close(fd, &file);
	}
}

static void a_mode_that_is_none_is_refused(void **state)
{
	static const char *const modes[] = { "",      "rw", "0888", "1777", "7777777777777",
		                             "0660 ", "-1" };
	const char *path = at(state, "mode.sock");

	for (size_t i = 0; i < SQ_LEN(modes); i++) {
		assert_int_equal(open_at(where, SOCK_STREAM, modes[i]), -EINVAL);
		assert_non_null(strstr(err.text, "is no mode"));
	}
	assert_false(exists(path));
}

static void a_socket_that_nobody_listens_on_is_replaced(void **state)
{
	const char *path = at(state, "stale.sock");
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	/* Whatever its type was. */
	for (int i = 0; i < 4; i++) {
		int fd = open_at(where, types[i / 2], NULL);

		assert_true(fd >= 0);
		close(fd); /* as kill -9 does: the file stays */
		assert_true(exists(path));
		fd = open_at(where, types[i % 2], NULL);
		assert_true(fd >= 0);
		sqd_listen_close(fd, &file);
		assert_false(exists(path));
	}
}

static void one_that_somebody_listens_on_is_not(void **state)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (int i = 0; i < 4; i++) {
		const char *path = at(state, "live.sock");
		int fd = open_at(where, types[i / 2], NULL), client;
		struct sqd_listen_file ours = file;

		assert_true(fd >= 0);
		assert_int_equal(open_at(where, types[i % 2], NULL), -EADDRINUSE);
		assert_non_null(strstr(err.text, "somebody listens there already"));
		client = dial(where, types[i / 2]);
		assert_true(client >= 0);
		close(client);
		sqd_listen_close(fd, &ours);
		assert_false(exists(path));
	}
}

static void a_port_in_use_and_a_foreign_address_say_what_is_wrong(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[64];

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	(void)snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(in.sin_port));
	assert_int_equal(open_at(text, SOCK_STREAM, NULL), -EADDRINUSE);
	assert_non_null(strstr(err.text, "Address already in use: another program, or another "
	                                 "squiblyd, listens there"));
	close(fd);
	/* TEST-NET-1: no machine has it. */
	assert_int_equal(open_at("192.0.2.1:0", SOCK_STREAM, NULL), -EADDRNOTAVAIL);
	assert_non_null(strstr(err.text, "this machine has no such address"));
}

static void one_whose_backlog_is_full_is_not_either(void **state)
{
	int fd, clients[8], n = 0;
	struct sqd_listen_file ours;

	at(state, "full.sock");
	fd = open_at(where, SOCK_STREAM, NULL);
	assert_true(fd >= 0);
	ours = file;
	assert_int_equal(listen(fd, 0), 0);
	do { /* until one would have to wait */
		struct sqd_addr a;

		assert_int_equal(sqd_addr_parse(where, &a, NULL), 0);
		clients[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(clients[n++], (struct sockaddr *)&a.sa, a.len) < 0)
			break;
	} while (n < 8);
	assert_int_equal(open_at(where, SOCK_STREAM, NULL), -EADDRINUSE);
	while (n)
		close(clients[--n]);
	sqd_listen_close(fd, &ours);
}

static void what_is_no_socket_is_left_alone(void **state)
{
	const char *path = at(state, "events.jsonl");
	char *text = scratch_file(*state, "events.jsonl", "{}\n");

	assert_int_equal(open_at(where, SOCK_STREAM, NULL), -EEXIST);
	assert_non_null(strstr(err.text, "no socket; it is not replaced"));
	assert_true(exists(path));
	free(text);
	/* Nor what a link leads to. */
	scratch_link(*state, "events.jsonl", "link.sock");
	at(state, "link.sock");
	assert_int_equal(open_at(where, SOCK_STREAM, NULL), -EEXIST);
}

static void a_missing_folder_is_named(void **state)
{
	at(state, "none/s.sock");
	assert_int_equal(open_at(where, SOCK_STREAM, NULL), -ENOENT);
	assert_non_null(strstr(err.text, "the folder "));
	assert_non_null(strstr(err.text, "/none does not exist"));
}

static void a_folder_that_is_not_ours_to_write_is_named(void **state)
{
	char *above = scratch_path(*state, ""), *folder = scratch_path(*state, "shut");
	bool root = geteuid() == 0; /* who may write everywhere */
	int r;

	scratch_folder(*state, "shut");
	assert_int_equal(chmod(folder, 0555), 0);
	assert_int_equal(chmod(above, 0711), 0);
	at(state, "shut/s.sock");
	assert_int_equal(root ? seteuid(65534) : 0, 0);
	r = open_at(where, SOCK_STREAM, NULL);
	assert_int_equal(root ? seteuid(0) : 0, 0);
	assert_int_equal(r, -EACCES);
	assert_non_null(strstr(err.text, "no permission to make a socket in"));
	free(above);
	free(folder);
}

static void a_file_that_took_its_place_is_not_removed(void **state)
{
	const char *path = at(state, "s.sock");
	int fd = open_at(where, SOCK_STREAM, NULL), other;
	struct sqd_listen_file first = file;

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	other = open_at(where, SOCK_STREAM, NULL);
	assert_true(other >= 0);
	sqd_listen_close(fd, &first);
	assert_true(exists(path));
	sqd_listen_close(other, &file);
	assert_false(exists(path));
}

static void an_abstract_name_leaves_no_file(void **state SQ_UNUSED)
{
	char name[64];
	int fd, client;

	snprintf(name, sizeof(name), "unix:@squibly-test-%d", (int)getpid());
	fd = open_at(name, SOCK_STREAM, NULL);
	assert_true(fd >= 0);
	assert_string_equal(bound, name);
	assert_string_equal(file.path, "");
	client = dial(name, SOCK_STREAM);
	assert_true(client >= 0);
	assert_int_equal(open_at(name, SOCK_STREAM, NULL), -EADDRINUSE);
	close(client);
	sqd_listen_close(fd, &file);
}

static void an_inherited_socket_keeps_its_file(void **state)
{
	const char *path = at(state, "passed.sock");
	int fd = open_at(where, SOCK_STREAM, NULL);
	struct sqd_listen_file made = file;
	struct sqd_listen l = { .where = where, .type = SOCK_STREAM, .inherited_fd = fd };

	assert_true(fd >= 0);
	assert_int_equal(sqd_listen_open(&l, bound, NULL, &file, &err), fd);
	assert_string_equal(bound, where);
	assert_string_equal(file.path, "");
	sqd_listen_close(fd, &file);
	assert_true(exists(path));
	sqd_listen_close(-1, &made);
}

/* ---- several sockets for one address --------------------------------------------------------- */

static int port_of(const char *text)
{
	return (int)strtoul(strrchr(text, ':') + 1, NULL, 10);
}

static int dial_port(int port, int type)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* As an instance of an input on another loop takes it over. */
static int open_beside(int fd, int type)
{
	struct sqd_listen l = { .where = bound, .type = type, .backlog = 64 };
	char its[SQD_BOUND_TEXT];
	int r;

	l.inherited_fd = sqd_listen_beside(fd, true, &err);
	assert_true(l.inherited_fd >= 0);
	r = sqd_listen_open(&l, its, NULL, NULL, &err);
	assert_int_equal(r, l.inherited_fd);
	assert_string_equal(its, bound);
	return r;
}

static void connections_are_spread_over_the_sockets_of_an_address(void **state SQ_UNUSED)
{
	int fd = open_at("127.0.0.1:0", SOCK_STREAM, NULL);
	int clients[60], n[2] = { 0 };
	int both[2] = { fd, open_beside(fd, SOCK_STREAM) };

	assert_int_equal(listen(fd, 64), 0);
	for (size_t i = 0; i < SQ_LEN(clients); i++)
		clients[i] = dial_port(port_of(bound), SOCK_STREAM);
	for (int i = 0; i < 2; i++)
		for (int c; (c = accept(both[i], NULL, NULL)) >= 0; n[i]++)
			close(c);
	assert_int_equal(n[0] + n[1], SQ_LEN(clients));
	assert_true(n[0] > 5 && n[1] > 5);
	for (size_t i = 0; i < SQ_LEN(clients); i++)
		close(clients[i]);
	close(both[0]);
	close(both[1]);
}

/* ---- receive buffers ------------------------------------------------------------------------- */

static int flag_of(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, name, &value, &len), 0);
	return value;
}

static int rmem_max(void)
{
	FILE *f = fopen("/proc/sys/net/core/rmem_max", "re");
	char text[32] = "";

	if (!f)
		return 0;
	(void)!fgets(text, sizeof(text), f);
	fclose(f);
	return (int)strtol(text, NULL, 10);
}

static void connections_begin_with_more_and_the_kernel_may_change_it(void **state SQ_UNUSED)
{
	int plain = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), locks, fd, client, conn;
	socklen_t len = sizeof(locks);

	if (getsockopt(plain, SOL_SOCKET, SO_BUF_LOCK, &locks, &len) < 0 ||
	    2 * rmem_max() <= flag_of(plain, SO_RCVBUF)) {
		close(plain);
		skip();
	}
	fd = open_at("127.0.0.1:0", SOCK_STREAM, NULL);
	client = dial_port(port_of(bound), SOCK_STREAM);
	conn = accept(fd, NULL, NULL);
	assert_true(flag_of(conn, SO_RCVBUF) > flag_of(plain, SO_RCVBUF));
	assert_int_equal(flag_of(conn, SO_BUF_LOCK), 0);
	close(conn);
	close(client);
	close(fd);
	close(plain);
}

static void a_receive_buffer_that_was_chosen_stays(void **state SQ_UNUSED)
{
	enum { CHOSEN = 50000 };
	struct sqd_listen l = { .where = "127.0.0.1:0",
		                .type = SOCK_STREAM,
		                .backlog = 4,
		                .receive_buffer = CHOSEN,
		                .inherited_fd = -1 };

	for (int i = 0; i < 2; i++) { /* by us, and by whoever opened what we are given */
		int fd = sqd_listen_open(&l, bound, NULL, NULL, &err);

		assert_true(fd >= 0);
		assert_int_equal(flag_of(fd, SO_RCVBUF), 2 * CHOSEN);
		if (i)
			close(fd);
		l.inherited_fd = fd;
		l.receive_buffer = 0;
	}
}

static void datagrams_of_a_sender_come_to_one_socket(void **state SQ_UNUSED)
{
	int fd = open_at("127.0.0.1:0", SOCK_DGRAM, NULL), seen[2] = { 0 };
	int both[2] = { fd, open_beside(fd, SOCK_DGRAM) };
	char text[64];

	for (int i = 0; i < 60; i++) {
		int client = dial_port(port_of(bound), SOCK_DGRAM), here = 0;

		for (int k = 0; k < 3; k++)
			assert_int_equal(send(client, "x", 1, 0), 1);
		for (int s = 0; s < 2; s++) {
			int n = 0;

			while (recv(both[s], text, sizeof(text), 0) == 1)
				n++;
			assert_true(n == 0 || n == 3);
			here += n == 3;
			seen[s] += n == 3;
		}
		assert_int_equal(here, 1);
		close(client);
	}
	assert_true(seen[0] > 5 && seen[1] > 5);
	close(both[0]);
	close(both[1]);
}

/* A second squiblyd must not share the port of the first unawares. */
static void an_address_that_is_shared_is_in_use_all_the_same(void **state SQ_UNUSED)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (size_t i = 0; i < SQ_LEN(types); i++) {
		int fd = open_at("127.0.0.1:0", types[i], NULL), beside = open_beside(fd, types[i]);
		char first[SQD_BOUND_TEXT];

		memcpy(first, bound, sizeof(first));
		assert_int_equal(open_at(first, types[i], NULL), -EADDRINUSE);
		close(beside);
		assert_int_equal(open_at(first, types[i], NULL), -EADDRINUSE);
		close(fd);
	}
}

static void both_kinds_of_addresses_are_shared(void **state SQ_UNUSED)
{
	int fd = open_at("*:0", SOCK_STREAM, NULL), client, beside = open_beside(fd, SOCK_STREAM);

	close(fd);
	client = dial_port(port_of(bound), SOCK_STREAM); /* IPv4, as it was with the first */
	close(client);
	close(beside);
}

static void a_unix_socket_of_streams_is_shared_as_it_is(void **state)
{
	int fd, beside, client, got;

	(void)at(state, "shared.sock");
	fd = open_at(where, SOCK_STREAM, NULL);
	beside = sqd_listen_beside(fd, true, &err);
	assert_true(beside >= 0 && beside != fd);
	client = dial(where, SOCK_STREAM);
	got = accept(beside, NULL, NULL);
	assert_true(got >= 0);
	assert_true(accept(fd, NULL, NULL) < 0 && errno == EAGAIN);
	close(got);
	close(client);
	close(beside);
	sqd_listen_close(fd, &file);
}

static void datagrams_of_others_sockets_are_not_shared_out(void **state)
{
	int fd;

	(void)at(state, "datagrams.sock");
	fd = open_at(where, SOCK_DGRAM, NULL);
	assert_int_equal(sqd_listen_beside(fd, true, &err), -EOPNOTSUPP);
	sqd_listen_close(fd, &file);
	fd = open_at("127.0.0.1:0", SOCK_DGRAM, NULL);
	assert_int_equal(sqd_listen_beside(fd, false, &err), -EOPNOTSUPP);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_text_is_cut_to_its_room),
		IN_FOLDER(a_stream_socket_comes_and_goes),
		IN_FOLDER(the_mode_is_exactly_what_was_asked_for),
		IN_FOLDER(a_mode_that_is_none_is_refused),
		IN_FOLDER(a_socket_that_nobody_listens_on_is_replaced),
		IN_FOLDER(one_that_somebody_listens_on_is_not),
		IN_FOLDER(one_whose_backlog_is_full_is_not_either),
		cmocka_unit_test(what_is_wrong_with_a_name_is_said_in_words),
		cmocka_unit_test(a_port_in_use_and_a_foreign_address_say_what_is_wrong),
		IN_FOLDER(what_is_no_socket_is_left_alone),
		IN_FOLDER(a_missing_folder_is_named),
		IN_FOLDER(a_folder_that_is_not_ours_to_write_is_named),
		IN_FOLDER(a_file_that_took_its_place_is_not_removed),
		cmocka_unit_test(an_abstract_name_leaves_no_file),
		IN_FOLDER(an_inherited_socket_keeps_its_file),
		cmocka_unit_test(connections_are_spread_over_the_sockets_of_an_address),
		cmocka_unit_test(connections_begin_with_more_and_the_kernel_may_change_it),
		cmocka_unit_test(a_receive_buffer_that_was_chosen_stays),
		cmocka_unit_test(datagrams_of_a_sender_come_to_one_socket),
		cmocka_unit_test(an_address_that_is_shared_is_in_use_all_the_same),
		cmocka_unit_test(both_kinds_of_addresses_are_shared),
		IN_FOLDER(a_unix_socket_of_streams_is_shared_as_it_is),
		IN_FOLDER(datagrams_of_others_sockets_are_not_shared_out),
	};

	return RUN_TABLE("listen/addresses", addresses, check_address) +
	       cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
