/* Words found by windows and by pieces, against looking everywhere. */
#include "tests/support/test.h"

#include <ctype.h>
#include <errno.h>

#include "lib/text/grams.h"
#include "lib/text/words.h"

enum { WORDS_MAX = 2000, BUCKET = 10 };

/* Which words were found where. */
struct seen {
	uint32_t word[4096];
	size_t at[4096];
	uint32_t n;
	size_t go_on; /* what the search is told; 0: look for more */
};

static size_t note(void *ctx, uint32_t word, size_t at)
{
	struct seen *s = ctx;

	for (uint32_t i = 0; i < s->n; i++)
		if (s->word[i] == word && s->at[i] == at)
			return s->go_on;
	assert_true(s->n < SQ_LEN(s->at));
	s->word[s->n] = word;
	s->at[s->n++] = at;
	return s->go_on;
}

static void look(const struct sq_words *w, const struct sq_spot *spot, struct sq_sv text,
                 struct seen *s)
{
	s->n = 0;
	s->go_on = 0;
	for (size_t at = 0; at < text.n; at++) {
		unsigned buckets = sq_spot_at(spot, text, at);

		(void)sq_words_at(w, text, at, buckets, note, s);
	}
	for (unsigned k = 0; k < sq_words_searches(w); k++)
		sq_words_search(w, k, text, note, s);
}

static bool has(const struct seen *s, uint32_t word, size_t at)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->word[i] == word && s->at[i] == at)
			return true;
	return false;
}

/* All words of the list, wherever they stand, and nothing else. */
static void finds_all(const struct sq_sv *list, uint32_t n, struct sq_sv text)
{
	static struct seen s;
	struct sq_spot spot = { 0 };
	struct sq_words *w = NULL;
	uint32_t found = 0;

	assert_int_equal(sq_words_new(&w, list, n, &spot, BUCKET), 0);
	sq_spot_ready(&spot);
	look(w, &spot, text, &s);
	for (uint32_t k = 0; k < n; k++) {
		for (size_t at = 0; at < text.n; at++) {
			if (!sq_sv_istarts(sq_sv_skip(text, at), list[k]))
				continue;
			found++;
			if (!has(&s, k, at))
				fail_msg("\"%.*s\" at %zu is missed", SQ_SV_ARG(list[k]), at);
		}
	}
	assert_int_equal(found, s.n);
	sq_words_free(w);
}

static void few_words_are_found_in_either_case(void **state)
{
	static const struct sq_sv list[] = { SQ_SV("regsvr32"), SQ_SV("mshta"),   SQ_SV("wmic"),
		                             SQ_SV("url"),      SQ_SV("script:"), SQ_SV("4.728") };

	(void)state;
	finds_all(list, SQ_LEN(list), SQ_SV("C:\\\\REGSVR32.exe /i:URL wMiCscript: x4.728 url"));
	finds_all(list, SQ_LEN(list), SQ_SV("ur"));
	finds_all(list, SQ_LEN(list), SQ_SV("regsvr3regsvr32mshtmshtascript"));
}

/* `n` words of `least` bytes or more, all different. */
static uint32_t make_words(struct sq_sv *list, uint32_t n, uint32_t least, char *bytes)
{
	uint64_t seed = n;

	for (uint32_t k = 0; k < n; k++) {
		uint32_t len = least + test_random(&seed) % 6;

		for (uint32_t i = 0; i < len; i++)
			bytes[i] =
				"abcdefghijklmnopqrstuvwxyz0123456789_-."[test_random(&seed) % 39];
		for (uint32_t i = 0, number = k; i < 3; i++, number /= 26)
			bytes[i] = (char)('a' + number % 26);
		list[k] = (struct sq_sv){ bytes, len };
		bytes += len;
	}
	return n;
}

/* Words of the list, and what only looks like them, at all distances, until it has `most` bytes. */
static struct sq_sv a_text_of(const struct sq_sv *list, uint32_t n, size_t most, char *text)
{
	uint64_t seed = n;
	size_t len = 0;

	while (len < most) {
		struct sq_sv word = list[test_random(&seed) % n];
		uint32_t gap = test_random(&seed) % 9;

		for (size_t k = 0; k < word.n; k++)
			text[len++] = test_random(&seed) % 40 == 0  ? '!'
			              : test_random(&seed) % 2 == 0 ? (char)toupper(word.p[k])
			                                            : word.p[k];
		while (gap--)
			text[len++] = ' ';
	}
	return (struct sq_sv){ text, len };
}

static void many_words_are_found_wherever_they_begin(void **state)
{
	static const struct {
		uint32_t n, least;
	} rows[] = { { 20, 3 }, { 60, 4 }, { 400, 7 }, { 600, 7 }, { 2000, 7 } };
	static char bytes[WORDS_MAX * 16], text[40000];
	static struct sq_sv list[WORDS_MAX];

	(void)state;
	for (size_t i = 0; i < SQ_LEN(rows); i++) {
		uint32_t n = make_words(list, rows[i].n, rows[i].least, bytes);

		finds_all(list, n, a_text_of(list, n, 3000, text));
	}
}

