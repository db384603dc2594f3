/* Does a spool add up? What of it LMDB would only find out when it is too late.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/host/spool_private.h"

struct walk {
	uint64_t n, last;
	bool disorder;
};

static int walk_record(void *ctx, const struct sq_spool_record *r)
{
	struct walk *w = ctx;

	w->disorder |= r->seq <= w->last;
	w->last = r->seq;
	w->n++;
	return 0;
}

static void walk_damaged(void *ctx, uint64_t seq, uint64_t n, struct sq_sv bytes SQ_UNUSED)
{
	struct walk *w = ctx;

	w->disorder |= seq <= w->last;
	w->last = seq + n - 1;
	w->n += n;
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
	struct walk w = { 0 };
	MDB_envinfo info;
	MDB_stat table;
	MDB_txn *txn;
	uint64_t pages, unused;
	int r = sq_spool_read(s, 1, walk_record, walk_damaged, &w, err);
	int e, e_free;

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
	e = sq_spool_read_state(s, txn);
	mdb_txn_abort(txn);
	if (e_free == ENOMEM)
		return sq_spool_fail(s, err, e_free, "cannot be read");
	if (e && e != MDB_NOTFOUND)
		return sq_err_set(err, -EUCLEAN, "%s: its cursor is damaged", s->dir);
	if (w.disorder || w.n != s->state.records || w.last >= s->state.next)
		return sq_err_set(err, -EUCLEAN, "%s: records are missing or out of order", s->dir);
	if (e_free || pages + unused != info.me_last_pgno + 1)
		return sq_err_set(err, -EUCLEAN, "%s: its pages do not add up", s->dir);
	return 0;
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
