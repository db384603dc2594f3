/* squibly status: ask the running daemon whether all is accounted for.
 *
 * What is told, and how, is up to the daemon (daemon/core/status.h): this asks one line on its
 * control socket and prints what comes.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/cli.h"
#include "lib/base/outbuf.h"

static const char help[] =
	"Usage: squibly status [OPTION]...\n\n"
	"Ask the running squiblyd how it is: rules in force, inputs, whether each output can be reached, and\n"
	"for the records that came in and the alerts of each output the sum that must hold: what came = what\n"
	"became of it. Every number is told with what it means; lines that begin with !! want somebody's\n"
	"attention.\n\n"
	"  -s, --socket PATH    the control socket (default: /run/squiblyd/control.sock)\n"
	"  -j, --json           one JSON document instead\n"
	"      --rules          only which rules are in force\n"
	"      --reload         have rules and certificates loaded anew, and files opened, as SIGHUP does\n"
	"  -t, --timeout SECS   how long to wait for the answer, 1 to 600 (default: 10)\n"
	"  -h, --help\n\n"
	"Exit status: 0 all is accounted for; 1 it is not, or not all is known; 2 no squiblyd answers, or\n"
	"something else failed.\n";

enum { ANSWER_MAX = 16 * 1024 * 1024 };

static int connect_to(const char *path, uint64_t seconds, int *ret_fd)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = (time_t)seconds };
	size_t n = strlen(path);
	int fd;

	if (n == 0 || n >= sizeof(sa.sun_path))
		return cli_fail("%s: not a path of a socket: 1 to %zu bytes", path,
		                sizeof(sa.sun_path) - 1);
	memcpy(sa.sun_path, path, n);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return cli_fail("socket: %s", sq_strerror(-errno));
	/* It goes for connect() too, which waits while squiblyd has others to serve. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
		int e = errno;

		close(fd);
		if (e == ENOENT || e == ECONNREFUSED)
			return cli_fail(
				"%s: %s: squiblyd does not run, or listens elsewhere "
				"(-s PATH; one that was started by hand needs control: path: "
				"in its configuration)",
				path, sq_strerror(-e));
		return cli_fail("%s: %s", path,
		                e == EAGAIN ? "squiblyd does not answer" : sq_strerror(-e));
	}
	*ret_fd = fd;
	return CLI_OK;
}

static int ask(int fd, const char *path, const char *request, struct sq_outbuf *to)
{
	ssize_t n = send(fd, request, strlen(request), MSG_NOSIGNAL);

	while (n > 0) {
		char *at = sq_outbuf_reserve(to, 64 * 1024);

		if (!at)
			return cli_fail("%s: the answer is too long", path);
		do {
			n = recv(fd, at, 64 * 1024, 0);
		} while (n < 0 && errno == EINTR);
		if (n > 0)
			to->len += (size_t)n;
	}
	if (n < 0 && errno == EAGAIN)
		return cli_fail("%s: squiblyd does not answer", path);
	if (n < 0)
		return cli_fail("%s: %s", path, sq_strerror(-errno));
	return CLI_OK;
}

/* "ok LEN\n" and LEN bytes. */
static int read_text(struct sq_sv answer, const char *path, struct sq_sv *ret_text)
{
	static const char *const verdicts[] = { "ok ", "broken ", "error " };
	const char *lf = answer.n ? memchr(answer.p, '\n', answer.n) : NULL;
	struct sq_sv head = { answer.p, lf ? (size_t)(lf - answer.p) : 0 };
	uint64_t len;

	for (size_t i = 0; i < SQ_LEN(verdicts); i++) {
		struct sq_sv word = sq_sv_of(verdicts[i]);

		if (!sq_sv_starts(head, word))
			continue;
		*ret_text = sq_sv_skip(answer, head.n + 1);
		if (!sq_sv_to_u64(sq_sv_skip(head, word.n), &len) || len != ret_text->n)
			break;
		return (int)i;
	}
	return cli_fail("%s: the answer is cut off, or none of squiblyd", path);
}

static int print_answer(struct sq_sv answer, const char *path, bool json)
{
	struct sq_sv text = answer;
	int status;

	if (json) {
		if (!sq_sv_starts(answer, SQ_SV("{\"holds\":")) || answer.p[answer.n - 1] != '\n')
			return cli_fail("%s: the answer is cut off, or none of squiblyd", path);
		status = sq_sv_starts(answer, SQ_SV("{\"holds\":true,")) ? CLI_OK : CLI_FOUND;
	} else {
		status = read_text(answer, path, &text);
	}
	(void)fwrite(text.p, 1, text.n, status == CLI_FAILED ? stderr : stdout);
	return cli_finish(status);
}

int cli_status(int argc, char **argv)
{
	enum { OPT_RULES = 256, OPT_RELOAD };
	static const struct option options[] = { { "socket", required_argument, NULL, 's' },
		                                 { "json", no_argument, NULL, 'j' },
		                                 { "rules", no_argument, NULL, OPT_RULES },
		                                 { "reload", no_argument, NULL, OPT_RELOAD },
		                                 { "timeout", required_argument, NULL, 't' },
		                                 { "help", no_argument, NULL, 'h' },
		                                 { 0 } };
	struct sq_outbuf answer = sq_outbuf_of(ANSWER_MAX);
	const char *path = "/run/squiblyd/control.sock", *request = "report\n";
	uint64_t seconds = 10;
	bool json = false;
	int c, fd = -1, status;

	while ((c = getopt_long(argc, argv, ":s:jt:h", options, NULL)) != -1) {
		switch (c) {
		case 's':
			path = optarg;
			break;
		case 'j':
			json = true;
			request = "status\n";
			break;
		case OPT_RULES:
			request = "rules\n";
			break;
		case OPT_RELOAD:
			request = "reload\n";
			break;
		case 't':
			if (!sq_sv_to_u64(sq_sv_of(optarg), &seconds) || !seconds || seconds > 600)
				return cli_usage("status", "--timeout wants 1 to 600 seconds");
			break;
		case 'h':
			fputs(help, stdout);
			return cli_finish(CLI_OK);
		default:
			return cli_bad_option("status", c, argv);
		}
	}
	if (optind < argc)
		return cli_usage("status", "no argument is expected: %s", argv[optind]);
	if (json && strcmp(request, "status\n") != 0)
		return cli_usage("status", "--json is for the status alone");
	status = connect_to(path, seconds, &fd);
	if (status != CLI_OK)
		return status;
	status = ask(fd, path, request, &answer);
	close(fd);
	if (status == CLI_OK)
		status = print_answer(sq_outbuf_view(&answer), path, json);
	sq_outbuf_fini(&answer);
	return status;
}