/* Some short ones go beside many long ones; very many short ones are too many. */
static void short_words_have_their_limit(void **state)
{
	static char bytes[WORDS_MAX * 16], more[WORDS_MAX * 16], text[30000];
	static struct sq_sv list[2 * WORDS_MAX];
	struct sq_spot spot = { 0 };
	struct sq_words *w = NULL;
	uint32_t n = make_words(list, 400, 7, bytes), shorts = 0;

	(void)state;
	n += make_words(list + n, 40, 3, more);
	finds_all(list, n, SQ_SV("none of them, or so one hopes"));
	n = make_words(list, 600, 4, bytes);
	for (uint32_t k = 0; k < n; k++)
		shorts += list[k].n < 7;
	assert_true(shorts > 200);
	finds_all(list, n, a_text_of(list, n, 3000, text));
	n += make_words(list + n, 1500, 7, more); /* these by steps, the short ones not */
	finds_all(list, n, a_text_of(list, n, 3000, text));
	n = make_words(list, SQ_GRAMS_MAX + 1, 4, bytes);
	for (uint32_t k = 0; k < n; k++)
		list[k].n = 4 + k % 3;
	assert_int_equal(sq_words_new(&w, list, n, &spot, BUCKET), -E2BIG);
	assert_null(w);
}

/* Three bytes are none of four: those words are for windows, and of them there can be few. */
static void tiny_words_are_found_by_windows_alone(void **state)
{
	static char bytes[WORDS_MAX * 16], more[WORDS_MAX * 16], text[30000];
	static struct sq_sv list[WORDS_MAX];
	struct sq_spot spot = { 0 };
	struct sq_words *w = NULL;
	uint32_t n = make_words(list, 300, 7, bytes);

	(void)state;
	make_words(list + n, 41, 7, more);
	for (uint32_t k = 0; k < 41; k++)
		list[n + k].n = 3;
	finds_all(list, n + 40, a_text_of(list, n + 40, 3000, text));
	assert_int_equal(sq_words_new(&w, list, n + 41, &spot, BUCKET), -E2BIG);
	assert_null(w);
}

/* `n` words, the seventh at the end of texts of each length. */
static void ends_of_texts(uint32_t n)
{
	static char bytes[WORDS_MAX * 16];
	static struct sq_sv list[WORDS_MAX];

	n = make_words(list, n, 7, bytes);
	for (size_t before = 0; before < 160; before++) {
		size_t len = before + list[7].n;
		char *text = malloc(len); /* of its own, so that reading behind it is seen */

		assert_non_null(text);
		memset(text, '*', before);
		memcpy(text + before, list[7].p, list[7].n);
		finds_all(list, n, (struct sq_sv){ text, len });
		free(text);
	}
}

static void short_texts_and_their_ends(void **state)
{
	(void)state;
	ends_of_texts(400);
	ends_of_texts(SQ_GRAMS_MAX + 100); /* by steps */
}

/* Told where to go on, by so many words. */
static void a_search_goes_on(uint32_t n)
{
	static char bytes[WORDS_MAX * 16], text[1000];
	static struct sq_sv list[WORDS_MAX];
	static struct seen s;
	struct sq_spot spot = { 0 };
	struct sq_words *w = NULL;

	n = make_words(list, n, 7, bytes);
	assert_int_equal(sq_words_new(&w, list, n, &spot, BUCKET), 0);
	assert_int_equal(sq_words_searches(w), 1);
	memset(text, ' ', sizeof(text));
	memcpy(text + 10, list[3].p, list[3].n);
	memcpy(text + 100, list[4].p, list[4].n);
	memcpy(text + 701, list[5].p, list[5].n);
	s.n = 0;
	s.go_on = 700;
	sq_words_search(w, 0, (struct sq_sv){ text, sizeof(text) }, note, &s);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.word[0], 3);
	assert_int_equal(s.at[0], 10);
	assert_int_equal(s.word[1], 5);
	assert_int_equal(s.at[1], 701);
	sq_words_free(w);
}

static void a_search_goes_on_where_it_is_told(void **state)
{
	(void)state;
	a_search_goes_on(400);
	a_search_goes_on(SQ_GRAMS_MAX + 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_words_are_found_in_either_case),
		cmocka_unit_test(many_words_are_found_wherever_they_begin),
		cmocka_unit_test(short_words_have_their_limit),
		cmocka_unit_test(tiny_words_are_found_by_windows_alone),
		cmocka_unit_test(short_texts_and_their_ends),
		cmocka_unit_test(a_search_goes_on_where_it_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
