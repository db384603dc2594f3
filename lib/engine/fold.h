/* The same alert again within a window: count, don't send.
 *
 * The first of a kind (rule, host, command line) passes at once; repeats within the window are
 * counted; when the window ends the last of them is given once, with the count. Bounded: a full
 * table lets alerts pass. Pure: time is an argument. Main loop only.
 */
#pragma once

#include "lib/base/time.h"
#include "lib/model/batch.h"

struct sq_fold;

struct sq_fold_limits {
	uint64_t window_ns;
	uint32_t entries; /* kinds remembered at one time */
	uint64_t bytes;   /* of remembered alerts */
};

struct sq_fold *sq_fold_new(const struct sq_fold_limits *limits);
void sq_fold_free(struct sq_fold *f);

/** @return true: send it; false: it was counted (and its text kept to be given at the end) */
bool sq_fold_pass(struct sq_fold *f, const struct sq_alert_ref *ref, const char *out,
                  struct sq_now now);

/** Called for each window that has ended with repeats. `text` is what to send in format f to those
 *  of `to` (SQ_TO_STREAMS, SQ_TO_DATAGRAMS), the count in its place; valid during the call. @return
 * false: give no other for now (the formats of this one are still given) */
typedef bool sq_fold_emit_fn(void *ctx, enum sq_format f, unsigned to, uint8_t level,
                             struct sq_sv text);

/** Give what is due (all of it when `all`, on the way down). @return ns until the next is due (0
 *  when `emit` stopped it), or UINT64_MAX */
uint64_t sq_fold_expire(struct sq_fold *f, struct sq_now now, bool all, sq_fold_emit_fn *emit,
                        void *ctx);
