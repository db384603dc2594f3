/* What the files of the spool share.
 */
#pragma once

#include <lmdb.h>
#include <stdatomic.h>

#include "lib/host/spool.h"

struct sq_spool {
	char *dir;
	uint64_t size; /* bytes, as it was asked for */
	int owner;     /* locked; -1: read only */
	MDB_env *env;  /* NULL: reopening has failed */
	MDB_dbi dbi;
	MDB_txn *txn; /* of the commit under way */
	struct sq_spool_state state, coming;
	struct sq_spool_mark *marks; /* mapped; NULL: read only */
	unsigned turn;               /* which of them is written next */
	/* Of the file of messages: written by who opens it anew, read by who marks, in whichever
	 * order: a mark of the wrong file is no mark. */
	_Atomic uint64_t inode;
};

/** Walk the spool in `dir` in a child process. @return 0: as it should be; -EUCLEAN with why: not;
 *  other errno: it could not be found out */
int sq_spool_check(const char *dir, struct sq_err *err) SQ_MUST_CHECK;

/** What LMDB said, as errno and words. */
int sq_spool_fail(const struct sq_spool *s, struct sq_err *err, int e, const char *what);

enum { STATE_KEY = 0 }; /* where the cursor is; messages are behind it */

/** Bytes of the pages of the table. */
uint64_t sq_spool_used(MDB_txn *txn, MDB_dbi dbi);

/** What the last commit left. @return 0, MDB_NOTFOUND: nothing was ever committed; EPROTONOSUPPORT:
 *  an older version; other: damaged */
int sq_spool_read_state(struct sq_spool *s, MDB_txn *txn) SQ_MUST_CHECK;

/* spool_mark.c: the cursor beside the file of messages. Opening it gives errno with `err`; what it
 * says is taken over into the state, if it is of the file that is named, and newer. */
int sq_spool_open_mark(struct sq_spool *s, struct sq_err *err) SQ_MUST_CHECK;
void sq_spool_name_mark(struct sq_spool *s);
void sq_spool_read_mark(struct sq_spool *s);
void sq_spool_close_mark(struct sq_spool *s);

/** Make the folder if need be, and lock it. @return 0, -EBUSY, other errno with `err` */
int sq_spool_own(struct sq_spool *s, struct sq_err *err) SQ_MUST_CHECK;
