/* How long squiblyd takes from the last byte of an event to the first byte of its alert.
 *
 *   latency IN_PORT OUT_PORT BACKGROUND ATTACK RATE SECONDS
 *
 * Listens on OUT_PORT for the alerts of a squiblyd that has a TCP output there, and waits until it
 * does, and takes connections on IN_PORT. Then, for two seconds, it sends the lines of the file
 * BACKGROUND, none of which alerts, as fast as squiblyd takes them: the top rate. Afterwards it
 * sends them at half of that rate for SECONDS, and over a connection of its own, RATE times a
 * second, the line in the file ATTACK, with "latency-" and a number of eight digits in it that this
 * program counts up; the alert holds the same.
 *
 * One thread that never sleeps does all of it, so that the clock is read when something happens. A
 * line's time is taken before it is handed to the kernel, an alert's when its first byte is
 * there. When the system stops this thread for more than a millisecond, it is the measure that is
 * late: the schedule is put off by that time, so that no burst follows, and events whose alert was
 * awaited then are left out. Where squiblyd does not read on, nothing is put off.
 *
 * Prints: top rate and rate in between (bytes a second), alerts, those left out, alerts that did
 * not come, and microseconds: median, 99 %, 99.9 %, most.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, LINE = 1024 * 1024, DIGITS = 8, MAX_SAMPLES = 1000000 };
#define MARK     "latency-"
#define NS       1000000000ull
#define TOP_S    2
#define AFTER_S  5
#define UP_S     30
#define PAUSE_NS (NS / 2)
#define LATE_NS  (NS / 1000)

struct text {
	char *p;
	size_t n;
};

/* What goes on at one time. */
struct run {
	int background, attack, alerts;
	struct text clean, event;
	size_t clean_at; /* where in `clean` the next piece begins */
	uint64_t clean_sent;
	uint64_t sent_ns[MAX_SAMPLES], took_ns[MAX_SAMPLES];
	size_t n_sent, n_took, n_left_out;
	uint64_t late_ns;    /* when this thread last ran on after it had been stopped */
	size_t line_len;     /* bytes of an alert in `line` */
	uint64_t line_since; /* when its first byte was there */
	char line[LINE];
};

static struct run run;

static void die(const char *what)
{
	fprintf(stderr, "latency: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static struct text read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *p;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0)
		die(path);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE, fd,
	         0);
	if (p == MAP_FAILED)
		die("mmap");
	close(fd);
	return (struct text){ p, (size_t)st.st_size };
}

static struct sockaddr_in loopback(const char *port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		                     .sin_port = htons((unsigned short)strtoul(port, NULL, 10)),
		                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int listen_on(const char *port)
{
	struct sockaddr_in at = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 16) < 0)
		die("listen");
	return fd;
}

/* The peer may still be starting. */
static int connect_to(const char *port)
{
	struct sockaddr_in to = loopback(port);
	uint64_t end = now_ns() + UP_S * NS;
	int one = 1;

	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0)
			die("socket");
		if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			return fd;
		}
		close(fd);
		if (now_ns() > end)
			die("connect");
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
}

/* An alert is whole: whose is it? */
static void alert(void)
{
	char *mark = memmem(run.line, run.line_len, MARK, strlen(MARK));
	unsigned long id;

	if (!mark)
		return;
	id = strtoul(mark + strlen(MARK), NULL, 10);
	if (id >= run.n_sent || run.sent_ns[id] == 0)
		return;
	if (run.late_ns > run.sent_ns[id])
		run.n_left_out++;
	else
		run.took_ns[run.n_took++] = run.line_since - run.sent_ns[id];
	run.sent_ns[id] = 0;
}

static void take_alerts(void)
{
	ssize_t n =
		recv(run.alerts, run.line + run.line_len, LINE - 1 - run.line_len, MSG_DONTWAIT);
	uint64_t when;
	size_t whole;
	char *end;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		die("alerts ended");
	when = now_ns();
	if (run.line_len == 0)
		run.line_since = when;
	whole = run.line_len + (size_t)n;
	while ((end = memchr(run.line, '\n', whole))) {
		run.line_len = (size_t)(end - run.line);
		*end = '\0';
		alert();
		whole -= run.line_len + 1;
		memmove(run.line, end + 1, whole);
		run.line_since = when;
	}
	run.line_len = whole;
}

