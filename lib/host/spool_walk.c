/* Which messages a chunk has. Its key says so, but a key is bytes on a disk as all others are: one
 * with a wrong bit promises messages that are not there and hides some that are, and LMDB's search
 * goes astray where keys are not in order. So nobody else looks at one. Here
 *
 *	- a key is right if the sum of its chunk says so, since that is made with the key;
 *	- if only another key makes that sum, one that differs in a bit, or the one that leaves no
 *	  number out between both neighbours, then that is the right one;
 *	- what has no key then is damaged. How many messages it has, the lengths in it say, or its
 *	  size says how many it has at most. These are what its key says where that agrees and is in
 *	  order, and else the last that are missing before the next: what was dropped, or delivered
 *	  before it was written, was before them.
 *
 * What is taken out need not be read from the disk for that: behind a chunk that was just taken
 * out, a key that begins where that one ended, and ends where the next begins, is right as well.
 *
 * So the numbers of a walk only grow and end before `next`, and of what is sound nothing is left
 * out. Gaps are in order: what was delivered before it was written, and what was dropped.
 */
#include "lib/host/spool_walk.h"

#include "lib/host/spool_chunk.h"

static uint64_t key_of(const MDB_val *k)
{
	uint64_t key = 0;

	if (k->mv_size == sizeof(key))
		memcpy(&key, k->mv_data, sizeof(key));
	return key;
}

static struct sq_sv view_of(const MDB_val *v)
{
	return (struct sq_sv){ v->mv_data, v->mv_size };
}

/* Where the key of the next chunk begins, whether it is right or not. */
static int peek(struct sq_spool_walk *w, uint64_t *ret)
{
	MDB_val k, v;
	int e = mdb_cursor_get(w->c, &k, &v, MDB_NEXT);

	*ret = w->next;
	if (e)
		return e == MDB_NOTFOUND ? 0 : e; /* and it is where it was */
	*ret = sq_chunk_first(key_of(&k));
	return mdb_cursor_get(w->c, &k, &v, MDB_PREV);
}

/* Where the next chunk begins whose key is right. */
static int find_high(struct sq_spool_walk *w)
{
	uint64_t steps = 0, key = 0;
	MDB_val k, v;
	bool sure;
	int e;

	w->behind = 0;
	while (!(e = mdb_cursor_get(w->c, &k, &v, MDB_NEXT))) {
		steps++;
		key = sq_chunk_true_key(key_of(&k), view_of(&v));
		if (key)
			break;
		w->behind += sq_chunk_guess(view_of(&v), &sure);
	}
	w->high = key && sq_chunk_first(key) < w->next ? sq_chunk_first(key) : w->next;
	if (w->high < w->low)
		w->high = w->low;
	for (e = e == MDB_NOTFOUND ? 0 : e; !e && steps; steps--)
		e = mdb_cursor_get(w->c, &k, &v, MDB_PREV);
	return e;
}

static void take_for(struct sq_spool_walk *w, uint64_t key, uint64_t first, uint64_t end)
{
	w->key = key;
	w->first = first;
	w->end = w->low = end;
}

static bool may_be(const struct sq_spool_walk *w, uint64_t key, uint64_t n, bool sure)
{
	return sq_chunk_n(key) && (sure ? sq_chunk_n(key) == n : sq_chunk_n(key) <= n) &&
	       sq_chunk_first(key) >= w->low && sq_chunk_end(key) <= w->high;
}

/* The last of those that are missing, but for room for the chunks behind that. */
static void take_last(struct sq_spool_walk *w, uint64_t n)
{
	uint64_t room = w->high - w->low, end;

	n = n < room ? n : room;
	end = w->behind < room ? w->high - w->behind : w->low;
	end = end - w->low < n ? w->low + n : end;
	take_for(w, n ? sq_chunk_key(end - n, n) : 0, end - n, end);
}

