#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/metrics.h"
#include "daemon/base/notify.h"
#include "tests/support/test.h"

/* A socket as systemd has it; its name goes into NOTIFY_SOCKET. */
static int listen_at(bool abstract)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char name[64];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	size_t n = (size_t)snprintf(name, sizeof(name), "%csquibly-notify-%d", abstract ? '@' : '/',
	                            (int)getpid());

	if (!abstract)
		n = (size_t)snprintf(name, sizeof(name), "/tmp/squibly-notify-%d", (int)getpid());
	memcpy(sa.sun_path, name, n);
	if (abstract)
		sa.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&sa,
	                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
	                 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void assert_got(int fd, const char *want)
{
	char got[2048];
	ssize_t n = recv(fd, got, sizeof(got), MSG_DONTWAIT);

	assert_true(n >= 0);
	assert_sv_equal(((struct sq_sv){ got, (size_t)n }), sq_sv_of(want));
}

static void a_notice_reaches_a_path(void **state)
{
	int fd = listen_at(false);

	(void)state;
	sqd_notify("READY=1\nSTATUS=%d rules", 7);
	assert_got(fd, "READY=1\nSTATUS=7 rules");
	close(fd);
	unlink(getenv("NOTIFY_SOCKET"));
}

static void a_notice_reaches_an_abstract_name(void **state)
{
	int fd = listen_at(true);

	(void)state;
	sqd_notify("WATCHDOG=1");
	assert_got(fd, "WATCHDOG=1");
	close(fd);
}

static void without_a_socket_nothing_happens(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	sqd_notify("READY=1");
	setenv("NOTIFY_SOCKET", "relative", 1);
	sqd_notify("READY=1");
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	sqd_notify("READY=1");
}

static void the_watchdog_is_fed_at_half_its_time(void **state)
{
	char pid[32];

	(void)state;
	unsetenv("WATCHDOG_USEC");
	assert_int_equal(sqd_notify_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(sqd_notify_watchdog_ms(), 15000);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(sqd_notify_watchdog_ms(), 0);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(sqd_notify_watchdog_ms(), 15000);
	setenv("WATCHDOG_USEC", "nonsense", 1);
	assert_int_equal(sqd_notify_watchdog_ms(), 0);
}

static void the_equation_names_causes_and_what_is_under_way(void **state)
{
	struct sq_counters c = { .received = 123,
		                 .alerted = 2,
		                 .clean = 110,
		                 .malformed = 1,
		                 .oversized = 3,
		                 .dropped_truncated = 4,
		                 .dropped_pressure = 2 };
	struct sq_outbuf out = sq_outbuf_of(4096);

	(void)state;
	sqd_metrics_equation(&out, &c);
	assert_sv_equal(sq_outbuf_view(&out),
	                SQ_SV("received 123 = alerted 2 + clean 110 + malformed 1 + oversized 3 + "
	                      "dropped 6 (pressure 2, truncated 4), in flight 1"));
	sq_outbuf_reset(&out);
	c = (struct sq_counters){ .received = 1, .clean = 1 };
	sqd_metrics_equation(&out, &c);
	assert_sv_equal(sq_outbuf_view(&out),
	                SQ_SV("received 1 = alerted 0 + clean 1 + malformed 0 + "
	                      "oversized 0 + dropped 0"));
	sq_outbuf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_notice_reaches_a_path),
		cmocka_unit_test(a_notice_reaches_an_abstract_name),
		cmocka_unit_test(without_a_socket_nothing_happens),
		cmocka_unit_test(the_watchdog_is_fed_at_half_its_time),
		cmocka_unit_test(the_equation_names_causes_and_what_is_under_way),
	};

	return cmocka_run_group_tests_name("base/notify", tests, NULL, NULL);
}
