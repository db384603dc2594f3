/* Messages as they lie in a spool's file. Up to 255 whose numbers follow one another are one value
 * of LMDB, a chunk:
 *
 *	sum              of the chunk's key and of all heads
 *	head, head ...   of each message: the sum of its bytes, its id, how long its key and text
 *are bytes, bytes ... of each message: its key, then its text
 *
 * So one mdb_put() serves many, and no message begins on a page of its own. The key has the first
 * number and how many there are. What is damaged costs a message where it is in the bytes of one,
 * and a chunk where it is in heads; how many are lost then is known from the key.
 *
 * Sums are CRC-64 (ECMA-182, reflected): against disks, not against who writes on purpose.
 */
#pragma once

#include "lib/host/spool.h"

/** Numbers are lower than this, so that a key has room for them. */
#define SQ_CHUNK_SEQ_END (UINT64_C(1) << 56)

/** Key 0 is the spool's own: no message has the number 0. */
static inline uint64_t sq_chunk_key(uint64_t first, uint64_t n)
{
	return first << 8 | n;
}

static inline uint64_t sq_chunk_first(uint64_t key)
{
	return key >> 8;
}

static inline uint64_t sq_chunk_n(uint64_t key)
{
	return key & 255;
}

/** The number behind its last. */
static inline uint64_t sq_chunk_end(uint64_t key)
{
	return sq_chunk_first(key) + sq_chunk_n(key);
}

/** @return the bytes of a chunk of these; 0: one of them is too long, or all are together */
size_t sq_chunk_bytes(const struct sq_spool_record *r, size_t n);

/** Write it, so many bytes. */
void sq_chunk_write(char *to, uint64_t key, const struct sq_spool_record *r);

/** Whether the chunk's sum was made with this key: then both are as they were written. */
bool sq_chunk_says(uint64_t key, struct sq_sv value);

/** @return the key that the sum was made with: `key`, or one that differs in a bit; 0: none of
 *  these */
uint64_t sq_chunk_true_key(uint64_t key, struct sq_sv value);

/** How many messages it has, by its bytes alone, when no key can be proved. @return that, which is
 *  certain but for heads that are damaged in just such a way; `*ret_sure` false: at most so many */
uint64_t sq_chunk_guess(struct sq_sv value, bool *ret_sure);

/** A chunk that is read. Views what it was begun with. */
struct sq_chunk {
	uint64_t seq, end;         /* the next message, and the one behind the last */
	struct sq_sv heads, bytes; /* of those that are left */
};

/** @return false: its heads are damaged, so there is nothing of it to be read */
bool sq_chunk_begin(struct sq_chunk *c, uint64_t key, struct sq_sv value);

/** The next message. @return 1; 0: there is none; -EUCLEAN: it is damaged, `ret->seq` and
 *  `ret->text` are its number and its bytes as they are */
int sq_chunk_next(struct sq_chunk *c, struct sq_spool_record *ret) SQ_MUST_CHECK;

/** Leave out those before `seq`, unread. */
void sq_chunk_skip(struct sq_chunk *c, uint64_t seq);

/** What a chunk, and the spool's own record, are checked by. */
uint64_t sq_chunk_sum(uint64_t seed, struct sq_sv bytes);
