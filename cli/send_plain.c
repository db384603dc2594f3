#include <errno.h>

#include "cli/send.h"

enum { MAX_DATAGRAM = 65507 }; /* of UDP over IPv4 */

static int open_once(struct sender *s)
{
	struct sq_err err = { 0 };

	if (s->conn.fd >= 0)
		return CLI_OK;
	return send_conn_open(s, &err) < 0 ? cli_fail("%s", err.text) : CLI_OK;
}

/* As who sends batches says it: there was somebody, and not all has arrived. */
static int lost(const struct sender *s, int r, const struct sq_err *err)
{
	(void)cli_fail("%s", err->text);
	return !s->udp && !s->tls && (r == -ECONNRESET || r == -EPIPE) ? CLI_FOUND : CLI_FAILED;
}

static int transmit(struct sender *s, struct sq_sv v)
{
	struct sq_err err = { 0 };
	int status = open_once(s), r;

	if (status != CLI_OK)
		return status;
	r = send_conn_write(s, v, &err);
	if (r == -EMSGSIZE && s->udp) { /* more than the buffers of a unix socket take */
		s->too_long++;
		s->records--;
		return CLI_OK;
	}
	return r < 0 ? lost(s, r, &err) : CLI_OK;
}

static int plain_flush(struct sender *s)
{
	int status = s->out.len ? transmit(s, sq_outbuf_view(&s->out)) : open_once(s);

	sq_outbuf_reset(&s->out);
	return status;
}

static int plain_add(struct sender *s, struct sq_sv rec)
{
	if (s->udp) {
		if (rec.n > MAX_DATAGRAM && !s->target.local) {
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
	return s->out.len >= SEND_BLOCK ? plain_flush(s) : CLI_OK;
}

static int plain_finish(struct sender *s)
{
	struct sq_err err = { 0 };
	int r = send_conn_end(s, &err);

	if (!r)
		r = send_conn_see_off(s, &err);
	return r < 0 ? lost(s, r, &err) : CLI_OK;
}

const struct send_kind send_plain = {
	.add = plain_add,
	.flush = plain_flush,
	.finish = plain_finish,
};