static void send_background(uint64_t allowed)
{
	size_t n = run.clean.n - run.clean_at;
	ssize_t sent;

	if (n > PIECE)
		n = PIECE;
	if (n > allowed)
		n = (size_t)allowed;
	sent = send(run.background, run.clean.p + run.clean_at, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN)
		die("send");
	if (sent <= 0)
		return;
	run.clean_at = (run.clean_at + (size_t)sent) % run.clean.n;
	run.clean_sent += (uint64_t)sent;
}

static void send_attack(void)
{
	char *mark = memmem(run.event.p, run.event.n, MARK, strlen(MARK)), digits[DIGITS + 1];

	if (!mark || run.n_sent == MAX_SAMPLES)
		die("no " MARK " in the attack, or too many");
	snprintf(digits, sizeof(digits), "%0*zu", DIGITS, run.n_sent);
	memcpy(mark + strlen(MARK), digits, DIGITS);
	run.sent_ns[run.n_sent++] = now_ns();
	if (send(run.attack, run.event.p, run.event.n, MSG_NOSIGNAL) != (ssize_t)run.event.n)
		die("send of an attack");
}

/* @return bytes a second that squiblyd takes */
static double top_rate(void)
{
	uint64_t began = now_ns();
	double rate;

	while (now_ns() - began < TOP_S * NS) {
		send_background(PIECE);
		take_alerts();
	}
	rate = (double)run.clean_sent / TOP_S;
	for (uint64_t end = now_ns() + PAUSE_NS; now_ns() < end;) /* it catches up */
		take_alerts();
	run.clean_sent = 0;
	return rate;
}

/* @return nanoseconds for which this thread was stopped since the last call, 0 for none */
static uint64_t stopped(uint64_t *last, uint64_t now)
{
	uint64_t gap = now - *last;

	*last = now;
	if (gap < LATE_NS)
		return 0;
	run.late_ns = now;
	return gap;
}

/* @return bytes a second that were sent in the background */
static double paced(double rate, double attacks, double length)
{
	uint64_t began = now_ns(), last = began, now, end;
	double passed = 0;

	while (passed < length) {
		uint64_t due;

		now = now_ns();
		began += stopped(&last, now);
		passed = (double)(now - began) / 1e9;
		due = (uint64_t)(passed * rate);
		if ((double)run.n_sent < passed * attacks)
			send_attack();
		if (due >= run.clean_sent + PIECE / 4)
			send_background(due - run.clean_sent);
		take_alerts();
	}
	rate = (double)run.clean_sent / passed;
	for (end = now_ns() + AFTER_S * NS; run.n_took + run.n_left_out < run.n_sent;) {
		now = now_ns();
		stopped(&last, now);
		if (now > end)
			break;
		take_alerts();
	}
	return rate;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* @return microseconds, below which `share` of the samples lie */
static double quantile(double share)
{
	size_t i = (size_t)((double)run.n_took * share);

	if (run.n_took == 0)
		return 0;
	return (double)run.took_ns[i < run.n_took ? i : run.n_took - 1] / 1e3;
}

int main(int argc, char **argv)
{
	double top, rate;
	int listener;

	if (argc != 7) {
		fprintf(stderr, "latency IN_PORT OUT_PORT BACKGROUND ATTACK RATE SECONDS\n");
		return 2;
	}
	run.clean = read_file(argv[3]);
	run.event = read_file(argv[4]);
	listener = listen_on(argv[2]);
	run.alerts = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (run.alerts < 0)
		die("accept");
	run.background = connect_to(argv[1]);
	run.attack = connect_to(argv[1]);
	top = top_rate();
	rate = paced(top / 2, strtod(argv[5], NULL), strtod(argv[6], NULL));
	qsort(run.took_ns, run.n_took, sizeof(run.took_ns[0]), ascending);
	printf("%.0f %.0f %zu %zu %zu %.1f %.1f %.1f %.1f\n", top, rate, run.n_took, run.n_left_out,
	       run.n_sent - run.n_took - run.n_left_out, quantile(0.5), quantile(0.99),
	       quantile(0.999), quantile(1));
	return 0;
}
