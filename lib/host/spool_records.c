/* Messages in the table: put, taken out, read. They lie there by chunks, and a chunk is there as
 * long as one of its messages is.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/host/spool_chunk.h"
#include "lib/host/spool_walk.h"

enum { TRIM_MAX = 8192 };

/* An error ends the commit. */
static int give_up(struct sq_spool *s, int e, const char *what, struct sq_err *err)
{
	mdb_txn_abort(s->txn);
	s->txn = NULL;
	return sq_spool_fail(s, err, e, what);
}

/* ---- put ---------------------------------------------------------------------------------- */

static int take_one(struct sq_spool *s, struct sq_spool_walk *w, uint64_t *n)
{
	bool proved = w->proved;
	uint64_t here;
	int e = sq_spool_walk_take(w, &here);

	*n += here;
	s->coming.guessed |= !proved;
	s->coming.records -= here < s->coming.records ? here : s->coming.records;
	return e;
}

/* What a commit left of which nobody knows whether it is durable is written anew: all from `seq`
 * on, and what is before that in a chunk that has it was delivered since. */
static int forget_from(struct sq_spool *s, uint64_t seq)
{
	struct sq_spool_walk w;
	uint64_t n = 0;
	int e = sq_spool_walk_begin(&w, s->txn, s->dbi, seq, s->coming.next);

	while (!e)
		e = take_one(s, &w, &n);
	sq_spool_walk_end(&w);
	s->coming.next = seq;
	return e == MDB_NOTFOUND ? 0 : e;
}

/* A last key that became higher than all to come: its chunk gets the right one, in the file. */
static int mend_last(struct sq_spool *s)
{
	struct sq_spool_walk w;
	MDB_val k, v;
	char *copy = NULL;
	int e = sq_spool_walk_begin(&w, s->txn, s->dbi, s->coming.next - 1, s->coming.next);

	if (!e && sq_spool_walk_odd(&w) && w.key) {
		copy = malloc(w.value.n);
		e = copy ? 0 : ENOMEM;
	} else if (!e || e == MDB_NOTFOUND) {
		e = MDB_KEYEXIST;
	}
	if (!e) {
		memcpy(copy, w.value.p, w.value.n);
		k = (MDB_val){ sizeof(w.key), &w.key };
		v = (MDB_val){ w.value.n, copy };
		e = mdb_cursor_del(w.c, 0);
	}
	if (!e)
		e = mdb_put(s->txn, s->dbi, &k, &v, MDB_APPEND);
	sq_spool_walk_end(&w);
	free(copy);
	return e;
}

/* Room for a chunk behind all others. */
static int reserve(struct sq_spool *s, MDB_val *k, MDB_val *v)
{
	int e = mdb_put(s->txn, s->dbi, k, v, MDB_RESERVE | MDB_APPEND);

	if (e != MDB_KEYEXIST)
		return e;
	e = mend_last(s);
	return e ? e : mdb_put(s->txn, s->dbi, k, v, MDB_RESERVE | MDB_APPEND);
}

int sq_spool_put(struct sq_spool *s, const struct sq_spool_record *r, size_t n, struct sq_err *err)
{
	uint64_t key = sq_chunk_key(r->seq, n);
	MDB_val k = { sizeof(key), &key };
	MDB_val v = { sq_chunk_bytes(r, n), NULL };
	int e = 0;

	sq_assert(s->txn && r->seq && n && n <= SQ_SPOOL_RECORDS);
	for (size_t i = 1; i < n; i++)
		sq_assert(r[i].seq == r->seq + i);
	if (!v.mv_size) {
		mdb_txn_abort(s->txn);
		s->txn = NULL;
		return sq_err_set(err, -EMSGSIZE, "%s: a message is too long", s->dir);
	}
	if (r->seq < s->coming.next)
		e = forget_from(s, r->seq);
	if (!e)
		e = reserve(s, &k, &v);
	if (e)
		return give_up(s, e, "cannot be written", err);
	sq_chunk_write(v.mv_data, key, r);
	s->coming.next = r->seq + n;
	s->coming.records += n;
	return 0;
}

/* ---- taken out ---------------------------------------------------------------------------- */

/* Take out chunks from `from` on, those that end before `to`, or until `bytes` are free. */
static int take_out(struct sq_spool *s, uint64_t from, uint64_t to, uint64_t bytes, uint64_t max,
                    uint64_t *ret_n)
{
	uint64_t before = sq_spool_used(s->txn, s->dbi);
	struct sq_spool_walk w;
	int e = sq_spool_walk_begin(&w, s->txn, s->dbi, from, s->coming.next);

	*ret_n = 0;
	while (!e && w.end <= to && *ret_n < max) {
		if (bytes && before - sq_spool_used(s->txn, s->dbi) >= bytes)
			break;
		e = take_one(s, &w, ret_n);
	}
	sq_spool_walk_end(&w);
	return e == MDB_NOTFOUND ? 0 : e;
}

