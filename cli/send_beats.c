/* Windows of Lumberjack version 2, as Beats send them: 2W count, then a frame 2J for each record,
 * or all of them compressed in one 2C. The peer answers 2A count when it has them; 2A 0 meanwhile
 * says that it is still at it.
 */
#include <errno.h>

#include "cli/send.h"

static int beats_add(struct sender *s, struct sq_sv rec)
{
	send_put_json(sq_lumber_out_open(&s->lumber), rec);
	sq_lumber_out_close(&s->lumber);
	return send_batch_added(s);
}

static int read_ack(struct sender *s, uint32_t *ret, struct sq_err *err)
{
	struct sq_lumber_acked acked = { 0 };
	int r = 0;

	while (r == 0) {
		char bytes[sizeof(acked.bytes)];
		ssize_t n = send_conn_read(s, bytes, sizeof(bytes) - acked.n, err);
		struct sq_sv in = { bytes, n > 0 ? (size_t)n : 0 };

		if (n < 0)
			return (int)n;
		if (n == 0)
			return sq_err_set(err, -ECONNRESET,
			                  "the peer closed the connection before it acknowledged");
		r = sq_lumber_acked_next(&acked, &in, ret);
	}
	if (r < 0)
		return sq_err_set(err, -EPROTO,
		                  "the peer's answer is none of Lumberjack; does it speak Beats?");
	return 0;
}

static int beats_exchange(struct sender *s, uint64_t *ret_taken, struct sq_err *err)
{
	struct sq_sv window = { 0 };
	uint32_t ack = 0;
	int r = sq_lumber_out_end(&s->lumber, (int)s->compress, &window);

	if (r < 0)
		return sq_err_set(err, r, "out of memory");
	r = send_conn_write(s, window, err);
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
