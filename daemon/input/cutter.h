/* Bytes to records in the open batch: what is the same for every input that cuts a stream.
 *
 * Bytes are put straight into the chunk of the open batch and cut there, so that a record is never
 * copied. What is left over, the beginning of a record, is copied into `carry` and put in front of
 * the next bytes. A record that is long in coming would be copied again and again that way: with
 * more than a little in it, `carry` itself is what bytes are put into, and whole records are copied
 * out.
 *
 *	r = sqd_cutter_room(k, &room);           read n bytes into room
 *	r = sqd_cutter_cut(k, n);
 *	-EAGAIN from any: sqd_conn_starved(), and sqd_cutter_resume() when batches are free
 *
 * For the thread of its loop only.
 */
#pragma once

#include "daemon/flow/input.h"
#include "lib/wire/frame.h"

/** Cuts one record from the front of `in`: the contract of sq_frame_next() in lib/wire/frame.h, of
 *  which `framer` is the struct sq_frame. Other negative values than its own end the cutting and
 * are given to the caller. */
typedef int sqd_framer_fn(void *framer, struct sq_sv in, bool eof, size_t *ret_used,
                          struct sq_sv *ret_rec);

struct sqd_room {
	char *p;
	size_t n;
};

/** All zero but for the first five, and `lines`: an empty one. These may be changed while `pending`
 * is false and nothing is carried. */
struct sqd_cutter {
	struct sqd_input *in;
	struct sqd_receipt *receipt; /* is owed the records */
	const char *peer;
	sqd_framer_fn *next;
	void *framer;
	struct sq_frame *lines; /* the framer, when it is that alone; NULL: it is another */

	uint64_t records, oversized; /* cut so far; for the caller, who may set them to zero */
	bool pending; /* whole records may wait in `carry`: sqd_cutter_resume() goes on with them */

	/* Private. */
	char *carry; /* bytes not cut yet; NULL while there are none */
	size_t len, cap;
	size_t held;     /* so many bytes at its front are a record that found no batch */
	bool into_carry; /* the room that was given is there */
	bool ended;      /* sqd_cutter_end() was called */
};

/**
 * Where bytes may be put: at least SQD_CUTTER_ROOM. Must be followed by sqd_cutter_cut(), or by
 * nothing, before anything else touches the open batch.
 * @return 0, -EAGAIN: no batch is free, -ENOMEM
 */
int sqd_cutter_room(struct sqd_cutter *k, struct sqd_room *ret) SQ_MUST_CHECK;
enum { SQD_CUTTER_ROOM = 64 * 1024 };

/**
 * `n` bytes have been put there: cut them.
 * @return 0, -EAGAIN: all are taken, but no batch is free for the rest of the records (`pending`),
 * -ENOMEM: what could not be put aside was counted as dropped_pressure, or what the framer said
 * (-EPROTO: not our protocol)
 */
int sqd_cutter_cut(struct sqd_cutter *k, size_t n) SQ_MUST_CHECK;

/** Bytes that lie elsewhere (unpacked, in a scratch buffer): all are taken, also with -EAGAIN; so
 *  give no more than a piece, and no other piece until it has been resumed. As sqd_cutter_cut(). */
int sqd_cutter_put(struct sqd_cutter *k, struct sq_sv bytes) SQ_MUST_CHECK;

/** No more bytes will come: what is left is the last record. As sqd_cutter_cut(). */
int sqd_cutter_end(struct sqd_cutter *k) SQ_MUST_CHECK;

/** Batches are free: go on with what is pending. As sqd_cutter_cut(). */
int sqd_cutter_resume(struct sqd_cutter *k) SQ_MUST_CHECK;

/** What is carried: the beginning of a record, or records that are pending. */
static inline struct sq_sv sqd_cutter_rest(const struct sqd_cutter *k)
{
	return (struct sq_sv){ k->carry, k->len };
}

/** Records that found no batch are counted as received and dropped_shutdown; then as reset. */
void sqd_cutter_lose(struct sqd_cutter *k);

/** Forget what is carried, uncounted, and begin anew with the same settings; `records` and
 *  `oversized` stay. It owns nothing then. */
void sqd_cutter_reset(struct sqd_cutter *k);
