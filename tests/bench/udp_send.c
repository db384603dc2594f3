/* Send datagrams at a steady pace: the load of tools/bench for UDP inputs.
 *
 *   udp_send PORT FILE SIZE RATE COUNT
 *
 * FILE holds datagrams of SIZE bytes one after another; they are sent over and over, COUNT in all,
 * RATE a second, in small bursts by sendmmsg(). Prints the seconds that it took.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BURST = 32 };

static void die(const char *what)
{
	fprintf(stderr, "udp_send: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Sleeping would be late by more than the distance of two bursts. */
static void wait_until(double when)
{
	while (seconds() < when)
		;
}

static int connect_to(unsigned short port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons(port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	return fd;
}

static void send_burst(int fd, char *data, size_t size, size_t n_data, size_t first, unsigned n)
{
	struct mmsghdr messages[BURST] = { 0 };
	struct iovec pieces[BURST];
	unsigned sent = 0;

	for (unsigned i = 0; i < n; i++) {
		pieces[i] = (struct iovec){ data + (first + i) % n_data * size, size };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &pieces[i], .msg_iovlen = 1 };
	}
	while (sent < n) {
		int r = sendmmsg(fd, messages + sent, n - sent, 0);

		if (r < 0 && errno != EINTR && errno != ENOBUFS)
			die("sendmmsg");
		sent += r > 0 ? (unsigned)r : 0;
	}
}

int main(int argc, char **argv)
{
	size_t size, count, n_data;
	double rate, began;
	struct stat st;
	char *data;
	int fd, file;

	if (argc != 6) {
		fprintf(stderr, "udp_send PORT FILE SIZE RATE COUNT\n");
		return 2;
	}
	file = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (file < 0 || fstat(file, &st) < 0)
		die(argv[2]);
	size = strtoul(argv[3], NULL, 10);
	rate = strtod(argv[4], NULL);
	count = strtoul(argv[5], NULL, 10);
	n_data = size > 0 ? (size_t)st.st_size / size : 0;
	if (n_data == 0 || rate <= 0)
		die("nothing to send");
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
	if (data == MAP_FAILED)
		die("mmap");
	fd = connect_to((unsigned short)strtoul(argv[1], NULL, 10));
	began = seconds();
	for (size_t sent = 0; sent < count;) {
		size_t left = count - sent;
		unsigned n = left < BURST ? (unsigned)left : BURST;

		wait_until(began + (double)sent / rate);
		send_burst(fd, data, size, n_data, sent, n);
		sent += n;
	}
	printf("%.6f\n", seconds() - began);
	return 0;
}
