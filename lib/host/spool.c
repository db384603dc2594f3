#include "lib/host/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "lib/host/spool_chunk.h"
#include "lib/host/spool_private.h"

enum {
	VERSION = 3,
	OLDER_STATE = 32, /* bytes of the state of version 1; that of version 2 had no writer */
	ASIDE_MAX = 1000, /* files of one second */
	SIZE_MIN = 1 << 20,
	RESERVE_PAGES = 64, /* for the pages that a commit copies */
	LOCK_BYTES = 8192,  /* of LMDB's own file, with its 126 readers */
	FULL_BYTES = 65536, /* a disk that has less is full */
};

/* The value of STATE_KEY. */
struct stored_state {
	uint64_t sum;
	uint64_t version;
	uint64_t cursor, next, records;
	uint64_t writer;
};

/* In `records`: they were not all counted. */
#define GUESSED (1ULL << 63)

static uint64_t state_sum(const struct stored_state *st, size_t size)
{
	return sq_chunk_sum(0,
	                    (struct sq_sv){ (const char *)&st->version, size - sizeof(st->sum) });
}

/* What LMDB says, as errno. */
static int code_of(int e)
{
	switch (e) {
	case 0:
		return 0;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		return -ENOSPC;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_NOTFOUND:
	case MDB_INCOMPATIBLE:
	case MDB_BAD_VALSIZE:
	/* Pages that say of themselves what cannot be. */
	case MDB_CURSOR_FULL:
	case MDB_PAGE_FULL:
#ifdef MDB_PROBLEM /* an LMDB that is newer than Debian 12's */
	case MDB_PROBLEM:
#endif
	/* We only ever add behind the last. */
	case MDB_KEYEXIST:
		return -EUCLEAN;
	case MDB_PANIC:
	case MDB_BAD_TXN:
		return -EIO;
	/* The disk is full, which is not the file that has come to its end. */
	case ENOSPC:
		return -EDQUOT;
	default:
		return e > 0 ? -e : -EIO;
	}
}

/* LMDB says EIO when a write was short, which is how a disk that fills up begins to say so. */
static int told_better(const struct sq_spool *s, int e)
{
	struct statvfs st;

	if (e != EIO || statvfs(s->dir, &st) < 0)
		return e;
	return (uint64_t)st.f_bavail * st.f_frsize < FULL_BYTES ? ENOSPC : e;
}

int sq_spool_fail(const struct sq_spool *s, struct sq_err *err, int e, const char *what)
{
	e = told_better(s, e);
	return sq_err_set(err, code_of(e), "%s: %s: %s", s->dir, what, mdb_strerror(e));
}

/* ---- state -------------------------------------------------------------------------------- */

uint64_t sq_spool_used(MDB_txn *txn, MDB_dbi dbi)
{
	MDB_stat st = { 0 };

	(void)mdb_stat(txn, dbi, &st); /* of an open table: cannot fail */
	return (uint64_t)st.ms_psize *
	       (st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages);
}

static int write_state(struct sq_spool *s)
{
	struct stored_state st = { .version = VERSION,
		                   .cursor = s->coming.cursor,
		                   .next = s->coming.next,
		                   .records = s->coming.records | (s->coming.guessed ? GUESSED : 0),
		                   .writer = s->coming.writer };
	uint64_t key = STATE_KEY;
	MDB_val k = { sizeof(key), &key }, v = { sizeof(st), &st };

	st.sum = state_sum(&st, sizeof(st));
	return mdb_put(s->txn, s->dbi, &k, &v, 0);
}

static bool is_empty(MDB_txn *txn, MDB_dbi dbi)
{
	MDB_stat st = { 0 };

	(void)mdb_stat(txn, dbi, &st); /* of an open table: cannot fail */
	return !st.ms_entries;
}

/* Whatever may come: its sum, over all that follows, then its version. */
static bool is_later(MDB_val v)
{
	const char *p = v.mv_data;
	uint64_t sum, version;

	if (v.mv_size < sizeof(sum) + sizeof(version))
		return false;
	memcpy(&sum, p, sizeof(sum));
	memcpy(&version, p + sizeof(sum), sizeof(version));
	return version > VERSION &&
	       sum == sq_chunk_sum(0, (struct sq_sv){ p + sizeof(sum), v.mv_size - sizeof(sum) });
}