/* Neither its key nor one like it makes its sum. */
static int bound(struct sq_spool_walk *w)
{
	bool sure, known = w->high;
	uint64_t n = sq_chunk_guess(w->value, &sure), whole;
	int e = known ? 0 : find_high(w);

	if (e)
		return e;
	if (known)
		w->behind -= n < w->behind ? n : w->behind;
	whole = w->high - w->low <= SQ_SPOOL_RECORDS ? sq_chunk_key(w->low, w->high - w->low) : 0;
	if (sq_chunk_says(whole, w->value)) {
		take_for(w, whole, w->low, w->high);
		w->proved = true;
	} else if (may_be(w, w->own, n, sure)) {
		take_for(w, w->own, sq_chunk_first(w->own), sq_chunk_end(w->own));
	} else {
		take_last(w, n);
	}
	return 0;
}

static int judge(struct sq_spool_walk *w, uint64_t key, struct sq_sv value)
{
	uint64_t right = 0, after;
	int e = 0;

	w->own = key;
	w->value = value;
	if (w->taken && sq_chunk_first(key) == w->taken && sq_chunk_n(key)) {
		e = peek(w, &after);
		if (e)
			return e;
		if (sq_chunk_end(key) == after)
			right = key;
	}
	if (!right)
		right = sq_chunk_true_key(key, value);
	/* Two that are right each, and not both. */
	if (right && (sq_chunk_first(right) < w->low || sq_chunk_end(right) > w->next))
		return MDB_CORRUPTED;
	w->proved = right;
	if (!right)
		return bound(w);
	take_for(w, right, sq_chunk_first(right), sq_chunk_end(right));
	w->high = 0;
	return e;
}

int sq_spool_walk_next(struct sq_spool_walk *w)
{
	MDB_val k, v;
	int e = mdb_cursor_get(w->c, &k, &v, MDB_NEXT);

	return e ? e : judge(w, key_of(&k), view_of(&v));
}

/* Where a chunk begins if the walk may begin with it, since all before it are before w->from; or
 * 0. */
static uint64_t low_of(const struct sq_spool_walk *w, uint64_t key, struct sq_sv value)
{
	uint64_t first = 0;

	if (sq_chunk_first(key) <= w->from)
		first = sq_chunk_first(sq_chunk_true_key(key, value));
	return first <= w->from ? first : 0;
}

/* From where LMDB's search has led, back to where that was certainly not too far. The spool's own
 * record is in front of all chunks. */
static int place(struct sq_spool_walk *w)
{
	uint64_t key = sq_chunk_key(w->from, 0);
	MDB_val k = { sizeof(key), &key }, v;
	int e = mdb_cursor_get(w->c, &k, &v, MDB_SET_RANGE);

	w->low = w->high = 0;
	if (e == MDB_NOTFOUND)
		e = mdb_cursor_get(w->c, &k, &v, MDB_LAST);
	while (!e && !(w->low = low_of(w, key_of(&k), view_of(&v))))
		e = mdb_cursor_get(w->c, &k, &v, MDB_PREV);
	if (e == MDB_NOTFOUND) {
		w->low = 1;
		e = mdb_cursor_get(w->c, &k, &v, MDB_FIRST);
		if (!e && key_of(&k) == STATE_KEY)
			e = mdb_cursor_get(w->c, &k, &v, MDB_NEXT);
	}
	e = e ? e : judge(w, key_of(&k), view_of(&v));
	while (!e && w->end <= w->from)
		e = sq_spool_walk_next(w);
	return e;
}

int sq_spool_walk_begin(struct sq_spool_walk *w, MDB_txn *txn, MDB_dbi dbi, uint64_t from,
                        uint64_t next)
{
	int e;

	*w = (struct sq_spool_walk){ .from = from, .next = next };
	e = mdb_cursor_open(txn, dbi, &w->c);
	return e ? e : place(w);
}

int sq_spool_walk_take(struct sq_spool_walk *w, uint64_t *ret_n)
{
	int e = mdb_cursor_del(w->c, 0);

	*ret_n = 0;
	if (e)
		return e;
	*ret_n = w->end - w->first;
	w->taken = w->end;
	return sq_spool_walk_next(w); /* which is where the cursor is now */
}

void sq_spool_walk_end(struct sq_spool_walk *w)
{
	if (w->c)
		mdb_cursor_close(w->c);
	w->c = NULL;
}
