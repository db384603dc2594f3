#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/send.h"

enum { TLS_PIECE = 256 * 1024 }; /* bytes encrypted before they are sent */

/* ---- the socket ---------------------------------------------------------------------------- */

static int dial_local(struct sender *s, struct sq_err *err)
{
	const char *path = s->target.path;
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (path[0] != '@'));
	int fd, r;

	if (n >= sizeof(to.sun_path))
		return sq_err_set(err, -ENAMETOOLONG,
		                  "%s: the path of a unix socket has at most %zu bytes", path,
		                  sizeof(to.sun_path) - 1);
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, (s->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, len) == 0)
		return fd;
	r = -errno;
	if (fd >= 0)
		close(fd);
	if (r == -EPROTOTYPE)
		return sq_err_set(err, r, "%s: it is a socket of %s", path,
		                  s->udp ? "streams: leave out --udp" : "datagrams: use --udp");
	return sq_err_set(err, r, "%s: %s", path, sq_strerror(r));
}

static int dial(struct sender *s, struct sq_err *err)
{
	struct addrinfo hints = { .ai_socktype = s->udp ? SOCK_DGRAM : SOCK_STREAM };
	const char *host = s->target.host, *port = s->target.port;
	struct addrinfo *list = NULL;
	int r, last = ECONNREFUSED, found = -1;

	if (s->target.local)
		return dial_local(s, err);
	r = getaddrinfo(host, port, &hints, &list);
	if (r)
		return sq_err_set(err, -EINVAL, "%s: %s", host, gai_strerror(r));
	for (const struct addrinfo *a = list; a && found < 0; a = a->ai_next) {
		int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);

		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
			found = fd;
			break;
		}
		last = errno;
		if (fd >= 0)
			close(fd);
	}
	freeaddrinfo(list);
	if (found < 0)
		return sq_err_set(err, -last, "%s port %s: %s", host, port, sq_strerror(-last));
	return found;
}

/* Answers are waited for so long; what is sent may wait as long as it takes, unless it is a batch,
 * which can be sent again. */
