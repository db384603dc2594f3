/* One alert, in every format that somebody wants, into the output of its batch.
 */
#pragma once

#include "lib/engine/pipeline.h"

enum { SQ_ENCODE_SMALL = 256 }; /* bytes of a value in an alert that hardly fits at all */

/** The host's name of the event, for all of its alerts. All zero to begin with; good until the
 *  batch's output is cut back to before the first of them. */
struct sq_encode_host {
	uint32_t at, n; /* in sq_batch.out */
	bool written;
};

/** Append. @return false: it does not fit, and the caller cuts the output back to what it was */
bool sq_encode(struct sq_batch *b, const struct sq_pipeline_opts *opts, const struct sq_alert *al,
               struct sq_encode_host *host) SQ_MUST_CHECK;
