/* Lumberjack version 2 from the side of the client: windows made, acknowledgements read.
 *
 *	'2' 'W' count, then `count` events '2' 'J' seq length JSON (or all of them in one '2' 'C'),
 *	and the server answers '2' 'A' seq: it has the events of this window up to `seq`. '2' 'A' 0
 *	says that it is still at it.
 *
 * Sequence numbers begin with 1 in each window, as those of Beats do: servers answer with the count
 * of a window, whatever its events are numbered. Facts and other servers: docs/formats.md.
 *
 * Pure: no I/O, no clock. Memory is what the greatest window took, kept for the next.
 */
#pragma once

#include "lib/base/outbuf.h"

struct sq_lumber_out {
	struct sq_outbuf plain;  /* the window without compression */
	struct sq_outbuf packed; /* the window with it */
	uint32_t count;          /* events so far */
	size_t open_at;          /* where the frame begins that is being written */
};

/** @param max  bytes of a window, and as many again when it is compressed */
struct sq_lumber_out sq_lumber_out_of(size_t max);
void sq_lumber_out_fini(struct sq_lumber_out *o);

/** Forget the events: a new window. */
void sq_lumber_out_reset(struct sq_lumber_out *o);

/** One more event, a JSON object. What does not fit is told by sq_lumber_out_end(). */
void sq_lumber_out_add(struct sq_lumber_out *o, struct sq_sv json);

/** The same for who writes the event himself: to what is returned, between these two. */
struct sq_outbuf *sq_lumber_out_open(struct sq_lumber_out *o);
void sq_lumber_out_close(struct sq_lumber_out *o);

/**
 * The window as it is sent. May be called again, with another level too.
 *
 * @param level  0: as it is; 1 to 9: as zlib compresses
 * @param ret    valid until the next reset, add or end
 * @return 0, -ENOMEM (or longer than max)
 */
int sq_lumber_out_end(struct sq_lumber_out *o, int level, struct sq_sv *ret) SQ_MUST_CHECK;

/** Bytes of events and their frames so far. */
size_t sq_lumber_out_bytes(const struct sq_lumber_out *o);

/** What came of an acknowledgement that is not whole yet. Zero to begin with. */
struct sq_lumber_acked {
	unsigned char bytes[6];
	uint8_t n;
};

/** Take the next acknowledgement off the front of `*in`. @return 1: `*ret_seq`; 0: all is used and
 *  more is needed; -EPROTO: this is none of Lumberjack version 2 */
int sq_lumber_acked_next(struct sq_lumber_acked *a, struct sq_sv *in,
                         uint32_t *ret_seq) SQ_MUST_CHECK;
