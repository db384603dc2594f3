/* A connection:
 *
 *   FREE -> READING -> ASKING -> WRITING -> CLOSING -> FREE
 *              |          |                    ^
 *              +----------+--- too slow, gone -+
 *
 * ASKING ends when the daemon calls sqd_control_answer(), or after WAIT_MS with what is known
 * without it. The descriptors are only polled by libuv, so that reading and writing are two lines
 * each and nothing is in flight when a connection is cut off.
 */
#include "daemon/core/control.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/log.h"

enum {
	REQUEST_MAX_BYTES = 64,
	ANSWER_MAX_BYTES = 4 * 1024 * 1024,
	BACKLOG = 64,
	WAIT_MS = 2000,
	TICK_MS = 100,
};

enum state { FREE, READING, ASKING, WRITING, CLOSING };

struct conn {
	struct sqd_control *control;
	enum state state;
	enum sqd_request what;
	int fd;
	uv_poll_t poll;
	uint64_t since_ms; /* when it came into its state */
	char in[REQUEST_MAX_BYTES];
	size_t n_in;
	struct sq_outbuf out;
	size_t sent;
};

struct sqd_control {
	struct sqd_control_opts opts;
	struct sqd_listen_file file;
	int fd;
	uv_poll_t listener;
	uv_timer_t tick; /* while there are connections, or descriptors have run out */
	bool closing;
	unsigned open_handles, n_conns;
	struct conn conns[];
};

enum sqd_request sqd_request_parse(struct sq_sv line)
{
	static const char *const words[] = { "status", "report", "rules", "reload" };

	line = sq_sv_trim(line);
	for (size_t i = 0; i < SQ_LEN(words); i++)
		if (sq_sv_eq(line, sq_sv_of(words[i])))
			return (enum sqd_request)i;
	return SQD_REQUEST_UNKNOWN;
}

static void on_readable(uv_poll_t *h, int status, int events);
static void on_connection(uv_poll_t *h, int status, int events);
static void on_tick(uv_timer_t *t);

static void enter(struct conn *k, enum state state)
{
	k->state = state;
	k->since_ms = uv_now(k->control->opts.loop);
}

/* There may be room for another one. */
static void go_on_accepting(struct sqd_control *c)
{
	if (!c->closing && c->n_conns < c->opts.connections)
		(void)uv_poll_start(&c->listener, UV_READABLE, on_connection);
}

static void on_conn_closed(uv_handle_t *h)
{
	struct conn *k = h->data;
	struct sqd_control *c = k->control;

	close(k->fd);
	sq_outbuf_fini(&k->out);
	*k = (struct conn){ .control = c, .fd = -1 };
	c->open_handles--;
	c->n_conns--;
	go_on_accepting(c);
}

static void end(struct conn *k)
{
	if (k->state == FREE || k->state == CLOSING)
		return;
	enter(k, CLOSING);
	uv_close((uv_handle_t *)&k->poll, on_conn_closed);
}

static void on_writable(uv_poll_t *h, int status, int events SQ_UNUSED)
{
	struct conn *k = h->data;
	ssize_t n = status < 0 ? -1 : 0;

	while (n >= 0 && k->sent < k->out.len) {
		n = send(k->fd, k->out.p + k->sent, k->out.len - k->sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n > 0)
			k->sent += (size_t)n;
	}
	end(k); /* all is written, or nobody wants it */
}

static void answer(struct conn *k, bool complete)
{
	struct sqd_control *c = k->control;

	enter(k, WRITING);
	k->out = sq_outbuf_of(ANSWER_MAX_BYTES);
	c->opts.answer(c->opts.ctx, k->what, complete, &k->out);
	if (k->out.failed || uv_poll_start(&k->poll, UV_WRITABLE, on_writable) < 0)
		end(k);
}

/* Whether a whole line, or all that will ever come, is there. */
static bool take_request(struct conn *k, bool ended)
{
	const char *lf = memchr(k->in, '\n', k->n_in);

	if (!lf && !ended && k->n_in < sizeof(k->in))
		return false;
	k->what = sqd_request_parse((struct sq_sv){ k->in, lf ? (size_t)(lf - k->in) : k->n_in });
	if (!lf && k->n_in == sizeof(k->in))
		k->what = SQD_REQUEST_UNKNOWN;
	return true;
}

static void on_readable(uv_poll_t *h, int status, int events SQ_UNUSED)
{
	struct conn *k = h->data;
	struct sqd_control *c = k->control;
	ssize_t n = status < 0 ? -1 : recv(k->fd, k->in + k->n_in, sizeof(k->in) - k->n_in, 0);

	if (n < 0 && status >= 0 && errno == EAGAIN)
		return;
	if (n < 0 || (n == 0 && !k->n_in)) {
		end(k);
		return;
	}
	k->n_in += (size_t)n;
	if (!take_request(k, n == 0))
		return;
	(void)uv_poll_stop(&k->poll);
	if (k->what == SQD_REQUEST_UNKNOWN || k->what == SQD_REQUEST_RELOAD) {
		answer(k, true);
		return;
	}
	enter(k, ASKING);
	c->opts.asked(c->opts.ctx); /* last: it may answer at once */
}

