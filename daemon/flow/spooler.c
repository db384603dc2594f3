/* One order at a time goes to the pool: what to write, where the cursor is, what to drop, what to
 * read. While it is there, the file and the group that is written belong to that thread; new
 * messages gather in the other group.
 */
#include "daemon/flow/spooler.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/flow/spool_packed.h"

enum {
	GROUP_BYTES = 256 * 1024, /* are not left to gather any further */
	TRIM_WAIT_MS = 1000,      /* delivered messages are taken out so often, or with a commit */
	RETRY_MIN_MS = 500,
	RETRY_MAX_MS = 30000,
	PATIENCE_PERCENT = 80,
};

struct group {
	struct sq_outbuf bytes;
	uint64_t next; /* the number after its last */
};

/* What is asked of the pool, and what it has done. */
struct order {
	bool closing;
	uint64_t cursor;
	uint64_t drop_from, drop_bytes; /* bytes 0: nothing */
	uint64_t load_from, load_bytes;

	int result;
	struct sq_err err, aside;
	bool written; /* the group is durable */
	bool more;    /* to be trimmed */
	uint64_t spooled, commits, damaged;
	uint64_t dropped, dropped_to;
	uint64_t loaded_next; /* the number behind what was loaded */
	bool loaded, loaded_all;
	bool has_state;
	struct sq_spool_state state;
};

struct sqd_spooler {
	struct sqd_spooler_opts opts;
	char *dir;
	struct sq_spool *spool; /* NULL: has failed, to be opened anew */
	struct sq_spool_state state;
	struct group filling, writing;
	struct sq_outbuf loaded;
	struct order order, wanted;
	uv_work_t work;
	uv_timer_t timer;
	bool busy, closing, loading, is_loaded, untrimmed, full, warned;
	uint64_t next, durable, found, dropped_to, loaded_next;
	uint64_t retry_ms; /* 0: all is well */
	struct sqd_spooler_counts counts;
	void (*closed)(void *ctx);
	void *closed_ctx;
};

/* ---- on the pool -------------------------------------------------------------------------- */

/* What was delivered before its turn need not be written. */
static int put_group(struct sqd_spooler *s)
{
	struct sq_sv v = sq_outbuf_view(&s->writing.bytes);
	struct order *o = &s->order;
	struct sq_spool_record r;
	uint64_t n = 0;
	int e = 0;

	while (!e && sqd_unpack(&v, &r)) {
		if (r.seq < o->cursor)
			continue;
		e = sq_spool_put(s->spool, &r, &o->err);
		n += !e;
	}
	o->spooled = e ? 0 : n;
	return e;
}

/* Without messages there is room for this even in a file that is full. */
static int commit(struct sqd_spooler *s, bool messages)
{
	struct order *o = &s->order;
	int e = sq_spool_begin(s->spool, &o->err);

	if (!e && o->drop_bytes && !o->dropped)
		e = sq_spool_drop(s->spool, o->drop_from, o->drop_bytes, &o->dropped_to,
		                  &o->dropped, &o->err);
	if (!e && messages)
		e = put_group(s);
	if (!e) {
		e = sq_spool_trim(s->spool, o->cursor, &o->err);
		o->more = e > 0;
	}
	if (e >= 0)
		e = sq_spool_commit(s->spool, &o->err);
	o->commits += !e;
	if (e)
		o->spooled = o->dropped = 0;
	return e;
}

static bool anything_to_write(struct sqd_spooler *s)
{
	const struct sq_spool_state *st = sq_spool_state(s->spool);
	const struct order *o = &s->order;

	if (o->drop_bytes || (s->writing.bytes.len && s->writing.next > o->cursor))
		return true;
	return st->records && o->cursor > st->cursor;
}

