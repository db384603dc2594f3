/* Messages in the table: put, taken out, read. They lie there by chunks, and a chunk is there as
 * long as one of its messages is.
 */
#include <errno.h>

#include "lib/host/spool_chunk.h"
#include "lib/host/spool_private.h"

enum { TRIM_MAX = 8192 };

static uint64_t key_of(const MDB_val *k)
{
	uint64_t key = 0;

	if (k->mv_size == sizeof(key))
		memcpy(&key, k->mv_data, sizeof(key));
	return key;
}

/* The first chunk that begins at `seq` or behind it. */
static int seek(MDB_cursor *c, uint64_t seq, MDB_val *k, MDB_val *v)
{
	uint64_t key = sq_chunk_key(seq, 0);

	*k = (MDB_val){ sizeof(key), &key };
	return mdb_cursor_get(c, k, v, MDB_SET_RANGE);
}

/* The chunk that has `seq`, or else the first behind that. */
static int seek_within(MDB_cursor *c, uint64_t seq, MDB_val *k, MDB_val *v)
{
	int e = seek(c, seq, k, v), before;

	if (e && e != MDB_NOTFOUND)
		return e;
	before = mdb_cursor_get(c, k, v, e ? MDB_LAST : MDB_PREV);
	if (before && before != MDB_NOTFOUND)
		return before;
	if (!before && sq_chunk_end(key_of(k)) > seq)
		return 0;
	return seek(c, seq, k, v);
}

/* An error ends the commit. */
static int give_up(struct sq_spool *s, int e, const char *what, struct sq_err *err)
{
	mdb_txn_abort(s->txn);
	s->txn = NULL;
	return sq_spool_fail(s, err, e, what);
}

/* ---- put ---------------------------------------------------------------------------------- */

static int take_one(struct sq_spool *s, MDB_cursor *c, const MDB_val *k, uint64_t *n)
{
	uint64_t here = sq_chunk_n(key_of(k));
	int e = mdb_cursor_del(c, 0);

	if (e)
		return e;
	*n += here;
	s->coming.records -= here < s->coming.records ? here : s->coming.records;
	return 0;
}

/* What a commit left of which nobody knows whether it is durable is written anew: all from `seq`
 * on, and what is before that in a chunk that has it was delivered since. */
static int forget_from(struct sq_spool *s, uint64_t seq)
{
	uint64_t n = 0;
	MDB_cursor *c;
	MDB_val k, v;
	int e = mdb_cursor_open(s->txn, s->dbi, &c);

	if (e)
		return e;
	while (!(e = seek_within(c, seq, &k, &v)) && !(e = take_one(s, c, &k, &n)))
		;
	mdb_cursor_close(c);
	s->coming.next = seq;
	return e == MDB_NOTFOUND ? 0 : e;
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
	if (!v.mv_size)
		return sq_err_set(err, -EMSGSIZE, "%s: a message is too long", s->dir);
	if (r->seq < s->coming.next)
		e = forget_from(s, r->seq);
	if (!e)
		e = mdb_put(s->txn, s->dbi, &k, &v, MDB_RESERVE | MDB_APPEND);
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
	MDB_cursor *c;
	MDB_val k, v;
	int e = mdb_cursor_open(s->txn, s->dbi, &c);

	*ret_n = 0;
	if (e)
		return e;
	e = seek(c, from, &k, &v);
	while (!e && sq_chunk_end(key_of(&k)) <= to && *ret_n < max) {
		if (bytes && before - sq_spool_used(s->txn, s->dbi) >= bytes)
			break;
		e = take_one(s, c, &k, ret_n);
		if (!e)
			e = seek(c, from, &k, &v);
	}
	mdb_cursor_close(c);
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

int sq_spool_drop(struct sq_spool *s, uint64_t from, uint64_t bytes, uint64_t *ret_next,
                  uint64_t *ret_n, struct sq_err *err)
{
	uint64_t whole = from; /* the first chunk that may go as a whole */
	MDB_cursor *c;
	MDB_val k, v;
	int e;

	sq_assert(s->txn);
	e = mdb_cursor_open(s->txn, s->dbi, &c);
	if (e)
		return give_up(s, e, "cannot be trimmed", err);
	e = seek_within(c, from, &k, &v);
	if (!e && sq_chunk_first(key_of(&k)) < from)
		whole = sq_chunk_end(key_of(&k));
	mdb_cursor_close(c);
	*ret_n = 0;
	*ret_next = from;
	if (!e)
		e = take_out(s, whole, UINT64_MAX, bytes, UINT64_MAX, ret_n);
	if (!e && *ret_n) {
		*ret_n += whole - from;
		e = mdb_cursor_open(s->txn, s->dbi, &c);
		if (!e) {
			e = seek(c, whole, &k, &v);
			*ret_next = e ? s->coming.next : sq_chunk_first(key_of(&k));
			mdb_cursor_close(c);
		}
	}
	return e && e != MDB_NOTFOUND ? give_up(s, e, "cannot be trimmed", err) : 0;
}

/* ---- reading ------------------------------------------------------------------------------ */

static int read_chunk(uint64_t key, struct sq_sv value, uint64_t from, sq_spool_each_fn *each,
                      sq_spool_damaged_fn *damaged, void *ctx)
{
	uint64_t first = sq_chunk_first(key);
	struct sq_spool_record r;
	struct sq_chunk c;
	int e, result = 0;

	if (first < from)
		first = from;
	if (!sq_chunk_begin(&c, key, value)) {
		if (sq_chunk_end(key) > first)
			damaged(ctx, first, sq_chunk_end(key) - first, value);
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

int sq_spool_read(struct sq_spool *s, uint64_t from, sq_spool_each_fn *each,
                  sq_spool_damaged_fn *damaged, void *ctx, struct sq_err *err)
{
	MDB_val k, v;
	MDB_cursor *c = NULL;
	MDB_txn *txn = NULL;
	int r = 0, e = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);

	from = from ? from : 1;
	if (!e)
		e = mdb_cursor_open(txn, s->dbi, &c);
	if (!e)
		e = seek_within(c, from, &k, &v);
	while (!e && !r) {
		r = read_chunk(key_of(&k), (struct sq_sv){ v.mv_data, v.mv_size }, from, each,
		               damaged, ctx);
		if (!r)
			e = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	if (c)
		mdb_cursor_close(c);
	if (txn)
		mdb_txn_abort(txn);
	return e && e != MDB_NOTFOUND ? sq_spool_fail(s, err, e, "cannot be read") : r;
}

int sq_spool_waiting(struct sq_spool *s, uint64_t *ret, struct sq_err *err)
{
	uint64_t cursor = s->state.cursor, first;
	MDB_val k, v;
	MDB_cursor *c = NULL;
	MDB_txn *txn = NULL;
	int e = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);

	*ret = s->state.records;
	if (!e)
		e = mdb_cursor_open(txn, s->dbi, &c);
	if (!e)
		e = seek_within(c, cursor, &k, &v);
	first = e ? cursor : sq_chunk_first(key_of(&k));
	if (first < cursor)
		*ret -= cursor - first < *ret ? cursor - first : *ret;
	if (c)
		mdb_cursor_close(c);
	if (txn)
		mdb_txn_abort(txn);
	return e && e != MDB_NOTFOUND ? sq_spool_fail(s, err, e, "cannot be read") : 0;
}
