/* The least that a receiver can do: take a connection, recv() into one buffer until it ends, and
 * nothing else.
 *
 * The measure for what squiblyd makes of the bytes of a TCP connection (tools/bench): the same
 * sender, the same bytes. One connection at a time, until it is ended by a signal.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[256 * 1024];

static int listen_on(unsigned short port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_port = htons(port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 16) < 0) {
		perror("recv_bare");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	int listener, fd;

	if (argc != 2) {
		fprintf(stderr, "recv_bare PORT\n");
		return 2;
	}
	listener = listen_on((unsigned short)strtoul(argv[1], NULL, 10));
	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		while (recv(fd, buffer, sizeof(buffer), 0) > 0)
			;
		close(fd);
	}
	perror("recv_bare: accept");
	return 1;
}
