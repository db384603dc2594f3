/* Send a file of lines over many TCP connections at once, each a share of its own.
 *
 * The load of tools/bench: all connections are made first, then every one that has room is given a
 * piece in turn, by sendfile(), so that sending costs next to nothing beside receiving. Afterwards
 * the end is sent on all, and the peer's end awaited. Prints the seconds from the first byte to
 * that.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 256 * 1024, MAX_CONNECTIONS = 10000, EVENTS = 64, GIVE_UP_MS = 60000 };

/* One connection and the share of the file that it has yet to send, as often as is asked for. */
struct sender {
	int fd;
	off_t begin, at, end;
	unsigned repeat;
};

static struct sender senders[MAX_CONNECTIONS];
static int file;

static void die(const char *what)
{
	fprintf(stderr, "send_many: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Cut the file into `n` shares at line ends. */
static void divide(const char *path, unsigned n, unsigned repeat)
{
	struct stat st;
	char *text, *line_end;
	size_t size, at = 0, share_end;

	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0 || fstat(file, &st) < 0)
		die(path);
	size = (size_t)st.st_size;
	text = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);
	if (text == MAP_FAILED)
		die("mmap");
	for (unsigned i = 0; i < n; i++) {
		senders[i].begin = senders[i].at = (off_t)at;
		share_end = size / n * (i + 1);
		line_end = share_end > at ? memchr(text + share_end, '\n', size - share_end) : NULL;
		if (i + 1 == n)
			at = size;
		else if (line_end)
			at = (size_t)(line_end - text) + 1;
		senders[i].end = (off_t)at;
		senders[i].repeat = repeat;
	}
	munmap(text, size);
}

static void connect_all(unsigned n, unsigned short port, int poll)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons(port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	for (unsigned i = 0; i < n; i++) {
		struct epoll_event want = { .events = EPOLLOUT, .data.ptr = &senders[i] };
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
			die("connect");
		senders[i].fd = fd;
		if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
		    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &want) < 0)
			die("epoll_ctl");
	}
}

/* @return whether this connection has sent all of its share */
static bool send_piece(struct sender *s)
{
	off_t left = s->end - s->at;
	ssize_t n;

	if (left == 0) {
		if (--s->repeat == 0)
			return true;
		s->at = s->begin;
		return s->begin == s->end;
	}
	n = sendfile(s->fd, file, &s->at, left < PIECE ? (size_t)left : PIECE);
	if (n < 0 && errno != EAGAIN)
		die("sendfile");
	return false;
}

/* The peer has closed, or there is something to read, which nobody expects. */
static bool has_ended(struct sender *s)
{
	char byte;
	ssize_t n = recv(s->fd, &byte, 1, 0);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n != 0)
		die("the peer did not just close");
	close(s->fd);
	return true;
}

int main(int argc, char **argv)
{
	struct epoll_event ready[EVENTS];
	unsigned n, alive;
	double began;
	int poll;

	if (argc != 5 || (n = (unsigned)strtoul(argv[3], NULL, 10)) == 0 || n > MAX_CONNECTIONS) {
		fprintf(stderr, "send_many FILE PORT CONNECTIONS TIMES\n");
		return 2;
	}
	divide(argv[1], n, (unsigned)strtoul(argv[4], NULL, 10));
	poll = epoll_create1(EPOLL_CLOEXEC);
	connect_all(n, (unsigned short)strtoul(argv[2], NULL, 10), poll);
	began = seconds();
	for (alive = n; alive > 0;) {
		int count = epoll_wait(poll, ready, EVENTS, GIVE_UP_MS);

		if (count <= 0)
			die("the peer does not read on");
		for (int i = 0; i < count; i++) {
			struct sender *s = ready[i].data.ptr;
			struct epoll_event want = { .events = EPOLLIN, .data.ptr = s };

			if (ready[i].events & EPOLLOUT) {
				if (!send_piece(s))
					continue;
				shutdown(s->fd, SHUT_WR);
				epoll_ctl(poll, EPOLL_CTL_MOD, s->fd, &want);
			} else if (has_ended(s)) {
				alive--;
			}
		}
	}
	printf("%.6f\n", seconds() - began);
	return 0;
}
