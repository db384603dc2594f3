/* An order, as a thread of the pool does it: one commit, perhaps more to make room, then a reading.
 *
 * Happy path: put the group, trim, commit, load. A commit for which there is no room is made
 * without the group, so that what was delivered or dropped makes some; whatever else fails is for
 * the loop to try again later, with the file opened anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/flow/spool_packed.h"
#include "daemon/flow/spooler_private.h"

enum {
	CHUNK_BYTES = 60 * 1024, /* of messages, in one value of LMDB */
	CHUNK_PART = 32,         /* of the file, which it is not to be more than */
	DAMAGED_MAX = 16 << 20,  /* bytes of damaged.bin, whatever may come */
};

/* The file is not to be used as it is: all but its having come to its end. */
static int failed(struct sqd_spooler *s, int r)
{
	if (r < 0 && r != -ENOSPC)
		s->shut = true;
	s->suspect |= r == -EUCLEAN;
	return r;
}

static int usable(struct sqd_spooler *s)
{
	struct sqd_spool_order *o = &s->order;
	struct sq_err aside;
	int r;

	if (!s->shut)
		return 0;
	r = sq_spool_reopen(s->spool, !s->suspect, &aside, &o->err);
	if (aside.code)
		o->aside = aside;
	if (r < 0)
		return r == -ENOSPC ? -EDQUOT : r; /* of the disk, which is not the file's end */
	s->shut = s->suspect = false;
	return 0;
}

/* What was delivered before its turn need not be written. All else lies together in the file by
 * CHUNK_BYTES; by less where that is small, so that what one message keeps there is little of it.
 */
static int put_group(struct sqd_spooler *s)
{
	struct sq_sv v = sq_outbuf_view(&s->writing.bytes);
	struct sqd_spool_order *o = &s->order;
	uint64_t enough = sq_spool_state(s->spool)->max / CHUNK_PART;
	struct sq_spool_record some[SQ_SPOOL_RECORDS];
	size_t n = 0, bytes = 0;
	int e = 0;

	if (enough > CHUNK_BYTES)
		enough = CHUNK_BYTES;
	o->spooled = 0;
	while (!e && sqd_unpack(&v, &some[n])) {
		if (some[n].seq < o->cursor)
			continue;
		bytes += some[n].key.n + some[n].text.n;
		if (++n < SQ_LEN(some) && bytes < enough && v.n)
			continue;
		e = sq_spool_put(s->spool, some, n, &o->err);
		o->spooled += n;
		n = bytes = 0;
	}
	return e;
}

/* ---- what was counted as damaged and not passed yet may be dropped as the oldest ---- */

struct told {
	uint64_t to, n;
};

static int until_told(void *ctx, const struct sq_spool_record *r)
{
	const struct told *t = ctx;

	return r->seq >= t->to;
}

static void add_damaged(void *ctx, uint64_t seq, uint64_t n, struct sq_sv bytes SQ_UNUSED)
{
	struct told *t = ctx;

	if (seq < t->to)
		t->n += seq + n < t->to ? n : t->to - seq;
}

/* How many there are from `from` on that are counted as damaged. */
static uint64_t told_from(struct sqd_spooler *s, uint64_t from)
{
	struct told t = { .to = s->damaged_to };

	if (from < t.to)
		(void)!sq_spool_read(s->spool, from, until_told, add_damaged, &t,
		                     NULL); /* or none */
	return t.n;
}

/* Without messages there is room for this even in a file that is full. */
static int commit(struct sqd_spooler *s, bool messages)
{
	struct sqd_spool_order *o = &s->order;
	bool dropping = o->drop_bytes && !o->dropped;
	uint64_t told = dropping ? told_from(s, o->drop_from) : 0;
	int e = sq_spool_begin(s->spool, &o->err), more = 0;

	if (!e && dropping)
		e = sq_spool_drop(s->spool, o->drop_from, o->drop_bytes, &o->dropped, &o->err);
	if (!e && messages)
		e = put_group(s);
	if (!e)
		more = sq_spool_trim(s->spool, o->cursor, &o->err);
	if (more < 0)
		e = more;
	if (!e)
		e = sq_spool_commit(s->spool, &o->err);
	if (e) {
		o->spooled = o->dropped = 0;
	} else {
		o->more = more > 0;
		o->commits++;
		if (told)
			o->twice = told - told_from(s, o->drop_from);
	}
	return failed(s, e);
}

