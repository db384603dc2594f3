/* Windows of Lumberjack version 2, as Beats send them: 2W count, then a frame 2J for each record,
 * or all of them compressed in one 2C. The peer answers 2A count when it has them; 2A 0 meanwhile
 * says that it is still at it.
 */
#include <errno.h>

#include <zlib.h>

#include "cli/send.h"

enum { FRAME_HEAD = 10, ACK_BYTES = 6 };

static void put_u32(struct sq_outbuf *b, uint64_t n)
{
	const char bytes[4] = { (char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n };

	sq_outbuf_put(b, (struct sq_sv){ bytes, sizeof(bytes) });
}

static int beats_add(struct sender *s, struct sq_sv rec)
{
	size_t mark = s->out.len, n;

	sq_outbuf_put(&s->out, SQ_SV("2J"));
	put_u32(&s->out, s->in_batch + 1);
	put_u32(&s->out, 0);
	send_put_json(&s->out, rec);
	if (!s->out.failed) { /* its length is known now */
		n = s->out.len - mark - FRAME_HEAD;
		for (int i = 0; i < 4; i++)
			s->out.p[mark + 6 + (size_t)i] = (char)(n >> (24 - 8 * i));
	}
	return send_batch_added(s);
}

/* The window as it goes out; made anew for each try, which is rare. */
static int make_window(struct sender *s, struct sq_err *err)
{
	struct sq_outbuf *w = &s->wire;
	uLongf n = compressBound(s->out.len);
	size_t mark;
	char *to;

	sq_outbuf_reset(w);
	sq_outbuf_put(w, SQ_SV("2W"));
	put_u32(w, s->in_batch);
	if (!s->compress) {
		sq_outbuf_put(w, sq_outbuf_view(&s->out));
		return w->failed ? sq_err_set(err, -ENOMEM, "out of memory") : 0;
	}
	sq_outbuf_put(w, SQ_SV("2C"));
	mark = w->len;
	put_u32(w, 0);
	to = sq_outbuf_reserve(w, n);
	if (!to || compress2((Bytef *)to, &n, (const Bytef *)s->out.p, s->out.len,
	                     (int)s->compress) != Z_OK)
		return sq_err_set(err, -ENOMEM, "out of memory");
	w->len += n;
	for (int i = 0; i < 4; i++)
		w->p[mark + (size_t)i] = (char)(n >> (24 - 8 * i));
	return 0;
}

static int read_ack(struct sender *s, uint32_t *ret, struct sq_err *err)
{
	char ack[ACK_BYTES];
	size_t have = 0;

	while (have < sizeof(ack)) {
		ssize_t n = send_conn_read(s, ack + have, sizeof(ack) - have, err);

		if (n < 0)
			return (int)n;
		if (n == 0)
			return sq_err_set(err, -ECONNRESET,
			                  "the peer closed the connection before it acknowledged");
		have += (size_t)n;
	}
	if (ack[0] != '2' || ack[1] != 'A')
		return sq_err_set(err, -EPROTO,
		                  "the peer's answer is none of Lumberjack; does it speak Beats?");
	*ret = 0;
	for (int i = 2; i < ACK_BYTES; i++)
		*ret = *ret << 8 | (unsigned char)ack[i];
	return 0;
}

static int beats_exchange(struct sender *s, uint64_t *ret_taken, struct sq_err *err)
{
	uint32_t ack = 0;
	int r = make_window(s, err);

	if (!r)
		r = send_conn_write(s, sq_outbuf_view(&s->wire), err);
	while (!r && ack < s->in_batch) {
		r = read_ack(s, &ack, err);
		if (!r && ack > s->in_batch)
			r = sq_err_set(err, -EPROTO,
			               "the peer acknowledged %u records of a window of %llu", ack,
			               (unsigned long long)s->in_batch);
	}
	*ret_taken = s->in_batch;
	return r;
}

const struct send_kind send_beats = {
	.add = beats_add,
	.flush = send_batch_flush,
	.finish = send_batch_finish,
	.exchange = beats_exchange,
};