int sq_spool_read_state(const struct sq_spool *s, MDB_txn *txn, struct sq_spool_state *ret)
{
	struct stored_state st = { 0 };
	uint64_t key = STATE_KEY, version = VERSION;
	MDB_val k = { sizeof(key), &key }, v;
	int e = mdb_get(txn, s->dbi, &k, &v);

	if (e == MDB_NOTFOUND && !is_empty(txn, s->dbi))
		return MDB_CORRUPTED;
	if (e)
		return e;
	if (is_later(v))
		return EPROTOTYPE;
	if (v.mv_size == OLDER_STATE)
		return EPROTONOSUPPORT;
	if (v.mv_size == sizeof(st) - sizeof(st.writer))
		version = 2;
	else if (v.mv_size != sizeof(st))
		return MDB_CORRUPTED;
	memcpy(&st, v.mv_data, v.mv_size);
	if (st.sum != state_sum(&st, v.mv_size) || st.version != version || st.cursor > st.next ||
	    !st.next || st.next >= SQ_CHUNK_SEQ_END)
		return MDB_CORRUPTED;
	ret->cursor = st.cursor;
	ret->next = st.next;
	ret->records = st.records & ~GUESSED;
	ret->guessed = st.records & GUESSED;
	ret->writer = st.writer;
	ret->used = sq_spool_used(txn, s->dbi);
	return 0;
}

const struct sq_spool_state *sq_spool_state(const struct sq_spool *s)
{
	return &s->state;
}

/* ---- one commit --------------------------------------------------------------------------- */

int sq_spool_begin(struct sq_spool *s, struct sq_err *err)
{
	int e, dead;

	sq_assert(!s->txn && s->owner >= 0);
	s->coming = s->state;
	s->coming.writer = s->writer;
	/* A tool that was killed while it read would keep what it saw from being used again. */
	(void)mdb_reader_check(s->env, &dead);
	e = mdb_txn_begin(s->env, NULL, 0, &s->txn);
	if (!e)
		return 0;
	s->txn = NULL;
	return sq_spool_fail(s, err, e, "cannot be written");
}

int sq_spool_commit(struct sq_spool *s, struct sq_err *err)
{
	int e = write_state(s);

	sq_assert(s->txn);
	if (e) {
		mdb_txn_abort(s->txn);
	} else {
		s->coming.used = sq_spool_used(s->txn, s->dbi);
		if (s->coming.next > s->given)
			s->given = s->coming.next; /* be it that it fails and is durable */
		e = mdb_txn_commit(s->txn);
	}
	s->txn = NULL;
	if (e)
		return sq_spool_fail(s, err, e, "cannot be committed");
	s->state = s->coming;
	s->found = s->writer;
	return 0;
}

/* ---- opening ------------------------------------------------------------------------------ */

static int path_of(const struct sq_spool *s, const char *name, char to[4096], struct sq_err *err)
{
	int n = snprintf(to, 4096, "%s/%s", s->dir, name);

	return n > 0 && n < 4096 ? 0 : sq_err_set(err, -ENAMETOOLONG, "%s: too long", s->dir);
}

/* What we are to write into is a file of its own, not a way to somebody else's. */
static int refuse_odd(const struct sq_spool *s, const char *name, struct sq_err *err)
{
	char path[4096];
	struct stat st;
	int r = path_of(s, name, path, err);

	if (r < 0)
		return r;
	if (lstat(path, &st) < 0)
		return errno == ENOENT
		               ? 0
		               : sq_err_set(err, -errno, "%s: %s", path, sq_strerror(-errno));
	if (!S_ISREG(st.st_mode))
		return sq_err_set(err, -EINVAL, "%s: not a regular file", path);
	return 0;
}