static void set_timeouts(struct sender *s)
{
	struct timeval t = { .tv_sec = (time_t)s->timeout_s };
	int on = 1;

	(void)setsockopt(s->conn.fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	if (s->kind->exchange) {
		(void)setsockopt(s->conn.fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
		if (!s->target.local)
			(void)setsockopt(s->conn.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
}

static int no_answer(const struct sender *s, const char *what, struct sq_err *err)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return sq_err_set(err, -ETIMEDOUT, "%s: nothing for %llu seconds", what,
		                  (unsigned long long)s->timeout_s);
	return sq_err_set(err, -errno, "%s: %s", what, sq_strerror(-errno));
}

static int send_raw(struct sender *s, struct sq_sv v, struct sq_err *err)
{
	while (v.n) {
		ssize_t n = send(s->conn.fd, v.p, v.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		/* A datagram that nobody took is told by ICMP at the next send: say it once. */
		if (n < 0)
			return no_answer(s, "sending", err);
		s->bytes += (uint64_t)n;
		if (s->udp)
			break;
		v = sq_sv_skip(v, (size_t)n);
	}
	return 0;
}

static ssize_t receive_raw(struct sender *s, char *to, size_t room, struct sq_err *err)
{
	ssize_t n;

	do
		n = recv(s->conn.fd, to, room, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? no_answer(s, "waiting for an answer", err) : n;
}

/* ---- TLS ----------------------------------------------------------------------------------- */

static int tls_flush(struct sender *s, struct sq_err *err)
{
	struct sq_sv v;
	int r;

	while (v = sq_tls_unsent(s->conn.tls), v.n) {
		r = send_raw(s, v, err);
		if (r < 0)
			return r;
		sq_tls_sent(s->conn.tls, v.n);
	}
	return 0;
}

/* More ciphertext, behind what was not used yet. 1, 0: the end, or a negative errno */
static int tls_fill(struct sender *s, struct sq_err *err)
{
	struct sq_sv left = sq_tls_left(s->conn.tls);
	struct send_conn *c = &s->conn;
	ssize_t n;

	if (left.n == sizeof(c->in))
		return sq_err_set(err, -EPROTO, "TLS: a record is too long");
	if (left.n)
		memmove(c->in, left.p, left.n);
	n = receive_raw(s, c->in + left.n, sizeof(c->in) - left.n, err);
	sq_tls_give(c->tls, (struct sq_sv){ c->in, left.n + (n > 0 ? (size_t)n : 0) });
	return n > 0 ? 1 : (int)n;
}

static int tls_failed(const struct sender *s, int r, struct sq_err *err)
{
	return sq_err_set(err, r, "TLS: %s", sq_tls_why(s->conn.tls));
}

static int shake_hands(struct sender *s, struct sq_err *err)
{
	int r, done;

	s->conn.tls = sq_tls_new(s->tls_ctx, s->target.host);
	if (!s->conn.tls)
		return sq_err_set(err, -ENOMEM, "out of memory");
	for (;;) {
		done = sq_tls_handshake(s->conn.tls);
		r = tls_flush(s, done < 0 ? NULL : err); /* an alert may tell the peer why */
		if (done < 0)
			return tls_failed(s, done, err);
		if (r < 0 || done == 1)
			return r;
		r = tls_fill(s, err);
		if (r == 0 || r == -ECONNRESET)
			return sq_err_set(err, -ECONNRESET,
			                  "TLS: the peer closed the connection during the "
			                  "handshake; does it speak TLS?");
		if (r < 0)
			return r;
	}
}

/* ---- for all kinds ------------------------------------------------------------------------- */

int send_conn_open(struct sender *s, struct sq_err *err)
{
	int r;

	s->conn.fd = dial(s, err);
	if (s->conn.fd < 0) {
		r = s->conn.fd;
		s->conn.fd = -1;
		return r;
	}
	set_timeouts(s);
	if (!s->tls)
		return 0;
	r = shake_hands(s, err);
	if (r < 0)
		send_conn_close(s);
	return r;
}

/* Sending failed: a server that refuses our certificate has said so before it closed, perhaps. */
static int tls_why_closed(struct sender *s, int r, struct sq_err *err)
{
	char rest[4096];
	ssize_t n;

	do {
		n = sq_tls_read(s->conn.tls, rest, sizeof(rest));
		if (n < 0 && n != -EPIPE)
			return tls_failed(s, (int)n, err);
	} while (n > 0 || (n == 0 && tls_fill(s, NULL) > 0));
	return r;
}

int send_conn_write(struct sender *s, struct sq_sv v, struct sq_err *err)
{
	int r = 0;

	if (!s->conn.tls)
		return send_raw(s, v, err);
	while (v.n && !r) {
		struct sq_sv piece = sq_sv_first(v, TLS_PIECE);

		r = sq_tls_write(s->conn.tls, piece);
		if (r < 0)
			return tls_failed(s, r, err);
		r = tls_flush(s, err);
		if (r == -ECONNRESET || r == -EPIPE)
			return tls_why_closed(s, r, err);
		v = sq_sv_skip(v, piece.n);
	}
	return r;
}

ssize_t send_conn_read(struct sender *s, char *to, size_t n, struct sq_err *err)
{
	if (!s->conn.tls)
		return receive_raw(s, to, n, err);
	for (;;) {
		ssize_t got = sq_tls_read(s->conn.tls, to, n);
		int r;

		if (got > 0)
			return got;
		if (got == -EPIPE)
			return 0;
		if (got < 0)
			return tls_failed(s, (int)got, err);
		r = tls_flush(s, err); /* answers of TLS itself */
		if (r == 0)
			r = tls_fill(s, err);
		if (r <= 0)
			return r;
	}
}

int send_conn_end(struct sender *s, struct sq_err *err)
{
	char rest[4096];
	ssize_t n;
	int r;

	if (s->conn.fd < 0 || s->udp)
		return 0;
	if (!s->conn.tls) {
		(void)shutdown(s->conn.fd, SHUT_WR);
		return 0;
	}
	sq_tls_end(s->conn.tls);
	r = tls_flush(s, err);
	if (r < 0)
		return tls_why_closed(s, r, err);
	(void)shutdown(s->conn.fd, SHUT_WR);
	/* Bytes of TLS's that nobody read would make close() reset the connection, and the peer
	 * lose what it has not read yet. And a server that refuses our certificate says so late. */
	do
		n = send_conn_read(s, rest, sizeof(rest), err);
	while (n > 0);
	return (int)n;
}

static int left_unread(struct sq_err *err)
{
	return sq_err_set(err, -ECONNRESET,
	                  "the peer closed the connection before it had read everything");
}

/* Its end may have been on the way before our last bytes were: then they reset the connection, and
 * who reads was told of an end in order before that. */
static int await_reset(struct sender *s, uint64_t until_ns, struct sq_err *err)
{
	struct tcp_info info = { .tcpi_state = TCP_CLOSE };
	socklen_t n = sizeof(info), n_why;
	int why = 0;

	for (;;) {
		bool known = getsockopt(s->conn.fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0;

		n_why = sizeof(why);
		if (getsockopt(s->conn.fd, SOL_SOCKET, SO_ERROR, &why, &n_why) == 0 && why)
			return left_unread(err);
		if (!known || info.tcpi_state == TCP_CLOSE || send_mono_ns() >= until_ns)
			return 0;
		send_sleep_ms(1);
	}
}

int send_conn_see_off(struct sender *s, struct sq_err *err)
{
	uint64_t until_ns = send_mono_ns() + s->wait_s * 1000000000, now;
	char rest[4096];
	ssize_t n = 1;

	if (s->conn.fd < 0 || s->udp || s->conn.tls)
		return 0; /* TLS has its own end */
	while (n != 0 && (now = send_mono_ns()) < until_ns) {
		struct pollfd p = { .fd = s->conn.fd, .events = POLLIN };
		int r = poll(&p, 1, (int)((until_ns - now) / 1000000 + 1));

		if (r <= 0) /* a signal, or it keeps its side open */
			continue;
		n = receive_raw(s, rest, sizeof(rest), NULL);
		if (n == -ECONNRESET || n == -EPIPE)
			return left_unread(err);
		if (n < 0)
			return no_answer(s, "waiting for the peer to close", err);
	}
	return n != 0 || s->target.local ? 0 : await_reset(s, until_ns, err);
}

void send_conn_close(struct sender *s)
{
	if (s->conn.fd >= 0)
		close(s->conn.fd);
	s->conn.fd = -1;
	sq_tls_free(s->conn.tls);
	s->conn.tls = NULL;
}