static void welcome(struct sqd_control *c, int fd)
{
	struct conn *k = c->conns;

	while (k->state != FREE)
		k++;
	k->fd = fd;
	if (uv_poll_init(c->opts.loop, &k->poll, fd) < 0) {
		close(fd);
		k->fd = -1;
		return;
	}
	k->poll.data = k;
	c->open_handles++;
	c->n_conns++;
	enter(k, READING);
	if (uv_poll_start(&k->poll, UV_READABLE, on_readable) < 0)
		end(k);
	if (!uv_is_active((uv_handle_t *)&c->tick))
		(void)uv_timer_start(&c->tick, on_tick, TICK_MS, TICK_MS);
}

static void on_connection(uv_poll_t *h, int status SQ_UNUSED, int events SQ_UNUSED)
{
	struct sqd_control *c = h->data;

	while (c->n_conns < c->opts.connections) {
		int fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			welcome(c, fd);
			continue;
		}
		if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)
			return;
		/* No descriptor is free: whoever waits is asked again after a while. */
		(void)uv_timer_start(&c->tick, on_tick, TICK_MS, TICK_MS);
		break;
	}
	(void)uv_poll_stop(&c->listener);
}

static void on_tick(uv_timer_t *t)
{
	struct sqd_control *c = t->data;
	uint64_t now = uv_now(c->opts.loop);

	for (uint32_t i = 0; i < c->opts.connections; i++) {
		struct conn *k = &c->conns[i];
		uint64_t for_ms = now - k->since_ms;

		if (k->state == ASKING && for_ms >= WAIT_MS)
			answer(k, false);
		else if ((k->state == READING || k->state == WRITING) &&
		         for_ms >= c->opts.timeout_ms)
			end(k);
	}
	if (!c->n_conns)
		(void)uv_timer_stop(t);
	go_on_accepting(c);
}

void sqd_control_answer(struct sqd_control *c)
{
	for (uint32_t i = 0; c && i < c->opts.connections; i++)
		if (c->conns[i].state == ASKING)
			answer(&c->conns[i], true);
}

static void on_handle_closed(uv_handle_t *h)
{
	struct sqd_control *c = h->data;

	c->open_handles--;
}

struct sqd_control *sqd_control_new(const struct sqd_control_opts *opts, struct sq_err *err)
{
	struct sqd_control *c = calloc(1, sizeof(*c) + opts->connections * sizeof(c->conns[0]));
	char where[sizeof("unix:") + SQ_ERR_TEXT], bound[SQD_BOUND_TEXT];
	struct sqd_listen listen = { .where = where,
		                     .type = SOCK_STREAM,
		                     .backlog = BACKLOG,
		                     .inherited_fd = -1,
		                     .socket_mode = opts->mode };
	int r;

	if (!c) {
		sq_err_set(err, -ENOMEM, "control socket: out of memory");
		return NULL;
	}
	c->opts = *opts;
	for (uint32_t i = 0; i < opts->connections; i++)
		c->conns[i] = (struct conn){ .control = c, .fd = -1 };
	(void)snprintf(where, sizeof(where), "unix:%s", opts->path);
	c->fd = sqd_listen_open(&listen, bound, NULL, &c->file, err);
	if (c->fd < 0) {
		sq_err_wrap(err, c->fd, "control socket");
		free(c);
		return NULL;
	}
	r = uv_poll_init(opts->loop, &c->listener, c->fd);
	if (r < 0) {
		sq_err_set(err, r, "control socket: %s", uv_strerror(r));
		sqd_listen_close(c->fd, &c->file);
		free(c);
		return NULL;
	}
	(void)uv_timer_init(opts->loop, &c->tick); /* cannot fail */
	c->listener.data = c->tick.data = c;
	c->open_handles = 2;
	go_on_accepting(c);
	return c;
}

void sqd_control_close(struct sqd_control *c)
{
	if (!c || c->closing)
		return;
	c->closing = true;
	uv_close((uv_handle_t *)&c->listener, on_handle_closed);
	uv_close((uv_handle_t *)&c->tick, on_handle_closed);
	sqd_listen_close(c->fd, &c->file);
	for (uint32_t i = 0; i < c->opts.connections; i++)
		end(&c->conns[i]);
}

void sqd_control_free(struct sqd_control *c)
{
	sq_assert(!c || (c->closing && !c->open_handles));
	free(c);
}
