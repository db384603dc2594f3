#include "daemon/base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	LINE_MAX_BYTES = 2048,
	TEXT_MAX_BYTES = 120,
	DEFAULT_BURST = 10,
	PATIENCE_MS = 100,  /* of a reader that does not read, once a second */
	PIECE_BYTES = 4096, /* poll() promises room for so much in a pipe (PIPE_BUF) */
};

static const uint64_t second_ns = 1000000000;

/* Written by main() before any thread starts; atomic so that this need not be trusted. */
static _Atomic int log_level = SQD_LOG_INFO;

static _Atomic bool to_journal;

void sqd_log_set_level(enum sqd_log_level level)
{
	atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

/* systemd.exec(5): JOURNAL_STREAM holds device and inode of the journal's socket, so that a program
 * whose standard error was sent elsewhere meanwhile is not taken in. */
void sqd_log_find_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char mine[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return;
	(void)snprintf(mine, sizeof(mine), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	atomic_store_explicit(&to_journal, strcmp(stream, mine) == 0, memory_order_relaxed);
}

/* ---- writing ---- */

/* One text at a time, so that lines never mix and what poll() promised is still there. */
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;
static uint64_t deaf_ns; /* when the reader was last waited for in vain; under `writing` */
static uint64_t untold;  /* lines lost since he read; under `writing` */
static _Atomic uint64_t lost;

static uint64_t mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * second_ns + (uint64_t)ts.tv_nsec;
}

static bool has_room(int patience_ms)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
	int r;

	do
		r = poll(&p, 1, patience_ms);
	while (r < 0 && errno == EINTR);
	return r != 0; /* an error: write() says which */
}

static void lose(struct sq_sv v)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < v.n; i++)
		lines += v.p[i] == '\n';
	untold += lines;
	atomic_fetch_add_explicit(&lost, lines, memory_order_relaxed); /* read by sqd_log_lost() */
}

/* As many whole lines as there is room for at once. */
static size_t piece(struct sq_sv v)
{
	const char *end = v.n > PIECE_BYTES ? memrchr(v.p, '\n', PIECE_BYTES) : NULL;

	if (v.n <= PIECE_BYTES)
		return v.n;
	return end ? (size_t)(end - v.p) + 1 : PIECE_BYTES;
}

/* A reader that has stopped (a pager, a hung service manager), or reads a little now and then, must
 * not stop us: he is waited for once in a while, and what comes until he reads on is lost, counted,
 * and told then. */
static bool wait_for_room(void)
{
	uint64_t now;

	if (has_room(0))
		return true;
	now = mono_ns();
	if (deaf_ns && now - deaf_ns < second_ns)
		return false;
	if (has_room(PATIENCE_MS))
		return true;
	deaf_ns = mono_ns();
	return false;
}

static void write_all(struct sq_sv v)
{
	while (v.n) {
		ssize_t n = -1;

		errno = EAGAIN;
		if (wait_for_room())
			n = write(STDERR_FILENO, v.p, piece(v));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			lose(v);
		if (n <= 0)
			return; /* nobody listens; there is no other place to say so */
		v = sq_sv_skip(v, (size_t)n);
	}
}

static void tell_loss(void)
{
	char line[128];
	int n;

	if (!untold || !has_room(0))
		return;
	n = snprintf(line, sizeof(line), "%s%llu lines of this log were lost: nobody read it\n",
	             atomic_load_explicit(&to_journal, memory_order_relaxed) ? "<4>" : "",
	             (unsigned long long)untold);
	untold = 0;
	write_all((struct sq_sv){ line, (size_t)n });
}

void sqd_log_write(struct sq_sv text)
{
	pthread_mutex_lock(&writing);
	tell_loss();
	write_all(text);
	pthread_mutex_unlock(&writing);
}

uint64_t sqd_log_lost(void)
{
	return atomic_load_explicit(&lost, memory_order_relaxed);
}

static void write_line(enum sqd_log_level level, const char *text, size_t len)
{
	char line[LINE_MAX_BYTES + 8];
	int n;

	if (atomic_load_explicit(&to_journal, memory_order_relaxed))
		n = snprintf(line, sizeof(line), "<%d>%.*s\n", (int)level, (int)len, text);
	else
		n = snprintf(line, sizeof(line), "%.*s\n", (int)len, text);
	if (n <= 0)
		return;
	if ((size_t)n >= sizeof(line))
		n = sizeof(line) - 1;
	sqd_log_write((struct sq_sv){ line, (size_t)n });
}

/* ---- lines ---- */

static void log_va(enum sqd_log_level level, const char *fmt, va_list ap)
{
	char text[LINE_MAX_BYTES];
	int n = vsnprintf(text, sizeof(text), fmt, ap);

	if (n < 0)
		return;
	if ((size_t)n >= sizeof(text))
		n = sizeof(text) - 1;
	for (int i = 0; i < n; i++)
		if (text[i] == '\n' || text[i] == '\r')
			text[i] = ' ';
	write_line(level, text, (size_t)n);
}

void sqd_log(enum sqd_log_level level, const char *fmt, ...)
{
	va_list ap;

	if ((int)level > atomic_load_explicit(&log_level, memory_order_relaxed))
		return;
	va_start(ap, fmt);
	log_va(level, fmt, ap);
	va_end(ap);
}

/* A bucket of `burst` tokens, each worth `each_s` seconds of time. */
static bool limit_pass(struct sqd_log_limit *l, uint64_t now)
{
	uint64_t token = (l->each_s ? l->each_s : 1) * second_ns;
	uint64_t full = (l->burst ? l->burst : DEFAULT_BURST) * token;

	if (!l->last_ns)
		l->tokens_ns = full;
	else if (now - l->last_ns < full - l->tokens_ns)
		l->tokens_ns += now - l->last_ns;
	else
		l->tokens_ns = full;
	l->last_ns = now;
	if (l->tokens_ns < token)
		return false;
	l->tokens_ns -= token;
	return true;
}

bool sqd_log_limited(struct sqd_log_limit *limit, enum sqd_log_level level, const char *fmt, ...)
{
	va_list ap;

	if ((int)level > atomic_load_explicit(&log_level, memory_order_relaxed))
		return false;
	if (!limit_pass(limit, mono_ns())) {
		limit->swallowed++;
		return false;
	}
	if (limit->swallowed) {
		sqd_log(level, "%llu lines like the next were left out",
		        (unsigned long long)limit->swallowed);
		limit->swallowed = 0;
	}
	va_start(ap, fmt);
	log_va(level, fmt, ap);
	va_end(ap);
	return true;
}

const char *sqd_log_text(struct sq_sv v, char to[512])
{
	static const char hex[] = "0123456789abcdef";
	size_t n = v.n < TEXT_MAX_BYTES ? v.n : TEXT_MAX_BYTES;
	char *out = to;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)v.p[i];

		if (c >= 0x20 && c < 0x7f && c != '\\') {
			*out++ = (char)c;
			continue;
		}
		*out++ = '\\';
		*out++ = 'x';
		*out++ = hex[c >> 4];
		*out++ = hex[c & 15];
	}
	if (n < v.n)
		for (int i = 0; i < 3; i++)
			*out++ = '.';
	*out = '\0';
	return to;
}