static bool anything_to_write(struct sqd_spooler *s)
{
	const struct sq_spool_state *st = sq_spool_state(s->spool);
	const struct sqd_spool_order *o = &s->order;

	if (o->drop_bytes || o->more || (s->writing.bytes.len && s->writing.next > o->cursor))
		return true;
	return (st->records || o->closing) && o->cursor > st->cursor;
}

/* Dropping and trimming make room, in a file that is full and on a disk that is. LMDB uses the
 * pages that a commit frees in the one after the next: there is one between, so that nothing more
 * need be dropped. */
static void commit_the_rest(struct sqd_spooler *s)
{
	struct sqd_spool_order *o = &s->order;
	uint64_t dropped;

	if (usable(s) < 0)
		return;
	if (o->drop_bytes || o->more || o->cursor > sq_spool_state(s->spool)->cursor)
		(void)commit(s, false); /* what has become of it is in the order */
	dropped = o->dropped;
	if (dropped) {
		(void)commit(s, false);
		o->dropped = dropped;
	}
}

/* What is damaged, as it is, for a person. It is damaged at the next start as well, if it is not
 * passed until then, and kept again. @return whether it is all there */
static bool keep_bytes(const struct sqd_spooler *s, struct sq_sv bytes)
{
	char path[4096];
	struct stat st;
	int fd;
	bool kept;

	(void)snprintf(path, sizeof(path), "%s/damaged.bin", s->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return false;
	kept = fstat(fd, &st) == 0 && st.st_size + (off_t)bytes.n <= DAMAGED_MAX &&
	       write(fd, bytes.p, bytes.n) == (ssize_t)bytes.n;
	(void)close(fd); /* nobody relies on it */
	return kept;
}

/* Told and counted once; the spool goes on without it. */
static void keep_damaged(void *ctx, uint64_t seq, uint64_t n, struct sq_sv bytes)
{
	struct sqd_spooler *s = ctx;
	bool kept;

	s->order.loaded_next = seq + n;
	if (seq + n <= s->damaged_to)
		return; /* it was loaded before, and what is in front of it had no room */
	s->order.damaged += seq + n - (seq > s->damaged_to ? seq : s->damaged_to);
	s->damaged_to = seq + n;
	kept = keep_bytes(s, bytes);
	sqd_log(SQD_LOG_ERROR, "%s: spool %s: messages %llu to %llu are damaged; %s", s->opts.name,
	        s->dir, (unsigned long long)seq, (unsigned long long)(seq + n - 1),
	        kept ? "set aside in damaged.bin" : "damaged.bin does not take them");
}

static int load_one(void *ctx, const struct sq_spool_record *r)
{
	struct sqd_spooler *s = ctx;

	size_t need = sizeof(struct sqd_packed) + r->text.n + r->key.n;

	if (s->loaded.len && s->loaded.len + need > s->order.load_bytes)
		return 1;
	if (need > s->loaded.max) { /* it may have less than when this was written */
		keep_damaged(s, r->seq, 1, r->text);
	} else {
		sqd_pack(&s->loaded, r);
		if (s->loaded.failed) {
			s->order.no_memory = !s->loaded.len;
			return 1;
		}
	}
	s->order.loaded_next = r->seq + 1;
	return 0;
}

static int load(struct sqd_spooler *s)
{
	struct sqd_spool_order *o = &s->order;
	int e = usable(s);

	sq_outbuf_reset(&s->loaded);
	o->loaded_next = o->load_from;
	if (!e)
		e = failed(s, sq_spool_read(s->spool, o->load_from, load_one, keep_damaged, s,
		                            &o->err));
	o->loaded = e >= 0;
	o->loaded_all = !e;
	if (!e)
		o->loaded_next = sq_spool_state(s->spool)->next;
	return e < 0 ? e : 0;
}

void sqd_spooler_do_order(uv_work_t *w)
{
	struct sqd_spooler *s = w->data;
	struct sqd_spool_order *o = &s->order;
	int r = usable(s);

	if (!r && anything_to_write(s))
		r = commit(s, true);
	o->written = !r;
	if (sqd_spooler_no_room(r))
		commit_the_rest(s);
	while (!r && o->closing && o->more)
		r = commit(s, false);
	/* A full file can be read, and must be. */
	if ((!r || sqd_spooler_no_room(r)) && o->load_bytes) {
		int e = load(s);

		r = e ? e : r;
	}
	if (sqd_spooler_no_room(r))
		(void)usable(s); /* else it is tried later */
	o->has_state = !s->shut;
	if (o->has_state)
		o->state = *sq_spool_state(s->spool);
	o->result = r;
}
