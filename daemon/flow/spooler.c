/* One order at a time goes to the pool: what to write, where the cursor is, what to drop, what to
 * read. While it is there, the file and the group that is written belong to that thread; new
 * messages gather in the other group.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "daemon/flow/spool_packed.h"
#include "daemon/flow/spooler_private.h"

enum {
	GROUP_BYTES = 256 * 1024, /* are not left to gather any further */
	TRIM_WAIT_MS = 100,       /* after a delivery, when no commit took the cursor along */
	RETRY_MIN_MS = 500,
	RETRY_MAX_MS = 30000,
	TOLD_MS = 10000, /* a disk that fails now and then is not told about more often */
	PATIENCE_PERCENT = 80,
};

static void give(struct sqd_spooler *s);

static void on_timer(uv_timer_t *t)
{
	give(t->data);
}

static void after_ms(struct sqd_spooler *s, uint64_t ms)
{
	if (!uv_is_active((uv_handle_t *)&s->timer) || uv_timer_get_due_in(&s->timer) > ms)
		(void)uv_timer_start(&s->timer, on_timer, ms, 0);
}

static void trim_later(struct sqd_spooler *s)
{
	uint64_t ms = s->opts.interval_ms;

	if (s->stuck)
		ms = RETRY_MIN_MS;
	else if (!s->warned && ms < TRIM_WAIT_MS)
		ms = TRIM_WAIT_MS;
	if (s->state.records && s->wanted.cursor > s->state.cursor)
		after_ms(s, ms);
}

static void warn_of_size(struct sqd_spooler *s)
{
	uint64_t used = sqd_spooler_used(s), line = s->state.max / 100 * PATIENCE_PERCENT;

	if (!s->warned && used > line)
		sqd_log(SQD_LOG_WARNING, "%s: the spool %s is filled to more than %d %%",
		        s->opts.name, s->dir, PATIENCE_PERCENT);
	s->warned = used > line || (s->warned && used > line / 4 * 3);
}

static void on_failure(struct sqd_spooler *s)
{
	const struct sqd_spool_order *o = &s->order;
	uint64_t now_ms = uv_now(s->opts.loop);

	s->counts.failures++;
	s->why = o->err;
	if (!s->told && (!s->told_ms || now_ms - s->told_ms >= TOLD_MS)) {
		sqd_log(SQD_LOG_ERROR, "%s: spool: %s; what is not committed is not safe, retrying",
		        s->opts.name, o->err.text);
		s->told = true;
		s->told_ms = now_ms;
	}
	s->retry_ms = s->retry_ms ? s->retry_ms * 2 : RETRY_MIN_MS;
	if (s->retry_ms > RETRY_MAX_MS)
		s->retry_ms = RETRY_MAX_MS;
	if (!s->shut) /* there is no room on the disk, and all else can go on */
		s->retry_ms = 0;
}

static void on_success(struct sqd_spooler *s)
{
	if (s->told)
		sqd_log(SQD_LOG_NOTICE, "%s: spool %s: commits again", s->opts.name, s->dir);
	s->told = false;
	s->why.text[0] = '\0';
	s->retry_ms = 0;
}

static void end(struct sqd_spooler *s)
{
	sq_spool_close(s->spool);
	s->spool = NULL;
	s->closed(s->closed_ctx); /* last: it may free us */
}

static void on_timer_closed(uv_handle_t *h)
{
	end(h->data);
}

static void finish(struct sqd_spooler *s)
{
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}

/* @return whether a file was set aside */
static bool tell_aside(struct sqd_spooler *s, const struct sq_err *aside)
{
	if (aside->code)
		sqd_log(aside->code < 0 ? SQD_LOG_ERROR : SQD_LOG_WARNING, "%s: spool: %s",
		        s->opts.name, aside->text);
	s->counts.set_aside += aside->code < 0;
	return aside->code < 0;
}

static void count_order(struct sqd_spooler *s, const struct sqd_spool_order *o)
{
	s->counts.commits += o->commits;
	s->counts.damaged += o->damaged;
	s->counts.spooled += o->spooled;
	s->counts.dropped += o->dropped - o->twice;
	if (tell_aside(s, &o->aside))
		s->gone_to = s->durable;
	if (o->written) {
		if (s->writing.next > s->durable)
			s->durable = s->writing.next;
		sq_outbuf_reset(&s->writing.bytes);
	}
	if (o->has_state)
		s->state = o->state;
	s->untrimmed = o->more;
}

