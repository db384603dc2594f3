#include "lib/text/words.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/text/grams.h"
#include "lib/text/hashes.h"
#include "lib/text/typical.h"
#include "lib/text/windows.h"

/* How a word is found. */
enum way {
	WAY_WINDOW, /* by a window of the spot */
	WAY_STEP,   /* by any four of its first seven bytes, looked up at every fourth byte */
	WAY_GRAM,   /* by its rarest four bytes, looked up everywhere */
};

enum {
	FEW = 160,      /* words that are tried as windows */
	SHORT = 40,     /* of many, those that are found by windows none the less */
	GRAM = SQ_GRAM, /* bytes of a piece; by steps one is looked up every so many bytes */
	PIECE_MIN = 2 * GRAM - 1, /* bytes of a word that holds one wherever it begins */
	WINDOWS_LOG = 12,         /* bits of the filter of what stands in windows: 512 bytes */
};

/* Places of one in so many bytes are as many as can be looked at closely for next to nothing. */
static const double places_max = 1.0 / 300;

/* A piece of a word: its place in the chain of pieces that hash alike. */
struct piece {
	uint32_t gram, word, next; /* gram: as sq_hashes_piece(); next: 1 + index; 0: none */
	uint8_t off;
};

/* The pieces of one way. Of WAY_GRAM they are few, and their set stays in the nearest cache. */
struct pieces {
	struct sq_hashes hashes;
	unsigned log;    /* bits of a hash that choose a chain */
	uint32_t *heads; /* of chains: 1 + index of a piece */
	struct piece *list;
	uint32_t n;
};

struct sq_words {
	struct sq_sv *list;
	char *bytes; /* of its words */
	uint32_t n;

	/* Windows: words of bucket b are by_bucket[first[b]] up to first[b + 1]. */
	uint32_t first[SQ_SPOT_BUCKETS + 1];
	uint32_t *by_bucket;
	uint8_t *window; /* by word: where in it the window begins, or the piece of WAY_GRAM */
	uint32_t *gram;  /* by word: what stands there, as sq_hashes_piece(); 0: it is shorter */
	uint64_t windows[(1 << WINDOWS_LOG) / 64]; /* a filter of those */
	unsigned shorter;                          /* buckets that have words without one */

	struct pieces steps, grams; /* of WAY_STEP, of WAY_GRAM */
	struct sq_grams filter;     /* of the latter */
};

/* ---- windows ----------------------------------------------------------------------------- */

static void allow(struct sq_spot *spot, unsigned bucket, unsigned at, unsigned char c)
{
	sq_spot_allow(spot, bucket, at, c);
	if (c >= 'a' && c <= 'z')
		sq_spot_allow(spot, bucket, at, (unsigned char)(c - 'a' + 'A'));
}

static bool may_be_window(const struct sq_words *w, uint32_t gram)
{
	uint32_t h = sq_hashes_of(gram, WINDOWS_LOG);

	return w->windows[h >> 6] >> (h & 63) & 1;
}

static void write_windows(struct sq_words *w, const uint8_t *way, const uint8_t *bucket_of,
                          struct sq_spot *spot)
{
	uint32_t n = 0;

	for (unsigned b = 0; b < SQ_SPOT_BUCKETS; b++) {
		w->first[b] = n;
		for (uint32_t k = 0; k < w->n; k++) {
			struct sq_sv word = w->list[k];

			if (way[k] || bucket_of[k] != b)
				continue;
			w->by_bucket[n++] = k;
			if (word.n < GRAM) {
				w->shorter |= 1u << b;
			} else {
				uint32_t h;

				w->gram[k] = sq_hashes_piece(word.p + w->window[k]);
				h = sq_hashes_of(w->gram[k], WINDOWS_LOG);
				w->windows[h >> 6] |= UINT64_C(1) << (h & 63);
			}
			for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++)
				for (unsigned c = 0; c < 256; c++)
					if (i >= word.n ||
					    c == (unsigned char)word.p[w->window[k] + i])
						allow(spot, b, i, (unsigned char)c);
		}
	}
	w->first[SQ_SPOT_BUCKETS] = n;
}

/* ---- pieces ------------------------------------------------------------------------------ */

/* @return 0 or -ENOMEM */
static int pieces_init(struct pieces *p, uint32_t n)
{
	if (!n)
		return 0;
	if (!sq_hashes_init(&p->hashes, n))
		return -ENOMEM;
	p->log = 1;
	while (1u << p->log < 2 * n)
		p->log++;
	p->heads = calloc((size_t)1 << p->log, sizeof(*p->heads));
	p->list = calloc(n, sizeof(*p->list));
	return p->heads && p->list ? 0 : -ENOMEM;
}

static void pieces_fini(struct pieces *p)
{
	sq_hashes_fini(&p->hashes);
	free(p->heads);
	free(p->list);
}

static void put_piece(struct pieces *p, const char *gram, uint32_t word, size_t off)
{
	uint32_t h = sq_hashes_of(sq_hashes_piece(gram), p->log);

	(void)sq_hashes_add(&p->hashes, gram);
	p->list[p->n] = (struct piece){ .gram = sq_hashes_piece(gram),
		                        .word = word,
		                        .next = p->heads[h],
		                        .off = (uint8_t)off };
	p->heads[h] = ++p->n;
}

