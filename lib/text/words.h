/* Finds out whether one of many words stands in a text, letters of ASCII in either case.
 *
 * Pure. Few words become windows of a sq_spot, each by those of its bytes that are rarest in
 * Windows events. Too many would be found everywhere in that way. Up to SQ_GRAMS_MAX are then found
 * by the rarest four bytes of each, looked up at every byte (grams.h, or hashes.h where the CPU has
 * no instructions for that). Of still more the long ones are found by a table of four-byte pieces,
 * of which only every fourth of the text need be looked up when words have seven bytes or more (a
 * word of seven bytes holds a whole aligned piece, wherever it begins; Wu and Manber, "A fast
 * algorithm for multi-pattern searching", 1994, with a fixed step).
 */
#pragma once

#include "lib/text/spot.h"

enum { SQ_WORD_MIN = 3, SQ_WORD_MAX = 255 /* bytes of a word */ };

struct sq_words;

/**
 * `list` (n > 0; SQ_WORD_MIN to SQ_WORD_MAX bytes each, letters in lower case, ASCII, no control
 * characters) is copied.
 *
 * @param spot     gets windows in its buckets from `bucket` on; sq_spot_ready() is for the caller
 * @return 0 with `*ret`; -ENOMEM; -E2BIG: too many short ones to be found any faster than reading
 */
int sq_words_new(struct sq_words **ret, const struct sq_sv *list, uint32_t n, struct sq_spot *spot,
                 unsigned bucket) SQ_MUST_CHECK;
void sq_words_free(struct sq_words *w);

/**
 * A word stands at `at`. @return 0: it will not do, others are looked for; else where to go on
 * looking, in a search
 */
typedef size_t sq_words_found_fn(void *ctx, uint32_t word, size_t at);

/** Does a word stand in `text` whose window in one of `buckets` (a mask, as of sq_spot_at()) begins
 *  at `at`, and that `found` takes? */
bool sq_words_at(const struct sq_words *w, struct sq_sv text, size_t at, unsigned buckets,
                 sq_words_found_fn *found, void *ctx);

enum { SQ_WORDS_SEARCHES = 2 };

/** How many searches must be made for words that are not found by windows: 0 to that. */
unsigned sq_words_searches(const struct sq_words *w);

/** Search number `number` (from 0) through `text`, from its beginning to its end. A word that
 *  stands there may be found by several. */
void sq_words_search(const struct sq_words *w, unsigned number, struct sq_sv text,
                     sq_words_found_fn *found, void *ctx);

struct sq_sv sq_words_text(const struct sq_words *w, uint32_t word);