/* Room was made, and what waits found none of it: somebody reads those pages, and LMDB does not use
 * them again before that ends. To drop more at once would only lose more. */
static void look_at_drop(struct sqd_spooler *s)
{
	if (!s->full) {
		s->vain_ms = 0;
	} else if (s->order.dropped) {
		s->vain_ms = s->vain_ms ? s->vain_ms * 2 : RETRY_MIN_MS;
		if (s->vain_ms > RETRY_MAX_MS)
			s->vain_ms = RETRY_MAX_MS;
		s->vain_until_ms = uv_now(s->opts.loop) + s->vain_ms;
	}
}

/* Which is to be the next order, and when. */
static void go_on(struct sqd_spooler *s)
{
	bool much = s->filling.bytes.len >= GROUP_BYTES && !s->full;

	if (s->closing)
		give(s);
	else if (s->retry_ms)
		(void)uv_timer_start(&s->timer, on_timer, s->retry_ms, 0);
	else if (s->wanted.load_bytes)
		give(s);
	else if (!s->stuck && (s->wanted.drop_bytes || s->untrimmed || much))
		give(s);
	else if (s->wanted.drop_bytes || s->untrimmed || s->filling.bytes.len ||
	         s->writing.bytes.len)
		after_ms(s, s->full ? RETRY_MIN_MS : s->opts.interval_ms);
	else
		trim_later(s); /* what was delivered while we were busy */
}

static void on_done(uv_work_t *w, int status SQ_UNUSED)
{
	struct sqd_spooler *s = w->data;
	struct sqd_spool_order *o = &s->order;
	bool last = s->closing && o->closing;

	s->busy = false;
	count_order(s, o);
	if (o->load_bytes) {
		s->is_loaded = o->loaded;
		s->loaded_next = o->loaded_next;
		s->poor = o->no_memory;
		/* Also when a damaged file took with it what there was to read. */
		if (o->loaded_all && s->loaded_next < s->durable)
			s->loaded_next = s->durable;
		if (!o->loaded)
			s->loading = false;
	}
	s->full = sqd_spooler_no_room(o->result);
	s->stuck = s->full && !o->commits;
	s->barren = o->drop_bytes && !o->dropped;
	look_at_drop(s);
	if (o->result && o->result != -ENOSPC)
		on_failure(s);
	else
		on_success(s);
	warn_of_size(s);
	if (last) {
		finish(s);
		return;
	}
	go_on(s);
	s->opts.moved(s->opts.ctx); /* last: it may ask for more, or begin to end us */
}

/* Everything that is to be done, in one order. */
static void give(struct sqd_spooler *s)
{
	if (s->busy)
		return; /* afterwards */
	if (!s->writing.bytes.len) {
		struct sqd_spool_group g = s->writing;

		s->writing = s->filling;
		s->filling = g;
		s->writing.next = s->next;
	}
	(void)uv_timer_stop(&s->timer);
	s->order = (struct sqd_spool_order){ .closing = s->closing,
		                             .more = s->untrimmed,
		                             .cursor = s->wanted.cursor,
		                             .drop_from = s->wanted.drop_from,
		                             .drop_bytes = s->wanted.drop_bytes,
		                             .load_from = s->wanted.load_from,
		                             .load_bytes = s->wanted.load_bytes };
	/* When closing, and one group failed or found no room while the other waits, both are for
	 * nothing. */
	if (s->closing && s->filling.bytes.len)
		s->order.closing = s->retry_ms != 0 || s->full;
	s->wanted.drop_bytes = s->wanted.load_bytes = 0;
	s->busy = true;
	s->work.data = s;
	sq_assert(uv_queue_work(s->opts.loop, &s->work, sqd_spooler_do_order, on_done) == 0);
}

int sqd_spooler_push(struct sqd_spooler *s, const struct sqd_message *m, uint64_t *ret_seq)
{
	uint64_t need = sizeof(struct sqd_packed) + m->key.n + m->text.n;
	uint64_t here = s->filling.bytes.len + s->writing.bytes.len;
	struct sq_spool_record r = {
		.seq = s->next, .id = { m->id[0], m->id[1] }, .key = m->key, .text = m->text
	};

	if (need > s->opts.memory || need > s->state.max / 4 || need > SQ_SPOOL_MESSAGE_MAX)
		return -EMSGSIZE;
	if (sqd_spooler_used(s) + need > s->state.max)
		return -EFBIG;
	if (s->closing || need > s->opts.memory - here)
		return -ENOSPC;
	sqd_pack(&s->filling.bytes, &r);
	if (s->filling.bytes.failed) {
		s->filling.bytes.failed = false;
		return -ENOMEM;
	}
	s->filling.next = ++s->next;
	*ret_seq = r.seq;
	if (s->retry_ms || s->busy)
		return 0;
	if (s->filling.bytes.len >= GROUP_BYTES && !s->full)
		give(s);
	else if (s->filling.bytes.len == need)
		after_ms(s, s->opts.interval_ms);
	return 0;
}

