/* What the files of the spool share.
 */
#pragma once

#include <lmdb.h>

#include "lib/host/spool.h"

struct sq_spool {
	char *dir;
	uint64_t size; /* bytes, as it was asked for */
	int owner;     /* locked; -1: read only */
	MDB_env *env;  /* NULL: reopening has failed */
	MDB_dbi dbi;
	MDB_txn *txn; /* of the commit under way */
	struct sq_spool_state state, coming;
	uint64_t writer;             /* us, for those who come after us */
	uint64_t found;              /* whom the file names, who may be the one before us */
	uint64_t given;              /* highest `next` that was ever to be committed */
	struct sq_spool_mark *marks; /* mapped; NULL: there are none */
	unsigned turn;               /* which of them is written next */
	uint64_t marked;             /* the last */
};

/** Walk the spool in `dir` in a child process. @return 0: as it should be; 1 with what is wrong:
 * not quite, but it may be used; -EUCLEAN with why: not; other errno: it could not be found out */
int sq_spool_check(const char *dir, struct sq_err *err) SQ_MUST_CHECK;

/** What LMDB said, as errno and words. */
int sq_spool_fail(const struct sq_spool *s, struct sq_err *err, int e, const char *what);

enum { STATE_KEY = 0 }; /* where the cursor is; messages are behind it */

/** Bytes of the pages of the table. */
uint64_t sq_spool_used(MDB_txn *txn, MDB_dbi dbi);

/** What the last commit left: all but the sizes. @return 0, MDB_NOTFOUND: nothing
 * was ever committed; EPROTONOSUPPORT: an older version; EPROTOTYPE: a later one; other: damaged */
int sq_spool_read_state(const struct sq_spool *s, MDB_txn *txn,
                        struct sq_spool_state *ret) SQ_MUST_CHECK;

/** How many messages there are, by walking them all, instead of what was guessed. Of a file that
 * was checked. */
int sq_spool_recount(struct sq_spool *s, struct sq_err *err) SQ_MUST_CHECK;

/* spool_mark.c: the cursor beside the file of messages. What it says is taken over into the state,
 * if it is of who has committed last, and newer. */
void sq_spool_read_mark(struct sq_spool *s);
void sq_spool_close_mark(struct sq_spool *s);

/** Make the folder if need be, and lock it. @return 0, -EBUSY, other errno with `err` */
int sq_spool_own(struct sq_spool *s, struct sq_err *err) SQ_MUST_CHECK;
