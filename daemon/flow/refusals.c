#include "daemon/flow/refusals.h"

#include "daemon/base/loop.h"
#include "lib/text/jsonw.h"

enum {
	MESSAGE_MAX = 64 * 1024,      /* bytes of a message that its line keeps */
	LINE_MAX_BYTES = 1024 * 1024, /* every byte may become six */
};

void sqd_refusals_write(struct sq_outbuf *to, int64_t wall_us, const char *output,
                        const struct sqd_message *m, const char *why)
{
	struct sq_jsonw w = sq_jsonw_of(to);
	char time[SQ_TIME_TEXT];

	sq_jsonw_object(&w);
	sq_jsonw_member(&w, "@timestamp", (struct sq_sv){ time, sq_time_format(wall_us, time) });
	sq_jsonw_member(&w, "output", sq_sv_of(output));
	sq_jsonw_member(&w, "reason", sq_sv_of(why));
	sq_jsonw_key(&w, "message");
	sq_jsonw_string(&w, sq_sv_first(m->text, MESSAGE_MAX));
	if (m->text.n > MESSAGE_MAX) {
		sq_jsonw_key(&w, "message_length");
		sq_jsonw_int(&w, (int64_t)m->text.n);
	}
	sq_jsonw_end_object(&w);
}

static bool on_refused(void *ctx, struct sqd_outqueue *q, const struct sqd_message *m,
                       const char *why)
{
	struct sqd_refusals *r = ctx;
	struct sqd_message line;

	if (!r->dead_letters)
		return false;
	sq_outbuf_reset(&r->line);
	sqd_refusals_write(&r->line, sqd_now().wall_us, sqd_outqueue_output(q)->name, m, why);
	line = (struct sqd_message){ .text = sq_outbuf_view(&r->line) };
	if (r->line.failed || !sqd_outqueue_offer(r->dead_letters, &line))
		return false;
	sqd_outqueue_hold(q, r->dead_letters);
	return true;
}

void sqd_refusals_init(struct sqd_refusals *r, struct sqd_outqueue *dead_letters)
{
	*r = (struct sqd_refusals){ .dead_letters = dead_letters,
		                    .line = sq_outbuf_of(LINE_MAX_BYTES) };
}

void sqd_refusals_fini(struct sqd_refusals *r)
{
	sq_outbuf_fini(&r->line);
}

void sqd_refusals_watch(struct sqd_refusals *r, struct sqd_outqueue *q)
{
	sqd_outqueue_on_refused(q, on_refused, r);
}
