/* squibly send: replay the records of a file over TCP or UDP.
 *
 * Blocking sockets: this is a tool to try things with, and a slow receiver shall slow it down.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/input.h"
#include "lib/base/outbuf.h"
#include "lib/wire/frame.h"

static const char help[] =
	"Usage: squibly send [OPTION]... HOST:PORT [FILE]...\n\n"
	"Send the records of FILEs (or of standard input) to HOST:PORT, over TCP one a line, over UDP one a\n"
	"datagram. Records are cut as squiblyd cuts them; gzip and zstd files are unpacked. An IPv6 address\n"
	"is written [::1]:5170.\n\n"
	"  -u, --udp         send datagrams\n"
	"      --rate N      at most N records a second (default: as fast as they are taken)\n"
	"      --repeat N    send it all N times (files only)\n"
	"  -q, --quiet       no summary\n"
	"  -h, --help\n\n"
	"Exit status: 0 all sent, 2 something failed.\n";

enum {
	MAX_RECORD = 16 * 1024 * 1024,
	BLOCK = 256 * 1024,
	MAX_DATAGRAM = 65507, /* of UDP over IPv4 */
};

struct sender {
	bool udp, quiet;
	uint64_t rate, repeat;
	int fd;
	char *chunk; /* BLOCK + MAX_RECORD bytes, and a header's worth */
	struct sq_outbuf out;
	uint64_t records, bytes, too_long, began_ns;
};

static uint64_t mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Split HOST:PORT in place. */
static int split(char *text, char **ret_host, char **ret_port)
{
	char *colon = strrchr(text, ':');
	uint64_t port;

	if (!colon || colon == text || !colon[1])
		return cli_usage("send", "'%s' is not HOST:PORT", text);
	if (sq_is_digit(colon[1]) &&
	    (!sq_sv_to_u64(sq_sv_of(colon + 1), &port) || port < 1 || port > 65535))
		return cli_usage("send", "'%s': a port is a number from 1 to 65535", text);
	*colon = '\0';
	*ret_port = colon + 1;
	*ret_host = text;
	if (text[0] == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		*ret_host = text + 1;
	} else if (strchr(text, ':')) {
		return cli_usage("send", "write an IPv6 address in brackets: [%s]:%s", text,
		                 *ret_port);
	}
	return CLI_OK;
}

static int dial(struct sender *s, char *where)
{
	struct addrinfo hints = { .ai_socktype = s->udp ? SOCK_DGRAM : SOCK_STREAM };
	struct addrinfo *list = NULL;
	char *host = NULL, *port = NULL;
	int r, last = ECONNREFUSED;

	if (split(where, &host, &port) != CLI_OK)
		return CLI_FAILED;
	r = getaddrinfo(host, port, &hints, &list);
	if (r)
		return cli_fail("%s: %s", host, gai_strerror(r));
	for (const struct addrinfo *a = list; a && s->fd < 0; a = a->ai_next) {
		int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);

		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
			s->fd = fd;
			break;
		}
		last = errno;
		if (fd >= 0)
			close(fd);
	}
	freeaddrinfo(list);
	if (s->fd < 0)
		return cli_fail("%s port %s: %s", host, port, sq_strerror(-last));
	return CLI_OK;
}

