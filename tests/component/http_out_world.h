/* An output over HTTP alone on a loop, with a receiver that answers what the test says. Include it
 * in one file of a program.
 */
#pragma once

#include "tests/support/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/output/elasticsearch.h"
#include "daemon/output/http_out.h"
#include "daemon/output/webhook.h"
#include "lib/base/outbuf.h"
#include "lib/text/yaml.h"
#include "tests/support/run_loop.h"

struct world {
	uv_loop_t loop;
	struct sqd_output *out;
	void *cfg;
	int listener, fd;
	uint16_t port;
	struct world *also; /* another receiver, which is turned with this one */
	char in[65536];     /* of the request that comes */
	size_t n_in;
	size_t max; /* bytes of a request; one that says it is longer is answered and left; 0: any
	             */
	unsigned left; /* so many were */
	unsigned requests;
	const char *const *answers; /* by their turn; the last one for all that follow */
	const char *header;         /* "Name: value\r\n" of all answers, or NULL */
	unsigned sent, ready, refused;
	int status;
	uint64_t refused_id;
	char why[512];
	bool closed;
};

static inline void on_sent(struct sqd_output *out, int status)
{
	struct world *w = out->ctx;

	w->sent++;
	w->status = status;
}

static inline void on_ready(struct sqd_output *out)
{
	((struct world *)out->ctx)->ready++;
}

static inline void on_refused(struct sqd_output *out, const struct sqd_message *m, const char *why)
{
	struct world *w = out->ctx;

	assert_int_equal(w->sent, 0); /* the answer to its send is still to come */
	w->refused++;
	w->refused_id = m->id[1];
	snprintf(w->why, sizeof(w->why), "%s", why);
}

static inline void on_closed(struct sqd_output *out)
{
	struct world *w = out->ctx;

	assert_int_equal(out->open_handles, 0);
	w->closed = true;
}

/* ---- the receiver ------------------------------------------------------------------------ */

static inline bool whole_request(struct world *w)
{
	const char *end, *length;

	w->in[w->n_in] = '\0';
	end = strstr(w->in, "\r\n\r\n");
	length = strcasestr(w->in, "content-length: ");
	return end && length &&
	       w->n_in == (size_t)(end + 4 - w->in) + strtoul(length + 16, NULL, 10);
}

/* As many servers do: what was sent and not read makes a reset of the end of the connection. */
static inline bool is_left(struct world *w)
{
	static const char answer[] =
		"HTTP/1.1 413 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
	const char *length;

	w->in[w->n_in] = '\0';
	length = strcasestr(w->in, "content-length: ");
	if (!w->max || !length || strtoul(length + 16, NULL, 10) <= w->max)
		return false;
	(void)send(w->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
	close(w->fd);
	w->fd = -1;
	w->n_in = 0;
	w->left++;
	return true;
}

static inline void receiver_turn(struct world *w)
{
	char text[65536];
	const char *body;
	ssize_t n;

	if (w->also)
		receiver_turn(w->also);
	if (w->fd < 0)
		w->fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (w->fd < 0)
		return;
	n = recv(w->fd, w->in + w->n_in, sizeof(w->in) - 1 - w->n_in, 0);
	if (n == 0) {
		close(w->fd);
		w->fd = -1;
		w->n_in = 0;
	}
	if (n <= 0)
		return;
	w->n_in += (size_t)n;
	if (is_left(w) || !whole_request(w))
		return;
	if (!strstr(w->in, "gzip"))
		assert_non_null(strstr(w->in, "{\"n\":"));
	w->n_in = 0;
	w->requests++;
	if (!*w->answers)
		return; /* silence */
	body = *w->answers + 4;
	n = snprintf(text, sizeof(text), "HTTP/1.1 %.3s X\r\n%sContent-Length: %zu\r\n\r\n%s",
	             *w->answers, w->header ? w->header : "", strlen(body), body);
	assert_int_equal(send(w->fd, text, (size_t)n, MSG_NOSIGNAL), n);
	if (w->answers[1])
		w->answers++;
}

static inline bool is_sent(void *ctx)
{
	struct world *w = ctx;

	receiver_turn(w);
	return w->sent > 0;
}

static inline bool is_asked(void *ctx)
{
	struct world *w = ctx;

	receiver_turn(w);
	return w->requests > 0;
}

static inline bool is_closed(void *ctx)
{
	return ((struct world *)ctx)->closed;
}

/* ---- the world --------------------------------------------------------------------------- */

static inline void listen_somewhere(struct world *w)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int whole_answers = 128 * 1024; /* fit into the buffer of the connection */
	socklen_t len = sizeof(at);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(w->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(setsockopt(w->listener, SOL_SOCKET, SO_SNDBUF, &whole_answers,
	                            sizeof(whole_answers)),
	                 0);
	assert_int_equal(listen(w->listener, 8), 0);
	assert_int_equal(getsockname(w->listener, (struct sockaddr *)&at, &len), 0);
	w->port = ntohs(at.sin_port);
}

/* `more`: lines of its configuration. */
static inline void make(struct world *w, const struct sqd_output_ops *ops, const char *more,
                        const char *const *answers)
{
	struct sq_yaml_doc **docs;
	struct sq_diags diags = { 0 };
	char text[1024];
	int n;

	*w = (struct world){ .fd = -1, .answers = answers };
	listen_somewhere(w);
	uv_loop_init(&w->loop);
	snprintf(text, sizeof(text),
	         "url: http://127.0.0.1:%u\nretry_min: 10ms\nretry_max: 20ms\n%s", w->port, more);
	n = sq_yaml_load(sq_sv_of(text), "test", &sq_yaml_limits_default, &docs, &diags);
	assert_int_equal(n, 1);
	w->cfg = calloc(1, ops->cfg_size);
	assert_int_equal(sq_opt_read(ops->opts, sq_yaml_root(docs[0]), NULL, w->cfg, "test",
	                             &diags),
	                 0);
	sq_yaml_free_all(docs, 1);
	w->out = calloc(1, ops->size);
	w->out->ops = ops;
	w->out->cfg = w->cfg;
	w->out->loop = &w->loop;
	w->out->sent = on_sent;
	w->out->ready = on_ready;
	w->out->refused = on_refused;
	w->out->closed = on_closed;
	w->out->ctx = w;
}

static inline void end(struct world *w)
{
	w->out->ops->close(w->out);
	w->out->ops->close(w->out); /* once is enough */
	run_until(&w->loop, is_closed, w);
	sq_opt_free(w->out->ops->opts, w->cfg);
	free(w->cfg);
	free(w->out);
	close(w->listener);
	if (w->fd >= 0)
		close(w->fd);
	assert_int_equal(uv_loop_close(&w->loop), 0);
}

static inline void start(struct world *w)
{
	struct sq_err err = { 0 };

	if (w->out->ops->start(w->out, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(w->out->framing, SQD_FRAMING_RECORDS);
}

/* `n` messages, as the queue frames them. */
static inline struct sq_outbuf records(unsigned n)
{
	struct sq_outbuf b = sq_outbuf_of(1 << 20);

	for (unsigned i = 0; i < n; i++) {
		char text[64];
		int len = snprintf(text, sizeof(text), "{\"n\":\n%u}", i);
		struct sqd_message_head head = { .id = { 0, i + 1 },
			                         .n = (uint32_t)len,
			                         .n_key = 4 };

		sq_outbuf_put(&b, (struct sq_sv){ (const char *)&head, sizeof(head) });
		sq_outbuf_put(&b, SQ_SV("ws-7"));
		sq_outbuf_put(&b, (struct sq_sv){ text, (size_t)len });
	}
	return b;
}