int sq_spool_trim(struct sq_spool *s, uint64_t cursor, struct sq_err *err)
{
	uint64_t n;
	int e;

	sq_assert(s->txn);
	if (cursor > s->coming.cursor)
		s->coming.cursor = cursor;
	if (s->coming.next < cursor)
		s->coming.next = cursor; /* delivered before it was ever written */
	e = take_out(s, 1, s->coming.cursor, 0, TRIM_MAX, &n);
	if (!e)
		return n >= TRIM_MAX;
	return give_up(s, e, "cannot be trimmed", err);
}

int sq_spool_drop(struct sq_spool *s, uint64_t from, uint64_t bytes, uint64_t *ret_n,
                  struct sq_err *err)
{
	uint64_t whole = from; /* the first chunk that may go as a whole */
	struct sq_spool_walk w;
	int e;

	sq_assert(s->txn);
	e = sq_spool_walk_begin(&w, s->txn, s->dbi, from, s->coming.next);
	if (!e && w.first < from)
		whole = w.end;
	sq_spool_walk_end(&w);
	*ret_n = 0;
	if (!e)
		e = take_out(s, whole, UINT64_MAX, bytes, UINT64_MAX, ret_n);
	return e && e != MDB_NOTFOUND ? give_up(s, e, "cannot be trimmed", err) : 0;
}

/* ---- reading ------------------------------------------------------------------------------ */

static int read_chunk(const struct sq_spool_walk *w, uint64_t from, sq_spool_each_fn *each,
                      sq_spool_damaged_fn *damaged, void *ctx)
{
	uint64_t first = w->first < from ? from : w->first;
	struct sq_spool_record r;
	struct sq_chunk c;
	int e, result = 0;

	if (!sq_chunk_begin(&c, w->key, w->value)) {
		if (w->end > first)
			damaged(ctx, first, w->end - first, w->value);
		return 0;
	}
	sq_chunk_skip(&c, first);
	while (!result && (e = sq_chunk_next(&c, &r))) {
		if (e > 0)
			result = each(ctx, &r);
		else
			damaged(ctx, r.seq, 1, r.text);
	}
	return result;
}

/* Who only reads does not know of commits since it has opened the file. */
static int next_of(struct sq_spool *s, MDB_txn *txn, uint64_t *ret)
{
	struct sq_spool_state now = { .next = 1 };
	int e;

	*ret = s->state.next;
	if (s->owner >= 0)
		return 0;
	e = sq_spool_read_state(s, txn, &now);
	if (now.next > *ret)
		*ret = now.next;
	return e == MDB_NOTFOUND ? 0 : e;
}

/* Who only reads has a map of the file as it was: it may have grown since then. */
static int begin_to_read(struct sq_spool *s, MDB_txn **ret)
{
	int e = mdb_txn_begin(s->env, NULL, MDB_RDONLY, ret);

	if (e != MDB_MAP_RESIZED)
		return e;
	e = mdb_env_set_mapsize(s->env, 0); /* whatever it is now */
	return e ? e : mdb_txn_begin(s->env, NULL, MDB_RDONLY, ret);
}

int sq_spool_read(struct sq_spool *s, uint64_t from, sq_spool_each_fn *each,
                  sq_spool_damaged_fn *damaged, void *ctx, struct sq_err *err)
{
	struct sq_spool_walk w = { 0 };
	MDB_txn *txn = NULL;
	uint64_t next;
	int r = 0, e = begin_to_read(s, &txn);

	from = from ? from : 1;
	if (!e)
		e = next_of(s, txn, &next);
	if (!e)
		e = sq_spool_walk_begin(&w, txn, s->dbi, from, next);
	while (!e && !r) {
		r = read_chunk(&w, from, each, damaged, ctx);
		if (!r)
			e = sq_spool_walk_next(&w);
	}
	sq_spool_walk_end(&w);
	if (txn)
		mdb_txn_abort(txn);
	return e && e != MDB_NOTFOUND ? sq_spool_fail(s, err, e, "cannot be read") : r;
}

int sq_spool_waiting(struct sq_spool *s, uint64_t *ret, struct sq_err *err)
{
	uint64_t cursor = s->state.cursor;
	struct sq_spool_walk w = { 0 };
	MDB_txn *txn = NULL;
	int e = begin_to_read(s, &txn);

	*ret = s->state.records;
	if (!e)
		e = sq_spool_walk_begin(&w, txn, s->dbi, cursor, s->state.next);
	if (!e && w.first < cursor)
		*ret -= cursor - w.first < *ret ? cursor - w.first : *ret;
	sq_spool_walk_end(&w);
	if (txn)
		mdb_txn_abort(txn);
	return e && e != MDB_NOTFOUND ? sq_spool_fail(s, err, e, "cannot be read") : 0;
}
