/* The second way to read JSON: by the positions of its tokens (lib/text/bits.h) instead of yajl.
 *
 * Private to lib/model. It stands where sq_json_read() stands and drives the same sink, the tree of
 * places (walk.h): what a path means, what becomes of a key given twice, of an array, of a text
 * that holds an event, is decided by the same code for both. Of its own it has only how tokens are
 * found, and a memory of which key follows which, so that nearly every key is known by one
 * comparison.
 *
 * It either reads the value to its end, every token of it, and has told the sink exactly what yajl
 * would have; or it says that it is not certain, and the record is to be read anew by yajl. Not
 * certain are
 *   - all texts that yajl refuses: skim never has a verdict "malformed" of its own, and there is no
 *     malformed record that it does not notice. (Also some that yajl accepts: vertical tabs and
 * form feeds between tokens, and control characters or broken strings behind the value, as far as
 *     they lie within one window.)
 *   - an escape in a key, where the key matters
 *   - an escaped surrogate (\ud800 to \udfff) in a wanted value, and a wanted value with escapes
 *     that is longer than SQ_SKIM_VALUE_MAX
 *   - texts of SQ_BITS_TEXT_MAX bytes and more; limits of depth or keys exceeded
 * As with yajl, bytes of strings that are not UTF-8 pass as they are.
 *
 * With a set of wanted fields the rest is passed over: values that would fill none of them are not
 * unescaped and not put. What they would have done to the event beside their value (hints but for
 * SQ_HINT_NONE, n_data, an event in a text) is done all the same.
 */
#pragma once

#include "lib/model/walk.h"
#include "lib/text/bits.h"

enum { SQ_SKIM_VALUE_MAX = 64 * 1024 };

struct sq_skim_opts {
	struct sq_json_limits limits;
	const struct sq_skim_want *want; /* kept; NULL: everything */
	const struct sq_bits_body *body; /* NULL: the best that this CPU runs */
};

/** Which values are to be put. */
struct sq_skim_want {
	uint64_t fields[SQ_FIELDS_MAX / 64]; /* a bit for each field number */
	bool aux;                            /* values of which fields are made (enum sq_aux) */
};

static inline void sq_skim_want_field(struct sq_skim_want *w, uint32_t field)
{
	w->fields[field / 64] |= (uint64_t)1 << field % 64;
}

/** `field`: a number, or one of enum sq_aux. */
static inline bool sq_skim_wants(const struct sq_skim_want *w, uint32_t field)
{
	if (!w)
		return true;
	if (field >= SQ_AUX_BASE)
		return w->aux || field == SQ_AUX_PAIR_NAME || field == SQ_AUX_PAIR_VALUE;
	return w->fields[field / 64] >> field % 64 & 1;
}

struct sq_skim;

/** `walk` is kept; it must be ready (whether its collect takes `all` counts), and its fields must
 * not change. NULL: out of memory. */
struct sq_skim *sq_skim_new(struct sq_walk *walk, const struct sq_skim_opts *opts);
void sq_skim_free(struct sq_skim *s);

/**
 * Read the first value of `text`, which must be an object or an array, after sq_walk_begin().
 *
 * @param ret_used  set when certain: bytes read, which end right after the value
 * @return true: read; false: not certain. What has been collected is then to be forgotten
 */
bool sq_skim_read(struct sq_skim *s, struct sq_sv text, size_t *ret_used);