/* Kept as it is, for a person; the spool goes on without it. */
static void keep_damaged(void *ctx, uint64_t seq, struct sq_sv bytes)
{
	struct sqd_spooler *s = ctx;
	char path[4096];
	int fd;

	s->order.damaged++;
	sqd_log(SQD_LOG_ERROR, "%s: spool %s: message %llu is damaged; set aside in damaged.bin",
	        s->opts.name, s->dir, (unsigned long long)seq);
	(void)snprintf(path, sizeof(path), "%s/damaged.bin", s->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	if (write(fd, bytes.p, bytes.n) < 0)
		sqd_log(SQD_LOG_ERROR, "%s: %s; ignoring", path, sq_strerror(-errno));
	(void)close(fd); /* nobody relies on it */
}

static int load_one(void *ctx, const struct sq_spool_record *r)
{
	struct sqd_spooler *s = ctx;

	if (s->loaded.len && s->loaded.len + r->text.n + r->key.n > s->order.load_bytes)
		return 1;
	sqd_pack(&s->loaded, r);
	if (s->loaded.failed && s->loaded.len)
		return 1;
	if (s->loaded.failed) { /* there is less memory than when it was written */
		s->loaded.failed = false;
		keep_damaged(s, r->seq, r->text);
	}
	s->order.loaded_next = r->seq + 1;
	return 0;
}

static int load(struct sqd_spooler *s)
{
	struct order *o = &s->order;
	int e;

	sq_outbuf_reset(&s->loaded);
	o->loaded_next = o->load_from;
	e = sq_spool_read(s->spool, o->load_from, load_one, keep_damaged, s, &o->err);
	o->loaded_all = !e;
	if (!e)
		o->loaded_next = sq_spool_state(s->spool)->next;
	return e < 0 ? e : 0;
}

static void do_order(uv_work_t *w)
{
	struct sqd_spooler *s = w->data;
	struct order *o = &s->order;
	const struct sq_spool_opts opts = { .dir = s->dir, .size = s->opts.size, .trusted = true };
	int r = 0;

	if (!s->spool)
		r = sq_spool_open(&opts, &s->spool, &o->aside, &o->err);
	if (r == -ENOSPC) /* of the disk, which is not the file's being full */
		r = -EDQUOT;
	if (!r && anything_to_write(s))
		r = commit(s, true);
	o->written = !r;
	if (r == -ENOSPC && (o->drop_bytes || o->cursor > sq_spool_state(s->spool)->cursor)) {
		int again = commit(s, false);

		r = again ? again : r;
	}
	while (!r && o->closing && o->more)
		r = commit(s, false);
	if ((!r || r == -ENOSPC) && o->load_bytes) { /* a full file can be read, and must be */
		int e = load(s);

		o->loaded = !e;
		r = e ? e : r;
	}
	if (r && r != -ENOSPC) {
		sq_spool_close(s->spool);
		s->spool = NULL;
	} else {
		o->has_state = true;
		o->state = *sq_spool_state(s->spool);
	}
	o->result = r;
}

/* ---- on the loop -------------------------------------------------------------------------- */

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
	const struct order *o = &s->order;

	s->counts.failures++;
	if (!s->retry_ms)
		sqd_log(SQD_LOG_ERROR, "%s: spool: %s; what is not committed is not safe, retrying",
		        s->opts.name, o->err.text);
	s->retry_ms = s->retry_ms ? s->retry_ms * 2 : RETRY_MIN_MS;
	if (s->retry_ms > RETRY_MAX_MS)
		s->retry_ms = RETRY_MAX_MS;
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

static void count_order(struct sqd_spooler *s, const struct order *o)
{
	s->counts.commits += o->commits;
	s->counts.damaged += o->damaged;
	s->counts.spooled += o->spooled;
	s->counts.dropped += o->dropped;
	if (o->dropped)
		s->dropped_to = o->dropped_to;
	if (o->aside.code) {
		s->counts.set_aside++;
		sqd_log(SQD_LOG_ERROR, "%s: spool: %s", s->opts.name, o->aside.text);
	}
	if (o->written) {
		if (s->writing.next > s->durable)
			s->durable = s->writing.next;
		sq_outbuf_reset(&s->writing.bytes);
	}
	if (o->has_state)
		s->state = o->state;
	s->untrimmed = o->more;
}

static void on_done(uv_work_t *w, int status SQ_UNUSED)
{
	struct sqd_spooler *s = w->data;
	struct order *o = &s->order;
	bool last = s->closing && o->closing;

	s->busy = false;
	count_order(s, o);
	if (o->load_bytes) {
		s->is_loaded = o->loaded;
		s->loaded_next = o->loaded_next;
		/* Also when a damaged file took with it what there was to read. */
		if (o->loaded_all && s->loaded_next < s->durable)
			s->loaded_next = s->durable;
		if (!o->loaded)
			s->loading = false;
	}
	s->full = o->result == -ENOSPC;
	if (o->result && o->result != -ENOSPC)
		on_failure(s);
	else if (s->retry_ms) {
		sqd_log(SQD_LOG_NOTICE, "%s: spool %s: commits again", s->opts.name, s->dir);
		s->retry_ms = 0;
	}
	warn_of_size(s);
	if (last) {
		finish(s);
		return;
	}
	if (s->closing)
		give(s);
	else if (s->retry_ms)
		(void)uv_timer_start(&s->timer, on_timer, s->retry_ms, 0);
	else if (s->wanted.load_bytes || s->wanted.drop_bytes || s->untrimmed ||
	         (s->filling.bytes.len >= GROUP_BYTES && !s->full))
		give(s);
	else if (s->filling.bytes.len || s->writing.bytes.len)
		after_ms(s, s->full ? RETRY_MIN_MS : s->opts.interval_ms);
	s->opts.moved(s->opts.ctx); /* last: it may ask for more, or begin to end us */
}

/* Everything that is to be done, in one order. */
static void give(struct sqd_spooler *s)
{
	if (s->busy)
		return; /* afterwards */
	if (!s->writing.bytes.len) {
		struct group g = s->writing;

		s->writing = s->filling;
		s->filling = g;
		s->writing.next = s->next;
	}
	(void)uv_timer_stop(&s->timer);
	s->order = (struct order){ .closing = s->closing,
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
	sq_assert(uv_queue_work(s->opts.loop, &s->work, do_order, on_done) == 0);
}

int sqd_spooler_push(struct sqd_spooler *s, const struct sqd_message *m, uint64_t *ret_seq)
{
	uint64_t need = sizeof(struct sqd_packed) + m->key.n + m->text.n;
	uint64_t here = s->filling.bytes.len + s->writing.bytes.len;
	struct sq_spool_record r = {
		.seq = s->next, .id = { m->id[0], m->id[1] }, .key = m->key, .text = m->text
	};

	if (need > s->opts.memory || need > s->state.max / 4)
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
	if (s->filling.bytes.len >= GROUP_BYTES)
		give(s);
	else if (s->filling.bytes.len == need)
		after_ms(s, s->opts.interval_ms);
	return 0;
}

void sqd_spooler_delivered(struct sqd_spooler *s, uint64_t cursor)
{
	if (cursor <= s->wanted.cursor)
		return;
	s->wanted.cursor = cursor;
	if (!s->busy && !s->closing && !s->retry_ms && s->state.records)
		after_ms(s, s->warned ? s->opts.interval_ms : TRIM_WAIT_MS);
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
	if (s->loading || s->is_loaded || s->closing || dropping(s))
		return;
	s->loading = true;
	s->wanted.load_from = from;
	s->wanted.load_bytes = bytes;
	if (!s->retry_ms)
		give(s);
}

bool sqd_spooler_take(struct sqd_spooler *s, sqd_spooler_each_fn *each, void *ctx,
                      uint64_t *ret_next)
{
	struct sq_sv v = sq_outbuf_view(&s->loaded);
	struct sq_spool_record r;

	if (!s->is_loaded)
		return false;
	s->is_loaded = s->loading = false;
	*ret_next = s->loaded_next;
	while (sqd_unpack(&v, &r))
		if (each(ctx, &r) < 0) {
			*ret_next = r.seq;
			break;
		}
	return true;
}

void sqd_spooler_gathered(struct sqd_spooler *s, sqd_spooler_each_fn *each, void *ctx,
                          uint64_t *next)
{
	struct sq_sv v = sq_outbuf_view(&s->filling.bytes);
	struct sq_spool_record r;

	/* The group before it must have been given in full. */
	if (*next < s->writing.next)
		return;
	while (sqd_unpack(&v, &r)) {
		if (r.seq < *next)
			continue;
		if (each(ctx, &r) < 0)
			return;
		*next = r.seq + 1;
	}
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

void sqd_spooler_drop(struct sqd_spooler *s, uint64_t from, uint64_t bytes)
{
	if (dropping(s) || s->loading || s->is_loaded || s->closing)
		return;
	s->wanted.drop_from = from;
	s->wanted.drop_bytes = bytes;
	if (!s->retry_ms)
		give(s);
}

uint64_t sqd_spooler_dropped_to(const struct sqd_spooler *s)
{
	return s->dropped_to;
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
	if (r < 0) {
		sq_spool_close(s->spool);
		s->spool = NULL;
		sqd_spooler_free(s);
		return sq_err_wrap(err, r, "spool");
	}
	if (aside.code) {
		s->counts.set_aside++;
		sqd_log(SQD_LOG_ERROR, "%s: spool: %s", opts->name, aside.text);
	}
	s->filling.bytes = s->writing.bytes = sq_outbuf_of(opts->memory);
	s->loaded = sq_outbuf_of(2 * opts->memory + sizeof(struct sqd_packed));
	s->state = *sq_spool_state(s->spool);
	s->next = s->durable = s->writing.next = s->state.next;
	s->wanted.cursor = s->state.cursor;
	s->found = s->state.records;
	(void)uv_timer_init(opts->loop, &s->timer); /* cannot fail */
	s->timer.data = s;
	*ret = s;
	return 0;
}
