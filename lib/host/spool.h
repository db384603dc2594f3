/* A crash-safe store of messages for one output: what is committed here survives the death of the
 * process and, as far as fsync reaches, of the machine.
 *
 * One folder is one spool:
 *	data.mdb   the messages by number, and the cursor: the first that is not delivered yet
 *	cursor     a link to the cursor since the last commit, for when we are killed: see
 *	           sq_spool_mark()
 *	lock.mdb   LMDB's own, so that `squibly spool` may read while the daemon writes
 *	owner      locked by whoever writes; a second one is refused
 *	data.mdb.damaged-TIME   a file that could not be trusted, set aside for a person
 *	                        (-2, -3 behind it: further ones of that second)
 *
 * How LMDB is used, and why: every commit is synced, data before the page that makes it valid (no
 * NOSYNC, no NOMETASYNC). Pages are written, not mapped for writing (no WRITEMAP): a full disk is
 * an error of write() then and not SIGBUS, and a stray pointer of ours cannot reach the file.
 * Read-ahead stays on, since we read in order. Copy on write never touches the pages of the commit
 * before, so a kill at any moment leaves that one.
 *
 * LMDB trusts its pages. So a file that was there before us is walked in full by a child process
 * before we use it: whatever it meets there, a signal among them, costs the child alone.
 *
 * Messages lie there many at a time (spool_chunk.h), and leave so: one that is delivered is there
 * until all that were put with it are. Each has a checksum over all that it says. One thread at a
 * time.
 */
#pragma once

#include "lib/base/err.h"

struct sq_spool;

enum {
	SQ_SPOOL_RECORDS = 255,          /* are put at a time at most */
	SQ_SPOOL_MESSAGE_MAX = 64 << 20, /* bytes of its key and text, so that any that are put
	                                    together fit into what LMDB takes */
};

/** One message. The views are borrowed. */
struct sq_spool_record {
	uint64_t seq; /* from 1, ever growing, with gaps; less than 2^56 */
	uint64_t id[2];
	struct sq_sv key, text;
};

struct sq_spool_state {
	uint64_t cursor;    /* the first that is not delivered */
	uint64_t next;      /* of the next message */
	uint64_t records;   /* in the file, delivered ones that are not trimmed yet among them */
	uint64_t used;      /* bytes of the pages that hold them, as the file counts them */
	uint64_t max;       /* of `used`; the file may be an eighth larger */
	uint64_t file_size; /* largest that the file can become */
	uint64_t writer; /* of the last commit: a number by chance, another one of each opening */
	bool guessed;    /* `records`: what was taken out was damaged, and not all of it is known */
};

struct sq_spool_opts {
	const char *dir; /* made when missing (not its parents) */
	uint64_t size;   /* largest the file may become, bytes, 1 MiB at least */
	bool read_only;  /* for tools: no owner, nothing is set aside, nothing is checked before */
	bool unlocked;   /* read only, and the caller knows that nobody writes: no lock is taken */
};

/**
 * Open. A file that cannot be trusted is set aside, and a new one begun: then `aside` says so.
 * @param aside  not NULL; code is < 0 when a file was set aside; 1: it is used, but something is
 *               wrong with it, which the text says; 0: neither
 * @return 0; -EBUSY: another process has it; -ENOENT: read only and not there; other errno with
 *         `err`
 */
int sq_spool_open(const struct sq_spool_opts *opts, struct sq_spool **ret, struct sq_err *aside,
                  struct sq_err *err) SQ_MUST_CHECK;
void sq_spool_close(struct sq_spool *s);

/**
 * Open it anew after an error; nobody else can take it meanwhile. One that is not `trusted` is
 * walked first, and set aside if need be. @return as sq_spool_open(); after an error it may be
 * tried again, or closed, and nothing else; -ESTALE: somebody has put another file there, which is
 *         left as it is
 */
int sq_spool_reopen(struct sq_spool *s, bool trusted, struct sq_err *aside,
                    struct sq_err *err) SQ_MUST_CHECK;

/** Messages from the cursor on. @return 0, other errno with `err` */
int sq_spool_waiting(struct sq_spool *s, uint64_t *ret, struct sq_err *err) SQ_MUST_CHECK;

/** As of the last commit. */
const struct sq_spool_state *sq_spool_state(const struct sq_spool *s);