/* All of it over TCP; one datagram over UDP. */
static int transmit(struct sender *s, struct sq_sv v)
{
	while (v.n) {
		ssize_t n = send(s->fd, v.p, v.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		/* A datagram that nobody took is told by ICMP at the next send: say it once. */
		if (n < 0)
			return cli_fail("sending: %s", sq_strerror(-errno));
		s->bytes += (uint64_t)n;
		if (s->udp)
			break;
		v = sq_sv_skip(v, (size_t)n);
	}
	return CLI_OK;
}

static int flush(struct sender *s)
{
	int status = transmit(s, sq_outbuf_view(&s->out));

	sq_outbuf_reset(&s->out);
	return status;
}

/* Sleep until it is this record's turn; what is gathered goes out before. */
static int keep_rate(struct sender *s)
{
	uint64_t due = s->began_ns + s->records * 1000000000u / s->rate;
	struct timespec t = { (time_t)(due / 1000000000u), (long)(due % 1000000000u) };
	int status = CLI_OK;

	if (mono_ns() >= due)
		return CLI_OK;
	status = flush(s);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		continue;
	return status;
}

static int send_record(struct sender *s, struct sq_sv rec)
{
	if (s->rate && keep_rate(s) != CLI_OK)
		return CLI_FAILED;
	if (s->udp) {
		if (rec.n > MAX_DATAGRAM) {
			s->too_long++;
			return CLI_OK;
		}
		s->records++;
		return transmit(s, rec);
	}
	s->records++;
	sq_outbuf_put(&s->out, rec);
	sq_outbuf_putc(&s->out, '\n');
	if (s->out.failed)
		return cli_fail("out of memory");
	return s->out.len >= BLOCK ? flush(s) : CLI_OK;
}

/* Send the whole records of chunk[0, *tail) and move the rest to the front. */
static int send_chunk(struct sender *s, struct sq_frame *frame, size_t *tail, bool eof,
                      const char *path)
{
	size_t head = 0, used;
	struct sq_sv rec;
	int r, status = CLI_OK;

	while (status == CLI_OK) {
		r = sq_frame_next(frame, (struct sq_sv){ s->chunk + head, *tail - head }, eof,
		                  &used, &rec);
		head += used;
		if (r == 0)
			break;
		if (r == 1)
			status = send_record(s, rec);
		else if (r == -EMSGSIZE)
			s->too_long++;
		else
			return cli_fail("%s: holds no events", path);
	}
	memmove(s->chunk, s->chunk + head, *tail - head);
	*tail -= head;
	return status;
}

static int send_file(struct sender *s, const char *path)
{
	struct sq_frame frame = sq_frame_of(MAX_RECORD);
	struct cli_input *in = NULL;
	struct sq_err err = { 0 };
	size_t tail = 0;
	ssize_t n;
	int status;

	if (cli_input_open(path, &in, &err) < 0)
		return cli_fail("%s", err.text);
	do {
		n = cli_input_read(in, s->chunk + tail, BLOCK, &err);
		if (n < 0) {
			status = cli_fail("%s", err.text);
			break;
		}
		tail += (size_t)n;
		status = send_chunk(s, &frame, &tail, n == 0, path);
	} while (n > 0 && status == CLI_OK);
	cli_input_close(in);
	return status == CLI_OK ? flush(s) : status;
}

static int send_all(struct sender *s, char **paths, int n)
{
	int status = CLI_OK;
	double seconds;

	s->began_ns = mono_ns();
	for (uint64_t round = 0; round < s->repeat && status == CLI_OK; round++) {
		if (n == 0)
			status = send_file(s, "-");
		for (int i = 0; i < n && status == CLI_OK; i++)
			status = send_file(s, paths[i]);
	}
	seconds = (double)(mono_ns() - s->began_ns) / 1e9;
	if (!s->quiet)
		fprintf(stderr, "sent %llu records, %.1f MB in %.2f s (%.0f records/s)\n",
		        (unsigned long long)s->records, (double)s->bytes / 1e6, seconds,
		        seconds > 0 ? (double)s->records / seconds : 0.0);
	if (s->too_long)
		status = cli_fail("%llu records were too long and not sent",
		                  (unsigned long long)s->too_long);
	return status;
}

static const struct option options[] = {
	{ "udp", no_argument, NULL, 'u' },          { "rate", required_argument, NULL, 'R' },
	{ "repeat", required_argument, NULL, 'N' }, { "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },         { 0 },
};

static int read_number(const char *option, uint64_t *ret)
{
	if (sq_sv_to_u64(sq_sv_of(optarg), ret) && *ret >= 1 && *ret <= 1000000000)
		return CLI_OK;
	return cli_usage("send", "%s: '%s' is not a number from 1 to 1000000000", option, optarg);
}

static int read_options(struct sender *s, int argc, char **argv)
{
	int c, status = CLI_OK;

	while ((c = getopt_long(argc, argv, ":uqh", options, NULL)) != -1 && status == CLI_OK) {
		switch (c) {
		case 'h':
			fputs(help, stdout);
			exit(cli_finish(CLI_OK));
		case 'u':
			s->udp = true;
			break;
		case 'q':
			s->quiet = true;
			break;
		case 'R':
			status = read_number("--rate", &s->rate);
			break;
		case 'N':
			status = read_number("--repeat", &s->repeat);
			break;
		default:
			return cli_bad_option("send", c, argv);
		}
	}
	if (status == CLI_OK && optind == argc)
		return cli_usage("send", "where to? Give HOST:PORT");
	return status;
}

int cli_send(int argc, char **argv)
{
	struct sender s = { .fd = -1, .repeat = 1, .out = sq_outbuf_of(MAX_RECORD + 2 * BLOCK) };
	int status = read_options(&s, argc, argv);

	if (status != CLI_OK)
		return status;
	s.chunk = malloc(MAX_RECORD + BLOCK + 4096);
	if (!s.chunk)
		return cli_fail("out of memory");
	status = dial(&s, argv[optind]);
	if (status == CLI_OK)
		status = send_all(&s, argv + optind + 1, argc - optind - 1);
	if (s.fd >= 0)
		close(s.fd);
	sq_outbuf_fini(&s.out);
	free(s.chunk);
	return status;
}