/* Where in a word `n` pieces begin, one behind the other, that are together the rarest. */
static size_t rarest(const struct sq_typical *typical, struct sq_sv word, unsigned n)
{
	size_t best = 0;
	double least = n;

	for (size_t off = 0; off + n - 1 + GRAM <= word.n; off++) {
		double r = 0;

		for (unsigned i = 0; i < n; i++)
			r += sq_typical_gram(typical, word.p + off + i);
		if (r < least) {
			least = r;
			best = off;
		}
	}
	return best;
}

/* @return 0 or -ENOMEM */
static int make_pieces(struct sq_words *w, const uint8_t *way)
{
	struct sq_typical typical;
	uint32_t steps = 0, grams = 0;

	for (uint32_t k = 0; k < w->n; k++) {
		steps += way[k] == WAY_STEP;
		grams += way[k] == WAY_GRAM;
	}
	if (!steps && !grams)
		return 0;
	if (pieces_init(&w->steps, steps * GRAM) || pieces_init(&w->grams, grams))
		return -ENOMEM;
	sq_typical_init(&typical);
	for (uint32_t k = 0; k < w->n; k++) {
		unsigned n = way[k] == WAY_STEP ? GRAM : way[k] == WAY_GRAM;
		size_t off = rarest(&typical, w->list[k], n);

		for (unsigned i = 0; way[k] == WAY_STEP && i < n; i++)
			put_piece(&w->steps, w->list[k].p + off + i, k, off + i);
		if (way[k] != WAY_GRAM)
			continue;
		put_piece(&w->grams, w->list[k].p + off, k, off);
		sq_grams_add(&w->filter, w->list[k].p + off, grams);
	}
	return 0;
}

/* ---- all --------------------------------------------------------------------------------- */

static bool copy_list(struct sq_words *w, const struct sq_sv *list)
{
	size_t bytes = 0;
	char *to;

	for (uint32_t k = 0; k < w->n; k++)
		bytes += list[k].n;
	w->list = calloc(w->n, sizeof(*w->list));
	w->bytes = malloc(bytes);
	if (!w->list || !w->bytes)
		return false;
	to = w->bytes;
	for (uint32_t k = 0; k < w->n; k++) {
		sq_assert(list[k].n >= SQ_WORD_MIN && list[k].n <= SQ_WORD_MAX);
		memcpy(to, list[k].p, list[k].n);
		w->list[k] = (struct sq_sv){ to, list[k].n };
		to += list[k].n;
	}
	return true;
}

/* Of many words. By windows go those that have no four bytes, and few others. */
static enum way way_of(size_t len, bool all_by_gram, bool short_by_gram)
{
	if (len < GRAM)
		return WAY_WINDOW;
	if (all_by_gram)
		return WAY_GRAM;
	if (len >= PIECE_MIN)
		return WAY_STEP;
	return short_by_gram ? WAY_GRAM : WAY_WINDOW;
}

/* How each word is found. @return false: too many would be by windows */
static bool choose_ways(struct sq_words *w, unsigned bucket, uint8_t *way, uint8_t *bucket_of)
{
	uint32_t tiny = 0, shorts = 0, windows = 0;
	bool all_by_gram, short_by_gram;

	if (w->n <= FEW &&
	    sq_windows_place(w->list, w->n, way, bucket, bucket_of, w->window) <= places_max)
		return true;
	for (uint32_t k = 0; k < w->n; k++) {
		tiny += w->list[k].n < GRAM;
		shorts += w->list[k].n < PIECE_MIN;
	}
	all_by_gram = w->n - tiny <= SQ_GRAMS_MAX;
	short_by_gram = shorts - tiny <= SQ_GRAMS_MAX && shorts > SHORT;
	for (uint32_t k = 0; k < w->n; k++) {
		way[k] = (uint8_t)way_of(w->list[k].n, all_by_gram, short_by_gram);
		windows += way[k] == WAY_WINDOW;
	}
	if (windows <= SHORT)
		(void)sq_windows_place(w->list, w->n, way, bucket, bucket_of, w->window);
	return windows <= SHORT;
}

int sq_words_new(struct sq_words **ret, const struct sq_sv *list, uint32_t n, struct sq_spot *spot,
                 unsigned bucket)
{
	struct sq_words *w = calloc(1, sizeof(*w));
	uint8_t *way = calloc(n, 1), *bucket_of = calloc(n, 1);
	int r = w && way && bucket_of ? 0 : -ENOMEM;

	sq_assert(n > 0 && bucket < SQ_SPOT_BUCKETS);
	if (!r) {
		w->n = n;
		w->window = calloc(n, 1);
		w->gram = calloc(n, sizeof(*w->gram));
		w->by_bucket = calloc(n, sizeof(*w->by_bucket));
		if (!w->window || !w->gram || !w->by_bucket || !copy_list(w, list))
			r = -ENOMEM;
	}
	if (!r && !choose_ways(w, bucket, way, bucket_of))
		r = -E2BIG;
	if (!r)
		r = make_pieces(w, way);
	if (!r)
		write_windows(w, way, bucket_of, spot);
	free(way);
	free(bucket_of);
	if (r) {
		sq_words_free(w);
		w = NULL;
	}
	*ret = w;
	return r;
}