int sq_spool_own(struct sq_spool *s, struct sq_err *err)
{
	char path[4096];
	int r = path_of(s, "owner", path, err);

	if (r < 0)
		return r;
	if (mkdir(s->dir, 0700) < 0 && errno != EEXIST)
		return sq_err_set(err, -errno, "%s: %s", s->dir, sq_strerror(-errno));
	s->owner = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (s->owner < 0)
		return sq_err_set(err, -errno, "%s: %s", path, sq_strerror(-errno));
	if (flock(s->owner, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
		               ? sq_err_set(err, -EBUSY,
		                            "%s: in use: another process writes this spool", s->dir)
		               : sq_err_set(err, -errno, "%s: %s", path, sq_strerror(-errno));
	r = refuse_odd(s, "data.mdb", err);
	return r < 0 ? r : refuse_odd(s, "lock.mdb", err);
}

/* LMDB maps this file for writing, and a page of it for which a full disk has no room is SIGBUS:
 * the room is had before, as much as LMDB takes for its readers. */
static int place_lock(const struct sq_spool *s, struct sq_err *err)
{
	char path[4096];
	int fd, e, r = path_of(s, "lock.mdb", path, err);

	if (r < 0)
		return r;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return sq_err_set(err, -errno, "%s: %s", path, sq_strerror(-errno));
	e = posix_fallocate(fd, 0, LOCK_BYTES);
	close(fd);
	if (!e || e == EINVAL || e == EOPNOTSUPP) /* some file systems know of no such thing */
		return 0;
	return sq_err_set(err, -e, "%s: %s", path, sq_strerror(-e));
}

static int open_env(struct sq_spool *s, unsigned flags, struct sq_err *err)
{
	unsigned table = MDB_INTEGERKEY | (flags & MDB_RDONLY ? 0 : MDB_CREATE);
	MDB_txn *txn = NULL;
	int e = mdb_env_create(&s->env);

	if (!e)
		e = mdb_env_set_mapsize(s->env, s->size);
	if (!e)
		e = mdb_env_open(s->env, s->dir, flags, 0600);
	if (!e)
		e = mdb_txn_begin(s->env, NULL, flags & MDB_RDONLY, &txn);
	if (!e)
		e = mdb_dbi_open(txn, NULL, table, &s->dbi);
	if (!e) {
		s->state = (struct sq_spool_state){
			.cursor = 1,
			.next = 1,
			.file_size = s->size,
			.max = s->size - s->size / 8 - RESERVE_PAGES * 4096 / 2,
		};
		e = sq_spool_read_state(s, txn, &s->state);
		e = e == MDB_NOTFOUND ? 0 : e;
	}
	if (!e && !(flags & MDB_RDONLY))
		e = mdb_txn_commit(txn);
	else if (txn)
		mdb_txn_abort(txn);
	if (!e)
		return 0;
	if (s->env)
		mdb_env_close(s->env);
	s->env = NULL;
	if (e == EPROTONOSUPPORT)
		return sq_err_set(err, -e,
		                  "%s: an older squiblyd has written it: let that one's `squibly "
		                  "spool drain` empty it, then remove data.mdb",
		                  s->dir);
	if (e == EPROTOTYPE)
		return sq_err_set(
			err, -e,
			"%s: a later squiblyd has written it: let that one send it, or its "
			"`squibly spool drain` empty it, then remove data.mdb",
			s->dir);
	if (e == ENOENT && (flags & MDB_RDONLY) && access(s->dir, F_OK) == 0)
		return sq_err_set(err, -e, "%s: no spool is there (no data.mdb)", s->dir);
	return sq_spool_fail(s, err, e, "cannot be opened");
}

/* A name that is not taken. While the folder is locked by us, nobody else takes it. */
static int name_aside(const struct sq_spool *s, char to[4096], struct sq_err *err)
{
	char stem[64], name[80];
	time_t now = time(NULL);
	struct stat st;
	struct tm tm;

	(void)gmtime_r(&now, &tm); /* of a time of day: cannot fail */
	(void)strftime(stem, sizeof(stem), "data.mdb.damaged-%Y%m%dT%H%M%SZ", &tm);
	for (int i = 1; i <= ASIDE_MAX; i++) {
		int r, n = snprintf(name, sizeof(name), "%s-%d", stem, i);

		r = path_of(s, i > 1 ? name : stem, to, err);
		sq_assert(n < (int)sizeof(name));
		if (r < 0)
			return r;
		if (lstat(to, &st) < 0)
			return 0; /* or the renaming says why not */
	}
	return sq_err_set(err, -EEXIST, "%s: damaged, and cannot be set aside: too many are", to);
}

static int set_aside(const struct sq_spool *s, const struct sq_err *why, struct sq_err *aside,
                     struct sq_err *err)
{
	char from[4096], to[4096];
	int r = path_of(s, "data.mdb", from, err);

	if (!r)
		r = name_aside(s, to, err);
	if (r < 0)
		return r;
	if (rename(from, to) < 0)
		return sq_err_set(err, -errno, "%s: damaged, and cannot be set aside: %s", from,
		                  sq_strerror(-errno));
	return sq_err_set(aside, -EUCLEAN, "%s; set aside as %s", why->text, to), 0;
}

static int open_owned(struct sq_spool *s, bool trusted, struct sq_err *aside, struct sq_err *err)
{
	struct sq_err why = { 0 };
	int r = place_lock(s, err);

	if (r < 0)
		return r;
	r = trusted ? 0 : sq_spool_check(s->dir, &why);
	if (r > 0)
		*aside = why;
	if (r >= 0)
		r = open_env(s, 0, &why);
	if (r == -EUCLEAN) {
		r = set_aside(s, &why, aside, err);
		if (r < 0)
			return r;
		r = open_env(s, 0, &why);
	}
	if (!r && !trusted && s->state.guessed)
		r = sq_spool_recount(s, &why);
	return r < 0 ? sq_err_set(err, r, "%s", why.text) : 0;
}

static void close_env(struct sq_spool *s)
{
	if (s->txn)
		mdb_txn_abort(s->txn);
	if (s->env)
		mdb_env_close(s->env);
	s->txn = NULL;
	s->env = NULL;
}

/* Whether this is the file that we wrote, or a new one. The numbers of another one are not ours:
 * what we have in memory would be taken for what is there. */
static bool is_known(const struct sq_spool *s)
{
	const struct sq_spool_state *st = &s->state;

	if (st->next == 1)
		return true;
	return (st->writer == s->writer || st->writer == s->found) && st->next <= s->given;
}

int sq_spool_reopen(struct sq_spool *s, bool trusted, struct sq_err *aside, struct sq_err *err)
{
	const struct sq_spool_state was = s->state;
	int r;

	sq_assert(s->owner >= 0);
	aside->code = 0;
	close_env(s);
	r = open_owned(s, trusted, aside, err);
	if (!r && !is_known(s)) {
		close_env(s);
		r = sq_err_set(err, -ESTALE,
		               "%s: data.mdb was exchanged for one that was not written here: "
		               "bring the other one back, or restart",
		               s->dir);
	}
	if (r < 0)
		s->state = was;
	return r;
}

/* Of whom there is no other one, and not the 0 of who has committed nothing. */
static int name_writer(struct sq_spool *s, struct sq_err *err)
{
	if (getrandom(&s->writer, sizeof(s->writer), 0) != sizeof(s->writer))
		return sq_err_set(err, -EIO, "%s: no random number", s->dir);
	s->writer |= 1;
	return 0;
}

int sq_spool_open(const struct sq_spool_opts *opts, struct sq_spool **ret, struct sq_err *aside,
                  struct sq_err *err)
{
	struct sq_spool *s = calloc(1, sizeof(*s));
	int r;

	aside->code = 0;
	if (!s)
		return sq_err_set(err, -ENOMEM, "%s: out of memory", opts->dir);
	s->owner = -1;
	s->size = opts->read_only ? SIZE_MIN : opts->size;
	s->dir = strdup(opts->dir);
	sq_assert(opts->read_only || opts->size >= SIZE_MIN);
	if (!s->dir)
		r = sq_err_set(err, -ENOMEM, "%s: out of memory", opts->dir);
	else if (opts->read_only)
		r = open_env(s, MDB_RDONLY | (opts->unlocked ? MDB_NOLOCK : 0), err);
	else
		r = sq_spool_own(s, err);
	if (!r && !opts->read_only)
		r = open_owned(s, false, aside, err);
	if (!r)
		r = name_writer(s, err);
	if (r < 0) {
		sq_spool_close(s);
		return r;
	}
	sq_spool_read_mark(s);
	s->found = s->state.writer;
	s->given = s->state.next;
	*ret = s;
	return 0;
}

void sq_spool_close(struct sq_spool *s)
{
	if (!s)
		return;
	close_env(s);
	sq_spool_close_mark(s);
	if (s->owner >= 0)
		(void)close(s->owner); /* nothing is written there */
	free(s->dir);
	free(s);
}
