/* What the files of the framer share: frame.c cuts, frame_quick.c follows brackets of an object
 * that has not come to the end of its first line, many bytes at a time.
 */
#pragma once

#include "lib/wire/frame.h"

enum sq_frame_phase { SQ_FRAME_OUTSIDE, SQ_FRAME_STRING, SQ_FRAME_ESCAPE };

enum { SQ_FRAME_TYPED_DEPTH = 64 }; /* brackets whose kind is remembered */

static inline void sq_frame_open_bracket(struct sq_frame *f, char c)
{
	if (f->depth < SQ_FRAME_TYPED_DEPTH) {
		uint64_t bit = (uint64_t)1 << f->depth;

		f->containers = c == '{' ? f->containers | bit : f->containers & ~bit;
	}
	f->depth++;
}

/**
 * Follow brackets and quotes from f->scanned on, as frame.c does it byte by byte, to the end of the
 * object or as far as whole blocks of 64 bytes go. There is no LF and no NUL in `v`, and was none
 * in what was scanned before.
 *
 * f->scanned is set to how far that is.
 *
 * @return true: the object ends there; false: nothing is said of what lies behind it
 */
bool sq_frame_quick(struct sq_frame *f, struct sq_sv v) SQ_MUST_CHECK;