void sqd_spooler_delivered(struct sqd_spooler *s, uint64_t cursor)
{
	/* What the file says of its numbers is looked at where it is read. To take more for
	 * delivered than there was would lose what is still to come, now and after a restart. */
	sq_assert(cursor <= s->next);
	if (cursor <= s->wanted.cursor)
		return;
	s->wanted.cursor = cursor;
	sq_spool_mark(s->spool, cursor);
	if (!s->busy && !s->closing && !s->retry_ms)
		trim_later(s);
}

uint64_t sqd_spooler_next(const struct sqd_spooler *s)
{
	return s->next;
}

uint64_t sqd_spooler_durable(const struct sqd_spooler *s)
{
	return s->durable > s->wanted.cursor ? s->durable : s->wanted.cursor;
}

uint64_t sqd_spooler_cursor(const struct sqd_spooler *s)
{
	return s->wanted.cursor;
}

uint64_t sqd_spooler_used(const struct sqd_spooler *s)
{
	return s->state.used + s->filling.bytes.len + s->writing.bytes.len;
}

uint64_t sqd_spooler_max(const struct sqd_spooler *s)
{
	return s->state.max;
}

const char *sqd_spooler_why(const struct sqd_spooler *s)
{
	return s->why.text;
}

uint64_t sqd_spooler_found(const struct sqd_spooler *s)
{
	return s->found;
}

const struct sqd_spooler_counts *sqd_spooler_counts(const struct sqd_spooler *s)
{
	return &s->counts;
}

static bool dropping(const struct sqd_spooler *s)
{
	return s->wanted.drop_bytes || (s->busy && s->order.drop_bytes);
}

void sqd_spooler_load(struct sqd_spooler *s, uint64_t from, uint64_t bytes)
{
	if (s->loading || s->is_loaded || s->closing)
		return;
	s->loading = true;
	s->wanted.load_from = from;
	s->wanted.load_bytes = bytes;
	if (s->poor && !s->retry_ms)
		after_ms(s, RETRY_MIN_MS);
	else if (!s->retry_ms)
		give(s);
}

bool sqd_spooler_take(struct sqd_spooler *s, sqd_spooler_each_fn *each, void *ctx,
                      uint64_t *ret_next)
{
	struct sq_spool_record r;
	bool any = false;
	struct sq_sv v;

	if (!s->is_loaded)
		return false; /* the pool may be writing there */
	s->is_loaded = false;
	v = sq_outbuf_view(&s->loaded);
	*ret_next = s->loaded_next;
	while (sqd_unpack(&v, &r)) {
		int e = each(ctx, &r);

		if (e < 0) {
			s->poor = e == -ENOMEM || !any; /* it would be so again, at once */
			*ret_next = r.seq;
			break;
		}
		any = true;
	}
	s->loading = false; /* not before: whoever is given one may ask for more */
	return true;
}

static bool give_group(const struct sqd_spool_group *g, sqd_spooler_each_fn *each, void *ctx,
                       uint64_t *next)
{
	struct sq_sv v = sq_outbuf_view(&g->bytes);
	struct sq_spool_record r;

	while (sqd_unpack(&v, &r)) {
		if (r.seq < *next)
			continue;
		if (each(ctx, &r) < 0)
			return false;
		*next = r.seq + 1;
	}
	return true;
}

/* The pool may be reading the group that is written: so do we. */
void sqd_spooler_gathered(struct sqd_spooler *s, sqd_spooler_each_fn *each, void *ctx,
                          uint64_t *next)
{
	if (*next < sqd_spooler_durable(s))
		return;
	if (give_group(&s->writing, each, ctx, next))
		(void)give_group(&s->filling, each, ctx, next);
}

bool sqd_spooler_file_has_room(const struct sqd_spooler *s)
{
	return !s->full && sqd_spooler_used(s) <= s->state.max / 16 * 15;
}

