#include "lib/text/windows.h"

#include "lib/text/typical.h"

enum {
	CHARACTERS = 128,
	BITS = 64,
	TEXT_BITS = (SQ_TYPICAL_TEXT + BITS - 1) / BITS,
};

/* A place that is none costs as much, of one, on CPUs that look up bytes by few of their bits. */
static const double in_vain = 0.3;

/* Where in that text each character stands, bit by place. */
struct places {
	uint64_t of[CHARACTERS][TEXT_BITS + 1];
};

/* What the windows of one bucket allow at each offset. */
struct window {
	bool has[SQ_SPOT_WIDTH][CHARACTERS];
};

/* A word of three bytes leaves the last one open. */
static size_t width_of(struct sq_sv word)
{
	return word.n < SQ_SPOT_WIDTH ? word.n : SQ_SPOT_WIDTH;
}

static void find_typical(struct places *p)
{
	memset(p, 0, sizeof(*p));
	for (size_t i = 0; i < SQ_TYPICAL_TEXT; i++)
		p->of[(unsigned char)sq_typical_text[i]][i / BITS] |= UINT64_C(1) << i % BITS;
}

static void add_word(struct window *w, struct sq_sv word, size_t off)
{
	for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++) {
		if (i < word.n)
			w->has[i][(unsigned char)word.p[off + i]] = true;
		else
			memset(w->has[i], true, sizeof(w->has[i]));
	}
}

/* How much is found, were characters independent of each other. */
static double often(const struct window *w)
{
	double r = 1;

	for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++) {
		double sum = 0;

		for (unsigned c = 0; c < CHARACTERS; c++)
			sum += w->has[i][c] ? sq_typical_char((unsigned char)c) : 0;
		r *= sum > 1 ? 1 : sum;
	}
	return r;
}

/* Windows of the text that have an allowed character at their byte `i`. */
static void standing(const struct places *p, const bool has[CHARACTERS], unsigned i,
                     uint64_t ret[TEXT_BITS])
{
	memset(ret, 0, TEXT_BITS * sizeof(*ret));
	for (unsigned c = 0; c < CHARACTERS; c++)
		for (unsigned k = 0; has[c] && k < TEXT_BITS; k++)
			ret[k] |=
				i ? p->of[c][k] >> i | p->of[c][k + 1] << (BITS - i) : p->of[c][k];
}

/* How much of the text is found. */
static double typically(const struct places *p, const struct window *w)
{
	uint64_t all[TEXT_BITS], here[TEXT_BITS];
	int n = 0;

	memset(all, 0xff, sizeof(all));
	for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++) {
		standing(p, w->has[i], i, here);
		for (unsigned k = 0; k < TEXT_BITS; k++)
			all[k] &= here[k];
	}
	for (unsigned k = 0; k < TEXT_BITS; k++)
		n += __builtin_popcountll(all[k]);
	return (double)n / SQ_TYPICAL_TEXT;
}

/* The same by tables of bits, of letters in either case. */
static double typically_by_bits(const struct places *p, const struct window *w)
{
	struct window likely;

	for (unsigned i = 0; i < SQ_SPOT_WIDTH; i++) {
		unsigned low = 0, mixed = 0;

		for (unsigned c = 0; c < CHARACTERS; c++) {
			if (!w->has[i][c])
				continue;
			low |= 1u << sq_spot_low(c);
			mixed |= 1u << sq_spot_mixed(c);
			if (c >= 'a' && c <= 'z')
				mixed |= 1u << sq_spot_mixed(c - 'a' + 'A');
		}
		for (unsigned c = 0; c < CHARACTERS; c++)
			likely.has[i][c] = low >> sq_spot_low(c) & mixed >> sq_spot_mixed(c) & 1;
	}
	return typically(p, &likely);
}

double sq_windows_place(const struct sq_sv *words, uint32_t n, const uint8_t *without,
                        unsigned bucket, uint8_t *ret_bucket, uint8_t *ret_off)
{
	struct window buckets[SQ_SPOT_BUCKETS] = { 0 };
	double cost[SQ_SPOT_BUCKETS] = { 0 }, all = 0; /* cost: by all three */
	struct places places;

	find_typical(&places);
	for (uint32_t k = 0; k < n; k++) {
		struct sq_sv word = words[k];
		double best = 1e9;

		if (without[k])
			continue;
		ret_bucket[k] = (uint8_t)bucket;
		for (unsigned b = bucket; b < SQ_SPOT_BUCKETS; b++) {
			for (size_t off = 0; off + width_of(word) <= word.n; off++) {
				struct window with = buckets[b];
				double more;

				add_word(&with, word, off);
				more = often(&with) - cost[b];
				if (more < best)
					more += typically(&places, &with);
				if (more < best)
					more += in_vain * typically_by_bits(&places, &with);
				if (more < best) {
					best = more;
					ret_bucket[k] = (uint8_t)b;
					ret_off[k] = (uint8_t)off;
				}
			}
		}
		add_word(&buckets[ret_bucket[k]], word, ret_off[k]);
		cost[ret_bucket[k]] += best;
	}
	for (unsigned b = bucket; b < SQ_SPOT_BUCKETS; b++)
		all += often(&buckets[b]);
	return all;
}