/**
 * One commit: begin, put any number in growing order, trim, commit. An error of any of them ends
 * the commit and none of its records is there.
 * @return 0; -ENOSPC: the file has come to its largest, a later commit may succeed; -EDQUOT: the
 * disk or a quota has no room for it; -EUCLEAN: its pages are damaged; -EMSGSIZE: a message is
 *         longer than SQ_SPOOL_MESSAGE_MAX, or those together than 1 GiB; any other errno: the disk
 *         has failed us. After all but the first nothing of this commit is durable and nothing may
 * be written or read before sq_spool_reopen()
 */
int sq_spool_begin(struct sq_spool *s, struct sq_err *err) SQ_MUST_CHECK;
/** Messages whose numbers follow one another: they lie together from now on, and are taken out
 *  together. Whatever the file has from the first of them on is replaced: a commit left it of which
 *  nobody knew whether it is durable. */
int sq_spool_put(struct sq_spool *s, const struct sq_spool_record *r, size_t n,
                 struct sq_err *err) SQ_MUST_CHECK;
/** Move the cursor to `cursor` and take out what is before it, at most a few thousand a time: the
 *  rest with the next commit. @return 1: something is left */
int sq_spool_trim(struct sq_spool *s, uint64_t cursor, struct sq_err *err) SQ_MUST_CHECK;
/** Take out the oldest from `from` on until `bytes` are free; `*ret_n`: how many. Those that lie
 *  together with one before `from` stay, to be read like all that is left: what is gone is a gap
 *  behind them. */
int sq_spool_drop(struct sq_spool *s, uint64_t from, uint64_t bytes, uint64_t *ret_n,
                  struct sq_err *err) SQ_MUST_CHECK;
int sq_spool_commit(struct sq_spool *s, struct sq_err *err) SQ_MUST_CHECK;

/**
 * Have a place for sq_spool_mark(), in a file of its own in `folder`. That is to be memory (tmpfs)
 * that outlives this process: what is written there is to wait for no disk. To be called after a
 * commit, and once. Closing removes the file when the last commit says as much.
 * @param folder  its whole path; where others may write as well, `squiblyd-UID` in it, which is
 * made and has to be ours alone
 * @return 0, or errno with `err`: there are no marks, all else can go on
 */
int sq_spool_open_mark(struct sq_spool *s, const char *folder, struct sq_err *err) SQ_MUST_CHECK;

/**
 * Remember that all before `cursor` is delivered, without a commit and without a call of the
 * kernel: whoever opens the spool on this machine after the end of this process, whatever has ended
 * it, begins there. After a crash of the machine it is the last commit that counts. Without a place
 * for it nothing happens. Of one thread, while another may be inside of any call but
 * sq_spool_close().
 */
void sq_spool_mark(struct sq_spool *s, uint64_t cursor);

/** Given each record in order; borrowed until it returns. @return 0: go on; else stop */
typedef int sq_spool_each_fn(void *ctx, const struct sq_spool_record *r);
/** Given what has a wrong checksum or shape: the number of the first, how many, and the bytes as
 * they are. */
typedef void sq_spool_damaged_fn(void *ctx, uint64_t seq, uint64_t n, struct sq_sv bytes);

/**
 * Read what is committed, from `from` on. A damaged record is told and left out.
 * @return what `each` stopped with; 0: at the end; negative errno with `err`
 */
int sq_spool_read(struct sq_spool *s, uint64_t from, sq_spool_each_fn *each,
                  sq_spool_damaged_fn *damaged, void *ctx, struct sq_err *err) SQ_MUST_CHECK;

/** Does the whole of the file add up: every page in use or free, every record where it belongs?
 *  Meant for a process that may die of it. @return 0; 1: it may be used, but something is wrong
 * that `err` says; -EUCLEAN, or -ENOMEM with `err` */
int sq_spool_verify(struct sq_spool *s, struct sq_err *err) SQ_MUST_CHECK;

/** The same of a whole spool that nobody writes, in a child process, so that nothing in it can end
 *  us; it is locked meanwhile. @return 0; 1, -EUCLEAN with why; -EBUSY: in use; other errno: it
 * could not be found out */
int sq_spool_verify_dir(const char *dir, struct sq_err *err) SQ_MUST_CHECK;
