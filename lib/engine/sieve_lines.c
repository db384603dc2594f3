/* Whole lines of objects: cut and looked at in one pass.
 *
 * Words that are found by searches are looked for first, a piece of some lines after the other
 * while it is in the cache: which lines those speak for is noted, and asked when the line is cut.
 */
#include "lib/engine/sieve_private.h"

enum {
	PIECE = 64 << 10, /* bytes */
	SPOKEN_MAX = 512, /* lines of a piece that are kept for such words */
};

/* Lines that a search speaks for, by where they begin in their piece, ascending. */
struct spoken {
	uint32_t begins[SPOKEN_MAX];
	uint32_t n, next;
};

/* A record that the framer cuts without looking inside. */
static bool is_plain(struct sq_sv line, uint32_t max_record)
{
	return line.n && line.n <= max_record && line.p[0] == '{' && line.p[line.n - 1] == '}';
}

/* What sq_sieve_lines() is about. */
struct lines {
	const struct sq_sieve *sieve;
	struct sq_batch *batch;
	uint32_t origin, max_record;
	sq_sieve_chosen_fn *chosen;
	void *ctx;
	uint32_t n, left_out;
	struct spoken spoken[SQ_WORDS_SEARCHES];
};

/* A search through a piece. */
struct search {
	struct spoken *to;
	struct sq_sv text;
	struct sq_look look; /* at the line that the last word was in */
	bool full;
};

/* The line that has the byte at `at`, without its end. */
static struct sq_sv line_at(struct sq_sv text, size_t at, size_t *ret_end)
{
	const char *before = memrchr(text.p, '\n', at),
		   *end = memchr(text.p + at, '\n', text.n - at);
	const char *begin = before ? before + 1 : text.p;

	*ret_end = end ? (size_t)(end - text.p) : text.n;
	return (struct sq_sv){ begin, *ret_end - (size_t)(begin - text.p) };
}

static size_t on_word(void *ctx, uint32_t word, size_t at)
{
	struct search *s = ctx;
	size_t end;
	struct sq_sv line = line_at(s->text, at, &end);

	if (s->look.record.p != line.p)
		sq_look_for(&s->look, s->look.sieve, line);
	if (!sq_look_wants(&s->look, word))
		return 0;
	s->full |= s->to->n == SPOKEN_MAX;
	if (s->full)
		return s->text.n;
	s->to->begins[s->to->n++] = (uint32_t)(line.p - s->text.p);
	return end;
}

/* @return false: too many lines */
static bool search(struct lines *t, struct sq_sv text)
{
	const struct sq_words *words = t->sieve->words;
	bool full = false;

	for (unsigned k = 0; words && k < sq_words_searches(words); k++) {
		struct search s = { &t->spoken[k], text, { .sieve = t->sieve }, false };

		t->spoken[k].n = t->spoken[k].next = 0;
		sq_words_search(words, k, text, on_word, &s);
		full |= s.full;
	}
	return !full;
}

/* Lines are asked for in their order. */
static bool is_spoken_for(struct lines *t, size_t begin)
{
	bool is = false;

	for (unsigned k = 0; k < SQ_LEN(t->spoken); k++) {
		struct spoken *s = &t->spoken[k];

		while (s->next < s->n && s->begins[s->next] < begin)
			s->next++;
		is |= s->next < s->n && s->begins[s->next] == begin;
	}
	return is;
}

/* The line from `begin` on, with the places in it. @return false: there is no room for it */
static bool add_line(struct lines *t, struct sq_sv line, const uint32_t *places, uint32_t n,
                     size_t begin)
{
	struct sq_batch *b = t->batch;
	bool kept = is_spoken_for(t, begin), check;
	struct sq_look l;

	sq_look_for(&l, t->sieve, line);
	for (uint32_t i = 0; i < n && !kept; i++)
		kept = places[i] - begin < line.n && sq_look_at(&l, places[i] - begin);
	check = !kept && t->chosen && t->chosen(t->ctx);
	t->n++;
	if (!kept && !check) {
		t->left_out++;
		return true;
	}
	if (b->n_records == b->limits.records)
		return false;
	b->records[b->n_records++] = (struct sq_record){
		.raw = line, .origin = t->origin, .left_out = check, .check = check
	};
	return true;
}

/* Cut a piece. @return as sq_sieve_lines(); what has been added is not taken back */
static bool add_piece(struct lines *t, struct sq_sv text)
{
	uint32_t places[2 * SQ_SPOT_ROOM], n = 0;
	size_t at = 0, begin = 0;

	while (at < text.n && n <= SQ_SPOT_ROOM) {
		uint32_t all = n + sq_spot_next(&t->sieve->lines, text, &at, places + n), first = 0;

		for (uint32_t i = n; i < all; i++) {
			struct sq_sv line = { text.p + begin, places[i] - begin };
			char end = text.p[places[i]];

			if (SQ_LIKELY(end != '\n' && end))
				continue;
			if (line.n && line.p[line.n - 1] == '\r')
				line.n--;
			if (!end || !is_plain(line, t->max_record) ||
			    !add_line(t, line, places + first, i - first, begin))
				return false;
			first = i + 1;
			begin = places[i] + 1;
		}
		n = all - first;
		memmove(places, places + first, n * sizeof(*places));
	}
	return begin == text.n;
}

/* The first lines of the text, as many as make a piece, or one that is longer. */
static struct sq_sv piece_of(struct sq_sv text)
{
	const char *end = text.n <= PIECE ? NULL : memrchr(text.p, '\n', PIECE);

	if (!end && text.n > PIECE)
		end = memchr(text.p + PIECE, '\n', text.n - PIECE);
	return end ? sq_sv_first(text, (size_t)(end + 1 - text.p)) : text;
}

static bool add_lines(struct lines *t, struct sq_sv text)
{
	while (text.n) {
		struct sq_sv piece = piece_of(text);

		if (!search(t, piece) || !add_piece(t, piece))
			return false;
		text = sq_sv_skip(text, piece.n);
	}
	return true;
}

bool sq_sieve_lines(const struct sq_sieve *s, struct sq_batch *b, uint32_t origin,
                    struct sq_sv text, uint32_t max_record, sq_sieve_chosen_fn *chosen, void *ctx,
                    uint32_t *ret_lines)
{
	struct lines t = { s, b, origin, max_record, chosen, ctx, 0, 0, { { .n = 0 } } };
	uint32_t before = b->n_records;

	if (s->open)
		return false;
	if (!add_lines(&t, text)) {
		b->n_records = before;
		return false;
	}
	b->origins[origin].n += t.n;
	b->counts.clean += t.left_out;
	b->counts.left_out += t.left_out;
	*ret_lines = t.n;
	return true;
}
