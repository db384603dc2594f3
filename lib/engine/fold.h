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

/** All of the table is allocated here; texts of repeats later, up to `bytes`. With no entries every
 *  alert passes. @return NULL: out of memory; else ended by sq_fold_free(), which takes NULL too */
struct sq_fold *sq_fold_new(const struct sq_fold_limits *limits);
void sq_fold_free(struct sq_fold *f);

/** Borrows `ref` and `out`, the bytes that its texts lie in.
 *  @return true: send it; false: it was counted (and its text kept to be given at the end) */
bool sq_fold_pass(struct sq_fold *f, const struct sq_alert_ref *ref, const char *out,
                  struct sq_now now);

/** What to send for repeats. The views are valid during the call that gives them. */
struct sq_folded {
	enum sq_format format;
	unsigned to;       /* whom: SQ_TO_STREAMS, SQ_TO_DATAGRAMS */
	uint8_t level;     /* enum sq_level */
	uint64_t id[2];    /* of its own, not of an alert (event_id.h); zero: the alerts had none */
	struct sq_sv host; /* as sq_alert_ref.host */
	struct sq_sv text; /* with the count and the id in their places */
};

/** Called for each window that has ended with repeats, once for each of its texts. @return false:
 *  give no other window for now (the texts of this one are still given) */
typedef bool sq_fold_emit_fn(void *ctx, const struct sq_folded *what);

/** Give what is due (all of it when `all`, on the way down). @return ns until the next is due (0
 *  when `emit` stopped it), or UINT64_MAX */
uint64_t sq_fold_expire(struct sq_fold *f, struct sq_now now, bool all, sq_fold_emit_fn *emit,
                        void *ctx);
