/* One piece of a file: its bytes, and the records that were cut out of them.
 *
 * There are two ways to get one. In order: the bytes behind those of the piece before, with what
 * that left unfinished in front, cut with its frame. Or ahead of time, of a plain file: from the
 * first line end at or behind one offset to the first at or behind the next, cut as if a record
 * began there. The second is right when the piece before has ended at the same place with nothing
 * left over and its frame between records, since a frame remembers nothing else: then both ways
 * give the same. Whoever uses it looks at that (crew.h).
 */
#pragma once

#include "cli/input.h"
#include "cli/run.h"
#include "lib/engine/sieve.h"
#include "lib/wire/frame.h"

enum {
	PIECE = 256 * 1024, /* bytes: still in the cache when they are cut and searched */
	PIECE_RECORDS = PIECE / 8,
};

struct piece {
	struct piece *next_free;
	uint64_t seq; /* place in the file, from 0 */
	struct sq_batch *batch;
	struct cli_sink sink;
	const struct sq_sieve *sieve; /* of whoever runs it; NULL: every record is read */
	struct sq_frame frame;        /* as it was left at the end */
	uint32_t head;                /* bytes of the chunk cut; those behind it are left over */
	uint64_t bytes;               /* taken from the input, unpacked */
	uint64_t at;                  /* where the file has been read to, for people */
	uint64_t start, end; /* ahead of time: offsets in the file; equal when there is nothing */
	bool ahead;
	bool failed; /* ahead of time: could not be read, or has no beginning: nothing is known */
	bool eof;    /* the end of the file is the end of the piece */
	bool in_turn;
	bool discarded;
};

/** Borrows `sieve` for good, NULL: none. @return NULL: out of memory */
struct piece *piece_new(uint32_t max_record, const struct sq_sieve *sieve, bool with_sink);
void piece_free(struct piece *p);
/** Empty, for reuse. */
void piece_reset(struct piece *p);
/** Forget what the sink holds. */
void piece_clear_sink(struct piece *p);

/** Bytes that a chunk must hold: one record and its header unread, and a piece behind it. */
uint32_t piece_chunk(uint32_t max_record);

/** What one piece leaves to the next. */
struct carry {
	char *bytes; /* piece_chunk() */
	uint32_t n;
	struct sq_frame frame;
};

/**
 * The next piece in order; takes from `carry` and leaves there what is not finished.
 * @return 1, 0 when it is the last, or negative errno with `err`: the last, too
 */
int piece_next(struct piece *p, struct cli_input *in, struct carry *carry,
               struct sq_err *err) SQ_MUST_CHECK;

/** Piece number `k` of a plain file, ahead of time; the file begins at offset `base`.
 *  @return 0, or -EPROTO with `err` */
int piece_ahead(struct piece *p, struct cli_input *in, uint64_t base, uint64_t k,
                uint32_t max_record, struct sq_err *err) SQ_MUST_CHECK;

/** The piece behind may begin as piece_ahead() begins it. */
bool piece_is_clean(const struct piece *p);
