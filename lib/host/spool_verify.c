/* Does a spool add up? What of it LMDB would only find out when it is too late.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/host/spool_walk.h"

static int see_record(void *ctx SQ_UNUSED, const struct sq_spool_record *r SQ_UNUSED)
{
	return 0;
}

static void see_damaged(void *ctx SQ_UNUSED, uint64_t seq SQ_UNUSED, uint64_t n SQ_UNUSED,
                        struct sq_sv bytes SQ_UNUSED)
{
}

struct count {
	uint64_t records;
	uint64_t odd;  /* keys that are wrong */
	bool unproved; /* one of them, of a chunk that is damaged as well */
	bool stuck;    /* nothing could be put behind the last key, nor would mending that do */
};

/* How many messages there are, and whether all are where their keys say. */
static int count_records(struct sq_spool *s, MDB_txn *txn, struct count *ret)
{
	struct sq_spool_walk w;
	uint64_t before = 0;
	int e = sq_spool_walk_begin(&w, txn, s->dbi, 1, s->state.next);

	for (*ret = (struct count){ 0 }; !e; e = sq_spool_walk_next(&w)) {
		bool odd = sq_spool_walk_odd(&w);

		ret->odd += odd;
		ret->unproved |= odd && !w.proved;
		ret->stuck = odd && w.own > w.key && before >= w.key;
		/* The key of the spool's own record: that may be what is found by it. */
		ret->unproved |= w.own == STATE_KEY;
		ret->records += w.end - w.first;
		before = w.own;
	}
	sq_spool_walk_end(&w);
	return e == MDB_NOTFOUND ? 0 : e;
}

int sq_spool_recount(struct sq_spool *s, struct sq_err *err)
{
	struct count n;
	MDB_txn *txn;
	int e = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);

	if (!e) {
		e = count_records(s, txn, &n);
		mdb_txn_abort(txn);
	}
	if (e)
		return sq_spool_fail(s, err, e, "cannot be read");
	s->state.records = n.records;
	s->state.guessed = false;
	return 0;
}

/* A number that differs means pages that are missing, or others in their place, unless it was known
 * to be one that may. */
static bool adds_up(const struct sq_spool *s, const struct count *n)
{
	return !n->unproved && !n->stuck && (n->records == s->state.records || s->state.guessed);
}

static int say_odd(const struct sq_spool *s, const struct count *n, struct sq_err *err)
{
	if (!n->odd && n->records == s->state.records)
		return 0;
	return sq_err_set(err, 1,
	                  "%s: %llu keys are wrong, and known; %llu alerts are there, %llu were "
	                  "counted when damaged ones were taken out: it is used as it is",
	                  s->dir, (unsigned long long)n->odd, (unsigned long long)n->records,
	                  (unsigned long long)s->state.records);
}

/* Pages that LMDB holds to be free, from its table of them.
 * @return 0; MDB_CORRUPTED: no such list; ENOMEM */
static int free_pages(MDB_txn *txn, uint64_t end, uint64_t *ret)
{
	MDB_cursor *c;
	MDB_val k, v;
	uint64_t n = 0;
	bool bad = false;
	int e = mdb_cursor_open(txn, 0, &c);

	*ret = 0;
	if (e)
		return e == ENOMEM ? e : MDB_CORRUPTED;
	while (!bad && !mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		const size_t *list = v.mv_data;

		bad = v.mv_size < sizeof(*list) || v.mv_size / sizeof(*list) <= list[0];
		for (size_t i = 1; !bad && i <= list[0]; i++)
			bad = list[i] < 2 || list[i] >= end || (i > 1 && list[i] >= list[i - 1]);
		n += bad ? 0 : list[0];
	}
	mdb_cursor_close(c);
	*ret = n;
	return bad ? MDB_CORRUPTED : 0;
}

int sq_spool_verify(struct sq_spool *s, struct sq_err *err)
{
	MDB_envinfo info;
	MDB_stat table;
	MDB_txn *txn;
	uint64_t pages, unused;
	struct count count;
	int r = sq_spool_read(s, 1, see_record, see_damaged, NULL, err);
	int e, e_free, e_records;

	if (r == -ENOMEM)
		return r; /* which says nothing of the file */
	if (r < 0)
		return sq_err_set(err, -EUCLEAN, "%s: its pages cannot be read", s->dir);
	(void)mdb_env_info(s->env, &info); /* of an open one: cannot fail */
	e = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);
	if (e)
		return sq_spool_fail(s, err, e, "cannot be read");
	(void)mdb_stat(txn, 0, &table);
	pages = sq_spool_used(txn, s->dbi) / table.ms_psize + 2 + table.ms_branch_pages +
	        table.ms_leaf_pages + table.ms_overflow_pages;
	e_free = free_pages(txn, info.me_last_pgno + 1, &unused);
	e = sq_spool_read_state(s, txn, &s->state);
	e_records = count_records(s, txn, &count);
	mdb_txn_abort(txn);
	if (e_free == ENOMEM || e_records == ENOMEM)
		return sq_spool_fail(s, err, ENOMEM, "cannot be read");
	if (e && e != MDB_NOTFOUND)
		return sq_err_set(err, -EUCLEAN, "%s: its cursor is damaged", s->dir);
	if (e_records || !adds_up(s, &count))
		return sq_err_set(err, -EUCLEAN, "%s: records are missing or out of order", s->dir);
	if (e_free || pages + unused != info.me_last_pgno + 1)
		return sq_err_set(err, -EUCLEAN, "%s: its pages do not add up", s->dir);
	return say_odd(s, &count, err);
}

int sq_spool_verify_dir(const char *dir, struct sq_err *err)
{
	char name[4096];
	struct sq_spool s = { .owner = -1, .dir = name };
	struct stat st;
	int r;

	if (snprintf(name, sizeof(name), "%s", dir) >= (int)sizeof(name))
		return sq_err_set(err, -ENAMETOOLONG, "%s: too long", dir);
	if (stat(dir, &st) < 0)
		return sq_err_set(err, -errno, "%s: %s", dir, sq_strerror(-errno));
	r = sq_spool_own(&s, err);
	if (!r)
		r = sq_spool_check(dir, err);
	if (s.owner >= 0)
		(void)close(s.owner); /* nothing is written there */
	return r;
}