void sq_words_free(struct sq_words *w)
{
	if (!w)
		return;
	pieces_fini(&w->steps);
	pieces_fini(&w->grams);
	free(w->window);
	free(w->gram);
	free(w->by_bucket);
	free(w->list);
	free(w->bytes);
	free(w);
}

static bool stands_at(struct sq_sv text, size_t at, size_t off, struct sq_sv word)
{
	return at >= off && text.n - (at - off) >= word.n &&
	       sq_sv_ieq((struct sq_sv){ text.p + (at - off), word.n }, word);
}

bool sq_words_at(const struct sq_words *w, struct sq_sv text, size_t at, unsigned buckets,
                 sq_words_found_fn *found, void *ctx)
{
	uint32_t gram = text.n - at < GRAM ? 0 : sq_hashes_piece(text.p + at);

	/* Most are only like one: the windows of a bucket find mixtures of its words, too. */
	if (!(buckets & w->shorter) && !may_be_window(w, gram))
		return false;
	for (; buckets; buckets &= buckets - 1) {
		unsigned b = (unsigned)__builtin_ctz(buckets);

		for (uint32_t i = w->first[b]; i < w->first[b + 1]; i++) {
			uint32_t k = w->by_bucket[i];

			if (w->gram[k] && w->gram[k] != gram)
				continue;
			if (stands_at(text, at, w->window[k], w->list[k]) &&
			    found(ctx, k, at - w->window[k]))
				return true;
		}
	}
	return false;
}

unsigned sq_words_searches(const struct sq_words *w)
{
	return (w->steps.n > 0) + (w->grams.n > 0);
}

struct sq_sv sq_words_text(const struct sq_words *w, uint32_t word)
{
	return w->list[word];
}

/* A search through one text. */
struct search {
	const struct sq_words *words;
	const struct pieces *pieces;
	struct sq_sv text;
	sq_words_found_fn *found;
	void *ctx;
};

/* Words that have the piece at `at`. @return where to go on looking, or 0 */
static size_t look_at_piece(const struct search *s, size_t at)
{
	const struct pieces *pieces = s->pieces;
	uint32_t gram = sq_hashes_piece(s->text.p + at);

	for (uint32_t i = pieces->heads[sq_hashes_of(gram, pieces->log)]; i;
	     i = pieces->list[i - 1].next) {
		const struct piece *p = &pieces->list[i - 1];
		size_t to =
			p->gram == gram && stands_at(s->text, at, p->off, s->words->list[p->word])
				? s->found(s->ctx, p->word, at - p->off)
				: 0;

		if (to)
			return to;
	}
	return 0;
}

/* At every `step`-th byte: 1 or SQ_HASHES_STEP. */
static void search_by_hash(const struct search *s, unsigned step)
{
	const struct sq_hashes *h = &s->pieces->hashes;
	struct sq_sv text = s->text;
	size_t i = 0, go_on = 0, to;

	for (; i + SQ_HASHES_READ <= text.n; i += SQ_HASHES_BLOCK) {
		const char *p = text.p + i;
		uint64_t bits = i + SQ_HASHES_BLOCK <= go_on ? 0
		                : step == 1                  ? sq_hashes_block(h, p)
		                                             : sq_hashes_steps(h, p);

		for (; bits; bits &= bits - 1) {
			size_t at = i + (size_t)__builtin_ctzll(bits) * step;

			to = at < go_on ? 0 : look_at_piece(s, at);
			go_on = to > go_on ? to : go_on;
		}
	}
	for (i = i > go_on ? i : go_on; i + GRAM <= text.n; i = to > i ? to : i + step)
		to = sq_hashes_at(h, text.p + i) ? look_at_piece(s, i) : 0;
}

/* Everywhere, where the CPU has instructions for sq_grams. */
static void search_by_grams(const struct search *s)
{
	uint32_t places[SQ_GRAMS_ROOM];
	size_t at = 0, go_on = 0;

	while (at < s->text.n) {
		uint32_t n = sq_grams_next(&s->words->filter, s->text, &at, places);

		for (uint32_t i = 0; i < n; i++) {
			size_t to;

			if (SQ_LIKELY(!sq_hashes_at(&s->pieces->hashes, s->text.p + places[i])) ||
			    places[i] < go_on)
				continue;
			to = look_at_piece(s, places[i]);
			go_on = to > go_on ? to : go_on;
		}
	}
}

void sq_words_search(const struct sq_words *w, unsigned number, struct sq_sv text,
                     sq_words_found_fn *found, void *ctx)
{
	bool by_steps = number == 0 && w->steps.n;
	const struct search s = { w, by_steps ? &w->steps : &w->grams, text, found, ctx };

	if (!by_steps && sq_grams_are_quick())
		search_by_grams(&s);
	else
		search_by_hash(&s, by_steps ? SQ_HASHES_STEP : 1);
}
