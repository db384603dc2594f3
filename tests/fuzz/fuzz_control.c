/* A conversation with the control socket: what comes, in pieces of any length, is one of the four
 * requests to the letter, or it is unknown; there is one answer, and nothing stays open. First
 * byte: how it is cut.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/core/control.h"

enum { REQUEST_MAX_BYTES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uv_loop_t loop;
static struct sqd_control *control;
static char path[64];
static unsigned asked;

static void on_asked(void *ctx SQ_UNUSED)
{
	asked++;
	sqd_control_answer(control);
}

static void on_answer(void *ctx SQ_UNUSED, enum sqd_request what, bool complete,
                      struct sq_outbuf *out)
{
	sq_assert(complete);
	sq_outbuf_putc(out, (char)('0' + (int)what));
}

static void begin(void)
{
	const struct sqd_control_opts opts = { .loop = &loop,
		                               .path = path,
		                               .mode = "0600",
		                               .connections = 1,
		                               .timeout_ms = 60000,
		                               .asked = on_asked,
		                               .answer = on_answer };

	(void)snprintf(path, sizeof(path), "/tmp/squibly-fuzz-%d.sock", (int)getpid());
	sq_assert(uv_loop_init(&loop) == 0);
	control = sqd_control_new(&opts, NULL);
	sq_assert(control);
}

/* The end of the program is nobody's business but the socket's. */
static void finish(void)
{
	(void)unlink(path);
}

/* What the answer should be; '\0': none. */
static char expected(struct sq_sv v)
{
	static const char *const words[] = { "status", "report", "rules", "reload" };
	size_t lf = sq_sv_chr(v, '\n');

	if (!v.n)
		return '\0';
	if (lf == SIZE_MAX ? v.n >= REQUEST_MAX_BYTES : lf >= REQUEST_MAX_BYTES)
		return '4';
	v = sq_sv_trim(lf == SIZE_MAX ? v : sq_sv_first(v, lf));
	for (size_t i = 0; i < SQ_LEN(words); i++)
		if (sq_sv_eq(v, sq_sv_of(words[i])))
			return (char)('0' + (int)i);
	return '4';
}

/* There is more than will be read: its end may come as a reset. */
static bool goes_on(struct sq_sv v)
{
	size_t lf = sq_sv_chr(v, '\n');

	return v.n > REQUEST_MAX_BYTES || (lf != SIZE_MAX && lf + 1 < v.n);
}

static int dial(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(sa.sun_path, path, sizeof(path));
	sq_assert(fd >= 0 && connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0);
	return fd;
}

/* @return what it answered; '\0': nothing; '?': more was sent than it reads, so who knows */
static char converse(struct sq_sv v, size_t piece)
{
	char got[8], said = '\0';
	int fd = dial();
	ssize_t n;

	while (v.n) {
		size_t part = v.n < piece ? v.n : piece;

		if (send(fd, v.p, part, MSG_NOSIGNAL) < 0)
			break;
		v = sq_sv_skip(v, part);
		(void)uv_run(&loop, UV_RUN_NOWAIT);
	}
	(void)shutdown(fd, SHUT_WR);
	while ((n = recv(fd, got, sizeof(got), 0)) != 0) {
		if (n < 0 && errno != EAGAIN)
			said = '?';
		if (n < 0 && errno != EAGAIN)
			break;
		sq_assert(n < 0 || (n == 1 && said == '\0'));
		if (n > 0)
			said = got[0];
		else
			(void)uv_run(&loop, UV_RUN_ONCE);
	}
	close(fd);
	return said;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sq_sv v = { (const char *)data + 1, size ? size - 1 : 0 };
	char said;

	if (!control) {
		begin();
		(void)atexit(finish);
	}
	if (!size)
		return 0;
	said = converse(v, 1 + data[0] % 80);
	sq_assert(said == expected(v) || (said == '?' && goes_on(v)));
	return 0;
}