bool sqd_spooler_roomy(const struct sqd_spooler *s)
{
	return s->filling.bytes.len + s->writing.bytes.len <= s->opts.memory / 4 * 3 &&
	       sqd_spooler_file_has_room(s);
}

static bool in_vain(const struct sqd_spooler *s)
{
	return s->vain_ms && uv_now(s->opts.loop) < s->vain_until_ms;
}

void sqd_spooler_drop(struct sqd_spooler *s, uint64_t from, uint64_t bytes)
{
	if (dropping(s) || s->loading || s->is_loaded || s->closing)
		return;
	if (in_vain(s))
		return;
	s->wanted.drop_from = from;
	s->wanted.drop_bytes = bytes;
	if ((s->stuck || s->barren) && !s->retry_ms)
		after_ms(s, RETRY_MIN_MS);
	else if (!s->retry_ms)
		give(s);
}

bool sqd_spooler_barren(const struct sqd_spooler *s)
{
	return s->barren || in_vain(s);
}

uint64_t sqd_spooler_gone_to(const struct sqd_spooler *s)
{
	return s->gone_to;
}

void sqd_spooler_close(struct sqd_spooler *s, void (*closed)(void *ctx), void *ctx)
{
	sq_assert(!s->closing);
	s->closing = true;
	s->closed = closed;
	s->closed_ctx = ctx;
	s->wanted.load_bytes = s->wanted.drop_bytes = 0;
	give(s);
}

void sqd_spooler_free(struct sqd_spooler *s)
{
	if (!s)
		return;
	sq_assert(!s->spool);
	sq_outbuf_fini(&s->filling.bytes);
	sq_outbuf_fini(&s->writing.bytes);
	sq_outbuf_fini(&s->loaded);
	free(s->dir);
	free(s);
}

/* What was delivered and not taken out yet is taken out now, so that the rest can be counted. */
static int tidy(struct sqd_spooler *s, struct sq_err *err)
{
	int r;

	do {
		r = sq_spool_begin(s->spool, err);
		if (!r)
			r = sq_spool_trim(s->spool, sq_spool_state(s->spool)->cursor, err);
		if (r >= 0) {
			int c = sq_spool_commit(s->spool, err);

			r = c < 0 ? c : r;
		}
	} while (r > 0);
	return r;
}

/* Without it, more comes twice after a kill, and nothing is lost. */
static void open_mark(struct sqd_spooler *s)
{
	struct sq_err err = { 0 };

	if (s->opts.marks && sq_spool_open_mark(s->spool, s->opts.marks, &err) < 0)
		sqd_log(SQD_LOG_WARNING,
		        "%s: spool: what was delivered cannot be noted: %s; after a kill more than "
		        "spool_repeats may come twice",
		        s->opts.name, err.text);
	s->opts.marks = NULL; /* borrowed until here */
}

int sqd_spooler_open(const struct sqd_spooler_opts *opts, struct sqd_spooler **ret,
                     struct sq_err *err)
{
	const struct sq_spool_opts o = { .dir = opts->dir, .size = opts->size };
	struct sqd_spooler *s = calloc(1, sizeof(*s));
	struct sq_err aside;
	int r;

	if (!s)
		return sq_err_set(err, -ENOMEM, "spool: out of memory");
	s->opts = *opts;
	s->dir = strdup(opts->dir);
	r = s->dir ? sq_spool_open(&o, &s->spool, &aside, err)
	           : sq_err_set(err, -ENOMEM, "spool: out of memory");
	if (!r)
		r = tidy(s, err);
	if (!r)
		r = sq_spool_waiting(s->spool, &s->found, err);
	if (!r)
		open_mark(s);
	if (r < 0) {
		sq_spool_close(s->spool);
		s->spool = NULL;
		sqd_spooler_free(s);
		return sq_err_wrap(err, r, "spool");
	}
	(void)tell_aside(s, &aside);
	s->filling.bytes = s->writing.bytes = sq_outbuf_of(opts->memory);
	s->loaded = sq_outbuf_of(2 * opts->memory + sizeof(struct sqd_packed));
	s->state = *sq_spool_state(s->spool);
	s->next = s->durable = s->writing.next = s->state.next;
	s->wanted.cursor = s->state.cursor;
	(void)uv_timer_init(opts->loop, &s->timer); /* cannot fail */
	s->timer.data = s;
	*ret = s;
	return 0;
}
